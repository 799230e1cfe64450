"""It: names periods, measures against targets, and makes a score whose parts add up to it exactly."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from incentives.rules.goals import STEPS, next_verb, verdict, way
from incentives.rules.kpi_policy import KpiPolicy, Targets, Weights
from incentives.rules.kpis import (
    CODES,
    JOBS,
    KPIS,
    SPANS,
    Period,
    achievement,
    score,
    target_for,
    value_of,
    year_before,
)
from tenants.rules.sections import PACKS

DAYS = st.dates(dt.date(1971, 1, 1), dt.date(2100, 1, 1))
NUMBERS = st.decimals(-1000, 100_000, places=4)
CAP = Decimal(120)


@given(st.sampled_from(SPANS), DAYS)
def test_every_day_lies_in_one_period_whose_code_leads_back_to_it(span, day):
    period = Period.of(span, day)
    assert period.holds(day)
    assert Period.read(period.code) == period
    assert period.after.before == period
    assert period.before.end == period.start
    assert not period.after.holds(day)
    assert period.back(3) == [period.before.before, period.before, period]


@pytest.mark.parametrize(
    "code", ["", "2026", "2026-13", "2026-00", "2026-W54", "2026-Q5", "26-11", "2026-W00", "0001-01"]
)
def test_what_is_no_period_is_refused(code):
    with pytest.raises(ValueError, match=r"."):
        Period.read(code)


def test_a_period_runs_until_the_day_that_is_counted_to_and_not_beyond_its_end():
    november = Period("month", dt.date(2026, 11, 1))
    assert november.until(dt.date(2026, 11, 22)) == dt.date(2026, 11, 22)
    assert november.until(dt.date(2027, 2, 1)) == dt.date(2026, 12, 1)
    assert november.until(dt.date(2026, 10, 1)) == november.start
    assert year_before(dt.date(2028, 2, 29)) == dt.date(2027, 2, 28)
    with pytest.raises(ValueError, match="first day"):
        Period("week", dt.date(2026, 11, 3))


@given(st.sampled_from(CODES), NUMBERS, NUMBERS)
def test_a_value_is_a_share_of_something_or_nothing_at_all(code, numerator, denominator):
    kpi = KPIS[code]
    value = value_of(kpi, numerator, denominator)
    if kpi.unit == "count":
        assert value == numerator
    elif denominator <= 0:
        assert value is None
    else:
        factor = 1 if kpi.unit == "hours" else 100
        assert abs(value * denominator - numerator * factor) <= denominator * Decimal("0.0001")


@given(st.sampled_from(CODES), NUMBERS, NUMBERS, st.decimals("0.0001", 1000, places=4))
def test_better_is_never_worth_less_and_never_more_than_the_cap(code, one, other, target):
    kpi = KPIS[code]
    first, second = achievement(kpi, one, target, CAP), achievement(kpi, other, target, CAP)
    assert 0 <= first <= CAP
    is_better = one > other if kpi.better == "up" else one < other
    if is_better:
        assert first >= second
    assert achievement(kpi, target, target, CAP) == 100
    assert achievement(kpi, None, target, CAP) is None
    assert achievement(kpi, one, Decimal(0), CAP) is None


@given(
    st.dictionaries(st.sampled_from(CODES), st.integers(0, 100)),
    st.dictionaries(st.sampled_from(CODES), st.none() | st.decimals(0, 120, places=4)),
)
def test_the_lines_of_a_card_add_up_to_its_score(weights, achieved):
    total, lines = score(weights, achieved)
    known = [line for line in lines if line.achieved is not None]
    if total is None:
        assert not known
        return
    assert total == sum(line.contribution for line in lines)
    assert 0 <= total <= CAP
    assert abs(sum(line.share for line in lines) - 100) < Decimal("0.01")
    assert all(line.contribution == 0 for line in lines if line.achieved is None)


def test_a_count_is_said_for_a_person_and_a_month():
    count, share = KPIS["referrals"], KPIS["csat"]
    day = dt.date(2026, 11, 2)
    assert target_for(count, Decimal(2), Period.of("month", day), 3) == 6
    assert target_for(count, Decimal(2), Period.of("quarter", day), 1) == 6
    assert target_for(count, Decimal(13), Period.of("week", day), 1) == 3
    assert target_for(share, Decimal(90), Period.of("quarter", day), 7) == 90


@pytest.mark.parametrize("pack", PACKS)
def test_each_pack_weighs_as_the_playbook_says(pack):
    policy = KpiPolicy.pack(pack)
    sales, service, success = (policy.weights_of(job) for job in JOBS)
    assert sales["repurchase"] + sales["referrals"] + sales["referral_conversion"] == 30
    assert service["csat"] + service["response_time"] + service["first_time"] == 100
    assert success["strategic_growth"] > 0 < success["clv_uplift"]
    told = {"coverage": 95, "csat": 90, "repurchase": 25, "nps": 50, "value_growth": 18, "strategic_retention": 98}
    assert {code: policy.targets.of(code) for code in told} == told
    assert all(policy.targets.of(code) == KPIS[code].target for code in CODES)


def test_a_target_of_nothing_and_weights_that_are_no_whole_are_refused():
    with pytest.raises(ValidationError, match="greater than 0"):
        Targets(csat=0)
    with pytest.raises(ValidationError, match="together are 90"):
        Weights(csat=90)


def test_a_goal_goes_one_way_and_ends_as_its_result_says():
    states = ["plan"]
    while (verb := next_verb(states[-1])) is not None:
        before, after = STEPS[verb]
        assert before == states[-1]
        states.append(after)
    assert states == ["plan", "do", "check", "act", "closed"]
    up, down = KPIS["csat"], KPIS["response_time"]
    assert [verdict(up, Decimal(80), Decimal(90), value) for value in (Decimal(90), Decimal(85), Decimal(80), None)] == [
        "reached", "better", "missed", "unknown",
    ]  # fmt: skip
    assert [verdict(down, Decimal(4), Decimal(2), Decimal(value)) for value in (1, 3, 5)] == [
        "reached",
        "better",
        "missed",
    ]
    assert way(Decimal(4), Decimal(2), Decimal(3)) == 50
    assert way(Decimal(80), Decimal(90), Decimal(99)) == 100
    assert way(Decimal(80), Decimal(90), None) is None
