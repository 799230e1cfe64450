"""It: writing down what a customer answered: checked, one event each, noted as arrived."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from customers.models import Complaint, Contact, SurveyResponse
from customers.rules.surveys import nps_group
from customers.services import add_survey_response, patch_survey_response, upsert_survey_response
from tenants.models import Event

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture
def customer(cast, scope):
    return cast.customer()


def codes(refusal):
    return {name: [error.code for error in errors] for name, errors in refusal.value.error_dict.items()}


def test_is_given_now_unless_said_otherwise(customer, time_machine):
    time_machine.move_to(NOON, tick=False)
    assert add_survey_response(customer=customer, kind="nps", score=9).at == NOON
    assert [row.verb for row in Event.objects.filter(object_type="surveyresponse")] == ["added"]


def test_needs_a_customer_a_kind_and_a_score(scope):
    with pytest.raises(ValidationError) as refusal:
        add_survey_response()
    assert codes(refusal) == {"customer": ["required"], "kind": ["blank"], "score": ["null"]}


def test_refuses_an_answer_that_is_still_to_come(customer, time_machine):
    time_machine.move_to(NOON, tick=False)
    with pytest.raises(ValidationError) as refusal:
        add_survey_response(customer=customer, kind="nps", score=9, at=NOON + dt.timedelta(days=1, minutes=1))
    assert codes(refusal) == {"at": ["in_the_future"]}
    assert add_survey_response(customer=customer, kind="nps", score=9, at=NOON + dt.timedelta(hours=23)).pk


def test_belongs_to_people_and_complaints_of_its_customer(cast, customer):
    other = cast.customer("Other")
    contact, complaint = (
        Contact.objects.create(customer=other, name="x"),
        Complaint.objects.create(customer=other, topic="Late"),
    )
    with pytest.raises(ValidationError) as refusal:
        add_survey_response(customer=customer, kind="nps", score=9, contact=contact, complaint=complaint)
    assert codes(refusal) == {"contact": ["other_customer"], "complaint": ["other_customer"]}
    row = add_survey_response(customer=other, kind="nps", score=9, contact=contact, complaint=complaint)
    with pytest.raises(ValidationError) as refusal:
        patch_survey_response(response=row, customer=customer)
    assert codes(refusal) == {"contact": ["other_customer"], "complaint": ["other_customer"]}


def test_changes_what_differs_and_nothing_else(customer):
    row, outcome = upsert_survey_response(source="crm", external_id="1", customer=customer, kind="csat", score=4)
    assert outcome == "created"
    assert upsert_survey_response(source="crm", external_id="1", score=4) == (row, "unchanged")
    assert upsert_survey_response(source="crm", external_id="1", score=2) == (row, "updated")
    events = Event.objects.filter(object_type="surveyresponse").order_by("pk").values_list("verb", "changes")
    assert list(events) == [("added", {}), ("updated", {"score": [4, 2]})]


@pytest.mark.parametrize(("kind", "score"), [("nps", 11), ("csat", 0), ("csat", 6)])
def test_is_kept_on_its_scale_by_the_database_too(customer, kind, score):
    with pytest.raises(IntegrityError), transaction.atomic():
        SurveyResponse.objects.create(customer=customer, kind=kind, score=score)


@pytest.mark.parametrize(
    ("score", "group"),
    [(10, "promoter"), (9, "promoter"), (8, "passive"), (7, "passive"), (6, "detractor"), (0, "detractor")],
)
def test_says_in_a_word_what_an_nps_answer_means(score, group):
    assert SurveyResponse(kind="nps", score=score).group == group
    assert SurveyResponse(kind="csat", score=min(score, 5)).group == ""


@given(st.integers(0, 10), st.integers(0, 10))
def test_puts_a_higher_score_into_no_lower_group(one, other):
    groups = ["detractor", "passive", "promoter"]
    low, high = sorted((one, other))
    assert groups.index(nps_group(low)) <= groups.index(nps_group(high))
