"""The clocks of an incident, as a state machine over business time (docs/rules/crisis.md).

A clock begins when the incident is opened, stands still outside business hours and while the incident is paused, and
stops when it is met. All reckoning is done by tenants.rules.calendar.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from tenants.rules.calendar import Calendar, NeverOpensError, Pause

State = Literal["met", "met_late", "running", "paused", "breached", "dropped", "never"]

STATES: Final[tuple[State, ...]] = ("met", "met_late", "running", "paused", "breached", "dropped", "never")
"""`never`: the firm has no business hours, so no moment can be named."""


@dataclass(frozen=True)
class Clock:
    """How a clock stands at a moment: used and target business time, and the moment at which it runs out.

    `used` counts up to the moment, or up to when it was met. `deadline` is None while it is paused without an end and
    where the firm never opens.
    """

    state: State
    used: dt.timedelta
    target: dt.timedelta
    deadline: dt.datetime | None

    @property
    def left(self) -> dt.timedelta:
        """Business time that is left; none when it has run out."""
        return max(self.target - self.used, dt.timedelta())

    @property
    def over(self) -> dt.timedelta:
        """Business time beyond the target; none while there is some left."""
        return max(self.used - self.target, dt.timedelta())

    @property
    def share(self) -> float:
        """Of the target how much is used: 0 to 1."""
        return min(self.used / self.target, 1.0) if self.target else 1.0


def read(
    calendar: Calendar,
    *,
    started_at: dt.datetime,
    target: dt.timedelta,
    now: dt.datetime,
    pauses: Sequence[Pause] = (),
    met_at: dt.datetime | None = None,
    is_dropped: bool = False,
) -> Clock:
    """How a clock stands at `now`. All moments are aware.

    It is breached when as much business time as its target has passed: at the deadline, not after it. What was met at
    the deadline or later was met late.
    """
    end = min(met_at, now) if met_at is not None else now
    used = calendar.elapsed(started_at, end, pauses)
    deadline, never = _deadline(calendar, started_at, target, pauses)
    if is_dropped:
        return Clock("dropped", used, target, deadline)
    if met_at is not None and met_at <= now:
        return Clock("met_late" if used >= target else "met", used, target, deadline)
    if never:
        return Clock("never", used, target, None)
    if used >= target:
        return Clock("breached", used, target, deadline)
    return Clock("paused" if is_paused(pauses, now) else "running", used, target, deadline)


def deadline_of(
    calendar: Calendar, started_at: dt.datetime, target: dt.timedelta, pauses: Iterable[Pause] = ()
) -> dt.datetime | None:
    """When a clock runs out; None while a pause without an end comes before, and where the firm never opens."""
    return _deadline(calendar, started_at, target, tuple(pauses))[0]


def _deadline(
    calendar: Calendar, started_at: dt.datetime, target: dt.timedelta, pauses: Sequence[Pause]
) -> tuple[dt.datetime | None, bool]:
    try:
        return calendar.deadline(started_at, target, pauses), False
    except NeverOpensError:
        return None, True


def is_paused(pauses: Iterable[Pause], now: dt.datetime) -> bool:
    """Whether a pause holds at a moment; its end is not part of it."""
    return any(begin <= now and (end is None or now < end) for begin, end in pauses)


def idle_days(calendar: Calendar, first: dt.date, last: dt.date) -> list[dt.date]:
    """The days from `first` to `last`, both included, on which the clocks stand still; at most 60 are looked at."""
    days = (first + dt.timedelta(days=number) for number in range(min((last - first).days, 60) + 1))
    return [day for day in days if not calendar.is_working(day)]


def share_of(calendar: Calendar, start: dt.datetime, target: dt.timedelta, share: float) -> dt.datetime | None:
    """The moment at which a share of a clock's time has passed; None where the firm never opens."""
    return deadline_of(calendar, start, target * share)
