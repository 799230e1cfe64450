"""What a customer is worth: the RFM scores and the tier of now, and every change of tier with its reason."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Customer
from customers.querysets import OfCustomerQuerySet
from tenants.base import MoneyField, TenantForeignKey, TenantModel, manager


class Tier(models.TextChoices):
    """The tiers of all packs; a tenant's policy says which of them it uses (PLAYBOOK section 2)."""

    NONE = "", pgettext_lazy("tier", "none")
    GOLD = "gold", _("Gold")
    SILVER = "silver", _("Silver")
    BRONZE = "bronze", _("Bronze")
    CHAMPIONS = "champions", _("Champions")
    DEVELOP = "develop", _("Develop")
    KEEP = "keep", _("Keep: sleeping value")
    WIN_BACK = "win_back", _("Win back")
    GENERAL_VALUE = "general_value", _("General value")
    GENERAL_DEVELOP = "general_develop", _("General, develop")
    GENERAL_KEEP = "general_keep", _("General, keep")
    GENERAL_WIN_BACK = "general_win_back", _("General, win back")


class Segment(models.TextChoices):
    """RFM segments: one digit each for recency, frequency, money; 1 is a score of 4 or 5."""

    NONE = "", _("Never bought")
    S111 = "111", _("Important, value: champions")
    S101 = "101", _("Important, develop")
    S011 = "011", _("Important, keep: sleeping value")
    S001 = "001", _("Important, win back")
    S110 = "110", _("General, value")
    S100 = "100", pgettext_lazy("segment", "General, develop")
    S010 = "010", pgettext_lazy("segment", "General, keep")
    S000 = "000", pgettext_lazy("segment", "General, win back")


class Standing(TenantModel):
    """Where a customer stands: one row each, written by the night, and only when something differs.

    Days since the last order are derived when read, so a quiet customer costs nothing.
    """

    pk = models.CompositePrimaryKey("tenant_id", "customer_id")
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="standings")
    last_order_on = models.DateField(_("last order"), null=True)
    frequency = models.IntegerField(_("orders"))
    monetary = MoneyField(_("net money"))
    r = models.SmallIntegerField(null=True)
    f = models.SmallIntegerField(null=True)
    m = models.SmallIntegerField(null=True)
    segment = models.CharField(_("segment"), max_length=3, choices=Segment.choices, blank=True)
    tier = models.CharField(_("tier"), max_length=20, choices=Tier.choices, blank=True)
    # Since when the customer has been below its tier; it falls after the policy's days of grace.
    below_since = models.DateField(null=True)
    policy_version = models.IntegerField()

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            # The list by tier, by segment and by money.
            models.Index(fields=["tenant", "tier", "customer"], name="standing_by_tier"),
            models.Index(fields=["tenant", "segment", "customer"], name="standing_by_segment"),
            models.Index(fields=["tenant", "-monetary", "customer"], name="standing_by_money"),
        ]


class TierChange(TenantModel):
    """A change of tier, with the facts that decided it."""

    append_only = True

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="tier_changes")
    on = models.DateField()
    before = models.CharField(max_length=20, choices=Tier.choices, blank=True)
    after = models.CharField(max_length=20, choices=Tier.choices, blank=True)
    facts = models.JSONField(default=dict)
    policy_version = models.IntegerField()

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-on", "-id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "customer", "on", name="tier_change_uniq")
        ]
