"""What is said in a crisis: lines of the timeline, and the private link by which the customer reads theirs."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import F
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from customers.models import Channel, Contact
from customers.services.rows import Outcome, error_of
from followups.messages.outbox import queue_message
from followups.surveys.words import language_of
from risk.incidents.room import Refused, crisis_policy, lock, log, touch
from risk.models import Incident, IncidentEntry, IncidentLink
from tenants.context import current_tenant
from tenants.events import acting, record
from tenants.models import Member, Tenant
from tenants.signed import sign, unsign
from tenants.templatetags.perennial import long_day

TEXT_LENGTH: Final = 4_000
_KIND: Final = "incident"
READ_AGAIN: Final = dt.timedelta(minutes=1)
"""Looking again so soon counts as the same reading."""


def write_update(
    *,
    incident: Incident,
    text: str,
    member: Member,
    is_visible: bool = False,
    about: str = "",
    key: str = "",
) -> tuple[IncidentEntry, Outcome]:
    """Write a line of the timeline. With the `key` of a line that is there, that line: a form may be sent twice.

    `is_visible`: the customer reads it by the link. `about` marks what the improvement report is drawn from. A closed
    crisis takes lines as well. Raises ValidationError for no text or too much.
    """
    said = text.strip()
    if not said or len(said) > TEXT_LENGTH:
        words = _("Write what happened.") if not said else _("At most %(count)d characters.") % {"count": TEXT_LENGTH}
        raise ValidationError({"text": error_of(words, "required" if not said else "too_long")})
    if about not in IncidentEntry.About.values:
        raise ValidationError({"about": error_of(_("Choose one of the list."), "invalid")})
    with acting(member):
        row = lock(incident, is_open=False)
        entry, is_new = log(row, member=member, text=said, is_visible=is_visible, about=about, key=key[:40])
        if not is_new:
            return entry, "unchanged"
        touch(row)
        record("updated", row, {"visible": is_visible, "entry": entry.pk})
        return entry, "created"


# ── the customer's page ─────────────────────────────────────────────────────


def make_link(
    *, incident: Incident, contact: Contact, member: Member, send: bool = False
) -> tuple[IncidentLink, Outcome]:
    """A private address for one contact, good for the policy's days; one that works already comes back.

    `send`: it goes to the contact by e-mail. Raises Refused for a drill, ValidationError for somebody else's contact
    and for one without an address to send it to.
    """
    wrong = {}
    if contact.customer_id != incident.customer_id:
        wrong["contact"] = error_of(_("This contact belongs to another customer."), "other_customer")
    elif send and not contact.email:
        wrong["contact"] = error_of(_("%(name)s has no e-mail address.") % {"name": contact}, "no_address")
    if wrong:
        raise ValidationError(wrong)
    with acting(member):
        row = lock(incident, is_open=False)
        if row.is_drill:
            raise Refused(_("This is a drill: the customer hears nothing of it."), code="drill")
        now = timezone.now()
        known = IncidentLink.objects.filter(incident=row, contact=contact, revoked_at__isnull=True).first()
        if known is not None and known.expires_at <= now:
            known.revoked_at = now
            known.save(update_fields=["revoked_at"])
            known = None
        days = dt.timedelta(days=crisis_policy().link_days)
        link = known or IncidentLink.objects.create(
            incident=row, contact=contact, created_at=now, created_by=member, expires_at=now + days
        )
        if known is None:
            log(row, member=member, code="link", facts={"did": "made", "name": contact.name})
            record("link_made", row, {"contact": contact.pk})
        if send:
            _mail(row, link, contact, member)
            log(row, member=member, code="link", facts={"did": "sent", "name": contact.name}, key=f"mailed:{link.pk}")
        if known is None or send:
            touch(row)
        return link, "created" if known is None else "unchanged"


def _mail(incident: Incident, link: IncidentLink, contact: Contact, member: Member) -> None:
    tenant = current_tenant()
    with translation.override(language_of(contact)), timezone.override(tenant.zone):
        subject = _("Where we stand: %(title)s") % {"title": incident.title}
        body = _(
            "Hello %(name)s,\n\non this page you see what we have done about it, what follows, and by when:\n\n%(link)s\n\n"
            "The page is for you alone. It can be opened until %(day)s.\n\n%(firm)s"
        ) % {
            "name": contact.name, "link": address_of(link), "day": long_day(tenant.local_date(link.expires_at)),
            "firm": tenant.name,
        }  # fmt: skip
    queue_message(
        customer=incident.customer, contact=contact, channel=Channel.EMAIL, purpose="service", subject=subject[:200],
        body=body, origin=f"incident:{incident.name}", period=f"link:{link.pk}", member=member,
    )  # fmt: skip


def revoke_link(*, link: IncidentLink, member: Member) -> Outcome:
    """End a link at once; again changes nothing."""
    with acting(member):
        row = lock(link.incident, is_open=False)
        fresh = IncidentLink.objects.select_related("contact").get(pk=link.pk)
        if fresh.revoked_at is not None:
            return "unchanged"
        fresh.revoked_at = timezone.now()
        fresh.save(update_fields=["revoked_at"])
        log(row, member=member, code="link", facts={"did": "revoked", "name": fresh.contact.name})
        touch(row)
        record("link_revoked", row, {"contact": fresh.contact_id})
        return "updated"


def token_of(link: IncidentLink) -> str:
    """The text in the address: signed with 120 bits, and kept nowhere."""
    return sign(_KIND, link.tenant_id, link.pk)


def address_of(link: IncidentLink) -> str:
    """The whole address, as a message has it."""
    return f"{settings.PUBLIC_URL}{reverse('incident-page', kwargs={'token': token_of(link)})}"


def read_token(text: str) -> tuple[Tenant, int] | None:
    """Whose link it is, and its number; None for what we have not signed and for a firm that is closed."""
    found = unsign(_KIND, text)
    if found is None:
        return None
    tenant = Tenant.objects.filter(pk=found[0], is_active=True).first()
    return None if tenant is None else (tenant, found[1])


def note_reading(link: IncidentLink) -> None:
    """Note that the contact has opened the page, so that the team sees it."""
    now = timezone.now()
    if link.last_read_at is not None and now - link.last_read_at < READ_AGAIN:
        return
    IncidentLink.objects.filter(pk=link.pk).update(
        reads=F("reads") + 1, last_read_at=now, first_read_at=link.first_read_at or now
    )
    Incident.objects.filter(pk=link.incident_id).update(revision=F("revision") + 1, updated_at=now)
