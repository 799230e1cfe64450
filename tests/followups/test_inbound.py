"""Mail that comes in: answers find their conversation, bounces their message, strangers nothing."""

from __future__ import annotations

import datetime as dt
from email.message import EmailMessage

import pytest
from anymail.inbound import AnymailInboundMessage
from anymail.signals import AnymailInboundEvent, AnymailTrackingEvent, inbound, tracking

from customers.models import Contact, Interaction
from followups.messages.inbound import own_words, receive, receive_bytes
from followups.messages.outbox import queue_message
from followups.messages.sending.mail import bounce_address, message_id, reply_address
from followups.messages.sending.work import REFERENCE, mark_sent
from followups.models import DeadAddress, FollowUp, Message, OptOut
from tenants.signed import sign, unsign
from tests.followups.conftest import NOON

REPORT = """\
From: MAILER-DAEMON@mx.huaxin.example
To: {to}
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b"
Auto-Submitted: auto-replied
MIME-Version: 1.0

--b
Content-Type: text/plain

Sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.huaxin.example

Final-Recipient: rfc822; mei@huaxin.example
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 no such user

--b
Content-Type: text/rfc822-headers

Message-ID: {message_id}
Subject: New tiles
--b--
"""


@pytest.fixture(autouse=True)
def _domain(settings):
    settings.MAIL_REPLY_DOMAIN = "in.perennial.example"


@pytest.fixture
def sent(cast, scope):
    """A mail of Ann's to Mei that has gone."""
    customer = cast.customer()
    mei = Contact.objects.create(customer=customer, name="Mei Lin", email="mei@huaxin.example")
    message = queue_message(
        customer=customer, contact=mei, channel="email", purpose="personal", subject="New tiles", body="They are here.",
        origin="manual", period="1", member=cast.ann,
    )  # fmt: skip
    message.address = mei.email
    mark_sent(message)
    return message


def reference(message):
    return sign(REFERENCE, message.tenant_id, message.pk)


def answer(message, text="Send me ten boxes.", **headers):
    mail = EmailMessage()
    usual = {
        "From": "Mei Lin <mei@huaxin.example>", "To": reply_address(reference(message)), "Subject": "Re: New tiles",
        "Message-ID": "<answer-1@huaxin.example>", "Date": "Fri, 20 Nov 2026 11:30:00 +0000",
    }  # fmt: skip
    for name, value in (usual | {name.replace("_", "-"): value for name, value in headers.items()}).items():
        if value:
            mail[name] = value
    mail.set_content(text)
    return mail


def test_it_puts_an_answer_into_the_timeline_and_before_the_owner(cast, sent):
    assert receive(answer(sent)) == "answer"
    came = Interaction.objects.get(source="mail")
    assert (came.direction, came.contact, came.member, came.answered) == ("inbound", sent.contact, cast.ann, True)
    assert came.at == dt.datetime(2026, 11, 20, 11, 30, tzinfo=dt.UTC)
    assert came.note == "Re: New tiles\n\nSend me ten boxes."
    row = Message.objects.get(pk=sent.pk)
    assert row.replied_at == came.at
    assert row.interaction.answered is True
    task = FollowUp.objects.get(rule="reply")
    assert (task.assignee, task.due_on, task.facts["text"]) == (cast.ann, NOON.date(), "Re: New tiles")


def test_it_takes_the_same_answer_once(sent):
    assert receive(answer(sent)) == "answer"
    assert receive(answer(sent)) == "known"
    assert Interaction.objects.filter(source="mail").count() == 1
    assert FollowUp.objects.filter(rule="reply").count() == 1


def test_it_finds_the_conversation_by_the_thread_when_the_address_is_lost(sent):
    mail = answer(sent, To="office@acme.example", In_Reply_To=message_id(reference(sent)))
    assert receive(mail) == "answer"


def test_it_finds_it_by_the_envelope_and_whatever_the_case(sent):
    mail = answer(sent, To="undisclosed@acme.example")
    assert receive(mail, recipients=[reply_address(reference(sent)).upper()]) == "answer"


def test_it_knows_the_colleague_who_answers(sent):
    lu = Contact.objects.create(customer=sent.customer, name="Lu", email="Lu@huaxin.example")
    receive(answer(sent, From="lu@huaxin.example"))
    assert Interaction.objects.get(source="mail").contact == lu


def test_it_leaves_strangers_alone(sent):
    before = Message.objects.get(pk=sent.pk).updated_at
    good = reference(sent)
    for forged in (good[:-1] + ("a" if good[-1] != "a" else "b"), "1-1-aaaa", "x", good.replace("-", "", 1)):
        mail = answer(sent, To=f"r+{forged}@in.perennial.example")
        assert receive(mail) == "stray"
    # What was signed for another purpose opens nothing here.
    other = sign("unsubscribe", sent.tenant_id, sent.pk)
    assert receive(answer(sent, To=f"r+{other}@in.perennial.example")) == "stray"
    assert not Interaction.objects.filter(source="mail").exists()
    assert Message.objects.get(pk=sent.pk).updated_at == before


@pytest.mark.parametrize(
    "headers", [{"Auto_Submitted": "auto-replied"}, {"Precedence": "auto_reply"}, {"X_Autoreply": "yes"}]
)
def test_it_does_not_take_an_out_of_office_note_for_an_answer(sent, headers):
    assert receive(answer(sent, **headers)) == "automatic"
    row = Message.objects.get(pk=sent.pk)
    assert row.replied_at is None
    assert row.trail[-1]["what"] == "automatic"


def test_it_settles_an_uncertain_message_by_its_answer(sent):
    Message.objects.filter(pk=sent.pk).update(status="uncertain")
    receive(answer(sent))
    assert Message.objects.get(pk=sent.pk).status == "sent"


