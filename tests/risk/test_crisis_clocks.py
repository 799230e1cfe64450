"""It: a crisis's clock, against a slow one that asks the firm's wall clock minute by minute, over ten years of three countries."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.rules import clocks
from risk.rules.crisis_policy import LEVELS, CrisisPolicy, LevelClocks
from tenants.rules.calendar import Calendar, Pause

MINUTE = dt.timedelta(minutes=1)
SHANGHAI, LONDON, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/London"), ZoneInfo("America/New_York")
FIRMS = [
    Calendar(SHANGHAI, "CN", opens=dt.time(8), closes=dt.time(20)),
    Calendar(LONDON, "GB", "ENG"),
    Calendar(NEW_YORK, "US", opens=dt.time(8), closes=dt.time(17)),
    # Open around the clock: every change of the clock is business time.
    Calendar(LONDON, "GB", week="every_day", opens=dt.time(0), closes=dt.time(0)),
    Calendar(NEW_YORK, "US", week="every_day", opens=dt.time(0), closes=dt.time(0)),
]
# Nights before long holidays, made-up weekends, and days on which clocks change; and any day of ten years.
EDGES = [
    dt.datetime(2026, 9, 30, 15, 59, tzinfo=dt.UTC), dt.datetime(2026, 2, 14, 12, tzinfo=dt.UTC),
    dt.datetime(2025, 9, 28, 1, tzinfo=dt.UTC), dt.datetime(2026, 3, 28, 23, tzinfo=dt.UTC),
    dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC), dt.datetime(2026, 3, 8, 6, tzinfo=dt.UTC),
    dt.datetime(2025, 11, 2, 5, tzinfo=dt.UTC), dt.datetime(2025, 12, 24, 16, tzinfo=dt.UTC),
]  # fmt: skip
FIRST, MINUTES = dt.datetime(2017, 1, 1, tzinfo=dt.UTC), 10 * 365 * 24 * 60
starts = st.sampled_from(EDGES) | st.integers(0, MINUTES).map(lambda minutes: FIRST + minutes * MINUTE)
pauses_at = st.lists(st.tuples(st.integers(0, 3 * 24 * 60), st.integers(0, 24 * 60) | st.none()), max_size=3)


def is_business(firm: Calendar, minute: dt.datetime) -> bool:
    shown = minute.astimezone(firm.zone)
    closes = firm.closes if firm.closes != dt.time(0) else dt.time.max
    return firm.is_working(shown.date()) and firm.opens <= shown.time() < closes


def slowly(firm: Calendar, start: dt.datetime, until: dt.datetime, target: int, pauses: list[Pause]):
    """Minutes used up to `until`, and the minute at which the target was reached, by looking at each."""
    used, reached, at = 0, None, start
    while at < until:
        stands = any(begin <= at and (end is None or at < end) for begin, end in pauses)
        if not stands and is_business(firm, at):
            used += 1
            if used == target:
                reached = at + MINUTE
        at += MINUTE
    return used, reached


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(FIRMS), starts, st.integers(1, 24 * 60), st.integers(0, 5 * 24 * 60), pauses_at,
    st.none() | st.integers(0, 5 * 24 * 60),
)  # fmt: skip
def test_stands_as_a_clock_that_looks_at_every_minute(firm, start, target, minutes, breaks, met_after):
    now = start + minutes * MINUTE
    pauses: list[Pause] = [
        (start + begin * MINUTE, None if length is None else start + (begin + length) * MINUTE)
        for begin, length in breaks
    ]
    met_at = None if met_after is None else start + met_after * MINUTE
    read = clocks.read(
        firm, started_at=start, target=target * MINUTE, now=now, pauses=pauses, met_at=met_at
    )  # fmt: skip
    stopped = min(now, met_at) if met_at is not None else now
    used, reached = slowly(firm, start, stopped, target, pauses)
    assert read.used == used * MINUTE
    if met_at is not None and met_at <= now:
        assert read.state == ("met_late" if reached else "met")
    elif reached is not None:
        # A moment of an hour that comes twice equals none of another zone (PEP 495): both are read in UTC.
        assert read.deadline is not None
        assert (read.state, read.deadline.astimezone(dt.UTC)) == ("breached", reached)
        assert read.over == (used - target) * MINUTE
    else:
        stands = any(begin <= now and (end is None or now < end) for begin, end in pauses)
        assert read.state == ("paused" if stands else "running")
        assert read.left == (target - used) * MINUTE
        assert read.deadline is None or read.deadline > now


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(FIRMS), starts, st.integers(1, 600), st.integers(1, 600), st.integers(0, 2 * 24 * 60))
def test_a_pause_moves_the_deadline_by_the_business_time_that_it_took(firm, start, target, length, after):
    begin, end = start + after * MINUTE, start + (after + length) * MINUTE
    before = clocks.deadline_of(firm, start, target * MINUTE)
    moved = clocks.deadline_of(firm, start, target * MINUTE, [(begin, end)])
    assert firm.elapsed(start, moved, [(begin, end)]) == target * MINUTE
    assert moved >= before
    if before <= begin:
        assert moved == before


def test_the_last_minute_before_the_national_holiday_counts_from_the_day_after_it():
    """Opened at 23:59 on Wednesday 30 September 2026: the firm opens again on 8 October, Saturday 10 is made up for."""
    firm, opened = FIRMS[0], dt.datetime(2026, 9, 30, 23, 59, tzinfo=SHANGHAI)
    ends = {
        kind: clocks.deadline_of(firm, opened, minutes * MINUTE)
        for kind, minutes in CrisisPolicy().clocks("serious").items()
    }
    assert ends["acknowledge"] == dt.datetime(2026, 10, 8, 8, 30, tzinfo=SHANGHAI)
    assert ends["team"] == dt.datetime(2026, 10, 8, 12, tzinfo=SHANGHAI)
    assert ends["solution"] == dt.datetime(2026, 10, 8, 20, tzinfo=SHANGHAI)
    assert ends["solved"] == dt.datetime(2026, 10, 12, 20, tzinfo=SHANGHAI)  # 8, 9, 10 (Saturday) and 12


def test_the_prototype_crisis_is_due_when_it_says():
    """Fri 20 Nov 08:42, Monday to Saturday 08:00–20:00: 12 h end on Sat 08:42, 48 h on Wed 25 Nov 08:42."""
    firm = Calendar(SHANGHAI, "CN", week="mon_sat", opens=dt.time(8), closes=dt.time(20))
    opened = dt.datetime(2026, 11, 20, 8, 42, tzinfo=SHANGHAI)
    assert clocks.deadline_of(firm, opened, dt.timedelta(hours=12)) == dt.datetime(2026, 11, 21, 8, 42, tzinfo=SHANGHAI)
    assert clocks.deadline_of(firm, opened, dt.timedelta(hours=48)) == dt.datetime(2026, 11, 25, 8, 42, tzinfo=SHANGHAI)
    now = dt.datetime(2026, 11, 20, 14, 20, tzinfo=SHANGHAI)
    read = clocks.read(firm, started_at=opened, target=dt.timedelta(hours=12), now=now)
    assert read.left == dt.timedelta(hours=6, minutes=22)


@pytest.mark.parametrize(
    ("day", "deadline"), [((2026, 3, 29), (2026, 3, 29, 12)), ((2026, 10, 25), (2026, 10, 25, 10))]
)
def test_an_hour_that_is_left_out_or_comes_twice_is_no_hour_of_work_more_or_less(day, deadline):
    """Eleven hours from midnight, open around the clock: the wall clock says noon in spring and ten in autumn."""
    opened = dt.datetime(*day, tzinfo=LONDON)
    assert clocks.deadline_of(FIRMS[3], opened, dt.timedelta(hours=11)) == dt.datetime(*deadline, tzinfo=LONDON)


def test_a_firm_that_never_opens_has_no_deadline_and_says_so():
    off = frozenset(dt.date(2026, 1, 1) + dt.timedelta(days=n) for n in range(3_000))
    firm = Calendar(LONDON, days_off=off)
    at = dt.datetime(2026, 3, 2, 9, tzinfo=LONDON)
    read = clocks.read(firm, started_at=at, target=MINUTE, now=at + dt.timedelta(days=9))
    assert (read.state, read.deadline, read.used) == ("never", None, dt.timedelta())


def test_the_policy_ships_the_clocks_of_the_playbook_and_refuses_those_out_of_order():
    policy = CrisisPolicy.pack("wholesale")
    hours = {level: {kind: m / 60 for kind, m in policy.clocks(level).items()} for level in LEVELS}
    assert hours == {
        "general": {"acknowledge": 0.5, "solution": 12, "solved": 24},
        "serious": {"acknowledge": 0.5, "team": 4, "solution": 12, "solved": 48},
        "major": {"acknowledge": 0.5, "team": 2, "solution": 4, "solved": 24, "visit": 72},
    }
    for wrong in ({"solved_hours": 1}, {"team_hours": 13}, {"acknowledge_minutes": 0}):
        with pytest.raises(ValueError, match=r"run out|greater than"):
            LevelClocks(**wrong)
