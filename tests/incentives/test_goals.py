"""It: takes a goal from its baseline through plan, do, check and act, and keeps what became standard."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import time_machine
from django.core.exceptions import ValidationError

from customers.models import SurveyResponse
from incentives.goals import services as goals
from incentives.models import Goal
from tenants.models import Event

Q4, Q1 = dt.date(2026, 10, 1), dt.date(2027, 1, 1)

pytestmark = pytest.mark.usefixtures("scope")


def on(*day):
    return time_machine.travel(dt.datetime(*day, 12, tzinfo=dt.UTC), tick=False)


@pytest.fixture
def answered(cast):
    customer = cast.customer()

    def make(day, *scores):
        at = cast.tenant.start_of(day) + dt.timedelta(hours=9)
        SurveyResponse.objects.bulk_create(
            SurveyResponse(customer=customer, kind="csat", score=score, at=at) for score in scores
        )

    return make


def set_goal(by, **fields):
    said = {"quarter": Q4, "title": "More content customers", "kpi": "csat", "target": Decimal(80)}
    return goals.add_goal(by=by, **(said | fields))


def test_a_goal_goes_from_its_baseline_to_a_standard_and_on(answered, cast):
    answered(dt.date(2026, 8, 3), 5, 1)
    answered(dt.date(2026, 11, 3), 5, 5, 5, 5, 1)
    with on(2026, 11, 22):
        goal = set_goal(cast.lea, team=cast.lea.team)
        assert (goal.baseline, goal.baseline_of, goal.owner) == (50, dt.date(2026, 7, 1), cast.lea)
        with pytest.raises(ValidationError, match="Say what will be done"):
            goals.start(goal=goal, by=cast.lea, plan="  ")
        goals.start(goal=goal, by=cast.lea, plan="Call back within a day")
        goals.start(goal=goal, by=cast.lea, plan="Sent twice")
        with pytest.raises(ValidationError, match=r"runs until .*; so far Satisfaction \(CSAT\) is 80%"):
            goals.check(goal=goal, by=cast.lea, done="We did")
        with pytest.raises(ValidationError, match="that step is not next"):
            goals.close(goal=goal, by=cast.lea, standard="Too early")
    with on(2027, 1, 4):
        goals.check(goal=goal, by=cast.lea, done="We did")
        goal.refresh_from_db()
        assert (goal.result, goal.verdict, goal.plan, goal.state) == (80, "reached", "Call back within a day", "check")
        goals.act(goal=goal, by=cast.lea, learned="Calling helps")
        with pytest.raises(ValidationError, match="say what becomes standard"):
            goals.close(goal=goal, by=cast.lea)
        with pytest.raises(ValidationError, match="no better than the baseline"):
            goals.close(goal=goal, by=cast.lea, standard="Call back", go_on=True)
        goals.close(goal=goal, by=cast.lea, standard="Call back", where="Handbook 3", go_on=True, target=Decimal(85))
        goal.refresh_from_db()
        following = goal.followed_by
        assert (goal.state, goal.standard, goal.standard_where) == ("closed", "Call back", "Handbook 3")
        assert (following.quarter, following.baseline, following.target, following.team) == (Q1, 80, 85, cast.lea.team)
        with pytest.raises(ValidationError, match=r"was closed on .* and stays as it is"):
            goals.change_goal(goal=goal, by=cast.lea, title="Another")
    verbs = Event.objects.filter(object_type="goal", object_id=goal.pk).order_by("pk")
    assert [event.verb for event in verbs] == ["created", "started", "checked", "acted", "closed"]


def test_a_goal_that_was_missed_needs_no_standard(answered, cast):
    answered(dt.date(2026, 11, 3), 5, 1)
    with on(2026, 11, 22):
        goal = set_goal(cast.ann, member=cast.ann, baseline=Decimal(60), kpi="csat")
        assert goal.baseline_of is None
        goals.start(goal=goal, by=cast.ann, plan="Try")
    with on(2027, 1, 4):
        goals.check(goal=goal, by=cast.lea, done="Tried")
        goals.act(goal=goal, by=cast.ann, learned="Not enough")
        goals.close(goal=goal, by=cast.ann)
    goal.refresh_from_db()
    assert (goal.state, goal.verdict, goal.result) == ("closed", "missed", 50)


def test_what_cannot_be_a_goal_is_refused_by_field(cast):
    wrong = {
        "target": {"target": Decimal(0)},
        "kpi": {"kpi": "charm"},
        "title": {"title": " "},
        "member": {"member": cast.ann, "team": cast.lea.team},
        "quarter": {"quarter": dt.date(2026, 7, 1)},
        "baseline": {"baseline": None},
    }
    with on(2026, 11, 22):
        for field, fields in wrong.items():
            with pytest.raises(ValidationError) as refusal:
                set_goal(cast.ada, **({"baseline": Decimal(50)} | fields))
            assert field in refusal.value.error_dict, field
        for target, baseline, kpi in ((70, 80, "csat"), (5, 4, "response_time")):
            with pytest.raises(ValidationError, match="no better than the baseline"):
                set_goal(cast.ada, target=Decimal(target), baseline=Decimal(baseline), kpi=kpi)
        with pytest.raises(ValidationError, match="A quarter begins in January"):
            set_goal(cast.ada, quarter=dt.date(2026, 11, 1), baseline=Decimal(1))
        goal = set_goal(cast.ada, baseline=Decimal(50))
        goals.change_goal(goal=goal, by=cast.ada, target=Decimal(85))
        goals.start(goal=goal, by=cast.ada, plan="Go")
        with pytest.raises(ValidationError, match="what it is measured by stays"):
            goals.change_goal(goal=goal, by=cast.ada, target=Decimal(60))
        goals.change_goal(goal=goal, by=cast.ada, why="Because")
    goal.refresh_from_db()
    assert (goal.target, goal.why) == (85, "Because")


def test_goals_are_set_for_oneself_ones_people_or_the_firm_by_whom_it_befits(cast):
    said = {"baseline": Decimal(50)}
    cast.eve.team = None
    cast.eve.save(update_fields=["team"])
    with on(2026, 11, 22):
        for by, fields in (
            (cast.ann, {}),
            (cast.ann, {"team": cast.ann.team}),
            (cast.ann, {"member": cast.bo}),
            (cast.lea, {}),
            (cast.lea, {"member": cast.eve}),
            (cast.ian, {"member": cast.ian}),
        ):
            with pytest.raises(ValidationError, match="You can set your own goals"):
                set_goal(by, **said, **fields)
        own = set_goal(cast.ann, member=cast.ann, **said)
        firm = set_goal(cast.eve, **said)
        with pytest.raises(ValidationError, match="Who answers for the goal"):
            goals.start(goal=firm, by=cast.lea, plan="Mine?")
        assert set(Goal.objects.visible_to(cast.ann)) == {own, firm}
        assert set(Goal.objects.visible_to(cast.bo)) == {firm}
        assert set(Goal.objects.visible_to(cast.lea)) == {own, firm}
