"""The desk of a team: where help is needed, how it does, who has too much; and handing work on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar, Final, cast
from urllib.parse import urlencode

import django_filters as filters
from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import Count, F, FilteredRelation, Max, Q, QuerySet, Sum, Window
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

import followups.services
from customers.models import Channel, Customer, Interaction, TouchKind
from dashboards import charts, explorer
from dashboards.matrix import NONE, Matrix, direction, matrix
from dashboards.querysets import QUIET_DAYS, red_without_action, with_last_night
from dashboards.team import figures, handing
from dashboards.team.crew import SPANS, USUAL_SPAN, Crew, crew, crew_of_one, crews, span
from dashboards.team.lapses import CLASSES
from dashboards.team.words import CLOCK_STATES, LAPSE_CLASSES, SPAN_WORDS, why_red
from followups.models import FollowUp
from followups.reasons import phrase
from health import figures as health_figures
from health.models import HealthScore
from health.rules.policy import HealthPolicy
from incentives.kpis.figures import Value, Who, last_counted, values
from incentives.kpis.words import period_words
from incentives.rules.kpis import CODES, Period
from risk.cases.lists import CAUSE_CHOICES, CaseFilter, CaseTable, case_rows
from risk.models import Incident, IncidentClock
from risk.rules.causes import CAUSES
from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import NO_TIER, TIER_ORDER
from tenants import view_as
from tenants.context import current_tenant
from tenants.filters import StrictFilterSet, id_number
from tenants.models import Member, Run, Team
from tenants.pages import ChoiceColumn, FormPage, ListPage, PageTable, PlainColumn, TenantView, WordsColumn
from tenants.permissions import SEES_ALL
from tenants.policies import Policy, policy_of
from tenants.querysets import last_night
from tenants.templatetags.perennial import day as day_words
from tenants.templatetags.perennial import moment

REDS_SHOWN: Final = 6
DIFFERING_SHOWN: Final = 4
TIERS_NAMED: Final = 4
BAR: Final = 150
"""Units of the widest bar."""
COVERAGE_TARGET: Final = 95
"""Percent of the planned touches (PLAYBOOK section 8)."""
CLOCK_KINDS: Final = ("acknowledge", "team", "solution", "solved")
UNDO: Final = "team_undo"


class CrewView(TenantView):
    """A page about a team, or the firm: whose it is comes from the address (`team`), for a lead it is the own one."""

    permission = "team:read"
    nav = "team"

    @cached_property
    def night(self) -> Run | None:
        return last_night()

    @cached_property
    def policy(self) -> Policy:
        return policy_of(self.night)

    @cached_property
    def as_of(self) -> dt.date:
        return self.night.for_date if self.night else self.request.tenant.today()

    @cached_property
    def teams(self) -> list[Team]:
        return crews(self.member)

    @cached_property
    def crew(self) -> Crew:
        """Raises Http404 for a team that the member does not see."""
        return crew_of(self.member, self.request.GET.get("team", ""), self.teams)

    def ask(self, name: str, **asked: Any) -> str:
        """The address of a list of the crew's rows."""
        team = {} if self.crew.team is None else {"team": self.crew.team.pk}
        said = {key: value for key, value in {**team, **asked}.items() if value is not None}
        return f"{self.address(name)}?{urlencode(said)}" if said else self.address(name)


def crew_of(member: Member, asked: str, teams: Sequence[Team]) -> Crew:
    """The crew that a member asks for by a team's number: a lead's own without one, else the whole firm.

    Raises Http404 for a team that the member does not see.
    """
    if asked:
        found = next((team for team in teams if str(team.pk) == asked), None)
        if found is None:
            raise Http404
        return crew(found)
    if member.role in SEES_ALL:
        return crew(None)
    # A lead of no team sees the own customers, not the firm's.
    return crew(teams[0]) if teams else crew_of_one(member)


# ── what the desk prints ────────────────────────────────────────────────────


@dataclass(frozen=True)
class Idle:
    """Red customers without action: how many, what they brought in the tiers' window, and the ids of those with most."""

    customers: int
    money: Decimal
    first: Sequence[int]


@dataclass(frozen=True)
class RedLine:
    """A red customer for whom nobody does anything."""

    customer: Customer
    score: int | None
    band: str
    change: int | None
    why: str
    tier: str
    owner: str
    money: Decimal | None
    silent: int | None


@dataclass(frozen=True)
class LoadLine:
    """A person's row: customers by tier, load against capacity as a bar, what is late, reds, coverage."""

    load: figures.Load
    tiers: tuple[int, ...]
    track: str
    fill: str
    over: str
    covered: figures.Covered
    is_low: bool
    work: str
    late: str
    reds: str
    coverage: str
    customers: str


@dataclass(frozen=True)
class CoverLine:
    """A tier's coverage, with the bar of BAR units and the questions that open its rows."""

    words: str
    covered: figures.Covered
    fill: str
    made: str
    due: str


