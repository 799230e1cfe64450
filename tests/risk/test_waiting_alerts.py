"""It: counts the alerts that wait for somebody part by part, as the one condition says that they are theirs."""

from __future__ import annotations

import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Customer
from dashboards.places import MOST_WAITING
from risk.alerts import people
from risk.alerts.people import COUNTED, falls_to, waiting_for
from risk.models import Alert, AnswerRole


@pytest.fixture
def many(cast, scope):
    """An alert of each role for customers of everybody and of nobody, some of them assigned."""
    dice = random.Random(7)  # noqa: S311  # the same each time
    members = [cast.ann, cast.bo, cast.lea, cast.eve, None]
    owners = [(owner_a, owner_b) for owner_a in members for owner_b in members]
    customers = Customer.objects.bulk_create(
        Customer(name=f"Firm {number}", search_name=f"firm {number}", owner_a=owner_a, owner_b=owner_b)
        for number, (owner_a, owner_b) in enumerate(owners)
    )
    return Alert.objects.bulk_create(
        Alert(
            customer=customer,
            signal="order_silence",
            risk_class="demand",
            level="mild",
            period=f"{role}-{number}",
            opened_on=cast.tenant.today(),
            due_at=timezone.now(),
            role=role,
            assignee=dice.choice([None, None, *members]),
            policy_version=1,
        )
        for number, (customer, role) in enumerate(
            (customer, list(AnswerRole)[number % len(AnswerRole)])
            for number, customer in enumerate(customer for customer in customers)
        )
    )


@pytest.mark.parametrize("name", ["ann", "bo", "lea", "eve", "ada"])
def test_counts_each_alert_once_that_falls_to_somebody_who_sees_its_customer(cast, many, name):
    member = getattr(cast, name)
    found = [row["pk"] for row in waiting_for(member).values("pk")]
    theirs = Alert.objects.visible_to(member).filter(falls_to(member), closed_on__isnull=True)
    assert sorted(found) == sorted(theirs.values_list("pk", flat=True))


def test_finds_some_for_who_answers(cast, many):
    assert all(waiting_for(member).values("pk") for member in (cast.ann, cast.bo, cast.lea, cast.eve))


def test_finds_enough_of_each_part_for_the_number_beside_the_link(cast, many, monkeypatch):
    assert COUNTED > MOST_WAITING
    monkeypatch.setattr(people, "COUNTED", 1)
    assert 0 < len(waiting_for(cast.lea).values("pk")) <= 3


def test_sorts_nothing_to_count(cast, many):
    with CaptureQueriesContext(
        connection,
    ) as asked:
        list(waiting_for(cast.ann).order_by().values("pk")[: MOST_WAITING + 1])
    assert "ORDER BY" not in asked[0]["sql"]
