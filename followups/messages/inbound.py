"""Mail that comes in: answers go to the conversation that they belong to, mails that came back to their message.

The address that it was sent to names the message and is signed; so does the Message-ID that it answers. What names none
of ours is left alone. The same mail may come in as often as it likes.
"""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import hashlib
import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.message import Message as PlainMail
from email.utils import getaddresses, parseaddr, parsedate_to_datetime
from typing import Final, Literal

import polars as pl
from django.utils import timezone

import customers.services
from customers.models import Channel, Contact, Interaction, TouchKind
from followups.messages.sending.mail import MESSAGE_ID
from followups.messages.sending.work import REFERENCE, mark_dead, mark_sent, note_attempt
from followups.messages.unsubscribing import opt_out
from followups.models import FollowUp, Message, OptOut
from followups.raising import raise_follow_ups
from tenants.context import tenant_scope
from tenants.events import record
from tenants.models import Tenant
from tenants.policies import active_policy
from tenants.signed import unsign

SOURCE: Final = "mail"
NOTE_LENGTH: Final = 4000

Came = Literal["answer", "automatic", "bounce", "delay", "known", "stray"]
"""What a mail was: an answer, an automatic one, a mail that came back for good or is late, one that is known, none of ours."""

_ADDRESS: Final = re.compile(r"^([rb])\+([0-9a-z-]+)@", re.IGNORECASE)
_QUOTE_BEGINS: Final = re.compile(
    r"^(on .{0,200}wrote:|.{0,80}(写道|来信|发来)[:：]|-{2,}\s*(original message|forwarded message|原始邮件|转发邮件).*"
    r"|_{5,}|(from|发件人)\s*[:：].*|在.{0,120}写道[:：])\s*$",
    re.IGNORECASE,
)
_HARD: Final = "failed"
S: Final = Message.Status


@dataclass(frozen=True)
class Named:
    """The message that a mail belongs to: its firm, its number, and whether the address was that for bounces."""

    tenant: Tenant
    message_id: int
    is_bounce: bool


def receive(mail: PlainMail, *, recipients: Iterable[str] = ()) -> Came:
    """Put a mail where it belongs; `recipients` are those of the envelope, where they are known."""
    named = _named(mail, recipients)
    if named is None:
        return "stray"
    with tenant_scope(named.tenant):
        rows = Message.objects.select_for_update(of=("self",)).select_related(
            "customer", "contact", "member", "follow_up"
        )
        message = rows.filter(pk=named.message_id).first()
        if message is None:
            return "stray"
        report = _report(mail)
        if report is not None:
            return _bounced(message, *report)
        if named.is_bounce:
            # Came back without a report that can be read.
            return _bounced(message, _HARD, _words(mail)[:500]) if _is_from_daemon(mail) else "stray"
        if _is_automatic(mail):
            note_attempt(message, "automatic", _clean(str(mail.get("Subject", ""))))
            message.save(update_fields=["trail", "updated_at"])
            return "automatic"
        return _answered(message, mail)


def receive_bytes(raw: bytes, *, recipients: Iterable[str] = ()) -> Came:
    """The same for a mail as it stands in a file or a mailbox."""
    return receive(email.message_from_bytes(raw, policy=email.policy.default), recipients=recipients)


# ── whose it is ─────────────────────────────────────────────────────────────


def _named(mail: PlainMail, recipients: Iterable[str]) -> Named | None:
    for kind, reference in (*_by_address(mail, recipients), *_by_thread(mail)):
        found = unsign(REFERENCE, reference)
        tenant = Tenant.objects.filter(pk=found[0], is_active=True).first() if found else None
        if found and tenant:
            return Named(tenant, found[1], kind == "b")
    return None


def _by_address(mail: PlainMail, recipients: Iterable[str]) -> Iterator[tuple[str, str]]:
    headers = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")
    said = [str(value) for name in headers for value in mail.get_all(name, [])]
    for _name, address in getaddresses([*recipients, *said]):
        found = _ADDRESS.match(address)
        if found:
            yield found[1].lower(), found[2]


def _by_thread(mail: PlainMail) -> Iterator[tuple[str, str]]:
    said = " ".join(str(mail.get(name, "")) for name in ("In-Reply-To", "References"))
    for found in MESSAGE_ID.finditer(said):
        yield "r", found[1]
    for part in mail.walk():  # a bounce carries the headers of the mail that came back
        if part.get_content_type() in ("message/rfc822", "text/rfc822-headers"):
            for found in MESSAGE_ID.finditer(_plain(part)):
                yield "b", found[1]


