"""What ended alerts and crises taught: the case library."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from customers.querysets import OfCustomerQuerySet
from customers.rules.search import LONGEST
from risk.models.alerts import Alert
from risk.models.incidents import Incident
from risk.models.playbooks import PlaybookRun
from tenants.base import MoneyField, TenantForeignKey, TenantModel, implied_tenant, manager
from tenants.models import Member


class Case(TenantModel):
    """A customer that was nearly or really lost: why, what was tried, how it ended, what is learned from it."""

    class Outcome(models.TextChoices):
        SAVED = "saved", _("saved")
        LOST = "lost", _("lost")
        FALSE_ALARM = "false_alarm", _("false alarm")

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="cases", verbose_name=_("customer"))
    # What ended; one case each, however often it is closed.
    alert = TenantForeignKey(Alert, models.SET_NULL, null=True, blank=True, related_name="+")
    incident = TenantForeignKey(Incident, models.SET_NULL, null=True, blank=True, related_name="+")
    playbook_run = TenantForeignKey(PlaybookRun, models.SET_NULL, null=True, blank=True, related_name="+")
    # As it was when it ended: the library does not change with the alert.
    signal = models.CharField(_("signal"), max_length=30, blank=True)
    level = models.CharField(_("level"), max_length=10, blank=True)
    risk_class = models.CharField(_("class"), max_length=12, choices=Alert.RiskClass.choices)
    cause = models.CharField(_("cause"), max_length=120, blank=True)
    outcome = models.CharField(_("outcome"), max_length=12, choices=Outcome.choices)
    tried = models.JSONField(_("what was tried"), default=list, blank=True)  # codes of rules/causes.py
    facts = models.JSONField(default=dict, blank=True)
    text = models.TextField(_("what happened"), blank=True)
    lessons = models.TextField(_("lessons learned"), blank=True)
    money = MoneyField(_("yearly money"), null=True, blank=True)
    industry = models.CharField(_("industry"), max_length=80, blank=True)
    opened_on = models.DateField(_("opened"))
    closed_on = models.DateField(_("closed"))
    closed_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    # A lost customer's first order afterwards.
    won_back_on = models.DateField(_("won back"), null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-closed_on", "-id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "alert", name="case_of_alert", condition=models.Q(alert__isnull=False)),
            models.UniqueConstraint(
                "tenant", "incident", name="case_of_incident", condition=models.Q(incident__isnull=False)
            ),
            models.UniqueConstraint(
                "tenant",
                "playbook_run",
                name="case_of_run",
                condition=models.Q(playbook_run__isnull=False, alert__isnull=True, incident__isnull=True),
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "-closed_on", "-id"], name="case_newest"),
            models.Index(fields=["tenant", "cause", "outcome"], name="case_by_cause"),
            models.Index(fields=["tenant", "customer", "-closed_on"], name="case_of_customer"),
            models.Index(fields=["tenant", "updated_at", "id"], name="case_by_update"),
        ]

    def __str__(self) -> str:
        return f"{self.cause} {self.closed_on}"


class CaseTerm(TenantModel):
    """A term by whose beginning a case is found (customers/rules/search.py), kept by risk.cases.services."""

    tenant = implied_tenant()
    pk = models.CompositePrimaryKey("tenant_id", "term", "case_id")
    term = models.CharField(max_length=LONGEST, db_collation="C")
    case = TenantForeignKey(Case, models.CASCADE, related_name="terms")

    class Meta(TenantModel.Meta):
        pass
