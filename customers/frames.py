"""The facts as frames, one row per customer, for the night: read in one pass over the monthly rollup."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from django.db import connection

from customers.models import month_of
from customers.rules.surveys import DETRACTOR_TO, PROMOTER_FROM
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.parts import Customers, among, are_few

Window = tuple[dt.date, dt.date]
"""Half-open: from the first day, up to but not including the second."""


def living_customers(customers: Customers = None) -> pl.DataFrame:
    """customer_id, owner_a_id and the channel and id of the contact to ask first; closed customers are left out.

    The contact is the main one, else the first; one who has left, or withdrew consent, is nobody to ask.
    """
    return read_frame(
        f"""
        SELECT c.id, c.owner_a_id, p.id, p.channel
        FROM customers_customer c
        LEFT JOIN LATERAL (
            SELECT id, channel FROM customers_contact
            WHERE tenant_id = %s AND customer_id = c.id AND left_on IS NULL AND consent <> 'withdrawn'
            ORDER BY is_main DESC, id LIMIT 1
        ) p ON true
        WHERE c.tenant_id = %s AND c.closed_on IS NULL AND {among(customers, "c.id")}
        ORDER BY c.id
        """,
        [current_tenant().pk, current_tenant().pk],
        schema={"customer_id": pl.Int64, "owner_a_id": pl.Int64, "contact_id": pl.Int64, "channel": pl.String},
    )


def relations(closed_since: dt.date | None = None, customers: Customers = None) -> pl.DataFrame:
    """customer_id, since, industry_position (1 to 5 or null) and growth_potential ("" if not known); no closed ones.

    With `closed_since`, customers closed on that day or after it are among them: they were not then.
    """
    return read_frame(
        f"""
        SELECT id, since, industry_position, growth_potential FROM customers_customer
        WHERE tenant_id = %s AND (closed_on IS NULL OR closed_on >= %s) AND {among(customers, "id")} ORDER BY id
        """,
        [current_tenant().pk, closed_since or dt.date.max],
        schema={
            "customer_id": pl.Int64,
            "since": pl.Date,
            "industry_position": pl.Int8,
            "growth_potential": pl.String,
        },
    )


def closed_customers(customers: Customers = None) -> pl.DataFrame:
    """customer_id of the closed ones: those whom `relations` leaves out, found in an index of their own."""
    return read_frame(
        f"SELECT id FROM customers_customer WHERE tenant_id = %s AND closed_on IS NOT NULL AND {among(customers, 'id')}",
        [current_tenant().pk],
        schema={"customer_id": pl.Int64},
        few=are_few(customers),
    )


def order_days(as_of: dt.date, customers: Customers = None) -> pl.DataFrame:
    """customer_id and day, a row for each day before `as_of` on which a customer placed an order, in that order.

    Credit notes and cancelled orders are none.
    """
    months = read_frame(
        f"""
        SELECT customer_id, month, days FROM customers_activity
        WHERE tenant_id = %s AND month < %s AND days <> 0 AND {among(customers)}
        """,
        [current_tenant().pk, as_of],
        schema={"customer_id": pl.Int64, "month": pl.Date, "days": pl.Int64},
        few=are_few(customers),
    )
    return days_of(months, as_of)


def last_order_days(as_of: dt.date, customers: Customers = None) -> pl.DataFrame:
    """customer_id and last_order_on: the last of the days of `order_days`, which the database looks up in the bits.

    A row for a customer instead of one for each of its months: much less to hand over where the last day is enough.
    """
    so_far = f"CASE WHEN month = %s THEN days & {(1 << (as_of.day - 1)) - 1} ELSE days END"
    this_month = month_of(as_of)
    return read_frame(
        f"""
        SELECT customer_id, max(month + 31 - position(B'1' IN ({so_far})::bit(31))) FROM customers_activity
        WHERE tenant_id = %s AND month < %s AND ({so_far}) <> 0 AND {among(customers)} GROUP BY customer_id
        """,
        [this_month, current_tenant().pk, as_of, this_month],
        schema={"customer_id": pl.Int64, "last_order_on": pl.Date},
        few=are_few(customers),
    )


def days_of(months: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    """customer_id and day, sorted: the days before `as_of` that the bits of the rollup's `days` stand for."""
    if months.is_empty():
        return pl.DataFrame(schema={"customer_id": pl.Int64, "day": pl.Date})
    found = [_days_of(some) for some in months.sort("customer_id", "month").iter_slices(_AT_ONCE)]
    return pl.concat(found).filter(pl.col("day") < as_of)


