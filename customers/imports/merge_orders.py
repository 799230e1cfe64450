"""Order lines into orders: a delivered order replaces its lines, one that says the same is not touched."""

from __future__ import annotations

from typing import Final

import polars as pl

from customers.activity import add_activity, lock_customers, refresh_activity
from customers.imports.checks import Firm
from customers.imports.rows import (
    OUTCOME,
    Merged,
    Work,
    add,
    add_customers,
    add_products,
    array_of,
    change,
    customer_ids,
    fresh_ids,
    merged,
    product_ids,
    refused,
)
from customers.models import Customer, Order, OrderLine, Product
from customers.rules import orders as rules
from customers.services.arrivals import arrivals_last, arrived
from tenants.context import current_tenant
from tenants.frames import read_frame

_ONE: Final = 10**rules.RATE_PLACES
_HEADER: Final = ("rate", "due_on", "paid_on", "kind", "status")


# ── the lines of an order agree ─────────────────────────────────────────────


def of_one_mind(rows: pl.DataFrame, firm: Firm) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lines that agree with the first line of their order, with its currency, and the refused ones (as OUTCOME).

    An order belongs to the customer and has the currency of its first line. `rows` are all lines of some orders, in
    the order of the file.
    """
    own = firm.currency
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
    return rows.drop("first_customer", "first_currency", "first_rate"), pl.concat(failed)


def _rate_text() -> pl.Expr:
    return (pl.col("rate") / _ONE).cast(pl.String)


# ── who and what the orders name ────────────────────────────────────────────


def products_named(rows: pl.DataFrame) -> pl.DataFrame:
    """product, name, category, and on which line the last of each stands."""
    return _last_said(rows, "product", {"product_name": "name", "category": "category"})


def _last_said(rows: pl.DataFrame, key: str, columns: dict[str, str]) -> pl.DataFrame:
    said = [pl.col(column).drop_nulls().last().alias(name) for column, name in columns.items()]
    return rows.sort("line").group_by(key, maintain_order=True).agg(pl.col("line").last(), *said)


def _customers(rows: pl.DataFrame, work: Work) -> pl.DataFrame:
    """customer and customer_id of everybody whom the rows name; who is known is locked, who is new is made.

    New ones get the last name and country that the file says (else the external id). Of known ones only what is
    missing is filled in: orders introduce a customer, they do not rename one whose name a person or the customers'
    file has set.
    """
    named = _last_said(rows, "customer", {"customer_name": "name", "country": "country"}).drop("line")
    named = named.join(customer_ids(named["customer"], work.source), on="customer", how="left", maintain_order="left")
    known = named.drop_nulls("customer_id")
    lock_customers(known["customer_id"])
    arrived(_fill_in(Customer, known.rename({"customer": "external_id", "customer_id": "id"}), "country", work))
    new = named.filter(pl.col("customer_id").is_null()).drop("customer_id").sort("customer")
    made = add_customers(
        new.with_columns(pl.col("name").fill_null(pl.col("customer")), pl.col("country").fill_null("")), work
    )
    return pl.concat([known.select("customer", "customer_id"), made.select("customer", customer_id="id")])


def merge_products(rows: pl.DataFrame, work: Work) -> Merged:
    """Make the products that are new; of known ones only what is missing is filled in, as for customers."""
    rows = _last_said(rows, "product", {"name": "name", "category": "category"}).drop("line")
    rows = rows.join(product_ids(rows["product"], work.source), on="product", how="left", maintain_order="left")
    new = rows.filter(pl.col("product_id").is_null()).drop("product_id").sort("product")
    add_products(new.with_columns(pl.col("name", "category").fill_null("")), work)
    known = rows.drop_nulls("product_id")
    _fill_in(Product, known.rename({"product": "external_id", "product_id": "id"}), "category", work)
    return Merged(0, 0, 0, pl.DataFrame(schema=OUTCOME))


def _products(rows: pl.DataFrame, work: Work) -> pl.DataFrame:
    """product and product_id of every article in the rows; what the earlier stage has not made (a try) is made here."""
    known = product_ids(rows["product"], work.source)
    new = rows.select(pl.col("product").unique()).join(known, on="product", how="anti").sort("product")
    if new.is_empty():
        return known
    made = add_products(new.with_columns(name=pl.lit(""), category=pl.lit("")), work)
    return pl.concat([known, made.select("product", product_id="id")])


def _fill_in(model: type[Customer | Product], rows: pl.DataFrame, second: str, work: Work) -> list[int]:
    """Name (where it is empty, or only the external id again) and the `second` column, where it is empty.

    Returns the ids of those that something was found for.
    """
    rows = rows.filter(pl.col("name").is_not_null() | pl.col(second).is_not_null())
    if rows.is_empty():
        return []
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
    return found["id"].to_list()


# ── the orders ──────────────────────────────────────────────────────────────


def merge_orders(rows: pl.DataFrame, work: Work) -> Merged:
    """Merge order lines that `of_one_mind` has let pass, all lines of an order at once, as a rule all of a customer.

    1. Customers that the file introduces are made.
    2. What the file does not say of a known order (due, paid, status) stays as it is.
    3. Orders whose digest is the same are left alone; the others are written whole, their lines replaced.
    4. The rollup of the months before and after follows.
    """
    with arrivals_last():
        return _merge_orders(rows.sort("line"), work)


def _merge_orders(rows: pl.DataFrame, work: Work) -> Merged:
    lines = rows.join(_customers(rows, work), on="customer", maintain_order="left")
    lines = lines.join(_products(rows, work), on="product", maintain_order="left")
    lines = lines.with_columns(rules.line_money_points().cast(pl.Int64).alias("money"))
    orders = _heads(lines, work)
    orders, too_large = _reckoned(orders, lines)
    failed = []
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


def _heads(lines: pl.DataFrame, work: Work) -> pl.DataFrame:
    """One row per order: what its lines say of it, and what is known of it (the row is locked)."""
    heads = lines.group_by("order", maintain_order=True).agg(
        pl.col("customer_id", "currency").first(),
        pl.col("placed_at").min(),  # lines of one order may be typed in over some minutes
        *(pl.col(name).drop_nulls().first() for name in _HEADER),
    )
    known = read_frame(
        "SELECT external_id, id, customer_id, placed_on, digest, due_on, paid_on, status FROM customers_order "
        "WHERE tenant_id = %s AND source = %s AND external_id = ANY(%s::text[]) ORDER BY id FOR NO KEY UPDATE",
        [work.tenant.pk, work.source, array_of(heads["order"])],
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
    sums = lines.group_by("order").agg(pl.col("money").cast(pl.Int128).sum())
    orders = orders.join(sums, on="order", maintain_order="left").with_columns(net=rules.net_money_points())
    too_large = pl.col("net").abs() >= rules.MAX_MONEY_POINTS
    fine = orders.filter(~too_large).with_columns(pl.col("net").cast(pl.Int64))
    return fine.with_columns(kind=rules.kinds_of()).drop("money"), orders.filter(too_large).select("order")


_ORDER: Final = ["customer_id", "kind", "status", "placed_at", "placed_on", "currency", "rate", "net", "due_on", "paid_on",
                 "digest"]  # fmt: skip


def _write(orders: pl.DataFrame, lines: pl.DataFrame, work: Work) -> None:
    """Write new orders and those that say something else now, their lines, and what rests on them.

    New ones are sorted as they will be read: a customer's orders lie beside each other, in the order of time.
    """
    new = orders.filter(pl.col("known_id").is_null()).sort("customer_id", "placed_at", "order")
    new = new.with_columns(fresh_ids(Order, new.height))
    old = orders.drop_nulls("known_id").with_columns(id="known_id")
    constants = {"source": work.source, "created_at": work.now, "updated_at": work.now}
    add(Order, new.select("id", *_ORDER, external_id="order"), constants)
    change(Order, old.select("id", *_ORDER), work)
    if not old.is_empty():
        OrderLine.objects.filter(order_id__in=old["id"].to_list()).delete()
    written = pl.concat([new, old])
    add(
        OrderLine,
        written.select("order", order_id="id")
        .join(lines, on="order", maintain_order="left_right")
        .select(
            "order_id",
            pl.int_range(1, pl.len() + 1).over("order_id").cast(pl.Int32).alias("position"),
            "product_id",
            "quantity",
            "unit_price",
            "money",
        ),
    )
    _roll_up(new, old)
    arrived(pl.concat([written["customer_id"], old["known_customer_id"]]).unique())


def _roll_up(new: pl.DataFrame, old: pl.DataFrame) -> None:
    """New orders are added to their months; months of orders that were something else before are reckoned anew."""
    before = old.select(customer_id="known_customer_id", month=pl.col("known_placed_on").dt.month_start())
    after = old.select("customer_id", month=pl.col("placed_on").dt.month_start())
    changed = pl.concat([before, after]).unique()
    added = new.with_columns(month=pl.col("placed_on").dt.month_start())
    if not changed.is_empty():
        added = added.join(changed, on=["customer_id", "month"], how="anti")
        refresh_activity(list(changed.iter_rows()))
    add_activity(added)
