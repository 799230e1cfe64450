"""It: the tiers, where a customer belongs and when the move happens."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.rules.policy import TierPolicy
from segmentation.rules.rfm import RFM_FACTS, score
from segmentation.rules.tiers import SEGMENT_TIERS, TIER_ORDER, assign, settle

D = dt.date(2026, 11, 20)
quick = settings(max_examples=50, deadline=None)
CALLBACK = TierPolicy.pack("callback")
STARTER = TierPolicy.pack("starter")

Customer = tuple[int | None, int, int]

customers = st.lists(st.tuples(st.none() | st.integers(1, 60), st.integers(0, 12), st.integers(-20, 60)), max_size=60)


def scored(rows: list[Customer]) -> pl.DataFrame:
    facts = pl.DataFrame(
        [
            (number, None if days is None else D - dt.timedelta(days), orders, money)
            for number, (days, orders, money) in enumerate(rows, start=1)
        ],
        schema=dict(RFM_FACTS),
        orient="row",
    )
    return score(facts, D)


def targets(rows: list[Customer], policy: TierPolicy) -> list[str]:
    return assign(scored(rows), policy)["target"].to_list()


@quick
@given(customers)
def test_sorts_gold_silver_bronze_as_by_hand(rows: list[Customer]) -> None:
    ranked = scored(rows).filter(pl.col("r").is_not_null()).rows(named=True)

    def in_best(percent: int, better: int) -> bool:
        return better * 100 < percent * len(ranked)

    expected = {}
    for row in ranked:
        total = row["r"] + row["f"] + row["m"]
        recent = in_best(20, sum(o["recency_days"] < row["recency_days"] for o in ranked))
        rich = in_best(15, sum(o["monetary"] > row["monetary"] for o in ranked))
        good = in_best(40, sum(o["r"] + o["f"] + o["m"] > total for o in ranked))
        expected[row["customer_id"]] = "gold" if recent and rich else "silver" if good else "bronze"
    got = assign(scored(rows), CALLBACK)
    assert dict(got.filter(pl.col("target") != "").select("customer_id", "target").iter_rows()) == expected


@quick
@given(customers, st.sampled_from([CALLBACK, STARTER]))
def test_puts_every_customer_who_ordered_into_exactly_one_tier_and_the_others_into_none(
    rows: list[Customer], policy: TierPolicy
) -> None:
    for (days, _, _), tier in zip(rows, targets(rows, policy), strict=True):
        assert tier == "" if days is None else tier in TIER_ORDER[policy.scheme]


@quick
@given(customers, st.sampled_from([CALLBACK, STARTER]))
def test_keeps_equal_customers_together(rows: list[Customer], policy: TierPolicy) -> None:
    by_facts: dict[Customer, set[str]] = {}
    for row, tier in zip(rows, targets(rows, policy), strict=True):
        by_facts.setdefault(row if row[0] is not None else (None, 0, 0), set()).add(tier)
    assert all(len(tiers) == 1 for tiers in by_facts.values())


@quick
@given(customers)
def test_names_the_starter_tier_after_the_segment(rows: list[Customer]) -> None:
    frame = assign(scored(rows), STARTER)
    assert frame["target"].to_list() == [SEGMENT_TIERS.get(segment, "") for segment in frame["segment"]]


def test_gives_gold_to_twenty_percent_of_ten_when_one_is_recent_and_rich() -> None:
    rows: list[Customer] = [(day, 5, 100 - day) for day in range(1, 11)]
    assert targets(rows, CALLBACK) == ["gold"] * 2 + ["silver"] * 2 + ["bronze"] * 6


def test_makes_a_crowd_of_equals_all_gold_and_nobody_where_the_lines_are_zero() -> None:
    rows: list[Customer] = [(3, 4, 50)] * 9
    assert set(targets(rows, CALLBACK)) == {"gold"}
    closed = TierPolicy(scheme="callback", gold_recency_best=0, silver_best=0)
    assert set(targets(rows, closed)) == {"bronze"}


def test_says_which_facts_decided_in_a_form_that_json_keeps() -> None:
    rows: list[Customer] = [(1, 3, 90), (1, 2, 80), (5, 1, 10), (None, 0, 0)]
    why = assign(scored(rows), CALLBACK)["why"]
    second: dict[str, Any] = json.loads(why.struct.json_encode()[1])
    assert second["recency_days"] == 1
    assert second["monetary"] == 80
    assert (second["better_recency"], second["better_money"], second["better_score"]) == (0.0, 33.33, 33.33)
    assert why[3] is None


@pytest.mark.parametrize("policy", [CALLBACK, STARTER])
def test_assigns_and_settles_nobody_in_an_empty_tenant(policy: TierPolicy) -> None:
    empty = assign(scored([]), policy).with_columns(
        tier=pl.lit(None, dtype=pl.String), below_since=pl.lit(None, dtype=pl.Date)
    )
    assert settle(empty, policy, D).height == 0


def one(tier: str | None, target: str, below_since: dt.date | None) -> pl.DataFrame:
    return pl.DataFrame(
        {"customer_id": [1], "tier": [tier], "target": [target], "below_since": [below_since]},
        schema_overrides={"tier": pl.String, "below_since": pl.Date},
    )


@pytest.mark.parametrize(
    ("tier", "target", "below_since", "now", "since", "move"),
    [
        (None, "silver", None, "silver", None, "start"),
        ("", "", None, "", None, ""),
        ("silver", "gold", None, "gold", None, "rise"),
        ("silver", "gold", D - dt.timedelta(5), "gold", None, "rise"),
        ("silver", "silver", D - dt.timedelta(29), "silver", None, ""),
        ("gold", "bronze", None, "gold", D, ""),
        ("gold", "bronze", D - dt.timedelta(29), "gold", D - dt.timedelta(29), ""),
        ("gold", "bronze", D - dt.timedelta(30), "bronze", None, "fall"),
        ("gold", "bronze", D + dt.timedelta(3), "gold", D + dt.timedelta(3), ""),
        ("gold", "", None, "", None, "end"),
        ("champions", "bronze", None, "bronze", None, "scheme"),
    ],
)
def test_rises_at_once_and_falls_only_after_the_grace(
    tier: str | None, target: str, below_since: dt.date | None, now: str, since: dt.date | None, move: str
) -> None:
    row = settle(one(tier, target, below_since), CALLBACK, D).row(0, named=True)
    assert (row["tier"], row["below_since"], row["move"]) == (now, since, move)
    assert row["tier_before"] == (tier or "")
    assert row["changed"] == (move != "")


@quick
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", *TIER_ORDER["starter"]]),
            st.sampled_from(["", *TIER_ORDER["starter"]]),
            st.none() | st.integers(0, 60),
        ),
        max_size=40,
    )
)
def test_changes_nothing_when_the_same_night_runs_again(rows: list[tuple[str, str, int | None]]) -> None:
    standing = pl.DataFrame(
        [(n, a, b, None if c is None else D - dt.timedelta(c)) for n, (a, b, c) in enumerate(rows)],
        schema={"customer_id": pl.Int64, "tier": pl.String, "target": pl.String, "below_since": pl.Date},
        orient="row",
    )
    once = settle(standing, STARTER, D)
    again = settle(once.select(standing.columns), STARTER, D)
    assert again.select(standing.columns).equals(once.select(standing.columns))
    assert not again["changed"].any()


@quick
@given(st.lists(st.sampled_from(TIER_ORDER["callback"]), min_size=1, max_size=90))
def test_never_falls_before_thirty_nights_in_a_row_below(nightly_targets: list[str]) -> None:
    order = TIER_ORDER["callback"]
    standing = one(nightly_targets[0], nightly_targets[0], None)
    nights_below = 0
    for night, target in enumerate(nightly_targets):
        before = standing["tier"][0]
        nights_below = nights_below + 1 if order.index(target) > order.index(before) else 0
        standing = settle(standing.with_columns(target=pl.lit(target)), CALLBACK, D + dt.timedelta(night))
        now = standing["tier"][0]
        if order.index(target) < order.index(before):
            assert now == target
        elif nights_below > CALLBACK.grace_days:
            assert now == target
            nights_below = 0
        else:
            assert now == before
