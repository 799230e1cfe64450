"""Tiers: where a customer belongs, and when the move there happens (docs/rules/segmentation.md)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from customers.rules.orders import MONEY_PLACES
from segmentation.rules.levels import Crowd, Ints, Levels
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
    "wholesale": ("strategic", "key", "regular"),
    "callback": ("gold", "silver", "bronze"),
    "sales-team": ("core", "potential", "basic"),
    "starter": tuple(SEGMENT_TIERS[segment] for segment in SEGMENTS),
}
"""Each scheme's tiers, best first; to the left is a rise, to the right a fall.

The starter order is money, then recency, then frequency: a big customer who sleeps stands above a small one
who is awake.
"""

BY_SCHEME: Final[dict[Scheme, str]] = {
    "wholesale": "by_wholesale",
    "callback": "by_callback",
    "sales-team": "by_sales_team",
    "starter": "by_starter",
}
"""The column of each scheme's answer."""

GROWTH_POINTS: Final[dict[str, int]] = {"low": 1, "medium": 3, "high": 5}
"""What growth potential counts in the potential score, on the scale of the industry position."""

POINTS: Final = 10**MONEY_PLACES
"""Points of money in a unit of currency."""

SCORED: Final[Schema] = {
    "customer_id": pl.Int64,
    "recency_days": pl.Int32,
    "frequency": pl.Int64,
    "monetary": pl.Int64,
    "r": pl.Int8,
    "f": pl.Int8,
    "m": pl.Int8,
    "segment": pl.String,
    "relation_since": pl.Date,
    "industry_position": pl.Int8,
    "growth_potential": pl.String,
}

STANDING: Final[Schema] = {
    "customer_id": pl.Int64,
    "tier": pl.String,
    "target": pl.String,
    "below_since": pl.Date,
    "pin": pl.String,
}

_WORKING: Final = ("money", "total_score", "relation_years", "potential")


@dataclass(frozen=True, slots=True)
class Lines:
    """All that the tiers of a customer, and the reasons for them, owe to the others who are ranked.

    better_recency (by days since the last order), better_money (by points) and better_score (by R+F+M): which share of
    the ranked is strictly better; better_share (by points): which share of the money strictly better ones bring. Shares
    are in hundredths of a percent, cut. The lines themselves are the last value that still lies within: days for gold,
    points for gold, R+F+M for silver, points for core; None: nobody does.
    """

    better_recency: Levels
    better_money: Levels
    better_score: Levels
    better_share: Levels
    gold_recency: int | None
    gold_money: int | None
    silver: int | None
    core: int | None


def lines(scored: pl.DataFrame, policy: TierPolicy) -> Lines:
    """The lines that a crowd draws; `scored` has recency_days, monetary, r, f and m of everybody, as of `assign`."""
    ranked = scored.filter(pl.col("recency_days").is_not_null())
    days = Crowd.of(ranked.get_column("recency_days"))
    money = Crowd.of(ranked.get_column("monetary").fill_null(0))
    score = Crowd.of(ranked.select(_total_score()).to_series())
    return Lines(
        better_recency=Levels.over(days.values, _hundredths(days.below, days.size)),
        better_money=Levels.over(money.values, _hundredths(money.above, money.size)),
        better_score=Levels.over(score.values, _hundredths(score.above, score.size)),
        better_share=_better_share(money),
        gold_recency=_last(days.values[_in_best(days.below, days.size, policy.gold_recency_best)][::-1]),
        gold_money=_last(money.values[_in_best(money.above, money.size, policy.gold_money_best)]),
        silver=_last(score.values[_in_best(score.above, score.size, policy.silver_best)]),
        core=_core(money, policy.core_share),
    )


def _hundredths(better: Ints, ranked: int) -> Ints:
    return better * 10_000 // max(ranked, 1)


def _in_best(better: Ints, ranked: int, percent: int) -> npt.NDArray[np.bool_]:
    return better * 100 < ranked * percent


def _last(within: Ints) -> int | None:
    """Of values within a line, best last, the first."""
    return int(within[0]) if len(within) else None


def _brought(money: Crowd) -> tuple[Ints, int]:
    """For each amount, what all customers who bring strictly more bring together, and the money of all.

    Who brought nothing, or gave back more, makes it no smaller.
    """
    equal = np.maximum(money.values, 0) * money.counts
    total = int(equal.sum())
    return total - np.cumsum(equal), total


