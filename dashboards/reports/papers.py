"""A report in words, in the language that is active: the same sections for the page, the file and the mail.

Every number that has rows says where they are, as an address inside the firm's pages.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, cast
from urllib.parse import urlencode

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from dashboards.explorer import tier_words
from dashboards.matrix import NONE, direction
from dashboards.team.words import LAPSE_CLASSES
from health.models import Band
from incentives.kpis.words import job_title, kpi_title, shown
from incentives.models import Medal, Reward
from incentives.reports.words import title_words
from incentives.rules.kpis import KPIS, Code, Period
from risk.cases.lists import ENDS
from risk.cases.services import cause_title
from risk.models import Alert, Incident
from risk.overview.views import time_words
from segmentation.rules.policy import Scheme
from segmentation.rules.tiers import TIER_ORDER
from tenants.templatetags.perennial import day, moment, money, percent_tenth, short_money, signed, whole

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """What a cell says; `path` opens its rows, below the firm's address. `is_late`: not as it should be, and it says so."""

    text: str
    path: str = ""
    is_number: bool = False
    is_late: bool = False


@dataclass(frozen=True)
class Head:
    """The head of a column."""

    text: str
    is_number: bool = False


@dataclass(frozen=True)
class Section:
    """One part: a table, or without rows a sentence that says why there are none."""

    code: str
    title: str
    heads: Sequence[Head]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    empty: str = ""


@dataclass(frozen=True)
class Paper:
    """A whole report as people read it; `missing` are sentences about what is not in it, or not for good."""

    title: str
    whose: str
    span: str
    made: str
    missing: Sequence[str]
    sections: Sequence[Section]


def paper(facts: Facts) -> Paper:
    """The report in the active language. `facts` are those of dashboards.reports.facts.gather."""
    made_at = parse_datetime(facts["made_at"])
    return Paper(
        title=title_words(facts["kind"], Period.read(facts["period"]), facts["name"]),
        whose=facts["name"] or _("The whole firm"),
        span=_("%(first)s to %(last)s") % {"first": _day(facts["start"]), "last": _day(facts["last"])},
        made=_("made %(when)s from facts of days before %(day)s")
        % {"when": moment(made_at), "day": _day(facts["as_of"])},
        missing=[_missing(each) for each in facts["missing"]],
        sections=[write(facts) for code, write in SECTIONS.items() if code in facts],
    )


# ── small words ─────────────────────────────────────────────────────────────


def _date(said: str) -> dt.date:
    return dt.date.fromisoformat(said)


def _day(said: str) -> str:
    return day(_date(said))


def _path(place: str, facts: Facts, **asked: Any) -> str:
    """A list narrowed to whose report it is."""
    said = {**facts["scope"], **{name: value for name, value in asked.items() if value is not None}}
    return f"{place}?{urlencode(said)}" if said else place


def _span(facts: Facts, first: str, last: str) -> dict[str, str]:
    return {first: facts["start"], last: facts["last"]}


def _count(number: int, path: str = "", *, is_late: bool = False) -> Cell:
    """A number that opens its rows; of nothing there is nothing to open."""
    return Cell(whole(number), path if number else "", is_number=True, is_late=is_late)


def _money(amount: str | None) -> Cell:
    return Cell(short_money(None if amount is None else Decimal(amount)), is_number=True)


def _share(part: int, of: int) -> str:
    return percent_tenth(part / of) if of else "–"


def _missing(each: Facts) -> str:
    code = each["code"]
    if code == "unmeasured":
        names = pgettext("between words", ", ").join(kpi_title(cast(Code, kpi)) for kpi in each["kpis"])
        return _("Nothing to measure in this time for: %(names)s.") % {"names": names}
    if code in ("running", "first_night", "old_night"):
        words = {
            "running": _("This time is not over: facts of days before %(day)s are in the numbers."),
            "first_night": _("Tiers are known since the night of %(day)s; moves before it cannot be."),
            "old_night": _("The last night ran for %(day)s: tiers and health are of that day."),
        }[code]
        return words % {"day": _day(each["until"] if code == "running" else each["day"])}
    return {
        "not_closed": _("The KPIs of this time are not closed yet: they may still change."),
        "no_night": _("No night has run yet: there are no tiers and no health."),
        "no_health_before": _("There is no health from the beginning of this time to compare with."),
        "corrected": _("What came to light after the closing stands beside the frozen KPIs."),
    }[code]