def _plain(part: PlainMail) -> str:
    inside = part.get_payload()
    if isinstance(inside, list):
        return "\n".join(
            f"{name}: {value}" for each in inside if isinstance(each, PlainMail) for name, value in each.items()
        )
    return str(inside)


# ── what came back ──────────────────────────────────────────────────────────


def _report(mail: PlainMail) -> tuple[str, str] | None:
    """The action and the words of a delivery report (RFC 3464), or None for any other mail."""
    if mail.get_content_type() != "multipart/report":
        return None
    for part in mail.walk():
        if part.get_content_type() != "message/delivery-status":
            continue
        inside = part.get_payload()
        for fields in inside if isinstance(inside, list) else []:
            if not isinstance(fields, PlainMail) or "Action" not in fields:
                continue
            status = str(fields.get("Status", ""))
            action = str(fields["Action"]).strip().lower()
            if action == _HARD and status.startswith("4"):
                action = "delayed"
            return action, _clean(f"{status} {fields.get('Diagnostic-Code', '')}").strip()
    return None


def _bounced(message: Message, action: str, said: str) -> Came:
    if action != _HARD:
        if action in ("delivered", "relayed", "expanded") and message.status == S.UNCERTAIN:
            mark_sent(message, said=said)
        else:
            note_attempt(message, action, said)
            message.save(update_fields=["trail", "updated_at"])
        return "delay" if action == "delayed" else "automatic"
    bounce(message, said)
    return "bounce"


def bounce(message: Message, said: str) -> None:
    """The message came back for good: it is marked so, and nothing more is sent to its address. Twice changes nothing."""
    if message.status == S.BOUNCED:
        return
    message.status, message.why, message.why_facts = S.BOUNCED, "dead_address", {}
    message.answer, message.counts_at = said[:2000], None
    note_attempt(message, "bounced", said)
    message.save()
    mark_dead(message, said)
    record("bounced", message, {"said": said[:200]})


# ── answers ─────────────────────────────────────────────────────────────────


def _is_automatic(mail: PlainMail) -> bool:
    said = str(mail.get("Auto-Submitted", "no")).lower()
    precedence = str(mail.get("Precedence", "")).lower()
    return (
        said.partition(";")[0].strip() != "no" or precedence in ("bulk", "auto_reply", "junk") or "X-Autoreply" in mail
    )


def _is_from_daemon(mail: PlainMail) -> bool:
    sender = parseaddr(str(mail.get("From", "")))[1].lower()
    return (
        not sender or sender.startswith(("mailer-daemon@", "postmaster@")) or str(mail.get("Return-Path", "")) == "<>"
    )


def _answered(message: Message, mail: PlainMail) -> Came:
    name = _name_of(mail)
    if Interaction.objects.filter(source=SOURCE, external_id=name).exists():
        return "known"
    subject = " ".join(_clean(str(mail.get("Subject", ""))).split())
    at = _when(mail)
    with customers.services.arrivals_last():
        if message.status == S.UNCERTAIN:
            mark_sent(message, said=subject)
        customers.services.upsert_interaction(
            source=SOURCE,
            external_id=name,
            customer=message.customer,
            contact=_sender(message, mail),
            member=message.member,
            at=at,
            channel=Channel.EMAIL,
            direction=Interaction.Direction.INBOUND,
            kind=message.interaction.kind if message.interaction else TouchKind.LIGHT_TOUCH.value,
            topic=subject[:60],
            answered=True,
            note=_note(subject, mail)[:NOTE_LENGTH],
        )
        if message.interaction is not None and not message.interaction.answered:
            customers.services.patch_interaction(interaction=message.interaction, answered=True)
        message.replied_at = message.replied_at or at
        message.save(update_fields=["replied_at", "updated_at"])
        record("answered", message)
        _tell_owner(message, subject, at)
    return "answer"


def _note(subject: str, mail: PlainMail) -> str:
    """What was written, and what was enclosed by name: the files themselves stay in the mailbox."""
    files = [_clean(name) for part in mail.walk() if (name := part.get_filename())]
    enclosed = f"\n\n📎 {', '.join(files)}" if files else ""
    return f"{subject}\n\n{own_words(_words(mail))}".strip() + enclosed


