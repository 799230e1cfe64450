"""Nights as production runs them: Celery workers take them from the queue; here they are only rung for, and watched."""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench import house
from bench.watch import Taken, Watch
from config import processes

if TYPE_CHECKING:
    from tenants.models import Run, Tenant

POLL_S: Final = 0.2
RING_AGAIN_S: Final = 10.0  # beat's sweep would, each minute
READY_S: Final = 120
IDLE_LOOKS: Final = 3


@dataclass(frozen=True)
class StepTaken:
    """A step of a night, and what it took."""

    name: str
    counts: dict[str, int]
    taken: Taken


@dataclass(frozen=True)
class Night:
    """A night from the bell to its last step, and what the workers did afterwards without being asked (a back-test)."""

    as_of: dt.date
    taken: Taken
    steps: list[StepTaken]
    afterwards: Taken


@contextmanager
def workers(count: int, state: Path) -> Iterator[list[int]]:
    """Celery workers as `manage.py up` starts them, ready for work; gives the process id of their parent."""
    from config.celery import app

    log = state / "worker.log"
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "-c", str(count), "-l", "INFO"]
    with house.child([*command, "--without-gossip", "--without-mingle"], log) as process:
        until = time.monotonic() + READY_S
        while not app.control.ping(timeout=0.5):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the worker does not answer; {log} says:\n{processes.last_lines(log)}")
        yield [process.pid]


def run(tenants: Sequence[Tenant], as_of: dt.date, count: int, state: Path, *, everybody: bool = False) -> Night:
    """The night of these firms by so many workers. Raises RuntimeError with the reason when one fails.

    Of a single firm the steps are told, too. Such a firm's bell rings once for each worker.
    """
    from config.night import open_night
    from config.tasks import work_off_run

    with workers(count, state) as roots, Watch(os.environ["DATABASE_URL"], lambda: roots) as watch:
        begun = time.time()
        runs = [open_night(tenant, as_of, again=True, everybody=everybody) for tenant in tenants]
        opened = time.time()
        for each in runs:
            for _ in range(count if len(runs) == 1 else 1):
                work_off_run.delay(each.tenant_id, each.pk)
        _wait(runs, tenants)
        ended = _last_end(runs) or time.time()
        _wait_until_idle()
        idle = time.time()
    started = begun if len(runs) == 1 else opened  # opening many is beat's work, and one after the other
    return Night(
        as_of,
        watch.between(started, ended),
        _steps(runs[0], watch) if len(runs) == 1 else [],
        watch.between(ended, max(ended, idle)),
    )


def _wait(runs: Sequence[Run], tenants: Sequence[Tenant]) -> None:
    """Until all are done; rings again, as beat's sweep does, for what is open when no bell is left in the queue."""
    from config.night import open_nights
    from config.tasks import work_off_run

    ids, busy = [each.pk for each in runs], time.monotonic()
    with house.owner() as connection, connection.cursor() as cursor, _queue() as queue:
        while True:
            cursor.execute("SELECT status, count(*) FROM tenants_run WHERE id = ANY(%s) GROUP BY 1", [ids])
            found = dict(cursor.fetchall())
            if found.get("failed"):
                raise RuntimeError(f"a night failed:\n{_error(ids)}")
            if not found.get("open"):
                return
            time.sleep(POLL_S)
            if not _is_idle(queue):
                busy = time.monotonic()
            if time.monotonic() - busy < RING_AGAIN_S:
                continue
            for held in (held for tenant in tenants for held in open_nights(tenant) if held.pk in ids):
                if error := _error([held.pk]):
                    print(f"a step is tried again after:\n{error}", file=sys.stderr)
                work_off_run.delay(held.tenant_id, held.pk)
            busy = time.monotonic()


def _error(ids: Sequence[int]) -> str:
    found = house.rows("SELECT name, error FROM tenants_runstep WHERE run_id = ANY(%s) AND error <> ''", [list(ids)])
    return "\n".join(f"{name}: {error}" for name, error in found)


def _last_end(runs: Sequence[Run]) -> float | None:
    ((moment,),) = house.rows("SELECT max(finished_at) FROM tenants_run WHERE id = ANY(%s)", [[r.pk for r in runs]])
    return None if moment is None else float(moment.timestamp())


def _wait_until_idle() -> None:
    """Until nothing is left to do: the night may have asked for a back-test."""
    looks = 0
    with _queue() as queue:
        while looks < IDLE_LOOKS:
            looks = looks + 1 if _is_idle(queue) else 0
            time.sleep(POLL_S)


def _queue() -> Any:
    """A connection to the server of the queue."""
    import redis

    return redis.Redis.from_url(os.environ["REDIS_URL"])


def _is_idle(queue: Any) -> bool:
    """Whether no task waits and none is worked on."""
    from config.celery import app

    # Tasks are acknowledged when they are done.
    return bool(queue.llen(app.conf.task_default_queue) + queue.hlen("unacked") == 0)


def _steps(run: Run, watch: Watch) -> list[StepTaken]:
    found = house.rows(
        "SELECT name, counts, started_at, finished_at FROM tenants_runstep WHERE run_id = %s ORDER BY ordinal", [run.pk]
    )
    return [
        StepTaken(name, counts, watch.between(started.timestamp(), finished.timestamp()))
        for name, counts, started, finished in found
    ]
