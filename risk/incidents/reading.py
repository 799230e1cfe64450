"""The crisis room as a page shows it: clocks as they stand now, steps, the timeline, who reads the customer's page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, F, QuerySet, Window
from django.utils.translation import gettext as _

from risk.incidents.reports import checks_of, report_of
from risk.incidents.room import pauses_of
from risk.incidents.talk import address_of
from risk.incidents.words import (
    CHECKS,
    LED_BY,
    STATES,
    clock_name,
    compensation_words,
    duration_words,
    entry_words,
    level_name,
    names_words,
    seat_name,
    step_title,
    when_words,
)
from risk.models import (
    Incident,
    IncidentClock,
    IncidentCompensation,
    IncidentEntry,
    IncidentLink,
    IncidentPause,
    IncidentReport,
    IncidentSeat,
    IncidentStep,
)
from risk.rules import clocks as rules
from risk.rules.compensation import may_approve
from risk.rules.crisis_policy import CLOCKS
from tenants.calendars import firm_calendar
from tenants.models import Member
from tenants.rules.calendar import Calendar
from tenants.templatetags.perennial import local_day, moment, weekday_day

BAR: Final = 1_000
"""Units of a clock's bar."""

OPEN_STATES: Final = frozenset({"running", "paused", "breached", "never"})


@dataclass(frozen=True)
class ClockLine:
    """A clock as people read it: `time` large, `of` beside it, `below` who met it or when it is due."""

    number: int
    kind: str
    name: str
    state: str
    state_words: str
    icon: str
    time: str
    of: str
    below: str
    filled: int
    is_next: bool
    deadline: dt.datetime | None


def clock_lines(incident: Incident, now: dt.datetime, calendar: Calendar | None = None) -> list[ClockLine]:
    """The clocks of the incident's level in their order, as they stand at `now`."""
    calendar = calendar or firm_calendar()
    pauses = pauses_of(incident)
    rows = IncidentClock.objects.filter(incident=incident, dropped_at__isnull=True).select_related("met_by__user")
    found = {row.kind: row for row in rows}
    lines: list[ClockLine] = []
    has_next = False
    end = incident.closed_at or now
    for kind in CLOCKS:
        row = found.get(kind)
        if row is None:
            continue
        read = rules.read(
            calendar, started_at=incident.opened_at, target=dt.timedelta(minutes=row.target_minutes), now=end,
            pauses=pauses, met_at=row.met_at,
        )  # fmt: skip
        is_next = not has_next and incident.is_open and read.state in OPEN_STATES
        has_next = has_next or is_next
        lines.append(_clock_line(len(lines) + 1, row, read, is_next=is_next))
    return lines


def _clock_line(number: int, row: IncidentClock, read: rules.Clock, *, is_next: bool) -> ClockLine:
    target = duration_words(read.target)
    if read.state in {"met", "met_late"}:
        time, of = duration_words(read.used), _("of %(target)s") % {"target": target}
        below = ", ".join(part for part in (str(row.met_by or ""), moment(row.met_at)) if part)
    elif read.state == "breached":
        time, of = duration_words(read.over), _("over %(target)s") % {"target": target}
        below = _("was due %(at)s") % {"at": when_words(read.deadline)}
    elif read.state == "never":
        time, of, below = "–", _("of %(target)s") % {"target": target}, _("no working hours in the policy")
    else:
        time, of = duration_words(read.left), _("left of %(target)s") % {"target": target}
        below = _("due %(at)s") % {"at": when_words(read.deadline)} if read.deadline else _("stands still")
    icons = {"met": "circle-check", "met_late": "alert-circle", "breached": "alert-triangle", "paused": "player-pause"}
    return ClockLine(
        number=number, kind=row.kind, name=clock_name(row.kind), state=read.state,
        state_words=str(STATES[read.state]), icon=icons.get(read.state, "clock"), time=time, of=of, below=below,
        filled=round(read.share * BAR), is_next=is_next, deadline=read.deadline,
    )  # fmt: skip