_AT_ONCE: Final = 100_000
"""Months whose bits are looked at together, and orders whose lines are asked for, so that memory stays flat."""


def _days_of(months: pl.DataFrame) -> pl.DataFrame:
    is_set = (months.get_column("days").to_numpy()[:, None] >> np.arange(31)) & 1
    row, bit = np.nonzero(is_set)
    starts = months.get_column("month").to_physical().to_numpy()
    return pl.DataFrame(
        {
            "customer_id": months.get_column("customer_id").to_numpy()[row],
            "day": pl.Series(starts[row] + bit.astype(np.int32), dtype=pl.Int32).cast(pl.Date),
        }
    )


def monthly_activity(before: dt.date, customers: Customers = None) -> pl.DataFrame:
    """customer_id, month, orders, credit_notes and net (points): the rollup of the months that begin before a day.

    The last of them may not be over: what it says is what is known now.
    """
    return read_frame(
        f"""
        SELECT customer_id, month, orders, credit_notes, net FROM customers_activity
        WHERE tenant_id = %s AND month < %s AND {among(customers)}
        """,
        [current_tenant().pk, before],
        schema={
            "customer_id": pl.Int64, "month": pl.Date, "orders": pl.Int32, "credit_notes": pl.Int32, "net": pl.Int64,
        },
        few=are_few(customers),
    )  # fmt: skip


def rollup(before: dt.date, customers: Customers = None, condition: str = "true") -> pl.DataFrame:
    """customer_id, month, orders, credit_notes, net (points) and days of the months that begin before a day.

    `condition` is one more in SQL, without values from outside, about customers_activity.
    """
    return read_frame(
        f"""
        SELECT customer_id, month, orders, credit_notes, net, days FROM customers_activity
        WHERE tenant_id = %s AND month < %s AND {among(customers)} AND {condition}
        """,
        [current_tenant().pk, before],
        schema={
            "customer_id": pl.Int64, "month": pl.Date, "orders": pl.Int32, "credit_notes": pl.Int32, "net": pl.Int64,
            "days": pl.Int64,
        },
        few=are_few(customers),
    )  # fmt: skip


def order_span(before: dt.date) -> Window | None:
    """The first day with an order, and the day after the last one before a day; None without any."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (SELECT placed_on FROM customers_order WHERE tenant_id = %s AND status = 'placed' AND kind = 'order'
                    AND placed_on < %s ORDER BY placed_on LIMIT 1),
                   (SELECT placed_on FROM customers_order WHERE tenant_id = %s AND status = 'placed' AND kind = 'order'
                    AND placed_on < %s ORDER BY placed_on DESC LIMIT 1)
            """,
            [current_tenant().pk, before, current_tenant().pk, before],
        )
        first, last = cursor.fetchone()
    return None if first is None else (first, last + dt.timedelta(days=1))


def window_sums(windows: Mapping[str, Window], customers: Customers = None) -> pl.DataFrame:
    """customer_id, and for each named window `<name>_orders` (number) and `<name>_net` (points).

    Whole months come from the rollup; only the months that a window cuts are read from the orders, so
    every window is exact to the day. Customers without anything in any window have no row.
    """
    tenant_id = current_tenant().pk
    cut = sorted({month_of(edge) for window in windows.values() for edge in window if edge.day != 1})
    first, last = _span(windows)
    sums: list[str] = []
    params: list[Any] = []
    for name, window in windows.items():
        for column in ("orders", "net"):
            sums.append(
                f'COALESCE(sum({column}) FILTER (WHERE day >= %s AND day < %s), 0)::bigint AS "{name}_{column}"'
            )
            params += window
    # A month is a piece at its first day; of a cut month, each day is a piece of its own. Each is asked for by its own
    # days, which an index knows, also within one customer's orders.
    days = f"""
            UNION ALL
            SELECT customer_id, placed_on, CASE kind WHEN 'order' THEN 1 ELSE 0 END, net
            FROM customers_order
            WHERE tenant_id = %s AND status = 'placed' AND {among(customers)} AND placed_on >= %s AND placed_on < %s
    """
    sql = f"""
        SELECT customer_id, {", ".join(sums)}
        FROM (
            SELECT customer_id, month AS day, orders, net
            FROM customers_activity
            WHERE tenant_id = %s AND month >= %s AND month < %s AND month <> ALL(%s::date[]) AND {among(customers)}
            {days * len(cut)}
        ) pieces
        GROUP BY customer_id
    """
    params += [tenant_id, month_of(first), last, cut]
    for month in cut:
        params += [tenant_id, max(month, first), min(month_of(month + dt.timedelta(days=31)), last)]
    columns = [f"{name}_{column}" for name in windows for column in ("orders", "net")]
    schema = {"customer_id": pl.Int64} | dict.fromkeys(columns, pl.Int64)
    return read_frame(sql, params, schema=schema, few=are_few(customers))


