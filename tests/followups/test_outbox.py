"""The outbox: what is asked for once goes once, through the governor, by a real mail server."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone, translation

from customers.models import Contact, Interaction
from followups.messages import outbox
from followups.messages.channels import save_gateway
from followups.messages.outbox import queue_message
from followups.messages.sending import work
from followups.messages.sending.trial import ask_for_trial, send_trial
from followups.messages.unsubscribing import opt_out
from followups.messages.whys import TITLES, message_why
from followups.models import ChannelSetup, ContactWishes, DeadAddress, FollowUp, Message
from tenants.context import tenant_scope
from tenants.models import Event
from tests.followups.conftest import NOON
from tests.followups.post import gateway, post_office

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def mei(cast, scope):
    return Contact.objects.create(
        customer=cast.customer(), name="Mei Lin", email="mei@huaxin.example", phone="+86 21 5555 0100", is_main=True
    )


@pytest.fixture
def ask(cast, mei):
    def asked(contact=None, **fields):
        contact = contact or mei
        usual = {
            "customer": contact.customer, "contact": contact, "channel": "email", "purpose": "care",
            "subject": "Happy birthday", "body": "All the best, Mei.", "origin": "care:birthday", "period": "2026",
        }  # fmt: skip
        return queue_message(**(usual | fields))

    return asked


@pytest.fixture
def post(settings):
    with post_office() as post:
        settings.EMAIL_BACKEND = "followups.messages.sending.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", post.port, False
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.DEFAULT_FROM_EMAIL = "Perennial <house@perennial.example>"
        settings.MAIL_REPLY_DOMAIN = "in.perennial.example"
        settings.PUBLIC_URL = "https://perennial.example"
        yield post


def send(cast):
    return work.work_off(cast.tenant)


def again(message):
    return Message.objects.get(pk=message.pk)


# ── asking ──────────────────────────────────────────────────────────────────


def test_it_gives_back_the_same_message_when_asked_again(ask):
    first = ask()
    assert first.status == "queued"
    assert ask(body="Other words").pk == first.pk
    assert Message.objects.count() == 1
    assert again(first).body == "All the best, Mei."
    assert ask(period="2027").pk != first.pk


def test_it_says_why_it_blocks_a_contact_without_an_address(ask, mei):
    Contact.objects.filter(pk=mei.pk).update(email="")
    message = ask()
    assert (message.status, message.why) == ("blocked", "no_address")
    assert message_why(message) == "The contact has no address for this channel: E-mail."
    with translation.override("zh-hans"):
        assert "E-mail" not in message_why(message)


def test_it_holds_a_message_in_quiet_hours_until_the_morning_of_the_contact(ask, mei, time_machine):
    ContactWishes.objects.create(contact=mei, timezone="Asia/Shanghai")
    time_machine.move_to(NOON.replace(hour=13))  # 21:00 in Shanghai
    message = ask()
    assert (message.status, message.why) == ("held", "quiet")
    assert message.due_at == dt.datetime(2026, 11, 21, 0, 30, tzinfo=dt.UTC)
    assert message_why(message).startswith("It is in the contact's quiet hours. Goes at ")


def test_it_counts_calls_tasks_and_messages_in_one_budget(ask, mei, cast, raised):
    customer = mei.customer
    for days in (23, 24, 25):
        Interaction.objects.create(customer=customer, contact=mei, channel="phone", at=NOON - dt.timedelta(days=days))
    raised(customer, contact=mei, due_on=NOON.date() + dt.timedelta(days=2))
    raised(customer, contact=mei, due_on=NOON.date() + dt.timedelta(days=3))
    assert ask().status == "queued"  # five of the six that are for everything
    held = ask(origin="care:festival")
    assert (held.status, held.why, held.why_facts["limit"]) == ("held", "kept", 6)
    assert held.due_at == NOON + dt.timedelta(days=5)  # when the oldest call leaves the window
    assert ask(origin="manual", purpose="personal").status == "queued"


def test_it_does_not_count_a_call_to_somebody_else_of_the_customer(ask, mei):
    other = Contact.objects.create(customer=mei.customer, name="Lu")
    for hours in (1, 2):
        Interaction.objects.create(customer=mei.customer, contact=other, channel="phone", at=NOON - hours * HOUR)
    assert ask().status == "queued"
    for hours in (1, 2):  # to nobody in particular: it may have been anybody
        Interaction.objects.create(customer=mei.customer, channel="phone", at=NOON - hours * HOUR)
    assert ask(origin="care:festival").why == "day_limit"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"body": "  "}, "body"),
        ({"body": "x" * 20_001}, "body"),
        ({"subject": ""}, "subject"),
        ({"subject": "a\nBcc: all@example.com"}, "subject"),
    ],
)
def test_it_refuses_what_cannot_be_a_message(ask, fields, field):
    with pytest.raises(ValidationError) as refused:
        ask(**fields)
    assert field in refused.value.message_dict
    assert not Message.objects.exists()


def test_it_refuses_a_contact_of_another_customer(ask, cast):
    with pytest.raises(ValidationError) as refused:
        ask(customer=cast.customer("Other"))
    assert "contact" in refused.value.message_dict


def test_it_leaves_phone_calls_to_people(ask):
    assert ask(channel="phone").why == "by_hand"
    assert ask(channel="wechat").why == "channel_off"


def test_it_has_words_for_every_reason():
    from typing import get_args

    from followups.messages.whys import why_words
    from followups.rules.governor import Why

    codes = set(get_args(Why)) - {""}
    assert codes <= set(TITLES)
    for code in TITLES:
        assert why_words(code, {"limit": 2}, "email")


# ── sending ─────────────────────────────────────────────────────────────────


def test_it_sends_a_mail_that_names_the_firm_the_way_back_and_the_way_out(ask, cast, post, mei):
    message = ask(member=cast.ann)
    assert send(cast) == {"sent": 1}
    (mail,), (envelope,) = post.mails, post.envelopes
    assert mail["Subject"] == "Happy birthday"
    assert mail["From"] == "Acme Trading <house@perennial.example>"
    assert mail["To"] == "Mei Lin <mei@huaxin.example>"
    assert mail["Reply-To"].startswith("r+")
    assert mail["Reply-To"].endswith("@in.perennial.example")
    assert envelope.mail_from.startswith("b+")
    assert mail["List-Unsubscribe"].strip().startswith("<https://perennial.example/unsubscribe/")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "All the best, Mei." in mail.get_content()
    row = again(message)
    assert (row.status, row.address, row.interaction.contact) == ("sent", "mei@huaxin.example", mei)
    assert row.interaction.member == cast.ann
    assert send(cast) == {}
    assert len(post.mails) == 1


def test_it_gives_a_service_mail_no_way_out(ask, cast, post):
    ask(purpose="service")
    send(cast)
    assert post.mails[0]["List-Unsubscribe"] is None


def test_it_asks_the_governor_again_before_it_sends(ask, cast, post, mei):
    message = ask(not_before=NOON + 2 * HOUR)
    assert send(cast) == {}
    opt_out(contact=mei, channel="email", how="link")
    Message.objects.update(due_at=NOON)
    assert send(cast) == {"blocked": 1}
    assert (again(message).status, again(message).why, post.mails) == ("blocked", "opted_out", [])


def test_it_closes_the_task_that_a_message_was_written_for(ask, cast, post, mei, raised):
    task = raised(mei.customer, contact=mei)
    ask(follow_up=task, member=cast.ann, purpose="personal")
    send(cast)
    row = FollowUp.objects.get(pk=task.pk)
    assert (row.status, row.closed_by, row.interaction.channel) == ("done", cast.ann, "email")


def test_it_waits_longer_and_longer_while_the_server_is_down(ask, cast, settings, time_machine):
    settings.EMAIL_BACKEND = "followups.messages.sending.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", 1, False
    first, second = ask(), ask(origin="care:festival")
    waits = []
    for _attempt in range(4):
        assert send(cast) == {"queued": 2}
        row = again(first)
        assert (row.status, row.why) == ("queued", "server_down")
        waits.append(row.due_at - timezone.now())
        time_machine.move_to(row.due_at)
    assert waits == [dt.timedelta(minutes=minutes) for minutes in (1, 5, 15, 30)]
    assert again(second).attempts == 4


def test_it_does_not_keep_a_worker_waiting_for_a_server_that_is_away(ask, cast, settings, monkeypatch):
    settings.EMAIL_BACKEND = "followups.messages.sending.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", 1, False
    monkeypatch.setattr(work, "BATCH", 1)
    ask(), ask(origin="care:festival")
    assert send(cast) == {"queued": 1}  # the other one is left to the next ring
    assert sorted(Message.objects.values_list("attempts", flat=True)) == [0, 1]


def test_it_gives_up_in_words_when_the_server_stays_down(ask, cast, settings, time_machine):
    settings.EMAIL_BACKEND = "followups.messages.sending.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", 1, False
    message = ask(purpose="service")
    for _attempt in range(len(work.WAITS) + 1):
        send(cast)
        time_machine.move_to(max(again(message).due_at, timezone.now()))
    row = again(message)
    assert (row.status, row.counts_at) == ("failed", None)
    assert Event.objects.filter(verb="failed", object_id=row.pk).count() == 1


def test_it_marks_an_address_that_does_not_exist_and_sends_nothing_more_there(ask, cast, post, mei):
    post.refuse["mei@huaxin.example"] = "550 5.1.1 no such user"
    message = ask()
    assert send(cast) == {"bounced": 1}
    assert "no such user" in again(message).answer
    assert DeadAddress.objects.get().address == "mei@huaxin.example"
    assert ask(origin="care:festival").why == "dead_address"
    Contact.objects.filter(pk=mei.pk).update(email="mei.lin@huaxin.example")
    assert ask(Contact.objects.get(pk=mei.pk), origin="care:new year").status == "queued"


def test_it_does_not_blame_the_address_for_a_refused_sender(ask, cast, post):
    post.refuse["mei@huaxin.example"] = "550 5.7.1 we do not take mail from you"
    message = ask()
    assert send(cast) == {"failed": 1}
    assert again(message).why == "refused"
    assert not DeadAddress.objects.exists()


def test_it_tries_again_later_when_the_server_is_busy(ask, cast, post, time_machine):
    post.refuse_data = "451 4.7.1 greylisted"
    message = ask()
    assert send(cast) == {"queued": 1}
    post.refuse_data = ""
    time_machine.move_to(again(message).due_at)
    assert send(cast) == {"sent": 1}
    assert len(post.mails) == 1


@pytest.mark.parametrize("taken", [True, "lost"])
def test_it_reports_as_uncertain_what_may_have_arrived_and_never_sends_it_again_by_itself(ask, cast, post, taken):
    post.hang_up = taken
    message = ask()
    assert send(cast) == {"uncertain": 1}
    post.hang_up = False
    assert send(cast) == {}
    row = again(message)
    assert row.why == "unclear"
    assert row.counts_at is not None  # it uses the budget: it may have arrived


def test_it_opens_a_new_line_when_the_server_closes_the_old_one(ask, cast, post):
    post.limit = 1
    for number in range(2):
        ask(origin=f"care:{number}")
    assert send(cast) == {"sent": 2}
    assert len(post.mails) == 2


def test_it_lets_a_member_say_that_an_uncertain_one_arrived_or_send_it_again(ask, cast, post):
    post.hang_up = "lost"
    message = ask()
    send(cast)
    post.hang_up = False
    assert outbox.send_again(message=message, member=cast.ann).status == "queued"
    assert send(cast) == {"sent": 1}
    with pytest.raises(outbox.Refused):
        outbox.send_again(message=message, member=cast.ann)
    with pytest.raises(outbox.Refused):
        outbox.cancel(message=message, member=cast.ann)

    post.hang_up = True
    other = ask(origin="care:festival")
    send(cast)
    assert outbox.confirm_sent(message=other, member=cast.ann).status == "sent"
    assert again(other).interaction is not None
    assert outbox.confirm_sent(message=other, member=cast.ann).status == "sent"
    assert Interaction.objects.filter(source="outbox").count() == 2


def test_it_does_not_send_what_was_withdrawn(ask, cast, post):
    message = ask()
    assert outbox.cancel(message=message, member=cast.ann).status == "cancelled"
    assert send(cast) == {}
    assert again(message).counts_at is None


def test_it_takes_back_what_a_dead_worker_had_not_handed_over(ask, cast, post, settings, time_machine):
    settings.OUTBOX_LEASE_S = 60
    waiting, handed = ask(), ask(origin="care:festival")
    batch = work._claim(cast.tenant, 10)
    assert {parcel.message_id for _channel, parcel in batch.parcels} == {waiting.pk, handed.pk}
    assert work._hand(handed.pk, batch.lease)
    assert send(cast) == {}  # both are somebody's
    time_machine.move_to(NOON + dt.timedelta(seconds=61))
    assert send(cast) == {"queued": 1, "uncertain": 1, "sent": 1}
    assert (again(waiting).status, again(handed).status) == ("sent", "uncertain")
    # The worker was not dead but slow: what it knows counts, and it sends nothing of what was taken away.
    assert not work._hand(waiting.pk, batch.lease)
    assert work.settle(handed.pk, batch.lease, work.Receipt()) == "sent"
    assert work.settle(waiting.pk, batch.lease, work.Receipt()) == "overtaken"


def test_it_keeps_one_firms_messages_from_another(cast, post):
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        mei = Contact.objects.create(customer=customer, name="Mei Lin", email="mei@huaxin.example")
        said = {"origin": "care:birthday", "period": "2026", "subject": "Hello", "body": "Hello"}
        queue_message(customer=customer, contact=mei, channel="email", purpose="care", **said)
    assert work.work_off(cast.other_tenant) == {}
    assert not work.is_due(cast.other_tenant)
    assert work.is_due(cast.tenant)
    assert work.work_off(cast.tenant) == {"sent": 1}


# ── by a gateway ────────────────────────────────────────────────────────────


def test_it_sends_a_text_by_the_firms_gateway_and_logs_it(ask, cast, mei, settings):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    with gateway() as said:
        save_gateway(channel="sms", is_on=True, gateway=f"json://{said.url.removeprefix('http://')}/sms?:to={{phone}}")
        assert ask(channel="sms", origin="care:lantern").why == "no_consent"
        Contact.objects.filter(pk=mei.pk).update(consent="given")
        message = ask(Contact.objects.get(pk=mei.pk), channel="sms")
        assert send(cast) == {"sent": 1}
    assert [each["body"]["to"] for each in said.asked] == ["+862155550100"]
    row = again(message)
    assert (row.interaction.channel, row.address) == ("sms", "+86 21 5555 0100")
    assert row.answer.startswith("200")


def test_it_keeps_what_a_gateway_refused_with_its_words(ask, cast, mei, settings):
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    with gateway() as said:
        said.body = '{"errcode": 93000, "errmsg": "invalid webhook url"}'
        save_gateway(channel="wechat", is_on=True, gateway="wecombot://abcdef-123", server=said.url)
        message = ask(channel="wechat")
        assert send(cast) == {"failed": 1}
    assert "invalid webhook url" in again(message).answer
    assert not Interaction.objects.exists()


def test_it_tries_a_channel_out_past_everybodys_budget(cast, scope, post):
    ask_for_trial(channel="email", address="ada@acme.example")
    send_trial(cast.tenant, "email")
    send_trial(cast.tenant, "email")
    assert [mail["To"] for mail in post.mails] == ["ada@acme.example"]
    assert ChannelSetup.objects.get().trial_worked is True
    assert not Message.objects.exists()
