"""The ledger of rewards: accounts, balanced entries and their lines; and what is earned, approved, paid, disputed.

Accounts, entries and lines are only ever added, and the database itself refuses an entry whose lines do not add up to
nothing in each commodity (migration 0002). A reward says why something is earned and where it stands; what it says of
money is the sum of its lines.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Customer, Order, Referral
from customers.querysets import OfCustomerQuerySet
from incentives.ledger.querysets import OfRewardQuerySet, RewardQuerySet
from tenants.base import FixedPointField, MoneyField, TenantForeignKey, TenantModel, manager
from tenants.models import Member


class Account(TenantModel):
    """Where something stands: what a person or the product team is owed, a customer's points, what it has cost."""

    append_only: ClassVar[bool] = True

    class Kind(models.TextChoices):
        STAFF_PENDING = "staff_pending", _("Earned by staff, not approved")
        STAFF_PAYABLE = "staff_payable", _("Owed to staff")
        PRODUCT_PENDING = "product_pending", _("Earned by the product team, not approved")
        PRODUCT_PAYABLE = "product_payable", _("Owed to the product team")
        POINTS_PENDING = "points_pending", _("Points earned, not approved")
        POINTS = "points", _("Points of customers")
        STAFF_EXPENSE = "staff_expense", _("Cost of staff rewards")
        PRODUCT_EXPENSE = "product_expense", _("Cost of product team rewards")
        POINTS_ISSUED = "points_issued", _("Points issued")
        POINTS_REDEEMED = "points_redeemed", _("Points redeemed")
        PAID_OUT = "paid_out", _("Paid out")

    class Commodity(models.TextChoices):
        MONEY = "money", pgettext_lazy("commodity", "money")
        POINTS = "points", pgettext_lazy("commodity", "points")

    kind = models.CharField(_("account"), max_length=16, choices=Kind.choices)
    commodity = models.CharField(max_length=6, choices=Commodity.choices)
    member = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    customer = TenantForeignKey(Customer, models.PROTECT, null=True, related_name="+")

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant", "kind", "member", "customer"], name="ledger_account_uniq", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=(
                    models.Q(kind__in=["staff_pending", "staff_payable"], member__isnull=False, customer__isnull=True)
                    | models.Q(kind__in=["points_pending", "points"], member__isnull=True, customer__isnull=False)
                    | (
                        models.Q(member__isnull=True, customer__isnull=True)
                        & ~models.Q(kind__in=["staff_pending", "staff_payable", "points_pending", "points"])
                    )
                ),
                name="ledger_account_whose",
            ),
            models.CheckConstraint(
                condition=(
                    models.Q(kind__startswith="points", commodity="points")
                    | (~models.Q(kind__startswith="points") & models.Q(commodity="money"))
                ),
                name="ledger_account_commodity",
            ),
        ]

    def __str__(self) -> str:
        return str(self.get_kind_display())


class Upgrade(TenantModel):
    """A customer got a better service on a day: what it spends more than before earns the product team its share."""

    customer = TenantForeignKey(Customer, models.PROTECT, related_name="upgrades", verbose_name=_("customer"))
    on = models.DateField(_("upgraded on"))
    what = models.CharField(_("what was upgraded"), max_length=200)
    noted_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+", editable=False)
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)
    withdrawn_why = models.CharField(_("why it was withdrawn"), max_length=200, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "-on", "-id"], name="upgrade_newest"),
            models.Index(fields=["tenant", "updated_at", "id"], name="upgrade_by_update"),
        ]

    def __str__(self) -> str:
        return self.what


