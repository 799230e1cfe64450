"""The lifetime model: how many orders will come (BG/NBD), and how much money each (Gamma-Gamma).

BG/NBD: P. Fader, B. Hardie, K. L. Lee, "Counting Your Customers the Easy Way", Marketing Science 24 (2005).
While alive, a customer orders at random at a rate of its own; after each order it leaves with a probability of its
own. Rates are gamma (r, alpha), probabilities beta (a, b) across customers. Gamma-Gamma: P. Fader, B. Hardie, "The
Gamma-Gamma Model of Monetary Value" (2013): the money of orders is gamma around a customer's own mean (p), means are
inverse gamma across customers (q, v).

Our own on NumPy and SciPy: `lifetimes` fits as well but is no longer developed and goes through pandas and autograd;
PyMC samples for minutes what has a maximum, and is too heavy for a worker. The likelihood has few distinct parts:
gammas depend on the number of orders alone, logarithms on the day alone, so both come from small tables, equal rows
count once with a weight, and two million customers take seconds (bench/lifetime.py).

Time is in weeks, money in units of the currency. Without enough to go on there are no parameters but a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.optimize import minimize
from scipy.special import betaln, expit, gammaln, log_expit, polygamma, psi

Floats = npt.NDArray[np.float64]

DAYS: Final = 7
"""Days in the model's unit of time."""

Reason = Literal[
    "",
    "no_customers",
    "one_customer",
    "one_day",
    "no_repeat",
    "short_history",
    "few_repeaters",
    "all_equal",
    "boundary",
    "not_converged",
    "money_none",
    "money_few",
    "money_all_equal",
    "money_boundary",
    "money_not_converged",
    "money_no_mean",
]
"""Why there is no model; "" when there is one. Codes that begin with money_ are Gamma-Gamma's.

no_customers: nobody ever ordered. one_customer: only one did. one_day: all orders lie on one day. no_repeat: nobody
ordered on a second day. short_history, few_repeaters: fewer days, fewer customers with repeat orders than the policy
asks. all_equal: all customers did exactly the same. boundary: the best parameters lie where the model says nothing
(rates without any middle, or everybody leaving at once), so the facts fit no model of this kind. not_converged: the search found no maximum. money_none: no repeat
orders brought money. money_few: fewer such customers than the policy asks. money_no_mean: q is at most 1, by which
the expected money would be endless.
"""

TOO_LITTLE: Final[frozenset[Reason]] = frozenset(
    {"no_customers", "one_customer", "one_day", "no_repeat", "short_history", "few_repeaters", "all_equal"}
)
"""Reasons that `why_not` finds without a search: more facts may do away with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """BG/NBD as fitted: r, alpha (weeks) of the order rates, a, b of leaving; or None and why.

    `limits` names parameters that went to a limit of the model, where the likelihood is flat and which is an answer:
    r, all customers order at the same rate; b or a high, all are equally likely to leave; a low, nobody leaves.
    """

    r: float | None = None
    alpha: float | None = None
    a: float | None = None
    b: float | None = None
    log_likelihood: float | None = None
    customers: int
    repeaters: int
    converged: bool = False
    limits: tuple[str, ...] = ()
    reason: Reason = ""

    @property
    def parameters(self) -> Orders | None:
        if self.r is None or self.alpha is None or self.a is None or self.b is None:
            return None
        return Orders(self.r, self.alpha, self.a, self.b)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyFit:
    """Gamma-Gamma as fitted, or None and why.

    `customers` took part; `excluded` have repeat orders, but credit notes leave no money above 0. `correlation` is
    Pearson's of repeat orders and mean order money: the model takes it to be near 0. `limits` as of Fit: p, a
    customer's own mean says all; q, all customers spend the same on the whole.
    """

    p: float | None = None
    q: float | None = None
    v: float | None = None
    log_likelihood: float | None = None
    customers: int
    excluded: int
    correlation: float | None = None
    converged: bool = False
    limits: tuple[str, ...] = ()
    reason: Reason = ""

    @property
    def parameters(self) -> Money | None:
        if self.p is None or self.q is None or self.v is None:
            return None
        return Money(self.p, self.q, self.v)


@dataclass(frozen=True, slots=True)
class Orders:
    """The parameters of BG/NBD; all above 0."""

    r: float
    alpha: float
    a: float
    b: float


@dataclass(frozen=True, slots=True)
class Money:
    """The parameters of Gamma-Gamma; all above 0, q above 1."""

    p: float
    q: float
    v: float


# ── fitting ──────────────────────────────────────────────────────────────────

_SHAPES: Final = (1e-3, 1e5)
_MONEY_SHAPES: Final = (1e-3, 1e3)
"""Where r, a, b and where p, q may lie: beyond, customers would be all alike, or have nothing in common."""
_SCALES: Final = (1e-6, 1e6)
"""Where alpha and v may lie, as multiples of the mean weeks and the mean money."""
_EDGE: Final = 0.01
"""A parameter within this factor of an end counts as being there."""
_LOW, _HIGH = 0, 1
_LIMITS: Final = frozenset({("r", _HIGH), ("a", _LOW), ("a", _HIGH), ("b", _HIGH), ("p", _HIGH), ("q", _HIGH)})
"""Ends that are limits of the model and not of sense: beyond, nothing changes."""
_FLAT: Final = 1.0
"""There a factor of e more would gain less than this in log-likelihood."""
_THIN: Final = 20_000
"""So many customers are enough to choose among the starts; everybody counts for the result."""
_THIN_REPEATERS: Final = 1_000
"""Unless fewer than these would be left of those who say most."""
_STEEP: Final = 1e-4
"""A gradient per customer from here up is no maximum, whatever the search says.

