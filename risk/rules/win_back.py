"""Who may come back, and what that is worth: from how the firm's own silences ended (docs/rules/win-back.md)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import polars as pl

from followups.rules.variants import Difference, Rate, difference, rate
from tenants.rules.columns import Schema, conform

Group = Literal["once", "few", "many"]

GROUPS: Final[tuple[Group, ...]] = ("once", "few", "many")
"""Customers by the orders before they fell silent: one; two to five; more."""

FEW: Final = 5

MONTH_DAYS: Final = 30.4375

LONGEST: Final = 120
"""Months of silence that are told apart; what is longer counts as this long."""

WEIGHT: Final = 50.0
"""Silences that a month of all groups, and a group's month, borrow from what is known more widely."""

PRIOR_ENDED: Final = 0.5
PRIOR_REACHED: Final = 100.0
"""What is believed of a firm of which nothing is known: one silence in two hundred ends in a month."""

LAPSED: Final[Schema] = {
    "customer_id": pl.Int64,
    "last_order_on": pl.Date,
    "orders": pl.Int64,
    "yearly": pl.Int64,
}


def group_of(orders: int) -> Group:
    """The group of a customer that has placed so many orders."""
    return "once" if orders <= 1 else "few" if orders <= FEW else "many"


@dataclass(frozen=True)
class Month:
    """Silences of a group that lasted at least `month` months (`reached`), and how many of them ended in it."""

    group: str
    month: int
    reached: int
    ended: int


@dataclass(frozen=True)
class History:
    """How the firm's silences ended, month by month: a life table (Kaplan and Meier), drawn towards what is wider known.

    `hazard` of a group in a month is (ended + WEIGHT × of all groups) ÷ (reached + WEIGHT); that of all groups the same
    with the mean of all months; that mean with PRIOR_ENDED and PRIOR_REACHED. So few silences say little, many all.
    """

    months: tuple[Month, ...]

    @classmethod
    def of(cls, months: Iterable[Month]) -> History:
        """A history; of rows about the same group and month the numbers are added up. Raises ValueError for ended > reached."""
        added: dict[tuple[str, int], tuple[int, int]] = {}
        for each in months:
            if not 0 <= each.ended <= each.reached:
                raise ValueError(f"{each.ended} of {each.reached} silences ended")
            place = (each.group, min(max(each.month, 0), LONGEST))
            reached, ended = added.get(place, (0, 0))
            added[place] = (reached + each.reached, ended + each.ended)
        return cls(tuple(Month(group, month, *numbers) for (group, month), numbers in sorted(added.items())))

    @property
    def silences(self) -> int:
        """Months of silence that are known of."""
        return sum(each.reached for each in self.months)

    @property
    def returns(self) -> int:
        """Silences that are known to have ended."""
        return sum(each.ended for each in self.months)

    @cached_property
    def mean(self) -> float:
        """The share of silences that end in a month, over all months."""
        return (self.returns + PRIOR_ENDED) / (self.silences + PRIOR_REACHED)

    @cached_property
    def _all(self) -> Mapping[int, tuple[int, int]]:
        found: dict[int, tuple[int, int]] = {}
        for each in self.months:
            reached, ended = found.get(each.month, (0, 0))
            found[each.month] = (reached + each.reached, ended + each.ended)
        return found

    @cached_property
    def _own(self) -> Mapping[tuple[str, int], tuple[int, int]]:
        return {(each.group, each.month): (each.reached, each.ended) for each in self.months}

    def hazard(self, group: str, month: int) -> float:
        """The share of a group's silences of so many months that end in that month, 0 to 1."""
        month = min(max(month, 0), LONGEST)
        reached, ended = self._all.get(month, (0, 0))
        of_all = (ended + WEIGHT * self.mean) / (reached + WEIGHT)
        reached, ended = self._own.get((group, month), (0, 0))
        return (ended + WEIGHT * of_all) / (reached + WEIGHT)

    def chance(self, group: str, month: int, horizon_days: int) -> float:
        """The chance that a silence of so many months ends within the horizon, 0 to 1; the last month counts in part."""
        if horizon_days < 0:
            raise ValueError("A horizon lies ahead")
        stays, left = 1.0, horizon_days / MONTH_DAYS
        while left > 0:
            stays *= (1.0 - self.hazard(group, month)) ** min(left, 1.0)
            left, month = left - 1.0, month + 1
        return 1.0 - stays

    def chances(self, horizon_days: int) -> pl.DataFrame:
        """group, month and chance for every group and every month from 0 to LONGEST."""
        rows = [
            (group, month, self.chance(group, month, horizon_days)) for group in GROUPS for month in range(LONGEST + 1)
        ]
        return pl.DataFrame(rows, schema={"group": pl.String, "month": pl.Int32, "chance": pl.Float64}, orient="row")


def reckoned_on(as_of: dt.date) -> dt.date:
    """The day as of which silences are told in a month: its last one, so that chances stand for the whole month."""
    return (as_of.replace(day=1) + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)


def silent_months(last_order_on: dt.date, as_of: dt.date) -> int:
    """Whole months of silence as of a day, at most LONGEST."""
    return min(LONGEST, max(0, int((as_of - last_order_on).days / MONTH_DAYS)))


def rank(lapsed: pl.DataFrame, history: History, as_of: dt.date, horizon_days: int) -> pl.DataFrame:
    """What each lapsed customer may bring: chance (0 to 1) and expected, by customer_id.

    `lapsed`: customer_id, last_order_on, orders (all it ever placed) and yearly (points, net money of the twelve months
    up to its last order). `expected` is chance × yearly in whole points, never below 0: who cost more in credit notes
    than it bought is not worth winning back. Columns: those of `lapsed`, chance, expected.
    """
    days = (pl.lit(as_of) - pl.col("last_order_on")).dt.total_days()
    months = (days / MONTH_DAYS).floor().clip(0, LONGEST).cast(pl.Int32)
    orders = pl.col("orders")
    group = pl.when(orders <= 1).then(pl.lit("once")).when(orders <= FEW).then(pl.lit("few")).otherwise(pl.lit("many"))
    found = (
        conform(lapsed, LAPSED)
        .with_columns(month=months, group=group)
        .join(history.chances(horizon_days), on=["group", "month"], how="left")
    )
    expected = (pl.col("yearly").clip(lower_bound=0) * pl.col("chance")).round().cast(pl.Int64)
    return found.with_columns(expected=expected).select(*LAPSED, "chance", "expected").sort("customer_id")


# ── did an offer help ────────────────────────────────────────────────────────

ENOUGH: Final = 10
"""Offers below which no rate is said."""


@dataclass(frozen=True)
class OfferCount:
    """Offers of a kind of which it is known how they ended: made long enough ago, or answered by an order."""

    offer: str
    decided: int
    returned: int


@dataclass(frozen=True)
class OfferRate:
    """How many of an offer came back, against lapses that nobody tried to win back; `enough` to be said at all."""

    offer: str
    rate: Rate
    gain: Difference | None
    enough: bool


def offer_rates(counts: Iterable[OfferCount], untried: tuple[int, int], enough: int = ENOUGH) -> list[OfferRate]:
    """The return rate of each offer, most often made first; `untried` is (came back, of) without any offer."""
    base = rate(*untried)
    found = []
    for each in sorted(counts, key=lambda count: (-count.decided, count.offer)):
        own = rate(each.returned, each.decided)
        can_compare = own.of >= enough and base.of >= enough
        found.append(OfferRate(each.offer, own, difference(own, base) if can_compare else None, own.of >= enough))
    return found
