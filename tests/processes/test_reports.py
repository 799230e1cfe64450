"""Real workers, killed while a digest is made and while it is sent: it is made once and arrives once."""

from __future__ import annotations

import datetime as dt
import os
import signal
import time

import pytest
from django.db import connections
from django.utils import timezone

from dashboards.tasks import issue_reports, issue_reports_of
from followups.models import Notice, NoticeDelivery
from followups.tasks import send_notices_of
from incentives.models import Report
from incentives.rules.report_policy import WEEKDAYS
from tenants.context import tenant_scope
from tenants.models import Event, Tenant
from tenants.policies import active_policy, complete_document, save_policy
from tests.followups.post import post_office
from tests.processes.test_worker import wait_until, worker

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("processes"),
]
LEASE_S = 3


@pytest.fixture
def yesterday(cast):
    """A firm that works every day, whose digest was due yesterday at opening."""
    now = timezone.now()
    Tenant.objects.filter(pk=cast.tenant.pk).update(created_at=now - dt.timedelta(days=60))
    with tenant_scope(cast.tenant):
        policy = active_policy()
        document = complete_document(policy)
        document["calendar"] = {**document["calendar"], "week": "every_day"}
        day = cast.tenant.today() - dt.timedelta(days=1)
        # The month's report is not due: its moment is still to come, or long past.
        monthly = 15 if cast.tenant.today().day <= 12 else 1
        document["reports"] = {"monthly_day": monthly, "weekly_day": WEEKDAYS[day.weekday()]}
        save_policy(document, pack=policy.pack, note="Daily")


def killed_while_it_waits_for(table, ring, **env):
    """Rings for a worker that then has to wait for a table, and kills it there."""
    owner = connections["owner"]
    with owner.cursor() as cursor:
        cursor.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        with worker("killed", **env) as first:
            ring()

            def waits():
                cursor.execute(
                    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass", [table]
                )  # fmt: skip
                return cursor.fetchone()[0] > 0

            wait_until(waits)
            os.killpg(first.pid, signal.SIGKILL)
            first.wait(10)
        cursor.execute("ROLLBACK")


def test_it_is_made_once_and_arrives_once_however_often_workers_die(cast, yesterday):
    def counts():
        with tenant_scope(cast.tenant):
            made = Event.objects.filter(object_type="report", verb="made")
            return Report.objects.count(), Notice.objects.filter(kind="report_weekly").count(), made.count()

    def is_sent():
        with tenant_scope(cast.tenant):
            return not NoticeDelivery.objects.exclude(status="sent").exists() and NoticeDelivery.objects.exists()

    with post_office() as post:
        own = {
            "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(post.port), "EMAIL_USE_TLS": "0", "OUTBOX_LEASE_S": str(LEASE_S),
        }  # fmt: skip
        # The report is written, and the worker dies while it tells the readers.
        killed_while_it_waits_for("followups_notice", lambda: issue_reports_of.delay(cast.tenant.pk), **own)
        wait_until(lambda: counts() == (0, 0, 0))
        with worker("maker", **own):
            for _bell in range(3):
                issue_reports_of.delay(cast.tenant.pk)
            issue_reports()
            wait_until(lambda: counts() == (1, 1, 1))
        # The delivery is claimed, and the worker dies while it reads the report for the letter.
        killed_while_it_waits_for("incentives_report", lambda: send_notices_of.delay(cast.tenant.pk), **own)
        assert not post.mails

        def ring_until_sent():
            send_notices_of.delay(cast.tenant.pk)
            time.sleep(0.5)
            return is_sent()

        with worker("sender", **own):
            wait_until(ring_until_sent)
            send_notices_of.delay(cast.tenant.pk)
            issue_reports_of.delay(cast.tenant.pk)
    assert counts() == (1, 1, 1)
    assert [mail["To"] for mail in post.mails] == ["Lea <lea@acme.example>"]
    assert post.mails[0]["Subject"].startswith("Weekly digest")
