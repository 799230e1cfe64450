"""It: the rules "bought A, then B within so many days"."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segmentation.rules import cross_sell
from segmentation.rules.cross_sell import PURCHASES, RULES, Search, search
from segmentation.rules.policy import CrossSellPolicy

D = dt.date(2026, 11, 20)
# The fixture of these tests is the same for all examples.
quick = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LOOSE = CrossSellPolicy.model_construct(
    **CrossSellPolicy().model_dump() | {"minimum_followed": 1, "minimum_confidence": 1, "minimum_lift": 0.0}
)

Purchases = dict[tuple[int, str], int]  # (customer, item) → days before D


def frame(purchases: Purchases) -> pl.DataFrame:
    rows = [(customer, item, D - dt.timedelta(days)) for (customer, item), days in purchases.items()]
    return pl.DataFrame(rows, schema=dict(PURCHASES), orient="row")


def found(purchases: Purchases, policy: CrossSellPolicy = LOOSE) -> Search:
    return search(frame(purchases), policy, D)


def rules_of(result: Search) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["antecedent"], row["consequent"]): row for row in result.rules.rows(named=True)}


@pytest.fixture
def any_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small examples are never beyond chance; the counting is looked at without it."""
    monkeypatch.setattr(cross_sell, "BEYOND_CHANCE", -math.inf)


def by_hand(purchases: Purchases, policy: CrossSellPolicy) -> dict[tuple[str, str], dict[str, Any]]:
    """The definition, pair by pair: slow, and without any of the searches of the real one."""
    within = policy.within_days
    day = {key: D - dt.timedelta(ago) for key, ago in purchases.items()}
    buyers = {customer for customer, _item in day}
    items = sorted({item for _customer, item in day})
    moments = [(c, x, when) for (c, x), when in day.items() if when + dt.timedelta(within) < D]

    def had(customer: int, item: str, when: dt.date) -> bool:
        return (customer, item) in day and day[customer, item] <= when

    def followed(customer: int, item: str, when: dt.date) -> bool:
        then = day.get((customer, item))
        return then is not None and when < then <= when + dt.timedelta(within)

    out = {}
    for b in items:
        open_to_b = [(c, x, when) for c, x, when in moments if not had(c, b, when)]
        by_month: dict[tuple[int, int], list[bool]] = defaultdict(list)
        for c, _x, when in open_to_b:
            by_month[when.year, when.month].append(followed(c, b, when))
        rate = {month: sum(hits) / len(hits) for month, hits in by_month.items()}
        for a in items:
            asked = [(c, when) for c, x, when in open_to_b if x == a]
            hits = [(c, when) for c, when in asked if followed(c, b, when)]
            if len(hits) < policy.minimum_followed:
                continue
            usual = sum(rate[when.year, when.month] for _c, when in asked)
            days = sorted((day[c, b] - when).days for c, when in hits)
            out[a, b] = {
                "customers": len(asked), "followed": len(hits), "support": len(hits) / len(buyers),
                "confidence": len(hits) / len(asked), "lift": len(hits) / usual,
                "median_days": days[(len(days) - 1) // 2],
            }  # fmt: skip
    return {
        pair: row
        for pair, row in out.items()
        if row["confidence"] * 100 >= policy.minimum_confidence and row["lift"] >= policy.minimum_lift
    }


def same(got: dict[tuple[str, str], dict[str, Any]], expected: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert set(got) == set(expected)
    for pair, row in expected.items():
        for name, value in row.items():
            assert math.isclose(got[pair][name], value, rel_tol=1e-9), (pair, name, got[pair], row)


purchases = st.dictionaries(
    st.tuples(st.integers(1, 12), st.sampled_from("ABCDE")), st.integers(1, 400), min_size=1, max_size=45
)


@pytest.mark.usefixtures("any_chance")
@quick
@given(purchases)
def test_agrees_with_the_definition_pair_by_pair(bought: Purchases) -> None:
    same(rules_of(found(bought)), by_hand(bought, LOOSE))


@pytest.mark.usefixtures("any_chance")
@quick
@given(purchases, st.integers(1, 6), st.integers(1, 9))
def test_counts_the_same_however_small_its_blocks_are(bought: Purchases, pairs: int, cells: int) -> None:
    whole = found(bought)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cross_sell, "BLOCK_PAIRS", pairs)
        patch.setattr(cross_sell, "BLOCK_CELLS", cells)
        assert found(bought).rules.equals(whole.rules)


@pytest.mark.usefixtures("any_chance")
@quick
@given(purchases, st.integers(1, 5))
def test_counts_the_same_however_many_frames_the_customers_come_in(bought: Purchases, frames: int) -> None:
    parts = [{key: ago for key, ago in bought.items() if key[0] % frames == part} for part in range(frames)]
    several, whole = search((frame(part) for part in parts), LOOSE, D), found(bought)
    assert several.rules.equals(whole.rules)
    assert (several.customers, several.items, several.reason) == (whole.customers, whole.items, whole.reason)


@pytest.mark.usefixtures("any_chance")
@quick
@given(purchases, st.integers(1, 4), st.sampled_from([1, 30, 60]), st.sampled_from([0.5, 1.0, 1.7]))
def test_keeps_only_what_the_policy_lets_through(bought: Purchases, followed: int, percent: int, lift: float) -> None:
    policy = LOOSE.model_copy(
        update={"minimum_followed": followed, "minimum_confidence": percent, "minimum_lift": lift}
    )
    # Lifts that lie on the line by a rounding error may fall to either side.
    if any(math.isclose(row["lift"], lift, rel_tol=1e-9) for row in by_hand(bought, LOOSE).values()):
        return
    same(rules_of(found(bought, policy)), by_hand(bought, policy))


@quick
@given(purchases)
def test_is_usual_on_the_whole(bought: Purchases) -> None:
    """Over all A, what followed B's moments and what was usual are the same: not everything can be unusual."""
    within, last_day = LOOSE.within_days, (D - dt.date(1970, 1, 1)).days - LOOSE.within_days - 1
    facts = cross_sell._Bought.of(frame(bought))
    items = cross_sell._Items.of([facts])
    first_month = int(cross_sell._month(facts.day).min())
    moments = cross_sell._Moments.of(facts, items, within, last_day, first_month)
    shape = (int(moments.month.max()) + 1, items.number)
    counted = cross_sell._Usual(np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64))
    counted.count(moments)
    rates = counted.rates()
    followed = usual = 0.0
    for b in range(items.number):
        for row in range(len(moments.day)):
            theirs = (moments.customer == moments.customer[row]) & (moments.item == b)
            later = moments.day[theirs] - moments.day[row]
            if moments.counts[row] and not (later <= 0).any():
                followed += int(((later > 0) & (later <= LOOSE.within_days)).any())
                usual += rates[moments.month[row], b]
    assert math.isclose(followed, usual, rel_tol=1e-9, abs_tol=1e-9)


