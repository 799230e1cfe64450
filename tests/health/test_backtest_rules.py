"""It: the rules of a back-test: measures by hand, windows that are closed, lead times, and the real wholesaler."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bench.retail import FILES, retail
from health.rules.backtest import (
    TOLD,
    CutOff,
    Ground,
    Part,
    auc,
    average_precision,
    backtest,
    cut_offs_between,
    measures,
    summary,
)
from health.rules.forecast import History
from tests.health.firms import AS_OF, BEGIN, OWN_CYCLE, RULES, firm, history

quick = settings(max_examples=60, deadline=None)
DAY = dt.timedelta(days=1)
MONTHS = cut_offs_between(dt.date(2023, 4, 1), dt.date(2023, 7, 1))

outcomes = st.lists(
    st.tuples(st.integers(0, 10).map(lambda tenths: tenths / 10), st.booleans()), min_size=2, max_size=40
)


def arrays(drawn: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    """Forecasts and outcomes, of which both kinds must be there."""
    probability, lapsed = np.array([p for p, _ in drawn]), np.array([lapse for _, lapse in drawn])
    assume(lapsed.any() and not lapsed.all())
    return probability, lapsed


# ── measures ────────────────────────────────────────────────────────────────


@quick
@given(outcomes)
def test_counts_pairs_in_the_right_order(drawn: list[tuple[float, bool]]) -> None:
    probability, lapsed = arrays(drawn)
    pairs = [(p > q) + (p == q) / 2 for p in probability[lapsed] for q in probability[~lapsed]]
    assert auc(probability, lapsed) == pytest.approx(np.mean(pairs))


@quick
@given(outcomes)
def test_averages_the_precision_over_the_recalls(drawn: list[tuple[float, bool]]) -> None:
    probability, lapsed = arrays(drawn)
    total, before = 0.0, 0.0
    for line in sorted(set(probability), reverse=True):
        named = probability >= line
        recall = lapsed[named].sum() / lapsed.sum()
        total += lapsed[named].mean() * (recall - before)
        before = recall
    assert average_precision(probability, lapsed) == pytest.approx(total)


def test_measures_by_hand() -> None:
    probability = np.array([0.95, 0.85, 0.55, 0.45, 0.35, 0.15, 0.12, 0.08, 0.04, 0.02])
    lapsed = np.array([True, True, False, True, False, False, False, False, False, False])
    silent = np.array([True, False, True, False, True, False, False, False, False, False])
    found = measures(probability, lapsed, silent, 40)
    assert (found.customers, found.base_rate, found.majority_accuracy) == (10, 0.3, 0.7)
    assert found.accuracy == 0.8  # .55 and .45 are on the wrong side of one half
    assert (found.warned, found.precision, found.recall) == (4, 0.75, 1.0)
    assert (found.rule_warned, found.rule_precision, found.rule_recall) == (
        3,
        pytest.approx(1 / 3),
        pytest.approx(1 / 3),
    )
    assert found.rule_accuracy == 0.6
    assert found.precision_top_decile == 1.0
    assert found.brier == pytest.approx(np.mean((probability - lapsed) ** 2))
    # Bins of a tenth: .1 to .2 holds two, below .1 three, the others one each.
    off = 0.05 + 0.15 + 0.55 + 0.55 + 0.35 + (0.15 + 0.12) + (0.08 + 0.04 + 0.02)
    assert found.ece == pytest.approx(off / 10)


def test_warns_nobody_without_dividing_by_nobody() -> None:
    found = measures(np.array([0.1, 0.2]), np.array([True, False]), np.array([False, False]), 50)
    assert (found.warned, found.precision, found.recall, found.rule_precision) == (0, None, 0.0, None)


# ── cut-offs ────────────────────────────────────────────────────────────────


def test_names_the_first_of_each_month() -> None:
    assert cut_offs_between(dt.date(2022, 11, 20), dt.date(2023, 2, 1)) == [
        dt.date(2022, 11, 1), dt.date(2022, 12, 1), dt.date(2023, 1, 1), dt.date(2023, 2, 1),
    ]  # fmt: skip
    assert cut_offs_between(dt.date(2023, 2, 1), dt.date(2023, 1, 1)) == []


def test_measures_past_months_and_goes_through_json() -> None:
    record = backtest(firm(), MONTHS, RULES)
    assert [(each.day, each.reason) for each in record.cut_offs] == [(day, "") for day in MONTHS]
    assert record.means is not None
    assert record.means.auc > 0.6
    assert record.means.customers == np.mean([each.measures.customers for each in record.cut_offs if each.measures])
    forecasts = sum(each.n for each in record.calibration)
    assert forecasts == sum(each.n for each in record.gain) == record.means.customers * len(MONTHS)
    assert record.gain[0].lapsed > record.gain[9].lapsed
    assert json.loads(json.dumps(record.to_json(), allow_nan=False))["cut_offs"][0]["day"] == "2023-04-01"


def test_measures_the_same_one_by_one_through_json() -> None:
    ground = Ground(firm(), RULES)
    parts = [Part.from_json(json.loads(json.dumps(ground.measure(day).to_json()))) for day in MONTHS]
    assert summary(parts, RULES) == backtest(firm(), MONTHS, RULES)


def test_refuses_a_cut_off_whose_window_is_still_open() -> None:
    last = firm().days.get_column("day").max() + DAY  # type: ignore[operator]  # polars: the day is a date
    closed, still_open = last - 90 * DAY, last - 89 * DAY
    record = backtest(firm(), [closed, still_open], RULES)
    assert [each.reason for each in record.cut_offs] == ["", "not_closed"]
    assert record.cut_offs[1].measures is None


@pytest.mark.parametrize(
    ("made", "day", "reason"),
    [
        (firm, BEGIN + 200 * DAY, "short_history"),
        (lambda: history([(1, BEGIN, 1.0), (1, AS_OF, 1.0)]), AS_OF - 100 * DAY, "no_active"),
        (lambda: history([(n, BEGIN + 7 * k * DAY, 1.0) for n in (1, 2, 3) for k in range(104)]), AS_OF - 100 * DAY,
         "few_customers"),
        (lambda: history([]), AS_OF, "not_closed"),
    ],
)  # fmt: skip
def test_measures_nothing_and_says_why(made: Any, day: dt.date, reason: str) -> None:
    record = backtest(made(), [day], RULES)
    assert (record.cut_offs[0].reason, record.means, record.calibration, record.gain) == (reason, None, (), ())


def test_forecasts_from_what_was_known_then() -> None:
    """Orders after the window change nothing, and orders in it change outcomes only."""
    day = MONTHS[0]
    [whole] = [Ground(firm(), RULES).measure(day)]
    cut = History(firm().days.filter(pl.col("day") < day + 90 * DAY), firm().months.filter(pl.col("month") < day))
    assert Ground(cut, RULES, until=day + 90 * DAY).measure(day).to_json() == whole.to_json()
    silent = History(firm().days.filter(pl.col("day") < day), firm().months)
    record = Ground(silent, RULES, until=day + 90 * DAY).measure(day)
    assert record.cut_off.reason == "one_outcome"  # nobody came: all lapsed


def test_measures_the_own_cycle_by_those_whose_horizon_is_over() -> None:
    [part] = [Ground(firm(), OWN_CYCLE).measure(dt.date(2023, 6, 1))]
    assert part.cut_off.reason == ""
    assert part.told.get_column("horizon").min() == 60
    assert part.told.get_column("horizon").n_unique() > 10
    assert part.told.select((pl.lit(dt.date(2023, 6, 1)) + pl.duration(days=pl.col("horizon"))).max()).item() <= AS_OF


# ── lead time ───────────────────────────────────────────────────────────────


def part(day: dt.date, rows: list[tuple[int, dt.date, bool, float]]) -> Part:
    """A cut-off with (customer, last order day, lapsed, probability)."""
    told = pl.DataFrame(
        [(who, last, (day - last).days, 90, lapsed, probability, day) for who, last, lapsed, probability in rows],
        schema=TOLD, orient="row",
    )  # fmt: skip
    probability, lapsed = told["probability"].to_numpy(), told["lapsed"].to_numpy()
    found = measures(probability, lapsed, told["silence"].to_numpy() > RULES.silence_days, RULES.warn_percent)
    return Part(CutOff(day, found), told)


def test_counts_lead_time_from_the_first_right_warning() -> None:
    june, july = dt.date(2023, 6, 1), dt.date(2023, 7, 1)
    a, b, c = june - 10 * DAY, june - 35 * DAY, june - 5 * DAY
    record = summary(
        [
            part(june, [(1, a, True, 0.6), (2, b, True, 0.4), (3, c, False, 0.9)]),
            part(july, [(1, a, True, 0.8), (2, b, True, 0.7), (4, july - DAY, False, 0.1)]),
        ],
        RULES,
    )
    first, second = (each.measures for each in record.cut_offs)
    assert first is not None
    assert second is not None
    assert record.means is not None
    # Customer 1 is first warned of in June, after 10 days of 90; customer 2 in July, after 65. 3 came: not right.
    assert (first.lead_time_days, second.lead_time_days, record.means.lead_time_days) == (80, 25, 52.5)
    # The rule of 60 days sees nobody in June, and customer 2 in July.
    assert (first.rule_lead_time_days, second.rule_lead_time_days, record.means.rule_lead_time_days) == (None, 25, 25)


# ── the real wholesaler ─────────────────────────────────────────────────────


@pytest.mark.real
def test_forecasts_the_real_wholesaler_better_than_every_simpler_way() -> None:
    if not all(path.exists() for path in FILES):
        pytest.skip("the real data does not lie beside the checkout")
    record = backtest(retail(), cut_offs_between(dt.date(2010, 12, 1), dt.date(2011, 9, 1)), RULES)
    assert {each.reason for each in record.cut_offs} == {""}
    means = record.means
    assert means is not None
    assert means.base_rate == pytest.approx(0.40, abs=0.01)
    assert means.auc >= 0.770
    assert means.ece <= 0.040
    assert means.accuracy >= 0.70 > max(means.majority_accuracy, means.rule_accuracy)
    assert means.precision_top_decile >= 0.755
    assert means.brier <= 0.189
    assert (means.lead_time_days or 0) >= 30
    assert all(value is not None for value in asdict(means).values())
