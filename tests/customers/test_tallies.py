"""It: counts for everybody who looks just the customers whom they see."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from customers.models import Customer
from customers.tallies import OWNERS, by_audience, cells_of, keep_tallies, tallied, write_tallies
from segmentation.models import SegmentationTally
from tenants.models import Member, Run, Team, User

DAY = dt.date(2026, 11, 20)


@pytest.fixture
def people(cast, scope):
    """The cast, a member of another team, and a lead without one."""
    north = Team.objects.create(name="North")

    def member(name, role, team):
        user = User.objects.create(email=f"{name}@acme.example", name=name, password="!")
        return Member.objects.create(user=user, role=role, team=team)

    return {
        "ann": cast.ann, "bo": cast.bo, "lea": cast.lea, "eve": cast.eve, "ada": cast.ada, "ian": cast.ian,
        "nan": member("nan", "account_manager", north), "ned": member("ned", "team_lead", north),
        "lone": member("lone", "team_lead", None),
    }  # fmt: skip


@pytest.fixture
def customers(cast, people):
    """One customer for each pair of owners that there can be, nobody's too; a lead owns some."""
    owners = [None, cast.ann, cast.bo, cast.lea, people["nan"], people["lone"]]
    pairs = [(a, b) for a in owners for b in owners if a is None or a != b]
    return [cast.customer(f"C{n}", owner_a=a, owner_b=b) for n, (a, b) in enumerate(pairs)]


def pairs(rows):
    return pl.DataFrame(
        [(row.owner_a_id, row.owner_b_id, row.pk % 3, 1) for row in rows],
        schema=OWNERS | {"kind": pl.Int64, "customers": pl.Int64},
        orient="row",
    )


def written(rows, on=DAY):
    counted = by_audience(pairs(rows), ["kind"], [pl.col("customers").sum()])
    return write_tallies(SegmentationTally, on, {"kinds": cells_of(counted)})


@pytest.mark.parametrize("who", ["ann", "bo", "nan", "lea", "ned", "eve", "ada", "ian"])
def test_counts_just_whom_each_member_sees(people, customers, who):
    written(customers)
    seen = [row.pk % 3 for row in Customer.objects.visible_to(people[who])]
    assert seen
    cells = tallied(SegmentationTally, people[who], "kinds", DAY)
    assert {cell["kind"]: cell["customers"] for cell in cells} == {kind: seen.count(kind) for kind in set(seen)}


def test_knows_nothing_of_who_sees_what_no_audience_has(people, customers):
    written(customers)
    assert tallied(SegmentationTally, people["lone"], "kinds", DAY) is None


def test_knows_nothing_of_who_is_new_nor_of_another_day_or_figure(cast, people, customers):
    written(customers)
    user = User.objects.create(email="new@acme.example", name="New", password="!")
    new = Member.objects.create(user=user, role="account_manager")
    assert tallied(SegmentationTally, new, "kinds", DAY) is None
    assert tallied(SegmentationTally, cast.eve, "kinds", DAY)
    assert tallied(SegmentationTally, cast.eve, "kinds", DAY - dt.timedelta(days=1)) is None
    assert tallied(SegmentationTally, cast.eve, "others", DAY) is None


def test_takes_the_figures_of_the_last_night_where_no_day_is_said(cast, people, customers):
    written(customers)
    assert tallied(SegmentationTally, cast.eve, "kinds") is None  # there has been no night
    ended = dt.datetime.combine(DAY, dt.time(2), tzinfo=dt.UTC)
    Run.objects.create(job="nightly", for_date=DAY, status=Run.Status.DONE, finished_at=ended)
    assert tallied(SegmentationTally, cast.eve, "kinds")
    later = {"for_date": DAY + dt.timedelta(days=1), "finished_at": ended + dt.timedelta(days=1)}
    Run.objects.create(job="nightly", status=Run.Status.DONE, **later)
    assert tallied(SegmentationTally, cast.eve, "kinds") is None  # the next one's are not counted yet


def test_forgets_what_was_counted_before_and_can_keep_it(cast, people, customers):
    written(customers)
    written(customers[:1], DAY + dt.timedelta(days=1))
    assert [
        cell["customers"] for cell in tallied(SegmentationTally, cast.eve, "kinds", DAY + dt.timedelta(days=1))
    ] == [1]
    assert keep_tallies(SegmentationTally, DAY + dt.timedelta(days=2), ["kinds"]) == SegmentationTally.objects.count()
    assert tallied(SegmentationTally, cast.eve, "kinds", DAY + dt.timedelta(days=2))


def test_answers_in_one_query(cast, people, customers, django_assert_num_queries):
    written(customers)
    with django_assert_num_queries(1):
        tallied(SegmentationTally, cast.lea, "kinds")
