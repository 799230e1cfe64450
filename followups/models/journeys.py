"""Journeys: what follows an event, each customer's place in one, and what its steps have done."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Complaint, Contact, Customer, Product
from customers.querysets import OfCustomerQuerySet
from followups.models.follow_ups import FollowUp
from followups.rules.journeys import Definition
from followups.shipped_names import JOURNEYS, STEPS
from tenants.base import TenantForeignKey, TenantModel, manager
from tenants.models import Member


class Journey(TenantModel):
    """Steps that follow an event of a customer. `definition` is a rules.journeys.Definition as JSON."""

    class Trigger(models.TextChoices):
        FIRST_ORDER = "first_order", _("first order")
        COMPLAINT_SOLVED = "complaint_solved", _("a complaint is solved")
        COMPLAINT_OPENED = "complaint_opened", _("a complaint about certain words")
        ASKED = "asked", _("the customer asks about certain words")
        SILENCE = "silence", _("no order for some days")
        ANNOUNCED = "announced", _("a product is announced")

    code = models.SlugField(_("code"), max_length=18)
    name = models.CharField(_("name"), max_length=80, blank=True)
    trigger = models.CharField(_("begins with"), max_length=16, choices=Trigger.choices)
    priority = models.PositiveSmallIntegerField(_("goes first"), default=5)
    definition = models.JSONField(default=dict)
    is_on = models.BooleanField(_("switched on"), default=False)
    # Events before this begin nothing: who switches a journey on does not greet the customers of last year.
    since = models.DateTimeField(default=timezone.now)
    # Up to here the facts that came in between two nights have been looked at.
    looked_at = models.DateTimeField(default=timezone.now)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["priority", "code"]
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "code", name="journey_code_uniq")]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "updated_at", "id"], name="journey_by_update")]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """What people call it, in the reader's language."""
        return self.name or str(JOURNEYS.get(self.code, self.code))

    @property
    def rules(self) -> Definition:
        """The definition, typed. Raises pydantic's ValidationError for one that no longer fits."""
        return Definition.model_validate(self.definition)


def step_title(code: str, name: str = "") -> str:
    """What a step is called: as it was named, else as the one that ships, in the reader's language."""
    return name or str(STEPS.get(code, code))


class Announcement(TenantModel):
    """A product that a person announced: it begins the journeys of that trigger."""

    product = TenantForeignKey(Product, models.CASCADE, related_name="+", verbose_name=_("product"))
    member = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+", verbose_name=_("by"))
    at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "product", name="announcement_uniq")]


class Enrolment(TenantModel):
    """A customer's place in a journey: one for each event, at most one of a customer under way."""

    class Status(models.TextChoices):
        ACTIVE = "active", pgettext_lazy("journey", "under way")
        WAITING = "waiting", pgettext_lazy("journey", "waiting")
        FINISHED = "finished", pgettext_lazy("journey", "finished")
        STOPPED = "stopped", pgettext_lazy("journey", "stopped")

    class Why(models.TextChoices):
        NONE = "", ""
        OTHER = "other", _("another journey goes first")
        ORDERED = "order", _("the customer has ordered")
        ANSWERED = "answer", _("the customer has answered")
        COMPLAINED = "complaint", _("the customer has complained")
        CLOSED = "closed", _("the customer is closed")
        OVER = "over", _("it waited too long for another journey")
        BY_HAND = "by_hand", _("somebody took the customer out")
        SWITCHED_OFF = "off", _("the journey was switched off")

    journey = TenantForeignKey(Journey, models.PROTECT, related_name="enrolments", verbose_name=_("journey"))
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="enrolments", verbose_name=_("customer"))
    contact = TenantForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("contact")
    )
    complaint = TenantForeignKey(Complaint, models.SET_NULL, null=True, blank=True, related_name="+")
    product = TenantForeignKey(Product, models.SET_NULL, null=True, blank=True, related_name="+")
    event = models.CharField(_("event"), max_length=40)  # "order:812", "complaint:5", "silence:2026-08-20"
    event_at = models.DateTimeField(_("began with"))
    entered_at = models.DateTimeField(_("entered"), default=timezone.now)
    # What the steps are counted from: the event, later by the time that it waited.
    base_at = models.DateTimeField()
    # Since when it waits; empty while it is under way.
    waits_since = models.DateTimeField(null=True, blank=True)
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.WAITING)
    why = models.CharField(_("why"), max_length=10, choices=Why.choices, blank=True)
    next_at = models.DateTimeField(_("next step"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "journey", "customer", "event", name="enrolment_once"),
            models.UniqueConstraint(
                "tenant", "customer", name="enrolment_one_speaks", condition=models.Q(status="active")
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            # What is due: of those under way the next step, of those that wait whether their time is over.
            models.Index(fields=["tenant", "next_at"], name="enrolment_due", condition=models.Q(ended_at__isnull=True)),
            models.Index(fields=["tenant", "customer", "-entered_at"], name="enrolment_of_customer"),
            models.Index(fields=["tenant", "journey", "status", "-entered_at"], name="enrolment_of_journey"),
            models.Index(fields=["tenant", "updated_at", "id"], name="enrolment_by_update"),
        ]

    def __str__(self) -> str:
        return f"{self.journey} {self.event}"


class JourneyStep(TenantModel):
    """What a step did for a customer: raised a follow-up, handed over a message, or was left out, and why."""

    class Status(models.TextChoices):
        RAISED = "raised", pgettext_lazy("step", "follow-up raised")
        SENT = "sent", pgettext_lazy("step", "message handed over")
        SKIPPED = "skipped", pgettext_lazy("step", "left out")

    class Why(models.TextChoices):
        NONE = "", ""
        ORDERED = "order", _("the customer has ordered")
        ANSWERED = "answer", _("the customer has answered")
        COMPLAINED = "complaint", _("the customer has complained")
        NO_CONTACT = "no_contact", _("nobody to write to: a follow-up instead")
        NO_SCRIPT = "no_script", _("the script is switched off: a follow-up instead")
        NOT_SENT = "not_sent", _("the message could not go out: a follow-up instead")

    enrolment = TenantForeignKey(Enrolment, models.CASCADE, related_name="steps")
    code = models.CharField(max_length=11)
    status = models.CharField(max_length=8, choices=Status.choices)
    why = models.CharField(max_length=10, choices=Why.choices, blank=True)
    at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(null=True)
    follow_up = TenantForeignKey(FollowUp, models.SET_NULL, null=True, related_name="+")
    message = TenantForeignKey("followups.Message", models.SET_NULL, null=True, related_name="+")

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "enrolment", "code", name="journey_step_once")
        ]


class DutyHolder(TenantModel):
    """Who does what a journey asks of the product manager, of after-sales or of the executive."""

    class Duty(models.TextChoices):
        OWNER = "owner", _("A owner")
        COVER = "cover", _("B owner")
        LEAD = "lead", _("Team lead")
        PRODUCT = "product", _("Product manager")
        AFTER_SALES = "after_sales", _("After-sales")
        EXECUTIVE = "executive", _("Executive")

    duty = models.CharField(_("duty"), max_length=12, choices=Duty.choices)
    member = TenantForeignKey(Member, models.CASCADE, related_name="+", verbose_name=_("who"))

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "duty", name="duty_uniq")]
