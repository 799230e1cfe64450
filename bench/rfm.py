"""One question answered in ten ways, for bench.side_by_side: when did each customer last order, how often and for how much?

Of every customer who ever ordered before a day: the day of the last order, and of the twelve months before that day the
number of orders and the net money in points, as docs/rules/segmentation.md counts them (a credit note is no order, but is
deducted). The facts are those of bench.trade: as Parquet, as the monthly rollup in Parquet, and in PostgreSQL, where they
are read as the app reads them, by its role and behind its walls.

`python -m bench.rfm WAY FOLDER --tenant SLUG --answer FILE` answers some times and prints what it took as JSON.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import polars as pl

from bench.trade import LAST_DAY

AS_OF: Final = LAST_DAY + dt.timedelta(days=1)
START: Final = AS_OF.replace(year=AS_OF.year - 1)
ANSWER: Final = {"customer": pl.Int64, "last_order_on": pl.Date, "orders": pl.Int64, "net": pl.Int64}

Make = Callable[[], Any]
"""Answers once; timed."""


@dataclass(frozen=True)
class Facts:
    """Where the facts are: a folder with `orders.parquet` and `rollup.parquet`, and a firm in the database."""

    folder: Path
    slug: str
    threads: int

    @property
    def orders(self) -> Path:
        return self.folder / "orders.parquet"

    @property
    def rollup(self) -> Path:
        return self.folder / "rollup.parquet"

    @cached_property
    def tenant(self) -> Any:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        import django

        django.setup()
        from tenants.models import Tenant

        return Tenant.objects.get(slug=self.slug)

    @contextmanager
    def scope(self) -> Iterator[Any]:
        """A cursor in the firm's scope."""
        tenant = self.tenant
        from django.db import connection

        from tenants.context import tenant_scope

        with tenant_scope(tenant), connection.cursor() as cursor:
            yield cursor


@dataclass(frozen=True)
class Way:
    """How to answer, and how its answer becomes a frame with the columns of ANSWER (or, if it lacks some, of those)."""

    label: str
    make: Callable[[Facts], Make]
    frame: Callable[[Facts, Any], pl.DataFrame]


# ── on files ────────────────────────────────────────────────────────────────


def _duckdb(sql: str) -> Callable[[Facts], Make]:
    def prepared(facts: Facts) -> Make:
        import duckdb

        connection = duckdb.connect(config={"threads": facts.threads})
        paths = {"orders": str(facts.orders), "rollup": str(facts.rollup)}
        return lambda: connection.sql(sql.format(**paths)).to_arrow_table()

    return prepared


_DUCKDB_RAW: Final = f"""
    SELECT customer, max(day) FILTER (NOT is_credit) AS last_order_on,
           count(*) FILTER (NOT is_credit AND day >= DATE '{START}') AS orders,
           coalesce(sum(points) FILTER (day >= DATE '{START}'), 0)::BIGINT AS net
    FROM read_parquet('{{orders}}') WHERE day < DATE '{AS_OF}'
    GROUP BY customer HAVING last_order_on IS NOT NULL
"""
_DUCKDB_ROLLUP: Final = f"""
    SELECT customer, max(CASE WHEN days <> 0 THEN month + floor(log2(days))::INTEGER END) AS last_order_on,
           coalesce(sum(orders) FILTER (month >= DATE '{START}'), 0)::BIGINT AS orders,
           coalesce(sum(net) FILTER (month >= DATE '{START}'), 0)::BIGINT AS net
    FROM read_parquet('{{rollup}}') WHERE month < DATE '{AS_OF}'
    GROUP BY customer HAVING last_order_on IS NOT NULL
"""


def _polars(facts: Facts) -> Make:
    is_order, is_recent = ~pl.col("is_credit"), pl.col("day") >= START
    query = (
        pl.scan_parquet(facts.orders)
        .filter(pl.col("day") < AS_OF)
        .group_by("customer")
        .agg(
            last_order_on=pl.col("day").filter(is_order).max(),
            orders=(is_order & is_recent).sum(),
            net=pl.when(is_recent).then("points").otherwise(0).sum(),
        )
        .filter(pl.col("last_order_on").is_not_null())
    )
    return lambda: query.collect(engine="streaming")


