"""What a customer is worth: scores, tier and its history, the lifetime model, saved segments, cross-sell rules."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Customer
from customers.querysets import OfCustomerQuerySet
from customers.tallies import Tally
from segmentation.querysets import SavedSegmentQuerySet, SegmentMemberQuerySet, TierPinQuerySet
from tenants.base import MoneyField, TenantForeignKey, TenantModel, manager
from tenants.models import Member


class Tier(models.TextChoices):
    """The tiers of all packs; a tenant's policy says which of them it uses (PLAYBOOK section 2)."""

    NONE = "", pgettext_lazy("tier", "none")
    STRATEGIC = "strategic", _("Strategic")
    KEY = "key", pgettext_lazy("tier", "Key")
    REGULAR = "regular", pgettext_lazy("tier", "Regular")
    CORE = "core", _("A core")
    POTENTIAL = "potential", _("B potential")
    BASIC = "basic", _("C basic")
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


class Stage(models.TextChoices):
    """Where a customer is in its life with the firm (PLAYBOOK section 2)."""

    PROSPECT = "prospect", pgettext_lazy("stage", "Prospect")
    NEW = "new", pgettext_lazy("stage", "New")
    ACTIVE = "active", pgettext_lazy("stage", "Active")
    LAPSED = "lapsed", pgettext_lazy("stage", "Lapsed")
    WON_BACK = "won_back", pgettext_lazy("stage", "Won back")
    CLOSED = "closed", pgettext_lazy("stage", "Closed")


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
    first_order_on = models.DateField(_("first order"), null=True)
    last_order_on = models.DateField(_("last order"), null=True)
    # The order that ended the last long silence: the customer was won back that day.
    returned_on = models.DateField(null=True)
    # From when the relation counts: "customer since" or the first order, whichever came first.
    relation_since = models.DateField(null=True)
    frequency = models.IntegerField(_("orders"))
    monetary = MoneyField(_("net money"))
    r = models.SmallIntegerField(null=True)
    f = models.SmallIntegerField(null=True)
    m = models.SmallIntegerField(null=True)
    segment = models.CharField(_("segment"), max_length=3, choices=Segment.choices, blank=True)
    tier = models.CharField(_("tier"), max_length=20, choices=Tier.choices, blank=True)
    # What each scheme would make of the customer tonight, by the facts alone: the primary one beside the others.
    # The starter scheme's answer is the segment.
    by_wholesale = models.CharField(max_length=20, choices=Tier.choices, blank=True, default="", db_default="")
    by_callback = models.CharField(max_length=20, choices=Tier.choices, blank=True, default="", db_default="")
    by_sales_team = models.CharField(max_length=20, choices=Tier.choices, blank=True, default="", db_default="")
    # Whether the lapse forecast warns of the customer: the database copies it, for lists that ask for both.
    is_warned = models.BooleanField(default=False, db_default=False, editable=False)
    # Since when the customer has been below its tier; it falls after the policy's days of grace.
    below_since = models.DateField(null=True)
    policy_version = models.IntegerField()

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            # The list by tier and by segment, each by money inside.
            models.Index(fields=["tenant", "tier", "monetary", "customer"], name="standing_by_tier"),
            models.Index(fields=["tenant", "segment", "monetary", "customer"], name="standing_by_segment"),
            # The list by money, by number of orders and by last order, either way round; stages are spans of it. Who
            # brings so much, and is in which stage, is one walk along the first.
            models.Index(
                fields=["tenant", "monetary", "customer"],
                include=["first_order_on", "last_order_on", "returned_on"],
                name="standing_by_money",
            ),
            # The same of those who are warned of.
            models.Index(
                fields=["tenant", "monetary", "customer"],
                include=["first_order_on", "last_order_on", "returned_on"],
                name="standing_warned",
                condition=models.Q(is_warned=True),
            ),
            models.Index(fields=["tenant", "frequency", "customer"], name="standing_by_orders"),
            models.Index(fields=["tenant", "last_order_on", "customer"], name="standing_by_last_order"),
        ]