@dataclass(frozen=True)
class ClockBox:
    """The clocks of a level and kind, and the question that opens them; none: no such clock."""

    cell: figures.ClockCell | None
    query: str


@dataclass(frozen=True)
class MonthLine:
    """The lapses of a month: by class (customers, address), all, and the money."""

    words: str
    cells: tuple[tuple[int, str], ...]
    total: int
    query: str
    money: Decimal


@dataclass(frozen=True)
class CauseWords:
    """A cause in words, its numbers and the questions that open them."""

    words: str
    line: figures.CauseLine
    cases: str
    back: str
    lost: str


@dataclass(frozen=True)
class ForecastLine:
    """A tier's expected money of the next 12 months."""

    words: str
    line: figures.Expected
    query: str


class Desk(CrewView):
    """Everything a lead looks at in five minutes; every number opens its rows."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown("span", "team")
        code = request.GET.get("span", USUAL_SPAN)
        if code not in SPANS:
            raise BadRequest(_("span is one of: %(known)s.") % {"known": ", ".join(SPANS)})
        crew, today = self.crew, self.request.tenant.today()
        if not self.night:
            return self.render("dashboards/team_empty.html", crew=crew, why="night")
        if not crew.people and self.member.role not in SEES_ALL:
            return self.render("dashboards/team_empty.html", crew=crew, why="team")
        self.span = span(code, self.as_of)
        names = [f"desk-moves-{self.span.days}", f"desk-cover-{self.span.days}", "desk-lapses", "desk-forecast"]
        cells = figures.counted(names, self.as_of)
        self.moves, self.cover, self.lapsed, self.expected = (cells[name] for name in names)
        reds, red_money = figures.reds_of(crew)
        loads = figures.loads(crew, today)
        clocks = figures.clocks(crew, self.span.start, timezone.now())
        lapses = figures.lapses_of(self.lapsed, crew, self.as_of)
        months = self.month_lines(lapses)
        pulses = health_figures.disagreements(self.member).filter(crew.owned("customer__owner_a"))
        weeks = health_figures.trend_of(crew.owned("owner"), self.as_of)
        return self.render(
            "dashboards/team.html",
            crew=crew,
            teams=self.teams if self.member.role in SEES_ALL else [],
            span=self.span,
            spans=[(each, words, each == code) for each, words in SPAN_WORDS.items()],
            as_of=self.as_of,
            viewable=view_as.viewable(self.request.viewer) if self.request.views_as is None else [],
            undo=self.request.session.pop(UNDO, None),
            may_assign=self.member.can("follow-ups:assign"),
            customer_count=self.customers(),
            nobodys=self.nobodys(),
            idle=self.idle.customers,
            idle_money=self.idle.money,
            idle_rows=self.idle_lines(),
            idle_query=self.ask("customers", risk="idle"),
            quiet_days=QUIET_DAYS,
            reds=reds,
            reds_query=self.ask("customers", health="red"),
            red_money=red_money,
            overdue=sum(each.overdue for each in loads),
            oldest=max(((today - each.oldest).days for each in loads if each.oldest), default=0),
            overdue_query=self.ask("team-work", due="late"),
            covered=sum(figures.coverage_by(crew.of(self.cover), "owner").values(), figures.Covered()),
            cover_query=self.ask("coverage-rows", **self.cover_span, due="yes"),
            target=COVERAGE_TARGET,
            met=sum(each.met for each in clocks.values()),
            ended=sum(each.ended for each in clocks.values()),
            clocks_query=self.ask("team-clocks", since=self.span.start),
            clocks=self.clock_lines(clocks),
            clock_kinds=[IncidentClock.Kind(kind).label for kind in CLOCK_KINDS],
            running=figures.running(crew),
            now=timezone.now(),
            month=months[-1],
            month_on=lapses[-1].month,
            months=months,
            lapse_chart=charts.lapses(lapses, self.as_of, {code: str(words) for code, words in LAPSE_CLASSES.items()}),
            lapse_classes=list(LAPSE_CLASSES.values()),
            differing=pulses.order_by(F("net").desc(nulls_last=True), "pk")[:DIFFERING_SHOWN],
            disagreeing=pulses.count(),
            matrix=self.matrix(),
            moved_from=self.moved_from,
            weeks=list(reversed(weeks)),
            trend_chart=charts.bands(weeks),
            bands=self.bands(weeks),
            tiers=[explorer.tier_words(tier) for tier in self.tiers] if self.names_tiers else [_("Customers")],
            loads=self.load_lines(loads),
            load_sum=sum(each.load for each in loads),
            capacity_sum=sum(each.capacity for each in loads),
            tier_sums=self.tier_sums(),
            work_query=self.ask("team-work", due="week"),
            load_days=figures.LOAD_DAYS,
            bar=BAR,
            coverage=self.cover_lines(),
            causes=self.cause_lines(),
            forecast=self.forecast_lines(),
            forecast_sum=sum(figures.forecast_of(self.expected, crew).values(), figures.Expected()),
            forecast_query=self.ask("health-forecast"),
            kpis=self.kpis(),
            kpi_period=period_words(self.kpi_period),
            kpi_who=self.kpi_who.code,
            kpi_code=self.kpi_period.code,
            months_of_money=self.policy.section(TierPolicy).window_months,
        )

    @cached_property
    def tiers(self) -> tuple[str, ...]:
        """The tiers of the scheme in force, best first."""
        return tuple(TIER_ORDER[self.policy.section(TierPolicy).scheme])

    @cached_property
    def moved_from(self) -> dt.date:
        """The day that moves between tiers are counted from."""
        return figures.moves_start(self.as_of, self.span.days)

    @property
    def cover_span(self) -> dict[str, Any]:
        return {"due_from": self.span.start, "due_to": self.span.last}

    # ── who needs help ──

    def _rows(self) -> QuerySet[Customer]:
        rows: QuerySet[Customer] = Customer.objects.filter(self.crew.owned())
        return rows

    def customers(self) -> int:
        """Living customers, by what the moves have counted as of the night."""
        return sum(cell["customers"] for cell in self.crew.of(self.moves) if cell["after"] != NO_TIER)

    def nobodys(self) -> int:
        """Living customers without an A owner, for whom a team's lead may look as well."""
        if self.crew.team is None:
            return 0
        count: int = Customer.objects.filter(owner_a__isnull=True, closed_on__isnull=True).count()
        return count

    @cached_property
    def idle(self) -> Idle:
        """The red customers for whom nobody does anything: all of them counted, and those with most money, in one question."""
        joined = self._rows().annotate(
            standing=FilteredRelation("standings", condition=Q(standings__tenant_id=current_tenant().pk))
        )
        rows = red_without_action(joined.annotate(money=F("standing__monetary")), self.request.tenant.today())
        found = rows.annotate(number=Window(Count("pk")), sum=Window(Sum("money")))
        first = found.order_by(F("money").desc(nulls_last=True), "pk").values_list("pk", "number", "sum")[:REDS_SHOWN]
        ids = [pk for pk, _number, _sum in first]
        _pk, number, money = first[0] if ids else (None, 0, None)
        return Idle(number, money or Decimal(0), ids)

    def idle_lines(self) -> list[RedLine]:
        ids = self.idle.first
        rows = {row.pk: row for row in with_last_night(Customer.objects.filter(pk__in=ids))}
        scores = {score.customer_id: score for score in HealthScore.objects.filter(customer__in=ids)}
        talks: dict[int, dt.datetime] = dict(
            Interaction.objects.filter(customer__in=ids).order_by().values_list("customer").annotate(Max("at"))
        )
        return [self._red_line(cast(Any, rows[pk]), scores[pk], talks.get(pk)) for pk in ids]

    def _red_line(self, row: Any, score: HealthScore, talked: dt.datetime | None) -> RedLine:
        silent = (self.request.tenant.today() - self.request.tenant.local_date(talked)).days if talked else None
        return RedLine(
            customer=row,
            score=score.score,
            band=score.band,
            change=score.week_change,
            why=self._why(score),
            tier=explorer.tier_words(row.tier or NO_TIER),
            owner=str(row.owner_a) if row.owner_a else _("nobody"),
            money=row.money_12m,
            silent=silent,
        )

    def _why(self, score: HealthScore) -> str:
        """The indicator that costs the score most points."""
        receipt = score.receipt(self.policy.section(HealthPolicy), score.as_of(self.as_of))
        lost = [
            ((line.effective_weight or Decimal(0)) * (100 - line.score), line)
            for line in receipt.lines
            if line.score is not None and line.value is not None
        ]
        if not lost:
            return ""
        _points, line = max(lost, key=lambda each: each[0])
        return why_red(line.key, score, self.as_of)

    # ── how the team does ──

    def matrix(self) -> Matrix:
        cells = figures.moves_of(self.moves, self.crew)
        order = self.tiers
        present = {tier for pair in cells for tier in pair}
        known = (*order, *sorted(present - {*order, NO_TIER}), NO_TIER)
        before = [tier for tier in known if tier in order or any(a == tier for a, _b in cells)]
        after = [tier for tier in known if tier in order or any(b == tier for _a, b in cells)]

        def query(old: str | None, new: str | None) -> str:
            asked: dict[str, Any] = {} if self.crew.team is None else {"team": self.crew.team.pk}
            if old is not None or new is not None:
                asked |= {"moved_from": self.moved_from, "moved_to": self.span.end}
                asked |= {} if old is None else {"tier_before": old or NONE}
                asked |= {} if new is None else {"tier_after": new or NONE}
            return urlencode(asked)

        return matrix(
            cells, before, after, label=explorer.tier_words, kind=direction(order), query=query, foot=_("Sum")
        )  # fmt: skip

    def bands(self, weeks: Sequence[health_figures.Week]) -> list[tuple[str, int, int | None, str]]:
        """Of each colour: how many now, how many more than in the first week shown, and the address of those."""
        if not weeks:
            return []
        return [
            (
                band,
                weeks[-1].customers.get(band, 0),
                weeks[-1].customers.get(band, 0) - weeks[0].customers.get(band, 0) if len(weeks) > 1 else None,
                self.ask("customers", health=band),
            )
            for band in health_figures.BANDS
        ]

    # ── load ──

    @property
    def names_tiers(self) -> bool:
        """Whether a person's customers are shown tier by tier: eight of them would fill the table."""
        return len(self.tiers) <= TIERS_NAMED

    def _by_tier(self, own: Mapping[str, int]) -> tuple[int, ...]:
        found = tuple(own.get(tier, 0) for tier in self.tiers)
        return found if self.names_tiers else (sum(found),)

    def load_lines(self, loads: Sequence[figures.Load]) -> list[LoadLine]:
        tiers = figures.tiers_of(self.moves)
        covered = figures.coverage_by(self.cover, "owner")
        widest = max((max(each.load, each.capacity) for each in loads), default=0) or 1
        lines = []
        for each in loads:
            person = each.person.pk
            own, share = covered.get(person, figures.Covered()), BAR / widest
            work = {"person": person}
            lines.append(
                LoadLine(
                    load=each,
                    tiers=self._by_tier(tiers.get(person, {})),
                    track=f"{each.capacity * share:.1f}",
                    fill=f"{min(each.load, each.capacity) * share:.1f}",
                    over=f"{max(0, each.load - each.capacity) * share:.1f}",
                    covered=own,
                    is_low=own.share is not None and own.share * 100 < COVERAGE_TARGET - 5,
                    work=self.ask("team-work", due="week", **work),
                    late=self.ask("team-work", due="late", **work),
                    reds=f"{self.address('customers')}?owner_a={person}&health=red",
                    coverage=f"{self.address('coverage-rows')}?{urlencode({'person': person, **self.cover_span, 'due': 'yes'})}",
                    customers=self.ask("team-customers", person=person),
                )
            )
        return lines

    def tier_sums(self) -> list[int]:
        tiers = [self._by_tier(own) for own in figures.tiers_of(self.crew.of(self.moves)).values()]
        return [sum(column) for column in zip(*tiers, strict=True)]

    def cover_lines(self) -> list[CoverLine]:
        found = figures.coverage_by(self.crew.of(self.cover), "tier")
        order = [tier for tier in (*self.tiers, *sorted({*found} - {*self.tiers})) if tier in found]
        return [
            CoverLine(
                words=explorer.tier_words(tier),
                covered=found[tier],
                fill=f"{(found[tier].share or 0) * BAR:.1f}",
                made=self.ask("coverage-rows", tier=tier or NONE, state="in_time", **self.cover_span),
                due=self.ask("coverage-rows", tier=tier or NONE, due="yes", **self.cover_span),
            )
            for tier in order
        ]

    # ── KPIs ──

    @cached_property
    def kpi_period(self) -> Period:
        """The month, of a longer span the quarter, in which the last full day lies."""
        return Period.of("month" if self.span.code == "4-weeks" else "quarter", self.span.last)

    @cached_property
    def kpi_who(self) -> Who:
        if self.crew.person is not None:
            return Who.person(self.crew.person)
        return Who.tenant() if self.crew.team is None else Who.team(self.crew.team)

    def kpis(self) -> list[Value]:
        """Target against actual, as far as the nights have counted; none before the first that has."""
        if last_counted() is None:
            return []
        return values(CODES, period=self.kpi_period, of=self.kpi_who)

    # ── crises, lapses, causes, forecast ──

    def clock_lines(self, clocks: Mapping[tuple[str, str], figures.ClockCell]) -> list[tuple[str, list[ClockBox]]]:
        return [
            (
                str(level.label),
                [
                    ClockBox(
                        clocks.get((level.value, kind)),
                        self.ask("team-clocks", since=self.span.start, level=level.value, kind=kind),
                    )
                    for kind in CLOCK_KINDS
                ],
            )
            for level in Incident.Level
        ]

    def month_lines(self, lapses: Sequence[figures.Lapses]) -> list[MonthLine]:
        lines = []
        for each in lapses:
            last = min(_month_end(each.month), self.as_of)
            asked = {"lapsed_from": each.month, "lapsed_to": last}
            cells = tuple(
                (each.customers.get(code, 0), self.ask("customers", **asked, lapsed_why=code)) for code in CLASSES
            )
            words = charts.month_so_far(each.month, self.as_of)
            lines.append(MonthLine(words, cells, each.total, self.ask("customers", **asked), each.money))
        return lines

    def cause_lines(self) -> list[CauseWords]:
        year = {"since": self.as_of - dt.timedelta(days=figures.CAUSE_DAYS - 1), "until": self.as_of}
        return [
            CauseWords(
                words=_cause_words(line.cause),
                line=line,
                cases=self.ask("team-cases", cause=line.cause or NONE, end="decided", **year),
                back=self.ask("team-cases", cause=line.cause or NONE, end="good", **year),
                lost=self.ask("team-cases", cause=line.cause or NONE, end="lost", **year),
            )
            for line in figures.causes(self.crew, self.as_of)
        ]

    def forecast_lines(self) -> list[ForecastLine]:
        found = figures.forecast_of(self.expected, self.crew)
        order = [tier for tier in (*self.tiers, *sorted({*found} - {*self.tiers})) if tier in found]
        return [
            ForecastLine(explorer.tier_words(tier), found[tier], self.ask("health-forecast", tier=tier or NONE))
            for tier in order
        ]


