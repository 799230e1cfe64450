"""How a member works through Today: their desk, bulks that a worker does for them, their calendar's address."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from followups.models.follow_ups import FollowUp
from tenants.base import TenantForeignKey, TenantModel
from tenants.models import Member


class Desk(TenantModel):
    """What a member's Today keeps from day to day: the view they last chose, and when they last closed the day."""

    member = TenantForeignKey(Member, models.CASCADE, related_name="desks")
    view = models.CharField(max_length=10, blank=True)  # followups.querysets.View; empty: the role's usual one
    closed_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "member", name="desk_of_member")]

    def __str__(self) -> str:
        return self.view


class Bulk(TenantModel):
    """One verb on more follow-ups than a request may change: a worker does it piece by piece, and takes it back so."""

    class Verb(models.TextChoices):
        COMPLETE = "complete", pgettext_lazy("verb", "Done")
        SNOOZE = "snooze", _("Snooze")
        REASSIGN = "reassign", _("Assign")
        SCRIPT = "script", _("Send a script")

    class Status(models.TextChoices):
        OPEN = "open", _("running")
        DONE = "done", _("done")
        UNDOING = "undoing", _("being taken back")
        UNDONE = "undone", _("taken back")
        FAILED = "failed", _("failed")

    member = TenantForeignKey(Member, models.PROTECT, related_name="+")
    verb = models.CharField(max_length=10, choices=Verb.choices)
    # What the verb needs: until (ISO date) and reason; assignee (id); script (id).
    said = models.JSONField(default=dict)
    total = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    attempts = models.PositiveSmallIntegerField(default=0)  # in a row without a piece done in between
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            # The minute's sweep looks for bulks that nobody works on.
            models.Index(fields=["tenant", "id"], name="bulk_at_work", condition=Q(status__in=["open", "undoing"])),
            # A member's own bulks, newest first.
            models.Index(fields=["tenant", "member", "-id"], name="bulk_of_member"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.total}"

    @property
    def is_at_work(self) -> bool:
        return self.status in {self.Status.OPEN, self.Status.UNDOING}


class BulkItem(TenantModel):
    """One follow-up of a bulk, and what has become of it; its events are what undoes it."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        CHANGED = "changed", _("changed")
        STAYS = "stays", _("stays as it was")
        UNDONE = "undone", _("taken back")
        KEPT = "kept", _("could not be taken back")

    bulk = TenantForeignKey(Bulk, models.CASCADE, related_name="items")
    follow_up = TenantForeignKey(FollowUp, models.CASCADE, related_name="+")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    why = models.CharField(max_length=300, blank=True)  # in the language of whoever started it
    events = models.JSONField(default=list)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "bulk", "follow_up", name="bulk_item_once")
        ]
        indexes: ClassVar[list[Any]] = [
            # The next piece, the counts, and the list of what stays.
            models.Index(fields=["tenant", "bulk", "state", "id"], name="bulk_item_by_state")
        ]

    def __str__(self) -> str:
        return self.state


class CalendarFeed(TenantModel):
    """A secret address under which a calendar programme reads a member's follow-ups. Only a hash is kept."""

    member = TenantForeignKey(Member, models.CASCADE, related_name="calendar_feeds")
    prefix = models.CharField(max_length=24, unique=True)
    secret_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant", "member", name="calendar_feed_one_a_member", condition=Q(revoked_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return self.prefix
