"""What work takes, seen from outside: memory and processor time of processes, and write-ahead log, ten times a second."""

from __future__ import annotations

import contextlib
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psutil
import psycopg2

EVERY_S: Final = 0.1
LOOK_AGAIN: Final = 5  # samples after which processes that have come since are noticed


@dataclass(frozen=True)
class Sample:
    """One look. Memory in bytes, processor time in seconds since the processes began."""

    at: float  # seconds since 1970
    wal: int
    worker: int  # resident memory of the largest worker process
    workers: int  # of all together
    backends: int  # private memory of all processes of PostgreSQL together
    worker_cpu: float
    database_cpu: float


@dataclass(frozen=True)
class Taken:
    """What a stretch of time took; None where it could not be seen (a database on another host)."""

    seconds: float
    wal: int | None
    worker: int | None
    workers: int | None
    backends: int | None
    worker_cpu: float | None
    database_cpu: float | None

    def figures(self) -> dict[str, float | int | None]:
        """As figures of a row: megabytes and seconds."""

        def mb(size: int | None) -> int | None:
            return None if size is None else round(size / 2**20)

        def tenths(seconds: float | None) -> float | None:
            return None if seconds is None else round(seconds, 1)

        return {
            "seconds": round(self.seconds, 2),
            "WAL_MB": None if self.wal is None else round(self.wal / 2**20, 1),
            "largest_worker_MB": mb(self.worker),
            "workers_MB": mb(self.workers),
            "PostgreSQL_private_MB": mb(self.backends),
            "workers_CPU_s": tenths(self.worker_cpu),
            "PostgreSQL_CPU_s": tenths(self.database_cpu),
        }


class Watch(threading.Thread):
    """Looks while the block lasts: `with Watch(url, pids) as watch: …; watch.between(start, end)`.

    `roots` gives the process ids of the workers; their children count, too. PostgreSQL's processes are found by
    the connection, when they run on this host.
    """

    def __init__(self, url: str, roots: Callable[[], Sequence[int]]) -> None:
        super().__init__(daemon=True)
        self.roots = roots
        self.samples: list[Sample] = []
        self.failed: Exception | None = None
        self._over = threading.Event()
        self._connection = psycopg2.connect(url, application_name="bench")
        self._connection.autocommit = True
        self._postmaster = _postmaster(self._connection)
        self._workers: list[psutil.Process] = []
        self._backends: list[psutil.Process] = []
        # By process, those that have ended, too.
        self._worker_cpu: dict[int, float] = {}
        self._database_cpu: dict[int, float] = {}

    def __enter__(self) -> Watch:
        self._look(0)
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self.join()
        self._look(0)
        self._connection.close()

    def run(self) -> None:
        number = 0
        try:
            while not self._over.wait(EVERY_S):
                number += 1
                self._look(number)
        except psycopg2.Error as error:  # the database went away: what was seen until then stands
            self.failed = error

    def between(self, start: float, end: float) -> Taken:
        """What was taken from `start` to `end` (seconds since 1970)."""
        if self.failed is not None:
            return Taken(end - start, None, None, None, None, None, None)
        return taken(self.samples, start, end, is_near=self._postmaster is not None)

    def _look(self, number: int) -> None:
        if number % LOOK_AGAIN == 0:
            self._workers = [child for root in self.roots() for child in _family(root)]
            self._backends = _family(self._postmaster.pid) if self._postmaster else []
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
            (wal,) = cursor.fetchone()
        workers = [_size(process, self._worker_cpu) for process in self._workers]
        backends = [_size(process, self._database_cpu) for process in self._backends]
        self.samples.append(
            Sample(
                time.time(),
                wal,
                max((whole for whole, _private in workers), default=0),
                sum(whole for whole, _private in workers),
                sum(private for _whole, private in backends),
                sum(self._worker_cpu.values()),
                sum(self._database_cpu.values()),
            )
        )


def taken(samples: Sequence[Sample], start: float, end: float, *, is_near: bool = True) -> Taken:
    """What was taken from `start` to `end`: of memory the most that was seen, of log and processor time the growth.

    That is read off between two looks, in proportion. `is_near`: PostgreSQL's processes could be seen.
    """
    if not samples:
        return Taken(end - start, None, None, None, None, None, None)
    inside = [sample for sample in samples if start <= sample.at <= end] or [_nearest(samples, start)]
    first, last = _at(samples, start), _at(samples, end)
    return Taken(
        end - start,
        round(last[0] - first[0]),
        max(sample.worker for sample in inside),
        max(sample.workers for sample in inside),
        max(sample.backends for sample in inside) if is_near else None,
        last[1] - first[1],
        last[2] - first[2] if is_near else None,
    )


def _nearest(samples: Sequence[Sample], moment: float) -> Sample:
    return samples[min(bisect_left(samples, moment, key=lambda sample: sample.at), len(samples) - 1)]


def _at(samples: Sequence[Sample], moment: float) -> tuple[float, float, float]:
    """Log position and processor times at a moment."""
    after = min(bisect_left(samples, moment, key=lambda sample: sample.at), len(samples) - 1)
    a, b = samples[max(0, after - 1)], samples[after]
    share = 1.0 if b.at <= a.at else min(1.0, max(0.0, (moment - a.at) / (b.at - a.at)))
    pairs = ((a.wal, b.wal), (a.worker_cpu, b.worker_cpu), (a.database_cpu, b.database_cpu))
    wal, worker, database = (low + (high - low) * share for low, high in pairs)
    return wal, worker, database


def _size(process: psutil.Process, cpu_of: dict[int, float]) -> tuple[int, int]:
    """Resident memory and what of it is the process' own, in bytes; nothing once it has gone. Notes its time."""
    with contextlib.suppress(psutil.Error):
        with process.oneshot():
            memory, cpu = process.memory_info(), process.cpu_times()
        cpu_of[process.pid] = cpu.user + cpu.system
        return memory.rss, memory.rss - getattr(memory, "shared", 0)
    return 0, 0


def _postmaster(connection: Any) -> psutil.Process | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    with contextlib.suppress(psutil.Error):
        backend = psutil.Process(pid)
        if backend.name().startswith("postgres"):
            return backend.parent()
    return None


def _family(root: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(root)
        return [process, *process.children(recursive=True)]
    return []
