"""The health indicators over whole frames: facts in, one score per customer out (docs/rules/health.md).

Line scores are kept as whole thousandths of a point. From there on everything is exact integer arithmetic:
a score cannot miss a band by a rounding error, and the receipt of one customer adds up to the frame's
score.
"""

from __future__ import annotations

import datetime as dt
import math
from itertools import pairwise
from typing import Final, TypeVar

import polars as pl

from health.rules.policy import KEYS, ORDER_KEYS, HealthPolicy, Point
from tenants.rules.columns import Schema, conform

THOUSANDTHS: Final = 1000
"""Line scores in these per point."""

ORDER_DAYS: Final[Schema] = {"customer_id": pl.Int64, "day": pl.Date}

FACTS: Final[Schema] = {
    "customer_id": pl.Int64,
    "order_days_count": pl.Int32,
    "last_order_on": pl.Date,
    "median_gap": pl.Float64,
    "gap_cv": pl.Float64,
    "spend_recent": pl.Int64,
    "spend_before": pl.Int64,
    "categories_recent": pl.Int32,
    "categories_before": pl.Int32,
}
"""What `score_frame` reads; `receipt.HealthFacts` is one such row."""

Number = TypeVar("Number", float, pl.Expr)
Whole = TypeVar("Whole", int, pl.Expr)


def frequency_ratio(days: Number, median_gap: Number) -> Number:
    """Days since the last order ÷ own median gap."""
    return days / median_gap


def spend_ratio(recent: Number, before: Number, policy: HealthPolicy) -> Number:
    """Net money of the last `spend_days` ÷ what as many of the `spend_before_days` before them brought."""
    return recent * float(policy.spend_before_days) / (before * float(policy.spend_days))


def breadth_ratio(recent: Number, before: Number) -> Number:
    """Categories bought in the last `category_days` ÷ in as many days before."""
    return recent / before


def order_gaps(order_days: pl.DataFrame, policy: HealthPolicy) -> pl.DataFrame:
    """Each customer's rhythm, from one row per order (customer_id, day); credit notes must not be among them.

    Several orders of one day are one order day. Returns customer_id, order_days_count (all of them),
    last_order_on, median_gap (days; of the last `gaps` gaps, null under `frequency_orders` order days) and
    gap_cv (coefficient of variation of the same gaps, population form, null under `stability_orders`).
    Customers without a row have none.
    """
    days = conform(order_days, ORDER_DAYS).select("customer_id", "day").unique().sort("customer_id", "day")
    # Sorted, so a neighbour of the same customer is the day before: far quicker than a window per customer.
    same = pl.col("customer_id") == pl.col("customer_id").shift()
    gap = pl.when(same).then(pl.col("day").diff().dt.total_days())
    recent = pl.col("gap").drop_nulls().tail(policy.gaps)
    count = pl.col("order_days_count")
    # n·Σg² - (Σg)² is whole, so equal gaps give exactly 0 and no library's way to sum can change the result.
    spread = (pl.col("gaps") * pl.col("sum_of_squares") - pl.col("sum") ** 2).cast(pl.Float64).sqrt()
    return (
        days.with_columns(gap=gap)
        .group_by("customer_id", maintain_order=True)
        .agg(
            order_days_count=pl.len().cast(pl.Int32),
            last_order_on=pl.col("day").max(),
            median=recent.median(),
            gaps=recent.len().cast(pl.Int64),
            sum=recent.sum(),
            sum_of_squares=(recent**2).sum(),
        )
        .select(
            "customer_id",
            "order_days_count",
            "last_order_on",
            median_gap=pl.when(count >= policy.frequency_orders).then(pl.col("median")),
            gap_cv=pl.when(count >= policy.stability_orders).then(spread / pl.col("sum")),
        )
    )


def on_line(value: pl.Expr, line: tuple[Point, ...]) -> pl.Expr:
    """The score of raw values on an indicator's line, in thousandths (0 to 100,000).

    Values beyond the line's ends are clipped to them; null stays null. `line_score` is the same for one
    value.
    """
    clipped = value.clip(line[0][0], line[-1][0])
    score = pl.lit(None, dtype=pl.Float64)
    for (left, low), (right, high) in reversed(list(pairwise(line))):
        score = pl.when(clipped <= right).then((clipped - left) * (high - low) / (right - left) + low).otherwise(score)
    return (score * THOUSANDTHS + 0.5).floor().cast(pl.Int64)


