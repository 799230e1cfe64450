"""Jobs that survive anything: the run and its steps are rows, and the row's lock is the lease.

1. `open_run` makes the run and its steps, or opens a finished one again; unique by (tenant, job, date).
2. `work_off` takes the next open step `FOR UPDATE SKIP LOCKED`, works inside that transaction and marks it
   done there: killed anywhere, the step is open again and nothing of it was written.
3. One version of the policy explains all that a run has written: when it has changed since the first step, they
   all work again.
4. Redis only rings the bell. `open_runs` finds what nobody holds, and the minute's sweep rings again.
"""

from __future__ import annotations

import datetime as dt
import logging
import traceback
from collections.abc import Callable, Mapping

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from tenants.context import tenant_scope
from tenants.models import PolicyVersion, Run, RunStep, Tenant

log = logging.getLogger("perennial.runs")

Counts = dict[str, int]
Step = Callable[[dt.date], Counts]
MAX_ATTEMPTS = 5


def open_run(tenant: Tenant, job: str, for_date: dt.date, steps: Mapping[str, Step], *, again: bool = False) -> Run:
    """The run of this job for this day, with all its steps; `again` opens one that is done or failed."""
    with tenant_scope(tenant):
        run, made = Run.objects.get_or_create(tenant=tenant, job=job, for_date=for_date)
        if again:
            run = Run.objects.select_for_update().get(pk=run.pk)
        # A run that somebody works on right now keeps its state: they will finish it.
        opened_again = not made and again and run.status != Run.Status.OPEN
        if opened_again:
            run.status, run.finished_at = Run.Status.OPEN, None
            run.save(update_fields=["status", "finished_at"])
            # The job may have got other steps since.
            run.steps.all().delete()
        if made or opened_again:
            RunStep.objects.bulk_create(
                [RunStep(run=run, ordinal=n, name=name) for n, name in enumerate(steps)], ignore_conflicts=True
            )
    return run


def work_off(run: Run, steps: Mapping[str, Step]) -> Run:
    """Work off the run's open steps in order; stops at a step that fails or that somebody else holds.

    A step that raises is rolled back and keeps its error; after MAX_ATTEMPTS the run counts as failed.
    Returns the run as it then stands.
    """
    tenant = run.tenant
    while _work_off_next(tenant, run, steps):
        pass
    with tenant_scope(tenant):
        run.refresh_from_db()
    return run


def _work_off_next(tenant: Tenant, run: Run, steps: Mapping[str, Step]) -> bool:
    """Work off one step; False when there is none, another worker holds it, or it failed."""
    step: RunStep | None = None
    try:
        with tenant_scope(tenant):
            step = RunStep.objects.filter(run=run).exclude(status=Run.Status.DONE).order_by("ordinal").first()
            if step is None:
                if _starts_over(run):
                    return True
                _finish(run)
                return False
            step = (
                RunStep.objects.select_for_update(skip_locked=True)
                .filter(pk=step.pk)
                .exclude(status=Run.Status.DONE)
                .first()
            )
            if step is None:
                return False
            if _starts_over(run):
                return True
            started = timezone.now()
            Run.objects.filter(pk=run.pk, started_at__isnull=True).update(started_at=started)
            counts = steps[step.name](run.for_date)
            step.status, step.counts, step.error = Run.Status.DONE, counts, ""
            step.started_at, step.finished_at = started, timezone.now()
            step.attempts += 1
            step.save(update_fields=["status", "counts", "error", "started_at", "finished_at", "attempts"])
            return True
    except Exception:
        if step is None:
            raise  # not the step's fault: the database is away, say
        log.exception("run %s of %s failed", run, tenant.slug)
        _note_failure(tenant, run, step.name, traceback.format_exc(limit=-3))
        return False


def _starts_over(run: Run) -> bool:
    """Note by which version of the policy the run works; True when it was another one, and all steps are open again."""
    version = PolicyVersion.objects.aggregate(number=Max("number"))["number"]
    if not Run.objects.filter(pk=run.pk).exclude(policy_version=version).update(policy_version=version):
        return False
    return RunStep.objects.filter(run=run, status=Run.Status.DONE).update(status=Run.Status.OPEN) > 0


def _finish(run: Run) -> None:
    Run.objects.filter(pk=run.pk, status=Run.Status.OPEN).update(status=Run.Status.DONE, finished_at=timezone.now())


def _note_failure(tenant: Tenant, run: Run, name: str, error: str) -> None:
    with tenant_scope(tenant):
        step = RunStep.objects.select_for_update().filter(run=run, name=name).get()
        step.attempts += 1
        step.error = error
        if step.attempts >= MAX_ATTEMPTS:
            step.status = Run.Status.FAILED
            Run.objects.filter(pk=run.pk).update(status=Run.Status.FAILED, finished_at=timezone.now())
        step.save(update_fields=["attempts", "error", "status"])


def open_runs(tenant: Tenant, job: str) -> list[Run]:
    """Runs of the tenant that are not finished and whose next step nobody holds: what the sweep rings for."""
    with tenant_scope(tenant), transaction.atomic():
        found = []
        for run in Run.objects.filter(job=job, status=Run.Status.OPEN).order_by("for_date"):
            rows = RunStep.objects.filter(run=run).exclude(status=Run.Status.DONE).order_by("ordinal")[:1]
            step = rows.select_for_update(skip_locked=True).first()
            if step is not None or not RunStep.objects.filter(run=run).exclude(status=Run.Status.DONE).exists():
                found.append(run)
        return found
