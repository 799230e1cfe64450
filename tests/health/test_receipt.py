"""It: the health score and its receipt."""

from __future__ import annotations

import dataclasses
import datetime as dt
import statistics
from decimal import Decimal
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from health.rules.indicators import FACTS, ORDER_DAYS, line_score, on_line, order_gaps, raw_values, score_frame
from health.rules.policy import KEYS, ORDER_KEYS, HealthPolicy, IndicatorRule
from health.rules.receipt import HealthFacts, Unknown, moves, receipt
from tests.health.cases import POLICY, D, facts, frame, known_facts, line, policies

quick = settings(max_examples=50, deadline=None)


@quick
@given(st.lists(facts(), max_size=12), policies())
def test_gives_one_customer_the_score_that_the_whole_frame_gives(rows: list[HealthFacts], policy: HealthPolicy) -> None:
    drawn = [receipt(row, policy, D) for row in rows]
    assert score_frame(frame(rows), policy, D).select("score", "band", "known").rows() == [
        (one.score, one.band, one.known) for one in drawn
    ]
    raw = raw_values(frame(rows), policy, D).rows(named=True)
    for values, one in zip(raw, drawn, strict=True):
        for part in one.lines:
            if part.weight:
                assert values[part.key] == part.value


@quick
@given(facts(), policies())
def test_adds_up_to_the_score_exactly(row: HealthFacts, policy: HealthPolicy) -> None:
    drawn = receipt(row, policy, D)
    assert sum(part.unknown is None for part in drawn.lines) == drawn.known
    counted = [part for part in drawn.lines if part.score is not None]
    assert [part for part in drawn.lines if part.is_assumed] == [part for part in counted if part.unknown is not None]
    assert [part.key for part in drawn.lines] == list(KEYS)
    assert all((part.value is None) == (part.unknown is not None) for part in drawn.lines)
    if drawn.score is None:
        assert (drawn.total, drawn.rounding, drawn.band) == (Decimal(0), Decimal(0), "none")
        assert all(part.contribution is None and part.effective_weight is None for part in drawn.lines)
        return
    assert drawn.total + drawn.rounding == drawn.score
    assert abs(drawn.rounding) <= Decimal("0.5")
    assert sum(part.effective_weight or 0 for part in counted) == 100
    weights = sum(part.weight for part in counted)
    for part in counted:
        assert part.score is not None
        assert part.contribution is not None
        assert part.effective_weight is not None
        assert 0 <= part.score <= 100
        assert abs(part.contribution - part.score * part.weight / weights) < Decimal("0.1")
        assert abs(part.effective_weight - Decimal(100 * part.weight) / weights) < Decimal("0.1")


@quick
@given(facts(), policies())
def test_gives_no_number_without_enough_known_indicators(row: HealthFacts, policy: HealthPolicy) -> None:
    drawn = receipt(row, policy, D)
    by_orders = any(line(drawn, key).unknown is None for key in ORDER_KEYS)
    assert (drawn.score is None) == (drawn.known < policy.minimum_known or not by_orders)
    assert drawn.band == policy.band(drawn.score)


def test_gives_no_number_when_no_order_indicator_is_known() -> None:
    nothing = HealthFacts()
    drawn = receipt(nothing, HealthPolicy(minimum_known=1), D)
    assert (drawn.score, drawn.band, drawn.known) == (None, "none", 0)