Not less: with r at its end terms of a million cancel each other, and what is left of the likelihood, some ten digits, no
longer tells slopes of 1e-5 apart: on one processor the search ends below them, on another above.
"""


def fit_orders(
    repeats: npt.ArrayLike,
    recency: npt.ArrayLike,
    age: npt.ArrayLike,
    *,
    minimum_repeaters: int = 1,
    minimum_days: int = 0,
) -> Fit:
    """Fit BG/NBD by maximum likelihood to customers who ordered at least once.

    `repeats`: order days after the first (whole numbers). `recency`: weeks from the first to the last of them, 0
    without. `age`: weeks from the first to the last day that counts; the longest is the history.

    Raises ValueError when the three do not fit together.
    """
    x, t_x, t = (np.asarray(each, dtype=np.float64) for each in (repeats, recency, age))
    _check(x, t_x, t)
    customers, repeaters = x.size, int(np.count_nonzero(x))
    reason = why_not(x, t_x, t, minimum_repeaters=minimum_repeaters, minimum_days=minimum_days)
    if reason:
        return Fit(customers=customers, repeaters=repeaters, reason=reason)

    whole = _OrdersLikelihood(x, t_x, t)
    step = _thin_by(customers, repeaters)
    thin = whole if step == 1 else _OrdersLikelihood(x[::step], t_x[::step], t[::step])
    scale = float(t.mean())
    rate = float(x.sum() / t.sum())
    bounds = {"r": _SHAPES, "alpha": (_SCALES[0] * scale, _SCALES[1] * scale), "a": _SHAPES, "b": _SHAPES}
    starts = [(r, r / rate, a, b) for r, a, b in ((0.25, 0.8, 2.5), (1.0, 0.1, 1.0), (3.0, 1.0, 10.0))]
    found = _maximise(thin, whole, starts, bounds)
    if found.reason:
        return Fit(customers=customers, repeaters=repeaters, reason=found.reason)
    r, alpha, a, b = found.parameters
    return Fit(
        r=r, alpha=alpha, a=a, b=b, log_likelihood=found.log_likelihood, customers=customers, repeaters=repeaters,
        converged=True, limits=found.limits,
    )  # fmt: skip


def fit_money(repeats: npt.ArrayLike, mean_order: npt.ArrayLike, *, minimum_repeaters: int = 1) -> MoneyFit:
    """Fit Gamma-Gamma by maximum likelihood to customers with repeat orders.

    `mean_order`: mean net money of the repeat orders, in units of the currency; who has none above 0 is left out
    and counted. A mean of many orders says more than one of few: the likelihood has `repeats` in it (equation 3 of
    the paper).

    Raises ValueError for different lengths, fewer than one repeat order, or money that is not a number.
    """
    x, mean = (np.asarray(each, dtype=np.float64) for each in (repeats, mean_order))
    if x.shape != mean.shape or x.ndim != 1:
        raise ValueError(f"repeats and mean_order differ in length: {x.shape} and {mean.shape}")
    if not (np.all(x >= 1) and np.all(np.isfinite(mean))):
        raise ValueError("every customer needs a repeat order and a mean that is a number")
    counts = mean > 0
    customers, excluded = int(np.count_nonzero(counts)), int(np.count_nonzero(~counts))
    x, mean = x[counts], mean[counts]
    correlation = _correlation(x, mean)

    def none(reason: Reason) -> MoneyFit:
        return MoneyFit(customers=customers, excluded=excluded, correlation=correlation, reason=reason)

    if customers == 0:
        return none("money_none")
    if customers < minimum_repeaters:
        return none("money_few")
    if np.all(mean == mean[0]):
        return none("money_all_equal")

    step = _thin_by(customers, customers)
    unit = float(mean.mean())
    whole = _MoneyLikelihood(x, mean / unit)
    thin = whole if step == 1 else _MoneyLikelihood(x[::step], mean[::step] / unit)
    starts = [(1.0, 3.0, 2.0), (5.0, 3.0, 1.0), (0.5, 1.5, 1.0)]
    found = _maximise(thin, whole, starts, {"p": _MONEY_SHAPES, "q": _MONEY_SHAPES, "v": _SCALES})
    if found.reason:
        return none("money_boundary" if found.reason == "boundary" else "money_not_converged")
    p, q, v = found.parameters
    if q <= 1:
        return none("money_no_mean")
    return MoneyFit(
        p=p, q=q, v=v * unit, log_likelihood=found.log_likelihood - customers * float(np.log(unit)),
        customers=customers, excluded=excluded, correlation=correlation, converged=True, limits=found.limits,
    )  # fmt: skip


def why_not(
    repeats: npt.ArrayLike, recency: npt.ArrayLike, age: npt.ArrayLike, *, minimum_repeaters: int, minimum_days: int
) -> Reason:
    """Why there is too little for a model, of TOO_LITTLE, or ""; arguments as of `fit_orders`."""
    x, t_x, t = (np.asarray(each, dtype=np.float64) for each in (repeats, recency, age))
    if x.size == 0:
        return "no_customers"
    if x.size == 1:
        return "one_customer"
    if not np.any(x):
        return "one_day" if np.all(t == t[0]) else "no_repeat"
    if round(float(t.max()) * DAYS) + 1 < minimum_days:
        return "short_history"
    if np.count_nonzero(x) < minimum_repeaters:
        return "few_repeaters"
    return "all_equal" if np.all(x == x[0]) and np.all(t_x == t_x[0]) and np.all(t == t[0]) else ""


def _thin_by(customers: int, repeaters: int) -> int:
    return max(1, min(customers // _THIN, repeaters // _THIN_REPEATERS))


def _check(x: Floats, t_x: Floats, t: Floats) -> None:
    if not (x.shape == t_x.shape == t.shape and x.ndim == 1):
        raise ValueError(f"repeats, recency and age differ in length: {x.shape}, {t_x.shape}, {t.shape}")
    if np.any((x < 0) | (x != np.floor(x))):
        raise ValueError("repeats must be whole numbers from 0")
    if not np.all((t_x >= 0) & (t_x <= t)):
        raise ValueError("recency must lie between 0 and age")
    if np.any((x == 0) != (t_x == 0)):
        raise ValueError("recency is above 0 exactly where there are repeats")


def _correlation(x: Floats, y: Floats) -> float | None:
    if x.size < 2 or np.all(x == x[0]) or np.all(y == y[0]):
        return None
    return float(np.corrcoef(x, y)[0, 1])


class _OrdersLikelihood:
    """Minus the mean log-likelihood of BG/NBD, and its gradient, by the logarithms of r, alpha, a, b.

    Equation 6 of the paper: per customer, `lnG(r+x) - lnG(r) + r ln(alpha) + lnG(a+b) + lnG(b+x) - lnG(b) -
    lnG(a+b+x) + ln(e^A + [x>0] e^B)`, A still alive, B gone after the last order. With D = B - A the last term is
    A + ln(1 + e^D), which neither overflows nor loses digits.
    """

    def __init__(self, x: Floats, t_x: Floats, t: Floats) -> None:
        self.size = x.size
        rows = pl.DataFrame({"x": x, "t_x": t_x, "t": t})
        of_x = rows.group_by("x").len().sort("x")
        self.xs = of_x.get_column("x").to_numpy()
        self.x_weights = of_x.get_column("len").to_numpy().astype(np.float64)

        alike = rows.group_by("x", "t_x", "t").len().sort("x", "t_x", "t")
        self.weights = alike.get_column("len").to_numpy().astype(np.float64)
        self.x = alike.get_column("x").to_numpy()
        first = int(np.searchsorted(self.x, 0, side="right"))  # sorted: those without repeats come first
        self.again_at = slice(first, None)
        times = np.concatenate([alike.get_column("t").to_numpy(), alike.get_column("t_x").to_numpy()[first:]])
        self.times, places = np.unique(times, return_inverse=True)
        self.age_at, self.recency_at = places[: self.x.size], places[self.x.size :]

    def __call__(self, logs: Floats) -> tuple[float, Floats]:
        r, alpha, a, b = np.exp(logs)
        xs, n, w = self.xs, self.x_weights, self.weights
        by_x = (
            gammaln(r + xs) - gammaln(r) + r * np.log(alpha) + gammaln(a + b) + gammaln(b + xs) - gammaln(b)
            - gammaln(a + b + xs)
        )  # fmt: skip
        log_time, per_time = np.log(alpha + self.times), 1 / (alpha + self.times)
        log_age, per_age = log_time[self.age_at], per_time[self.age_at]
        shape = r + self.x
        total = n @ by_x - w @ (shape * log_age)

        # Of those with repeats: how much likelier gone after the last order than still alive, and the weight of it.
        x_again, w_again, shape_again = self.x[self.again_at], w[self.again_at], shape[self.again_at]
        longer = log_age[self.again_at] - log_time[self.recency_at]
        gone = np.log(a) - np.log(b + x_again - 1) + shape_again * longer
        total += w_again @ np.logaddexp(0, gone)
        share = w_again * expit(gone)

        both = psi(a + b) - psi(a + b + xs)
        d_r = n @ (psi(r + xs) - psi(r) + np.log(alpha)) - w @ log_age + share @ longer
        d_alpha = (
            n.sum() * r / alpha
            - w @ (shape * per_age)
            + share @ (shape_again * (per_age[self.again_at] - per_time[self.recency_at]))
        )
        d_a = n @ both + share.sum() / a
        d_b = n @ (both + psi(b + xs) - psi(b)) - share @ (1 / (b + x_again - 1))
        gradient = np.array([d_r * r, d_alpha * alpha, d_a * a, d_b * b])
        return -total / self.size, -gradient / self.size


class _MoneyLikelihood:
    """Minus the mean log-likelihood of Gamma-Gamma, and its gradient, by the logarithms of p, q, v.

    Equation 1a of the paper: per customer, `lnG(px+q) - lnG(px) - lnG(q) + q ln(v) + (px-1) ln(m) + px ln(x) -
    (px+q) ln(v + mx)`.
    """

    def __init__(self, x: Floats, mean: Floats) -> None:
        self.size = x.size
        self.xs, counts = np.unique(x, return_counts=True)
        self.x_weights = counts.astype(np.float64)
        self.x, self.sums = x, mean * x
        self.log_mean_sum = float(np.log(mean).sum())
        self.x_log_sums = float(x @ np.log(self.sums))

    def __call__(self, logs: Floats) -> tuple[float, Floats]:
        p, q, v = np.exp(logs)
        xs, n = self.xs, self.x_weights
        shape = p * xs
        by_x = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(v)
        all_money = v + self.sums
        log_all = np.log(all_money)
        x_log_all, sum_log_all = float(self.x @ log_all), float(log_all.sum())
        total = n @ by_x + p * self.x_log_sums - self.log_mean_sum - p * x_log_all - q * sum_log_all

        d_p = n @ (xs * (psi(shape + q) - psi(shape))) + self.x_log_sums - x_log_all
        d_q = n @ (psi(shape + q) - psi(q) + np.log(v)) - sum_log_all
        per_all = 1 / all_money
        d_v = n.sum() * q / v - p * float(self.x @ per_all) - q * float(per_all.sum())
        return -total / self.size, -np.array([d_p * p, d_q * q, d_v * v]) / self.size


@dataclass(frozen=True, slots=True)
class _Found:
    parameters: tuple[float, ...] = ()
    log_likelihood: float = 0.0
    limits: tuple[str, ...] = ()
    reason: Literal["", "boundary", "not_converged"] = ""


_Likelihood = Callable[[Floats], tuple[float, Floats]]


def _maximise(
    thin: _OrdersLikelihood | _MoneyLikelihood,
    whole: _OrdersLikelihood | _MoneyLikelihood,
    starts: Sequence[tuple[float, ...]],
    bounds: Mapping[str, tuple[float, float]],
) -> _Found:
    """The best of several starts on a part of the customers, then followed to the maximum of all of them.

    It may lie inside the bounds of every parameter, or at an end of _LIMITS where nothing is gained any more.
    """
    names, ends = list(bounds), np.log(np.array(list(bounds.values())))
    tries = [_search(thin, np.clip(np.log(np.array(start)), *ends.T), ends, _ROUGH) for start in starts]
    nearest = min(tries, key=lambda tried: tried.value)
    last = _to_the_end(whole, _search(whole, nearest.logs, ends, _EXACT), names, ends)
    value, logs, slopes = last.value, last.logs, np.abs(last.slopes)
    if not np.isfinite(value):
        return _Found(reason="not_converged")
    at_end = np.column_stack([logs < ends[:, 0] + _EDGE, logs > ends[:, 1] - _EDGE])
    reached = {(names[number], int(end)) for number, end in np.argwhere(at_end)}
    free = ~at_end.any(axis=1)
    if reached - _LIMITS or np.any(slopes[~free] * whole.size >= _FLAT):
        return _Found(reason="boundary")
    if np.any(slopes[free] > _STEEP):
        return _Found(reason="not_converged")
    return _Found(
        tuple(float(each) for each in np.exp(logs)), -value * whole.size, tuple(sorted(name for name, _ in reached))
    )


_ROUGH: Final = {"ftol": 1e-7, "gtol": 1e-4, "maxiter": 100}
_EXACT: Final = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 1000, "maxfun": 2000}


class _Ended(NamedTuple):
    """Where a search ended: the value there, the place and how it slopes; not `is_clear` where rounding hid the way on."""

    value: float
    logs: Floats
    slopes: Floats
    is_clear: bool


def _search(likelihood: _Likelihood, start: Floats, ends: Floats, options: Mapping[str, float]) -> _Ended:
    found = minimize(likelihood, start, jac=True, method="L-BFGS-B", bounds=ends, options=dict(options))
    return _Ended(float(found.fun), np.asarray(found.x), np.asarray(found.jac), bool(found.success))


def _to_the_end(likelihood: _Likelihood, last: _Ended, names: Sequence[str], ends: Floats) -> _Ended:
    """On a ridge to one of _LIMITS rounding ends a search anywhere, elsewhere on each processor: followed to its end.

    There the others are looked for again, and it counts if nothing is lost.
    """
    if last.is_clear:
        return last
    for number, name in enumerate(names):
        end = _HIGH if last.slopes[number] < 0 else _LOW
        if (name, end) in _LIMITS:
            there = ends.copy()
            there[number] = ends[number, end]
            further = _search(likelihood, np.clip(last.logs, *there.T), there, _EXACT)
            last = min(further, last, key=lambda each: each.value)
    return last


# ── answers ──────────────────────────────────────────────────────────────────


def alive(orders: Orders, repeats: npt.ArrayLike, recency: npt.ArrayLike, age: npt.ArrayLike) -> Floats:
    """The probability that each customer still is one.

    Without repeats it is 1 whatever the silence: in this model a customer leaves after a repeat order only.
    """
    x, t_x, t = (np.asarray(each, dtype=np.float64) for each in (repeats, recency, age))
    longer = np.log1p((t - t_x) / (orders.alpha + t_x))
    gone = np.log(orders.a) - np.log(orders.b + np.maximum(x, 1) - 1) + (orders.r + x) * longer
    return np.where(x > 0, expit(-gone), 1.0)


def nothing_bought(
    orders: Orders, repeats: npt.ArrayLike, recency: npt.ArrayLike, age: npt.ArrayLike, weeks: float | Floats
) -> Floats:
    """The probability that each customer orders nothing in the next `weeks`.

    Gone already, or alive and silent: `1 - P(alive) (1 - ((alpha+T) / (alpha+T+t))^(r+x))`. Leaving in the window
    plays no part, as only an order is followed by it.
    """
    x, t = np.asarray(repeats, dtype=np.float64), np.asarray(age, dtype=np.float64)
    some = -np.expm1(-(orders.r + x) * np.log1p(weeks / (orders.alpha + t)))
    return 1 - alive(orders, repeats, recency, age) * some


def expected_orders(
    orders: Orders, repeats: npt.ArrayLike, recency: npt.ArrayLike, age: npt.ArrayLike, weeks: npt.ArrayLike
) -> Floats:
    """Expected orders from now to each of `weeks` ahead: a row per customer, a column per horizon.

    P(alive) × the expectation for who is alive, which depends on repeats and age alone and is worked out once for
    each pair of them.
    """
    x, t = np.asarray(repeats, dtype=np.float64), np.asarray(age, dtype=np.float64)
    horizons = np.atleast_1d(np.asarray(weeks, dtype=np.float64))
    xs, x_at = np.unique(x, return_inverse=True)
    ages, age_at = np.unique(t, return_inverse=True)
    pairs, pair_at = np.unique(x_at * max(ages.size, 1) + age_at, return_inverse=True)
    answers = np.empty((pairs.size, horizons.size))
    pair_x, pair_age = np.divmod(pairs, max(ages.size, 1))
    edges = np.searchsorted(pair_x, np.arange(xs.size + 1))
    for number, repeats_here in enumerate(xs):
        here = slice(edges[number], edges[number + 1])
        spans = horizons / (orders.alpha + ages[pair_age[here], None])
        answers[here] = _while_alive(orders, float(repeats_here), spans.ravel()).reshape(spans.shape)
    return alive(orders, repeats, recency, age)[:, None] * answers[pair_at]


_PIECE: Final = 4_000
"""Spans worked on at a time: a piece takes about 10 MB."""


def _while_alive(orders: Orders, x: float, spans: Floats) -> Floats:
    """Expected orders of a customer who is alive, x repeats so far, over spans of t / (alpha + T).

    The paper has `(a+b+x-1)/(a-1) × (1 - (1+s)^-(r+x) 2F1(r+x, b+x; a+b+x-1; s/(1+s)))`. SciPy's hyp2f1 overflows
    where x or s is large, and a = 1 divides by zero. The same is the mean, over the beta (a, b+x) of leaving, of
    `f(p) = (1 - (1 + ps)^-(r+x)) / p`, a sum of positive parts; and by y = ln(p / (1-p)) that integrand is smooth on
    the whole line, where the trapezoid rule is exact to about 12 digits. The straight line between f(0) and f(1) is
    taken out first: its mean is known, and what is left vanishes at both ends.
    """
    k, b = orders.r + x, orders.b + x
    a = orders.a
    width = min(1.0, float(np.sqrt(polygamma(1, a) + polygamma(1, b))))
    middle = float(np.log(a) - np.log(b))
    longest = float(np.log(max(k * spans.max(initial=0.0), 1.0)))
    # Beyond these either the density or what it weighs is below 1e-17 of the whole.
    low = max(min(middle, -longest) - 40 / (1 + a), middle - 40 / a) - 12 * width
    high = min(max(middle, 0.0) + 40 / (1 + b), middle + 40 / b) + 12 * width
    y = np.linspace(low, high, int(np.ceil((high - low) / (0.25 * width))) + 1)
    p = expit(y)
    weights = np.exp(a * log_expit(y) + b * log_expit(-y) - betaln(a, b)) * (y[1] - y[0])
    at_0, at_1 = k * spans, -np.expm1(-k * np.log1p(spans))
    mean_p = a / (a + b)
    expected = at_0 * (1 - mean_p) + at_1 * mean_p
    for begin in range(0, spans.size, _PIECE):
        piece = slice(begin, begin + _PIECE)
        f = np.expm1(-k * np.log1p(spans[piece, None] * p)) / -p
        rest = at_0[piece, None] - (at_0 - at_1)[piece, None] * p - f
        expected[piece] -= rest @ weights
    return expected


def expected_order_money(money: Money, repeats: npt.ArrayLike, mean_order: npt.ArrayLike) -> Floats:
    """Expected net money of each customer's coming orders: between its own mean and everybody's.

    `p (v + x m) / (px + q - 1)`, equation 5 of the paper; without repeats `mean_order` plays no part and the answer
    is the mean of all customers, `pv / (q - 1)`.
    """
    x, mean = np.asarray(repeats, dtype=np.float64), np.asarray(mean_order, dtype=np.float64)
    bought = np.where(x > 0, x * mean, 0.0)
    return money.p * (money.v + bought) / (money.p * x + money.q - 1)
