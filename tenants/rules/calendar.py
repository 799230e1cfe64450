"""The firm's calendar: which days and hours it works, and how business time passes (docs/rules/calendar.md).

Public holidays, and weekends that are made up for, come from the library `holidays`; the policy's own days go before
them. An instant is business time when the firm's local clock shows a working day and a time from opening to closing:
that is all there is to it, on days on which clocks change as well.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Final, Literal, Self
from zoneinfo import ZoneInfo

import holidays
from pydantic import Field, field_validator, model_validator

from tenants.rules.sections import PolicySection, gettext_noop, refusal

Week = Literal["country", "mon_fri", "mon_sat", "every_day"]

Pause = tuple[dt.datetime, dt.datetime | None]
"""From when to when a clock stands still; without an end it still does."""

MOST_DAYS: Final = 200
"""Days of its own that a policy names, off and on each."""

_DAY: Final = dt.timedelta(days=1)
_MIDNIGHT: Final = dt.time(0)
_SAMPLE: Final = dt.timedelta(hours=6)
_IDLE_DAYS: Final = 1_000
_NO_END: Final = dt.datetime.max.replace(tzinfo=dt.UTC)
_WEEKENDS: Final[dict[Week, frozenset[int]]] = {"mon_fri": frozenset({5, 6}), "mon_sat": frozenset({6})}
_COUNTRIES: Final = holidays.list_supported_countries(include_aliases=True)


class NeverOpensError(ValueError):
    """The calendar has no working day for years."""


class CalendarPolicy(PolicySection):
    """When the firm works. Without a country of its own, that of the firm; the same in every pack."""

    section: ClassVar[str] = "calendar"
    title: ClassVar[str] = gettext_noop("Working days and hours")

    country: str = Field("", max_length=2, title=gettext_noop("Country of the public holidays; empty: the firm’s own"))
    subdivision: str = Field("", max_length=10, title=gettext_noop("Its region, like ENG or BY"))
    week: Week = Field("country", title=gettext_noop("Working week"))
    opens: dt.time = Field(dt.time(9, 0), title=gettext_noop("Opens"), description="local time")
    closes: dt.time = Field(dt.time(18, 0), title=gettext_noop("Closes"), description="local time; 00:00 is midnight")
    days_off: tuple[dt.date, ...] = Field((), max_length=MOST_DAYS, title=gettext_noop("Days off beside the holidays"))
    days_on: tuple[dt.date, ...] = Field((), max_length=MOST_DAYS, title=gettext_noop("Days worked all the same"))

    @field_validator("country")
    @classmethod
    def _known_country(cls, country: str) -> str:
        if country and country.upper() not in _COUNTRIES:
            raise refusal("unknown_country", gettext_noop("is no country whose holidays are known; write it like CN"))
        return country.upper()

    @field_validator("opens", "closes")
    @classmethod
    def _local_time(cls, time: dt.time) -> dt.time:
        if time.tzinfo is not None:
            raise refusal("time_with_zone", gettext_noop("is a local time, without a zone"))
        return time

    @field_validator("days_off", "days_on")
    @classmethod
    def _each_once(cls, days: tuple[dt.date, ...]) -> tuple[dt.date, ...]:
        return tuple(sorted(set(days)))

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.subdivision and not self.country:
            raise refusal(
                "region_without_country", gettext_noop("needs the country beside it"), setting="subdivision"
            )  # fmt: skip
        if self.subdivision and self.subdivision not in _COUNTRIES[self.country]:
            raise refusal("unknown_region", gettext_noop("is no region of this country"), setting="subdivision")
        if self.closes != _MIDNIGHT and self.closes <= self.opens:
            raise refusal("closes_before", gettext_noop("must be after opening"), setting="closes")
        if both := set(self.days_off) & set(self.days_on):
            raise refusal(
                "off_and_on", gettext_noop("{day} cannot be both off and worked"), setting="days_on",
                day=min(both).isoformat(),
            )  # fmt: skip
        return self


@dataclass(frozen=True)
class Calendar:
    """A firm's working days and hours. Days are local; moments are aware, and answers in the firm's zone.

    `country` is ISO 3166 in capitals, "" for none: then no day is a holiday. Raises ValueError for a naive moment.
    """

    zone: ZoneInfo
    country: str = ""
    subdivision: str = ""
    week: Week = "country"
    opens: dt.time = dt.time(9)
    closes: dt.time = dt.time(18)
    days_off: frozenset[dt.date] = frozenset()
    days_on: frozenset[dt.date] = frozenset()
    _spans: dict[dt.date, tuple[tuple[dt.datetime, dt.datetime], ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def of(cls, policy: CalendarPolicy, zone: ZoneInfo, country: str) -> Self:
        """The calendar of a policy; `country` is the firm's own, where the policy names none.

        A country whose holidays nobody knows counts as none.
        """
        named = policy.country or country.upper()
        return cls(
            zone=zone,
            country=named if named in _COUNTRIES else "",
            subdivision=policy.subdivision,
            week=policy.week,
            opens=policy.opens,
            closes=policy.closes,
            days_off=frozenset(policy.days_off),
            days_on=frozenset(policy.days_on),
        )

    # ── days ────────────────────────────────────────────────────────────────

    def is_working(self, day: dt.date) -> bool:
        """Whether the firm works on a day: its own days first, then weekends made up for, holidays, the week."""
        if day in self.days_off:
            return False
        if day in self.days_on or self.week == "every_day":
            return True
        known = _year(self.country, self.subdivision, day.year)
        if day in known.made_up:
            return True
        weekend = day in known.weekend if self.week == "country" else day.weekday() in _WEEKENDS[self.week]
        return not weekend and day not in known.holidays

    def holiday(self, day: dt.date) -> str:
        """What the public holiday of a day is called in the country's own words; "" for none."""
        return _year(self.country, self.subdivision, day.year).holidays.get(day, "")

    def on_or_after(self, day: dt.date) -> dt.date:
        """The first working day from a day on. Raises NeverOpensError."""
        return self._look(day, 1)

    def on_or_before(self, day: dt.date) -> dt.date:
        """The last working day up to a day. Raises NeverOpensError."""
        return self._look(day, -1)

    def next_working_day(self, day: dt.date) -> dt.date:
        """The first working day after a day. Raises NeverOpensError."""
        return self._look(day + _DAY, 1)

    def add_working_days(self, day: dt.date, days: int) -> dt.date:
        """So many working days after a day, or before it; 0 is the day itself, or the next working day."""
        if days == 0:
            return self.on_or_after(day)
        step = 1 if days > 0 else -1
        for _each in range(abs(days)):
            day = self._look(day + step * _DAY, step)
        return day

    def working_days(self, first: dt.date, last: dt.date) -> list[dt.date]:
        """The working days from `first` to `last`, both included."""
        return [day for day in _days(first, last) if self.is_working(day)]

    def _look(self, day: dt.date, step: int) -> dt.date:
        for _each in range(_IDLE_DAYS):
            if self.is_working(day):
                return day
            day += step * _DAY
        raise NeverOpensError("No working day for years")

    # ── business time ───────────────────────────────────────────────────────

    @property
    def day_length(self) -> dt.timedelta:
        """From opening to closing on a working day; a firm that closes at midnight works until the end of the day."""
        opens = dt.timedelta(hours=self.opens.hour, minutes=self.opens.minute, seconds=self.opens.second)
        closes = dt.timedelta(hours=self.closes.hour, minutes=self.closes.minute, seconds=self.closes.second)
        return (closes or dt.timedelta(days=1)) - opens

    def is_open(self, moment: dt.datetime) -> bool:
        """Whether a moment is business time."""
        at = _utc(moment)
        return any(start <= at < end for start, end in self._open_on(at.date()))

    def next_opening(self, moment: dt.datetime) -> dt.datetime:
        """The moment itself when it is business time, else when that begins next. Raises NeverOpensError."""
        return next(self._open(_utc(moment)))[0].astimezone(self.zone)

    def openings(self, start: dt.datetime, end: dt.datetime) -> list[tuple[dt.datetime, dt.datetime]]:
        """The stretches of business time from `start` to `end`, in UTC and in order."""
        return list(self._open(_utc(start), _utc(end)))

    def elapsed(self, start: dt.datetime, end: dt.datetime, pauses: Iterable[Pause] = ()) -> dt.timedelta:
        """Business time from `start` to `end`, exactly, without the pauses; none when `end` is not after `start`."""
        first, last = _utc(start), _utc(end)
        if last <= first:
            return dt.timedelta()
        pieces = _without(self._open(first, last), _merged(pauses))
        return sum((stop - begin for begin, stop in pieces), dt.timedelta())

    def deadline(
        self, start: dt.datetime, needed: dt.timedelta, pauses: Iterable[Pause] = ()
    ) -> dt.datetime | None:  # fmt: skip
        """The first moment at which `elapsed` since `start` is `needed`; None when a pause without end comes before.

        Raises NeverOpensError when the calendar has no business time for years.
        """
        first, still = _utc(start), _merged(pauses)
        if needed <= dt.timedelta():
            return first.astimezone(self.zone)
        stands = next((begin for begin, stop in still if stop == _NO_END), None)
        left = needed
        for begin, stop in _without(self._open(first, stands), still):
            if stop - begin >= left:
                return (begin + left).astimezone(self.zone)
            left -= stop - begin
        return None

    def _open(
        self, first: dt.datetime, last: dt.datetime | None = None
    ) -> Iterator[tuple[dt.datetime, dt.datetime]]:  # fmt: skip
        """The stretches of business time from a moment on, in UTC and in order; up to `last` where it is given.

        Without `last` it goes on for ever. Raises NeverOpensError where it would for nothing.
        """
        day, idle = first.date(), 0
        while last is None or day <= last.date():
            spans = self._open_on(day)
            idle = 0 if spans else idle + 1
            if last is None and idle > _IDLE_DAYS:
                raise NeverOpensError("No business time for years")
            for begin, end in spans:
                begin, end = max(begin, first), end if last is None else min(end, last)
                if begin < end:
                    yield begin, end
            day += _DAY

    def _open_on(self, day: dt.date) -> tuple[tuple[dt.datetime, dt.datetime], ...]:
        """Business time within a day of UTC. By UTC, so that it comes in order however clocks change."""
        if day not in self._spans:
            self._spans[day] = tuple(self._find(dt.datetime.combine(day, _MIDNIGHT, tzinfo=dt.UTC)))
        return self._spans[day]

    def _find(self, begin: dt.datetime) -> Iterator[tuple[dt.datetime, dt.datetime]]:
        for start, end, offset in _stretches(self.zone, begin, begin + _DAY):
            local, over = (start + offset).replace(tzinfo=None), (end + offset).replace(tzinfo=None)
            for day in _days(local.date(), over.date()):
                if not self.is_working(day):
                    continue
                closes = day + _DAY if self.closes == _MIDNIGHT else day
                opened = max(local, dt.datetime.combine(day, self.opens))
                closed = min(over, dt.datetime.combine(closes, self.closes))
                if opened < closed:
                    yield opened.replace(tzinfo=dt.UTC) - offset, closed.replace(tzinfo=dt.UTC) - offset


