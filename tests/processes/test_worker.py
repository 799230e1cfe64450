"""A real worker on a real queue: it works the night off, and a kill in the middle of a step costs nothing."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connections

import config.night
from config.night import JOB, STEPS, open_night, run_night
from config.tasks import sweep_runs, work_off_run
from customers.activity import refresh_activity
from customers.models import Order, month_of
from followups.models import FollowUp
from risk.models import Alert
from segmentation.models import Standing
from tenants.context import tenant_scope
from tenants.models import Run, RunPart
from tenants.runs import open_run
from tests.config.test_night import state

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("processes"),
]
ROOT = Path(__file__).parents[2]


@contextmanager
def worker(name="worker", **settings):
    """A Celery worker on this test's own database and queue."""
    own, app = connections["owner"].settings_dict, connections["default"].settings_dict
    url = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}"
    env = os.environ | {"DATABASE_URL": url.format(**own), "DATABASE_APP_URL": url.format(**app)} | settings
    options = ["-n", name, "-c", "1", "-l", "warning", "--without-mingle"]
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "config", "worker", *options],
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


def wait_until(condition, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("it did not happen in time")


def silent_customer(cast, days, name="Huaxin Building Materials"):
    """A customer whose only order was so many days ago."""
    customer, day = cast.customer(name), cast.tenant.today() - dt.timedelta(days=days)
    with tenant_scope(cast.tenant):
        Order.objects.create(
            customer=customer, external_id=name, placed_at=cast.tenant.start_of(day), placed_on=day,
            currency="GBP", net=Decimal(100), digest="",
        )  # fmt: skip
        refresh_activity([(customer.pk, month_of(day))])


@pytest.fixture
def night(cast):
    """An open night of a firm with a customer who has been silent for 70 days."""
    silent_customer(cast, 70)
    return open_run(cast.tenant, JOB, cast.tenant.today(), STEPS)


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


PARTS = 4


@pytest.fixture
def night_in_parts(cast, monkeypatch):
    """An open night of a firm with eight silent customers, two of them to a part."""
    monkeypatch.setattr(config.night, "PART", 2)
    for number in range(2 * PARTS):
        silent_customer(cast, 61 + number, f"Firm {number}")
    return open_night(cast.tenant, cast.tenant.today())


def parts(cast, night):
    """By step, how many of its parts are done, and how many there are."""
    with tenant_scope(cast.tenant):
        rows = list(RunPart.objects.filter(step__run=night).values_list("step__name", "is_done"))
    return {name: (rows.count((name, True)), [each for each, _done in rows].count(name)) for name, _done in rows}


def test_works_a_night_in_parts_by_two_of_which_one_is_killed(cast, night_in_parts):
    owner, own = connections["owner"], {"NIGHT_PART": "2"}
    with owner.cursor() as cursor, worker("first", **own) as first, worker("second", **own):
        # Each comes to stand still here, in the midst of a part of its own.
        cursor.execute("BEGIN; LOCK TABLE followups_followup IN ACCESS EXCLUSIVE MODE")
        for _bell in range(2):
            work_off_run.delay(cast.tenant.pk, night_in_parts.pk)

        def both_wait():
            cursor.execute(
                "SELECT count(DISTINCT pid) FROM pg_locks"
                " WHERE NOT granted AND relation = 'followups_followup'::regclass"
            )
            return cursor.fetchone()[0] == 2

        wait_until(both_wait)
        assert parts(cast, night_in_parts)["follow-ups"] == (0, PARTS)
        assert sweep_runs() == 1  # two parts are free
        os.killpg(first.pid, signal.SIGKILL)
        first.wait(10)
        cursor.execute("ROLLBACK")
        wait_until(lambda: status(cast, night_in_parts) == Run.Status.DONE)
    assert set(parts(cast, night_in_parts).values()) == {(PARTS, PARTS)}
    assert counted(cast) == (2 * PARTS, 2 * PARTS, 2 * PARTS)
    with tenant_scope(cast.tenant):
        steps = {step.name: step for step in night_in_parts.steps.all()}
    assert {step.error for step in steps.values()} == {""}
    assert (steps["segmentation"].counts["customers"], steps["risk"].counts["alerts"]) == (2 * PARTS, 2 * PARTS)
    found = state(cast.tenant)
    assert run_night(cast.tenant, night_in_parts.for_date, everybody=True).status == Run.Status.DONE
    assert state(cast.tenant) == found
