"""Taking away notices of long ago: nobody reads them any more, and each member's list only grows."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.conf import settings
from django.utils import timezone

from followups.models import Notice, NoticeDelivery
from tenants.context import tenant_scope
from tenants.models import Tenant

CHUNK: Final = 2_000
"""Notices that one transaction takes away."""

UNDER_WAY: Final = (NoticeDelivery.Status.QUEUED, NoticeDelivery.Status.SENDING)


def prune(tenant: Tenant) -> int:
    """Take away a firm's notices that are older than NOTICE_DAYS, read or not, with how they went out; returns how many.

    What is still under way stays until it has left. Chunk by chunk, oldest first: killed in the middle, the next ring
    takes the rest.
    """
    before = timezone.now() - dt.timedelta(days=settings.NOTICE_DAYS)
    gone = 0
    while True:
        with tenant_scope(tenant):
            old = Notice.objects.filter(created_at__lt=before).exclude(deliveries__status__in=UNDER_WAY)
            ids = list(old.order_by("pk").values_list("pk", flat=True)[:CHUNK])
            Notice.objects.filter(pk__in=ids).delete()
        gone += len(ids)
        if len(ids) < CHUNK:
            return gone
