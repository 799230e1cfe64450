"""It: the firm's calendar, against a slow clock that looks at each minute, and against published years."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tenants.rules.calendar import Calendar, CalendarPolicy, NeverOpensError

LONDON, SHANGHAI = ZoneInfo("Europe/London"), ZoneInfo("Asia/Shanghai")
CHINA, BRITAIN = Calendar(SHANGHAI, "CN"), Calendar(LONDON, "GB", "ENG")
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)
# Changes of the clock by an hour and by half of one, at midnight, and a day that one of them never had.
ZONES = ["Europe/London", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo",
         "Asia/Beirut", "Pacific/Apia", "America/St_Johns", "UTC"]  # fmt: skip
CHANGES = [dt.date(2026, 3, 29), dt.date(2026, 10, 25), dt.date(2026, 3, 8), dt.date(2026, 11, 1), dt.date(2026, 4, 5),
           dt.date(2018, 11, 4), dt.date(2018, 2, 18), dt.date(2011, 12, 30), dt.date(2010, 11, 7), dt.date(2022, 3, 27),
           dt.date(2026, 9, 25)]  # fmt: skip


def at(zone: ZoneInfo, *parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=zone)  # type: ignore[arg-type]  # year, month, day, hour, minute


# ── days ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2026-02-13", True), ("2026-02-14", True), ("2026-02-15", False), ("2026-02-16", False),
        ("2026-02-20", False), ("2026-02-23", False), ("2026-02-24", True), ("2026-02-28", True),
        ("2026-05-05", False), ("2026-05-09", True), ("2026-05-10", False), ("2026-09-20", True),
        ("2026-09-25", False), ("2026-10-06", False), ("2026-10-10", True), ("2026-10-11", False),
    ],
)  # fmt: skip
def test_knows_the_weekends_that_china_makes_up_for(day: str, works: object) -> None:
    assert CHINA.is_working(dt.date.fromisoformat(day)) is works


def test_has_as_many_working_days_in_a_chinese_year_as_the_state_council_published() -> None:
    # 国务院办公厅关于2025年部分节假日安排的通知: 28 days off, 5 weekends worked.
    assert len(CHINA.working_days(dt.date(2025, 1, 1), dt.date(2025, 12, 31))) == 248


@pytest.mark.parametrize(
    ("calendar", "day", "works"),
    [
        (BRITAIN, "2026-12-28", False),  # Boxing Day, a Saturday, is made good on Monday
        (BRITAIN, "2026-12-29", True),
        (Calendar(LONDON, "GB", "SCT"), "2026-01-02", False),
        (BRITAIN, "2026-01-02", True),
        (Calendar(LONDON), "2026-12-25", True),  # no country: no holidays
        (Calendar(LONDON, "AE"), "2026-11-22", False),
        (Calendar(LONDON, "GB", week="mon_sat"), "2026-11-21", True),
        (Calendar(LONDON, "GB", week="mon_sat"), "2026-11-22", False),
        (Calendar(LONDON, "GB", week="every_day"), "2026-12-25", True),
        (Calendar(LONDON, "GB", days_off=frozenset({dt.date(2026, 11, 20)})), "2026-11-20", False),
        (Calendar(LONDON, "GB", days_on=frozenset({dt.date(2026, 12, 25)})), "2026-12-25", True),
        (Calendar(LONDON, "AE", week="mon_fri"), "2026-11-22", False),
    ],
)
def test_works_by_country_region_week_and_own_days(calendar: Calendar, day: str, works: object) -> None:
    assert calendar.is_working(dt.date.fromisoformat(day)) is works


def test_knows_a_day_made_up_for_a_holiday_of_the_next_year() -> None:
    assert CHINA.is_working(dt.date(2006, 12, 30))
    assert CHINA.is_working(dt.date(2006, 12, 31))


def test_counts_working_days_over_a_long_holiday() -> None:
    friday = dt.date(2026, 9, 30)  # a Wednesday: the next eight days are off, and 10 October is worked
    assert CHINA.next_working_day(friday) == dt.date(2026, 10, 8)
    assert [CHINA.add_working_days(friday, n) for n in (1, 2, 3, 4)] == [
        dt.date(2026, 10, 8), dt.date(2026, 10, 9), dt.date(2026, 10, 10), dt.date(2026, 10, 12),
    ]  # fmt: skip
    assert CHINA.add_working_days(dt.date(2026, 10, 8), -1) == friday
    assert CHINA.add_working_days(dt.date(2026, 10, 3), 0) == dt.date(2026, 10, 8)
    assert CHINA.on_or_before(dt.date(2026, 10, 7)) == friday
    assert CHINA.holiday(dt.date(2026, 10, 1))
    assert CHINA.holiday(dt.date(2026, 10, 8)) == ""


@settings(max_examples=200, deadline=None)
@given(st.dates(dt.date(2024, 1, 1), dt.date(2027, 6, 1)), st.integers(-60, 60))
def test_adds_working_days_and_takes_them_back(day: dt.date, days: int) -> None:
    start = CHINA.on_or_after(day)
    there = CHINA.add_working_days(start, days)
    assert CHINA.is_working(there)
    assert CHINA.add_working_days(there, -days) == start
    between = CHINA.working_days(min(start, there), max(start, there))
    assert len(between) == abs(days) + 1


def test_never_looks_for_ever() -> None:
    every = frozenset(dt.date(2026, 1, 1) + n * DAY for n in range(3_000))
    closed = Calendar(LONDON, days_off=every)
    with pytest.raises(NeverOpensError):
        closed.on_or_after(dt.date(2026, 3, 1))
    with pytest.raises(NeverOpensError):
        closed.deadline(at(LONDON, 2026, 3, 1), HOUR)
    assert closed.elapsed(at(LONDON, 2026, 3, 1), at(LONDON, 2026, 9, 1)) == dt.timedelta()


# ── business time ───────────────────────────────────────────────────────────


def is_business(calendar: Calendar, minute: dt.datetime) -> bool:
    """What the calendar promises, asked of the firm's clock."""
    shown = minute.astimezone(calendar.zone)
    closes = calendar.closes if calendar.closes != dt.time(0) else dt.time.max
    return calendar.is_working(shown.date()) and calendar.opens <= shown.time() < closes


