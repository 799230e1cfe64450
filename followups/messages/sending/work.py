"""Sending what is due: each message once, or reported as uncertain; none is lost.

1. Claim: due rows and their contacts are locked (those that others hold are left for later), the governor is asked again,
   and who may go is marked "sending" with a lease. One transaction.
2. Hand over, for each: a transaction sets `handed_at`, if the lease is still ours. Then the mail leaves.
3. Settle: a transaction writes what came of it, logs the contact, and hands over the next.
4. Recover: of leases that have run out, who was not handed over goes back to the queue; who was, nobody knows:
   "uncertain". The governor counts it as sent.

Killed before 2 nothing has left; killed after it the message is uncertain, never sent again by itself. A worker that was
only slow settles later all the same: the row remembers its lease until somebody sends it again.
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parseaddr
from typing import Final

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _

import customers.services
from customers.models import Channel, Contact, Interaction, TouchKind
from followups.messages import outbox
from followups.messages.governor import OUTBOX, Facts
from followups.messages.sending.gateways import FIELDS, GatewaySender
from followups.messages.sending.mail import MailSender, reply_address
from followups.messages.sending.parcels import NotSent, Parcel, Receipt, Sender, Unclear
from followups.messages.unsubscribing import unsubscribe_url
from followups.models import ChannelSetup, DeadAddress, FollowUp, Message
from followups.rules.governor import judge
from tenants.context import current_tenant, tenant_scope
from tenants.events import changes_of, record
from tenants.models import Tenant
from tenants.secrets import unseal
from tenants.signed import sign

REFERENCE: Final = "message"
BATCH: Final = 50
"""Messages that one worker claims at once: what is looked at again after a kill, and at most waits for a lease."""

WAITS: Final = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60, 120, 240, 480, 720, 720))
"""How long a message waits after each attempt that failed: some 40 hours in all, then it has failed."""

TRAIL: Final = 20
"""Attempts that a row remembers."""

_CLAIMED: Final = (
    "status", "lease", "handed_at", "lease_until", "counts_at", "attempts", "address", "why", "why_facts", "due_at",
    "updated_at",
)  # fmt: skip

S: Final = Message.Status
Outcome = Receipt | NotSent | Unclear


def work_off(tenant: Tenant, *, most: int | None = None) -> dict[str, int]:
    """Send what is due in a tenant, at most so many; returns how many came to which status."""
    counts: Counter[str] = Counter(recover(tenant))
    taken = 0
    while most is None or taken < most:
        batch = _claim(tenant, BATCH if most is None else min(BATCH, most - taken))
        counts.update(batch.counts)
        if not batch.parcels:
            if not batch.looked_at:
                return dict(counts)
            continue
        taken += len(batch.parcels)
        counts.update(_send(tenant, batch))
        if batch.is_down:
            break  # the next ring tries the others: nobody waits for a server that is away, batch after batch
    return dict(counts)


def is_due(tenant: Tenant) -> bool:
    """Whether there is something to send, or to ask about."""
    now = timezone.now()
    with tenant_scope(tenant):
        due = Message.objects.filter(status__in=outbox.OPEN, due_at__lte=now).exists()
        return due or Message.objects.filter(status=S.SENDING, lease_until__lt=now).exists()


def recover(tenant: Tenant) -> dict[str, int]:
    """Take back what somebody was sending when they died: to the queue, or to "uncertain"; returns how many."""
    now = timezone.now()
    with tenant_scope(tenant):
        lost = Message.objects.select_for_update(skip_locked=True).filter(status=S.SENDING, lease_until__lt=now)
        counts: Counter[str] = Counter()
        for message in lost:
            if message.handed_at is None:
                message.status, message.lease, message.lease_until = S.QUEUED, "", None
                message.due_at = message.counts_at = now
                message.save(update_fields=["status", "lease", "lease_until", "due_at", "counts_at", "updated_at"])
            else:
                _unclear(message, _("The worker stopped while it was sending."))
            counts[message.status] += 1
        return dict(counts)


# ── claiming ────────────────────────────────────────────────────────────────


class _Batch:
    """What was claimed: parcels by channel, and how many were held back or blocked meanwhile."""

    def __init__(self, lease: str) -> None:
        self.lease = lease
        self.parcels: list[tuple[str, Parcel]] = []
        self.setups: Mapping[str, ChannelSetup] = {}
        self.counts: Counter[str] = Counter()
        self.looked_at = 0
        self.is_down = False


def _claim(tenant: Tenant, most: int) -> _Batch:
    batch, now = _Batch(secrets.token_hex(16)), timezone.now()
    with tenant_scope(tenant):
        due = Message.objects.filter(status__in=outbox.OPEN, due_at__lte=now).order_by("due_at", "pk")
        found = list(due.select_for_update(skip_locked=True, of=("self",)).select_related("member__user")[:most])
        # Nobody is waited for while rows are held, so nobody can wait for us crosswise: a contact for whom somebody queues
        # a message at this moment is left to the next ring.
        free = Contact.objects.select_for_update(no_key=True, skip_locked=True)
        contacts = {contact.pk: contact for contact in free.filter(pk__in={row.contact_id for row in found})}
        rows = [row for row in found if row.contact_id in contacts]
        batch.looked_at = len(rows)
        if not rows:
            return batch
        facts = Facts(list(contacts.values()), now=now)
        batch.setups = facts.setups
        for row in rows:
            contact = contacts[row.contact_id]
            person = facts.person(contact, row.channel, message_id=row.pk, follow_up_id=row.follow_up_id)
            verdict = judge(at=now, channel=row.channel, purpose=row.purpose, person=person, policy=facts.policy)
            if verdict.is_allowed:
                row.status, row.lease, row.handed_at = S.SENDING, batch.lease, None
                row.lease_until = now + dt.timedelta(seconds=settings.OUTBOX_LEASE_S)
                row.counts_at, row.attempts, row.address = now, row.attempts + 1, person.address
                row.why, row.why_facts = "", {}
                batch.parcels.append((row.channel, _parcel(row, contact, facts.setups.get(row.channel))))
            else:
                outbox.apply_verdict(row, verdict, now)
                record(str(row.status), row, {"why": row.why})
                batch.counts[row.status] += 1
            row.updated_at = now
            facts.use(row)
        Message.objects.bulk_update(rows, _CLAIMED)
    return batch


def _parcel(message: Message, contact: Contact, setup: ChannelSetup | None) -> Parcel:
    tenant = current_tenant()
    reference = sign(REFERENCE, tenant.pk, message.pk)
    language = message.language or contact.language or tenant.language
    is_mail = message.channel == Channel.EMAIL
    link = unsubscribe_url(message) if is_mail and message.purpose != Message.Purpose.SERVICE else ""
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    member = message.member
    answers = reply_address(reference) or (setup.reply_to if setup else "")
    fields = {field: str(getattr(contact, field)) for field in FIELDS}
    fields["phone"] = re.sub(r"[^\d+]", "", fields["phone"])
    return Parcel(
        message_id=message.pk,
        reference=reference,
        address=message.address,
        to_name=contact.name,
        subject=message.subject,
        text=_text(message, setup, link, language) if is_mail else message.body,
        from_name=(setup.from_name if setup else "") or tenant.name or name,
        from_address=(setup.from_address if setup else "") or address,
        reply_to=answers or (member.user.email if member else ""),
        unsubscribe=link,
        language=language,
        is_automatic=message.purpose != Message.Purpose.PERSONAL,
        fields=fields,
    )


def _text(message: Message, setup: ChannelSetup | None, link: str, language: str) -> str:
    with _speaking(language):
        lines = [message.body]
        end = [setup.footer.strip()] if setup and setup.footer.strip() else []
        if link:
            end.append(_("You do not want to get such mails? %(link)s") % {"link": link})
        return "\n\n".join([*lines, "-- \n" + "\n".join(end)] if end else lines) + "\n"


@contextmanager
def _speaking(language: str) -> Iterator[None]:
    with translation.override(language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE):
        yield


# ── handing over ────────────────────────────────────────────────────────────


def _send(tenant: Tenant, batch: _Batch) -> Counter[str]:
    counts: Counter[str] = Counter()
    senders: dict[str, Sender] = {}
    down: dict[str, NotSent] = {}
    settled: tuple[Parcel, Outcome] | None = None
    try:
        for channel, parcel in batch.parcels:
            with tenant_scope(tenant):
                if settled:
                    counts[settle(settled[0].message_id, batch.lease, settled[1])] += 1
                    settled = None
                is_ours = channel in down or _hand(parcel.message_id, batch.lease)
            if not is_ours:
                continue
            if channel not in down:
                outcome = _deliver(senders, channel, batch.setups.get(channel), parcel)
            else:
                outcome = down[channel]
            if isinstance(outcome, NotSent) and outcome.is_down:
                down[channel], batch.is_down = outcome, True
            settled = (parcel, outcome)
        if settled:
            with tenant_scope(tenant):
                counts[settle(settled[0].message_id, batch.lease, settled[1])] += 1
    finally:
        for sender in senders.values():
            sender.close()
    return counts


def _hand(message_id: int, lease: str) -> bool:
    """Note that the message leaves now; False when it is no longer ours to send."""
    now = timezone.now()
    ours = Message.objects.filter(pk=message_id, lease=lease, status=S.SENDING)
    until = now + dt.timedelta(seconds=settings.OUTBOX_LEASE_S)
    return bool(ours.update(handed_at=now, lease_until=until))


def _deliver(senders: dict[str, Sender], channel: str, setup: ChannelSetup | None, parcel: Parcel) -> Outcome:
    try:
        if channel not in senders:
            senders[channel] = sender_of(channel, setup)
        return senders[channel].send(parcel)
    except (NotSent, Unclear) as outcome:
        return outcome


def sender_of(channel: str, setup: ChannelSetup | None) -> Sender:
    """Who sends by a channel. Raises NotSent when it is not set up, or its keys can no longer be read."""
    if channel == Channel.EMAIL:
        return MailSender()
    url = unseal(setup.gateway) if setup and setup.gateway else None
    if setup is None or url is None:
        raise NotSent(_("The keys of the gateway cannot be read: enter its address again."), why="bad_gateway")
    return GatewaySender(url, setup.server)


# ── settling ────────────────────────────────────────────────────────────────


def settle(message_id: int, lease: str, outcome: Outcome) -> str:
    """Write down what came of a message that we hold; returns its status.

    Also when the lease has run out meanwhile, unless somebody has sent it again since.
    """
    row = Message.objects.select_for_update(of=("self",)).filter(pk=message_id, lease=lease)
    message = row.select_related("customer", "contact", "member", "follow_up").first()
    if message is None or message.status not in (S.SENDING, S.UNCERTAIN):
        return "overtaken"
    if isinstance(outcome, Receipt):
        mark_sent(message, provider_id=outcome.provider_id, said=outcome.said)
    elif isinstance(outcome, Unclear):
        _unclear(message, outcome.said)
    else:
        _not_sent(message, outcome)
    return str(message.status)


def mark_sent(message: Message, *, provider_id: str = "", said: str = "") -> None:
    """The message has reached the other side: it counts, the contact is logged, its task is done."""
    now = timezone.now()
    message.sent_at = message.sent_at or message.handed_at or now
    message.status, message.counts_at, message.lease_until = S.SENT, message.sent_at, None
    message.provider_id = provider_id or message.provider_id
    message.answer, message.why, message.why_facts = said[:2000], "", {}
    note_attempt(message, "sent", said)
    if message.interaction_id is None:
        message.interaction = _log(message)
    message.save()
    record("sent", message)
    _fulfil(message)


def _log(message: Message) -> Interaction:
    words = f"{message.subject}\n\n{message.body}".strip()
    kind = message.follow_up.kind if message.follow_up else TouchKind.MESSAGE.value
    logged, _outcome = customers.services.upsert_interaction(
        source=OUTBOX,
        external_id=str(message.pk),
        customer=message.customer,
        contact=message.contact,
        member=message.member,
        at=message.sent_at or timezone.now(),
        channel=message.channel,
        kind=kind,
        note=words,
    )
    return logged


def _fulfil(message: Message) -> None:
    """The task that the message was written for is done."""
    if message.follow_up_id is None:
        return
    rows = FollowUp.objects.select_for_update(of=("self",)).filter(pk=message.follow_up_id)
    for task in rows.filter(status=FollowUp.Status.OPEN):
        values = {
            "status": FollowUp.Status.DONE.value, "closed_at": timezone.now(), "closed_by": message.member,
            "interaction": message.interaction,
        }  # fmt: skip
        changes = changes_of(task, values)
        for name, value in values.items():
            setattr(task, name, value)
        task.save(update_fields=[*values, "updated_at"])
        record("completed", task, changes)


def _unclear(message: Message, said: str) -> None:
    message.status, message.why, message.why_facts = S.UNCERTAIN, "unclear", {}
    message.answer, message.lease_until = said[:2000], None
    note_attempt(message, "uncertain", said)
    message.save()
    record("uncertain", message, {"said": said[:200]})


def _not_sent(message: Message, outcome: NotSent) -> None:
    now = timezone.now()
    message.answer, message.handed_at, message.lease_until, message.lease = outcome.said[:2000], None, None, ""
    message.why, message.why_facts = outcome.why, {"attempt": message.attempts}
    if outcome.is_dead:
        message.status, message.counts_at = S.BOUNCED, None
        mark_dead(message, outcome.said)
    elif outcome.again and message.attempts <= len(WAITS):
        message.status = S.QUEUED
        message.due_at = message.counts_at = now + WAITS[message.attempts - 1]
    else:
        message.status, message.counts_at = S.FAILED, None
    note_attempt(message, str(message.status), outcome.said)
    message.save()
    if message.status != S.QUEUED:
        record(str(message.status), message, {"why": message.why})


def mark_dead(message: Message, said: str) -> None:
    """Note that the address of a message takes nothing: nothing is sent there until the contact has another one."""
    DeadAddress.objects.get_or_create(
        channel=message.channel, address=message.address.lower(), defaults={"reason": said[:2000], "message": message}
    )


def note_attempt(message: Message, what: str, said: str) -> None:
    """Write on the row what became of an attempt; saving is the caller's."""
    entry = {"at": timezone.now().isoformat(), "what": what, "said": said[:500]}
    message.trail = [*message.trail, entry][-TRAIL:]
