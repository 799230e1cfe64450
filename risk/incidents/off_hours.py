"""The automatic answer outside working hours: it names when the firm really opens again."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from customers.models import Channel, Contact
from followups.messages.outbox import queue_message
from followups.models import Message
from followups.surveys.words import language_of
from risk.incidents.room import log
from risk.incidents.words import entry_words
from risk.models import Incident, IncidentEntry
from tenants.context import current_tenant


def answer(incident: Incident, opens_at: dt.datetime) -> IncidentEntry:
    """Write the answer into the timeline, and mail it to the first contact who has an address; once an incident.

    A drill answers nobody: its line stands in the timeline for the team alone to see.
    """
    entry, is_new = log(
        incident, member=None, code="off_hours", facts={"opens": opens_at.isoformat()}, is_visible=True, key="off_hours"
    )
    if is_new and not incident.is_drill and (contact := first_contact(incident)) is not None:
        mail(incident, contact, entry)
    return entry


def first_contact(incident: Incident) -> Contact | None:
    """Whom an answer goes to: the first to ask who is there and has an e-mail address."""
    rows = Contact.objects.filter(customer=incident.customer_id, left_on__isnull=True).exclude(email="")
    found: Contact | None = rows.order_by("-is_main", "pk").first()
    return found


def text_for(incident: Incident, contact: Contact, entry: IncidentEntry) -> tuple[str, str]:
    """Subject and text in the contact's language, for mail, or to be copied where there is no mail."""
    tenant = current_tenant()
    with translation.override(language_of(contact)), timezone.override(tenant.zone):
        subject = _("We have your message: %(title)s") % {"title": incident.title}
        body = _("Hello %(name)s,\n\n%(words)s\n\nOur reference: %(number)s\n\n%(firm)s") % {
            "name": contact.name, "words": entry_words(entry), "number": incident.name, "firm": tenant.name,
        }  # fmt: skip
    return subject[:200], body


def mail(incident: Incident, contact: Contact, entry: IncidentEntry) -> Message:
    """Hand the answer to the outbox, as a message of service."""
    subject, body = text_for(incident, contact, entry)
    return queue_message(
        customer=incident.customer, contact=contact, channel=Channel.EMAIL, purpose="service", subject=subject,
        body=body, origin=f"incident:{incident.name}", period=f"off_hours:{incident.pk}",
    )  # fmt: skip
