"""How the relation is doing: today's score with the facts behind it, and its history."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Customer
from customers.querysets import OfCustomerQuerySet
from health.rules.policy import HealthPolicy
from health.rules.receipt import HealthFacts, Receipt, receipt
from tenants.base import POINTS, MoneyField, TenantForeignKey, TenantModel, manager


class Band(models.TextChoices):
    GREEN = "green", _("Green")
    YELLOW = "yellow", _("Yellow")
    RED = "red", _("Red")
    NONE = "none", pgettext_lazy("health", "Not enough data")


class HealthScore(TenantModel):
    """A customer's score and the facts that it rests on; the receipt is worked out from these when read.

    Facts are dates and amounts, never "days since": what time alone changes is not stored.
    """

    pk = models.CompositePrimaryKey("tenant_id", "customer_id")
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="health_scores")
    score = models.SmallIntegerField(_("health"), null=True)
    band = models.CharField(_("health"), max_length=6, choices=Band.choices)
    known = models.SmallIntegerField()
    order_days_count = models.IntegerField()
    last_order_on = models.DateField(null=True)
    median_gap = models.FloatField(null=True)  # days, of the last 12 gaps between order days
    gap_cv = models.FloatField(null=True)
    spend_recent = MoneyField()
    spend_before = MoneyField()
    categories_recent = models.IntegerField()
    categories_before = models.IntegerField()
    policy_version = models.IntegerField()

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            # The list by colour, worst first.
            models.Index(fields=["tenant", "band", "score", "customer"], name="health_by_band")
        ]

    def receipt(self, policy: HealthPolicy, as_of: dt.date) -> Receipt:
        """The receipt of this score on a day: `as_of` of the night that wrote it, or what time has made of it."""
        return receipt(
            HealthFacts(
                order_days_count=self.order_days_count,
                last_order_on=self.last_order_on,
                median_gap=self.median_gap,
                gap_cv=self.gap_cv,
                spend_recent=int(self.spend_recent * POINTS),
                spend_before=int(self.spend_before * POINTS),
                categories_recent=self.categories_recent,
                categories_before=self.categories_before,
            ),
            policy,
            as_of,
        )


class HealthHistory(TenantModel):
    """The score on a day: one row when the colour changes, and one a week."""

    pk = models.CompositePrimaryKey("tenant_id", "customer_id", "on")
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="health_history")
    on = models.DateField()
    score = models.SmallIntegerField(null=True)
    band = models.CharField(max_length=6, choices=Band.choices)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        pass