class TierChange(TenantModel):
    """A change of tier, with the facts that decided it."""

    append_only = True
    partitioned_by = "on"
    stands_for = "customer"

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="tier_changes")
    on = models.DateField()
    before = models.CharField(max_length=20, choices=Tier.choices, blank=True)
    after = models.CharField(max_length=20, choices=Tier.choices, blank=True)
    facts = models.JSONField(default=dict)
    policy_version = models.IntegerField()

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-on", "-id"]
        indexes: ClassVar[list[Any]] = [
            # Not unique: after the night's change a person may pin another tier on the same day.
            models.Index(fields=["tenant", "customer", "-on"], name="tier_change_by_customer")
        ]


class TierPin(TenantModel):
    """A tier that a person has fixed for a customer, with a reason and an end; at most one is open."""

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="tier_pins")
    tier = models.CharField(_("tier"), max_length=20, choices=Tier.choices)
    reason = models.CharField(_("reason"), max_length=200)
    until = models.DateField(_("until"))  # the last day on which it holds
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)
    ended_by = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")

    objects: ClassVar[Any] = manager(TierPinQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant", "customer", name="tier_pin_open_uniq", condition=models.Q(ended_at__isnull=True)
            )
        ]


class LifetimeFit(TenantModel):
    """The lifetime model as fitted for one day: BG/NBD for how many orders, Gamma-Gamma for how much money.

    Time is in weeks, money in units of the firm's currency. Without a model the parameters are null and
    `reason` says why.
    """

    as_of = models.DateField()
    customers = models.IntegerField()
    repeaters = models.IntegerField()
    r = models.FloatField(null=True)
    alpha = models.FloatField(null=True)
    a = models.FloatField(null=True)
    b = models.FloatField(null=True)
    log_likelihood = models.FloatField(null=True)
    p = models.FloatField(null=True)
    q = models.FloatField(null=True)
    v = models.FloatField(null=True)
    converged = models.BooleanField()
    reason = models.CharField(max_length=40, blank=True)
    # What else a value rests on: retention by tier, mean lifetime, correlation of orders and money.
    inputs = models.JSONField(default=dict)
    policy_version = models.IntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "as_of", name="lifetime_fit_uniq")]


class Worth(TenantModel):
    """What a customer is worth on the day `valued_on`: expected orders and money, CLV, and the scorecard.

    Worked out anew when the model is fitted (monthly) and when the customer's facts have changed since. The facts
    behind each number are kept with it, so that a page can follow it by hand (valuing.explain). "Orders" are order
    days: several orders of one day are one.
    """

    pk = models.CompositePrimaryKey("tenant_id", "customer_id")
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="worths")
    valued_on = models.DateField()
    # The fit that answered; null when it has been replaced since.
    fit = TenantForeignKey(LifetimeFit, models.SET_NULL, null=True, related_name="+")
    # The facts behind: tier, orders after the first, first and last order day, mean net money of the repeat orders.
    tier = models.CharField(_("tier"), max_length=20, choices=Tier.choices, blank=True, default="")
    repeats = models.IntegerField()
    first_order_on = models.DateField(null=True)
    last_order_on = models.DateField(null=True)
    mean_order = MoneyField(null=True)
    net = MoneyField(_("net money"), default=0)  # of all time
    window_net = MoneyField(default=0)  # of the tiers' window
    more_than = models.FloatField(null=True)  # percent of the other customers who brought less in that window
    days_late = models.FloatField(null=True)  # median of the last five paid orders; below 0 is early
    pays_on = models.DateField(null=True)  # the first day still to come on which another one is known to be paid
    referred_net = MoneyField(default=0)  # what the customers it referred brought in that window
    evidence = models.JSONField(default=list)  # the evidence that counted: [id, kind, points] each
    # Lifetime model; null without one. `alive` is null for one order: the model takes such a customer for alive.
    alive = models.FloatField(null=True)
    expected_orders = models.FloatField(null=True)  # in the next 12 months
    expected_order_money = MoneyField(null=True)
    clv = MoneyField(_("lifetime value"), null=True)
    clv_simple = MoneyField(null=True)
    # Scorecard, 0 to 100 each; null: nothing is known.
    direct = models.SmallIntegerField(null=True)
    indirect = models.SmallIntegerField(null=True)
    strategic = models.SmallIntegerField(null=True)
    score = models.SmallIntegerField(_("value score"), null=True)
    policy_version = models.IntegerField()

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            # The list by lifetime value and by value score, either way round.
            models.Index(fields=["tenant", "clv", "customer"], name="worth_by_clv"),
            models.Index(fields=["tenant", "score", "customer"], name="worth_by_score"),
        ]


