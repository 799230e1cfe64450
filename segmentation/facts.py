"""The facts behind tiers as frames, one row per living customer: what the night and a dry-run both read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Final

import polars as pl

from customers.frames import closed_customers, last_order_days, order_days, relations, window_sums
from segmentation.rules import rfm, stages
from segmentation.rules.policy import TierPolicy
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.parts import Customers, Part, among, are_few


def tier_facts(
    as_of: dt.date, rules: TierPolicy, *, closed_since: dt.date | None = None, customers: Customers = None
) -> pl.DataFrame:
    """Every living customer (of `customers`) with all that decides about its tier and stage by any scheme, as of a day.

    customer_id; first_order_on, last_order_on and returned_on (days before `as_of`; null: none); frequency
    (orders) and monetary (points of net money) of the policy's window; relation_since (the earlier of
    "customer since" and the first order); industry_position (1 to 5 or null), growth_potential ("" if not
    known); and pin, the tier of the pin that holds on that day, or null. With `closed_since`, customers closed on
    that day or after it are among them.
    """
    window = window_sums({"window": (rfm.window_start(as_of, rules.window_months), as_of)}, customers)
    return (
        relations(closed_since, customers)
        .join(stages.order_history(order_days(as_of, customers), rules), on="customer_id", how="left")
        .join(window, on="customer_id", how="left")
        .join(pins(as_of, customers), on="customer_id", how="left")
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


def rank_facts(as_of: dt.date, rules: TierPolicy, customers: Customers = None) -> pl.DataFrame:
    """customer_id, last_order_on, frequency and monetary of `tier_facts`, of those who ever ordered.

    All that ranks are worked out from, without reading what only a customer's own tier rests on.
    """
    window = window_sums({"window": (rfm.window_start(as_of, rules.window_months), as_of)}, customers)
    return (
        last_order_days(as_of, customers)
        .join(closed_customers(customers), on="customer_id", how="anti")
        .join(window, on="customer_id", how="left")
        .select(
            "customer_id",
            "last_order_on",
            frequency=pl.col("window_orders").fill_null(0),
            monetary=pl.col("window_net").fill_null(0),
        )
    )


CHUNK: Final = 50_000
"""Customers who are asked for by number at a time."""
_DENSE: Final = 5


def of_customers(ids: Sequence[int], read: Callable[[Customers], pl.DataFrame]) -> pl.DataFrame:
    """What `read` gives for these customers (ascending), with a customer_id in each row.

    They are asked for in chunks. Of a stretch of numbers most of which are wanted, everything is read: that is cheaper
    than looking up one by one.
    """
    frames = []
    for first in range(0, max(len(ids), 1), CHUNK):
        some = ids[first : first + CHUNK]
        is_dense = len(some) > 0 and len(some) * _DENSE > some[-1] - some[0]
        found = read(Part(some[0], some[-1]) if is_dense else some)
        frames.append(found.filter(pl.col("customer_id").is_in(some)) if is_dense else found)
    return pl.concat(frames)


# ── what the last night has kept ────────────────────────────────────────────

STANDING: Final = {
    "customer_id": pl.Int64, "first_order_on": pl.Date, "last_order_on": pl.Date, "returned_on": pl.Date,
    "frequency": pl.Int64, "monetary": pl.Int64, "relation_since": pl.Date, "tier": pl.String, "below_since": pl.Date,
}  # fmt: skip


def ranked_standings(without: Sequence[int]) -> pl.DataFrame:
    """last_order_on, frequency and monetary of everybody who ever ordered, as the last night left them, but for these customers."""
    left_out = f"customer_id <> ALL ('{{{','.join(map(str, without))}}}'::bigint[])" if without else "true"
    found = read_frame(
        f"""
        SELECT last_order_on - DATE '1970-01-01', frequency, monetary FROM segmentation_standing
        WHERE tenant_id = %s AND last_order_on IS NOT NULL AND {left_out}
        """,
        [current_tenant().pk],
        schema={"last_order_on": pl.Int32, "frequency": pl.Int64, "monetary": pl.Int64},
    )
    return found.with_columns(pl.col("last_order_on").cast(pl.Date))


def ranked_money() -> pl.Series:
    """Points of net money of everybody who ever ordered, as the last night left them."""
    found = read_frame(
        "SELECT monetary FROM segmentation_standing WHERE tenant_id = %s AND last_order_on IS NOT NULL",
        [current_tenant().pk],
        schema={"monetary": pl.Int64},
    )
    return found.get_column("monetary")


def standings(condition: str, customers: Customers = None) -> pl.DataFrame:
    """STANDING of the rows for which an SQL condition on segmentation_standing holds, as the last night left them."""
    return read_frame(
        f"""
        SELECT {", ".join(STANDING)} FROM segmentation_standing
        WHERE tenant_id = %s AND {among(customers)} AND ({condition}) ORDER BY customer_id
        """,
        [current_tenant().pk],
        schema=STANDING,
    )


def expected_money(customers: Customers = None) -> pl.DataFrame:
    """customer_id and expected (points): what the lifetime model expects of the next 12 months, orders × money of one.

    As of each customer's last valuation; who has none by the model has no row.
    """
    return read_frame(
        f"""
        SELECT customer_id, round((expected_orders * expected_order_money)::numeric)::bigint FROM segmentation_worth
        WHERE tenant_id = %s AND expected_orders IS NOT NULL AND expected_order_money IS NOT NULL AND {among(customers)}
        """,
        [current_tenant().pk],
        schema={"customer_id": pl.Int64, "expected": pl.Int64},
    )


def tiers_in_force(customers: Customers = None) -> pl.DataFrame:
    """customer_id, tier and below_since of everybody (of `customers`) whom a night has seen."""
    return read_frame(
        f"""
        SELECT customer_id, tier, below_since FROM segmentation_standing
        WHERE tenant_id = %s AND {among(customers)}
        """,
        [current_tenant().pk],
        schema={"customer_id": pl.Int64, "tier": pl.String, "below_since": pl.Date},
        few=are_few(customers),
    )


def tiers_on(day: dt.date, customers: Customers = None) -> pl.DataFrame:
    """customer_id and tier as the night of a day left it; who had none yet has no row.

    Of the changes of that day the night's is the first: people pin tiers afterwards.
    """
    return read_frame(
        f"""
        SELECT DISTINCT ON (customer_id) customer_id, after FROM segmentation_tierchange
        WHERE tenant_id = %s AND "on" <= %s AND {among(customers)}
        ORDER BY customer_id, "on" DESC, CASE WHEN "on" = %s THEN id ELSE -id END
        """,
        [current_tenant().pk, day, day],
        schema={"customer_id": pl.Int64, "tier": pl.String},
        few=are_few(customers),
    )


def pins(as_of: dt.date, customers: Customers = None) -> pl.DataFrame:
    """customer_id and pin: TierPin.objects.in_force(as_of), as a frame."""
    return read_frame(
        f"""
        SELECT customer_id, tier FROM segmentation_tierpin
        WHERE tenant_id = %s AND ended_at IS NULL AND until >= %s AND {among(customers)}
        """,
        [current_tenant().pk, as_of],
        schema={"customer_id": pl.Int64, "pin": pl.String},
    )
