"""Who looks after complaints of a topic, and what was done about one in between its four steps."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.models import Complaint
from tenants.base import TenantForeignKey, TenantModel
from tenants.models import Member


class TopicHolder(TenantModel):
    """Who looks after a topic's complaints, before the duty that the policy names for it."""

    topic = models.CharField(_("topic"), max_length=12, choices=Complaint.Kind.choices)
    member = TenantForeignKey(Member, models.CASCADE, related_name="+", verbose_name=_("who"))

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "topic", name="topic_holder_uniq")]


class ComplaintNote(TenantModel):
    """Progress on a complaint: what was done, and whether the customer was told."""

    complaint = TenantForeignKey(Complaint, models.CASCADE, related_name="notes")
    member = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+", verbose_name=_("by"))
    at = models.DateTimeField(_("when"), default=timezone.now)
    text = models.TextField(_("what was done"))
    is_told = models.BooleanField(_("the customer was told"), default=False)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["at", "id"]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "complaint", "at"], name="complaint_note_of_complaint")
        ]
