"""Scoring: everybody by the night, and between two nights whoever a fact has come in about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl
from django.db import connection

from customers.models import Customer
from health.counting import recounted
from health.facts import lasting_facts
from health.history import with_past
from health.models import HealthScore
from health.rules.indicators import FACTS, lasting_scores
from health.rules.policy import HealthPolicy
from tenants.context import current_tenant
from tenants.frames import Merged, merge_frame
from tenants.parts import Customers
from tenants.policies import Policy, active_policy

# First half of the advisory lock's key; the second is the tenant's id.
_SCORES: Final = 7_304
_HALF: Final = 2**31

SCORE: Final = {
    **{name: dtype for name, dtype in FACTS.items() if name != "customer_id"},
    "score": pl.Int16,
    "band": pl.String,
    "known": pl.Int16,
    "facts_until": pl.Date,
    "stands_until": pl.Date,
    "week_score": pl.Int16,
    "month_score": pl.Int16,
    "band_since": pl.Date,
}
"""The columns of a score that say what it is, by name."""

KEPT: Final = {"kept_on": pl.Date, "kept_score": pl.Int16, "kept_band": pl.String}
"""Those that say what the history has of it: only a night writes them."""


def lock_scores(*, alone: bool) -> None:
    """Wait for whoever writes the tenant's scores otherwise; lasts until the transaction ends.

    Who scores reads facts, reckons and writes. Two at once could leave what the one with the older facts reckoned: so
    whoever scores between two nights is `alone`. The parts of a night are about different customers, and share it.
    """
    lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {lock}(%s, %s)", _key())


def try_lock_scores() -> bool:
    """The same alone and without waiting: whether nobody else writes scores."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", _key())
        (held,) = cursor.fetchone()
    return bool(held)


def _key() -> list[int]:
    return [_SCORES, current_tenant().pk % _HALF]


def scored(as_of: dt.date, policy: Policy, customers: Customers = None) -> pl.DataFrame:
    """The facts of living customers as of a day, their score, and what the history has (`with_past`), as in SCORE."""
    return with_past(score_of(lasting_facts(as_of, policy, customers), policy, as_of), as_of, customers)


def score_of(facts: pl.DataFrame, policy: Policy, as_of: dt.date) -> pl.DataFrame:
    """The frame of `lasting_facts` with score, band, known and stands_until."""
    scores = lasting_scores(facts, policy.section(HealthPolicy), as_of)
    return facts.join(scores, on="customer_id", maintain_order="left").with_columns(
        pl.col("known").cast(pl.Int16), stands_until=pl.min_horizontal("facts_until", "moves_on")
    )


def write(
    scores: pl.DataFrame,
    policy: Policy,
    *,
    at: dt.datetime | None,
    columns: Iterable[str] = (*SCORE, *KEPT),
    insert: bool = True,
) -> Merged:
    """Make the customers' scores those of the frame; `at`: scored between two nights. Writes only what differs.

    Without `insert` all of them are known to have one.
    """
    rows = scores.select("customer_id", *columns, rescored_at=pl.lit(at, dtype=pl.Datetime("us", "UTC")))
    by = {"policy_version": policy.number}
    return merge_frame(HealthScore, rows, keys=["customer_id"], constants=by, insert=insert)


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
        with recounted(ids):
            write(scored(as_of, policy, ids), policy, at=now, columns=SCORE)
    return len(ids)
