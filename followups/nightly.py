"""The night's step of follow-ups: what the cadence asks for, and the ranks of what is open."""

from __future__ import annotations

import datetime as dt

import polars as pl

from customers.frames import last_touches, living_customers
from followups.models import FollowUp
from followups.raising import cancel_satisfied, raise_follow_ups
from followups.rules import cadence
from followups.rules.policy import CadencePolicy
from followups.rules.ranking import priority
from tenants.context import current_tenant
from tenants.frames import merge_frame, read_frame
from tenants.policies import active_policy


def run(as_of: dt.date) -> dict[str, int]:
    """Raise what the cadence asks for; returns raised, cancelled (no longer needed) and ranked (rank changed)."""
    policy = active_policy()
    rules = policy.section(CadencePolicy)
    touched = last_touches(as_of)
    planned = cadence.plan(_under_cadence(), touched, rules)
    due = cadence.due(planned, rules, as_of)
    # How often, for the reason's phrase: "Monthly light touch".
    often = planned.join(cadence.intervals(rules), on=["tier", "kind"]).select("customer_id", "kind", "interval")
    cancelled = cancel_satisfied(touched)
    routine = due.join(often, on=["customer_id", "kind"]).with_columns(
        level=pl.lit(FollowUp.Level.ROUTINE.value), facts=pl.struct(every_days="interval").struct.json_encode()
    )
    raised = raise_follow_ups(routine, policy_version=policy.number)
    return {"raised": raised, "cancelled": cancelled, "ranked": rank_again()}


def _under_cadence() -> pl.DataFrame:
    """Living customers with their tier, since the day they came into it: a shorter interval starts fresh."""
    tiers = read_frame(
        """
        SELECT s.customer_id, s.tier, max(c.on) FROM segmentation_standing s
        JOIN segmentation_tierchange c ON c.tenant_id = %s AND c.customer_id = s.customer_id AND c.after = s.tier
        WHERE s.tenant_id = %s AND s.tier <> '' GROUP BY s.customer_id, s.tier
        """,
        [current_tenant().pk, current_tenant().pk],
        schema={"customer_id": pl.Int64, "tier": pl.String, "since": pl.Date},
    )
    return tiers.join(living_customers().select("customer_id"), on="customer_id", how="semi")


def rank_again() -> int:
    """Bring the priority of open follow-ups up to date with tonight's money and health."""
    open_ones = read_frame(
        """
        SELECT f.id, f.level, f.priority, COALESCE(s.monetary, 0), h.score FROM followups_followup f
        LEFT JOIN segmentation_standing s ON s.tenant_id = f.tenant_id AND s.customer_id = f.customer_id
        LEFT JOIN health_healthscore h ON h.tenant_id = f.tenant_id AND h.customer_id = f.customer_id
        WHERE f.tenant_id = %s AND f.status = 'open'
        """,
        [current_tenant().pk],
        schema={
            "id": pl.Int64,
            "level": pl.String,
            "before": pl.Int64,
            "money": pl.Int64,
            "score": pl.Int16,
        },
    )
    ranked = open_ones.with_columns(priority=priority(pl.col("money"), pl.col("score"), pl.col("level")))
    moved = ranked.filter(pl.col("priority") != pl.col("before")).select("id", "priority")
    return merge_frame(FollowUp, moved, keys=["id"], insert=False).updated
