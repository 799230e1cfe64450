"""Pages of awards: the medals, a month's ranking, one person's standing in it, correcting it, the best case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from customers.models import Customer
from incentives.awards import services as awards
from incentives.awards.cases import Candidate, without_lessons
from incentives.awards.forms import CaseForm, CorrectForm, MonthForm
from incentives.awards.lists import MedalFilter, MedalTable, ended_words, medal_rows
from incentives.awards.ranking import (
    Stood,
    closing_of_month,
    policy_of_round,
    rows_behind,
    standing_round,
    stood_in,
)
from incentives.awards.words import (
    USUAL_WORDS,
    case_points,
    medal_why,
    percent,
    points,
    share_title,
    there_words,
    why_without_place,
)
from incentives.kpis.figures import Who, may_see
from incentives.kpis.words import period_words
from incentives.models import AwardRound, AwardStanding, Medal
from incentives.rules.awards import SHARES, Part
from incentives.rules.awards_policy import AwardPolicy
from incentives.rules.kpis import Period
from segmentation.models import Tier
from tenants.export import write_csv
from tenants.models import Member
from tenants.pages import FormPage, ListPage, TenantView
from tenants.permissions import SEES_ALL, Role
from tenants.policies import policy_numbered


class MedalList(ListPage):
    """Who was honoured with what, month by month."""

    permission = "awards:read"
    nav = "awards"
    queryset = staticmethod(medal_rows)
    filterset = MedalFilter
    table = MedalTable
    template = "incentives/awards.html"
    empty = "incentives/awards_empty.html"
    sort = "-month"
    export_permission = "customers:export"
    export_name = "medals"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s medal", "%(count)s medals", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        today = self.request.tenant.today()
        last = Period.of("month", today).before
        due = awards.due_months(today, DUE_MONTHS) if self.member.can("awards:write") else []
        return {
            "last_month": last, "last_month_words": period_words(last),
            "due": [(month, period_words(month)) for month in due],
        }  # fmt: skip


DUE_MONTHS = 6
"""Months back of which the page says that they can be awarded."""


class _OfMonth(TenantView):
    permission = "awards:read"
    nav = "awards"

    @cached_property
    def month(self) -> Period:
        """The month of the address. Raises Http404 for what is none, and for one that has not begun."""
        try:
            period = Period.read(self.kwargs["code"])
        except ValueError:
            raise Http404 from None
        if period.span != "month" or period.start > self.request.tenant.today():
            raise Http404
        return period

    @cached_property
    def round(self) -> AwardRound | None:
        return standing_round(self.month)

    def back(self) -> str:
        return self.address("award-month", code=self.month.code)


@dataclass(frozen=True)
class Honour:
    """A medal as the page of its month shows it; `customer` is empty where the reader does not see that customer."""

    medal: Medal
    why: str
    ended: str
    case_url: str
    customer: str


class AwardMonth(_OfMonth):
    """A month: its medals and why, its ranking as far as the reader sees it, and how it was corrected."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        asked = self.parameters(MonthForm)
        month, found = self.month, self.round
        closing = closing_of_month(month)
        may_award = self.member.can("awards:write")
        stood: Sequence[Stood] = ()
        with_place = 0
        if found is not None:
            stood, with_place = stood_in(found, self.member), found.facts["with_place"]
        elif closing is not None and may_award:
            ranking = awards.preview(month)
            stood = [each for each in ranking.stood if may_see(self.member, Who.person(each.member))]
            with_place = ranking.with_place
        if asked["export"]:
            self.check_export("customers:export")
            return self.csv_file(f"ranking-{month.code}", _csv(stood))
        is_over = month.end <= self.request.tenant.today()
        proposed = awards.proposed(month, self.member) if may_award and is_over else []
        policy = policy_of_round(found) if found else policy_numbered(closing.policy_version) if closing else None
        rules = policy.section(AwardPolicy) if policy else None
        return self.render(
            "incentives/award_month.html",
            month=month,
            words=period_words(month),
            before=month.before,
            after=month.after if month.after.start <= self.request.tenant.today() else None,
            round=found,
            closing=closing,
            is_over=is_over,
            honours=self._honours(),
            stood=[(each, why_without_place(each), there_words(each)) for each in stood],
            with_place=with_place,
            sees_all=self.member.role in SEES_ALL,
            history=self._history(),
            rules=rules,
            weights=[(share_title(share), rules.weight_of()[share]) for share in SHARES] if rules else [],
            proposed=[(each, case_points(each)) for each in proposed],
            untold=without_lessons(month, self.member) if may_award and is_over else 0,
            may_award=may_award and found is None and closing is not None,
            may_correct=may_award and found is not None,
            may_choose=bool(proposed),
            may_export=self.member.can("customers:export") and bool(stood),
        )

    def _honours(self) -> list[Honour]:
        rows = list(medal_rows(self.member).filter(month=self.month.start).order_by("pk"))
        order = {kind: number for number, kind in enumerate(Medal.Kind.values)}
        rows.sort(key=lambda row: (row.ended_at is not None, order[row.kind], row.pk))
        ids = [row.customer_id for row in rows if row.customer_id is not None]
        names: Mapping[int, str] = {}
        if ids:
            names = dict(Customer.objects.visible_to(self.member).filter(pk__in=ids).values_list("pk", "name"))
        return [
            Honour(
                medal=row,
                why=medal_why(row),
                ended=ended_words(row),
                case_url=self.address("case", pk=row.case_id) if row.customer_id in names else "",
                customer=names.get(row.customer_id, ""),
            )
            for row in rows
        ]

    def _history(self) -> list[AwardRound]:
        """All revisions, the newest first; only where there is more than one."""
        rows = list(AwardRound.objects.filter(month=self.month.start).select_related("awarded_by__user"))
        return rows if len(rows) > 1 else []


