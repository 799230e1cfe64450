"""It: counts how customers are doing, for whom each member sees, and finds the rows behind every number."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import Customer
from health import figures, pulses
from health.models import HealthScore
from tenants.models import Member, Team, User
from tests.health.scored import counted, history_of, score_of

FRIDAY = dt.date(2026, 11, 20)
WEEK_AGO, MONTH_AGO = dt.date(2026, 11, 9), dt.date(2026, 10, 19)


@pytest.fixture(autouse=True)
def _november(time_machine):
    time_machine.move_to(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC), tick=False)


@pytest.fixture
def people(cast, scope):
    """Ann's three customers, one of Bo's that nobody covers, and one of nobody."""
    return SimpleNamespace(
        fell=score(cast, "Fell", 35, week=52, month=80, net=400),
        rose=score(cast, "Rose", 90, week=80, month=95, net=100),
        unknown=score(cast, "Unknown", None, net=50),
        bos=score(cast, "Bo's", 60, week=60, net=1000, owner_a=cast.bo, owner_b=None),
        nobodys=score(cast, "Nobody's", 75, week=81, net=0, owner_a=None, owner_b=None),
    )


def score(cast, name, now, *, week=None, month=None, net=0, **owners):
    customer = cast.customer(name, **owners)
    score_of(customer, now, net=net, week_score=week, month_score=month)
    return customer


def names(rows):
    return {row.name for row in rows}


# ── now ──────────────────────────────────────────────────────────────────────


def test_shares_customers_and_money_by_colour(cast, people):
    shares = {each.band: each for each in figures.distribution(cast.eve)}
    assert list(shares) == ["green", "yellow", "red", "none"]
    assert [each.customers for each in shares.values()] == [2, 1, 1, 1]
    assert [each.money for each in shares.values()] == [100, 1000, 400, 50]
    assert shares["yellow"].customer_share == pytest.approx(0.2)
    assert shares["yellow"].money_share == pytest.approx(1000 / 1550)


def test_shares_nothing_before_the_first_night(cast, scope):
    cast.customer()
    assert {(each.customers, each.customer_share, each.money_share) for each in figures.distribution(cast.eve)} == {
        (0, None, None)
    }


@pytest.mark.parametrize(("who", "seen"), [("ann", 3), ("bo", 4), ("lea", 5), ("eve", 5), ("otto", 0)])
def test_counts_whom_the_member_sees(cast, people, who, seen):
    member = getattr(cast, who)
    assert sum(each.customers for each in figures.distribution(member)) == seen
    assert sum(each.total for each in figures.owners(member).shown) == seen
    moved = figures.movers(member, FRIDAY, "week", limit=None)
    visible = set(Customer.objects.visible_to(member))
    assert {each.customer for each in (*moved.up, *moved.down)} == visible & {people.fell, people.rose, people.nobodys}
    for customer in vars(people).values():
        history_of(customer, (WEEK_AGO, 50))
    assert sum(count for count, _money in figures.transitions(member, MONTH_AGO, FRIDAY).values()) == seen


def test_puts_the_owner_with_most_money_in_red_first_and_nobody_last(cast, people):
    first, second, last = figures.owners(cast.eve).shown
    assert (first.owner, first.customers, first.fallen) == (cast.ann, {"red": 1, "green": 1, "none": 1}, 1)
    assert (first.money, first.red_money) == (Decimal(550), Decimal(400))
    assert (second.owner, second.red_money) == (cast.bo, 0)
    assert (last.owner, last.total, last.fallen) == (None, 1, 1)


def test_gives_as_many_owners_as_asked_for_and_counts_all(cast, people):
    everybody = figures.owners(cast.eve)
    for limit in (1, 2, 3, 4):
        some = figures.owners(cast.eve, limit)
        assert (some.shown, some.count) == (everybody.shown[:limit], 3)


def test_reads_only_the_people_whom_it_shows(cast, people):
    with CaptureQueriesContext(connection) as asked:
        figures.owners(cast.eve, 1)
    (people_read,) = (each["sql"] for each in asked if 'FROM "tenants_member" INNER JOIN "tenants_user"' in each["sql"])
    assert f"IN ({cast.ann.pk})" in people_read


def test_lets_names_decide_between_owners_who_stand_level(cast, scope):
    by_name = sorted((cast.ann, cast.bo), key=str)
    for owner in reversed(by_name):
        score(cast, f"Customer of {owner}", 60, net=100, owner_a=owner, owner_b=None)
    assert [each.owner for each in figures.owners(cast.eve, 1).shown] == by_name[:1]
    assert [each.owner for each in figures.owners(cast.eve).shown] == by_name


def test_counts_who_was_scored_between_two_nights(cast, people):
    assert figures.rescored(cast.eve) == 0
    HealthScore.objects.filter(customer=people.bos).update(rescored_at=dt.datetime.now(tz=dt.UTC))
    assert (figures.rescored(cast.eve), figures.rescored(cast.ann)) == (1, 0)


# ── movers ───────────────────────────────────────────────────────────────────


def test_ranks_who_moved_by_points_then_money(cast, people):
    score(cast, "Fell as much, poorer", 30, week=47, net=10)
    moved = figures.movers(cast.eve, FRIDAY, "week")
    assert [(each.customer.name, each.change) for each in moved.down] == [
        ("Fell", -17), ("Fell as much, poorer", -17), ("Nobody's", -6),
    ]  # fmt: skip
    assert [(each.customer.name, each.change, each.is_drop) for each in moved.up] == [("Rose", 10, False)]
    assert (moved.start, moved.risen, moved.fallen, moved.dropped) == (WEEK_AGO, 1, 3, 3)


def test_compares_with_a_month_ago_when_asked(cast, people):
    moved = figures.movers(cast.eve, FRIDAY, "month", limit=1)
    assert [(each.customer.name, each.change) for each in moved.down] == [("Fell", -45)]
    assert (moved.start, moved.risen, moved.fallen) == (MONTH_AGO, 0, 2)


# ── over time ────────────────────────────────────────────────────────────────


def test_takes_the_last_night_of_each_week(cast, scope):
    for days, reds in ((0, 5), (1, 9), (6, 9), (7, 4), (13, 9), (20, 3), (12 * 7, 9)):
        counted(FRIDAY - dt.timedelta(days=days), cast.ann, "red", reds, net=10 * reds)
    weeks = figures.trend(cast.eve, FRIDAY)
    assert [(FRIDAY - week.on).days for week in weeks] == [20, 7, 0]
    assert [(week.customers["red"], week.money["red"]) for week in weeks] == [(3, 30), (4, 40), (5, 50)]


def test_adds_up_the_owners_whom_a_member_leads(cast, scope):
    user = User.objects.create(email="nan@acme.example", name="Nan", password="!")
    far = Member.objects.create(user=user, role="account_manager", team=Team.objects.create(name="North"))
    for owner, customers in ((cast.ann, 1), (cast.bo, 2), (None, 4), (far, 8)):
        counted(FRIDAY, owner, "green", customers)

    def seen(member):
        return sum(week.customers["green"] for week in figures.trend(member, FRIDAY))

    assert (seen(cast.ann), seen(cast.lea), seen(cast.eve)) == (1, 7, 15)
    assert (figures.sees_by_owner(cast.lea), figures.sees_by_owner(cast.eve)) == (True, False)


def test_moves_customers_from_colour_to_colour_with_their_money(cast, people):
    monday = dt.date(2026, 11, 2)
    history_of(people.fell, (monday, 80), (dt.date(2026, 11, 12), 35))
    history_of(people.rose, (monday, 60), (monday + dt.timedelta(days=1), 90))
    history_of(people.bos, (dt.date(2026, 11, 10), 60))
    assert figures.transitions(cast.eve, monday, FRIDAY) == {
        ("green", "red"): (1, Decimal(400)),
        ("yellow", "green"): (1, Decimal(100)),
        ("", "yellow"): (1, Decimal(1000)),
    }
    people.fell.closed_on = dt.date(2026, 11, 15)
    people.fell.save()
    assert ("green", "") in figures.transitions(cast.eve, monday, FRIDAY)
    with pytest.raises(ValueError, match="lies before"):
        figures.transitions(cast.eve, FRIDAY, monday)


def test_finds_the_customers_of_each_move(cast, people):
    monday = dt.date(2026, 11, 2)
    history_of(people.fell, (monday, 80), (dt.date(2026, 11, 12), 35))
    history_of(people.rose, (monday, 90))
    every = Customer.objects.all()
    for (before, after), (count, _money) in figures.transitions(cast.eve, monday, FRIDAY).items():
        assert figures.had_band(figures.had_band(every, monday, before), FRIDAY, after).count() == count
    assert names(figures.recoloured_between(every, monday, FRIDAY)) == {"Fell"}
    assert names(figures.had_band(every, FRIDAY, figures.NOT_SCORED)) == {"Unknown", "Bo's", "Nobody's"}


# ── machine and person ───────────────────────────────────────────────────────


def say(customer, member, band, **more):
    return pulses.give_pulse(customer=customer, member=member, band=band, **({"reason": "price"} | more))[0]


def test_lists_who_is_seen_otherwise_than_the_score(cast, people):
    say(people.fell, cast.ann, "green")
    say(people.rose, cast.ann, "yellow")
    say(people.bos, cast.bo, "yellow")  # as the score
    say(people.unknown, cast.ann, "red")  # no score to differ from
    found = {row.customer.name: row for row in figures.disagreements(cast.eve)}
    assert {name: (row.machine, row.score, row.gap, row.net) for name, row in found.items()} == {
        "Fell": ("red", 35, 2, Decimal(400)),
        "Rose": ("green", 90, -1, Decimal(100)),
    }
    every = Customer.objects.all()
    assert names(figures.disagreeing(every, "any")) == {"Fell", "Rose"}
    assert names(figures.disagreeing(every, "worse")) == {"Rose"}
    assert names(figures.disagreeing(every, "better")) == {"Fell"}
    assert names(figures.viewed_as(every, "red")) == {"Unknown"}


def test_lists_a_disagreement_for_who_sees_the_customer(cast, people):
    say(people.bos, cast.bo, "red")
    assert [figures.disagreements(member).count() for member in (cast.ann, cast.bo, cast.lea, cast.otto)] == [
        0,
        1,
        1,
        0,
    ]


def test_goes_by_the_view_that_counts_alone(cast, people, time_machine):
    say(people.fell, cast.bo, "green")
    assert figures.disagreements(cast.eve).count() == 1
    latest = say(people.fell, cast.ann, "red")
    assert figures.disagreements(cast.eve).count() == 0
    assert not figures.disagreeing(Customer.objects.all(), "any").exists()
    pulses.withdraw(pulse=latest, member=cast.ann)
    assert figures.disagreements(cast.eve).count() == 1
    time_machine.move_to(dt.datetime(2027, 2, 18, 12, tzinfo=dt.UTC))
    assert figures.disagreements(cast.eve).count() == 1
    time_machine.move_to(dt.datetime(2027, 2, 19, 12, tzinfo=dt.UTC))
    assert figures.disagreements(cast.eve).count() == 0
