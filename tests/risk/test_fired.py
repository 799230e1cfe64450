"""It: all risk signals, from a frame of facts."""

from __future__ import annotations

import datetime as dt
import json
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.rules.policy import SIGNAL_CODES, RiskPolicy
from risk.rules.signals import (
    FIRED,
    LEVELS,
    SIGNAL_FACTS,
    SIGNALS,
    falling,
    fired,
    gaps,
    knowable,
    news,
    possible,
    settled,
)

D = dt.date(2026, 11, 20)
POLICY = RiskPolicy.pack("callback")
quick = settings(max_examples=60, deadline=None)

ALERTS = {"customer_id": pl.Int64, "signal": pl.String, "period": pl.String, "is_open": pl.Boolean}


def ago(days: int) -> dt.date:
    return D - dt.timedelta(days=days)


def facts(*rows: dict[str, Any]) -> pl.DataFrame:
    """Customers 1, 2 … who ordered yesterday, with what a row says beside; nothing else is known."""
    told = [{"customer_id": n, "tier": "", "last_order_on": ago(1), **row} for n, row in enumerate(rows, 1)]
    return pl.DataFrame(
        [[row.get(name) for name in SIGNAL_FACTS] for row in told], schema=dict(SIGNAL_FACTS), orient="row"
    )


def said(row: dict[str, Any], policy: RiskPolicy = POLICY) -> list[str]:
    return fired(facts(row), policy, D)["signal"].to_list()


NPS = {"promoters": 1, "detractors": 2, "nps_count": 4}
PULL = {
    "falling_months": 3,
    "month_first": 90_000,
    "month_last": 40_000,
    "competitor_recent": 2,
    "competitor_before": 1,
}


@pytest.mark.parametrize(
    ("signal", "facts_", "still"),
    [
        ("frequency_falling", {"gap_recent": 15.0, "gap_before": 10.0}, {"gap_recent": 14.9}),
        ("activity_drop", {"activity_recent": 4, "activity_before": 8}, {"activity_recent": 5}),
        ("activity_drop", {"activity_recent": 1, "activity_before": 4}, {"activity_before": 3}),
        ("category_drop", {"categories_recent": 7, "categories_before": 10}, {"categories_recent": 8}),
        ("category_drop", {"categories_recent": 1, "categories_before": 3}, {"categories_before": 2}),
        (
            "complaint_rise",
            {"complaints_recent": 3, "complaints_before": 4, "orders_recent": 10, "orders_before": 20},
            {"orders_recent": 11},
        ),
        (
            "complaint_rise",
            {"complaints_recent": 2, "complaints_before": 0, "orders_recent": 2, "orders_before": 40},
            {"complaints_recent": 1},
        ),
        ("competitor_pull", PULL, {"falling_months": 2}),
        ("competitor_pull", PULL, {"competitor_before": 2}),
        ("unanswered", {"unanswered_run": 3, "last_asked_on": ago(2)}, {"unanswered_run": 2}),
        ("leaving", {"leaving": "considers", "leaving_at": "2026-11-18T10:00:00.000000"}, {"leaving": ""}),
        (
            "repeated_question",
            {"repeated_times": 3, "repeated_topic": "late", "repeated_on": ago(2)},
            {"repeated_times": None},
        ),
        ("lapse_forecast", {"percent": 61, "is_warned": True, "warned_on": ago(4)}, {"is_warned": False}),
        ("lapse_forecast", {"percent": 61, "is_warned": True, "warned_on": ago(4)}, {"percent": None}),
    ],
)
def test_fires_on_the_line_and_not_beside_it(signal: str, facts_: dict[str, Any], still: dict[str, Any]) -> None:
    assert said(facts_) == [signal]
    assert said(facts_ | still) == []


def test_takes_discontent_for_severe_only_with_silence() -> None:
    silent = NPS | {"last_order_on": ago(90)}
    assert said(silent) == ["nps_silence", "order_silence"]
    assert said(NPS | {"last_order_on": ago(89)}) == ["order_silence"]
    assert said(silent | {"detractors": 1}) == ["order_silence"]
    assert said(silent | {"last_order_on": ago(366)}) == []


