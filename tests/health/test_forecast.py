"""It: the lapse forecast: facts, the fit and why there is none, everybody's number, and its reasons."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from health.rules import forecast
from health.rules.forecast import FEATURES, History, explain, features, fit, predict, silence_rule, whole_percent
from health.rules.policy import ForecastPolicy
from health.rules.season import Season, season_of
from segmentation.rules import lifetime
from tests.health.firms import AS_OF, BEGIN, OWN_CYCLE, RULES, firm, fitted, history

quick = settings(max_examples=40, deadline=None)
DAY = dt.timedelta(days=1)


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """Facts of a customer who may lapse, far beyond what the fit has seen."""
    order_days = draw(st.integers(2, 400))
    span, silence = draw(st.integers(order_days - 1, 4_000)), draw(st.integers(1, 90))
    last = AS_OF - silence * DAY
    return {
        "customer_id": 1,
        "order_days": order_days,
        "first_order_on": last - span * DAY,
        "last_order_on": last,
        "median_gap": span / (order_days - 1),
        "longest_gap": draw(st.integers(1, span)),
        "gap_spread": draw(st.none() | st.floats(0, 5)),
        "half_year_days": draw(st.integers(1, min(order_days, 182))),
        "active_months": draw(st.integers(1, 6)),
        "recent": draw(st.floats(1, 100)),
        "same_season": draw(st.integers(0, 90)),
        "orders": draw(st.integers(0, 10_000)),
        "credit_notes": draw(st.integers(0, 10_000)),
        "mean_order": draw(st.integers(0, 10**13)),
        "net_quarter": draw(st.integers(-(10**13), 10**13)),
        "net_year": draw(st.integers(-(10**13), 10**13)),
    }


def told(row: dict[str, Any], rules: ForecastPolicy = RULES) -> dict[str, Any]:
    [answer] = predict(pl.DataFrame([row], schema_overrides=FEATURES), fitted(), rules, AS_OF).to_dicts()
    return answer


def facts_of(orders: list[tuple[int, dt.date, float]], as_of: dt.date = AS_OF) -> dict[str, Any]:
    [row] = features(history(orders), as_of, RULES).to_dicts()
    return row


# ── facts ───────────────────────────────────────────────────────────────────


def test_sees_the_rhythm_the_money_and_the_season() -> None:
    row = facts_of([
        (7, AS_OF - 330 * DAY, 50.0), (7, AS_OF - 130 * DAY, 100.0), (7, AS_OF - 100 * DAY, 200.0),
        (7, AS_OF - 100 * DAY, -40.0), (7, AS_OF - 10 * DAY, 90.0),
    ])  # fmt: skip
    assert row == {
        "customer_id": 7,
        "order_days": 4,
        "first_order_on": AS_OF - 330 * DAY,
        "last_order_on": AS_OF - 10 * DAY,
        "median_gap": 90.0,
        "longest_gap": 200,
        "gap_spread": pytest.approx(np.std(np.log([200, 30, 90]), ddof=1)),
        "half_year_days": 3,
        "active_months": 3,
        "recent": pytest.approx(1 + 0.5 ** (90 / 90) + 0.5 ** (120 / 90) + 0.5 ** (320 / 90)),
        "same_season": 1,
        "orders": 4,
        "credit_notes": 1,
        "mean_order": 1_000_000,
        "net_quarter": 900_000,
        "net_year": 4_000_000,
    }


def test_has_the_columns_that_it_says() -> None:
    assert dict(features(firm(), AS_OF, RULES).schema) == FEATURES
    assert dict(features(firm(), BEGIN, RULES).schema) == FEATURES  # nobody yet


def test_sees_nothing_of_the_day_itself_and_after() -> None:
    known = [(1, AS_OF - 40 * DAY, 10.0), (1, AS_OF - DAY, 20.0)]
    later = [(1, AS_OF, 30.0), (1, AS_OF + 5 * DAY, 40.0), (2, AS_OF + DAY, 50.0)]
    assert facts_of(known) == facts_of(known + later)


def test_leaves_out_the_money_of_a_month_that_is_not_over() -> None:
    middle = dt.date(2024, 1, 20)
    orders = [(1, dt.date(2023, 12, 5), 100.0), (1, dt.date(2024, 1, 10), 900.0)]
    row = facts_of(orders, middle)
    assert (row["order_days"], row["orders"], row["net_quarter"]) == (2, 1, 1_000_000)


# ── season ──────────────────────────────────────────────────────────────────


@quick
@given(st.integers(0, 30_000), st.integers(0, 900), st.integers(0, 900))
def test_runs_the_clock_on_without_a_gap(start: int, first: int, second: int) -> None:
    season = Season(tuple(0.5 + month / 11 for month in range(12)), known=True)
    whole = season.weeks(start, first + second)
    assert float(whole) == pytest.approx(float(season.weeks(start, first)) + float(season.weeks(start + first, second)))
    assert float(Season().weeks(start, first)) == pytest.approx(first / 7)


def test_finds_a_busy_november() -> None:
    season = season_of(firm(2_000, november=0.6).days, AS_OF)
    assert season.known
    assert int(np.argmax(season.rates)) in (9, 10, 11)
    assert season.rates[10] > 1.3
    assert season.rates[4] < 0.7


def test_takes_growth_for_no_season() -> None:
    rates = season_of(firm(3_000, growth=8.0).days, AS_OF).rates
    assert max(rates) < 1.2
    assert min(rates) > 0.8


def test_knows_no_season_before_a_year_is_over() -> None:
    days = firm(2_000, november=0.6).days
    assert not season_of(days, BEGIN + 360 * DAY).known
    assert season_of(days, BEGIN + 370 * DAY).known


def test_reads_no_season_from_a_list_that_nobody_joins() -> None:
    old = firm(2_000, november=0.6)
    joined = old.days.group_by("customer_id").agg(first=pl.col("day").min()).filter(pl.col("first") < BEGIN + 200 * DAY)
    assert not season_of(old.days.join(joined, on="customer_id", how="semi"), AS_OF).known


# ── fitting ─────────────────────────────────────────────────────────────────


def test_tells_who_lapses_better_than_chance() -> None:
    cut_off = AS_OF - 90 * DAY
    model = fit(firm(), cut_off, RULES)
    assert model.reason == ""
    answers = predict(features(firm(), cut_off, RULES), model, RULES, cut_off).filter(pl.col("code") == "")
    came = firm().days.filter(pl.col("day") >= cut_off).get_column("customer_id").unique()
    lapsed = ~answers.get_column("customer_id").is_in(came.implode()).to_numpy()
    risk = answers.get_column("probability").to_numpy()
    high = risk >= np.median(risk)
    assert lapsed[high].mean() > 2 * lapsed[~high].mean()


def test_fits_the_same_from_the_same_history_in_any_order() -> None:
    mixed = History(firm().days.sample(fraction=1, shuffle=True, seed=3), firm().months.reverse())
    again = fit(mixed, AS_OF, RULES)
    assert again.weights == pytest.approx(fitted().weights)
    assert fit(firm(), AS_OF, RULES) == fitted()


def test_learns_nothing_from_the_day_itself_and_after() -> None:
    cut_off = dt.date(2023, 6, 1)
    known = History(firm().days.filter(pl.col("day") < cut_off), firm().months.filter(pl.col("month") < cut_off))
    assert fit(known, cut_off, RULES) == fit(firm(), cut_off, RULES)
    assert max(fit(known, cut_off, RULES).cut_offs) + 90 * DAY <= cut_off


def test_goes_through_json_and_back() -> None:
    text = json.dumps(fitted().to_json(), allow_nan=False)
    again = forecast.Fit.from_json(json.loads(text))
    assert again == fitted()
    known = features(firm(), AS_OF, RULES)
    assert predict(known, again, RULES, AS_OF).equals(predict(known, fitted(), RULES, AS_OF))


def test_refuses_the_fit_of_another_version() -> None:
    said = fitted().to_json() | {"columns": ["silence"]}
    with pytest.raises(ValueError, match="another version"):
        forecast.Fit.from_json(said)


def test_fits_a_big_firm_by_a_sample_that_is_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "SAMPLE", 200)
    chosen = forecast.sample(firm(), AS_OF)
    assert chosen.days.get_column("customer_id").n_unique() == 200
    mixed = History(firm().days.reverse(), firm().months)
    assert set(forecast.sample(mixed, AS_OF).days["customer_id"]) == set(chosen.days["customer_id"])
    assert fit(firm(), AS_OF, RULES).reason == ""


def three() -> History:
    """Three customers who ordered every month for two years, or stopped."""
    return history([(n, BEGIN + 30 * k * DAY, 100.0) for n in (1, 2, 3) for k in range(24 if n < 3 else 12)])


def clockwork() -> History:
    """150 customers who order every 20 days and never stop."""
    return history([(n, BEGIN + (n % 20 + 20 * k) * DAY, 100.0) for n in range(150) for k in range(36)])


@pytest.mark.parametrize(
    ("made", "as_of", "reason"),
    [
        (lambda: history([]), AS_OF, "no_orders"),
        (lambda: history([(1, AS_OF + DAY, 10.0)]), AS_OF, "no_orders"),
        (firm, BEGIN + 200 * DAY, "short_history"),
        (three, AS_OF, "few_customers"),
        (lambda: history([(n, BEGIN + n * DAY, 10.0) for n in range(500)]), AS_OF, "few_customers"),
        (clockwork, BEGIN + 700 * DAY, "one_outcome"),
    ],
)
def test_has_no_model_and_says_why(made: Any, as_of: dt.date, reason: str) -> None:
    found = made()
    model = fit(found, as_of, RULES)
    assert (model.reason, model.weights) == (reason, ())
    answers = predict(features(found, as_of, RULES), model, RULES, as_of)
    assert answers.get_column("probability").null_count() == answers.height
    assert forecast.Fit.from_json(json.loads(json.dumps(model.to_json()))) == model


def test_says_that_the_lifetime_model_has_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = lifetime.Fit(customers=500, repeaters=400, reason="not_converged")
    monkeypatch.setattr(lifetime, "fit_orders", lambda *_args: nothing)
    model = fit(firm(), AS_OF, RULES)
    assert (model.reason, model.lifetime_reason) == ("no_lifetime_model", "not_converged")


def test_says_that_its_own_search_did_not_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "_regress", lambda *_args: None)
    assert fit(firm(), AS_OF, RULES).reason == "not_converged"


# ── everybody's number ──────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("orders", "code"),
    [
        ([(1, AS_OF - 40 * DAY, 10.0)], "one_order"),
        ([(1, AS_OF - 40 * DAY, 10.0), (1, AS_OF - 40 * DAY, 20.0)], "one_day"),
        ([(1, AS_OF - 300 * DAY, 10.0), (1, AS_OF - 91 * DAY, 10.0)], "lapsed"),
        ([(1, AS_OF - 300 * DAY, 10.0), (1, AS_OF - 90 * DAY, 10.0)], ""),
        ([(1, AS_OF - 300 * DAY, -10.0), (1, AS_OF - 50 * DAY, 5.0), (1, AS_OF - 20 * DAY, 5.0)], ""),
        ([(1, AS_OF - 300 * DAY, 5.0), (1, AS_OF - 200 * DAY, -900.0), (1, AS_OF - 20 * DAY, 5.0)], ""),
    ],
)
def test_gives_a_number_or_says_why_not(orders: list[tuple[int, dt.date, float]], code: str) -> None:
    answer = told(facts_of(orders))
    assert answer["code"] == code
    assert (answer["probability"] is None) == bool(code)
    assert answer["horizon_days"] == 90


def test_does_not_say_one_order_before_the_month_is_counted() -> None:
    middle = dt.date(2024, 1, 20)
    known = features(history([(1, dt.date(2024, 1, 10), 5.0), (1, dt.date(2024, 1, 10), 5.0)]), middle, RULES)
    assert predict(known, fitted(), RULES, middle).get_column("code").to_list() == ["one_day"]


def test_gives_no_number_for_facts_that_do_not_count_yet() -> None:
    row = facts_of([(1, AS_OF - 40 * DAY, 10.0), (1, AS_OF - 10 * DAY, 10.0)])
    assert told(row | {"last_order_on": AS_OF})["code"] == "future_facts"
    assert explain(row | {"last_order_on": AS_OF}, fitted(), RULES, AS_OF) is None


@quick
@given(rows())
def test_is_a_probability_whatever_the_facts(row: dict[str, Any]) -> None:
    answer = told(row)
    assert answer["code"] == ""
    assert 0 < answer["probability"] < 1


def test_answers_each_row_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    known = features(firm(), AS_OF, RULES)
    whole = predict(known, fitted(), RULES, AS_OF)
    monkeypatch.setattr(forecast, "CHUNK", 7)
    assert_frame_equal(predict(known.reverse(), fitted(), RULES, AS_OF).reverse(), whole, rel_tol=1e-12)
    assert predict(known.clear(), fitted(), RULES, AS_OF).schema == whole.schema


def test_expects_more_lapses_before_quiet_months() -> None:
    row = facts_of([(1, AS_OF - k * DAY, 50.0) for k in (200, 150, 90, 30)])
    quiet = replace(fitted(), season=Season((0.5, 0.5, 0.5, *(7.0 / 6,) * 9), known=True))
    even = replace(fitted(), season=Season())
    frame = pl.DataFrame([row], schema_overrides=FEATURES)
    [before_quiet], [ordinary] = (
        predict(frame, model, RULES, AS_OF).get_column("probability").to_list() for model in (quiet, even)
    )
    assert before_quiet > ordinary


def test_looks_ahead_by_the_own_cycle_if_the_policy_says_so() -> None:
    slow = facts_of([(1, AS_OF - k * DAY, 50.0) for k in (301, 151, 100)])
    quick_one = facts_of([(1, AS_OF - k * DAY, 50.0) for k in (30, 20, 10)])
    assert (told(slow, OWN_CYCLE)["horizon_days"], told(quick_one, OWN_CYCLE)["horizon_days"]) == (201, 60)
    assert (told(slow, OWN_CYCLE)["code"], told(slow)["code"]) == ("", "lapsed")
    assert fit(firm(), AS_OF, OWN_CYCLE).reason == ""


def test_warns_by_silence_without_a_model() -> None:
    known = features(history([(1, AS_OF - 60 * DAY, 1.0), (2, AS_OF - 61 * DAY, 1.0)]), AS_OF, RULES)
    assert silence_rule(known, RULES, AS_OF).to_dicts() == [
        {"customer_id": 1, "silence_days": 60, "warned": False},
        {"customer_id": 2, "silence_days": 61, "warned": True},
    ]


# ── reasons ─────────────────────────────────────────────────────────────────


@quick
@given(rows(), st.sampled_from([RULES, OWN_CYCLE]))
def test_adds_up_to_the_forecast_exactly(row: dict[str, Any], rules: ForecastPolicy) -> None:
    explained = explain(row, fitted(), rules, AS_OF)
    answer = told(row, rules)
    if explained is None:
        assert answer["probability"] is None
        return
    assert explained.percent == whole_percent(answer["probability"])
    assert explained.usual + sum(part.points for part in explained.parts) + explained.other == explained.percent
    assert len(explained.parts) <= 3
    strengths = [abs(part.points) for part in explained.parts]
    assert strengths == sorted(strengths, reverse=True)


def test_starts_everybody_from_the_same_usual() -> None:
    known = features(firm(), AS_OF, RULES)
    explained = [explain(row, fitted(), RULES, AS_OF) for row in known.head(60).to_dicts()]
    assert len({each.usual for each in explained if each is not None}) == 1


def test_names_silence_when_silence_is_all_that_differs() -> None:
    usual = fitted().typical[20]
    last = AS_OF - 85 * DAY
    row = {name: usual[name] for name in FEATURES if name in usual} | {
        "customer_id": 1, "last_order_on": last, "first_order_on": last - int(usual["span"] or 0) * DAY,
    }  # fmt: skip
    explained = explain(row, replace(fitted(), typical=(usual,)), RULES, AS_OF)
    assert explained is not None
    assert {part.key for part in explained.parts} <= {"silence", "season"}
    assert explained.parts[0].key == "silence"
    assert explained.parts[0].points > 0
    assert explained.parts[0].inputs["days"] == 85


def test_names_the_season_by_how_busy_it_is() -> None:
    quiet = replace(fitted(), season=Season((0.4, 0.4, 0.4, *(3.6 / 3,) * 9), known=True))
    row = facts_of([(1, AS_OF - k * DAY, 50.0) for k in (200, 150, 90, 30)])
    explained = explain(row, quiet, RULES, AS_OF)
    assert explained is not None
    [season] = [part for part in explained.parts if part.key == "season"]
    assert season.points > 0
    assert season.inputs["busy"] == 40


def test_gives_no_reasons_without_a_number() -> None:
    assert explain(facts_of([(1, AS_OF - 40 * DAY, 10.0)]), fitted(), RULES, AS_OF) is None
    row = facts_of([(1, AS_OF - 40 * DAY, 10.0), (1, AS_OF - 10 * DAY, 10.0)])
    assert explain(row, forecast.Fit(as_of=AS_OF, reason="few_customers"), RULES, AS_OF) is None
