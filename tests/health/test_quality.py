"""It: measures of how many customers each kind of fact is there and fresh, and which scores rest on it."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from config.night import run_night
from customers.activity import refresh_activity
from customers.models import (
    Complaint,
    Contact,
    Customer,
    Interaction,
    Order,
    OrderLine,
    Product,
    SurveyResponse,
    month_of,
)
from health.models import HealthScore
from health.quality import INDICATORS, KINDS, STATES, quality, rules_in_force, with_fact
from health.rules.policy import KEYS, HealthPolicy
from tenants.policies import active_policy, save_policy
from tests.health.scored import night_of, score_of

FRIDAY = dt.date(2026, 11, 20)


@pytest.fixture(autouse=True)
def _november(time_machine):
    time_machine.move_to(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC), tick=False)


def days_ago(days: int) -> dt.datetime:
    return dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC) - dt.timedelta(days=days)


def order(customer: Customer, days: int, **fields: Any) -> Order:
    day = days_ago(days).date()
    product, _new = Product.objects.get_or_create(external_id="P-1", defaults={"category": "Tiles"})
    row: Order = Order.objects.create(
        customer=customer, external_id=f"{customer.pk}-{days}", placed_at=days_ago(days), placed_on=day,
        currency="GBP", net=100, digest="", **fields,
    )  # fmt: skip
    OrderLine.objects.create(order=row, position=1, product=product, quantity=1, unit_price=100, money=100)
    refresh_activity([(customer.pk, month_of(day))])
    return row


@pytest.fixture
def firm(cast, scope):
    """One of whom everything is known, one of whom everything is old, and one who never did anything."""
    full, old, empty = (cast.customer(name) for name in ("Full", "Old", "Empty"))
    for customer, since in ((full, 10), (old, 400)):
        due = days_ago(since).date()
        for days in range(since, since + 600, 30):
            order(customer, days, due_on=due, paid_on=due)
        contact = Contact.objects.create(customer=customer, name="Mei")
        said = {"customer": customer, "contact": contact, "channel": "phone"}
        for days in (since, since + 100):
            Interaction.objects.create(at=days_ago(days), answered=True, solved=True, about_competitor=True, **said)
        Complaint.objects.create(
            customer=customer, topic="Late", opened_at=days_ago(since), solved_at=days_ago(since), first_time=True
        )
        for kind in ("nps", "csat"):
            SurveyResponse.objects.create(customer=customer, contact=contact, kind=kind, score=5, at=days_ago(since))
    run_night(cast.tenant, FRIDAY)
    return SimpleNamespace(full=full, old=old, empty=empty)


def kinds(member):
    return {each.kind: each for each in quality(member).kinds}


def test_sees_what_is_fresh_what_is_old_and_what_was_never_there(cast, firm):
    found = {kind: (each.fresh, each.stale, each.missing) for kind, each in kinds(cast.eve).items()}
    assert found == {
        "orders": (2, 0, 1),  # that no order came is what the score measures
        "order_lines": (1, 0, 0),  # of those who ordered in these days
        "contacts": (1, 1, 1),
        "replies": (1, 1, 1),
        "complaints": (3, 0, 0),  # the firm keeps them: none noted is a fact
        "solutions": (1, 1, 0),  # who never had a question is left out
        "satisfaction": (1, 1, 1),
        "recommendation": (1, 1, 1),
        "competitor": (1, 0, 2),
        "payments": (1, 1, 0),
    }


def test_says_which_scores_rest_on_stale_facts(cast, firm):
    meter = quality(cast.eve)
    assert (meter.customers, meter.scored, meter.on_stale, meter.stale_share) == (3, 2, 1, 0.5)
    assert {each.kind for each in meter.kinds if each.used_stale} == {"replies", "payments"}
    assert list(with_fact(Customer.objects.all(), "any", "used_stale")) == [firm.old]


def test_finds_the_customers_behind_every_number(cast, firm):
    every = Customer.objects.all()
    for kind, each in kinds(cast.eve).items():
        for state in STATES:
            assert with_fact(every, kind, state).count() == getattr(each, state), (kind, state)
    assert set(with_fact(every, "contacts", "missing")) == {firm.empty}


def test_adds_up_kind_by_kind(cast, firm):
    for each in quality(cast.eve).kinds:
        assert each.there == each.fresh + each.stale
        assert each.base == each.there + each.missing
        assert each.used_stale <= min(each.used, each.stale)


def test_counts_as_used_just_what_the_receipt_counts(cast, firm):
    """The conditions in SQL are those of the rules: no indicator known here and unknown there."""
    assert sorted(key for keys in INDICATORS.values() for key in keys) == sorted(KEYS)
    rules, as_of = rules_in_force()
    HealthScore.objects.filter(customer=firm.empty).update(score=50, band="yellow")
    for row in HealthScore.objects.select_related("customer"):
        known = {line.key for line in row.receipt(rules, as_of).lines if line.value is not None}
        for kind in KINDS:
            is_used = with_fact(Customer.objects.filter(pk=row.customer_id), kind, "used").exists()
            assert is_used == bool(known & set(INDICATORS[kind])), (row.customer.name, kind)


def test_weighs_each_kind(cast, scope):
    night_of(FRIDAY)
    for name, answers in (("A", 1), ("B", 0)):
        score_of(cast.customer(name), 50, order_days_count=9, csat_count=answers, csat_sum=5 * answers)
    meter = quality(cast.eve)
    shares = {each.kind: each.share for each in meter.kinds}
    assert (shares["orders"], shares["satisfaction"], shares["contacts"]) == (1, 0.5, 0)
    assert shares["solutions"] is None
    # orders 35, order lines and payments and solutions of nobody, satisfaction 8; contacts 8, answers 9, complaints 9,
    # recommendation 7 and competitor questions 5 are there of nobody.
    assert meter.share == pytest.approx((35 + 8 / 2) / (35 + 8 + 8 + 9 + 9 + 7 + 5))
    assert {each.kind: each.short for each in meter.kinds if each.short} == {
        "contacts": 2, "replies": 2, "complaints": 2, "satisfaction": 1, "recommendation": 2, "competitor": 2,
    }  # fmt: skip
    assert not meter.is_met


def test_does_not_count_what_weighs_nothing_for_the_customers_tier_or_stage(cast, scope):
    rules = active_policy().section(HealthPolicy)
    usual = rules.weights_of("", "")
    document = {"health": rules.model_dump(mode="json")}
    document["health"]["tier_weights"] = {"gold": usual | {"satisfaction": 0}}
    document["health"]["stage_weights"] = {"new": usual}
    save_policy(document, pack="callback")
    facts = {"csat_count": 1, "csat_sum": 5}
    for name, tier, stage in (("Bronze", "bronze", "active"), ("Gold", "gold", "active"), ("New gold", "gold", "new")):
        score_of(cast.customer(name), 50, tier=tier, stage=stage, **facts)
    used = with_fact(Customer.objects.all(), "satisfaction", "used")
    assert {customer.name for customer in used} == {"Bronze", "New gold"}


def test_measures_whom_the_member_sees(cast, firm):
    Customer.objects.filter(pk=firm.full.pk).update(owner_a=cast.bo, owner_b=None)
    assert [quality(member).customers for member in (cast.ann, cast.bo, cast.eve)] == [2, 3, 3]


def test_has_no_share_before_the_first_night(cast, scope):
    cast.customer()
    meter = quality(cast.eve)
    assert (meter.customers, meter.share, meter.stale_share, meter.is_met) == (0, None, None, False)


def test_asks_no_more_for_more_customers(cast, scope, django_assert_max_num_queries):
    night_of(FRIDAY)
    for name in "ABCDEF":
        score_of(cast.customer(name), 50)
    with django_assert_max_num_queries(4):
        quality(cast.eve)


def test_takes_a_solution_that_is_still_to_come_for_none(cast, firm):
    Complaint.objects.create(
        customer=firm.empty, topic="Late", opened_at=days_ago(2), solved_at=days_ago(-2), first_time=True
    )
    run_night(cast.tenant, FRIDAY)
    assert set(with_fact(Customer.objects.all(), "solutions", "missing")) == {firm.empty}
    assert set(with_fact(Customer.objects.all(), "solutions", "stale")) == {firm.old}
