"""Pages of the KPIs: the board, score cards, the rows behind a value, what people are measured as, closing a period."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_htmx.http import HttpResponseClientRedirect

from incentives.kpis import services as kpis
from incentives.kpis.counting import closing_of
from incentives.kpis.figures import Row, ScoreCard, Stands, Value, Who, jobs_on, may_see, people_seen, rows, series
from incentives.kpis.forms import BoardForm, CardForm, JobForm, RowsForm, TargetForm
from incentives.kpis.words import SPAN_TITLES, amount, job_title, kpi_title, period_words, shown, unit_words
from incentives.models import KpiClosing, KpiTarget
from incentives.rules.kpi_policy import KpiPolicy
from incentives.rules.kpis import CODES, KPIS, SPANS, Code, Kpi, Period
from tenants.context import tenant_scope
from tenants.export import write_csv
from tenants.models import Member, Team
from tenants.pages import FormPage, TenantView
from tenants.permissions import SEES_ALL, Role
from tenants.policies import active_policy
from tenants.templatetags.perennial import day as day_words
from tenants.templatetags.perennial import whole

PAGE: Final = 50
TREND: Final = 12
"""Periods that a score card looks back over."""


def usual_who(member: Member) -> Who:
    """Whose KPIs a member sees without a choice: their own, a lead's team's, else the firm's."""
    if member.role in SEES_ALL:
        return Who.tenant()
    if member.role == Role.TEAM_LEAD and member.team_id is not None:
        return Who.team(member.team_id)
    return Who.person(member)


@dataclass(frozen=True)
class Choice:
    code: str
    name: str
    is_chosen: bool


def choices_of(member: Member, chosen: Who) -> list[Choice]:
    """Of whom a member can see KPIs: the firm, teams, people."""
    found: list[tuple[Who, str]] = []
    if member.role in SEES_ALL:
        found.append((Who.tenant(), _("The whole firm")))
        found += [(Who.team(team), str(team)) for team in Team.objects.order_by("name", "pk")]
    elif member.role == Role.TEAM_LEAD and member.team is not None:
        found.append((Who.team(member.team), str(member.team)))
    found += [(Who.person(person), str(person)) for person in people_seen(member)]
    if chosen not in [who for who, _name in found]:
        found.append((chosen, name_of(chosen)))
    return [Choice(who.code, name, who == chosen) for who, name in found]


def name_of(who: Who) -> str:
    if who.kind == "person":
        return str(get_object_or_404(Member.objects.select_related("user"), pk=who.pk))
    if who.kind == "team":
        return str(get_object_or_404(Team, pk=who.pk))
    return _("The whole firm")


class _KpiPage(TenantView):
    permission = "kpis:read"
    nav = "kpis"

    def seen(self, who: Who) -> Who:
        """The same, for whom the member may see; raises Http404 for everybody else."""
        if not may_see(self.member, who):
            raise Http404
        return who

    def known(self, period: Period) -> Period:
        """Raises Http404 for a period that has not begun: of it there is nothing to see."""
        if period.start > self.request.tenant.today():
            raise Http404
        return period


@dataclass(frozen=True)
class SpanTab:
    code: str
    title: str
    is_current: bool


def span_tabs(period: Period) -> list[SpanTab]:
    """The same time as week, month and quarter: the one in which the period ends."""
    return [SpanTab(Period.of(span, period.start).code, str(SPAN_TITLES[span]), span == period.span) for span in SPANS]


@dataclass(frozen=True)
class PersonLine:
    """One person on the board: score and values, in the order of the KPIs."""

    card: ScoreCard
    values: Sequence[Value]

    @property
    def job(self) -> str:
        return job_title(self.card.job)


