"""It: takes only journeys that make sense, says when each step is to be done, and lets one of several speak."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followups.journeys.shipped import shipped
from followups.rules.journeys import (
    Definition,
    Place,
    Step,
    begins_at,
    due_at,
    faults_of,
    next_at,
    on_working_day,
    ready,
    says,
    settle,
)
from segmentation.rules.tiers import TIER_ORDER

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
NOON_DAY = NOW.date()
HOUR = dt.timedelta(hours=1)
STEP = {"code": "call", "script": "regular"}


def made(**fields):
    return {"trigger": "first_order", "steps": [STEP]} | fields


@pytest.mark.parametrize("scheme", TIER_ORDER)
def test_ships_journeys_that_are_right_for_every_pack(scheme):
    found = shipped(scheme)
    assert set(found) == {"first-order", "complaint", "logistics", "product-asked", "new-product", "silent"}
    for definition in found.values():
        assert faults_of(definition) == []
        assert set(Definition.model_validate(definition).conditions.tiers) <= set(TIER_ORDER[scheme])


def test_ships_the_times_of_the_playbook():
    steps = {
        (code, step.code): (step.after_hours, step.within_hours)
        for code, definition in shipped("callback").items()
        for step in Definition.model_validate(definition).steps
    }
    assert steps["first-order", "letter"] == (0, 24)
    assert steps["first-order", "call"][1] == 72
    assert steps["first-order", "report"][1] == 168
    assert steps["new-product", "chat"][1] == 24
    assert steps["logistics", "solve"][1] == 24
    assert Definition.model_validate(shipped("callback")["silent"]).days == 90


@pytest.mark.parametrize(
    ("definition", "code"),
    [
        (made(steps=[]), "too_short"),
        (made(steps=[STEP, STEP]), "step_twice"),
        (made(steps=[{**STEP, "code": "Call me"}]), "step_code"),
        (made(steps=[{**STEP, "after_hours": 48}]), "ends_first"),
        (made(steps=[{**STEP, "how": "message", "channel": "email", "script": ""}]), "no_script"),
        (made(steps=[{**STEP, "how": "message", "channel": "phone"}]), "not_sent"),
        (made(trigger="asked"), "no_words"),
        (made(trigger="asked", words=[" "]), "no_words"),
        (made(trigger="dream"), "literal_error"),
        (made(colour="red"), "extra_forbidden"),
        (made(priority=0), "greater_than_equal"),
        ("nonsense", "model_type"),
    ],
)
def test_refuses_what_makes_no_sense(definition, code):
    assert [found[2] for found in faults_of(definition)] == [code]


def test_looks_for_words_whatever_their_case():
    assert says("Ask about the NEW Product", ["new product"])
    assert says("想了解新品", ["新品"])
    assert not says("nothing", ["", "  "])


# ── when ────────────────────────────────────────────────────────────────────

steps = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=1, max_size=6
).map(
    lambda spans: [
        Step.model_validate({"code": f"s{n}", "after_hours": after, "within_hours": after + more + 1})
        for n, (after, more) in enumerate(spans)
    ]
)  # fmt: skip


@given(steps, st.integers(0, 500))
def test_does_each_step_once_and_none_before_it_begins(those, hours):
    """Walked hour by hour, or only once at the end: the same steps are done, each in its time."""
    done: dict[str, dt.datetime] = {}
    for hour in range(hours + 1):
        now = NOW + hour * HOUR
        for step in ready(those, done, NOW, now):
            assert step.code not in done
            assert begins_at(step, NOW) <= now
            done[step.code] = now
    assert set(done) == {step.code for step in ready(those, {}, NOW, NOW + hours * HOUR)}
    coming = next_at(those, done, NOW)
    assert coming is None if len(done) == len(those) else coming is not None
    assert coming is None or coming > NOW + hours * HOUR


@given(steps, st.integers(0, 500))
def test_is_due_as_the_journey_says_but_never_in_the_past(those, hours):
    now = NOW + hours * HOUR
    for step in those:
        due = due_at(step, NOW, now)
        assert due >= now
        assert due == max(now, NOW + step.within_hours * HOUR)


@given(st.integers(0, 400), st.integers(0, 400), st.sets(st.integers(0, 20), max_size=12))
def test_moves_a_deadline_only_forward_of_days_off_and_never_before_now(hours, more, off):
    zone = ZoneInfo("Asia/Shanghai")
    days_off = {NOON_DAY + dt.timedelta(days=each) for each in off}
    earliest, until = NOW + hours * HOUR, NOW + (hours + more) * HOUR
    moved = on_working_day(until, earliest, dt.time(18), zone, lambda day: day not in days_off)
    assert earliest <= moved <= until or moved == until
    if moved != until:
        assert until.astimezone(zone).date() in days_off
        assert moved.astimezone(zone).date() not in days_off
        assert moved.astimezone(zone).time() == dt.time(18)


def test_calls_on_friday_who_was_promised_a_call_by_sunday():
    weekend = lambda day: day.isoweekday() < 6  # noqa: E731
    thursday, sunday = NOW - dt.timedelta(days=1), NOW + dt.timedelta(days=2)
    assert on_working_day(sunday, thursday, dt.time(18), dt.UTC, weekend) == NOW + 6 * HOUR
    # From Saturday to Sunday there is no working day: it stays as promised.
    assert on_working_day(sunday, sunday - dt.timedelta(days=1), dt.time(18), dt.UTC, weekend) == sunday


# ── which of several ────────────────────────────────────────────────────────

places = st.lists(
    st.builds(
        lambda priority, entered, expires: (priority, NOW - entered * HOUR, NOW + expires * HOUR),
        st.integers(1, 9), st.integers(0, 50), st.integers(-20, 20),
    ),
    min_size=1, max_size=6,
).flatmap(
    lambda rows: st.sampled_from([None, *range(len(rows))]).map(
        lambda active: [Place(pk, p, e, pk == active, x) for pk, (p, e, x) in enumerate(rows)]
    )
)  # fmt: skip


@given(places)
def test_lets_exactly_one_speak_the_most_urgent_one(rows):
    found = settle(rows, NOW)
    assert found.goes is not None
    assert sorted([found.goes, *found.waits, *found.over]) == [row.pk for row in rows]
    by_pk = {row.pk: row for row in rows}
    goes = by_pk[found.goes]
    assert goes.priority == min(row.priority for row in rows)
    # Among equals nobody interrupts the one that is under way.
    for row in rows:
        if row.is_active and row.priority == goes.priority:
            assert goes == row
    assert all(by_pk[pk].expires_at <= NOW and not by_pk[pk].is_active for pk in found.over)
    assert all(by_pk[pk].expires_at > NOW or by_pk[pk].is_active for pk in found.waits)


@given(places)
def test_decides_the_same_in_whatever_order_they_come(rows):
    there, back = settle(rows, NOW), settle(rows[::-1], NOW)
    assert (there.goes, set(there.waits), set(there.over)) == (back.goes, set(back.waits), set(back.over))


def test_has_nobody_speak_where_there_is_nobody():
    assert settle([], NOW).goes is None
