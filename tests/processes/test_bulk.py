"""A bulk with a real worker: killed in the middle it loses nothing and does nothing twice; then it is taken back."""

from __future__ import annotations

import os
import signal

import pytest
from django.db import connections

from customers.models import Interaction
from followups import bulk
from followups.models import Bulk, FollowUp
from followups.tasks import sweep_bulks
from tenants.context import tenant_scope
from tests.processes.test_worker import wait_until, worker

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("processes"),
]
COUNT = 300


@pytest.fixture
def rows(cast):
    with tenant_scope(cast.tenant):
        today = cast.tenant.today()
        found = [
            FollowUp(
                customer=cast.customer(f"Customer {n}"), assignee=cast.ann, kind="light_touch",
                rule="cadence:light_touch", period="start", due_on=today,
            )
            for n in range(COUNT)
        ]  # fmt: skip
        return FollowUp.objects.bulk_create(found)


def state(cast, row):
    with tenant_scope(cast.tenant):
        fresh = Bulk.objects.get(pk=row.pk)
        return fresh.status, {name: count for name, count in bulk.counts(fresh).items() if count}


def test_survives_a_kill_in_the_middle_of_a_piece_and_is_taken_back(cast, rows):
    owner = connections["owner"]
    with owner.cursor() as cursor:
        with tenant_scope(cast.tenant):
            row = bulk.start(verb="complete", ids=[each.pk for each in rows], seen=COUNT, member=cast.ann)
        # Its first piece will wait here: all is done, and nothing of it written down.
        cursor.execute("BEGIN; LOCK TABLE followups_bulkitem IN EXCLUSIVE MODE")
        with worker() as first:

            def waits():
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                return cursor.fetchone()[0] > 0

            wait_until(waits)
            os.killpg(first.pid, signal.SIGKILL)
            first.wait(10)
        cursor.execute("ROLLBACK")
    assert state(cast, row) == ("open", {"waiting": COUNT})
    with worker():
        wait_until(lambda: sweep_bulks() is None and state(cast, row)[0] == "done")
        assert state(cast, row) == ("done", {"changed": COUNT})
        with tenant_scope(cast.tenant):
            assert Interaction.objects.count() == COUNT
            bulk.undo(bulk=row, member=cast.ann)
        wait_until(lambda: state(cast, row)[0] == "undone")
    assert state(cast, row) == ("undone", {"undone": COUNT})
    with tenant_scope(cast.tenant):
        assert set(FollowUp.objects.values_list("status", flat=True)) == {"open"}
        assert not Interaction.objects.exists()
