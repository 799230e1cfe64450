"""The outbox: whatever is to be sent is a row first, judged by the governor under its contact's lock.

`queue_message` puts it there; sending.py takes it from there, asks the governor again, and writes down what came of it.
"""

from __future__ import annotations

import datetime as dt
from typing import Final, cast

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from customers.models import Channel, Contact, Customer
from followups.messages.governor import Facts
from followups.models import FollowUp, Message, ScriptVariant
from followups.rules.governor import PURPOSES, Purpose, Verdict, judge
from tenants.events import acting, acting_member, record
from tenants.models import Member
from tenants.policies import active_policy


class Refused(ValidationError):
    """A verb that must not happen; its message says why, in the reader's language."""


BODY_LENGTH: Final = 20_000
SUBJECT_LENGTH: Final = 200

S: Final = Message.Status

OPEN: Final = frozenset({S.QUEUED, S.HELD})
"""Statuses of messages that will be sent."""


@transaction.atomic
def queue_message(
    *,
    customer: Customer,
    contact: Contact,
    channel: str,
    purpose: Purpose,
    subject: str,
    body: str,
    origin: str,
    period: str,
    follow_up: FollowUp | None = None,
    script: ScriptVariant | None = None,
    not_before: dt.datetime | None = None,
    language: str = "",
    member: Member | None = None,
) -> Message:
    """Have a message sent as soon as the governor lets it, at the earliest at `not_before` (aware); returns its row.

    There is one message by (origin, period, contact, channel): asked again, the same row comes back, as it stands.
    `status` says what will become of it: queued (goes now), held (goes at `due_at`), blocked (does not go);
    `whys.message_why` says why in words. `member` signs it; unless said, whoever is at work. `language` is that of the
    text; empty: the contact's. `origin` is what asked for it, like "journey:first_order:2", `period` what makes it
    this one, like a day.

    Raises ValidationError by field for an empty or too long text, and for a contact of another customer; ValueError
    for a channel or purpose that does not exist.
    """
    known = _known(origin, period, contact, channel)
    if known is not None:
        return known
    _check(customer, contact, channel, purpose, subject, body)
    contact = lock_contact(contact)
    known = _known(origin, period, contact, channel)
    if known is not None:
        return known
    facts = Facts([contact])
    policy = active_policy()
    at = max(not_before, facts.now) if not_before else facts.now
    person = facts.person(contact, channel, follow_up_id=follow_up.pk if follow_up else None)
    message = Message(
        customer=customer,
        contact=contact,
        channel=channel,
        purpose=purpose,
        origin=origin,
        period=period,
        subject=subject.strip(),
        body=body.strip(),
        language=language or contact.language,
        member=member or acting_member.get(),
        follow_up=follow_up,
        script=script,
        address=person.address,
        policy_version=policy.number,
    )
    apply_verdict(message, judge(at=at, channel=channel, purpose=purpose, person=person, policy=facts.policy), at)
    message.save(force_insert=True)
    record(str(message.status), message, {"origin": origin, "why": message.why}, policy_version=policy.number)
    if message.status == S.QUEUED and message.due_at <= facts.now:
        ring()
    return message


def cancel(*, message: Message, member: Member) -> Message:
    """Withdraw a message that has not gone; again changes nothing. Raises Refused when it is too late."""
    with acting(member):
        row = lock(message)
        if row.status == S.CANCELLED:
            return row
        if row.status not in {*OPEN, S.BLOCKED, S.FAILED}:
            raise _too_late(row)
        row.status, row.counts_at = S.CANCELLED, None
        row.save(update_fields=["status", "counts_at", "updated_at"])
        record("cancelled", row)
        return row


def send_again(*, message: Message, member: Member) -> Message:
    """Try once more to send what is blocked, failed, came back, was withdrawn or is uncertain; the governor is asked anew.

    Of one that is uncertain the member says with it that it has not arrived. One that waits already stays as it is.
    Raises Refused for one that is being sent or has been.
    """
    with acting(member):
        contact = lock_contact(Contact.objects.get(pk=message.contact_id))
        row = lock(message)
        if row.status in OPEN:
            return row
        if row.status in {S.SENT, S.SENDING}:
            raise _too_late(row)
        facts = Facts([contact])
        person = facts.person(contact, row.channel, message_id=row.pk, follow_up_id=row.follow_up_id)
        row.lease, row.lease_until, row.handed_at, row.sent_at, row.attempts = "", None, None, None, 0
        row.address = person.address
        purpose = cast(Purpose, row.purpose)
        verdict = judge(at=facts.now, channel=row.channel, purpose=purpose, person=person, policy=facts.policy)
        apply_verdict(row, verdict, facts.now)
        row.save()
        record("sent again", row, {"status": str(row.status), "why": row.why})
        if row.status == S.QUEUED:
            ring()
        return row


