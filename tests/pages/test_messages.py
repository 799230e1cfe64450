"""The pages of messages: the send log, one message, writing, how a contact stands, channels, leaving by a link."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse

from customers.models import Contact
from followups.messages.outbox import queue_message
from followups.messages.unsubscribing import unsubscribe_url
from followups.models import ChannelSetup, ContactWishes, DeadAddress, Message, OptOut
from tenants.context import tenant_scope

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _friday_noon(time_machine):
    time_machine.move_to(NOON, tick=False)


@pytest.fixture
def mei(cast):
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        return Contact.objects.create(customer=customer, name="Mei Lin", email="mei@huaxin.example", is_main=True)


@pytest.fixture
def queued(cast, mei):
    def make(**fields):
        usual = {
            "customer": mei.customer, "contact": mei, "channel": "email", "purpose": "care", "subject": "New tiles",
            "body": "They are here.", "origin": "care:festival", "period": "1",
        }  # fmt: skip
        with tenant_scope(cast.tenant):
            return queue_message(**(usual | fields))

    return make


def url(name, **kwargs):
    return reverse(name, kwargs={"tenant": "acme", **kwargs})


def text(answer):
    assert answer.status_code == 200, answer.content[:500]
    return answer.content.decode()


def row(cast, message):
    with tenant_scope(cast.tenant):
        return Message.objects.get(pk=message.pk)


# ── the send log ────────────────────────────────────────────────────────────


def test_it_lists_what_was_to_be_sent_with_the_reason(cast, sign_in, queued, mei):
    queued()
    queued(channel="sms", origin="journey:first_order:1")
    page = text(sign_in(cast.ann).get(url("messages")))
    assert "2 messages" in page
    assert "New tiles" in page
    assert "The channel is not set up or switched off: SMS." in page
    blocked = text(sign_in(cast.ann).get(url("messages") + "?status=blocked"))
    assert "1 message<" in blocked
    assert "1 message<" in text(sign_in(cast.ann).get(url("messages") + "?origin=journey"))
    assert "1 message<" in text(sign_in(cast.ann).get(url("messages") + "?why=channel_off&since=2026-11-20"))
    assert "Nothing matches" in text(sign_in(cast.ann).get(url("messages") + "?until=2026-11-19"))


def test_it_explains_itself_while_it_is_empty_and_refuses_what_it_does_not_know(cast, sign_in):
    assert "No message yet" in text(sign_in(cast.ann).get(url("messages")))
    assert sign_in(cast.ann).get(url("messages") + "?statsu=sent").status_code == 400


def test_it_gives_the_log_as_a_file(cast, sign_in, queued):
    queued(channel="sms")
    answer = sign_in(cast.ann).get(url("messages") + "?export=csv&columns=subject&columns=status&columns=why")
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[0] == "Message,Status,Why"
    assert lines[1] == "New tiles,blocked,The channel is not set up or switched off: SMS."


def test_it_shows_nobody_the_messages_of_a_colleagues_customer(cast, sign_in, queued, mei):
    message = queued()
    with tenant_scope(cast.tenant):
        type(mei.customer).objects.filter(pk=mei.customer_id).update(owner_a=None, owner_b=None)
    assert "New tiles" not in text(sign_in(cast.ann).get(url("messages")))
    assert sign_in(cast.ann).get(url("message", pk=message.pk)).status_code == 404


# ── one message ─────────────────────────────────────────────────────────────


def test_it_says_what_became_of_a_message_and_lets_it_be_withdrawn(cast, sign_in, queued):
    message = queued()
    browser = sign_in(cast.ann)
    page = text(browser.get(url("message", pk=message.pk)))
    assert "waiting to be sent" in page
    assert "They are here." in page
    assert "Care calendar: festival" in page
    answer = browser.post(url("message-do", pk=message.pk, verb="cancel"), follow=True)
    assert "The message is withdrawn." in text(answer)
    assert row(cast, message).status == "cancelled"


def test_it_sends_an_uncertain_one_again_only_when_somebody_says_so(cast, sign_in, queued):
    message = queued()
    with tenant_scope(cast.tenant):
        Message.objects.update(status="uncertain", why="unclear")
    page = text(sign_in(cast.ann).get(url("message", pk=message.pk)))
    assert "It is not sent again by itself" in page
    assert "The message goes now." in text(
        sign_in(cast.ann).post(url("message-do", pk=message.pk, verb="again"), follow=True)
    )
    assert row(cast, message).status == "queued"
    answer = sign_in(cast.ann).post(url("message-do", pk=message.pk, verb="confirm"), follow=True)
    assert "Only of an uncertain message" in text(answer)


def test_it_does_nothing_for_who_only_looks(cast, sign_in, queued):
    message = queued()
    assert sign_in(cast.eve).post(url("message-do", pk=message.pk, verb="cancel")).status_code == 403
    assert row(cast, message).status == "queued"


# ── writing ─────────────────────────────────────────────────────────────────


def write(browser, mei, **said):
    form = {
        "contact": mei.pk, "channel": "email", "subject": "Your offer", "body": "As promised.",
        "once": "6f7e7a0e-0000-4000-8000-000000000001",
    }  # fmt: skip
    return browser.post(url("message-write", customer=mei.customer_id), form | said, follow=True)


def test_it_sends_what_somebody_writes_once_however_often_the_form_is_sent(cast, sign_in, mei):
    browser = sign_in(cast.ann)
    assert "Write to Huaxin" in text(browser.get(url("message-write", customer=mei.customer_id)))
    assert "The message goes now." in text(write(browser, mei))
    write(browser, mei)
    with tenant_scope(cast.tenant):
        message = Message.objects.get()
        assert (message.purpose, message.member, message.contact) == ("personal", cast.ann, mei)


def test_it_says_at_once_why_a_message_does_not_go(cast, sign_in, mei):
    with tenant_scope(cast.tenant):
        OptOut.objects.create(contact=mei, channel="email", how="link")
    page = text(write(sign_in(cast.ann), mei))
    assert "The message does not go. The contact does not want to hear from us this way." in page
    service = write(sign_in(cast.ann), mei, is_service="on", once="6f7e7a0e-0000-4000-8000-000000000002")
    assert "The message goes now." in text(service)


def test_it_keeps_what_was_typed_when_something_is_missing(cast, sign_in, mei):
    page = text(write(sign_in(cast.ann), mei, subject=""))
    assert "An e-mail needs a subject." in page
    assert "As promised." in page


def test_it_offers_only_contacts_of_the_customer(cast, sign_in, mei):
    other = cast.customer("Other")
    with tenant_scope(cast.tenant):
        lu = Contact.objects.create(customer=other, name="Lu", email="lu@other.example")
    assert "Select a valid choice" in text(write(sign_in(cast.ann), mei, contact=lu.pk))


# ── how a contact stands ────────────────────────────────────────────────────


def test_it_shows_what_has_used_the_budget_and_what_each_channel_may(cast, sign_in, queued, mei):
    queued()
    page = text(sign_in(cast.ann).get(url("contact-reach", pk=mei.pk)))
    assert "1 of 8 touches used" in page
    assert "The channel is not set up or switched off: SMS." in page
    assert "yes, by hand" in page


def test_it_notes_wishes_that_the_governor_then_keeps(cast, sign_in, queued, mei):
    browser = sign_in(cast.ann)
    said = {"timezone": "Asia/Shanghai", "quiet_from": "18:00", "quiet_until": "09:00", "most": "3"}
    assert "The wishes are noted." in text(browser.post(url("wishes", pk=mei.pk), said, follow=True))
    with tenant_scope(cast.tenant):
        assert ContactWishes.objects.get().quiet_from == dt.time(18)
    message = queued()  # noon in London is eight in the evening in Shanghai
    assert (message.status, message.due_at) == ("held", dt.datetime(2026, 11, 21, 1, tzinfo=dt.UTC))
    wrong = browser.post(url("wishes", pk=mei.pk), {"timezone": "Mars/Olympus"})
    assert "is not a time zone" in text(wrong)
    assert "need a beginning and an end" in text(browser.post(url("wishes", pk=mei.pk), {"quiet_from": "18:00"}))


def test_it_notes_an_opt_out_and_takes_it_back(cast, sign_in, queued, mei):
    browser = sign_in(cast.ann)
    browser.post(url("opt-out-add", pk=mei.pk), {"channel": "email", "note": "said so on the phone"})
    assert queued().why == "opted_out"
    assert "said so on the phone" in text(browser.get(url("contact-reach", pk=mei.pk)))
    browser.post(url("opt-out-end", pk=mei.pk), {"channel": "email"})
    assert queued(period="2").status == "queued"


def test_it_tries_a_dead_address_again_when_somebody_knows_better(cast, sign_in, queued, mei):
    with tenant_scope(cast.tenant):
        dead = DeadAddress.objects.create(channel="email", address="mei@huaxin.example", reason="550 no such user")
        other = DeadAddress.objects.create(channel="email", address="somebody@else.example")
    browser = sign_in(cast.ann)
    assert "550 no such user" in text(browser.get(url("contact-reach", pk=mei.pk)))
    browser.post(url("address-revive", pk=mei.pk), {"address": str(other.pk)})  # of somebody else: stays
    browser.post(url("address-revive", pk=mei.pk), {"address": str(dead.pk)})
    with tenant_scope(cast.tenant):
        assert list(DeadAddress.objects.all()) == [other]


# ── channels ────────────────────────────────────────────────────────────────


def test_it_sets_a_gateway_up_and_never_shows_its_keys_again(cast, sign_in):
    browser = sign_in(cast.ada)
    assert "not set up" in text(browser.get(url("channels")))
    said = {"is_on": "on", "gateway": "clickatell://TOPSECRET/{phone}", "server": ""}
    page = text(browser.post(url("channel", channel="sms"), said, follow=True))
    assert "Clickatell" in page
    assert "TOPSECRET" not in page + text(browser.get(url("channel", channel="sms")))
    assert "no such gateway" in text(
        browser.post(url("channel", channel="sms"), said | {"gateway": "wecombot://abc-123"})
    )
    assert "Say which gateway sends." in text(browser.post(url("channel", channel="wechat"), {"is_on": "on"}))
    inside = said | {"server": "http://169.254.169.254/"}
    assert "may not be called" in text(browser.post(url("channel", channel="sms"), inside))


def test_it_says_how_mails_look(cast, sign_in, queued):
    said = {"is_on": "on", "from_name": "Acme Care", "from_address": "care@acme.example", "footer": "Acme Ltd, London"}
    sign_in(cast.ada).post(url("channel", channel="email"), said)
    with tenant_scope(cast.tenant):
        setup = ChannelSetup.objects.get(channel="email")
    assert (setup.from_name, setup.from_address, setup.footer) == ("Acme Care", "care@acme.example", "Acme Ltd, London")
    sign_in(cast.ada).post(url("channel", channel="email"), {})
    assert queued().why == "channel_off"


def test_it_has_no_page_for_a_channel_that_sends_nothing(cast, sign_in):
    assert sign_in(cast.ada).get(url("channel", channel="phone")).status_code == 404
    assert sign_in(cast.ada).get(url("channel", channel="pigeon")).status_code == 404


# ── leaving ─────────────────────────────────────────────────────────────────


@pytest.fixture
def link(cast, queued):
    message = queued()
    with tenant_scope(cast.tenant):
        return unsubscribe_url(message).partition("localhost:8000")[2]


def opted_out(cast):
    with tenant_scope(cast.tenant):
        return list(OptOut.objects.values_list("channel", "how"))


def test_it_asks_before_it_unsubscribes_and_needs_no_sign_in(cast, link):
    page = text(Client().get(link))
    assert "Acme Trading" in page
    assert "m…@huaxin.example" in page
    assert "mei@huaxin.example" not in page
    assert opted_out(cast) == []
    assert "You are unsubscribed" in text(Client().post(link))
    assert opted_out(cast) == [("email", "link")]


def test_it_unsubscribes_by_one_click_of_the_mail_programme(cast, link):
    """RFC 8058: a POST without cookies, with List-Unsubscribe=One-Click; twice is once."""
    for _time in range(2):
        browser = Client(enforce_csrf_checks=True)
        assert browser.post(link, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert opted_out(cast) == [("email", "link")]


def test_it_lets_them_come_back(cast, link, queued):
    Client().post(link)
    assert queued(period="2").why == "opted_out"
    Client().post(link, {"back": "1"})
    assert opted_out(cast) == []


def test_it_speaks_both_languages(link):
    assert 'lang="zh-hans"' in text(Client().get(link + "?lang=zh-hans"))


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-2] + ("a/" if t[-2] != "a" else "b/"), lambda t: "/unsubscribe/1-1-x/"]
)
def test_it_knows_a_link_that_we_did_not_make(cast, link, spoil):
    assert Client().get(link).status_code == 200
    assert Client().post(spoil(link)).status_code == 404
    assert opted_out(cast) == []
