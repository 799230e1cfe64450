"""Firms made up for the tests of the forecast: customers of very different rhythm, some of whom leave."""

from __future__ import annotations

import datetime as dt
from functools import cache

import numpy as np
import polars as pl

from health.rules.forecast import Fit, History, fit
from health.rules.policy import ForecastPolicy

BEGIN = dt.date(2022, 1, 1)
AS_OF = dt.date(2024, 1, 1)
RULES = ForecastPolicy()
OWN_CYCLE = ForecastPolicy(lapse="own_cycle")


def history(orders: list[tuple[int, dt.date, float]]) -> History:
    """The house's frames from (customer, day, money); money below 0 is a credit note."""
    frame = pl.DataFrame(
        orders, orient="row", schema={"customer_id": pl.Int64, "day": pl.Date, "money": pl.Float64}
    ).with_columns(net=(pl.col("money") * 10_000).cast(pl.Int64))
    return History(
        days=frame.filter(pl.col("net") >= 0).select("customer_id", "day").unique(),
        months=frame.group_by("customer_id", month=pl.col("day").dt.truncate("1mo")).agg(
            orders=(pl.col("net") >= 0).sum(), credit_notes=(pl.col("net") < 0).sum(), net=pl.col("net").sum()
        ),
    )


@cache
def firm(
    customers: int = 500, *, days: int = 730, november: float = 0.0, growth: float = 1.0, seed: int = 1
) -> History:
    """Everybody orders at a rate of its own from a day of its own on, and leaves after an order one time in twelve.

    `november`: how much faster orders come then than on the year's mean, and slower in May. `growth`: how many times as
    many customers come at the end as at the beginning.
    """
    random = np.random.default_rng(seed)
    pace = np.cumsum(1 + november * np.cos(2 * np.pi * (np.arange(days * 6) - 318) / 365))
    orders: list[tuple[int, dt.date, float]] = []
    for customer in range(customers):
        u = random.random()
        start = days * (u if growth == 1 else np.log1p(u * (growth - 1)) / np.log(growth))
        gap, worth = 30 * np.exp(random.normal(0, 0.8)), np.exp(random.normal(5, 1))
        at = pace[int(start)]
        while (day := int(np.searchsorted(pace, at))) < days:
            money = worth * np.exp(random.normal(0, 0.3))
            orders.append((customer, BEGIN + dt.timedelta(days=day), money))
            if random.random() < 0.1:
                orders.append((customer, BEGIN + dt.timedelta(days=day), -money / 2))
            if random.random() < 1 / 12:
                break
            at += 1 + random.exponential(gap)
    return history(orders)


@cache
def fitted() -> Fit:
    """The model of `firm()` on AS_OF."""
    return fit(firm(), AS_OF, RULES)