def order_counts(windows: Mapping[str, Window], customers: Customers = None) -> pl.DataFrame:
    """customer_id, and for each named window the number of orders placed in it, exact to the day.

    From the rollup where that can tell: of a month the window has all order days or none of them, or each of them had
    one order. Orders are read only of months in which a window cuts days with several. Who has no order in any month
    from the first to the last day of the windows has no row.
    """
    first, last = _span(windows)
    months = read_frame(
        f"""
        SELECT customer_id, month, orders, days FROM customers_activity
        WHERE tenant_id = %s AND month >= %s AND month < %s AND orders > 0 AND {among(customers)}
        """,
        [current_tenant().pk, month_of(first), last],
        schema={"customer_id": pl.Int64, "month": pl.Date, "orders": pl.Int64, "days": pl.Int64},
        few=are_few(customers),
    )
    if months.is_empty():
        return pl.DataFrame(schema={"customer_id": pl.Int64, **dict.fromkeys(windows, pl.Int32)})
    days = pl.col("days")
    has_one_a_day = pl.col("orders") == days.bitwise_count_ones()
    counts = []
    for name, (start, end) in windows.items():
        inside = days & _bits(months, start, end)
        told = pl.when(inside == days).then("orders")
        counts.append(told.when((inside == 0) | has_one_a_day).then(inside.bitwise_count_ones()).alias(name))
    counted = months.select("customer_id", "month", *counts)
    is_told = pl.all_horizontal(pl.col(*windows).is_not_null())
    day = pl.col("day")
    read = _orders_a_day(counted.filter(~is_told)).select(
        "customer_id",
        *(pl.when((day >= start) & (day < end)).then("orders").otherwise(0).alias(name)
          for name, (start, end) in windows.items()),
    )  # fmt: skip
    both = pl.concat(
        some.select("customer_id", pl.col(*windows).cast(pl.Int32)) for some in (counted.filter(is_told), read)
    )
    return both.group_by("customer_id").agg(pl.col(*windows).sum())


def _bits(months: pl.DataFrame, start: dt.date, end: dt.date) -> pl.Expr:
    """For the month of a row the bits of its days from `start` up to but not including `end`, as `days` has them."""
    known = months.get_column("month").unique().to_list()
    bits = [sum(1 << n for n in range(31) if start <= month + dt.timedelta(days=n) < end) for month in known]
    return pl.col("month").replace_strict(known, bits, return_dtype=pl.Int64)


def _orders_a_day(asked: pl.DataFrame) -> pl.DataFrame:
    """customer_id, day and orders: how many were placed on each day of the months that are asked for."""
    schema = {"customer_id": pl.Int64, "day": pl.Date, "orders": pl.Int64}
    if asked.is_empty():
        return pl.DataFrame(schema=schema)
    months = asked.get_column("month")
    # Where the months end is said, and not asked of the database: behind the wall between firms an index is asked only
    # with what cannot tell a secret, and a date plus an interval counts as if it could.
    ends = months.dt.offset_by("1mo")
    return read_frame(
        """
        SELECT o.customer_id, o.placed_on, count(*)
        FROM unnest(%s::bigint[], %s::date[], %s::date[]) AS asked(customer_id, first, last)
        JOIN customers_order o ON o.tenant_id = %s AND o.customer_id = asked.customer_id
          AND o.placed_on >= asked.first AND o.placed_on < asked.last
        WHERE o.status = 'placed' AND o.kind = 'order' GROUP BY o.customer_id, o.placed_on
        """,
        [asked["customer_id"].to_list(), months.to_list(), ends.to_list(), current_tenant().pk],
        schema=schema,
        few=True,
    )


def _span(windows: Mapping[str, Window]) -> Window:
    """From where the first of the windows begins to where the last one ends."""
    return min(first for first, _last in windows.values()), max(last for _first, last in windows.values())


