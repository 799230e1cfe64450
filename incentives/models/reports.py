"""Reports as they were made: the month's and the week's, of the firm, a team or a person."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from tenants.base import TenantForeignKey, TenantModel, TenantQuerySet, manager
from tenants.models import Member, Team
from tenants.permissions import SEES_ALL, Role


class ReportQuerySet(TenantQuerySet):
    """Reports."""

    def visible_to(self, member: Member) -> Self:
        """One's own; a lead's team's and its people's; all for who sees all."""
        if member.role in SEES_ALL:
            return self
        seen = Q(member_id=member.pk)
        if member.role == Role.TEAM_LEAD and member.team_id is not None:
            seen |= Q(team_id=member.team_id) | Q(member_id__in=member.team_members)
        return self.filter(seen)


class Report(TenantModel):
    """What a month or a week came to, as it was known when it was made; once for each of whom it is about.

    Never changed: a reader of the mail, of the page and of the file sees the same numbers. The words are made when read.
    Neither team nor member: it is about the whole firm.
    """

    append_only: ClassVar[bool] = True

    class Kind(models.TextChoices):
        MONTHLY = "monthly", pgettext_lazy("report", "Monthly report")
        WEEKLY = "weekly", pgettext_lazy("report", "Weekly digest")

    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    start = models.DateField(_("first day"))
    team = TenantForeignKey(Team, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("team"))
    member = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("person"))
    # Facts of days before it are in the numbers.
    as_of = models.DateField(_("as of"))
    policy_version = models.IntegerField()
    facts = models.JSONField(default=dict)
    made_at = models.DateTimeField(_("made"), auto_now_add=True)

    objects: ClassVar[Any] = manager(ReportQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-start", "-id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant", "kind", "start", "team", "member"], name="report_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(team__isnull=True) | Q(member__isnull=True), name="report_of_one"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "-start", "-id"], name="report_newest"),
            models.Index(fields=["tenant", "made_at", "id"], name="report_by_making"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.start}"
