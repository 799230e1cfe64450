"""Alerts: how long a clock runs, who is next up the line, how far one may be put off (docs/rules/alerts.md)."""

from __future__ import annotations

import datetime as dt
from typing import Final, Literal

from tenants.rules.calendar import Calendar, NeverOpensError

Level = Literal["mild", "moderate", "severe"]
Role = Literal["account_manager", "lead", "executive"]

LEVELS: Final[tuple[Level, ...]] = ("mild", "moderate", "severe")
LINE: Final[tuple[Role, ...]] = ("account_manager", "lead", "executive")
"""Up the line: who answers next when a clock has run out."""

DAY_HOURS: Final = 24


def answer_time(hours: int, length: dt.timedelta) -> dt.timedelta:
    """The business time that a promise of `hours` comes to, where a working day is `length` long.

    24 hours are one working day: what fires on Monday at 11:00 is answered by Tuesday at 11:00. Fewer hours are hours
    of business time, a working day at most. It never shrinks when the hours grow.
    """
    days, rest = divmod(hours, DAY_HOURS)
    return days * length + min(dt.timedelta(hours=rest), length)


def answer_by(calendar: Calendar, start: dt.datetime, hours: int) -> dt.datetime:
    """When a clock of `hours` that starts at a moment runs out, in UTC; for a firm that never opens hours just pass."""
    try:
        due = calendar.deadline(start, answer_time(hours, calendar.day_length))
    except NeverOpensError:
        return start.astimezone(dt.UTC) + dt.timedelta(hours=hours)
    assert due is not None  # noqa: S101  # only a pause has no end, and there is none
    return due.astimezone(dt.UTC)


def next_role(role: str) -> Role | None:
    """Who is above a role in the line; None at its end."""
    place = LINE.index(role)
    return LINE[place + 1] if place + 1 < len(LINE) else None


def higher_level(one: str, other: str) -> Level:
    """The heavier of two levels: an open alert's level rises and never falls."""
    return LEVELS[max(LEVELS.index(one), LEVELS.index(other))]


def latest_snooze(level: str, *, now: dt.datetime, due_at: dt.datetime, most_days: int) -> dt.datetime:
    """The last moment to which an alert may be put off: a severe one's clock, `most_days` for the others.

    For a severe one whose clock has run out that lies in the past: it cannot be put off.
    """
    return due_at if level == "severe" else now + dt.timedelta(days=most_days)


def runs_out_at(escalates_at: dt.datetime | None, snoozed_until: dt.datetime) -> dt.datetime | None:
    """When an alert that is put off goes up the line: not before the snooze ends; None where it does not at all."""
    return None if escalates_at is None else max(escalates_at, snoozed_until)
