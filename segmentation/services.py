"""Writing: tiers that people pin, and unpin."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from customers.models import Customer
from customers.services.arrivals import arrived
from customers.services.rows import Outcome, all_of, clean, error_of, lock
from segmentation.locks import lock_standings
from segmentation.models import Standing, Tier, TierChange, TierPin
from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import TIER_ORDER
from tenants.context import current_tenant
from tenants.events import acting, record
from tenants.models import Member
from tenants.policies import active_policy

PIN_DAYS: Final = 2 * 365
"""How far ahead a pin may end: whoever looks after the customer then looks again."""


def pin_tier(*, customer: Customer, tier: str, reason: str, until: dt.date, member: Member) -> tuple[TierPin, Outcome]:
    """Fix the customer's tier up to and with the day `until`, for a reason; takes the place of the pin before.

    It counts at once: the tier changes in the same transaction, with its history and an event, and the nights
    keep it. A customer whom no night has seen gets the tier with the first one. Sent again by the same member it
    changes nothing.

    Raises ValidationError by field: a tier that the policy's scheme does not have, a customer who is closed, no
    reason, and an end that has passed or lies more than PIN_DAYS ahead.
    """
    with acting(member):
        lock_standings(alone=True)
        lock(customer)
        scheme = active_policy().section(TierPolicy).scheme
        pin = TierPin(customer=customer, tier=tier, reason=reason.strip(), until=until, created_by=member)
        all_of(
            lambda: clean(pin, skip=["ended_at"]),
            lambda: _check_tier(customer, tier, TIER_ORDER[scheme]),
            lambda: _check_end(until),
        )
        before: TierPin | None = TierPin.objects.filter(customer=customer, ended_at__isnull=True).first()
        if before is not None:
            if _says(before) == _says(pin):
                return before, "unchanged"
            _end(before, member)
        pin.save(force_insert=True)
        old = {"tier": before.tier, "until": str(before.until), "reason": before.reason} if before else {}
        new = {"tier": tier, "until": str(until), "reason": pin.reason}
        record("pinned", pin, {name: [old.get(name), value] for name, value in new.items()})
        _move(customer, pin)
        return pin, "created"


def unpin(*, pin: TierPin, member: Member) -> Outcome:
    """End a pin before its day. The tier stays until the night, which goes on as ever: a fall has its grace."""
    with acting(member):
        lock_standings(alone=True)
        lock(pin.customer)
        pin.refresh_from_db()
        if pin.ended_at is not None:
            return "unchanged"
        _end(pin, member)
        record("unpinned", pin, {"tier": [pin.tier, None], "until": [str(pin.until), None]})
        return "updated"


def _says(pin: TierPin) -> tuple[Any, ...]:
    return pin.tier, pin.reason, pin.until, pin.created_by_id


def _check_tier(customer: Customer, tier: str, tiers: tuple[str, ...]) -> None:
    if customer.closed_on is not None:
        raise ValidationError({"tier": error_of(_("A closed customer has no tier."), "closed")})
    if tier not in tiers:
        labels = ", ".join(str(Tier(code).label) for code in tiers)
        words = _("The policy in force has no such tier; it has: %(tiers)s.") % {"tiers": labels}
        raise ValidationError({"tier": error_of(words, "not_in_scheme")})


def _check_end(until: dt.date) -> None:
    today = current_tenant().today()
    if until < today:
        raise ValidationError({"until": error_of(_("This day has passed."), "in_the_past")})
    if until > (latest := today + dt.timedelta(days=PIN_DAYS)):
        words = _("At most until %(day)s; then look at it again.") % {"day": date_format(latest)}
        raise ValidationError({"until": error_of(words, "too_far")})


def _end(pin: TierPin, member: Member) -> None:
    pin.ended_at, pin.ended_by = timezone.now(), member
    pin.save(update_fields=["ended_at", "ended_by"])


def _move(customer: Customer, pin: TierPin) -> None:
    """Bring the standing to the pin, as the night would: nobody is below a tier that is pinned."""
    row: Standing | None = Standing.objects.filter(customer=customer).first()
    if row is None or (row.tier == pin.tier and row.below_since is None):
        return
    version = active_policy().number
    now: dict[str, Any] = {"tier": pin.tier, "below_since": None, "policy_version": version}
    Standing.objects.filter(customer=customer).update(**now)
    # Health, follow-ups and alerts go by the tier; the last night has gone by another one.
    arrived([customer.pk])
    if row.tier == pin.tier:
        return
    facts = {"move": "pin", "pin": pin.tier, "reason": pin.reason, "until": str(pin.until)}
    TierChange.objects.create(
        customer=customer, on=current_tenant().today(), before=row.tier, after=pin.tier, facts=facts,
        policy_version=version,
    )  # fmt: skip
    changes = {"tier": [row.tier, pin.tier], "facts": facts}
    record("tier_changed", customer, changes, policy_version=version)
