"""Bulk reading and writing: tables out as frames, frames in as tables, and only what differs is written.

COPY into a table under row-level security is refused to the app role, so a frame goes into a temporary
table first and is merged from there (FINDINGS: two million rows out and back cost seconds).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import polars as pl
from django.db import connection, models
from django.db.backends.utils import CursorWrapper

from tenants.context import current_tenant

_STAGING = "incoming"
_TYPES: dict[Any, str] = {
    pl.Int8: "smallint",
    pl.Int16: "smallint",
    pl.Int32: "integer",
    pl.UInt32: "bigint",
    pl.Int64: "bigint",
    pl.Float64: "double precision",
    pl.Boolean: "boolean",
    pl.Date: "date",
    pl.String: "text",
}


def read_frame(sql: str, params: Sequence[Any] = (), *, schema: dict[str, Any], few: bool = False) -> pl.DataFrame:
    """Run a SELECT and return its rows as a frame with the columns and types of `schema`, by position.

    The query must name the tenant itself (the wall guards it, but cannot make it quick). Text columns
    come back as they are; an empty string and NULL stay different. `few`: it is about some customers, whose rows
    an index finds, not about all of the tenant's.
    """
    with connection.cursor() as cursor:
        query = cursor.cursor.mogrify(sql, params).decode()
        buffer = io.BytesIO()
        with nullcontext() if few else without_loops(cursor):
            cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT csv, NULL '\\N')", buffer)
    # Parsed as text and cast by us: Polars would otherwise guess a type per column from the first rows.
    parse = {name: pl.String if dtype == pl.Boolean else dtype for name, dtype in schema.items()}
    frame = pl.read_csv(
        buffer.getvalue(),
        has_header=False,
        schema=parse,
        null_values="\\N",
        empty_string_is_null=False,
        raise_if_empty=False,
    )
    booleans = [name for name, dtype in schema.items() if dtype == pl.Boolean]
    return frame.with_columns(pl.col(name) == "t" for name in booleans)


def without_loops(cursor: CursorWrapper) -> AbstractContextManager[None]:
    """Statements inside, which are about all of a tenant's rows or a part of them, join these by hash or by merging.

    Until the tables are analyzed again, the planner believes that a new tenant has one row, and nests loops over tens of
    thousands: 25 s instead of 0.1.
    """
    return _planned_without(cursor, "enable_nestloop")


def without_index_alone(cursor: CursorWrapper) -> AbstractContextManager[None]:
    """Statements inside, which follow writes all over a table, read its rows.

    What an index alone would tell of a page just written, PostgreSQL must look up in each of its rows.
    """
    return _planned_without(cursor, "enable_indexonlyscan")


@contextmanager
def _planned_without(cursor: CursorWrapper, kind: str) -> Iterator[None]:
    """Only inside a transaction, which forgets it when it fails."""
    cursor.execute("SELECT set_config(%s, 'off', true)", [kind])
    yield
    cursor.execute("SELECT set_config(%s, 'on', true)", [kind])


def copy_frame(cursor: CursorWrapper, table: str, frame: pl.DataFrame, *, analyze: bool | Sequence[str] = True) -> None:
    """Make the temporary table `table` and fill it with the frame; it goes with the transaction.

    `analyze` tells the planner what is in it, which a query that joins it needs; of the columns that are named, if any
    are: by which it is joined is enough.
    """
    quote = connection.ops.quote_name
    columns = ", ".join(f"{quote(name)} {_column_type(dtype)}" for name, dtype in frame.schema.items())
    cursor.execute(f"CREATE TEMPORARY TABLE {quote(table)} ({columns}) ON COMMIT DROP")
    text = io.BytesIO()
    # quote_style: an empty string is written "" and NULL \N, so that both arrive as what they were.
    frame.write_csv(text, include_header=False, null_value="\\N", quote_style="non_numeric", datetime_format="%+")
    text.seek(0)
    names = ", ".join(quote(name) for name in frame.columns)
    cursor.copy_expert(f"COPY {quote(table)} ({names}) FROM STDIN (FORMAT csv, NULL '\\N')", text)
    if analyze:
        known = "" if analyze is True else f" ({', '.join(map(quote, analyze))})"
        cursor.execute(f"ANALYZE {quote(table)}{known}")


def _column_type(dtype: Any) -> str:
    if isinstance(dtype, pl.Datetime):
        return "timestamptz"
    return _TYPES[dtype.base_type()]


@dataclass(frozen=True)
class Merged:
    """What a merge wrote."""

    inserted: int
    updated: int
    unchanged: int

    @property
    def written(self) -> int:
        return self.inserted + self.updated


def insert_frame(
    model: type[models.Model], frame: pl.DataFrame, *, constants: dict[str, Any] | None = None, strict: bool = False
) -> int:
    """Add the frame's rows, except those that a unique constraint has already; returns how many were added.

    The frame's columns are database columns; `constants` are the same for every row. With `strict` a row that
    is there already raises IntegrityError, which is quicker for rows that cannot be.
    """
    if frame.is_empty():
        return 0
    with connection.cursor() as cursor:
        _stage(cursor, frame, analyze=False)
        return _insert(cursor, model, frame.columns, constants or {}, [], strict=strict)


def _stage(cursor: CursorWrapper, frame: pl.DataFrame, *, analyze: bool | Sequence[str]) -> None:
    cursor.execute(f"DROP TABLE IF EXISTS {_STAGING}")
    copy_frame(cursor, _STAGING, frame, analyze=analyze)


def _insert(
    cursor: CursorWrapper,
    model: type[models.Model],
    columns: Sequence[str],
    constants: dict[str, Any],
    keys: Sequence[str],
    *,
    strict: bool = False,
) -> int:
    quote = connection.ops.quote_name
    table, tenant_id = quote(model._meta.db_table), current_tenant().pk
    picked = ", ".join(["%s", *(_cast(model, name) for name in columns), *["%s"] * len(constants)])
    missing, values = "", [tenant_id, *constants.values()]
    if keys:
        match = " AND ".join(f"t.{quote(k)} = s.{quote(k)}" for k in keys)
        missing = f"WHERE NOT EXISTS (SELECT 1 FROM {table} t WHERE t.tenant_id = %s AND {match})"
        values.append(tenant_id)
    names = ", ".join(["tenant_id", *map(quote, columns), *map(quote, constants)])
    conflict = "" if strict else "ON CONFLICT DO NOTHING"
    cursor.execute(f"INSERT INTO {table} ({names}) SELECT {picked} FROM {_STAGING} s {missing} {conflict}", values)
    return cursor.rowcount


def _cast(model: type[models.Model], column: str) -> str:
    # Only the column's own type is asked for: finding out a type takes longer than all else here.
    field = {f.column: f for f in model._meta.local_fields}[column]
    name = f"s.{connection.ops.quote_name(column)}"
    return f"{name}::jsonb" if field.db_type(connection) == "jsonb" else name


def _check_unique(frame: pl.DataFrame, keys: Sequence[str]) -> None:
    if frame.select(keys).is_duplicated().any():
        raise ValueError(f"The frame names a row twice by {', '.join(keys)}")


def merge_frame(
    model: type[models.Model],
    frame: pl.DataFrame,
    *,
    keys: Sequence[str],
    constants: dict[str, Any] | None = None,
    insert: bool = True,
) -> Merged:
    """Make the table's rows equal to the frame's, in one transaction, writing only those that differ.

    `keys` identify a row inside the tenant and must be unique there; the frame's columns are database
    columns. `constants` are put into rows that are written (a policy version, say); they do not by themselves
    make a row differ. Rows that the frame does not have stay;
    with `insert=False` rows that the table does not have are left out.

    Raises ValueError when the frame names a row twice.
    """
    if frame.is_empty():
        return Merged(0, 0, 0)
    _check_unique(frame, keys)

    quote = connection.ops.quote_name
    table, fixed = quote(model._meta.db_table), constants or {}
    values = [name for name in frame.columns if name not in keys]
    with connection.cursor() as cursor:
        _stage(cursor, frame, analyze=keys)
        updated = 0
        if values:
            match = " AND ".join(f"t.{quote(k)} = s.{quote(k)}" for k in keys)
            sets = [f"{quote(n)} = {_cast(model, n)}" for n in values] + [f"{quote(n)} = %s" for n in fixed]
            ours = ", ".join(f"t.{quote(n)}" for n in values)
            theirs = ", ".join(_cast(model, n) for n in values)
            cursor.execute(
                f"UPDATE {table} t SET {', '.join(sets)} FROM {_STAGING} s "
                f"WHERE t.tenant_id = %s AND {match} AND ({ours}) IS DISTINCT FROM ({theirs})",
                [*fixed.values(), current_tenant().pk],
            )
            updated = cursor.rowcount
        inserted = _insert(cursor, model, frame.columns, fixed, keys) if insert else 0
    return Merged(inserted, updated, frame.height - inserted - updated)
