"""It: counts which planned touches were made in time, from the contacts themselves; and plans the coming year."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from customers.models import Interaction
from followups.cover import coverage
from followups.cover.coverage import Line, planned_touches
from followups.models import FollowUp
from segmentation.models import Standing, TierChange
from tests.followups.conftest import TODAY

DAY = dt.timedelta(days=1)

pytestmark = pytest.mark.usefixtures("scope")


@pytest.fixture
def planned(raised, cast):
    """A touch planned for a day; `touched` days after the one it counts from are logged contacts of its kind."""

    def make(due, *touched, last=None, tier="gold", kind="light_touch", owner=None, **fields):
        owners = {"owner_a": owner, "owner_b": cast.ann} if owner else {}
        customer = cast.customer(f"Due {due} {touched}", **owners)
        Standing.objects.create(customer=customer, frequency=1, monetary=1, policy_version=1, tier=tier)
        period = "start" if last is None else last.isoformat()
        for day in touched:
            at = cast.tenant.start_of(day) + dt.timedelta(hours=15)
            Interaction.objects.create(customer=customer, channel="phone", kind=kind, at=at)
        return raised(customer, due_on=due, period=period, rule=f"cadence:{kind}", kind=kind, **fields)

    return make


def state(row, member):
    return planned_touches(member).filter(pk=row.pk).values_list("state", "touched_on").first()


def test_knows_what_was_made_in_time_late_not_at_all_and_what_is_still_ahead(planned, cast):
    due = TODAY - 3 * DAY
    assert state(planned(due, due), cast.ann) == ("in_time", due)
    assert state(planned(due, due - 5 * DAY, due + DAY), cast.ann) == ("in_time", due - 5 * DAY)
    assert state(planned(due, due + DAY), cast.ann) == ("late", due + DAY)
    assert state(planned(due), cast.ann) == ("missed", None)
    assert state(planned(TODAY), cast.ann) == ("ahead", None)
    assert state(planned(TODAY + DAY, TODAY), cast.ann) == ("in_time", TODAY)


def test_counts_only_contacts_of_the_kind_after_the_one_it_counts_from(planned, cast):
    due, last = TODAY - 3 * DAY, TODAY - 13 * DAY
    assert state(planned(due, last, last=last), cast.ann) == ("missed", None)
    assert state(planned(due, last, last + DAY, last=last), cast.ann) == ("in_time", last + DAY)
    row = planned(due)
    Interaction.objects.create(customer=row.customer, channel="phone", kind="review", at=timezone.now())
    assert state(row, cast.ann) == ("missed", None)


def test_leaves_out_closed_customers_and_what_was_withdrawn_without_a_contact(planned, cast):
    due = TODAY - 3 * DAY
    assert state(planned(due, status="cancelled"), cast.ann) is None
    assert state(planned(due, due, status="cancelled"), cast.ann) == ("in_time", due)
    row = planned(due)
    row.customer.closed_on = TODAY
    row.customer.save()
    assert state(row, cast.ann) is None
    other = planned(due)
    FollowUp.objects.filter(pk=other.pk).update(rule="signal:order_silence")
    assert state(other, cast.ann) is None


def test_adds_up_by_tier_and_person_within_the_days(planned, cast):
    due = TODAY - 3 * DAY
    planned(due, due)
    planned(due, assignee=cast.bo)  # Bo covers; the customer is Ann's all the same
    planned(due, due + DAY, tier="silver", owner=cast.bo)
    planned(TODAY - 40 * DAY)
    planned(TODAY, tier="silver", owner=cast.bo)
    lines = {(line.tier, line.person): line for line in coverage.coverage(cast.ann, TODAY - 29 * DAY, TODAY)}
    assert lines[("gold", cast.ann.pk)] == Line("gold", cast.ann.pk, 1, 0, 1, 0)
    assert lines[("silver", cast.bo.pk)] == Line("silver", cast.bo.pk, 0, 1, 0, 1)
    assert lines[("gold", cast.ann.pk)].share == 0.5
    assert len(lines) == 2


def test_sees_only_the_customers_that_the_member_sees(planned, cast):
    row = planned(TODAY - DAY)
    row.customer.owner_a, row.customer.owner_b = cast.ada, None
    row.customer.save()
    assert coverage.coverage(cast.ann, TODAY - 29 * DAY, TODAY) == []
    assert len(coverage.coverage(cast.eve, TODAY - 29 * DAY, TODAY)) == 1


# ── the coming year ─────────────────────────────────────────────────────────


@pytest.fixture
def gold(cast):
    """Customers under the cadence of gold, three light touches a month, touched so many days ago."""

    def make(*ago, **fields):
        found = []
        for days in ago:
            customer = cast.customer(f"Gold {days}", **fields)
            Standing.objects.create(customer=customer, frequency=1, monetary=1, policy_version=1, tier="gold")
            TierChange.objects.create(customer=customer, on=TODAY - 200 * DAY, after="gold", policy_version=1)
            if days is not None:
                at = cast.tenant.start_of(TODAY - days * DAY) + dt.timedelta(hours=9)
                Interaction.objects.create(customer=customer, channel="phone", kind="light_touch", at=at)
            found.append(customer)
        return found

    return make


def test_plans_a_year_of_touches_on_working_days(gold, cast):
    (customer,) = gold(3)
    plan = coverage.plan_year(cast.ann)
    assert plan.customers == 1
    assert 32 <= len(plan.touches) <= 38
    first = plan.touches[0]
    assert (first.customer_id, first.kind, first.person) == (customer.pk, "light_touch", cast.ann.pk)
    assert (first.wanted_on, first.due_on) == (TODAY + 7 * DAY, TODAY + 7 * DAY)
    assert {each.due_on for each in plan.touches} <= set(plan.working_days)
    assert dt.date(2026, 12, 25) not in plan.working_days


def test_plans_for_one_person_and_refuses_too_many_at_once(gold, cast, monkeypatch):
    gold(3, 4)
    gold(5, owner_a=cast.bo, owner_b=cast.ann)
    assert coverage.plan_year(cast.ann).customers == 3
    assert coverage.plan_year(cast.ann, person=cast.bo).customers == 1
    monkeypatch.setattr(coverage, "MOST_CUSTOMERS", 2)
    with pytest.raises(coverage.TooManyError):
        coverage.plan_year(cast.ann)


def test_plans_nothing_where_no_tier_has_a_cadence(cast):
    cast.customer()
    plan = coverage.plan_year(cast.ann)
    assert (plan.customers, plan.touches) == (1, [])
