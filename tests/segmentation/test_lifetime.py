"""It: the lifetime model, measured on the papers' data and on customers that we made up ourselves."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import check_grad
from scipy.special import hyp2f1, roots_jacobi
from scipy.stats import beta, gamma

from segmentation.rules import lifetime
from segmentation.rules.lifetime import Money, Orders

quick = settings(max_examples=60, deadline=None)
CDNOW = Orders(r=0.243, alpha=4.414, a=0.793, b=2.426)
CDNOW_MONEY = Money(p=6.25, q=3.74, v=15.44)


def cdnow(name: str) -> pl.DataFrame:
    """A file of the papers' sample: it comes in the wheel of `lifetimes`, of which nothing is imported."""
    [path] = [each for each in importlib.metadata.files("lifetimes") or [] if each.name == name]
    return pl.read_csv(path.locate())


@dataclass
class Made:
    """Customers who did as the model says: so many repeats by `age`, the last at `recency`, and what came after."""

    repeats: np.ndarray
    recency: np.ndarray
    age: np.ndarray
    later: np.ndarray
    is_alive: np.ndarray


def make(orders: Orders, customers: int, weeks: float, then: float, seed: int = 1) -> Made:
    """Everybody orders first within the first half of `weeks`, as the model says until then, and `then` longer."""
    random = np.random.default_rng(seed)
    rate = random.gamma(orders.r, 1 / orders.alpha, customers)
    leaves = random.beta(orders.a, orders.b, customers)
    age = random.uniform(weeks / 2, weeks, customers)
    time, recency = np.zeros(customers), np.zeros(customers)
    repeats, later = np.zeros(customers), np.zeros(customers)
    lives, is_alive = np.ones(customers, dtype=bool), np.ones(customers, dtype=bool)
    while lives.any():
        time[lives] += random.exponential(1 / np.maximum(rate[lives], 1e-12))
        lives &= time < age + then
        before = lives & (time < age)
        repeats += before
        recency[before] = time[before]
        later += lives & ~before
        left = lives & (random.random(customers) < leaves)
        is_alive &= ~(left & before)
        lives &= ~left
    return Made(repeats, recency, age, later, is_alive)


# ── fitting ──────────────────────────────────────────────────────────────────


def test_finds_the_papers_parameters_of_the_cdnow_sample() -> None:
    data = cdnow("cdnow_customers_summary.csv")
    fit = lifetime.fit_orders(data["frequency"], data["recency"], data["T"])
    assert (fit.customers, fit.repeaters, fit.converged, fit.reason) == (2357, 946, True, "")
    assert (fit.r, fit.alpha, fit.a, fit.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=5e-4)
    assert fit.log_likelihood == pytest.approx(-9582.4, abs=0.05)


def test_finds_the_papers_money_of_the_cdnow_sample() -> None:
    data = cdnow("cdnow_customers_summary_with_transactions.csv").filter(pl.col("x") > 0)
    fit = lifetime.fit_money(data["x"], data["zbar"])
    assert (fit.customers, fit.excluded, fit.converged) == (946, 0, True)
    assert (fit.p, fit.q, fit.v) == pytest.approx((6.25, 3.74, 15.44), abs=0.01)
    assert fit.correlation == pytest.approx(0.11, abs=0.01)


def test_does_not_care_how_often_equal_customers_are_said_or_in_which_order() -> None:
    data = cdnow("cdnow_customers_summary.csv")
    once = lifetime.fit_orders(data["frequency"], data["recency"], data["T"])
    twice = pl.concat([data, data]).reverse()
    both = lifetime.fit_orders(twice["frequency"], twice["recency"], twice["T"])
    assert both.parameters is not None
    assert once.parameters is not None
    for name in ("r", "alpha", "a", "b"):
        assert getattr(both, name) == pytest.approx(getattr(once, name), rel=1e-4)
    assert both.log_likelihood == pytest.approx(2 * (once.log_likelihood or 0), rel=1e-9)


def test_finds_again_what_customers_were_made_from_also_from_a_part_of_many() -> None:
    truth = Orders(r=0.7, alpha=9.0, a=0.6, b=2.4)
    made = make(truth, 40_000, 104, 0)
    fit = lifetime.fit_orders(made.repeats, made.recency, made.age)
    assert fit.converged
    for name in ("r", "alpha", "a", "b"):
        assert getattr(fit, name) == pytest.approx(getattr(truth, name), rel=0.12)


