"""The night's step of health: the score of every living customer, and its history."""

from __future__ import annotations

import datetime as dt

import polars as pl

from customers.frames import category_counts, living_customers, order_days, window_sums
from customers.models import Customer
from health.models import HealthHistory, HealthScore
from health.rules.indicators import order_gaps, score_frame
from health.rules.policy import HealthPolicy
from tenants.context import current_tenant
from tenants.frames import merge_frame, read_frame
from tenants.policies import active_policy

HISTORY_DAYS = 7


def run(as_of: dt.date) -> dict[str, int]:
    """Score everybody as of a day; returns customers, scored (enough is known), changed and history (rows)."""
    policy = active_policy()
    rules = policy.section(HealthPolicy)
    facts = _facts(as_of, rules)
    scores = facts.join(score_frame(facts, rules, as_of), on="customer_id")
    merged = merge_frame(HealthScore, scores, keys=["customer_id"], constants={"policy_version": policy.number})
    HealthScore.objects.filter(customer__in=Customer.objects.filter(closed_on__isnull=False)).delete()
    kept = _keep_history(scores, as_of)
    known = scores.get_column("score").is_not_null().sum()
    return {"customers": scores.height, "scored": int(known), "changed": merged.written, "history": kept}


def _facts(as_of: dt.date, rules: HealthPolicy) -> pl.DataFrame:
    spend_from = as_of - dt.timedelta(days=rules.spend_days)
    spend = window_sums(
        {"recent": (spend_from, as_of), "before": (spend_from - dt.timedelta(days=rules.spend_before_days), spend_from)}
    )
    span = dt.timedelta(days=rules.category_days)
    categories = category_counts(
        {"categories_recent": (as_of - span, as_of), "categories_before": (as_of - 2 * span, as_of - span)}
    )
    return (
        living_customers()
        .select("customer_id")
        .join(order_gaps(order_days(as_of), rules), on="customer_id", how="left")
        .join(spend, on="customer_id", how="left")
        .join(categories, on="customer_id", how="left")
        .select(
            "customer_id",
            pl.col("order_days_count").fill_null(0),
            "last_order_on",
            "median_gap",
            "gap_cv",
            spend_recent=pl.col("recent_net").fill_null(0),
            spend_before=pl.col("before_net").fill_null(0),
            categories_recent=pl.col("categories_recent").fill_null(0),
            categories_before=pl.col("categories_before").fill_null(0),
        )
    )


def _keep_history(scores: pl.DataFrame, as_of: dt.date) -> int:
    """A row for whoever changed colour, or has had none for a week."""
    last = read_frame(
        """
        SELECT DISTINCT ON (customer_id) customer_id, "on", band FROM health_healthhistory
        WHERE tenant_id = %s AND "on" < %s ORDER BY customer_id, "on" DESC
        """,
        [current_tenant().pk, as_of],
        schema={"customer_id": pl.Int64, "last_on": pl.Date, "last_band": pl.String},
    )
    week_ago = as_of - dt.timedelta(days=HISTORY_DAYS)
    new = scores.join(last, on="customer_id", how="left").filter(
        pl.col("last_on").is_null() | (pl.col("last_on") <= week_ago) | (pl.col("last_band") != pl.col("band"))
    )
    rows = new.select("customer_id", "score", "band", on=pl.lit(as_of))
    return merge_frame(HealthHistory, rows, keys=["customer_id", "on"]).written
