"""Asking customers: one row per asking of one contact, the reasons of an answer, and what became of a low one."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Channel, Complaint, Contact, Customer, Interaction, SurveyResponse
from customers.querysets import OfCustomerQuerySet
from followups.models.follow_ups import FollowUp
from followups.models.messages import Message
from followups.rules.surveys import Asking, State, state
from followups.surveys.querysets import UNDELIVERED_STATUSES, SurveyQuerySet
from tenants.base import TenantForeignKey, TenantModel, manager
from tenants.models import Member


class Survey(TenantModel):
    """One asking of one contact, by a link of its own. Unique by (contact, kind, period): the night may ask twice.

    The link's text is not kept: it is worked out from the row and the secret key (followups.surveys.links).
    """

    class Cause(models.TextChoices):
        """Why somebody is asked."""

        ROTATION = "rotation", _("their turn")
        CONTACT = "contact", _("after a talk")
        COMPLAINT = "complaint", _("after a solved complaint")
        VERIFY = "verify", _("whether it is better now")
        HAND = "hand", _("by hand")

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="surveys", verbose_name=_("customer"))
    contact = TenantForeignKey(Contact, models.CASCADE, related_name="surveys", verbose_name=_("contact"))
    kind = models.CharField(_("kind"), max_length=4, choices=SurveyResponse.Kind.choices)
    cause = models.CharField(_("why asked"), max_length=10, choices=Cause.choices)
    period = models.CharField(max_length=40)  # "2026-Q4", "contact:12", "complaint:7", "verify:3", "hand:2026-11-20"
    complaint = TenantForeignKey(Complaint, models.SET_NULL, null=True, blank=True, related_name="+")
    interaction = TenantForeignKey(Interaction, models.SET_NULL, null=True, blank=True, related_name="+")
    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices)
    language = models.CharField(_("language"), max_length=10)
    # How it went out; its status is the channel's own word (followups.messages.outbox).
    message = TenantForeignKey(Message, models.SET_NULL, null=True, blank=True, related_name="+")
    asked_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by"))
    asked_at = models.DateTimeField(_("asked"), default=timezone.now)
    expires_at = models.DateTimeField(_("can be answered until"))
    reminders = models.PositiveSmallIntegerField(_("reminders"), default=0)
    reminded_at = models.DateTimeField(null=True, blank=True)
    response = TenantForeignKey(
        SurveyResponse, models.SET_NULL, null=True, blank=True, related_name="surveys", verbose_name=_("answer")
    )
    answered_at = models.DateTimeField(_("answered"), null=True, blank=True)
    changed_at = models.DateTimeField(null=True, blank=True)  # the answer was changed, which can happen once
    policy_version = models.IntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(SurveyQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "contact", "kind", "period", name="survey_uniq")
        ]
        indexes: ClassVar[list[Any]] = [
            # The list, newest first; figures of a time.
            models.Index(fields=["tenant", "-asked_at", "-id"], name="survey_by_time"),
            # Whom the night reminds.
            models.Index(
                fields=["tenant", "expires_at"], name="survey_waiting", condition=models.Q(answered_at__isnull=True)
            ),
            models.Index(fields=["tenant", "customer", "-asked_at"], name="survey_of_customer"),
            models.Index(fields=["tenant", "updated_at", "id"], name="survey_by_update"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.period}"

    @property
    def asking(self) -> Asking:
        """What its rules need to know; reads the message."""
        blocked = self.message is not None and self.message.status in UNDELIVERED_STATUSES
        return Asking(self.expires_at, blocked, self.answered_at, self.changed_at)

    def state_at(self, now: dt.datetime) -> State:
        """How it stands at a moment."""
        return state(self.asking, now)


class Reason(models.TextChoices):
    """What an answer was about: ticked by who gave it, or noted by whoever looks into it."""

    PRODUCT = "product", _("Product quality")
    DELIVERY = "delivery", _("Delivery")
    PRICE = "price", _("Price")
    RANGE = "range", _("Range of products")
    RESPONSE = "response", _("Speed of response")
    PEOPLE = "people", _("Our people")
    AFTER_SALES = "after_sales", _("After-sales service")
    TERMS = "terms", _("Payment terms")
    OTHER = "other", pgettext_lazy("reason", "Something else")


class SurveyReasonQuerySet(OfCustomerQuerySet):
    """Reasons: as visible as the customer."""


class SurveyReason(TenantModel):
    """One reason of one answer; `member` noted it, or nobody: who answered ticked it."""

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="+")
    response = TenantForeignKey(SurveyResponse, models.CASCADE, related_name="reasons")
    code = models.CharField(_("reason"), max_length=12, choices=Reason.choices)
    member = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[Any] = manager(SurveyReasonQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "response", "code", name="survey_reason_uniq")
        ]

    def __str__(self) -> str:
        return str(self.get_code_display())


class SurveyLoop(TenantModel):
    """What becomes of a low answer: collected, analysed, acted on, asked again, better or not. One per answer."""

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="+", verbose_name=_("customer"))
    response = TenantForeignKey(SurveyResponse, models.CASCADE, related_name="loops", verbose_name=_("answer"))
    opened_at = models.DateTimeField(_("opened"), default=timezone.now)
    analysed_at = models.DateTimeField(_("analysed"), null=True, blank=True)
    analysed_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    behind = models.TextField(_("what was behind it"), blank=True)
    follow_up = TenantForeignKey(FollowUp, models.SET_NULL, null=True, blank=True, related_name="+")
    asked_again = TenantForeignKey(Survey, models.SET_NULL, null=True, blank=True, related_name="+")
    verified_by = TenantForeignKey(SurveyResponse, models.SET_NULL, null=True, blank=True, related_name="+")
    improved = models.BooleanField(_("better now"), null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "response", name="survey_loop_uniq")]
        indexes: ClassVar[list[Any]] = [
            # Figures of a time.
            models.Index(fields=["tenant", "opened_at"], name="survey_loop_by_time"),
            # Those whose follow-up may have been answered since.
            models.Index(
                fields=["tenant", "customer"], name="survey_loop_open", condition=models.Q(verified_by__isnull=True)
            ),
            models.Index(fields=["tenant", "updated_at", "id"], name="survey_loop_by_update"),
        ]

    def __str__(self) -> str:
        return f"{self.response}"