def _month_end(month: dt.date) -> dt.date:
    return (month.replace(day=28) + dt.timedelta(days=4)).replace(day=1) - dt.timedelta(days=1)


def _cause_words(code: str) -> str:
    if not code:
        return str(LAPSE_CLASSES["unknown"])
    words = _(CAUSES[code].title) if code in CAUSES else code
    return words[:1].upper() + words[1:]


# ── the rows behind the numbers ─────────────────────────────────────────────


def _teams(request: Any) -> QuerySet[Team]:
    """The teams that a list can be narrowed to: a lead's own, else all."""
    member = getattr(request, "member", None)
    return Team.objects.filter(pk__in=[team.pk for team in crews(member)] if member else [])


def _people(request: Any = None) -> list[tuple[str, str]]:
    rows = Member.objects.filter(is_active=True).select_related("user").order_by("user__name", "pk")
    return [(str(person.pk), str(person)) for person in rows]


def team_work(member: Member) -> QuerySet[Any]:
    """Open follow-ups in the hands of those whose desk a member may open: of a lead the team's, else everybody's."""
    rows: QuerySet[Any] = FollowUp.objects.filter(status=FollowUp.Status.OPEN, assignee__isnull=False)
    if member.role in SEES_ALL:
        return rows
    return rows.filter(assignee__in=[member.pk, *member.team_members])