@quick
@given(known_facts(), policies(), st.data())
def test_never_scores_a_better_raw_value_lower(row: HealthFacts, policy: HealthPolicy, data: st.DataObject) -> None:
    assert row.last_order_on is not None
    assert row.days_late is not None
    better: dict[str, dict[str, Any]] = {
        "order_frequency": {"last_order_on": data.draw(st.dates(row.last_order_on, D - dt.timedelta(1)))},
        "order_stability": {"gap_cv": data.draw(st.floats(0, row.gap_cv or 0))},
        "spend_trend": {"spend_recent": data.draw(st.integers(row.spend_recent, 10**9))},
        "category_breadth": {"categories_recent": data.draw(st.integers(row.categories_recent, 20))},
        "interaction_frequency": {"contacts_recent": data.draw(st.integers(row.contacts_recent, 20))},
        "responsiveness": {"answered": data.draw(st.integers(row.answered, row.asked))},
        "complaint_rate": {"complaints_recent": data.draw(st.integers(0, row.complaints_recent or 0))},
        "first_time_resolution": {"solved_first": data.draw(st.integers(row.solved_first, row.solved))},
        "satisfaction": {"csat_sum": data.draw(st.integers(row.csat_sum, 5 * row.csat_count))},
        "advocacy": {"detractors": data.draw(st.integers(0, row.detractors))},
        "competitor_interest": {"competitor_recent": data.draw(st.integers(0, row.competitor_recent or 0))},
        "payment_behaviour": {"days_late": data.draw(st.floats(-60, row.days_late))},
    }
    assert set(better) == set(KEYS)
    before = receipt(row, policy, D)
    for key, changed in better.items():
        after = receipt(dataclasses.replace(row, **changed), policy, D)
        assert (after.score is None) == (before.score is None)
        assert (after.score or 0) >= (before.score or 0), key
        assert (line(after, key).score or 0) >= (line(before, key).score or 0), key


@quick
@given(st.floats(-1e6, 1e6), st.sampled_from(sorted(POLICY.indicators)))
def test_puts_a_raw_value_on_its_line_alike_for_one_and_for_a_column(value: float, key: str) -> None:
    points = POLICY.indicators[key].line
    column = pl.DataFrame({"value": [value, None]}).select(on_line(pl.col("value"), points))["value"]
    assert column.to_list() == [line_score(value, points), None]


@pytest.mark.parametrize("key", KEYS)
def test_hits_every_point_of_a_line_and_stays_flat_beyond_its_ends(key: str) -> None:
    points = POLICY.indicators[key].line
    for value, points_there in points:
        assert line_score(value, points) == points_there * 1000
    assert line_score(points[0][0] - 1000, points) == points[0][1] * 1000
    assert line_score(points[-1][0] + 1000, points) == points[-1][1] * 1000
    halfway = (points[0][0] + points[1][0]) / 2
    assert line_score(halfway, points) == round((points[0][1] + points[1][1]) * 500)


FALLING = HealthFacts(
    order_days_count=9,
    last_order_on=D - dt.timedelta(41),
    median_gap=19,
    gap_cv=0.92,
    spend_recent=9_540_000_000,
    spend_before=73_000_000_000,
    categories_recent=5,
    categories_before=8,
)


def test_draws_the_receipt_that_can_be_followed_by_hand() -> None:
    drawn = receipt(FALLING, POLICY, D)
    # 41 / 19 = 2.158 on 2 -> 30, 3 -> 0 is 25.263; 15, 6, 14 and 8 of the known 43 weigh.
    first = line(drawn, "order_frequency")
    assert first.inputs["days"] == 41
    assert first.value == pytest.approx(41 / 19)
    assert (first.score, first.contribution, first.effective_weight) == (
        Decimal("25.263"),
        Decimal("8.8"),
        Decimal("34.9"),
    )
    assert [line(drawn, key).score for key in KEYS[1:4]] == [
        Decimal("58.000"),
        Decimal("24.000"),
        Decimal("40.625"),
    ]
    contributions = [line(drawn, key).contribution for key in KEYS[:4]]
    assert contributions == [Decimal("8.8"), Decimal("8.1"), Decimal("7.8"), Decimal("7.6")]
    assert (drawn.known, drawn.score, drawn.band, drawn.total) == (4, 32, "red", Decimal("32.3"))
    assert drawn.rounding == Decimal("-0.3")


def test_says_why_an_indicator_is_unknown() -> None:
    young = HealthFacts(order_days_count=2, last_order_on=D - dt.timedelta(9), spend_recent=5)
    drawn = receipt(young, POLICY, D)
    assert [line(drawn, key).unknown for key in KEYS[:5]] == [
        Unknown("needs_orders", needs=3, has=2),
        Unknown("needs_orders", needs=5, has=2),
        Unknown("no_spend_before"),
        Unknown("no_categories_before"),
        Unknown("no_contacts_before"),
    ]
    silent = {**POLICY.indicators, "spend_trend": IndicatorRule(weight=0, line=((0, 0), (1, 100)))}
    off = receipt(FALLING, HealthPolicy(indicators=silent), D)
    assert line(off, "spend_trend").unknown == Unknown("switched_off")
    assert off.known == 3