def order_spans(as_of: dt.date, customers: Customers = None) -> pl.DataFrame:
    """customer_id, first_order_on, last_order_on, days and first_net of everybody who ordered before `as_of`.

    days: on how many it placed orders; credit notes and cancelled orders are none. first_net (points): net money of
    the first of these days, its credit notes deducted.
    """
    this_month, so_far = month_of(as_of), (1 << (as_of.day - 1)) - 1
    months = (
        rollup(as_of, customers, "days <> 0")
        .with_columns(is_one_day=(pl.col("credit_notes") == 0) & (pl.col("days").bitwise_count_ones() == 1))
        .with_columns(
            pl.when(pl.col("month") == this_month).then(pl.col("days") & so_far).otherwise("days").alias("days")
        )
        .filter(pl.col("days") != 0)
        .sort("customer_id", "month")
    )
    first = pl.col("month").first() + pl.duration(days=pl.col("days").first().bitwise_trailing_zeros())
    last = pl.col("month").last() + pl.duration(days=63 - pl.col("days").last().bitwise_leading_zeros().cast(pl.Int64))
    spans = months.group_by("customer_id", maintain_order=True).agg(
        first_order_on=first,
        last_order_on=last,
        days=pl.col("days").bitwise_count_ones().sum().cast(pl.Int32),
        # In a month of one order day and without credit notes the month's money is the day's.
        first_net=pl.when(pl.col("is_one_day").first()).then(pl.col("net").first()),
    )
    asked = spans.filter(pl.col("first_net").is_null()).select("customer_id", day="first_order_on")
    found = _money_of_days(asked).rename({"net": "found"})
    return spans.join(found, on="customer_id", how="left", maintain_order="left").select(
        pl.exclude("found", "first_net"), first_net=pl.coalesce("first_net", "found")
    )


def _money_of_days(asked: pl.DataFrame) -> pl.DataFrame:
    """customer_id and net (points) of what was placed on the day that is asked for, one for each customer."""
    return read_frame(
        """
        SELECT o.customer_id, sum(o.net)::bigint
        FROM unnest(%s::bigint[], %s::date[]) AS asked(customer_id, day)
        JOIN customers_order o ON o.tenant_id = %s AND o.customer_id = asked.customer_id AND o.placed_on = asked.day
        WHERE o.status = 'placed' GROUP BY o.customer_id
        """,
        [asked["customer_id"].to_list(), asked["day"].to_list(), current_tenant().pk],
        schema={"customer_id": pl.Int64, "net": pl.Int64},
        few=True,
    )


def paid_invoices(as_of: dt.date, invoices: int, customers: Customers = None) -> pl.DataFrame:
    """customer_id, days_late, invoices and last_paid_on of the last `invoices` orders paid before `as_of`; pays_on.

    days_late is the median of due day → paid day over them, below 0 early; invoices their number. pays_on is the first
    day, `as_of` or later, by which another one is known to be paid. Orders without a due day or not yet paid, and
    credit notes, are left out; customers without one have no row.
    """
    rows = read_frame(
        f"""
        SELECT customer_id, paid_on - DATE '1970-01-01', paid_on - due_on, id FROM customers_order
        WHERE tenant_id = %s AND status = 'placed' AND kind = 'order' AND due_on IS NOT NULL AND paid_on IS NOT NULL
          AND {among(customers)}
        """,
        [current_tenant().pk],
        schema={"customer_id": pl.Int64, "paid_on": pl.Int32, "late": pl.Int32, "id": pl.Int64},
        few=are_few(customers),
    ).with_columns(pl.col("paid_on").cast(pl.Date))
    paid = rows.filter(pl.col("paid_on") < as_of).sort("customer_id", "paid_on", "id", descending=[False, True, True])
    # Sorted, so that the rows of a customer are its last ones until as many above are its own, too.
    last = paid.filter((pl.col("customer_id") != pl.col("customer_id").shift(invoices)).fill_null(value=True))
    told = last.group_by("customer_id").agg(
        days_late=pl.col("late").cast(pl.Float64).median(),
        invoices=pl.len().cast(pl.Int32),
        last_paid_on=pl.col("paid_on").max(),
    )
    ahead = rows.filter(pl.col("paid_on") >= as_of).group_by("customer_id").agg(pays_on=pl.col("paid_on").min())
    return told.join(ahead, on="customer_id", how="full", coalesce=True).with_columns(pl.col("invoices").fill_null(0))


def evidence(window: Window, customers: Customers = None) -> pl.DataFrame:
    """evidence_id, customer_id, kind and referred_id (null: nobody named) of the evidence of a window, in its order."""
    return read_frame(
        f"""
        SELECT id, customer_id, kind, referred_id FROM customers_evidence
        WHERE tenant_id = %s AND "on" >= %s AND "on" < %s AND {among(customers)} ORDER BY customer_id, "on", id
        """,
        [current_tenant().pk, *window],
        schema={"evidence_id": pl.Int64, "customer_id": pl.Int64, "kind": pl.String, "referred_id": pl.Int64},
    )


