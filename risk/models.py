"""What is going wrong: alerts, each with the facts that fired it, a level in words and a clock."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Customer
from customers.querysets import OfCustomerQuerySet
from tenants.base import TenantForeignKey, TenantModel, manager
from tenants.models import Member


class Alert(TenantModel):
    """A signal that fired for a customer; at most one is open per customer and signal."""

    class Signal(models.TextChoices):
        ORDER_SILENCE = "order_silence", _("No order")
        CONTACT_SILENCE = "contact_silence", _("No contact")
        SPEC_DRIFT = "spec_drift", _("Order sizes shrink")

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
    level = models.CharField(_("level"), max_length=10, choices=Level.choices)
    facts = models.JSONField(default=dict)
    # What the signal counts from: a closed alert does not open again for the same silence.
    period = models.CharField(max_length=40)
    opened_on = models.DateField(_("opened"))
    due_at = models.DateTimeField(_("answer due"))
    closed_on = models.DateField(_("closed"), null=True, blank=True)
    outcome = models.CharField(
        _("outcome"), max_length=12, choices=[("", pgettext_lazy("alert", "open")), *Outcome.choices], blank=True
    )
    cause = models.CharField(_("cause"), max_length=120, blank=True)
    closed_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    policy_version = models.IntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-opened_on", "-id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant", "customer", "signal", name="alert_one_open", condition=models.Q(closed_on__isnull=True)
            ),
            models.UniqueConstraint("tenant", "customer", "signal", "period", name="alert_once_a_period"),
        ]

    def __str__(self) -> str:
        return f"{self.signal} {self.opened_on}"