class KpiBoard(_KpiPage):
    """Target against actual: of a person, a team or the firm, for a week, month or quarter."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        asked = self.parameters(BoardForm)
        form = BoardForm(request.GET)
        form.is_valid()
        today = self.request.tenant.today()
        period = self.known(form.period_on(today))
        who = self.seen(asked["who"] or usual_who(self.member))
        stands = Stands([period])
        values = [stands.value(code, period, who) for code in CODES]
        people = self._people(who, stands, period)
        if asked["export"]:
            self.check_export("customers:export")
            return self.csv_file(f"kpis-{period.code}", _board_csv(values, people, who))
        closing = stands.closing(period)
        return self.render(
            "incentives/kpis.html",
            period=period,
            words=period_words(period),
            tabs=span_tabs(period),
            before=period.before,
            after=period.after if period.after.start <= today else None,
            who=who,
            who_name=name_of(who),
            choices=choices_of(self.member, who),
            values=values,
            people=people,
            titles=[kpi_title(code) for code in CODES],
            closing=closing,
            corrected=[each for each in values if each.corrected],
            as_of=stands.as_of(period),
            is_empty=not any(each.value is not None and (each.denominator or each.numerator) for each in values),
            may_close=self.member.can("kpis:write") and closing is None and period.end <= today,
            may_recount=self.member.can("kpis:write") and closing is not None,
            may_export=self.member.can("customers:export"),
        )

    def _people(self, who: Who, stands: Stands, period: Period) -> list[PersonLine]:
        """Who was credited with anything in it, and who is measured now: of a team or of all; by score, best last."""
        if who.kind == "person":
            return []
        credited = stands.people(period, who.pk)
        rows = Member.objects.select_related("user", "team")
        seen = [each for each in rows if each.pk in credited or _is_measured(each, who)]
        jobs = jobs_on(period.last, seen)
        cards = kpis.score_cards([each for each in seen if jobs[each.pk] or each.pk in credited], period, stands)
        lines = [
            PersonLine(card, [stands.value(code, period, Who.person(card.member)) for code in CODES]) for card in cards
        ]
        # Who needs help first.
        return sorted(lines, key=lambda line: (line.card.score is None, line.card.score or 0, str(line.card.member)))


def _is_measured(member: Member, who: Who) -> bool:
    if not member.is_active or member.role != Role.ACCOUNT_MANAGER:
        return False
    return who.kind == "tenant" or member.team_id == who.pk


def _board_csv(values: Sequence[Value], people: Sequence[PersonLine], who: Who) -> Iterator[str]:
    heads = [
        _("Who"), _("KPI"), _("Numerator"), _("Denominator"), _("Value"), _("Unit"), _("Target"), _("Reached"),
        _("Corrected value"),
    ]  # fmt: skip

    def line(name: str, value: Value) -> list[Any]:
        corrected = value.corrected.value if value.corrected else None
        return [
            name, value.title, value.numerator, value.denominator, value.value, unit_words(value.kpi), value.target,
            value.achieved, corrected,
        ]  # fmt: skip

    rows_ = [line(name_of(who), value) for value in values]
    rows_ += [line(str(each.card.member), value) for each in people for value in each.values]
    return write_csv(heads, rows_)


class KpiCard(_KpiPage):
    """The score card of one person: what each KPI weighs, what it was, what it adds to the score."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.parameters(CardForm)
        form = CardForm(request.GET)
        form.is_valid()
        today = self.request.tenant.today()
        period = self.known(form.period_on(today))
        member = get_object_or_404(Member.objects.select_related("user", "team"), pk=self.kwargs["pk"])
        if not may_see(self.member, Who.person(member)):
            raise PermissionDenied(_("You see your own score card, a lead those of the team."))
        card = kpis.score_card(member, period)
        return self.render(
            "incentives/kpi_card.html",
            person=member,
            card=card,
            job=job_title(card.job),
            period=period,
            words=period_words(period),
            tabs=span_tabs(period),
            before=period.before,
            after=period.after if period.after.start <= today else None,
            who=Who.person(member),
            cap=active_policy().section(KpiPolicy).cap_percent,
            trend=[
                (period_words(value.period), value)
                for value in series(card.lines[0][0].code, Who.person(member), period, TREND)
            ]
            if card.lines
            else [],
            trend_title=card.lines[0][0].title if card.lines else "",
            may_set=self.member.can("kpis:write") and member != self.member,
        )


@dataclass(frozen=True)
class RowShown:
    """A row behind a value as people read it."""

    row: Row
    address: str
    kind: str
    outcome: str
    person: str


SOURCES: Final = {
    "followup": gettext_lazy("Planned touch"),
    "surveyresponse": gettext_lazy("Answer"),
    "interaction": gettext_lazy("Contact"),
    "complaint": gettext_lazy("Complaint"),
    "referral": gettext_lazy("Referral"),
    "customer": gettext_lazy("Customer"),
}


def outcome_words(kpi: Kpi, row: Row) -> str:
    """What a row says of its KPI, in words or in its numbers."""
    part = row.numerator
    if kpi.by_days and kpi.code != "strategic_retention":
        return _("%(more)s on %(base)s") % {"more": amount(part), "base": amount(row.denominator)}
    if kpi.code == "response_time":
        return shown(kpi, part)
    words = {
        "coverage": (_("in time"), _("not in time")),
        "csat": (_("content"), _("not content")),
        "repurchase": (_("ordered again"), _("did not order")),
        "strategic_retention": (_("still a customer"), _("lost")),
        "first_time": (_("solved the first time"), _("not solved the first time")),
        "referrals": (_("referred"), _("referred")),
        "referral_conversion": (_("became a customer"), _("did not order in time")),
    }
    if kpi.code == "nps":
        return _("promoter") if part > 0 else _("detractor") if part < 0 else _("passive")
    yes, no = words[kpi.code]
    return yes if part > 0 else no


