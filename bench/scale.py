"""How Perennial fares with so many customers: `python -m bench.scale [--customers N] [--small K] [--keep FOLDER]`.

On PostgreSQL and Valkey of its own (or a database of its own on the server of DATABASE_URL), with everything as in
production: the facts of a made-up firm of N customers and three years (bench.trade), beside it K firms of a hundred; the
first night, the same one again, all customers anew, then a day on which one in a hundred has something new (bench.day) and
the next night, by Celery workers; what PostgreSQL needs only to write what that night has changed (bench.floor); the small
firms' nights; pages and the API over HTTP (bench.pages); an import of ten lines for each customer (bench.imports).

Prints Markdown and keeps the figures as JSON under var/bench/. A stage that fails is said, and the others go on. With
`--keep` the data stays, and a run that was stopped goes on where it was. docs/scale.md explains the figures.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import re
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench import day, floor, house, nights, pages, trade
from bench.table import Results, machine, shown
from config import env

if TYPE_CHECKING:
    from tenants.models import Tenant

SLUG: Final = "giant"
SMALL: Final = "small"
SMALL_CUSTOMERS: Final = 100
FIRST_NIGHT: Final = trade.LAST_DAY + dt.timedelta(days=1)
LINES_PER_CUSTOMER: Final = 10  # of the file that is imported

# The nights' names, which bench.growth reads.
FIRST: Final = "first night, everybody"
AGAIN: Final = "the same night again"
ANEW: Final = "the same night, everybody anew"
NEXT: Final = "the next night, after a day with 1 % new facts"

ALWAYS: Final = ("migrate", "data", "tables")
"""Stages that are done again by a run which goes on: quick, and of what may have changed meanwhile."""

Stage = Callable[[], Any]


class Run:
    """One run: its results, and the stages in order."""

    def __init__(self, asked: argparse.Namespace, state: Path, results: Results, cache: Path) -> None:
        self.asked, self.state, self.results, self.cache = asked, state, results, cache

    def all(self) -> bool:
        """Every stage that is asked for, in order; False when one has failed."""
        stages = [(name, work) for name, work in self.stages() if name not in self.asked.without]
        well = [self.stage(name, work) for name, work in stages]
        return all(well)

    def stages(self) -> list[tuple[str, Stage]]:
        """What there is to do."""
        asked = self.asked
        stages: list[tuple[str, Stage]] = [
            ("migrate", lambda: house.manage("migrate", "-v0")),
            ("data", self.data),
            ("load", lambda: self.load(SLUG, self.folder, 1)),
        ]
        if asked.small:
            stages.append(("small firms", lambda: self.load(SMALL, self.small_folder, asked.small)))
        stages += [
            ("first night", lambda: self.night(FIRST, FIRST_NIGHT)),
            ("again", lambda: self.night(AGAIN, FIRST_NIGHT)),
            ("anew", lambda: self.night(ANEW, FIRST_NIGHT, everybody=True)),
            ("days before", self.days_before),
            ("day", lambda: self.day(self.next_night)),
            ("copy for the floor", self.keep),
            ("next night", lambda: self.night(NEXT, self.next_night)),
            ("floor", self.floor),
        ]
        if asked.small:
            stages.append(("small firms' nights", self.small_nights))
        if asked.requests:
            stages.append(("pages", self.pages))
        stages.append(("tables", self.tables))
        if asked.import_lines:
            stages.append(("import", self.imports))
        if asked.side_by_side:
            stages.append(("side by side", self.side_by_side))
        return stages

    def stage(self, name: str, work: Stage) -> bool:
        """Do a stage that has not been done; what fails is noted, and does not keep the others from trying."""
        if name in self.results.done and name not in ALWAYS:
            return True
        _say(f"{name} …")
        begun = time.monotonic()
        try:
            self.results.finished(name, work())
        except Exception as error:  # noqa: BLE001  # whatever it was, the figures so far count
            traceback.print_exc()
            self.results.add("failed", name, why=f"{type(error).__name__}: {str(error).strip()[:300]}")
            return False
        self.results.rows = [row for row in self.results.rows if (row["group"], row["what"]) != ("failed", name)]
        self.results.save()
        room = shutil.disk_usage(self.state).free / 2**30
        _say(f"{name}: {time.monotonic() - begun:.1f} s; {room:.0f} GB of disk left")
        return True

    # ── facts ───────────────────────────────────────────────────────────────

    @property
    def folder(self) -> Path:
        return self.asked.trade or self.cache / f"{self.asked.customers}"

    @property
    def next_night(self) -> dt.date:
        """The night that is measured beside the floor, after a day with new facts."""
        return FIRST_NIGHT + dt.timedelta(days=self.asked.day[-1])

    @property
    def small_folder(self) -> Path:
        return self.cache / f"{self.asked.small * SMALL_CUSTOMERS}-{SMALL}"

    def data(self) -> None:
        """Make the facts, unless they have been made by the same rules before."""
        if self.asked.trade is None:
            _made(self.folder, self.asked.customers)
        if self.asked.small:
            _made(self.small_folder, self.asked.small * SMALL_CUSTOMERS, seed=6)

    def load(self, slug: str, folder: Path, firms: int) -> None:
        from tenants.models import Tenant

        # What a run left that was killed while it loaded.
        for broken in Tenant.objects.filter(slug__regex=rf"^{slug}(-\d+)?$"):
            Tenant.objects.filter(pk=broken.pk).update(slug=f"broken-{broken.pk}", is_active=False)
        loaded = json.loads(house.called("load", str(folder), "--slug", slug, "--firms", str(firms)))
        rows = sum(loaded["rows"].values())
        what = (
            f"{loaded['rows']['customers_customer']:,} customers of {firms:,} firms" if firms > 1 else "the giant firm"
        )
        self.results.add(
            "load by COPY", what, rows=rows, seconds=loaded["seconds"], rows_per_second=round(rows / loaded["seconds"]),
            customers=loaded["rows"]["customers_customer"], orders=loaded["rows"]["customers_order"],
            contacts=loaded["rows"]["customers_interaction"],
        )  # fmt: skip
        house.settle()

    def facts_before(self, night: dt.date) -> dict[str, Any]:
        """Bring in what customers have new on the day before a night; returns what bench.day tells."""
        day, share = str(night - dt.timedelta(days=1)), str(self.asked.share)
        found: dict[str, Any] = json.loads(
            house.called("day", str(self.folder), "--slug", SLUG, "--day", day, "--share", share)
        )
        return found

    def days_before(self) -> None:
        """Days whose nights are not measured: afterwards memory holds what nights read, as it does day by day."""
        for days in self.asked.day[:-1]:
            night = FIRST_NIGHT + dt.timedelta(days=days)
            self.facts_before(night)
            nights.run([self.giant()], night, self.asked.workers, self.state)

    def day(self, night: dt.date) -> None:
        found = self.facts_before(night)
        self.results.add("a day's facts", "customers with something new", rows=found.pop("customers"))
        for kind, counts in found.items():
            self.results.add("a day's facts", kind, **counts)

    # ── nights ──────────────────────────────────────────────────────────────

    def giant(self) -> Tenant:
        from tenants.models import Tenant

        return Tenant.objects.get(slug=SLUG)

    def night(self, name: str, as_of: dt.date, *, everybody: bool = False) -> dict[str, int]:
        """Run one, and keep what each step took; returns how many rows were written, by table."""
        house.settle()
        before = _writes()
        night = nights.run([self.giant()], as_of, self.asked.workers, self.state, everybody=everybody)
        written = {table: count - before.get(table, 0) for table, count in _writes().items()}
        written = {table: count for table, count in written.items() if count}
        group = f"night by step: {name}"
        self.results.drop(group)
        for step in night.steps:
            counts = ", ".join(f"{key} {shown(value)}" for key, value in step.counts.items())
            self.results.add(group, step.name, **step.taken.figures(), counts=counts)
        self.results.add("nights", name, rows_written=sum(written.values()), **night.taken.figures())
        if night.afterwards.seconds > 1:
            self.results.add("nights", f"afterwards, beside other work: {name}", **night.afterwards.figures())
        return written

    def keep(self) -> None:
        house.settle()
        floor.keep(self.giant().pk)

    def floor(self) -> None:
        tenant_id = self.giant().pk
        night = self.results.get("nights", NEXT, "seconds")
        if not isinstance(night, int | float):
            raise RuntimeError("the next night has not been measured")
        tables = floor.take(tenant_id)
        self.results.drop("floor", "what the next night changed")
        for table in tables:
            self.results.add(
                "what the next night changed", table.name, rows_before=table.rows, added=table.added,
                changed=table.changed, removed=table.removed,
                written_by_the_night=_written(self.results.done["next night"], table.name),
                MB_of_rows=round(table.width / 2**20, 1),
            )  # fmt: skip
        read = floor.read_rollup(tenant_id)
        self.results.add("floor", "read the rollup once", seconds=round(read, 2))
        rows = sum(table.written for table in tables)
        counts = dict.fromkeys((1, self.asked.workers))
        for count, took in zip(counts, floor.write(tables, self.asked.workers), strict=False):
            name = "one connection" if count == 1 else f"{count} connections"
            self.results.add(
                "floor", f"write what differs, {name}", rows=rows, seconds=round(took.seconds, 2),
                WAL_MB=round(took.wal / 2**20, 1),
            )  # fmt: skip
            self.results.add(
                "floor", f"the next night ÷ (read + write), {name}", ratio=round(night / (read + took.seconds), 2)
            )
        if left := [table.name for table in floor.take(tenant_id)]:
            raise RuntimeError(f"the floor has not written all that the night has: {', '.join(left)}")
        floor.forget()

    def small_nights(self) -> None:
        from tenants.models import Tenant

        firms: Sequence[Tenant] = list(Tenant.objects.filter(slug__startswith=f"{SMALL}-").order_by("pk"))
        for name, as_of in (("first night", FIRST_NIGHT), ("the next, nothing new", self.next_night)):
            house.settle()
            night = nights.run(firms, as_of, self.asked.workers, self.state)
            self.results.add(
                "small firms", f"{len(firms):,} firms of {SMALL_CUSTOMERS} customers: {name}",
                seconds_per_firm=round(night.taken.seconds / len(firms), 3), **night.taken.figures(),
            )  # fmt: skip

    # ── the rest ────────────────────────────────────────────────────────────

    def pages(self) -> None:
        self.results.drop("pages")

        def tell(row: dict[str, Any]) -> None:
            self.results.put(row)
            _say(f"  {row['what']}: {row.get('p50 ms', '')} / {row.get('p95 ms', '')} ms {row.get('refused', '')}")

        pages.measure(SLUG, self.state, tell, self.asked.requests)

    def tables(self) -> None:
        self.results.drop("tables")
        found = house.rows(
            """
            SELECT root.relname, sum(greatest(part.reltuples, 0))::bigint, sum(pg_table_size(part.oid))::bigint,
                sum(pg_indexes_size(part.oid))::bigint
            FROM pg_class root
            CROSS JOIN LATERAL (SELECT relid FROM pg_partition_tree(root.oid) UNION SELECT root.oid) t
            JOIN pg_class part ON part.oid = t.relid
            WHERE root.relnamespace = 'public'::regnamespace AND root.relkind IN ('r', 'p') AND NOT root.relispartition
            AND part.relkind = 'r' GROUP BY 1 HAVING sum(pg_total_relation_size(part.oid)) >= 2 ^ 20
            """
        )
        for name, rows, heap, indexes in sorted(found, key=lambda each: -(each[2] + each[3])):
            self.results.add(
                "tables", name, rows=rows, table_MB=round(heap / 2**20, 1), indexes_MB=round(indexes / 2**20, 1),
                bytes_per_row=round((heap + indexes) / rows) if rows else None,
            )  # fmt: skip
        self.results.add(
            "tables", "all", table_MB=round(sum(each[2] for each in found) / 2**20, 1),
            indexes_MB=round(sum(each[3] for each in found) / 2**20, 1),
        )  # fmt: skip

    def imports(self) -> None:
        self.results.drop("import")
        for line in house.lines_of("imports", "--lines", str(self.asked.import_lines)):
            found = json.loads(line)
            speeds = found["writing_lines_per_second"]
            self.results.add(
                "import", f"{found['what']}, {found['lines_per_order']} lines an order", lines=found["rows"],
                seconds=found["seconds"], lines_per_second=found["lines_per_second"],
                slowest_million_written_per_second=min(speeds, default=None), WAL_MB=found["wal_mb"],
                peak_MB=found["memory_mb"]["peak"], peak_MB_by_tenth=" ".join(map(str, found["memory_mb"]["by_tenth"])),
            )  # fmt: skip

    def side_by_side(self) -> None:
        try:
            house.called("side_by_side", str(self.folder), "--tenant", SLUG)
        finally:  # what it measured before it failed counts, too
            for path in (self.state / "bench").glob("side-by-side-*.json"):
                for row in Results.of(path).rows:
                    self.results.put(row)


def _made(folder: Path, customers: int, seed: int = 5) -> None:
    rules = hashlib.sha256(Path(trade.__file__).read_bytes()).hexdigest()
    stamp = folder / "rules"
    if stamp.exists() and stamp.read_text() == rules:
        return
    trade.make(folder, customers, seed)
    stamp.write_text(rules)


def _writes() -> dict[str, int]:
    """How many rows have ever been added, changed and removed, by table."""
    found = house.rows(
        "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE schemaname = 'public'"
    )
    return dict(found)


def _written(counts: dict[str, int], table: str) -> int:
    """Of a table and its partitions."""
    parts = [
        name for (name,) in house.rows("SELECT relid::regclass::text FROM pg_partition_tree(%s::regclass)", [table])
    ]
    return sum(counts.get(name, 0) for name in {table, *parts})


def _say(line: str) -> None:
    print(f"{dt.datetime.now(dt.UTC):%H:%M:%S} {line}", file=sys.stderr, flush=True)


def put_into(path: Path, name: str, text: str) -> None:
    """Put text into a file, between `<!-- name -->` and `<!-- /name -->`. Raises ValueError where these are missing."""
    before = path.read_text(encoding="utf-8")
    marks = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL)
    if not marks.search(before):
        raise ValueError(f"{path} has no place for {name}: <!-- {name} --> … <!-- /{name} -->")
    path.write_text(marks.sub(lambda found: f"{found[1]}{text}{found[2]}", before, count=1), encoding="utf-8")


def parser() -> argparse.ArgumentParser:
    """What can be asked for."""
    found = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    found.add_argument("--customers", type=int, default=20_000)
    found.add_argument("--small", type=int, default=0, help="firms of a hundred customers beside the giant one")
    found.add_argument("--workers", type=int, default=2)
    found.add_argument(
        "--share", type=float, default=day.SHARE, help="of the customers who have something new on a day"
    )
    found.add_argument(
        "--day",
        type=int,
        nargs="+",
        default=[1],
        help="after the first night, of the next night; another one for kept data; before it days whose nights are not "
        "measured, so that memory holds what a night reads",
    )
    found.add_argument("--requests", type=int, default=pages.REQUESTS, help="of each page; 0: no pages")
    found.add_argument(
        "--import-lines", type=int, help="of the file that is imported; else ten for each customer; 0: none"
    )
    found.add_argument("--side-by-side", action="store_true", help="the summary by other programmes, too")
    found.add_argument("--without", nargs="*", default=[], metavar="STAGE", help="stages to leave out, by name")
    found.add_argument("--keep", type=Path, metavar="FOLDER", help="where the data stays, and is found again")
    found.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="what PostgreSQL is told beside docs/operate.md"
    )
    found.add_argument("--trade", type=Path, metavar="FOLDER", help="facts that bench.trade has made before")
    found.add_argument(
        "--into", type=Path, metavar="FILE", help="a text between whose marks <!-- scale --> the tables go"
    )
    return found


def main() -> None:
    asked = parser().parse_args()
    if asked.import_lines is None:
        asked.import_lines = asked.customers * LINES_PER_CUSTOMER
    store = env.state_folder() / "bench"
    kept = store / f"scale-{asked.customers}.json"
    path = asked.keep / "results.json" if asked.keep else kept
    if not asked.keep:
        path.unlink(missing_ok=True)
    signal.signal(
        signal.SIGTERM, lambda _number, _frame: sys.exit(143)
    )  # servers and folders are cleared away then, too
    with house.house(asked.keep, dict(each.split("=", 1) for each in asked.set)) as state:
        import django

        django.setup()
        results = Results.of(path)
        results.about = {"customers": f"{asked.customers:,}", **machine(), **house.database_about()} | {
            "begun": results.about.get("begun") or f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC",
            "workers": f"{asked.workers} Celery worker processes on the same machine",
        }
        results.save()
        well = Run(asked, state, results, store / "trade").all()
        from django.db import connections

        connections.close_all()
    if path != kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, kept)
    print(results.markdown())
    _say(f"kept in {kept}")
    if asked.into:
        put_into(asked.into, "scale", results.markdown())
    sys.exit(not well)


if __name__ == "__main__":
    main()
