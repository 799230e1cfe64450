"""What a draft of the policy would do to health: who changes colour, and how many would be warned of a lapse.

Parts of `dry_run.dry_run`, which has the database refuse every write meanwhile (docs/rules/policy.md).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import polars as pl
from django.db.models import Count, Exists, OuterRef, Q, Sum

from dashboards.matrix import Cell, cells_of
from health.facts import Reads, facts_of
from health.models import LapseForecast
from health.rules.indicators import score_frame
from health.rules.policy import ForecastPolicy, HealthPolicy
from segmentation.models import Standing
from segmentation.rules.policy import TierPolicy
from tenants.policies import Policy

_AT_ONCE: Final = ("warn_percent", "silence_days")
"""Of the section "forecast": what draws a line through percents that are there. The rest makes other percents."""


# ── colours ─────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Colours:
    """Customers by their colour under the version in force and under the draft, on the same day and facts.

    `cells` are keyed by (colour in force, colour of the draft); `changed` have another one.
    """

    cells: Mapping[tuple[str, str], Cell]
    changed: int
    outcome: pl.DataFrame = field(repr=False, compare=False)
    """customer_id, money (points), before, after, score_before, score_after (null: not enough data)."""

    def turned(self, colour: str) -> int:
        """How many have this colour under the draft alone."""
        return sum(
            cell.customers for (before, after), cell in self.cells.items() if after == colour and before != colour
        )


def colours(in_force: Policy, draft: Policy, outcome: pl.DataFrame, as_of: dt.date) -> Colours | None:
    """Everybody's colour by two policies; None when the draft says nothing else about it.

    `outcome` is the dry run's of tiers: customer_id, money (points), and `tonight`, the tier whose weights count under
    the draft, for a night gives tiers before it scores. What both look at alike is read once.
    """
    if not _can_recolour(in_force, draft):
        return None
    reads = Reads()
    now = facts_of(as_of, in_force, reads=reads)
    coming = facts_of(as_of, draft, reads=reads).drop("tier")
    tonight = outcome.select("customer_id", tier="tonight")
    before = _scored(now, in_force, as_of, "before")
    after = _scored(coming.join(tonight, on="customer_id", how="left"), draft, as_of, "after")
    found = (
        outcome.select("customer_id", "money")
        .join(before, on="customer_id", how="inner")
        .join(after, on="customer_id", how="inner")
    )
    return Colours(cells_of(found), found.filter(pl.col("before") != pl.col("after")).height, found)


def _can_recolour(in_force: Policy, draft: Policy) -> bool:
    """Whether the draft can give anybody another colour: by the rules of health, or by a tier or stage with own weights."""
    rules = draft.section(HealthPolicy)
    if in_force.section(HealthPolicy) != rules:
        return True
    own_weights = bool(rules.tier_weights or rules.stage_weights)
    return own_weights and in_force.section(TierPolicy) != draft.section(TierPolicy)


def _scored(facts: pl.DataFrame, policy: Policy, as_of: dt.date, name: str) -> pl.DataFrame:
    """customer_id; `name`: the colour; score_`name`."""
    scores = score_frame(facts, policy.section(HealthPolicy), as_of)
    return scores.select("customer_id", pl.col("band").alias(name), pl.col("score").alias(f"score_{name}"))


# ── lapse warnings ──────────────────────────────────────────────────────────


@dataclass(frozen=True)
class LapseWarnings:
    """Customers who are warned of, and their money at risk: now, and under the draft with the percents of last night.

    Those without a percent because there is no model are warned of when they have not ordered since `silent_since`.
    `needs_fit`: the draft changes what only a model fitted anew can say.
    """

    before: Cell
    after: Cell
    warn_percent: int
    silent_since: dt.date
    has_model: bool
    needs_fit: bool


def lapse_warnings(in_force: Policy, draft: Policy, as_of: dt.date) -> LapseWarnings | None:
    """How many would be warned of; None when the draft says nothing else about it, and before the first forecast."""
    rules, old = draft.section(ForecastPolicy), in_force.section(ForecastPolicy)
    if rules == old:
        return None
    silent_since = as_of - dt.timedelta(days=rules.silence_days)
    # As health.forecasting and rules.forecast.silence_rule.
    silent = Standing.objects.filter(customer=OuterRef("customer"), last_order_on__lt=silent_since)
    then = Q(percent__gte=rules.warn_percent) | Q(Exists(silent), code="no_model")
    now = Q(is_warned=True)
    told = LapseForecast.objects.filter(customer__closed_on__isnull=True).aggregate(
        everybody=Count("customer"),
        numbered=Count("customer", filter=Q(percent__isnull=False)),
        before=Count("customer", filter=now),
        money_before=Sum("money_at_risk", filter=now),
        after=Count("customer", filter=then),
        money_after=Sum("money_at_risk", filter=then),
    )
    if not told["everybody"]:
        return None
    alike = rules.model_copy(update={name: getattr(old, name) for name in _AT_ONCE})
    return LapseWarnings(
        before=Cell(told["before"], told["money_before"] or Decimal(0)),
        after=Cell(told["after"], told["money_after"] or Decimal(0)),
        warn_percent=rules.warn_percent,
        silent_since=silent_since,
        has_model=told["numbered"] > 0,
        needs_fit=alike != old,
    )
