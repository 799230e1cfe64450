"""The facts behind tiers as frames, one row per living customer: what the night and a dry-run both read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

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


def expected_money() -> pl.DataFrame:
    """customer_id and expected (points): what the lifetime model expects of the next 12 months, orders × money of one.

    As of each customer's last valuation; who has none by the model has no row.
    """
    return read_frame(
        """
        SELECT customer_id, round((expected_orders * expected_order_money)::numeric)::bigint FROM segmentation_worth
        WHERE tenant_id = %s AND expected_orders IS NOT NULL AND expected_order_money IS NOT NULL
        """,
        [current_tenant().pk],
        schema={"customer_id": pl.Int64, "expected": pl.Int64},
    )


def tiers_in_force(customers: Sequence[int] | None = None) -> pl.DataFrame:
    """customer_id, tier and below_since of everybody (of `customers`) whom a night has seen."""
    ids = None if customers is None else list(customers)
    return read_frame(
        """
        SELECT customer_id, tier, below_since FROM segmentation_standing
        WHERE tenant_id = %s AND (%s::bigint[] IS NULL OR customer_id = ANY(%s::bigint[]))
        """,
        [current_tenant().pk, ids, ids],
        schema={"customer_id": pl.Int64, "tier": pl.String, "below_since": pl.Date},
        few=customers is not None,
    )


def tiers_on(day: dt.date, customers: Sequence[int] | None = None) -> pl.DataFrame:
    """customer_id and tier as the night of a day left it; who had none yet has no row.

    Of the changes of that day the night's is the first: people pin tiers afterwards.
    """
    ids = None if customers is None else list(customers)
    return read_frame(
        """
        SELECT DISTINCT ON (customer_id) customer_id, after FROM segmentation_tierchange
        WHERE tenant_id = %s AND "on" <= %s AND (%s::bigint[] IS NULL OR customer_id = ANY(%s::bigint[]))
        ORDER BY customer_id, "on" DESC, CASE WHEN "on" = %s THEN id ELSE -id END
        """,
        [current_tenant().pk, day, ids, ids, day],
        schema={"customer_id": pl.Int64, "tier": pl.String},
        few=customers is not None,
    )


def _pins(as_of: dt.date) -> pl.DataFrame:
    """customer_id and pin: TierPin.objects.in_force(as_of), as a frame."""
    return read_frame(
        "SELECT customer_id, tier FROM segmentation_tierpin WHERE tenant_id = %s AND ended_at IS NULL AND until >= %s",
        [current_tenant().pk, as_of],
        schema={"customer_id": pl.Int64, "pin": pl.String},
    )
