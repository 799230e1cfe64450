"""It: the answer outside working hours arrives at the customer's mail server and names when the firm really opens."""

from __future__ import annotations

import datetime as dt

import pytest

from customers.models import Contact, Customer
from followups.messages.sending import work
from followups.models import Message
from risk.incidents import services
from risk.models import IncidentClock
from tenants.context import tenant_scope
from tenants.policies import active_policy, complete_document, save_policy
from tenants.rules.documents import put
from tests.followups.post import post_office

LAST_MINUTE = dt.datetime(2026, 2, 14, 15, 59, tzinfo=dt.UTC)
"""In Shanghai a minute to midnight of the made-up Saturday, the last working day before the Spring Festival."""

EASTER = dt.datetime(2026, 4, 2, 21, 59, tzinfo=dt.UTC)
"""In London a minute to eleven of the Thursday before Good Friday."""


@pytest.fixture
def post(settings):
    with post_office() as post:
        settings.EMAIL_BACKEND = "followups.messages.sending.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", post.port, False
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.DEFAULT_FROM_EMAIL = "Perennial <house@perennial.example>"
        yield post


def opened(member, customer, **contact):
    """A crisis of a customer with one contact, opened by a member at the moment that the clock shows."""
    with tenant_scope(member.tenant):
        Contact.objects.create(customer=customer, is_main=True, **contact)
        incident = services.open_incident(
            customer=customer, title="Wrong blue", what="SAID-TO-US-ALONE", level="serious", member=member
        )
        clock = IncidentClock.objects.get(incident=incident, kind="acknowledge")
        return incident.name, clock.deadline_at


def test_it_names_the_first_day_after_a_seven_day_holiday_in_the_readers_language(cast, post, time_machine):
    time_machine.move_to(LAST_MINUTE, tick=False)
    with tenant_scope(cast.other_tenant):
        document = put(complete_document(active_policy()), ("calendar", "country"), "CN")
        save_policy(document, pack=active_policy().pack)
        customer = Customer.objects.create(name="金帆礼品", owner_a=cast.otto)
    number, deadline = opened(cast.otto, customer, name="陈瑶", email="chen@golden.example", language="zh-hans")
    assert work.work_off(cast.other_tenant) == {"sent": 1}
    assert work.work_off(cast.other_tenant) == {}  # once
    [mail] = post.mails
    said = mail.get_content()
    assert (mail["To"], mail["Content-Language"]) == ("陈瑶 <chen@golden.example>", "zh-hans")
    assert "Wrong blue" in mail["Subject"]
    assert "2月24日" in said  # a Tuesday: the festival ends on the 23rd
    assert "09:00" in said
    assert number in said
    assert "SAID-TO-US-ALONE" not in said
    assert deadline == dt.datetime(2026, 2, 24, 1, 30, tzinfo=dt.UTC)  # half an hour after that opening


def test_it_knows_the_firms_own_days_off_and_answers_nobody_while_it_is_open(cast, post, time_machine):
    time_machine.move_to(EASTER, tick=False)
    opened(cast.ann, cast.customer("Brook & Sons"), name="Tom Brook", email="tom@brook.example", language="en")
    assert work.work_off(cast.tenant) == {"sent": 1}
    said = post.mails[0].get_content()
    assert "Hello Tom Brook" in said
    assert "Mon 6 Apr" in said  # Friday is a holiday all over Britain, Easter Monday is not
    assert "09:00" in said
    time_machine.move_to(dt.datetime(2026, 4, 7, 10, tzinfo=dt.UTC), tick=False)
    opened(cast.ann, cast.customer("Open"), name="Ina", email="ina@open.example", language="en")
    assert work.work_off(cast.tenant) == {}
    with tenant_scope(cast.tenant):
        assert Message.objects.count() == 1
