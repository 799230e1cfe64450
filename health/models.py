"""How the relation is doing: today's score with the facts behind it, and its history."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields
from typing import Any, ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Customer, Product
from customers.querysets import OfCustomerQuerySet
from customers.tallies import Tally
from health.querysets import BandCountQuerySet
from health.rules.policy import HealthPolicy
from health.rules.receipt import HealthFacts, Receipt, receipt
from tenants.base import POINTS, MoneyField, TenantForeignKey, TenantModel, implied_tenant, manager
from tenants.context import current_tenant
from tenants.models import Member


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
    # By which weights: the policy may have some for single tiers and stages.
    tier = models.CharField(max_length=20, blank=True, default="")
    stage = models.CharField(max_length=10, blank=True, default="")
    contacts_recent = models.IntegerField(default=0)  # two-way
    contacts_before = models.IntegerField(default=0)
    asked = models.IntegerField(default=0)  # the last outbound contacts of which it is known whether they were answered
    answered = models.IntegerField(default=0)
    unanswered_run = models.IntegerField(default=0)  # the latest of them in a row
    last_asked_on = models.DateField(null=True)
    # Null where the firm keeps no complaints at all: none noted is then no good sign.
    complaints_recent = models.IntegerField(null=True)
    complaints_before = models.IntegerField(null=True)
    orders_recent = models.IntegerField(default=0)  # in the windows of the complaint rate
    orders_before = models.IntegerField(default=0)
    solved = models.IntegerField(default=0)
    solved_first = models.IntegerField(default=0)
    repeated_open = models.IntegerField(default=0)  # the most open complaints about one topic
    csat_sum = models.IntegerField(default=0)
    csat_count = models.IntegerField(default=0)
    promoters = models.IntegerField(default=0)
    detractors = models.IntegerField(default=0)
    nps_count = models.IntegerField(default=0)  # contacts whose latest answer counts
    competitor_recent = models.IntegerField(null=True)  # null: no contact in these days, or the firm never notes it
    days_late = models.FloatField(null=True)  # median of the last paid invoices; below 0 is early
    invoices = models.IntegerField(default=0)
    last_paid_on = models.DateField(null=True)
    # The score as the history has it for the Monday a week, a month before; null where there was none.
    week_score = models.SmallIntegerField(null=True)
    month_score = models.SmallIntegerField(null=True)
    # Points since then, for the list's order: a column that an index can hold.
    week_points = models.GeneratedField(
        expression=models.F("score") - models.F("week_score"),
        output_field=models.SmallIntegerField(null=True),
        db_persist=True,
    )
    month_points = models.GeneratedField(
        expression=models.F("score") - models.F("month_score"),
        output_field=models.SmallIntegerField(null=True),
        db_persist=True,
    )
    band_since = models.DateField(null=True)  # the night that first gave this colour
    # When a fact that arrived had the customer scored between two nights: as of the coming one. Null: by the night.
    rescored_at = models.DateTimeField(null=True)
    # The first day as of which time alone makes others of these facts: the stage ends, a payment that is known counts.
    facts_until = models.DateField(null=True)
    # The first day as of which time alone makes another score, or others of the facts; null: it never does.
    stands_until = models.DateField(null=True)
    # The last row of the history, so that a night need not look for it; no day: there is none, or nobody has looked.
    kept_on = models.DateField(null=True)
    kept_score = models.SmallIntegerField(null=True)
    kept_band = models.CharField(max_length=6, choices=Band.choices, blank=True, default="", db_default="")
    policy_version = models.IntegerField()

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            # The list by colour, worst first; by score; by how it has moved.
            models.Index(fields=["tenant", "band", "score", "customer"], name="health_by_band"),
            models.Index(fields=["tenant", "score", "customer"], name="health_by_score"),
            models.Index(
                fields=["tenant", "week_points", "customer"],
                name="health_by_week",
                condition=models.Q(week_points__isnull=False),
            ),
            models.Index(
                fields=["tenant", "month_points", "customer"],
                name="health_by_month",
                condition=models.Q(month_points__isnull=False),
            ),
            # Who has been scored between two nights.
            models.Index(
                fields=["tenant", "rescored_at"], name="health_rescored", condition=models.Q(rescored_at__isnull=False)
            ),
        ]

    @property
    def week_change(self) -> int | None:
        """Points since the Monday a week before; None where either side has no score."""
        return self._change(self.week_score)

    @property
    def month_change(self) -> int | None:
        """The same since the Monday a month before."""
        return self._change(self.month_score)

    def _change(self, before: int | None) -> int | None:
        return None if self.score is None or before is None else self.score - before

    def as_of(self, night: dt.date) -> dt.date:
        """The day that the numbers stand for: that of the last night, or the coming one's after a fact has come in."""
        if self.rescored_at is None:
            return night
        return max(night, current_tenant().local_date(self.rescored_at) + dt.timedelta(days=1))

    def receipt(self, policy: HealthPolicy, as_of: dt.date) -> Receipt:
        """The receipt of this score on a day: `as_of` of the night that wrote it, or what time has made of it."""
        return receipt(self.facts, policy, as_of)

    @property
    def facts(self) -> HealthFacts:
        """The facts that the score rests on, with money in points as the rules have it."""
        values = {each.name: getattr(self, each.name) for each in fields(HealthFacts)}
        money = {name: int(values[name] * POINTS) for name in ("spend_recent", "spend_before")}
        return HealthFacts(**values | money)


