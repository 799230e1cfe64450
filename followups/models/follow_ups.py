"""What to do next, and by when: one kind of row, whoever raised it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Greatest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Channel, Contact, Customer, Interaction, TouchKind
from followups.querysets import FollowUpQuerySet, magnitude_of
from tenants.base import TenantForeignKey, TenantModel, manager
from tenants.models import Member


def _copied_owner() -> Any:
    return models.ForeignKey(
        Member, models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False, editable=False
    )


class FollowUp(TenantModel):
    """Somebody should get in touch with a customer, for a reason, by a day.

    Unique by (customer, rule, period): the night may ask for it as often as it likes.
    """

    class Level(models.TextChoices):
        """The weight of the reason: a cadence's touch is routine, an alert brings its own level."""

        ROUTINE = "routine", pgettext_lazy("level", "Routine")
        MILD = "mild", _("Mild")
        MODERATE = "moderate", _("Moderate")
        SEVERE = "severe", _("Severe")

    class Status(models.TextChoices):
        OPEN = "open", pgettext_lazy("follow-up", "open")
        DONE = "done", _("done")
        CANCELLED = "cancelled", _("no longer needed")

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="follow_ups", verbose_name=_("customer"))
    contact = TenantForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("contact")
    )
    assignee = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="follow_ups", verbose_name=_("assigned to")
    )
    # Those of the customer, kept by the database itself (migration 0004): who sees it is asked for every queue, and
    # asking tens of thousands of customers took longer than all the rest.
    owner_a = _copied_owner()
    owner_b = _copied_owner()
    kind = models.CharField(_("kind"), max_length=12, choices=TouchKind.choices)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices, default=Channel.PHONE)
    rule = models.CharField(max_length=40)  # "cadence:light_touch", "signal:order_silence", "manual"
    period = models.CharField(max_length=40)
    # Why it is here: facts, from which reasons.py makes a phrase in the reader's language.
    facts = models.JSONField(default=dict)
    level = models.CharField(_("level"), max_length=10, choices=Level.choices, default=Level.ROUTINE)
    due_on = models.DateField(_("due"))
    due_at = models.DateTimeField(_("due at"), null=True, blank=True)
    # money at risk × weight of the reason (rules/ranking.py); Today multiplies by the urgency of the clock.
    priority = models.BigIntegerField(default=0)
    # What an index has of the priority: nearly always the same, where a night moves the priority by a few percent.
    magnitude = models.GeneratedField(
        expression=magnitude_of("priority"), output_field=models.SmallIntegerField(), db_persist=True
    )
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.OPEN)
    snoozed_until = models.DateField(_("snoozed until"), null=True, blank=True)
    snooze_reason = models.CharField(_("why snoozed"), max_length=120, blank=True)
    # When it is due: the day it was put off to, where that is later. A column that an index can hold.
    day = models.GeneratedField(
        expression=Greatest("due_on", "snoozed_until"), output_field=models.DateField(), db_persist=True
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    interaction = TenantForeignKey(Interaction, models.SET_NULL, null=True, blank=True, related_name="+")
    policy_version = models.IntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(FollowUpQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "customer", "rule", "period", name="follow_up_uniq")
        ]
        indexes: ClassVar[list[Any]] = [
            # Today's queue of one person.
            models.Index(
                fields=["tenant", "assignee", "day"], name="follow_up_queue", condition=models.Q(status="open")
            ),
            # Today's queue of everybody: of each day the best first (followups.querysets.best_of_all).
            models.Index(
                fields=["tenant", "day", "-magnitude"], name="follow_up_ranked", condition=models.Q(status="open")
            ),
            # Today's queue of those whose customers one owns or covers, with all that its numbers count by.
            models.Index(
                fields=["tenant", "owner_a", "day"],
                include=["snoozed_until", "assignee", "owner_b"],
                name="follow_up_owned",
                condition=models.Q(status="open"),
            ),
            models.Index(
                fields=["tenant", "owner_b", "day"],
                include=["snoozed_until", "assignee", "owner_a"],
                name="follow_up_covered",
                condition=models.Q(status="open"),
            ),
            # Lists of the API by day.
            models.Index(fields=["tenant", "due_on", "id"], name="follow_up_by_day"),
            # What was done today of customers that one sees. Not what was withdrawn: a night does that by the thousand.
            models.Index(
                fields=["tenant", "closed_at", "owner_a", "owner_b"],
                name="follow_up_done",
                condition=models.Q(status="done"),
            ),
            models.Index(fields=["tenant", "updated_at", "id"], name="follow_up_by_update"),
            # What refers to a contact, a contact that was logged, or a person. Most refer to none, above all what is
            # open: it has no entry here, which the night would have to write anew whenever its rank changes.
            models.Index(
                fields=["tenant", "contact"], name="follow_up_of_contact", condition=models.Q(contact__isnull=False)
            ),
            models.Index(
                fields=["tenant", "interaction"],
                name="follow_up_done_by_touch",
                condition=models.Q(interaction__isnull=False),
            ),
            # A person's own, and what they did today.
            models.Index(
                fields=["tenant", "closed_by", "closed_at"],
                name="follow_up_closed_by",
                condition=models.Q(closed_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.period}"
