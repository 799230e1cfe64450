"""It: certifies each quarter by facts and two people, has trainings approved by the mentor alone, and notes years on target once."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from customers.models import Interaction, SurveyResponse
from followups.models import FollowUp, Notice, QualityReview
from followups.notices.services import sentence
from incentives.growth import services as growth
from incentives.growth.facts import facts_of
from incentives.growth.nightly import STEP
from incentives.growth.services import Given
from incentives.kpis.services import close_period, set_job
from incentives.models import Certification, KpiClosing, KpiFrozen, PromotionNote, TeamChange, Training
from incentives.rules.growth import DIMENSIONS, score_of
from incentives.rules.kpis import Period
from risk.models import Case, IncidentStep, PlaybookStep
from tenants.models import Event, Member, Team, User
from tenants.policies import active_policy
from tests.contracts.rows import incident, playbook_run

pytestmark = pytest.mark.usefixtures("scope")

Q3, Q4 = Period("quarter", dt.date(2026, 7, 1)), Period("quarter", dt.date(2026, 10, 1))
SAID = {each: Given(80, "Seen on three visits") for each in DIMENSIONS}


def on(*day):
    return time_machine.travel(dt.datetime(*day, 12, tzinfo=dt.UTC), tick=False)


def told(member, kind):
    return [sentence(each) for each in Notice.objects.filter(member=member, kind=kind).order_by("pk")]


@pytest.fixture
def settled(cast):
    """The people have been here for years."""
    Member.objects.update(created_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    return cast


def open_one(cast, person=None):
    growth.open_quarter(cast.tenant.today())
    return Certification.objects.select_related("member__user", "reviewer__user").get(
        member=person or cast.ann, quarter=Period.of("quarter", cast.tenant.today()).start
    )


# ── certification ───────────────────────────────────────────────────────────


def test_a_certification_is_made_scored_and_confirmed_by_two_people(settled):
    cast = settled
    with on(2026, 9, 1):
        assert growth.open_quarter(cast.tenant.today()) == 2
        assert growth.open_quarter(cast.tenant.today()) == 0
        row = open_one(cast)
        assert (row.reviewer, row.state) == (cast.lea, "open")
        with pytest.raises(ValidationError, match=r"runs until 30 Sept?; it can be scored"):
            growth.score(certification=row, by=cast.lea, given=SAID)
    with on(2026, 10, 2):
        assert growth.tell_due(cast.tenant.today()) == 1
        assert growth.tell_due(cast.tenant.today()) == 0
        assert told(cast.lea, "certification-due") == [
            "2 certifications of Quarter 3 of 2026 wait for your score, until 14 Oct"
        ]
        with pytest.raises(ValidationError) as refusal:
            growth.score(certification=row, by=cast.lea, given={"knowledge": Given(101, " ")})
        assert set(refusal.value.error_dict) == {*DIMENSIONS, *(f"{each}_reason" for each in DIMENSIONS)}
        growth.score(
            certification=row, by=cast.lea, given=SAID | {"coordination": Given(50, "Late twice")}, note="Go on"
        )
        growth.score(certification=row, by=cast.lea, given=SAID)  # the same form again
        row.refresh_from_db()
        assert (row.state, row.mean, row.passed, row.note) == ("scored", Decimal("72.5"), False, "Go on")
        assert told(cast.ann, "certification-scored") == [
            "Lea has scored your certification of Quarter 3 of 2026: 72.5; it waits to be confirmed"
        ]
        assert len(told(cast.eve, "certification-confirm")) == 1
        with pytest.raises(ValidationError, match="Somebody else confirms than who scored it"):
            growth.confirm(certification=row, by=cast.lea)
        with pytest.raises(ValidationError, match="Say what is to be looked at again"):
            growth.send_back(certification=row, by=cast.eve, why=" ")
        growth.send_back(certification=row, by=cast.eve, why="Coordination: which steps?")
        row.refresh_from_db()
        assert (row.state, row.mean, row.sent_back_why) == ("open", None, "Coordination: which steps?")
        assert told(cast.lea, "certification-back") == [
            "Eve has sent back the certification of Ann for Quarter 3 of 2026: Coordination: which steps?"
        ]
        growth.score(certification=row, by=cast.lea, given=SAID)
        growth.confirm(certification=row, by=cast.eve)
        growth.confirm(certification=row, by=cast.eve)
        row.refresh_from_db()
        assert (row.state, row.mean, row.passed, row.confirmed_by) == ("confirmed", 80, True, cast.eve)
        for verb in (
            lambda: growth.score(certification=row, by=cast.ada, given=SAID),
            lambda: growth.send_back(certification=row, by=cast.ada, why="No"),
            lambda: growth.name_reviewer(certification=row, reviewer=cast.ada, by=cast.eve),
        ):
            with pytest.raises(ValidationError, match="was confirmed on 2 Oct and stays as it is"):
                verb()
    events = Event.objects.filter(object_type="certification", object_id=row.pk).order_by("pk")
    assert [event.verb for event in events] == ["opened", "scored", "sent_back", "scored", "confirmed"]


def test_nobody_reviews_themselves_also_not_in_the_database(settled):
    cast = settled
    set_job(member=cast.lea, job="success", from_on=dt.date(2026, 1, 1), by=cast.ada)
    with on(2026, 9, 1):
        own, anns = open_one(cast, cast.lea), open_one(cast)
        assert own.reviewer == cast.eve, "a lead is reviewed from above"
    with on(2026, 10, 2):
        for row, by in ((own, cast.lea), (anns, cast.ann), (anns, cast.bo), (anns, cast.ian)):
            with pytest.raises(ValidationError, match="nobody for themselves"):
                growth.score(certification=row, by=by, given=SAID)
        for reviewer, words in ((cast.ann, "Nobody reviews themselves"), (cast.bo, "Reviewers are leads")):
            with pytest.raises(ValidationError, match=words):
                growth.name_reviewer(certification=anns, reviewer=reviewer, by=cast.lea)
        growth.score(certification=own, by=cast.eve, given=SAID)
        own.refresh_from_db()
        with pytest.raises(ValidationError, match="Somebody else confirms"):
            growth.confirm(certification=own, by=cast.lea)
        growth.name_reviewer(certification=anns, reviewer=cast.ada, by=cast.lea)
        assert told(cast.ada, "certification-reviewer") == ["You review Ann for Quarter 3 of 2026, until 14 Oct"]
    for fields in (
        {"reviewer": cast.lea},
        {"confirmed_by": cast.lea},
        {"confirmed_by": cast.eve},
        {"scored_by": cast.lea},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Certification.objects.filter(pk=own.pk).update(**fields)


def test_who_joins_late_in_a_quarter_is_certified_from_the_next_on(cast):
    with on(2026, 9, 20):
        Member.objects.update(created_at=dt.datetime(2026, 9, 15, tzinfo=dt.UTC))
        assert growth.open_quarter(cast.tenant.today()) == 0
    with on(2026, 10, 1):
        assert growth.open_quarter(cast.tenant.today()) == 2


def make_facts(cast):
    """Of Ann in the third quarter: 4 of 5 in knowledge, 7 of 9 in communication, 5 of 6 in problems, 3 of 5 in coordination."""
    customer, tenant = cast.customer(), cast.tenant
    at = tenant.start_of(dt.date(2026, 8, 4))
    talks = Interaction.objects.bulk_create(
        Interaction(customer=customer, channel="phone", member=cast.ann, at=at, solved=solved)
        for solved in (True, True, True, True, None)
    )
    for talk, kind in zip(talks, ("", "wrong", "tone", "", "other"), strict=True):
        QualityReview.objects.create(
            customer=customer, interaction=talk, member=cast.ann, month=dt.date(2026, 8, 1), reviewed_at=at, score=4,
            problem_kind=kind,
        )  # fmt: skip
    SurveyResponse.objects.bulk_create(
        SurveyResponse(customer=customer, kind="csat", score=score, at=at) for score in (5, 4, 4, 1)
    )
    for outcome in ("saved", "lost", "false_alarm"):
        Case.objects.create(
            customer=customer, risk_class="demand", outcome=outcome, opened_on=dt.date(2026, 8, 1),
            closed_on=dt.date(2026, 8, 5), closed_by=cast.ann,
        )  # fmt: skip
    for number, (hours, outcome) in enumerate(((-1, "done"), (1, "done"), (None, ""), (-1, "skipped"))):
        follow_up = FollowUp.objects.create(
            customer=customer, kind="light_touch", rule="row", period=str(number), due_on=dt.date(2026, 8, 4),
            assignee=cast.ann,
        )  # fmt: skip
        PlaybookStep.objects.create(
            run=playbook_run(), code="ask", status="done" if hours else "raised", outcome=outcome, begins_at=at,
            due_at=at, done_at=None if hours is None else at + dt.timedelta(hours=hours), follow_up=follow_up,
        )  # fmt: skip
    real, drill = incident(), incident()
    type(drill).objects.filter(pk=drill.pk).update(is_drill=True)
    for number, (of, done_at) in enumerate(((real, at), (real, at), (drill, None))):
        IncidentStep.objects.create(
            incident=of, position=number + 1, title="Row", owner=cast.ann, due_at=at, done_at=done_at, status="done"
        )


def test_scores_come_from_facts_and_a_reviewer_cannot_say_otherwise(settled):
    cast = settled
    make_facts(cast)
    with on(2026, 8, 20):
        row = open_one(cast)
    with on(2026, 10, 2):
        facts = facts_of(cast.ann, Q3)
        counted = {name: (sum(p.good for p in found), sum(p.count for p in found)) for name, found in facts.items()}
        assert counted == {"knowledge": (4, 5), "communication": (7, 9), "problems": (5, 6), "coordination": (3, 5)}
        assert all(not found for found in facts_of(cast.bo, Q3).values())
        with pytest.raises(ValidationError, match="The facts give this score"):
            growth.score(certification=row, by=cast.lea, given=SAID)
        growth.score(certification=row, by=cast.lea)
        row.refresh_from_db()
        scores = {each.dimension: each for each in row.scores.all()}
        assert {name: each.score for name, each in scores.items()} == {
            "knowledge": 80, "communication": Decimal("77.8"), "problems": Decimal("83.3"), "coordination": 60,
        }  # fmt: skip
        assert {each.source for each in scores.values()} == {"facts"}
        assert scores["coordination"].facts == [
            {"code": "playbook_steps", "good": "1", "count": "3"}, {"code": "crisis_steps", "good": "2", "count": "2"},
        ]  # fmt: skip
        assert (row.mean, row.passed) == (Decimal("75.3"), True)
        SurveyResponse.objects.filter(score=1).update(score=5)
        again = facts_of(cast.ann, Q3)["communication"]
        assert score_of(again, 5) > scores["communication"].score, "what was scored keeps the facts of its day"


# ── trainings ───────────────────────────────────────────────────────────────


def plan(cast, **fields):
    said = {"member": cast.ann, "mentor": cast.bo, "title": "AIDA on the phone"}
    return growth.plan_training(by=fields.pop("by", cast.lea), **(said | fields))


def test_three_customers_in_two_weeks_and_the_mentor_approves(settled):
    cast = settled
    customers = [cast.customer(f"Customer {number}") for number in range(4)]
    with on(2026, 11, 2):
        row = plan(cast)
        assert (row.due_on, row.wanted) == (dt.date(2026, 11, 16), 3)
        assert told(cast.bo, "training-mentor") == ["You are mentor of Ann: AIDA on the phone, until 16 Nov"]
        items = [growth.add_customer(training=row, by=cast.ann, customer=each) for each in customers[:3]]
        assert growth.add_customer(training=row, by=cast.ann, customer=customers[0]) == items[0]
    with on(2026, 11, 10):
        growth.customer_done(item=items[0], by=cast.ann, note="They ordered")
        growth.customer_done(item=items[1], by=cast.ann, on=dt.date(2026, 11, 9))
        for day, words in ((dt.date(2026, 11, 11), "future"), (dt.date(2026, 11, 1), "began on 2 Nov")):
            with pytest.raises(ValidationError, match=words):
                growth.customer_done(item=items[2], by=cast.ann, on=day)
        with pytest.raises(ValidationError, match="1 customer is missing"):
            growth.approve(training=row, by=cast.bo)
        assert growth.tell_late(cast.tenant.today()) == 0
    with on(2026, 11, 17):
        assert growth.tell_late(cast.tenant.today()) == 2
        assert growth.tell_late(cast.tenant.today()) == 0
        assert told(cast.ann, "training-late") == [
            "The training “AIDA on the phone” of Ann was to be done by 16 Nov: 2 of 3 customers are"
        ]
        growth.customer_done(item=items[2], by=cast.ann, on=dt.date(2026, 11, 16))
        row.refresh_from_db()
        assert row.ready_on == dt.date(2026, 11, 16), "written down late, done in time"
        assert told(cast.bo, "training-ready") == ["Ann has done all customers of “AIDA on the phone”: you decide"]
        growth.customer_undone(item=items[2], by=cast.ann)
        row.refresh_from_db()
        assert row.ready_on is None
        growth.customer_done(item=items[2], by=cast.ann, on=dt.date(2026, 11, 16))
        for other in (cast.ann, cast.lea, cast.eve, cast.ada):
            with pytest.raises(ValidationError, match="Bo, the mentor, approves it"):
                growth.approve(training=row, by=other)
        growth.approve(training=row, by=cast.bo, said="Good ear")
        growth.approve(training=row, by=cast.bo)
        assert told(cast.ann, "training-approved") == ["Bo has approved your training “AIDA on the phone”"]
        with pytest.raises(ValidationError, match="was approved on 17 Nov and stays"):
            growth.customer_undone(item=items[0], by=cast.ann)
        with pytest.raises(ValidationError, match="can take that back for 7 days"):
            growth.take_back(training=row, by=cast.lea)
        growth.take_back(training=row, by=cast.bo)
        growth.approve(training=row, by=cast.bo, said="Good ear")
    with on(2026, 11, 25), pytest.raises(ValidationError, match="can take that back for 7 days"):
        growth.take_back(training=row, by=cast.bo)
    row.refresh_from_db()
    assert (row.state, row.approved_by, row.said) == ("approved", cast.bo, "Good ear")
    events = Event.objects.filter(object_type="training", object_id=row.pk).order_by("pk")
    assert [event.verb for event in events] == [
        "planned", *["customer_added"] * 3, *["customer_done"] * 3, "customer_undone", "customer_done", "approved",
        "approval_taken_back", "approved",
    ]  # fmt: skip
    with pytest.raises(IntegrityError), transaction.atomic():
        Training.objects.filter(pk=row.pk).update(approved_by=cast.lea)
    with on(2026, 11, 25):
        known = facts_of(cast.ann, Q4)["knowledge"]
    assert [(part.code, part.good, part.count) for part in known] == [("trainings", 1, 1)]


def test_what_cannot_be_a_training_is_refused_by_field(settled):
    cast = settled
    hidden = cast.customer("Nobody's", owner_a=cast.eve, owner_b=None)
    with on(2026, 11, 2):
        for field, fields in (
            ("mentor", {"mentor": cast.ann}), ("mentor", {"mentor": cast.ian}), ("title", {"title": " "}),
            ("wanted", {"wanted": 0}), ("due_on", {"due_on": dt.date(2026, 11, 1)}),
        ):  # fmt: skip
            with pytest.raises(ValidationError) as refusal:
                plan(cast, **fields)
            assert set(refusal.value.error_dict) == {field}, fields
        for by, member in ((cast.ann, cast.bo), (cast.lea, cast.eve), (cast.ian, cast.ann)):
            with pytest.raises(ValidationError, match="You plan your own trainings"):
                plan(cast, by=by, member=member, mentor=cast.ada)
        row = plan(cast, by=cast.ann, wanted=1)
        with pytest.raises(ValidationError, match="Ann does not see this customer"):
            growth.add_customer(training=row, by=cast.ann, customer=hidden)
        with pytest.raises(ValidationError, match="Who is trained, and their lead"):
            growth.add_customer(training=row, by=cast.bo, customer=cast.customer())
        item = growth.add_customer(training=row, by=cast.lea, customer=cast.customer("Ours"))
        growth.customer_done(item=item, by=cast.ann)
        with pytest.raises(ValidationError, match="take that back first"):
            growth.remove_customer(item=item, by=cast.ann)
        growth.change_training(training=row, by=cast.lea, wanted=2, mentor=cast.eve)
        row.refresh_from_db()
        assert (row.ready_on, row.mentor) == (None, cast.eve)
        with pytest.raises(ValidationError, match="Say why"):
            growth.end(training=row, by=cast.lea, why="")
        growth.end(training=row, by=cast.lea, why="Ann changed teams")
        with pytest.raises(ValidationError, match="was ended and stays"):
            growth.approve(training=row, by=cast.eve)


# ── promotion ───────────────────────────────────────────────────────────────


def freeze(cast, period, content, person=None):
    """Close a quarter with so many content answers of ten of somebody; 9 are on target, None: nothing measured."""
    closing = KpiClosing.objects.create(
        span="quarter", start=period.start, as_of=period.end, policy_version=active_policy().number
    )
    if content is not None:
        KpiFrozen.objects.create(
            closing=closing,
            kpi="csat",
            member=person or cast.ann,
            team=cast.lea.team,
            numerator=content,
            denominator=10,
        )


def test_three_years_on_target_are_noted_once_by_frozen_quarters_alone(settled):
    cast = settled
    with on(2026, 1, 2):
        set_job(member=cast.ann, job="service", from_on=dt.date(2022, 1, 1), by=cast.lea)
    answers = [9] * 5 + [None] + [10] * 6
    periods = Q3.back(13)[:-1]
    with on(2026, 11, 22):
        for period, content in zip(periods, answers, strict=True):
            freeze(cast, period, content)
        TeamChange.objects.create(member=cast.ann, on=dt.date(2025, 2, 3), before=None, after=cast.lea.team)
        TeamChange.objects.create(member=cast.ann, on=dt.date(2021, 2, 3), before=None, after=cast.lea.team)
        standing = growth.standings([cast.ann, cast.bo])
        assert (len(standing[cast.ann.pk].streak.counted), len(standing[cast.bo.pk].streak.counted)) == (11, 0)
        assert growth.raise_notes(cast.tenant.today()) == 0
        # Now the last one, counted from answers and closed as the night does.
        at = cast.tenant.start_of(dt.date(2026, 8, 3))
        customer = cast.customer()
        SurveyResponse.objects.bulk_create(
            SurveyResponse(customer=customer, kind="csat", score=score, at=at) for score in [5] * 9 + [1]
        )
        close_period(Q3)
        assert growth.raise_notes(cast.tenant.today()) == 1
        assert growth.raise_notes(cast.tenant.today()) == 0
        SurveyResponse.objects.update(score=1)
        assert len(growth.standings([cast.ann])[cast.ann.pk].streak.counted) == 12, "frozen is frozen"
    note = PromotionNote.objects.get()
    assert (note.member, note.job, len(note.quarters), len(note.gaps)) == (cast.ann, "service", 12, 1)
    assert (note.first_quarter, note.last_quarter) == (periods[0].start, Q3.start)
    assert note.gaps == [{"quarter": periods[5].code, "score": None, "job": "service"}]
    assert note.team_changes == ["2025-02-03"], "one before the row began says nothing about it"
    words = "Ann has been on target for 3 years in a row: talk about promotion"
    assert told(cast.lea, "promotion-note") == [words]
    assert not told(cast.eve, "promotion-note")
    assert Event.objects.filter(object_type="promotionnote", verb="raised").count() == 1

    for by in (cast.ann, cast.bo, cast.ian):
        with pytest.raises(ValidationError, match="Who leads the person says"):
            growth.settle(note=note, by=by, outcome="promoted", said="I deserve it")
    with pytest.raises(ValidationError) as refusal:
        growth.settle(note=note, by=cast.lea, outcome="", said=" ")
    assert set(refusal.value.error_dict) == {"outcome", "said"}
    growth.settle(note=note, by=cast.lea, outcome="promoted", said="Senior from January on")
    note.refresh_from_db()
    assert (note.outcome, note.settled_by) == ("promoted", cast.lea)
    with pytest.raises(IntegrityError), transaction.atomic():
        PromotionNote.objects.filter(pk=note.pk).update(settled_by=cast.ann)


def test_a_missed_quarter_and_one_that_is_not_closed_end_the_row(settled):
    cast = settled
    with on(2026, 1, 2):
        for person in (cast.ann, cast.bo):
            set_job(member=person, job="service", from_on=dt.date(2022, 1, 1), by=cast.lea)
    periods = Q3.back(4)
    with on(2026, 11, 22):
        for period, content in zip(periods[1:], (8, 9, 9), strict=True):
            freeze(cast, period, content)
        streak = growth.standings([cast.ann])[cast.ann.pk].streak
        assert (len(streak.counted), streak.ended, streak.ended_by) == (2, "missed", periods[1])
        closing = KpiClosing.objects.get(start=periods[3].start)
        KpiFrozen.objects.create(closing=closing, kpi="csat", member=cast.bo, numerator=10, denominator=10)
        streak = growth.standings([cast.bo])[cast.bo.pk].streak
        assert (len(streak.counted), streak.ended, streak.ended_by) == (1, "open", periods[0])


# ── the night ───────────────────────────────────────────────────────────────


def test_the_night_writes_what_is_due_and_finds_nothing_the_second_time(settled):
    cast = settled
    with on(2026, 9, 1):
        first = STEP.at_once(cast.tenant.today())
        assert first == {"certifications": 2, "reviewers_told": 0, "trainings_told": 0, "promotion_notes": 0}
        plan(cast, due_on=dt.date(2026, 9, 20))
    with on(2026, 10, 1):
        assert STEP.at_once(cast.tenant.today()) == {
            "certifications": 2, "reviewers_told": 1, "trainings_told": 2, "promotion_notes": 0,
        }  # fmt: skip
        assert not any(STEP.at_once(cast.tenant.today()).values())
    assert Certification.objects.filter(quarter=Q4.start).count() == 2


def test_a_firm_without_leads_has_its_executive_review(settled):
    cast = settled
    Member.objects.filter(pk=cast.lea.pk).update(is_active=False)
    with on(2026, 9, 1):
        assert open_one(cast).reviewer == cast.eve
        Certification.objects.update(reviewer=cast.lea)
    other = Team.objects.create(name="North")
    user = User.objects.create_user("nora@acme.example", name="Nora")
    nora = Member.objects.create(user=user, role="team_lead", team=other)
    with on(2026, 10, 2):
        assert growth.tell_due(cast.tenant.today()) == 1
        assert told(cast.eve, "certification-due"), "the reviewer has left: who leads is told"
        row = Certification.objects.get(member=cast.ann)
        with pytest.raises(ValidationError, match="nobody for themselves"):
            growth.score(certification=row, by=nora, given=SAID)
        growth.name_reviewer(certification=row, reviewer=nora, by=cast.eve)
        growth.score(certification=row, by=nora, given=SAID)
        row.refresh_from_db()
        assert (row.state, row.scored_by, row.scores.count()) == ("scored", nora, 4)
