"""What orders, upgrades and referrals earn: the rules against slow references, and their edges."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentives.rules.approval import Asked, refusal_of
from incentives.rules.rewards import (
    Document,
    Place,
    baseline_of,
    months_after,
    moved,
    result_of,
    share_of,
    staff_shares,
    steps_reached,
    upgrade_months,
)

DAY = dt.date(2026, 3, 1)
FIVE = Fraction(5)

nets = st.integers(-5_000_000, 5_000_000)
documents = st.lists(
    st.builds(
        lambda number, ahead, net: Document(number, DAY + dt.timedelta(days=ahead), net, net > 0),
        st.integers(1, 10_000), st.integers(-400, 600), nets,
    ),
    max_size=25, unique_by=lambda document: document.id,
)  # fmt: skip


def by_day(rows: list[Document], percent: Fraction = FIVE) -> dict[dt.date, Fraction]:
    return {each.on: percent for each in rows}


@given(documents)
def test_it_never_earns_less_than_nothing_and_a_full_return_leaves_nothing(rows: list[Document]) -> None:
    running = 0
    for share in staff_shares(DAY, rows, 12, 90, by_day(rows)):
        running += share.amount
        assert running >= 0
        assert DAY <= share.document.on < (dt.date(2027, 3, 1) if share.document.is_order else dt.date(2027, 5, 30))
    sold = Document(20_001, DAY, 1_234_567, True)
    back = Document(20_002, DAY, -1_234_567, False)
    assert sum(each.amount for each in staff_shares(DAY, [sold, back], 12, 90, by_day([sold]))) == 0


@given(nets, st.integers(0, 10_000))
def test_it_takes_the_same_share_of_a_sale_and_of_its_return(net: int, hundredths: int) -> None:
    percent = Fraction(hundredths, 100)
    assert share_of(net, percent) == -share_of(-net, percent)
    assert abs(share_of(net, percent) - Fraction(net) * percent / 100) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("ahead", "today", "result"),
    [
        (0, 10, "converted"), (364, 370, "converted"), (365, 370, "too_late"), (-1, 10, "not_new"),
        (None, 365, "waits"), (None, 366, "too_late"),
    ],
)  # fmt: skip
def test_it_says_what_became_of_a_referral(ahead: int | None, today: int, result: str) -> None:
    rows = [] if ahead is None else [Document(1, DAY + dt.timedelta(days=ahead), 100, True)]
    assert result_of(DAY, rows, 12, DAY + dt.timedelta(days=today))[0] == result


def test_it_counts_steps_anew_each_year() -> None:
    days = [dt.date(2025, 12, 1 + n) for n in range(3)] + [dt.date(2026, 1, 1 + n) for n in range(5)]
    steps = ((3, 2000), (5, 5000))
    reached = steps_reached(days, dict.fromkeys(days, steps))
    assert [(each.on.year, each.at, each.points) for each in reached] == [
        (2025, 3, 2000), (2026, 3, 2000), (2026, 5, 5000),
    ]  # fmt: skip


@given(documents, st.integers(0, 13))
def test_it_pays_the_added_spend_of_the_year_exactly_month_by_month(rows: list[Document], months: int) -> None:
    baseline = baseline_of(DAY, rows)
    if baseline is None:
        return
    found = upgrade_months(DAY, rows, baseline, Fraction(3), months_after(DAY, months))
    assert len(found) == min(months, 12)
    running = 0
    for each in found:
        running += each.amount
        spent = sum(row.net for row in rows if DAY <= row.on < months_after(DAY, each.number))
        added = max(0, spent - baseline.per_year * each.number / 12)
        assert abs(running - added * 3 / 100) <= 1


def test_it_wants_a_quarter_of_history_for_a_baseline_and_scales_a_short_one() -> None:
    first = Document(1, DAY - dt.timedelta(days=89), 1000, True)
    assert baseline_of(DAY, [first]) is None
    older = Document(2, DAY - dt.timedelta(days=100), 999_000, True)
    found = baseline_of(DAY, [first, older])
    assert found is not None
    assert (found.days, found.net, found.per_year) == (100, 1_000_000, Fraction(1_000_000 * 365, 100))
    assert baseline_of(DAY, []) is None


places = st.builds(Place, st.integers(0, 1000), st.integers(-1000, 1000), st.integers(-1000, 1000))


@given(places, st.integers(-3000, 3000))
def test_it_loses_nothing_when_a_total_changes(place: Place, total: int) -> None:
    to = moved(place, total)
    assert to.total == total
    assert to.paid == place.paid
    assert to.pending >= 0
    if total < place.total:
        assert to.payable <= place.payable
        assert to.payable == place.payable or to.pending == 0  # what waits goes first
    if total > place.total:
        # Nothing new is owed before somebody approves it; what was taken comes back.
        assert to.payable <= max(place.payable, 0, place.payable - place.total)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({}, None), ({"pending": 0}, "nothing"), ({"for_member": 7}, "own"), ({"noted_by": 7}, "own_word"),
        ({"corrected_by": frozenset({7})}, "own_correction"), ({"is_disputed": True}, "disputed"),
        ({"pending": 501}, "over_limit"), ({"pending": 501, "is_points": True}, None),
    ],
)  # fmt: skip
def test_it_lets_four_eyes_approve(asked: dict[str, object], why: str | None) -> None:
    from decimal import Decimal

    said = {"pending": 500, "is_points": False, "is_disputed": False, "for_member": 1, "noted_by": 2} | asked
    row = Asked(**{**said, "pending": Decimal(str(said["pending"]))})  # type: ignore[arg-type]  # by parameter
    assert refusal_of(row, member=7, is_lead=True, lead_limit=Decimal(500)) == why
