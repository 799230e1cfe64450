"""It: the night of segmentation, from facts to standings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import pytest

from customers.models import Customer
from segmentation.facts import tier_facts, tiers_in_force
from segmentation.models import Standing, TierChange
from segmentation.rules.policy import TierPolicy
from tenants.models import Event
from tests.conftest import Cast
from tests.segmentation.conftest import TODAY

Ordered = Callable[..., Customer]
Night = Callable[..., dict[str, int]]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("scope")]
RULES = TierPolicy()


def test_reads_all_that_decides_by_any_scheme(cast: Cast, ordered: Ordered) -> None:
    back = ordered(400, 300, 120, 20, 3, since=dt.date(2019, 3, 1), industry_position=4, growth_potential="high")
    late = ordered(50, name="Late", since=TODAY)
    never = cast.customer("Never", since=dt.date(2020, 2, 29))
    cast.customer("Gone", closed_on=TODAY)
    rows = {row["customer_id"]: row for row in tier_facts(TODAY, RULES).iter_rows(named=True)}

    def day(ago: int) -> dt.date:
        return TODAY - dt.timedelta(ago)

    assert set(rows) == {back.pk, late.pk, never.pk}
    assert rows[back.pk] == {
        "customer_id": back.pk, "first_order_on": day(400), "last_order_on": day(3), "returned_on": day(20),
        "frequency": 4, "monetary": 4_000_000, "relation_since": dt.date(2019, 3, 1), "industry_position": 4,
        "growth_potential": "high", "pin": None,
    }  # fmt: skip
    assert rows[late.pk]["relation_since"] == day(50)
    assert (rows[never.pk]["relation_since"], rows[never.pk]["last_order_on"]) == (dt.date(2020, 2, 29), None)
    assert (rows[never.pk]["growth_potential"], rows[never.pk]["monetary"]) == ("", 0)


def test_reads_an_empty_tenant(night: Night) -> None:
    assert tier_facts(TODAY, RULES).height == 0
    assert tiers_in_force().height == 0
    assert night() == {"customers": 0, "scored": 0, "changed": 0, "moved": 0}


def test_writes_where_customers_stand_by_every_scheme(cast: Cast, ordered: Ordered, night: Night) -> None:
    big = ordered(2_500, 3, money=12_000_000, name="Big", industry_position=2)
    coming = ordered(10, name="Coming", growth_potential="high")
    owed = ordered(40, 20, money=-500, name="Owed")
    assert night()["scored"] == 2
    rows = {row.customer_id: row for row in Standing.objects.all()}
    assert (rows[big.pk].by_wholesale, rows[big.pk].by_sales_team, rows[big.pk].by_callback) == (
        "strategic", "core", "gold",
    )  # fmt: skip
    assert (rows[coming.pk].by_wholesale, rows[coming.pk].by_sales_team) == ("regular", "potential")
    assert rows[big.pk].first_order_on == TODAY - dt.timedelta(2_500)
    assert rows[big.pk].returned_on == TODAY - dt.timedelta(3)
    assert (rows[coming.pk].first_order_on, rows[coming.pk].returned_on) == (TODAY - dt.timedelta(10), None)
    # Only credit notes: never ordered, whatever it gave back.
    assert (rows[owed.pk].tier, rows[owed.pk].by_sales_team, rows[owed.pk].monetary) == ("", "", Decimal(-1000))
    assert night() == {"customers": 3, "scored": 2, "changed": 0, "moved": 0}


def test_keeps_every_change_with_the_facts_that_decided(cast: Cast, ordered: Ordered, night: Night) -> None:
    customer = ordered(200, money=10, industry_position=3)
    for n in range(9):
        ordered(2 + n, money=500 + n, name=f"Other {n}")
    night()
    first = TierChange.objects.get(customer=customer)
    assert (first.before, first.after, first.facts["move"]) == ("", "bronze", "start")
    assert not Event.objects.filter(verb="tier_changed").exists()  # a first tier is no news
    ordered(1, money=8_000, customer=customer)
    night()  # the same day again: both changes are kept
    change = TierChange.objects.filter(customer=customer).first()
    assert (change.before, change.after, change.on) == ("bronze", "gold", TODAY)
    facts = change.facts
    assert (facts["move"], facts["pin"], facts["recency_days"], facts["monetary"]) == ("rise", None, 1, 80_100_000)
    assert (facts["relation_since"], facts["relation_years"], facts["industry_position"]) == ("2026-05-04", 0, 3)
    assert (facts["potential"], facts["growth_potential"], facts["better_money"]) == (3.0, "", 0.0)
    news = Event.objects.get(customer_id=customer.pk)
    assert (news.verb, news.changes) == ("tier_changed", {"tier": ["bronze", "gold"], "facts": facts})


def test_copes_with_one_customer_one_order_and_all_orders_on_one_day(ordered: Ordered, night: Night) -> None:
    ordered(1)
    night()
    assert Standing.objects.get().tier == "gold"  # nobody is better
    for n in range(4):
        ordered(1, name=f"Same {n}")
    night()
    assert set(Standing.objects.values_list("tier", "by_sales_team", "by_wholesale", "segment")) == {
        ("gold", "core", "regular", "000")
    }
