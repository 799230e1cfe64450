"""It: the clocks of alerts, who is next up the line, and the figures, against slow and obvious references."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.rules.alert_figures import Passed, percentile
from risk.rules.alerts import (
    LEVELS,
    LINE,
    answer_by,
    answer_time,
    higher_level,
    latest_snooze,
    next_role,
    runs_out_at,
)
from tenants.rules.calendar import Calendar

PLACES = [("Asia/Shanghai", "CN"), ("Europe/London", "GB"), ("America/New_York", "US")]
START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
moments = st.integers(0, 3640 * 24 * 3600).map(lambda seconds: START + dt.timedelta(seconds=seconds))
quick = settings(max_examples=60, deadline=None)


def firm(place: tuple[str, str]) -> Calendar:
    return Calendar(zone=ZoneInfo(place[0]), country=place[1])


@quick
@given(moments, st.integers(1, 200), st.sampled_from(PLACES))
def test_it_runs_out_in_business_time_and_later_for_more_hours(
    now: dt.datetime, hours: int, place: tuple[str, str]
) -> None:
    calendar = firm(place)
    due = answer_by(calendar, now, hours)
    assert calendar.elapsed(now, due) == answer_time(hours, calendar.day_length)
    assert due <= answer_by(calendar, now, hours + 1)


@pytest.mark.parametrize(
    ("hours", "due"),
    [
        (4, "2026-02-24T12:59"),  # the first working day after the seven days of the Spring Festival
        (24, "2026-02-24T17:59"),
        (48, "2026-02-25T17:59"),
    ],
)
def test_it_counts_from_the_last_minute_before_a_long_holiday(hours: int, due: str) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    last = dt.datetime(2026, 2, 14, 17, 59, tzinfo=zone)  # a Saturday, worked for the holiday
    assert answer_by(firm(PLACES[0]), last, hours).astimezone(zone) == dt.datetime.fromisoformat(due).replace(
        tzinfo=zone
    )


def test_it_lets_hours_just_pass_for_a_firm_that_never_opens() -> None:
    never = Calendar(zone=ZoneInfo("UTC"), days_off=frozenset(
        dt.date(2026, 1, 1) + dt.timedelta(days=each) for each in range(2500)
    ))  # fmt: skip
    now = dt.datetime(2026, 11, 20, 23, 59, tzinfo=dt.UTC)
    assert answer_by(never, now, 24) == now + dt.timedelta(hours=24)


def test_it_goes_up_the_line_to_its_end_and_never_down() -> None:
    assert [next_role(role) for role in LINE] == [*LINE[1:], None]
    assert [higher_level(one, "moderate") for one in LEVELS] == ["moderate", "moderate", "severe"]


def test_it_lets_a_severe_one_wait_for_its_clock_and_others_for_days() -> None:
    now, due = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC), dt.datetime(2026, 11, 20, 17, tzinfo=dt.UTC)
    assert latest_snooze("severe", now=now, due_at=due, most_days=30) == due
    assert latest_snooze("moderate", now=now, due_at=due, most_days=30) == now + dt.timedelta(days=30)
    assert runs_out_at(None, due) is None
    assert runs_out_at(now, due) == due == runs_out_at(due, now)


@quick
@given(st.lists(st.tuples(moments, st.integers(0, 40 * 24 * 60)), min_size=1, max_size=20), st.sampled_from(PLACES))
def test_it_adds_up_business_time_as_the_calendar_does(
    spans: list[tuple[dt.datetime, int]], place: tuple[str, str]
) -> None:
    calendar = firm(place)
    near = [(start.replace(year=2026), minutes) for start, minutes in spans if (start.month, start.day) != (2, 29)]
    pairs = [(start, start + dt.timedelta(minutes=minutes)) for start, minutes in near]
    if not pairs:
        return
    passed = Passed(calendar.openings(min(start for start, _end in pairs), max(end for _start, end in pairs)))
    for start, end in pairs:
        assert passed.between(start, end) == calendar.elapsed(start, end)
        assert passed.between(end, start) == dt.timedelta()


@quick
@given(st.lists(st.integers(0, 100), min_size=1, max_size=50), st.sampled_from([0.5, 0.9, 1.0]))
def test_it_finds_the_value_that_so_many_do_not_exceed(hours: list[int], share: float) -> None:
    values = [dt.timedelta(hours=each) for each in hours]
    found = percentile(values, share)
    assert found is not None
    assert sum(each <= found for each in values) >= share * len(values) - 1e-9
    assert all(sum(each <= other for each in values) < share * len(values) for other in values if other < found)
    assert percentile([], share) is None
