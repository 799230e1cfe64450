"""It: scores by the share of facts, passes by two lines, says what is late, and counts years on target in a row."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from incentives.rules.growth import (
    DIMENSIONS,
    STEPS,
    Part,
    QuarterStand,
    days_late,
    ready_on,
    result_of,
    score_of,
    stand_of,
    streak,
    takes_part,
)
from incentives.rules.growth_policy import GrowthPolicy
from incentives.rules.kpis import Period
from tenants.rules.sections import PACKS

DAYS = st.dates(dt.date(2020, 1, 1), dt.date(2030, 1, 1))
LAST = Period("quarter", dt.date(2026, 7, 1))


@st.composite
def parts(draw):
    count = draw(st.integers(0, 200))
    return Part("x", Decimal(draw(st.integers(0, count))), Decimal(count))


SCORES = st.fixed_dictionaries({each: st.integers(0, 1000).map(lambda n: Decimal(n) / 10) for each in DIMENSIONS})


@given(st.lists(parts(), max_size=4), st.integers(1, 20))
def test_a_score_is_the_share_of_all_facts_and_none_of_too_few(found, least):
    score = score_of(found, least)
    count = sum(part.count for part in found)
    if count < least:
        assert score is None
    else:
        good = sum(part.good for part in found)
        assert 0 <= score <= 100
        assert abs(score * count - good * 100) <= count * Decimal("0.05")


@given(parts(), st.integers(1, 20))
def test_one_more_good_fact_never_lowers_a_score_and_a_bad_one_never_lifts_it(part, least):
    before = score_of([part], least)
    better = score_of([Part("x", part.good + 1, part.count + 1)], least)
    worse = score_of([Part("x", part.good, part.count + 1)], least)
    if before is not None:
        assert worse <= before <= better


@given(SCORES, st.integers(1, 100), st.integers(0, 100))
def test_passed_is_who_reaches_the_mean_and_falls_short_in_nothing(scores, mean, each):
    result = result_of(scores, mean, each)
    assert abs(result.mean * 4 - sum(scores.values())) <= Decimal("0.2")
    assert result.passed == (result.mean >= mean and min(scores.values()) >= each)
    assert set(result.below) == {name for name, score in scores.items() if score < each}
    if result.passed:
        lifted = {name: min(Decimal(100), score + 1) for name, score in scores.items()}
        assert result_of(lifted, mean, each).passed


def test_three_good_dimensions_do_not_make_up_for_a_bad_one():
    scores = {each: Decimal(100) for each in DIMENSIONS} | {"coordination": Decimal("59.9")}
    assert result_of(scores, 75, 60) == result_of(scores, 1, 60)
    assert result_of(scores, 75, 60).below == ("coordination",)
    assert not result_of(scores, 75, 60).passed
    with pytest.raises(KeyError):
        result_of({"knowledge": Decimal(100)}, 75, 60)


def test_what_is_confirmed_leads_nowhere():
    assert "confirmed" not in {before for before, _after in STEPS.values()}


@pytest.mark.parametrize(
    ("joined", "takes"), [((2020, 1, 1), True), ((2026, 12, 2), True), ((2026, 12, 3), False), ((2027, 1, 1), False)]
)
def test_who_comes_late_in_a_quarter_is_certified_from_the_next_on(joined, takes):
    assert takes_part(dt.date(*joined), LAST.after, 30) is takes


@given(st.lists(DAYS, max_size=8), st.integers(1, 5))
def test_a_training_is_ready_on_the_day_of_the_last_customer_that_was_wanted(done, wanted):
    day = ready_on(done, wanted)
    if len(done) < wanted:
        assert day is None
    else:
        assert sum(each <= day for each in done) >= wanted
        assert sum(each < day for each in done) < wanted


@given(st.sampled_from(["open", "approved", "ended"]), DAYS, st.none() | DAYS, DAYS)
def test_nobody_is_late_for_how_long_the_mentor_looks(state, due, ready, today):
    stand = stand_of(state, due, ready, today)
    if stand == "late":
        assert today > due
        assert ready is None
    if stand == "approved_late":
        assert ready > due
    assert days_late(due, today) == max(0, (today - due).days)


# ── years on target ─────────────────────────────────────────────────────────


def quarters(marks):
    """Newest first: + on target, - missed, . without a score, o not closed, x on target in another job."""
    scores = {"+": Decimal(100), "-": Decimal("99.9"), ".": None, "o": None, "x": Decimal(120)}
    found, period = [], LAST
    for mark in marks:
        found.append(QuarterStand(period, mark != "o", scores[mark], "service" if mark == "x" else "success"))
        period = period.before
    return found


def row(marks, wanted=4, most_gaps=2, job=""):
    return streak(quarters(marks), wanted=wanted, most_gaps=most_gaps, job=job)


@pytest.mark.parametrize(
    ("marks", "counted", "gaps", "ended"),
    [
        ("++++", 4, 0, "reached"),
        ("+++", 3, 0, "beginning"),
        ("", 0, 0, "beginning"),
        ("-++++", 0, 0, "missed"),
        ("++-++++", 2, 0, "missed"),
        ("+.+.++", 4, 2, "reached"),
        ("+.+.+.+", 3, 2, "gaps"),
        ("..++++", 4, 2, "reached"),
        ("++.", 2, 0, "beginning"),
        ("++o++", 2, 0, "open"),
        ("++.-+", 2, 0, "missed"),
    ],
)
def test_a_row_goes_on_over_gaps_and_ends_with_what_was_missed(marks, counted, gaps, ended):
    found = row(marks)
    assert (len(found.counted), len(found.gaps), found.ended) == (counted, gaps, ended)
    assert found.is_reached == (ended == "reached")
    assert [each.period for each in found.counted] == sorted(each.period for each in found.counted)
    if ended in ("missed", "open", "gaps"):
        assert found.ended_by is not None


def test_another_job_is_a_gap_where_one_job_is_asked_for():
    assert row("+x++").is_reached
    assert len(row("+x++", job="success").counted) == 3
    assert len(row("+x++", job="success").gaps) == 1
    missed = [*quarters("+"), QuarterStand(LAST.before, True, Decimal(10), "service"), *quarters("+++")[1:]]
    assert streak(missed, wanted=2, most_gaps=1, job="success").is_reached
    assert streak(missed, wanted=2, most_gaps=1).ended == "missed"


@given(st.text("+-.ox", max_size=20), st.integers(1, 8), st.integers(0, 4))
def test_older_quarters_and_more_patience_never_shorten_a_row(marks, wanted, gaps):
    found = row(marks, wanted, gaps)
    assert len(found.gaps) <= gaps
    assert len(found.counted) <= wanted
    assert all(each.is_on_target for each in found.counted)
    assert len(row(marks + "+", wanted, gaps).counted) >= len(found.counted)
    assert len(row(marks, wanted, gaps + 1).counted) >= len(found.counted)
    assert len(row("-" + marks, wanted, gaps).counted) == 0


def test_the_policy_holds_in_every_pack_and_refuses_lines_that_contradict():
    for pack in PACKS:
        policy = GrowthPolicy.pack(pack)
        assert (policy.promotion_quarters, policy.training_customers, policy.training_days) == (12, 3, 14)
        assert policy.promotion_job == ""
    assert GrowthPolicy(promotion_for="success").promotion_job == "success"
    with pytest.raises(ValidationError, match="must not be over the line of the mean: 70"):
        GrowthPolicy(pass_mean=70, pass_each=71)