def line_score(value: float, line: tuple[Point, ...]) -> int:
    """The score of one raw value on an indicator's line, in thousandths (0 to 100,000)."""
    clipped = min(max(value, line[0][0]), line[-1][0])
    (left, low), (right, high) = next(pair for pair in pairwise(line) if clipped <= pair[1][0])
    score = (clipped - left) * (high - low) / (right - left) + low
    return math.floor(score * THOUSANDTHS + 0.5)


def whole_score(weighted: Whole, weights: Whole) -> Whole:
    """Σ weight * thousandths over Σ weight, as a whole score, rounded once, half up."""
    return (2 * weighted + THOUSANDTHS * weights) // (2 * THOUSANDTHS * weights)


def raw_values(facts: pl.DataFrame, policy: HealthPolicy, as_of: dt.date) -> pl.DataFrame:
    """customer_id and one Float64 column per indicator key: its raw value, null where it is unknown.

    Indicators 5 to 12 have no facts yet and are unknown for everybody. Raises ValueError when an order lies
    after `as_of`.
    """
    frame = conform(facts, FACTS)
    if frame.select((pl.col("last_order_on") > as_of).any()).item():
        raise ValueError(f"last_order_on has days after {as_of}, which do not count yet")

    days = (pl.lit(as_of) - pl.col("last_order_on")).dt.total_days().cast(pl.Float64)
    count = pl.col("order_days_count").fill_null(0)
    spend_recent = pl.col("spend_recent").fill_null(0).cast(pl.Float64)
    spend_before = pl.col("spend_before").fill_null(0).cast(pl.Float64)
    categories_recent = pl.col("categories_recent").fill_null(0).cast(pl.Float64)
    categories_before = pl.col("categories_before").fill_null(0).cast(pl.Float64)
    known = {
        "order_frequency": pl.when((count >= policy.frequency_orders) & (pl.col("median_gap") > 0)).then(
            frequency_ratio(days, pl.col("median_gap"))
        ),
        "order_stability": pl.when(count >= policy.stability_orders).then(pl.col("gap_cv")),
        "spend_trend": pl.when(spend_before > 0).then(spend_ratio(spend_recent, spend_before, policy)),
        "category_breadth": pl.when(categories_before > 0).then(breadth_ratio(categories_recent, categories_before)),
    }
    nothing = pl.lit(None, dtype=pl.Float64)
    return frame.select("customer_id", *(known.get(key, nothing).alias(key) for key in KEYS))


def score_frame(facts: pl.DataFrame, policy: HealthPolicy, as_of: dt.date) -> pl.DataFrame:
    """customer_id, score (Int16, 0 to 100), band and known (Int8), one row per row of `facts`.

    `known` counts the indicators that have a value. Unknown ones are left out and the others re-weighted.
    Under `minimum_known` known ones, or with no order indicator known, the score is null and the band "none":
    not enough data, never a number. An indicator of weight 0 is switched off and not known. `facts` as in
    FACTS; missing money and categories (null) count as none.
    """
    used = [key for key in KEYS if policy.indicators[key].weight > 0]
    points = raw_values(facts, policy, as_of).select(
        "customer_id", *(on_line(pl.col(key), policy.indicators[key].line).alias(key) for key in used)
    )
    weight = {key: pl.lit(policy.indicators[key].weight, dtype=pl.Int64) for key in used}
    weighted = pl.sum_horizontal(pl.col(key) * weight[key] for key in used)
    weights = pl.sum_horizontal(pl.when(pl.col(key).is_not_null()).then(weight[key]) for key in used)
    known = pl.sum_horizontal(pl.col(key).is_not_null().cast(pl.Int8) for key in used).cast(pl.Int8)
    any_order = pl.any_horizontal(pl.col(key).is_not_null() for key in used if key in ORDER_KEYS)

    score = pl.col("score")
    band = (
        pl.when(score.is_null())
        .then(pl.lit("none"))
        .when(score >= policy.green)
        .then(pl.lit("green"))
        .when(score >= policy.yellow)
        .then(pl.lit("yellow"))
        .otherwise(pl.lit("red"))
    )
    return (
        points.with_columns(known=known, enough=(known >= policy.minimum_known) & any_order)
        .with_columns(score=pl.when("enough").then(whole_score(weighted, weights)).cast(pl.Int16))
        .select("customer_id", "score", band.alias("band"), "known")
    )
