"""Scoring: everybody by the night, and between two nights whoever a fact has come in about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

import polars as pl
from django.db import connection

from customers.frames import Customers
from customers.models import Customer
from health.facts import facts_of
from health.history import with_past
from health.models import HealthScore
from health.rules.indicators import FACTS, score_frame
from health.rules.policy import HealthPolicy
from tenants.context import current_tenant
from tenants.frames import Merged, merge_frame
from tenants.policies import Policy, active_policy

# First half of the advisory lock's key; the second is the tenant's id.
_SCORES: Final = 7_304
_HALF: Final = 2**31

_COLUMNS: Final = [*FACTS, "score", "band", "known", "week_score", "month_score", "band_since", "rescored_at"]


def lock_scores() -> None:
    """Wait for whoever writes the tenant's scores otherwise; lasts until the transaction ends.

    Who scores reads facts, reckons and writes. Two at once could leave what the one with the older facts reckoned.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", _key())


def try_lock_scores() -> bool:
    """The same without waiting: whether nobody else writes scores."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", _key())
        (held,) = cursor.fetchone()
    return bool(held)


def _key() -> list[int]:
    return [_SCORES, current_tenant().pk % _HALF]


def scored(as_of: dt.date, policy: Policy, customers: Customers = None) -> pl.DataFrame:
    """Facts, score, band and known of living customers as of a day, with what the history has (`with_past`)."""
    facts = facts_of(as_of, policy, customers)
    scores = facts.join(score_frame(facts, policy.section(HealthPolicy), as_of), on="customer_id")
    return with_past(scores, as_of, customers)


def write(scores: pl.DataFrame, policy: Policy, *, at: dt.datetime | None) -> Merged:
    """Make the customers' scores those of the frame; `at`: scored between two nights. Writes only what differs."""
    rows = scores.with_columns(rescored_at=pl.lit(at, dtype=pl.Datetime("us", "UTC"))).select(_COLUMNS)
    return merge_frame(HealthScore, rows, keys=["customer_id"], constants={"policy_version": policy.number})


def rescore(customers: Sequence[int], now: dt.datetime) -> int:
    """Score living customers by the facts that there are, as the coming night will; returns how many.

    As of the day after the tenant's local date of `now`: facts of today count. The policy is the one in force, tiers
    are those of the last night. History and events are left to the night. Hold the lock of `lock_scores`.
    """
    living = Customer.objects.filter(pk__in=customers, closed_on__isnull=True)
    ids = list(living.order_by("pk").values_list("pk", flat=True))
    if ids:
        policy = active_policy()
        as_of = current_tenant().local_date(now) + dt.timedelta(days=1)
        write(scored(as_of, policy, ids), policy, at=now)
    return len(ids)