# ── what waits now ──────────────────────────────────────────────────────────


def _now(facts: Facts) -> Section:
    now = facts["now"]
    is_own = "owner_a" in facts["scope"]
    late_work = "today/" if is_own else _path("team/work/", facts, due="late")
    rows = [
        [
            Cell(_("Reds without action")),
            _count(now["idle"], _path("customers/", facts, risk="idle"), is_late=now["idle"] > 0),
            Cell(
                _("%(money)s; %(reds)s red in all")
                % {"money": short_money(Decimal(now["idle_money"])), "reds": whole(now["reds"])}
            ),
        ],
        *(
            [
                Cell(each["name"], f"customers/{each['customer']}/"),
                Cell("", is_number=True),
                Cell(short_money(Decimal(each["money"])) if each["money"] else "–"),
            ]
            for each in now["named"]
        ),
        [Cell(_("Overdue follow-ups")), _count(now["overdue"], late_work, is_late=now["overdue"] > 0), Cell("")],
        [
            Cell(_("Alerts past their time")),
            _count(
                now["late_alerts"],
                _path("alerts/", facts, view="all", state="unclosed", in_time="false"),
                is_late=now["late_alerts"] > 0,
            ),
            Cell(""),
        ],
        [
            Cell(_("Open crises")),
            _count(now["crises"], _path("crises/", facts, is_open="true", is_drill="false")),
            Cell(""),
        ],
    ]
    heads = [Head(_("What")), Head(_("How many"), is_number=True), Head("")]
    note = _("as of %(day)s") % {"day": _day(now["day"])}
    return Section("now", _("What needs somebody now"), heads, rows, note)


# ── KPIs and people ─────────────────────────────────────────────────────────


def _kpis(facts: Facts) -> Section:
    found = facts["kpis"]
    rows = []
    for each in found["values"]:
        code = cast(Code, each["kpi"])
        kpi, value = KPIS[code], _decimal(each["value"])
        achieved = _decimal(each["achieved"])
        where = {"kpi": code, "period": facts["period"], "who": facts["who"]}
        rows.append(
            [
                Cell(kpi_title(code)),
                Cell(shown(kpi, value), f"kpis/rows/?{urlencode(where)}" if value is not None else "", is_number=True),
                Cell(shown(kpi, Decimal(each["target"])), is_number=True),
                _reached(achieved),
                Cell(shown(kpi, _decimal(each["corrected"])) if each["is_corrected"] else "", is_number=True),
            ]
        )
    closed = _("frozen, facts before %(day)s") if found["is_closed"] else _("not closed yet, facts before %(day)s")
    heads = [
        Head(_("KPI")), Head(_("Value"), is_number=True), Head(_("Target"), is_number=True), Head(_("Target reached")),
        Head(_("By later facts"), is_number=True),
    ]  # fmt: skip
    return Section("kpis", _("Target and actual"), heads, rows, closed % {"day": _day(found["as_of"])})


def _reached(achieved: Decimal | None) -> Cell:
    if achieved is None:
        return Cell(_("nothing to measure"))
    if achieved >= 100:
        return Cell(pgettext("target", "reached"))
    return Cell(_("%(percent)s%% of the target") % {"percent": int(achieved)}, is_late=True)


def _decimal(said: str | None) -> Decimal | None:
    return None if said is None else Decimal(said)


def _people(facts: Facts) -> Section:
    rows = [
        [
            Cell(each["name"]),
            Cell(job_title(each["job"])),
            Cell(
                "–" if each["score"] is None else str(int(Decimal(each["score"]).to_integral_value())),
                f"kpis/card/{each['member']}/?period={facts['period']}" if each["is_theirs"] else "",
                is_number=True,
            ),
        ]
        for each in facts["people"]
    ]
    heads = [Head(_("Person")), Head(_("Measured as")), Head(_("Score"), is_number=True)]
    empty = _("Nobody was measured in this time.")
    return Section("people", _("Score cards"), heads, rows, _("who needs help first; 100 is on target"), empty)


# ── customers ───────────────────────────────────────────────────────────────


