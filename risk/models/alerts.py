"""What is going wrong: alerts, each with the facts that fired it, a level in words, a clock, and what came of it."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Customer
from customers.querysets import OfCustomerQuerySet, visible_customers
from tenants.base import MoneyField, TenantForeignKey, TenantModel, TenantQuerySet, manager
from tenants.models import Member


class AnswerRole(models.TextChoices):
    """Who answers: the customer's account manager, and up the line when a clock runs out."""

    ACCOUNT_MANAGER = "account_manager", _("Account manager")
    LEAD = "lead", _("Team lead")
    EXECUTIVE = "executive", _("Executive")


class Alert(TenantModel):
    """A signal that fired for a customer; at most one is open per customer and signal, repeats add to it."""

    class Signal(models.TextChoices):
        ORDER_SILENCE = "order_silence", _("No order")
        CONTACT_SILENCE = "contact_silence", _("No contact")
        SPEC_DRIFT = "spec_drift", _("Order sizes shrink")
        FREQUENCY_FALLING = "frequency_falling", _("Orders less often")
        ACTIVITY_DROP = "activity_drop", _("Orders halved")
        CATEGORY_DROP = "category_drop", _("Fewer categories")
        COMPLAINT_RISE = "complaint_rise", _("More complaints")
        COMPETITOR_PULL = "competitor_pull", _("Spends less, asks about competitors")
        UNANSWERED = "unanswered", _("Does not answer")
        NPS_SILENCE = "nps_silence", _("Discontent and silent")
        LEAVING = "leaving", _("Wants to leave")
        REPEATED_QUESTION = "repeated_question", _("Same question unsolved")
        LAPSE_FORECAST = "lapse_forecast", _("Likely to lapse")

    class RiskClass(models.TextChoices):
        DEMAND = "demand", _("Demand")
        RELATIONSHIP = "relationship", _("Relationship")
        EXTERNAL = "external", _("External")

    class Level(models.TextChoices):
        MILD = "mild", _("Mild")
        MODERATE = "moderate", _("Moderate")
        SEVERE = "severe", _("Severe")

    class Outcome(models.TextChoices):
        SAVED = "saved", _("saved")
        LOST = "lost", _("lost")
        FALSE_ALARM = "false_alarm", _("false alarm")
        PASSED = "passed", _("passed by itself")

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="alerts", verbose_name=_("customer"))
    signal = models.CharField(_("signal"), max_length=30, choices=Signal.choices)
    risk_class = models.CharField(_("class"), max_length=12, choices=RiskClass.choices)
    # The highest it has had while open. The words sort as they weigh: mild, moderate, severe.
    level = models.CharField(_("level"), max_length=10, choices=Level.choices)
    facts = models.JSONField(default=dict)
    # What the signal counted from when it opened: a closed alert does not open again for the same silence.
    period = models.CharField(max_length=40)
    opened_on = models.DateField(_("opened"))
    opened_at = models.DateTimeField(default=timezone.now)
    # Yearly net money of the customer when it opened: what is at risk.
    money = MoneyField(_("money at risk"), default=0)
    repeats = models.PositiveIntegerField(_("fired again"), default=0)
    last_fired_on = models.DateField(null=True, blank=True)  # null: not since it opened

    # The clock of the first answer, in the firm's business time; what the service level is measured by.
    due_at = models.DateTimeField(_("answer due"))
    role = models.CharField(
        _("who answers"), max_length=16, choices=AnswerRole.choices, default=AnswerRole.ACCOUNT_MANAGER
    )
    # Null: whoever has the role for this customer (risk/alerts/people.py).
    assignee = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="alerts", verbose_name=_("assigned to")
    )
    # When it goes one step up the line; null: somebody has acted, or nobody is above.
    escalates_at = models.DateTimeField(null=True, blank=True)
    escalations = models.PositiveSmallIntegerField(_("steps up the line"), default=0)
    escalated_at = models.DateTimeField(null=True, blank=True)
    first_action_at = models.DateTimeField(_("first action"), null=True, blank=True)
    first_action_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    snoozed_until = models.DateTimeField(_("snoozed until"), null=True, blank=True)
    snooze_reason = models.CharField(_("why snoozed"), max_length=120, blank=True, default="")

    closed_on = models.DateField(_("closed"), null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    outcome = models.CharField(
        _("outcome"), max_length=12, choices=[("", pgettext_lazy("alert", "open")), *Outcome.choices], blank=True
    )
    cause = models.CharField(_("cause"), max_length=30, blank=True)  # a code of rules/causes.py
    tried = models.JSONField(_("tried"), default=list, blank=True)  # codes of rules/causes.py
    note = models.CharField(_("note"), max_length=500, blank=True, default="")

    policy_version = models.IntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-opened_on", "-id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant", "customer", "signal", name="alert_one_open", condition=models.Q(closed_on__isnull=True)
            ),
            models.UniqueConstraint("tenant", "customer", "signal", "period", name="alert_once_a_period"),
            models.CheckConstraint(
                condition=~Q(level="severe") | Q(snoozed_until__isnull=True) | Q(snoozed_until__lte=F("due_at")),
                name="alert_severe_stays_seen",
            ),
            models.CheckConstraint(
                condition=Q(snoozed_until__isnull=True) | ~Q(snooze_reason=""), name="alert_snooze_has_reason"
            ),
            models.CheckConstraint(
                condition=Q(closed_on__isnull=True, outcome="") | (Q(closed_on__isnull=False) & ~Q(outcome="")),
                name="alert_closed_with_outcome",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            # The board: what is open, the nearest clock first.
            models.Index(fields=["tenant", "due_at", "id"], name="alert_open", condition=Q(closed_on__isnull=True)),
            # What waits for somebody: the number beside the link on every page.
            models.Index(
                fields=["tenant", "assignee", "role"], name="alert_waiting", condition=Q(closed_on__isnull=True)
            ),
            # The minute's sweep: whose clock has run out.
            models.Index(
                fields=["tenant", "escalates_at"],
                name="alert_escalates",
                condition=Q(closed_on__isnull=True, escalates_at__isnull=False),
            ),
            # What was opened, and closed, in a span of days: the overview.
            models.Index(fields=["tenant", "opened_on", "id"], name="alert_by_opening"),
            models.Index(
                fields=["tenant", "closed_on", "id"], name="alert_by_closing", condition=Q(closed_on__isnull=False)
            ),
            models.Index(fields=["tenant", "updated_at", "id"], name="alert_by_update"),
        ]

    def __str__(self) -> str:
        return f"{self.signal} {self.opened_on}"

    @property
    def is_open(self) -> bool:
        return self.closed_on is None

    def is_snoozed(self, now: dt.datetime) -> bool:
        """Whether it is out of sight at a moment."""
        return self.closed_on is None and self.snoozed_until is not None and now < self.snoozed_until

    def is_late(self, now: dt.datetime) -> bool:
        """Whether nobody has acted in time: not by its clock, and not by now."""
        return self.due_at < (self.first_action_at or self.closed_at or now)


