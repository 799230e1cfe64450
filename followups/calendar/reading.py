"""Reading for the calendar: the open follow-ups of some days, a few of each, and how many there are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber
from django.utils.translation import gettext as _

from customers.models import Channel
from followups.models import FollowUp
from followups.querysets import FollowUpQuerySet
from followups.reasons import phrase
from tenants.models import Member
from tenants.permissions import SEES_ALL
from tenants.templatetags.perennial import channel_icon, clock

Span = Literal["month", "week"]
SPANS: Final[tuple[Span, ...]] = get_args(Span)

SHOWN: Final[dict[Span, int]] = {"month": 4, "week": 40}
"""Follow-ups of a day that are shown; of the others their number."""

WEEK: Final = dt.timedelta(days=7)


@dataclass(frozen=True)
class Entry:
    """A follow-up in the calendar, ready to print."""

    pk: int
    name: str
    why: str
    icon: str
    channel: str
    at: str
    who: str
    is_severe: bool

    @property
    def key(self) -> str:
        """The id as addresses write it: templates would group its digits."""
        return str(self.pk)


@dataclass
class Day:
    """A day of the calendar with its first follow-ups; `count` are all of it, `late` that they wait too long."""

    day: dt.date
    is_today: bool
    is_outside: bool
    is_past: bool
    count: int = 0
    entries: list[Entry] = field(default_factory=list)

    @property
    def more(self) -> int:
        return self.count - len(self.entries)


@dataclass(frozen=True)
class Page:
    """Weeks of days, from Monday to Sunday, and where the pages before and after begin."""

    weeks: list[list[Day]]
    first: dt.date
    last: dt.date
    before: dt.date
    after: dt.date
    total: int


def bounds(span: Span, day: dt.date) -> tuple[dt.date, dt.date]:
    """First and last day that the page of `day` shows: its week, or the whole weeks of its month."""
    first = day if span == "week" else day.replace(day=1)
    last = day if span == "week" else _next_month(day) - dt.timedelta(days=1)
    return first - dt.timedelta(days=first.weekday()), last + dt.timedelta(days=6 - last.weekday())


def _next_month(day: dt.date) -> dt.date:
    return (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1)


def page(member: Member, who: Member | None, span: Span, day: dt.date, today: dt.date) -> Page:
    """The calendar of one member, or with None of everybody, as far as `member` sees the customers.

    Two queries, however many follow-ups there are.
    """
    first, last = bounds(span, day)
    rows = FollowUp.objects.visible_to(member).filter(status=FollowUp.Status.OPEN, day__range=(first, last))
    if who is not None:
        rows = rows.filter(assignee=who)
    days = {each: _day(each, span, day, today) for each in _days(first, last)}
    for each, count in rows.order_by().values_list("day").annotate(count=Count("pk")):
        days[each].count = count
    for row in _first_of_each_day(rows, SHOWN[span]):
        days[row.day].entries.append(_entry(row, today, named=who is None))
    every = list(days.values())
    return Page(
        weeks=[every[at : at + 7] for at in range(0, len(every), 7)],
        first=first,
        last=last,
        before=day - WEEK if span == "week" else (day.replace(day=1) - dt.timedelta(days=1)).replace(day=1),
        after=day + WEEK if span == "week" else _next_month(day),
        total=sum(each.count for each in every),
    )


def _first_of_each_day(rows: FollowUpQuerySet, most: int) -> Sequence[FollowUp]:
    order = [F("due_at").asc(nulls_last=True), F("priority").desc(), F("pk").asc()]
    place = Window(RowNumber(), partition_by=F("day"), order_by=order)
    found = rows.annotate(place=place).filter(place__lte=most).select_related("customer", "assignee__user")
    return list(found.order_by("day", "place"))


def _days(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    for ahead in range((last - first).days + 1):
        yield first + dt.timedelta(days=ahead)


def _day(each: dt.date, span: Span, day: dt.date, today: dt.date) -> Day:
    outside = span == "month" and (each.year, each.month) != (day.year, day.month)
    return Day(each, is_today=each == today, is_outside=outside, is_past=each < today)


def _entry(row: FollowUp, today: dt.date, *, named: bool) -> Entry:
    return Entry(
        pk=row.pk,
        name=row.customer.name,
        why=phrase(row, today),
        icon=channel_icon(row.channel),
        channel=str(Channel(row.channel).label),
        at=clock(row.due_at) if row.due_at and row.due_on == row.day else "",
        who=(str(row.assignee) if row.assignee else _("nobody")) if named else "",
        is_severe=row.level == FollowUp.Level.SEVERE,
    )


def people(member: Member) -> list[Member]:
    """Whose calendar the member may ask for: their own, and who assigns or sees everything those of all who work."""
    if member.can("follow-ups:assign") or member.role in SEES_ALL:
        every = Member.objects.select_related("user").filter(is_active=True)
        return sorted((each for each in every if each.can("follow-ups:write")), key=lambda each: str(each).lower())
    return [member]