def _pandas(facts: Facts) -> Make:
    import pandas as pd

    def answer() -> Any:
        rows = pd.read_parquet(facts.orders, columns=["customer", "at", "points", "is_credit"])
        rows = rows[rows["at"] < pd.Timestamp(AS_OF)]
        recent = rows[rows["at"] >= pd.Timestamp(START)]
        found = rows[~rows["is_credit"]].groupby("customer")["at"].max().dt.normalize().to_frame("last_order_on")
        found["orders"] = recent[~recent["is_credit"]].groupby("customer").size()
        found["net"] = recent.groupby("customer")["points"].sum()
        return found.fillna({"orders": 0, "net": 0}).astype({"orders": "int64", "net": "int64"}).reset_index()

    return answer


def _lifetimes(facts: Facts) -> Make:
    import pandas as pd
    from lifetimes.utils import summary_data_from_transaction_data

    def answer() -> Any:
        rows = pd.read_parquet(facts.orders, columns=["customer", "at", "points", "is_credit"])
        rows = rows[~rows["is_credit"]]
        return summary_data_from_transaction_data(
            rows, "customer", "at", "points", observation_period_end=pd.Timestamp(LAST_DAY)
        )

    return answer


def _days_of_lifetimes(_facts: Facts, found: Any) -> pl.DataFrame:
    """What it shares with the others: it counts repeat days and their mean money, of all the time."""
    silent = (found["T"] - found["recency"]).round().astype("int64").to_numpy()
    return pl.DataFrame({"customer": found.index.to_numpy(), "silent": silent}).select(
        "customer", last_order_on=pl.lit(LAST_DAY) - pl.duration(days=pl.col("silent"))
    )


# ── in PostgreSQL ───────────────────────────────────────────────────────────

_STOCK: Final = ("work_mem = '4MB'", "hash_mem_multiplier = 2", "jit = on", "max_parallel_workers_per_gather = 2")
_TUNED: Final = ("work_mem = '512MB'", "hash_mem_multiplier = 2", "jit = off", "max_parallel_workers_per_gather = 2")

_SQL_RAW: Final = f"""
    SELECT customer_id, max(placed_on) FILTER (WHERE kind = 'order'),
           count(*) FILTER (WHERE kind = 'order' AND placed_on >= '{START}'),
           coalesce(sum(net) FILTER (WHERE placed_on >= '{START}'), 0)::bigint
    FROM customers_order WHERE tenant_id = {{tenant}} AND status = 'placed' AND placed_on < '{AS_OF}'
    GROUP BY customer_id HAVING max(placed_on) FILTER (WHERE kind = 'order') IS NOT NULL
"""
# The last month with an order and its days in one number: the highest bit of the days is the last of them.
_SQL_ROLLUP: Final = f"""
    SELECT customer_id,
           date '2000-01-01' + (newest >> 31)::int + length(ltrim((newest & 2147483647)::bit(31)::text, '0')) - 1,
           orders, net
    FROM (
        SELECT customer_id, max((month - date '2000-01-01')::bigint << 31 | days) FILTER (WHERE days <> 0) AS newest,
               coalesce(sum(orders) FILTER (WHERE month >= '{START}'), 0) AS orders,
               coalesce(sum(net) FILTER (WHERE month >= '{START}'), 0)::bigint AS net
        FROM customers_activity WHERE tenant_id = {{tenant}} AND month < '{AS_OF}' GROUP BY customer_id
    ) summed WHERE newest IS NOT NULL
"""


def _sql(query: str, settings: tuple[str, ...]) -> Callable[[Facts], Make]:
    def prepared(facts: Facts) -> Make:
        tenant = facts.tenant

        def answer() -> pl.DataFrame:
            text = io.BytesIO()
            with facts.scope() as cursor:
                for setting in settings:
                    cursor.execute(f"SET LOCAL {setting}")
                cursor.copy_expert(f"COPY ({query.format(tenant=tenant.pk)}) TO STDOUT (FORMAT csv)", text)
            schema = dict(zip(("customer_id", *list(ANSWER)[1:]), ANSWER.values(), strict=True))
            return pl.read_csv(text.getvalue(), has_header=False, schema=schema)

        return answer

    return prepared


