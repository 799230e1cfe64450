"""It: two workers on the same complaints, one that dies in the middle, and two people who solve the same one."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError

from customers.models import Complaint
from followups.models import Notice
from risk.cases import services as cases
from risk.complaints import services as complaints
from risk.models import Alert, Case
from tenants.context import tenant_scope
from tenants.models import Event
from tests.followups.test_services_at_once import at_once
from tests.risk.test_cases import alert

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("transactions"),
]

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture
def opened(cast, time_machine):
    time_machine.move_to(NOW, tick=False)
    customers = [cast.customer(f"Customer {number}") for number in range(3)]
    with tenant_scope(cast.tenant):
        Complaint.objects.bulk_create(
            Complaint(tenant=cast.tenant, customer=customers[number % 3], topic="Late", opened_at=NOW)
            for number in range(30)
        )
        return list(Complaint.objects.values_list("pk", flat=True))


def handed():
    return Event.objects.filter(object_type="complaint", verb="handed_on").count()


def test_each_is_handed_on_once_by_two_workers_and_after_one_that_died(cast, opened, monkeypatch):
    def dies(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(complaints.told, "tell_holder", dies)
        with tenant_scope(cast.tenant), pytest.raises(KeyboardInterrupt):
            complaints.route_due(NOW)
    with tenant_scope(cast.tenant):
        assert handed() == 0
    results = at_once(cast.tenant, *[lambda: complaints.route_due(NOW)] * 2)
    assert sum(results) == 30, results
    with tenant_scope(cast.tenant):
        assert handed() == 30
        assert Notice.objects.filter(kind="complaint_yours", member=cast.ann).count() == 30
        late = Complaint.objects.order_by("pk").first().due_at
    results = at_once(cast.tenant, *[lambda: complaints.escalate_due(late)] * 2)
    assert sum(results) == 30, results


def test_of_two_people_who_solve_it_at_once_one_is_told(cast, opened):
    def solve(member):
        row = Complaint.objects.get(pk=opened[0])
        return complaints.solve(complaint=row, member=member, solution=f"By {member}")

    results = at_once(cast.tenant, lambda: solve(cast.ann), lambda: solve(cast.bo))
    assert {type(result) for result in results} == {str, ValidationError}, results
    with tenant_scope(cast.tenant):
        assert Event.objects.filter(object_type="complaint", verb="solved").count() == 1


def test_two_that_keep_the_same_alert_keep_one_case(cast, opened):
    with tenant_scope(cast.tenant):
        pk = alert(cast.customer("Kept"), outcome="saved").pk
    results = at_once(cast.tenant, *[lambda: cases.keep(alert=Alert.objects.get(pk=pk)).pk] * 2)
    assert len(set(results)) == 1, results
    with tenant_scope(cast.tenant):
        assert Case.objects.count() == 1
