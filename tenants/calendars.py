"""The calendar of the open scope's tenant."""

from __future__ import annotations

from tenants.context import current_tenant
from tenants.policies import Policy, active_policy
from tenants.rules.calendar import Calendar, CalendarPolicy


def firm_calendar(policy: Policy | None = None) -> Calendar:
    """Working days and hours by a policy, that in force unless one is given."""
    tenant = current_tenant()
    rules = (policy or active_policy()).section(CalendarPolicy)
    return Calendar.of(rules, tenant.zone, tenant.country)