def evidence_kinds(window: Window) -> set[str]:
    """Of which kinds there is any evidence of a window, about anybody."""
    found = read_frame(
        'SELECT DISTINCT kind FROM customers_evidence WHERE tenant_id = %s AND "on" >= %s AND "on" < %s',
        [current_tenant().pk, *window],
        schema={"kind": pl.String},
        few=True,
    )
    return set(found.get_column("kind"))


def category_counts(windows: Mapping[str, Window], customers: Customers = None) -> pl.DataFrame:
    """customer_id, and for each named window the number of categories bought; credit notes do not count.

    A product without a category counts as its own. Customers who bought nothing from the first to the last day of the
    windows have no row.
    """
    first, last = _span(windows)
    with _looked_up() if are_few(customers) else nullcontext():
        lines = _bought_lines((first, last), customers)
    # Whole numbers in place of names: a customer bought as many categories as it has different ones.
    bought = lines.join(_items(by_category=True).with_columns(pl.col("item").rank("dense")), on="product_id")
    found = bought.select("customer_id").unique()
    for name, (start, end) in windows.items():
        inside = bought.filter((pl.col("day") >= start) & (pl.col("day") < end)).select("customer_id", "item").unique()
        counts = inside.group_by("customer_id").agg(pl.len().cast(pl.Int32).alias(name))
        found = found.join(counts, on="customer_id", how="left").with_columns(pl.col(name).fill_null(0))
    return found


def _bought_lines(window: Window, customers: Customers) -> pl.DataFrame:
    """customer_id, day and product_id: the lines of the placed orders of a window."""
    tenant_id = current_tenant().pk
    return read_frame(
        f"""
        SELECT o.customer_id, o.placed_on - DATE '1970-01-01', l.product_id
        FROM customers_order o
        JOIN customers_orderline l ON l.tenant_id = %s AND l.order_id = o.id
        WHERE o.tenant_id = %s AND o.status = 'placed' AND o.kind = 'order'
          AND o.placed_on >= %s AND o.placed_on < %s AND {among(customers, "o.customer_id")}
        """,
        [tenant_id, tenant_id, *window],
        schema={"customer_id": pl.Int64, "day": pl.Int32, "product_id": pl.Int64},
        few=are_few(customers),
    ).with_columns(pl.col("day").cast(pl.Date))


