"""What merging needs of the database: ids by external id, fresh ids, and writing only what differs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
from django.db import IntegrityError, models

from customers.models import Customer, ExternalId, Product
from customers.terms import note_names
from tenants.context import current_tenant
from tenants.frames import insert_frame, merge_frame, read_frame
from tenants.models import Tenant


class Collision(Exception):
    """Somebody else wrote the same record at this moment; the piece is merged again."""


@dataclass(frozen=True)
class Work:
    """What merging needs to know of the import."""

    tenant: Tenant
    source: str
    now: dt.datetime


OUTCOME: Final = {
    "line": pl.Int64,
    "external_id": pl.String,
    "outcome": pl.String,
    "field": pl.String,
    "code": pl.String,
    "value": pl.String,
    "detail": pl.String,
}
"""What became of a line: created, updated, unchanged or failed, and why (`problems.reason`)."""


@dataclass(frozen=True)
class Merged:
    """What a piece became: numbers of records, and of each of its lines."""

    created: int
    updated: int
    unchanged: int
    lines: pl.DataFrame  # as OUTCOME

    @property
    def failed(self) -> int:
        """Lines that were refused while merging."""
        return self.lines.filter(pl.col("outcome") == "failed").height


def refused(
    rows: pl.DataFrame, field: str, code: str, *, key: str, value: pl.Expr, detail: pl.Expr | None = None
) -> pl.DataFrame:
    """The rows as failed lines of the outcome."""
    return rows.select(
        "line",
        pl.col(key).alias("external_id"),
        outcome=pl.lit("failed"),
        field=pl.lit(field),
        code=pl.lit(code),
        value=value.cast(pl.String),
        detail=pl.lit(None, pl.String) if detail is None else detail.cast(pl.String),
    )


def merged(rows: pl.DataFrame, records: pl.DataFrame, failed: Sequence[pl.DataFrame], *, key: str, name: str) -> Merged:
    """The result of merging: `records` has `key` and `outcome`; `rows` the lines with `key` and the `name` to show."""
    fine = rows.join(records.select(key, "outcome"), on=key).select(
        "line",
        pl.col(name).alias("external_id"),
        "outcome",
        *(pl.lit(None, pl.String).alias(column) for column in ("field", "code", "value", "detail")),
    )
    counts = dict(records["outcome"].value_counts().iter_rows())
    lines = pl.concat([fine, *failed])
    return Merged(counts.get("created", 0), counts.get("updated", 0), counts.get("unchanged", 0), lines)


def fresh_ids(model: type[models.Model], number: int) -> pl.Series:
    """Ids that nobody else gets, so that rows that refer to each other can be written in bulk."""
    # The sequence is looked up once: in the outer SELECT it would be for every row.
    return read_frame(
        "SELECT nextval(sequence) FROM (SELECT pg_get_serial_sequence(%s, 'id')::regclass AS sequence OFFSET 0) s, "
        "generate_series(1, %s)",
        [model._meta.db_table, number],
        schema={"id": pl.Int64},
        few=True,
    )["id"]


def add(model: type[models.Model], rows: pl.DataFrame, constants: dict[str, Any] | None = None) -> None:
    """Insert all rows. Raises Collision when somebody else has inserted one of them meanwhile."""
    try:
        insert_frame(model, rows, constants=constants, strict=True)
    except IntegrityError as error:
        raise Collision(model._meta.label) from error


# ── customers and products by external id ───────────────────────────────────


def array_of(texts: pl.Series) -> str:
    """Texts as PostgreSQL reads an array of them from one: `= ANY(%s::text[])`; nulls, which equal nothing, are left out.

    A list would become a literal for each, which the server parses and plans one by one: for the 20,000 orders of a piece
    that takes longer than to find them.
    """
    marked = texts.drop_nulls().str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    return "{" + ",".join(('"' + marked + '"').to_list()) + "}"


def customer_ids(names: pl.Series, source: str) -> pl.DataFrame:
    """customer (external id), customer_id of those that exist."""
    return read_frame(
        "SELECT value, customer_id FROM customers_externalid "
        "WHERE tenant_id = %s AND source = %s AND value = ANY(%s::text[])",
        [current_tenant().pk, source, array_of(names.unique())],
        schema={"customer": pl.String, "customer_id": pl.Int64},
    )


def product_ids(names: pl.Series, source: str) -> pl.DataFrame:
    """product (external id), product_id of those that exist."""
    return read_frame(
        "SELECT external_id, id FROM customers_product "
        "WHERE tenant_id = %s AND source = %s AND external_id = ANY(%s::text[])",
        [current_tenant().pk, source, array_of(names.unique())],
        schema={"product": pl.String, "product_id": pl.Int64},
    )


_NO_CUSTOMER: Final = {"city": "", "industry": "", "note": ""}


def add_customers(rows: pl.DataFrame, work: Work) -> pl.DataFrame:
    """Make customers: `customer` (external id), `name`, `country` and what else a customer has; gives them `id`."""
    rows = rows.with_columns(fresh_ids(Customer, rows.height))
    columns = rows.drop("customer").with_columns(search_name=pl.col("name").str.to_lowercase())
    absent = {name: value for name, value in _NO_CUSTOMER.items() if name not in rows.columns}
    add(Customer, columns, {**absent, "created_at": work.now, "updated_at": work.now})
    add(ExternalId, rows.select(pl.col("id").alias("customer_id"), value="customer"), {"source": work.source})
    note_names(dict(rows.select("id", "name").iter_rows()), new=True)
    return rows


def add_products(rows: pl.DataFrame, work: Work) -> pl.DataFrame:
    """Make products: `product` (external id), `name`, `category`; gives them `id`."""
    rows = rows.with_columns(fresh_ids(Product, rows.height))
    columns = rows.rename({"product": "external_id"})
    add(Product, columns, {"source": work.source, "created_at": work.now, "updated_at": work.now})
    return rows


def change(model: type[models.Model], rows: pl.DataFrame, work: Work) -> None:
    """Write the rows, known by `id`, that differ from what stands there."""
    merge_frame(model, rows, keys=["id"], constants={"updated_at": work.now}, insert=False)
    if model is Customer:
        note_names(dict(rows.select("id", "name").iter_rows()), new=False)


# ── upsert of whole records ─────────────────────────────────────────────────


@dataclass(frozen=True)
class Column:
    """A column that a file may set: its value for a new record that the file says nothing about."""

    default: Any
    # A moment is compared as microseconds since 1970: exact, and no text form to agree about.
    is_moment: bool = False

    def read(self, name: str) -> str:
        """How its value is read from the table."""
        return f"(extract(epoch FROM {name}) * 1000000)::bigint" if self.is_moment else name


def settle(model: type[models.Model], records: pl.DataFrame, columns: Mapping[str, Column]) -> pl.DataFrame:
    """Fill what the file does not say from what stands there, else by default, and add `outcome`.

    `records` has `id` (null: new) and the columns, null where nothing was said: an empty cell leaves alone
    what is known. The outcome is created, updated or unchanged.
    """
    schema = {name: records.schema[name] for name in columns}
    known = read_frame(
        f"SELECT id, {', '.join(column.read(name) for name, column in columns.items())} "
        f"FROM {model._meta.db_table} WHERE tenant_id = %s AND id = ANY(%s) FOR NO KEY UPDATE",
        [current_tenant().pk, records["id"].drop_nulls().to_list()],
        schema={"id": pl.Int64, **schema},
    )
    both = records.join(known, on="id", how="left", suffix="_known", maintain_order="left")
    both = both.with_columns(
        pl.coalesce(name, f"{name}_known", pl.lit(column.default, schema[name])).alias(name)
        for name, column in columns.items()
    )
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_known")) for name in columns)
    outcome = pl.when(pl.col("id").is_null()).then(pl.lit("created")).when(differs).then(pl.lit("updated"))
    both = both.with_columns(outcome=outcome.otherwise(pl.lit("unchanged")))
    return both.drop(f"{name}_known" for name in columns)
