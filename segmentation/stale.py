"""Whose standing time and the others may have moved: asked of the stored rows, so that the rest need not be read.

The rules of `rules.rfm` and `rules.tiers` decide; this only finds, by the same lines, whom they have to be asked about.
It may name too many, never too few, as long as the facts of those it leaves out are as they were.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from segmentation.rules import rfm, tiers
from segmentation.rules.levels import Levels
from segmentation.rules.policy import TierPolicy
from tenants.runs import Piece

_SCORE: Final = "(r + f + m)"


def stale_standings(piece: Piece, rules: TierPolicy, scale: rfm.Scale, lines: tiers.Lines) -> str:
    """The SQL condition on segmentation_standing, without values from outside, for a night since another.

    * A score, the tier by callback, or being core, is another by tonight's lines.
    * The relation has become as old as the wholesale tiers ask.
    * The days of grace are over; or the tier in force is not what the facts give, though no such days are counted: a
      pin holds it, or has ended.
    """
    if piece.since is None:
        raise ValueError("Nothing is taken from a night before: there is nobody to leave out")
    days = f"(DATE '{piece.as_of}' - last_order_on)"
    moved = [
        f"r <> {_level(days, scale.r)}",
        f"f <> {_level('frequency', scale.f)}",
        f"m <> {_level('monetary', scale.m)}",
        f"by_callback <> {_callback(days, lines)}",
        f"(by_sales_team = 'core') <> {_from('monetary', lines.core)}",
        *(_grown(piece.since, piece.as_of, years) for years in {rules.strategic_years, rules.key_years}),
    ]
    return (
        f"(last_order_on IS NOT NULL AND ({' OR '.join(moved)}))"
        f" OR below_since <= DATE '{piece.as_of - dt.timedelta(days=rules.grace_days)}'"
        f" OR (below_since IS NULL AND tier <> {_target(rules)})"
    )


def _level(value: str, levels: Levels) -> str:
    if not levels.starts:
        return "NULL"
    first, *others = zip(levels.starts, levels.levels, strict=True)
    cases = "".join(f" WHEN {value} >= {start} THEN {level}" for start, level in reversed(others))
    return f"(CASE{cases} ELSE {first[1]} END)" if cases else str(first[1])


def _from(value: str, line: int | None) -> str:
    return "false" if line is None else f"({value} >= {line})"


def _callback(days: str, lines: tiers.Lines) -> str:
    recent = "false" if lines.gold_recency is None else f"({days} <= {lines.gold_recency})"
    gold = f"{recent} AND {_from('monetary', lines.gold_money)}"
    return f"(CASE WHEN {gold} THEN 'gold' WHEN {_from(_SCORE, lines.silver)} THEN 'silver' ELSE 'bronze' END)"


def _grown(since: dt.date, as_of: dt.date, years: int) -> str:
    """That the relation has so many years as of one day, but had not as of the other."""
    return f"(relation_since > DATE '{tiers.begun_by(since, years)}' AND relation_since <= DATE '{tiers.begun_by(as_of, years)}')"


def _target(rules: TierPolicy) -> str:
    if rules.scheme != "starter":
        return tiers.BY_SCHEME[rules.scheme]
    cases = "".join(f" WHEN '{segment}' THEN '{tier}'" for segment, tier in tiers.SEGMENT_TIERS.items())
    return f"(CASE segment{cases} ELSE '{tiers.NO_TIER}' END)"
