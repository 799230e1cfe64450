"""The facts as frames, one row per customer, for the night: read in one pass over the monthly rollup."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import polars as pl

from customers.models import month_of
from tenants.context import current_tenant
from tenants.frames import read_frame

Window = tuple[dt.date, dt.date]
"""Half-open: from the first day, up to but not including the second."""


def living_customers() -> pl.DataFrame:
    """customer_id, owner_a_id and the channel and id of the contact to ask first; closed customers are left out.

    The contact is the main one, else the first; one who has left, or withdrew consent, is nobody to ask.
    """
    return read_frame(
        """
        SELECT c.id, c.owner_a_id, p.id, p.channel
        FROM customers_customer c
        LEFT JOIN LATERAL (
            SELECT id, channel FROM customers_contact
            WHERE tenant_id = %s AND customer_id = c.id AND left_on IS NULL AND consent <> 'withdrawn'
            ORDER BY is_main DESC, id LIMIT 1
        ) p ON true
        WHERE c.tenant_id = %s AND c.closed_on IS NULL
        ORDER BY c.id
        """,
        [current_tenant().pk, current_tenant().pk],
        schema={"customer_id": pl.Int64, "owner_a_id": pl.Int64, "contact_id": pl.Int64, "channel": pl.String},
    )


def relations(closed_since: dt.date | None = None) -> pl.DataFrame:
    """customer_id, since, industry_position (1 to 5 or null) and growth_potential ("" if not known); no closed ones.

    With `closed_since`, customers closed on that day or after it are among them: they were not then.
    """
    return read_frame(
        """
        SELECT id, since, industry_position, growth_potential FROM customers_customer
        WHERE tenant_id = %s AND (closed_on IS NULL OR closed_on >= %s) ORDER BY id
        """,
        [current_tenant().pk, closed_since or dt.date.max],
        schema={
            "customer_id": pl.Int64,
            "since": pl.Date,
            "industry_position": pl.Int8,
            "growth_potential": pl.String,
        },
    )


def order_days(as_of: dt.date) -> pl.DataFrame:
    """customer_id and day, a row for each day before `as_of` on which a customer placed an order.

    Credit notes and cancelled orders are none.
    """
    months = read_frame(
        "SELECT customer_id, month, days FROM customers_activity WHERE tenant_id = %s AND month < %s AND days <> 0",
        [current_tenant().pk, as_of],
        schema={"customer_id": pl.Int64, "month": pl.Date, "days": pl.Int64},
    )
    days = [
        months.filter(pl.col("days") // 2**bit % 2 == 1).select(
            "customer_id", day=pl.col("month") + pl.duration(days=bit)
        )
        for bit in range(31)
    ]
    return pl.concat(days).filter(pl.col("day") < as_of)


def window_sums(windows: Mapping[str, Window]) -> pl.DataFrame:
    """customer_id, and for each named window `<name>_orders` (number) and `<name>_net` (points).

    Whole months come from the rollup; only the months that a window cuts are read from the orders, so
    every window is exact to the day. Customers without anything in any window have no row.
    """
    tenant_id = current_tenant().pk
    cut = sorted({month_of(edge) for window in windows.values() for edge in window if edge.day != 1})
    first, last = min(w[0] for w in windows.values()), max(w[1] for w in windows.values())
    sums: list[str] = []
    params: list[Any] = []
    for name, window in windows.items():
        for column in ("orders", "net"):
            sums.append(
                f'COALESCE(sum({column}) FILTER (WHERE day >= %s AND day < %s), 0)::bigint AS "{name}_{column}"'
            )
            params += window
    # A month is a piece at its first day; of a cut month, each day is a piece of its own.
    sql = f"""
        SELECT customer_id, {", ".join(sums)}
        FROM (
            SELECT customer_id, month AS day, orders, net
            FROM customers_activity
            WHERE tenant_id = %s AND month >= %s AND month < %s AND month <> ALL(%s::date[])
            UNION ALL
            SELECT customer_id, placed_on, CASE kind WHEN 'order' THEN 1 ELSE 0 END, net
            FROM customers_order
            WHERE tenant_id = %s AND status = 'placed'
              AND EXISTS (SELECT 1 FROM unnest(%s::date[]) AS cut
                          WHERE placed_on >= cut AND placed_on < cut + interval '1 month')
        ) pieces
        GROUP BY customer_id
    """
    params += [tenant_id, month_of(first), last, cut, tenant_id, cut]
    columns = [f"{name}_{column}" for name in windows for column in ("orders", "net")]
    return read_frame(sql, params, schema={"customer_id": pl.Int64} | dict.fromkeys(columns, pl.Int64))


def first_day_money(as_of: dt.date) -> pl.DataFrame:
    """customer_id and first_net (points): net money of the first order day before `as_of`, its credit notes deducted."""
    tenant_id = current_tenant().pk
    return read_frame(
        """
        SELECT o.customer_id, sum(o.net)::bigint
        FROM (
            SELECT customer_id, min(placed_on) AS day FROM customers_order
            WHERE tenant_id = %s AND status = 'placed' AND kind = 'order' AND placed_on < %s GROUP BY customer_id
        ) first
        JOIN customers_order o ON o.tenant_id = %s AND o.customer_id = first.customer_id AND o.placed_on = first.day
        WHERE o.status = 'placed'
        GROUP BY o.customer_id
        """,
        [tenant_id, as_of, tenant_id],
        schema={"customer_id": pl.Int64, "first_net": pl.Int64},
    )


def days_late(as_of: dt.date, orders: int = 5) -> pl.DataFrame:
    """customer_id and days_late: the median of due day → paid day over the last `orders` paid before `as_of`.

    Below 0 is early. Orders without a due day or not yet paid, and credit notes, are left out.
    """
    return read_frame(
        """
        SELECT customer_id, percentile_cont(0.5) WITHIN GROUP (ORDER BY paid_on - due_on)
        FROM (
            SELECT customer_id, paid_on, due_on,
                   row_number() OVER (PARTITION BY customer_id ORDER BY paid_on DESC, id DESC) AS place
            FROM customers_order
            WHERE tenant_id = %s AND status = 'placed' AND kind = 'order' AND due_on IS NOT NULL AND paid_on < %s
        ) paid
        WHERE place <= %s GROUP BY customer_id
        """,
        [current_tenant().pk, as_of, orders],
        schema={"customer_id": pl.Int64, "days_late": pl.Float64},
    )


def evidence(window: Window) -> pl.DataFrame:
    """evidence_id, customer_id, kind and referred_id (null: nobody named) of the evidence of a window, in its order."""
    return read_frame(
        """
        SELECT id, customer_id, kind, referred_id FROM customers_evidence
        WHERE tenant_id = %s AND "on" >= %s AND "on" < %s ORDER BY customer_id, "on", id
        """,
        [current_tenant().pk, *window],
        schema={"evidence_id": pl.Int64, "customer_id": pl.Int64, "kind": pl.String, "referred_id": pl.Int64},
    )


def category_counts(windows: Mapping[str, Window]) -> pl.DataFrame:
    """customer_id, and for each named window the number of categories bought; credit notes do not count.

    A product without a category counts as its own.
    """
    counts: list[str] = []
    params: list[Any] = []
    for name, window in windows.items():
        counts.append(f'count(DISTINCT category) FILTER (WHERE placed_on >= %s AND placed_on < %s) AS "{name}"')
        params += window
    tenant_id = current_tenant().pk
    sql = f"""
        SELECT customer_id, {", ".join(counts)}
        FROM (
            SELECT DISTINCT o.customer_id, o.placed_on, COALESCE(NULLIF(p.category, ''), '#' || p.id) AS category
            FROM customers_order o
            JOIN customers_orderline l ON l.tenant_id = %s AND l.order_id = o.id
            JOIN customers_product p ON p.tenant_id = %s AND p.id = l.product_id
            WHERE o.tenant_id = %s AND o.status = 'placed' AND o.kind = 'order'
              AND o.placed_on >= %s AND o.placed_on < %s
        ) bought
        GROUP BY customer_id
    """
    first, last = min(w[0] for w in windows.values()), max(w[1] for w in windows.values())
    params += [tenant_id, tenant_id, tenant_id, first, last]
    return read_frame(sql, params, schema={"customer_id": pl.Int64} | dict.fromkeys(windows, pl.Int32))


def first_purchases(window: Window, *, by_category: bool) -> pl.DataFrame:
    """customer_id, item and day: when each customer first bought each item in the window, as lists of orders say.

    An item is "#" and the product's id; by category it is the category, and a product without one stays an
    item of its own. Lines of placed orders with a quantity above nothing; closed customers' orders count.
    """
    tenant_id = current_tenant().pk
    bought = read_frame(
        """
        SELECT o.customer_id, l.product_id, min(o.placed_on)
        FROM customers_order o
        JOIN customers_orderline l ON l.tenant_id = %s AND l.order_id = o.id
        WHERE o.tenant_id = %s AND o.status = 'placed' AND o.kind = 'order' AND l.quantity > 0
          AND o.placed_on >= %s AND o.placed_on < %s
        GROUP BY o.customer_id, l.product_id
        """,
        [tenant_id, tenant_id, *window],
        schema={"customer_id": pl.Int64, "product_id": pl.Int64, "day": pl.Date},
    )
    name = "COALESCE(NULLIF(category, ''), '#' || id)" if by_category else "'#' || id"
    items = read_frame(
        f"SELECT id, {name} FROM customers_product WHERE tenant_id = %s",
        [tenant_id],
        schema={"product_id": pl.Int64, "item": pl.String},
    )
    named = bought.join(items.cast({"item": pl.Categorical}), on="product_id").select("customer_id", "item", "day")
    return named.group_by("customer_id", "item").agg(pl.col("day").min()) if by_category else named


def order_sizes(split: dt.date, days: int) -> pl.DataFrame:
    """customer_id, product_id, before, now and money: each article that a customer bought on both sides of a day.

    before and now are the median quantities of a line in the `days` before `split` and from it on (ten
    thousandths, as the table has them); money is what both spans brought (points). Lines of placed orders
    with a quantity above nothing.
    """
    tenant_id, span = current_tenant().pk, dt.timedelta(days=days)
    return read_frame(
        """
        SELECT o.customer_id, l.product_id,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY l.quantity) FILTER (WHERE o.placed_on < %s),
               percentile_cont(0.5) WITHIN GROUP (ORDER BY l.quantity) FILTER (WHERE o.placed_on >= %s),
               sum(l.money)
        FROM customers_order o
        JOIN customers_orderline l ON l.tenant_id = %s AND l.order_id = o.id
        WHERE o.tenant_id = %s AND o.status = 'placed' AND o.kind = 'order' AND l.quantity > 0
          AND o.placed_on >= %s AND o.placed_on < %s
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
    )


def last_touches(as_of: dt.date) -> pl.DataFrame:
    """customer_id, kind and last_touch_on: the last contact of each kind before `as_of`, either direction."""
    tenant = current_tenant()
    return read_frame(
        """
        SELECT customer_id, kind, (max(at) AT TIME ZONE %s)::date
        FROM customers_interaction WHERE tenant_id = %s AND at < %s GROUP BY customer_id, kind
        """,
        [tenant.timezone, tenant.pk, tenant.start_of(as_of)],
        schema={"customer_id": pl.Int64, "kind": pl.String, "last_touch_on": pl.Date},
    )
