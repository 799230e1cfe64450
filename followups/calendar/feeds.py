"""A member's follow-ups as a calendar that other programmes subscribe to (iCalendar, RFC 5545).

The address is the key: whoever has it reads the calendar without signing in, so it is secret, can be ended at any time,
and only a hash of it is kept.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final

import icalendar
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from followups.models import CalendarFeed, FollowUp
from followups.reasons import phrase
from tenants.context import current_tenant
from tenants.events import record
from tenants.models import Member, Tenant
from tenants.services import is_secret, make_secret, prefix_of, tenant_of_token

KIND: Final = "cal"
MOST: Final = 2_000
"""Follow-ups in a feed, those that are due first."""
USED_EVERY: Final = dt.timedelta(minutes=5)
FRESH_FOR: Final = dt.timedelta(minutes=15)
"""How often programmes are asked to look again."""


@transaction.atomic
def make_feed(*, member: Member) -> tuple[CalendarFeed, str]:
    """Give the member a new secret address; one that they had ends. Returns the row and the secret's text."""
    Member.objects.select_for_update(no_key=True).get(pk=member.pk)  # two who ask at once get one after the other
    revoke_feed(member=member)
    prefix, secret_hash, text = make_secret(KIND)
    feed = CalendarFeed.objects.create(member=member, prefix=prefix, secret_hash=secret_hash)
    record("created", feed)
    return feed, text


@transaction.atomic
def revoke_feed(*, member: Member) -> bool:
    """End the member's address now; whether there was one."""
    rows = list(CalendarFeed.objects.select_for_update().filter(member=member, revoked_at__isnull=True))
    for feed in rows:
        feed.revoked_at = timezone.now()
        feed.save(update_fields=["revoked_at"])
        record("revoked", feed)
    return bool(rows)


def feed_of(member: Member) -> CalendarFeed | None:
    """The member's address as it is in use, or None."""
    found: CalendarFeed | None = CalendarFeed.objects.filter(member=member, revoked_at__isnull=True).first()
    return found


def tenant_of_feed(text: str) -> Tenant | None:
    """The tenant that a secret names, before anything is proven."""
    return tenant_of_token(text, kind=KIND)


def check_feed(text: str) -> CalendarFeed | None:
    """The feed that this secret opens in the open scope's tenant, or None. Notes when it was last used."""
    rows = CalendarFeed.objects.select_related("member__user").filter(prefix=prefix_of(text), revoked_at__isnull=True)
    feed: CalendarFeed | None = rows.first()
    if feed is None or not is_secret(feed.secret_hash, text):
        return None
    if not feed.member.is_active or not feed.member.user.is_active or not feed.member.can("follow-ups:read"):
        return None
    now = timezone.now()
    if feed.last_used_at is None or now - feed.last_used_at > USED_EVERY:
        CalendarFeed.objects.filter(pk=feed.pk).update(last_used_at=now)
    return feed


def calendar_of(member: Member, address: Callable[[FollowUp], str]) -> bytes:
    """The member's open follow-ups as a calendar: each on its day, with its hour where it has one.

    `address` gives the page of a follow-up. Who they are assigned to must still see the customer.
    """
    tenant = current_tenant()
    today = tenant.today()
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//Perennial//Follow-ups//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", _("Follow-ups, %(who)s") % {"who": member})
    calendar.add("x-wr-timezone", tenant.timezone)
    calendar.add("refresh-interval", FRESH_FOR, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", FRESH_FOR)
    rows = FollowUp.objects.visible_to(member).filter(assignee=member, status=FollowUp.Status.OPEN)
    for row in rows.select_related("customer", "contact").order_by("day", "pk")[:MOST]:
        calendar.add_component(_event(row, tenant, today, address(row)))
    return bytes(calendar.to_ical())


def _event(row: FollowUp, tenant: Tenant, today: dt.date, address: str) -> icalendar.Event:
    event = icalendar.Event()
    event.add("uid", f"follow-up-{row.pk}@{tenant.slug}.perennial")
    event.add("dtstamp", row.updated_at)
    event.add("last-modified", row.updated_at)
    if row.due_at and tenant.local_date(row.due_at) == row.day:
        event.add("dtstart", row.due_at.astimezone(dt.UTC))
        event.add("dtend", (row.due_at + dt.timedelta(minutes=30)).astimezone(dt.UTC))
    else:
        event.add("dtstart", row.day)
        event.add("dtend", row.day + dt.timedelta(days=1))
    event.add("summary", _("%(customer)s: %(reason)s") % {"customer": row.customer.name, "reason": phrase(row, today)})
    who = f"{row.get_channel_display()}, {row.contact.name}" if row.contact else str(row.get_channel_display())
    event.add("description", who)
    event.add("url", address)
    event.add("transp", "TRANSPARENT")  # it blocks nobody's time
    event.add("class", "PRIVATE")
    return event