def _lapses(facts: Facts) -> Section:
    order = list(LAPSE_CLASSES)
    lines = sorted(facts["lapses"], key=lambda each: order.index(each["why"]))
    span = _span(facts, "lapsed_from", "lapsed_to")
    rows = [
        [
            Cell(str(LAPSE_CLASSES[each["why"]])),
            _count(each["customers"], _path("customers/", facts, **span, lapsed_why=each["why"])),
            _money(each["money"]),
        ]
        for each in lines
    ]
    if rows:
        both = sum(each["customers"] for each in lines), sum(Decimal(each["money"]) for each in lines)
        rows.append([Cell(_("Sum")), _count(both[0], _path("customers/", facts, **span)), _money(str(both[1]))])
    heads = [Head(_("Why")), Head(_("Customers"), is_number=True), Head(_("Money a year"), is_number=True)]
    return Section("lapses", _("Lapsed customers"), heads, rows, "", _("No customer lapsed in this time."))


def _causes(facts: Facts) -> Section:
    span = _span(facts, "since", "until")

    def opens(each: Facts, end: str) -> str:
        return _path("team/cases/", facts, **span, cause=each["cause"] or NONE, end=end)

    rows = [
        [
            Cell(cause_title(each["cause"]) if each["cause"] else str(LAPSE_CLASSES["unknown"])),
            _count(each["cases"], opens(each, "decided")),
            _count(each["good"], opens(each, "good")),
            _money(each["lost"]),
        ]
        for each in facts["causes"]
    ]
    heads = [
        Head(_("Cause")), Head(_("Cases"), is_number=True), Head(_("Kept or won back"), is_number=True),
        Head(_("Money lost for good"), is_number=True),
    ]  # fmt: skip
    note = _("closed cases, false alarms aside")
    return Section("causes", _("Causes"), heads, rows, note, _("No case with a cause was closed in this time."))


def _moves(facts: Facts) -> Section:
    title, heads = (
        _("Moves between tiers"),
        [
            Head(_("From")),
            Head(_("To")),
            Head(""),
            Head(_("Customers"), is_number=True),
            Head(_("Money"), is_number=True),
        ],
    )
    found = facts["moves"]
    if found is None:
        return Section(
            "moves", title, heads, [], "", _("There are not two nights yet between which somebody could move.")
        )
    scheme = cast(Scheme, found["scheme"])
    kind = direction(TIER_ORDER[scheme])
    words = {"up": _("up"), "down": _("down"), "stay": _("stays"), "other": ""}
    cells = found["cells"]
    moved = sorted(
        (each for each in cells if each["before"] != each["after"]),
        key=lambda each: (-Decimal(each["money"]), each["before"], each["after"]),
    )
    rows = [
        [
            Cell(tier_words(each["before"])),
            Cell(tier_words(each["after"])),
            Cell(words[kind(each["before"], each["after"])], is_late=kind(each["before"], each["after"]) == "down"),
            _count(
                each["customers"],
                _path(
                    "customers/", facts, moved_from=found["from"], moved_to=found["to"],
                    tier_before=each["before"] or NONE, tier_after=each["after"] or NONE,
                ),
            ),
            _money(each["money"]),
        ]
        for each in moved
    ]  # fmt: skip
    stay = sum(each["customers"] for each in cells if each["before"] == each["after"])
    note = ngettext(
        "%(first)s to %(last)s; %(number)s customer stays; money of the last %(months)d months",
        "%(first)s to %(last)s; %(number)s customers stay; money of the last %(months)d months",
        stay,
    ) % {
        "first": _day(found["from"]), "last": _day(found["to"]), "number": whole(stay), "months": found["months"],
    }  # fmt: skip
    return Section("moves", title, heads, rows, note, _("Nobody moved in this time."))


