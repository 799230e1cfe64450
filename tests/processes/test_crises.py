"""It: the minute's look at the clocks of crises says of each once that it has run out, with a worker killed meanwhile."""

from __future__ import annotations

import datetime as dt
import os
import signal

import pytest
from django.db import connections
from django.utils import timezone

from followups.models import Notice, NoticeDelivery
from risk.incidents import services
from risk.incidents.people import hearers
from risk.models import Incident, IncidentClock, IncidentEntry
from risk.tasks import watch_incidents
from tenants.context import tenant_scope
from tenants.models import Event
from tests.processes.test_worker import wait_until, worker

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("processes"),
]


def run_out(cast, name):
    """A crisis whose first clock ran out an hour ago."""
    customer = cast.customer(name)
    with tenant_scope(cast.tenant):
        incident = services.open_incident(customer=customer, title="Late", level="serious", member=cast.ann)
        late = timezone.now() - dt.timedelta(hours=1)
        IncidentClock.objects.filter(incident=incident, kind="acknowledge").update(deadline_at=late)
        return incident


def counted(cast, incident):
    """Lines, events, notices and mails that say so, and how many clocks are marked."""
    with tenant_scope(cast.tenant):
        return (
            IncidentEntry.objects.filter(incident=incident, code="breached").count(),
            Event.objects.filter(object_type="incident", object_id=incident.pk, verb="breached").count(),
            Notice.objects.filter(kind="incident.breached", url=f"crises/{incident.pk}/").count(),
            NoticeDelivery.objects.filter(
                notice__kind="incident.breached", notice__url=f"crises/{incident.pk}/"
            ).count(),
            IncidentClock.objects.filter(incident=incident, breached_at__isnull=False).count(),
        )


def test_it_says_that_a_clock_has_run_out_once_though_the_worker_is_killed(cast):
    first, second = run_out(cast, "First"), run_out(cast, "Second")
    with tenant_scope(cast.tenant):
        people = len(hearers(first))
        revision = Incident.objects.get(pk=first.pk).revision
    assert people > 1
    with connections["owner"].cursor() as cursor:
        # The sweep has marked the clock and written its line, and waits here before it tells anybody.
        cursor.execute("BEGIN; LOCK TABLE followups_notice IN SHARE MODE")
        with worker() as one:
            watch_incidents.delay()

            def waits():
                cursor.execute(
                    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'followups_notice'::regclass"
                )
                return cursor.fetchone()[0] > 0

            wait_until(waits)
            os.killpg(one.pid, signal.SIGKILL)
            one.wait(10)
        cursor.execute("ROLLBACK")
    assert counted(cast, first) == counted(cast, second) == (0, 0, 0, 0, 0)  # half a breach is none
    with worker():
        for _bell in range(3):
            watch_incidents.delay()
        wait_until(lambda: counted(cast, second)[0] == 1)
    assert watch_incidents() == 0
    for incident in (first, second):
        assert counted(cast, incident) == (1, 1, people, people, 1)
    with tenant_scope(cast.tenant):
        assert Incident.objects.get(pk=first.pk).revision == revision + 1
