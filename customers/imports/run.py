"""Running an import: killed anywhere and started again it goes on, and everything is counted once.

1. Reading writes nothing but the import's progress: it checks the whole file and lays the good rows down in
   the spool; then it brings rows together that must agree with each other and lie apart. Killed, it begins anew.
2. The pieces of work are then fixed. Each is one transaction that merges its rows and, in the same
   transaction, counts them and marks itself done (`Import.done_part`, `done_ahead`): killed, nothing of it is there.
   Several pieces are under way at a time, each on a connection of its own: while one prepares its rows, PostgreSQL
   works for another.
3. The row says where it stands; the lease (lease.py) only keeps two workers from doing the same twice, and two
   imports of a tenant from writing at the same time.
"""

from __future__ import annotations

import itertools
import logging
import shutil
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import closing
from contextvars import copy_context
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import Final, TypeVar

import polars as pl
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from psycopg2 import errors

from customers.imports import readers, stores
from customers.imports.checks import Checked, Firm, check
from customers.imports.files import File
from customers.imports.lease import Lease, held
from customers.imports.outcome import write_file
from customers.imports.problems import ImportProblem
from customers.imports.rows import Collision, Merged, Work
from customers.imports.spool import Homes, Piece, Spool
from customers.imports.stages import STAGES, Gathering, Stage
from customers.models import Import
from tenants.context import tenant_scope
from tenants.events import acting_member, record
from tenants.models import Member, Tenant

log = logging.getLogger("perennial.imports")

MAX_ATTEMPTS: Final = 5  # starts without a piece written in between: something kills every worker that tries
_TRIES: Final = 3  # of a piece that collides with somebody else's write
_SCALE: Final = 1000  # parts in which progress of reading is told
_LOOK_AGAIN: Final = 0.2  # seconds until somebody looks how far the writers are, and who waits for them
_RUNNING: Final = (Import.Status.QUEUED, Import.Status.READING, Import.Status.WRITING)

Item = TypeVar("Item")
Tell = Callable[[Import], None]
Waiting = deque[tuple[int, Piece]]
"""Pieces that nobody has begun, with their numbers."""


class _Cancelled(Exception):
    """Somebody has cancelled the import meanwhile."""