def _health(facts: Facts) -> Section:
    title = pgettext("report", "Health")
    heads = [
        Head(_("Health")), Head(_("At the beginning"), is_number=True), Head(_("At the end"), is_number=True),
        Head(pgettext("number", "Change"), is_number=True), Head(_("Money at the end"), is_number=True),
    ]  # fmt: skip
    found = facts["health"]
    if found is None:
        return Section("health", title, heads, [], "", _("No night has counted health in this time."))
    rows = []
    for each in found["bands"]:
        before, after = each["before"], each["after"]
        then = _path("customers/", facts, health_to=found["from"], health_after=each["band"])
        rows.append(
            [
                Cell(str(Band(each["band"]).label)),
                Cell("–", is_number=True) if before is None else _count(before, then),
                _count(after, _path("customers/", facts, health_to=found["to"], health_after=each["band"])),
                Cell("" if before is None else signed(after - before), is_number=True),
                _money(each["money"]),
            ]
        )
    nights = [_day(each) for each in (found["from"], found["to"]) if each]
    note = _("nights of %(days)s; by whose customers they were then") % {
        "days": pgettext("between words", ", ").join(nights)
    }
    return Section("health", title, heads, rows, note)


# ── work ────────────────────────────────────────────────────────────────────


def _coverage(facts: Facts) -> Section:
    span = _span(facts, "due_from", "due_to")
    scope = {"person": facts["scope"]["owner_a"]} if "owner_a" in facts["scope"] else facts["scope"]
    lines = facts["coverage"]

    def opens(**asked: Any) -> str:
        return f"coverage/rows/?{urlencode({**scope, **span, **asked})}"

    rows = [
        [
            Cell(tier_words(each["tier"])),
            Cell(_share(each["in_time"], each["due"]), is_number=True),
            _count(each["in_time"], opens(tier=each["tier"] or NONE, state="in_time")),
            _count(each["due"], opens(tier=each["tier"] or NONE, due="yes")),
        ]
        for each in lines
    ]
    if len(rows) > 1:
        made, due = sum(each["in_time"] for each in lines), sum(each["due"] for each in lines)
        rows.append(
            [
                Cell(_("Sum")),
                Cell(_share(made, due), is_number=True),
                _count(made, opens(state="in_time")),
                _count(due, opens(due="yes")),
            ]
        )
    heads = [
        Head(_("Tier")), Head(_("Coverage"), is_number=True), Head(_("Made in time"), is_number=True),
        Head(_("Had to be made"), is_number=True),
    ]  # fmt: skip
    empty = _("No planned touch was due in this time.")
    return Section("coverage", _("Coverage"), heads, rows, _("planned touches, by today’s tier"), empty)


def _alerts(facts: Facts) -> Section:
    span = _span(facts, "opened_from", "opened_to")
    levels = dict(Alert.Level.choices)
    rows = []
    for each in facts["alerts"]:
        said = {"view": "all", **span, "level": each["level"] or None}
        judged = each["in_time"] + each["late"]
        rows.append(
            [
                Cell(str(levels.get(each["level"], _("All")))),
                Cell(_share(each["in_time"], judged), is_number=True),
                _count(each["in_time"], _path("alerts/", facts, **said, state="any", in_time="true")),
                _count(each["late"], _path("alerts/", facts, **said, state="any", in_time="false")),
                _count(each["running"], _path("alerts/", facts, **said, state="unclosed", clocked="false")),
                Cell(_time(each["half"]), is_number=True),
                Cell(_time(each["most"]), is_number=True),
            ]
        )
    heads = [
        Head(_("Level")), Head(_("In time, of those judged"), is_number=True), Head(_("In time"), is_number=True),
        Head(_("Late"), is_number=True), Head(_("Still running"), is_number=True),
        Head(_("Half within"), is_number=True), Head(_("Nine of ten within"), is_number=True),
    ]  # fmt: skip
    note = _("alerts that opened in this time; business time to the first action")
    return Section("alerts", _("Risk"), heads, rows, note, _("No alert opened in this time."))


def _time(seconds: int | None) -> str:
    return time_words(None if seconds is None else dt.timedelta(seconds=seconds))


def _crises(facts: Facts) -> Section:
    found, levels = facts["crises"], dict(Incident.Level.choices)
    span = _span(facts, "opened_from", "opened_until")
    rows = [
        [
            Cell(str(levels[each["level"]])),
            _count(each["opened"], _path("crises/", facts, **span, is_drill="false", level=each["level"])),
        ]
        for each in found["levels"]
    ]
    note = ""
    if found["ended"]:
        note = _("clocks met: %(met)s of %(all)s") % {"met": whole(found["met"]), "all": whole(found["ended"])}
    heads = [Head(_("Level")), Head(_("Opened"), is_number=True)]
    return Section("crises", _("Crises"), heads, rows, note, _("No crisis opened in this time."))


