"""Jobs that survive anything: the run, its steps and their parts are rows, and a row's lock is the lease.

1. `open_run` makes the run and its steps, or opens a finished one again; unique by (tenant, job, date).
2. A step is prepared once: what its parts share is worked out, and the parts are written down. A tenant with few
   customers has one part, and that is worked off in the same transaction.
3. `work_off` takes an open part `FOR UPDATE SKIP LOCKED`, works inside that transaction and marks it done there:
   killed anywhere, the part is open again and nothing of it was written. Any number of workers on any number of
   hosts take parts of one step; the next step begins when the last part is done. What failed rests
   for a while, and of the parts it comes last.
4. One version of the policy explains all that a run has written: when it has changed since the first step, they
   all work again.
5. Redis only rings the bell. `open_runs` finds what nobody holds, and the minute's sweep rings again.
"""

from __future__ import annotations

import datetime as dt
import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import F, Max, Q, QuerySet
from django.utils import timezone

from tenants.context import tenant_scope
from tenants.models import PolicyVersion, Run, RunPart, RunStep, Tenant
from tenants.parts import EVERYBODY, Part, parts_of

log = logging.getLogger("perennial.runs")

Counts = dict[str, int]
Shared = Mapping[str, Any]
MAX_ATTEMPTS = 5

REST: Final = dt.timedelta(seconds=30)
"""How long those who came for a bell leave alone what has failed: shorter than the time from sweep to sweep.

Otherwise the bells that were rung for one step would use up all its attempts within seconds.
"""

WORK_MEM: Final = "128MB"
"""For each sort and hash of a step; a part of 250,000 customers fits."""

RELEASE: Final = "2026.11"
"""Raised when a rule reckons differently: the first run of another release looks at everybody again."""


@dataclass(frozen=True)
class Piece:
    """What a worker is asked for: customers, a day, and since when something may have changed.

    Facts before the first instant of `as_of` count. What stands was written by a run as of `since`, by the same rules;
    None: nothing may be taken from it, everybody is worked out anew. `shared` is what the step's `prepare` found.
    """

    as_of: dt.date
    since: dt.date | None = None
    part: Part = EVERYBODY
    shared: Shared = field(default_factory=dict)
    snapshot: str = ""  # of the transactions whose writes the run's first step could see


