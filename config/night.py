"""The night: the apps' steps in order, per tenant, at 02:00 of its own time."""

from __future__ import annotations

import datetime as dt
from typing import Final

import dashboards.nightly
import followups.nightly
import health.forecasting
import health.nightly
import risk.nightly
import segmentation.cross_selling
import segmentation.nightly
import segmentation.valuing
from tenants.context import tenant_scope
from tenants.models import Run, Tenant
from tenants.runs import Step, open_run, open_runs, work_off

JOB: Final = "nightly"
STARTS_AT: Final = dt.time(2, 0)

STEPS: Final[dict[str, Step]] = {
    "segmentation": segmentation.nightly.run,
    "value": segmentation.valuing.run,
    "cross-sell": segmentation.cross_selling.run,
    "health": health.nightly.run,
    "forecast": health.forecasting.run,
    "follow-ups": followups.nightly.run,
    "risk": risk.nightly.run,
    "saved-segments": dashboards.nightly.run,
}


def run_night(tenant: Tenant, as_of: dt.date) -> Run:
    """Run a tenant's night for a day now, also one that has run before: it then finds nothing to change.

    Facts before the first instant of `as_of` in the tenant's zone count.
    """
    return work_off(open_run(tenant, JOB, as_of, STEPS, again=True), STEPS)


def work_off_night(run: Run) -> Run:
    """Go on with a night that is open."""
    return work_off(run, STEPS)


def due_night(tenant: Tenant, now: dt.datetime) -> Run | None:
    """The night that should be under way: opened on its first ring after 02:00; nights missed before are one."""
    local = now.astimezone(tenant.zone)
    as_of = local.date() if local.time() >= STARTS_AT else local.date() - dt.timedelta(days=1)
    with tenant_scope(tenant):
        known = Run.objects.filter(job=JOB, for_date__gte=as_of).exists()
        # A firm made today has no night to catch up on before its first 02:00.
        if known or tenant.local_date(tenant.created_at) > as_of:
            return None
    return open_run(tenant, JOB, as_of, STEPS)


def open_nights(tenant: Tenant) -> list[Run]:
    """Nights that are open and that nobody works on."""
    return open_runs(tenant, JOB)
