"""It: facts as frames, read the quick way, say what the rows say."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from customers import services
from customers.frames import contact_counts, last_contacts, last_touches, order_counts
from customers.models import Customer, Interaction, Order
from customers.services import Article, Line
from tenants.models import Tenant
from tenants.parts import Customers, Part
from tests.conftest import Cast

DAY = dt.timedelta(days=1)
NOW = dt.date(2026, 3, 20)


def chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  # the same each time


def place(customer: Customer, number: int, day: dt.date, tenant: Tenant, quantity: int = 1) -> Order:
    line = Line(product=Article(source="erp", external_id="A"), quantity=Decimal(quantity), unit_price=Decimal(10))
    return services.create_order(
        customer=customer, external_id=f"{number}", placed_at=tenant.start_of(day) + dt.timedelta(hours=9), lines=[line]
    )


@pytest.fixture
def buyers(cast: Cast, scope: Tenant) -> list[Customer]:
    """Three who order once a day at most, three who do so more often; credit notes and cancelled orders among them."""
    found = [cast.customer(f"C{n}") for n in range(6)]
    dice = chance(1)
    with services.many_orders([customer.pk for customer in found]):
        for n, customer in enumerate(found):
            days = [NOW - dice.randrange(-5, 200) * DAY for _order in range(30)]
            for m, day in enumerate(sorted(set(days)) if n < 3 else days + days[:9]):
                order = place(customer, 100 * n + m, day, scope, dice.choice((1, 1, 1, 1, -1)))
                if dice.random() < 0.1:
                    services.patch_order(order=order, status="cancelled")
    return found


@pytest.mark.parametrize("seed", range(12))
def test_counts_the_orders_of_windows_to_the_day(buyers: list[Customer], seed: int) -> None:
    dice = chance(seed)
    windows = {}
    for name in ("one", "two"):
        first = NOW - dice.randrange(1, 190) * DAY
        windows[name] = (first, first + dice.randrange(1, 100) * DAY)
    windows["months"] = (dt.date(2026, 1, 1), dt.date(2026, 3, 1))
    expected: Counter[tuple[int, str]] = Counter()
    placed = Order.objects.filter(status="placed", kind="order").values_list("customer_id", "placed_on")
    for customer_id, day in placed:
        for name, (start, end) in windows.items():
            expected[customer_id, name] += start <= day < end
    ids = [customer.pk for customer in buyers]
    for customers in (None, Part(ids[1], ids[4]), ids[2:]):
        found = order_counts(windows, customers)
        assert found.schema == {"customer_id": pl.Int64, "one": pl.Int32, "two": pl.Int32, "months": pl.Int32}
        asked = asked_of(ids, customers)
        told = {row["customer_id"]: row for row in found.rows(named=True)}
        assert len(told) == found.height
        assert set(told) <= set(asked)
        for customer_id in asked:
            for name in windows:
                assert told.get(customer_id, {}).get(name, 0) == expected[customer_id, name]


def test_reads_no_order_where_the_rollup_can_tell(
    cast: Cast, scope: Tenant, django_assert_num_queries: Callable[[int], AbstractContextManager[Any]]
) -> None:
    once, often = cast.customer("Once a day"), cast.customer("Often")
    for number, (customer, days) in enumerate(((once, -2), (once, 3), (once, 9), (often, 3), (often, 4), (often, -2))):
        place(customer, number, NOW - days * DAY, scope)
    windows, ids = {"cut": (NOW - 5 * DAY, NOW)}, [once.pk, often.pk]
    with django_assert_num_queries(1):
        assert order_counts(windows, ids).sort("customer_id").rows() == [(once.pk, 1), (often.pk, 2)]
    place(often, 99, NOW - 3 * DAY, scope)
    with django_assert_num_queries(2):
        assert order_counts(windows, ids).sort("customer_id").rows() == [(once.pk, 1), (often.pk, 3)]
    assert order_counts(windows, []).is_empty()


@pytest.mark.parametrize("seed", range(4))
def test_reads_last_contacts_and_those_about_competitors(cast: Cast, scope: Tenant, seed: int) -> None:
    dice = chance(seed)
    ids = [cast.customer(f"C{n}").pk for n in range(5)]
    for _contact in range(25):
        Interaction.objects.create(
            customer_id=dice.choice(ids[1:]), channel="phone", kind=dice.choice(("light_touch", "deep_talk")),
            at=scope.start_of(NOW - dice.randrange(-3, 90) * DAY) + dt.timedelta(hours=dice.randrange(24)),
            about_competitor=dice.random() < 0.3,
        )  # fmt: skip
    for customers in (None, Part(ids[1], ids[3]), ids[:4]):
        by_kind = last_touches(NOW, customers).group_by("customer_id").agg(pl.col("last_touch_on").max())
        assert sorted(last_contacts(NOW, customers).rows()) == sorted(by_kind.rows())
        windows = {"now": (NOW - 30 * DAY, NOW), "then": (NOW - 60 * DAY, NOW - 30 * DAY)}
        expected: dict[int, Counter[str]] = defaultdict(Counter)
        for contact in Interaction.objects.filter(customer__in=asked_of(ids, customers)):
            day = scope.local_date(contact.at)
            for name, (first, last) in windows.items():
                if first <= day < last:
                    expected[contact.customer_id][name] += 1
                    expected[contact.customer_id][f"{name}_competitor"] += contact.about_competitor
        columns = ["now", "then", "now_competitor", "then_competitor"]
        told = contact_counts(windows, customers).select("customer_id", *columns)
        assert sorted(told.rows()) == sorted((pk, *(of[name] for name in columns)) for pk, of in expected.items())
        competitors = contact_counts(windows, customers, "about_competitor").select("customer_id", *columns[2:])
        talked_about = [(pk, *(of[name] for name in columns[2:])) for pk, of in expected.items()]
        assert sorted(competitors.rows()) == sorted(row for row in talked_about if any(row[1:]))


def asked_of(ids: list[int], customers: Customers) -> list[int]:
    """Those of the ids who are among the customers."""
    if customers is None:
        return ids
    if isinstance(customers, Part):
        return [pk for pk in ids if customers.first <= pk <= customers.last]
    return list(customers)
