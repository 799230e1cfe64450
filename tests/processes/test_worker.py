"""A real worker on a real queue: it works the night off, and a kill in the middle of a step costs nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connections

from config.night import JOB, STEPS
from config.tasks import sweep_runs, work_off_run
from followups.models import FollowUp
from risk.models import Alert
from segmentation.models import Standing
from tenants.context import tenant_scope
from tenants.models import Run
from tenants.runs import open_run

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("processes"),
]
ROOT = Path(__file__).parents[2]


@contextmanager
def worker():
    """A Celery worker on this test's own database and queue."""
    own, app = connections["owner"].settings_dict, connections["default"].settings_dict
    url = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}"
    env = os.environ | {"DATABASE_URL": url.format(**own), "DATABASE_APP_URL": url.format(**app)}
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "config", "worker", "-c", "1", "-l", "warning", "--without-mingle"],
        cwd=ROOT,
        env=env,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("it did not happen in time")


@pytest.fixture
def night(cast):
    """An open night of a firm with a customer who has been silent for 70 days."""
    import datetime as dt
    from decimal import Decimal

    from customers.activity import refresh_activity
    from customers.models import Order, month_of

    today = cast.tenant.today()
    customer, day = cast.customer(), today - dt.timedelta(days=70)
    with tenant_scope(cast.tenant):
        Order.objects.create(
            customer=customer, external_id="1", placed_at=cast.tenant.start_of(day), placed_on=day,
            currency="GBP", net=Decimal(100), digest="",
        )  # fmt: skip
        refresh_activity([(customer.pk, month_of(day))])
    return open_run(cast.tenant, JOB, today, STEPS)


def status(cast, night):
    with tenant_scope(cast.tenant):
        return Run.objects.get(pk=night.pk).status


def counted(cast):
    with tenant_scope(cast.tenant):
        return (
            Standing.objects.count(),
            Alert.objects.count(),
            FollowUp.objects.filter(rule__startswith="signal").count(),
        )


def test_survives_a_kill_in_the_middle_of_a_step(cast, night):
    owner = connections["owner"]
    with owner.cursor() as cursor:
        # The risk step will wait here, with its work half done.
        cursor.execute("BEGIN; LOCK TABLE followups_followup IN ACCESS EXCLUSIVE MODE")
        with worker() as first:
            work_off_run.delay(cast.tenant.pk, night.pk)

            def waits():
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                return cursor.fetchone()[0] > 0

            wait_until(waits)
            os.killpg(first.pid, signal.SIGKILL)
            first.wait(10)
        cursor.execute("ROLLBACK")
    wait_until(lambda: sweep_runs() == 1)  # the dead worker's row lock is gone, and the bell rings again
    with worker():
        wait_until(lambda: status(cast, night) == Run.Status.DONE)
    assert counted(cast) == (1, 1, 1)


def test_works_the_night_off_once_however_often_the_bell_rings(cast, night):
    for _ in range(3):
        work_off_run.delay(cast.tenant.pk, night.pk)
    with worker():
        wait_until(lambda: status(cast, night) == Run.Status.DONE)
    assert counted(cast) == (1, 1, 1)