def _clean(text: str) -> str:
    """The text as the database takes it: without what stands for no character."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _tell_owner(message: Message, subject: str, at: dt.datetime) -> None:
    """An answer that nobody reads is worse than none: whoever looks after the customer has it in the queue."""
    today = message.tenant.today()
    wanted = pl.DataFrame(
        {
            "customer_id": [message.customer_id],
            "kind": [TouchKind.LIGHT_TOUCH.value],
            "rule": ["reply"],
            "period": [f"{message.pk}:{at:%Y%m%dT%H%M%S}"],
            "due_on": [today],
            "level": [FollowUp.Level.ROUTINE.value],
            "facts": [json.dumps({"text": subject or message.subject}, ensure_ascii=False)],
        }
    )
    raise_follow_ups(wanted, policy_version=active_policy().number, customers=(message.customer_id,))


def _sender(message: Message, mail: PlainMail) -> Contact:
    """Who has answered: whoever of the customer has that address, else the one it was sent to."""
    address = parseaddr(str(mail.get("From", "")))[1]
    found = Contact.objects.filter(customer=message.customer, email__iexact=address).order_by("pk").first()
    return found or message.contact


def _name_of(mail: PlainMail) -> str:
    said = _clean(str(mail.get("Message-ID", ""))).strip()
    if not said:
        said = hashlib.sha256(mail.as_bytes()).hexdigest()
    return said if len(said) <= 100 else hashlib.sha256(said.encode()).hexdigest()


def _when(mail: PlainMail) -> dt.datetime:
    """When it was written, by its own word where that can be; never in the future."""
    now = timezone.now()
    try:
        said = parsedate_to_datetime(str(mail.get("Date", "")))
    except (TypeError, ValueError):
        return now
    if said.tzinfo is None:
        said = said.replace(tzinfo=dt.UTC)
    return min(said, now) if said.year >= 2000 else now


def _words(mail: PlainMail) -> str:
    """The text of a mail, of its HTML where it has no other."""
    part: PlainMail | None
    if isinstance(mail, EmailMessage):
        part = mail.get_body(preferencelist=("plain", "html"))
    else:
        part = next((each for each in mail.walk() if each.get_content_type() == "text/plain"), None)
    if part is None:
        return ""
    raw = part.get_payload(decode=True)
    text = raw.decode(_charset(part), "replace") if isinstance(raw, bytes) else str(part.get_payload())
    if part.get_content_type() == "text/html":
        text = re.sub(r"(?is)<(script|style).*?</\1>", "", text)
        text = re.sub(r"(?i)<br\s*/?>|</p>|</div>", "\n", text)
        text = html.unescape(re.sub(r"<[^>]+>", "", text)).replace("\xa0", " ")
    return _clean(text.replace("\r\n", "\n")).strip()


def _charset(part: PlainMail) -> str:
    """The character set that a mail names, where there is such a one."""
    said = part.get_content_charset() or "utf-8"
    try:
        "".encode(said)
    except LookupError:
        return "utf-8"
    return "gb18030" if said.lower() in ("gb2312", "gbk") else said


def own_words(text: str) -> str:
    """What somebody has written themselves: without what they quote below or between."""
    kept: list[str] = []
    for line in text.split("\n"):
        if _QUOTE_BEGINS.match(line.strip()):
            break
        if not line.lstrip().startswith(">"):
            kept.append(line.rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip() or text.strip()


# ── what a provider's webhook says ──────────────────────────────────────────


def tracked(reference: str, event: str, *, said: str = "") -> bool:
    """What a provider says of a message, by its reference; whether it is one of ours.

    `event`: delivered, bounced, deferred, rejected, failed, complained or unsubscribed; others are noted by nobody.
    """
    found = unsign(REFERENCE, reference)
    tenant = Tenant.objects.filter(pk=found[0], is_active=True).first() if found else None
    if not found or tenant is None:
        return False
    with tenant_scope(tenant):
        rows = Message.objects.select_for_update(of=("self",)).select_related(
            "customer", "contact", "member", "follow_up"
        )
        message = rows.filter(pk=found[1]).first()
        if message is None:
            return False
        _track(message, event, said)
    return True


def _track(message: Message, event: str, said: str) -> None:
    if event == "bounced":
        bounce(message, said)
    elif event in ("rejected", "failed"):
        if message.status != S.FAILED:
            message.status, message.why, message.counts_at = S.FAILED, "refused", None
            message.answer = said[:2000]
            note_attempt(message, event, said)
            message.save()
            record("failed", message, {"why": "refused"})
    elif event == "delivered":
        if message.status == S.UNCERTAIN:
            mark_sent(message, said=said)
    elif event == "deferred":
        note_attempt(message, "delayed", said)
        message.save(update_fields=["trail", "updated_at"])
    elif event in ("complained", "unsubscribed"):
        how = OptOut.How.COMPLAINT if event == "complained" else OptOut.How.LINK
        opt_out(contact=message.contact, channel=message.channel, how=how, message=message)
