"""Running an import: killed anywhere and started again it goes on, and everything is counted once.

1. Reading writes nothing but the import's progress: it checks the whole file and lays the good rows down in
   the spool. Killed, it begins anew.
2. The pieces of work are then fixed. Each is one transaction that merges its rows and, in the same
   transaction, counts them and marks itself done (`Import.done_part`): killed, nothing of it is there.
3. The row says where it stands; the lease (lease.py) only keeps two workers from doing the same twice.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import polars as pl
from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import F
from django.utils import timezone
from psycopg2 import errors

from customers.imports import readers, stores
from customers.imports.checks import Firm, check
from customers.imports.files import File
from customers.imports.lease import held, one_at_a_time
from customers.imports.outcome import write_file
from customers.imports.problems import ImportProblem
from customers.imports.rows import Collision, Merged, Work
from customers.imports.spool import Piece, Spool
from customers.imports.stages import STAGES
from customers.models import Import
from tenants.context import tenant_scope
from tenants.events import acting_member, record
from tenants.models import Member, Tenant

log = logging.getLogger("perennial.imports")

MAX_ATTEMPTS: Final = 5  # starts without a piece written in between: something kills every worker that tries
_TRIES: Final = 3  # of a piece that collides with somebody else's write
_SCALE: Final = 1000  # parts in which progress of reading is told
_RUNNING: Final = (Import.Status.QUEUED, Import.Status.READING, Import.Status.WRITING)

Tell = Callable[[Import], None]


class _Cancelled(Exception):
    """Somebody has cancelled the import meanwhile."""


def run_import(
    tenant: Tenant, import_id: int, *, wait: bool = False, language: str = "", tell: Tell = lambda _import: None
) -> Import:
    """Run an import that is queued, or go on with one that broke off; returns it as it then stands.

    Does nothing when somebody else works on it (`wait`: until they have finished) or when it is finished.
    `language` is that of the outcome file; else that of the member who started it, else the tenant's.
    `tell` is called with the import after each step. Call it outside a tenant scope: every step is a
    transaction of its own. A file that is refused is no error: the import then says why. Other errors are
    raised after the import was marked as failed; where the database is away it stays open, for the sweep.
    """
    with held(import_id, wait=wait) as mine:
        job = _Job(tenant, import_id, language, tell)
        if mine:
            job.run()
        return job.row()


class _Job:
    def __init__(self, tenant: Tenant, import_id: int, language: str, tell: Tell) -> None:
        self.tenant = tenant
        self.import_id = import_id
        self.language = language
        self.tell = tell
        self.store = stores.of(tenant.pk, import_id)
        self.spool = Spool(self.store.spool)

    def row(self) -> Import:
        with tenant_scope(self.tenant):
            return Import.objects.select_related("member__user").get(pk=self.import_id)

    def run(self) -> None:
        try:
            if not self._begin():
                return
            row = self.row()
            acting = acting_member.set(row.member)
            try:
                if row.status == Import.Status.READING:
                    self._read(row)
                self._write()
                self._finish()
            finally:
                acting_member.reset(acting)
        except _Cancelled:
            shutil.rmtree(self.store.spool, ignore_errors=True)
        except ImportProblem as problem:
            self._fail(problem)
        except OperationalError:
            raise
        except Exception as error:
            self._fail(ImportProblem("broken", error=f"{type(error).__name__}."))
            raise

    def _begin(self) -> bool:
        """Count the attempt; False when the import is not to be run."""
        with tenant_scope(self.tenant):
            row = Import.objects.select_for_update().get(pk=self.import_id)
            if row.status not in _RUNNING:
                return False
            row.attempts += 1
            row.started_at = row.started_at or timezone.now()
            if row.status == Import.Status.QUEUED:
                row.status = Import.Status.READING
            row.save(update_fields=["attempts", "started_at", "status"])
        if row.attempts > MAX_ATTEMPTS:
            raise ImportProblem("gave_up", attempts=MAX_ATTEMPTS)
        return True

    # ── reading ─────────────────────────────────────────────────────────────

    def _read(self, row: Import) -> None:
        path = Path(row.path)
        if not row.path or not path.exists():
            raise ImportProblem("file_gone")
        self.store.clear()
        self.spool.clear()
        firm = self._firm()
        stages = [stage for stage in STAGES[row.kind] if not (stage.prepares and row.dry_run)]
        table = readers.inspect(File.at(path), settings.IMPORT_MAX_BYTES)
        rows = failed = 0
        for number, batch in enumerate(readers.batches(table, list(dict.fromkeys(row.mapping.values())))):
            checked = check(row.kind, batch, row.mapping, firm)
            for stage in stages:
                self.spool.add(stage.name, stage.split(checked.good))
            if not checked.failed.is_empty():
                lines = checked.failed.with_columns(outcome=pl.lit("failed"))
                self.store.outcome.write(f"read-{number:06}", lines)
            rows += checked.good.height + checked.failed.height
            failed += checked.failed.height
            self._advance(rows=rows, failed=failed, done_part=int(batch.progress * _SCALE), whole=_SCALE)
        pieces = self.spool.finish([stage.name for stage in stages])
        self._advance(
            status=Import.Status.WRITING, done_part=0, whole=len(pieces), attempts=1,
            created=0, updated=0, unchanged=0,
        )  # fmt: skip

    def _firm(self) -> Firm:
        with tenant_scope(self.tenant):
            people = Member.objects.filter(is_active=True).values_list("user__email", "pk")
            members = {email.lower(): pk for email, pk in people}
        return Firm(self.tenant.timezone, self.tenant.currency, members)

    def _advance(self, **values: object) -> None:
        with tenant_scope(self.tenant):
            changed = Import.objects.filter(pk=self.import_id, status=Import.Status.READING).update(**values)
        if not changed:
            raise _Cancelled
        self.tell(self.row())

    # ── writing ─────────────────────────────────────────────────────────────

    def _write(self) -> None:
        pieces = self.spool.pieces()
        while (row := self.row()).status == Import.Status.WRITING and row.done_part < len(pieces):
            self._write_piece(row, pieces[row.done_part])
            self.tell(self.row())
        if row.status != Import.Status.WRITING:
            raise _Cancelled

    def _write_piece(self, row: Import, piece: Piece) -> None:
        stage = next(stage for stage in STAGES[row.kind] if stage.name == piece.stage)
        rows = self.spool.read(piece)
        for attempt in range(1, _TRIES + 1):
            try:
                with tenant_scope(self.tenant):
                    merged = self._merge(row, lambda work: stage.merge(rows, work))
                    if not stage.prepares:
                        # Before the transaction ends: a part too many is written again, one too few is lost.
                        self.store.outcome.write(f"write-{row.done_part:06}", merged.lines)
                    self._count(row, merged)
                return
            except (Collision, OperationalError) as error:
                passing = isinstance(error, Collision) or isinstance(error.__cause__, errors.DeadlockDetected)
                if not passing or attempt == _TRIES:
                    raise
                log.info("import %s: piece %s again after %r", row.pk, row.done_part, error)
                time.sleep(0.2 * attempt)

    def _merge(self, row: Import, merge: Callable[[Work], Merged]) -> Merged:
        one_at_a_time(self.tenant.pk)
        work = Work(self.tenant, row.source, timezone.now())
        if not row.dry_run:
            return merge(work)
        before = transaction.savepoint()
        try:
            return merge(work)
        finally:
            transaction.savepoint_rollback(before)

    def _count(self, row: Import, merged: Merged) -> None:
        changed = Import.objects.filter(
            pk=row.pk, status=Import.Status.WRITING, done_part=row.done_part
        ).update(
            done_part=F("done_part") + 1,
            created=F("created") + merged.created,
            updated=F("updated") + merged.updated,
            unchanged=F("unchanged") + merged.unchanged,
            failed=F("failed") + merged.failed,
            attempts=1,
        )  # fmt: skip
        if not changed:
            raise _Cancelled

    # ── the end ─────────────────────────────────────────────────────────────

    def _finish(self) -> None:
        row = self.row()
        language = self.language or (row.member and row.member.user.language) or self.tenant.language
        write_file(self.store.outcome, row, language, self.store.outcome_file)
        with tenant_scope(self.tenant):
            changed = Import.objects.filter(pk=row.pk, status=Import.Status.WRITING).update(
                status=Import.Status.DONE, finished_at=timezone.now()
            )
            if changed:
                names = ("rows", "failed", "created", "updated", "unchanged", "dry_run")
                record("finished", row, {name: getattr(row, name) for name in names})
        shutil.rmtree(self.store.spool, ignore_errors=True)
        self.tell(self.row())

    def _fail(self, problem: ImportProblem) -> None:
        with tenant_scope(self.tenant):
            row = Import.objects.select_for_update().get(pk=self.import_id)
            if row.status not in _RUNNING:
                return
            row.status, row.problem, row.finished_at = Import.Status.FAILED, problem.as_json(), timezone.now()
            row.save(update_fields=["status", "problem", "finished_at"])
            record("failed", row, row.problem)
        shutil.rmtree(self.store.spool, ignore_errors=True)
        self.tell(row)