@pytest.mark.parametrize("signal", SIGNAL_CODES)
def test_says_of_each_its_class_level_answer_and_clock(signal: str) -> None:
    everything = PULL | NPS | {
        "tier": "gold", "last_order_on": ago(100), "median_gap": 10.0, "last_contact_on": ago(40),
        "gap_recent": 30.0, "gap_before": 10.0, "activity_recent": 0, "activity_before": 9, "categories_recent": 1,
        "categories_before": 9, "complaints_recent": 4, "complaints_before": 1, "orders_recent": 4, "orders_before": 40,
        "unanswered_run": 4, "last_asked_on": ago(1), "leaving": "broke_off", "leaving_at": "2026-11-18T10:00:00.000000",
        "repeated_times": 3, "repeated_topic": "late", "repeated_on": ago(2), "percent": 80, "is_warned": True, "warned_on": ago(4), "ratio": 0.5, "products": 3,
        "since": ago(9),
    }  # fmt: skip
    rows = {row["signal"]: row for row in fired(facts(everything), POLICY, D).rows(named=True)}
    rule = SIGNALS[signal]  # type: ignore[index]  # one of the codes
    row = rows[signal]
    assert (row["risk_class"], row["role"], row["answer"]) == (rule.risk_class, rule.role, rule.answer)
    assert row["level"] == (rule.level or "severe"), "a forecast weighs what its customer is worth"
    assert row["answer_hours"] == {"mild": 24, "moderate": 48, "severe": 24}[row["level"]]
    assert json.loads(row["facts"])
    assert (row["period"] is None) == rule.is_state
    off = POLICY.model_copy(update={"watched": tuple(code for code in SIGNAL_CODES if code != signal)})
    assert signal not in fired(facts(everything), off, D)["signal"]


@pytest.mark.parametrize(("tier", "level"), [("gold", "severe"), ("silver", "moderate"), ("bronze", "mild")])
def test_weighs_a_forecast_by_what_the_customer_is_worth(tier: str, level: str) -> None:
    warned = {"tier": tier, "percent": 61, "is_warned": True, "warned_on": ago(4)}
    assert fired(facts(warned), POLICY, D)["level"].to_list() == [level]


def test_says_nothing_where_nothing_is_known() -> None:
    nothing = facts({"last_order_on": None})
    assert fired(nothing, POLICY, D).is_empty()
    assert set(knowable(nothing, POLICY).values()) == {0}
    assert knowable(facts({"unanswered_run": 0, "last_asked_on": ago(3)}, {}), POLICY)["unanswered"] == 1


NEEDS: dict[str, list[str]] = {
    "contact_silence": ["last_contact_on"],
    "frequency_falling": ["gap_recent", "gap_before"],
    "activity_drop": ["activity_recent", "activity_before"],
}
"""What each rests on beside the tier and the last order."""

known_or_not = st.none() | st.integers(0, 9)


@st.composite
def a_customer(draw: st.DrawFn) -> dict[str, Any]:
    """Facts near the lines, of which any may be unknown."""
    days = {name: draw(st.none() | st.sampled_from([1, 29, 30, 59, 60, 90, 364, 365, 366, 400])) for name in "ab"}
    return {
        "tier": draw(st.sampled_from(["gold", "silver", "bronze", ""])),
        "last_order_on": None if days["a"] is None else ago(days["a"]),
        "last_contact_on": None if days["b"] is None else ago(days["b"]),
        **{name: draw(known_or_not) for name in ("activity_recent", "activity_before")},
        **{name: draw(st.none() | st.sampled_from([5.0, 10.0, 15.0, 30.0])) for name in ("gap_recent", "gap_before")},
    }


@quick
@given(st.lists(a_customer(), max_size=25))
def test_fires_only_what_is_possible_and_needs_no_other_facts_than_of_these(rows: list[dict[str, Any]]) -> None:
    full = facts(*rows)
    said = fired(full, POLICY, D)
    needed = full
    for signal, columns in NEEDS.items():
        can = possible(signal, POLICY, D).fill_null(value=False)  # type: ignore[arg-type]  # one of the codes
        fires = said.filter(pl.col("signal") == signal)["customer_id"].to_list()
        assert set(fires) <= set(full.filter(can)["customer_id"])
        needed = needed.with_columns(pl.when(can).then(pl.col(name)).alias(name) for name in columns)
    assert fired(needed, POLICY, D).rows() == said.rows()


@pytest.mark.parametrize("signal", SIGNAL_CODES)
def test_takes_nothing_for_impossible_that_fires(signal: str) -> None:
    everything = PULL | NPS | {
        "tier": "gold", "last_order_on": ago(100), "last_contact_on": ago(40), "gap_recent": 30.0, "gap_before": 10.0,
        "activity_recent": 0, "activity_before": 9, "leaving": "broke_off", "repeated_times": 3,
    }  # fmt: skip
    assert facts(everything).filter(possible(signal, POLICY, D)).height == 1  # type: ignore[arg-type]  # a code
    gone = facts(everything | {"tier": "", "last_order_on": ago(366)})
    assert gone.filter(possible(signal, POLICY, D)).height == (signal not in NEEDS)  # type: ignore[arg-type]  # a code


