"""All of a tenant's rows of a large table, read in slices on several connections, as of one moment.

One connection gives about a million rows a second: what it costs is the server's work, so two give twice as many.
Each slice is a range of pages, which the wall lets through as it stands (comparing positions is leakproof), and comes
as COPY's binary format, whose rows of numbers and dates all have the same length: nothing has to be parsed.
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from tenants.context import current_tenant, tenant_scope
from tenants.models import Tenant

Fold = Callable[[pl.DataFrame], pl.DataFrame]
"""Makes few rows of many."""

_PAGES: Final = 2_048
_ROWS: Final = 100_000  # of a slice by key
_BATCH: Final = 1_000_000  # rows that are folded at a time
# Of whose rows the table has less than this share, they are looked up: the rest would be read in vain.
_SHARE: Final = 1 / 8
_MOST_CONNECTIONS: Final = 8

# <postgresql>/src/backend/commands/copyto.c: eleven bytes of signature, flags, length of the extension; at the end -1.
_HEADER: Final = 19
_TRAILER: Final = 2
_BINARY: Final[dict[Any, str]] = {pl.Int64: ">i8", pl.Int32: ">i4", pl.Date: ">i4", pl.Boolean: "u1"}
_EPOCH_2000: Final = 10_957  # days from 1970-01-01 to 2000-01-01, where dates of the binary format begin


@dataclass(frozen=True)
class Rows:
    """What to read of a table: an SQL expression and a type by name, of rows for which `where` holds.

    Types are Int64 (bigint), Int32 (integer), Date and Boolean, and no value may be NULL. `key` is a bigint column,
    and the table has an index that begins with the tenant and it. `params` are those of the columns, then of `where`.
    """

    table: str
    columns: Mapping[str, tuple[str, Any]]
    key: str
    where: str = "true"
    params: tuple[Any, ...] = ()

    def none(self) -> pl.DataFrame:
        """A frame with the columns and no row."""
        return pl.DataFrame(schema={name: dtype for name, (_expression, dtype) in self.columns.items()})


@dataclass(frozen=True)
class Moment:
    """A moment in the tenant's life; whatever is read of it fits together, and is what was committed then."""

    tenant: Tenant
    snapshot: str
    pool: ThreadPoolExecutor
    connections: int

    def size(self, rows: Rows) -> int:
        """How many rows the tenant has in the table, as the planner guesses."""
        return self.pool.submit(self._ask, rows, _guess).result()

    def read(self, rows: Rows, fold: Fold, join: Fold) -> pl.DataFrame:
        """The rows, folded in batches by the threads that read them, and what these give joined.

        `join` takes what `fold` gave for several batches and makes of it what it would have given for all of them.
        Memory is bounded by what these leave and a batch for each connection. Raises ValueError for a NULL.
        """
        slices = self.pool.submit(self._ask, rows, _slices).result()
        try:
            readers = [self.pool.submit(self._read, rows, slices, _Folded(fold, join)) for _ in range(self.connections)]
            parts = [part for reader in readers for part in reader.result()]
        finally:
            slices.clear()  # when one has failed, the others stop with the slice they are at
        return join(pl.concat([fold(rows.none()), *parts]))

    def _ask(self, rows: Rows, question: Callable[[CursorWrapper, Rows], Any]) -> Any:
        with self._scope() as cursor:
            return question(cursor, rows)

    def _read(self, rows: Rows, slices: list[_Slice], folded: _Folded) -> list[pl.DataFrame]:
        with self._scope() as cursor:
            while True:
                try:
                    piece = slices.pop()  # atomic: the readers take turns
                except IndexError:
                    return folded.parts()
                folded.add(_copy(cursor, rows, piece))

    @contextmanager
    def _scope(self) -> Iterator[CursorWrapper]:
        """The tenant's scope as of the moment, on a connection of this thread's own."""
        with closing(connection), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SET TRANSACTION SNAPSHOT %s", [self.snapshot])
            with tenant_scope(self.tenant):
                yield cursor


@contextmanager
def one_moment(tenant: Tenant, connections: int | None = None) -> Iterator[Moment]:
    """The tenant's rows as they are committed now, for as long as this is open.

    They are read on connections of their own, one for each processor (at most 8) unless said otherwise: what a
    transaction that is open here has written is not among them.
    """
    number = connections or processors()
    with ThreadPoolExecutor(number) as pool, closing(connection.copy()) as keeper:
        keeper.set_autocommit(False)
        with keeper.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            # It has nothing to do but to keep the snapshot while the others begin.
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '2h'")
            cursor.execute("SELECT pg_export_snapshot()")
            (snapshot,) = cursor.fetchone()
            yield Moment(tenant, snapshot, pool, number)


