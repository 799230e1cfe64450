"""Real workers, killed while they send through a real mail server: each mail once, or reported as uncertain; none lost."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter

import pytest
from django.utils import timezone

from customers.models import Contact
from followups.messages.sending import work
from followups.models import Message
from followups.tasks import send_messages_of
from tenants.context import tenant_scope
from tests.followups.post import post_office
from tests.processes.test_worker import wait_until, worker

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("processes"),
]
MAILS = 300
LEASE_S = 3


@pytest.fixture
def queued(cast):
    """Mails to as many contacts, due now."""
    customer, now = cast.customer(), timezone.now()
    with tenant_scope(cast.tenant):
        people = Contact.objects.bulk_create(
            Contact(customer=customer, name=f"Mei {n}", email=f"mei-{n}@huaxin.example") for n in range(MAILS)
        )
        Message.objects.bulk_create(
            Message(
                customer=customer, contact=person, channel="email", purpose="service", origin="test", period="1",
                subject=f"Mail {number}", body="Hello", due_at=now, counts_at=now,
            )
            for number, person in enumerate(people)
        )  # fmt: skip


def by_status(cast):
    with tenant_scope(cast.tenant):
        return Counter(Message.objects.values_list("status", flat=True))


def test_it_sends_each_mail_once_or_reports_it_while_workers_are_killed(cast, queued):
    with post_office() as post:
        own = {
            "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(post.port), "EMAIL_USE_TLS": "0", "OUTBOX_LEASE_S": str(LEASE_S),
        }  # fmt: skip
        for kill in (1, 2):
            with worker(f"first-{kill}", **own) as one:
                send_messages_of.delay(cast.tenant.pk)
                before = len(post.mails)
                wait_until(lambda: len(post.mails) > before + 40)  # noqa: B023  # called within the loop
                os.killpg(one.pid, signal.SIGKILL)  # in the midst of a batch
                one.wait(10)
            assert by_status(cast)["sent"] < MAILS
        with worker("two", **own), worker("three", **own):
            end = time.monotonic() + 120
            while set(by_status(cast)) - {"sent", "uncertain"}:
                assert time.monotonic() < end, by_status(cast)
                if work.is_due(cast.tenant):
                    send_messages_of.delay(cast.tenant.pk)
                time.sleep(0.5)
        came = Counter(re.search(r"mei-\d+", mail["To"])[0] for mail in post.mails)

    found = by_status(cast)
    assert sum(found.values()) == MAILS
    assert max(came.values()) == 1  # nobody got it twice
    assert found["uncertain"] <= 2  # at most what the killed had in hand
    with tenant_scope(cast.tenant):
        sent = set(Message.objects.filter(status="sent").values_list("address", flat=True))
        uncertain = set(Message.objects.filter(status="uncertain").values_list("address", flat=True))
    arrived = {f"{name}@huaxin.example" for name in came}
    assert sent <= arrived  # what is said to be sent has arrived
    assert arrived <= sent | uncertain  # and nothing arrived of which nobody knows