def _ahead(items: Generator[Item]) -> Iterator[Item]:
    """The items; while one is worked on, the next is made, in another thread."""

    def following() -> Item | None:
        return next(items, None)

    with closing(items), ThreadPoolExecutor(1, "import") as pool:
        coming = pool.submit(copy_context().run, following)
        while (item := coming.result()) is not None:
            coming = pool.submit(copy_context().run, following)
            yield item


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
    with held(import_id, wait=wait) as lease:
        job = _Job(tenant, import_id, language, tell)
        if lease.mine:
            job.run(lease)
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

    def run(self, lease: Lease) -> None:
        try:
            if not self._begin():
                return
            row = self.row()
            acting = acting_member.set(row.member)
            try:
                if row.status == Import.Status.READING:
                    self._read(row)
                self._write(lease)
                self._finish()
            finally:
                acting_member.reset(acting)
        except _Cancelled:
            self._clear_up()
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
        stages = [stage for stage in STAGES[row.kind] if not (stage.prepares and row.dry_run)]
        homes = {stage.name: Homes(self.store.spool / f"homes_{stage.name}") for stage in stages if stage.gathered}
        for found in homes.values():
            found.clear()
        table = readers.inspect(File.at(path), settings.IMPORT_MAX_BYTES)
        rows = failed = 0
        for number, (progress, checked) in enumerate(_ahead(self._checked(row, table, self.firm))):
            for stage in stages:
                placed = stage.split(checked.good)
                self.spool.add(stage.name, placed)
                if stage.gathered:
                    homes[stage.name].note(stage.records(placed), placed["bucket"])
            self._refuse(f"read-{number:06}", checked.failed)
            rows += checked.good.height + checked.failed.height
            failed += checked.failed.height
            self._advance(rows=rows, failed=failed, done_part=int(progress * _SCALE), whole=_SCALE)
        for stage in stages:
            if stage.gathered:
                failed += self._gather(stage, stage.gathered, homes[stage.name])
        pieces = self.spool.finish([stage.name for stage in stages])
        self._advance(
            status=Import.Status.WRITING, done_part=0, done_ahead=[], whole=len(pieces), attempts=1,
            failed=failed, created=0, updated=0, unchanged=0,
        )  # fmt: skip

    def _checked(self, row: Import, table: readers.Table, firm: Firm) -> Generator[tuple[float, Checked]]:
        """The file's batches, checked, each with the share of the file that is read. Touches no database."""
        # Reading, checking and putting down go on at the same time, each in a thread: Polars lets the others run.
        for batch in _ahead(readers.batches(table, list(dict.fromkeys(row.mapping.values())))):
            yield batch.progress, check(row.kind, batch, row.mapping, firm)

    def _refuse(self, part: str, failed: pl.DataFrame) -> None:
        if not failed.is_empty():
            self.store.outcome.write(part, failed.with_columns(outcome=pl.lit("failed")))

    def _gather(self, stage: Stage, gathering: Gathering, homes: Homes) -> int:
        """Bring together the rows of records that lie in several buckets; returns how many are refused on the way.

        Most files have none, or few: rows that lie together already are not touched.
        """
        marks = f"marks_{stage.name}"
        found = False
        for several in homes.several():
            self.spool.add(marks, several)
            found = True
        if not found:
            return 0
        for rows in self.spool.take_out(stage.name, marks, gathering.home):
            self.spool.add(stage.apart, stage.bring_together(rows))
        refused = 0
        for number, (good, failed) in enumerate(_ahead(self._gathered(stage, gathering))):
            self.spool.add(stage.name, stage.place(good, agreed=True))
            self._refuse(f"gather-{number:06}", failed)
            refused += failed.height
            self._advance(done_part=_SCALE)  # finds out whether somebody has cancelled
        for name in (marks, stage.apart):
            self.spool.forget(name)
        return refused

    def _gathered(self, stage: Stage, gathering: Gathering) -> Generator[tuple[pl.DataFrame, pl.DataFrame]]:
        for piece in self.spool.divide(stage.apart):
            yield gathering.agree(self.spool.read(piece).sort("line"), self.firm)

    @cached_property
    def firm(self) -> Firm:
        """The firm as it is when the import begins, or goes on."""
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

    def _write(self, lease: Lease) -> None:
        pieces = self.spool.pieces()
        row = self.row()
        missing = [number for number in range(row.done_part, len(pieces)) if number not in row.done_ahead]
        # Those on whose connection something is open already would not see each other's: they write by themselves.
        alone = row.dry_run or connection.in_atomic_block
        # A stage rests on what the one before has made.
        for _stage, numbers in itertools.groupby(missing, key=lambda number: pieces[number].of_stage):
            waiting = deque((number, pieces[number]) for number in numbers)
            while waiting:
                with lease.turn(self.tenant.pk):
                    self._take_turn(lease, waiting, 1 if alone else min(settings.IMPORT_WRITERS, len(waiting)))

    def _take_turn(self, lease: Lease, waiting: Waiting, writers: int) -> None:
        """Write pieces until none waits, or another import does."""
        if writers == 1:
            while waiting:
                self._write_piece(*waiting.popleft())
                self.tell(self.row())
                if lease.is_wanted(self.tenant.pk):
                    return
            return
        enough = Event()
        with ThreadPoolExecutor(writers, "import") as pool:
            try:
                working = {
                    pool.submit(copy_context().run, self._write_on, waiting, enough) for _writer in range(writers)
                }
                while working:
                    ended, working = wait_for(working, _LOOK_AGAIN, FIRST_COMPLETED)
                    for writer in ended:
                        writer.result()
                    self.tell(self.row())
                    if lease.is_wanted(self.tenant.pk):
                        enough.set()
            finally:
                enough.set()  # also when one of them has failed: the others end their piece

    def _write_on(self, waiting: Waiting, enough: Event) -> None:
        """What a writer does, in a thread and on a connection of its own."""
        try:
            while not enough.is_set():
                try:
                    number, piece = waiting.popleft()
                except IndexError:
                    return
                self._write_piece(number, piece)
        finally:
            connection.close()

    def _write_piece(self, number: int, piece: Piece) -> None:
        row = self.row()
        if row.status != Import.Status.WRITING:
            raise _Cancelled
        stage = next(stage for stage in STAGES[row.kind] if stage.name == piece.of_stage)
        rows = self.spool.read(piece)
        for attempt in range(1, _TRIES + 1):
            try:
                with tenant_scope(self.tenant):
                    merged = self._merge(row, stage, rows)
                    self._count(number, merged)
                    if not stage.prepares:
                        # Before the transaction ends: a part too many is written again, one too few is lost.
                        self.store.outcome.write(f"write-{number:06}", merged.lines)
                return
            except (Collision, OperationalError) as error:
                passing = isinstance(error, Collision) or isinstance(error.__cause__, errors.DeadlockDetected)
                if not passing or attempt == _TRIES:
                    raise
                log.info("import %s: piece %s again after %r", row.pk, number, error)
                time.sleep(0.2 * attempt)

    def _merge(self, row: Import, stage: Stage, rows: pl.DataFrame) -> Merged:
        # A crash of the server takes a piece away together with its mark of being done: it is written again. What
        # says that the import is done is written through, and everything before it with that.
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
        work = Work(self.tenant, row.source, timezone.now())
        if not row.dry_run:
            return stage.merge_piece(rows, work, self.firm)
        before = transaction.savepoint()
        try:
            return stage.merge_piece(rows, work, self.firm)
        finally:
            transaction.savepoint_rollback(before)

    def _count(self, number: int, merged: Merged) -> None:
        row = Import.objects.select_for_update().get(pk=self.import_id)
        if row.status != Import.Status.WRITING or number < row.done_part or number in row.done_ahead:
            raise _Cancelled
        done = {*row.done_ahead, number}
        while row.done_part in done:
            done.remove(row.done_part)
            row.done_part += 1
        row.done_ahead = sorted(done)
        row.created += merged.created
        row.updated += merged.updated
        row.unchanged += merged.unchanged
        row.failed += merged.failed
        row.attempts = 1
        row.save(update_fields=["done_part", "done_ahead", "created", "updated", "unchanged", "failed", "attempts"])

    # ── the end ─────────────────────────────────────────────────────────────

    def _finish(self) -> None:
        self.store.outcome.put_in_order()
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
        self._clear_up()
        self.tell(row)

    def _clear_up(self) -> None:
        """What is needed no more once nothing is written any more."""
        shutil.rmtree(self.store.spool, ignore_errors=True)
        self.store.outcome.put_in_order()
