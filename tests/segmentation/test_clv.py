"""It: the lifetime value in both forms, and what its pages print beside it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import hyp2f1

from segmentation.rules import clv
from segmentation.rules.clv import Retention, ValueFacts
from segmentation.rules.lifetime import Money, Orders
from segmentation.rules.policy import ValuePolicy

D = dt.date(2026, 11, 20)
quick = settings(max_examples=60, deadline=None)
ORDERS = Orders(r=0.66, alpha=9.0, a=0.11, b=2.4)
MONEY = Money(p=1.9, q=3.8, v=560.0)
RULES = ValuePolicy()
CENT = Decimal("0.0001")


def facts(
    *, first: int | None = 400, last: int = 30, repeats: int = 6, mean: int | None = 2_000_000, net: int = 14_000_000
) -> ValueFacts:
    """Days before D of the first and the last order; money in points."""
    if first is None:
        return ValueFacts(first_order_on=None, last_order_on=None, repeats=0, mean_order=None, net=0)
    ago = [D - dt.timedelta(days) for days in (first, last)]
    return ValueFacts(first_order_on=ago[0], last_order_on=ago[1], repeats=repeats, mean_order=mean, net=net)


def frame(*rows: ValueFacts) -> pl.DataFrame:
    named = [clv._as_row(row) | {"customer_id": n} for n, row in enumerate(rows, start=1)]
    return pl.DataFrame(named, schema=dict(clv.FACTS))


@st.composite
def histories(draw: st.DrawFn) -> ValueFacts:
    first = draw(st.integers(1, 4000))
    last = draw(st.integers(1, first))
    if last == first:
        return facts(first=first, last=last, repeats=0, mean=None, net=draw(st.integers(-(10**8), 10**12)))
    return facts(
        first=first,
        last=last,
        repeats=draw(st.integers(1, first - last)),
        mean=draw(st.integers(-(10**6), 10**11)),
        net=draw(st.integers(-(10**8), 10**12)),
    )


rules = st.builds(
    ValuePolicy,
    margin_percent=st.integers(1, 100),
    acquisition_cost=st.integers(0, 10**6),
    discount_percent=st.floats(0, 100, width=16),
    horizon_years=st.integers(1, 20),
)
retentions = st.tuples(st.integers(1, 5000), st.floats(0, 1)).map(
    lambda drawn: {"": Retention(tier="", customers=drawn[0], again=int(drawn[0] * drawn[1]))}
)


# ── the discounted form ─────────────────────────────────────────────────────


@quick
@given(histories(), rules)
def test_prints_years_whose_products_and_sum_are_the_number_shown(history: ValueFacts, policy: ValuePolicy) -> None:
    told = clv.explain_discounted(history, ORDERS, MONEY, policy, D)
    if told.clv is None:
        assert (told.years, bool(told.why)) == ((), True)
        return
    assert told.order_money is not None
    assert len(told.years) == policy.horizon_years
    for year in told.years:
        product = year.orders * told.order_money * policy.margin_percent / 100 * year.factor
        assert year.money == pytest.approx(product, abs=CENT)
        assert year.factor == pytest.approx(
            Decimal(1 + policy.discount_percent / 100) ** (Decimal("0.5") - year.number), abs=CENT
        )
    assert sum(year.money for year in told.years) == told.clv


@quick
@given(st.lists(histories(), max_size=12), rules)
def test_tells_of_one_what_the_night_said_of_all(rows: list[ValueFacts], policy: ValuePolicy) -> None:
    forecast = clv.forecast(frame(*rows), ORDERS, MONEY, policy, D)
    for row, got in zip(rows, forecast.iter_rows(named=True), strict=True):
        told = clv.explain_discounted(row, ORDERS, MONEY, policy, D)
        points = None if got["clv"] is None else Decimal(got["clv"]).scaleb(-4)
        assert told.clv == points
        if told.years:
            assert float(told.years[0].orders) == got["expected_orders"]


@quick
@given(histories(), st.integers(1, 19))
def test_never_loses_value_by_looking_further_ahead_or_discounting_less(history: ValueFacts, years: int) -> None:
    near = clv.explain_discounted(history, ORDERS, MONEY, ValuePolicy(horizon_years=years), D)
    far = clv.explain_discounted(history, ORDERS, MONEY, ValuePolicy(horizon_years=years + 1), D)
    cheap = clv.explain_discounted(history, ORDERS, MONEY, ValuePolicy(horizon_years=years, discount_percent=5), D)
    if near.clv is None:
        assert far.clv is None
        return
    assert (far.clv or 0) >= near.clv
    assert (cheap.clv or 0) >= near.clv
    assert far.years[: len(near.years)] == near.years


def test_reckons_the_papers_customer_by_hand() -> None:
    # CDNOW's first customer: 2 repeats in 38.86 weeks, the last in week 30.43, 22.35 each; 39 weeks bring 1.226 orders.
    first, last = D - dt.timedelta(273), D - dt.timedelta(273 - 213)
    row = ValueFacts(first_order_on=first, last_order_on=last, repeats=2, mean_order=223_500, net=600_000)
    told = clv.explain_discounted(
        row, Orders(0.243, 4.414, 0.793, 2.426), Money(6.25, 3.74, 15.44), ValuePolicy(horizon_years=1), D
    )
    assert (told.weeks_to_last, told.weeks_known) == (Decimal("30.43"), Decimal("38.86"))
    assert told.order_money == pytest.approx(Decimal("24.66"), abs=Decimal("0.01"))
    r, alpha, a, b, x, age, ahead = 0.243, 4.414, 0.793, 2.426, 2, 272 / 7, 365 / 7
    far = ((alpha + age) / (alpha + age + ahead)) ** (r + x)
    series = hyp2f1(r + x, b + x, a + b + x - 1, ahead / (alpha + age + ahead))
    orders = (a + b + x - 1) / (a - 1) * (1 - far * series) * told.alive
    [year] = told.years
    assert (float(year.orders), year.factor) == (pytest.approx(orders, abs=5e-5), Decimal("0.9449"))
    assert told.clv == pytest.approx(Decimal("1.5623") * Decimal("24.6637") * Decimal("0.9449"), abs=CENT)


@pytest.mark.parametrize(
    ("row", "orders", "money", "why"),
    [
        (facts(first=None), ORDERS, MONEY, "never_ordered"),
        (facts(), None, None, "no_fit"),
        (facts(), ORDERS, None, "no_fit"),
        (facts(mean=0), ORDERS, MONEY, "negative_money"),
        (facts(mean=-50), ORDERS, MONEY, "negative_money"),
        (facts(mean=10**17, repeats=300, last=1), ORDERS, MONEY, "too_much"),
    ],
)
def test_says_why_there_is_no_discounted_value(
    row: ValueFacts, orders: Orders | None, money: Money | None, why: str
) -> None:
    told = clv.explain_discounted(row, orders, money, RULES, D)
    assert (told.clv, told.why, told.years) == (None, why, ())
    assert clv.forecast(frame(row), orders, money, RULES, D)["clv"].to_list() == [None]


def test_forecasts_orders_without_a_model_of_the_money() -> None:
    got = clv.forecast(frame(facts()), ORDERS, None, RULES, D).row(0, named=True)
    assert got["expected_orders"] > 0
    assert (got["expected_order_money"], got["clv"]) == (None, None)


def test_does_not_take_one_order_for_a_living_customer() -> None:
    once = facts(first=900, last=900, repeats=0, mean=None)
    got = clv.forecast(frame(once), ORDERS, MONEY, RULES, D).row(0, named=True)
    assert got["alive"] is None
    assert 0 < got["expected_orders"] < 1
    assert got["expected_order_money"] == pytest.approx(10_000 * 1.9 * 560 / 2.8, abs=1)


def test_refuses_orders_that_do_not_count_yet() -> None:
    with pytest.raises(ValueError, match="2026-11-20"):
        clv.forecast(frame(facts(last=0)), ORDERS, MONEY, RULES, D)


def test_values_nobody_in_an_empty_tenant() -> None:
    assert clv.forecast(frame(), ORDERS, MONEY, RULES, D).height == 0
    assert clv.forecast(frame(facts(first=None)), None, None, RULES, D)["clv"].to_list() == [None]
    assert clv.simple(frame(), pl.Series([], dtype=pl.String), {}, RULES, D).len() == 0


# ── retention ───────────────────────────────────────────────────────────────


def kept(customers: int, again: int, tier: str = "") -> dict[str, Any]:
    return {tier: Retention(tier=tier, customers=customers, again=again)}


def test_counts_who_ordered_again_by_the_tier_of_a_year_ago() -> None:
    rows = pl.DataFrame(
        {
            "tier": ["gold", "gold", "gold", "bronze", None, "gold"],
            "before": [True, True, True, True, True, False],
            "again": [True, True, False, False, True, True],
        }
    )
    assert clv.retention(rows) == kept(5, 3) | kept(3, 2, "gold") | kept(1, 0, "bronze")
    assert clv.retention(rows.clear()) == {}


@pytest.mark.parametrize(
    ("found", "counted"),
    [
        (kept(200, 100) | kept(30, 29, "gold"), "gold"),
        (kept(200, 100) | kept(29, 29, "gold"), ""),
        (kept(200, 100), ""),
        (kept(10, 5), ""),
        (kept(9, 5), None),
        ({}, None),
    ],
)
def test_takes_the_tiers_retention_if_enough_stand_behind_it_else_the_firms(
    found: dict[str, Retention], counted: str | None
) -> None:
    got = clv.retention_of("gold", found)
    assert (None if got is None else got.tier) == counted


# ── the simple form ─────────────────────────────────────────────────────────


@quick
@given(histories(), retentions, rules)
def test_prints_a_product_that_is_the_number_shown(
    history: ValueFacts, found: dict[str, Retention], policy: ValuePolicy
) -> None:
    told = clv.explain_simple(history, "gold", found, policy, D)
    alone = clv.simple(frame(history), pl.Series(["gold"]), found, policy, D).item()
    assert told.clv == (None if alone is None else Decimal(alone).scaleb(-4))
    if told.clv is None:
        assert told.why in {"no_money", "no_retention"}
        return
    assert None not in (told.yearly, told.share, told.lifetime, told.years)
    product = told.yearly * policy.margin_percent / 100 * told.share * told.lifetime  # type: ignore[operator]
    assert told.clv == pytest.approx(product - policy.acquisition_cost, abs=CENT)
    assert told.yearly == pytest.approx(told.net / told.years, abs=CENT)  # type: ignore[operator]
    assert told.lifetime <= policy.horizon_years  # type: ignore[operator]


def test_counts_the_years_still_to_come_and_less_than_a_year_as_one() -> None:
    # Half stay each year: 1 + 1/2 + 1/4 + … = 2 years, of which the first is over: 0.5 × 2 = 1 year of money to come.
    told = clv.explain_simple(facts(first=100, last=50, net=12_000_000), "gold", kept(100, 50), RULES, D)
    assert (told.years, told.yearly, told.share, told.lifetime) == (1, 1200, Decimal("0.5"), 2)
    assert (told.clv, told.capped) == (1200, False)


@pytest.mark.parametrize(("percent", "lifetime", "worth"), [(58, "2.3810", "1380.98"), (65, "2.8571", "1857.115")])
def test_retention_of_58_and_65_percent_differ_as_the_formula_says(percent: int, lifetime: str, worth: str) -> None:
    told = clv.explain_simple(facts(first=365, net=10_000_000), "", kept(100, percent), RULES, D)
    assert (told.lifetime, told.clv) == (Decimal(lifetime), Decimal(worth))


def test_caps_the_lifetime_at_the_horizon_where_all_stay() -> None:
    told = clv.explain_simple(facts(first=365, net=10_000_000), "", kept(50, 50), ValuePolicy(acquisition_cost=900), D)
    assert (told.lifetime, told.capped, told.clv) == (5, True, 1000 * 5 - 900)


@pytest.mark.parametrize(
    ("row", "found", "why"),
    [
        (facts(first=None), kept(100, 50), "never_ordered"),
        (facts(net=0), kept(100, 50), "no_money"),
        (facts(net=-10), kept(100, 50), "no_money"),
        (facts(), {}, "no_retention"),
        (facts(net=10**18, first=365), kept(100, 100), "too_much"),
    ],
)
def test_says_why_there_is_no_simple_value(row: ValueFacts, found: dict[str, Retention], why: str) -> None:
    told = clv.explain_simple(row, "gold", found, RULES, D)
    assert (told.clv, told.why) == (None, why)
