"""Days on which a customer hears from us because they are theirs: birthdays, anniversaries, festivals."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Contact, Customer
from customers.querysets import OfCustomerQuerySet
from tenants.base import TenantForeignKey, TenantModel, manager


class By(models.TextChoices):
    """By which calendar a day comes round."""

    SOLAR = "solar", pgettext_lazy("calendar", "solar")
    LUNAR = "lunar", pgettext_lazy("calendar", "lunar")


class CareWishes(TenantModel):
    """What a contact likes to be congratulated on, and how. Without a row: on everything, as the policy says."""

    class How(models.TextChoices):
        POLICY = "", _("as the policy says")
        PERSON = "person", _("a person gets in touch")
        EMAIL = "email", _("an e-mail is sent")
        SMS = "sms", _("an SMS is sent")

    contact = TenantForeignKey(Contact, models.CASCADE, related_name="care_wishes")
    birthday_by = models.CharField(_("birthday by"), max_length=5, choices=By.choices, default=By.SOLAR)
    birthdays = models.BooleanField(_("birthdays"), default=True)
    anniversaries = models.BooleanField(_("anniversaries"), default=True)
    festivals = models.BooleanField(_("festivals"), default=True)
    how = models.CharField(_("how"), max_length=6, choices=How.choices, blank=True, default="")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "contact", name="care_wishes_uniq")]


class CareDay(TenantModel):
    """A day of a customer that comes round every year: its founding, or what else it celebrates."""

    class Kind(models.TextChoices):
        FOUNDED = "founded", _("Company anniversary")
        OTHER = "other", _("Another day")

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="care_days", verbose_name=_("customer"))
    contact = TenantForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("contact")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices, default=Kind.FOUNDED)
    name = models.CharField(_("what is celebrated"), max_length=60, blank=True)
    on = models.DateField(_("day"))
    by = models.CharField(_("comes round by"), max_length=5, choices=By.choices, default=By.SOLAR)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "customer"], name="care_day_of_customer"),
            models.Index(fields=["tenant", "updated_at", "id"], name="care_day_by_update"),
        ]

    def __str__(self) -> str:
        return self.name or str(self.get_kind_display())
