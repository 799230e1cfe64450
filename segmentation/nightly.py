"""The night's step of segmentation: RFM scores, segments and tiers of every living customer."""

from __future__ import annotations

import datetime as dt

import polars as pl

from customers.frames import living_customers, order_days, window_sums
from customers.models import Customer
from segmentation.models import Standing, TierChange
from segmentation.rules import rfm, tiers
from segmentation.rules.policy import TierPolicy
from tenants.context import current_tenant
from tenants.frames import insert_frame, merge_frame, read_frame
from tenants.models import Event
from tenants.policies import active_policy

_COLUMNS = [
    "customer_id", "last_order_on", "frequency", "monetary", "r", "f", "m", "segment", "tier", "below_since",
]  # fmt: skip


def run(as_of: dt.date) -> dict[str, int]:
    """Score and tier everybody as of a day; returns customers, scored (ever ordered), changed and moved."""
    policy = active_policy()
    rules = policy.section(TierPolicy)
    scored = rfm.score(_facts(as_of, rules), as_of)
    settled = tiers.settle(tiers.assign(scored, rules).join(_in_force(), on="customer_id", how="left"), rules, as_of)
    merged = merge_frame(
        Standing, settled.select(_COLUMNS), keys=["customer_id"], constants={"policy_version": policy.number}
    )
    moved = _note_moves(settled.filter("changed"), as_of, policy.number)
    Standing.objects.filter(customer__in=Customer.objects.filter(closed_on__isnull=False)).delete()
    ranked = scored.get_column("last_order_on").is_not_null().sum()
    return {"customers": scored.height, "scored": int(ranked), "changed": merged.written, "moved": moved}


def _facts(as_of: dt.date, rules: TierPolicy) -> pl.DataFrame:
    window = window_sums({"window": (rfm.window_start(as_of, rules.window_months), as_of)})
    last = order_days(as_of).group_by("customer_id").agg(last_order_on=pl.col("day").max())
    return (
        living_customers()
        .select("customer_id")
        .join(last, on="customer_id", how="left")
        .join(window, on="customer_id", how="left")
        .select(
            "customer_id",
            "last_order_on",
            frequency=pl.col("window_orders").fill_null(0),
            monetary=pl.col("window_net").fill_null(0),
        )
    )


def _in_force() -> pl.DataFrame:
    return read_frame(
        "SELECT customer_id, tier, below_since FROM segmentation_standing WHERE tenant_id = %s",
        [current_tenant().pk],
        schema={"customer_id": pl.Int64, "tier": pl.String, "below_since": pl.Date},
    )


def _note_moves(moved: pl.DataFrame, as_of: dt.date, version: int) -> int:
    """Keep every move with the facts that decided; the first tier of a customer is history, not news."""
    changes = moved.select(
        "customer_id",
        before=pl.col("tier_before"),
        after=pl.col("tier"),
        facts=pl.struct("move", pl.col("why").struct.unnest()).struct.json_encode(),
    )
    added = insert_frame(TierChange, changes, constants={"on": as_of, "policy_version": version})
    news = moved.filter(pl.col("move") != "start").select(
        "customer_id",
        object_id=pl.col("customer_id"),
        changes=pl.struct(tier=pl.concat_list("tier_before", "tier")).struct.json_encode(),
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