def test_finds_again_the_money_that_customers_were_made_from() -> None:
    random, truth = np.random.default_rng(3), Money(p=4.0, q=3.0, v=60.0)
    repeats = 1 + random.poisson(2, 40_000)
    mean = random.gamma(truth.p * repeats, 1 / (random.gamma(truth.q, 1 / truth.v, 40_000) * repeats))
    fit = lifetime.fit_money(repeats, mean)
    for name in ("p", "q", "v"):
        assert getattr(fit, name) == pytest.approx(getattr(truth, name), rel=0.08)


def test_money_in_another_currency_changes_the_scale_only() -> None:
    data = cdnow("cdnow_customers_summary_with_transactions.csv").filter(pl.col("x") > 0)
    pounds = lifetime.fit_money(data["x"], data["zbar"])
    yen = lifetime.fit_money(data["x"], data["zbar"] * 190)
    assert (yen.p, yen.q) == pytest.approx((pounds.p, pounds.q), rel=1e-4)
    assert yen.v == pytest.approx(190 * (pounds.v or 0), rel=1e-4)
    assert yen.log_likelihood == pytest.approx((pounds.log_likelihood or 0) - 946 * np.log(190), rel=1e-9)


@quick
@given(st.tuples(*[st.floats(-3, 3)] * 4))
def test_slopes_are_those_of_the_likelihood(logs: tuple[float, ...]) -> None:
    made = make(CDNOW, 300, 39, 0)
    for likelihood, place in (
        (lifetime._OrdersLikelihood(made.repeats, made.recency, made.age), np.array(logs)),
        (lifetime._MoneyLikelihood(made.repeats + 1, made.age), np.array(logs[:3])),
    ):
        slope = np.abs(likelihood(place)[1]).max()
        assert check_grad(lambda at: likelihood(at)[0], lambda at: likelihood(at)[1], place) < 1e-4 * (1 + slope)  # noqa: B023  # called at once


@pytest.mark.parametrize(("x", "t_x", "t"), [(0, 0, 20), (1, 8, 20), (3, 15, 16)])
def test_the_likelihood_is_that_of_the_model_itself(x: int, t_x: float, t: float) -> None:
    r, alpha, a, b = 0.6, 5.0, 0.9, 2.0

    def over_rates(until: float) -> float:
        """x orders at their moments and none else, for a rate that is not known."""
        return quad(lambda rate: rate**x * np.exp(-rate * until) * gamma.pdf(rate, r, scale=1 / alpha), 0, 9)[0]

    def over_leaving(stayed: int, left: int) -> float:
        return quad(lambda p: (1 - p) ** stayed * p**left * beta.pdf(p, a, b), 0, 1)[0]

    whole = over_leaving(x, 0) * over_rates(t) + (over_leaving(x - 1, 1) * over_rates(t_x) if x else 0)
    alone = lifetime._OrdersLikelihood(*(np.array([float(each)]) for each in (x, t_x, t)))
    assert -alone(np.log([r, alpha, a, b]))[0] == pytest.approx(np.log(whole), abs=1e-4)


def test_the_likelihood_of_many_is_the_sum_of_each() -> None:
    made, place = make(CDNOW, 400, 39, 0, seed=5), np.log([0.3, 5.0, 0.7, 2.0])
    facts = (made.repeats, made.recency, made.age)
    alone = sum(lifetime._OrdersLikelihood(*(each[[n]] for each in facts))(place)[0] for n in range(400))
    assert lifetime._OrdersLikelihood(*facts)(place)[0] * 400 == pytest.approx(alone, rel=1e-10)


# ── bad input ────────────────────────────────────────────────────────────────


def many(*rows: tuple[float, float, float]) -> tuple[list[float], list[float], list[float]]:
    return tuple([row[n] for row in rows] for n in range(3))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (([], [], []), "no_customers"),
        (many((3, 20, 30)), "one_customer"),
        (many(*[(0, 0, 0)] * 80), "one_day"),
        (many(*[(0, 0, age) for age in range(80)]), "no_repeat"),
        (many(*[(1, 2, 3)] * 80), "short_history"),
        (many(*[(0, 0, 40)] * 80, *[(1, 2, 30)] * 4), "few_repeaters"),
        (many(*[(4, 20, 30)] * 80), "all_equal"),
    ],
)
def test_says_why_there_is_too_little_for_a_model(facts: tuple[list[float], ...], reason: str) -> None:
    fit = lifetime.fit_orders(*facts, minimum_repeaters=50, minimum_days=180)
    assert (fit.reason, fit.converged, fit.parameters, fit.log_likelihood) == (reason, False, None, None)
    assert fit.customers == len(facts[0])
    assert reason in lifetime.TOO_LITTLE


