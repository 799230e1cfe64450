"""The segment explorer: the RFM grid, moves between tiers, sales figures, cross-sell rules."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar, Final, get_args

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy

from dashboards import charts, explorer
from dashboards.filters import CrossSellPageFilter
from dashboards.matrix import NONE, Matrix, direction, matrix
from dashboards.tables import CrossSellTable
from dashboards.tier_words import explained
from segmentation import figures
from segmentation.models import CrossSellRule, TierChange
from segmentation.rules import sales
from segmentation.rules.policy import SCHEMES, CrossSellPolicy, Scheme, TierPolicy
from segmentation.rules.tiers import NO_TIER, TIER_ORDER
from segmentation.words import WHY_NO_RULES
from tenants.api.fields import FIRST_YEAR, LAST_YEAR
from tenants.base import POINTS
from tenants.export import write_csv
from tenants.models import Member, Run
from tenants.pages import ListPage, PageTable, TenantView
from tenants.policies import Policy, policy_numbered, policy_of
from tenants.policy_words import PACK_LABELS
from tenants.querysets import last_night

AXES: Final = {
    "rf": gettext_lazy("Recency × frequency"),
    "rm": gettext_lazy("Recency × money"),
    "fm": gettext_lazy("Frequency × money"),
}
SCORES: Final = {
    "r": pgettext_lazy("score", "Recency"),
    "f": pgettext_lazy("score", "Frequency"),
    "m": pgettext_lazy("score", "Money"),
}


class ExplorerView(TenantView):
    """A page of the explorer. `known` are the parameters it has, `exports` the files; another one is a 400."""

    nav = "segments"
    known: ClassVar[frozenset[str]] = frozenset()
    exports: ClassVar[tuple[str, ...]] = ("csv",)

    @cached_property
    def night(self) -> Run | None:
        return last_night()

    @cached_property
    def policy(self) -> Policy:
        return policy_of(self.night)

    @cached_property
    def as_of(self) -> dt.date:
        return self.night.for_date if self.night else self.request.tenant.today()

    def check_parameters(self) -> None:
        self.refuse_unknown(*self.known)
        if (asked := self.request.GET.get("export")) is not None and asked not in self.exports:
            raise BadRequest(_("export is one of: %(known)s.") % {"known": ", ".join(self.exports)})

    def day(self, name: str, usual: dt.date) -> dt.date:
        """The day that a parameter names, `usual` when it is empty. Raises BadRequest for what is no day."""
        text = self.request.GET.get(name)
        if not text:
            return usual
        try:
            found = parse_date(text)
        except ValueError:
            found = None
        if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
            raise BadRequest(_("%(name)s is a day, like 2026-10-01, not %(text)s.") % {"name": name, "text": text})
        return found

    def csv(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
        """The rows as a file of the night's day; only for whom the export is allowed."""
        self.check_export("customers:export")
        return self.csv_file(name, list(write_csv(columns, rows)), self.as_of)


class SegmentGrid(ExplorerView):
    """Five by five: how many customers, and how much money, by two of the three scores; each cell opens its rows."""

    permission = "segments:read"
    known = frozenset({"axes", "beside", "export"})

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.check_parameters()
        axes = request.GET.get("axes", "rf")
        if axes not in get_args(explorer.Axes):
            raise BadRequest(_("axes is one of: %(known)s.") % {"known": ", ".join(explorer.AXES)})
        grid = explorer.grid(self.member, axes)  # type: ignore[arg-type]  # just checked
        if request.GET.get("export"):
            return self.export(grid)
        scheme = self.policy.section(TierPolicy).scheme
        other = self.other(scheme)
        return self.render(
            "dashboards/segments.html",
            section="grid",
            grid=grid,
            axes=[(code, words, code == axes) for code, words in AXES.items()],
            letters=axes.upper(),
            down=SCORES[axes[0]],
            across=SCORES[axes[1]],
            segments=explorer.segments(self.member),
            never=explorer.never_bought(self.member),
            beside=explorer.beside(self.member, scheme, other),
            scheme_words=PACK_LABELS[scheme],
            other=other,
            other_words=PACK_LABELS[other],
            schemes=[(code, PACK_LABELS[code], code == other) for code in SCHEMES if code != scheme],
            months=self.policy.section(TierPolicy).window_months,
        )

    def other(self, scheme: Scheme) -> Scheme:
        asked = self.request.GET.get("beside")
        if asked is None:
            return next(each for each in SCHEMES if each != scheme)
        for each in SCHEMES:
            if each == asked and each != scheme:
                return each
        known = ", ".join(each for each in SCHEMES if each != scheme)
        raise BadRequest(_("beside is one of: %(known)s.") % {"known": known})

    def export(self, grid: explorer.Grid) -> HttpResponseBase:
        columns = [str(SCORES[grid.axes[0]]), str(SCORES[grid.axes[1]]), _("Customers"), _("Net money")]
        rows = [
            (score, across, cell.customers, cell.money)
            for score, cells in grid.rows
            for across, cell in zip(grid.scores, cells, strict=True)
        ]
        return self.csv("segments", columns, rows)