@pytest.mark.parametrize("by", ["address", "thread"])
def test_it_marks_what_came_back_for_good(sent, by):
    to = bounce_address(reference(sent)) if by == "address" else "house@perennial.example"
    raw = REPORT.format(to=to, action="failed", status="5.1.1", message_id=message_id(reference(sent))).encode()
    assert receive_bytes(raw) == "bounce"
    assert receive_bytes(raw) == "bounce"
    row = Message.objects.get(pk=sent.pk)
    assert (row.status, row.counts_at) == ("bounced", None)
    assert "no such user" in row.answer
    assert DeadAddress.objects.get().address == "mei@huaxin.example"
    blocked = queue_message(
        customer=sent.customer, contact=sent.contact, channel="email", purpose="personal", subject="Again", body="Again",
        origin="manual", period="2",
    )  # fmt: skip
    assert blocked.why == "dead_address"


@pytest.mark.parametrize(("action", "status"), [("delayed", "4.4.1"), ("failed", "4.2.2")])
def test_it_notes_a_delay_and_blames_nobody(sent, action, status):
    raw = REPORT.format(
        to=bounce_address(reference(sent)), action=action, status=status, message_id=message_id(reference(sent))
    )
    assert receive_bytes(raw.encode()) == "delay"
    assert Message.objects.get(pk=sent.pk).status == "sent"
    assert not DeadAddress.objects.exists()


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Yes.\n\nOn Fri, 20 Nov 2026, Ann wrote:\n> They are here.", "Yes."),
        ("> They are here.\nYes, ten.\n> More", "Yes, ten."),
        ("好的。\n\n在 2026年11月20日，Ann写道：\n> 到了", "好的。"),
        ("收到\n\n------------------ 原始邮件 ------------------\n发件人: Ann", "收到"),
        ("> only a quote", "> only a quote"),
    ],
)
def test_it_keeps_what_they_wrote_and_not_what_they_quote(text, own):
    assert own_words(text) == own


def test_it_reads_what_has_no_plain_text_no_date_and_a_strange_character_set(sent):
    raw = (
        f"From: mei@huaxin.example\r\nTo: {reply_address(reference(sent))}\r\nSubject: =?gb2312?B?1tDOxA==?=\r\n"
        "Date: yesterday\r\nContent-Type: text/html; charset=gb2312\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    ).encode() + "<p>十箱 &amp; 快</p><style>p{}</style>".encode("gb18030")
    assert receive_bytes(raw) == "answer"
    came = Interaction.objects.get(source="mail")
    assert came.note == "中文\n\n十箱 & 快"
    assert came.at == NOON


def test_it_names_what_was_enclosed_and_survives_what_is_no_text(sent):
    mail = answer(sent)
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="order.pdf")
    raw = (
        mail.as_bytes()
        .replace(b"Subject: Re: New tiles", b"Subject: Re: \xff\xfe\x00 tiles")
        .replace(b"ten boxes", b"t\x00n boxes")
    )
    assert receive_bytes(raw) == "answer"
    note = Interaction.objects.get(source="mail").note
    assert note.endswith("📎 order.pdf")
    assert "\0" not in note


# ── webhooks of providers ───────────────────────────────────────────────────


def tell(message, kind, **fields):
    metadata = {"perennial": reference(message)}
    event = AnymailTrackingEvent(event_type=kind, timestamp=NOON, metadata=metadata, **fields)
    tracking.send(sender=object, event=event, esp_name="Test")


def test_it_hears_from_a_provider_that_a_mail_came_back(sent):
    tell(sent, "bounced", mta_response="550 5.1.1 no such user", recipient="mei@huaxin.example")
    assert Message.objects.get(pk=sent.pk).status == "bounced"


def test_it_hears_of_a_soft_bounce_and_waits(sent):
    tell(sent, "bounced", mta_response="451 4.2.2 mailbox full")
    assert Message.objects.get(pk=sent.pk).status == "sent"


@pytest.mark.parametrize(("kind", "how"), [("complained", "complaint"), ("unsubscribed", "link")])
def test_it_takes_a_complaint_for_an_opt_out(sent, kind, how):
    tell(sent, kind)
    out = OptOut.objects.get()
    assert (out.contact, out.channel, out.how) == (sent.contact, "email", how)


def test_it_hears_that_an_uncertain_one_was_delivered(sent):
    Message.objects.filter(pk=sent.pk).update(status="uncertain")
    tell(sent, "delivered")
    assert Message.objects.get(pk=sent.pk).status == "sent"


def test_it_passes_over_a_providers_other_mails(sent):
    event = AnymailTrackingEvent(event_type="bounced", timestamp=NOON, metadata={})
    tracking.send(sender=object, event=event, esp_name="Test")
    assert Message.objects.get(pk=sent.pk).status == "sent"


def test_it_takes_an_answer_from_a_provider(sent):
    mail = AnymailInboundMessage.parse_raw_mime_bytes(answer(sent).as_bytes())
    mail.envelope_recipient = reply_address(reference(sent))
    inbound.send(
        sender=object, event=AnymailInboundEvent(event_type="inbound", timestamp=NOON, message=mail), esp_name="T"
    )
    assert Interaction.objects.filter(source="mail").count() == 1


@pytest.mark.parametrize("text", ["", "-", "--", "1--x", "z" * 500, "1-1", "１-1-x", "1-1-" + "é" * 24])
def test_it_takes_no_reference_that_is_none(settings, text):
    assert unsign("message", sign("message", 12345, 678)) == (12345, 678)
    assert unsign("message", text) is None
