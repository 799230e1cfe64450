"""The ranking of a month as pure rules: it is moved by how well, never by how much, and by nobody else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentives.rules.awards import (
    CASE_POINTS,
    SHARES,
    Count,
    Done,
    Kept,
    Least,
    Score,
    There,
    Usual,
    change,
    medals,
    places,
    proposals,
    quarters_before,
    score,
    usual_shares,
    why_not,
)
from incentives.rules.awards_policy import AwardPolicy
from incentives.rules.kpis import Period

TIERS = ("gold", "silver", "bronze")
WEIGHTS = AwardPolicy().weight_of()
LEAST = Least(customers=2, weight_percent=1)

rates = st.tuples(st.integers(0, 6), st.integers(1, 6)).map(lambda pair: (min(pair), max(pair)))
usuals = st.fixed_dictionaries(
    {
        (share, tier): st.integers(0, 100).map(lambda percent: Usual(Fraction(percent), "tier"))
        for share in SHARES
        for tier in TIERS
    }
)
tier_of = st.sampled_from(TIERS)


@st.composite
def work(draw: st.DrawFn) -> list[Done]:
    """What somebody did in a month: some cases of each share, for customers that each have one tier."""
    tiers = [draw(tier_of) for _number in range(8)]
    found = []
    for share in SHARES:
        for customer in range(draw(st.integers(0, 8))):
            hits, of = draw(rates)
            found.append(Done(share, customer, tiers[customer], Fraction(hits), Fraction(of)))
    return found


def scored(done: Sequence[Done], usual: object, least: Least = LEAST) -> Score:
    return score(done, usual, WEIGHTS, least)  # type: ignore[arg-type]  # what the strategy has drawn


@given(work(), usuals, st.data())
def test_it_is_never_raised_by_more_of_the_same_or_a_worse_quality(
    done: list[Done], usual: dict[object, Usual], data: st.DataObject
) -> None:
    before = scored(done, usual)
    counted = [part for part in before.parts if part.counts]
    if before.value is None or not counted:
        return
    part = data.draw(st.sampled_from(counted))
    own = [each for each in done if each.share == part.share]
    more = data.draw(st.integers(1, 500))
    if data.draw(st.booleans()):  # more cases of a customer, no better than those that there are
        each = data.draw(st.sampled_from(own))
        hits = data.draw(st.integers(0, int(each.hits * more / each.of)))
        added = replace(each, hits=Fraction(hits), of=Fraction(more))
    else:  # a customer more, no better beside the usual of its tier than the others are on the whole
        tier = data.draw(tier_of)
        above = sum(
            (each.hits * 100 / each.of - usual[each.share, each.tier].percent for each in own), Fraction(0)
        ) / len(own)
        at_most = usual[part.share, tier].percent + above
        if at_most < 0:
            return
        percent = min(at_most, Fraction(100)) * data.draw(st.integers(0, 10)) / 10
        added = Done(part.share, 99, tier, percent * more / 100, Fraction(more))
    after = scored([*done, added], usual)
    assert after.value is not None
    assert after.value <= before.value


@given(work(), work(), usuals, st.integers(1, 50))
def test_it_lets_nobody_past_who_did_as_well_with_less(
    mine: list[Done], theirs: list[Done], usual: dict[object, Usual], times: int
) -> None:
    more = [replace(each, hits=each.hits * times, of=each.of * times) for each in mine] * 2
    scores = [scored(each, usual).value for each in (mine, theirs, more)]
    assert scores[0] == scores[2]
    if scores[0] is None or scores[1] is None:
        return
    assert places({1: scores[0], 2: scores[1]}) == places({1: scores[2], 2: scores[1]})  # type: ignore[dict-item]


@given(usuals, st.lists(tier_of, min_size=2, max_size=30), st.lists(tier_of, min_size=2, max_size=30))
def test_it_gives_an_easy_portfolio_no_advantage(usual: dict[object, Usual], easy: list[str], hard: list[str]) -> None:
    def usual_work(tiers: list[str]) -> list[Done]:
        return [
            Done("csat", number, tier, usual["csat", tier].percent, Fraction(100)) for number, tier in enumerate(tiers)
        ]

    assert scored(usual_work(easy), usual).value == scored(usual_work(hard), usual).value == 0


@given(work(), usuals)
def test_its_parts_add_up_to_it(done: list[Done], usual: dict[object, Usual]) -> None:
    found = scored(done, usual)
    if found.value is not None:
        rounding = Decimal("0.005") * (len(found.parts) + 1)
        assert abs(sum((part.adds for part in found.parts), Decimal(0)) - found.value) <= rounding


def test_it_needs_enough_customers_and_enough_of_the_weights() -> None:
    usual = {(share, tier): Usual(Fraction(50), "firm") for share in SHARES for tier in TIERS}
    done = [Done("csat", number, "gold", Fraction(1), Fraction(1)) for number in range(4)]
    assert scored(done, usual, Least(5, 1)).value is None
    few = scored([*done, *done, *done], usual, Least(5, 1))
    assert few.value is None, "four customers stay four, however often"
    done.append(Done("csat", 4, "gold", Fraction(0), Fraction(1)))
    assert scored(done, usual, Least(5, 30)).value == Decimal("30.00")
    assert scored(done, usual, Least(5, 31)).value is None, "satisfaction is 30 of 100"


def test_it_takes_what_is_usual_from_the_tier_the_firm_or_the_target() -> None:
    counts = {
        ("csat", "gold"): Count(30, Fraction(15)),
        ("csat", "silver"): Count(10, Fraction(10)),
        ("coverage", "gold"): Count(29, Fraction(29)),
    }
    found = usual_shares(counts, dict.fromkeys(SHARES, Fraction(90)), TIERS)  # type: ignore[arg-type]
    assert (found["csat", "gold"].percent, found["csat", "gold"].of) == (50, "tier")
    assert (found["csat", "bronze"].percent, found["csat", "silver"].of) == (Fraction(125, 2), "firm")
    assert (found["coverage", "gold"].percent, found["coverage", "gold"].of) == (90, "target")
    month = Period("month", dt.date(2026, 11, 1))
    assert [each.code for each in quarters_before(month)] == ["2025-Q4", "2026-Q1", "2026-Q2", "2026-Q3"]


def test_equal_scores_share_a_place_and_a_medal() -> None:
    scores = {1: Decimal(5), 2: Decimal(9), 3: Decimal(5), 4: Decimal(1), 5: Decimal(-2)}
    assert places(scores) == {2: 1, 1: 2, 3: 2, 4: 4, 5: 5}
    found = medals(scores, {5: Decimal(-20), 4: Decimal(0), 2: Decimal(-50)}, 3)
    assert [(each.member, each.kind, each.rise) for each in found] == [
        (2, "first", None), (1, "second", None), (3, "second", None), (5, "improved", Decimal(18)),
    ]  # fmt: skip


def test_nobody_gets_a_medal_for_the_usual_or_among_too_few() -> None:
    assert medals({1: Decimal(0), 2: Decimal(-1), 3: Decimal(-2)}, {}, 3) == []
    assert medals({1: Decimal(9), 2: Decimal(8)}, {}, 3) == []
    assert [each.kind for each in medals({1: Decimal(9), 2: Decimal(8)}, {}, 2)] == ["first", "second"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, ""),
        ({"is_left_out": True, "has_left": True}, "left_out"),
        ({"has_left": True, "is_new": True}, "left"),
        ({"is_new": True, "there": There(20, 20)}, "new"),
        ({"there": There(20, 10)}, ""),
        ({"there": There(20, 11)}, "away"),
        ({"known": Score(None, (), 10)}, "too_few"),
    ],
)
def test_it_says_why_somebody_has_no_place(said: dict[str, object], expected: str) -> None:
    usual = {
        "is_left_out": False, "has_left": False, "is_new": False, "there": There(20, 0), "most_away_percent": 50,
        "known": Score(Decimal(1), (), 100),
    }  # fmt: skip
    assert why_not(**(usual | said)) == expected  # type: ignore[arg-type]  # the cases above name the arguments


cases = st.lists(
    st.builds(
        Kept,
        case=st.integers(1, 1000),
        level=st.sampled_from(["", "mild", "moderate", "severe"]),
        was_won_back=st.booleans(),
        kept_share=st.none() | st.fractions(0, 1),
        has_lessons=st.booleans(),
        was_tried=st.booleans(),
        ended_on=st.dates(dt.date(2026, 10, 1), dt.date(2026, 10, 31)),
    ),
    max_size=20,
    unique_by=lambda each: each.case,
)


@given(cases)
def test_it_proposes_cases_with_lessons_by_their_points(kept: list[Kept]) -> None:
    found = proposals(kept)
    told = {each.case: each for each in kept if each.has_lessons}
    assert len(found) == min(5, len(told))
    assert [each.points for each in found] == sorted((each.points for each in found), reverse=True)
    for each in found:
        assert each.case in told
        assert each.points == sum(CASE_POINTS[point] for point in each.why)
        assert ("rare" in each.why) == ((share := told[each.case].kept_share) is not None and share < Fraction(1, 3))


def test_a_correction_tells_what_goes_what_comes_and_what_stays() -> None:
    found = change([(1, "first"), (2, "second")], [(1, "first"), (3, "second")])
    assert (found.gone, found.new, found.stay) == (((2, "second"),), ((3, "second"),), ((1, "first"),))