@quick
@given(known_facts(), known_facts())
def test_explains_a_change_of_score_to_the_last_tenth(now: HealthFacts, then: HealthFacts) -> None:
    after, before = receipt(now, POLICY, D), receipt(then, POLICY, D)
    assert after.score is not None
    assert before.score is not None
    changes = moves(after, before)
    assert sum((move.change for move in changes), Decimal(0)) == after.score - before.score
    assert all(move.change for move in changes)
    assert moves(after, receipt(HealthFacts(), POLICY, D)) == []


@quick
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 900)), max_size=80), st.integers(2, 14))
def test_reads_the_rhythm_of_order_days(orders: list[tuple[int, int]], gaps: int) -> None:
    rows = [(customer, D - dt.timedelta(ago)) for customer, ago in orders]
    got = order_gaps(pl.DataFrame(rows, schema=dict(ORDER_DAYS), orient="row"), HealthPolicy(gaps=gaps)).rows(
        named=True
    )
    assert [row["customer_id"] for row in got] == sorted({customer for customer, _ in rows})
    for row in got:
        days = sorted({day for customer, day in rows if customer == row["customer_id"]})
        last = [(b - a).days for a, b in pairwise(days)][-gaps:]
        assert (row["order_days_count"], row["last_order_on"]) == (len(days), days[-1])
        assert row["median_gap"] == (statistics.median(last) if len(days) >= 3 else None)
        if len(days) >= 5:
            assert row["gap_cv"] == pytest.approx(statistics.pstdev(last) / statistics.mean(last))
        else:
            assert row["gap_cv"] is None


def test_calls_equal_gaps_perfectly_stable() -> None:
    weekly = pl.DataFrame({"customer_id": [7] * 9, "day": [D - dt.timedelta(7 * n) for n in range(1, 10)]})
    (row,) = order_gaps(weekly, POLICY).rows(named=True)
    assert (row["median_gap"], row["gap_cv"]) == (7.0, 0.0)


def test_looks_at_the_last_twelve_gaps_only() -> None:
    long_ago, monthly = [D - dt.timedelta(900)], [D - dt.timedelta(30 * n) for n in range(1, 14)]
    orders = pl.DataFrame({"customer_id": [7] * 14, "day": long_ago + monthly})
    (row,) = order_gaps(orders, POLICY).rows(named=True)
    assert (row["order_days_count"], row["median_gap"], row["gap_cv"]) == (14, 30.0, 0.0)
    (longer,) = order_gaps(orders, HealthPolicy(gaps=13)).rows(named=True)
    assert longer["gap_cv"] > 1


def test_scores_nobody_in_an_empty_tenant() -> None:
    assert score_frame(frame([]), POLICY, D).height == 0
    assert order_gaps(pl.DataFrame(schema=dict(ORDER_DAYS)), POLICY).height == 0


def test_takes_missing_money_and_categories_for_none() -> None:
    bare = frame([HealthFacts(order_days_count=4)]).with_columns(
        pl.lit(None).alias(name) for name in FACTS if name.startswith(("spend", "categories"))
    )
    assert score_frame(bare, POLICY, D).rows() == [(1, None, "none", 0)]
    assert HealthFacts.from_row(bare.row(0, named=True)) == HealthFacts(order_days_count=4)


def test_refuses_an_order_that_does_not_count_yet() -> None:
    tomorrow = HealthFacts(order_days_count=4, last_order_on=D + dt.timedelta(1))
    with pytest.raises(ValueError, match="does not count yet"):
        receipt(tomorrow, POLICY, D)
    with pytest.raises(ValueError, match="do not count yet"):
        score_frame(frame([tomorrow]), POLICY, D)
