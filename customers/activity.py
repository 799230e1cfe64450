"""The monthly rollup of orders, kept right by every write of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from typing import Final

import polars as pl
from django.db import connection

from customers.models import Order, month_of
from tenants.context import current_tenant
from tenants.frames import copy_frame

# One statement removes the months that are empty now, one writes those that differ from what the orders say.
# The day after a month is handed in: `month + interval '1 month'` is a time, and behind row-level security no index
# compares dates with times; all later orders of the customer were read.
_WANTED = "unnest(%s::bigint[], %s::date[], %s::date[]) AS w(customer_id, month, after)"

_DELETE = f"""
DELETE FROM customers_activity a USING {_WANTED}
WHERE a.tenant_id = %s AND a.customer_id = w.customer_id AND a.month = w.month AND NOT EXISTS (
    SELECT 1 FROM customers_order o
    WHERE o.tenant_id = %s AND o.customer_id = w.customer_id AND o.status = %s
      AND o.placed_on >= w.month AND o.placed_on < w.after)
"""

_MERGE = f"""
INSERT INTO customers_activity AS a (tenant_id, customer_id, month, orders, credit_notes, net, days)
SELECT %s, w.customer_id, w.month,
       count(*) FILTER (WHERE o.kind = %s),
       count(*) FILTER (WHERE o.kind = %s),
       sum(o.net),
       coalesce(bit_or(1::bigint << (extract(day FROM o.placed_on)::int - 1)) FILTER (WHERE o.kind = %s), 0)
FROM {_WANTED}
JOIN customers_order o ON o.tenant_id = %s AND o.customer_id = w.customer_id AND o.status = %s
     AND o.placed_on >= w.month AND o.placed_on < w.after
GROUP BY w.customer_id, w.month
ON CONFLICT (tenant_id, customer_id, month) DO UPDATE
SET orders = excluded.orders, credit_notes = excluded.credit_notes, net = excluded.net, days = excluded.days
WHERE (a.orders, a.credit_notes, a.net, a.days)
      IS DISTINCT FROM (excluded.orders, excluded.credit_notes, excluded.net, excluded.days)
"""

# Not FOR UPDATE: rows that point to a customer can still be added. Counted, so that thousands are not sent here.
_LOCK: Final = """
SELECT count(*) FROM (
    SELECT FROM customers_customer WHERE tenant_id = %s AND id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
) locked
"""

_ADD: Final = """
INSERT INTO customers_activity AS a (tenant_id, customer_id, month, orders, credit_notes, net, days)
SELECT %s, m.customer_id, m.month, m.orders, m.credit_notes, m.net, m.days FROM new_months m
ON CONFLICT (tenant_id, customer_id, month) DO UPDATE
SET orders = a.orders + excluded.orders, credit_notes = a.credit_notes + excluded.credit_notes,
    net = a.net + excluded.net, days = a.days | excluded.days
"""


def lock_customers(customer_ids: Iterable[int]) -> None:
    """Let nobody else write orders of these customers until the transaction ends; call it before writing any.

    Locks are taken in the order of the ids, so that two writers of several customers cannot wait for each
    other. Two that wrote at the same time would each roll up without the other's order.
    """
    ids = sorted(set(customer_ids))
    if not ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [current_tenant().pk, ids])


def refresh_activity(pairs: Collection[tuple[int, dt.date]]) -> int:
    """Recompute the rollup of (customer id, any day of the month) from the placed orders.

    Every write of orders calls this in its own transaction, for the months before and after it; months
    without an order left lose their row. Days are the tenant's local ones, as orders store them. Returns how many
    rows were written or removed; those that say the same are not written.
    """
    wanted = sorted({(customer_id, month_of(day)) for customer_id, day in pairs})
    if not wanted:
        return 0
    lock_customers(customer_id for customer_id, _month in wanted)
    tenant_id = current_tenant().pk
    customers, months = [customer_id for customer_id, _month in wanted], [month for _id, month in wanted]
    afters = [month_of(month + dt.timedelta(days=31)) for month in months]
    order, credit_note, placed = Order.Kind.ORDER.value, Order.Kind.CREDIT_NOTE.value, Order.Status.PLACED.value
    with connection.cursor() as cursor:
        cursor.execute(_DELETE, [customers, months, afters, tenant_id, tenant_id, placed])
        removed = cursor.rowcount
        cursor.execute(_MERGE, [tenant_id, order, credit_note, order, customers, months, afters, tenant_id, placed])
        return int(removed + cursor.rowcount)


def add_activity(orders: pl.DataFrame) -> None:
    """Add new orders to the rollup: the same as `refresh_activity` of their months, without reading the orders.

    `orders` has customer_id, placed_on, kind, status and net (points) of orders that were written in this transaction
    and were not there before; their customers are locked (`lock_customers`) or were made in it. What a month costs
    does not grow with what a customer has bought before.
    """
    is_order = pl.col("kind") == Order.Kind.ORDER.value
    months = (
        orders.filter(pl.col("status") == Order.Status.PLACED.value)
        .group_by("customer_id", month=pl.col("placed_on").dt.month_start())
        .agg(
            orders=is_order.sum().cast(pl.Int32),
            credit_notes=(~is_order).sum().cast(pl.Int32),
            net=pl.col("net").sum(),
            # Different days are different bits: their sum has all of them.
            days=pl.lit(2, pl.Int64).pow(pl.col("placed_on").filter(is_order).unique().dt.day() - 1).sum(),
        )
        .sort("customer_id", "month")
    )
    if months.is_empty():
        return
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS new_months")
        copy_frame(cursor, "new_months", months, analyze=False)
        cursor.execute(_ADD, [current_tenant().pk])
