"""Reading: who was asked, and how an asking stands."""

from __future__ import annotations

import datetime as dt
from typing import Final, Self

from django.db.models import Case, CharField, Q, Value, When

from customers.querysets import OfCustomerQuerySet

UNDELIVERED_STATUSES: Final = ("blocked", "failed", "bounced", "cancelled")
"""Statuses of a message (followups.models.Message) with which nobody has been asked."""

NOT_DELIVERED: Final = Q(message__status__in=UNDELIVERED_STATUSES)
"""Nobody was asked: the message was held back, or did not arrive. An answer says otherwise."""


class SurveyQuerySet(OfCustomerQuerySet):
    """Askings."""

    def with_state(self, now: dt.datetime) -> Self:
        """Each with `state`, as rules.surveys.state says it."""
        return self.annotate(
            state=Case(
                When(answered_at__isnull=False, then=Value("answered")),
                When(NOT_DELIVERED, then=Value("blocked")),
                When(expires_at__lte=now, then=Value("expired")),
                default=Value("open"),
                output_field=CharField(),
            )
        )

    def delivered(self) -> Self:
        """Those that count as asked: answered, or not known to have failed."""
        return self.exclude(NOT_DELIVERED & Q(answered_at__isnull=True))
