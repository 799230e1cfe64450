"""Customers with a score, and nights that were, without waiting for one."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from django.utils import timezone

from customers.models import Customer
from health.models import HealthCount, HealthHistory, HealthScore
from segmentation.models import Standing
from tenants.models import Run


def band_of(score: int | None) -> str:
    """The colour of a score by the shipped lines."""
    if score is None:
        return "none"
    return "green" if score >= 70 else "yellow" if score >= 40 else "red"


def night_of(day: dt.date) -> Run:
    """The finished night of a day, by the policy's first version."""
    run: Run = Run.objects.create(
        job="nightly", for_date=day, status="done", finished_at=timezone.now(), policy_version=1
    )
    return run


def score_of(customer: Customer, score: int | None, *, net: int = 0, **facts: Any) -> HealthScore:
    """What the night made of a customer: a score (None: too little is known) with facts, and net money."""
    Standing.objects.create(customer=customer, frequency=1, monetary=Decimal(net), policy_version=1)
    usual = {
        "known": 3, "order_days_count": 0, "spend_recent": 0, "spend_before": 0, "categories_recent": 0,
        "categories_before": 0, "policy_version": 1,
    }  # fmt: skip
    row: HealthScore = HealthScore.objects.create(
        customer=customer, score=score, band=band_of(score), **(usual | facts)
    )
    return row


def history_of(customer: Customer, *rows: tuple[dt.date, int | None]) -> None:
    """The scores that a customer had from days on."""
    HealthHistory.objects.bulk_create(
        HealthHistory(customer=customer, on=on, score=score, band=band_of(score)) for on, score in rows
    )


def counted(on: dt.date, owner: Any, band: str, customers: int, net: int = 0) -> HealthCount:
    """How many customers of an owner had a colour on a night."""
    row: HealthCount = HealthCount.objects.create(on=on, owner=owner, band=band, customers=customers, net=Decimal(net))
    return row