def hours_words(incident: Incident, lines: Iterable[ClockLine], calendar: Calendar, now: dt.datetime) -> str:
    """When the clocks run, and on which days up to the last deadline they do not."""
    opens, closes = (time.strftime("%H:%M") for time in (calendar.opens, calendar.closes))
    last = max((line.deadline for line in lines if line.deadline), default=None)
    first = local_day(now)
    words = _("Clocks count working hours, %(opens)s–%(closes)s.") % {"opens": opens, "closes": closes}
    if last is None or first is None or incident.closed_at is not None:
        return words
    until = local_day(last)
    idle = rules.idle_days(calendar, first, until) if until else []
    if not idle:
        return words
    named = names_words([_idle(calendar, day) for day in idle[:4]]) + ("…" if len(idle) > 4 else "")
    idle_words = _("Not counted: %(days)s.") % {"days": named}
    return f"{words} {idle_words}"


def _idle(calendar: Calendar, day: dt.date) -> str:
    holiday = calendar.holiday(day)
    return f"{weekday_day(day)} ({holiday})" if holiday else weekday_day(day)


@dataclass(frozen=True)
class StepLine:
    """A step as people read it."""

    row: IncidentStep
    title: str
    who: str
    when: str
    is_now: bool
    is_late: bool


def step_lines(incident: Incident, now: dt.datetime) -> list[StepLine]:
    """The steps in their order; those left out come last."""
    rows = list(
        IncidentStep.objects.filter(incident=incident)
        .select_related("owner__user", "done_by__user")
        .order_by("position", "pk")
    )
    rows.sort(key=lambda row: row.status == IncidentStep.Status.LEFT_OUT)
    lines, has_now = [], not incident.is_open
    for row in rows:
        is_open = row.status == IncidentStep.Status.OPEN
        is_now = is_open and not has_now
        has_now = has_now or is_now
        lines.append(
            StepLine(
                row=row,
                title=step_title(row),
                who=_who(row),
                when=moment(row.done_at) if row.done_at else when_words(row.due_at),
                is_now=is_now,
                is_late=is_open and row.due_at is not None and row.due_at <= now,
            )
        )
    return lines


def _who(row: IncidentStep) -> str:
    if row.status != IncidentStep.Status.OPEN:
        return str(row.done_by or "") or str(row.get_status_display())
    return str(row.owner) if row.owner else (seat_name(row.seat) if row.seat else _("nobody yet"))


@dataclass(frozen=True)
class EntryLine:
    """A line of the timeline."""

    row: IncidentEntry
    who: str
    words: str
    is_visible: bool
    about: str


def entry_lines(incident: Incident, *, for_customer: bool = False, most: int = 200) -> list[EntryLine]:
    """The timeline, newest first; the customer gets what is marked as visible, and nothing else of it."""
    rows = IncidentEntry.objects.filter(incident=incident).select_related("member__user").order_by("-at", "-pk")
    if for_customer:
        rows = rows.filter(is_visible=True)
    return [
        EntryLine(
            row=row,
            who=str(row.member) if row.member else "",
            words=entry_words(row),
            is_visible=row.is_visible,
            about="" if for_customer or not row.about else str(row.get_about_display()),
        )
        for row in rows[:most]
    ]


@dataclass(frozen=True)
class LinkLine:
    """A contact who can open the customer's page."""

    row: IncidentLink
    address: str
    read: str
    is_good: bool


def link_lines(incident: Incident, now: dt.datetime) -> list[LinkLine]:
    """The links that have not been ended, with when they were read."""
    rows = IncidentLink.objects.filter(incident=incident, revoked_at__isnull=True).select_related("contact")
    return [
        LinkLine(
            row=row,
            address=address_of(row),
            read=_("read %(at)s") % {"at": moment(row.last_read_at)} if row.last_read_at else _("not read"),
            is_good=row.expires_at > now,
        )
        for row in rows
    ]


@dataclass(frozen=True)
class OfferLine:
    """A compensation, and whether the member may decide it."""

    row: IncidentCompensation
    words: str
    may_decide: bool


def offer_lines(incident: Incident, member: Member) -> list[OfferLine]:
    """What was asked for, the newest first."""
    rows = IncidentCompensation.objects.filter(incident=incident).select_related("asked_by__user", "decided_by__user")
    return [
        OfferLine(
            row,
            compensation_words(row),
            row.status == IncidentCompensation.Status.ASKED and may_approve(member.role, row.needs),
        )
        for row in rows.order_by("-pk")
    ]


