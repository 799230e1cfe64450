"""The monthly rollup of orders, kept right by every write of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable

from django.db import connection

from customers.models import Customer, Order, month_of
from tenants.context import current_tenant

# One statement removes the months that are empty now, one writes those that differ from what the orders say.
_WANTED = "unnest(%s::bigint[], %s::date[]) AS w(customer_id, month)"

_DELETE = f"""
DELETE FROM customers_activity a USING {_WANTED}
WHERE a.tenant_id = %s AND a.customer_id = w.customer_id AND a.month = w.month AND NOT EXISTS (
    SELECT 1 FROM customers_order o
    WHERE o.tenant_id = %s AND o.customer_id = w.customer_id AND o.status = %s
      AND o.placed_on >= w.month AND o.placed_on < w.month + interval '1 month')
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
     AND o.placed_on >= w.month AND o.placed_on < w.month + interval '1 month'
GROUP BY w.customer_id, w.month
ON CONFLICT (tenant_id, customer_id, month) DO UPDATE
SET orders = excluded.orders, credit_notes = excluded.credit_notes, net = excluded.net, days = excluded.days
WHERE (a.orders, a.credit_notes, a.net, a.days)
      IS DISTINCT FROM (excluded.orders, excluded.credit_notes, excluded.net, excluded.days)
"""


def lock_customers(customer_ids: Iterable[int]) -> None:
    """Let nobody else write orders of these customers until the transaction ends; call it before writing any.

    Locks are taken in the order of the ids, so that two writers of several customers cannot wait for each
    other. Two that wrote at the same time would each roll up without the other's order.
    """
    ids = sorted(set(customer_ids))
    # Not FOR UPDATE: rows that point to a customer can still be added.
    rows = Customer.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    list(rows.values_list("pk", flat=True))


def refresh_activity(pairs: Collection[tuple[int, dt.date]]) -> None:
    """Recompute the rollup of (customer id, any day of the month) from the placed orders.

    Every write of orders calls this in its own transaction, for the months before and after it; months
    without an order left lose their row. Days are the tenant's local ones, as orders store them.
    """
    wanted = sorted({(customer_id, month_of(day)) for customer_id, day in pairs})
    if not wanted:
        return
    lock_customers(customer_id for customer_id, _month in wanted)
    tenant_id = current_tenant().pk
    customers, months = [customer_id for customer_id, _month in wanted], [month for _id, month in wanted]
    order, credit_note, placed = Order.Kind.ORDER.value, Order.Kind.CREDIT_NOTE.value, Order.Status.PLACED.value
    with connection.cursor() as cursor:
        cursor.execute(_DELETE, [customers, months, tenant_id, tenant_id, placed])
        cursor.execute(_MERGE, [tenant_id, order, credit_note, order, customers, months, tenant_id, placed])
