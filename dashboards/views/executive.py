"""The firm over its teams: who is kept, by team, tier and cohort; referrals; what the programme costs and brings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import Sum
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from dashboards import explorer
from dashboards.matrix import NONE
from dashboards.team import executive, figures
from dashboards.team.crew import Crew, crew
from dashboards.views.team import CrewView
from health.models import Band, BandCount
from incentives.rules.programme import ProgrammePolicy
from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import NO_TIER, TIER_ORDER
from tenants.export import write_csv
from tenants.models import Team
from tenants.policies import active_policy

COVER_DAYS: Final = 91
MOST_PERIODS: Final = 10


@dataclass(frozen=True)
class KeptLine:
    """Retention of a team, or a tier, with the questions that open who bought before, and who again."""

    words: str
    kept: executive.Retention
    before: str
    again: str
    desk: str = ""
    customers: int = 0
    customers_query: str = ""
    reds: int = 0
    reds_query: str = ""
    lapsed: int = 0
    lapsed_query: str = ""
    covered: figures.Covered = figures.Covered()  # noqa: RUF009  # frozen
    coverage_query: str = ""


@dataclass(frozen=True)
class CohortBox:
    """A cell of the triangle: the share, the question that opens its customers, and how strongly it is tinted (0 to 4)."""

    cell: executive.CohortCell | None
    query: str
    shade: int


@dataclass(frozen=True)
class CohortLine:
    """A cohort: when its customers came, how many, and each period since."""

    words: str
    customers: int
    query: str
    boxes: tuple[CohortBox, ...]


class Executive(CrewView):
    """Retention over teams, tiers and cohorts, the share of referrals, and the return on the programme."""

    permission = "programme:read"
    nav = "executive"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.refuse_unknown("team", "export")
        if not self.night:
            return self.render("dashboards/team_empty.html", crew=self.crew, why="night")
        names = [*executive.COUNTED, f"desk-cover-{COVER_DAYS}", "desk-lapses", "desk-moves-91"]
        self.cells = figures.counted(names, self.as_of)
        self.years = executive.years(self.as_of)
        kept = self.kept(self.crew)
        new = executive.newcomers(self.crew.of(self.cells["firm-new"]))
        contacts = sum(cell["contacts"] for cell in self.crew.of(self.cells["firm-contacts"]))
        # The costs are the firm's, not a team's.
        programme = None
        if self.crew.team is None:
            programme = executive.programme(active_policy().section(ProgrammePolicy), kept, new, contacts)
        if request.GET.get("export"):
            return self.export()
        cohorts = self.cohort_lines()
        return self.render(
            "dashboards/executive.html",
            crew=self.crew,
            teams=self.teams,
            as_of=self.as_of,
            years=self.years,
            last=self.years.end - dt.timedelta(days=1),
            kept=kept,
            before_query=self.ask("customers", **self.base),
            again_query=self.ask("customers", **self.base, **self.again),
            new=new,
            new_query=self.ask("customers", **self.came),
            referred_query=self.ask("customers", **self.came, referred="yes"),
            contact_count=contacts,
            programme=programme,
            flows=self.flows(programme),
            missing=self.missing(programme),
            lines=self.team_lines(),
            tiers=self.tier_lines(),
            cohorts=cohorts,
            periods=range(max((len(line.boxes) for line in cohorts), default=0)),
            is_yearly=executive.cohort_months(self.as_of) == executive.YEAR_MONTHS,
            may_export=self.member.can("customers:export"),
            may_edit=self.member.can("policy:write"),
        )

    @property
    def base(self) -> dict[str, Any]:
        """Who bought in the year before."""
        return {"ordered_from": self.years.start, "ordered_to": self.years.middle}

    @property
    def again(self) -> dict[str, Any]:
        return {"again_from": self.years.middle, "again_to": self.years.end}

    @property
    def came(self) -> dict[str, Any]:
        return {"came_from": self.years.middle, "came_to": self.years.end}

    def kept(self, of: Crew) -> executive.Retention:
        cells = of.of(self.cells["firm-retention"])
        return sum((executive.retention_of(cell) for cell in cells), executive.Retention())

    # ── teams and tiers ──

    def team_lines(self) -> list[KeptLine]:
        """A line for each team, and one for the customers of nobody and of people without a team."""
        everybody = crew(None).members
        teams: list[tuple[Team | None, list[int | None]]] = [
            (team, [person.pk for person in everybody if person.team_id == team.pk]) for team in self.teams
        ]
        teams.append((None, [None, *(person.pk for person in everybody if person.team_id is None)]))
        reds: dict[int | None, int] = dict(
            BandCount.objects.filter(band=Band.RED).order_by().values_list("owner_a").annotate(Sum("customers"))
        )
        lines = [self._team_line(team, set(owners), reds) for team, owners in teams]
        return [line for line in lines if line.desk or line.kept.customers or line.customers]

    def _team_line(self, team: Team | None, owners: set[int | None], reds: dict[int | None, int]) -> KeptLine:
        def of(name: str) -> list[Any]:
            return [cell for cell in self.cells[name] if cell["owner"] in owners]

        def ask(name: str, **asked: Any) -> str:
            # Who is in no team has no rows of their own in the lists: those numbers open nothing.
            return f"{self.address(name)}?{urlencode({'team': team.pk, **asked})}" if team else ""

        cover = sum(figures.coverage_by(of(f"desk-cover-{COVER_DAYS}"), "owner").values(), figures.Covered())
        first = figures.first_month(self.as_of)
        return KeptLine(
            words=team.name if team else _("No team"),
            kept=sum((executive.retention_of(cell) for cell in of("firm-retention")), executive.Retention()),
            before=ask("customers", **self.base),
            again=ask("customers", **self.base, **self.again),
            desk=ask("team"),
            customers=sum(cell["customers"] for cell in of("desk-moves-91") if cell["after"] != NO_TIER),
            customers_query=ask("customers", closed="no"),
            reds=sum(number for owner, number in reds.items() if owner in owners),
            reds_query=ask("customers", health="red"),
            lapsed=sum(cell["customers"] for cell in of("desk-lapses")),
            lapsed_query=ask("customers", lapsed_from=first, lapsed_to=self.as_of),
            covered=cover,
            coverage_query=ask(
                "coverage-rows",
                due_from=self.as_of - dt.timedelta(days=COVER_DAYS),
                due_to=self.as_of - dt.timedelta(days=1),
                due="yes",
            ),
        )

    def tier_lines(self) -> list[KeptLine]:
        found = executive.retention_by(self.crew.of(self.cells["firm-retention"]), lambda cell: cell["tier"])
        order = TIER_ORDER[self.policy.section(TierPolicy).scheme]
        tiers = [tier for tier in (*order, *sorted({str(tier) for tier in found} - {*order})) if tier in found]
        return [
            KeptLine(
                words=explorer.tier_words(tier),
                kept=found[tier],
                before=self.ask("customers", **self._then(tier)),
                again=self.ask("customers", **self._then(tier), **self.again),
            )
            for tier in tiers
        ]

    def _then(self, tier: str) -> dict[str, Any]:
        return {**self.base, "tier_then": tier or NONE, "then": self.years.middle}

    # ── cohorts ──

    def cohort_lines(self) -> list[CohortLine]:
        cohorts = executive.cohorts_of(self.crew.of(self.cells["firm-cohorts"]), self.as_of)[-MOST_PERIODS:]
        lines = []
        for cohort in cohorts:
            came = {"came_from": cohort.first, "came_to": cohort.end}
            boxes = [
                CohortBox(
                    cell,
                    self.ask("customers", **came, ordered_from=cell.first, ordered_to=cell.end),
                    0 if cell.share is None else min(4, int(cell.share * 5)),
                )
                for cell in cohort.cells
            ]
            lines.append(
                CohortLine(self._period(cohort), cohort.customers, self.ask("customers", **came), tuple(boxes))
            )
        return lines

    def _period(self, cohort: executive.Cohort) -> str:
        if cohort.first.month == 1 and cohort.end.month == 1 and cohort.end.year == cohort.first.year + 1:
            return str(cohort.first.year)
        return _("%(year)d Q%(quarter)d") % {"year": cohort.first.year, "quarter": (cohort.first.month + 2) // 3}

    # ── the programme ──

    def flows(self, programme: executive.Programme | None) -> list[tuple[int, Decimal]]:
        return list(enumerate(programme.found.flows)) if programme and programme.found else []

    def missing(self, programme: executive.Programme | None) -> list[str]:
        words = {
            "costs": _("what it costs"),
            "margin": _("contribution margin"),
            "baseline": _("money retained before it"),
        }
        return [words[name] for name in programme.missing] if programme else []

    def export(self) -> HttpResponseBase:
        self.check_export("customers:export")
        heads = [
            _("Team"), _("Customers"), _("Bought in the year before"), _("Bought again"), _("Money before"),
            _("Of it bought again"), _("Money now"),
        ]  # fmt: skip
        rows: Sequence[Sequence[Any]] = [
            (each.words, each.customers, each.kept.customers, each.kept.kept, each.kept.before, each.kept.retained, each.kept.now)
            for each in self.team_lines()
        ]  # fmt: skip
        return self.csv_file("retention", list(write_csv(heads, rows)), self.as_of)
