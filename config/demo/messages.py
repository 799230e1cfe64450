"""What the demo firms have sent: messages of the last weeks, and one of each sort that did not simply go.

They are those that were logged anyway, so nobody has more contacts than the history tells. Deterministic: rows are
taken in the order of their numbers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final

from customers.models import Channel, Contact, Interaction
from followups.messages.channels import SENT_BY, save_email
from followups.messages.outbox import queue_message
from followups.messages.unsubscribing import opt_out
from followups.models import DeadAddress, Message, OptOut
from tenants.context import current_tenant
from tenants.events import acting
from tenants.models import Member

SENT: Final = 24
"""Messages of the last weeks that are shown in the log."""

_ADDRESSES: Final[Mapping[str, str]] = {Channel.EMAIL: "email", Channel.WECHAT: "wechat"}

_WORDS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "en": {
        "news": ("What is new this month", "Three things that are new with us this month, and what they cost."),
        "care": ("All the best", "All the best from all of us. Thank you for working with us."),
        "footer": ("", "You get this mail because you buy from us."),
    },
    "zh-hans": {
        "news": ("本月新品", "本月新到三款产品，报价见下。"),
        "care": ("祝您一切顺利", "祝您一切顺利，感谢一直以来的合作。"),
        "footer": ("", "您收到此邮件，是因为您是我们的客户。"),
    },
}


def send_messages(member: Member) -> None:
    """Put the firm's messages into the open scope, in the firm's language; `member` is who has written them."""
    tenant = current_tenant()
    words = _WORDS.get(tenant.language, _WORDS["en"])
    with acting(member):
        save_email(is_on=True, from_name=tenant.name, footer=f"{tenant.name}\n{words['footer'][1]}")
    _sent(words)
    people = Contact.objects.filter(left_on__isnull=True, customer__closed_on__isnull=True).exclude(email="")
    chosen = list(people.select_related("customer").exclude(consent=Contact.Consent.WITHDRAWN).order_by("pk")[:60:12])
    if len(chosen) < 4:
        return
    opted_out, came_back, unclear, waits = chosen[:4]
    opt_out(contact=opted_out, channel=Channel.EMAIL, how=OptOut.How.LINK)
    _ask(opted_out, "news", words, member)
    _stands(_ask(came_back, "news", words, member), Message.Status.BOUNCED, "dead_address", "550 5.1.1 User unknown")
    DeadAddress.objects.get_or_create(
        channel=Channel.EMAIL, address=came_back.email.lower(), defaults={"reason": "550 5.1.1 User unknown"}
    )
    _stands(_ask(unclear, "news", words, member), Message.Status.UNCERTAIN, "unclear", "TimeoutError: timed out")
    tomorrow = tenant.start_of(tenant.today() + dt.timedelta(days=1)) + dt.timedelta(hours=6)
    _ask(waits, "care", words, member, not_before=tomorrow)  # in quiet hours: it goes when they end


def _sent(words: Mapping[str, tuple[str, str]]) -> None:
    """What was written last by mail, WeChat, SMS or app, as it was logged."""
    logged = Interaction.objects.filter(
        channel__in=SENT_BY, direction=Interaction.Direction.OUTBOUND, contact__isnull=False
    ).select_related("contact", "customer")
    subject, body = words["news"]
    rows = [
        Message(
            customer=talk.customer, contact=talk.contact, channel=talk.channel, purpose=Message.Purpose.PERSONAL,
            origin="manual", period=f"demo-{talk.pk}", subject=talk.topic or subject, body=talk.note or body,
            member_id=talk.member_id, status=Message.Status.SENT, due_at=talk.at, sent_at=talk.at, attempts=1,
            interaction=talk, address=getattr(talk.contact, _ADDRESSES.get(talk.channel, "phone")),
            # The contact that was logged counts already.
            counts_at=None,
            replied_at=talk.at + dt.timedelta(hours=3) if talk.answered else None,
        )
        for talk in logged.order_by("-at", "pk")[:SENT]
    ]  # fmt: skip
    made = Message.objects.bulk_create(rows)
    for row in made:
        row.created_at = row.due_at
    Message.objects.bulk_update(made, ["created_at"])


def _ask(
    contact: Contact,
    kind: str,
    words: Mapping[str, tuple[str, str]],
    member: Member,
    *,
    not_before: dt.datetime | None = None,
) -> Message:
    subject, body = words[kind]
    return queue_message(
        customer=contact.customer,
        contact=contact,
        channel=Channel.EMAIL,
        purpose="news" if kind == "news" else "care",
        subject=subject,
        body=body,
        origin="care:demo" if kind == "care" else "manual",
        period="demo",
        not_before=not_before,
        member=member,
    )


def _stands(message: Message, status: str, why: str, said: str) -> None:
    message.status, message.why, message.why_facts, message.answer = status, why, {}, said
    message.counts_at = message.created_at if status == Message.Status.UNCERTAIN else None
    message.attempts = 1
    message.save()
