"""Bells. Each looks in the database for what is due, so that a ring too many or too few does no harm."""

from celery import shared_task
from django.utils import timezone

from config import arrivals
from config.night import due_figures, due_night, open_nights, work_off_night
from tenants import partitions
from tenants.context import tenant_scope
from tenants.models import Run, Tenant

MAX_HELPERS = 15
"""Bells for one step of one night; who finds nothing to take goes on at once."""


@shared_task
def ring_the_night() -> int:
    """Open the nights that are due, and figures that a night has left behind, and send each to a worker; returns how many."""
    opened = [
        run
        for tenant in Tenant.objects.filter(is_active=True)
        if (run := due_night(tenant, timezone.now()) or due_figures(tenant))
    ]
    for run in opened:
        work_off_run.delay(run.tenant_id, run.pk)
    return len(opened)


@shared_task
def sweep_runs() -> int:
    """Ring again for open nights that nobody works on: a worker died, or a bell was lost."""
    held = [run for tenant in Tenant.objects.filter(is_active=True) for run in open_nights(tenant)]
    for run in held:
        work_off_run.delay(run.tenant_id, run.pk)
    return len(held)


@shared_task
def work_off_run(tenant_id: int, run_id: int) -> str:
    """Go on with one night; returns how it stands."""
    tenant = Tenant.objects.get(pk=tenant_id)
    with tenant_scope(tenant):
        run = Run.objects.select_related("tenant").get(pk=run_id)
    status = work_off_night(run, lambda others: _ring(run, others)).status
    if (figures := due_figures(tenant)) is not None:
        work_off_run.delay(tenant.pk, figures.pk)
    return status


def _ring(run: Run, others: int) -> None:
    for _worker in range(min(others, MAX_HELPERS)):
        work_off_run.delay(run.tenant_id, run.pk)


@shared_task
def look_at_arrivals() -> int:
    """Score again whoever a fact has come in about since the night; returns how many."""
    return arrivals.look_at_arrivals()


@shared_task
def keep_partitions() -> int:
    """Make the history tables' partitions of the next year, where they are missing; returns how many."""
    return len(partitions.upkeep())