class HealthHistory(TenantModel):
    """The score on a day: one row when the colour changes, and one a week while the score moves.

    What is not written has not changed: the score of any Monday is that of the last row up to it.
    """

    partitioned_by = "on"
    stands_for = "customer"

    pk = models.CompositePrimaryKey("tenant_id", "customer_id", "on")
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="health_history")
    on = models.DateField()
    score = models.SmallIntegerField(null=True)
    band = models.CharField(max_length=6, choices=Band.choices)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            # The rows of some days: they lie together, as the nights have written them.
            BrinIndex(fields=["on"], name="health_history_by_day", autosummarize=True)
        ]


class ScoreBasis(TenantModel):
    """What of the whole firm the scores rest on as the last night left them: one row, from the first night on.

    By it the next night knows what has changed for everybody, and from where on something is new.
    """

    # Of the night whose scores stand; null while they are those of none, or of a day before the latest one's.
    as_of = models.DateField(null=True)
    # The latest day of which a night has begun to write scores.
    latest = models.DateField()
    # Which kinds of facts the firm writes down at all (customers.frames.Books).
    keeps_complaints = models.BooleanField(default=False)
    keeps_competitors = models.BooleanField(default=False)
    # The highest numbers that were given out by then.
    customer_number = models.BigIntegerField(default=0)
    tier_change_number = models.BigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", name="score_basis_uniq")]


class KnownCategory(TenantModel):
    """The category of an article: the one that the scores rest on, and the one that tonight's night has found.

    Where they differ, the categories of whoever bought the article are counted again.
    """

    tenant = implied_tenant()
    pk = models.CompositePrimaryKey("tenant_id", "product_id")
    product = TenantForeignKey(Product, models.CASCADE, related_name="+")
    category = models.CharField(max_length=80, blank=True)
    seen = models.CharField(max_length=80, blank=True)

    class Meta(TenantModel.Meta):
        pass


class HealthCount(TenantModel):
    """How many customers of an owner had which colour on a night, and what they brought in the tiers' window."""

    on = models.DateField()
    owner = TenantForeignKey(Member, models.CASCADE, null=True, related_name="+")
    band = models.CharField(max_length=6, choices=Band.choices)
    customers = models.IntegerField()
    net = MoneyField()

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "on", "owner", "band", name="health_count_uniq", nulls_distinct=False)
        ]


class BandCount(TenantModel):
    """How many customers of two owners have which colour now, their money, and how many rose and fell.

    Counted by the night, and kept right by whoever writes a score or an owner between two nights
    (health.counting.recounted), so that distribution, owners and movers need not count customers.
    """

    owner_a = TenantForeignKey(Member, models.CASCADE, null=True, related_name="+")
    owner_b = TenantForeignKey(Member, models.CASCADE, null=True, related_name="+")
    band = models.CharField(max_length=6, choices=Band.choices)
    customers = models.IntegerField()
    net = MoneyField()  # in the tiers' window
    rescored = models.IntegerField()  # since the night
    week_risen = models.IntegerField()
    week_fallen = models.IntegerField()
    week_dropped = models.IntegerField()  # by health.figures.DROP points or more
    month_risen = models.IntegerField()
    month_fallen = models.IntegerField()
    month_dropped = models.IntegerField()

    objects: ClassVar[Any] = manager(BandCountQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant", "owner_a", "owner_b", "band", name="band_count_uniq", nulls_distinct=False
            )
        ]


class HealthTally(Tally):
    """What the figures of health and forecast count, as of the last night (health.counting)."""

    class Meta(Tally.Meta):
        abstract = False


