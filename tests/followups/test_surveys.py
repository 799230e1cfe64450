"""Asking a contact, what they answer, and what follows a low answer."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.exceptions import ValidationError

from customers.models import Arrival, Complaint, Contact, SurveyResponse
from customers.services import add_survey_response, patch_survey_response
from followups.models import FollowUp, Message, Survey, SurveyLoop, SurveyReason
from followups.reasons import phrase
from followups.services import complete
from followups.surveys import loops
from followups.surveys import services as surveys
from followups.surveys.links import address_of, read_token, token_of
from tenants.context import tenant_scope
from tenants.models import Event
from tests.followups.conftest import NOON, TODAY
from tests.followups.surveyed import asked, contact_of, set_policy

DAY = dt.timedelta(days=1)


# ── asking ──────────────────────────────────────────────────────────────────


def test_asks_by_a_message_with_the_link_in_the_contacts_language(cast):
    survey = asked(cast, contact_of(cast, language="zh-CN"))
    assert survey.language == "zh-hans"
    with tenant_scope(cast.tenant):
        message = Message.objects.get()
        assert (message.purpose, message.channel, message.language) == ("survey", "email", "zh-hans")
        assert address_of(survey) in message.body
        assert survey.message == message
        assert survey.expires_at == message.due_at + 14 * DAY
        assert Event.objects.filter(verb="asked", object_type="survey", object_id=survey.pk).count() == 1


def test_asks_once_however_often_it_is_wanted(cast):
    contact = contact_of(cast)
    first = asked(cast, contact)
    assert asked(cast, contact) == first
    with tenant_scope(cast.tenant):
        assert Survey.objects.count() == Message.objects.count() == 1


def test_a_contact_without_an_address_is_not_asked_and_it_says_so(cast):
    survey = asked(cast, contact_of(cast, email=""))
    with tenant_scope(cast.tenant):
        survey.refresh_from_db()
        assert survey.state_at(NOON) == "blocked"
        assert survey.message.why == "no_address"


def test_the_governor_has_the_last_word_and_the_second_survey_waits_or_stays(cast):
    contact = contact_of(cast)
    asked(cast, contact)
    second = asked(cast, contact, kind="csat")
    with tenant_scope(cast.tenant):
        assert second.message.status == "blocked"
        assert second.message.why == "survey"
        assert Survey.objects.delivered().count() == 1


def test_asking_by_hand_refuses_in_words(cast):
    gone = contact_of(cast, left_on=TODAY)
    with tenant_scope(cast.tenant):
        with pytest.raises(ValidationError) as refusal:
            surveys.ask_by_hand(contact=gone, kind="nps", member=cast.ann)
        assert refusal.value.error_dict["contact"][0].code == "left"
        other = cast.customer("Other")
        strange = Complaint.objects.create(customer=other, topic="Late")
        here = Contact.objects.create(customer=gone.customer, name="Li", email="li@huaxin.example")
        with pytest.raises(ValidationError) as refusal:
            surveys.ask_by_hand(contact=here, kind="csat", member=cast.ann, complaint=strange)
        assert refusal.value.error_dict["complaint"][0].code == "other_customer"
        own = Complaint.objects.create(customer=gone.customer, topic="Late")
        with pytest.raises(ValidationError) as refusal:
            surveys.ask_by_hand(contact=here, kind="nps", member=cast.ann, complaint=own)
        assert refusal.value.error_dict["complaint"][0].code == "not_csat"
        assert not Survey.objects.exists()


# ── the link ────────────────────────────────────────────────────────────────


def test_a_link_names_its_survey_and_nothing_else_does(cast):
    survey = asked(cast)
    token = token_of(survey)
    assert read_token(token) == (cast.tenant, survey.pk)
    value, _dot, signature = token.rpartition(".")
    neighbour = value.replace(f"~{survey.pk}", f"~{survey.pk + 1}")
    for forged in (f"{neighbour}.{signature}", f"{value}.{signature[:-1]}x", value, "", "." * 300, "1~1.x"):
        assert read_token(forged) is None


def test_a_link_of_a_closed_firm_is_dead(cast):
    token = token_of(asked(cast))
    cast.tenant.is_active = False
    cast.tenant.save()
    assert read_token(token) is None


# ── answering ───────────────────────────────────────────────────────────────


def test_an_answer_becomes_a_fact_that_health_reads(cast):
    survey = asked(cast)
    with tenant_scope(cast.tenant):
        assert surveys.answer(survey=survey, score=9) == "created"
        response = SurveyResponse.objects.get()
        assert (response.kind, response.score, response.at) == ("nps", 9, NOON)
        assert (response.contact, response.source) == (survey.contact, "survey")
        assert Arrival.objects.filter(customer=survey.customer, is_seen=False).exists()
        assert survey.response == response
        assert survey.answered_at == NOON
        assert not FollowUp.objects.exists()


def test_the_same_tap_twice_is_one_answer(cast):
    survey = asked(cast)
    with tenant_scope(cast.tenant):
        surveys.answer(survey=survey, score=9)
        events = Event.objects.count()
        assert surveys.answer(survey=survey, score=9) == "unchanged"
        assert SurveyResponse.objects.count() == 1
        assert Event.objects.count() == events


def test_an_answer_is_changed_once(cast):
    survey = asked(cast)
    with tenant_scope(cast.tenant):
        surveys.answer(survey=survey, score=9)
        assert surveys.answer(survey=survey, score=8) == "updated"
        with pytest.raises(surveys.Over) as refusal:
            surveys.answer(survey=survey, score=10)
        assert refusal.value.code == "changed_before"
        assert SurveyResponse.objects.get().score == 8


def test_an_answer_is_not_changed_later_than_the_policy_lets(cast, time_machine):
    survey = asked(cast)
    with tenant_scope(cast.tenant):
        surveys.answer(survey=survey, score=9)
        time_machine.move_to(NOON + 7 * DAY, tick=False)
        with pytest.raises(surveys.Over) as refusal:
            surveys.answer(survey=survey, score=1)
        assert refusal.value.code == "over"
        with pytest.raises(surveys.Over):
            surveys.tell(survey=survey, reasons=["price"], text="")
        assert SurveyResponse.objects.get().score == 9


def test_an_expired_link_takes_no_answer(cast, time_machine):
    survey = asked(cast)
    with tenant_scope(cast.tenant):
        time_machine.move_to(survey.expires_at, tick=False)
        with pytest.raises(surveys.Over) as refusal:
            surveys.answer(survey=survey, score=9)
        assert refusal.value.code == "expired"
        assert not SurveyResponse.objects.exists()


def test_reasons_and_words_are_kept_and_replaced_and_the_teams_own_stay(cast):
    survey = asked(cast)
    with tenant_scope(cast.tenant):
        with pytest.raises(surveys.Over):
            surveys.tell(survey=survey, reasons=["price"], text="")
        surveys.answer(survey=survey, score=3)
        surveys.tell(survey=survey, reasons=["price", "delivery"], text="  Late again ")
        response = SurveyResponse.objects.get()
        assert response.text == "Late again"
        loops.tag(response, ["terms"], member=cast.ann)
        assert surveys.tell(survey=survey, reasons=["delivery"], text="Late again") == "updated"
        assert surveys.tell(survey=survey, reasons=["delivery"], text="Late again") == "unchanged"
        assert set(SurveyReason.objects.values_list("code", "member")) == {("delivery", None), ("terms", cast.ann.pk)}
        with pytest.raises(ValidationError):
            surveys.tell(survey=survey, reasons=["weather"], text="")
        with pytest.raises(ValidationError):
            surveys.tell(survey=survey, reasons=[], text="x" * 2001)


# ── a low answer ────────────────────────────────────────────────────────────


def test_a_detractor_has_a_follow_up_within_24_hours(cast):
    survey = asked(cast)
    with tenant_scope(cast.tenant):
        surveys.answer(survey=survey, score=6)
        row = FollowUp.objects.get()
        assert (row.rule, row.level, row.assignee) == ("survey:nps", "moderate", cast.ann)
        assert row.due_at == NOON + DAY
        assert row.contact == survey.contact
        assert phrase(row, TODAY) == "Answered NPS 6 of 10"
        loop = SurveyLoop.objects.get()
        assert (loop.follow_up, loop.response.score) == (row, 6)


@pytest.mark.parametrize(("score", "is_raised"), [(1, True), (2, True), (3, False), (5, False)])
def test_csat_up_to_2_has_a_follow_up(cast, score, is_raised):
    survey = asked(cast, kind="csat")
    with tenant_scope(cast.tenant):
        surveys.answer(survey=survey, score=score)
        assert FollowUp.objects.filter(rule="survey:csat").exists() == is_raised


def test_an_answer_changed_for_the_better_needs_no_call_and_for_the_worse_needs_one(cast):
    survey = asked(cast)
    with tenant_scope(cast.tenant):
        surveys.answer(survey=survey, score=2)
        surveys.answer(survey=survey, score=9)
        assert FollowUp.objects.get().status == "cancelled"
        assert not SurveyLoop.objects.exists()
        patch_survey_response(response=SurveyResponse.objects.get(), score=1)
        loops.sweep()
        assert FollowUp.objects.get().status == "open"
        assert SurveyLoop.objects.count() == 1


def test_the_sweep_follows_up_what_came_another_way_once(cast):
    customer = cast.customer()
    old = cast.customer("Long ago")
    closed = cast.customer("Closed", closed_on=TODAY)
    with tenant_scope(cast.tenant):
        add_survey_response(customer=customer, kind="nps", score=0, at=NOON - dt.timedelta(hours=3))
        add_survey_response(customer=customer, kind="nps", score=7)
        add_survey_response(customer=old, kind="nps", score=0, at=NOON - 8 * DAY)
        add_survey_response(customer=closed, kind="csat", score=1)
        assert loops.sweep() == 1
        row = FollowUp.objects.get()
        assert (row.customer, row.due_at) == (customer, NOON + dt.timedelta(hours=21))
        assert loops.sweep() == 0
        assert FollowUp.objects.count() == 1


def test_the_loop_closes_when_the_same_person_answers_again(cast, time_machine):
    contact = contact_of(cast)
    survey = asked(cast, contact)
    with tenant_scope(cast.tenant):
        surveys.answer(survey=survey, score=4)
        row = FollowUp.objects.get()
        loops.analyse(loop=SurveyLoop.objects.get(), member=cast.ann, reasons=["delivery"], behind="Two late trucks")
        complete(follow_up=row, member=cast.ann)
        time_machine.move_to(NOON + 40 * DAY, tick=False)
        somebody_else = Contact.objects.create(customer=contact.customer, name="Li")
        add_survey_response(customer=contact.customer, contact=somebody_else, kind="nps", score=10)
        assert loops.verify() == 0
        later = add_survey_response(customer=contact.customer, contact=contact, kind="nps", score=8)
        assert loops.verify() == 1
        loop = SurveyLoop.objects.get()
        assert (loop.verified_by, loop.improved, loop.behind) == (later, True, "Two late trucks")
        assert loop.analysed_by == cast.ann
        assert loops.verify() == 0


def test_analysing_takes_a_reason(cast):
    survey = asked(cast)
    with tenant_scope(cast.tenant):
        surveys.answer(survey=survey, score=4)
        loop = SurveyLoop.objects.get()
        with pytest.raises(ValidationError) as refusal:
            loops.analyse(loop=loop, member=cast.ann, reasons=[], behind="")
        assert refusal.value.error_dict["reasons"][0].code == "required"
        assert SurveyLoop.objects.get().analysed_at is None


def test_the_policy_says_what_is_low_and_how_soon(cast):
    set_policy(cast, low_csat=3, low_hours=4)
    survey = asked(cast, kind="csat")
    with tenant_scope(cast.tenant):
        surveys.answer(survey=survey, score=3)
        assert FollowUp.objects.get().due_at == NOON + dt.timedelta(hours=4)
