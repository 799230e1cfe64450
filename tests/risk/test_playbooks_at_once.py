"""It: two workers on the same playbooks, and one that dies in the middle: every run and every step is there once."""

import datetime as dt

import pytest
from django.utils import timezone

from followups.models import FollowUp
from risk.models import Alert, Playbook, PlaybookRun, PlaybookStep
from risk.playbooks import services as playbooks
from risk.playbooks import walking
from tenants.context import tenant_scope
from tests.followups.test_services_at_once import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("transactions"),
]


@pytest.fixture
def customers(cast):
    """Twenty customers who do not answer, all of them since the playbooks have been switched on."""
    made = [cast.customer(f"Customer {number}") for number in range(20)]
    now = timezone.now()
    with tenant_scope(cast.tenant):
        playbooks.ensure_playbooks(now - dt.timedelta(days=1))
        for each in made:
            Alert.objects.create(
                customer=each, signal="unanswered", risk_class="relationship", level="severe", period="1",
                opened_on=now.date(), opened_at=now - dt.timedelta(hours=1), due_at=now, policy_version=1,
            )  # fmt: skip
    return made


def state():
    return {
        "runs": sorted(PlaybookRun.objects.values_list("customer", "playbook__code", "status")),
        "steps": sorted(PlaybookStep.objects.values_list("run__customer", "code", "status")),
        "follow_ups": sorted(FollowUp.objects.values_list("customer", "rule", "status")),
    }


def check(customers):
    ids = sorted(each.pk for each in customers)
    assert state() == {
        "runs": [(pk, "three-plus-one", "active") for pk in ids],
        "steps": [(pk, "phone", "raised") for pk in ids],
        "follow_ups": [(pk, "playbook:three-plus-one:phone", "open") for pk in ids],
    }


def test_begins_and_asks_once_with_two_workers_at_once(cast, customers):
    results = at_once(cast.tenant, *[lambda: playbooks.advance_due(timezone.now())] * 2)
    assert all(isinstance(result, int) for result in results), results
    playbooks.look_at(cast.tenant)  # whoever one of them has left to the other
    with tenant_scope(cast.tenant):
        check(customers)


def test_begins_once_with_two_people_at_the_same_button(cast, customers):
    def begin():
        book = Playbook.objects.get(code="win-back")
        return playbooks.start(playbook=book, customer=customers[0], member=cast.ann).pk

    results = at_once(cast.tenant, begin, begin)
    assert len(set(results)) == 1, results
    with tenant_scope(cast.tenant):
        assert PlaybookRun.objects.filter(playbook__code="win-back").count() == 1


class Killed(BaseException):
    """What a kill does to a transaction."""


def test_goes_on_where_a_worker_was_killed(cast, customers, monkeypatch):
    died = []

    def dies(*args, **kwargs):
        died.append(1)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(walking, "raise_follow_ups", dies)
        with pytest.raises(Killed):
            playbooks.look_at(cast.tenant)
    assert died
    with tenant_scope(cast.tenant):
        assert state() == {"runs": [], "steps": [], "follow_ups": []}
    for _again in range(2):
        playbooks.look_at(cast.tenant)
        with tenant_scope(cast.tenant):
            check(customers)