def processors() -> int:
    """On how many connections something large is done side by side: one for each processor, at most 8."""
    return min(os.cpu_count() or 1, _MOST_CONNECTIONS)


class _Folded:
    """Parts that are folded while they come in, so that never much more than what folding leaves is held."""

    def __init__(self, fold: Fold, join: Fold) -> None:
        self._fold, self._join = fold, join
        self._raw: list[pl.DataFrame] = []
        self._parts: list[pl.DataFrame] = []
        self._left = 0  # rows, after all parts were folded into one

    def add(self, frame: pl.DataFrame) -> None:
        self._raw.append(frame)
        if sum(map(len, self._raw)) >= _BATCH:
            self._fold_raw()

    def parts(self) -> list[pl.DataFrame]:
        if self._raw:
            self._fold_raw()
        return self._parts

    def _fold_raw(self) -> None:
        self._parts.append(self._fold(pl.concat(self._raw)))
        self._raw.clear()
        # Only when they have doubled: rows that do not become fewer are not folded again and again.
        if sum(map(len, self._parts)) > 2 * self._left + 2 * _BATCH:
            self._parts = [self._join(pl.concat(self._parts))]
            self._left = len(self._parts[0])


# ── slices ──────────────────────────────────────────────────────────────────

_Slice = tuple[str, list[Any]]
"""A condition and its parameters."""


def _guess(cursor: CursorWrapper, rows: Rows) -> int:
    cursor.execute(f"EXPLAIN (FORMAT JSON) SELECT FROM {rows.table} WHERE tenant_id = %s", [_own()])
    (plan,) = cursor.fetchone()
    return int((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Plan Rows"])


def _slices(cursor: CursorWrapper, rows: Rows) -> list[_Slice]:
    cursor.execute(
        "SELECT reltuples, pg_relation_size(oid) / current_setting('block_size')::int FROM pg_class WHERE oid = %s::regclass",
        [rows.table],
    )
    everybodys, pages = cursor.fetchone()
    own = _guess(cursor, rows)
    if own >= _SHARE * everybodys:
        return [
            ("ctid >= %s::tid AND ctid < %s::tid", [f"({page},0)", f"({page + _PAGES},0)"])
            for page in range(0, pages, _PAGES)
        ]
    cursor.execute(f"SELECT min({rows.key}), max({rows.key}) FROM {rows.table} WHERE tenant_id = %s", [_own()])
    first, last = cursor.fetchone()
    if first is None:
        return []
    step = math.ceil((last - first + 1) / math.ceil((own + 1) / _ROWS))
    return [(f"{rows.key} >= %s AND {rows.key} < %s", [key, key + step]) for key in range(first, last + 1, step)]


def _own() -> int:
    return current_tenant().pk


# ── one slice ───────────────────────────────────────────────────────────────


def _copy(cursor: CursorWrapper, rows: Rows, piece: _Slice) -> pl.DataFrame:
    condition, params = piece
    columns = ", ".join(expression for expression, _type in rows.columns.values())
    sql = f"SELECT {columns} FROM {rows.table} WHERE {rows.where} AND tenant_id = %s AND {condition}"
    query = cursor.cursor.mogrify(sql, [*rows.params, _own(), *params]).decode()
    buffer = io.BytesIO()
    cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT binary)", buffer)
    return _frame(buffer.getbuffer(), rows)


def _frame(data: memoryview, rows: Rows) -> pl.DataFrame:
    types = rows.none().schema
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for name, dtype in types.items():
        layout += [(f"length of {name}", ">i4"), (name, _BINARY[dtype])]
    packed = np.dtype(layout)
    body = data[_HEADER : len(data) - _TRAILER]
    is_whole = len(body) % packed.itemsize == 0
    found = np.frombuffer(body, packed) if is_whole else np.empty(0, packed)
    # A NULL has the length -1 and takes no room, so that whatever follows it is out of place.
    if not (is_whole and all((found[f"length of {name}"] == packed[name].itemsize).all() for name in types)):
        raise ValueError(f"A row of {rows.table} has a NULL, or another type than was said")
    return pl.DataFrame({name: _column(found[name], dtype) for name, dtype in types.items()})


def _column(values: np.ndarray[Any, Any], dtype: Any) -> pl.Series:
    native = values.astype(values.dtype.newbyteorder("="))
    if dtype == pl.Date:
        return pl.Series(native + np.int32(_EPOCH_2000)).cast(pl.Date)
    return pl.Series(native).cast(dtype)
