"""It: who approves how much, which steps a crisis has, and what the improvement report is drawn from."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.rules.compensation import APPROVERS, approver, may_approve
from risk.rules.crisis_policy import LEVELS, CrisisPolicy
from risk.rules.improvement import Line, checks, draft, leaks
from risk.rules.incident_steps import KINDS, steps_for

POLICY = CrisisPolicy(alone_percent=2, lead_percent=8, lead_money=5_000)


@pytest.mark.parametrize(
    ("amount", "value", "level", "who"),
    [
        ("0", None, "major", "account_manager"),
        ("20", "1000", "general", "account_manager"),
        ("20.01", "1000", "general", "team_lead"),
        ("80", "1000", "serious", "team_lead"),
        ("80.01", "1000", "serious", "executive"),
        ("1", "1000", "major", "executive"),
        ("5000.01", "1000000", "general", "executive"),  # half a percent, and too much money
        ("1", None, "general", "team_lead"),  # of what it is a share nobody has said
        ("1", "0", "general", "team_lead"),
    ],
)
def test_names_who_may_approve(amount, value, level, who):
    found = approver(
        amount=Decimal(amount), value=Decimal(value) if value else None, level=level, policy=POLICY
    )  # fmt: skip
    assert found == who


money = st.decimals(0, 10_000, places=2)


@given(money, money, st.none() | money, st.sampled_from(LEVELS))
def test_more_money_never_needs_less(one, other, value, level):
    less, more = (
        APPROVERS.index(approver(amount=each, value=value, level=level, policy=POLICY))
        for each in sorted((one, other))
    )  # fmt: skip
    assert less <= more


def test_whoever_stands_higher_may_and_an_integration_may_nothing():
    assert may_approve("executive", "team_lead")
    assert may_approve("admin", "executive")
    assert not may_approve("team_lead", "executive")
    assert not may_approve("integration", "account_manager")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_clock_of_a_level_has_one_step_that_meets_it(kind, level):
    clocks = CrisisPolicy().clocks(level)
    steps = steps_for(kind, level, clocks)
    assert sorted(step.meets for step in steps if step.meets) == sorted(clocks)
    assert {step.by for step in steps} <= set(clocks)
    assert len({step.code for step in steps}) == len(steps)
    assert ("compensation" in {step.code for step in steps}) == (level != "general")


def test_the_report_is_drawn_from_what_was_marked_else_from_what_the_customer_has_seen():
    lines = [
        Line(1, "Printer used the old job file.", "cause", False),
        Line(2, "The cause is being looked for.", "", True),
        Line(3, "We were lucky, because nobody looked.", "", False),
        Line(4, "From now on the first box is compared.", "", True),
        Line(5, "原因还在查。", "", True),
    ]
    found = draft(lines, ["£500 off this order"])
    assert found.why == "Printer used the old job file."
    assert found.avoided == "From now on the first box is compared."
    assert found.offer == "£500 off this order"
    assert found.sources == {"why": [1], "avoided": [4], "offer": []}
    unmarked = draft(lines[1:])
    assert unmarked.why == "The cause is being looked for.\n原因还在查。"


@given(st.lists(st.tuples(st.text(max_size=40), st.booleans()), max_size=6))
def test_no_internal_line_gets_into_a_draft_that_nobody_has_marked(lines):
    found = draft(Line(n, text, "", is_visible) for n, (text, is_visible) in enumerate(lines))
    visible = {n for n, (_text, is_visible) in enumerate(lines) if is_visible}
    assert {n for ids in found.sources.values() for n in ids} <= visible


def test_sees_an_internal_note_through_other_spaces_and_lines():
    note = "Wants Pantone 2945 C, and threatens to leave."
    assert leaks("As you know:\nWants Pantone  2945 C,\nand threatens to leave. We", [note, "Call"]) == [note]
    assert leaks("Wants Pantone 2946 C", [note]) == []


def test_holds_a_report_back_for_each_reason():
    good = {
        "parts": ["a", "b", "c"], "internal": [], "cause_confirmed": True, "is_compensation_open": False,
        "is_solved": True,
    }  # fmt: skip
    assert all(checks(**good).values())
    for name, bad, check in (
        ("parts", ["a", " ", "c"], "filled"),
        ("internal", ["a b c a b c a b c a b c"], None),
        ("cause_confirmed", False, "cause_confirmed"),
        ("is_compensation_open", True, "compensation"),
        ("is_solved", False, "solved"),
    ):
        found = checks(**(good | {name: bad}))
        assert [each for each, holds in found.items() if not holds] == ([check] if check else [])
