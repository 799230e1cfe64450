"""Leaving by the link in a mail: without signing in, by one click, and back again by another."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from customers.models import Contact
from followups.models import Message, OptOut
from tenants.context import current_tenant
from tenants.events import record
from tenants.models import Tenant
from tenants.signed import sign, unsign

KIND: Final = "unsubscribe"


def unsubscribe_url(message: Message) -> str:
    """The address at which the contact of a message leaves; it needs no sign-in, so it is signed."""
    token = sign(KIND, current_tenant().pk, message.pk)
    return f"{settings.PUBLIC_URL}{reverse('unsubscribe', kwargs={'token': token})}"


def tenant_of(token: str) -> tuple[Tenant, int] | None:
    """The firm and the message of an address that we have signed, or None."""
    found = unsign(KIND, token)
    tenant = Tenant.objects.filter(pk=found[0], is_active=True).first() if found else None
    return (tenant, found[1]) if tenant and found else None


@transaction.atomic
def opt_out(*, contact: Contact, channel: str, how: str, message: Message | None = None, note: str = "") -> OptOut:
    """Note that a contact wants to hear nothing by a channel ("" for all); noting it again changes nothing."""
    row, is_new = OptOut.objects.get_or_create(
        contact=contact, channel=channel, defaults={"how": how, "message": message, "note": note}
    )
    if is_new:
        record("opted out", contact, {"channel": channel, "how": how})
    found: OptOut = row
    return found


@transaction.atomic
def opt_in(*, contact: Contact, channel: str) -> bool:
    """Take an opt-out back, at the contact's own wish; whether there was one."""
    gone, _kinds = OptOut.objects.filter(contact=contact, channel=channel).delete()
    if gone:
        record("opted in", contact, {"channel": channel})
    return bool(gone)
