"""Order lines into orders: a delivered order replaces its lines, one that says the same is not touched."""

from __future__ import annotations

from typing import Final

import polars as pl

from customers.activity import lock_customers, refresh_activity
from customers.imports.rows import (
    OUTCOME,
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
)
from customers.models import Customer, Order, OrderLine, Product
from customers.rules import orders as rules
from customers.services.arrivals import arrived
from tenants.context import current_tenant
from tenants.frames import read_frame

_ONE: Final = 10**rules.RATE_PLACES
_HEADER: Final = ("rate", "due_on", "paid_on", "kind", "status")


# ── who and what the orders name, before the orders ─────────────────────────


def customers_named(rows: pl.DataFrame) -> pl.DataFrame:
    """customer, name, country, and on which line the last of each stands."""
    return _last_said(rows, "customer", {"customer_name": "name", "country": "country"})


def products_named(rows: pl.DataFrame) -> pl.DataFrame:
    """product, name, category, and on which line the last of each stands."""
    return _last_said(rows, "product", {"product_name": "name", "category": "category"})


def _last_said(rows: pl.DataFrame, key: str, columns: dict[str, str]) -> pl.DataFrame:
    said = [pl.col(column).drop_nulls().last().alias(name) for column, name in columns.items()]
    return rows.sort("line").group_by(key, maintain_order=True).agg(pl.col("line").last(), *said)


def merge_customers(rows: pl.DataFrame, work: Work) -> Merged:
    """Make the customers that are new, with the last name and country that the file says (else the external id).

    Of known ones only what is missing is filled in: orders introduce a customer, they do not rename one whose
    name a person or the customers' file has set.
    """
    rows = _last_said(rows, "customer", {"name": "name", "country": "country"}).drop("line")
    rows = rows.join(customer_ids(rows["customer"], work.source), on="customer", how="left", maintain_order="left")
    new = rows.filter(pl.col("customer_id").is_null()).drop("customer_id")
    add_customers(new.with_columns(pl.col("name").fill_null(pl.col("customer")), pl.col("country").fill_null("")), work)
    known = rows.drop_nulls("customer_id")
    _fill_in(Customer, known.rename({"customer": "external_id", "customer_id": "id"}), "country", work)
    return _nothing_counted()


def merge_products(rows: pl.DataFrame, work: Work) -> Merged:
    """Make the products that are new; of known ones only what is missing is filled in, as for customers."""
    rows = _last_said(rows, "product", {"name": "name", "category": "category"}).drop("line")
    rows = rows.join(product_ids(rows["product"], work.source), on="product", how="left", maintain_order="left")
    new = rows.filter(pl.col("product_id").is_null()).drop("product_id")
    add_products(new.with_columns(pl.col("name", "category").fill_null("")), work)
    known = rows.drop_nulls("product_id")
    _fill_in(Product, known.rename({"product": "external_id", "product_id": "id"}), "category", work)
    return _nothing_counted()


def _fill_in(model: type[Customer | Product], rows: pl.DataFrame, second: str, work: Work) -> None:
    """Name (where it is empty, or only the external id again) and the `second` column, where it is empty."""
    known = read_frame(
        f"SELECT id, name, {second} FROM {model._meta.db_table} WHERE tenant_id = %s AND id = ANY(%s)",
        [current_tenant().pk, rows["id"].to_list()],
        schema={"id": pl.Int64, "name_known": pl.String, "second_known": pl.String},
    )
    no_name = (pl.col("name_known") == "") | (pl.col("name_known") == pl.col("external_id"))
    both = rows.join(known, on="id").with_columns(
        name=pl.when(no_name).then(pl.coalesce("name", "name_known")).otherwise("name_known"),
        second=pl.when(pl.col("second_known") == "")
        .then(pl.coalesce(second, "second_known"))
        .otherwise("second_known"),
    )
    differs = (pl.col("name") != pl.col("name_known")) | (pl.col("second") != pl.col("second_known"))
    found = both.filter(differs).select("id", "name", pl.col("second").alias(second))
    if model is Customer:
        found = found.with_columns(search_name=pl.col("name").str.to_lowercase())
    change(model, found, work)