class KpiRows(_KpiPage):
    """The facts behind a value, one by one, as they are known now."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        asked = self.parameters(RowsForm)
        code: Code = asked["kpi"]
        period, who = self.known(asked["period"]), self.seen(asked["who"])
        order = asked["sort"] or "customer"
        if asked["export"]:
            self.check_export("customers:export")
            return self.csv_file(f"kpi-{code}-{period.code}", self._csv(code, period, who, order))
        page = asked["page"] or 1
        found = list(
            rows(code, period, who, order=order, offset=(page - 1) * PAGE, limit=PAGE + 1, seen_by=self.member)
        )
        value = kpis.values([code], period=period, of=who)[0]
        return self.render(
            "incentives/kpi_rows.html",
            kpi=KPIS[code],
            numerator_words=_(KPIS[code].numerator),
            denominator_words=_(KPIS[code].denominator) if KPIS[code].denominator else "",
            window_words=_(KPIS[code].window),
            value=value,
            period=period,
            words=period_words(period),
            who=who,
            who_name=name_of(who),
            shown=[self._shown(KPIS[code], row) for row in found[:PAGE]],
            page=page,
            first=(page - 1) * PAGE + 1,
            last=(page - 1) * PAGE + len(found[:PAGE]),
            next=page + 1 if len(found) > PAGE else None,
            previous=page - 1 if page > 1 else None,
            sort=order,
            may_export=self.member.can("customers:export"),
        )

    def _shown(self, kpi: Kpi, row: Row) -> RowShown:
        address = self.address("customer", pk=row.customer_id) if row.customer else ""
        person = row.person if row.person_id else _("nobody")
        return RowShown(row, address, str(SOURCES[row.source]), outcome_words(kpi, row), person)

    def _csv(self, code: Code, period: Period, who: Who, order: str) -> Iterator[str]:
        heads = [
            _("Customer"), _("What"), _("Number"), _("Day"), _("Counts for"), _("Team"), _("Outcome"), _("Numerator"),
            _("Denominator"),
        ]  # fmt: skip
        tenant, language, member = self.request.tenant, translation.get_language(), self.member

        def lines() -> Iterator[str]:
            # The response is written after the request's scope has closed: open it again, with its manners.
            with tenant_scope(tenant), translation.override(language), timezone.override(tenant.zone):
                found = rows(code, period, who, order=order, seen_by=member)
                yield from write_csv(heads, (self._line(KPIS[code], row) for row in found))

        return lines()

    def _line(self, kpi: Kpi, row: Row) -> list[Any]:
        return [
            row.customer, str(SOURCES[row.source]), row.row_id, row.day, row.person, row.team, outcome_words(kpi, row),
            row.numerator, row.denominator,
        ]  # fmt: skip


# ── what people are measured as ─────────────────────────────────────────────


@dataclass(frozen=True)
class Measured:
    """A person, what they are measured as today, and the targets of their own that hold or will hold."""

    member: Member
    job: str
    targets: Sequence[tuple[str, KpiTarget]]
    may_set: bool


class KpiPeople(_KpiPage):
    """What each person is measured as, and the targets of their own."""

    permission = "kpis:write"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        people = _led_by(self.member)
        jobs = jobs_on(self.request.tenant.today(), people)
        own: dict[int | None, list[tuple[str, KpiTarget]]] = {}
        teams: dict[int | None, list[tuple[str, KpiTarget]]] = {}
        seen: set[tuple[str, int | None, int | None, object]] = set()
        for row in KpiTarget.objects.order_by("-from_on", "-pk"):
            key = (row.kpi, row.member_id, row.team_id, row.from_on)
            if key not in seen:
                seen.add(key)
                words = _("%(kpi)s %(target)s from %(day)s") % {
                    "kpi": kpi_title(row.kpi), "target": shown(KPIS[row.kpi], row.target), "day": day_words(row.from_on),
                }  # fmt: skip
                (own if row.member_id else teams).setdefault(row.member_id or row.team_id, []).append((words, row))
        return self.render(
            "incentives/kpi_people.html",
            people=[
                Measured(each, job_title(jobs[each.pk]), own.get(each.pk, ()), each != self.member) for each in people
            ],
            teams=[(team, teams.get(team.pk, ())) for team in _teams_of(self.member)],
        )


def _led_by(member: Member) -> list[Member]:
    rows_ = Member.objects.filter(is_active=True).exclude(role=Role.INTEGRATION).select_related("user", "team")
    if member.role != Role.ADMIN:
        rows_ = rows_.filter(pk__in=member.team_members)
    return list(rows_.order_by("user__name", "pk"))


def _teams_of(member: Member) -> list[Team]:
    rows_ = Team.objects.order_by("name", "pk")
    return list(rows_ if member.role == Role.ADMIN else rows_.filter(pk=member.team_id))


class JobSet(FormPage):
    """Say what a person is measured as."""

    permission = "kpis:write"
    nav = "kpis"

    @cached_property
    def person(self) -> Member:
        found: Member = get_object_or_404(Member.objects.select_related("user", "team"), pk=self.kwargs["pk"])
        if found not in _led_by(self.member):
            raise PermissionDenied(_("Their lead or an administrator says that; nobody for themselves."))
        return found

    def title(self) -> str:
        return _("What %(who)s is measured as") % {"who": self.person}

    def form(self, data: Any = None, files: Any = None) -> JobForm:
        today = self.request.tenant.today()
        job = jobs_on(today, [self.person])[self.person.pk]
        return JobForm(data, initial={"job": job, "from_on": max(kpis.first_open_day(), today.replace(day=1))})

    def save(self, form: JobForm) -> HttpResponse:
        row = kpis.set_job(member=self.person, by=self.member, **form.cleaned_data)
        messages.success(
            self.request,
            _("%(who)s is measured as %(job)s from %(day)s.")
            % {"who": self.person, "job": job_title(row.job), "day": day_words(row.from_on)},
        )
        return self.done("kpi-people")

    def back(self) -> str:
        return self.address("kpi-people")


class TargetSet(FormPage):
    """Give a person or a team a target of their own."""

    permission = "kpis:write"
    nav = "kpis"
    heading = gettext_lazy("A target of one’s own")

    def form(self, data: Any = None, files: Any = None) -> TargetForm:
        return TargetForm(
            data,
            people=[each for each in _led_by(self.member) if each != self.member],
            teams=_teams_of(self.member),
            initial={"from_on": kpis.first_open_day(), "who": self.request.GET.get("who")},
        )

    def save(self, form: TargetForm) -> HttpResponse:
        row = kpis.set_target(by=self.member, **form.values())
        code = cast(Code, row.kpi)
        messages.success(
            self.request,
            _("The target of %(target)s for %(kpi)s holds from %(day)s.")
            % {"target": shown(KPIS[code], row.target), "kpi": kpi_title(code), "day": day_words(row.from_on)},
        )
        return self.done("kpi-people")

    def back(self) -> str:
        return self.address("kpi-people")


# ── closing ─────────────────────────────────────────────────────────────────


def board_of(page: TenantView, period: Period) -> str:
    """The address of the board of a period."""
    return f"{page.address('kpis')}?period={period.code}"


def _to_board(page: TenantView, period: Period) -> HttpResponse:
    address = board_of(page, period)
    return HttpResponseClientRedirect(address) if page.request.htmx else redirect(address)


class KpiClose(FormPage):
    """Close a period that is over: its numbers then stay."""

    permission = "kpis:write"
    nav = "kpis"
    submit = gettext_lazy("Close it")

    @cached_property
    def period(self) -> Period:
        try:
            return Period.read(self.kwargs["code"])
        except ValueError:
            raise Http404 from None

    def title(self) -> str:
        return _("Close %(period)s?") % {"period": period_words(self.period)}

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        return forms.Form(data)

    def save(self, form: forms.Form) -> HttpResponse:
        kpis.close_period(self.period, self.member)
        messages.success(
            self.request,
            _("%(period)s is closed. Its numbers stay; what comes to light later shows as a correction.")
            % {"period": period_words(self.period)},
        )
        return _to_board(self, self.period)

    def back(self) -> str:
        return board_of(self, self.period)


class KpiRecount(TenantView):
    """Look at a closed period again: what has become another number is written beside the frozen one."""

    permission = "kpis:write"
    nav = "kpis"

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            period = Period.read(self.kwargs["code"])
        except ValueError:
            raise Http404 from None
        closing: KpiClosing | None = closing_of(period)
        if closing is None:
            messages.error(
                request,
                _("%(period)s is not closed: its numbers are counted anew anyway.") % {"period": period_words(period)},
            )
            return _to_board(self, period)
        found = kpis.recount(closing, self.request.tenant.today())
        if found:
            words = ngettext("%(count)s count has changed since.", "%(count)s counts have changed since.", found)
            messages.success(request, words % {"count": whole(found)})
        else:
            messages.success(request, _("Nothing has changed since."))
        return _to_board(self, period)