class Reward(TenantModel):
    """One thing earned, by one fact and one rule. `entitled` is what the facts say, `correction` what a dispute added.

    pending + payable + paid = entitled + correction, kept by the database; each is what the lines of the ledger say.
    A payable below zero is a claim: it is set off against the next pay-out.
    """

    class Kind(models.TextChoices):
        STAFF = "staff", _("New order of a recommended customer")
        PRODUCT = "product", _("Spend added by a service upgrade")
        REFERRAL = "referral", _("Points for a recommendation")
        STEP = "step", _("Points for a step of the year")
        AWARD = "award", _("Medal of a month")

    class Status(models.TextChoices):
        PENDING = "pending", pgettext_lazy("reward", "waits for approval")
        APPROVED = "approved", pgettext_lazy("reward", "approved")
        PAID = "paid", pgettext_lazy("reward", "paid")
        CLAIM = "claim", pgettext_lazy("reward", "to be set off")
        NOTHING = "nothing", pgettext_lazy("reward", "reversed")

    key = models.CharField(max_length=60)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    member = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+", verbose_name=_("for"))
    # Whose order or spend it was; for points, who gets them. A medal is of no customer.
    customer = TenantForeignKey(Customer, models.PROTECT, null=True, related_name="rewards", verbose_name=_("customer"))
    referral = TenantForeignKey(Referral, models.PROTECT, null=True, related_name="+")
    upgrade = TenantForeignKey(Upgrade, models.PROTECT, null=True, related_name="+")
    order = TenantForeignKey(Order, models.PROTECT, null=True, related_name="+")
    earned_on = models.DateField(_("earned on"))
    # The percentage in force when it was earned: a change of the policy never touches what is earned already.
    percent = FixedPointField(_("percent"), places=4, null=True)
    entitled = MoneyField(_("by the facts"), default=0)
    correction = MoneyField(_("corrected by"), default=0)
    pending = MoneyField(_("waits for approval"), default=0)
    payable = MoneyField(_("approved, not paid"), default=0)
    paid = MoneyField(_("paid"), default=0)
    status = models.CharField(_("status"), max_length=8, choices=Status.choices, default=Status.NOTHING)
    facts = models.JSONField(default=dict)
    is_disputed = models.BooleanField(_("disputed"), default=False)
    # How often something was posted for it: the next number makes the next entry's key.
    revision = models.PositiveIntegerField(default=0)
    policy_version = models.IntegerField()
    approved_by = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("approved by")
    )
    approved_at = models.DateTimeField(_("approved"), null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(RewardQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "key", name="reward_uniq"),
            models.CheckConstraint(
                condition=models.Q(
                    entitled=models.F("pending") + models.F("payable") + models.F("paid") - models.F("correction")
                ),
                name="reward_adds_up",
            ),
            models.CheckConstraint(condition=models.Q(pending__gte=0), name="reward_pending_not_negative"),
            models.CheckConstraint(
                condition=models.Q(kind="award", customer__isnull=True, member__isnull=False)
                | (~models.Q(kind="award") & models.Q(customer__isnull=False)),
                name="reward_of_customer_or_medal",
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "-earned_on", "-id"], name="reward_newest"),
            models.Index(fields=["tenant", "member", "-earned_on", "-id"], name="reward_of_member"),
            models.Index(
                fields=["tenant", "id"], name="reward_waiting", condition=models.Q(pending__gt=0)
            ),
            models.Index(fields=["tenant", "id"], name="reward_owed", condition=~models.Q(payable=0)),
            models.Index(fields=["tenant", "updated_at", "id"], name="reward_by_update"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.key

    @property
    def amount(self) -> Any:
        """What it comes to: by the facts, and corrected."""
        return self.entitled + self.correction

    @property
    def is_points(self) -> bool:
        """Whether it is of points, not of money."""
        return self.kind in {self.Kind.REFERRAL, self.Kind.STEP}


class Entry(TenantModel):
    """One thing that happened in the ledger: its lines add up to nothing. Never changed; a mistake is posted back."""

    append_only: ClassVar[bool] = True

    class Kind(models.TextChoices):
        ACCRUAL = "accrual", pgettext_lazy("ledger", "Earned")
        ADJUSTMENT = "adjustment", pgettext_lazy("ledger", "Changed by the facts")
        CORRECTION = "correction", pgettext_lazy("ledger", "Corrected")
        APPROVAL = "approval", pgettext_lazy("ledger", "Approved")
        PAYOUT = "payout", pgettext_lazy("ledger", "Paid out")
        REDEMPTION = "redemption", pgettext_lazy("ledger", "Redeemed")

    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    key = models.CharField(max_length=80)
    at = models.DateTimeField(_("posted"), default=timezone.now)
    on = models.DateField(_("on"))  # the tenant's local day
    # How many lines it has: the database takes neither fewer nor one more later.
    line_count = models.PositiveIntegerField()
    member = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+", verbose_name=_("by"))
    facts = models.JSONField(default=dict)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "key", name="ledger_entry_uniq"),
            models.CheckConstraint(condition=models.Q(line_count__gte=2), name="ledger_entry_two_lines"),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "-on", "-id"], name="ledger_entry_newest")]

    def __str__(self) -> str:
        return self.key


