"""On which day a touch of the cadence lands: a working day, and where possible one with room (docs/rules/followups.md)."""

from __future__ import annotations

import datetime as dt
import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tenants.rules.calendar import Calendar

Person = int | None
"""Whose touch it is; None: nobody's yet, and nobody has too many."""

SLACK_SHARE: Final = 10
"""A touch may wait one so-manieth of its interval for a day with room."""

MOST_SLACK: Final = 5
"""Working days that it waits at most; whoever comes under a cadence late, up to the first interval."""

_AROUND: Final = 45
"""Days around the span that no holiday is longer than."""


@dataclass(frozen=True)
class Wanted:
    """A touch that the cadence asks for: its own day, and how many days are between two of them.

    `is_start`: the first since the customer came under this cadence, which may fall on any day of the first interval.
    `not_before`: it lands on this day or after it.
    """

    customer_id: int
    kind: str
    person: Person
    on: dt.date
    interval: int
    is_start: bool = False
    not_before: dt.date | None = None


def nearest(calendar: Calendar, day: dt.date, number: int = 0) -> dt.date:
    """The working day nearest to a day; of two as near as each other the earlier for even numbers."""
    before, after = calendar.on_or_before(day), calendar.on_or_after(day)
    sooner, later = day - before, after - day
    return before if sooner < later or (sooner == later and number % 2 == 0) else after


class Desks:
    """What each person has to do on each working day from `first` to `last`.

    `room` is how many touches a day a person has room for; who is not in it has room for any number. `taken` is what
    is there already. Everything is decided by what comes in, in its order: the same again gives the same days.
    """

    def __init__(
        self,
        calendar: Calendar,
        first: dt.date,
        last: dt.date,
        room: Mapping[int, int],
        taken: Mapping[tuple[Person, dt.date], int] | None = None,
    ) -> None:
        around = dt.timedelta(days=_AROUND)
        self._calendar, self._first = calendar, first
        self._days = calendar.working_days(first - around, last + around)
        self._room = room
        self._load: dict[tuple[Person, dt.date], int] = dict(taken or {})

    def nearest(self, day: dt.date, number: int = 0) -> dt.date:
        """As `nearest`, by the firm's calendar."""
        return nearest(self._calendar, day, number)

    def place(self, wanted: Wanted) -> dt.date:
        """The day of a touch, which is counted from now on.

        The working day nearest to its own, from `first` on; where that day is full, the next with room within the
        slack, and where none has any the emptiest. What was wanted before `first` is late: it stays on its day.
        """
        start = self._days[bisect_left(self._days, self._first)]
        if wanted.on < self._first and not wanted.is_start:
            late = self._calendar.on_or_after(wanted.on)
            if late < start:
                return late
        day = self.nearest(max(wanted.on, self._first), wanted.customer_id)
        at = bisect_left(self._days, max(day, start, wanted.not_before or start))
        slack = min(MOST_SLACK, wanted.interval // SLACK_SHARE)
        if wanted.is_start:
            # The last working day of the first interval.
            over = bisect_right(self._days, self._days[at] + dt.timedelta(days=max(0, wanted.interval - 1)))
            slack = max(slack, over - 1 - at)
        room = self._room.get(wanted.person) if wanted.person is not None else None
        chosen = self._days[at] if room is None else self._free(wanted.person, at, slack, room)
        self._load[wanted.person, chosen] = self._load.get((wanted.person, chosen), 0) + 1
        return chosen

    def _free(self, person: Person, at: int, slack: int, room: int) -> dt.date:
        least, chosen = -1, self._days[at]
        for day in self._days[at : at + slack + 1]:
            load = self._load.get((person, day), 0)
            if load < room:
                return day
            if least < 0 or load < least:
                least, chosen = load, day
        return chosen


def room_a_day(weekly: int, calendar: Calendar) -> int:
    """How many touches a day there is room for, by those of a week: rounded up, at least one where there is any."""
    days = {"mon_sat": 6, "every_day": 7}.get(calendar.week, 5)
    return -(-weekly // days)


@dataclass(frozen=True)
class Planned:
    """A touch of a plan: the day that the cadence asks for, and the day on which it lands."""

    customer_id: int
    kind: str
    person: Person
    wanted_on: dt.date
    due_on: dt.date


def plan_ahead(
    starts: Iterable[Wanted], calendar: Calendar, first: dt.date, days: int, room: Mapping[int, int]
) -> list[Planned]:
    """All touches of the coming days, each done on its day, the next its interval after that; by day.

    `starts` is the next touch of each customer and kind. What was wanted before `first` is done first, from `first` on.
    """
    last = first + dt.timedelta(days=days)
    waiting = [
        (max(each.on, first), place, replace(each, on=max(each.on, first), is_start=each.is_start or each.on < first))
        for place, each in enumerate(starts)
    ]
    longest = max((each.interval for _on, _place, each in waiting), default=0)
    desks = Desks(calendar, first, last + dt.timedelta(days=longest), room)
    heapq.heapify(waiting)
    found = []
    while waiting:
        on, place, each = heapq.heappop(waiting)
        if on >= last:
            break
        day = desks.place(each)
        if day < last:
            found.append(Planned(each.customer_id, each.kind, each.person, on, day))
        # Counted from the day on which it was done, and never on that day once more.
        again, tomorrow = day + dt.timedelta(days=each.interval), day + dt.timedelta(days=1)
        heapq.heappush(waiting, (again, place, replace(each, on=again, is_start=False, not_before=tomorrow)))
    found.sort(key=lambda each: (each.due_on, each.customer_id, each.kind))
    return found
