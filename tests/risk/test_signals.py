"""It: the night's risk signals."""

from __future__ import annotations

import datetime as dt
import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followups.rules.ranking import LEVEL_WEIGHTS
from risk.rules.policy import RiskPolicy
from risk.rules.signals import DRIFTS, FACTS, silence, spec_drift

D = dt.date(2026, 11, 20)
quick = settings(max_examples=50, deadline=None)
CALLBACK = RiskPolicy.pack("callback")

Customer = tuple[str, int | None, float | None, int | None]  # tier, days without order, own gap, days without contact

customers = st.lists(
    st.tuples(
        st.sampled_from(["gold", "silver", "bronze", ""]),
        st.none() | st.integers(1, 500),
        st.none() | st.integers(2, 400).map(lambda halves: halves / 2),
        st.none() | st.integers(1, 120),
    ),
    max_size=30,
)


def ago(days: int | None) -> dt.date | None:
    return None if days is None else D - dt.timedelta(days)


def facts(*rows: Customer) -> pl.DataFrame:
    return pl.DataFrame(
        [(number, tier, ago(order), gap, ago(contact)) for number, (tier, order, gap, contact) in enumerate(rows, 1)],
        schema=dict(FACTS),
        orient="row",
    )


@pytest.mark.parametrize(
    ("days", "gap", "threshold"),
    [
        (59, None, None),
        (60, None, 60.0),
        (365, None, 60.0),
        (366, None, None),
        (366, 10.0, None),
        (38, 19.0, None),
        (39, 19.0, 38.0),
        (13, 3.0, None),
        (14, 3.0, 14.0),
        (60, 19.0, 38.0),
        (60, 45.0, 60.0),
        (95, 45.0, 60.0),
        (None, 19.0, None),
    ],
)
def test_hears_the_silence_of_orders(days: int | None, gap: float | None, threshold: float | None) -> None:
    got = silence(facts(("bronze", days, gap, None)), CALLBACK, D).rows(named=True)
    if threshold is None:
        assert got == []
        return
    (row,) = got
    assert (row["signal"], row["risk_class"], row["level"], row["answer"]) == (
        "order_silence",
        "demand",
        "mild",
        "contact",
    )
    assert row["period"] == str(ago(days))
    assert row["facts"] == {"since": ago(days), "days": days, "own_gap": gap, "threshold": threshold}


@pytest.mark.parametrize(
    ("tier", "days", "heard"),
    [
        ("gold", 30, True),
        ("silver", 30, True),
        ("gold", 29, False),
        ("bronze", 99, False),
        ("", 99, False),
        ("gold", None, False),
    ],
)
def test_hears_the_silence_of_contacts_in_the_top_two_tiers(tier: str, days: int | None, *, heard: bool) -> None:
    got = silence(facts((tier, 5, None, days)), CALLBACK, D)
    assert got["signal"].to_list() == (["contact_silence"] if heard else [])
    if heard:
        assert got.select("risk_class", "level", "answer").row(0) == ("relationship", "mild", "light_touch")


def test_answers_the_top_tier_in_a_day_and_the_others_in_two() -> None:
    rows = [(tier, 70, None, None) for tier in ("gold", "silver", "bronze")]
    assert silence(facts(*rows), CALLBACK, D)["answer_hours"].to_list() == [24, 48, 48]


def test_watches_the_starter_pack_s_own_top_tiers() -> None:
    rows = [(tier, 5, None, 40) for tier in ("champions", "develop", "keep", "gold")]
    assert silence(facts(*rows), RiskPolicy.pack("starter"), D)["customer_id"].to_list() == [1, 2]


def test_watches_no_contacts_where_no_tier_is_on_top() -> None:
    got = silence(facts(("gold", 70, None, 40)), RiskPolicy(top_tiers=()), D)
    assert got.select("signal", "answer_hours").rows() == [("order_silence", 48)]


@quick
@given(customers)
def test_raises_each_signal_at_most_once_with_a_reason_that_holds(rows: list[Customer]) -> None:
    got = silence(facts(*rows), CALLBACK, D)
    assert got.select("customer_id", "signal").is_unique().all()
    assert got.equals(got.sort("customer_id", "signal"))
    for row in got.rows(named=True):
        why = row["facts"]
        assert why["days"] >= why["threshold"]
        assert row["level"] in LEVEL_WEIGHTS
        assert dt.date.fromisoformat(row["period"]) == why["since"] == D - dt.timedelta(why["days"])


@quick
@given(customers, st.integers(1, 200))
def test_stays_silent_about_nobody_who_is_still_silent(rows: list[Customer], nights: int) -> None:
    before = silence(facts(*rows), CALLBACK, D)
    after = silence(facts(*rows), CALLBACK, D + dt.timedelta(nights))
    still = before.filter(
        (pl.col("signal") == "contact_silence")
        | (pl.col("facts").struct.field("days") + nights <= CALLBACK.ignore_after_days)
    )
    keys = ["customer_id", "signal", "period"]
    assert set(still.select(keys).rows()) <= set(after.select(keys).rows())


def test_hears_nothing_in_an_empty_tenant() -> None:
    empty = silence(facts(), CALLBACK, D)
    assert empty.height == 0
    assert empty.columns == [
        "customer_id",
        "signal",
        "risk_class",
        "level",
        "answer",
        "answer_hours",
        "period",
        "facts",
    ]


def test_keeps_its_reasons_in_a_form_that_json_keeps() -> None:
    got = silence(facts(("gold", 41, 19.0, None)), CALLBACK, D)
    assert json.loads(got["facts"].struct.json_encode()[0]) == {
        "since": "2026-10-10",
        "days": 41,
        "own_gap": 19.0,
        "threshold": 38.0,
    }


def test_takes_shrinking_orders_for_a_mild_signal_once_per_occurrence() -> None:
    drifts = pl.DataFrame([(7, "gold", 0.62, 4, ago(9)), (3, "", 0.5, 3, D)], schema=dict(DRIFTS), orient="row")
    got = spec_drift(drifts, CALLBACK)
    assert got.columns == silence(facts(), CALLBACK, D).columns
    assert got["customer_id"].to_list() == [3, 7]
    row = got.row(1, named=True)
    assert (row["signal"], row["risk_class"], row["level"], row["answer"]) == (
        "spec_drift",
        "demand",
        "mild",
        "contact",
    )
    assert row["period"] == str(ago(9)), "the night that saw it first: the same occurrence is the same alert"
    assert row["facts"] == {"since": ago(9), "ratio": 0.62, "products": 4}
    assert got["answer_hours"].to_list() == [48, 24]
    assert spec_drift(drifts.clear(), CALLBACK).is_empty()
