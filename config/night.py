"""The night: the apps' steps in order, per tenant, at 02:00 of its own time; and the figures counted after it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final

import customers.changes
import dashboards.counting
import dashboards.nightly
import dashboards.team.counting
import followups.journeys.services
import followups.nightly
import followups.surveys.asking
import health.counting
import health.forecasting
import health.nightly
import incentives.awards.nightly
import incentives.growth.nightly
import incentives.kpis.nightly
import incentives.ledger.accruing
import risk.nightly
import risk.playbooks.services
import risk.win_back.nightly
import segmentation.counting
import segmentation.cross_selling
import segmentation.nightly
import segmentation.valuing
from config import env
from customers.models import Customer
from tenants.context import tenant_scope
from tenants.models import Run, Tenant
from tenants.querysets import last_night
from tenants.runs import Step, open_run, open_runs, work_off

JOB: Final = "nightly"
STARTS_AT: Final = dt.time(2, 0)

PART: Final = env.number("NIGHT_PART", 250_000)
"""Customers in a part: what one worker takes at a time, and what bounds its memory."""

STEPS: Final[dict[str, Step]] = {
    "segmentation": segmentation.nightly.STEP,
    "value": segmentation.valuing.STEP,
    "cross-sell": segmentation.cross_selling.STEP,
    "health": health.nightly.STEP,
    "forecast": health.forecasting.NIGHT,
    "follow-ups": followups.nightly.STEP,
    "journeys": followups.journeys.services.NIGHT,
    "risk": risk.nightly.STEP,
    "playbooks": risk.playbooks.services.NIGHT,
    "win-back": risk.win_back.nightly.STEP,
    "surveys": followups.surveys.asking.STEP,
    "rewards": incentives.ledger.accruing.STEP,
    "kpis": incentives.kpis.nightly.STEP,
    "awards": incentives.awards.nightly.STEP,
    "growth": incentives.growth.nightly.STEP,
    "saved-segments": dashboards.nightly.STEP,
    "notes": Step(customers.changes.forget, splits=False),
}

FIGURES_JOB: Final = "figures"

FIGURES: Final[dict[str, Step]] = {
    "segment-figures": segmentation.counting.STEP,
    "health-figures": health.counting.STEP,
    "risk-figures": dashboards.counting.STEP,
    "kpi-figures": incentives.kpis.nightly.FIGURES,
    "desk-figures": dashboards.team.counting.STEP,
}
"""What the dashboards show of everybody, counted ahead: after the night, for nobody's queue waits for a chart."""

FIGURES_FROM: Final = env.number("FIGURES_FROM", 20_000)
"""Customers from which on figures are counted ahead; a smaller firm's pages count the rows themselves, as they are now."""

_JOBS: Final = {JOB: STEPS, FIGURES_JOB: FIGURES}

Ring = Callable[[int], None]


def run_night(tenant: Tenant, as_of: dt.date, *, everybody: bool = False) -> Run:
    """Run a tenant's night for a day now, also one that has run before: it then finds nothing to change.

    Facts before the first instant of `as_of` in the tenant's zone count. `everybody`: look at all customers anew, not
    only at those for whom something can have changed since the last night. A big firm's figures are counted, too.
    """
    run = work_off_night(open_night(tenant, as_of, again=True, everybody=everybody))
    if (figures := due_figures(tenant)) is not None:
        work_off_night(figures)
    return run


def open_night(tenant: Tenant, as_of: dt.date, *, again: bool = False, everybody: bool = False) -> Run:
    """A tenant's night for a day, ready to be worked off; `again`: also one that has run before."""
    return open_run(
        tenant, JOB, as_of, STEPS, again=again, everybody=everybody, cuts=lambda: customers.changes.cut_points(PART)
    )


def work_off_night(run: Run, ring: Ring | None = None) -> Run:
    """Go on with a night, or its figures, that is open; `ring` is told how many other workers could help."""
    return work_off(run, _JOBS[run.job], ring)


def due_night(tenant: Tenant, now: dt.datetime) -> Run | None:
    """The night that should be under way: opened on its first ring after 02:00; nights missed before are one."""
    local = now.astimezone(tenant.zone)
    as_of = local.date() if local.time() >= STARTS_AT else local.date() - dt.timedelta(days=1)
    with tenant_scope(tenant):
        known = Run.objects.filter(job=JOB, for_date__gte=as_of).exists()
        # A firm made today has no night to catch up on before its first 02:00.
        if known or tenant.local_date(tenant.created_at) > as_of:
            return None
    return open_night(tenant, as_of)


def due_figures(tenant: Tenant) -> Run | None:
    """The figures of the last night, opened, when they have not been counted since it ended; None for a small firm."""
    with tenant_scope(tenant):
        night = last_night()
        if night is None or night.finished_at is None:
            return None
        counted = Run.objects.filter(job=FIGURES_JOB, for_date=night.for_date).first()
        is_due = counted is None or (counted.finished_at is not None and counted.finished_at < night.finished_at)
        if not is_due or not Customer.objects.order_by("pk").values("pk")[FIGURES_FROM - 1 : FIGURES_FROM].exists():
            return None
    return open_run(tenant, FIGURES_JOB, night.for_date, FIGURES, again=True)


def open_nights(tenant: Tenant) -> list[Run]:
    """Nights, and figures of nights, that are open and that nobody works on."""
    return [run for job in _JOBS for run in open_runs(tenant, job)]
