"""A script to many customers: each gets it in their own words and by their own channel, as far as the governor lets it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from customers.models import Channel, Contact
from followups import services
from followups.messages.governor import BY_HAND
from followups.messages.outbox import OPEN, queue_message
from followups.messages.whys import message_why
from followups.models import FollowUp, Message, Script
from followups.scripts.services import NothingToSay, render
from followups.services import Change, Refused
from tenants.context import current_tenant
from tenants.events import acting, record
from tenants.models import Member


def send_many(*, ids: Collection[int], said: Mapping[str, Any], member: Member, origin: str) -> Change:
    """Queue a script for the contacts of the follow-ups `ids`; those whose message is on its way are done.

    `said`: script (id) and channel ("" for that of the script, else of the follow-up). What the governor blocks, who has no
    contact and what cannot be said stays, with the reason in words. `origin` and the follow-up make each message one: doing
    it again sends nothing twice. Raises Refused for a script that has gone or is switched off.
    """
    script = Script.objects.filter(pk=said["script"], is_on=True).prefetch_related("variants").first()
    if script is None:
        raise Refused(_("This script is no longer in use."), code="no_script")
    with acting(member):
        rows = services.lock_visible(ids, member)
        change = Change()
        for row in rows:
            if row.status != FollowUp.Status.OPEN:
                change.stays.append((row, services.who_was_faster(row, member)))
            elif why := _send(row, script, str(said.get("channel") or ""), member, origin):
                change.stays.append((row, why))
            else:
                services.done_by_message(row, member, change)
        return change


def _send(row: FollowUp, script: Script, channel: str, member: Member, origin: str) -> str:
    """Queue it for one follow-up; returns why it does not go, or nothing."""
    contact = row.contact or _first_to_ask(row)
    if contact is None:
        return _("%(customer)s: no contact is known.") % {"customer": row.customer.name}
    way = channel or script.channel or (Channel.EMAIL if row.channel in BY_HAND else row.channel)
    try:
        words = render(
            script,
            customer=row.customer,
            contact=contact,
            member=member,
            language=contact.language or current_tenant().language,
        )
        message = queue_message(
            customer=row.customer,
            contact=contact,
            channel=way,
            purpose="personal",
            subject=words.subject,
            body=words.body,
            origin=origin,
            period=str(row.pk),
            follow_up=row,
            script=words.variant,
            language=words.language,
            member=member,
        )
    except NothingToSay as nothing:
        return str(nothing)
    except ValidationError as wrong:
        return f"{row.customer.name}: {' '.join(wrong.messages)}"
    if message.status == Message.Status.BLOCKED:
        return f"{row.customer.name}: {message_why(message)}"
    return ""


def _first_to_ask(row: FollowUp) -> Contact | None:
    reachable = Contact.objects.filter(customer=row.customer, left_on__isnull=True)
    found: Contact | None = reachable.exclude(consent=Contact.Consent.WITHDRAWN).order_by("-is_main", "pk").first()
    return found


def withdraw(*, origin: str, follow_ups: Sequence[int]) -> set[int]:
    """Take back the messages of a bulk to these follow-ups; returns the follow-ups whose message has gone already."""
    rows = Message.objects.select_for_update().filter(origin=origin, period__in=[str(pk) for pk in follow_ups])
    gone = set()
    for message in rows.order_by("pk"):
        if message.status in OPEN:
            message.status, message.counts_at = Message.Status.CANCELLED, None
            message.save(update_fields=["status", "counts_at", "updated_at"])
            record("cancelled", message)
        elif message.status not in {Message.Status.CANCELLED, Message.Status.BLOCKED}:
            gone.add(int(message.period))
    return gone