def _ours_raw(facts: Facts) -> Make:
    tenant = facts.tenant
    from customers.rollup import rfm_summary_from_orders
    from tenants.context import tenant_scope

    def answer() -> pl.DataFrame:
        with tenant_scope(tenant):
            return rfm_summary_from_orders(AS_OF, (START, AS_OF), connections=facts.threads)

    return answer


def _ours_rollup(facts: Facts) -> Make:
    tenant = facts.tenant
    from customers.frames import order_days, window_sums
    from tenants.context import tenant_scope

    def answer() -> pl.DataFrame:
        with tenant_scope(tenant):
            days = order_days(AS_OF).group_by("customer_id").agg(last_order_on=pl.col("day").max())
            sums = window_sums({"window": (START, AS_OF)})
        return days.join(sums, on="customer_id", how="left").select(
            "customer_id",
            "last_order_on",
            orders=pl.col("window_orders").fill_null(0),
            net=pl.col("window_net").fill_null(0),
        )

    return answer


def _of_rows(facts: Facts, found: pl.DataFrame) -> pl.DataFrame:
    """The database has its own ids, which bench.load has given in the order of the numbers."""
    with facts.scope() as cursor:
        cursor.execute("SELECT min(id) - 1 FROM customers_customer WHERE tenant_id = %s", [facts.tenant.pk])
        (base,) = cursor.fetchone()
    return found.filter(pl.col("last_order_on").is_not_null()).with_columns(customer=pl.col("customer_id") - base)


def _of_arrow(_facts: Facts, found: Any) -> pl.DataFrame:
    frame = pl.from_arrow(found)
    assert isinstance(frame, pl.DataFrame)
    return frame


WAYS: Final = {
    "duckdb": Way("DuckDB on Parquet", _duckdb(_DUCKDB_RAW), _of_arrow),
    "duckdb-rollup": Way("DuckDB on the rollup in Parquet", _duckdb(_DUCKDB_ROLLUP), _of_arrow),
    "polars": Way("Polars on Parquet, streaming", _polars, lambda _facts, found: found),
    "pandas": Way("pandas on Parquet", _pandas, lambda _facts, found: pl.from_pandas(found)),
    "lifetimes": Way("lifetimes (pandas) on Parquet", _lifetimes, _days_of_lifetimes),
    "sql-stock": Way("PostgreSQL, SQL on raw orders, stock settings", _sql(_SQL_RAW, _STOCK), _of_rows),
    "sql": Way("PostgreSQL, SQL on raw orders, tuned", _sql(_SQL_RAW, _TUNED), _of_rows),
    "sql-rollup": Way("PostgreSQL, SQL on the rollup, tuned", _sql(_SQL_ROLLUP, _TUNED), _of_rows),
    "ours": Way("Perennial from raw orders (full rebuild)", _ours_raw, _of_rows),
    "ours-rollup": Way("Perennial from the rollup", _ours_rollup, _of_rows),
}
"""By name. The first is what the others are compared with."""


def answer(way: Way, facts: Facts, runs: int, to: Path) -> dict[str, Any]:
    """Answer so many times and write the last answer; seconds of each, processor seconds of one, peak memory in MB."""
    make = way.make(facts)
    seconds: list[float] = []
    cpu = time.process_time()
    found: Any = None
    for _ in range(runs):
        del found  # an answer that is still held would count as the next one's memory
        begun = time.perf_counter()
        found = make()
        seconds.append(time.perf_counter() - begun)
    took = {"seconds": seconds, "cpu": (time.process_time() - cpu) / runs, "peak_mb": _peak_mb()}
    frame = way.frame(facts, found)
    columns = [name for name in ANSWER if name in frame.columns]
    frame.select(pl.col(name).cast(ANSWER[name]) for name in columns).sort("customer").write_parquet(to)
    return took


def _peak_mb() -> float | None:
    """The most resident memory of this process; of this program alone, as ru_maxrss is not."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tenant", required=True, metavar="SLUG")
    parser.add_argument("--answer", type=Path, required=True, metavar="FILE", help="where the answer goes, as Parquet")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    facts = Facts(asked.folder, asked.tenant, asked.threads)
    print(json.dumps(answer(WAYS[asked.way], facts, asked.runs, asked.answer)))


if __name__ == "__main__":
    main()