class SavedSegment(TenantModel):
    """A filter of the customers list under a name, and who matched it when it was last looked at."""

    name = models.CharField(_("name"), max_length=80)
    filters = models.JSONField(default=dict)  # parameter → values, as the list's address has them
    member = TenantForeignKey(Member, models.PROTECT, related_name="+")
    is_shared = models.BooleanField(_("everybody sees it"), default=False)
    evaluated_at = models.DateTimeField(null=True)
    # Why the filters no longer work, in words; the members are then those of `evaluated_at`.
    problem = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(SavedSegmentQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["name", "id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "member", "name", name="saved_segment_name_uniq")
        ]

    def __str__(self) -> str:
        return self.name


class SegmentMember(TenantModel):
    """A customer's time in a saved segment: from the night it first matched to the night it no longer did."""

    segment = TenantForeignKey(SavedSegment, models.CASCADE, related_name="members")
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="+")
    joined_on = models.DateField()
    left_on = models.DateField(null=True)

    objects: ClassVar[Any] = manager(SegmentMemberQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "segment", "customer", "joined_on", name="segment_member_uniq")
        ]
        indexes: ClassVar[list[Any]] = [
            # Who is in it now.
            models.Index(fields=["tenant", "segment", "left_on", "customer"], name="segment_member_now")
        ]


class CrossSellRun(TenantModel):
    """One search for cross-sell rules, for one day: over whom, over what, and why nothing when nothing."""

    as_of = models.DateField()
    level = models.CharField(max_length=10)  # category, product
    customers = models.IntegerField()
    items = models.IntegerField()
    rules = models.IntegerField()
    reason = models.CharField(max_length=40, blank=True)
    policy_version = models.IntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "as_of", name="cross_sell_run_uniq")]


class CrossSellRule(TenantModel):
    """Bought A, then bought B: how often, how much more often than usual, and how soon.

    A and B are a category's name, or "#" and a product's id. Rules are those of the latest run.
    """

    antecedent = models.CharField(max_length=100)
    consequent = models.CharField(max_length=100)
    customers = models.IntegerField()  # who bought A and had not bought B
    followed = models.IntegerField()  # of them, who bought B within the policy's days
    support = models.FloatField()
    confidence = models.FloatField()
    lift = models.FloatField()
    median_days = models.IntegerField()

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "antecedent", "consequent", name="cross_sell_rule_uniq")
        ]


class SpecDrift(TenantModel):
    """A customer whose order lines have grown smaller: the same articles, fewer of each at a time."""

    pk = models.CompositePrimaryKey("tenant_id", "customer_id")
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="spec_drifts")
    ratio = models.FloatField()  # typical quantity of a line now ÷ before
    products = models.IntegerField()  # articles compared
    since = models.DateField()
    policy_version = models.IntegerField()

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        pass


class SegmentationTally(Tally):
    """What the figures of scores, tiers and sales count, as of the last night (segmentation.counting)."""

    class Meta(Tally.Meta):
        abstract = False
