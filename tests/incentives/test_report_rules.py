"""It: which report is due at a moment: after its time, at opening on a working day, and never one that is stale."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentives.rules.kpis import Period
from incentives.rules.report_policy import WEEKDAYS, ReportPolicy
from incentives.rules.reports import KINDS, SPANS, STALE, due_moment, due_slot
from tenants.rules.calendar import Calendar

LONDON = Calendar(zone=ZoneInfo("Europe/London"), country="GB")
SHANGHAI = Calendar(zone=ZoneInfo("Asia/Shanghai"), country="CN")
USUAL = ReportPolicy()
LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def at(*said: int) -> dt.datetime:
    return dt.datetime(*said, tzinfo=dt.UTC)  # type: ignore[misc,arg-type]  # year, month, day, …


@pytest.mark.parametrize(
    ("calendar", "kind", "period", "due"),
    [
        # Six working days after the end of October: Monday 2 to Friday 6, and Monday 9 November.
        (LONDON, "monthly", "2026-10", at(2026, 11, 9, 9)),
        (LONDON, "weekly", "2026-W46", at(2026, 11, 16, 9)),
        # 1 to 7 October are free in China, and Saturday 10 is worked for it.
        (SHANGHAI, "monthly", "2026-09", at(2026, 10, 14, 1)),
        (SHANGHAI, "weekly", "2026-W40", at(2026, 10, 8, 1)),
    ],
)
def test_it_is_made_at_opening_on_a_working_day(calendar, kind, period, due) -> None:
    assert due_moment(kind, Period.read(period), calendar, USUAL) == due
    slot = due_slot(kind, due, calendar, USUAL, LONG_AGO)
    assert slot is not None
    assert (slot.kind, slot.period.code, slot.due_at) == (kind, period, due)
    before = due_slot(kind, due - dt.timedelta(seconds=1), calendar, USUAL, LONG_AGO)
    assert before is None or before.period < slot.period


def test_it_leaves_out_what_is_stale_and_what_was_before_the_firm() -> None:
    due = at(2026, 11, 16, 9)
    assert due_slot("weekly", due + STALE["weekly"], LONDON, USUAL, LONG_AGO) is not None
    assert due_slot("weekly", due + STALE["weekly"] + dt.timedelta(seconds=1), LONDON, USUAL, LONG_AGO) is None
    assert due_slot("weekly", due, LONDON, USUAL, due + dt.timedelta(seconds=1)) is None


def test_it_names_a_moment_also_for_a_firm_that_never_opens() -> None:
    never = Calendar(zone=ZoneInfo("UTC"), week="mon_fri", days_off=frozenset(
        dt.date(2026, 1, 1) + dt.timedelta(days=each) for each in range(2500)
    ))  # fmt: skip
    assert due_moment("monthly", Period.read("2026-10"), never, USUAL) == at(2026, 11, 6, 9)


moments = st.integers(0, 3640 * 24 * 3600).map(lambda seconds: at(2020, 1, 1) + dt.timedelta(seconds=seconds))
policies = st.builds(ReportPolicy, monthly_day=st.integers(1, 15), weekly_day=st.sampled_from(WEEKDAYS))


@given(moments, policies, st.sampled_from([LONDON, SHANGHAI]), st.sampled_from(KINDS))
def test_it_is_the_last_one_whose_moment_has_come(now, policy, calendar, kind) -> None:
    slot = due_slot(kind, now, calendar, policy, LONG_AGO)
    newest = Period.of(SPANS[kind], now.astimezone(calendar.zone).date()).before
    if slot is None:
        # Nothing came due lately: of each period that is over the moment is still to come, or long past.
        for period in newest.back(4):
            due = due_moment(kind, period, calendar, policy)
            assert due > now or now - due > STALE[kind]
        return
    local = slot.due_at.astimezone(calendar.zone)
    assert slot.due_at <= now <= slot.due_at + STALE[kind]
    assert local.date() >= slot.period.end
    assert local.time() == calendar.opens
    assert calendar.is_working(local.date())
    later = slot.period.after
    while later <= newest:
        assert due_moment(kind, later, calendar, policy) > now
        later = later.after