# ── the country's year ──────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Year:
    """What a country says about a year. `made_up` are days of a weekend that are worked for a long holiday (调休)."""

    holidays: dict[dt.date, str]
    made_up: frozenset[dt.date]
    weekend: frozenset[dt.date]


@lru_cache(maxsize=256)
def _year(country: str, subdivision: str, year: int) -> _Year:
    days = list(_days(dt.date(year, 1, 1), dt.date(year, 12, 31)))
    if not country:
        return _Year({}, frozenset(), frozenset(day for day in days if day.weekday() > 4))
    # A holiday of January may be made up for in December.
    around = [each for each in (year - 1, year, year + 1) if dt.MINYEAR <= each <= dt.MAXYEAR]
    said: Any = holidays.country_holidays(country, subdiv=subdivision or None, years=around, expand=False)
    return _Year(
        {day: str(name) for day, name in said.items() if day.year == year},
        frozenset(day for day in said.weekend_workdays if day.year == year),
        frozenset(day for day in days if said.is_weekend(day)),
    )


# ── moments ─────────────────────────────────────────────────────────────────


def _utc(moment: dt.datetime) -> dt.datetime:
    if moment.tzinfo is None:
        raise ValueError("A moment has a time zone")
    # In UTC, because Python reckons within one zone by what its clocks show.
    return moment.astimezone(dt.UTC)


