"""The health dashboard: how everybody is doing and how that moved, where machine and person differ, data quality."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, cast, get_args

from django.core.exceptions import BadRequest
from django.db.models import F
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from dashboards import charts
from dashboards.disagreements import DisagreementFilter, DisagreementTable
from dashboards.fact_words import FACT_KINDS, HOW_TO_FILL
from dashboards.filters import NOBODY, NOT_SCORED
from dashboards.matrix import Matrix, direction, matrix
from dashboards.receipts import NAMES
from dashboards.views.segments import ExplorerView
from health import figures, quality
from health.models import Band
from health.rules.policy import HealthPolicy
from segmentation.rules.policy import TierPolicy
from tenants.pages import ListPage

DIFFERING: Final = 4
"""Disagreements that the overview shows, those with most money."""

BAR: Final = 96
"""Units of a bar's whole width."""

OWNERS: Final = 25
"""Owners that the overview shows, those with most money in red; the others are behind a link, and in the file."""


class HealthPage(ExplorerView):
    """A page of the health dashboard."""

    nav = "health"
    permission = "scores:read"

    @cached_property
    def rules(self) -> HealthPolicy:
        return self.policy.section(HealthPolicy)

    @cached_property
    def months(self) -> int:
        """The window of the money beside the numbers."""
        return self.policy.section(TierPolicy).window_months


@dataclass(frozen=True)
class TrendBand:
    """A colour in the legend of the trend: now, and how many more than in the first week shown."""

    band: str
    customers: int
    change: int | None


@dataclass(frozen=True)
class OwnerPart:
    """The customers of an owner in a colour, and their part of a bar of BAR units."""

    band: str
    customers: int
    x: float
    width: float


@dataclass(frozen=True)
class OwnerLine:
    """An owner's customers as the page shows them; `query` opens them in the customers list."""

    row: figures.OwnerHealth
    words: str
    query: str
    parts: Sequence[OwnerPart]


