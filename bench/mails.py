"""Ten thousand mails while workers are killed: `python -m bench.mails [--mails 10000] [--kills 2]`.

Makes a firm with as many contacts in a throw-away database, queues a mail to each through the outbox (the governor judges
every one), and has a real worker send them to a local SMTP server. The worker is killed with SIGKILL in the midst of its
work and started again, as often as asked. Each mail then has arrived exactly once, or is reported as uncertain; none is
lost. Says how long queueing and sending took. Fails loudly when one arrived twice, is missing, or has another status.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench import house
from bench.table import Row, machine, markdown
from config import processes

LEASE_S: Final = 5
SLUG: Final = "mails"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mails", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=2)
    asked = parser.parse_args()
    with house.house(None) as state, _post_office() as post:
        os.environ |= {
            "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(post.port), "EMAIL_USE_TLS": "0", "OUTBOX_LEASE_S": str(LEASE_S),
        }  # fmt: skip
        rows = _measured(state, post, asked.mails, asked.kills)
    for name, value in machine().items():
        print(f"- **{name}**: {value}")
    print()
    print(markdown(rows))


class _Post:
    """A mail server that takes everything."""

    def __init__(self) -> None:
        self.came: Counter[str] = Counter()
        self.port = processes.free_port()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        found = re.search(rb"^To: .*?<([^>]+)>", envelope.content, re.MULTILINE)
        self.came[found[1].decode() if found else "?"] += 1
        await asyncio.sleep(0)
        return "250 taken"


@contextmanager
def _post_office() -> Iterator[_Post]:
    from aiosmtpd.controller import Controller

    post = _Post()
    controller = Controller(post, hostname="127.0.0.1", port=post.port)
    controller.start()
    try:
        yield post
    finally:
        controller.stop()


def _measured(state: Path, post: _Post, mails: int, kills: int) -> list[Row]:
    import django

    house.manage("migrate", "--verbosity", "0")
    django.setup()
    begin = time.monotonic()
    tenant = _queue(mails)
    queued_s = time.monotonic() - begin

    from followups.messages.sending import work
    from followups.tasks import send_messages_of

    begin = time.monotonic()
    for number in range(1, kills + 1):
        with _worker(state) as one:
            send_messages_of.delay(tenant.pk)
            _wait(lambda: sum(post.came.values()) >= mails * number // (kills + 2))  # noqa: B023  # called in the loop
            os.killpg(one.pid, signal.SIGKILL)
            one.wait(10)
        print(f"killed after {sum(post.came.values()):,} mails", file=sys.stderr)
    with _worker(state):
        while set(found := _by_status(tenant)) - {"sent", "uncertain"}:
            if work.is_due(tenant):
                send_messages_of.delay(tenant.pk)
            time.sleep(1)
    sent_s = time.monotonic() - begin
    _check(tenant, post, mails, kills)
    row: Row = {
        "group": "Mails", "what": f"{mails:,} mails, worker killed {kills} times", "queued s": round(queued_s, 1),
        "sent s": round(sent_s, 1), "a second": round(mails / sent_s), "arrived": sum(post.came.values()),
        "arrived twice": sum(count > 1 for count in post.came.values()), "sent": found["sent"],
        "uncertain": found["uncertain"], "lost": mails - sum(found.values()),
    }  # fmt: skip
    return [row]


def _queue(mails: int) -> Any:
    from customers.models import Contact, Customer
    from followups.messages.outbox import queue_message
    from tenants.context import tenant_scope
    from tenants.services import create_tenant

    tenant = create_tenant(slug=SLUG, name="Mails", pack="callback", timezone="UTC", currency="GBP")
    with tenant_scope(tenant):
        customers = Customer.objects.bulk_create(Customer(name=f"Customer {n}") for n in range(mails // 2 or 1))
        people = Contact.objects.bulk_create(
            Contact(customer=customers[n // 2 % len(customers)], name=f"Mei {n}", email=f"mei-{n}@customer.example")
            for n in range(mails)
        )
        for person in people:
            # Service: also at night, so that the figure does not depend on the hour.
            queue_message(
                customer=person.customer, contact=person, channel="email", purpose="service", origin="bench", period="1",
                subject="Your order", body="It has left our house.\n\nKind regards",
            )  # fmt: skip
    return tenant


@contextmanager
def _worker(state: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "config", "worker", "-c", "1", "-l", "error", "--without-mingle"],
        cwd=house.ROOT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def _wait(condition: Any, seconds: float = 1_800) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("The mails did not come in time")
        time.sleep(0.05)


def _by_status(tenant: Any) -> Counter[str]:
    from followups.models import Message
    from tenants.context import tenant_scope

    with tenant_scope(tenant):
        return Counter(Message.objects.values_list("status", flat=True))


def _check(tenant: Any, post: _Post, mails: int, kills: int) -> None:
    from followups.models import Message
    from tenants.context import tenant_scope

    with tenant_scope(tenant):
        rows = dict(Message.objects.values_list("address", "status"))
    arrived = set(post.came)
    assert len(rows) == mails, "a message is missing"
    assert max(post.came.values()) == 1, "a mail arrived twice"
    assert {address for address, status in rows.items() if status == "sent"} <= arrived, "sent, but not arrived"
    assert all(rows[address] in ("sent", "uncertain") for address in arrived), "arrived, but nobody knows"
    assert sum(status == "uncertain" for status in rows.values()) <= kills, "more uncertain than were in hand"


if __name__ == "__main__":
    main()
