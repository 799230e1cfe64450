"""It: several people on one crisis at the same moment: one number each, one team, one line."""

import datetime as dt

import pytest

from risk.incidents import services, talk, watching
from risk.incidents.services import Refused
from risk.models import Incident, IncidentEntry, IncidentSeat
from tenants.context import tenant_scope
from tests.followups.test_services_at_once import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("transactions"),
]

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


def test_numbers_teams_lines_and_breaches_hold_under_a_crowd(cast, time_machine):
    time_machine.move_to(NOON, tick=False)
    customers = [cast.customer(f"Customer {number}") for number in range(2)]

    def open_one(customer):
        return services.open_incident(customer=customer, title="Late", level="serious", member=cast.ann).pk

    opened = at_once(cast.tenant, *(lambda each=each: open_one(each) for each in (*customers, *customers)))
    assert len(set(opened)) == 2
    with tenant_scope(cast.tenant):
        assert sorted(Incident.objects.values_list("number", flat=True)) == [1, 2]
        incident = Incident.objects.get(pk=opened[0])

    def name(lead):
        seats = {"lead": lead, "contact": cast.ann}
        try:
            services.name_team(incident=incident, seats=seats, seen=0, member=lead)
        except Refused as refusal:
            return refusal.messages[0]
        return "named"

    said = at_once(cast.tenant, lambda: name(cast.lea), lambda: name(cast.eve))
    assert sorted(each == "named" for each in said) == [False, True]
    with tenant_scope(cast.tenant):
        leader = str(IncidentSeat.objects.get(incident=incident, seat="lead").member)
    assert next(each for each in said if each != "named").startswith(f"{leader} has named the team meanwhile")

    def write():
        return talk.write_update(incident=incident, text="Found", member=cast.ann, key="k")[0].pk

    assert len(set(at_once(cast.tenant, write, write))) == 1
    time_machine.move_to(NOON + dt.timedelta(minutes=30), tick=False)
    found = at_once(cast.tenant, lambda: watching.watch(cast.tenant), lambda: watching.watch(cast.tenant))
    assert sum(found) == 2  # the first clock of each of the two crises
    with tenant_scope(cast.tenant):
        assert IncidentEntry.objects.filter(code="breached").count() == 2
