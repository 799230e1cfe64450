"""The night's step of saved segments: who is in one, from when to when."""

from __future__ import annotations

import datetime as dt

import pytest

from config.night import STEPS
from customers.models import Customer, CustomerTag, Tag
from dashboards import nightly, segments
from segmentation.models import SavedSegment, SegmentMember
from tests.conftest import Cast

DAY = dt.date(2026, 11, 20)
LATER = dt.date(2026, 11, 27)

pytestmark = pytest.mark.usefixtures("scope")


@pytest.fixture
def north(cast: Cast) -> SavedSegment:
    row = SavedSegment.objects.create(name="North", filters={"country": ["Norway"]}, member=cast.ann)
    SavedSegment.objects.filter(pk=row.pk).update(created_at=cast.tenant.start_of(DAY))
    return row


def times(segment: SavedSegment) -> list[tuple[str, dt.date, dt.date | None]]:
    rows = SegmentMember.objects.filter(segment=segment).order_by("customer__name", "pk")
    return [(row.customer.name, row.joined_on, row.left_on) for row in rows.select_related("customer")]


def move(customer: Customer, country: str) -> None:
    Customer.objects.filter(pk=customer.pk).update(country=country)


def test_comes_last_in_the_night() -> None:
    assert list(STEPS)[-2:] == ["saved-segments", "notes"]


def test_notes_who_matches_of_the_whole_firm_but_closed_customers(cast: Cast, north: SavedSegment) -> None:
    cast.customer("Ann's", country="Norway")
    cast.customer("Nobody's", country="Norway", owner_a=None, owner_b=None)
    cast.customer("Closed", country="Norway", closed_on=DAY)
    cast.customer("Elsewhere", country="Spain")
    assert nightly.run(DAY) == {"segments": 1, "joined": 2, "left": 0, "problems": 0}
    assert times(north) == [("Ann's", DAY, None), ("Nobody's", DAY, None)]
    north.refresh_from_db()
    assert north.evaluated_at is not None


def test_changes_nothing_when_the_day_is_run_again(cast: Cast, north: SavedSegment) -> None:
    cast.customer("Ann's", country="Norway")
    nightly.run(DAY)
    before = list(SegmentMember.objects.values_list())
    assert nightly.run(DAY) == {"segments": 1, "joined": 0, "left": 0, "problems": 0}
    assert list(SegmentMember.objects.values_list()) == before


def test_notes_who_left_and_who_came_back_later(cast: Cast, north: SavedSegment) -> None:
    customer = cast.customer("Ann's", country="Norway")
    nightly.run(DAY)
    move(customer, "Spain")
    assert nightly.run(LATER)["left"] == 1
    assert times(north) == [("Ann's", DAY, LATER)]
    move(customer, "Norway")
    back = LATER + dt.timedelta(days=1)
    assert nightly.run(back)["joined"] == 1
    assert times(north) == [("Ann's", DAY, LATER), ("Ann's", back, None)]


def test_takes_back_a_leave_of_the_same_day(cast: Cast, north: SavedSegment) -> None:
    customer = cast.customer("Ann's", country="Norway")
    nightly.run(DAY)
    move(customer, "Spain")
    nightly.run(LATER)
    move(customer, "Norway")
    nightly.run(LATER)
    assert times(north) == [("Ann's", DAY, None)]


def test_forgets_who_joined_and_left_on_one_day(cast: Cast, north: SavedSegment) -> None:
    customer = cast.customer("Ann's", country="Norway")
    nightly.run(DAY)
    move(customer, "Spain")
    nightly.run(DAY)
    assert times(north) == []


def test_keeps_why_filters_no_longer_work_and_goes_on_with_the_others(cast: Cast, north: SavedSegment) -> None:
    tag = Tag.objects.create(name="tiles")
    customer = cast.customer("Ann's", country="Norway")
    CustomerTag.objects.create(customer=customer, tag=tag)
    tiles = SavedSegment.objects.create(name="A", filters={"tag": [str(tag.pk)]}, member=cast.ann)
    gone = SavedSegment.objects.create(name="B", filters={"colour": ["red"]}, member=cast.ann)
    nested = SavedSegment.objects.create(name="C", filters={"saved": [str(north.pk)]}, member=cast.ann)
    assert nightly.run(DAY)["problems"] == 2
    CustomerTag.objects.all().delete()
    tag.delete()
    assert nightly.run(LATER) == {"segments": 4, "joined": 0, "left": 0, "problems": 3}
    for each in (tiles, gone, nested):
        each.refresh_from_db()
    assert tiles.problem.startswith("Tag: ")
    assert "colour" in gone.problem
    assert "saved" in nested.problem
    assert times(tiles) == [("Ann's", DAY, None)], "who was in it stays"
    assert times(north) == [("Ann's", DAY, None)]


def test_forgets_the_problem_once_the_filters_work(cast: Cast, north: SavedSegment) -> None:
    SavedSegment.objects.filter(pk=north.pk).update(problem="Country: gone.")
    cast.customer("Ann's", country="Norway")
    nightly.run(DAY)
    north.refresh_from_db()
    assert north.problem == ""


def test_reads_the_stage_as_of_the_night_at_work(cast: Cast, ordered, night) -> None:
    ordered(30, 200, name="Old")
    night()
    lapsed = SavedSegment.objects.create(name="Lapsed", filters={"stage": ["lapsed"]}, member=cast.ann)
    nightly.run(DAY)
    assert times(lapsed) == []
    nightly.run(DAY + dt.timedelta(days=300))
    assert [name for name, _joined, _left in times(lapsed)] == ["Old"]


def test_counts_for_a_member_only_customers_they_see(cast: Cast, north: SavedSegment) -> None:
    cast.customer("Ann's", country="Norway")
    gone = cast.customer("Ann's second", country="Norway")
    cast.customer("Nobody's", country="Norway", owner_a=None, owner_b=None)
    nightly.run(DAY)
    move(gone, "Spain")
    move(cast.customer("Ann's third"), "Norway")
    nightly.run(LATER)
    by_ann = segments.numbers_of([north], cast.ann, LATER)[north.pk]
    by_eve = segments.numbers_of([north], cast.eve, LATER)[north.pk]
    assert (by_ann.members, by_eve.members) == (2, 3)
    # Who was in it when it was made has not joined it.
    assert (by_ann.joined_week, by_ann.left_week, by_ann.left_month) == (1, 1, 1)
    month_after = segments.numbers_of([north], cast.ann, LATER + dt.timedelta(days=20))[north.pk]
    assert (month_after.joined_week, month_after.joined_month) == (0, 1)
    assert (month_after.left_week, month_after.left_month) == (0, 1)
