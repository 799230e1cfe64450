"""Where a customer is in its life with the firm (docs/rules/segmentation.md)."""

from __future__ import annotations

import datetime as dt
from typing import Final, Literal

import polars as pl

from segmentation.rules.policy import TierPolicy
from tenants.rules.columns import Schema, conform

StageName = Literal["prospect", "new", "active", "lapsed", "won_back", "closed"]

STAGES: Final[tuple[StageName, ...]] = ("prospect", "new", "active", "lapsed", "won_back", "closed")

ORDER_DAYS: Final[Schema] = {"customer_id": pl.Int64, "day": pl.Date}


def stage(
    first_order_on: dt.date | None,
    last_order_on: dt.date | None,
    returned_on: dt.date | None,
    closed_on: dt.date | None,
    as_of: dt.date,
    rules: TierPolicy,
) -> StageName:
    """The stage of one customer as of a day; `returned_on` is as from `order_history`.

    The first that holds: closed (said to be); prospect (never ordered); lapsed (no order for `lapsed_days` or
    more); won back (returned under `new_days` ago after such a silence); new (first order under `new_days` ago);
    active. `querysets.with_stage` says the same in SQL.
    """
    if closed_on is not None:
        return "closed"
    if last_order_on is None:
        return "prospect"
    if (as_of - last_order_on).days >= rules.lapsed_days:
        return "lapsed"
    if returned_on is not None and (as_of - returned_on).days < rules.new_days:
        return "won_back"
    if first_order_on is not None and (as_of - first_order_on).days < rules.new_days:
        return "new"
    return "active"


def stages(as_of: dt.date, rules: TierPolicy) -> pl.Expr:
    """The same for a frame with first_order_on, last_order_on and returned_on, of customers who are not closed."""

    def days_since(column: str) -> pl.Expr:
        return (pl.lit(as_of) - pl.col(column)).dt.total_days()

    return (
        pl.when(pl.col("last_order_on").is_null())
        .then(pl.lit("prospect"))
        .when(days_since("last_order_on") >= rules.lapsed_days)
        .then(pl.lit("lapsed"))
        .when(days_since("returned_on") < rules.new_days)
        .then(pl.lit("won_back"))
        .when(days_since("first_order_on") < rules.new_days)
        .then(pl.lit("new"))
        .otherwise(pl.lit("active"))
    )


def stage_until(as_of: dt.date, rules: TierPolicy) -> pl.Expr:
    """The first day as of which time alone makes the stage of `stages` another one; null: it never does.

    Of customers who ordered; a date after `as_of`.
    """

    def end(column: str, days: int) -> pl.Expr:
        return pl.col(column) + pl.duration(days=days)

    lapses, day = end("last_order_on", rules.lapsed_days), pl.lit(as_of)
    returned, began = end("returned_on", rules.new_days), end("first_order_on", rules.new_days)
    passes = pl.when(returned > day).then(returned).when(began > day).then(began)
    return pl.when(lapses > day).then(pl.min_horizontal(lapses, passes))


def order_history(order_days: pl.DataFrame, rules: TierPolicy) -> pl.DataFrame:
    """customer_id, first_order_on, last_order_on and returned_on, from a row per order (customer_id, day).

    `returned_on` is the day of the last order that came `lapsed_days` or more after the one before it: it ended
    a silence; null when there was none. Credit notes and cancelled orders must not be among the rows; customers
    without a row have none.
    """
    days = conform(order_days, ORDER_DAYS).select("customer_id", "day").sort("customer_id", "day")
    # Sorted, so a neighbour of the same customer is the order before: far quicker than a window per customer.
    same = pl.col("customer_id") == pl.col("customer_id").shift()
    silent = pl.col("day").diff().dt.total_days() >= rules.lapsed_days
    return (
        days.with_columns(returned_on=pl.when(same & silent).then("day"))
        .group_by("customer_id", maintain_order=True)
        .agg(
            first_order_on=pl.col("day").first(), last_order_on=pl.col("day").last(), returned_on=pl.max("returned_on")
        )
    )