@dataclass(frozen=True)
class Prepared:
    """What the parts of a step share, as JSON; `is_one`: the step is not to be cut, it has little to do."""

    shared: Shared = field(default_factory=dict)
    is_one: bool = False
    counts: Counts = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A step of a job: what is worked out once before its parts, what each part does, and what is done at the end.

    Each is a transaction of its own in a big tenant, and may be asked for again: it must find nothing to change then.
    The counts of all are added up.
    """

    work: Callable[[Piece], Counts]
    prepare: Callable[[Piece], Prepared] | None = None
    finish: Callable[[Piece], Counts] | None = None
    splits: bool = True  # whether it may be cut into parts at all

    def at_once(self, as_of: dt.date, part: Part = EVERYBODY, *, since: dt.date | None = None) -> Counts:
        """Do all of it in the scope that is open, in one part."""
        return _in_one(self, _prepared(self, Piece(as_of, since, part)), Piece(as_of, since, part))


def _prepared(step: Step, piece: Piece) -> Prepared:
    return Prepared(is_one=not step.splits) if step.prepare is None else step.prepare(piece)


def _in_one(step: Step, prepared: Prepared, piece: Piece) -> Counts:
    piece = replace(piece, shared=prepared.shared)
    counts = [prepared.counts, step.work(piece)]
    if step.finish is not None:
        counts.append(step.finish(piece))
    return _added(counts)


def _added(counts: Sequence[Mapping[str, int]]) -> Counts:
    total: Counts = {}
    for each in counts:
        for name, number in each.items():
            total[name] = total.get(name, 0) + number
    return total


# ── opening ─────────────────────────────────────────────────────────────────


def open_run(
    tenant: Tenant,
    job: str,
    for_date: dt.date,
    steps: Mapping[str, Step],
    *,
    again: bool = False,
    everybody: bool = False,
    cuts: Callable[[], Sequence[int]] = list,
) -> Run:
    """The run of this job for this day, with all its steps; `again` opens one that is done or failed.

    `everybody`: take nothing from the last run, work all customers out anew. `cuts` says where to cut the customers'
    numbers into parts.
    """
    with tenant_scope(tenant):
        run, made = Run.objects.get_or_create(tenant=tenant, job=job, for_date=for_date)
        if again:
            run = Run.objects.select_for_update().get(pk=run.pk)
        # A run that somebody works on right now keeps its state: they will finish it.
        opened_again = not made and again and run.status != Run.Status.OPEN
        if made or opened_again:
            run.since = None if everybody else _since(run)
            run.cuts, run.snapshot, run.release = list(cuts()), "", RELEASE
            run.status, run.finished_at = Run.Status.OPEN, None
            run.save(update_fields=["status", "finished_at", "since", "cuts", "snapshot", "release"])
            # The job may have got other steps since.
            run.steps.all().delete()
            RunStep.objects.bulk_create([RunStep(run=run, ordinal=n, name=name) for n, name in enumerate(steps)])
    return run


def _since(run: Run) -> dt.date | None:
    """The day of the run whose results stand, if what has changed since then is all that this one has to look at.

    None when there is none, when it was by another policy or release, in another month (the first run of a month
    looks at everybody: models are fitted then), or for a later day; and when another run, of a day that is not
    between the two, may have written since that one began: it has not ended, or ended later.
    """
    runs = Run.objects.filter(job=run.job, started_at__isnull=False)
    last: Run | None = runs.filter(status=Run.Status.DONE).order_by("-finished_at").first()
    if last is None or last.release != RELEASE or last.policy_version != _policy_version():
        return None
    if not last.for_date <= run.for_date or last.for_date.replace(day=1) != run.for_date.replace(day=1):
        return None
    wrote = Q(finished_at=None) | Q(finished_at__gt=last.started_at)
    others = runs.filter(wrote).exclude(pk__in=[run.pk, last.pk])
    if others.exclude(for_date__range=(last.for_date, run.for_date)).exists():
        return None
    return last.for_date


def _is_as_given(run: Run) -> bool:
    """Whether what the run takes as given when it begins is still what stood when it was opened."""
    if run.since is None:
        return False
    # Opened again, it takes its own results as given.
    return run.policy_version == _policy_version() if run.since == run.for_date else _since(run) == run.since


def _policy_version() -> int | None:
    number: int | None = PolicyVersion.objects.aggregate(number=Max("number"))["number"]
    return number


# ── working off ─────────────────────────────────────────────────────────────


def work_off(run: Run, steps: Mapping[str, Step], ring: Callable[[int], None] | None = None) -> Run:
    """Work off the run's open parts, step by step; stops at one that fails or when others hold what is left of a step.

    What raises is rolled back and keeps its error; after MAX_ATTEMPTS the run counts as failed. `ring` is called with
    the number of other workers that could help; who has one came for a bell, and leaves what has failed just now to
    the next (REST). Returns the run as it then stands.
    """
    tenant = run.tenant
    while _work_off_next(tenant, run, steps, ring):
        pass
    with tenant_scope(tenant):
        run.refresh_from_db()
    return run


def _work_off_next(tenant: Tenant, run: Run, steps: Mapping[str, Step], ring: Callable[[int], None] | None) -> bool:
    """Do one thing for the run; False when there is nothing left to do, others hold it, or it failed."""
    step: RunStep | None = None
    part: RunPart | None = None
    try:
        with tenant_scope(tenant):
            _give_room()
            # Others work on it too: what it takes as given and whether it goes on is what they have left.
            run.refresh_from_db()
            if run.status != Run.Status.OPEN:
                return False
            step = _first_open(run)
            if step is None:
                return _finish(run)
            if ring is not None and _rests(step):
                return False
            if not step.is_prepared:
                return _begin(run, step, steps[step.name], ring)
            part = _free_parts(step, rested=ring is not None).select_for_update(skip_locked=True).first()
            if part is None:
                return _end(run, step, steps[step.name])
            return _work_off_part(run, step, part, steps[step.name])
    except Exception:
        if step is None:
            raise  # not the step's fault: the database is away, say
        log.exception("run %s of %s failed", run, tenant.slug)
        _note_failure(tenant, step, part, traceback.format_exc(limit=-3))
        return False


def _first_open(run: Run) -> RunStep | None:
    """The step that is to be worked on; None when all are done."""
    rows = RunStep.objects.filter(run=run).exclude(status=Run.Status.DONE)
    step: RunStep | None = rows.order_by("ordinal").first()
    return step


def _rests(step: RunStep) -> bool:
    """Whether its beginning or its end has failed a moment ago."""
    return bool(step.error) and step.finished_at is not None and step.finished_at > timezone.now() - REST


def _free_parts(step: RunStep, *, rested: bool) -> QuerySet[RunPart]:
    """The step's parts that are to be done; those that failed come last, without those that rest if so asked."""
    parts: QuerySet[RunPart] = RunPart.objects.filter(step=step, is_done=False)
    if rested:
        parts = parts.filter(Q(finished_at=None) | Q(finished_at__lte=timezone.now() - REST))
    return parts.order_by(F("finished_at").asc(nulls_first=True), "ordinal")