def firm(seed: int, *, customers: int = 800, planted: bool = False, launched: bool = False) -> Purchases:
    """Customers of very different appetite who buy ten items at random; with a planted pair A → B if asked."""
    chance = np.random.default_rng(seed)
    bought: Purchases = {}
    for customer in range(customers):
        appetite = chance.gamma(1.0, 1.0)
        for item in "ABCDEFGHIJ":
            # Popular and rare items; the last ones are new, if asked.
            longest = 240 if launched and item in "IJ" else 720
            gap = chance.exponential(400 / appetite * (1 + "ABCDEFGHIJ".index(item) / 3))
            ago = longest - gap
            if ago >= 1:
                bought[customer, item] = int(ago)
        if planted and (customer, "A") in bought and chance.random() < 0.5 and bought[customer, "A"] > 60:
            bought[customer, "B"] = bought[customer, "A"] - int(chance.integers(10, 31))
    return bought


@pytest.mark.usefixtures("any_chance")
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("launched", [False, True])
def test_gives_independent_items_a_lift_of_about_one(seed: int, *, launched: bool) -> None:
    """Though some customers buy ten times as much as others, some items are popular, and some are new.

    Two new items are left out: eager customers try whatever is new, and that is not chance.
    """
    rules = found(firm(seed, customers=3000, launched=launched)).rules.filter(pl.col("customers") >= 300)
    rules = rules.filter(~(pl.col("antecedent").is_in(["I", "J"]) & pl.col("consequent").is_in(["I", "J"])))
    usual = pl.col("followed") / pl.col("lift")
    chance = rules.select(((pl.col("followed") - usual) / usual.sqrt()).abs()).to_series()
    assert rules.height > 50
    assert float(chance.max()) < 4  # standard deviations
    assert 0.95 < rules.get_column("lift").median() < 1.05


