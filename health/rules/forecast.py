"""The lapse forecast: how likely each customer orders nothing within the horizon (docs/rules/forecast.md).

Two steps, both fitted to the firm's own past alone. First the lifetime model (segmentation/rules/lifetime.py) on a
season clock: P(no purchase in the horizon), the level of everybody. Then a logistic regression with a strong ridge
that starts from its logit and moves single customers up or down by what the lifetime model does not look at. It
learns from windows that are closed: at an earlier day everything known then, and whether an order followed.

Facts are stored, the forecast is worked out from them: `features` makes a row of plain numbers per customer, `fit` a
model of plain numbers, and `predict` and `explain` need nothing else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import combinations
from math import comb
from typing import Any, Final, Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import expit, logit

from customers.rules.orders import MONEY_PLACES
from health.rules.policy import ForecastPolicy
from health.rules.season import Season, season_of
from segmentation.rules import lifetime
from tenants.rules.columns import Schema, conform

Floats = npt.NDArray[np.float64]

# ── facts ───────────────────────────────────────────────────────────────────

HISTORY_DAYS: Final[Schema] = {"customer_id": pl.Int64, "day": pl.Date}
"""A row for each day on which a customer placed an order; credit notes are none."""
HISTORY_MONTHS: Final[Schema] = {
    "customer_id": pl.Int64,
    "month": pl.Date,
    "orders": pl.Int32,
    "credit_notes": pl.Int32,
    "net": pl.Int64,
}
"""The monthly rollup: orders, credit notes and net points of a customer in the month that begins on `month`."""


@dataclass(frozen=True, slots=True)
class History:
    """What a firm's customers did: frames of HISTORY_DAYS and HISTORY_MONTHS, longer than needed or not.

    Days are sorted by customer and day, each once.
    """

    days: pl.DataFrame
    months: pl.DataFrame

    def __post_init__(self) -> None:
        days = conform(self.days, HISTORY_DAYS).select(*HISTORY_DAYS).unique().sort("customer_id", "day")
        object.__setattr__(self, "days", days)
        object.__setattr__(self, "months", conform(self.months, HISTORY_MONTHS).select(*HISTORY_MONTHS))

    @classmethod
    def of_rollup(cls, days: pl.DataFrame, months: pl.DataFrame) -> History:
        """The same of frames that are as they should be: no day twice, sorted by customer and day."""
        found = cls.__new__(cls)
        object.__setattr__(found, "days", days)
        object.__setattr__(found, "months", months)
        return found

    def of(self, customers: pl.Expr) -> History:
        """The same of some customers only."""
        return History.of_rollup(self.days.filter(customers), self.months.filter(customers))


FEATURES: Final[Schema] = {
    "customer_id": pl.Int64,
    "order_days": pl.Int32,
    "first_order_on": pl.Date,
    "last_order_on": pl.Date,
    "median_gap": pl.Float64,
    "longest_gap": pl.Int32,
    "gap_spread": pl.Float64,
    "half_year_days": pl.Int32,
    "active_months": pl.Int32,
    "recent": pl.Float64,
    "same_season": pl.Int32,
    "orders": pl.Int32,
    "credit_notes": pl.Int32,
    "mean_order": pl.Int64,
    "net_quarter": pl.Int64,
    "net_year": pl.Int64,
}
"""One customer's facts as of a day. Gaps are days between neighbouring order days: the median, the longest, and the
standard deviation of their logarithms (null under 2, 2, 3 order days). half_year_days: order days of the last 182
days. active_months: of the last six spans of 30 days those with an order. recent: order days, each halved for every 90
days between it and the last of them. same_season: order days a year before the coming 90 days. From whole months before
the day's own: orders and credit notes of all time, mean_order (points per order of the months above 0), net points of
the last 3 and 12."""

HALF_YEAR: Final = 182
HALF_LIFE: Final = 90
"""Days after which an order day counts half in `recent`."""
SEASON_DAYS: Final = 90
SPAN: Final = 30
SPANS: Final = 6
YEAR: Final = 365


def features(history: History, as_of: dt.date, rules: ForecastPolicy) -> pl.DataFrame:
    """A row of FEATURES for everybody who ordered before `as_of`, by customer; facts from that day on do not count."""
    ago = pl.col("ago")
    same = pl.col("customer_id") == pl.col("customer_id").shift()
    gap = pl.col("gap")
    days = history.days.filter(pl.col("day") < as_of).with_columns(
        ago=(pl.lit(as_of) - pl.col("day")).dt.total_days().cast(pl.Int32),
        gap=pl.when(same).then(pl.col("day").diff().dt.total_days()).cast(pl.Int32),
    )
    spans = [((ago > SPAN * n) & (ago <= SPAN * (n + 1))).any().cast(pl.Int32) for n in range(SPANS)]
    bought = days.group_by("customer_id", maintain_order=True).agg(
        order_days=pl.len().cast(pl.Int32),
        first_order_on=pl.col("day").min(),
        last_order_on=pl.col("day").max(),
        median_gap=gap.median(),
        longest_gap=gap.max(),
        gap_spread=gap.log().std(),
        half_year_days=(ago <= HALF_YEAR).sum().cast(pl.Int32),
        active_months=pl.sum_horizontal(spans).cast(pl.Int32),
        recent=(0.5 ** ((ago - ago.min()) / HALF_LIFE)).sum(),
        same_season=((ago <= YEAR) & (ago > YEAR - SEASON_DAYS)).sum().cast(pl.Int32),
    )
    return bought.join(_money(history.months, as_of), on="customer_id", how="left", maintain_order="left").select(
        "customer_id",
        *(pl.col(name).fill_null(0) if name in _SUMS else pl.col(name) for name in list(FEATURES)[1:]),
    )


_SUMS: Final = ("orders", "credit_notes", "mean_order", "net_quarter", "net_year")


def _money(months: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    """The features that come from whole months: a month that is not over says less than it will."""
    this = as_of.replace(day=1)
    back = (this.year - pl.col("month").dt.year()) * 12 + this.month - pl.col("month").dt.month().cast(pl.Int32)
    net, sold = pl.col("net"), pl.col("net") > 0
    orders = pl.col("orders").filter(sold & (pl.col("orders") > 0)).sum()
    return (
        months.filter(pl.col("month") < this)
        .with_columns(back=back)
        .group_by("customer_id")
        .agg(
            orders=pl.col("orders").sum().cast(pl.Int32),
            credit_notes=pl.col("credit_notes").sum().cast(pl.Int32),
            mean_order=pl.when(orders > 0).then(net.filter(sold & (pl.col("orders") > 0)).sum() // orders),
            net_quarter=net.filter(pl.col("back") <= 3).sum(),
            net_year=net.filter(pl.col("back") <= 12).sum(),
        )
    )


# ── the model ───────────────────────────────────────────────────────────────

Reason = Literal["", "no_orders", "short_history", "few_customers", "one_outcome", "no_lifetime_model", "not_converged"]
"""Why there is no model; "" when there is one.