@dataclass(frozen=True)
class ReportLines:
    """The report in one language: its parts, where a draft's came from, and the checks in words."""

    row: IncidentReport
    version: int
    sources: dict[str, str]
    checks: Sequence[tuple[str, bool]]


def report_lines(incident: Incident, language: str) -> ReportLines:
    """The report as the room shows it."""
    row = report_of(incident, language)
    ids = [pk for found in row.sources.values() for pk in found]
    at = dict(IncidentEntry.objects.filter(pk__in=ids).values_list("pk", "at"))
    sources = {
        part: _("from the log, %(at)s") % {"at": names_words([moment(at[pk]) for pk in found if pk in at])}
        for part, found in row.sources.items()
        if found
    }
    found = checks_of(row)
    checks = [(_check_words(row, check), holds) for check, holds in found.items()]
    return ReportLines(row, row.version if row.pk else 0, sources, checks)


def _check_words(row: IncidentReport, check: str) -> str:
    if check == "cause_confirmed" and row.cause_confirmed_by is not None:
        return _("cause confirmed, %(who)s") % {"who": row.cause_confirmed_by}
    return str(CHECKS[check])


def team_words(incident: Incident) -> str:
    """Who leads, or who would by PLAYBOOK's table."""
    seat = IncidentSeat.objects.filter(incident=incident, seat="lead").select_related("member__user").first()
    if seat is not None:
        return _("led by %(who)s") % {"who": seat.member}
    return _("to be led by %(who)s") % {"who": LED_BY[incident.level]}


def paused_since(incident: Incident) -> IncidentPause | None:
    """The pause that holds, if one does."""
    found: IncidentPause | None = IncidentPause.objects.filter(incident=incident, ended_at__isnull=True).first()
    return found


def open_to(member: Member) -> QuerySet[Incident]:
    """The open crises that the member sees; a drill is none."""
    rows: QuerySet[Incident] = Incident.objects.visible_to(member).filter(closed_at__isnull=True, is_drill=False)
    return rows


@dataclass(frozen=True)
class TaskLine:
    """An open step that is a member's own: what to do in which crisis, by when, and how much business time that is."""

    row: IncidentStep
    title: str
    level: str
    due: str
    left: str
    is_late: bool


@dataclass(frozen=True)
class Tasks:
    """The nearest of a member's open steps, and how many more there are."""

    lines: Sequence[TaskLine]
    more: int


def steps_to_do(member: Member) -> QuerySet[IncidentStep]:
    """The open steps that are a member's own, of open crises that they see; those of a drill are none."""
    rows: QuerySet[IncidentStep] = IncidentStep.objects.visible_to(member).filter(
        owner=member, status=IncidentStep.Status.OPEN, incident__closed_at__isnull=True, incident__is_drill=False
    )
    return rows


def tasks_of(member: Member, now: dt.datetime, calendar: Calendar, most: int) -> Tasks:
    """A member's open steps, the nearest clock first and those that stand still last. One query, however many there are."""
    rows = steps_to_do(member).select_related("incident__customer").annotate(all=Window(Count("pk")))
    found: list[Any] = list(rows.order_by(F("due_at").asc(nulls_last=True), "pk")[:most])
    lines = [
        TaskLine(
            row=row,
            title=step_title(row),
            level=level_name(row.incident.level),
            due=_due_of(row),
            left=_left_of(row.due_at, now, calendar),
            is_late=row.due_at is not None and row.due_at <= now,
        )
        for row in found
    ]
    return Tasks(lines, found[0].all - len(found) if found else 0)


def _due_of(row: IncidentStep) -> str:
    if row.due_at is not None:
        return when_words(row.due_at)
    # A step that somebody has moved keeps its moment, so one without any never had one.
    return _("no time set") if row.is_moved else _("stands still")


def _left_of(due_at: dt.datetime | None, now: dt.datetime, calendar: Calendar) -> str:
    """How much business time is left, or has passed since."""
    if due_at is None:
        return ""
    if due_at <= now:
        return _("%(time)s late") % {"time": duration_words(calendar.elapsed(due_at, now))}
    return _("%(time)s left") % {"time": duration_words(calendar.elapsed(now, due_at))}


def state_of(incident: Incident, now: dt.datetime) -> str:
    """What a browser compares to know whether it shows all: the revision, and the minute that the clocks show."""
    return f"{incident.revision}-{int(now.timestamp()) // 60}"