def test_fits_customers_who_order_like_clockwork() -> None:
    # Everybody orders each week and nobody leaves: r runs up a ridge on which only r / alpha matters.
    ages = np.repeat(np.arange(30.0, 60.0), 5)
    fit = lifetime.fit_orders(ages - 1, ages - 1, ages)
    assert (fit.converged, "r" in fit.limits) == (True, True)
    assert fit.parameters is not None
    ahead = lifetime.expected_orders(fit.parameters, ages - 1, ages - 1, ages, 10)
    assert ahead == pytest.approx(10, rel=0.05)


def test_says_when_the_parameters_run_to_where_the_model_says_nothing() -> None:
    # A few order every day, all others never again: rates have no middle.
    repeats, recency = np.array([0.0] * 5000 + [700.0] * 3), np.array([0.0] * 5000 + [100.0] * 3)
    fit = lifetime.fit_orders(repeats, recency, np.full(5003, 100.0))
    assert (fit.reason, fit.parameters) == ("boundary", None)


def test_fits_customers_who_are_all_alike_in_leaving() -> None:
    # One in a hundred orders is anybody's last: a and b run up a ridge on which only their ratio matters.
    made = make(Orders(r=5.0, alpha=18.0, a=1e6, b=99e6), 300, 100, 26, seed=14)
    fit = lifetime.fit_orders(made.repeats, made.recency, made.age)
    assert (fit.converged, fit.limits, fit.reason) == (True, ("b",), "")
    assert fit.parameters is not None
    assert (fit.a or 0) / ((fit.a or 0) + (fit.b or 1)) == pytest.approx(0.01, abs=0.004)
    ahead = lifetime.expected_orders(fit.parameters, made.repeats, made.recency, made.age, 26)[:, 0]
    assert ahead.sum() == pytest.approx(made.later.sum(), rel=0.05)


def test_fits_customers_of_whom_nobody_leaves() -> None:
    made = make(Orders(r=2.0, alpha=8.0, a=1e-9, b=1.0), 400, 100, 26, seed=12)
    fit = lifetime.fit_orders(made.repeats, made.recency, made.age)
    assert (fit.converged, fit.reason) == (True, "")
    assert set(fit.limits) & {"a", "b"}
    assert fit.parameters is not None
    assert lifetime.alive(fit.parameters, made.repeats, made.recency, made.age).mean() > 0.99


def test_says_when_everybody_leaves_at_the_first_repeat() -> None:
    random = np.random.default_rng(4)
    recency = np.where(random.random(500) < 0.6, random.uniform(0.5, 10, 500), 0)
    fit = lifetime.fit_orders(recency > 0, recency, np.full(500, 120.0))
    assert (fit.reason, fit.parameters) == ("boundary", None)


@pytest.mark.parametrize(
    ("repeats", "mean", "reason", "excluded"),
    [
        ([], [], "money_none", 0),
        ([1, 2], [-5.0, 0.0], "money_none", 2),
        ([1, 2, 3], [10.0, 12.0, -1.0], "money_few", 1),
        ([1, 2, 3, 4], [10.0] * 4, "money_all_equal", 0),
    ],
)
def test_says_why_there_is_no_model_of_the_money(
    repeats: list[int], mean: list[float], reason: str, excluded: int
) -> None:
    fit = lifetime.fit_money(repeats, mean, minimum_repeaters=3)
    assert (fit.reason, fit.excluded, fit.parameters, fit.converged) == (reason, excluded, None, False)


def test_takes_a_customers_own_mean_where_the_money_tells_no_more() -> None:
    # Only means of many orders: how single orders differ cannot be seen, and p runs up a ridge.
    random = np.random.default_rng(8)
    mean = 500 / random.gamma(2.7, 1.0, 300)
    fit = lifetime.fit_money(np.full(300, 40), mean)
    assert (fit.converged, fit.limits) == (True, ("p",))
    assert fit.parameters is not None
    assert lifetime.expected_order_money(fit.parameters, np.full(300, 40), mean) == pytest.approx(mean, rel=0.01)