class Migration(ExplorerView):
    """Which tier customers had on one day, and which on another, with their money."""

    permission = "tiers:read"
    known = frozenset({"from", "to", "export"})
    exports = ("csv", "changes")

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.check_parameters()
        end = self.day("to", self.as_of)
        start = self.day("from", end - dt.timedelta(days=figures.MIGRATION_DAYS))
        if start > end:
            raise BadRequest(_("The first day lies after the second."))
        if request.GET.get("export") == "changes":
            return self.export_changes(start, end)
        moved = figures.migration(self.member, start, end)
        cells = {(a, b): (count, Decimal(money) / POINTS) for a, b, count, money in moved.iter_rows()}
        if request.GET.get("export"):
            columns = [pgettext("tier", "From"), pgettext("tier", "To"), _("Customers"), _("Net money")]
            words = explorer.tier_words
            return self.csv("moves", columns, [(words(a), words(b), *cells[a, b]) for a, b in sorted(cells)])
        everybody = sum(count for count, _money in cells.values())
        return self.render(
            "dashboards/segments_migration.html",
            section="migration",
            start=start,
            end=end,
            matrix=self.table(cells, start, end),
            moved=sum(count for (old, new), (count, _money) in cells.items() if old != new),
            first=sum(count for (old, new), (count, _money) in cells.items() if old == NO_TIER != new),
            everybody=everybody,
            months=self.policy.section(TierPolicy).window_months,
        )

    def export_changes(self, start: dt.date, end: dt.date) -> HttpResponseBase:
        """The history itself: every change after the first day until the second, and why; first tiers are no news."""
        changes = (
            TierChange.objects.visible_to(self.member)
            .filter(on__gt=start, on__lte=end)
            .exclude(before=NO_TIER)
            .select_related("customer")
            .order_by("on", "pk")
        )
        rules: dict[int, TierPolicy] = {}
        rows = []
        for change in changes:
            version = change.policy_version
            if version not in rules:
                rules[version] = policy_numbered(version).section(TierPolicy)
            tiers = explorer.tier_words(change.before), explorer.tier_words(change.after)
            rows.append((change.on, str(change.customer), *tiers, explained(change, rules[version]), version))
        columns = [
            _("Day"), _("Customer"), pgettext("tier", "From"), pgettext("tier", "To"), _("Why"), _("Policy version"),
        ]  # fmt: skip
        return self.csv("tier-changes", columns, rows)

    def table(self, cells: dict[tuple[str, str], tuple[int, Decimal]], start: dt.date, end: dt.date) -> Matrix:
        order = TIER_ORDER[self.policy.section(TierPolicy).scheme]
        present = {tier for pair in cells for tier in pair}
        # Tiers of a scheme that was in force before come after today's, and none last.
        tiers = (*order, *sorted(present - {*order, NO_TIER}), NO_TIER)
        before = [tier for tier in tiers if tier in order or any(a == tier for a, _b in cells)]
        after = [tier for tier in tiers if tier in order or any(b == tier for _a, b in cells)]

        def query(old: str | None, new: str | None) -> str:
            if old is None and new is None:
                return ""  # everybody
            asked = [f"moved_from={start}", f"moved_to={end}"]
            asked += [f"tier_before={old or NONE}"] if old is not None else []
            asked += [f"tier_after={new or NONE}"] if new is not None else []
            return "&".join(asked)

        return matrix(
            cells, before, after, label=explorer.tier_words, kind=direction(order), query=query, foot=_("Sum")
        )  # fmt: skip


# ── sales figures ────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class RateRow:
    """A repurchase rate with the questions that open its rows: who bought before, who again, who did not."""

    rate: sales.Rate
    words: str
    before: str
    again: str
    not_again: str


PERIODS: Final = {
    "month": pgettext_lazy("period", "Month"),
    "quarter": pgettext_lazy("period", "Quarter"),
    "year": pgettext_lazy("period", "Year"),
}


def _rate_row(rate: sales.Rate) -> RateRow:
    before = f"ordered_from={rate.span.before}&ordered_to={rate.start}"
    return RateRow(
        rate,
        str(PERIODS[rate.period]),
        before,
        f"{before}&again_from={rate.start}&again_to={rate.end}",
        f"{before}&not_ordered_from={rate.start}&not_ordered_to={rate.end}",
    )


