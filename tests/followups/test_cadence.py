"""It: the cadence and the ranking of follow-ups."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followups.rules.cadence import CUSTOMERS, TOUCHED, TOUCHES, due, next_touch, offset_days, plan, starting
from followups.rules.policy import KINDS, CadencePolicy, Touch
from followups.rules.ranking import LEVEL_WEIGHTS, Level, priority, priority_of, urgency

D = dt.date(2026, 11, 20)
quick = settings(max_examples=50, deadline=None)
CALLBACK = CadencePolicy.pack("callback")
STARTER = CadencePolicy.pack("starter")
BUSY = CadencePolicy(
    tiers={
        "gold": (Touch(kind="deep_talk", every_days=30), Touch(kind="review", times=1, per="quarter")),
        "silver": (Touch(kind="report", every_days=1), Touch(kind="message", every_days=1)),
        "bronze": (Touch(kind="message", every_days=1),),
    }
)


def touches(*rows: tuple[int, str, str, int | None, int]) -> pl.DataFrame:
    """Customer, tier, kind, days since the last touch, days under the cadence."""
    return pl.DataFrame(
        [
            (customer, tier, kind, None if ago is None else D - dt.timedelta(ago), D - dt.timedelta(under))
            for customer, tier, kind, ago, under in rows
        ],
        schema=dict(TOUCHES),
        orient="row",
    )


@pytest.mark.parametrize(
    ("tier", "ago", "late"),
    [("gold", 9, None), ("gold", 10, 0), ("gold", 13, 3), ("silver", 44, None), ("silver", 45, 0), ("bronze", 370, 5)],
)
def test_falls_due_an_interval_after_the_last_touch_of_the_kind(tier: str, ago: int, late: int | None) -> None:
    got = due(touches((1, tier, "light_touch", ago, 900)), CALLBACK, D).rows()
    last = (D - dt.timedelta(ago)).isoformat()
    expected = [] if late is None else [(1, "light_touch", "cadence:light_touch", D - dt.timedelta(late), last)]
    assert got == expected


def test_asks_a_deep_talk_of_champions_each_month_and_a_light_touch_of_others_each_quarter() -> None:
    rows = touches(
        (1, "champions", "deep_talk", 30, 900),
        (2, "champions", "light_touch", 300, 900),
        (3, "general_win_back", "light_touch", 90, 900),
        (4, "general_win_back", "light_touch", 89, 900),
        (5, "", "light_touch", 400, 900),
    )
    assert due(rows, STARTER, D)["customer_id"].to_list() == [1, 3]


def test_is_never_due_before_the_customer_came_under_the_cadence() -> None:
    long_ago = due(touches((1, "gold", "light_touch", 200, 4)), CALLBACK, D)
    assert long_ago["due_on"].to_list() == [D - dt.timedelta(4)]


@quick
@given(
    st.lists(
        st.tuples(
            st.integers(1, 2**40),
            st.sampled_from(["gold", "silver", "bronze", ""]),
            st.sampled_from(KINDS),
            st.none() | st.integers(1, 400),
            st.integers(0, 800),
        ),
        max_size=40,
    ),
    st.sampled_from([CALLBACK, BUSY]),
)
def test_lists_just_what_is_due_and_each_rule_and_period_once(
    rows: list[tuple[int, str, str, int | None, int]], policy: CadencePolicy
) -> None:
    once = {(customer, kind): (customer, tier, kind, ago, under) for customer, tier, kind, ago, under in rows}
    frame = touches(*once.values())
    got = due(frame, policy, D)
    assert (got["due_on"] <= D).all()
    assert got.select("customer_id", "rule", "period").is_unique().all()
    assert got.equals(got.sort("due_on", "customer_id", "kind"))
    wanted = {
        (customer, kind)
        for customer, tier, kind, ago, under in once.values()
        for touch in policy.tiers.get(tier, ())
        if touch.kind == kind != "message"
        if (ago is not None and ago >= touch.interval_days) or (ago is None and under >= touch.interval_days)
    }
    listed = set(got.select("customer_id", "kind").rows())
    assert wanted <= listed
    late = due(frame, policy, D + dt.timedelta(7))
    assert listed <= set(late.select("customer_id", "kind").rows())


@pytest.mark.parametrize("interval", [1, 7, 10, 30, 45, 90, 365])
@pytest.mark.parametrize("kind", KINDS)
def test_spreads_first_touches_evenly_over_the_interval(interval: int, kind: str) -> None:
    days = pl.DataFrame({"id": range(1, 200 * interval + 1)}).select(
        day=offset_days(pl.col("id"), pl.lit(kind), pl.lit(interval))
    )
    customers_on = Counter(days["day"].to_list())
    assert sorted(customers_on) == list(range(interval))
    assert all(190 <= customers <= 210 for customers in customers_on.values())


def test_keeps_a_customer_s_day_for_ever() -> None:
    days = pl.DataFrame({"id": [1, 2, 3, 12347, 2**33 + 1, 2**62]}).select(
        light=offset_days(pl.col("id"), pl.lit("light_touch"), pl.lit(90)),
        deep=offset_days(pl.col("id"), pl.lit("deep_talk"), pl.lit(30)),
    )
    assert days.rows() == [(66, 18), (32, 7), (88, 25), (89, 25), (66, 18), (11, 0)]


def test_brings_all_first_touches_within_one_interval() -> None:
    fresh = touches(*((customer, "silver", "light_touch", None, 0) for customer in range(1, 901)))
    by_day = [due(fresh, CALLBACK, D + dt.timedelta(days)).height for days in (0, 22, 44)]
    assert by_day[2] == 900
    assert 15 <= by_day[0] <= 25
    assert 440 <= by_day[1] <= 480
    assert set(due(fresh, CALLBACK, D)["period"]) == {"start"}


def test_plans_a_row_for_each_kind_of_the_tier_with_the_latest_touch() -> None:
    customers = pl.DataFrame(
        [(1, "gold", D), (2, "silver", D), (3, "", D), (4, "unheard", D), (5, "bronze", D)],
        schema=dict(CUSTOMERS),
        orient="row",
    )
    touched = pl.DataFrame(
        [
            (1, "review", D - dt.timedelta(9)),
            (1, "review", D - dt.timedelta(3)),
            (1, "message", D),
            (9, "review", D),
        ],
        schema=dict(TOUCHED),
        orient="row",
    )
    got = plan(customers, touched, BUSY).sort("customer_id", "kind").rows()
    assert got == [
        (1, "gold", "deep_talk", None, D),
        (1, "gold", "review", D - dt.timedelta(3), D),
        (2, "silver", "report", None, D),
    ]


def test_asks_nobody_for_an_automatic_message() -> None:
    rows = touches(
        (1, "silver", "message", 300, 900), (2, "silver", "report", 300, 900), (3, "basic", "message", 99, 99)
    )
    assert due(rows, BUSY, D)["kind"].to_list() == ["report"]
    assert due(rows, CadencePolicy.pack("sales-team"), D).height == 0
    touched = {"message": D - dt.timedelta(300), "report": D - dt.timedelta(3)}
    assert next_touch("silver", touched, BUSY) == ("report", D - dt.timedelta(2))
    assert next_touch("bronze", touched, BUSY) is None


def test_finds_nothing_due_in_an_empty_tenant_or_without_a_cadence() -> None:
    assert due(touches(), CALLBACK, D).height == 0
    assert due(touches((1, "gold", "light_touch", 400, 900)), CadencePolicy(), D).height == 0
    nobody = plan(pl.DataFrame(schema=dict(CUSTOMERS)), pl.DataFrame(schema=dict(TOUCHED)), CALLBACK)
    assert nobody.columns == list(TOUCHES)
    assert due(nobody, CALLBACK, D).columns == ["customer_id", "kind", "rule", "due_on", "period"]


money = st.none() | st.integers(-(10**9), 10**15)
scores = st.none() | st.integers(0, 100)
levels = st.sampled_from(sorted(LEVEL_WEIGHTS))


@quick
@given(st.lists(st.tuples(money, scores, levels), max_size=30))
def test_ranks_one_follow_up_as_it_ranks_a_column(rows: list[tuple[int | None, int | None, Level]]) -> None:
    frame = pl.DataFrame(rows, schema={"money": pl.Int64, "score": pl.Int16, "level": pl.String}, orient="row")
    got = frame.select(priority(pl.col("money"), pl.col("score"), pl.col("level")).alias("rank"))["rank"]
    assert got.to_list() == [priority_of(worth or 0, score, level) for worth, score, level in rows]


def test_puts_more_money_worse_health_and_a_heavier_reason_first() -> None:
    usual = priority_of(5_000_000, 60, "mild")
    assert usual == 50_000 * 40 * 2
    assert priority_of(9_000_000, 60, "mild") > usual
    assert priority_of(5_000_000, 30, "mild") > usual
    assert priority_of(5_000_000, 60, "severe") > usual > priority_of(5_000_000, 60, "routine") > 0
    assert priority_of(5_000_000, 95, "mild") == priority_of(5_000_000, 80, "mild")
    assert priority_of(5_000_000, None, "mild") == priority_of(5_000_000, 50, "mild")
    assert priority_of(-70, 100, "routine") == 100 * 20


def test_makes_late_ones_more_urgent_up_to_three_times() -> None:
    late = pl.DataFrame({"due_on": [D - dt.timedelta(days) for days in (-3, -1, 0, 1, 2, 8, 9, 400)]})
    assert late.select(urgency(pl.col("due_on"), D).alias("percent"))["percent"].to_list() == [
        50,
        50,
        100,
        125,
        150,
        300,
        300,
        300,
    ]


@quick
@given(
    since=st.dates(dt.date(2026, 1, 1), dt.date(2026, 3, 1)),
    nights=st.integers(0, 3),
    ids=st.lists(st.integers(1, 2**40), unique=True, min_size=1, max_size=30),
    came=st.integers(-200, 5),
)
def test_starts_whoever_is_due_for_the_first_time_between_two_nights(
    since: dt.date, nights: int, ids: list[int], came: int
) -> None:
    as_of, on = since + dt.timedelta(nights), since + dt.timedelta(came)
    customers = pl.DataFrame({"customer_id": ids}).with_columns(tier=pl.lit("gold"), since=pl.lit(on))
    planned = plan(customers, pl.DataFrame(schema=dict(TOUCHED)), BUSY)

    def first(day: dt.date) -> set[tuple[int, str]]:
        return set(due(planned, BUSY, day).select("customer_id", "kind").rows())

    started = {customer for customer, _kind in first(as_of) - first(since)}
    found = set(starting(customers, BUSY, since, as_of))
    assert found == (started if on < since else set(ids))