no_orders: nobody ordered before the day. short_history, few_customers: fewer days, fewer customers with closed windows
than the policy asks. one_outcome: all of them lapsed, or none. no_lifetime_model: the lifetime model finds none either
(`lifetime_reason` says why). not_converged: the search found no maximum.
"""

Code = Literal["", "one_order", "one_day", "lapsed", "future_facts", "no_model"]
"""Why a customer has no number; "" when there is one.

one_order: ordered once. one_day: all orders lie on one day; so it is said, too, while the month of that day is not over
and their number not known. lapsed: silent for longer than the horizon already.
future_facts: the row has days that do not count yet. no_model: the fit has a reason.
"""

COLUMNS: Final = (
    "lifetime",
    "silence",
    "silence_by_gap",
    "order_days",
    "age",
    "gap",
    "longest_gap",
    "gap_spread",
    "recent",
    "active_months",
    "mean_order",
    "net_quarter",
    "net_year",
    "credit_notes",
    "same_season",
)
"""What the regression reads, in order; `_columns` says how each comes from the facts."""

RIDGE: Final = 1500.0
"""Weight of the squared coefficients of standardised columns: a column must earn its place."""
INTERCEPT_RIDGE: Final = 1.0
"""Of the training days' own levels; only keeps them finite where everybody did the same."""
FARTHEST: Final = 4.0
"""Standard deviations beyond which a column says no more: nobody is forecast from a slip of the keyboard."""
GAP_PRIOR: Final = 2.0
"""Own gaps count beside so many of the firm's typical one."""
SURE: Final = 1e-4
"""No probability is nearer to 0 or 1 than this."""
CUT_OFFS: Final = 12
"""Closed windows that are learned from, the last ones, a month apart."""
SETTLED: Final = 182
"""Days of records before a window from which its level tells something: earlier ones only see who orders often."""
BELIEVED: Final = 0.5
"""The part of a year's error of level that is taken to last."""
LONGEST: Final = 365
"""Days of the longest own horizon."""
SAMPLE: Final = 40_000
"""So many customers are enough to fit by; of more, those with the smallest scrambled numbers are taken."""
TYPICAL: Final = 40
"""Active customers kept in the fit, evenly by risk, to say what is usual."""
CHUNK: Final = 250_000
"""Customers worked on at a time, so that memory stays flat."""
_SCRAMBLE: Final = 2_654_435_761


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The model as fitted on `as_of`, or none and why; plain numbers, to be stored as JSON.

    `customers` have closed windows, `windows` of them in all, on `cut_offs`. `orders`: r, alpha, a, b of the lifetime
    model in weeks of `season`. `means`, `spreads`, `weights`: of COLUMNS. `shift`: added to the logit, so that the mean
    forecast of the active customers of `as_of` is `level`. `gap`: the firm's typical gap (days). `unit`: its typical
    order (points). `typical`: facts of active customers, with days before `as_of` in place of dates.
    """

    as_of: dt.date
    customers: int = 0
    windows: int = 0
    cut_offs: tuple[dt.date, ...] = ()
    orders: tuple[float, ...] = ()
    season: Season = field(default_factory=Season)
    means: tuple[float, ...] = ()
    spreads: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    shift: float = 0.0
    level: float = 0.0
    gap: float = 1.0
    unit: float = 1.0
    typical: tuple[Mapping[str, float | None], ...] = ()
    reason: Reason = ""
    lifetime_reason: lifetime.Reason = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` makes the same fit of it."""
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        return said | {
            "as_of": self.as_of.isoformat(),
            "cut_offs": [day.isoformat() for day in self.cut_offs],
            "season": self.season.to_json(),
            "typical": [dict(row) for row in self.typical],
            **{name: list(said[name]) for name in _NUMBERS},
            "columns": list(COLUMNS),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """Raises ValueError for the fit of another version, with other columns."""
        if tuple(said["columns"]) != COLUMNS:
            raise ValueError(f"The fit is of another version: its columns are {', '.join(said['columns'])}")
        values = {each.name: said[each.name] for each in fields(cls)}
        return cls(
            **values
            | {
                "as_of": dt.date.fromisoformat(said["as_of"]),
                "cut_offs": tuple(dt.date.fromisoformat(day) for day in said["cut_offs"]),
                "season": Season.from_json(said["season"]),
                "typical": tuple(said["typical"]),
                **{name: tuple(float(number) for number in said[name]) for name in _NUMBERS},
            }
        )


_NUMBERS: Final = ("orders", "means", "spreads", "weights")


def horizons(median_gap: Floats, rules: ForecastPolicy) -> npt.NDArray[np.int64]:
    """Whole days of each customer's horizon; without a gap of its own the shortest."""
    if rules.lapse == "days":
        return np.full(median_gap.shape, rules.horizon_days, dtype=np.int64)
    own = np.nan_to_num(rules.own_cycle_times * median_gap, nan=0.0)
    return np.clip(np.ceil(own), rules.own_cycle_minimum, max(LONGEST, rules.own_cycle_minimum)).astype(np.int64)


def fit(history: History, as_of: dt.date, rules: ForecastPolicy) -> Fit:
    """The model of a firm from everything before `as_of`; the same history gives the same fit."""
    return fit_by(Book(sample(history, as_of), rules), as_of)


def sample(history: History, as_of: dt.date) -> History:
    """At most SAMPLE of the customers that ordered before `as_of`, always the same ones."""
    customers = history.days.filter(pl.col("day") < as_of).select(pl.col("customer_id").unique())
    if customers.height <= SAMPLE:
        return history
    chosen = customers.sort(scrambled(), "customer_id").head(SAMPLE).get_column("customer_id")
    return history.of(pl.col("customer_id").is_in(chosen.implode()))


def scrambled() -> pl.Expr:
    """A number of each customer that has nothing to do with anything else about it, and is always the same."""
    return (pl.col("customer_id") * _SCRAMBLE) % 2**32


class Book:
    """A history's features and outcomes by day, each worked out once."""

    def __init__(self, history: History, rules: ForecastPolicy) -> None:
        self.history, self.rules = history, rules
        self.first = history.days.select(pl.col("day").min()).item()
        self._active: dict[dt.date, pl.DataFrame] = {}

    def active(self, day: dt.date) -> pl.DataFrame:
        """FEATURES of those who may lapse on `day`, `horizon`, `silence`, and `next`: days to their next order or null.

        They ordered on two days or more, the last within their horizon.
        """
        if day not in self._active:
            found = features(self.history, day, self.rules).filter(pl.col("order_days") >= 2)
            found = found.with_columns(
                horizon=pl.Series(horizons(found.get_column("median_gap").to_numpy(), self.rules), dtype=pl.Int64),
                silence=(pl.lit(day) - pl.col("last_order_on")).dt.total_days(),
            ).filter(pl.col("silence") <= pl.col("horizon"))
            later = (
                self.history.days.filter(pl.col("day") >= day)
                .group_by("customer_id")
                .agg(next=(pl.col("day").min() - pl.lit(day)).dt.total_days())
            )
            self._active[day] = found.join(later, on="customer_id", how="left", maintain_order="left")
        return self._active[day]

    def closed(self, day: dt.date, as_of: dt.date) -> pl.DataFrame:
        """`active` whose horizon was over before `as_of`, with `lapsed`: nothing ordered in it."""
        over = self.active(day).filter(pl.col("horizon") <= (as_of - day).days)
        return over.with_columns(lapsed=(pl.col("next") >= pl.col("horizon")).fill_null(value=True))


def months_before(day: dt.date, months: int) -> dt.date:
    """The same day so many months earlier, or the last of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    following = dt.date(year + (month == 11), (month + 1) % 12 + 1, 1)
    last = (following - dt.timedelta(days=1)).day
    return dt.date(year, month + 1, min(day.day, last))


def fit_by(book: Book, as_of: dt.date) -> Fit:
    """`fit` from a book, which several days can share."""
    rules = book.rules
    if book.first is None or book.first >= as_of:
        return Fit(as_of=as_of, reason="no_orders")
    if (as_of - book.first).days < rules.minimum_days:
        return Fit(as_of=as_of, reason="short_history")
    windows = _closed_windows(book, as_of)
    customers = pl.concat(window.select("customer_id") for _day, window in windows).n_unique() if windows else 0
    none = Fit(as_of=as_of, customers=customers, windows=sum(window.height for _day, window in windows))
    if customers < rules.minimum_customers:
        return replace(none, reason="few_customers")
    lapsed = np.concatenate([window.get_column("lapsed").to_numpy() for _day, window in windows])
    if lapsed.all() or not lapsed.any():
        return replace(none, reason="one_outcome")

    season = season_of(book.history.days, as_of)
    lives = _lives(book.history.days, season, as_of)
    bought = lifetime.fit_orders(*lives)
    if bought.parameters is None:
        return replace(none, reason="no_lifetime_model", lifetime_reason=bought.reason)
    p = bought.parameters
    now = book.active(as_of)
    gap, unit = _units(pl.concat(window for _day, window in windows))
    base = replace(
        none,
        cut_offs=tuple(day for day, _window in windows),
        orders=(p.r, p.alpha, p.a, p.b),
        season=season,
        gap=gap,
        unit=unit,
    )
    columns = np.vstack([_columns(_facts(window, day), base, day) for day, window in windows])
    means, spreads = _moments(columns)
    spreads[spreads < 1e-9] = 0.0
    base = replace(base, means=_plain(means), spreads=_plain(spreads))
    groups = np.concatenate([np.full(window.height, at) for at, (_day, window) in enumerate(windows)])
    weights = _regress(_standard(columns, base), lapsed.astype(np.float64), columns[:, 0], groups)
    if weights is None:
        return replace(none, reason="not_converged")
    base = replace(base, weights=_plain(weights))
    whole_year = [each for each in windows if (each[0] - book.first).days >= SETTLED]
    missed = _missed(base, whole_year) if len(whole_year) == CUT_OFFS else 0.0
    return _at_level(base, now, missed)


def _missed(base: Fit, windows: list[tuple[dt.date, pl.DataFrame]]) -> float:
    """How far, in logits, the lifetime model's mean was from what came, on the mean of the windows.

    Only for a whole year of windows, in which seasons even out: fewer would carry one season's error to the next.
    """
    found = []
    for day, window in windows:
        columns = _columns(_facts(window, day), base, day)
        plain = columns[:, 0] + _standard(columns, base) @ np.array(base.weights)
        # One more of each kind, so that a window in which all or none lapsed has an end.
        seen = (float(window.get_column("lapsed").to_numpy().sum()) + 1) / (window.height + 2)
        found.append(_shift(plain, seen) - _shift(plain, float(expit(columns[:, 0]).mean())))
    return float(np.mean(found))


def _moments(columns: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of what is known of each column; 0 where nothing is."""
    known = ~np.isnan(columns)
    count = np.maximum(known.sum(axis=0), 1)
    means = np.where(known, columns, 0.0).sum(axis=0) / count
    squares = np.where(known, columns - means, 0.0) ** 2
    return means, np.sqrt(squares.sum(axis=0) / count)


def _at_level(base: Fit, now: pl.DataFrame, missed: float) -> Fit:
    """The fit shifted to the lifetime model's mean, and BELIEVED of what that missed; with typical customers."""
    if now.is_empty():
        return base
    facts = _facts(now, base.as_of)
    columns = _columns(facts, base, base.as_of)
    plain = columns[:, 0] + _standard(columns, base) @ np.array(base.weights)
    shift = _shift(plain, float(expit(columns[:, 0]).mean())) + BELIEVED * missed
    level = float(expit(plain + shift).mean())
    by_risk = np.argsort(plain, kind="stable")
    places = by_risk[((np.arange(min(TYPICAL, plain.size)) + 0.5) * plain.size / min(TYPICAL, plain.size)).astype(int)]
    typical = tuple({name: _or_none(facts[name][place]) for name in facts} for place in places)
    return replace(base, shift=shift, level=level, typical=typical)


def _closed_windows(book: Book, as_of: dt.date) -> list[tuple[dt.date, pl.DataFrame]]:
    """Days a month apart and their closed windows, the latest CUT_OFFS that have any."""
    found: list[tuple[dt.date, pl.DataFrame]] = []
    months = 1
    while len(found) < CUT_OFFS and (day := months_before(as_of, months)) > book.first:
        window = book.closed(day, as_of)
        if not window.is_empty():
            found.append((day, window))
        months += 1
    return found


def _lives(days: pl.DataFrame, season: Season, as_of: dt.date) -> tuple[Floats, Floats, Floats]:
    """Repeats, recency and age of everybody before `as_of`, in weeks of the clock, for the lifetime model."""
    lives = (
        days.filter(pl.col("day") < as_of)
        .group_by("customer_id")
        .agg(first=pl.col("day").min(), last=pl.col("day").max(), days=pl.len())
        .sort("customer_id")
    )
    first = lives.get_column("first").to_physical().to_numpy().astype(np.int64)
    last = lives.get_column("last").to_physical().to_numpy().astype(np.int64)
    return (
        lives.get_column("days").to_numpy().astype(np.float64) - 1,
        season.weeks(first, last - first),
        season.weeks(first, _number(as_of) - 1 - first),
    )


def _number(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days


def _units(windows: pl.DataFrame) -> tuple[float, float]:
    """The typical gap (days) and the typical order (points) of the customers that are learned from."""
    gaps = np.maximum(windows.get_column("median_gap").to_numpy(), 1)
    orders = windows.filter(pl.col("mean_order") > 0).get_column("mean_order").to_numpy()
    return float(np.exp(np.log(gaps).mean())), float(np.median(orders)) if orders.size else 10.0**MONEY_PLACES


_FACTS: Final = (
    "silence", "span", "order_days", "median_gap", "longest_gap", "gap_spread", "recent", "active_months",
    "half_year_days", "mean_order", "net_quarter", "net_year", "orders", "credit_notes", "same_season", "horizon",
)  # fmt: skip
"""A row of features without dates: `silence` and `span` are the days since the last order, and from the first to it."""


def _facts(rows: pl.DataFrame, as_of: dt.date) -> dict[str, Floats]:
    """_FACTS of rows of FEATURES with a `horizon`, NaN where there is none."""
    last = pl.col("last_order_on")
    frame = rows.with_columns(
        silence=(pl.lit(as_of) - last).dt.total_days(), span=(last - pl.col("first_order_on")).dt.total_days()
    ).select(pl.col(name).cast(pl.Float64).fill_null(float("nan")) for name in _FACTS)
    return {name: frame.get_column(name).to_numpy() for name in _FACTS}


def _columns(facts: Mapping[str, Floats], fit: Fit, as_of: dt.date, *, flat: npt.ArrayLike = False) -> Floats:
    """COLUMNS of customers from their facts, before they are standardised; NaN where a fact is not known.

    `flat`: whether the coming horizon is taken to be of an ordinary season.
    """
    today = _number(as_of)
    silence, span, horizon = facts["silence"], facts["span"], facts["horizon"]
    last = today - silence.astype(np.int64)
    first = last - span.astype(np.int64)
    ahead = np.where(flat, horizon / lifetime.DAYS, fit.season.weeks(today, horizon.astype(np.int64)))
    repeats = facts["order_days"] - 1
    recency = fit.season.weeks(first, last - first)
    age = np.maximum(fit.season.weeks(first, today - 1 - first), recency)
    nothing = lifetime.nothing_bought(lifetime.Orders(*fit.orders), repeats, recency, age, ahead)
    gaps = np.maximum(repeats, 1)
    gap = (np.log(np.maximum(facts["median_gap"], 1)) * gaps + np.log(fit.gap) * GAP_PRIOR) / (gaps + GAP_PRIOR)
    named = {
        "lifetime": logit(np.clip(nothing, SURE, 1 - SURE)),
        "silence": np.log1p(silence),
        "silence_by_gap": np.log(np.maximum(silence, 1)) - gap,
        "order_days": np.log(facts["order_days"]),
        "age": np.log1p(silence + span),
        "gap": gap,
        "longest_gap": np.log(np.maximum(facts["longest_gap"], 1)),
        "gap_spread": facts["gap_spread"],
        "recent": np.log1p(facts["recent"] * 0.5 ** (silence / HALF_LIFE)),
        "active_months": facts["active_months"],
        "mean_order": np.log1p(np.maximum(facts["mean_order"], 0) / fit.unit),
        "net_quarter": _log_money(facts["net_quarter"] / fit.unit),
        "net_year": _log_money(facts["net_year"] / fit.unit),
        "credit_notes": np.minimum(facts["credit_notes"] / np.maximum(facts["orders"], 1), 2),
        "same_season": np.log1p(facts["same_season"]),
    }
    return np.column_stack([named[name] for name in COLUMNS])


def _log_money(units: Floats) -> Floats:
    return np.sign(units) * np.log1p(np.abs(units))


def _standard(columns: Floats, fit: Fit) -> Floats:
    """Columns as standard deviations from the mean; what is not known, or never differed, counts as the mean."""
    spreads = np.array(fit.spreads)
    parts = (columns - np.array(fit.means)) / np.where(spreads > 0, spreads, np.inf)
    return np.clip(np.nan_to_num(parts, nan=0.0), -FARTHEST, FARTHEST)


def _logits(facts: Mapping[str, Floats], fit: Fit, as_of: dt.date, *, flat: npt.ArrayLike = False) -> Floats:
    columns = _columns(facts, fit, as_of, flat=flat)
    return columns[:, 0] + _standard(columns, fit) @ np.array(fit.weights) + fit.shift


def _regress(parts: Floats, lapsed: Floats, start: Floats, groups: npt.NDArray[np.int64]) -> Floats | None:
    """Coefficients of the standardised columns; each training day has a level of its own, which is then dropped.

    Levels differ by season and by how long the firm is known, which says nothing about single customers. Newton's
    method; None when it does not settle.
    """
    count = int(groups.max()) + 1
    columns = parts.shape[1]
    penalty = np.concatenate([np.full(columns, RIDGE), np.full(count, INTERCEPT_RIDGE)])
    matrix = np.hstack([parts, np.eye(count)[groups]])
    found = np.zeros(columns + count)
    for _round in range(50):
        chance = expit(start + matrix @ found)
        slope = matrix.T @ (chance - lapsed) + penalty * found
        curve = (matrix * (chance * (1 - chance))[:, None]).T @ matrix + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        found -= step
        if not np.isfinite(found).all():
            return None
        if np.abs(step).max() < 1e-9:
            return found[:columns]
    return None


def _shift(logits: Floats, level: float) -> float:
    """What must be added to the logits so that the mean probability is `level`, by halving."""
    low, high = -20.0, 20.0
    for _round in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if expit(logits + middle).mean() < level else (low, middle)
    return (low + high) / 2


def _or_none(number: float) -> float | None:
    return None if np.isnan(number) else float(number)


def _plain(numbers: Floats) -> tuple[float, ...]:
    return tuple(float(number) for number in numbers)


# ── answers ─────────────────────────────────────────────────────────────────


def predict(features: pl.DataFrame, fit: Fit, rules: ForecastPolicy, as_of: dt.date) -> pl.DataFrame:
    """customer_id, probability (of no order within the horizon; null without), code, horizon_days: a row per row.

    `features` as of `as_of`, in FEATURES; each row's answer depends on that row alone.
    """
    frame = conform(features, FEATURES)
    parts = [_predict(piece, fit, rules, as_of) for piece in frame.iter_slices(CHUNK)]
    return pl.concat(parts) if parts else _predict(frame, fit, rules, as_of)


def _predict(rows: pl.DataFrame, fit: Fit, rules: ForecastPolicy, as_of: dt.date) -> pl.DataFrame:
    horizon = pl.Series("horizon", horizons(rows.get_column("median_gap").to_numpy(), rules), dtype=pl.Int64)
    coded = rows.with_columns(horizon).with_columns(code=_code(fit, as_of))
    counted = coded.filter(pl.col("code") == "").select("customer_id")
    if not counted.is_empty():
        told = coded.filter(pl.col("code") == "")
        chance = np.clip(expit(_logits(_facts(told, as_of), fit, as_of)), SURE, 1 - SURE)
        counted = counted.with_columns(probability=pl.Series(chance))
    else:
        counted = counted.with_columns(probability=pl.lit(None, dtype=pl.Float64))
    return coded.join(counted, on="customer_id", how="left", maintain_order="left").select(
        "customer_id", "probability", "code", horizon_days=pl.col("horizon").cast(pl.Int32)
    )


def _code(fit: Fit, as_of: dt.date) -> pl.Expr:
    silence = (pl.lit(as_of) - pl.col("last_order_on")).dt.total_days()
    return (
        pl.when(silence < 1)
        .then(pl.lit("future_facts"))
        .when((pl.col("order_days") < 2) & (pl.col("orders") == 1))
        .then(pl.lit("one_order"))
        .when(pl.col("order_days") < 2)
        .then(pl.lit("one_day"))
        .when(silence > pl.col("horizon"))
        .then(pl.lit("lapsed"))
        .when(pl.lit(fit.reason != ""))
        .then(pl.lit("no_model"))
        .otherwise(pl.lit(""))
    )


def silence_rule(features: pl.DataFrame, rules: ForecastPolicy, as_of: dt.date) -> pl.DataFrame:
    """customer_id, silence_days and warned: silent for more than the policy's `silence_days`, without any model."""
    return features.select(
        "customer_id", silence_days=(pl.lit(as_of) - pl.col("last_order_on")).dt.total_days().cast(pl.Int32)
    ).with_columns(warned=pl.col("silence_days") > rules.silence_days)


# ── reasons ─────────────────────────────────────────────────────────────────

PartKey = Literal["silence", "rhythm", "recent", "money", "credit_notes", "season"]
"""What moves a forecast away from the usual. silence: days since the last order. rhythm: own gaps and order days.
recent: orders of the last half-year. money: mean order, net money of the quarter and the year. credit_notes. season:
the coming weeks of the firm's year, and what the customer ordered in them a year ago."""

_GROUPS: Final[Mapping[PartKey, tuple[str, ...]]] = {
    "silence": ("silence",),
    "rhythm": ("span", "order_days", "median_gap", "longest_gap", "gap_spread", "horizon"),
    "recent": ("recent", "active_months", "half_year_days"),
    "money": ("mean_order", "net_quarter", "net_year"),
    "credit_notes": ("credit_notes", "orders"),
    "season": ("same_season",),
}
SHOWN: Final = 3

Input = float | int | None


@dataclass(frozen=True, slots=True)
class Part:
    """What one kind of fact adds to the usual, in whole percentage points, and the facts for its words."""

    key: PartKey
    points: int
    inputs: Mapping[str, Input]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """usual + the parts' points + other == percent, exactly; all whole percent.

    `percent` is the forecast as shown, `usual` the mean of the firm's typical active customers in an ordinary season,
    `parts` the strongest, `other` what the remaining ones add and the rounding.
    """

    percent: int
    usual: int
    parts: tuple[Part, ...]
    other: int


def whole_percent(probability: float) -> int:
    """The probability as it is shown: whole percent, half up. `whole_percents` is the same for columns."""
    return int(np.floor(100 * probability + 0.5))


def whole_percents(probability: pl.Expr) -> pl.Expr:
    """Probabilities as they are shown and as warnings go by them: whole percent (Float64), half up; null stays null."""
    return (100 * probability + 0.5).floor()


def explain(row: Mapping[str, Any], fit: Fit, rules: ForecastPolicy, as_of: dt.date) -> Explanation | None:
    """What makes a customer's forecast differ from the usual; None when there is none.

    `row` is the customer's row of FEATURES as of `as_of`. The parts are Shapley values: what a kind of fact adds, on
    the mean of all orders in which the kinds could be looked at, with typical customers' facts for those not yet
    looked at. So no kind is favoured by its place, and nothing is left over.
    """
    [explanation] = explain_all([row], fit, rules, as_of)
    return explanation


def explain_all(
    rows: Sequence[Mapping[str, Any]], fit: Fit, rules: ForecastPolicy, as_of: dt.date
) -> list[Explanation | None]:
    """`explain` of several customers at once, in their order; far quicker than one by one."""
    frame = conform(pl.DataFrame([dict(row) for row in rows], schema=dict(FEATURES), strict=False), FEATURES)
    answers = predict(frame, fit, rules, as_of)
    told: list[Explanation | None] = [None] * frame.height
    if not fit.typical:
        return told
    numbered = answers.get_column("probability").is_not_null().arg_true().to_list()
    facts = _facts(frame.with_columns(answers.get_column("horizon_days").alias("horizon"))[numbered], as_of)
    chances = answers.get_column("probability").to_list()
    for place, (number, values) in enumerate(zip(numbered, _coalitions(facts, fit, as_of), strict=True)):
        own = {name: float(numbers[place]) for name, numbers in facts.items()}
        told[number] = _explanation(chances[number], values, _inputs(own, fit, as_of))
    return told


_CHOICES: Final[tuple[frozenset[PartKey], ...]] = tuple(
    frozenset(chosen) for size in range(len(_GROUPS) + 1) for chosen in combinations(_GROUPS, size)
)
"""Which kinds of facts are the customer's own; the others are typical customers'."""


def _explanation(probability: float, chances: Floats, inputs: Mapping[PartKey, Mapping[str, Input]]) -> Explanation:
    """The parts from the mean forecast by each of _CHOICES."""
    values = dict(zip(_CHOICES, chances.tolist(), strict=True))
    keys = list(_GROUPS)
    exact = {
        key: sum(
            (values[subset | {key}] - values[subset]) / (len(keys) * comb(len(keys) - 1, len(subset)))
            for subset in values
            if key not in subset
        )
        for key in keys
    }
    percent, usual = whole_percent(probability), whole_percent(values[frozenset()])
    strongest = sorted(keys, key=lambda key: (-abs(exact[key]), keys.index(key)))[:SHOWN]
    parts = tuple(
        Part(key, points, inputs[key]) for key in strongest if (points := _whole_points(exact[key]))
    )  # fmt: skip
    return Explanation(
        percent=percent, usual=usual, parts=parts, other=percent - usual - sum(part.points for part in parts)
    )


def _whole_points(share: float) -> int:
    return int(np.sign(share) * np.floor(100 * abs(share) + 0.5))


def _coalitions(facts: Mapping[str, Floats], fit: Fit, as_of: dt.date) -> Iterator[Floats]:
    """By customer, the mean forecast of the typical customers with the customer's own facts of each of _CHOICES."""
    typical = {name: np.array([row[name] for row in fit.typical], dtype=np.float64) for name in _FACTS}
    own_kind = {key: np.array([key in choice for choice in _CHOICES]) for key in _GROUPS}
    flat = np.broadcast_to(~own_kind["season"][:, None], (len(_CHOICES), len(fit.typical)))
    for begin in range(0, facts["horizon"].size, _AT_ONCE):
        piece = {name: numbers[begin : begin + _AT_ONCE] for name, numbers in facts.items()}
        count = piece["horizon"].size
        mixed = {
            name: np.where(own_kind[key][None, :, None], piece[name][:, None, None], typical[name]).ravel()
            for key, names in _GROUPS.items()
            for name in names
        }
        chance = expit(_logits(mixed, fit, as_of, flat=np.broadcast_to(flat, (count, *flat.shape)).ravel()))
        yield from np.clip(chance, SURE, 1 - SURE).reshape(count, *flat.shape).mean(axis=2)


_AT_ONCE: Final = 50
"""Customers explained at a time: 128,000 rows of facts."""


def _inputs(facts: Mapping[str, float], fit: Fit, as_of: dt.date) -> dict[PartKey, Mapping[str, Input]]:
    """The facts behind each part, for words: days, counts, points of money; `busy` is percent of an ordinary season."""

    def whole(name: str) -> int | None:
        return None if np.isnan(facts[name]) else int(facts[name])

    horizon = int(facts["horizon"])
    ahead = float(fit.season.weeks(_number(as_of), horizon)) * lifetime.DAYS
    return {
        "silence": {"days": whole("silence"), "median_gap": _or_none(facts["median_gap"])},
        "rhythm": {
            "order_days": whole("order_days"),
            "median_gap": _or_none(facts["median_gap"]),
            "longest_gap": whole("longest_gap"),
            "days_known": int(facts["silence"] + facts["span"]),
        },
        "recent": {"order_days": whole("half_year_days"), "days": HALF_YEAR, "active_months": whole("active_months")},
        "money": {
            "mean_order": whole("mean_order"),
            "net_quarter": whole("net_quarter"),
            "net_year": whole("net_year"),
        },
        "credit_notes": {"credit_notes": whole("credit_notes"), "orders": whole("orders")},
        "season": {
            "same_season": whole("same_season"),
            "horizon_days": horizon,
            "busy": round(100 * ahead / horizon),
        },
    }
