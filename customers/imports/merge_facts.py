"""Customers, contacts, products and interactions out of files: one record per row, known by its number.

Rows of one record are taken together, the last that says something counting. An empty cell says nothing: it
never empties what is known. Tags are added, never taken away, because people put them on by hand too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl
from django.db import connection, models

from customers.imports.rows import (
    Column,
    Merged,
    Work,
    add,
    add_customers,
    add_products,
    change,
    customer_ids,
    fresh_ids,
    merged,
    product_ids,
    refused,
    settle,
)
from customers.models import Contact, Customer, CustomerTag, Interaction, Product, Tag, TouchKind
from tenants.context import current_tenant
from tenants.frames import insert_frame, read_frame

_CREATED, _UPDATED = "created", "updated"


def _records(rows: pl.DataFrame, key: str, columns: Sequence[str]) -> pl.DataFrame:
    """One row per key with the last value of each column that the file says."""
    said = [pl.col(column).drop_nulls().last() for column in columns]
    return rows.sort("line").group_by(key, maintain_order=True).agg(said)


# ── customers ───────────────────────────────────────────────────────────────

_CUSTOMER: Final = {
    "name": Column(""),
    "country": Column(""),
    "city": Column(""),
    "industry": Column(""),
    "industry_position": Column(None),
    "growth_potential": Column(""),
    "owner_a_id": Column(None),
    "owner_b_id": Column(None),
    "since": Column(None),
    "note": Column(""),
}


def merge_customers(rows: pl.DataFrame, work: Work) -> Merged:
    """Upsert customers by their external id."""
    rows = rows.rename({"owner_a": "owner_a_id", "owner_b": "owner_b_id"})
    rows = rows.with_columns(pl.col("industry_position").cast(pl.Int16))
    records = _records(rows, "customer", [*_CUSTOMER, "tags"])
    ids = customer_ids(records["customer"], work.source).rename({"customer_id": "id"})
    records = records.join(ids, on="customer", how="left", maintain_order="left")
    # A customer that has no name yet is called by its number.
    nameless = pl.col("id").is_null() & pl.col("name").is_null()
    records = records.with_columns(name=pl.when(nameless).then("customer").otherwise("name"))
    records = settle(Customer, records, _CUSTOMER)
    new = add_customers(_of(records, _CREATED).select("customer", *_CUSTOMER), work)
    changed = _of(records, _UPDATED).select("id", *_CUSTOMER, search_name=pl.col("name").str.to_lowercase())
    change(Customer, changed, work)
    ids = pl.concat([ids.select("customer", "id"), new.select("customer", "id")])
    tagged = _add_tags(records.drop("id").join(ids, on="customer").select("id", "customer", "tags"))
    more = pl.col("customer").is_in(tagged) & (pl.col("outcome") == "unchanged")
    records = records.with_columns(outcome=pl.when(more).then(pl.lit(_UPDATED)).otherwise("outcome"))
    return merged(rows, records, [], key="customer", name="customer")


def _add_tags(customers: pl.DataFrame) -> list[str]:
    """Put tags on customers; returns the external ids of those that got one."""
    wanted = customers.explode("tags").drop_nulls("tags").unique()
    if wanted.is_empty():
        return []
    names = wanted["tags"].unique().sort()
    insert_frame(Tag, names.to_frame("name"))
    tags = pl.DataFrame(
        list(Tag.objects.filter(name__in=names.to_list()).values_list("name", "pk")),
        schema={"tags": pl.String, "tag_id": pl.Int64},
        orient="row",
    )
    known = read_frame(
        "SELECT customer_id, tag_id FROM customers_customertag WHERE tenant_id = %s AND customer_id = ANY(%s)",
        [current_tenant().pk, wanted["id"].to_list()],
        schema={"id": pl.Int64, "tag_id": pl.Int64},
    )
    missing = wanted.join(tags, on="tags").join(known, on=["id", "tag_id"], how="anti")
    insert_frame(CustomerTag, missing.select("tag_id", customer_id="id"))
    return missing["customer"].unique().to_list()


# ── products ────────────────────────────────────────────────────────────────

_PRODUCT: Final = {"name": Column(""), "category": Column("")}


def merge_products(rows: pl.DataFrame, work: Work) -> Merged:
    """Upsert products by their external id."""
    records = _records(rows, "product", list(_PRODUCT))
    ids = product_ids(records["product"], work.source).rename({"product_id": "id"})
    records = settle(Product, records.join(ids, on="product", how="left", maintain_order="left"), _PRODUCT)
    add_products(_of(records, _CREATED).select("product", *_PRODUCT), work)
    change(Product, _of(records, _UPDATED).select("id", *_PRODUCT), work)
    return merged(rows, records, [], key="product", name="product")


# ── contacts and interactions ───────────────────────────────────────────────

_CONTACT: Final = {
    "customer_id": Column(None),
    "external_id": Column(""),
    "name": Column(""),
    "title": Column(""),
    "email": Column(""),
    "phone": Column(""),
    "wechat": Column(""),
    "birthday": Column(None),
    "channel": Column(""),
    "language": Column(""),
    "consent": Column(Contact.Consent.UNKNOWN.value),
    "consent_on": Column(None),
}


def merge_contacts(rows: pl.DataFrame, work: Work) -> Merged:
    """Upsert contacts by their external id; one without is the contact of that name at the customer."""
    rows, failed = _of_known_customers(rows, work)
    named = read_frame(
        "SELECT customer_id, name, min(id) FROM customers_contact WHERE tenant_id = %s AND customer_id = ANY(%s) "
        "GROUP BY customer_id, name",
        [work.tenant.pk, rows["customer_id"].unique().to_list()],
        schema={"customer_id": pl.Int64, "name": pl.String, "id_by_nature": pl.Int64},
    )
    rows = rows.join(named, on=["customer_id", "name"], how="left", maintain_order="left")
    nature = [pl.col("customer_id"), pl.col("name")]
    return _upsert(Contact, rows, failed, _CONTACT, nature, {"is_main": False}, work)


_INTERACTION: Final = {
    "customer_id": Column(None),
    "external_id": Column(""),
    # Microseconds since 1970 while it is compared: exact, and no text form to agree about.
    "at": Column(None, read="(extract(epoch FROM at) * 1000000)::bigint"),
    "channel": Column(""),
    "direction": Column(Interaction.Direction.OUTBOUND.value),
    "kind": Column(TouchKind.LIGHT_TOUCH.value),
    "topic": Column(""),
    "answered": Column(None),
    "solved": Column(None),
    "member_id": Column(None),
    "note": Column(""),
}
_NATURE: Final = ["customer_id", "at", "channel", "direction", "kind", "topic"]


def merge_interactions(rows: pl.DataFrame, work: Work) -> Merged:
    """Upsert interactions by their external id; one without is known by customer, time, channel, kind and topic."""
    rows, failed = _of_known_customers(rows.rename({"member": "member_id"}), work)
    rows = rows.with_columns(pl.col("at").dt.timestamp("us"))
    # For telling which one it is, what the row does not say is what a new interaction would have.
    nature = [pl.col(name).fill_null(pl.lit(_INTERACTION[name].default, rows.schema[name])) for name in _NATURE]
    known = read_frame(
        f"SELECT customer_id, {_INTERACTION['at'].read}, channel, direction, kind, topic, min(id) "
        "FROM customers_interaction WHERE tenant_id = %s AND customer_id = ANY(%s) AND external_id = '' "
        "GROUP BY 1, 2, 3, 4, 5, 6",
        [work.tenant.pk, rows["customer_id"].unique().to_list()],
        schema={name: rows.schema[name] for name in _NATURE} | {"id_by_nature": pl.Int64},
    )
    rows = rows.join(known, left_on=nature, right_on=_NATURE, how="left", maintain_order="left")
    return _upsert(Interaction, rows, failed, _INTERACTION, nature, {}, work)


def _of_known_customers(rows: pl.DataFrame, work: Work) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    rows = rows.join(customer_ids(rows["customer"], work.source), on="customer", how="left", maintain_order="left")
    strangers = rows.filter(pl.col("customer_id").is_null())
    key = pl.coalesce("external_id", "customer").alias("shown")
    value = pl.col("customer")
    failed = refused(strangers.with_columns(key), "customer", "unknown_customer", key="shown", value=value)
    return rows.drop_nulls("customer_id").with_columns(key), [failed]


def _upsert(
    model: type[models.Model],
    rows: pl.DataFrame,
    failed: list[pl.DataFrame],
    columns: Mapping[str, Column],
    nature: Sequence[pl.Expr],
    constants: dict[str, Any],
    work: Work,
) -> Merged:
    """Upsert rows by `external_id`, or without one by their `nature`; `id_by_nature` is who that is already."""
    by_number = read_frame(
        f"SELECT external_id, id FROM {connection.ops.quote_name(model._meta.db_table)} "
        "WHERE tenant_id = %s AND source = %s AND external_id = ANY(%s)",
        [work.tenant.pk, work.source, rows["external_id"].drop_nulls().unique().to_list()],
        schema={"external_id": pl.String, "id_by_number": pl.Int64},
    )
    rows = rows.join(by_number, on="external_id", how="left", maintain_order="left")
    numberless = pl.col("external_id").is_null()
    rows = rows.with_columns(id=pl.when(numberless).then("id_by_nature").otherwise("id_by_number"))
    # Rows of one record have one key: the record's id, else the number, else what it consists of.
    natural = pl.concat_str([pl.lit("n"), *(part.cast(pl.String) for part in nature)], separator="\x1f")
    key = pl.coalesce(pl.lit("i") + pl.col("id").cast(pl.String), pl.lit("x") + pl.col("external_id"), natural)
    rows = rows.with_columns(key=key)
    records = settle(model, _records(rows, "key", ["id", *columns]), columns)
    if "at" in columns:
        records = records.with_columns(pl.from_epoch("at", time_unit="us").dt.replace_time_zone("UTC"))
    new = _of(records, _CREATED).drop("id")
    new = new.with_columns(fresh_ids(model, new.height))
    stamps = {"source": work.source, "created_at": work.now, "updated_at": work.now}
    add(model, new.select("id", *columns), constants | stamps)
    change(model, _of(records, _UPDATED).select("id", *columns), work)
    return merged(rows, records, failed, key="key", name="shown")


def _of(records: pl.DataFrame, outcome: str) -> pl.DataFrame:
    return records.filter(pl.col("outcome") == outcome)
