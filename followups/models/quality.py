"""Quality review: the month's sample of logged contacts, what was found, and mystery visits."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Channel, Customer, Interaction
from customers.querysets import visible_customers
from tenants.base import TenantForeignKey, TenantModel, TenantQuerySet, manager
from tenants.models import Member
from tenants.permissions import SEES_ALL, Role


class Problem(models.TextChoices):
    """What kind of thing went wrong in a contact."""

    PROMISE = "promise", _("Promise not kept or not noted")
    NEED = "need", _("Need not found out")
    WRONG = "wrong", _("Wrong or missing information")
    TONE = "tone", pgettext_lazy("problem", "Tone")
    SLOW = "slow", pgettext_lazy("problem", "Slow")
    LOG = "log", _("Poorly written down")
    PESTER = "pester", _("Too pushy")
    OTHER = "other", pgettext_lazy("problem", "Something else")


def _problem() -> Any:
    return models.CharField(_("kind of problem"), max_length=10, choices=Problem.choices, blank=True, default="")


def _score() -> Any:
    return models.PositiveSmallIntegerField(
        _("score"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(5)],
        help_text=_("1 to 5; 5 is as it should be."),
    )  # fmt: skip


class QualitySample(TenantModel):
    """The draw of one month: made once, so that what is logged later changes nothing in it."""

    month = models.DateField()  # its first day
    percent = models.PositiveSmallIntegerField()
    contacts = models.PositiveIntegerField()  # logged in the month by somebody
    drawn = models.PositiveIntegerField()
    policy_version = models.IntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "month", name="quality_sample_uniq")]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class QualityReviewQuerySet(TenantQuerySet):
    """Reviews."""

    def visible_to(self, member: Member) -> Self:
        """Those of the member's own contacts and of customers they see; of a lead's team; all for who sees all."""
        if member.role in SEES_ALL:
            return self
        whose = (
            Q(member_id__in=[member.pk, *member.team_members]) if member.role == Role.TEAM_LEAD else Q(member=member)
        )
        return self.filter(whose | visible_customers(member, "customer__"))


class QualityReview(TenantModel):
    """One logged contact that was drawn, and what a reviewer found: problem, cause, measure (问题-原因-措施)."""

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="+", verbose_name=_("customer"))
    interaction = TenantForeignKey(Interaction, models.CASCADE, related_name="reviews", verbose_name=_("contact"))
    member = TenantForeignKey(Member, models.PROTECT, related_name="+", verbose_name=_("whose contact"))
    month = models.DateField(_("month"))
    reviewed_at = models.DateTimeField(_("reviewed"), null=True, blank=True)
    reviewer = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("reviewed by")
    )
    score = _score()
    problem_kind = _problem()
    problem = models.TextField(_("problem"), blank=True)
    cause = models.TextField(_("cause"), blank=True)
    measure = models.TextField(_("measure"), blank=True)
    measure_due_on = models.DateField(_("measure until"), null=True, blank=True)
    measure_done_on = models.DateField(_("measure done"), null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(QualityReviewQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "interaction", name="quality_review_uniq")
        ]
        indexes: ClassVar[list[Any]] = [
            # The list, newest month first; results of a time per person.
            models.Index(fields=["tenant", "-month", "-id"], name="quality_review_by_month"),
            models.Index(fields=["tenant", "member", "month"], name="quality_review_of_member"),
            models.Index(fields=["tenant", "updated_at", "id"], name="quality_review_by_update"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.interaction_id}"


class MysteryVisitQuerySet(TenantQuerySet):
    """Mystery visits."""

    def visible_to(self, member: Member) -> Self:
        """All of them, for whom the role lets see any."""
        return self


class MysteryVisit(TenantModel):
    """Somebody of the firm came as a customer, to see how customers are treated."""

    on = models.DateField(_("day"))
    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices)
    place = models.CharField(_("where"), max_length=120, blank=True)
    member = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("whom they met")
    )
    visitor = TenantForeignKey(Member, models.PROTECT, related_name="+", verbose_name=_("by"))
    scene = models.TextField(_("what was asked for"))
    score = models.PositiveSmallIntegerField(
        _("score"), validators=[MinValueValidator(1), MaxValueValidator(5)], help_text=_("1 to 5; 5 is as it should be.")
    )  # fmt: skip
    problem_kind = _problem()
    problem = models.TextField(_("problem"), blank=True)
    cause = models.TextField(_("cause"), blank=True)
    measure = models.TextField(_("measure"), blank=True)
    measure_due_on = models.DateField(_("measure until"), null=True, blank=True)
    measure_done_on = models.DateField(_("measure done"), null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(MysteryVisitQuerySet)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[Any]] = [
            # The list, newest first; results of a time.
            models.Index(fields=["tenant", "-on", "-id"], name="mystery_visit_by_day"),
            models.Index(fields=["tenant", "updated_at", "id"], name="mystery_visit_by_update"),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} {self.on}"