def _still_is(run: Run, step: RunStep) -> bool:
    """Whether the step, now that a lock holds it, is the one to work on; run and step are then as they stand.

    Between looking and locking others may have gone on, or begun again because the policy has changed. While an
    open part of the first open step is held, or that step itself, neither can happen.
    """
    run.refresh_from_db()
    now = _first_open(run)
    if run.status != Run.Status.OPEN or now is None or now.pk != step.pk:
        return False
    step.refresh_from_db()
    return True


def _give_room() -> None:
    """Let the database sort and hash a part in memory; what it needs beyond that it takes from disk.

    One core a worker: several workers share the machine already. Until the transaction ends.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('work_mem', %s, true), set_config('jit', 'off', true),"
            " set_config('max_parallel_workers_per_gather', '0', true)",
            [WORK_MEM],
        )


def _write_behind() -> None:
    """Do not wait until this transaction's changes have reached the disk: the next part is begun meanwhile.

    A crash of the server takes a part away together with its mark of being done, and it is done again. The end of a
    step is written through, and all before it with that.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")


def _piece(run: Run, step: RunStep, part: Part = EVERYBODY) -> Piece:
    return Piece(run.for_date, run.since, part, step.shared, run.snapshot)


def _begin(run: Run, step: RunStep, todo: Step, ring: Callable[[int], None] | None) -> bool:
    """Prepare a step and write its parts down; a single one is worked off at once."""
    rows = RunStep.objects.select_for_update(skip_locked=True).filter(pk=step.pk, is_prepared=False)
    if rows.exclude(status=Run.Status.DONE).first() is None:
        return False
    if not _still_is(run, step) or _starts_over(run):
        return True
    started = timezone.now()
    if not run.snapshot:
        # It may have waited for a worker: what could be taken as given when it was opened need not stand any more.
        run.since = run.since if _is_as_given(run) else None
        run.snapshot = _snapshot()
        Run.objects.filter(pk=run.pk).update(snapshot=run.snapshot, started_at=started, since=run.since)
    prepared = _prepared(todo, _piece(run, step))
    step.started_at, step.is_prepared, step.shared = started, True, dict(prepared.shared)
    parts = [EVERYBODY] if prepared.is_one else parts_of(run.cuts)
    if len(parts) == 1:
        _mark_done(step, _in_one(todo, prepared, _piece(run, step)))
        return True
    step.counts = prepared.counts
    step.save(update_fields=["started_at", "is_prepared", "shared", "counts"])
    RunPart.objects.bulk_create(
        [RunPart(step=step, ordinal=n, first=part.first, last=part.last) for n, part in enumerate(parts)]
    )
    if ring is not None:
        # The step is prepared, whether anybody hears of it or not.
        transaction.on_commit(lambda: ring(len(parts) - 1), robust=True)
    return True


def _work_off_part(run: Run, step: RunStep, part: RunPart, todo: Step) -> bool:
    if not _still_is(run, step):
        return True
    _write_behind()
    part.started_at = timezone.now()
    part.counts = todo.work(_piece(run, step, Part(part.first, part.last)))
    part.is_done, part.finished_at = True, timezone.now()
    part.save(update_fields=["counts", "is_done", "started_at", "finished_at"])
    return True