class Overview(HealthPage):
    """Distribution, trend, who moved, from which colour to which, and by owner; every number opens its rows."""

    known = frozenset({"since", "from", "to", "owners", "export"})
    exports = ("distribution", "trend", "up", "down", "moves", "owners")

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.check_parameters()
        sheet = request.GET.get("export")
        if sheet is not None:
            return self.sheet(sheet)
        weeks, disagreeing = self.weeks, figures.disagreements(self.member)
        owners = figures.owners(self.member, None if self.all_owners else OWNERS)
        return self.render(
            "dashboards/health.html",
            section="overview",
            as_of=self.as_of,
            rules=self.rules,
            months=self.months,
            shares=self.shares,
            everybody=sum(each.customers for each in self.shares),
            rescored=figures.rescored(self.member),
            disagreeing=disagreeing.count(),
            differing=disagreeing.order_by(F("net").desc(nulls_last=True), "pk")[:DIFFERING],
            weeks=list(reversed(weeks)),
            trend=_legend(weeks),
            trend_chart=charts.bands(weeks),
            is_own=self.is_own,
            since=self.since,
            sinces=[(code, SINCE_WORDS[code](), code == self.since) for code in get_args(figures.Since)],
            movers=self.movers,
            start=self.span[0],
            end=self.span[1],
            matrix=self.matrix(),
            owners=[_owner_line(each) for each in owners.shown],
            owners_count=owners.count,
            bar=BAR,
        )

    @cached_property
    def shares(self) -> list[figures.BandShare]:
        return figures.distribution(self.member)

    @cached_property
    def weeks(self) -> list[figures.Week]:
        return figures.trend(self.member, self.as_of)

    @cached_property
    def all_owners(self) -> bool:
        asked = self.request.GET.get("owners", "")
        if asked not in ("", "all"):
            raise BadRequest(_("owners is one of: %(known)s.") % {"known": "all"})
        return asked == "all"

    @cached_property
    def is_own(self) -> bool:
        """Whether the trend leaves out customers whom the member sees without being, or leading, their A owner."""
        return figures.sees_by_owner(self.member)

    @cached_property
    def since(self) -> figures.Since:
        asked = self.request.GET.get("since", "week")
        if asked not in get_args(figures.Since):
            raise BadRequest(_("since is one of: %(known)s.") % {"known": ", ".join(get_args(figures.Since))})
        return cast(figures.Since, asked)

    @cached_property
    def movers(self) -> figures.Movers:
        return figures.movers(self.member, self.as_of, self.since)

    @cached_property
    def span(self) -> tuple[dt.date, dt.date]:
        """The two days between which moves are shown."""
        end = self.day("to", self.as_of)
        start = self.day("from", figures.usual_start(end))
        if start > end:
            raise BadRequest(_("The first day lies after the second."))
        return start, end

    @cached_property
    def moves(self) -> Mapping[tuple[str, str], tuple[int, Decimal]]:
        return figures.transitions(self.member, *self.span)

    def matrix(self) -> Matrix:
        start, end = self.span
        present = {band for pair in self.moves for band in pair}
        ends = (figures.NOT_SCORED,) if figures.NOT_SCORED in present else ()
        order = (*figures.BANDS, *ends)

        def query(old: str | None, new: str | None) -> str:
            if old is None and new is None:
                return ""
            asked = [f"health_before={old or NOT_SCORED}", f"health_from={start}"] if old is not None else []
            asked += [f"health_after={new or NOT_SCORED}", f"health_to={end}"] if new is not None else []
            return "&".join(asked)

        return matrix(
            self.moves, order, order, label=band_words, kind=direction(figures.BANDS[:3]), query=query, foot=_("Sum")
        )

    # ── files ───────────────────────────────────────────────────────────────

    def sheet(self, name: str) -> HttpResponseBase:
        columns, rows = getattr(self, f"sheet_{name}")()
        return self.csv(f"health-{name}", columns, rows)

    def sheet_distribution(self) -> Sheet:
        columns = [_("Health"), _("Customers"), _("Share"), _("Net money"), _("Share of the money")]
        return columns, (
            (band_words(each.band), each.customers, each.customer_share, each.money, each.money_share)
            for each in self.shares
        )

    def sheet_trend(self) -> Sheet:
        columns = [_("Day"), _("Health"), _("Customers"), _("Net money")]
        return columns, (
            (week.on, band_words(band), week.customers.get(band, 0), week.money.get(band, Decimal(0)))
            for week in self.weeks
            for band in figures.BANDS
        )

    def sheet_up(self) -> Sheet:
        return self._sheet_of_movers(figures.movers(self.member, self.as_of, self.since, limit=None).up)

    def sheet_down(self) -> Sheet:
        return self._sheet_of_movers(figures.movers(self.member, self.as_of, self.since, limit=None).down)

    def _sheet_of_movers(self, movers: Sequence[figures.Mover]) -> Sheet:
        columns = [
            _("Customer"),
            _("Score"),
            _("Health"),
            _("Points"),
            pgettext("day", "Since"),
            _("Net money"),
            _("A owner"),
        ]
        return columns, (
            (
                str(each.customer), each.score, band_words(each.band), each.change, self.movers.start, each.money,
                str(each.customer.owner_a or ""),
            )
            for each in movers
        )  # fmt: skip

    def sheet_moves(self) -> Sheet:
        start, end = self.span
        columns = [
            _("Day"),
            pgettext("health", "From"),
            _("Day"),
            pgettext("health", "To"),
            _("Customers"),
            _("Net money"),
        ]
        return columns, ((start, band_words(a), end, band_words(b), *self.moves[a, b]) for a, b in sorted(self.moves))

    def sheet_owners(self) -> Sheet:
        columns = [
            _("A owner"),
            *map(band_words, figures.BANDS),
            _("Fallen in a week"),
            _("Net money"),
            _("Net money in red"),
        ]
        return columns, (
            (
                str(each.owner or ""), *(each.customers.get(band, 0) for band in figures.BANDS), each.fallen, each.money,
                each.red_money,
            )
            for each in figures.owners(self.member).shown
        )  # fmt: skip