class OfAlertQuerySet(TenantQuerySet):
    """What belongs to an alert: as visible as its customer."""

    def visible_to(self, member: Member) -> OfAlertQuerySet:
        return self.filter(visible_customers(member, "alert__customer__"))


class AlertRepeat(TenantModel):
    """A signal fired again while its alert was open: once for each period."""

    alert = TenantForeignKey(Alert, models.CASCADE, related_name="fired_again")
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="+")
    signal = models.CharField(max_length=30)
    period = models.CharField(max_length=40)
    fired_on = models.DateField()
    level = models.CharField(max_length=10, choices=Alert.Level.choices)
    facts = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[Any] = manager(OfAlertQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["fired_on", "id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "customer", "signal", "period", name="alert_repeat_once_a_period")
        ]

    def __str__(self) -> str:
        return f"{self.signal} {self.fired_on}"


class AlertEscalation(TenantModel):
    """An alert went one step up the line because a clock had run out: once for each step."""

    alert = TenantForeignKey(Alert, models.CASCADE, related_name="steps_up")
    step = models.PositiveSmallIntegerField()
    role = models.CharField(max_length=16, choices=AnswerRole.choices)  # whose turn it is now
    due_at = models.DateTimeField()  # the clock that ran out
    at = models.DateTimeField()

    objects: ClassVar[Any] = manager(OfAlertQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["step"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "alert", "step", name="alert_escalation_once_a_step")
        ]

    def __str__(self) -> str:
        return f"{self.step} {self.role}"
