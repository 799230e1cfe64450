"""The same question again and again, unsolved: a fact for the signals and for the complaint's page."""

from __future__ import annotations

import datetime as dt
from typing import Final

import polars as pl

from risk.rules.complaint_policy import ComplaintPolicy
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.parts import Customers, among, are_few

SCHEMA: Final = {
    "customer_id": pl.Int64,
    "topic": pl.String,
    "times": pl.Int64,
    "first_on": pl.Date,
    "last_on": pl.Date,
}


def repeated(customers: Customers, *, as_of: dt.date, policy: ComplaintPolicy) -> pl.DataFrame:
    """Per customer and topic how often the same was asked and not solved, where that is often enough.

    Counted are complaints and contacts from the customer of the policy's `repeat_days` before `as_of` with the same
    topic (case makes no difference), that were not solved the first time: a contact marked so, a complaint that is open
    or took more than one try. A question that was solved in between begins the count anew. Columns: SCHEMA; rows with
    at least `repeat_times`, by customer and topic. One query.
    """
    tenant = current_tenant()
    first = tenant.start_of(as_of - dt.timedelta(days=policy.repeat_days))
    end = tenant.start_of(as_of)
    return read_frame(
        f"""
        WITH asked AS (
            SELECT customer_id, lower(btrim(topic)) AS topic, opened_at AS at,
                   (solved_at IS NOT NULL AND solved_at < %s AND first_time IS NOT FALSE) AS is_solved
            FROM customers_complaint
            WHERE tenant_id = %s AND topic <> '' AND opened_at >= %s AND opened_at < %s AND {among(customers)}
            UNION ALL
            SELECT customer_id, lower(btrim(topic)), at, solved
            FROM customers_interaction
            WHERE tenant_id = %s AND direction = 'inbound' AND topic <> '' AND solved IS NOT NULL
              AND at >= %s AND at < %s AND {among(customers)}
        ), counted AS (
            SELECT *, max(at) FILTER (WHERE is_solved) OVER (PARTITION BY customer_id, topic) AS solved_at FROM asked
        )
        SELECT customer_id, topic, count(*), min((at AT TIME ZONE %s)::date), max((at AT TIME ZONE %s)::date)
        FROM counted WHERE NOT is_solved AND (solved_at IS NULL OR at > solved_at)
        GROUP BY customer_id, topic HAVING count(*) >= %s
        ORDER BY customer_id, topic
        """,
        [
            *(end, tenant.pk, first, end),
            *(tenant.pk, first, end),
            *(tenant.timezone, tenant.timezone, policy.repeat_times),
        ],
        schema=SCHEMA,
        few=are_few(customers),
    )
