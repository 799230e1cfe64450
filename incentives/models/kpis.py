"""What is measured of people: who held what when, targets, the counts of running periods, and closed ones for good."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Customer
from tenants.base import FixedPointField, MoneyField, TenantForeignKey, TenantModel, implied_tenant
from tenants.models import Member, Team


class Job(models.TextChoices):
    """What a member is measured as."""

    SALES = "sales", pgettext_lazy("job", "Sales")
    SERVICE = "service", pgettext_lazy("job", "Service")
    SUCCESS = "success", pgettext_lazy("job", "Success manager")


class Span(models.TextChoices):
    WEEK = "week", pgettext_lazy("span", "week")
    MONTH = "month", pgettext_lazy("span", "month")
    QUARTER = "quarter", pgettext_lazy("span", "quarter")


def _exact(words: Any, **more: Any) -> Any:
    return FixedPointField(words, places=4, **more)


class OwnerChange(TenantModel):
    """A customer's A owner changed on a local day: from that day on it is held by the new one.

    Kept by the database itself (migration 0001), whoever writes owners, by hand or by the thousand.
    """

    append_only = True

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="owner_changes")
    on = models.DateField()
    before = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    after = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            # Who held a customer on a day: the changes since, of all customers.
            models.Index(fields=["tenant", "on", "customer"], name="owner_change_by_day")
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.on}"


class TeamChange(TenantModel):
    """A member changed teams on a local day: from that day on they work in the new one. Kept by the database itself."""

    append_only = True

    member = TenantForeignKey(Member, models.CASCADE, related_name="team_changes")
    on = models.DateField()
    before = TenantForeignKey(Team, models.PROTECT, null=True, related_name="+")
    after = TenantForeignKey(Team, models.PROTECT, null=True, related_name="+")

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "on", "member"], name="team_change_by_day")]

    def __str__(self) -> str:
        return f"{self.member_id} {self.on}"


class MemberJob(TenantModel):
    """What a member is measured as, from a day on; the latest that has begun when a period ends holds for it."""

    append_only = True

    member = TenantForeignKey(Member, models.CASCADE, related_name="jobs", verbose_name=_("who"))
    job = models.CharField(_("measured as"), max_length=10, choices=Job.choices)
    from_on = models.DateField(_("from"))
    created_by = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "member", "-from_on", "-id"], name="job_of_member")
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.job} {self.from_on}"


class KpiTarget(TenantModel):
    """A target of one person's or one team's own, in place of the policy's, for periods that begin on a day or later."""

    append_only = True

    kpi = models.CharField(_("KPI"), max_length=20)
    member = TenantForeignKey(Member, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("person"))
    team = TenantForeignKey(Team, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("team"))
    target = _exact(_("target"), validators=[MinValueValidator(0)])
    from_on = models.DateField(_("from"))
    created_by = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            # A target of nothing cannot be missed, and nothing can be divided by it.
            models.CheckConstraint(condition=Q(target__gt=0), name="kpi_target_above_nothing"),
            models.CheckConstraint(
                condition=Q(member__isnull=False, team__isnull=True) | Q(member__isnull=True, team__isnull=False),
                name="kpi_target_of_one",
            ),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "-from_on", "-id"], name="kpi_target_by_day")]

    def __str__(self) -> str:
        return f"{self.kpi} {self.from_on}"


class KpiCount(TenantModel):
    """What a KPI of a period came to in the last count, for one person in one team; nobody and no team are their own.

    The person's value is the sum over teams, the team's the sum over persons, the firm's the sum of all.
    """

    span = models.CharField(max_length=10, choices=Span.choices)
    start = models.DateField()
    kpi = models.CharField(max_length=20)
    member = TenantForeignKey(Member, models.CASCADE, null=True, related_name="+")
    team = TenantForeignKey(Team, models.CASCADE, null=True, related_name="+")
    numerator = _exact(_("numerator"))
    denominator = _exact(_("denominator"))

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant", "span", "start", "kpi", "member", "team", name="kpi_count_uniq", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.span} {self.start} {self.kpi}"


class KpiCounted(TenantModel):
    """That a period has been counted, and as of which day: facts of days before it."""

    span = models.CharField(max_length=10, choices=Span.choices)
    start = models.DateField()
    as_of = models.DateField()
    counted_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "span", "start", name="kpi_counted_uniq")]

    def __str__(self) -> str:
        return f"{self.span} {self.start}"


class KpiClosing(TenantModel):
    """A period that is closed: its numbers stand for good, and what comes to light later stands beside them."""

    append_only = True

    span = models.CharField(_("period"), max_length=10, choices=Span.choices)
    start = models.DateField(_("first day"))
    as_of = models.DateField()
    closed_at = models.DateTimeField(_("closed"), default=timezone.now)
    closed_by = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+", verbose_name=_("by"))
    policy_version = models.IntegerField()

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-start", "span"]
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "span", "start", name="kpi_closing_uniq")]

    def __str__(self) -> str:
        return f"{self.span} {self.start}"


class KpiFrozen(TenantModel):
    """A count of a closed period, as it was when it was closed. Neither the app nor a person can change it."""

    append_only = True

    closing = TenantForeignKey(KpiClosing, models.PROTECT, related_name="counts")
    kpi = models.CharField(max_length=20)
    member = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    team = TenantForeignKey(Team, models.PROTECT, null=True, related_name="+")
    numerator = _exact(_("numerator"))
    denominator = _exact(_("denominator"))

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                "tenant", "closing", "kpi", "member", "team", name="kpi_frozen_uniq", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.closing_id} {self.kpi}"


class KpiCorrection(TenantModel):
    """What a count of a closed period comes to by the facts as they were found later; the latest one holds."""

    append_only = True

    closing = TenantForeignKey(KpiClosing, models.PROTECT, related_name="corrections")
    kpi = models.CharField(max_length=20)
    member = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+")
    team = TenantForeignKey(Team, models.PROTECT, null=True, related_name="+")
    numerator = _exact(_("numerator"))
    denominator = _exact(_("denominator"))
    # What it stood at before this correction.
    numerator_before = _exact(_("numerator before"))
    denominator_before = _exact(_("denominator before"))
    found_at = models.DateTimeField(_("found"), default=timezone.now)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "closing", "kpi"], name="kpi_correction_of")]

    def __str__(self) -> str:
        return f"{self.closing_id} {self.kpi}"


class ClvMark(TenantModel):
    """A customer's lifetime value in the first night of a week or month: what the uplift of a period starts from."""

    tenant = implied_tenant()
    pk = models.CompositePrimaryKey("tenant_id", "on", "customer_id")
    on = models.DateField()
    customer = TenantForeignKey(Customer, models.CASCADE, related_name="+")
    clv = MoneyField()

    class Meta(TenantModel.Meta):
        pass
