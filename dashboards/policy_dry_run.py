"""The dry run of a draft as the page shows it: the verdict, the matrices, the bars, and what would fit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, cast

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from dashboards.dry_run import Alternative, DryRun, Load, alternatives, dry_run, tier_label
from dashboards.dry_run_health import Colours, LapseWarnings
from dashboards.matrix import NONE, Matrix, Row, direction, matrix
from dashboards.policy_draft import Draft
from dashboards.policy_fields import changes
from health.figures import BANDS
from health.models import Band
from health.rules.policy import HealthPolicy
from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import TIER_ORDER
from tenants.templatetags.perennial import day, whole

BAR: Final = 300.0
"""Width of a bar's picture, in its own units."""


@dataclass(frozen=True)
class Bar:
    """Touches a week of one person; widths are in units of BAR."""

    load: Load
    name: str
    before: str
    within: str
    over: str
    over_from: str
    mark: str
    has_mark: bool
    query: str


@dataclass(frozen=True)
class Way:
    """An alternative, with what its button sets in the draft."""

    words: str
    touches: int
    fits: bool
    values: str


@dataclass(frozen=True)
class Lapses:
    """Who is warned of now and who would be, with the questions that open them in the forecast's list."""

    forecast: LapseWarnings
    now: str
    then: str
    note: str


@dataclass(frozen=True)
class Panel:
    """All that the panel shows; `colours` and `lapses` are None where the draft says nothing else about them."""

    run: DryRun
    fits: bool
    verdict: str
    details: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    foot: Row
    note: str
    colours: Matrix | None
    colours_note: str
    lapses: Lapses | None
    bars: tuple[Bar, ...]
    ways: tuple[Way, ...]

    @property
    def has_way_out(self) -> bool:
        return any(way.fits for way in self.ways)

    @property
    def over(self) -> int:
        """Touches a week of all together beyond the capacity of all."""
        return max(0, self.run.touches_after - self.run.capacity)


def panel_of(draft: Draft) -> Panel:
    """Try the draft out, and put what came out into words.

    Raises InvalidPolicy for a draft with faults.
    """
    run = dry_run(draft.document)
    verdict, details = _verdict(run, is_changed=draft.is_changed)
    table = _matrix(run)
    return Panel(
        run=run,
        fits=run.fits,
        verdict=verdict,
        details=details,
        columns=table.columns,
        rows=table.rows,
        foot=table.foot,
        note=_note(run),
        colours=_colours(run.colours) if run.colours else None,
        colours_note=_colours_note(run),
        lapses=_lapses(run.forecast, run) if run.forecast else None,
        bars=_bars(run),
        ways=tuple(_way(draft, each) for each in alternatives(draft.document, run)),
    )


def _tier(tier: str) -> str:
    return tier_label(tier) if tier else pgettext("tier", "No tier")


# ── the verdict ──────────────────────────────────────────────────────────────


def _verdict(run: DryRun, *, is_changed: bool) -> tuple[str, str]:
    """The sentence that decides, and what it rests on; a draft that changes nothing is the policy in force."""
    moves = ngettext("%(number)s customer changes tier.", "%(number)s customers change tier.", run.moved)
    moved = moves % {"number": whole(run.moved)} if run.moved else _("Nobody changes tier.")
    said = [_asks(run, is_changed=is_changed), moved]
    if run.colours:
        said.append(recoloured(run.colours))
    if run.forecast:
        said.append(_warned(run.forecast))
    if not run.capacity:
        return _("Nobody is there to make touches."), _joined(*said)
    numbers = {"needed": whole(run.people_needed), "people": whole(run.people)}
    if run.fits:
        strong = ngettext(
            "It fits: it needs %(needed)s person, you have %(people)s.",
            "It fits: it needs %(needed)s people, you have %(people)s.",
            run.people_needed,
        )
    else:
        strong = ngettext(
            "It needs %(needed)s person, you have %(people)s.",
            "It needs %(needed)s people, you have %(people)s.",
            run.people_needed,
        )
    return strong % numbers, _joined(*said)


def _asks(run: DryRun, *, is_changed: bool) -> str:
    touches = run.touches_after
    if is_changed:
        words = ngettext(
            "The draft asks for %(touches)s touch a week, there is room for %(capacity)s.",
            "The draft asks for %(touches)s touches a week, there is room for %(capacity)s.",
            touches,
        )
    else:
        words = ngettext(
            "The policy in force asks for %(touches)s touch a week, there is room for %(capacity)s.",
            "The policy in force asks for %(touches)s touches a week, there is room for %(capacity)s.",
            touches,
        )
    return words % {"touches": whole(touches), "capacity": whole(run.capacity)}


def recoloured(colours: Colours) -> str:
    """How many turn to which colour, worst first: one sentence."""
    if not colours.changed:
        return _("Nobody changes colour.")
    red, yellow, green, none = map(colours.turned, (Band.RED, Band.YELLOW, Band.GREEN, Band.NONE))
    # The first clause says of what, the others need not.
    clauses = (
        (
            red,
            ngettext("%(number)s customer turns red", "%(number)s customers turn red", red),
            ngettext("%(number)s turns red", "%(number)s turn red", red),
        ),
        (
            yellow,
            ngettext("%(number)s customer turns yellow", "%(number)s customers turn yellow", yellow),
            ngettext("%(number)s turns yellow", "%(number)s turn yellow", yellow),
        ),
        (
            green,
            ngettext("%(number)s customer turns green", "%(number)s customers turn green", green),
            ngettext("%(number)s turns green", "%(number)s turn green", green),
        ),
        (
            none,
            ngettext("%(number)s customer loses its colour", "%(number)s customers lose their colour", none),
            ngettext("%(number)s loses its colour", "%(number)s lose their colour", none),
        ),
    )
    said: list[str] = []
    for number, first, next_one in clauses:
        if number:
            said.append((next_one if said else first) % {"number": whole(number)})
    return _("%(clauses)s.") % {"clauses": pgettext("between clauses", ", ").join(said)}


