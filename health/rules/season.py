"""The season clock: a firm's year as a clock that runs faster in its busy months (docs/rules/forecast.md).

Silence in a quiet month says less than silence in a busy one. So spans of days are measured in weeks
of the clock: an ordinary week of the firm counts as one, a busy one as more.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.int64]

YEAR_DAYS: Final = 365
YEARS: Final = 3
"""Whole years of history that the clock is read from, the last ones; before the first is over months count alike."""
WARM_UP: Final = 30
"""Days at the beginning of the records in which hardly any order can be told to be a repeat."""
OVERLAP: Final = 30
"""Days that must have been seen in two years running before a trend is believed."""
PRIOR: Final = 50
"""Order days that each month gets of the ordinary rate beside its own: few orders make no season."""
LIVELY_DAYS: Final = 182
LIVELY_SHARE: Final = 0.05
"""So many customers must have come within the last LIVELY_DAYS: a list that nobody joins only shrinks, and its
volume falls because customers leave, not because of the season."""
WEEK: Final = 7
MONTHS: Final = 12


@dataclass(frozen=True, slots=True)
class Season:
    """How fast the clock runs in each calendar month, January first; 1 on the mean of the year's days."""

    rates: tuple[float, ...] = (1.0,) * MONTHS
    known: bool = False

    def weeks(self, start: npt.ArrayLike, days: npt.ArrayLike) -> Floats:
        """Weeks on the clock of so many whole days from `start` on (days since 1970-01-01, may be before it)."""
        first = np.asarray(start, dtype=np.int64)
        end = first + np.asarray(days, dtype=np.int64)
        if first.size == 0 or end.size == 0:
            return np.zeros(np.broadcast(first, end).shape)
        low, high = min(int(first.min()), int(end.min())), max(int(first.max()), int(end.max()))
        passed = self._passed(low, high)
        return (passed[end - low] - passed[first - low]) / WEEK

    def _passed(self, low: int, high: int) -> Floats:
        """Days of the clock from day `low` to the beginning of each day up to `high`."""
        dates = np.arange(low, high, dtype="datetime64[D]")
        months = dates.astype("datetime64[M]").astype(np.int64) % MONTHS
        return np.concatenate([[0.0], np.cumsum(np.array(self.rates)[months])])

    def to_json(self) -> dict[str, Any]:
        return {"rates": list(self.rates), "known": self.known}

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Self:
        return cls(tuple(float(rate) for rate in said["rates"]), bool(said["known"]))


def season_of(days: pl.DataFrame, as_of: dt.date) -> Season:
    """The clock of a firm from its order days (customer_id, day; each once) before `as_of`.

    A calendar month's rate is its repeat order days ÷ those that an even year with the firm's trend would have had.
    First orders do not count, as the clock is for customers who are known; while the year reaches into WARM_UP all do,
    because there everybody seems new. The trend is the volume of the last 365 days ÷ that of the same days a year
    before. With less than a year, a month without orders, or hardly anybody new, nothing is known: all rates are 1.
    """
    first = pl.col("day").min().over("customer_id")
    told = days.filter(pl.col("day") < as_of).select(
        "customer_id", repeat=pl.col("day") > first, ago=(pl.lit(as_of) - pl.col("day")).dt.total_days()
    )
    ago, repeat = told.get_column("ago").to_numpy(), told.get_column("repeat").to_numpy()
    known = int(ago.max(initial=0))
    if known < YEAR_DAYS:
        return Season()
    if np.count_nonzero(ago[~repeat] <= LIVELY_DAYS) < LIVELY_SHARE * np.count_nonzero(~repeat):
        return Season()
    years = min(YEARS, (known - WARM_UP) // YEAR_DAYS)
    counted = ago[repeat & (ago <= YEAR_DAYS * years)] if years else ago[ago <= YEAR_DAYS]
    span = np.arange(1, YEAR_DAYS * max(years, 1) + 1)
    seen = np.bincount(_months(as_of, counted), minlength=MONTHS)
    if not seen.all():
        return Season()
    even = np.bincount(_months(as_of, span), weights=_trend(ago, known) ** (-span / YEAR_DAYS), minlength=MONTHS)
    rates = (seen + PRIOR) / (even * (seen.sum() / even.sum()) + PRIOR)
    rates /= rates[_months(as_of, span[:YEAR_DAYS])].mean()
    return Season(tuple(float(rate) for rate in rates), known=True)


def _trend(ago: Days, known: int) -> float:
    """How many times as many order days as a year before, from what was seen of both years; 1 where that is little."""
    both = min(known - YEAR_DAYS, YEAR_DAYS)
    if both < OVERLAP:
        return 1.0
    now = np.count_nonzero(ago <= both)
    before = np.count_nonzero((ago > YEAR_DAYS) & (ago <= YEAR_DAYS + both))
    return (now + PRIOR) / (before + PRIOR)


def _months(as_of: dt.date, ago: Days) -> Days:
    """The calendar months, 0 to 11, of so many days before `as_of`."""
    dates = np.datetime64(as_of, "D") - ago.astype("timedelta64[D]")
    return np.asarray(dates.astype("datetime64[M]").astype(np.int64) % MONTHS)
