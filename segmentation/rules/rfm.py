"""Recency, frequency and money: scores by rank, and the eight segments (docs/rules/segmentation.md)."""

from __future__ import annotations

import calendar
import datetime as dt
from typing import Final

import polars as pl

from tenants.rules.columns import Schema, conform

SCORES: Final = 5
HIGH: Final = 4
"""A score from here up is a 1 in the segment."""

SEGMENTS: Final = ("111", "101", "011", "001", "110", "100", "010", "000")
"""R, F, M as bits, most valuable first: money before recency before frequency."""

RFM_FACTS: Final[Schema] = {
    "customer_id": pl.Int64,
    "last_order_on": pl.Date,
    "frequency": pl.Int64,
    "monetary": pl.Int64,
}


def window_start(as_of: dt.date, months: int) -> dt.date:
    """The first day of the half-open window `[as_of - months, as_of)`.

    Calendar months; a day that the earlier month does not have becomes its last one (29 February minus twelve
    months is 28 February).
    """
    year, month = divmod(as_of.year * 12 + as_of.month - 1 - months, 12)
    return dt.date(year, month + 1, min(as_of.day, calendar.monthrange(year, month + 1)[1]))


def score(frame: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    """Add recency_days, r, f, m (1 to 5) and segment ("101") to one row per customer.

    `frame` has customer_id, last_order_on (null: never ordered), frequency (orders in the window) and
    monetary (points of net money in the window, credit notes deducted; null counts as nothing). Only
    customers who ever ordered are ranked; the others get null scores and the segment "".

    A score is `1 + floor(5 * share of ranked customers strictly worse)`, in whole numbers, so that equal
    values get equal scores and no customer falls on the wrong side of a line by a rounding error.

    Raises ValueError when an order lies on or after `as_of`: such a fact does not count yet.
    """
    facts = conform(frame, RFM_FACTS)
    ordered = pl.col("last_order_on").is_not_null()
    if facts.select((pl.col("last_order_on") >= as_of).any()).item():
        raise ValueError(f"last_order_on has days on or after {as_of}, which do not count yet")

    recency = (pl.lit(as_of) - pl.col("last_order_on")).dt.total_days().cast(pl.Int32)
    ranked = facts.with_columns(recency_days=recency).with_columns(
        r=_score(-pl.col("recency_days")),
        f=_score(pl.when(ordered).then(pl.col("frequency").fill_null(0))),
        m=_score(pl.when(ordered).then(pl.col("monetary").fill_null(0))),
    )
    bits = pl.concat_str((pl.col(name) >= HIGH).cast(pl.Int8).cast(pl.String) for name in ("r", "f", "m"))
    return ranked.with_columns(segment=pl.when(ordered).then(bits).otherwise(pl.lit("")))


def _score(higher_is_better: pl.Expr) -> pl.Expr:
    """1 to 5 among the values that are not null."""
    worse = higher_is_better.rank("min").cast(pl.Int64) - 1
    return (1 + SCORES * worse // higher_is_better.count().cast(pl.Int64)).cast(pl.Int8)
