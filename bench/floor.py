"""What PostgreSQL needs only to read the rollup and to write the rows that a night really changed.

1. `keep` copies what a night may change, before the night, with its indexes: the tables of the scores and what follows
   from them, without walls, foreign keys and triggers.
2. `take` finds afterwards which rows differ from the copy, whatever the night has written meanwhile.
3. `write` brings the copy to what the night has made of it, by the cheapest way there is: new rows by COPY into the
   table, changed ones by COPY into a temporary table and one UPDATE, gone ones by one DELETE. On one connection, and on
   as many as there are workers.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg2
from psycopg2 import sql

from bench import house

SCHEMA: Final = "bench_floor"
ROLLUP: Final = "customers_activity"
APPS: Final = ("segmentation", "health", "followups", "risk", "incentives", "dashboards", "tenants")
ALSO: Final = ("customers_arrival",)
NOT: Final = ("tenants_run", "tenants_runstep", "tenants_runpart")
"""What a run notes about itself."""
WORTH_SHARING: Final = 10_000
"""Rows from which on several connections write one table; fewer, say counts that are replaced, one removes before it adds."""


@dataclass(frozen=True)
class Table:
    """A table in which a night has changed rows; `width` is the bytes of those written, as COPY sends them."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    rows: int
    added: int
    changed: int
    removed: int
    width: int

    @property
    def written(self) -> int:
        return self.added + self.changed + self.removed


@dataclass(frozen=True)
class Written:
    """How long the writing took, and how much log it made."""

    seconds: float
    wal: int


def kept() -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """The tables that a night may write, with columns and key."""
    found = house.rows(
        """
        SELECT c.relname,
            (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),
            (SELECT array_agg(a.attname::text ORDER BY array_position(i.indkey::int2[], a.attnum))
             FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey)
             WHERE i.indrelid = c.oid AND i.indisprimary)
        FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND (split_part(c.relname, '_', 1) = ANY(%s) OR c.relname = ANY(%s)) AND c.relname <> ALL(%s)
        AND EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')
        ORDER BY 1
        """,
        [list(APPS), list(ALSO), list(NOT)],
    )
    return [(name, tuple(columns), tuple(key)) for name, columns, key in found if key]


def keep(tenant_id: int) -> None:
    """Copy the tables of `kept`, the rows of this firm, with their indexes."""
    with house.owner() as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}")
        for name, columns, _key in kept():
            copy = _name(cursor, SCHEMA, name)
            cursor.execute(f"CREATE TABLE {copy} (LIKE public.{name} INCLUDING DEFAULTS INCLUDING STORAGE)")
            # A partitioned table has none itself; its partitions are alike.
            cursor.execute("SELECT reloptions FROM pg_class WHERE oid = %s::regclass", [f"public.{name}"])
            if (options := cursor.fetchone()[0]) is not None:
                cursor.execute(f"ALTER TABLE {copy} SET ({', '.join(options)})")
            listed = _listed(cursor, columns)
            cursor.execute(
                f"INSERT INTO {copy} ({listed}) SELECT {listed} FROM public.{name} WHERE tenant_id = %s", [tenant_id]
            )
            cursor.execute(
                "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = %s::regclass", [f"public.{name}"]
            )
            for (definition,) in cursor.fetchall():
                head, _using, rest = definition.partition(" USING ")
                cursor.execute(f"{re.sub(r' INDEX .*', ' INDEX', head)} ON {copy} USING {rest}")
            cursor.execute(f"VACUUM (ANALYZE) {copy}")


def take(tenant_id: int) -> list[Table]:
    """The tables in which rows now differ from the copy. The rows are kept beside it for `write`."""
    found = []
    with house.owner() as connection, connection.cursor() as cursor:
        cursor.execute("SET work_mem = '256MB'; SET enable_nestloop = off")
        for name, columns, key in kept():
            copy, fresh, gone = (_name(cursor, SCHEMA, name + end) for end in ("", ":fresh", ":gone"))
            match = " AND ".join(f"t.{each} = k.{each}" for each in _quoted(cursor, key))
            ours, theirs = _listed(cursor, columns, "t"), _listed(cursor, columns, "k")
            cursor.execute(f"DROP TABLE IF EXISTS {fresh}, {gone}")
            cursor.execute(
                f"CREATE UNLOGGED TABLE {fresh} AS SELECT {ours}, k.tenant_id IS NULL AS is_added FROM public.{name} t "
                f"LEFT JOIN {copy} k ON {match} WHERE t.tenant_id = %s "
                f"AND (k.tenant_id IS NULL OR ROW({ours}) IS DISTINCT FROM ROW({theirs})) ORDER BY {_listed(cursor, key, 't')}",
                [tenant_id],
            )
            cursor.execute(
                f"CREATE UNLOGGED TABLE {gone} AS SELECT {_listed(cursor, key, 'k')} FROM {copy} k "
                f"WHERE NOT EXISTS (SELECT 1 FROM public.{name} t WHERE t.tenant_id = %s AND {match})",
                [tenant_id],
            )
            cursor.execute(
                f"SELECT count(*) FILTER (WHERE is_added), count(*) FILTER (WHERE NOT is_added) FROM {fresh}"
            )
            added, changed = cursor.fetchone()
            cursor.execute(f"SELECT (SELECT count(*) FROM {copy}), (SELECT count(*) FROM {gone})")
            rows, removed = cursor.fetchone()
            if added + changed + removed:
                cursor.execute(f"SELECT coalesce(sum(octet_length(f::text)), 0) FROM {fresh} f")
                (width,) = cursor.fetchone()
                found.append(Table(name, columns, key, rows, added, changed, removed, int(width)))
    return found


