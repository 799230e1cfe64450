"""The same question to everybody, in one run: `python -m bench.side_by_side FOLDER --tenant SLUG [way ...]`.

FOLDER holds the facts of bench.trade, the firm SLUG in the database of DATABASE_URL the same ones (bench.load); orders from
the day after on may have come in since. Each way (bench.rfm) answers three times in a process of its own, on all processors;
the quickest counts. Its answer is compared row by row with DuckDB's, and a difference fails the run (lifetimes counts other
things: of it the last order days are compared). Memory is the process' most; for those that ask PostgreSQL also the most
that its backends had for themselves at one moment, parallel workers too, beside the shared buffers.

Then the floor: what PostgreSQL needs only to write a row of scores for every customer into a table with a primary key.

Prints Markdown and keeps the figures as JSON under var/bench/. Needs bench/requirements.txt.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import polars as pl
import psutil
import psycopg2

from bench.load import activity
from bench.rfm import ANSWER, WAYS
from bench.table import Results, machine
from config import env

FIRST: Final = next(iter(WAYS))
LOOK_EVERY_S: Final = 0.02
ASK_EVERY: Final = 5  # looks after which backends that have come since are noticed
TABLE: Final = "bench_side_by_side"


# ── the ways ────────────────────────────────────────────────────────────────


class Backends(threading.Thread):
    """Looks at the backends that come into the database while the block lasts: their own memory, their time.

    `peak_mb` and `cpu` are None when PostgreSQL runs on another host; the one who looks is not counted.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._connection = psycopg2.connect(os.environ["DATABASE_URL"], application_name="bench")
        self._connection.autocommit = True
        self._over = threading.Event()
        self._others = set(self._pids())  # who is there already has nothing to do with it
        self._is_near = psutil.pid_exists(self._me) and psutil.Process(self._me).name().startswith("postgres")
        self._peak, self._cpu = 0, dict[int, float]()

    @property
    def _me(self) -> int:
        return int(self._connection.info.backend_pid)

    @property
    def peak_mb(self) -> float | None:
        return self._peak / 2**20 if self._is_near else None

    @property
    def cpu(self) -> float | None:
        """Seconds of processor time of all of them together."""
        return sum(self._cpu.values()) if self._is_near else None

    def __enter__(self) -> Backends:
        if self._is_near:
            self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        if self._is_near:
            self.join()
        self._connection.close()

    def run(self) -> None:
        number = 0
        found: list[psutil.Process] = []
        while not self._over.wait(LOOK_EVERY_S):
            if number % ASK_EVERY == 0:
                found = []
                for pid in set(self._pids()) - self._others:
                    with suppress(psutil.NoSuchProcess):
                        found.append(psutil.Process(pid))
            number += 1
            self._peak = max(self._peak, sum(map(self._look, found)))

    def _pids(self) -> list[int]:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
            return [pid for (pid,) in cursor.fetchall()]

    def _look(self, process: psutil.Process) -> int:
        with suppress(psutil.Error), process.oneshot():
            memory, times = process.memory_info(), process.cpu_times()
            self._cpu[process.pid] = times.user + times.system
            return int(memory.rss - getattr(memory, "shared", 0))
        return 0


@dataclass
class Comparison:
    """The ways, side by side on the same facts."""

    folder: Path
    slug: str
    runs: int
    threads: int
    results: Results
    group: str
    answers: Path
    differing: list[str] = field(default_factory=list)

    def measure(self, name: str) -> None:
        """Let a way answer, compare its answer with the first one's, and add its row."""
        answer, first = self.answers / f"{name}.parquet", self.answers / f"{FIRST}.parquet"
        try:
            with Backends() as backends:
                took = self._took(name, answer)
        except subprocess.CalledProcessError as error:  # the others count all the same
            self.differing.append(f"{WAYS[name].label}: failed with {error.returncode}")
            self.results.add(self.group, WAYS[name].label, answer="failed")
            return
        verdict = "" if name == FIRST else difference(pl.read_parquet(first), pl.read_parquet(answer))
        if verdict:
            self.differing.append(f"{WAYS[name].label}: {verdict}")
        best = min(took["seconds"])
        quickest = self.results.get(self.group, WAYS[FIRST].label, "seconds")
        asks_database = backends.cpu or 0
        self.results.add(
            self.group, WAYS[name].label,
            seconds=round(best, 2),
            times_DuckDB=1.0 if name == FIRST else round(best / float(quickest or best), 1),
            CPU_s=round(took["cpu"] + asks_database / self.runs, 2),
            process_MB=_whole(took["peak_mb"]),
            PostgreSQL_private_MB=_whole(backends.peak_mb) if asks_database else None,
            answer=verdict or ("same last days" if name == "lifetimes" else "the same"),
        )  # fmt: skip

    def _took(self, name: str, answer: Path) -> dict[str, Any]:
        count = str(self.threads)
        command = [sys.executable, "-m", "bench.rfm", name, str(self.folder), "--tenant", self.slug,
                   "--answer", str(answer), "--runs", str(self.runs), "--threads", count]  # fmt: skip
        threads = dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), count)
        done = subprocess.run(command, env=os.environ | threads, stdout=subprocess.PIPE, check=True)  # noqa: S603  # ours
        took: dict[str, Any] = json.loads(done.stdout)
        return took