Sheet = tuple[Sequence[str], Iterable[Sequence[Any]]]

SINCE_WORDS: Final = {"week": lambda: pgettext("since", "Week"), "month": lambda: pgettext("since", "Month")}


def band_words(band: str) -> str:
    """A colour in words; for who had none on a day its own."""
    return str(Band(band).label) if band else pgettext("health", "Not scored")


def _legend(weeks: Sequence[figures.Week]) -> list[TrendBand]:
    """The colours of the last week, and what has changed since the first one."""
    if not weeks:
        return []
    first, last = weeks[0], weeks[-1]
    return [
        TrendBand(
            band,
            last.customers.get(band, 0),
            last.customers.get(band, 0) - first.customers.get(band, 0) if len(weeks) > 1 else None,
        )
        for band in figures.BANDS
    ]


def _owner_line(row: figures.OwnerHealth) -> OwnerLine:
    parts, x = [], 0.0
    for band in figures.BANDS:
        count = row.customers.get(band, 0)
        width = BAR * count / row.total
        parts.append(OwnerPart(band, count, x, width))
        x += width
    owner = row.owner
    return OwnerLine(row, str(owner or _("nobody")), f"owner_a={owner.pk if owner else NOBODY}", parts)


# ── machine and person ───────────────────────────────────────────────────────


class Disagreement(ListPage):
    """Customers whom a person sees otherwise than the score, by a colour or more."""

    permission = "scores:read"
    nav = "health"
    queryset = staticmethod(figures.disagreements)
    filterset = DisagreementFilter
    table = DisagreementTable
    template = "dashboards/health_disagreement.html"
    empty = "dashboards/health_disagreement_empty.html"
    sort = "-money"
    export_permission = "customers:export"
    export_name = "disagreement"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s customer", "%(count)s customers", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        rules, _as_of = quality.rules_in_force()
        return {"section": "disagreement", "rules": rules}


# ── data quality ─────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class KindLine:
    """A kind of fact as the page shows it: `fresh` and `stale` are parts of a bar of BAR units, `mark` its goal."""

    row: quality.KindQuality
    words: str
    indicators: Sequence[str]
    advice: str
    fresh: float
    stale: float
    mark: float


class DataQuality(HealthPage):
    """Of how many customers each kind of fact is there and fresh, and which scores rest on it."""

    known = frozenset({"export"})

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.check_parameters()
        meter = quality.quality(self.member)
        if request.GET.get("export"):
            return self.csv("data-quality", *self.sheet(meter))
        share = meter.share
        return self.render(
            "dashboards/health_quality.html",
            section="quality",
            as_of=self.as_of,
            rules=self.rules,
            meter=meter,
            bar=BAR,
            fill=BAR * share if share is not None else 0,
            mark=BAR * meter.goal / 100,
            lines=[self.line(each, meter.goal) for each in meter.kinds],
        )

    def line(self, row: quality.KindQuality, goal: int) -> KindLine:
        base = row.base or 1
        return KindLine(
            row=row,
            words=str(FACT_KINDS[row.kind]),
            indicators=[str(NAMES[key]) for key in quality.INDICATORS[row.kind]],
            advice=str(HOW_TO_FILL[row.kind]) if row.short and row.weight else "",
            fresh=round(BAR * row.fresh / base, 1),
            stale=round(BAR * row.stale / base, 1),
            mark=round(BAR * goal / 100, 1),
        )

    def sheet(self, meter: quality.Quality) -> Sheet:
        columns = [
            _("Kind of fact"), _("Weight"), _("Customers"), pgettext("fact", "Fresh"), pgettext("fact", "Stale"),
            pgettext("fact", "Missing"), _("Share fresh"), _("Short of the goal"), _("Scores that rest on it"),
            _("of these on stale facts"),
        ]  # fmt: skip
        return columns, (
            (
                str(FACT_KINDS[row.kind]), row.weight, row.base, row.fresh, row.stale, row.missing, row.share, row.short,
                row.used, row.used_stale,
            )
            for row in meter.kinds
        )  # fmt: skip