def write(tables: Sequence[Table], connections: int) -> tuple[Written, Written]:
    """Bring the copy up to the night's result: on one connection (and take it back), then on so many."""
    with tempfile.TemporaryDirectory() as folder:
        pieces = [_pieces(tables, Path(folder), count) for count in (1, connections)]
        house.checkpoint()
        alone = _written(pieces[0], commit=False)
        with house.owner() as connection, connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"VACUUM (ANALYZE) {_name(cursor, SCHEMA, table.name)}")
        house.checkpoint()
        return alone, _written(pieces[1], commit=True)


def read_rollup(tenant_id: int, times: int = 3) -> float:
    """Seconds to read the firm's rollup out of the database once: the quickest of some."""
    best = float("inf")
    with house.owner() as connection, connection.cursor() as cursor, Path(os.devnull).open("wb") as nowhere:
        for _ in range(times):
            begun = time.perf_counter()
            cursor.copy_expert(f"COPY (SELECT * FROM {ROLLUP} WHERE tenant_id = {int(tenant_id)}) TO STDOUT", nowhere)
            best = min(best, time.perf_counter() - begun)
    return best


def forget() -> None:
    """Take the copy away."""
    house.rows(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


@dataclass(frozen=True)
class _Piece:
    """Rows of a table for one connection, as COPY wants them."""

    table: Table
    added: Path
    changed: Path
    removed: Path


def _pieces(tables: Sequence[Table], folder: Path, count: int) -> list[list[_Piece]]:
    """What each connection writes: of every table a stretch of its own, so that none waits for another."""
    shares: list[list[_Piece]] = [[] for _ in range(count)]
    with house.owner() as connection, connection.cursor() as cursor:
        for table in tables:
            key = _listed(cursor, table.key)
            columns = _listed(cursor, table.columns)
            queries = {
                "added": f"SELECT {columns} FROM {_name(cursor, SCHEMA, table.name + ':fresh')} WHERE is_added",
                "changed": f"SELECT {columns} FROM {_name(cursor, SCHEMA, table.name + ':fresh')} WHERE NOT is_added",
                "removed": f"SELECT {key} FROM {_name(cursor, SCHEMA, table.name + ':gone')}",
            }
            for number, share in enumerate(shares):
                paths = {}
                for what, query in queries.items():
                    path = paths[what] = folder / f"{table.name}-{what}-{number}-{count}"
                    among = count if table.written >= WORTH_SHARING else 1
                    part = (
                        f"SELECT * FROM (SELECT q.*, ntile({among}) OVER (ORDER BY {key}) AS bench_share FROM ({query}) q) s "
                        f"WHERE bench_share = {number + 1}"
                    )
                    chosen = columns if what != "removed" else key
                    with path.open("wb") as file:
                        cursor.copy_expert(f"COPY (SELECT {chosen} FROM ({part}) p) TO STDOUT", file)
                share.append(_Piece(table, **paths))
    return shares


def _written(shares: Sequence[Sequence[_Piece]], *, commit: bool) -> Written:
    ((before,),) = house.rows("SELECT pg_current_wal_insert_lsn()")
    connections = [psycopg2.connect(os.environ["DATABASE_URL"]) for _share in shares]
    failed: list[Exception] = []

    def work(connection: Any, share: Sequence[_Piece]) -> None:
        try:
            with connection.cursor() as cursor:
                for piece in share:
                    _write(cursor, piece)
                    if commit:
                        connection.commit()
        except Exception as error:  # noqa: BLE001  # raised again by whoever waits
            failed.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(connections, shares, strict=True)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    ((wal,),) = house.rows("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)::bigint", [before])
    for connection in connections:
        connection.rollback()
        connection.close()
    if failed:
        raise failed[0]
    return Written(seconds, int(wal))


def _write(cursor: Any, piece: _Piece) -> None:
    table, name = piece.table, _name(cursor, SCHEMA, piece.table.name)
    columns, match = _listed(cursor, table.columns), " AND ".join(f"t.{k} = s.{k}" for k in _quoted(cursor, table.key))
    if piece.removed.stat().st_size:
        keys = _listed(cursor, table.key)
        cursor.execute(f"CREATE TEMPORARY TABLE bench_gone ON COMMIT DROP AS SELECT {keys} FROM {name} LIMIT 0")
        _copy(cursor, "bench_gone", keys, piece.removed)
        cursor.execute(
            f"ANALYZE bench_gone; DELETE FROM {name} t USING bench_gone s WHERE {match}; DROP TABLE bench_gone"
        )
    if piece.changed.stat().st_size:
        values = [each for each in table.columns if each not in table.key]
        sets = ", ".join(f"{each} = s.{each}" for each in _quoted(cursor, values))
        cursor.execute(f"CREATE TEMPORARY TABLE bench_changed ON COMMIT DROP AS SELECT {columns} FROM {name} LIMIT 0")
        _copy(cursor, "bench_changed", columns, piece.changed)
        cursor.execute(
            f"ANALYZE bench_changed; UPDATE {name} t SET {sets} FROM bench_changed s WHERE {match}; DROP TABLE bench_changed"
        )
    if piece.added.stat().st_size:
        _copy(cursor, name, columns, piece.added)


def _copy(cursor: Any, table: str, columns: str, path: Path) -> None:
    with path.open("rb") as file:
        cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN", file, size=1 << 20)


def _name(cursor: Any, *parts: str) -> str:
    return str(sql.Identifier(*parts).as_string(cursor))


def _quoted(cursor: Any, names: Sequence[str]) -> list[str]:
    return [_name(cursor, each) for each in names]


def _listed(cursor: Any, names: Sequence[str], table: str = "") -> str:
    return ", ".join(f"{table}.{each}" if table else each for each in _quoted(cursor, names))