def _cases(facts: Facts) -> Section:
    ends = dict(ENDS)
    span = _span(facts, "since", "until")
    rows = [
        [
            Cell(str(ends[each["end"]])),
            _count(each["cases"], _path("team/cases/", facts, **span, end=each["end"])),
            _money(each["money"]),
        ]
        for each in facts["cases"]
    ]
    heads = [Head(_("How it ended")), Head(_("Cases"), is_number=True), Head(_("Money a year"), is_number=True)]
    return Section("cases", _("Closed cases"), heads, rows, "", _("No case was closed in this time."))


def _rewards(facts: Facts) -> Section:
    kinds = dict(Reward.Kind.choices)
    span = _span(facts, "since", "until")
    rows = []
    for each in facts["rewards"]:
        words = _points_words if each["kind"] in (Reward.Kind.REFERRAL, Reward.Kind.STEP) else _money_words
        asked = {**span, "kind": each["kind"], "member": each.get("member")}
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        rows.append(
            [
                Cell(each.get("name") or str(kinds[each["kind"]])),
                _count(each["rewards"], f"rewards/?{query}"),
                *(Cell(words(each[name]), is_number=True) for name in ("amount", "pending", "paid")),
            ]
        )
    heads = [
        Head(_("For")), Head(_("Rewards"), is_number=True), Head(pgettext("statement", "earned"), is_number=True),
        Head(_("Waiting for approval"), is_number=True), Head(pgettext("statement", "paid"), is_number=True),
    ]  # fmt: skip
    return Section(
        "rewards", _("Rewards"), heads, rows, _("earned in this time"), _("Nothing was earned in this time.")
    )


def _medals(facts: Facts) -> Section:
    kinds = dict(Medal.Kind.choices)
    rows = [
        [Cell(str(kinds[each["medal"]]), f"awards/{facts['period']}/"), Cell(each["name"]), Cell(each["reason"])]
        for each in facts["medals"]
    ]
    heads = [Head(_("Medal")), Head(_("For")), Head(_("Why"))]
    return Section(
        "medals", _("Medals"), heads, rows, "", _("No medal of this month was given when the report was made.")
    )


def _points_words(amount: str) -> str:
    return _("%(points)s points") % {"points": whole(int(Decimal(amount)))}


def _money_words(amount: str) -> str:
    return money(Decimal(amount))


SECTIONS: Final[Mapping[str, Callable[[Facts], Section]]] = {
    "now": _now,
    "kpis": _kpis,
    "people": _people,
    "lapses": _lapses,
    "causes": _causes,
    "moves": _moves,
    "health": _health,
    "coverage": _coverage,
    "alerts": _alerts,
    "crises": _crises,
    "cases": _cases,
    "rewards": _rewards,
    "medals": _medals,
}
"""The parts of a report, in their order; one that a kind of report does not have is not in its facts."""


def lines(found: Paper) -> Iterable[Sequence[str]]:
    """The report as rows of a spreadsheet: part, then the row's cells, each with its head."""
    for section in found.sections:
        for row in section.rows:
            for head, cell in zip(section.heads[1:], row[1:], strict=True):
                if cell.text:
                    yield section.title, row[0].text, head.text, cell.text, cell.path


def short(found: Paper, codes: Sequence[str]) -> list[str]:
    """Some parts as lines of plain text, for a mail."""
    text = []
    for section in found.sections:
        if section.code not in codes:
            continue
        text += ["", f"{section.title}{f' ({section.note})' if section.note else ''}"]
        text += [_line(section, row) for row in section.rows] or [f"  {section.empty}"]
    return text


def _line(section: Section, row: Sequence[Cell]) -> str:
    parts = [
        f"{head.text} {cell.text}" if head.text and place > 1 else cell.text
        for place, (head, cell) in enumerate(zip(section.heads, row, strict=True))
        if place and cell.text and cell.text != "–"
    ]
    return f"  {row[0].text}: {pgettext('between words', ', ').join(parts)}" if parts else f"  {row[0].text}"
