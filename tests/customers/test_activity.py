import datetime as dt
import random
from decimal import Decimal

import polars as pl
import pytest
from django.db import connection

from customers.activity import add_activity, refresh_activity
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


def months():
    return list(
        Activity.objects.order_by("customer_id", "month").values_list(
            "customer_id", "month", "orders", "credit_notes", "net", "days"
        )
    )


@pytest.mark.parametrize("seed", range(4))
def test_adds_new_orders_as_if_it_had_read_them_all_again(cast, scope, seed):
    chance = random.Random(seed)  # noqa: S311  # made-up orders
    customers = [cast.customer(f"C{n}") for n in range(3)]

    def some(name):
        return [
            order(
                chance.choice(customers),
                f"{name}{n}",
                MARCH + dt.timedelta(days=chance.randrange(70)),
                chance.choice([-20, 30, 40]),
                status=chance.choice(["placed", "placed", "cancelled"]),
            )
            for n in range(60)
        ]

    def pairs(orders):
        return {(one.customer_id, one.placed_on) for one in orders}

    before = some("A")
    refresh_activity(pairs(before))
    new = some("B")
    rows = [(one.customer_id, one.placed_on, one.kind, one.status, int(one.net * 10_000)) for one in new]
    columns = {"customer_id": pl.Int64, "placed_on": pl.Date, "kind": pl.String, "status": pl.String, "net": pl.Int64}
    add_activity(pl.DataFrame(rows, schema=columns, orient="row"))
    found = months()
    Activity.objects.all().delete()
    refresh_activity(pairs([*before, *new]))
    assert found == months()
    assert any(days.bit_count() > 1 for *_rest, days in found)


def test_adds_nothing_of_orders_that_do_not_count(cast, scope):
    customer = cast.customer()
    gone = (customer.pk, MARCH, "order", "cancelled", 10_000)
    columns = {"customer_id": pl.Int64, "placed_on": pl.Date, "kind": pl.String, "status": pl.String, "net": pl.Int64}
    add_activity(pl.DataFrame([gone], schema=columns, orient="row"))
    add_activity(pl.DataFrame([], schema=columns))
    assert not Activity.objects.exists()


def test_lies_whole_in_its_key(cast, scope):
    with connection.cursor() as cursor:
        cursor.execute("SELECT attname FROM pg_attribute WHERE attrelid = 'customers_activity_pkey'::regclass")
        held = {name for (name,) in cursor.fetchall()}
    assert held == {field.column for field in Activity._meta.local_fields if field.column}
