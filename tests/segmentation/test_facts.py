"""It: reads of the facts only what is asked for, and finds the same as by reading them all."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers import frames
from customers.frames import bought_on_both_sides, last_order_days, order_days, order_sizes
from customers.models import Activity, Customer, Order, OrderLine, Product, month_of
from segmentation.facts import rank_facts, tier_facts
from segmentation.rules.policy import TierPolicy
from tenants.parts import EVERYBODY, Customers, Part
from tests.conftest import Cast
from tests.segmentation.conftest import TODAY

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("scope")]

SPLIT = TODAY - dt.timedelta(days=30)
RULES = TierPolicy()

in_any_test = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)


@in_any_test
@given(
    firm=st.lists(
        st.dictionaries(
            st.dates(dt.date(2025, 10, 1), dt.date(2026, 12, 31)).map(month_of), st.integers(0, 2**31 - 1), max_size=6
        ),
        min_size=1,
        max_size=4,
    ),
    as_of=st.dates(dt.date(2026, 9, 1), dt.date(2026, 12, 31)) | st.just(dt.date(2026, 11, 1)),
)
def test_finds_the_last_of_all_order_days(cast: Cast, firm: list[dict[dt.date, int]], as_of: dt.date) -> None:
    with transaction.atomic():
        customers = [cast.customer(f"C{n}").pk for n in range(len(firm))]
        Activity.objects.bulk_create(
            Activity(
                customer_id=customer, month=month, orders=1, credit_notes=0, net=Decimal(1), days=within(month, days)
            )
            for customer, months in zip(customers, firm, strict=True)
            for month, days in months.items()
        )
        wanted: dict[int, dt.date] = {}
        for customer, day in order_days(as_of).iter_rows():
            wanted[customer] = max(day, wanted.get(customer, day))
        assert dict(last_order_days(as_of).iter_rows()) == wanted
        some = customers[::2]
        assert set(last_order_days(as_of, some).get_column("customer_id")) == wanted.keys() & set(some)
        transaction.set_rollback(True)


def within(month: dt.date, days: int) -> int:
    """The bits of the days that the month has."""
    length = ((month + dt.timedelta(days=31)).replace(day=1) - month).days
    return days & ((1 << length) - 1)


@pytest.mark.parametrize("later", [0, 1, 11, 40])
def test_ranks_by_what_decides_about_tiers(cast: Cast, ordered: Callable[..., Customer], later: int) -> None:
    chance = random.Random(later)  # noqa: S311  # the same each time
    for n in range(12):
        ordered(*(chance.randrange(0, 800) for _ in range(n % 5)), name=f"C{n}", money=chance.choice((100, 40, -30)))
    ordered(5, name="Closed", closed_on=TODAY)
    as_of = TODAY + dt.timedelta(later)
    all_of_them = list(Customer.objects.order_by("pk").values_list("pk", flat=True))
    asked: tuple[Customers, ...] = (None, EVERYBODY, Part(all_of_them[3], all_of_them[-1]), all_of_them[::2])
    for customers in asked:
        facts = tier_facts(as_of, RULES, customers=customers)
        found = rank_facts(as_of, RULES, customers)
        wanted = facts.drop_nulls("last_order_on").select(found.columns)
        assert found.schema == wanted.schema
        assert found.sort("customer_id").equals(wanted.sort("customer_id"))
        assert 0 < found.height < facts.height


Line = tuple[int, int, int, int]
"""Which customer, which product, days from SPLIT, quantity."""


@in_any_test
@given(
    lines=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(-25, 25), st.integers(-1, 5)), max_size=40
    ),
    others=st.lists(st.sampled_from([("order", "placed"), ("credit_note", "placed"), ("order", "cancelled")])),
    articles=st.integers(1, 3),
)
def test_leaves_nobody_out_whose_order_sizes_could_be_compared(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, lines: list[Line], others: list[tuple[str, str]], articles: int
) -> None:
    monkeypatch.setattr(frames, "_AT_ONCE", 7)  # orders whose lines are asked for together
    with transaction.atomic():
        customers = [cast.customer(f"C{n}").pk for n in range(4)]
        products = [Product.objects.create(external_id=f"P{n}", name=f"P{n}") for n in range(4)]
        for n, (who, what, away, quantity) in enumerate(lines):
            kind, status = others[n] if n < len(others) else ("order", "placed")
            day = SPLIT + dt.timedelta(away)
            order = Order.objects.create(
                customer_id=customers[who], external_id=str(n), kind=kind, status=status, placed_on=day, currency="GBP",
                placed_at=dt.datetime.combine(day, dt.time(12), dt.UTC), net=Decimal(1),
            )  # fmt: skip
            OrderLine.objects.create(
                order=order,
                position=1,
                product=products[what],
                quantity=quantity,
                unit_price=Decimal(1),
                money=Decimal(1),
            )
        asked = customers[1:]
        sizes = order_sizes(SPLIT, 20, asked)
        counts = dict(sizes.group_by("customer_id").len().iter_rows())
        found = bought_on_both_sides(SPLIT, 20, articles, asked)
        assert {customer for customer, number in counts.items() if number >= articles} <= set(found)
        for customer in found:
            bought = {line[1] for line in inside(lines, customers.index(customer), before=True)}
            again = {line[1] for line in inside(lines, customers.index(customer), before=False)}
            assert len(bought & again) >= articles, "it need not have been named"
            assert customer in asked
        transaction.set_rollback(True)


def inside(lines: list[Line], who: int, *, before: bool) -> list[Line]:
    """A customer's lines of the 20 days on one side of the day."""
    return [line for line in lines if line[0] == who and (line[2] < 0) is before and -20 <= line[2] < 20]
