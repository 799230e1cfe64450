import datetime as dt
from decimal import Decimal

from customers.activity import refresh_activity
from customers.models import Activity, Order

MARCH, APRIL = dt.date(2026, 3, 1), dt.date(2026, 4, 1)


def order(customer, number, day, net, **fields):
    at = dt.datetime.combine(day, dt.time(12), tzinfo=dt.UTC)
    kind = "credit_note" if net < 0 else "order"
    return Order.objects.create(
        **{"customer": customer, "external_id": number, "placed_at": at, "placed_on": day, "currency": "GBP",
           "kind": kind, "net": Decimal(net), "digest": number} | fields
    )  # fmt: skip


def test_counts_orders_credit_notes_money_and_days(cast, scope):
    customer = cast.customer()
    order(customer, "A", MARCH, 100)
    order(customer, "B", MARCH.replace(day=31), 50)
    order(customer, "C", MARCH.replace(day=15), -30)
    order(customer, "D", MARCH.replace(day=16), 999, status="cancelled")
    order(customer, "E", APRIL, 7)
    refresh_activity([(customer.pk, MARCH.replace(day=15))])
    row = Activity.objects.get()
    assert (row.month, row.orders, row.credit_notes, row.net) == (MARCH, 2, 1, Decimal(120))
    assert row.days == 1 | 1 << 30


def test_removes_a_month_that_has_no_order_left(cast, scope):
    customer = cast.customer()
    moved = order(customer, "A", MARCH, 100)
    refresh_activity([(customer.pk, MARCH)])
    moved.placed_on = APRIL
    moved.save()
    refresh_activity([(customer.pk, MARCH), (customer.pk, APRIL)])
    assert [a.month for a in Activity.objects.all()] == [APRIL]


def test_leaves_a_month_alone_that_says_the_same(cast, scope):
    customer = cast.customer()
    order(customer, "A", MARCH, 100)
    refresh_activity([(customer.pk, MARCH)])
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT ctid FROM customers_activity")
        before = cursor.fetchall()
        refresh_activity([(customer.pk, MARCH)])
        cursor.execute("SELECT ctid FROM customers_activity")
        assert cursor.fetchall() == before
