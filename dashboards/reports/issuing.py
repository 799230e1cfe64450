"""Making reports: which are due in a firm, and a report that somebody looks at before it is made."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from dashboards.reports.facts import Facts, Sources, gather
from incentives.kpis.figures import Who
from incentives.reports import services as reports
from incentives.rules.kpis import Period
from incentives.rules.report_policy import ReportPolicy
from incentives.rules.reports import KINDS, Kind, Slot, due_slot
from tenants.calendars import firm_calendar
from tenants.context import current_tenant, tenant_scope
from tenants.models import Tenant
from tenants.policies import active_policy


def issue_due(tenant: Tenant, now: dt.datetime | None = None) -> int:
    """Make the reports of a firm whose moment has come, and tell their readers; returns how many were made.

    Each is made and told in a transaction of its own: killed anywhere, the next ring goes on with those that are not
    there yet, and nobody is told twice.
    """
    at = now or timezone.now()
    made = 0
    for slot in due(tenant, at):
        with tenant_scope(tenant):
            wanted = [who for who in reports.readers(slot.kind) if reports.kept(slot.kind, slot.period, who) is None]
        if not wanted:
            continue
        sources = Sources(slot.period, tenant.local_date(at))
        for who in wanted:
            made += _make(tenant, slot, who, sources)
    return made


def due(tenant: Tenant, now: dt.datetime) -> list[Slot]:
    """The reports whose moment came last, of each kind, unless that is too long ago."""
    with tenant_scope(tenant):
        policy = active_policy()
        rules, calendar = policy.section(ReportPolicy), firm_calendar(policy)
        found = [due_slot(kind, now, calendar, rules, tenant.created_at) for kind in KINDS]
    return [slot for slot in found if slot is not None]


def _make(tenant: Tenant, slot: Slot, who: Who, sources: Sources) -> int:
    with tenant_scope(tenant):
        readers = reports.readers(slot.kind).get(who, [])
        facts = gather(slot.kind, who, sources)
        kept = reports.keep(kind=slot.kind, period=slot.period, who=who, facts=facts, told=readers)
    return int(kept is not None)


def facts_now(kind: Kind, period: Period, who: Who) -> Facts:
    """What a report would say now; nothing is kept."""
    return gather(kind, who, Sources(period, current_tenant().today()))