class WorkFilter(StrictFilterSet):
    """By who has it in hand, when it is due, and what it is."""

    person = filters.ChoiceFilter(
        field_name="assignee", choices=_people, label=gettext_lazy("Assigned to"), empty_label=gettext_lazy("All")
    )
    due = filters.ChoiceFilter(
        method="by_due",
        choices=[("late", gettext_lazy("Overdue")), ("week", gettext_lazy("Within a week, or overdue"))],
        label=gettext_lazy("Due"),
        empty_label=gettext_lazy("All"),
    )
    level = filters.ChoiceFilter(
        choices=FollowUp.Level.choices, label=gettext_lazy("Level"), empty_label=gettext_lazy("All")
    )
    team = filters.ModelChoiceFilter(
        method="by_team", queryset=_teams, label=gettext_lazy("Team"), empty_label=gettext_lazy("All")
    )
    on_demand = frozenset({"team"})

    class Meta:
        model = FollowUp
        fields: ClassVar[list[str]] = []

    def by_due(self, rows: QuerySet[FollowUp], _name: str, due: str) -> QuerySet[FollowUp]:
        today = current_tenant().today()
        if due == "late":
            return rows.filter(day__lt=today)
        return rows.filter(day__lte=today + dt.timedelta(days=figures.LOAD_DAYS - 1))

    def by_team(self, rows: QuerySet[FollowUp], _name: str, team: Team) -> QuerySet[FollowUp]:
        return rows.filter(assignee__in=[person.pk for person in crew(team).people])