def _csv(stood: Sequence[Stood]) -> Iterator[str]:
    heads = [_("Place"), _("Person"), _("Team"), _("Score"), _("The month before"), _("Why without a place")]
    heads += [words.format(share=share_title(share)) for share in SHARES for words in _share_heads()]

    def line(each: Stood) -> list[Any]:
        parts = {part.share: part for part in each.parts}
        cells: list[Any] = [
            each.place, str(each.member), str(each.team or ""), each.score, each.before, why_without_place(each),
        ]  # fmt: skip
        for share in SHARES:
            part = parts.get(share)
            cells += [None] * 4 if part is None else [part.value, part.usual, part.customers, part.adds]
        return cells

    return write_csv(heads, (line(each) for each in stood))


def _share_heads() -> list[str]:
    return ["{share}", _("{share}: usual"), _("{share}: customers"), _("{share}: adds")]


@dataclass(frozen=True)
class PartShown:
    """A share of a score as people read it."""

    part: Part
    title: str
    value: str
    usual: str
    above: str
    adds: str
    rows_url: str


class Standing(_OfMonth):
    """What one person's score of a month is made of, each number with the rows behind it."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        member = get_object_or_404(Member.objects.select_related("user", "team"), pk=self.kwargs["pk"])
        if not may_see(self.member, Who.person(member)):
            raise PermissionDenied(_("You see your own standing, a lead those of the team."))
        found, stood = self.round, None
        if found is not None:
            stood = next((each for each in stood_in(found, self.member) if each.member.pk == member.pk), None)
        elif self.member.can("awards:write") and closing_of_month(self.month) is not None:
            stood = next((each for each in awards.preview(self.month).stood if each.member.pk == member.pk), None)
        return self.render(
            "incentives/award_standing.html",
            month=self.month,
            words=period_words(self.month),
            round=found,
            person=member,
            stood=stood,
            score=points(stood.score) if stood else "",
            before=points(stood.before) if stood else "",
            why_not=why_without_place(stood) if stood else "",
            there=there_words(stood) if stood else "",
            parts=[self._part(stood, part) for part in stood.parts] if stood else [],
            usual=_usual_shown(found) if found else [],
            medals=[
                (row, medal_why(row))
                for row in Medal.objects.held().filter(month=self.month.start, member=member).order_by("pk")
            ],
        )

    def _part(self, stood: Stood, part: Part) -> PartShown:
        return PartShown(
            part, share_title(part.share), percent(part.value), percent(part.usual), points(part.above),
            points(part.adds), rows_behind(stood, part, self.month),
        )  # fmt: skip


@dataclass(frozen=True)
class UsualShown:
    """What was usual of a share for customers of a tier, and where that is from."""

    share: str
    tier: str
    value: str
    of: str


def _usual_shown(round_: AwardRound) -> list[UsualShown]:
    tiers = dict(Tier.choices)
    return [
        UsualShown(share_title(share), str(tiers.get(tier, tier)), percent(Decimal(value)), str(USUAL_WORDS[of]))
        for share, tier, value, of in round_.facts["usual"]
    ]


class AwardGive(_OfMonth):
    """Freeze the month's ranking and give its medals."""

    permission = "awards:write"

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            awards.award(month=self.month, by=self.member)
        except awards.Refused as refusal:
            messages.error(request, " ".join(refusal.messages))
        else:
            messages.success(request, _("The ranking is awarded and stays as it is; whoever got a medal is told."))
        return self.done("award-month", code=self.month.code)


class AwardCorrect(_OfMonth, FormPage):
    """Rank an awarded month again, in the open."""

    permission = "awards:write"
    submit = gettext_lazy("Correct it")

    def title(self) -> str:
        return _("Correct the ranking of %(month)s") % {"month": period_words(self.month)}

    def form(self, data: Any = None, files: Any = None) -> CorrectForm:
        people: list[Member] = []
        if self.round is not None and self.member.role in (Role.EXECUTIVE, Role.ADMIN):
            rows = AwardStanding.objects.filter(round=self.round).exclude(member=self.member)
            people = [row.member for row in rows.select_related("member__user").order_by("member__user__name")]
        return CorrectForm(data, people=people)

    def save(self, form: CorrectForm) -> HttpResponse:
        named = form.cleaned_data.get("leave_out")
        out = Member.objects.select_related("user").get(pk=named) if named else None
        awards.correct(month=self.month, why=form.cleaned_data["why"], by=self.member, leave_out=out)
        messages.success(self.request, _("The ranking is corrected; the one before stays beside it."))
        return self.done("award-month", code=self.month.code)


class AwardCase(_OfMonth, FormPage):
    """Choose the best case of the month from those that are proposed."""

    permission = "awards:write"
    submit: ClassVar[str | Promise] = gettext_lazy("Choose it")

    def title(self) -> str:
        return _("Best case of %(month)s") % {"month": period_words(self.month)}

    @cached_property
    def proposed(self) -> list[Candidate]:
        return awards.proposed(self.month, self.member)

    def form(self, data: Any = None, files: Any = None) -> CaseForm:
        return CaseForm(data, proposed=self.proposed)

    def save(self, form: CaseForm) -> HttpResponse:
        medal = awards.choose_case(month=self.month, by=self.member, **form.cleaned_data)
        messages.success(self.request, _("It is the best case of the month; %(who)s is told.") % {"who": medal.member})
        return self.done("award-month", code=self.month.code)