def _nothing_counted() -> Merged:
    return Merged(0, 0, 0, pl.DataFrame(schema=OUTCOME))


# ── the orders ──────────────────────────────────────────────────────────────


def merge_orders(rows: pl.DataFrame, work: Work) -> Merged:
    """Merge order lines, all lines of an order at once.

    1. An order belongs to the customer and has the currency of its first line; lines that say otherwise fail.
    2. What the file does not say of a known order (due, paid, status) stays as it is.
    3. Orders whose digest is the same are left alone; the others are written whole, their lines replaced.
    4. The rollup of the months before and after is recomputed.
    """
    rows, failed = _of_one_mind(rows.sort("line"), work)
    lines = _with_ids(rows, work)
    orders = _heads(lines, work)
    orders, too_large = _reckoned(orders, lines)
    if not too_large.is_empty():
        bad = lines.join(too_large, on="order", how="semi")
        failed.append(refused(bad, "unit_price", "order_too_large", key="order", value=pl.lit(None)))
        lines = lines.join(too_large, on="order", how="anti")
    orders = orders.with_columns(rules.order_digests(orders, lines, key="order"))
    outcome = (
        pl.when(pl.col("known_id").is_null())
        .then(pl.lit("created"))
        .when(pl.col("digest") != pl.col("known_digest"))
        .then(pl.lit("updated"))
        .otherwise(pl.lit("unchanged"))
    )
    orders = orders.with_columns(outcome=outcome)
    _write(orders.filter(pl.col("outcome") != "unchanged"), lines, work)
    return merged(lines, orders, failed, key="order", name="order")


