"""Tiers: where a customer belongs, and when the move there happens (docs/rules/segmentation.md)."""

from __future__ import annotations

import datetime as dt
from typing import Final

import polars as pl

from segmentation.rules.policy import Scheme, TierPolicy
from segmentation.rules.rfm import SEGMENTS
from tenants.rules.columns import Schema, conform

NO_TIER: Final = ""
"""The tier of a customer who never ordered."""

SEGMENT_TIERS: Final[dict[str, str]] = {
    "111": "champions",
    "101": "develop",
    "011": "keep",
    "001": "win_back",
    "110": "general_value",
    "100": "general_develop",
    "010": "general_keep",
    "000": "general_win_back",
}
"""The starter scheme: each RFM segment is a tier."""

TIER_ORDER: Final[dict[Scheme, tuple[str, ...]]] = {
    "callback": ("gold", "silver", "bronze"),
    "starter": tuple(SEGMENT_TIERS[segment] for segment in SEGMENTS),
}
"""Each scheme's tiers, best first; to the left is a rise, to the right a fall.

The starter order is money, then recency, then frequency: a big customer who sleeps stands above a small one
who is awake.
"""

SCORED: Final[Schema] = {
    "customer_id": pl.Int64,
    "recency_days": pl.Int32,
    "frequency": pl.Int64,
    "monetary": pl.Int64,
    "r": pl.Int8,
    "f": pl.Int8,
    "m": pl.Int8,
    "segment": pl.String,
}

STANDING: Final[Schema] = {
    "customer_id": pl.Int64,
    "tier": pl.String,
    "target": pl.String,
    "below_since": pl.Date,
}


def assign(scored: pl.DataFrame, policy: TierPolicy) -> pl.DataFrame:
    """Add `target`, the tier that the facts alone give, and `why`, the facts that decided.

    `scored` is what `rfm.score` returns. A customer who never ordered has the target "" and no facts.

    callback: gold is R among the best `gold_recency_best` % and M among the best `gold_money_best` %;
    silver is not gold and R+F+M among the best `silver_best` %; bronze is everybody else. starter: the tier
    is the RFM segment.

    `why` is a struct of recency_days, frequency, monetary (points), r, f, m, segment, and the shares of
    ranked customers who are strictly better by recency, money and R+F+M (percent, cut to two decimals, so
    that a share printed as 20.00 is never below 20).
    """
    frame = conform(scored, SCORED)
    ordered = pl.col("recency_days").is_not_null()
    total = (pl.col("r") + pl.col("f") + pl.col("m")).cast(pl.Int64)
    money = pl.when(ordered).then(pl.col("monetary").fill_null(0))
    frame = frame.with_columns(
        ranked=ordered.sum().cast(pl.Int64),
        better_recency=_strictly_better(-pl.col("recency_days")),
        better_money=_strictly_better(money),
        better_score=_strictly_better(total),
    )
    if policy.scheme == "callback":
        gold = _in_best("better_recency", policy.gold_recency_best) & _in_best("better_money", policy.gold_money_best)
        by_facts = (
            pl.when(gold)
            .then(pl.lit("gold"))
            .when(_in_best("better_score", policy.silver_best))
            .then(pl.lit("silver"))
            .otherwise(pl.lit("bronze"))
        )
    else:
        by_facts = pl.col("segment").replace_strict(SEGMENT_TIERS, default=None, return_dtype=pl.String)
    shares = [
        (pl.col(name) * 10_000 // pl.col("ranked") / 100).alias(name)
        for name in ("better_recency", "better_money", "better_score")
    ]
    why = pl.struct("recency_days", "frequency", "monetary", "r", "f", "m", "segment", *shares)
    return frame.with_columns(
        target=pl.when(ordered).then(by_facts).otherwise(pl.lit(NO_TIER)),
        why=pl.when(ordered).then(why),
    ).drop("ranked", "better_recency", "better_money", "better_score")


def _strictly_better(higher_is_better: pl.Expr) -> pl.Expr:
    return higher_is_better.rank("min", descending=True).cast(pl.Int64) - 1


def _in_best(better: str, percent: int) -> pl.Expr:
    return pl.col(better) * 100 < pl.col("ranked") * percent


def settle(standing: pl.DataFrame, policy: TierPolicy, as_of: dt.date) -> pl.DataFrame:
    """Decide who moves: a tier rises at once and falls only after `grace_days` below.

    `standing` has customer_id, tier (the one in force; "" or null: none yet), target (from `assign`) and
    below_since (the first night on which the target was below the tier, null when it was not). Other
    columns stay.

    Returns the rows with tier and below_since as they are from now on, and

    * `tier_before`: the tier in force until now, "" for none;
    * `changed`: whether the tier moved;
    * `move`: "rise", "fall" (grace is over), "start" (first tier), "end" (no order is left), "scheme" (the
      tier in force is none of this policy's), or "" when it stays.

    A fall goes to tonight's target. Run again for the same night with its own result, it changes nothing.
    """
    rank = {code: place for place, code in enumerate(reversed(TIER_ORDER[policy.scheme]), start=1)}
    frame = conform(standing, STANDING).with_columns(
        tier_before=pl.col("tier").fill_null(NO_TIER), target=pl.col("target").fill_null(NO_TIER)
    )
    before, target = pl.col("tier_before"), pl.col("target")
    held = before.replace_strict(rank, default=0, return_dtype=pl.Int32)
    earned = target.replace_strict(rank, default=0, return_dtype=pl.Int32)
    since = pl.col("below_since").fill_null(as_of)
    grace_over = (pl.lit(as_of) - since).dt.total_days() >= policy.grace_days

    frame = frame.with_columns(
        move=pl.when(before == target)
        .then(pl.lit(""))
        .when(before == NO_TIER)
        .then(pl.lit("start"))
        .when(target == NO_TIER)
        .then(pl.lit("end"))
        .when(held == 0)
        .then(pl.lit("scheme"))
        .when(earned > held)
        .then(pl.lit("rise"))
        .when(grace_over)
        .then(pl.lit("fall"))
        .otherwise(pl.lit(""))
    ).with_columns(changed=pl.col("move") != "")
    return frame.with_columns(
        tier=pl.when("changed").then(target).otherwise(before),
        below_since=pl.when(~pl.col("changed") & (before != target)).then(since),
    )
