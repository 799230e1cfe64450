"""Sales figures: repurchase rate, order values, Pareto curve and season (docs/rules/sales-figures.md).

All of them look at whole calendar months, as the monthly rollup keeps them: "month", "quarter" and "year" are
the last 1, 3 and 12 full months before a day, beside as many before those.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, get_args

import polars as pl

Period = Literal["month", "quarter", "year"]
PERIODS: Final[tuple[Period, ...]] = get_args(Period)
PERIOD_MONTHS: Final[dict[Period, int]] = {"month": 1, "quarter": 3, "year": 12}

SERIES_MONTHS: Final = 12
YEAR_MONTHS: Final = 12
SEASON_YEARS: Final = 2
"""Full years that a season needs: one year cannot tell a season from a trend."""
LATE_START_DAYS: Final = 7
"""A first month counts as full when the history begins in its first days."""
CURVE_POINTS: Final = 100


def add_months(month: dt.date, count: int) -> dt.date:
    """The first day of the month that lies `count` months after that of `month`."""
    number = month.year * 12 + month.month - 1 + count
    return dt.date(number // 12, number % 12 + 1, 1)


def months_between(first: dt.date, last: dt.date) -> int:
    """Calendar months from the month of `first` to the month of `last`."""
    return (last.year - first.year) * 12 + last.month - first.month


def history_month(first_day: dt.date) -> dt.date:
    """The first month that a history which begins on `first_day` covers in full."""
    return add_months(first_day, 0 if first_day.day <= LATE_START_DAYS else 1)


@dataclass(frozen=True)
class Span:
    """A period of full months and the one of the same length before it; `end` is the day after its last."""

    period: Period
    before: dt.date
    start: dt.date
    end: dt.date


def span(period: Period, as_of: dt.date, months_ago: int = 0) -> Span:
    """The period whose last month is the last full one before `as_of`, or lies `months_ago` before that."""
    end, length = add_months(as_of, -months_ago), PERIOD_MONTHS[period]
    return Span(period, add_months(end, -2 * length), add_months(end, -length), end)


@dataclass(frozen=True)
class Rate:
    """Repurchase: of the customers who ordered in the period before, how many ordered again in this one.

    `covered` is False when the history begins too late for the period before: the rate is then of a part.
    """

    span: Span
    buyers_before: int
    bought_again: int
    covered: bool

    @property
    def period(self) -> Period:
        return self.span.period

    @property
    def before(self) -> dt.date:
        return self.span.before

    @property
    def start(self) -> dt.date:
        return self.span.start

    @property
    def end(self) -> dt.date:
        return self.span.end

    @property
    def lost(self) -> int:
        """Who ordered in the period before and not in this one."""
        return self.buyers_before - self.bought_again

    @property
    def share(self) -> float | None:
        """0 to 1; None when nobody ordered before."""
        return self.bought_again / self.buyers_before if self.buyers_before else None


@dataclass(frozen=True)
class OrderMonth:
    """Orders of a month and their net money (credit notes deducted)."""

    month: dt.date
    orders: int
    net: Decimal

    @property
    def average(self) -> Decimal | None:
        return average(self.net, self.orders)


@dataclass(frozen=True)
class Growth:
    """The average order of a period beside that of the period before."""

    span: Span
    orders_before: int
    net_before: Decimal
    orders: int
    net: Decimal
    covered: bool

    @property
    def period(self) -> Period:
        return self.span.period

    @property
    def average_before(self) -> Decimal | None:
        return average(self.net_before, self.orders_before)

    @property
    def average(self) -> Decimal | None:
        return average(self.net, self.orders)

    @property
    def change(self) -> float | None:
        """Growth as a share (0.05 is 5 % more); None without orders, or when there is nothing to grow from."""
        before, now = self.average_before, self.average
        if before is None or now is None or before <= 0:
            return None
        return float(now / before) - 1


def average(net: Decimal, orders: int) -> Decimal | None:
    """Net money per order; None without orders."""
    return net / orders if orders else None


@dataclass(frozen=True)
class OrderValues:
    """Net money per order by month, oldest first, and its growth by month, quarter and year."""

    months: tuple[OrderMonth, ...]
    growth: tuple[Growth, ...]


def order_values(months: Sequence[OrderMonth], as_of: dt.date, history_from: dt.date | None) -> OrderValues:
    """The order values of full months before `as_of`.

    `months`: one row per month with anything, at least 24 months back; others count as empty. `history_from`:
    the first month covered in full, None without any order.
    """
    known = {each.month: each for each in months}
    end = add_months(as_of, 0)
    shown = [add_months(end, -n) for n in range(2 * SERIES_MONTHS, 0, -1)]
    if history_from is not None:
        shown = [month for month in shown if month >= history_from]

    def total(start: dt.date, stop: dt.date) -> tuple[int, Decimal]:
        inside = [each for each in known.values() if start <= each.month < stop]
        return sum(each.orders for each in inside), sum((each.net for each in inside), Decimal(0))

    growth = []
    for period in PERIODS:
        asked = span(period, as_of)
        orders_before, net_before = total(asked.before, asked.start)
        orders, net = total(asked.start, asked.end)
        covered = history_from is not None and history_from <= asked.before
        growth.append(Growth(asked, orders_before, net_before, orders, net, covered))
    series = tuple(known.get(month, OrderMonth(month, 0, Decimal(0))) for month in shown)
    return OrderValues(series if known else (), tuple(growth))


@dataclass(frozen=True)
class ParetoPoint:
    """The `customers` best customers bring `share` (0 to 1) of the money."""

    customers: int
    share: float


@dataclass(frozen=True)
class Pareto:
    """Who brings the money of a window; money in units of the firm's currency.

    The curve, `total` and the core are of customers with net money above nothing. Customers whose credit
    notes outweigh their orders would bend the curve back: they are counted beside it.
    """

    start: dt.date
    end: dt.date
    core_share: int
    """Percent of the money that the core brings at least."""
    customers: int
    total: Decimal
    points: tuple[ParetoPoint, ...]
    core_customers: int
    core_line: Decimal
    """Net money of the smallest customer of the core; who has exactly as much belongs to it as well."""
    core_money: Decimal
    negative_customers: int
    negative_money: Decimal

    def to_json(self) -> dict[str, Any]:
        """As it is kept; money as text, so that it stays exact."""
        plain = vars(self) | {"points": [[each.customers, each.share] for each in self.points]}
        return {name: str(value) if isinstance(value, Decimal | dt.date) else value for name, value in plain.items()}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Pareto:
        """What `to_json` has made."""
        days = {name: dt.date.fromisoformat(kept[name]) for name in ("start", "end")}
        money = {name: Decimal(kept[name]) for name in ("total", "core_line", "core_money", "negative_money")}
        points = tuple(ParetoPoint(customers, share) for customers, share in kept["points"])
        return cls(**{**kept, **days, **money, "points": points})

    @property
    def core_customer_share(self) -> float | None:
        return self.core_customers / self.customers if self.customers else None

    @property
    def core_money_share(self) -> float | None:
        return float(self.core_money / self.total) if self.total else None


def pareto(money: pl.Series, start: dt.date, end: dt.date, *, core_share: int, scale: int) -> Pareto:
    """The Pareto curve of the customers' net money.

    `money`: one whole number per customer (`scale` of them are a unit of currency; null and 0 count as
    nothing). The core is the smallest set of customers, biggest first, that brings `core_share` percent of the
    money; who has as much as its smallest belongs to it, so that equal customers stay together.
    """
    amounts = money.cast(pl.Int64).drop_nulls()
    negative = amounts.filter(amounts < 0)
    ranked = amounts.filter(amounts > 0).sort(descending=True)
    reached = ranked.cum_sum()
    total, customers = int(ranked.sum()), ranked.len()
    core = core_line = core_money = 0
    points: list[ParetoPoint] = []
    if customers:
        # The first place at which the sum so far is the core's share of the whole, in whole numbers.
        enough = -(-total * core_share // 100)
        place = int((reached < enough).sum())
        core_line = int(ranked[place])
        core = int((ranked >= core_line).sum())
        core_money = int(reached[core - 1])
        steps = sorted({max(1, customers * n // CURVE_POINTS) for n in range(1, CURVE_POINTS + 1)} | {core})
        points = [ParetoPoint(count, int(reached[count - 1]) / total) for count in steps]

    def units(whole: int) -> Decimal:
        return Decimal(whole) / scale

    return Pareto(
        start=start,
        end=end,
        core_share=core_share,
        customers=customers,
        total=units(total),
        points=tuple(points),
        core_customers=core,
        core_line=units(core_line),
        core_money=units(core_money),
        negative_customers=negative.len(),
        negative_money=units(int(negative.sum())),
    )


@dataclass(frozen=True)
class SeasonMonth:
    """A calendar month (1 to 12): its orders over all years, and its share of a year's orders.

    Shares are 0 to 1; an even year has 1/12 everywhere. `least` and `most` are those of single years.
    """

    month: int
    orders: int
    share: float
    least: float
    most: float


@dataclass(frozen=True)
class Seasons:
    """When in the year orders come; `months` is empty when there are fewer than two full years."""

    years: int
    start: dt.date | None
    end: dt.date
    history_months: int
    months: tuple[SeasonMonth, ...]


def seasons(orders: Sequence[tuple[dt.date, int]], as_of: dt.date, history_from: dt.date | None) -> Seasons:
    """The share of each calendar month in the orders of the last full years before `as_of`.

    `orders`: month and number of orders. `history_from`: the first month covered in full. A year is twelve
    full months, counted back from the last one; every year weighs the same, so that growth is no season. A
    year without orders says nothing and is left out.
    """
    end = add_months(as_of, 0)
    history = max(0, months_between(history_from, end)) if history_from else 0
    count: dict[dt.date, int] = dict(orders)
    shares: list[dict[int, float]] = []
    totals: dict[int, int] = {}
    years = history // YEAR_MONTHS
    start = add_months(end, -years * YEAR_MONTHS) if years else None
    for year in range(years):
        months = [add_months(end, -year * YEAR_MONTHS - n) for n in range(1, YEAR_MONTHS + 1)]
        whole = sum(count.get(month, 0) for month in months)
        if whole:
            shares.append({month.month: count.get(month, 0) / whole for month in months})
            for month in months:
                totals[month.month] = totals.get(month.month, 0) + count.get(month, 0)
    if len(shares) < SEASON_YEARS:
        return Seasons(len(shares), start, end, history, ())
    rows = []
    for number in range(1, YEAR_MONTHS + 1):
        known = [each[number] for each in shares]
        rows.append(SeasonMonth(number, totals[number], sum(known) / len(known), min(known), max(known)))
    return Seasons(len(shares), start, end, history, tuple(rows))
