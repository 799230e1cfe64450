"""It: two taps on one link, two sweeps, two draws at the same moment."""

import datetime as dt

import pytest

from customers.models import Interaction, SurveyResponse
from customers.services import add_survey_response
from followups.models import FollowUp, Message, QualityReview, QualitySample, Survey, SurveyLoop
from followups.quality import services as quality
from followups.surveys import loops
from followups.surveys import services as surveys
from tenants.context import tenant_scope
from tests.followups.conftest import TODAY
from tests.followups.surveyed import asked, contact_of
from tests.followups.test_services_at_once import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("transactions"),
]


def test_takes_the_same_tap_twice_as_one_answer(cast):
    survey = asked(cast)
    results = at_once(cast.tenant, *[lambda: surveys.answer(survey=Survey.objects.get(), score=3)] * 2)
    assert sorted(results) == ["created", "unchanged"]
    with tenant_scope(cast.tenant):
        assert SurveyResponse.objects.get().surveys.get() == survey
        assert FollowUp.objects.count() == SurveyLoop.objects.count() == 1


def test_takes_two_different_taps_as_an_answer_and_its_one_change(cast):
    asked(cast)
    results = at_once(
        cast.tenant,
        lambda: surveys.answer(survey=Survey.objects.get(), score=9),
        lambda: surveys.answer(survey=Survey.objects.get(), score=2),
    )
    assert sorted(results) == ["created", "updated"]
    with tenant_scope(cast.tenant):
        response = SurveyResponse.objects.get()
        is_low = response.score == 2
        assert SurveyLoop.objects.exists() == is_low
        assert FollowUp.objects.filter(status="open").exists() == is_low


def test_asks_once_when_two_want_to(cast):
    contact = contact_of(cast)

    def ask():
        return surveys.ask(contact=contact, kind="nps", cause="hand", period="one")[1]

    assert sorted(at_once(cast.tenant, ask, ask)) == ["created", "unchanged"]
    with tenant_scope(cast.tenant):
        assert Survey.objects.count() == Message.objects.count() == 1


def test_follows_up_once_when_two_workers_sweep(cast):
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        for _number in range(5):
            add_survey_response(customer=customer, kind="csat", score=1)
    results = at_once(cast.tenant, loops.sweep, loops.sweep)
    assert all(isinstance(result, int) for result in results), results
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.count() == SurveyLoop.objects.count() == 5


def test_draws_once_when_two_workers_draw(cast):
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        at = dt.datetime(2026, 10, 5, 9, tzinfo=dt.UTC)
        Interaction.objects.bulk_create(
            Interaction(customer=customer, member=cast.ann, channel="phone", at=at) for _number in range(40)
        )
    results = at_once(cast.tenant, *[lambda: quality.draw_month(TODAY)] * 2)
    assert sorted(results) == [0, 2]
    with tenant_scope(cast.tenant):
        assert (QualitySample.objects.count(), QualityReview.objects.count()) == (1, 2)
