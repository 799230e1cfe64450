"""It: a member's own steps in open crises stand on Today, each with its clock, at the same cost however many there are."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import Customer
from risk.incidents import services, steps
from risk.models import Incident, IncidentStep
from tenants.context import tenant_scope
from tests.pages.conftest import NOON, text

URL = "/acme/today/"
HOUR = dt.timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("noon")


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def incident(cast):
    customer = cast.customer("Golden Sail Gifts")
    with tenant_scope(cast.tenant):
        return services.open_incident(customer=customer, title="Wrong blue", level="serious", member=cast.ann)


def own(cast, incident, member, *titles, due_at=None):
    with tenant_scope(cast.tenant):
        return [steps.add(incident=incident, title=t, member=cast.lea, owner=member, due_at=due_at) for t in titles]


def queries(client):
    client.get(URL)
    with CaptureQueriesContext(connection) as said:
        page = client.get(URL)
    return len(said), page


def test_shows_each_with_its_clock_the_nearest_first(cast, ann, sign_in, incident, time_machine):
    own(cast, incident, cast.ann, "Own words", due_at=NOON + 3 * HOUR)
    page = text(ann.get(URL))
    assert "Your steps in crises" in page
    assert page.index("Acknowledge with a name and a time") < page.index("Own words")
    for words in ("CR-1", "Golden Sail Gifts", "Serious", "today 12:30 · 30 min left", "today 15:00 · 3 h left"):
        assert words in page, words
    assert f'href="/acme/crises/{incident.pk}/#crisis-steps"' in page
    time_machine.move_to(NOON + HOUR, tick=False)
    late = text(ann.get(URL))
    assert '<span class="when late">today 12:30 · 30 min late</span>' in late
    with tenant_scope(cast.tenant):
        services.pause(incident=incident, reason="Their sample", member=cast.ann)
    still = text(ann.get(URL))
    assert still.index("Own words") < still.index("stands still")  # what has no moment now comes last
    assert "Your steps in crises" not in text(sign_in(cast.bo).get(URL))  # it is Ann's


def test_shows_none_that_is_done_or_of_a_drill_a_closed_crisis_or_another_member(cast, ann, sign_in, incident):
    with tenant_scope(cast.tenant):
        services.start_drill(incident=incident, member=cast.ann)
        for step in IncidentStep.objects.filter(incident=incident, owner=cast.ann).select_related("incident"):
            steps.done(step=step, member=cast.ann)
    assert "Your steps in crises" not in text(ann.get(URL))
    own(cast, incident, cast.bo, "Call them")
    bo = sign_in(cast.bo)
    assert "no time set" in text(bo.get(URL))
    with tenant_scope(cast.tenant):
        Customer.objects.update(owner_b=None)
    assert "Call them" not in text(bo.get(URL))  # not of a customer who is no longer seen
    with tenant_scope(cast.tenant):
        Customer.objects.update(owner_b=cast.bo)
        services.close(
            incident=incident, outcome="false_alarm", cause="other", tried=[], note="", member=cast.ann
        )  # fmt: skip
    assert "Call them" not in text(bo.get(URL))


def test_costs_one_query_however_many_there_are_and_none_without_a_crisis(cast, ann, incident):
    few, page = queries(ann)
    assert "more step" not in text(page)
    own(cast, incident, cast.ann, *(f"Step {number}" for number in range(30)), due_at=NOON + HOUR)
    many, page = queries(ann)
    assert many == few
    with tenant_scope(cast.tenant):
        more = IncidentStep.objects.filter(owner=cast.ann, status="open").count() - 3
    assert f"and {more} more steps" in text(page)
    assert text(page).count("#crisis-steps") == 3
    assert "CR-1" in text(ann.get("/acme/crises/?is_open=true&is_drill=false&my_steps=true"))
    assert "CR-1" not in text(ann.get("/acme/crises/?my_steps=false"))
    with tenant_scope(cast.tenant):
        Incident.objects.update(closed_at=NOON, outcome="saved")
    assert queries(ann)[0] == few - 1
