"""Goals of a quarter (PDCA): what is to get better, what was done, what came of it, and what became standard."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from tenants.base import FixedPointField, TenantForeignKey, TenantModel, TenantQuerySet, manager
from tenants.models import Member, Team
from tenants.permissions import SEES_ALL, Role


class GoalQuerySet(TenantQuerySet):
    """Goals."""

    def visible_to(self, member: Member) -> Self:
        """The firm's are everybody's; a team's its members'; a person's theirs and their lead's; all for who sees all."""
        if member.role in SEES_ALL:
            return self
        team = Q(team__isnull=False, team_id=member.team_id)
        firm = Q(team__isnull=True, member__isnull=True)
        people = member.team_members if member.role == Role.TEAM_LEAD else []
        return self.filter(firm | team | Q(owner=member) | Q(member_id__in=[member.pk, *people]))


class Goal(TenantModel):
    """One goal of one quarter: a KPI of the firm, a team or a person, from a baseline to a target."""

    class State(models.TextChoices):
        PLAN = "plan", pgettext_lazy("goal", "Plan")
        DO = "do", pgettext_lazy("goal", "Do")
        CHECK = "check", pgettext_lazy("goal", "Check")
        ACT = "act", pgettext_lazy("goal", "Act")
        CLOSED = "closed", pgettext_lazy("goal", "closed")

    class Verdict(models.TextChoices):
        REACHED = "reached", pgettext_lazy("goal", "reached")
        BETTER = "better", pgettext_lazy("goal", "better, not reached")
        MISSED = "missed", pgettext_lazy("goal", "not better")
        UNKNOWN = "unknown", pgettext_lazy("goal", "could not be measured")

    quarter = models.DateField(_("quarter"))  # its first day
    title = models.CharField(_("what is to get better"), max_length=160)
    why = models.TextField(_("why"), blank=True, default="")
    kpi = models.CharField(_("measured by"), max_length=20)
    team = TenantForeignKey(
        Team, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("of the team")
    )
    member = TenantForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="goals", verbose_name=_("of the person")
    )
    owner = TenantForeignKey(Member, models.PROTECT, related_name="+", verbose_name=_("who answers for it"))
    baseline = FixedPointField(_("baseline"), places=4)
    # The quarter whose value the baseline is; empty where somebody has said it.
    baseline_of = models.DateField(null=True, blank=True)
    target = FixedPointField(_("target"), places=4, validators=[MinValueValidator(0)])
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.PLAN)
    plan = models.TextField(_("what will be done"), blank=True, default="")
    done = models.TextField(_("what was done"), blank=True, default="")
    # What the KPI came to, taken when it is checked; null where there was nothing to measure.
    result = FixedPointField(_("result"), places=4, null=True, blank=True)
    checked_at = models.DateTimeField(_("checked"), null=True, blank=True)
    verdict = models.CharField(_("verdict"), max_length=10, choices=Verdict.choices, blank=True, default="")
    learned = models.TextField(_("what was learned"), blank=True, default="")
    standard = models.TextField(_("what became standard"), blank=True, default="")
    # Where the standard is written down: a page of the handbook, a script, a playbook.
    standard_where = models.CharField(_("where it is written down"), max_length=300, blank=True, default="")
    # The goal of the next quarter that goes on where this one ended.
    followed_by = TenantForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="follows")
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(GoalQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-quarter", "-id"]
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=Q(target__gt=0), name="goal_target_above_nothing"),
            models.CheckConstraint(condition=Q(team__isnull=True) | Q(member__isnull=True), name="goal_of_one"),
            # A goal that is closed says what came of it.
            models.CheckConstraint(condition=~Q(state="closed") | ~Q(verdict=""), name="goal_closed_with_verdict"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "-quarter", "-id"], name="goal_by_quarter"),
            models.Index(fields=["tenant", "updated_at", "id"], name="goal_by_update"),
        ]

    def __str__(self) -> str:
        return self.title
