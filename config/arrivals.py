"""Between two nights: whoever a fact has come in about is scored again and looked at for signals, within a minute."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Final

from django.utils import timezone

from customers.services import take_arrivals
from health.nightly import is_under_way
from health.scoring import rescore, try_lock_scores
from risk.signals.services import fire_for
from tenants.context import tenant_scope
from tenants.models import Tenant
from tenants.querysets import nights_done

log = logging.getLogger("perennial.arrivals")

CHUNK: Final = 1_000
"""Customers in one transaction: whoever writes a fact about one of them waits for it."""

CHUNKS: Final = 20
"""Of one tenant in a row, so that a big import does not keep the others waiting; the next ring goes on."""


def look_at_arrivals() -> int:
    """Score all customers about whom facts have come in; returns how many. A tenant that fails is left for next time."""
    looked = 0
    for tenant in Tenant.objects.filter(is_active=True):
        try:
            looked += _look_at(tenant)
        except Exception:
            log.exception("arrivals of %s failed", tenant.slug)
    return looked


def _look_at(tenant: Tenant) -> int:
    looked = 0
    for _chunk in range(CHUNKS):
        found, scored = _look_at_some(tenant)
        looked += scored
        if found < CHUNK:
            break
    return looked


def _look_at_some(tenant: Tenant) -> tuple[int, int]:
    """One transaction; returns how many customers had a new note, and how many of them were scored.

    Scores and alerts go together: killed in between, the notes wait again and nothing of either is there.

    The notes wait while somebody else writes scores: the night, also between its parts, or another worker that looks.
    Before the first night there are no scores to bring up to date, and the notes just count as seen.
    """
    with tenant_scope(tenant):
        if not try_lock_scores() or is_under_way():
            return 0, 0
        customers = take_arrivals(CHUNK)
        if not customers or not nights_done().exists():
            return len(customers), 0
        now = timezone.now()
        scored = rescore(customers, now)
        fire_for(customers, as_of=tenant.local_date(now) + dt.timedelta(days=1), now=now)
        return len(customers), scored
