"""It: a fact that arrives opens its alert once, with a real worker that is killed while it works."""

from __future__ import annotations

import os
import signal

import pytest
from django.db import connections

from config.night import run_night
from config.tasks import look_at_arrivals
from customers import services
from customers.models import Arrival, Customer
from followups.models import FollowUp
from risk.models import Alert
from tenants.context import tenant_scope
from tenants.models import Event
from tests.processes.test_worker import silent_customer, wait_until, worker

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("processes"),
]


def test_opens_an_alert_once_though_the_worker_is_killed_in_the_middle(cast):
    silent_customer(cast, 5)
    run_night(cast.tenant, cast.tenant.today())
    with tenant_scope(cast.tenant):
        customer = Customer.objects.get()
        services.log_interaction(customer=customer, channel="phone", leaving="broke_off", answered=True)
    owner = connections["owner"]

    def counted():
        with tenant_scope(cast.tenant):
            return (
                Alert.objects.filter(signal="leaving").count(),
                FollowUp.objects.filter(rule="signal:leaving").count(),
                Event.objects.filter(object_type="alert", verb="opened").count(),
                Arrival.objects.filter(is_seen=False).count(),
            )

    with owner.cursor() as cursor:
        # Whoever looks has scored and opened the alert, and waits here with its follow-up.
        cursor.execute("BEGIN; LOCK TABLE followups_followup IN ACCESS EXCLUSIVE MODE")
        with worker() as first:
            look_at_arrivals.delay()

            def waits():
                cursor.execute(
                    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'followups_followup'::regclass"
                )
                return cursor.fetchone()[0] > 0

            wait_until(waits)
            os.killpg(first.pid, signal.SIGKILL)
            first.wait(10)
        cursor.execute("ROLLBACK")
    wait_until(lambda: counted() == (0, 0, 0, 1))  # nothing of it is there, and the note waits again
    with worker():
        for _bell in range(3):
            look_at_arrivals.delay()
        wait_until(lambda: counted()[3] == 0)
        wait_until(lambda: counted()[0] == 1)
    assert counted() == (1, 1, 1, 0)
    run_night(cast.tenant, cast.tenant.today())
    assert counted()[:3] == (1, 1, 1), "the night finds it there"
