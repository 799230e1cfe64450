"""It: many who want to reach the same contact at the same moment share one budget."""

import pytest

from customers.models import Contact
from followups.messages.outbox import queue_message
from followups.messages.sending import work
from followups.models import Message
from tenants.context import tenant_scope
from tests.followups.post import post_office
from tests.followups.test_services_at_once import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("transactions"),
]


@pytest.fixture
def mei(cast):
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        return Contact.objects.create(customer=customer, name="Mei", email="mei@huaxin.example")


def asking(mei, origin):
    return lambda: queue_message(
        customer=mei.customer, contact=mei, channel="email", purpose="personal", subject="Hello", body="Hello",
        origin=origin, period="1",
    )  # fmt: skip


def test_lets_no_more_through_than_the_day_has_room_for(cast, mei):
    results = at_once(cast.tenant, *(asking(mei, f"journey:{number}") for number in range(5)))
    assert sorted(str(each.status) for each in results) == ["held"] * 3 + ["queued"] * 2


def test_gives_those_who_ask_for_the_same_the_same_message(cast, mei):
    results = at_once(cast.tenant, *(asking(mei, "care:birthday") for _ in range(6)))
    assert len({each.pk for each in results}) == 1


def test_sends_each_once_with_two_workers_at_once(cast, mei, settings):
    with post_office() as post:
        settings.EMAIL_BACKEND = "followups.messages.sending.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", post.port, False
        with tenant_scope(cast.tenant):
            people = Contact.objects.bulk_create(
                Contact(customer=mei.customer, name=f"Lu {n}", email=f"lu-{n}@huaxin.example") for n in range(40)
            )
            for each in people:
                asking(each, "care:birthday")()
        from threading import Thread

        from django.db import connections

        def run():
            try:
                work.work_off(cast.tenant)
            finally:
                connections.close_all()

        threads = [Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(mail["To"] for mail in post.mails) == sorted(f"{each.name} <{each.email}>" for each in people)
    with tenant_scope(cast.tenant):
        assert set(Message.objects.values_list("status", flat=True)) == {"sent"}
