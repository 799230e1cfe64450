"""The night's step of segmentation: RFM scores, segments and tiers of every living customer."""

from __future__ import annotations

import datetime as dt

import polars as pl

from customers.models import Customer
from segmentation.facts import tier_facts, tiers_in_force
from segmentation.locks import lock_standings
from segmentation.models import Standing, TierChange
from segmentation.rules import rfm, tiers
from segmentation.rules.policy import TierPolicy
from tenants.context import current_tenant
from tenants.frames import insert_frame, merge_frame
from tenants.models import Event
from tenants.policies import active_policy

_COLUMNS = [
    "customer_id", "first_order_on", "last_order_on", "returned_on", "frequency", "monetary", "r", "f", "m", "segment",
    "tier", "by_wholesale", "by_callback", "by_sales_team", "below_since",
]  # fmt: skip


def run(as_of: dt.date) -> dict[str, int]:
    """Score and tier everybody as of a day; returns customers, scored (ever ordered), changed and moved."""
    policy = active_policy()
    rules = policy.section(TierPolicy)
    lock_standings(alone=True)
    scored = rfm.score(tier_facts(as_of, rules), as_of)
    targets = tiers.assign(scored, rules, as_of)
    settled = tiers.settle(targets.join(tiers_in_force(), on="customer_id", how="left"), rules, as_of)
    merged = merge_frame(
        Standing, settled.select(_COLUMNS), keys=["customer_id"], constants={"policy_version": policy.number}
    )
    moved = _note_moves(settled.filter("changed"), as_of, policy.number)
    Standing.objects.filter(customer__in=Customer.objects.filter(closed_on__isnull=False)).delete()
    ranked = scored.get_column("last_order_on").is_not_null().sum()
    return {"customers": scored.height, "scored": int(ranked), "changed": merged.written, "moved": moved}


def _note_moves(moved: pl.DataFrame, as_of: dt.date, version: int) -> int:
    """Keep every move with the facts that decided; the first tier of a customer is history, not news."""
    facts = pl.struct("move", "pin", pl.col("why").struct.unnest())
    changes = moved.select(
        "customer_id",
        before=pl.col("tier_before"),
        after=pl.col("tier"),
        facts=facts.struct.json_encode(),
    )
    added = insert_frame(TierChange, changes, constants={"on": as_of, "policy_version": version}, strict=True)
    news = moved.filter(pl.col("move") != "start").select(
        "customer_id",
        object_id=pl.col("customer_id"),
        changes=pl.struct(tier=pl.concat_list("tier_before", "tier"), facts=facts).struct.json_encode(),
    )
    tenant = current_tenant()
    insert_frame(
        Event,
        news,
        constants={
            "at": tenant.start_of(as_of),
            "verb": "tier_changed",
            "object_type": "customer",
            "policy_version": version,
        },
    )
    return added