class _CustomerColumn(PlainColumn):
    """The customer's name, which opens its page; a spreadsheet gets the name."""

    def render(self, value: Customer) -> str:
        address = reverse("customer", kwargs={"tenant": current_tenant().slug, "pk": value.pk})
        return format_html('<a class="row-link" href="{}">{}</a>', address, value)


class WorkTable(PageTable):
    """Follow-ups with whoever has them in hand."""

    fixed: ClassVar[tuple[str, ...]] = ("customer",)
    needs: ClassVar[Mapping[str, str]] = {"customer": "customer", "assignee": "assignee__user"}

    customer = _CustomerColumn(verbose_name=gettext_lazy("Customer"), order_by=("customer.search_name",))
    why = PlainColumn(verbose_name=gettext_lazy("Why"), accessor="pk", orderable=False, attrs={"td": {"class": "wrap"}})
    kind = PlainColumn(verbose_name=gettext_lazy("Kind"))
    level = PlainColumn(verbose_name=gettext_lazy("Level"), orderable=False)
    assignee = PlainColumn(verbose_name=gettext_lazy("Assigned to"), order_by=("assignee.user.name",))
    day = WordsColumn(day_words, verbose_name=gettext_lazy("Due"))

    class Meta(PageTable.Meta):
        pass

    def render_why(self, record: Any) -> str:
        return phrase(record, current_tenant().today())

    def value_why(self, record: Any) -> str:
        return self.render_why(record)


