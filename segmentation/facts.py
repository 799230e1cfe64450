"""The facts behind tiers as frames, one row per living customer: what the night and a dry-run both read."""

from __future__ import annotations

import datetime as dt

import polars as pl

from customers.frames import order_days, relations, window_sums
from segmentation.rules import rfm, stages
from segmentation.rules.policy import TierPolicy
from tenants.context import current_tenant
from tenants.frames import read_frame


def tier_facts(as_of: dt.date, rules: TierPolicy, *, closed_since: dt.date | None = None) -> pl.DataFrame:
    """Every living customer with all that decides about its tier and stage by any scheme, as of a day.

    customer_id; first_order_on, last_order_on and returned_on (days before `as_of`; null: none); frequency
    (orders) and monetary (points of net money) of the policy's window; relation_since (the earlier of
    "customer since" and the first order); industry_position (1 to 5 or null), growth_potential ("" if not
    known); and pin, the tier of the pin that holds on that day, or null. With `closed_since`, customers closed on
    that day or after it are among them.
    """
    window = window_sums({"window": (rfm.window_start(as_of, rules.window_months), as_of)})
    return (
        relations(closed_since)
        .join(stages.order_history(order_days(as_of), rules), on="customer_id", how="left")
        .join(window, on="customer_id", how="left")
        .join(_pins(as_of), on="customer_id", how="left")
        .select(
            "customer_id",
            "first_order_on",
            "last_order_on",
            "returned_on",
            frequency=pl.col("window_orders").fill_null(0),
            monetary=pl.col("window_net").fill_null(0),
            relation_since=pl.min_horizontal("since", "first_order_on"),
            industry_position="industry_position",
            growth_potential="growth_potential",
            pin="pin",
        )
    )


def tiers_in_force() -> pl.DataFrame:
    """customer_id, tier and below_since of everybody whom a night has seen."""
    return read_frame(
        "SELECT customer_id, tier, below_since FROM segmentation_standing WHERE tenant_id = %s",
        [current_tenant().pk],
        schema={"customer_id": pl.Int64, "tier": pl.String, "below_since": pl.Date},
    )


def _pins(as_of: dt.date) -> pl.DataFrame:
    """customer_id and pin: TierPin.objects.in_force(as_of), as a frame."""
    return read_frame(
        "SELECT customer_id, tier FROM segmentation_tierpin WHERE tenant_id = %s AND ended_at IS NULL AND until >= %s",
        [current_tenant().pk, as_of],
        schema={"customer_id": pl.Int64, "pin": pl.String},
    )
