"""It: in the night, lands the cadence's touches on working days with room, and asks for each once."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import pytest

from customers.models import Interaction
from followups import nightly
from followups.models import FollowUp
from segmentation.models import Standing, TierChange
from tenants.policies import active_policy, complete_document, save_policy
from tenants.rules.documents import put
from tests.followups.conftest import TODAY

DAY = dt.timedelta(days=1)
FRIDAY = TODAY

pytestmark = pytest.mark.usefixtures("scope")


@pytest.fixture
def gold(cast):
    """A customer under the cadence of gold (a light touch every ten days) for so long, touched so many days ago."""

    def make(ago: int | None, under: int = 300, **fields):
        customer = cast.customer(f"Touched {ago} days ago", **fields)
        Standing.objects.create(customer=customer, frequency=1, monetary=1, policy_version=1, tier="gold")
        TierChange.objects.create(customer=customer, on=FRIDAY - under * DAY, after="gold", policy_version=1)
        if ago is not None:
            at = cast.tenant.start_of(FRIDAY - ago * DAY) + dt.timedelta(hours=9)
            Interaction.objects.create(customer=customer, channel="phone", kind="light_touch", at=at)
        return customer

    return make


def due_days():
    return list(FollowUp.objects.order_by("due_on").values_list("due_on", flat=True))


@pytest.mark.parametrize(
    ("ago", "as_of", "due"),
    [
        (10, FRIDAY, FRIDAY),
        (9, FRIDAY, FRIDAY),  # wanted on Saturday: Friday is nearer
        (8, FRIDAY, FRIDAY + 3 * DAY),  # on Sunday: Monday is
        (7, FRIDAY, None),
        (7, FRIDAY + 3 * DAY, FRIDAY + 3 * DAY),
        (9, FRIDAY + 3 * DAY, FRIDAY + 3 * DAY),  # the nights of the weekend were missed
        (13, FRIDAY, FRIDAY - 3 * DAY),  # late stays late
    ],
)
def test_raises_what_falls_on_a_weekend_before_it(gold, ago, as_of, due):
    gold(ago)
    nightly.run(as_of)
    assert due_days() == ([due] if due else [])


def test_raises_nothing_twice_and_gives_the_same_days_again(gold):
    for ago in (7, 8, 9, 10, 10, 13):
        gold(ago)
    assert nightly.run(FRIDAY)["raised"] == 5
    first = due_days()
    assert nightly.run(FRIDAY)["raised"] == 0
    assert nightly.run(FRIDAY + DAY)["raised"] == 0
    assert due_days() == first
    FollowUp.objects.all().delete()
    nightly.run(FRIDAY)
    assert due_days() == first


def test_lays_no_more_on_a_day_than_there_is_room_for(gold, cast):
    cast.ann.weekly_capacity = 10
    cast.ann.save()
    for _n in range(5):
        gold(10)
    nightly.run(FRIDAY)
    # Two a day; ten days of interval leave one day of slack, and what is over goes to the emptier of the two.
    assert Counter(due_days()) == {FRIDAY: 3, FRIDAY + 3 * DAY: 2}


def test_counts_what_people_have_to_do_already(gold, cast, raised):
    cast.ann.weekly_capacity = 5
    cast.ann.save()
    raised(due_on=FRIDAY, rule="manual")
    customer = gold(10)
    other = gold(10, owner_a=cast.bo, owner_b=None)
    nightly.run(FRIDAY)
    assert FollowUp.objects.get(customer=customer).due_on == FRIDAY + 3 * DAY
    assert FollowUp.objects.get(customer=other).due_on == FRIDAY


def test_spreads_a_crowd_that_comes_under_the_cadence_late(gold, cast):
    cast.ann.weekly_capacity = 10
    cast.ann.save()
    for _n in range(12):
        gold(100, under=0)
    nightly.run(FRIDAY)
    assert max(Counter(due_days()).values()) == 2
    assert max(due_days()) <= FRIDAY + 9 * DAY
    assert {day.isoweekday() for day in due_days()} <= {1, 2, 3, 4, 5}


def test_goes_by_the_policys_own_days(gold):
    policy = active_policy()
    document = put(complete_document(policy), ("calendar", "days_off"), [FRIDAY.isoformat()])
    save_policy(document, pack=policy.pack)
    gold(10)
    nightly.run(FRIDAY)
    assert due_days() == [FRIDAY + 3 * DAY]  # Thursday is over


def test_finds_in_quiet_nights_all_that_a_night_for_everybody_finds(gold, cast):
    from tenants.parts import EVERYBODY
    from tenants.runs import Piece

    customers = [gold(ago) for ago in range(2, 14)]
    nightly.run(FRIDAY - DAY)
    known = FollowUp.objects.count()
    assert known < len(customers)
    for number in range(12):
        since, as_of = FRIDAY + (number - 1) * DAY, FRIDAY + number * DAY
        nightly.work(Piece(as_of=as_of, part=EVERYBODY, since=since, shared={}, snapshot=""))
        quiet = set(FollowUp.objects.values_list("customer", "period"))
        nightly.run(as_of)
        assert set(FollowUp.objects.values_list("customer", "period")) == quiet, as_of
    assert FollowUp.objects.count() == len(customers)