def _better_share(money: Crowd) -> Levels:
    brought, total = _brought(money)
    if not total:
        return Levels((), ())
    # A firm's money in points times ten thousand is more than 64 bits hold.
    share = pl.select((pl.lit(pl.Series(brought)).cast(pl.Int128) * 10_000 // total).cast(pl.Int64)).to_series()
    return Levels.over(money.values, share.to_numpy())


def _core(money: Crowd, percent: int) -> int | None:
    brought, total = _brought(money)
    share = -(-total * percent // 100)  # rounded up to a whole point
    return _last(money.values[(money.values > 0) & (brought < share)])


def _total_score() -> pl.Expr:
    return (pl.col("r") + pl.col("f") + pl.col("m")).cast(pl.Int64)


def assign(scored: pl.DataFrame, policy: TierPolicy, as_of: dt.date, among: Lines | None = None) -> pl.DataFrame:
    """Add the tier that the facts alone give by each scheme, `target`, the one of the policy's scheme, and `why`.

    `scored` is what `rfm.score` returns, with relation_since (the day from which the relation counts),
    industry_position (1 to 5 or null) and growth_potential ("low", "medium", "high"; "" or null: not known).
    The schemes' columns are those of BY_SCHEME. A customer who never ordered has "" in each, and no `why`. Customers are
    compared with each other or, when these are not all, by the lines of all of them.

    * wholesale: strategic is a relation of at least `strategic_years` and at least `strategic_money`; key is at
      least `key_money`, or growth potential "high" and a relation of at least `key_years`; regular is everybody
      else.
    * callback: gold is R among the best `gold_recency_best` % and M among the best `gold_money_best` %; silver is
      not gold and R+F+M among the best `silver_best` %; bronze is everybody else.
    * sales-team: core are the fewest customers who bring `core_share` % of the money, and whoever brings as much
      as the least of them; potential is not core and a potential of at least `potential_from`; basic is everybody
      else. The money is the sum of what customers with positive net money brought: who has none or less than none
      is never core, and credit notes of one do not make others smaller.
    * starter: the tier is the RFM segment.

    Years of a relation are whole calendar ones: what began on 29 February is a year old on 1 March of a common
    year. Potential is the mean of what is known of the industry position and the points of growth.

    `why` is a struct of all facts that decide by any scheme: recency_days, frequency, monetary (points), r, f, m,
    segment, relation_since, relation_years, industry_position, growth_potential, potential; better_recency,
    better_money and better_score, the shares of ranked customers who are strictly better by recency, money and
    R+F+M; and better_share, the share of the money that strictly better customers bring. Shares are percent, cut
    to two decimals, so that one printed as 20.00 is never below 20.
    """
    frame = conform(scored, SCORED)
    among = lines(frame, policy) if among is None else among
    ordered = pl.col("recency_days").is_not_null()
    growth = pl.col("growth_potential").replace_strict(GROWTH_POINTS, default=None, return_dtype=pl.Float64)
    frame = frame.with_columns(
        money=pl.when(ordered).then(pl.col("monetary").fill_null(0)),
        total_score=_total_score(),
        relation_years=_whole_years(pl.col("relation_since"), as_of),
        potential=pl.mean_horizontal(pl.col("industry_position").cast(pl.Float64), growth),
    )
    by_scheme: dict[Scheme, pl.Expr] = {
        "wholesale": _wholesale(policy),
        "callback": _callback(among),
        "sales-team": _sales_team(policy, among),
        "starter": pl.col("segment").replace_strict(SEGMENT_TIERS, default=None, return_dtype=pl.String),
    }
    why = pl.struct(
        "recency_days", "frequency", "monetary", "r", "f", "m", "segment", "relation_since", "relation_years",
        "industry_position", "growth_potential", "potential",
        better_recency=_percent(among.better_recency.at(pl.col("recency_days"))),
        better_money=_percent(among.better_money.at(pl.col("money"))),
        better_score=_percent(among.better_score.at(pl.col("total_score"))),
        better_share=_percent(among.better_share.at(pl.col("money"))),
    )  # fmt: skip
    return (
        frame.with_columns(
            pl.when(ordered).then(tier).otherwise(pl.lit(NO_TIER)).alias(BY_SCHEME[scheme])
            for scheme, tier in by_scheme.items()
        )
        .with_columns(target=pl.col(BY_SCHEME[policy.scheme]), why=pl.when(ordered).then(why))
        .drop(*_WORKING)
    )


def _wholesale(policy: TierPolicy) -> pl.Expr:
    money, years = pl.col("money"), pl.col("relation_years")
    promising = (pl.col("growth_potential") == "high") & (years >= policy.key_years)
    return (
        pl.when((years >= policy.strategic_years) & (money >= policy.strategic_money * POINTS))
        .then(pl.lit("strategic"))
        .when((money >= policy.key_money * POINTS) | promising)
        .then(pl.lit("key"))
        .otherwise(pl.lit("regular"))
    )


def _callback(among: Lines) -> pl.Expr:
    days = pl.lit(value=False) if among.gold_recency is None else pl.col("recency_days") <= among.gold_recency
    gold = days & _from(pl.col("money"), among.gold_money)
    return (
        pl.when(gold)
        .then(pl.lit("gold"))
        .when(_from(pl.col("total_score"), among.silver))
        .then(pl.lit("silver"))
        .otherwise(pl.lit("bronze"))
    )


def _sales_team(policy: TierPolicy, among: Lines) -> pl.Expr:
    return (
        pl.when(_from(pl.col("money"), among.core))
        .then(pl.lit("core"))
        .when(pl.col("potential") >= policy.potential_from)
        .then(pl.lit("potential"))
        .otherwise(pl.lit("basic"))
    )


def _from(value: pl.Expr, line: int | None) -> pl.Expr:
    return pl.lit(value=False) if line is None else value >= line


def _percent(hundredths: pl.Expr) -> pl.Expr:
    # Polars divides by multiplying, and 9999 would become 99.99000000000001.
    return (hundredths / 100).round(2)


def begun_by(as_of: dt.date, years: int) -> dt.date:
    """The last day on which a relation can have begun that is so many whole years old as of a day."""
    try:
        return as_of.replace(year=as_of.year - years)
    except ValueError:  # 29 February of a year without one
        return dt.date(as_of.year - years, 2, 28)


def _whole_years(since: pl.Expr, as_of: dt.date) -> pl.Expr:
    """Calendar years from a day to `as_of`, none for a day yet to come; null for none."""
    not_yet = since.dt.month().cast(pl.Int32) * 100 + since.dt.day() > as_of.month * 100 + as_of.day
    return (as_of.year - since.dt.year() - not_yet.cast(pl.Int32)).clip(lower_bound=0)


def settle(standing: pl.DataFrame, policy: TierPolicy, as_of: dt.date) -> pl.DataFrame:
    """Decide who moves: a pinned tier holds; else a tier rises at once and falls only after `grace_days` below.

    `standing` has customer_id, tier (the one in force; "" or null: none yet), target (from `assign`),
    below_since (the first night on which the target was below the tier, null when it was not) and pin (the tier
    that a person has fixed, null for none). Other columns stay.

    A pin counts at once, up and down, also for a customer who never ordered. While it holds nobody is below
    their tier: after its end the tier rises at once as ever, and the days of grace begin on the first night below
    it. A pin to a tier that the policy's scheme does not have counts for nothing.

    Returns the rows with tier and below_since as they are from now on, and

    * `tier_before`: the tier in force until now, "" for none;
    * `changed`: whether the tier moved;
    * `move`: "pin", "rise", "fall" (grace is over), "start" (first tier), "end" (no order is left), "scheme" (the
      tier in force is none of this policy's), or "" when it stays.

    A fall goes to tonight's target. Run again for the same night with its own result, it changes nothing.
    """
    rank = {code: place for place, code in enumerate(reversed(TIER_ORDER[policy.scheme]), start=1)}
    frame = conform(standing, STANDING).with_columns(
        tier_before=pl.col("tier").fill_null(NO_TIER),
        target=pl.col("target").fill_null(NO_TIER),
        pinned=pl.when(pl.col("pin").is_in(list(rank))).then("pin"),
    )
    before, target, pinned = pl.col("tier_before"), pl.col("target"), pl.col("pinned")
    held = before.replace_strict(rank, default=0, return_dtype=pl.Int32)
    earned = target.replace_strict(rank, default=0, return_dtype=pl.Int32)
    since = pl.col("below_since").fill_null(as_of)
    grace_over = (pl.lit(as_of) - since).dt.total_days() >= policy.grace_days

    frame = frame.with_columns(
        move=pl.when(before == pl.coalesce(pinned, target))
        .then(pl.lit(""))
        .when(pinned.is_not_null())
        .then(pl.lit("pin"))
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
        tier=pl.when("changed").then(pl.coalesce(pinned, target)).otherwise(before),
        below_since=pl.when(pinned.is_null() & ~pl.col("changed") & (before != target)).then(since),
    ).drop("pinned")
