"""Notices: when the mail goes out that tells the day's notices in one (docs/rules/notices.md)."""

from __future__ import annotations

import datetime as dt

from tenants.rules.calendar import Calendar, NeverOpensError


def next_digest(calendar: Calendar, now: dt.datetime) -> dt.datetime:
    """When what is told now goes out with the daily mail: at the next opening of a working day, in UTC.

    What is told at opening, or later on that day, goes with the next one. A firm that never opens has its mail at its
    opening time of the next day.
    """
    local = now.astimezone(calendar.zone)
    try:
        day = calendar.on_or_after(local.date())
        if _opening(calendar, day) <= now:
            day = calendar.next_working_day(day)
    except NeverOpensError:
        day = local.date() + dt.timedelta(days=1)
    return _opening(calendar, day).astimezone(dt.UTC)


def _opening(calendar: Calendar, day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, calendar.opens, tzinfo=calendar.zone)
