"""The minute's look at the clocks: which have run out, and whether the firm's working hours have changed meanwhile."""

from __future__ import annotations

from django.utils import timezone

from risk.incidents.room import Refused, lock, log, reckon, tell, touch
from risk.models import Incident, IncidentClock
from tenants.calendars import firm_calendar
from tenants.context import tenant_scope
from tenants.events import record
from tenants.models import Tenant
from tenants.policies import active_policy


def watch_all() -> int:
    """Look at the crises of every firm; returns how many lines were written."""
    return sum(watch(tenant) for tenant in Tenant.objects.filter(is_active=True))


def watch(tenant: Tenant) -> int:
    """Say of every clock that has run out that it has, once; returns how many lines of the log that made.

    Each incident is a transaction of its own under its lock: killed in the middle, the rest is done with the next ring.
    """
    with tenant_scope(tenant):
        if not Incident.objects.filter(closed_at__isnull=True).exists():
            return 0
        version = active_policy().number
        due = IncidentClock.objects.filter(
            met_at__isnull=True, dropped_at__isnull=True, breached_at__isnull=True, deadline_at__lte=timezone.now(),
            incident__closed_at__isnull=True,
        ).values_list("incident_id", flat=True)  # fmt: skip
        stale = Incident.objects.filter(closed_at__isnull=True).exclude(calendar_version=version)
        ids = sorted({*due, *stale.values_list("pk", flat=True)})
    return sum(_look_at(tenant, pk) for pk in ids)


def _look_at(tenant: Tenant, pk: int) -> int:
    with tenant_scope(tenant):
        try:
            incident = lock(Incident(pk=pk))
        except Refused:
            return 0  # somebody has closed it since
        policy, lines = active_policy(), 0
        if incident.calendar_version != policy.number:
            moved = reckon(incident, firm_calendar(policy))
            incident.calendar_version = policy.number
            if moved:
                facts = {"clocks": [each.as_json() for each in moved], "policy": policy.number}
                log(incident, member=None, code="calendar", facts=facts, key=f"calendar:{policy.number}")
                record("reckoned", incident, facts, policy_version=policy.number)
                lines += 1
            touch(incident, "calendar_version")
        now = timezone.now()
        clocks = IncidentClock.objects.filter(
            incident=incident, met_at__isnull=True, dropped_at__isnull=True, breached_at__isnull=True,
            deadline_at__lte=now,
        )  # fmt: skip
        for clock in clocks.order_by("deadline_at", "pk"):
            clock.breached_at = clock.deadline_at
            clock.save(update_fields=["breached_at"])
            key = f"breached:{clock.kind}:{int(clock.deadline_at.timestamp())}"
            log(
                incident, member=None, code="breached", facts={"clock": clock.kind}, key=key, at=clock.deadline_at
            )  # fmt: skip
            record("breached", incident, {"clock": clock.kind, "deadline": clock.deadline_at.isoformat()})
            tell(incident, "incident.breached", key=key, params={"clock": clock.kind})
            touch(incident)
            lines += 1
        return lines
