"""It: keeps whose customer a follow-up is about, and finds the best of everybody's work without looking at all of it."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from django.db.models import Q

from customers.models import Customer
from customers.querysets import visible_apart
from followups import querysets
from followups.models import FollowUp
from followups.querysets import best_of_all, count_queue, counted, due_filter
from tests.followups.conftest import NOON, TODAY

DAY = dt.timedelta(days=1)


def owners(row):
    return FollowUp.objects.filter(pk=row.pk).values_list("owner_a", "owner_b").get()


def test_takes_the_owners_of_its_customer(raised, scope, cast):
    assert owners(raised()) == (cast.ann.pk, cast.bo.pk)
    assert owners(raised(cast.customer(owner_a=None, owner_b=None))) == (None, None)


def test_takes_them_when_it_is_raised_in_bulk(scope, cast):
    customer = cast.customer(owner_b=None)
    rows = [FollowUp(customer=customer, kind="review", rule="manual", period=str(n), due_on=TODAY) for n in range(3)]
    FollowUp.objects.bulk_create(rows)
    assert set(FollowUp.objects.values_list("owner_a", "owner_b")) == {(cast.ann.pk, None)}


@pytest.mark.parametrize(
    "write",
    [
        lambda customer, member: Customer.objects.filter(pk=customer.pk).update(owner_a=member, owner_b=None),
        lambda customer, member: Customer.objects.bulk_update([changed(customer, member)], ["owner_a", "owner_b"]),
        lambda customer, member: changed(customer, member).save(),
    ],
    ids=["update", "bulk_update", "save"],
)
def test_goes_along_when_the_customer_changes_hands(raised, scope, cast, write):
    row, other = raised(), raised()
    write(row.customer, cast.bo)
    assert owners(row) == (cast.bo.pk, None)
    assert owners(other) == (cast.ann.pk, cast.bo.pk)
    assert row.pk not in set(FollowUp.objects.visible_to(cast.ann).values_list("pk", flat=True))


def changed(customer, member):
    customer.owner_a, customer.owner_b = member, None
    return customer


@pytest.mark.parametrize("who", ["ann", "bo", "lea", "eve"])
def test_is_as_visible_as_its_customer(raised, scope, cast, who):
    member = getattr(cast, who)
    for a, b in ((cast.ann, cast.bo), (cast.bo, None), (None, None), (cast.ada, cast.ann), (cast.ada, None)):
        raised(cast.customer(f"{a} {b}", owner_a=a, owner_b=b))
    visible = Customer.objects.visible_to(member).values("pk")
    assert set(FollowUp.objects.visible_to(member)) == set(FollowUp.objects.filter(customer__in=visible))
    parts = [pk for part in visible_apart(member) for pk in FollowUp.objects.filter(part).values_list("pk", flat=True)]
    assert sorted(parts) == sorted(FollowUp.objects.visible_to(member).values_list("pk", flat=True))


# ── the best of everybody's ─────────────────────────────────────────────────


@pytest.fixture
def many(raised, scope, cast):
    """Follow-ups of all days, hours, priorities and states, many of them equal."""
    chance = random.Random(5)  # noqa: S311  # nothing secret
    customer = cast.customer()
    for _n in range(120):
        raised(
            customer,
            due_on=TODAY + chance.randint(-12, 6) * DAY,
            due_at=chance.choice([None, NOON, NOON + dt.timedelta(hours=3)]),
            priority=chance.choice([1_000, 1_050, 30_000, 90_000, 900_000]),
            snoozed_until=chance.choice([None, None, TODAY - DAY, TODAY, TODAY + DAY]),
            status=chance.choice(["open", "open", "open", "done"]),
        )


@pytest.mark.parametrize("due", ["", "today", "late"])
@pytest.mark.parametrize("most", [1, 7, 200])
def test_ranks_everybodys_work_as_one_persons(many, cast, due, most):
    all_of_it = FollowUp.objects.queue(cast.eve, "all", TODAY).filter(due_filter(due, TODAY))
    ranked = list(all_of_it.values_list("pk", flat=True))
    assert len(ranked) > 7
    assert best_of_all(TODAY, due, most) == ranked[:most]
    assert best_of_all(TODAY, due, most, without=ranked[:5]) == ranked[5 : 5 + most]


def test_has_nothing_to_rank_where_nothing_waits(raised, scope):
    raised(due_on=TODAY + 30 * DAY)
    assert best_of_all(TODAY, "", 50) == []


@pytest.mark.parametrize("view", ["mine", "covering", "all"])
def test_counts_everybodys_work_as_one_persons(many, raised, cast, view):
    raised(cast.customer(owner_b=cast.eve), assignee=cast.ann, due_on=TODAY - 3 * DAY)
    raised(assignee=cast.eve, due_on=TODAY - 2 * DAY), raised(assignee=cast.eve)
    asked = {"since": NOON - dt.timedelta(hours=1), "only": due_filter("late", TODAY)}
    everybodys = count_queue(FollowUp.objects.all(), cast.eve, view, TODAY, **asked)
    assert everybodys.oldest_days > 0
    cast.eve.role = "team_lead"  # sees them all as well: of the team
    FollowUp.objects.update(owner_a=cast.ann)
    assert count_queue(FollowUp.objects.all(), cast.eve, view, TODAY, **asked) == everybodys
    cast.eve.role = "account_manager"  # and so again: their own
    FollowUp.objects.update(owner_a=cast.eve)
    assert count_queue(FollowUp.objects.all(), cast.eve, view, TODAY, **asked) == everybodys


@pytest.mark.parametrize("turn", range(3))
def test_counts_for_a_lead_what_they_see_for_whatever_reason(many, cast, turn):
    everybodys = count_queue(FollowUp.objects.all(), cast.eve, "all", TODAY)
    assert everybodys.found == everybodys.all > everybodys.overdue > 0 < everybodys.due_today
    cast.eve.role = "team_lead"
    owners = [(cast.ann, None), (None, cast.ann), (None, None)]  # the team's, covered by it, nobody's
    for number, row in enumerate(FollowUp.objects.order_by("day", "pk"), start=turn):
        row.owner_a, row.owner_b = owners[number % 3]
        row.save()
    assert count_queue(FollowUp.objects.all(), cast.eve, "all", TODAY) == everybodys


def test_says_when_there_are_more_than_anybody_counts(many, cast, monkeypatch):
    monkeypatch.setattr(querysets, "MOST_COUNTED", 20)
    counts = count_queue(FollowUp.objects.all(), cast.eve, "all", TODAY)
    assert (counts.all, counts.words["all"]) == (21, "20+")
    assert counts.words["mine"] == "0"
    assert count_queue(FollowUp.objects.all(), cast.eve, "all", TODAY, only=Q(priority__lt=0)).found == 0


def test_writes_large_numbers_as_people_read_them():
    assert (counted(9), counted(10_000), counted(10_001)) == ("9", "10,000", "10,000+")