class EntryLine(TenantModel):
    """What an entry adds to an account: above zero a debit, below zero a credit."""

    append_only: ClassVar[bool] = True

    entry = TenantForeignKey(Entry, models.PROTECT, related_name="lines")
    account = TenantForeignKey(Account, models.PROTECT, related_name="lines")
    reward = TenantForeignKey(Reward, models.PROTECT, null=True, related_name="lines")
    amount = MoneyField(_("amount"))

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["pk"]
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=~models.Q(amount=0), name="ledger_line_not_nothing")
        ]
        indexes: ClassVar[list[Any]] = [
            # The balance of an account without its rows.
            models.Index(fields=["tenant", "account"], include=["amount", "entry"], name="ledger_line_of_account"),
        ]


class Payout(TenantModel):
    """One pay-out: who got how much of what was approved, as it went to whoever pays. Made once, read often."""

    append_only: ClassVar[bool] = True

    number = models.PositiveIntegerField(_("number"))
    on = models.DateField(_("on"))
    at = models.DateTimeField(default=timezone.now)
    made_by = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+", verbose_name=_("made by"))
    total = MoneyField(_("total"))
    people = models.PositiveIntegerField(_("people"))

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "number", name="payout_number_uniq")]

    def __str__(self) -> str:
        return f"P-{self.number}"


class PayoutItem(TenantModel):
    """What one person, or the product team (no member), gets with a pay-out."""

    append_only: ClassVar[bool] = True

    payout = TenantForeignKey(Payout, models.PROTECT, related_name="items")
    member = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+", verbose_name=_("for"))
    amount = MoneyField(_("amount"), validators=[MinValueValidator(0)])
    entry = TenantForeignKey(Entry, models.PROTECT, related_name="+")

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant", "payout", "member"], name="payout_item_uniq", nulls_distinct=False
            ),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="payout_item_above_zero"),
        ]


class Dispute(TenantModel):
    """Somebody says that a reward is wrong. While it is open the reward is neither approved nor paid."""

    class Status(models.TextChoices):
        OPEN = "open", pgettext_lazy("dispute", "open")
        ACCEPTED = "accepted", pgettext_lazy("dispute", "corrected")
        REJECTED = "rejected", pgettext_lazy("dispute", "stays as it is")
        WITHDRAWN = "withdrawn", pgettext_lazy("dispute", "withdrawn")

    reward = TenantForeignKey(Reward, models.PROTECT, related_name="disputes")
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.OPEN)
    opened_by = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+", verbose_name=_("opened by"))
    opened_at = models.DateTimeField(_("opened"), default=timezone.now)
    closed_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfRewardQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-opened_at", "-pk"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "reward", name="dispute_open_uniq", condition=models.Q(status="open"))
        ]

    def __str__(self) -> str:
        return f"{self.reward_id}: {self.status}"


class DisputeMessage(TenantModel):
    """What somebody says in a dispute. Never changed."""

    append_only: ClassVar[bool] = True

    dispute = TenantForeignKey(Dispute, models.PROTECT, related_name="messages")
    member = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    text = models.TextField(_("text"))
    # The form it came from: sent twice, it is one message.
    key = models.CharField(max_length=40)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["at", "pk"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "dispute", "key", name="dispute_message_once")
        ]