def _warned(forecast: LapseWarnings) -> str:
    words = ngettext(
        "%(after)s customer would have a lapse warning, now %(before)s.",
        "%(after)s customers would have a lapse warning, now %(before)s.",
        forecast.after.customers,
    )
    return words % {"after": whole(forecast.after.customers), "before": whole(forecast.before.customers)}


def _joined(*sentences: str) -> str:
    return pgettext("between sentences on one line", " ").join(each for each in sentences if each)


def _note(run: DryRun) -> str:
    """Who rises, who falls and when, who moves anyway."""
    said = []
    if run.rises:
        words = ngettext("%(number)s rises at once.", "%(number)s rise at once.", run.rises)
        said.append(words % {"number": whole(run.rises)})
    if run.falls and run.falls_on:
        grace = cast(TierPolicy, run.sections[TierPolicy.section]).grace_days
        words = ngettext(
            "%(number)s falls after %(grace)s days below the line, on %(day)s at the earliest.",
            "%(number)s fall after %(grace)s days below the line, on %(day)s at the earliest.",
            run.falls,
        )
        said.append(words % {"number": whole(run.falls), "grace": grace, "day": day(run.falls_on)})
    others = run.moved - run.rises - run.falls
    if others:
        words = ngettext(
            "%(number)s gets a tier of another scheme, a first one, or none.",
            "%(number)s get a tier of another scheme, a first one, or none.",
            others,
        )
        said.append(words % {"number": whole(others)})
    if run.anyway:
        words = ngettext(
            "%(number)s of them moves the same way without the draft.",
            "%(number)s of them move the same way without the draft.",
            run.anyway,
        )
        said.append(words % {"number": whole(run.anyway)})
    return _joined(*said)


# ── the matrices ─────────────────────────────────────────────────────────────


def _matrix(run: DryRun) -> Matrix:
    order = TIER_ORDER[cast(TierPolicy, run.sections[TierPolicy.section]).scheme]
    return matrix(
        {tiers: (cell.customers, cell.money) for tiers, cell in run.cells.items()},
        run.tiers_before,
        run.tiers_after,
        label=_tier,
        kind=direction(order),
        query=_query,
        foot="",
    )


def _colours(colours: Colours) -> Matrix:
    return matrix(
        {pair: (cell.customers, cell.money) for pair, cell in colours.cells.items()},
        BANDS,
        BANDS,
        label=lambda band: str(Band(band).label),
        kind=direction(BANDS[:3]),
        query=_query,
        foot="",
    )


def _colours_note(run: DryRun) -> str:
    """Where the two matrices speak of different days: who waits to fall has the weights of the old tier meanwhile."""
    health = cast(HealthPolicy, run.sections[HealthPolicy.section])
    if not (run.colours and health.tier_weights and run.at_once < run.moved):
        return ""
    return _("Colours are those of the next night: who falls later has the weights of the tier until then.")


def _query(before: str | None, after: str | None) -> str:
    asked = [f"before={before or NONE}"] if before is not None else []
    asked += [f"after={after or NONE}"] if after is not None else []
    return "&".join(asked) or "who=all"


# ── lapse warnings ───────────────────────────────────────────────────────────


def _lapses(forecast: LapseWarnings, run: DryRun) -> Lapses:
    if forecast.has_model:
        then = f"lapse_from={forecast.warn_percent}"
    else:
        then = f"no_forecast=no_model&not_ordered_from={forecast.silent_since}&not_ordered_to={run.as_of}"
    notes = []
    if forecast.has_model:
        notes.append(_("With last night's percents; once it is saved, the next night fits the model anew."))
    else:
        notes.append(_("There is no model yet: the days without an order decide."))
    if forecast.needs_fit:
        notes.append(_("What else the draft changes about the forecast shows only then."))
    return Lapses(forecast, "warned=yes&closed=no", f"{then}&closed=no", _joined(*notes))


# ── touches a week ───────────────────────────────────────────────────────────


def _bars(run: DryRun) -> tuple[Bar, ...]:
    most = max((max(row.before, row.after, row.capacity) for row in run.load), default=0) or 1
    return tuple(_bar(row, BAR / most) for row in run.load)


def _bar(row: Load, unit: float) -> Bar:
    within = min(row.after, row.capacity)
    return Bar(
        load=row,
        name=str(row.member) if row.member else _("Customers of nobody"),
        before=f"{row.before * unit:.1f}",
        within=f"{within * unit:.1f}",
        over=f"{row.over * unit:.1f}",
        over_from=f"{row.capacity * unit:.1f}",
        mark=f"{max(0.0, row.capacity * unit - 2):.1f}",
        has_mark=row.capacity > 0,
        query=f"who=all&owner={row.member.pk if row.member else NONE}",
    )


def _way(draft: Draft, each: Alternative) -> Way:
    values = {change.leaf.name: change.after for change in changes(draft.document, each.document)}
    return Way(each.words, each.touches, each.fits, json.dumps(values, ensure_ascii=False))
