"""How fast orders are imported, and in how much memory: `python -m bench.imports [--lines N]`.

Makes a database of its own beside the one that DATABASE_URL names (the role must be allowed to), in it a firm, and a
CSV file of order lines (the trade of bench/trade.py, several lines per order, some of them wrong). Imports the file
by what `manage.py import_file` and the worker call, in a process of its own, and prints one JSON object for each
import: lines per second, also by million (is it steady?), seconds by what they were spent on, memory of the process
(does it stay?), write-ahead log, and what tables and indexes take by row. The database goes away at the end.

`--lines-per-order`: 1 is the worst case, 20 the kindest; small wholesale orders have two or three. `--before`: so many
lines of other orders are imported first, so that the tables are large already. `--again`: the same file once more.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

MILLION: Final = 1_000_000
ORDERS_PER_CUSTOMER: Final = 9.5  # what bench/trade.py comes to, about
WRONG: Final = 200  # one line in so many has no customer
SLUG: Final = "bench"
_BLOCK: Final = 200_000  # orders that are turned into lines at a time
_TABLES: Final = ("customers_order", "customers_orderline", "customers_activity", "customers_arrival",
                  "customers_customer", "customers_externalid")  # fmt: skip


# ── the file ────────────────────────────────────────────────────────────────


def write_file(path: Path, lines: int, lines_per_order: float, prefix: str) -> int:
    """Write about so many lines, in the order in which the orders were placed; returns how many.

    `prefix` begins every order's number: two files with different ones hold different orders of the same customers.
    """
    import polars as pl

    from bench.trade import make

    customers = max(20, round(lines / lines_per_order / ORDERS_PER_CUSTOMER))
    written = 0
    with tempfile.TemporaryDirectory() as folder:
        products = make(Path(folder), customers).products
        orders = Path(folder) / "orders.parquet"
        count = pl.scan_parquet(orders).select(pl.len()).collect().item()
        with path.open("wb") as file:
            for first in range(0, count, _BLOCK):
                block = pl.read_parquet(orders).slice(first, _BLOCK) if count <= _BLOCK else (
                    pl.scan_parquet(orders).slice(first, _BLOCK).collect()
                )  # fmt: skip
                found = _lines(block, lines_per_order, products, prefix)
                found.write_csv(file, include_header=first == 0)
                written += found.height
    return written


def _lines(orders: Any, lines_per_order: float, products: int, prefix: str) -> Any:
    """The lines of some orders: as many as a geometric distribution of that mean says, by the order's number."""
    import numpy as np
    import polars as pl

    number = orders["number"].to_numpy().astype(np.uint64)
    mixed = number * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    share = (mixed % np.uint64(1 << 24)).astype(np.float64) / (1 << 24)
    if lines_per_order > 1:
        times = 1 + np.floor(np.log1p(-share) / np.log1p(-1 / lines_per_order)).astype(np.int64)
    else:
        times = np.ones(number.size, dtype=np.int64)
    row = np.repeat(np.arange(number.size), times)
    place = np.arange(row.size) - np.repeat(np.cumsum(times) - times, times)
    wrong = (number[row] * np.uint64(31) + place.astype(np.uint64)) % np.uint64(WRONG) == 0
    lines = orders[row].with_columns(
        pl.Series("place", place), pl.Series("wrong", wrong), pl.Series("times", times[row])
    )
    article = (pl.col("product").cast(pl.Int64) + pl.col("place") * 7 - 1) % products + 1
    price = (pl.col("points").abs() // pl.col("times") // pl.col("quantity") // 100).clip(1)
    return lines.select(
        order=pl.format(prefix + "{}", pl.col("number").cast(pl.String).str.zfill(9)),
        customer=pl.when("wrong").then(pl.lit("")).otherwise(pl.col("customer").cast(pl.String).str.zfill(7)),
        country=pl.lit("Germany"),
        placed_at=pl.col("at").dt.to_string("%Y-%m-%d %H:%M:%S"),
        product=pl.format("P{}", article),
        product_name=pl.format("Article {}, in a box of ten", article),
        quantity=pl.when("is_credit").then(-pl.col("quantity")).otherwise("quantity"),
        unit_price=pl.format("{}.{}", price // 100, (price % 100).cast(pl.String).str.zfill(2)),
    )


# ── the import, in a process of its own ─────────────────────────────────────


class Clock:
    """Seconds by what they were spent on; of what runs at the same time each counts. Lines written, by second."""

    def __init__(self) -> None:
        self.begun = time.perf_counter()
        self.seconds: dict[str, float] = {}
        self.read: list[tuple[float, int]] = []
        self.written: list[tuple[float, int]] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        return time.perf_counter() - self.begun

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose time is counted under the name."""

        def timing(*args: Any, **kwargs: Any) -> Any:
            begun = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.add(name, time.perf_counter() - begun)

        return timing

    def timed_each(self, name: str, function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """The same of a function that hands out one thing after the other."""

        def timing(*args: Any, **kwargs: Any) -> Iterator[Any]:
            found = function(*args, **kwargs)
            while True:
                begun = time.perf_counter()
                try:
                    item = next(found)
                except StopIteration:
                    return
                finally:
                    self.add(name, time.perf_counter() - begun)
                yield item

        return timing

    def add(self, name: str, seconds: float) -> None:
        with self._lock:
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds


def _watch(clock: Clock) -> None:
    """Have the parts of an import timed."""
    from customers.imports import merge_orders, readers, rows, run, spool
    from customers.imports.outcome import Outcome

    run.readers.inspect = clock.timed("inspect", readers.inspect)
    run.readers.batches = clock.timed_each("read", readers.batches)
    run.check = clock.timed("check", run.check)
    spool.Spool.add = clock.timed("spool", spool.Spool.add)
    spool.Spool.read = clock.timed("spool", spool.Spool.read)
    for name in ("lock_customers", "refresh_activity", "add_activity", "arrived", "_customers", "_products"):
        setattr(merge_orders, name, clock.timed(name, getattr(merge_orders, name)))
    merge_orders.rules.order_digests = clock.timed("digests", merge_orders.rules.order_digests)
    rows.fresh_ids = clock.timed("ids", rows.fresh_ids)
    rows.read_frame = merge_orders.read_frame = clock.timed("look up", rows.read_frame)
    merge_orders.fresh_ids = rows.fresh_ids
    add = rows.add

    def added(model: Any, *args: Any, **kwargs: Any) -> Any:
        begun = time.perf_counter()
        try:
            return add(model, *args, **kwargs)
        finally:
            clock.add(f"add {model.__name__}", time.perf_counter() - begun)

    rows.add = merge_orders.add = added
    merge_orders.change = clock.timed("change", merge_orders.change)
    run._Job._write_piece = clock.timed("pieces in all", run._Job._write_piece)
    run.write_file = clock.timed("outcome file", run.write_file)
    Outcome.put_in_order = clock.timed("outcome in order", Outcome.put_in_order)
    write = Outcome.write

    def written(self: Outcome, part: str, lines: Any) -> None:
        begun = time.perf_counter()
        write(self, part, lines)
        clock.add("outcome", time.perf_counter() - begun)
        if part.startswith("write"):
            clock.written.append((clock.now(), lines.height))

    Outcome.write = written


def run_one(path: Path) -> dict[str, Any]:
    """Import the file and say what it took: called in a process of its own."""
    import django

    django.setup()
    from customers.imports import service
    from customers.models import Import
    from tenants.context import tenant_scope
    from tenants.models import Tenant

    clock = Clock()
    _watch(clock)
    tenant = Tenant.objects.get(slug=SLUG)

    def tell(row: Import) -> None:
        if row.status == Import.Status.READING:
            clock.read.append((clock.now(), row.rows))

    with tenant_scope(tenant):
        row = service.start_import(kind="orders", file=path, filename=path.name)
        service.queue_import(row, ring=False)
    taken_in = clock.now()
    row = service.run_import(tenant, row.pk, wait=True, tell=tell)
    whole = clock.now()
    if row.status != Import.Status.DONE:
        raise SystemExit(row.error or row.status)
    reading = clock.read[-1][0] if clock.read else taken_in
    total, written = 0, []
    for at, lines in sorted(clock.written):
        total += lines
        written.append((at, total))
    counts = {name: getattr(row, name) for name in ("rows", "failed", "created", "updated", "unchanged")}
    return counts | {
        "seconds": round(whole, 1),
        "lines_per_second": round(row.rows / whole),
        "phases": {"take in": round(taken_in, 1), "read": round(reading - taken_in, 1), "write": round(whole - reading, 1)},
        "reading_lines_per_second": _by_million(clock.read, taken_in),
        "writing_lines_per_second": _by_million(written, reading),
        "parts": {name: round(value, 1) for name, value in sorted(clock.seconds.items(), key=lambda p: -p[1])},
    }  # fmt: skip


def _by_million(seen: list[tuple[float, int]], begun: float) -> list[int]:
    """Lines per second of each further million; the last may be less than one."""
    speeds, (since, lines) = [], (begun, 0)
    for at, total in seen:
        if total - lines >= MILLION or (at, total) == seen[-1]:
            if at > since and total > lines:
                speeds.append(round((total - lines) / (at - since)))
            since, lines = at, total
    return speeds


# ── what is seen from outside ───────────────────────────────────────────────


@contextmanager
def _own_database(url: str) -> Iterator[str]:
    """A database beside the one of the URL, for as long as the block lasts."""
    import psycopg2

    parts = urlsplit(url)
    name = f"{parts.path.strip('/') or 'perennial'}_bench_imports"
    server = psycopg2.connect(url)
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
        cursor.execute(f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit(parts._replace(path=f"/{name}"))
    finally:
        with server.cursor() as cursor:
            # Without FORCE it waits for who is just leaving, and ends an autovacuum, which FORCE may not.
            cursor.execute(f'DROP DATABASE "{name}"')
            cursor.execute(f'DROP ROLE IF EXISTS "{name}_app"')
        server.close()


def _measured(path: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Import the file in a process and watch it."""
    import psutil
    import psycopg2

    database = psycopg2.connect(environment["DATABASE_URL"])
    database.autocommit = True
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_lsn(), pg_backend_pid()")
        before, backend = cursor.fetchone()
        begun, at_first, samples = time.perf_counter(), _processor_seconds(backend), []
        command = [sys.executable, "-m", "bench.imports", "--run", str(path)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # our own
            answer: list[str] = []
            reader = threading.Thread(target=lambda: answer.append(process.stdout.read()))  # type: ignore[union-attr]  # a pipe
            reader.start()
            watched = psutil.Process(process.pid)
            while process.poll() is None:
                samples += _sample(watched, backend, cursor)
                time.sleep(0.25)
            reader.join()
        if process.returncode:
            raise SystemExit(process.returncode)
        cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), %s)::bigint", [before])
        (log,) = cursor.fetchone()
        result = json.loads(answer[0])
        result |= {
            "process_seconds": round(time.perf_counter() - begun, 1),
            "processor_seconds": {
                "import": round(max(sample.worked for sample in samples), 1),
                "database": round(_processor_seconds(backend) - at_first, 1),
                "writing_per_million": _each_million(samples, result["rows"]),
            },
            "memory_mb": {
                "peak": max(sample.memory for sample in samples),
                "by_tenth": _tenths([sample.memory for sample in samples]),
            },
            "wal_mb": round(log / 2**20),
            "tables": _sizes(cursor),
        }
    database.close()
    return result


@dataclass(frozen=True)
class Sample:
    """What is seen at one moment: MB of memory, seconds of processor so far, and the share that is written."""

    memory: int
    worked: float
    database: float
    written: float


def _sample(process: Any, backend: int, cursor: Any) -> list[Sample]:
    """One sample; none when the process has just ended."""
    import psutil

    cursor.execute(
        "SELECT CASE status WHEN 'writing' THEN done_part::float / nullif(whole, 0) WHEN 'done' THEN 1 END "
        "FROM customers_import ORDER BY id DESC LIMIT 1"
    )
    (written,) = cursor.fetchone() or (None,)
    try:
        worked = sum(process.cpu_times()[:2])
    except psutil.Error:
        return []
    return [Sample(_memory(process.pid), worked, _processor_seconds(backend), written or 0.0)]


def _each_million(samples: list[Sample], lines: int) -> list[float]:
    """Seconds of processor, of import and database together, for each further million of lines that were written."""
    writing = [sample for sample in samples if sample.written]
    found, last = [], writing[0]
    for sample in writing:
        if (sample.written - last.written) * lines >= MILLION:
            spent = sample.worked + sample.database - last.worked - last.database
            found.append(round(spent / ((sample.written - last.written) * lines) * MILLION, 1))
            last = sample
    return found


def _processor_seconds(backend: int) -> float:
    """What the database server, all of it, has worked until now; 0 when it runs on another machine."""
    import psutil

    try:
        server = psutil.Process(backend).parent()
        if server is None or not server.name().startswith("postgres"):
            return 0.0
        # A process that has ended counts with the one that waited for it.
        own = server.cpu_times()
        return sum(own[:4]) + sum(sum(child.cpu_times()[:2]) for child in server.children())
    except psutil.Error:
        return 0.0


def _memory(pid: int) -> int:
    """Resident memory of a process, MB; 0 when it has gone. What it maps of files of its own does not count."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")) // 1024


def _tenths(samples: list[int]) -> list[int]:
    """The most in each tenth of the time."""
    cuts = [len(samples) * tenth // 10 for tenth in range(11)]
    return [max(samples[a:b]) for a, b in itertools.pairwise(cuts) if a < b]


def _sizes(cursor: Any) -> dict[str, Any]:
    """By table: rows, MB, and bytes by row of the table itself and of each index."""
    sizes = {}
    for table in _TABLES:
        cursor.execute(f"VACUUM ANALYZE {table}")
        cursor.execute(
            "SELECT (SELECT count(*) FROM " + table + "), pg_table_size(%s), pg_total_relation_size(%s)", [table, table]
        )
        rows, heap, whole = cursor.fetchone()
        cursor.execute(
            "SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes WHERE relname = %s", [table]
        )
        each = max(1, rows)
        sizes[table] = {
            "rows": rows,
            "mb": round(whole / 2**20),
            "bytes_per_row": {
                "all": round(whole / each),
                "table": round(heap / each),
                **{n: round(s / each) for n, s in cursor.fetchall()},
            },
        }
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=MILLION)
    parser.add_argument("--lines-per-order", type=float, default=2.5)
    parser.add_argument("--before", type=int, default=0, help="lines that are imported first, not measured by million")
    parser.add_argument("--again", action="store_true", help="import the file a second time")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if asked.run:
        json.dump(run_one(asked.run), sys.stdout)
        return
    url = os.environ.get("DATABASE_URL") or parser.error("DATABASE_URL has to name a server")
    with _own_database(url) as own, tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "DATABASE_URL": own, "DATABASE_APP_URL": "", "PERENNIAL_VAR": folder}
        environment["SECRET_KEY"] = environment.get("SECRET_KEY") or "only for this run"
        firm = [SLUG, "--name", "Bench", "--pack", "wholesale", "--timezone", "Europe/Berlin", "--currency", "EUR"]
        for arguments in (["migrate", "-v0"], ["create_tenant", *firm]):
            command = [sys.executable, "manage.py", *arguments]
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # our own
        jobs = [("before", asked.before, "A")] if asked.before else []
        jobs.append(("import", asked.lines, "B"))
        for title, lines, prefix in jobs:
            path = Path(folder) / f"{title}.csv"
            begun = dt.datetime.now(dt.UTC)
            write_file(path, lines, asked.lines_per_order, prefix)
            print(f"{path.name}: {path.stat().st_size >> 20} MB in {dt.datetime.now(dt.UTC) - begun}", file=sys.stderr)
            for again in range(1 + (asked.again and title == "import")):
                found = _measured(path, environment)
                name = "again" if again else title
                print(json.dumps({"what": name, "lines_per_order": asked.lines_per_order} | found), flush=True)


if __name__ == "__main__":
    main()