def test_has_no_expected_money_where_it_would_be_endless() -> None:
    random = np.random.default_rng(7)
    repeats = 1 + random.poisson(4, 3_000)
    mean = random.gamma(5.0 * repeats, 1 / (random.gamma(0.6, 1.0, 3_000) * repeats))
    assert lifetime.fit_money(repeats, mean).reason == "money_no_mean"


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (([1], [2.0], [3.0, 4.0]), "length"),
        (([0.5, 1], [1.0, 1.0], [3.0, 3.0]), "whole"),
        (([1, 1], [4.0, 1.0], [3.0, 3.0]), "recency"),
        (([0, 1], [1.0, 1.0], [3.0, 3.0]), "recency"),
        (([1, 1], [0.0, 1.0], [3.0, 3.0]), "recency"),
        (([1, 1], [float("nan"), 1.0], [3.0, 3.0]), "recency"),
    ],
)
def test_refuses_facts_that_cannot_be(facts: tuple[list[float], ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        lifetime.fit_orders(*facts)


# ── answers ──────────────────────────────────────────────────────────────────

shapes = st.floats(0.02, 50)
parameters = st.builds(Orders, r=shapes, alpha=st.floats(0.1, 100), a=shapes, b=shapes)
histories = st.tuples(st.integers(0, 300), st.floats(0, 1), st.floats(0, 500)).map(
    lambda drawn: (float(drawn[0]), drawn[1] * drawn[2] if drawn[0] else 0.0, drawn[2])
)


def test_expects_of_the_papers_customer_what_the_paper_expects() -> None:
    # Fader, Hardie, Lee, "Implementing the BG/NBD Model in Excel": customer 1 in the next 39 weeks.
    assert lifetime.expected_orders(CDNOW, [2], [30.43], [38.86], 39)[0, 0] == pytest.approx(1.226, abs=0.001)
    assert lifetime.alive(CDNOW, [2], [30.43], [38.86])[0] == pytest.approx(0.7266, abs=0.001)
    # Fader, Hardie, "The Gamma-Gamma Model of Monetary Value", section 3: a mean of 22.35 over two orders.
    assert lifetime.expected_order_money(CDNOW_MONEY, [2], [22.35])[0] == pytest.approx(24.65, abs=0.02)
    assert lifetime.expected_order_money(CDNOW_MONEY, [0], [0])[0] == pytest.approx(35.2, abs=0.1)


mild = st.floats(0.1, 8)


@quick
@given(st.tuples(mild, mild, mild), st.integers(0, 20), st.floats(0.001, 300))
def test_expects_the_mean_over_all_who_could_be_behind_the_history(
    shapes: tuple[float, float, float], x: int, span: float
) -> None:
    r, a, b = shapes
    # Gauss and Jacobi's 200 points for the beta (a, b + x): another way to the same mean than ours.
    points, weights = roots_jacobi(200, b + x - 1, a - 1)
    p = (1 + points) / 2
    mean = weights @ (np.expm1(-(r + x) * np.log1p(p * span)) / -p) / weights.sum()
    # For who has just ordered, with alpha = 1 week: a span is a week.
    orders = Orders(r, 1.0, a, b)
    got = lifetime.expected_orders(orders, [x], [0.0], [0.0], span)[0, 0]
    assert got == pytest.approx(mean * lifetime.alive(orders, [x], [0.0], [0.0])[0], rel=1e-7)


def test_stays_right_where_the_hypergeometric_function_of_scipy_does_not() -> None:
    orders, x, weeks = Orders(r=1.0, alpha=1.0, a=1.0, b=2.0), 98, 10.0
    assert not np.isfinite(hyp2f1(orders.a, orders.a + orders.b - orders.r - 1, orders.a + orders.b + x, 10 / 11))
    # By hand: with a = 1 leaving is uniform but for the factor (1-p)^(b+x-1), and the mean a plain integral.
    mean = quad(lambda p: -np.expm1(-99 * np.log1p(p * weeks)) / p * 100 * (1 - p) ** 99, 0, 1, points=[0.01, 0.1])[0]
    got = lifetime.expected_orders(orders, [x], [0.0], [0.0], weeks)[0, 0]
    assert got == pytest.approx(mean * lifetime.alive(orders, [x], [0.0], [0.0])[0], rel=1e-7)


@quick
@given(parameters, histories, st.lists(st.floats(0.1, 500), min_size=1, max_size=5))
def test_answers_stay_within_reason(orders: Orders, history: tuple[float, float, float], horizons: list[float]) -> None:
    x, t_x, t = ([each] for each in history)
    horizons = sorted(horizons)
    alive = lifetime.alive(orders, x, t_x, t)[0]
    assert 0 <= alive <= 1
    ahead = lifetime.expected_orders(orders, x, t_x, t, horizons)[0]
    slack = 1e-9 * (1 + (orders.r + x[0]) * horizons[-1] / orders.alpha)
    assert np.all(ahead >= -slack)
    assert np.all(np.diff(ahead) >= -slack)
    nothing = [lifetime.nothing_bought(orders, x, t_x, t, weeks)[0] for weeks in horizons]
    assert all(1 - alive - 1e-12 <= each <= 1 for each in nothing)
    assert nothing == sorted(nothing, reverse=True)
    # Who orders at all orders at least once.
    assert np.all(ahead >= 1 - np.array(nothing) - slack)


@quick
@given(parameters, histories)
def test_a_longer_silence_never_makes_a_customer_likelier_to_be_one(
    orders: Orders, history: tuple[float, float, float]
) -> None:
    x, t_x, _age = history
    silent = np.linspace(t_x, t_x + 200, 9)
    alive = lifetime.alive(orders, np.full(9, x), np.full(9, t_x), silent)
    assert np.all(np.diff(alive) <= 1e-12)


@quick
@given(parameters, st.lists(histories, min_size=1, max_size=30))
def test_many_at_once_get_what_each_gets_alone(orders: Orders, rows: list[tuple[float, float, float]]) -> None:
    x, t_x, t = (np.array([row[n] for row in rows]) for n in range(3))
    together = lifetime.expected_orders(orders, x, t_x, t, [52.0, 260.0])
    for n, row in enumerate(rows):
        alone = lifetime.expected_orders(orders, *([each] for each in row), [52.0, 260.0])[0]
        assert together[n] == pytest.approx(alone, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize(
    "orders", [CDNOW, Orders(r=0.66, alpha=9.0, a=0.11, b=2.4), Orders(r=2.0, alpha=6.0, a=1.0, b=1.5)]
)
def test_customers_who_do_as_the_model_says_do_what_it_expects(orders: Orders) -> None:
    window = 26.0
    made = make(orders, 150_000, 60, window)
    some = made.later > 0
    silent = lifetime.nothing_bought(orders, made.repeats, made.recency, made.age, window)
    ahead = lifetime.expected_orders(orders, made.repeats, made.recency, made.age, window)[:, 0]
    alive = lifetime.alive(orders, made.repeats, made.recency, made.age)
    # On the whole, and where it says little, something or much.
    for answer, truth in ((silent, ~some), (ahead, made.later), (alive, made.is_alive)):
        for low, high in zip(np.quantile(answer, [0, 0.3, 0.6]), np.quantile(answer, [0.3, 0.6, 1]), strict=True):
            here = (answer >= low) & (answer <= high)
            error = truth[here].std() / np.sqrt(here.sum())
            assert truth[here].mean() == pytest.approx(answer[here].mean(), abs=4.5 * error + 1e-9)


def test_answers_for_nobody_and_for_a_customer_of_this_very_day() -> None:
    assert lifetime.expected_orders(CDNOW, [], [], [], [52]).shape == (0, 1)
    assert lifetime.expected_orders(CDNOW, [0], [0], [0], [52])[0, 0] > 0
    assert lifetime.nothing_bought(CDNOW, [0], [0], [0], 0)[0] == 1
    assert lifetime.alive(CDNOW, [0], [0], [500])[0] == 1


@quick
@given(st.integers(1, 200), st.floats(0.5, 1e6))
def test_expected_money_lies_between_ones_own_mean_and_everybodys(repeats: int, mean: float) -> None:
    everybody = CDNOW_MONEY.p * CDNOW_MONEY.v / (CDNOW_MONEY.q - 1)
    got = lifetime.expected_order_money(CDNOW_MONEY, [repeats], [mean])[0]
    assert min(mean, everybody) - 1e-6 <= got <= max(mean, everybody) * (1 + 1e-9) + 1e-6
    more = lifetime.expected_order_money(CDNOW_MONEY, [repeats + 1], [mean])[0]
    assert abs(more - mean) <= abs(got - mean) + 1e-6 * mean