def confirm_sent(*, message: Message, member: Member) -> Message:
    """Say of an uncertain message that it has arrived; again changes nothing. Raises Refused for any other."""
    from followups.messages.sending.work import mark_sent

    with acting(member):
        row = lock(message)
        if row.status == S.SENT:
            return row
        if row.status != S.UNCERTAIN:
            raise Refused(_("Only of an uncertain message can one say that it has arrived."), code="closed")
        mark_sent(row, said=_("Confirmed by %(member)s.") % {"member": member})
        return row


def _too_late(message: Message) -> Refused:
    words = _("It is too late: the message is %(status)s.") % {"status": message.get_status_display()}
    return Refused(words, code="closed")


def lock(message: Message) -> Message:
    """The message as it is now, locked until the transaction ends. Raises Message.DoesNotExist when it has gone."""
    rows = Message.objects.select_for_update(of=("self",)).select_related("customer", "contact", "member", "follow_up")
    row: Message = rows.get(pk=message.pk)
    return row


def queue_again(message: Message, at: dt.datetime) -> None:
    """Have a message sent after all that was withdrawn before it went; the governor judges it as if it were new.

    `at` is when it may go at the earliest. One that was not withdrawn stays as it is. Call it inside a transaction.
    """
    contact = lock_contact(message.contact)
    message.refresh_from_db()
    if message.status != S.CANCELLED or message.sent_at is not None:
        return
    facts = Facts([contact])
    at = max(at, facts.now)
    person = facts.person(contact, message.channel, follow_up_id=message.follow_up_id)
    apply_verdict(
        message,
        judge(
            at=at, channel=message.channel, purpose=cast(Purpose, message.purpose), person=person, policy=facts.policy
        ),
        at,
    )
    message.save()
    record(str(message.status), message, {"why": message.why})
    if message.status == S.QUEUED:
        ring()


def apply_verdict(message: Message, verdict: Verdict, at: dt.datetime) -> None:
    """Write on the row what the governor says of sending it at `at`; saving is the caller's."""
    message.why, message.why_facts = verdict.why, {"limit": verdict.limit} if verdict.limit else {}
    if verdict.at is None:
        message.status, message.due_at, message.counts_at = S.BLOCKED, at, None
        return
    message.status = S.HELD if verdict.why else S.QUEUED
    message.due_at = message.counts_at = verdict.at
    if verdict.why:
        message.why_facts |= {"until": verdict.at.isoformat()}


def lock_contact(contact: Contact) -> Contact:
    """The contact as it is now, locked until the transaction ends: their budget is counted by one at a time.

    Raises Contact.DoesNotExist when it has gone.
    """
    row: Contact = Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
    return row


def ring() -> None:
    """Tell a worker, when the transaction is through, that there is something to send; beat rings anyway."""
    from followups.tasks import send_messages

    transaction.on_commit(send_messages.delay, robust=True)  # without a broker beat's ring is enough


def _known(origin: str, period: str, contact: Contact, channel: str) -> Message | None:
    found: Message | None = Message.objects.filter(
        origin=origin, period=period, contact=contact, channel=channel
    ).first()
    return found


def _check(customer: Customer, contact: Contact, channel: str, purpose: str, subject: str, body: str) -> None:
    if channel not in Channel.values:
        raise ValueError(f"There is no channel {channel!r}")
    if purpose not in PURPOSES:
        raise ValueError(f"There is no purpose {purpose!r}")
    wrong = {}
    if contact.customer_id != customer.pk:
        wrong["contact"] = _("This contact belongs to another customer.")
    if not body.strip():
        wrong["body"] = _("Write what is to be sent.")
    elif len(body) > BODY_LENGTH:
        wrong["body"] = _("At most %(count)d characters.") % {"count": BODY_LENGTH}
    if channel == Channel.EMAIL and not subject.strip():
        wrong["subject"] = _("An e-mail needs a subject.")
    elif len(subject) > SUBJECT_LENGTH:
        wrong["subject"] = _("At most %(count)d characters.") % {"count": SUBJECT_LENGTH}
    elif "\n" in subject.strip() or "\r" in subject.strip():
        wrong["subject"] = _("A subject is one line.")
    if wrong:
        raise ValidationError(wrong)