def _days(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    return (first + dt.timedelta(days=number) for number in range((last - first).days + 1))


def _stretches(
    zone: ZoneInfo, begin: dt.datetime, end: dt.datetime
) -> Iterator[tuple[dt.datetime, dt.datetime, dt.timedelta]]:  # fmt: skip
    """The parts of a stretch of UTC between changes of the clock, each with what is added to UTC there."""
    start, offset, at = begin, _offset(zone, begin), begin
    while at < end:
        then = min(at + _SAMPLE, end)
        if _offset(zone, then) != offset and then < end + _SAMPLE:
            change = _change(zone, at, then, offset)
            if change < end:
                yield start, change, offset
                start, offset, then = change, _offset(zone, change), change
        at = then if then > at else at + _SAMPLE
    yield start, end, offset


def _change(zone: ZoneInfo, before: dt.datetime, after: dt.datetime, offset: dt.timedelta) -> dt.datetime:
    """The first second at which the clock no longer shows what `offset` says; `after` is past it."""
    second = dt.timedelta(seconds=1)
    while after - before > second:
        middle = before + (after - before) // 2 // second * second
        before, after = (middle, after) if _offset(zone, middle) == offset else (before, middle)
    return after


def _offset(zone: ZoneInfo, moment: dt.datetime) -> dt.timedelta:
    offset = moment.astimezone(zone).utcoffset()
    return offset if offset is not None else dt.timedelta()


def _merged(pauses: Iterable[Pause]) -> list[tuple[dt.datetime, dt.datetime]]:
    """Pauses in order, those that meet as one."""
    found: list[tuple[dt.datetime, dt.datetime]] = []
    for begin, end in sorted((_utc(begin), _NO_END if end is None else _utc(end)) for begin, end in pauses):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif begin < end:
            found.append((begin, end))
    return found


def _without(
    pieces: Iterable[tuple[dt.datetime, dt.datetime]], pauses: Sequence[tuple[dt.datetime, dt.datetime]]
) -> Iterator[tuple[dt.datetime, dt.datetime]]:
    """What is left of the pieces outside of the pauses; both are in order."""
    for begin, end in pieces:
        for start, stop in pauses:
            if stop <= begin or start >= end:
                continue
            if begin < start:
                yield begin, start
            begin = max(begin, stop)
            if begin >= end:
                break
        if begin < end:
            yield begin, end