@contextmanager
def _looked_up() -> Iterator[None]:
    """Rows are looked up for each row that they belong to: the planner would read all of the firm's sooner."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
        yield
        cursor.execute("SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on")


def _items(*, by_category: bool) -> pl.DataFrame:
    """product_id and item: "#" and its id; by category that, where it has one."""
    name = "COALESCE(NULLIF(category, ''), '#' || id)" if by_category else "'#' || id"
    return read_frame(
        f"SELECT id, {name} FROM customers_product WHERE tenant_id = %s",
        [current_tenant().pk],
        schema={"product_id": pl.Int64, "item": pl.String},
    )


def first_purchases(window: Window, *, by_category: bool, customers: Customers = None) -> pl.DataFrame:
    """customer_id, item and day: when each customer first bought each item in the window, as lists of orders say.

    An item is "#" and the product's id; by category it is the category, and a product without one stays an
    item of its own. Lines of placed orders with a quantity above nothing; closed customers' orders count.
    """
    tenant_id = current_tenant().pk
    bought = read_frame(
        f"""
        SELECT o.customer_id, l.product_id, min(o.placed_on)
        FROM customers_order o
        JOIN customers_orderline l ON l.tenant_id = %s AND l.order_id = o.id
        WHERE o.tenant_id = %s AND o.status = 'placed' AND o.kind = 'order' AND l.quantity > 0
          AND o.placed_on >= %s AND o.placed_on < %s AND {among(customers, "o.customer_id")}
        GROUP BY o.customer_id, l.product_id
        """,
        [tenant_id, tenant_id, *window],
        schema={"customer_id": pl.Int64, "product_id": pl.Int64, "day": pl.Date},
    )
    items = _items(by_category=by_category)
    named = bought.join(items.cast({"item": pl.Categorical}), on="product_id").select("customer_id", "item", "day")
    return named.group_by("customer_id", "item").agg(pl.col("day").min()) if by_category else named


def order_sizes(split: dt.date, days: int, customers: Customers = None) -> pl.DataFrame:
    """customer_id, product_id, before, now and money: each article that a customer bought on both sides of a day.

    before and now are the median quantities of a line in the `days` before `split` and from it on (ten
    thousandths, as the table has them); money is what both spans brought (points). Lines of placed orders
    with a quantity above nothing.
    """
    tenant_id, span = current_tenant().pk, dt.timedelta(days=days)
    lines = "JOIN customers_orderline l ON l.tenant_id = %s AND l.order_id = o.id"
    if are_few(customers):
        # OFFSET 0 has the lines looked up order by order: of a few customers, whatever the planner takes them for.
        lines = """
        CROSS JOIN LATERAL (SELECT product_id, quantity, money FROM customers_orderline
                            WHERE tenant_id = %s AND order_id = o.id OFFSET 0) l
        """
    return read_frame(
        f"""
        SELECT o.customer_id, l.product_id,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY l.quantity) FILTER (WHERE o.placed_on < %s),
               percentile_cont(0.5) WITHIN GROUP (ORDER BY l.quantity) FILTER (WHERE o.placed_on >= %s),
               sum(l.money)
        FROM customers_order o {lines}
        WHERE o.tenant_id = %s AND o.status = 'placed' AND o.kind = 'order' AND l.quantity > 0
          AND o.placed_on >= %s AND o.placed_on < %s AND {among(customers, "o.customer_id")}
        GROUP BY o.customer_id, l.product_id
        HAVING min(o.placed_on) < %s AND max(o.placed_on) >= %s
        """,
        [split, split, tenant_id, tenant_id, split - span, split + span, split, split],
        schema={
            "customer_id": pl.Int64,
            "product_id": pl.Int64,
            "before": pl.Float64,
            "now": pl.Float64,
            "money": pl.Int64,
        },
        few=are_few(customers),
    )


def bought_on_both_sides(split: dt.date, days: int, articles: int, customers: Customers) -> list[int]:
    """Those of some customers, by id, of whom `order_sizes` can have so many articles: it need not read the others.

    Never too few, sometimes too many: cancelled orders, credit notes and lines that take back count here as well. So
    the orders are read from an index alone, and their lines in the order in which they lie, each page once; what
    `order_sizes` does for a customer is to look up each order, and each of its lines, wherever they lie.
    """
    span = dt.timedelta(days=days)
    orders = read_frame(
        f"""
        SELECT id, customer_id, placed_on < %s FROM customers_order
        WHERE tenant_id = %s AND placed_on >= %s AND placed_on < %s AND {among(customers)}
        """,
        [split, current_tenant().pk, split - span, split + span],
        schema={"order_id": pl.Int64, "customer_id": pl.Int64, "before": pl.Boolean},
        few=are_few(customers),
    )
    before = pl.col("before")
    both = before.any() & ~before.all()
    asked = orders.join(orders.group_by("customer_id").agg(both=both).filter("both"), on="customer_id", how="semi")
    ids = asked.get_column("order_id").sort()
    lines = [_products_of(ids.slice(first, _AT_ONCE)) for first in range(0, max(len(ids), 1), _AT_ONCE)]
    bought = pl.concat(lines).join(asked, on="order_id").group_by("customer_id", "product_id").agg(both=both)
    counted = bought.filter("both").group_by("customer_id").len()
    return counted.filter(pl.col("len") >= articles).get_column("customer_id").sort().to_list()


def _products_of(orders: pl.Series) -> pl.DataFrame:
    """order_id and product_id of each line of the orders, by id."""
    return read_frame(
        f"SELECT order_id, product_id FROM customers_orderline WHERE tenant_id = %s AND {among(orders.to_list(), 'order_id')}",
        [current_tenant().pk],
        schema={"order_id": pl.Int64, "product_id": pl.Int64},
        few=True,
    )


def last_touches(as_of: dt.date, customers: Customers = None) -> pl.DataFrame:
    """customer_id, kind and last_touch_on: the last contact of each kind before `as_of`, either direction."""
    tenant = current_tenant()
    return read_frame(
        f"""
        SELECT customer_id, kind, (max(at) AT TIME ZONE %s)::date
        FROM customers_interaction WHERE tenant_id = %s AND at < %s AND {among(customers)} GROUP BY customer_id, kind
        """,
        [tenant.timezone, tenant.pk, tenant.start_of(as_of)],
        schema={"customer_id": pl.Int64, "kind": pl.String, "last_touch_on": pl.Date},
    )


def last_contacts(as_of: dt.date, customers: Customers = None) -> pl.DataFrame:
    """customer_id and last_contact_on: the day of the last contact of any kind before `as_of`, either direction.

    An index has all of it, and no row is looked up.
    """
    tenant = current_tenant()
    return read_frame(
        f"""
        SELECT customer_id, (max(at) AT TIME ZONE %s)::date
        FROM customers_interaction WHERE tenant_id = %s AND at < %s AND {among(customers)} GROUP BY customer_id
        """,
        [tenant.timezone, tenant.pk, tenant.start_of(as_of)],
        schema={"customer_id": pl.Int64, "last_contact_on": pl.Date},
        few=are_few(customers),
    )


@dataclass(frozen=True)
class Books:
    """Which kinds of facts a firm writes down at all: of a kind that it never does, none noted means nothing."""

    complaints: bool
    competitors: bool


def books_kept(as_of: dt.date) -> Books:
    """Whether any complaint, any contact about a competitor, was written down before `as_of`."""
    tenant = current_tenant()
    kept = read_frame(
        """
        SELECT EXISTS (SELECT 1 FROM customers_complaint WHERE tenant_id = %s AND opened_at < %s),
               EXISTS (SELECT 1 FROM customers_interaction WHERE tenant_id = %s AND at < %s AND about_competitor)
        """,
        [tenant.pk, tenant.start_of(as_of)] * 2,
        schema={"complaints": pl.Boolean, "competitors": pl.Boolean},
        few=True,
    )
    return Books(**kept.row(0, named=True))


def contact_counts(windows: Mapping[str, Window], customers: Customers = None, condition: str = "true") -> pl.DataFrame:
    """customer_id, and for each named window `<name>`, `<name>_two_way` and `<name>_competitor`: numbers of contacts.

    Two-way: the customer answered, or turned to us and was not left without an answer. Competitor: it asked about
    one. Customers without a contact between the first and the last day of the windows have no row. `condition` is one
    more in SQL, without values from outside, about customers_interaction.
    """
    tenant = current_tenant()
    two_way = "(answered OR (direction = 'inbound' AND answered IS NOT FALSE))"
    kinds = {"": "true", "_two_way": two_way, "_competitor": "about_competitor"}
    counts: list[str] = []
    params: list[Any] = []
    for name, (first, last) in windows.items():
        for suffix, kind in kinds.items():
            counts.append(f'count(*) FILTER (WHERE at >= %s AND at < %s AND {kind}) AS "{name}{suffix}"')
            params += [tenant.start_of(first), tenant.start_of(last)]
    sql = f"""
        SELECT customer_id, {", ".join(counts)} FROM customers_interaction
        WHERE tenant_id = %s AND at >= %s AND at < %s AND {among(customers)} AND {condition}
        GROUP BY customer_id
    """
    first, last = _span(windows)
    params += [tenant.pk, tenant.start_of(first), tenant.start_of(last)]
    columns = [f"{name}{suffix}" for name in windows for suffix in kinds]
    schema = {"customer_id": pl.Int64} | dict.fromkeys(columns, pl.Int32)
    return read_frame(sql, params, schema=schema, few=are_few(customers))


def last_answers(as_of: dt.date, contacts: int, run: int, customers: Customers = None) -> pl.DataFrame:
    """customer_id, asked, answered, unanswered_run and last_asked_on of the last outbound contacts before `as_of`.

    Only contacts of which somebody noted whether they were answered. asked and answered count the last `contacts` of
    them; unanswered_run the latest in a row without an answer, among as many or the last `run` if these are more.
    """
    tenant = current_tenant()
    return read_frame(
        f"""
        SELECT customer_id,
               count(*) FILTER (WHERE place <= %s),
               count(*) FILTER (WHERE place <= %s AND answered),
               coalesce(min(place) FILTER (WHERE answered) - 1, count(*)),
               (max(at) AT TIME ZONE %s)::date
        FROM (
            SELECT customer_id, at, answered,
                   row_number() OVER (PARTITION BY customer_id ORDER BY at DESC, id DESC) AS place
            FROM customers_interaction
            WHERE tenant_id = %s AND direction = 'outbound' AND answered IS NOT NULL AND at < %s AND {among(customers)}
        ) asked
        WHERE place <= %s GROUP BY customer_id
        """,
        [contacts, contacts, tenant.timezone, tenant.pk, tenant.start_of(as_of),
         max(contacts, run)],
        schema={
            "customer_id": pl.Int64,
            "asked": pl.Int32,
            "answered": pl.Int32,
            "unanswered_run": pl.Int32,
            "last_asked_on": pl.Date,
        },
        few=are_few(customers),
    )  # fmt: skip


def complaint_counts(windows: Mapping[str, Window], customers: Customers = None) -> pl.DataFrame:
    """customer_id, and for each named window the number of complaints opened in it."""
    tenant = current_tenant()
    counts: list[str] = []
    params: list[Any] = []
    for name, (first, last) in windows.items():
        counts.append(f'count(*) FILTER (WHERE opened_at >= %s AND opened_at < %s) AS "{name}"')
        params += [tenant.start_of(first), tenant.start_of(last)]
    sql = f"""
        SELECT customer_id, {", ".join(counts)} FROM customers_complaint
        WHERE tenant_id = %s AND opened_at >= %s AND opened_at < %s AND {among(customers)} GROUP BY customer_id
    """
    first, last = _span(windows)
    params += [tenant.pk, tenant.start_of(first), tenant.start_of(last)]
    schema = {"customer_id": pl.Int64} | dict.fromkeys(windows, pl.Int32)
    return read_frame(sql, params, schema=schema, few=are_few(customers))


def repeated_questions(as_of: dt.date, customers: Customers = None) -> pl.DataFrame:
    """customer_id and repeated_open: the most complaints about one topic that were open when `as_of` began.

    Topics are the same whatever their capitals and the blanks around them.
    """
    tenant = current_tenant()
    start = tenant.start_of(as_of)
    return read_frame(
        f"""
        SELECT customer_id, max(number) FROM (
            SELECT customer_id, count(*) AS number FROM customers_complaint
            WHERE tenant_id = %s AND opened_at < %s AND (solved_at IS NULL OR solved_at >= %s) AND {among(customers)}
            GROUP BY customer_id, lower(btrim(topic))
        ) topics GROUP BY customer_id
        """,
        [tenant.pk, start, start],
        schema={"customer_id": pl.Int64, "repeated_open": pl.Int32},
        few=are_few(customers),
    )


def solutions(window: Window, customers: Customers = None) -> pl.DataFrame:
    """customer_id, solved and solved_first: what was solved in the window, and how much of it the first time.

    Complaints solved in it, and contacts in it, of which somebody noted whether once was enough.
    """
    tenant = current_tenant()
    span = [tenant.start_of(window[0]), tenant.start_of(window[1])]
    return read_frame(
        f"""
        SELECT customer_id, count(*), count(*) FILTER (WHERE first_time) FROM (
            SELECT customer_id, first_time FROM customers_complaint
            WHERE tenant_id = %s AND solved_at >= %s AND solved_at < %s AND first_time IS NOT NULL AND {among(customers)}
            UNION ALL
            SELECT customer_id, solved FROM customers_interaction
            WHERE tenant_id = %s AND at >= %s AND at < %s AND solved IS NOT NULL AND {among(customers)}
        ) questions GROUP BY customer_id
        """,
        [tenant.pk, *span] * 2,
        schema={"customer_id": pl.Int64, "solved": pl.Int32, "solved_first": pl.Int32},
        few=are_few(customers),
    )


def satisfaction(window: Window, customers: Customers = None) -> pl.DataFrame:
    """customer_id, csat_sum and csat_count of the CSAT answers (1 to 5) of a window."""
    tenant = current_tenant()
    return read_frame(
        f"""
        SELECT customer_id, sum(score), count(*) FROM customers_surveyresponse
        WHERE tenant_id = %s AND kind = 'csat' AND at >= %s AND at < %s AND {among(customers)} GROUP BY customer_id
        """,
        [tenant.pk, tenant.start_of(window[0]), tenant.start_of(window[1])],
        schema={"customer_id": pl.Int64, "csat_sum": pl.Int32, "csat_count": pl.Int32},
        few=are_few(customers),
    )


def recommendation(window: Window, customers: Customers = None) -> pl.DataFrame:
    """customer_id, promoters, detractors (rules.surveys) and nps_count over the contacts' latest NPS of a window.

    Answers that name no contact count as those of one person.
    """
    tenant = current_tenant()
    return read_frame(
        f"""
        SELECT customer_id, count(*) FILTER (WHERE score >= %s), count(*) FILTER (WHERE score <= %s), count(*) FROM (
            SELECT DISTINCT ON (customer_id, contact_id) customer_id, score FROM customers_surveyresponse
            WHERE tenant_id = %s AND kind = 'nps' AND at >= %s AND at < %s AND {among(customers)}
            ORDER BY customer_id, contact_id, at DESC, id DESC
        ) latest GROUP BY customer_id
        """,
        [PROMOTER_FROM, DETRACTOR_TO, tenant.pk, tenant.start_of(window[0]), tenant.start_of(window[1])],
        schema={"customer_id": pl.Int64, "promoters": pl.Int32, "detractors": pl.Int32, "nps_count": pl.Int32},
        few=are_few(customers),
    )  # fmt: skip
