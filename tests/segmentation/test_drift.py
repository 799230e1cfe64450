"""It: customers whose orders ask for the same articles in smaller numbers."""

from __future__ import annotations

import datetime as dt
import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.rules.drift import SIZES, STANDING, drifting, ratios
from segmentation.rules.policy import CrossSellPolicy

D = dt.date(2026, 11, 20)
POLICY = CrossSellPolicy()
quick = settings(max_examples=60, deadline=None)

Article = tuple[float, float, int]  # quantity before, now, money


def sizes(*customers: list[Article]) -> pl.DataFrame:
    rows = [
        (customer, product, *article)
        for customer, articles in enumerate(customers, 1)
        for product, article in enumerate(articles, 1)
    ]
    return pl.DataFrame(rows, schema=dict(SIZES), orient="row")


def since(**days: int) -> pl.DataFrame:
    """c1=5: customer 1 has been drifting for five nights."""
    rows = [(int(name[1:]), D - dt.timedelta(ago)) for name, ago in days.items()]
    return pl.DataFrame(rows, schema=dict(STANDING), orient="row")


NOBODY = since()
HALVED: list[Article] = [(100.0, 50.0, 10), (40.0, 20.0, 30), (8.0, 4.0, 5)]

articles = st.lists(st.tuples(st.floats(0.5, 1e6), st.floats(0.5, 1e6), st.integers(0, 10**12)), min_size=1, max_size=8)


def test_sees_that_everything_is_ordered_by_halves() -> None:
    compared = ratios(sizes(HALVED))
    assert compared.rows() == [(1, 0.5, 3, 3)]
    assert drifting(compared, NOBODY, POLICY, D).rows() == [(1, 0.5, 3, D)]


def test_weighs_articles_by_their_money() -> None:
    [row] = ratios(sizes([(10.0, 5.0, 100), (10.0, 20.0, 300)])).rows(named=True)
    assert row["ratio"] == pytest.approx(0.5**0.25 * 2**0.75, abs=0.001)
    assert row["shrunk"] == 1


def test_lets_half_and_double_cancel_out() -> None:
    assert ratios(sizes([(10.0, 5.0, 7), (10.0, 20.0, 7)])).get_column("ratio").to_list() == [1.0]


def test_weighs_articles_alike_when_none_brought_money() -> None:
    assert ratios(sizes([(10.0, 5.0, 0), (10.0, 5.0, 0)])).get_column("ratio").to_list() == [0.5]


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ([0.69, 0.69, 0.69], True),
        ([0.7, 0.7, 0.7], False),  # the line itself is not below it
        ([0.5, 0.5], False),  # two articles: too little to compare
        ([0.1, 1.0, 1.0], False),  # one article is no pattern, whatever it does to the mean
        ([0.2, 0.9, 1.0], True),
        ([1.5, 2.0, 3.0], False),
    ],
)
def test_asks_for_enough_articles_most_of_which_went_down(changes: list[float], *, seen: bool) -> None:
    compared = ratios(sizes([(100.0, 100.0 * change, 10) for change in changes]))
    assert (drifting(compared, NOBODY, POLICY, D).height == 1) is seen


@pytest.mark.parametrize(("change", "stays"), [(0.6, True), (0.8, True), (0.849, True), (0.85, False), (1.2, False)])
def test_is_over_when_half_of_the_way_back_is_made(change: float, *, stays: bool) -> None:
    """Who hovers about the line is one occurrence, not many."""
    compared = ratios(sizes([(1000.0, 1000.0 * change, 10)] * 3))
    got = drifting(compared, since(c1=5), POLICY, D)
    assert got.get_column("since").to_list() == ([D - dt.timedelta(5)] if stays else [])


def test_is_over_when_too_little_can_be_compared() -> None:
    assert drifting(ratios(sizes(HALVED[:2])), since(c1=5), POLICY, D).is_empty()


def test_knows_nobody_without_orders() -> None:
    assert drifting(ratios(sizes()), since(c1=5), POLICY, D).is_empty()


def test_refuses_quantities_that_are_none() -> None:
    with pytest.raises(ValueError, match="above nothing"):
        ratios(sizes([(1.0, 0.0, 1)]))


@quick
@given(st.lists(articles, min_size=1, max_size=5))
def test_changes_nothing_when_run_again_for_the_night(customers: list[list[Article]]) -> None:
    compared = ratios(sizes(*customers))
    first = drifting(compared, NOBODY, POLICY, D)
    assert drifting(compared, first, POLICY, D).equals(first)
    later = D + dt.timedelta(1)
    assert drifting(compared, first, POLICY, later).equals(first), "it begins once"


@quick
@given(articles, st.floats(1.01, 5))
def test_a_larger_order_never_looks_smaller(rows: list[Article], times: float) -> None:
    grown = [(before, now * times, money) for before, now, money in rows]
    small, large = ratios(sizes(rows, grown)).get_column("ratio").to_list()
    assert large >= small
    # Both are rounded to a thousandth.
    assert math.isclose(large, small * times, rel_tol=0.001, abs_tol=0.0006 * (times + 1))
