"""Customers, their people, products, talks, complaints and answers out of files: one record per row, by its number.

Rows of one record are taken together, the last that says something counting. An empty cell says nothing: it
never empties what is known. Tags are added, never taken away, because people put them on by hand too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
from django.db import connection, models
from django.db.models import F

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
from customers.models import (
    Complaint,
    Contact,
    Customer,
    CustomerTag,
    Interaction,
    Product,
    SurveyResponse,
    Tag,
    TouchKind,
)
from customers.services.arrivals import arrived
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
    arrived([*new["id"], *changed["id"]])
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
    "at": Column(None, is_moment=True),
    "channel": Column(""),
    "direction": Column(Interaction.Direction.OUTBOUND.value),
    "kind": Column(TouchKind.LIGHT_TOUCH.value),
    "topic": Column(""),
    "answered": Column(None),
    "solved": Column(None),
    "about_competitor": Column(default=False),
    "leaving": Column(""),
    "member_id": Column(None),
    "note": Column(""),
}


def merge_interactions(rows: pl.DataFrame, work: Work) -> Merged:
    """Upsert interactions by their external id; one without is known by customer, time, channel, kind and topic."""
    rows, failed = _of_known_customers(rows.rename({"member": "member_id"}), work)
    rows, nature = _by_nature(
        Interaction, rows, _INTERACTION, ["customer_id", "at", "channel", "direction", "kind", "topic"], work
    )
    return _upsert(Interaction, rows, failed, _INTERACTION, nature, {}, work, links=("contact",))


# ── complaints and survey responses ─────────────────────────────────────────

_COMPLAINT: Final = {
    "customer_id": Column(None),
    "external_id": Column(""),
    "order_id": Column(None),
    "opened_at": Column(None, is_moment=True),
    "topic": Column(""),
    "severity": Column(Complaint.Severity.NORMAL.value),
    "text": Column(""),
    "solved_at": Column(None, is_moment=True),
    "first_time": Column(None),
}


def merge_complaints(rows: pl.DataFrame, work: Work) -> Merged:
    """Upsert complaints by their external id; one without is known by customer, time and topic."""
    rows, failed = _of_known_customers(rows, work)
    rows = _refer(rows, failed, "order", _numbered("customers_order", rows["order"], "order", work))
    rows, nature = _by_nature(Complaint, rows, _COMPLAINT, ["customer_id", "opened_at", "topic"], work)
    too_early = Refusal("solved_at", "before_opened", pl.col("solved_at") < pl.col("opened_at"))
    return _upsert(Complaint, rows, failed, _COMPLAINT, nature, {}, work, refusal=too_early, links=("order",))


_RESPONSE: Final = {
    "customer_id": Column(None),
    "external_id": Column(""),
    "contact_id": Column(None),
    "complaint_id": Column(None),
    "kind": Column(""),
    "score": Column(None),
    "at": Column(None, is_moment=True),
    "text": Column(""),
}


def merge_responses(rows: pl.DataFrame, work: Work) -> Merged:
    """Upsert survey responses by their external id; one without is known by customer, contact, kind and time."""
    rows, failed = _of_known_customers(rows, work)
    for kind, (least, most) in SurveyResponse.SCALE.items():
        off = (pl.col("kind") == kind) & ~pl.col("score").is_between(least, most)
        scale = pl.lit(f"{SurveyResponse.Kind(kind).name} {least}–{most}")
        value = pl.col("score")
        failed.append(refused(rows.filter(off), "score", "scale", key="shown", value=value, detail=scale))
        rows = rows.filter(~off)
    rows = rows.with_columns(pl.col("score").cast(pl.Int16))
    rows = _refer(rows, failed, "contact", _contacts(rows, work))
    rows = _refer(rows, failed, "complaint", _numbered("customers_complaint", rows["complaint"], "complaint", work))
    rows, nature = _by_nature(SurveyResponse, rows, _RESPONSE, ["customer_id", "contact_id", "kind", "at"], work)
    return _upsert(SurveyResponse, rows, failed, _RESPONSE, nature, {}, work, links=("contact", "complaint"))


def _numbered(table: str, numbers: pl.Series, name: str, work: Work) -> pl.DataFrame:
    """`name` (external id), customer_id and `name`_id of the rows of these numbers."""
    return read_frame(
        f"SELECT external_id, customer_id, id FROM {table} "
        "WHERE tenant_id = %s AND source = %s AND external_id = ANY(%s)",
        [work.tenant.pk, work.source, numbers.drop_nulls().unique().to_list()],
        schema={name: pl.String, "customer_id": pl.Int64, f"{name}_id": pl.Int64},
    )


def _contacts(rows: pl.DataFrame, work: Work) -> pl.DataFrame:
    """contact (as the rows call it), customer_id, contact_id: by number, else e-mail address, else name."""
    asked = rows.drop_nulls("contact").select("customer_id", "contact").unique()
    known = read_frame(
        "SELECT customer_id, id, CASE WHEN source = %s THEN external_id ELSE '' END, lower(email), lower(name) "
        "FROM customers_contact WHERE tenant_id = %s AND customer_id = ANY(%s)",
        [work.source, work.tenant.pk, asked["customer_id"].unique().to_list()],
        schema={
            "customer_id": pl.Int64, "contact_id": pl.Int64, "number": pl.String, "email": pl.String, "name": pl.String,
        },
    )  # fmt: skip
    both = asked.join(known, on="customer_id")
    called = pl.col("contact").str.to_lowercase()
    rank = (
        pl.when(pl.col("number") == pl.col("contact")).then(1)
        .when(pl.col("email") == called).then(2)
        .when(pl.col("name") == called).then(3)
    )  # fmt: skip
    found = both.with_columns(rank=rank).drop_nulls("rank").sort("rank", "contact_id")
    return found.unique(["customer_id", "contact"], keep="first").select("contact", "customer_id", "contact_id")


def _refer(rows: pl.DataFrame, failed: list[pl.DataFrame], name: str, known: pl.DataFrame) -> pl.DataFrame:
    """The rows with `name`_id; those that name what their customer does not have go to the failed ones."""
    rows = rows.join(known, on=[name, "customer_id"], how="left", maintain_order="left")
    strange = pl.col(name).is_not_null() & pl.col(f"{name}_id").is_null()
    failed.append(refused(rows.filter(strange), name, f"unknown_{name}", key="shown", value=pl.col(name)))
    return rows.filter(~strange)


# ── what these kinds share ──────────────────────────────────────────────────


def _of_known_customers(rows: pl.DataFrame, work: Work) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    rows = rows.join(customer_ids(rows["customer"], work.source), on="customer", how="left", maintain_order="left")
    strangers = rows.filter(pl.col("customer_id").is_null())
    key = pl.coalesce("external_id", "customer").alias("shown")
    value = pl.col("customer")
    failed = refused(strangers.with_columns(key), "customer", "unknown_customer", key="shown", value=value)
    return rows.drop_nulls("customer_id").with_columns(key), [failed]


def _by_nature(
    model: type[models.Model], rows: pl.DataFrame, columns: Mapping[str, Column], names: Sequence[str], work: Work
) -> tuple[pl.DataFrame, list[pl.Expr]]:
    """The rows with `id_by_nature`: who each is, by the columns `names`, if it bears no number; and those columns.

    Moments are microseconds in what comes back.
    """
    rows = rows.with_columns(pl.col(name).dt.timestamp("us") for name, column in columns.items() if column.is_moment)
    # For telling which one it is, what the row does not say is what a new one would have; nobody has the id 0.
    nature = [
        pl.col(name).fill_null(pl.lit(0 if name.endswith("_id") else columns[name].default, rows.schema[name]))
        for name in names
    ]
    read = (f"coalesce({name}, 0)" if name.endswith("_id") else columns[name].read(name) for name in names)
    known = read_frame(
        f"SELECT {', '.join(read)}, min(id) FROM {connection.ops.quote_name(model._meta.db_table)} "
        "WHERE tenant_id = %s AND customer_id = ANY(%s) AND external_id = '' "
        f"GROUP BY {', '.join(str(place) for place in range(1, len(names) + 1))}",
        [work.tenant.pk, rows["customer_id"].unique().to_list()],
        schema={name: rows.schema[name] for name in names} | {"id_by_nature": pl.Int64},
    )
    return rows.join(known, left_on=nature, right_on=names, how="left", maintain_order="left"), nature


@dataclass(frozen=True)
class Refusal:
    """What a record must not say, taken together with what is known of it: its field (a moment), code and test."""

    field: str
    code: str
    test: pl.Expr


def _upsert(
    model: type[models.Model],
    rows: pl.DataFrame,
    failed: list[pl.DataFrame],
    columns: Mapping[str, Column],
    nature: Sequence[pl.Expr],
    constants: dict[str, Any],
    work: Work,
    *,
    refusal: Refusal | None = None,
    links: Sequence[str] = (),
) -> Merged:
    """Upsert rows by `external_id`, or without one by their `nature`; `id_by_nature` is who that is already.

    A record that goes to another customer loses those of its `links` that belong to the one it was of.
    """
    by_number = read_frame(
        f"SELECT external_id, id, customer_id FROM {connection.ops.quote_name(model._meta.db_table)} "
        "WHERE tenant_id = %s AND source = %s AND external_id = ANY(%s)",
        [work.tenant.pk, work.source, rows["external_id"].drop_nulls().unique().to_list()],
        schema={"external_id": pl.String, "id_by_number": pl.Int64, "customer_before": pl.Int64},
    )
    rows = rows.join(by_number, on="external_id", how="left", maintain_order="left")
    numberless = pl.col("external_id").is_null()
    rows = rows.with_columns(id=pl.when(numberless).then("id_by_nature").otherwise("id_by_number"))
    # Rows of one record have one key: the record's id, else the number, else what it consists of.
    natural = pl.concat_str([pl.lit("n"), *(part.cast(pl.String) for part in nature)], separator="\x1f")
    key = pl.coalesce(pl.lit("i") + pl.col("id").cast(pl.String), pl.lit("x") + pl.col("external_id"), natural)
    rows = rows.with_columns(key=key)
    records = settle(model, _records(rows, "key", ["id", "customer_before", *columns]), columns)
    if refusal is not None:
        wrong = records.filter(refusal.test).select("key", settled=refusal.field)
        lines = rows.join(wrong, on="key")
        value = pl.from_epoch("settled", time_unit="us").dt.replace_time_zone("UTC")
        value = value.dt.convert_time_zone(work.tenant.timezone).dt.to_string("%Y-%m-%d %H:%M")
        failed.append(refused(lines, refusal.field, refusal.code, key="shown", value=value))
        records = records.join(wrong, on="key", how="anti")
    moments = [name for name, column in columns.items() if column.is_moment]
    records = records.with_columns(pl.from_epoch(name, time_unit="us").dt.replace_time_zone("UTC") for name in moments)
    new = _of(records, _CREATED).drop("id")
    new = new.with_columns(fresh_ids(model, new.height))
    old = _of(records, _UPDATED)
    stamps = {"source": work.source, "created_at": work.now, "updated_at": work.now}
    add(model, new.select("id", *columns), constants | stamps)
    change(model, old.select("id", *columns), work)
    moved = old.filter(pl.col("customer_before") != pl.col("customer_id"))
    for link in links if moved.height else ():
        strays = model._default_manager.filter(pk__in=moved["id"].to_list(), **{f"{link}__isnull": False})
        strays.exclude(**{f"{link}__customer_id": F("customer_id")}).update(**{link: None})
    if model is not Contact:
        arrived(pl.concat([new["customer_id"], old["customer_id"], moved["customer_before"]]))
    return merged(rows, records, failed, key="key", name="shown")


def _of(records: pl.DataFrame, outcome: str) -> pl.DataFrame:
    return records.filter(pl.col("outcome") == outcome)
