"""It: two workers on the same journeys, and one that dies in the middle: every step is done once."""

import datetime as dt

import pytest
from django.db import transaction

from customers.models import Complaint, Order
from customers.services.arrivals import arrived
from followups.journeys import services as journeys
from followups.journeys import walking
from followups.models import Enrolment, FollowUp, Journey, JourneyStep, Script, ScriptVariant
from followups.scripts import services as scripts
from tenants.context import tenant_scope
from tests.followups.conftest import NOON
from tests.followups.test_services_at_once import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("transactions"),
]

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def customers(cast):
    """Forty customers with a first order each, some with a complaint about the delivery as well."""
    made = [cast.customer(f"Customer {number}") for number in range(40)]
    with tenant_scope(cast.tenant):
        journeys.ensure_journeys(NOON - dt.timedelta(days=9))
        for number, each in enumerate(made):
            Order.objects.create(
                customer=each, external_id=f"SO-{number}", placed_at=NOON - 2 * HOUR, placed_on=NOON.date(),
                currency="GBP", net=1, digest="",
            )  # fmt: skip
            if number % 4 == 0:
                Complaint.objects.create(customer=each, topic="Late delivery", opened_at=NOON - HOUR)
        arrived([each.pk for each in made])
    return made


def state():
    return {
        "enrolments": sorted(Enrolment.objects.values_list("journey__code", "customer", "status")),
        "steps": sorted(JourneyStep.objects.values_list("enrolment__customer", "enrolment__journey__code", "code")),
        "follow_ups": sorted(FollowUp.objects.values_list("customer", "rule", "status")),
    }


def check(customers):
    found = state()
    assert len(found["enrolments"]) == 50
    assert len([row for row in found["enrolments"] if row[2] == "active"]) == 40
    assert len(found["follow_ups"]) == len(set(found["follow_ups"])) == len(found["steps"]) == 40
    assert {row[2] for row in found["follow_ups"]} == {"open"}
    assert len([row for row in found["follow_ups"] if row[1] == "journey:logistics:solve"]) == 10


def test_does_each_step_once_with_two_workers_at_once(cast, customers):
    results = at_once(cast.tenant, *[lambda: walking.look_at_facts(NOON, 1_000)] * 2)
    assert all(isinstance(result, int) for result in results), results
    walking.look_at(cast.tenant)  # whoever one of them has left to the other
    with tenant_scope(cast.tenant):
        check(customers)


class Killed(BaseException):
    """What a kill does to a transaction."""


def test_goes_on_where_a_worker_was_killed(cast, customers, monkeypatch):
    raised = []

    def dies(*args, **kwargs):
        raised.append(1)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(walking, "raise_follow_ups", dies)
        with pytest.raises(Killed):
            walking.look_at(cast.tenant)
    assert raised
    with tenant_scope(cast.tenant):
        assert state() == {"enrolments": [], "steps": [], "follow_ups": []}
    for _again in range(2):
        walking.look_at(cast.tenant)
        with tenant_scope(cast.tenant):
            check(customers)


def test_puts_what_ships_there_once_with_two_visitors_at_once(cast):
    results = at_once(cast.tenant, *[lambda: (journeys.ensure_journeys(), scripts.ensure_library())] * 2)
    assert not [result for result in results if isinstance(result, Exception)], results
    with tenant_scope(cast.tenant), transaction.atomic():
        assert Journey.objects.count() == 6
        assert Script.objects.count() == Script.objects.values("code").distinct().count()
        assert not Script.objects.filter(variants__isnull=True).exists()
        pairs = ScriptVariant.objects.values_list("script", "letter")
        assert len(set(pairs)) == len(pairs)
