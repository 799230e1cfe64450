"""It: lands touches on working days, and on days with room."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followups.rules.spread import Desks, Wanted, plan_ahead, room_a_day
from tenants.rules.calendar import Calendar

BRITAIN = Calendar(ZoneInfo("Europe/London"), "GB", "ENG")
CHINA = Calendar(ZoneInfo("Asia/Shanghai"), "CN")
MONDAY = dt.date(2026, 11, 16)
FRIDAY = dt.date(2026, 11, 20)
DAY = dt.timedelta(days=1)
quick = settings(max_examples=80, deadline=None)


def desks(calendar: Calendar = BRITAIN, first: dt.date = MONDAY, room: int = 6, taken: dict | None = None) -> Desks:
    return Desks(calendar, first, first + 400 * DAY, {1: room, 2: room}, taken)


def wanted(on: dt.date, interval: int = 30, person: int | None = 1, number: int = 7, *, start: bool = False) -> Wanted:
    return Wanted(number, "light_touch", person, on, interval, start)


@pytest.mark.parametrize(
    ("calendar", "on", "lands"),
    [
        (BRITAIN, "2026-11-18", "2026-11-18"),
        (BRITAIN, "2026-11-21", "2026-11-20"),  # Saturday: Friday is nearer
        (BRITAIN, "2026-11-22", "2026-11-23"),
        (BRITAIN, "2026-12-25", "2026-12-24"),
        (BRITAIN, "2026-12-27", "2026-12-29"),  # Monday 28 December is a holiday as well; Thursday is further
        (CHINA, "2026-02-14", "2026-02-14"),  # a Saturday that is worked
        (CHINA, "2026-02-17", "2026-02-14"),
        (CHINA, "2026-02-21", "2026-02-24"),
    ],
)
def test_lands_on_the_nearest_working_day(calendar: Calendar, on: str, lands: str) -> None:
    first = dt.date(2026, 2, 2) if calendar is CHINA else MONDAY
    assert desks(calendar, first).place(wanted(dt.date.fromisoformat(on))) == dt.date.fromisoformat(lands)


def test_takes_the_earlier_or_the_later_of_two_as_near_by_turns() -> None:
    calendar = Calendar(ZoneInfo("UTC"), days_off=frozenset({MONDAY + 2 * DAY}))
    assert [desks(calendar).place(wanted(MONDAY + 2 * DAY, number=n)) - MONDAY for n in (1, 2)] == [3 * DAY, DAY]


def test_goes_on_to_the_next_day_with_room() -> None:
    full = desks(room=2)
    got = [full.place(wanted(MONDAY, 90, number=n)) for n in range(7)]
    assert [(day - MONDAY).days for day in got] == [0, 0, 1, 1, 2, 2, 3]
    assert full.place(wanted(MONDAY, 90, person=2)) == MONDAY  # somebody else's day is empty


def test_waits_no_longer_than_its_interval_allows() -> None:
    full = desks(room=1)
    got = [(full.place(wanted(MONDAY, 20, number=n)) - MONDAY).days for n in range(6)]
    # Two days of slack; then the emptiest of the three, the first of them.
    assert got == [0, 1, 2, 0, 1, 2]
    assert full.place(wanted(MONDAY, 9)) == MONDAY


def test_counts_what_is_there_already() -> None:
    assert desks(room=3, taken={(1, MONDAY): 3}).place(wanted(MONDAY)) == MONDAY + DAY
    assert desks(room=3, taken={(2, MONDAY): 3}).place(wanted(MONDAY)) == MONDAY


def test_leaves_what_is_late_on_its_own_working_day_and_takes_no_room_for_it() -> None:
    busy = desks(first=FRIDAY, room=1)
    assert busy.place(wanted(dt.date(2026, 11, 14))) == MONDAY
    assert busy.place(wanted(dt.date(2026, 11, 14))) == MONDAY
    assert busy.place(wanted(FRIDAY)) == FRIDAY


def test_spreads_those_who_come_under_a_cadence_late_over_their_first_interval() -> None:
    night = desks(first=FRIDAY, room=2)
    got = [night.place(wanted(FRIDAY, 30, number=n, start=True)) for n in range(60)]
    assert max(got) <= FRIDAY + 29 * DAY
    assert set(Counter(got[:42]).values()) == {2}
    assert max(Counter(got).values()) <= 3


def test_makes_room_for_a_week_on_its_days() -> None:
    assert room_a_day(30, BRITAIN) == 6
    assert room_a_day(31, BRITAIN) == 7
    assert room_a_day(30, Calendar(BRITAIN.zone, week="mon_sat")) == 5
    assert room_a_day(0, BRITAIN) == 0
    nobody = desks(room=0)
    assert [nobody.place(wanted(MONDAY, 30, number=n)) for n in range(5)] == [MONDAY + n * DAY for n in (0, 1, 2, 3, 0)]


people = st.sampled_from([1, 2, None])
touches = st.lists(
    st.builds(
        Wanted,
        st.integers(1, 10**9),
        st.just("light_touch"),
        people,
        st.dates(MONDAY - 60 * DAY, MONDAY + 60 * DAY),
        st.integers(1, 365),
        st.booleans(),
    ),
    max_size=60,
)


@quick
@given(touches, st.integers(0, 8), st.sampled_from([BRITAIN, CHINA]))
def test_only_lands_on_working_days_near_the_wanted_one_and_always_on_the_same(
    asked: list[Wanted], room: int, calendar: Calendar
) -> None:
    days = [(each, day) for each, day in zip(asked, map(desks(calendar, room=room).place, asked), strict=True)]
    assert [day for _each, day in days] == list(map(desks(calendar, room=room).place, asked))
    for each, day in days:
        assert calendar.is_working(day)
        least = max(each.on, MONDAY)
        slack = 1 + (each.interval if each.is_start else min(5, each.interval // 10))
        if each.on < MONDAY and not each.is_start:
            least, slack = each.on, 1
        assert day >= calendar.on_or_before(least)
        assert day <= max(calendar.add_working_days(least, slack), least + (each.interval + 14) * each.is_start * DAY)


@quick
@given(touches, st.integers(1, 8))
def test_never_fills_a_day_while_one_within_the_slack_has_room(asked: list[Wanted], room: int) -> None:
    table = desks(room=room)
    load: Counter = Counter()
    for each in asked:
        day = table.place(each)
        if each.person is None or (each.on < MONDAY and not each.is_start):
            continue
        if load[each.person, day] >= room:
            start = max(table.nearest(each.on, each.customer_id), BRITAIN.on_or_after(MONDAY))
            near = [BRITAIN.add_working_days(start, n) for n in range(min(5, each.interval // 10) + 1)]
            assert all(load[each.person, other] >= room for other in near)
        load[each.person, day] += 1


# ── a plan ──────────────────────────────────────────────────────────────────


def test_plans_a_year_without_monday_piles() -> None:
    asked = [wanted(MONDAY + n % 30 * DAY, 30, n % 2 + 1, n) for n in range(300)]
    rows = plan_ahead(asked, BRITAIN, MONDAY, 364, {1: 8, 2: 8})
    by_weekday = Counter(each.due_on.isoweekday() for each in rows)
    assert set(by_weekday) == {1, 2, 3, 4, 5}
    # Left to itself Monday would have three sevenths: of Saturdays and Sundays, too.
    assert by_weekday[1] < 1.2 * len(rows) / 5
    assert max(by_weekday.values()) < 1.4 * min(by_weekday.values())
    assert max(Counter((each.person, each.due_on) for each in rows).values()) <= 10


def test_plans_each_touch_an_interval_after_the_one_before() -> None:
    rows = plan_ahead([wanted(MONDAY, 10)], BRITAIN, MONDAY, 40, {1: 8})
    # 6 December is a Sunday, Monday is nearer; 17 + 10 days is a Sunday between two holidays: Thursday is 3 days off.
    said = [(each.wanted_on.isoformat()[5:], each.due_on.isoformat()[5:]) for each in rows]
    assert said == [("11-16", "11-16"), ("11-26", "11-26"), ("12-06", "12-07"), ("12-17", "12-17")]
    further = plan_ahead([wanted(MONDAY, 10)], BRITAIN, MONDAY, 60, {1: 8})
    assert [each.due_on.isoformat()[5:] for each in further[4:]] == ["12-29", "01-08"]


@quick
@given(touches, st.integers(0, 8), st.integers(1, 90))
def test_plans_every_touch_of_everybody_and_nothing_twice_on_a_day(asked: list[Wanted], room: int, days: int) -> None:
    once = list({(each.customer_id): each for each in asked}.values())
    rows = plan_ahead(once, BRITAIN, MONDAY, days, {1: room, 2: room})
    assert rows == plan_ahead(once, BRITAIN, MONDAY, days, {1: room, 2: room})
    assert all(BRITAIN.is_working(each.due_on) for each in rows)
    seen = Counter((each.customer_id, each.due_on) for each in rows)
    assert set(seen.values()) <= {1}
    for each in once:
        mine = [row for row in rows if row.customer_id == each.customer_id]
        gaps = [(b.wanted_on - a.due_on).days for a, b in pairwise(mine)]
        assert all(gap >= min(each.interval, 1) for gap in gaps)
        assert all(gap <= max(each.interval, 5) for gap in gaps)
