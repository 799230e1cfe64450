"""What comes first on Today: money at risk, the weight of the reason, and how late it is.

Everything is whole numbers, and each rule is written so that SQL says the same in one line
(docs/rules/followups.md).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

Level = Literal["routine", "mild", "moderate", "severe"]

LEVEL_WEIGHTS: Final[dict[Level, int]] = {"routine": 1, "mild": 2, "moderate": 3, "severe": 5}
"""How much a reason weighs: routine is a cadence's touch, the others are alert levels."""

LEAST_WORTH: Final = 10_000
"""Points (one unit of currency): a customer without money this year still ranks, by risk and reason."""

LEAST_RISK: Final = 20
"""Percent: a customer in perfect health is still one fifth at risk, or nobody would keep in touch."""

UNKNOWN_RISK: Final = 50
"""Percent, for a customer without a score."""

URGENCY_FUTURE: Final = 50
URGENCY_TODAY: Final = 100
URGENCY_PER_DAY: Final = 25
URGENCY_MOST_DAYS: Final = 8


def priority(money: pl.Expr, score: pl.Expr, level: pl.Expr) -> pl.Expr:
    """Money at risk * weight of the reason, Int64: points * percent.

    `money`: points of net money of the last 12 months; `score`: health 0 to 100 or null; `level`: one of
    LEVEL_WEIGHTS (another one raises polars' InvalidOperationError). `priority_of` is the same for one
    follow-up.
    """
    worth = pl.max_horizontal(money.cast(pl.Int64).fill_null(0), pl.lit(LEAST_WORTH, dtype=pl.Int64))
    risk = pl.max_horizontal((100 - score.cast(pl.Int64)).fill_null(UNKNOWN_RISK), pl.lit(LEAST_RISK, dtype=pl.Int64))
    return worth // 100 * risk * level.replace_strict(dict(LEVEL_WEIGHTS), return_dtype=pl.Int64)


def priority_of(money: int, score: int | None, level: Level) -> int:
    """The priority of one follow-up, as `priority` gives it for columns."""
    risk = UNKNOWN_RISK if score is None else 100 - score
    return max(money, LEAST_WORTH) // 100 * max(risk, LEAST_RISK) * LEVEL_WEIGHTS[level]


def priority_sql(money: str, score: str, level: str) -> str:
    """`priority` as an SQL expression of three others, for rows that are many and seldom change."""
    weights = " ".join(f"WHEN '{name}' THEN {weight}" for name, weight in LEVEL_WEIGHTS.items())
    worth = f"GREATEST(COALESCE({money}, 0), {LEAST_WORTH})"
    risk = f"GREATEST(COALESCE(100 - {score}, {UNKNOWN_RISK}), {LEAST_RISK})"
    return f"{worth} / 100 * {risk} * CASE {level} {weights} END"


def urgency(due_on: pl.Expr, as_of: dt.date) -> pl.Expr:
    """Percent by which lateness multiplies the priority, Int64.

    Not due yet: half. Due today: once. Late: a quarter more for each day, at most three times, from the
    eighth day on: later than that, more lateness says nothing new. A follow-up's rank is
    `priority // 100 * urgency`. Time alone changes it, so it is reckoned when read and never stored.
    """
    late = (pl.lit(as_of) - due_on).dt.total_days()
    by_lateness = URGENCY_TODAY + URGENCY_PER_DAY * late.clip(0, URGENCY_MOST_DAYS)
    return pl.when(late < 0).then(pl.lit(URGENCY_FUTURE, dtype=pl.Int64)).otherwise(by_lateness).cast(pl.Int64)


def weight_of(level: str) -> int:
    """How much a level weighs. Raises KeyError for one that does not exist."""
    return {str(name): weight for name, weight in LEVEL_WEIGHTS.items()}[level]


@dataclass(frozen=True)
class Reasoning:
    """Why a follow-up ranks where it does, factor by factor.

    `worth` in points, `risk` and `urgency` in percent, `weight` a whole number; `rank` is what the queue orders by.
    `coming` is the rank by what is known now: another one than `rank` where money or health have moved since the
    priority was reckoned; the next night takes it over.
    """

    worth: int
    risk: int
    weight: int
    urgency: int
    rank: int
    coming: int

    @property
    def has_moved(self) -> bool:
        return self.rank != self.coming


def explain(
    *, priority: int, money: int | None, score: int | None, level: str, due_on: dt.date, as_of: dt.date
) -> Reasoning:
    """The factors of one follow-up's rank; the same arithmetic as `priority` and `urgency`.

    `priority` as it is stored, `money` (points) and `score` (0 to 100) as they are now, null where unknown. Raises
    KeyError for a level that does not exist.
    """
    worth = max(money or 0, LEAST_WORTH)
    risk = UNKNOWN_RISK if score is None else max(100 - score, LEAST_RISK)
    weight = weight_of(level)
    late = (as_of - due_on).days
    pressure = URGENCY_FUTURE if late < 0 else URGENCY_TODAY + URGENCY_PER_DAY * min(late, URGENCY_MOST_DAYS)
    return Reasoning(
        worth=worth,
        risk=risk,
        weight=weight,
        urgency=pressure,
        rank=priority // 100 * pressure,
        coming=worth // 100 * risk * weight // 100 * pressure,
    )
