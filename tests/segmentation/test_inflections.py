"""It: the months from which a customer spends on another level."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.rules.inflections import HISTORY_MONTHS, MINIMUM_MONTHS, SEGMENT_MONTHS, steps

quick = settings(max_examples=60, deadline=None)


def steady(chance: np.random.Generator, months: int, level: float = 1000.0) -> np.ndarray:
    """A customer who spends about as much each month."""
    return level * chance.gamma(20, 1 / 20, months)


NOISE = {
    "even": lambda chance, months: np.maximum(0, 1000 * (1 + 0.3 * chance.standard_normal(months))),
    "skewed": lambda chance, months: 1000 * np.exp(0.8 * chance.standard_normal(months)),
    "mostly empty": lambda chance, months: np.array(
        [chance.lognormal(5, 0.7, orders).sum() for orders in chance.poisson(0.5, months)]
    ),
    "some orders a month": lambda chance, months: np.array(
        [chance.lognormal(5, 0.7, orders).sum() for orders in chance.poisson(3, months)]
    ),
}


@pytest.mark.parametrize("kind", NOISE)
@pytest.mark.parametrize(("months", "most"), [(12, 5), (24, 4), (36, 4)])
def test_hears_nothing_in_noise(kind: str, months: int, most: int) -> None:
    """In at most 4 or 5 of 100 series without any step."""
    chance = np.random.default_rng(7)
    heard = sum(bool(steps(NOISE[kind](chance, months))) for _ in range(200))
    assert heard <= 2 * most


@pytest.mark.parametrize("times", [3.0, 1 / 3])
@pytest.mark.parametrize("months", [14, 24, 36])
def test_finds_a_planted_step(times: float, months: int) -> None:
    chance, hits = np.random.default_rng(8), 0
    for _ in range(100):
        money = steady(chance, months)
        money[months // 2 :] *= times
        found = steps(money)
        hits += len(found) == 1 and abs(found[0].place - months // 2) <= 1
    assert hits >= 90


def test_says_the_means_on_both_sides_and_the_change() -> None:
    [step] = steps([100.0] * 10 + [250.0] * 8)
    assert (step.place, step.before, step.after) == (10, 100.0, 250.0)
    assert step.change == pytest.approx(1.5)


def test_finds_more_than_one() -> None:
    found = steps([100.0, 110, 90] * 4 + [400.0, 410, 390] * 4 + [20.0, 25, 15] * 4)
    assert [step.place for step in found] == [12, 24]
    assert found[0].after == found[1].before == pytest.approx(400)


def test_has_no_share_to_state_after_nothing() -> None:
    [step] = steps([0.0] * 8 + [500.0] * 8)
    assert (step.before, step.after, step.change) == (0.0, 500.0, None)


@pytest.mark.parametrize(
    "money",
    [
        [],
        [100.0] * (MINIMUM_MONTHS - 1),
        [100.0] * 5 + [900.0] * 6,  # a step, but too little history to know
        [100.0] * 36,
        [0.0] * 36,
        [0.0] * 4 + [500.0] * 5 + [0.0] * 6,  # five months with anything in them
        [-50.0] * 20,  # credit notes alone
        [100.0] * 20 + [9000.0] + [100.0] * 15,  # one big month is no level
        [100.0, 101, 99] * 6 + [120.0, 121, 119] * 6,  # steady, and too little to matter
    ],
)
def test_finds_none_where_there_is_none(money: list[float]) -> None:
    assert steps(money) == []


def test_forgets_what_lies_more_than_three_years_back() -> None:
    old_step = [100.0] * 12 + [900.0] * HISTORY_MONTHS
    assert steps(old_step) == []
    recent = [100.0] * 24 + [900.0] * 24
    assert [step.place for step in steps(recent)] == [24]


@quick
@given(st.lists(st.floats(-1e6, 1e9), max_size=60))
def test_divides_the_months_into_levels_of_three_at_least(money: list[float]) -> None:
    found = steps(money)
    edges = [max(0, len(money) - HISTORY_MONTHS), *(step.place for step in found), len(money)]
    assert all(b - a >= SEGMENT_MONTHS for a, b in pairwise(edges)) or not found
    for first, second in pairwise(found):
        assert first.after == second.before


@quick
@given(st.lists(st.floats(0, 1e6), min_size=12, max_size=40), st.sampled_from([0.01, 7.0, 1000.0]))
def test_does_not_depend_on_the_currency(money: list[float], rate: float) -> None:
    here = [step.place for step in steps(money)]
    there = [step.place for step in steps([each * rate for each in money])]
    assert here == there