def test_finds_what_was_planted_and_nothing_else() -> None:
    result = found(firm(5, planted=True), CrossSellPolicy())
    [rule] = result.rules.rows(named=True)
    assert (rule["antecedent"], rule["consequent"]) == ("A", "B")
    assert rule["confidence"] > 0.4
    assert 10 <= rule["median_days"] <= 30


def test_takes_nothing_for_a_rule_that_chance_explains() -> None:
    """800 customers who buy at random; some pairs have a lift above 1.5 all the same."""
    bought = firm(5)
    assert found(bought, CrossSellPolicy()).reason == "no_rules"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cross_sell, "BEYOND_CHANCE", -math.inf)
        assert found(bought, CrossSellPolicy(minimum_lift=1.4)).rules.height > 0


@pytest.mark.usefixtures("any_chance")
def test_tells_the_story_in_numbers() -> None:
    """Four customers bought A: two then B after 10 and 20 days, one too late, one had B already."""
    bought = {
        (1, "A"): 200, (1, "B"): 190,
        (2, "A"): 200, (2, "B"): 180,
        (3, "A"): 200, (3, "B"): 100,
        (4, "A"): 200, (4, "B"): 200,
        (5, "C"): 200,
    }  # fmt: skip
    result = found(bought)
    row = rules_of(result)["A", "B"]
    assert (result.customers, result.items, result.reason) == (5, 3, "")
    assert (row["customers"], row["followed"], row["median_days"]) == (3, 2, 10)
    assert row["support"] == 2 / 5
    assert row["confidence"] == 2 / 3
    # Usual: of the four moments without B (three A's and a C), two were followed.
    assert row["lift"] == pytest.approx((2 / 3) / (2 / 4))


@pytest.mark.usefixtures("any_chance")
@pytest.mark.parametrize(
    ("a", "b", "counted"),
    [
        (91, 1, 1),  # all 90 days after A's day lie before D
        (90, 1, 0),  # the ninetieth day after is D itself, which nobody has seen
        (200, 110, 1),  # on the last day
        (200, 109, 0),  # a day late
        (200, 200, 0),  # the same day is no "then"
        (200, 201, 0),  # B came first
    ],
)
def test_draws_the_lines_to_the_day(a: int, b: int, counted: int) -> None:
    row = rules_of(found({(1, "A"): a, (1, "B"): b})).get(("A", "B"))
    assert (row["followed"] if row else 0) == counted


def crowd(customers: Iterable[int], *days: tuple[str, int]) -> Purchases:
    return {(customer, item): ago for customer in customers for item, ago in days}


@pytest.mark.parametrize(
    ("bought", "reason"),
    [
        ({}, "no_orders"),
        (crowd(range(30), ("A", 80), ("B", 60)), "short_history"),
        (crowd(range(19), ("A", 200), ("B", 150)), "few_customers"),
        (crowd(range(30), ("A", 200)), "few_items"),
        ({(n, f"item {n}"): 200 for n in range(30)}, "few_items"),
        (crowd(range(30), ("A", 200), ("B", 200)), "no_rules"),
        # Everybody buys A, then B: nothing unusual, whatever is bought.
        (crowd(range(30), ("A", 200), ("B", 150)), "no_rules"),
        # All orders on one day.
        (crowd(range(30), ("A", 1), ("B", 1)), "short_history"),
    ],
)
def test_says_why_there_is_nothing(bought: Purchases, reason: str) -> None:
    result = found(bought, CrossSellPolicy())
    assert (result.reason, result.rules.height) == (reason, 0)
    assert result.rules.schema == dict(RULES)
    assert result.customers == len({customer for customer, _item in bought})


def test_refuses_facts_that_cannot_be() -> None:
    good = frame({(1, "A"): 200})
    with pytest.raises(ValueError, match="twice"):
        search(pl.concat([good, good]), CrossSellPolicy(), D)
    with pytest.raises(ValueError, match="2026-11-20"):
        search(frame({(1, "A"): 0}), CrossSellPolicy(), D)
