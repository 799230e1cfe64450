"""Reports: which one is due at a moment (docs/rules/reports.md). Pure: no clock, no database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from incentives.rules.kpis import Period, Span
from incentives.rules.report_policy import WEEKDAYS, ReportPolicy
from tenants.rules.calendar import Calendar, NeverOpensError

Kind = Literal["monthly", "weekly"]
KINDS: Final[tuple[Kind, ...]] = ("monthly", "weekly")
SPANS: Final[Mapping[Kind, Span]] = {"monthly": "month", "weekly": "week"}

LOOKS_BACK: Final = 3
"""Holidays may push a digest past the next period's beginning: so many periods back are looked at."""

STALE: Final[Mapping[Kind, dt.timedelta]] = {"monthly": dt.timedelta(days=10), "weekly": dt.timedelta(days=2)}
"""What could not be made for so long after its time is left out: nobody wants last week's digest on a Friday."""


@dataclass(frozen=True)
class Slot:
    """A report that is to be made: of which period, and from which moment on (UTC)."""

    kind: Kind
    period: Period
    due_at: dt.datetime


def due_slot(
    kind: Kind, now: dt.datetime, calendar: Calendar, policy: ReportPolicy, since: dt.datetime
) -> Slot | None:  # fmt: skip
    """The report of a kind whose moment came last; None when that was before `since`, or so long ago that it is stale."""
    today = now.astimezone(calendar.zone).date()
    period = Period.of(SPANS[kind], today).before
    for _each in range(LOOKS_BACK):
        due_at = due_moment(kind, period, calendar, policy)
        if due_at <= now:
            is_wanted = due_at >= since and now - due_at <= STALE[kind]
            return Slot(kind, period, due_at) if is_wanted else None
        period = period.before
    return None


def due_moment(kind: Kind, period: Period, calendar: Calendar, policy: ReportPolicy) -> dt.datetime:
    """When the report of a period is made, in UTC: after its end, at opening on a working day.

    The month's on the policy's working day of the next month, the week's on the policy's day of the next week or the
    first working day after it. A firm that never opens counts every day.
    """
    try:
        if kind == "monthly":
            day = calendar.add_working_days(period.last, policy.monthly_day)
        else:
            day = calendar.on_or_after(period.end + dt.timedelta(days=WEEKDAYS.index(policy.weekly_day)))
    except NeverOpensError:
        days = policy.monthly_day - 1 if kind == "monthly" else WEEKDAYS.index(policy.weekly_day)
        day = period.end + dt.timedelta(days=days)
    return dt.datetime.combine(day, calendar.opens, tzinfo=calendar.zone).astimezone(dt.UTC)
