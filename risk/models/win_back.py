"""Customers that went: what they may be worth again, what was offered, and who came back."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Channel, Customer
from customers.querysets import OfCustomerQuerySet
from risk.models.playbooks import PlaybookRun
from tenants.base import MoneyField, TenantForeignKey, TenantModel, manager
from tenants.models import Member


class WinBack(TenantModel):
    """A lapse of a customer, from its last order on: ranked by what it may bring again; one for each lapse."""

    class Status(models.TextChoices):
        OPEN = "open", pgettext_lazy("win-back", "not tried")
        TRIED = "tried", pgettext_lazy("win-back", "tried")
        RETURNED = "returned", pgettext_lazy("win-back", "came back")
        GIVEN_UP = "given_up", pgettext_lazy("win-back", "given up")

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="win_backs", verbose_name=_("customer"))
    last_order_on = models.DateField(_("last order"))
    lapsed_on = models.DateField(_("lapsed"))
    orders = models.IntegerField(_("orders"))  # all that it ever placed
    yearly = MoneyField(_("yearly money"))
    # Of an order within the horizon of the policy, as the firm's own history has it for such a silence.
    chance = models.FloatField(_("chance"))
    expected = MoneyField(_("expected money"))
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.OPEN, db_default="open")
    tries = models.IntegerField(_("tries"), default=0, db_default=0)
    returned_on = models.DateField(_("came back"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-expected", "-id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "customer", "last_order_on", name="win_back_once_a_lapse")
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "status", "-expected", "-id"], name="win_back_ranked"),
            models.Index(fields=["tenant", "-expected", "-id"], name="win_back_by_money"),
            models.Index(fields=["tenant", "updated_at", "id"], name="win_back_by_update"),
        ]

    def __str__(self) -> str:
        return f"{self.customer} {self.last_order_on}"


class WinBackTry(TenantModel):
    """An offer to a customer that went, and what came of it."""

    class Offer(models.TextChoices):
        PAYMENT_TERMS = "payment_terms", _("Payment terms")
        STORAGE = "storage", _("Free storage")
        FIRST_ORDER = "first_order", _("First-order discount")
        TRIAL = "trial", _("Free trial")
        TALK = "talk", _("A talk, without an offer")

    class Result(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("offer", "waiting")
        ACCEPTED = "accepted", pgettext_lazy("offer", "accepted")
        DECLINED = "declined", pgettext_lazy("offer", "declined")
        NO_ANSWER = "no_answer", pgettext_lazy("offer", "no answer")

    win_back = TenantForeignKey(WinBack, models.CASCADE, related_name="attempts")
    # The customer once more: who sees the customer sees the try, and a customer's tries are found at once.
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="+")
    member = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+", verbose_name=_("by"))
    at = models.DateTimeField(_("when"), default=timezone.now)
    offer = models.CharField(_("offer"), max_length=14, choices=Offer.choices)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices, blank=True)
    terms = models.CharField(_("terms"), max_length=300, blank=True)
    result = models.CharField(_("result"), max_length=10, choices=Result.choices, default=Result.WAITING)
    result_at = models.DateTimeField(_("answered"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=300, blank=True)
    playbook_run = TenantForeignKey(PlaybookRun, models.SET_NULL, null=True, blank=True, related_name="+")
    # The last try within the policy's days before the first order again.
    returned_on = models.DateField(_("came back"), null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-at", "-id"]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "win_back", "-at"], name="win_back_try_of_win_back"),
            models.Index(fields=["tenant", "offer", "at"], name="win_back_try_by_offer"),
            models.Index(fields=["tenant", "updated_at", "id"], name="win_back_try_by_update"),
        ]

    def __str__(self) -> str:
        return f"{self.get_offer_display()} {self.at:%Y-%m-%d}"


class ReturnHistory(TenantModel):
    """How often silences of the firm's customers ended, month by month: what chances are reckoned from."""

    as_of = models.DateField()
    line = models.IntegerField(default=0)  # days of silence from which on they were counted
    counts = models.JSONField(default=list)  # rows of (group, month of silence, reached, ended)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", name="return_history_one")]
