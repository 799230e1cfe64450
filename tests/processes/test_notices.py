"""Real workers, killed while they tell members through a real mail server: each notice once, or reported as uncertain."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter

import pytest
from django.utils import timezone

from followups.models import NoticeDelivery
from followups.notices import sending
from followups.notices.services import Told, notify_each
from followups.tasks import send_notices_of
from tenants.context import tenant_scope
from tests.followups.post import post_office
from tests.processes.test_worker import wait_until, worker

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("processes"),
]
TOLD = 150
LEASE_S = 3


def by_status(cast):
    with tenant_scope(cast.tenant):
        return Counter(NoticeDelivery.objects.values_list("status", flat=True))


def test_it_tells_each_once_or_reports_it_while_a_worker_is_killed(cast):
    with tenant_scope(cast.tenant):
        facts = {"signal": "order_silence"}
        told = [Told(cast.ann, f"a:{n}", facts | {"customer": f"Customer {n}."}) for n in range(TOLD)]
        assert notify_each(kind="alert_severe", told=told) == TOLD
        daily = [Told(cast.bo, f"b:{n}", facts | {"who": "Lea", "customer": f"Digest {n}."}) for n in range(5)]
        notify_each(kind="alert_assigned", told=daily)
        NoticeDelivery.objects.update(due_at=timezone.now())  # the digest's moment has come as well
    with post_office() as post:
        own = {
            "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(post.port), "EMAIL_USE_TLS": "0", "OUTBOX_LEASE_S": str(LEASE_S),
        }  # fmt: skip
        with worker("first", **own) as one:
            send_notices_of.delay(cast.tenant.pk)
            wait_until(lambda: len(post.mails) > 20)
            os.killpg(one.pid, signal.SIGKILL)  # in the midst of a batch
            one.wait(10)
        assert by_status(cast)["sent"] < TOLD
        with worker("two", **own), worker("three", **own):
            end = time.monotonic() + 120
            while set(by_status(cast)) - {"sent", "uncertain"}:
                assert time.monotonic() < end, by_status(cast)
                if sending.is_due(cast.tenant):
                    send_notices_of.delay(cast.tenant.pk)
                time.sleep(0.5)
        came = Counter(re.search(r"Customer \d+\.", m["Subject"])[0] for m in post.mails if m["To"].startswith("Ann"))
        digests = [mail.get_content() for mail in post.mails if mail["To"].startswith("Bo")]

    assert sum(by_status(cast).values()) == TOLD + 5
    assert max(came.values()) == 1  # nobody heard of anything twice
    assert len(digests) <= 1
    with tenant_scope(cast.tenant):
        rows = NoticeDelivery.objects.filter(member=cast.ann).values_list("status", "notice__params__customer")
        sent = {name for status, name in rows if status == "sent"}
        unsure = {name for status, name in rows if status == "uncertain"}
        together = set(NoticeDelivery.objects.filter(member=cast.bo).values_list("status", "parcel"))
    assert len(unsure) <= 1  # at most what the killed had in hand
    assert sent <= set(came) <= sent | unsure  # what is said to be sent has arrived, and nothing of which nobody knows
    assert len(together) == 1  # the digest went as one, or is uncertain as one
    assert not digests or all(f"Digest {n}." in digests[0] for n in range(5))