def _of_one_mind(rows: pl.DataFrame, work: Work) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Lines that agree with the first line of their order, and the refused ones."""
    own = work.tenant.currency
    firsts = rows.group_by("order").agg(
        pl.col("customer").first().alias("first_customer"),
        pl.col("currency").drop_nulls().first().fill_null(own).alias("first_currency"),
        pl.col("rate").drop_nulls().first().alias("first_rate"),
    )
    rows = rows.join(firsts, on="order", maintain_order="left")
    value = pl.col("first_currency")
    tests = [
        ("customer", "other_customer", pl.col("customer") != pl.col("first_customer"), pl.col("customer"), pl.col("first_customer")),
        ("currency", "other_currency", pl.col("currency") != pl.col("first_currency"), pl.col("currency"), value),
        ("rate", "no_rate", (value != own) & pl.col("first_rate").is_null(), value, pl.lit(own)),
        ("rate", "needless_rate", (value == own) & (pl.col("rate") != _ONE), _rate_text(), pl.lit(own)),
    ]  # fmt: skip
    failed = []
    for field, code, test, said, detail in tests:
        test = test.fill_null(value=False)
        failed.append(refused(rows.filter(test), field, code, key="order", value=said, detail=detail))
        rows = rows.filter(~test)
    rows = rows.with_columns(pl.col("first_currency").alias("currency"))
    return rows.drop("first_customer", "first_currency", "first_rate"), failed


def _rate_text() -> pl.Expr:
    return (pl.col("rate") / _ONE).cast(pl.String)


def _with_ids(lines: pl.DataFrame, work: Work) -> pl.DataFrame:
    """With customer_id and product_id. What the earlier stages have not made (a try-only import) is made here."""
    known = customer_ids(lines["customer"], work.source)
    new = lines.select(pl.col("customer").unique()).join(known, on="customer", how="anti")
    if not new.is_empty():
        made = add_customers(new.with_columns(name=pl.col("customer"), country=pl.lit("")), work)
        known = pl.concat([known, made.select("customer", customer_id="id")])
    lines = lines.join(known, on="customer", maintain_order="left")
    known = product_ids(lines["product"], work.source)
    new = lines.select(pl.col("product").unique()).join(known, on="product", how="anti")
    if not new.is_empty():
        made = add_products(new.with_columns(name=pl.lit(""), category=pl.lit("")), work)
        known = pl.concat([known, made.select("product", product_id="id")])
    return lines.join(known, on="product", maintain_order="left")


def _heads(lines: pl.DataFrame, work: Work) -> pl.DataFrame:
    """One row per order: what its lines say of it, and what is known of it (the row is locked)."""
    heads = lines.group_by("order", maintain_order=True).agg(
        pl.col("customer_id", "currency").first(),
        pl.col("placed_at").min(),  # lines of one order may be typed in over some minutes
        *(pl.col(name).drop_nulls().first() for name in _HEADER),
    )
    lock_customers(heads["customer_id"])
    known = read_frame(
        "SELECT external_id, id, customer_id, placed_on, digest, due_on, paid_on, status FROM customers_order "
        "WHERE tenant_id = %s AND source = %s AND external_id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
        [work.tenant.pk, work.source, heads["order"].to_list()],
        schema={
            "order": pl.String, "known_id": pl.Int64, "known_customer_id": pl.Int64, "known_placed_on": pl.Date,
            "known_digest": pl.String, "known_due_on": pl.Date, "known_paid_on": pl.Date, "known_status": pl.String,
        },
    )  # fmt: skip
    return heads.join(known, on="order", how="left", maintain_order="left").with_columns(
        pl.col("rate").fill_null(_ONE),
        pl.coalesce("due_on", "known_due_on"),
        pl.coalesce("paid_on", "known_paid_on"),
        pl.coalesce("status", "known_status", pl.lit(Order.Status.PLACED.value)),
        placed_on=pl.col("placed_at").dt.convert_time_zone(work.tenant.timezone).dt.date(),
    )


def _reckoned(orders: pl.DataFrame, lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """With net money and kind; and apart from them the orders that have too much money."""
    sums = lines.group_by("order").agg(rules.line_money_points().sum().alias("money"))
    orders = orders.join(sums, on="order", maintain_order="left").with_columns(net=rules.net_money_points())
    too_large = pl.col("net").abs() >= rules.MAX_MONEY_POINTS
    fine = orders.filter(~too_large).with_columns(pl.col("net").cast(pl.Int64))
    return fine.with_columns(kind=rules.kinds_of()).drop("money"), orders.filter(too_large).select("order")


_ORDER: Final = ["customer_id", "kind", "status", "placed_at", "placed_on", "currency", "rate", "net", "due_on", "paid_on",
                 "digest"]  # fmt: skip


def _write(orders: pl.DataFrame, lines: pl.DataFrame, work: Work) -> None:
    new = orders.filter(pl.col("known_id").is_null())
    new = new.with_columns(fresh_ids(Order, new.height))
    old = orders.drop_nulls("known_id").with_columns(id="known_id")
    constants = {"source": work.source, "created_at": work.now, "updated_at": work.now}
    add(Order, new.select("id", *_ORDER, external_id="order"), constants)
    change(Order, old.select("id", *_ORDER), work)
    OrderLine.objects.filter(order_id__in=old["id"].to_list()).delete()
    written = pl.concat([new, old])
    add(
        OrderLine,
        lines.join(written.select("order", order_id="id"), on="order", maintain_order="left").select(
            "order_id",
            pl.int_range(1, pl.len() + 1).over("order").cast(pl.Int32).alias("position"),
            "product_id",
            "quantity",
            "unit_price",
            rules.line_money_points().cast(pl.Int64).alias("money"),
        ),
    )
    before = old.select("known_customer_id", "known_placed_on").iter_rows()
    after = written.select("customer_id", "placed_on").iter_rows()
    months = {*before, *after}
    refresh_activity(months)
    arrived(customer_id for customer_id, _day in months)
