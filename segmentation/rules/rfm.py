"""Recency, frequency and money: scores by rank, and the eight segments (docs/rules/segmentation.md)."""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass
from typing import Final

import polars as pl

from segmentation.rules.levels import Crowd, Ints, Levels
from tenants.rules.columns import Schema, conform

SCORES: Final = 5
HIGH: Final = 4
"""A score from here up is a 1 in the segment."""

SEGMENTS: Final = ("111", "101", "011", "001", "110", "100", "010", "000")
"""R, F, M as bits, most valuable first: money before recency before frequency."""

RFM_FACTS: Final[Schema] = {
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


@dataclass(frozen=True, slots=True)
class Scale:
    """Which score a value has among all who are ranked: r by days since the last order, f by orders, m by points.

    `ranked` is how many they are.
    """

    ranked: int
    r: Levels
    f: Levels
    m: Levels


def scale(facts: pl.DataFrame, as_of: dt.date) -> Scale:
    """The scale of a crowd; `facts` are those of everybody, as of `score`.

    Raises ValueError when an order lies on or after `as_of`.
    """
    rows = _measured(facts, as_of).drop_nulls("recency_days")
    days, scores = _scores(Crowd.of(-rows.get_column("recency_days")))
    return Scale(
        ranked=rows.height,
        r=Levels.over(-days[::-1], scores[::-1]),
        f=Levels.over(*_scores(Crowd.of(rows.get_column("orders")))),
        m=Levels.over(*_scores(Crowd.of(rows.get_column("points")))),
    )


def _scores(crowd: Crowd) -> tuple[Ints, Ints]:
    """The values of a crowd, more being better, and the score of each."""
    return crowd.values, 1 + SCORES * crowd.below // max(crowd.size, 1)


def score(frame: pl.DataFrame, as_of: dt.date, among: Scale | None = None) -> pl.DataFrame:
    """Add recency_days, r, f, m (1 to 5) and segment ("101") to one row per customer.

    `frame` has last_order_on (null: never ordered), frequency (orders in the window) and
    monetary (points of net money in the window, credit notes deducted; null counts as nothing). Only
    customers who ever ordered are ranked; the others get null scores and the segment "". They are ranked among each
    other or, when these are not all, by the scale of all of them.

    A score is `1 + floor(5 * share of ranked customers strictly worse)`, in whole numbers, so that equal
    values get equal scores and no customer falls on the wrong side of a line by a rounding error.

    Raises ValueError when an order lies on or after `as_of`: such a fact does not count yet.
    """
    facts = _measured(frame, as_of)
    among = scale(frame, as_of) if among is None else among
    ranked = facts.with_columns(
        r=among.r.at(pl.col("recency_days")).cast(pl.Int8),
        f=among.f.at(pl.col("orders")).cast(pl.Int8),
        m=among.m.at(pl.col("points")).cast(pl.Int8),
    )
    bits = pl.concat_str((pl.col(name) >= HIGH).cast(pl.Int8).cast(pl.String) for name in ("r", "f", "m"))
    ordered = pl.col("recency_days").is_not_null()
    return ranked.with_columns(segment=pl.when(ordered).then(bits).otherwise(pl.lit(""))).drop("orders", "points")


def _measured(facts: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    """The facts with what is ranked: recency_days, orders and points; null for who never ordered."""
    rows = conform(facts, RFM_FACTS)
    if rows.select((pl.col("last_order_on") >= as_of).any()).item():
        raise ValueError(f"last_order_on has days on or after {as_of}, which do not count yet")
    ordered = pl.col("last_order_on").is_not_null()
    return rows.with_columns(
        recency_days=(pl.lit(as_of) - pl.col("last_order_on")).dt.total_days().cast(pl.Int32),
        orders=pl.when(ordered).then(pl.col("frequency").fill_null(0)),
        points=pl.when(ordered).then(pl.col("monetary").fill_null(0)),
    )
