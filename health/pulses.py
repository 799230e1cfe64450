"""Writing and reading pulses: a person's own view of a customer, beside the score and never mixed in."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.models import Customer
from customers.services.rows import Outcome, clean, error_of, lock
from health.models import Pulse
from health.rules.policy import HealthPolicy
from tenants.context import current_tenant
from tenants.events import acting, record
from tenants.models import Member
from tenants.permissions import Role
from tenants.policies import active_policy

MAY_WITHDRAW: Final = frozenset({Role.TEAM_LEAD, Role.ADMIN})
"""Who besides its author takes a pulse back: somebody must be able to when the author has left."""


def give_pulse(*, customer: Customer, band: str, reason: str, member: Member, note: str = "") -> tuple[Pulse, Outcome]:
    """Write down how a member sees a customer, and why; it counts from now on, in place of the one before.

    Said again the same day by the same member it changes nothing.

    Raises ValidationError by field: a colour or a reason that does not exist, a note longer than 300 characters,
    and a customer who is closed.
    """
    with acting(member):
        lock(customer)
        pulse = Pulse(customer=customer, member=member, band=band, reason=reason, note=note.strip())
        clean(pulse, skip=["withdrawn_at"], check=_check)
        before = latest_pulse(customer)
        if before is not None and _says(before) == _says(pulse) and _is_of_today(before):
            return before, "unchanged"
        pulse.save(force_insert=True)
        old = {} if before is None else {"band": before.band, "reason": before.reason, "note": before.note}
        new = {"band": pulse.band, "reason": pulse.reason, "note": pulse.note}
        record("given", pulse, {name: [old.get(name), value] for name, value in new.items()})
        return pulse, "created"


def withdraw(*, pulse: Pulse, member: Member) -> Outcome:
    """Take a view back, and with it what its author had said about the customer before: that does not rise again.

    What somebody else has said counts again, as long as it is young enough.

    Raises PermissionDenied, in words, for who is neither its author nor a lead or an administrator.
    """
    with acting(member):
        lock(pulse.customer)
        pulse.refresh_from_db()
        if not may_withdraw(pulse, member):
            raise PermissionDenied(_("Only who gave this view, a lead or an administrator may take it back."))
        if pulse.withdrawn_at is not None:
            return "unchanged"
        pulse.withdrawn_at = timezone.now()
        earlier = Pulse.objects.filter(customer=pulse.customer_id, member=pulse.member_id, withdrawn_at__isnull=True)
        earlier.filter(at__lte=pulse.at).update(withdrawn_at=pulse.withdrawn_at)
        record("withdrawn", pulse, {"band": [pulse.band, None], "reason": [pulse.reason, None]})
        return "updated"


def may_withdraw(pulse: Pulse, member: Member) -> bool:
    """Whether the member may take the pulse back."""
    return member.can("pulses:write") and (pulse.member_id == member.pk or member.role in MAY_WITHDRAW)


def _says(pulse: Pulse) -> tuple[object, ...]:
    return pulse.member_id, pulse.band, pulse.reason, pulse.note


def _is_of_today(pulse: Pulse) -> bool:
    tenant = current_tenant()
    return tenant.local_date(pulse.at) == tenant.today()


def _check(pulse: Pulse) -> dict[str, ValidationError]:
    if pulse.customer.closed_on is not None:
        return {"customer": error_of(_("A closed customer has no score to set a view beside."), "closed")}
    return {}


# ── which counts ─────────────────────────────────────────────────────────────


def counting_from() -> dt.datetime:
    """Since when a pulse must have been given to count today: the policy's `pulse_days`."""
    tenant = current_tenant()
    days = active_policy().section(HealthPolicy).pulse_days
    return tenant.start_of(tenant.today() - dt.timedelta(days=days))


def counting() -> QuerySet[Pulse]:
    """The pulses that could count: not taken back, and young enough; of each customer the latest does."""
    rows: QuerySet[Pulse] = Pulse.objects.filter(withdrawn_at__isnull=True, at__gte=counting_from())
    return rows


def latest_pulses() -> QuerySet[Pulse]:
    """The pulse that counts of each customer who has one, in one query."""
    latest = counting().order_by("customer_id", "-at", "-pk").distinct("customer_id")
    rows: QuerySet[Pulse] = Pulse.objects.filter(pk__in=latest.values("pk"))
    return rows


def latest_pulse(customer: Customer) -> Pulse | None:
    """The pulse of a customer that counts, with who gave it; None when there is none."""
    rows = counting().filter(customer=customer).select_related("member__user")
    return rows.order_by("-at", "-pk").first()