def _end(run: Run, step: RunStep, todo: Step) -> bool:
    """End a step all of whose parts are done; False while others work on some, or one that failed rests."""
    if RunPart.objects.filter(step=step, is_done=False).exists():
        return False
    # Waits for whoever ends it just now: of two who finish their last parts at once, neither must leave it undone.
    RunStep.objects.select_for_update().get(pk=step.pk)
    if not _still_is(run, step) or not step.is_prepared or RunPart.objects.filter(step=step, is_done=False).exists():
        return True
    counts = [step.counts, *RunPart.objects.filter(step=step).values_list("counts", flat=True)]
    if todo.finish is not None:
        counts.append(todo.finish(_piece(run, step)))
    _mark_done(step, _added(counts))
    return True


def _mark_done(step: RunStep, counts: Counts) -> None:
    step.status, step.counts, step.error, step.finished_at = Run.Status.DONE, counts, "", timezone.now()
    step.attempts += 1
    step.save(
        update_fields=["status", "counts", "error", "started_at", "finished_at", "attempts", "is_prepared", "shared"]
    )


def _snapshot() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        (snapshot,) = cursor.fetchone()
    return str(snapshot)


def _starts_over(run: Run) -> bool:
    """Note by which version of the policy the run works; True when it was another one, and all steps are open again.

    Nobody holds a part then: it is asked when a step begins, and when all are done.
    """
    version = _policy_version()
    changed = Run.objects.filter(pk=run.pk).exclude(policy_version=version)
    if not changed.update(policy_version=version):
        return False
    done = RunStep.objects.filter(run=run, is_prepared=True)
    if not done.exists():
        return False
    # What stands is by two policies now.
    run.since = None
    Run.objects.filter(pk=run.pk).update(since=None)
    RunPart.objects.filter(step__run=run).delete()
    done.update(status=Run.Status.OPEN, is_prepared=False, shared={}, counts={}, attempts=0, error="")
    return True


def _finish(run: Run) -> bool:
    """Mark the run as done, unless the policy has changed during its last step: True when there is more to do."""
    # Of two who end it, one may begin it again: the other must see that.
    if Run.objects.select_for_update(no_key=True).get(pk=run.pk).status != Run.Status.OPEN:
        return False
    if _first_open(run) is not None or _starts_over(run):
        return True
    Run.objects.filter(pk=run.pk, status=Run.Status.OPEN).update(status=Run.Status.DONE, finished_at=timezone.now())
    return False


def _note_failure(tenant: Tenant, failed: RunStep, part: RunPart | None, error: str) -> None:
    """Keep the error with its step, and give the run up when that has failed too often."""
    with tenant_scope(tenant):
        step: RunStep | None = RunStep.objects.select_for_update().filter(pk=failed.pk).first()
        # Somebody else may have done it meanwhile, or opened the run anew.
        if step is None or step.status != Run.Status.OPEN:
            return
        now = timezone.now()
        if part is None:
            step.finished_at = now
        else:
            RunPart.objects.filter(pk=part.pk, is_done=False).update(finished_at=now)
        step.attempts += 1
        step.error = error
        if step.attempts >= MAX_ATTEMPTS:
            step.status = Run.Status.FAILED
            run = Run.objects.filter(pk=step.run_id, status=Run.Status.OPEN)
            run.update(status=Run.Status.FAILED, finished_at=now)
        step.save(update_fields=["attempts", "error", "status", "finished_at"])


def open_runs(tenant: Tenant, job: str) -> list[Run]:
    """Runs of the tenant that are not finished and of which something is left that nobody holds: the sweep's."""
    with tenant_scope(tenant), transaction.atomic():
        return [run for run in Run.objects.filter(job=job, status=Run.Status.OPEN).order_by("for_date") if _waits(run)]


def _waits(run: Run) -> bool:
    step = _first_open(run)
    if step is None:
        return True
    if _rests(step):
        return False
    if RunPart.objects.filter(step=step, is_done=False).exists():
        return _free_parts(step, rested=True).select_for_update(skip_locked=True).first() is not None
    return RunStep.objects.filter(pk=step.pk).select_for_update(skip_locked=True).first() is not None