class Figures(ExplorerView):
    """Repurchase rate, average order value, who brings the money, and the year's season."""

    permission = "values:read"
    known = frozenset({"export"})
    exports = ("repurchase", "order-values", "pareto", "seasons")

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.check_parameters()
        sheet = request.GET.get("export")
        if sheet is not None:
            return getattr(self, f"export_{sheet.replace('-', '_')}")()
        values, pareto, seasons = self.values, self.pareto, self.seasons
        series = figures.repurchase_series(self.member, self.as_of)
        currency = self.request.tenant.currency
        return self.render(
            "dashboards/segments_figures.html",
            section="figures",
            as_of=self.as_of,
            rates=[_rate_row(rate) for rate in self.rates],
            series=[_rate_row(rate) for rate in reversed(series)],
            series_chart=charts.shares([(rate.start, rate.share) for rate in series]),
            values=values,
            growth=[(str(PERIODS[each.period]), each) for each in values.growth],
            months=list(reversed(values.months)),
            values_chart=charts.averages([(each.month, each.average) for each in values.months], currency),
            pareto=pareto,
            pareto_chart=charts.pareto(pareto),
            core_query=f"money_from={pareto.core_line}&closed=no",
            seasons=seasons,
            seasons_chart=charts.seasons(seasons),
            needed_years=sales.SEASON_YEARS,
        )

    @cached_property
    def rates(self) -> list[sales.Rate]:
        return figures.repurchase(self.member, self.as_of)

    @cached_property
    def values(self) -> sales.OrderValues:
        return figures.order_values(self.member, self.as_of)

    @cached_property
    def pareto(self) -> sales.Pareto:
        return figures.pareto(self.member, self.as_of, self.policy.section(TierPolicy))

    @cached_property
    def seasons(self) -> sales.Seasons:
        return figures.seasons(self.member, self.as_of)

    def export_repurchase(self) -> HttpResponseBase:
        columns = [
            _("Period"),
            pgettext("period", "Before"),
            _("Start"),
            _("End"),
            pgettext("period", "Ordered before"),
            _("Ordered again"),
            _("Share"),
        ]
        rates = [*self.rates, *figures.repurchase_series(self.member, self.as_of)]
        rows = [
            (str(PERIODS[each.period]), each.span.before, each.start, each.end, each.buyers_before, each.bought_again,
             each.share)
            for each in rates
        ]  # fmt: skip
        return self.csv("repurchase", columns, rows)

    def export_order_values(self) -> HttpResponseBase:
        columns = [_("Month"), _("Orders"), _("Net money"), _("Net money per order")]
        rows = [
            # What the division leaves beyond the cent says nothing.
            (each.month, each.orders, each.net, None if each.average is None else round(each.average, 2))
            for each in self.values.months
        ]
        return self.csv("order-values", columns, rows)

    def export_pareto(self) -> HttpResponseBase:
        columns = [_("Customers"), _("Share of the money")]
        return self.csv("pareto", columns, [(each.customers, each.share) for each in self.pareto.points])

    def export_seasons(self) -> HttpResponseBase:
        columns = [_("Month"), _("Orders"), _("Share"), _("Least of a year"), _("Most of a year")]
        rows = [(each.month, each.orders, each.share, each.least, each.most) for each in self.seasons.months]
        return self.csv("seasons", columns, rows)


# ── cross-sell ───────────────────────────────────────────────────────────────


def _rules(_member: Member) -> Any:
    return CrossSellRule.objects.all()


class CrossSellRules(ListPage):
    """What follows what: the rules of the last search, each with the customers whom B could be offered."""

    permission = "cross-sell:read"
    nav = "segments"
    queryset = staticmethod(_rules)
    filterset = CrossSellPageFilter
    table = CrossSellTable
    template = "dashboards/segments_cross_sell.html"
    empty = "dashboards/segments_cross_sell_empty.html"
    sort = "-lift"
    export_permission = "customers:export"
    export_name = "cross-sell"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s rule", "%(count)s rules", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        run = figures.last_search()
        rules = policy_numbered(run.policy_version).section(CrossSellPolicy) if run else None
        reason = WHY_NO_RULES.get(run.reason, "") if run else ""
        return {"section": "cross-sell", "search": run, "rules": rules, "why_none": reason}

    def _bound(self, rows: Sequence[Any], columns: list[str]) -> PageTable:
        labels = figures.item_labels({item for row in rows for item in (row.antecedent, row.consequent)})
        for row in rows:
            row.antecedent_label, row.consequent_label = labels[row.antecedent], labels[row.consequent]
        return super()._bound(rows, columns)
