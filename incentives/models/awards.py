"""The month's ranking as it was frozen, its corrections in the open, and the medals that people hold."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from tenants.base import FixedPointField, TenantForeignKey, TenantModel, TenantQuerySet, manager
from tenants.models import Member, Team
from tenants.permissions import SEES_ALL, Role


class AwardUsual(TenantModel):
    """What was usual in a quarter for customers of a tier: how many there were, and the sum of their shares (0 to 1).

    Kept when it is first needed and never counted again: what a ranking is measured against does not move.
    """

    append_only: ClassVar[bool] = True

    quarter = models.DateField()
    share = models.CharField(max_length=20)
    tier = models.CharField(max_length=20, blank=True)
    customers = models.PositiveIntegerField()
    total = FixedPointField(_("sum of shares"), places=4)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "quarter", "share", "tier", name="award_usual_uniq")
        ]

    def __str__(self) -> str:
        return f"{self.quarter} {self.share} {self.tier}"


class AwardRoundQuerySet(TenantQuerySet):
    """Rankings of months."""

    def standing(self) -> Self:
        """Of each month the one that holds: the last correction."""
        later = self.model.objects.filter(month=OuterRef("month"), revision__gt=OuterRef("revision"))
        return self.filter(~models.Exists(later))


class AwardRound(TenantModel):
    """The ranking of a month as it was awarded (revision 1), or as it was corrected since, with the reason."""

    append_only: ClassVar[bool] = True

    month = models.DateField(_("month"))  # its first day
    revision = models.PositiveIntegerField(_("revision"))
    as_of = models.DateField(_("facts before"))
    # The rules of the month's closing: who changes weights afterwards changes no ranking.
    policy_version = models.IntegerField()
    awarded_by = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+", verbose_name=_("awarded by"))
    awarded_at = models.DateTimeField(_("awarded"), default=timezone.now)
    why = models.CharField(_("why it was corrected"), max_length=500, blank=True)
    # What was usual, by share and tier; who was left out by a correction.
    facts = models.JSONField(default=dict)

    objects: ClassVar[Any] = manager(AwardRoundQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-month", "-revision"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "month", "revision", name="award_round_uniq"),
            models.CheckConstraint(condition=Q(revision=1) | ~Q(why=""), name="award_correction_says_why"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class AwardStandingQuerySet(TenantQuerySet):
    """Where people stood."""

    def visible_to(self, member: Member) -> Self:
        """One's own; for a lead the team's; all for who sees all customers."""
        if member.role in SEES_ALL:
            return self
        people = member.team_members if member.role == Role.TEAM_LEAD else []
        return self.filter(member__in={member.pk, *people})


class AwardStanding(TenantModel):
    """Where one person stood in a month's ranking, with the numbers behind it. Neither the app nor a person changes it."""

    append_only: ClassVar[bool] = True

    class WhyNot(models.TextChoices):
        LEFT_OUT = "left_out", _("left out by a correction")
        LEFT = "left", _("no longer with the firm")
        NEW = "new", _("came within the month")
        AWAY = "away", _("away for too much of the month")
        TOO_FEW = "too_few", _("too little is known")

    round = TenantForeignKey(AwardRound, models.PROTECT, related_name="standings")
    member = TenantForeignKey(Member, models.PROTECT, related_name="+", verbose_name=_("person"))
    team = TenantForeignKey(Team, models.PROTECT, null=True, related_name="+", verbose_name=_("team"))
    place = models.PositiveIntegerField(_("place"), null=True)
    # Points of percent above what is usual for such customers.
    score = FixedPointField(_("score"), places=4, null=True)
    before = FixedPointField(_("the month before"), places=4, null=True)
    why_not = models.CharField(_("why without a place"), max_length=10, choices=WhyNot.choices, blank=True)
    facts = models.JSONField(default=dict)

    objects: ClassVar[Any] = manager(AwardStandingQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "round", "member", name="award_standing_uniq"),
            models.CheckConstraint(
                condition=Q(place__isnull=False, score__isnull=False, why_not="")
                | (Q(place__isnull=True) & ~Q(why_not="")),
                name="award_place_or_why_not",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.round_id} {self.member_id}"


class MedalQuerySet(TenantQuerySet):
    """Medals. Honour is public: everybody of the firm sees who got which and why."""

    def held(self) -> Self:
        """Those that have not been taken back."""
        return self.filter(ended_at__isnull=True)


class Medal(TenantModel):
    """What somebody was honoured with for a month: a place in the ranking, the biggest improvement, the best case.

    The database lets nothing of it be changed but that it ends, once, and with the reason (migration 0004).
    """

    class Kind(models.TextChoices):
        FIRST = "first", pgettext_lazy("medal", "Best manager, first place")
        SECOND = "second", pgettext_lazy("medal", "Second place")
        THIRD = "third", pgettext_lazy("medal", "Third place")
        IMPROVED = "improved", pgettext_lazy("medal", "Most improved")
        CASE = "case", pgettext_lazy("medal", "Best case of the month")

    month = models.DateField(_("month"))  # its first day
    kind = models.CharField(_("medal"), max_length=10, choices=Kind.choices)
    member = TenantForeignKey(Member, models.PROTECT, related_name="medals", verbose_name=_("for"))
    team = TenantForeignKey(Team, models.PROTECT, null=True, related_name="+", verbose_name=_("team"))
    # The ranking that it came from; empty for the best case, which a person has chosen.
    round = TenantForeignKey(AwardRound, models.PROTECT, null=True, related_name="medals")
    score = FixedPointField(_("score"), places=4, null=True)
    # No foreign keys: an honour outlives the case, which goes when its alert is opened again.
    case_id = models.BigIntegerField(null=True)
    customer_id = models.BigIntegerField(null=True)
    reason = models.CharField(_("why"), max_length=500, blank=True)
    facts = models.JSONField(default=dict)
    given_by = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+", verbose_name=_("given by"))
    given_at = models.DateTimeField(_("given"), default=timezone.now)
    ended_at = models.DateTimeField(_("taken back"), null=True, blank=True)
    ended_by = TenantForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    ended_why = models.CharField(_("why it was taken back"), max_length=500, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(MedalQuerySet)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-month", "pk"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["tenant", "month", "kind", "member"], name="medal_held_uniq",
                condition=Q(ended_at__isnull=True),
            ),
            # One best case of each team in a month; who is in none counts as one team.
            models.UniqueConstraint(
                fields=["tenant", "month", "team"], name="medal_case_uniq", nulls_distinct=False,
                condition=Q(kind="case", ended_at__isnull=True),
            ),
            models.CheckConstraint(
                condition=Q(kind="case", case_id__isnull=False, round__isnull=True) & ~Q(reason="")
                | (~Q(kind="case") & Q(case_id__isnull=True, round__isnull=False, score__isnull=False)),
                name="medal_of_ranking_or_case",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_why="") | (Q(ended_at__isnull=False) & ~Q(ended_why="")),
                name="medal_ended_says_why",
            ),
        ]  # fmt: skip
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "-month", "-id"], name="medal_newest"),
            models.Index(fields=["tenant", "member", "-month"], name="medal_of_member"),
            models.Index(fields=["tenant", "updated_at", "id"], name="medal_by_update"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.kind}"