def difference(first: pl.DataFrame, other: pl.DataFrame) -> str:
    """How another answer differs from the first one in the columns that it has; "" when in nothing."""
    shared = [name for name in ANSWER if name in other.columns and name != "customer"]
    both = first.join(other, on="customer", how="full", coalesce=True, suffix="_other")
    suffixed = {name: f"{name}_other" for name in shared}
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(theirs)) for name, theirs in suffixed.items())
    wrong = both.filter(differs).sort("customer")
    if wrong.is_empty():
        return ""
    return f"{len(wrong):,} of {len(both):,} customers differ, the first: {wrong.row(0, named=True)}"


def _whole(size: float | None) -> int | None:
    return None if size is None else round(size)


# ── the floor ───────────────────────────────────────────────────────────────


def floor(answer: Path, results: Results, group: str, runs: int) -> None:
    """Write a row of scores for each customer of an answer in every way there is; the quickest of some runs counts."""
    scores = pl.read_parquet(answer).select(
        tenant_id=pl.lit(1), customer_id="customer", last_order_on="last_order_on", orders="orders", net="net", score=pl.lit(5)
    )  # fmt: skip
    raised = scores.with_columns(pl.col("net") + 1)
    with closing(psycopg2.connect(os.environ["DATABASE_URL"], application_name="bench")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            best: dict[str, tuple[float, int]] = {}
            try:
                for _ in range(runs):
                    for what, work in _writes(cursor, scores, raised).items():
                        best[what] = min(best.get(what, (float("inf"), 0)), _logged(cursor, work))
            finally:
                cursor.execute(f"DROP TABLE IF EXISTS {TABLE}, {TABLE}_staged")
    for what, (seconds, wal) in best.items():
        results.add(
            group, what, rows=len(scores), seconds=round(seconds, 2),
            rows_per_second=round(len(scores) / seconds), WAL_MB=round(wal / 2**20, 1),
        )  # fmt: skip


def _writes(cursor: Any, scores: pl.DataFrame, raised: pl.DataFrame) -> dict[str, Callable[[], None]]:
    """What is written, each upon what the one before has left; the first makes the table anew."""
    values = [name for name in scores.columns if name not in {"tenant_id", "customer_id"}]
    ours, theirs = (", ".join(f"{side}.{name}" for name in values) for side in ("t", "s"))
    columns = (
        "tenant_id bigint NOT NULL, customer_id bigint NOT NULL, last_order_on date, orders integer NOT NULL, "
        "net bigint NOT NULL, score smallint NOT NULL"
    )

    def new() -> None:
        cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
        cursor.execute(f"CREATE TABLE {TABLE} ({columns}, PRIMARY KEY (tenant_id, customer_id))")
        _copy_in(cursor, TABLE, scores)
        cursor.execute("COMMIT")

    def merge(frame: pl.DataFrame) -> None:
        cursor.execute(f"BEGIN; CREATE TEMPORARY TABLE {TABLE}_staged ({columns}) ON COMMIT DROP")
        _copy_in(cursor, f"{TABLE}_staged", frame)
        cursor.execute(f"ANALYZE {TABLE}_staged")
        cursor.execute(
            f"UPDATE {TABLE} t SET ({', '.join(values)}) = ROW({theirs}) FROM {TABLE}_staged s WHERE t.tenant_id = s.tenant_id "
            f"AND t.customer_id = s.customer_id AND ({ours}) IS DISTINCT FROM ({theirs}); COMMIT"
        )

    def upsert(frame: pl.DataFrame) -> None:
        cursor.execute(f"BEGIN; CREATE TEMPORARY TABLE {TABLE}_staged ({columns}) ON COMMIT DROP")
        _copy_in(cursor, f"{TABLE}_staged", frame)
        sets = ", ".join(f"{name} = excluded.{name}" for name in values)
        cursor.execute(
            f"INSERT INTO {TABLE} SELECT * FROM {TABLE}_staged ON CONFLICT (tenant_id, customer_id) DO UPDATE SET {sets}; COMMIT"
        )

    return {
        "new: COPY into a table with a primary key": new,
        "all differ: COPY beside it, INSERT … ON CONFLICT DO UPDATE": lambda: upsert(raised),
        "nothing differs: COPY beside it, UPDATE … WHERE … IS DISTINCT FROM": lambda: merge(raised),
    }


def _copy_in(cursor: Any, table: str, frame: pl.DataFrame) -> None:
    text = io.BytesIO()
    frame.write_csv(text, include_header=False)
    text.seek(0)
    cursor.copy_expert(f"COPY {table} FROM STDIN (FORMAT csv)", text, size=1 << 20)


def _logged(cursor: Any, work: Callable[[], None]) -> tuple[float, int]:
    """Seconds, and bytes of write-ahead log."""
    cursor.execute("SELECT pg_current_wal_insert_lsn()")
    (before,) = cursor.fetchone()
    begun = time.perf_counter()
    work()
    seconds = time.perf_counter() - begun
    cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)::bigint", [before])
    return seconds, int(cursor.fetchone()[0])