class Pulse(TenantModel):
    """A person's own view of a customer, with the reason; beside the score, never mixed in. The latest counts."""

    class Reason(models.TextChoices):
        RELATIONSHIP = "relationship", _("Relationship")
        CONTACT_LEFT = "contact_left", _("Key contact left")
        COMPETITOR = "competitor", _("Competitor")
        PRICE = "price", _("Price")
        QUALITY = "quality", _("Product quality")
        DELIVERY = "delivery", _("Delivery")
        SERVICE = "service", _("Service")
        PAYMENT = "payment", _("Payment")
        OWN_BUSINESS = "own_business", _("Customer's own business")
        SEASON = "season", _("Season or stock")
        PROJECT = "project", _("New project")
        OTHER = "other", pgettext_lazy("pulse", "Other")

    VIEWS: ClassVar[list[tuple[str, Any]]] = [choice for choice in Band.choices if choice[0] != Band.NONE]

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="pulses", verbose_name=_("customer"))
    member = TenantForeignKey(Member, models.PROTECT, related_name="+", verbose_name=_("by"))
    band = models.CharField(_("own view"), max_length=6, choices=VIEWS)
    reason = models.CharField(_("reason"), max_length=16, choices=Reason.choices)
    note = models.CharField(_("in own words"), max_length=300, blank=True)
    at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            # The latest of a customer.
            models.Index(fields=["tenant", "customer", "-at"], name="pulse_of_customer")
        ]

    def __str__(self) -> str:
        return f"{self.get_band_display()} {self.at:%Y-%m-%d}"


class LapseFit(TenantModel):
    """The forecast's model as fitted on a day, from windows closed before it; or why there is none."""

    as_of = models.DateField()
    horizon_days = models.IntegerField()
    parameters = models.JSONField(default=dict)  # rules.forecast.Fit as JSON
    customers = models.IntegerField(default=0)  # that it was fitted on
    reason = models.CharField(max_length=40, blank=True)
    policy_version = models.IntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "as_of", name="lapse_fit_uniq")]


class LapseForecast(TenantModel):
    """The probability that a customer does not order in the next days, or why there is no number.

    The facts that it rests on, and the reasons, are worked out when read (forecasting.explain).
    """

    pk = models.CompositePrimaryKey("tenant_id", "customer_id")
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="lapse_forecasts")
    fit = TenantForeignKey(LapseFit, models.SET_NULL, null=True, related_name="+")
    percent = models.SmallIntegerField(_("lapse"), null=True)  # 0 to 100; null: `code` says why
    code = models.CharField(max_length=20, blank=True)
    horizon_days = models.IntegerField(null=True)
    is_warned = models.BooleanField(default=False)  # by the model, or without one by the rule of silence
    warned_on = models.DateField(null=True)  # the first night of this warning
    expected_money = MoneyField(null=True)  # of the next 12 months
    money_at_risk = MoneyField(_("money at risk"), null=True)  # percent of the expected money
    policy_version = models.IntegerField()

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            # The list by money at risk and by probability, either way round; those warned by money at risk.
            models.Index(fields=["tenant", "money_at_risk", "customer"], name="lapse_by_money"),
            models.Index(fields=["tenant", "percent", "customer"], name="lapse_by_percent"),
            models.Index(fields=["tenant", "is_warned", "money_at_risk", "customer"], name="lapse_warned"),
        ]


class BackTest(TenantModel):
    """What the forecast would have said in past months, and what then happened: a job with progress.

    Its cut-offs are rows; the lock on a row is the lease of whoever works on it.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    first = models.DateField(_("from"))
    last = models.DateField(_("to"))
    horizon_days = models.IntegerField(_("days"))
    member = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+", verbose_name=_("by"))
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    result = models.JSONField(default=dict)  # rules.backtest.BackTest as JSON, when done
    reason = models.CharField(max_length=40, blank=True)  # why there is no result
    attempts = models.PositiveSmallIntegerField(default=0)
    policy_version = models.IntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "-id"], name="back_test_newest")]

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


class BackTestCutOff(TenantModel):
    """One month's cut-off of a back-test."""

    back_test = TenantForeignKey(BackTest, models.CASCADE, related_name="cut_offs")
    cut_off = models.DateField()
    is_done = models.BooleanField(default=False)
    result = models.JSONField(default=dict)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["cut_off"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "back_test", "cut_off", name="back_test_cut_off_uniq")
        ]
