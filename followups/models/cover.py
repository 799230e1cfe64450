"""Who is away, who covers meanwhile, and which follow-ups went to them for that time."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from followups.models.follow_ups import FollowUp
from tenants.base import TenantForeignKey, TenantModel
from tenants.models import Member


class Absence(TenantModel):
    """A member is away from one day to another, both included. Nobody named: each customer's B owner covers."""

    member = TenantForeignKey(Member, models.CASCADE, related_name="absences", verbose_name=_("who is away"))
    first = models.DateField(_("first day"))
    last = models.DateField(_("last day"))
    covered_by = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("who covers")
    )
    note = models.CharField(_("note"), max_length=200, blank=True)
    # When everything that had moved was given back.
    settled_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-first", "-id"]
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=Q(last__gte=F("first")), name="absence_has_days"),
            models.CheckConstraint(
                condition=Q(covered_by__isnull=True) | ~Q(covered_by=F("member")), name="absence_covered_by_another"
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "member", "first"], name="absence_of_member"),
            # Those that the bell looks at.
            models.Index(fields=["tenant", "first"], name="absence_open", condition=Q(settled_at__isnull=True)),
            models.Index(fields=["tenant", "updated_at", "id"], name="absence_by_update"),
        ]

    def __str__(self) -> str:
        return f"{self.member} {self.first} – {self.last}"

    def is_on(self, day: dt.date) -> bool:
        """Whether the member is away on a day."""
        return self.first <= day <= self.last


class CoverMove(TenantModel):
    """A follow-up that went to whoever covers, and goes back when the absence is over."""

    absence = TenantForeignKey(Absence, models.CASCADE, related_name="moves")
    follow_up = TenantForeignKey(FollowUp, models.CASCADE, related_name="cover_moves")
    to = TenantForeignKey(Member, models.PROTECT, related_name="+")
    moved_at = models.DateTimeField(auto_now_add=True)
    returned_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "absence", "follow_up", name="cover_move_uniq")
        ]
