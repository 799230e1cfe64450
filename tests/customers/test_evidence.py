"""It: writing down what shows a customer's value: checked, one event each, by its own name or another system's."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError

from customers.models import Evidence
from customers.services import add_evidence, change_evidence, delete_evidence, upsert_evidence
from tenants.models import Event

DAY = dt.date(2026, 11, 3)
TODAY = dt.date(2026, 11, 20)


@pytest.fixture(autouse=True)
def friday(time_machine):
    # In London it is still the 20th when it is noon in Greenwich.
    time_machine.move_to(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC), tick=False)


@pytest.fixture
def customer(cast, scope):
    return cast.customer()


@pytest.fixture
def newcomer(cast, scope):
    return cast.customer("Newcomer")


def codes(refusal):
    return {name: [error.code for error in errors] for name, errors in refusal.value.error_dict.items()}


def events():
    return [
        (row.verb, row.customer_id, row.changes) for row in Event.objects.filter(object_type="evidence").order_by("pk")
    ]


def test_writes_it_down_with_one_event(cast, customer, newcomer):
    row = add_evidence(
        customer=customer, kind="referral", on=DAY, referred=newcomer, member=cast.ann, note="At the fair"
    )
    assert (row.customer, row.kind, row.on, row.referred, row.member, row.note) == (
        customer, "referral", DAY, newcomer, cast.ann, "At the fair",
    )  # fmt: skip
    assert events() == [("added", customer.pk, {})]


def test_takes_a_referral_whose_customer_is_not_known_yet(customer):
    assert add_evidence(customer=customer, kind="referral", on=DAY).referred is None


@pytest.mark.parametrize(("on", "is_fine"), [(TODAY, True), (TODAY + dt.timedelta(days=1), False)])
def test_refuses_a_day_that_is_still_to_come(customer, on, is_fine):
    if is_fine:
        assert add_evidence(customer=customer, kind="benchmark", on=on).pk
    else:
        with pytest.raises(ValidationError) as refusal:
            add_evidence(customer=customer, kind="benchmark", on=on)
        assert codes(refusal) == {"on": ["in_the_future"]}
        assert not Evidence.objects.exists()


def test_refuses_a_referral_to_itself(customer, newcomer):
    with pytest.raises(ValidationError) as refusal:
        add_evidence(customer=customer, kind="referral", on=DAY, referred=customer)
    assert codes(refusal) == {"referred": ["itself"]}
    row = add_evidence(customer=customer, kind="referral", on=DAY, referred=newcomer)
    with pytest.raises(ValidationError) as refusal:
        change_evidence(evidence=row, referred=customer)
    assert codes(refusal) == {"referred": ["itself"]}
    row.refresh_from_db()
    assert row.referred == newcomer


def test_refuses_that_one_customer_came_twice(cast, customer, newcomer):
    row = add_evidence(customer=customer, kind="referral", on=DAY, referred=newcomer)
    with pytest.raises(ValidationError) as refusal:
        add_evidence(customer=cast.customer("Other"), kind="referral", on=DAY, referred=newcomer)
    assert codes(refusal) == {"referred": ["referred_already"]}
    assert change_evidence(evidence=row, note="Same again") == "updated"  # is not in its own way


def test_refuses_who_came_with_what_is_no_referral(customer, newcomer):
    with pytest.raises(ValidationError) as refusal:
        add_evidence(customer=customer, kind="endorsement", on=DAY, referred=newcomer)
    assert codes(refusal) == {"referred": ["not_a_referral"]}


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"kind": "gift"}, {"kind": ["invalid_choice"]}),
        ({"kind": "cluster", "note": "x" * 301}, {"note": ["max_length"]}),
        ({}, {"kind": ["blank"]}),
    ],
)
def test_says_at_the_field_what_is_wrong(customer, fields, wrong):
    with pytest.raises(ValidationError) as refusal:
        add_evidence(customer=customer, on=DAY, **fields)
    assert codes(refusal) == wrong


def test_needs_customer_and_day(scope):
    with pytest.raises(ValidationError) as refusal:
        add_evidence(kind="cluster")
    assert set(codes(refusal)) == {"customer", "on"}


def test_changes_what_differs_and_nothing_else(customer):
    row = add_evidence(customer=customer, kind="benchmark", on=DAY)
    assert change_evidence(evidence=row, kind="benchmark", on=DAY) == "unchanged"
    assert change_evidence(evidence=row, note="Showed our samples") == "updated"
    assert events()[1:] == [("updated", customer.pk, {"note": ["", "Showed our samples"]})]


def test_knows_it_again_by_another_systems_name(customer):
    said = {"customer": customer, "kind": "endorsement", "on": DAY}
    row, outcome = upsert_evidence(source="crm", external_id="7", **said)
    assert outcome == "created"
    assert upsert_evidence(source="crm", external_id="7", **said) == (row, "unchanged")
    assert upsert_evidence(source="crm", external_id="7", note="Wrote a letter") == (row, "updated")
    assert upsert_evidence(source="erp", external_id="7", **said)[1] == "created"
    assert [verb for verb, _customer, _changes in events()] == ["added", "updated", "added"]


def test_takes_it_back_and_keeps_what_it_said(cast, customer):
    row = add_evidence(customer=customer, kind="endorsement", on=DAY, note="By mistake", member=cast.ann)
    delete_evidence(evidence=row)
    assert not Evidence.objects.exists()
    verb, customer_id, changes = events()[-1]
    assert (verb, customer_id) == ("deleted", customer.pk)
    assert changes == {
        "kind": ["endorsement", None], "on": ["2026-11-03", None], "note": ["By mistake", None],
        "member": [cast.ann.pk, None], "source": ["import", None],
    }  # fmt: skip