def minutes(calendar: Calendar, start: dt.datetime, end: dt.datetime, pauses: list[tuple]) -> int:
    moment, passed = start, 0
    while moment < end:
        stands = any(begin <= moment and (stop is None or moment < stop) for begin, stop in pauses)
        passed += is_business(calendar, moment) and not stands
        moment += MINUTE
    return passed


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    opens = draw(st.integers(0, 23 * 60))
    closes = draw(st.integers(opens + 1, 24 * 60))
    return Calendar(
        ZoneInfo(draw(st.sampled_from(ZONES))),
        draw(st.sampled_from(["", "CN", "GB"])),
        week=draw(st.sampled_from(["country", "mon_sat", "every_day"])),
        opens=dt.time(opens // 60, opens % 60),
        closes=dt.time(closes // 60 % 24, closes % 60),
        days_off=draw(st.frozensets(st.sampled_from(CHANGES), max_size=1)),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Calendar, dt.datetime, int, list[tuple]]:
    start = dt.datetime.combine(draw(st.sampled_from(CHANGES)), dt.time(), tzinfo=dt.UTC)
    start += draw(st.integers(-2 * 1440, 1440)) * MINUTE
    pauses = []
    for begin, length in draw(st.lists(st.tuples(st.integers(-500, 3000), st.integers(0, 900)), max_size=3)):
        pauses.append((start + begin * MINUTE, start + (begin + length) * MINUTE))
    return draw(calendars()), start, draw(st.integers(0, 3 * 1440)), pauses


@settings(max_examples=120, deadline=None)
@given(cases())
def test_measures_business_time_as_a_clock_that_is_looked_at_each_minute(case: tuple) -> None:
    calendar, start, length, pauses = case
    end = start + length * MINUTE
    passed = calendar.elapsed(start, end, pauses)
    assert passed == minutes(calendar, start, end, pauses) * MINUTE
    middle = start + length // 3 * MINUTE
    assert calendar.elapsed(start, middle, pauses) + calendar.elapsed(middle, end, pauses) == passed
    assert calendar.is_open(start) == is_business(calendar, start)


@settings(max_examples=120, deadline=None)
@given(cases(), st.integers(0, 2000), st.booleans())
def test_falls_due_at_the_first_minute_at_which_enough_has_passed(case: tuple, needed: int, still: object) -> None:
    calendar, start, length, pauses = case
    if still:
        pauses = [*pauses, (start + length * MINUTE, None)]
    due = calendar.deadline(start, needed * MINUTE, pauses)
    if due is None:
        assert still
        assert calendar.elapsed(start, start + 30 * DAY, pauses) < needed * MINUTE
        return
    assert due.tzinfo is calendar.zone
    assert calendar.elapsed(start, due, pauses) == needed * MINUTE
    if needed:
        # Not a second sooner.
        assert calendar.elapsed(start, due.astimezone(dt.UTC) - dt.timedelta(seconds=1), pauses) < needed * MINUTE


def test_passes_the_night_in_which_clocks_go_forward_an_hour_shorter() -> None:
    desk = Calendar(LONDON, week="every_day", opens=dt.time(0), closes=dt.time(0))
    assert desk.elapsed(at(LONDON, 2026, 3, 29), at(LONDON, 2026, 3, 30)) == 23 * HOUR
    assert desk.elapsed(at(LONDON, 2026, 10, 25), at(LONDON, 2026, 10, 26)) == 25 * HOUR
    assert desk.deadline(at(LONDON, 2026, 3, 28, 22, 0), 6 * HOUR) == at(LONDON, 2026, 3, 29, 5, 0)


def test_answers_a_complaint_of_friday_evening_on_monday_morning() -> None:
    friday = at(LONDON, 2026, 11, 20, 17, 30)
    assert BRITAIN.deadline(friday, HOUR) == at(LONDON, 2026, 11, 23, 9, 30)
    assert BRITAIN.deadline(friday, MINUTE * 30) == at(LONDON, 2026, 11, 20, 18, 0)
    assert BRITAIN.next_opening(at(LONDON, 2026, 11, 20, 18, 0)) == at(LONDON, 2026, 11, 23, 9, 0)
    assert BRITAIN.next_opening(friday) == friday
    waits = [(at(LONDON, 2026, 11, 20, 17, 45), at(LONDON, 2026, 11, 23, 12, 0))]
    assert BRITAIN.deadline(friday, HOUR, waits) == at(LONDON, 2026, 11, 23, 12, 45)


def test_goes_over_the_spring_festival_and_its_made_up_saturday() -> None:
    friday = at(SHANGHAI, 2026, 2, 13, 16, 0)
    # Two hours on Friday, nine on the Saturday that is worked, then all is shut until the 24th.
    assert CHINA.deadline(friday, 11 * HOUR) == at(SHANGHAI, 2026, 2, 14, 18, 0)
    assert CHINA.deadline(friday, 12 * HOUR) == at(SHANGHAI, 2026, 2, 24, 10, 0)


def test_takes_no_moment_without_a_zone() -> None:
    with pytest.raises(ValueError, match="zone"):
        BRITAIN.elapsed(dt.datetime(2026, 11, 20), at(LONDON, 2026, 11, 21))  # noqa: DTZ001  # that is the point
    assert BRITAIN.elapsed(at(LONDON, 2026, 11, 21), at(LONDON, 2026, 11, 20)) == dt.timedelta()


# ── the policy ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "code", "place"),
    [
        ({"country": "XX"}, "unknown_country", ("country",)),
        ({"subdivision": "ENG"}, "region_without_country", ()),
        ({"country": "CN", "subdivision": "ENG"}, "unknown_region", ()),
        ({"opens": "18:00", "closes": "09:00"}, "closes_before", ()),
        ({"opens": "09:00+01:00"}, "time_with_zone", ("opens",)),
        ({"days_off": ["2026-12-24"], "days_on": ["2026-12-24"]}, "off_and_on", ()),
        ({"days_off": ["2026-02-30"]}, "date_from_datetime_parsing", ("days_off", 0)),
    ],
)
def test_refuses_a_calendar_that_cannot_be(said: dict, code: str, place: tuple) -> None:
    with pytest.raises(ValidationError) as refused:
        CalendarPolicy.model_validate(said)
    assert [(each["type"], each["loc"]) for each in refused.value.errors()] == [(code, place)]


def test_takes_the_firms_country_unless_the_policy_names_one() -> None:
    usual = CalendarPolicy.pack("callback")
    assert Calendar.of(usual, LONDON, "GB").country == "GB"
    assert Calendar.of(usual, LONDON, "").country == ""
    assert Calendar.of(usual, LONDON, "QQ").country == ""
    own = CalendarPolicy(country="cn", closes=dt.time(0), days_off=(dt.date(2026, 3, 2), dt.date(2026, 3, 2)))
    assert Calendar.of(own, LONDON, "GB").country == "CN"
    assert own.days_off == (dt.date(2026, 3, 2),)
