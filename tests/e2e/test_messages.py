"""The pages of messages in a browser: they fit both widths, axe finds nothing serious, a message is written by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from customers.models import Contact
from followups.messages.outbox import queue_message
from followups.messages.unsubscribing import unsubscribe_url
from followups.models import DeadAddress, Message, OptOut
from tenants.context import tenant_scope
from tests.e2e.conftest import NARROW, WIDE, serious


@pytest.fixture
def mei(cast):
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        return Contact.objects.create(customer=customer, name="Mei Lin", email="mei@huaxin.example", is_main=True)


def queued(cast, mei, **fields):
    usual = {
        "customer": mei.customer, "contact": mei, "channel": "email", "purpose": "service", "subject": "New tiles",
        "body": "They are here.", "origin": "care:festival", "period": "1",
    }  # fmt: skip
    with tenant_scope(cast.tenant):
        return queue_message(**(usual | fields))


def scrolls_sideways(page):
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


@pytest.mark.parametrize("viewport", [WIDE, NARROW])
def test_it_fits_and_has_no_serious_finding(cast, browse, mei, viewport):
    message = queued(cast, mei)
    queued(cast, mei, channel="sms")
    with tenant_scope(cast.tenant):
        Message.objects.filter(pk=message.pk).update(
            status="uncertain", why="unclear", answer="TimeoutError",
            trail=[{"at": "2026-11-20T12:00:00+00:00", "what": "uncertain", "said": "TimeoutError"}],
        )  # fmt: skip
        OptOut.objects.create(contact=mei, channel="sms", how="link")
        DeadAddress.objects.create(channel="email", address=mei.email, reason="550 no such user")
        link = unsubscribe_url(message).partition("localhost:8000")[2]
    paths = ("messages/", f"messages/{message.pk}/", f"contacts/{mei.pk}/reach/", "channels/", "channels/sms/")
    for path in paths:
        page = browse(f"/acme/{path}", cast.ada, viewport=viewport)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert not scrolls_sideways(page), path
        assert serious(page) == [], path
    page = browse(link, viewport=viewport)
    assert not scrolls_sideways(page)
    assert serious(page) == []
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_role("heading", name="You are unsubscribed")).to_be_visible()


def test_it_writes_a_message_in_the_dialog_by_keyboard_alone(cast, browse, mei):
    page = browse(f"/acme/customers/{mei.customer_id}/", cast.ann)
    page.get_by_role("link", name="Write", exact=True).focus()
    page.keyboard.press("Enter")
    subject = page.locator("#dialog").get_by_label("Subject")
    subject.focus()
    page.keyboard.type("Your offer")
    page.keyboard.press("Tab")
    page.keyboard.type("As promised.")
    page.locator("#dialog").get_by_role("button", name="Send").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/messages/*/")
    expect(page.get_by_role("heading", name="Your offer")).to_be_visible()
    with tenant_scope(cast.tenant):
        assert Message.objects.get().purpose == "personal"