class TeamWork(ListPage):
    """What a team has in hand, one by one."""

    permission = "team:read"
    nav = "team"
    queryset = staticmethod(team_work)
    filterset = WorkFilter
    table = WorkTable
    template = "dashboards/team_list.html"
    empty = "dashboards/team_list_empty.html"
    sort = "day"
    export_permission = "customers:export"
    export_name = "team-work"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s follow-up", "%(count)s follow-ups", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        return {"heading": _("Work in hand"), "note": _("open follow-ups by who has them in hand")}


def team_clocks(member: Member) -> QuerySet[Any]:
    """Clocks of the crises of those customers whom a member sees, with `state`; drills aside."""
    rows = figures.clock_rows(IncidentClock.objects.all(), timezone.now())
    return cast(QuerySet[Any], rows.filter(incident__customer__in=Customer.objects.visible_to(member).values("pk")))


class ClockFilter(StrictFilterSet):
    """By level and kind, how they ended, and since when the crisis runs."""

    state = filters.ChoiceFilter(
        choices=list(CLOCK_STATES.items()), label=gettext_lazy("State"), empty_label=gettext_lazy("All")
    )
    level = filters.ChoiceFilter(
        field_name="incident__level", choices=Incident.Level.choices, label=gettext_lazy("Level"),
        empty_label=gettext_lazy("All"),
    )  # fmt: skip
    kind = filters.ChoiceFilter(
        choices=IncidentClock.Kind.choices, label=gettext_lazy("Clock"), empty_label=gettext_lazy("All")
    )
    since = filters.DateFilter(
        method="by_day", label=gettext_lazy("Opened from"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    until = filters.DateFilter(
        method="by_last_day", label=gettext_lazy("Opened until"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    team = filters.ModelChoiceFilter(
        method="by_team", queryset=_teams, label=gettext_lazy("Team"), empty_label=gettext_lazy("All")
    )
    on_demand = frozenset({"team"})

    class Meta:
        model = IncidentClock
        fields: ClassVar[list[str]] = []

    def by_day(self, rows: QuerySet[Any], _name: str, day: dt.date) -> QuerySet[Any]:
        return rows.filter(incident__opened_at__gte=current_tenant().start_of(day))

    def by_last_day(self, rows: QuerySet[Any], _name: str, day: dt.date) -> QuerySet[Any]:
        return rows.filter(incident__opened_at__lt=current_tenant().start_of(day + dt.timedelta(days=1)))

    def by_team(self, rows: QuerySet[Any], _name: str, team: Team) -> QuerySet[Any]:
        return rows.filter(crew(team).owned("incident__customer__owner_a"))


class ClockTable(PageTable):
    """Clocks of crises: of which one, due and met when."""

    fixed: ClassVar[tuple[str, ...]] = ("incident",)
    needs: ClassVar[Mapping[str, str]] = {"incident": "incident__customer"}

    incident = PlainColumn(verbose_name=gettext_lazy("Crisis"), order_by=("incident.number",))
    level = PlainColumn(verbose_name=gettext_lazy("Level"), accessor="incident.get_level_display", orderable=False)
    kind = PlainColumn(verbose_name=gettext_lazy("Clock"), orderable=False)
    deadline_at = WordsColumn(moment, verbose_name=gettext_lazy("Due"))
    met_at = WordsColumn(moment, verbose_name=gettext_lazy("Met"))
    state = ChoiceColumn(list(CLOCK_STATES.items()), verbose_name=gettext_lazy("State"), orderable=False)

    class Meta(PageTable.Meta):
        pass

    def render_incident(self, value: Incident) -> str:
        address = reverse("crisis", kwargs={"tenant": current_tenant().slug, "pk": value.pk})
        return format_html('<a class="row-link" href="{}">{} {}</a>', address, value.name, value.customer)

    def value_incident(self, value: Incident) -> str:
        return f"{value.name} {value.customer}"


class TeamClocks(ListPage):
    """The clocks of crises one by one: due when, met when."""

    permission = "team:read"
    nav = "team"
    queryset = staticmethod(team_clocks)
    filterset = ClockFilter
    table = ClockTable
    template = "dashboards/team_list.html"
    empty = "dashboards/team_list_empty.html"
    sort = "-incident"
    export_permission = "customers:export"
    export_name = "crisis-clocks"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s clock", "%(count)s clocks", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        return {"heading": _("Crisis clocks"), "note": _("drills are left out")}


class TeamCaseFilter(CaseFilter):
    """The case library's filters, a team, and cases without a cause."""

    cause = filters.ChoiceFilter(
        method="by_cause", choices=[*CAUSE_CHOICES, (NONE, LAPSE_CLASSES["unknown"])], label=gettext_lazy("Cause")
    )
    team = filters.ModelChoiceFilter(
        method="by_team", queryset=_teams, label=gettext_lazy("Team"), empty_label=gettext_lazy("All")
    )
    on_demand = CaseFilter.on_demand | {"team"}

    def by_cause(self, rows: QuerySet[Any], _name: str, cause: str) -> QuerySet[Any]:
        return rows.filter(cause="" if cause == NONE else cause)

    def by_team(self, rows: QuerySet[Any], _name: str, team: Team) -> QuerySet[Any]:
        return rows.filter(crew(team).owned("customer__owner_a"))


class TeamCases(ListPage):
    """The cases behind the causes of a desk."""

    permission = "team:read"
    nav = "team"
    queryset = staticmethod(case_rows)
    filterset = TeamCaseFilter
    table = CaseTable
    template = "dashboards/team_list.html"
    empty = "dashboards/team_list_empty.html"
    sort = "-closed_on"
    export_permission = "customers:export"
    export_name = "team-cases"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s case", "%(count)s cases", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        return {"heading": _("Cases"), "note": _("from the case library")}


# ── handing work on ─────────────────────────────────────────────────────────


class ActionForm(forms.Form):
    """Who gets in touch with a customer, how, and by when."""

    assignee: forms.ModelChoiceField[Member] = forms.ModelChoiceField(
        label=gettext_lazy("Who"), queryset=None, empty_label=None
    )
    kind = forms.ChoiceField(choices=TouchKind.choices, label=gettext_lazy("What"))
    channel = forms.ChoiceField(choices=Channel.choices, label=gettext_lazy("Channel"))
    due_on = forms.DateField(label=gettext_lazy("By"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    text = forms.CharField(label=gettext_lazy("What for"), required=False, max_length=followups.services.REASON_LENGTH)

    def __init__(self, data: Any = None, *, people: Sequence[Member], due_on: dt.date) -> None:
        initial = {"due_on": due_on, "kind": TouchKind.DEEP_TALK, "channel": Channel.PHONE}
        super().__init__(data, initial=initial)
        ids = [person.pk for person in people]
        field = cast(Any, self.fields["assignee"])
        field.queryset = Member.objects.filter(pk__in=ids).select_related("user")
        field.widget.choices = [(person.pk, str(person)) for person in people]


class AssignAction(FormPage):
    """Have somebody get in touch with a customer: its owners, whoever covers, or the lead."""

    permission = "follow-ups:assign"
    nav = "team"
    submit = gettext_lazy("Assign")

    @cached_property
    def customer(self) -> Customer:
        rows = Customer.objects.visible_to(self.member).select_related("owner_a__user", "owner_b__user")
        found: Customer = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    def title(self) -> str:
        return _("Assign %(customer)s") % {"customer": self.customer.name}

    def people(self) -> list[Member]:
        owners = [self.customer.owner_a, self.customer.owner_b, self.member]
        found = {person.pk: person for person in owners if person is not None and person.is_active}
        return list(found.values())

    def form(self, data: Any = None, files: Any = None) -> ActionForm:
        return ActionForm(data, people=self.people(), due_on=self.request.tenant.today())

    def save(self, form: ActionForm) -> HttpResponse:
        said = form.cleaned_data
        change = followups.services.plan(
            customer=self.customer, member=self.member, kind=said["kind"], channel=said["channel"],
            due_on=said["due_on"], text=said["text"], assignee=said["assignee"],
        )  # fmt: skip
        words = _("%(who)s gets in touch with %(customer)s.")
        keep_undo(self.request, words % {"who": said["assignee"], "customer": self.customer.name}, change.events)
        return self.done("team")

    def back(self) -> str:
        return self.address("team")


def keep_undo(request: HttpRequest, words: str, events: Sequence[int]) -> None:
    """Say on the next page what was done, with the way back."""
    request.session[UNDO] = {"words": words, "events": ",".join(map(str, events))}


@dataclass(frozen=True)
class OwnedLine:
    """A customer of the person whose work is handed on."""

    customer: Any
    tier: str
    open: int


class TeamCustomers(CrewView):
    """The customers of one person, to give some to another: by drag, by keys or by the form."""

    MOST: Final = handing.MANY

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown("person", "team")
        person = self.person()
        rows = self.rows(person) if person else []
        return self.render(
            "dashboards/team_customers.html",
            crew=self.crew,
            person=person,
            people=[person for person in self.crew.members if person.is_active],
            loads=self.loads,
            rows=rows,
            more=max(0, self._owned(person).count() - len(rows)) if person else 0,
            load_days=figures.LOAD_DAYS,
            may_assign=self.member.can("follow-ups:assign"),
            undo=self.request.session.pop(UNDO, None),
        )

    @cached_property
    def loads(self) -> list[figures.Load]:
        return figures.loads(self.crew, self.request.tenant.today())

    def person(self) -> Member | None:
        """Whose customers are shown: who was asked for, else who has most to do. Raises Http404 for somebody else's."""
        asked = self.request.GET.get("person", "")
        if not asked:
            # Who has most to do is who can give something away.
            most = max(self.loads, key=lambda each: each.load - each.capacity, default=None)
            return most.person if most else None
        found = next((each for each in self.crew.members if str(each.pk) == asked), None)
        if found is None:
            raise Http404
        return found

    def _owned(self, person: Member) -> QuerySet[Customer]:
        rows: QuerySet[Customer] = Customer.objects.visible_to(self.member)
        return rows.filter(owner_a=person, closed_on__isnull=True)

    def rows(self, person: Member) -> list[OwnedLine]:
        ordered = with_last_night(self._owned(person)).order_by(F("money_12m").desc(nulls_last=True), "pk")
        found: list[Any] = list(ordered[: self.MOST])
        last = self.request.tenant.today() + dt.timedelta(days=figures.LOAD_DAYS - 1)
        waiting = FollowUp.objects.filter(
            customer__in=[row.pk for row in found], status=FollowUp.Status.OPEN, day__lte=last
        )
        work: dict[int, int] = dict(waiting.order_by().values_list("customer").annotate(Count("pk")))
        return [OwnedLine(row, explorer.tier_words(row.tier or NO_TIER), work.get(row.pk, 0)) for row in found]


class HandOn(TenantView):
    """Give customers to another A owner."""

    permission = "follow-ups:assign"
    nav = "team"

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        picks = [number for each in request.POST.getlist("pick") if (number := id_number(each)) is not None]
        to, seen = id_number(request.POST.get("to", "")), id_number(request.POST.get("seen", ""))
        person = Member.objects.select_related("user").filter(pk=to).first() if to else None
        try:
            if person is None:
                raise followups.services.Refused(_("Choose to whom."), code="nobody")
            there = len(set(picks)) if seen is None else seen
            given = handing.give(ids=picks, seen=there, to=person, member=self.member)
        except ValidationError as refusal:
            messages.error(request, " ".join(refusal.messages))
        else:
            keep_undo(request, _given_words(given, person), given.events)
        return back_to(request, self.address("team"))


def _given_words(given: handing.Given, to: Member) -> str:
    count = len(given.customers)
    if not count:
        return _("Nothing to do: %(who)s has them already.") % {"who": to}
    words = ngettext(
        "%(count)d customer given to %(who)s, with open follow-ups: %(work)d",
        "%(count)d customers given to %(who)s, with open follow-ups: %(work)d",
        count,
    )
    return words % {"count": count, "who": to, "work": given.follow_ups}


def back_to(request: HttpRequest, usual: str) -> HttpResponseRedirect:
    """To the page that the form names in `back`, as far as it is one of this firm's own."""
    asked = request.POST.get("back", "")
    slug = f"/{current_tenant().slug}/team/"
    return HttpResponseRedirect(asked if asked.startswith(slug) and "//" not in asked else usual)


class TakeBack(TenantView):
    """Undo what was handed on or assigned."""

    permission = "follow-ups:assign"
    nav = "team"

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        asked = request.POST.get("events", "").split(",")
        events = [number for each in asked if (number := id_number(each)) is not None]
        try:
            back = handing.take_back(events=events, member=self.member)
        except ValidationError as refusal:
            messages.error(request, " ".join(refusal.messages))
        else:
            words = ngettext("%(count)d brought back", "%(count)d brought back", len(back.customers) or back.follow_ups)
            messages.success(request, words % {"count": len(back.customers) or back.follow_ups})
        return back_to(request, self.address("team"))


# ── viewing as a colleague ──────────────────────────────────────────────────


class ViewAsStart(TenantView):
    """See the pages as a colleague sees them, from now on; the event log says so."""

    permission = "team:read"

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        number = id_number(request.POST.get("member", ""))
        if number is None:
            messages.error(request, _("Choose as whom."))
            return self.done("team")
        other = view_as.start(session=request.session, viewer=self.request.viewer, other=number)
        return self.done("today" if other.can("follow-ups:write") else "customers")


class ViewAsStop(TenantView):
    """See the own pages again."""

    permission = "team:read"

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        view_as.stop(session=request.session, viewer=self.request.viewer)
        return self.done("team")
