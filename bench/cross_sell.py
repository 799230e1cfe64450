"""How long the search for cross-sell rules takes, and how much memory: python -m bench.cross_sell [case ...]

Cases: "real" (the two files of the real wholesaler beside the checkout: every product in them; what was sold to
nobody by name counts as a customer per invoice), and CUSTOMERSxPRODUCTS, simulated: 200000x50000, say. Simulated
customers differ in appetite, products in popularity, and every hundredth product pulls its neighbour along. Each
case runs in a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from typing import Any

import numpy as np
import polars as pl

from config.env import ROOT
from segmentation.rules.cross_sell import search
from segmentation.rules.policy import CrossSellPolicy

DATA = ROOT.parent / "shared" / "data"
FILES = [DATA / f"online_retail_{years}.csv.gz" for years in ("2009-2010", "2010-2011")]
AS_OF = dt.date(2011, 12, 10)
DAYS = 730
SEED = 2011
USUAL = ("real", "20000x5000", "200000x5000", "200000x50000")


def real() -> pl.DataFrame:
    """customer_id, item and day: first purchases of the real files."""
    lines = pl.concat(pl.read_csv(path, infer_schema=False) for path in FILES)
    bought = lines.filter(~pl.col("Invoice").str.contains("^[A-Z]") & (pl.col("Quantity").cast(pl.Int64) > 0))
    customer = pl.coalesce(pl.col("Customer ID"), pl.concat_str(pl.lit("invoice "), "Invoice"))
    return (
        bought.select(
            customer_id=customer.rank("dense").cast(pl.Int64),
            item=pl.col("StockCode"),
            day=pl.col("InvoiceDate").str.slice(0, 10).str.to_date(),
        )
        .group_by("customer_id", "item")
        .agg(pl.col("day").min())
    )


def simulated(customers: int, products: int) -> pl.DataFrame:
    """customer_id, item and day: some 30 first purchases of a customer, few of most and hundreds of some."""
    chance = np.random.default_rng(SEED)
    count = np.minimum(1 + (chance.gamma(0.5, 60, customers)).astype(np.int64), products // 2)
    customer = np.repeat(np.arange(customers), count)
    item = (products * chance.random(len(customer)) ** 3).astype(np.int64)
    day = chance.integers(0, DAYS, len(customer))
    pulls = (item % 100 == 0) & (chance.random(len(item)) < 0.3)
    item = np.concatenate([item, item[pulls] + 1])
    customer = np.concatenate([customer, customer[pulls]])
    day = np.concatenate([day, np.minimum(day[pulls] + chance.integers(1, 60, int(pulls.sum())), DAYS - 1)])
    rows = pl.DataFrame({"customer_id": customer, "item": item, "day": day})
    first = rows.group_by("customer_id", "item").agg(pl.col("day").min())
    start = AS_OF - dt.timedelta(days=DAYS)
    return first.select(
        "customer_id",
        item=pl.lit("#") + pl.col("item").cast(pl.String),
        day=pl.lit(start) + pl.duration(days=pl.col("day")),
    )


def megabytes() -> float:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def make(case: str, path: str) -> None:
    purchases = real() if case == "real" else simulated(*(int(number) for number in case.split("x")))
    purchases.write_parquet(path)


def measure(case: str, path: str) -> dict[str, Any]:
    purchases = pl.read_parquet(path).cast({"item": pl.Categorical})
    before = megabytes()
    clock, processor = time.perf_counter(), time.process_time()
    found = search(purchases, CrossSellPolicy(level="product"), AS_OF)
    spent = {"seconds": time.perf_counter() - clock, "cpu_seconds": time.process_time() - processor}
    most = megabytes()
    per_customer = purchases.group_by("customer_id").len().get_column("len").cast(pl.Int64)
    return {
        "case": case,
        "customers": found.customers,
        "items": found.items,
        "purchases": purchases.height,
        "pairs": int((per_customer**2).sum()),
        "rules": found.rules.height,
        "reason": found.reason,
        **{name: round(value, 2) for name, value in spent.items()},
        "megabytes_before": round(before),
        "megabytes_peak": round(most),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=USUAL, metavar="case")
    spawn = multiprocessing.get_context("spawn")
    for case in parser.parse_args().cases:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/purchases.parquet"
            for task, answers in ((make, False), (measure, True)):
                with spawn.Pool(1) as pool:
                    answer = pool.apply(task, [case, path])
                if answers:
                    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
