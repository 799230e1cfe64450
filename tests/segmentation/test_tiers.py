"""It: the tiers of all schemes, where a customer belongs and when the move happens."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.rules.policy import SCHEMES, TierPolicy
from segmentation.rules.rfm import score
from segmentation.rules.tiers import BY_SCHEME, GROWTH_POINTS, POINTS, SEGMENT_TIERS, TIER_ORDER, assign, settle

D = dt.date(2026, 11, 20)
quick = settings(max_examples=60, deadline=None)
POLICIES = {scheme: TierPolicy.pack(scheme) for scheme in SCHEMES}
CALLBACK, STARTER, SALES = POLICIES["callback"], POLICIES["starter"], POLICIES["sales-team"]
WHOLESALE = TierPolicy(
    scheme="wholesale", strategic_money=40, strategic_years=5, key_money=10, key_years=2, core_share=80
)


class Facts(NamedTuple):
    """A customer: days since the last order (None: never), orders, points of money, days of relation, potential."""

    ago: int | None = 5
    orders: int = 1
    money: int = 0
    relation: int = 900
    position: int | None = None
    growth: str = ""


facts = st.builds(
    Facts,
    ago=st.none() | st.integers(1, 60),
    orders=st.integers(0, 12),
    money=st.integers(-20 * POINTS, 60 * POINTS) | st.sampled_from([0, 10 * POINTS, 40 * POINTS]),
    relation=st.integers(60, 3_000),
    position=st.none() | st.integers(1, 5),
    growth=st.sampled_from(["", *GROWTH_POINTS]),
)
customers = st.lists(facts, max_size=40)
policies = st.sampled_from([WHOLESALE, CALLBACK, SALES, STARTER])


def scored(rows: Sequence[Facts]) -> pl.DataFrame:
    frame = pl.DataFrame(
        [
            (
                number,
                None if row.ago is None else D - dt.timedelta(row.ago),
                row.orders,
                row.money,
                D - dt.timedelta(row.relation),
                row.position,
                row.growth,
            )
            for number, row in enumerate(rows, start=1)
        ],
        schema={
            "customer_id": pl.Int64,
            "last_order_on": pl.Date,
            "frequency": pl.Int64,
            "monetary": pl.Int64,
            "relation_since": pl.Date,
            "industry_position": pl.Int8,
            "growth_potential": pl.String,
        },
        orient="row",
    )
    return score(frame, D)


def assigned(rows: Sequence[Facts], policy: TierPolicy) -> pl.DataFrame:
    return assign(scored(rows), policy, D)


def targets(rows: Sequence[Facts], policy: TierPolicy) -> list[str]:
    return assigned(rows, policy)["target"].to_list()


# ── what every scheme keeps ──────────────────────────────────────────────────


@quick
@given(customers, policies)
def test_puts_every_customer_who_ordered_into_exactly_one_tier_and_the_others_into_none(
    rows: list[Facts], policy: TierPolicy
) -> None:
    got = assigned(rows, policy)
    assert got["customer_id"].to_list() == list(range(1, len(rows) + 1))
    for scheme, column in BY_SCHEME.items():
        for row, tier in zip(rows, got[column], strict=True):
            assert tier == "" if row.ago is None else tier in TIER_ORDER[scheme]
    assert got["target"].equals(got[BY_SCHEME[policy.scheme]])
    assert got["why"].is_null().to_list() == [row.ago is None for row in rows]


@quick
@given(customers, policies)
def test_keeps_equal_customers_together(rows: list[Facts], policy: TierPolicy) -> None:
    got = assigned([*rows, *rows[::-1]], policy)
    by_facts: dict[Facts, set[str]] = {}
    for row, tier in zip([*rows, *rows[::-1]], got["target"], strict=True):
        by_facts.setdefault(row, set()).add(tier)
    assert all(len(tiers) == 1 for tiers in by_facts.values())


def no_worse(one: Facts, other: Facts) -> bool:
    """Whether `one` is at least as good in all that any scheme looks at; what is not known compares with nothing."""
    if one.ago is None or other.ago is None:
        return False
    if (one.position is None) != (other.position is None) or (one.growth == "") != (other.growth == ""):
        return False
    return (
        one.ago <= other.ago
        and one.orders >= other.orders
        and one.money >= other.money
        and one.relation >= other.relation
        and (one.position or 0) >= (other.position or 0)
        and GROWTH_POINTS.get(one.growth, 0) >= GROWTH_POINTS.get(other.growth, 0)
    )


@quick
@given(customers, policies, st.data())
def test_never_puts_a_better_customer_into_a_worse_tier(rows: list[Facts], policy: TierPolicy, data: Any) -> None:
    if rows:  # random customers rarely compare: one that is better than some in everything
        least = data.draw(st.sampled_from(rows))
        better = least._replace(
            ago=max(1, least.ago - 3) if least.ago else None,
            orders=least.orders + 2,
            money=least.money + data.draw(st.integers(0, 9 * POINTS)),
            relation=least.relation + data.draw(st.integers(0, 800)),
            position=min(5, least.position + 1) if least.position else None,
        )
        rows = [*rows, better]
    got = assigned(rows, policy)
    for scheme, column in BY_SCHEME.items():
        order = TIER_ORDER[scheme]
        places = [order.index(tier) if tier else None for tier in got[column]]
        for (one, above), (other, below) in combinations(list(zip(rows, places, strict=True)), 2):
            if no_worse(one, other):
                assert above <= below, (scheme, one, other)
            if no_worse(other, one):
                assert below <= above, (scheme, other, one)


@quick
@given(customers, policies, st.randoms())
def test_does_not_depend_on_the_order_of_the_rows(rows: list[Facts], policy: TierPolicy, random: Any) -> None:
    frame = scored(rows)
    places = list(range(len(rows)))
    random.shuffle(places)
    assert assign(frame[places], policy, D).sort("customer_id").equals(assign(frame, policy, D))


# ── each scheme ──────────────────────────────────────────────────────────────


@quick
@given(customers)
def test_sorts_gold_silver_bronze_as_by_hand(rows: list[Facts]) -> None:
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
    got = assigned(rows, CALLBACK)
    assert dict(got.filter(pl.col("target") != "").select("customer_id", "target").iter_rows()) == expected


@quick
@given(customers)
def test_names_the_starter_tier_after_the_segment(rows: list[Facts]) -> None:
    frame = assigned(rows, STARTER)
    assert frame["target"].to_list() == [SEGMENT_TIERS.get(segment, "") for segment in frame["segment"]]


@pytest.mark.parametrize(
    ("money", "since", "growth", "tier"),
    [
        (10_000_000, dt.date(2021, 11, 20), "", "strategic"),  # five years to the day
        (10_000_000, dt.date(2021, 11, 21), "", "key"),  # a day short of five years
        (9_999_999, dt.date(1999, 1, 1), "", "key"),
        (1_000_000, dt.date(2026, 11, 1), "", "key"),  # money alone, however young
        (999_999, dt.date(2024, 11, 20), "high", "key"),
        (999_999, dt.date(2024, 11, 21), "high", "regular"),
        (999_999, dt.date(1999, 1, 1), "medium", "regular"),
        (-5, dt.date(1999, 1, 1), "", "regular"),
        (-5, dt.date(1999, 1, 1), "high", "key"),
    ],
)
def test_tells_strategic_key_and_regular_by_money_years_and_growth(
    money: int, since: dt.date, growth: str, tier: str
) -> None:
    row = Facts(money=money * POINTS, relation=(D - since).days, growth=growth)
    assert targets([row], POLICIES["wholesale"]) == [tier]


def test_takes_the_last_tenth_of_a_penny_into_account() -> None:
    short = Facts(money=10 * POINTS - 1, relation=60)
    assert targets([short, short._replace(money=10 * POINTS)], WHOLESALE) == ["regular", "key"]


@pytest.mark.parametrize(
    ("since", "as_of", "years"),
    [
        (dt.date(2020, 2, 29), dt.date(2021, 2, 28), 0),
        (dt.date(2020, 2, 29), dt.date(2021, 3, 1), 1),
        (dt.date(2020, 2, 29), dt.date(2024, 2, 28), 3),
        (dt.date(2020, 2, 29), dt.date(2024, 2, 29), 4),
        (dt.date(2021, 2, 28), dt.date(2024, 2, 29), 3),
        (dt.date(2021, 12, 31), dt.date(2022, 1, 1), 0),
        (dt.date(2021, 1, 1), dt.date(2021, 12, 31), 0),
        (dt.date(2030, 1, 1), dt.date(2026, 1, 1), 0),
    ],
)
def test_counts_whole_calendar_years_of_a_relation(since: dt.date, as_of: dt.date, years: int) -> None:
    frame = scored([Facts()]).with_columns(relation_since=since)
    assert assign(frame, WHOLESALE, as_of)["why"].struct.field("relation_years").to_list() == [years]


def smallest_set(money: list[int], share: int) -> int:
    """How many customers the smallest set has that brings the share: looked for among all sets."""
    total = sum(amount for amount in money if amount > 0)
    for size in range(len(money) + 1):
        if any(sum(group) * 100 >= share * total for group in combinations(money, size)):
            return size
    raise AssertionError("all together bring everything")


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(-30, 40) | st.sampled_from([0, 7]), min_size=1, max_size=9),
    st.integers(1, 99),
)
def test_calls_the_smallest_set_of_customers_core_and_their_equals(money: list[int], share: int) -> None:
    policy = TierPolicy(scheme="sales-team", core_share=share)
    got = targets([Facts(money=amount) for amount in money], policy)
    core = sorted((amount for amount, tier in zip(money, got, strict=True) if tier == "core"), reverse=True)
    total = sum(amount for amount in money if amount > 0)
    if total == 0:
        assert core == []
        return
    needed = smallest_set(money, share)
    assert core[:needed] == sorted(money, reverse=True)[:needed]
    assert sum(core) * 100 >= share * total
    assert set(core[needed:]) <= {core[needed - 1]}  # beyond the smallest set only equals of its last
    assert core.count(core[-1]) == money.count(core[-1])
    assert min(core) > 0


def test_counts_what_customers_brought_and_not_what_others_gave_back() -> None:
    rows = [Facts(money=amount) for amount in (60, 30, 10, -50)]
    got = assigned(rows, SALES)
    assert got["target"].to_list() == ["core", "core", "basic", "basic"]
    assert got["why"].struct.field("better_share").to_list() == [0.0, 60.0, 90.0, 100.0]


def test_reckons_a_share_of_more_money_than_a_word_times_a_hundred_holds() -> None:
    rows = [Facts(money=4 * 10**18), Facts(money=10**18), Facts(money=1)]
    got = assigned(rows, SALES)
    assert got["target"].to_list() == ["core", "core", "basic"]  # 4 of 5 are a hair under 80 %: the odd point
    assert got["why"].struct.field("better_share").to_list() == [0.0, 79.99, 99.99]


@pytest.mark.parametrize(
    ("position", "growth", "tier"),
    [
        (5, "medium", "potential"),
        (4, "", "potential"),
        (None, "high", "potential"),
        (3, "high", "potential"),
        (4, "medium", "basic"),
        (5, "low", "basic"),
        (None, "", "basic"),
    ],
)
def test_calls_potential_what_is_known_of_position_and_growth_on_average(
    position: int | None, growth: str, tier: str
) -> None:
    rows = [Facts(money=100), Facts(position=position, growth=growth)]
    assert targets(rows, SALES) == ["core", tier]
    assert targets([rows[0]._replace(position=5, growth="high")], SALES) == ["core"]


# ── bad input ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("crowd", [1, 9])
@pytest.mark.parametrize(
    ("money", "expected"),
    [
        (50, {"by_wholesale": "strategic", "by_callback": "gold", "by_sales_team": "core", "by_starter": "000"}),
        (0, {"by_wholesale": "regular", "by_callback": "gold", "by_sales_team": "basic", "by_starter": "000"}),
        (-50, {"by_wholesale": "regular", "by_callback": "gold", "by_sales_team": "basic", "by_starter": "000"}),
    ],
)
def test_treats_a_crowd_of_equals_as_it_treats_one_customer_alone(
    crowd: int, money: int, expected: dict[str, str]
) -> None:
    got = assigned([Facts(money=money * POINTS, relation=3_000)] * crowd, WHOLESALE)
    for column, tier in expected.items():
        assert set(got[column]) == {SEGMENT_TIERS.get(tier, tier)}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_assigns_and_settles_nobody_in_an_empty_tenant(policy: TierPolicy) -> None:
    empty = assigned([], policy).with_columns(
        tier=pl.lit(None, dtype=pl.String), below_since=pl.lit(None, dtype=pl.Date), pin=pl.lit(None, dtype=pl.String)
    )
    assert settle(empty, policy, D).height == 0


def test_has_no_tier_and_no_reason_for_who_never_ordered() -> None:
    rows = [Facts(ago=None, orders=0, position=5, growth="high", relation=4_000)]
    got = assigned(rows, WHOLESALE)
    assert got.select(*BY_SCHEME.values()).row(0) == ("", "", "", "")
    assert got["why"].to_list() == [None]


def test_makes_nobody_gold_who_only_just_misses_the_best() -> None:
    rows = [Facts(ago=day, orders=5, money=100 - day) for day in range(1, 11)]
    assert targets(rows, CALLBACK) == ["gold"] * 2 + ["silver"] * 2 + ["bronze"] * 6


def test_says_which_facts_decided_in_a_form_that_json_keeps() -> None:
    rows = [
        Facts(ago=1, orders=3, money=90),
        Facts(ago=1, orders=2, money=80, position=4, growth="high"),
        Facts(ago=5, money=10),
        Facts(ago=None, orders=0),
    ]
    why = assigned(rows, CALLBACK)["why"]
    assert json.loads(why.struct.json_encode()[1]) == {
        "recency_days": 1, "frequency": 2, "monetary": 80, "r": 2, "f": 2, "m": 2, "segment": "000",
        "relation_since": (D - dt.timedelta(900)).isoformat(), "relation_years": 2, "industry_position": 4,
        "growth_potential": "high", "potential": 4.5, "better_recency": 0.0, "better_money": 33.33,
        "better_score": 33.33, "better_share": 50.0,
    }  # fmt: skip
    assert why[3] is None


# ── moving ───────────────────────────────────────────────────────────────────


def one(tier: str | None, target: str, below_since: dt.date | None, pin: str | None = None) -> pl.DataFrame:
    return pl.DataFrame(
        {"customer_id": [1], "tier": [tier], "target": [target], "below_since": [below_since], "pin": [pin]},
        schema_overrides={"tier": pl.String, "below_since": pl.Date, "pin": pl.String},
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


@pytest.mark.parametrize(
    ("tier", "target", "below_since", "pin", "now", "move"),
    [
        ("gold", "gold", None, "bronze", "bronze", "pin"),  # down at once, without grace
        ("bronze", "bronze", None, "gold", "gold", "pin"),
        ("silver", "gold", None, "silver", "silver", ""),  # earned more, held
        ("silver", "bronze", D - dt.timedelta(99), "silver", "silver", ""),  # earned less, held beyond the grace
        (None, "bronze", None, "gold", "gold", "pin"),
        ("", "", None, "gold", "gold", "pin"),  # never ordered
        ("gold", "", None, "gold", "gold", ""),  # no order left
        ("champions", "bronze", None, "silver", "silver", "pin"),
        ("gold", "silver", D - dt.timedelta(30), "strategic", "silver", "fall"),  # a tier of another scheme: no pin
        ("silver", "silver", None, "strategic", "silver", ""),
    ],
)
def test_holds_a_pinned_tier_up_and_down(
    tier: str | None, target: str, below_since: dt.date | None, pin: str, now: str, move: str
) -> None:
    row = settle(one(tier, target, below_since, pin), CALLBACK, D).row(0, named=True)
    assert (row["tier"], row["below_since"], row["move"]) == (now, None, move)


def test_begins_the_grace_on_the_first_night_after_a_pin_and_rises_on_it() -> None:
    pinned = settle(one("gold", "bronze", D - dt.timedelta(20), "gold"), CALLBACK, D)
    after = settle(pinned.with_columns(pin=pl.lit(None, pl.String)), CALLBACK, D + dt.timedelta(1))
    assert after.select("tier", "below_since", "move").row(0) == ("gold", D + dt.timedelta(1), "")
    fallen = settle(after, CALLBACK, D + dt.timedelta(31))
    assert fallen.select("tier", "move").row(0) == ("bronze", "fall")
    held_down = settle(one("bronze", "gold", None, "bronze"), CALLBACK, D)
    risen = settle(held_down.with_columns(pin=pl.lit(None, pl.String)), CALLBACK, D + dt.timedelta(1))
    assert risen.select("tier", "move").row(0) == ("gold", "rise")


@quick
@given(
    st.sampled_from(SCHEMES),
    st.lists(st.tuples(*[st.integers(0, 9)] * 3, st.none() | st.integers(0, 60)), max_size=40),
)
def test_changes_nothing_when_the_same_night_runs_again(
    scheme: Any, rows: list[tuple[int, int, int, int | None]]
) -> None:
    codes = ["", *TIER_ORDER[scheme], "unheard"]

    def tier(number: int) -> str:
        return codes[number % len(codes)]

    standing = pl.DataFrame(
        [
            (n, tier(a), tier(b).replace("unheard", ""), tier(c) or None, d if d is None else D - dt.timedelta(d))
            for n, (a, b, c, d) in enumerate(rows)
        ],
        schema={
            "customer_id": pl.Int64,
            "tier": pl.String,
            "target": pl.String,
            "pin": pl.String,
            "below_since": pl.Date,
        },
        orient="row",
    )
    once = settle(standing, POLICIES[scheme], D)
    again = settle(once.select(standing.columns), POLICIES[scheme], D)
    assert again.select(standing.columns).equals(once.select(standing.columns))
    assert not again["changed"].any()


@quick
@given(st.lists(st.tuples(st.sampled_from(TIER_ORDER["callback"]), st.booleans()), min_size=1, max_size=90))
def test_never_falls_before_thirty_nights_in_a_row_below_without_a_pin(nights: list[tuple[str, bool]]) -> None:
    order = TIER_ORDER["callback"]
    standing = one(nights[0][0], nights[0][0], None)
    nights_below = 0
    for night, (target, is_pinned) in enumerate(nights):
        before = standing["tier"][0]
        pin = pl.lit("silver" if is_pinned else None, pl.String)
        standing = settle(standing.with_columns(target=pl.lit(target), pin=pin), CALLBACK, D + dt.timedelta(night))
        now = standing["tier"][0]
        nights_below = nights_below + 1 if not is_pinned and order.index(target) > order.index(before) else 0
        if is_pinned:
            assert now == "silver"
        elif order.index(target) < order.index(before):
            assert now == target
        elif nights_below > CALLBACK.grace_days:
            assert now == target
            nights_below = 0
        else:
            assert now == before