# ── facts that the rules make ───────────────────────────────────────────────


@quick
@given(
    st.lists(st.integers(0, 400), max_size=24, unique=True), st.integers(2, 5)
)  # fmt: skip
def test_compares_the_last_gaps_with_those_before(days: list[int], number: int) -> None:
    policy = POLICY.model_copy(update={"frequency_gaps": number})
    frame = pl.DataFrame(
        {"customer_id": [7] * len(days), "day": [ago(each) for each in days]},
        schema={"customer_id": pl.Int64, "day": pl.Date},
    )
    got = gaps(frame, policy).rows()
    order = sorted(days, reverse=True)
    each = [before - after for before, after in pairwise(order)]
    earlier = each[:-number][-3 * number :]
    if len(earlier) < number:
        assert got == []
        return

    def median(numbers: list[int]) -> float:
        middle = sorted(numbers)
        half = len(middle) // 2
        return float(middle[half]) if len(middle) % 2 else (middle[half - 1] + middle[half]) / 2

    assert got == [(7, median(each[-number:]), median(earlier))]


@quick
@given(st.lists(st.integers(-5, 100), min_size=4, max_size=4))
def test_counts_months_that_fall_one_after_the_other(months: list[int]) -> None:
    frame = pl.DataFrame({"customer_id": [1], **{f"month_{n}": [net] for n, net in enumerate(months)}})
    run = 0
    for before, now in pairwise(months):
        run = run + 1 if before > 0 and now <= before * 0.8 + 1e-9 else 0
    assert falling(frame, POLICY).row(0) == (1, run, months[0], months[3])


# ── periods ─────────────────────────────────────────────────────────────────


def alerts(*rows: tuple[int, str, str, bool]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=ALERTS, orient="row")


HALVED = facts({"activity_recent": 1, "activity_before": 9})


def test_a_state_begins_with_the_night_that_sees_it_and_is_no_news_while_its_alert_is_open() -> None:
    found = fired(HALVED, POLICY, D)
    assert settled(found, alerts(), D)["period"].to_list() == ["2026-11-20"]
    later = settled(fired(HALVED, POLICY, D + dt.timedelta(1)), alerts((1, "activity_drop", "2026-11-20", True)), D)
    assert later["period"].to_list() == ["2026-11-20"]
    assert later.columns == list(FIRED)


def test_a_state_rests_after_a_person_has_closed_its_alert_and_other_signals_do_not() -> None:
    both = fired(
        facts({"activity_recent": 1, "activity_before": 9, "unanswered_run": 3, "last_asked_on": ago(2)}), POLICY, D
    )
    closed = alerts((1, "activity_drop", "2026-11-01", False), (1, "unanswered", "2026-11-01", False))
    assert settled(both, closed, D).select("signal", "period").rows() == [("unanswered", "2026-11-18")]


def test_hands_on_only_what_the_open_alerts_do_not_say() -> None:
    row = {"percent": 61, "is_warned": True, "warned_on": ago(4), "tier": "silver"}
    found = settled(fired(facts(row), POLICY, D), alerts(), D)
    there = found.select("customer_id", "signal", "period", "level", is_open=pl.lit(True))
    assert news(found, there).is_empty()
    assert news(found, there.with_columns(level=pl.lit("mild"))).equals(found), "it weighs more now"
    assert news(found, there.with_columns(period=pl.lit("2026-01-01"))).equals(found), "another warning"
    assert news(found, there.with_columns(is_open=pl.lit(False))).equals(found)


@quick
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 5), st.integers(0, 5), st.booleans()),
        max_size=12,
    )
)
def test_settling_twice_changes_nothing(rows: list[tuple[int, int, int, int, bool]]) -> None:
    told = facts(
        *(
            {"activity_recent": now, "activity_before": before, "unanswered_run": run, "last_asked_on": ago(run),
             "repeated_times": open_ or None, "repeated_on": ago(open_), "tier": "gold" if is_gold else ""}
            for now, before, run, open_, is_gold in rows
        )
    )  # fmt: skip
    first = settled(fired(told, POLICY, D), alerts(), D)
    assert first.select("customer_id", "signal").is_unique().all()
    assert set(first["level"]) <= set(LEVELS)
    opened = first.select("customer_id", "signal", "period", is_open=pl.lit(True)).cast(ALERTS)  # type: ignore[arg-type]  # by name
    again = settled(fired(told, POLICY, D), opened, D + dt.timedelta(1))
    assert again.equals(first), "what is open fires with the same period: nothing is opened, nothing repeated"
