"""It: refuses what leads nowhere, goes forward and comes to an end, counts by business time, and compares fairly."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followups.rules.variants import rate
from risk.playbooks.shipped import shipped
from risk.playbooks.words import WHATS
from risk.rules.playbooks import (
    BRANCHES,
    ENDINGS,
    Definition,
    Step,
    begins_at,
    did_it_help,
    due_at,
    faults_of,
    is_held_out,
    may_be_held_out,
    onward,
    reachable,
    reaches,
    stages,
)
from tenants.rules.calendar import Calendar

LONDON = Calendar(ZoneInfo("Europe/London"), "GB")
CHINA = Calendar(ZoneInfo("Asia/Shanghai"), "CN")
SCHEMES = ("wholesale", "callback", "sales-team", "starter")


def book(*steps, **said):
    return Definition.model_validate({"steps": list(steps), **said})


def at(text, zone="Europe/London"):
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


# ── what is refused ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("document", "place", "code"),
    [
        ({"steps": []}, "steps", "too_short"),
        ({"steps": [{"code": "a"}, {"code": "a"}]}, "", "step_twice"),
        ({"steps": [{"code": "a", "alongside": True}]}, "", "first_alongside"),
        ({"steps": [{"code": "a", "then": {"reached": "z"}}]}, "", "no_such_step"),
        ({"steps": [{"code": "a"}, {"code": "b", "then": {"reached": "a"}}]}, "", "goes_back"),
        ({"steps": [{"code": "a", "then": {"reached": "a"}}]}, "", "goes_back"),
        (
            {"steps": [{"code": "a", "then": {"reached": "b"}}, {"code": "c"}, {"code": "b", "alongside": True}]},
            "", "no_such_step",
        ),
        ({"steps": [{"code": "a"}, {"code": "b", "alongside": True, "then": {"done": "end"}}]}, "steps.1", "two_ways"),
        ({"steps": [{"code": "a", "after": 3, "within": 2}]}, "steps.0", "ends_first"),
        ({"steps": [{"code": "end-saved"}]}, "steps.0.code", "step_code_taken"),
        ({"steps": [{"code": "A step"}]}, "steps.0.code", "step_code"),
        ({"steps": [{"code": "a", "how": "message", "channel": "email"}]}, "steps.0", "no_script"),
        ({"steps": [{"code": "a", "how": "message", "channel": "phone", "script": "x"}]}, "steps.0", "not_sent"),
        (
            {"steps": [{"code": "a", "how": "message", "channel": "email", "script": "x", "asks": True}]},
            "steps.0", "message_inside",
        ),
        ({"automatic": True, "steps": [{"code": "a"}]}, "", "no_signal"),
        ({"holdout_percent": 51, "steps": [{"code": "a"}]}, "holdout_percent", "less_than_equal"),
        ({"stops": ["complaint"], "steps": [{"code": "a"}]}, "stops.0", "literal_error"),
    ],
)  # fmt: skip
def test_refuses_what_makes_no_sense_and_says_where(document, place, code):
    assert (place, code) in {(where, which) for where, _words, which in faults_of(document)}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_ships_the_six_of_the_playbook_and_all_of_them_stand_the_check(scheme):
    found = shipped(scheme)
    assert set(found) == {"silent", "diagnosis", "retention-team", "three-plus-one", "competitor", "win-back"}
    for document in found.values():
        assert faults_of(document) == []
        rules = Definition.model_validate(document)
        assert reachable(rules.steps) == {stage[0].code for stage in stages(rules.steps)}
        assert {step.code for step in rules.steps} <= set(WHATS)
        assert len({step.code for step in rules.steps}) == len(rules.steps)


# ── the way through ─────────────────────────────────────────────────────────


def test_goes_where_the_outcome_leads_and_else_to_the_next():
    steps = book(
        {"code": "call", "then": {"reached": "talk"}}, {"code": "chat"}, {"code": "talk", "asks": True}
    ).steps  # fmt: skip
    assert onward(steps, "call", {}) is None
    assert onward(steps, "call", {"call": "reached"}).stage == "talk"
    assert onward(steps, "call", {"call": "not_reached"}).stage == "chat"
    assert onward(steps, "chat", {"chat": "skipped"}).stage == "talk"
    assert onward(steps, "talk", {"talk": "reached"}).is_over
    assert onward(steps, "talk", {"talk": "saved"}).ending == "saved"
    assert onward(steps, "call", {"call": "lost"}).ending == "lost"
    with pytest.raises(ValueError, match="no stage"):
        onward(steps, "gone", {})


def test_waits_for_all_of_a_stage_but_not_with_an_end():
    steps = book(
        {"code": "a", "then": {"not_reached": "end-no-answer"}}, {"code": "b", "alongside": True}, {"code": "c"}
    ).steps
    assert onward(steps, "a", {"a": "reached"}) is None
    assert onward(steps, "a", {"b": "done"}) is None
    assert onward(steps, "a", {"a": "reached", "b": "done"}).stage == "c"
    assert onward(steps, "a", {"a": "not_reached"}).ending == "no_answer"
    assert onward(steps, "a", {"b": "lost"}).ending == "lost"


def test_takes_a_message_that_went_out_as_done():
    mail = {"code": "mail", "how": "message", "channel": "email", "script": "x", "then": {"done": "end-no-answer"}}
    assert onward(book(mail).steps, "mail", {"mail": "sent"}).ending == "no_answer"


OUTCOMES = ["reached", "not_reached", "done", "sent", "saved", "lost", "skipped", "left_out", "withdrawn"]


@st.composite
def books(draw):
    """Any playbook that the rules let pass."""
    count = draw(st.integers(1, 7))
    alongside = [False, *(draw(st.booleans()) for _each in range(count - 1))]
    heads = [number for number in range(count) if not alongside[number]]
    steps = []
    for number in range(count):
        ahead = [f"s{head}" for head in heads if head > number]
        ways = {}
        if not alongside[number]:
            for branch in draw(st.lists(st.sampled_from(BRANCHES), unique=True, max_size=3)):
                ways[branch] = draw(st.sampled_from([*ahead, *ENDINGS]))
        steps.append({"code": f"s{number}", "alongside": alongside[number], "then": ways})
    return book(*steps)


@given(books(), st.data())
def test_comes_to_an_end_on_every_way_and_never_goes_back(rules, data):
    heads = [stage[0].code for stage in stages(rules.steps)]
    here, seen, outcomes = heads[0], [], {}
    while True:
        assert here not in seen
        seen.append(here)
        stage = next(stage for stage in stages(rules.steps) if stage[0].code == here)
        for step in stage:
            assert onward(rules.steps, here, outcomes) is None or onward(rules.steps, here, outcomes).is_over
            outcomes[step.code] = data.draw(st.sampled_from(OUTCOMES))
        found = onward(rules.steps, here, outcomes)
        assert found is not None
        if found.is_over:
            break
        assert heads.index(found.stage) > heads.index(here)
        here = found.stage
    assert set(seen) <= reachable(rules.steps)


@given(books())
def test_reads_back_what_it_writes(rules):
    assert Definition.model_validate(rules.model_dump(mode="json")) == rules


# ── when ────────────────────────────────────────────────────────────────────


def test_counts_by_business_time_over_weekends_and_holidays():
    step = Step(code="a", after=1, within=2)
    friday = at("2026-11-20T17:00")
    assert begins_at(step, friday, friday, LONDON) == at("2026-11-23T17:00")
    assert due_at(step, friday, friday, friday, LONDON) == at("2026-11-24T17:00")
    # The last hour before the National Day holiday of 1 to 7 October 2026.
    eve = at("2026-09-30T17:00", "Asia/Shanghai")
    hours = Step(code="b", within=4, unit="hours")
    assert due_at(hours, eve, eve, eve, CHINA) == at("2026-10-08T12:00", "Asia/Shanghai")


def test_counts_from_the_start_or_from_the_step_before_and_is_never_late_when_asked():
    start, stage = at("2026-11-16T09:00"), at("2026-11-18T09:00")
    from_start = Step(code="a", counts_from="start", within=2)
    assert due_at(from_start, start, start, start, LONDON) == at("2026-11-17T18:00")
    assert due_at(from_start, start, stage, stage, LONDON) == stage
    assert begins_at(from_start, start, stage, LONDON) == stage
    late = at("2026-12-01T10:00")
    assert due_at(Step(code="b", within=1), start, stage, late, LONDON) == late


def test_counts_as_the_clock_goes_where_a_firm_never_opens():
    never = Calendar(ZoneInfo("UTC"), days_off=frozenset(), week="mon_fri", opens=dt.time(9), closes=dt.time(18))
    closed = Calendar(
        ZoneInfo("UTC"), days_off=frozenset(dt.date(2026, 1, 1) + dt.timedelta(days=n) for n in range(1500))
    )
    moment = dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC)
    step = Step(code="a", within=2)
    assert due_at(step, moment, moment, moment, closed) == moment + dt.timedelta(days=2)
    assert due_at(step, moment, moment, moment, never) == dt.datetime(2026, 1, 6, 18, tzinfo=dt.UTC)


@given(
    st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2027, 12, 31)),  # noqa: DTZ001  # made aware below
    st.integers(0, 20), st.integers(0, 20), st.sampled_from(["hours", "days"]),
)  # fmt: skip
def test_is_due_after_it_begins_and_a_longer_wait_ends_no_sooner(moment, first, more, unit):
    base = moment.replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    step = Step(code="a", after=first, within=max(1, first + more), unit=unit)
    later = Step(code="a", after=first, within=max(1, first + more) + 1, unit=unit)
    begins, ends = begins_at(step, base, base, CHINA), due_at(step, base, base, base, CHINA)
    assert base <= begins <= ends < due_at(later, base, base, base, CHINA)


# ── who is held out, and did it help ────────────────────────────────────────


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(0, 50), st.integers(0, 50))
def test_holds_out_the_same_each_time_and_of_a_larger_share_as_well(tenant, customer, one, other):
    less, more = sorted((one, other))
    assert is_held_out(tenant, "silent", customer, less) == is_held_out(tenant, "silent", customer, less)
    assert is_held_out(tenant, "silent", customer, less) <= is_held_out(tenant, "silent", customer, more)
    assert not is_held_out(tenant, "silent", customer, 0)


def test_holds_out_the_share_that_was_said_and_other_customers_for_another_playbook():
    held = {n for n in range(20_000) if is_held_out(7, "silent", n, 10)}
    other = {n for n in range(20_000) if is_held_out(7, "diagnosis", n, 10)}
    assert 1_800 < len(held) < 2_200
    assert len(held & other) < 300


def test_never_holds_out_a_severe_alert_unless_said():
    rules = book({"code": "a"}, holdout_percent=20)
    assert may_be_held_out(rules, "moderate")
    assert not may_be_held_out(rules, "severe")
    assert may_be_held_out(book({"code": "a"}, holdout_percent=20, holdout_severe=True), "severe")
    assert not may_be_held_out(book({"code": "a"}), "mild")


def test_knows_which_level_reaches_which():
    assert [reaches(level, "moderate") for level in ("mild", "moderate", "severe", "")] == [False, True, True, False]


@pytest.mark.parametrize(
    ("treated", "held", "verdict"),
    [
        ((20, 29), (5, 40), "not_enough"),
        ((60, 100), (0, 0), "no_holdout"),
        ((60, 100), (10, 29), "not_enough"),
        ((60, 100), (30, 100), "helps"),
        ((30, 100), (60, 100), "harms"),
        ((31, 60), (30, 60), "no_difference"),
    ],
)
def test_says_whether_it_helped_only_when_it_knows(treated, held, verdict):
    assert did_it_help(rate(*treated), rate(*held)).verdict == verdict


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_never_says_both_and_turns_round_with_the_sides(a, b, c, d):
    one, other = rate(min(a, b), max(a, b)), rate(min(c, d), max(c, d))
    found, turned = did_it_help(one, other).verdict, did_it_help(other, one).verdict
    opposite = {"helps": "harms", "harms": "helps", "no_difference": "no_difference"}
    if found in opposite and turned in opposite:
        assert turned == opposite[found]
    if min(one.of, other.of) < 30:
        assert found in {"not_enough", "no_holdout"}