# ── all of it ───────────────────────────────────────────────────────────────


def run(folder: Path, slug: str, names: Sequence[str], *, runs: int, threads: int) -> tuple[Results, list[str]]:
    """Measure these ways, the first of all always among them, and the floor; the results, and what differed."""
    rollup, facts = folder / "rollup.parquet", folder / "orders.parquet"
    if not rollup.exists() or rollup.stat().st_mtime < facts.stat().st_mtime:
        activity(folder).write_parquet(rollup)
    customers, orders = (
        pl.scan_parquet(folder / f"{name}.parquet").select(pl.len()).collect().item() for name in ("customers", "orders")
    )  # fmt: skip
    store = env.state_folder() / "bench" / f"side-by-side-{customers}.json"
    store.unlink(missing_ok=True)
    results = Results.of(store)
    results.about = {**machine(), "database": _database(), "runs": f"best of {runs}, {threads} threads or connections"}
    group = f"RFM summary of {customers:,} customers, {orders:,} orders"
    with tempfile.TemporaryDirectory(prefix="perennial-side-by-side-") as answers:
        comparison = Comparison(folder, slug, runs, threads, results, group, Path(answers))
        for name in dict.fromkeys((FIRST, *names)):
            print(f"{WAYS[name].label} …", file=sys.stderr, flush=True)
            comparison.measure(name)
        print("the floor …", file=sys.stderr, flush=True)
        floor(Path(answers) / f"{FIRST}.parquet", results, "The floor: writing one row for each of them", runs)
    return results, comparison.differing


def _database() -> str:
    names = ("shared_buffers", "max_parallel_workers", "synchronous_commit", "fsync")
    with closing(psycopg2.connect(os.environ["DATABASE_URL"])) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version')")
        (version,) = cursor.fetchone()
        cursor.execute(
            "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s) ORDER BY name", [list(names)]
        )
        return ", ".join([f"PostgreSQL {version}", *(f"{name} {value}" for name, value in cursor.fetchall())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("ways", nargs="*", metavar="way", help=", ".join(WAYS))
    parser.add_argument("--tenant", required=True, metavar="SLUG")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    if unknown := set(asked.ways) - set(WAYS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(WAYS)}")
    if missing := [name for name in ("duckdb", "pandas", "lifetimes") if find_spec(name) is None]:
        parser.error(f"{', '.join(missing)}: not installed; `pip install -r bench/requirements.txt`")
    results, differing = run(
        asked.folder, asked.tenant, asked.ways or list(WAYS), runs=asked.runs, threads=asked.threads
    )
    print(results.markdown())
    if differing:
        sys.exit("Not everybody gave the same answer. " + "; ".join(differing))


if __name__ == "__main__":
    main()
