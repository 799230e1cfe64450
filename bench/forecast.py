"""How well lapses are forecast, beside simpler ways, and how fast: python -m bench.forecast [real|others|speed]

real: the real wholesaler's two files, monthly cut-offs 2010-12-01 to 2011-09-01, each forecast from what was known
then, in both halves. others: histories of other kinds, the forecast beside the plain lifetime model. speed: fit,
facts, forecast and explanations of 2,000,000 simulated customers, in a process of its own.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.metadata
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit

from bench.retail import DATA, retail
from health.rules.backtest import Measures, backtest, cut_offs_between, measures
from health.rules.forecast import Book, Fit, History, explain, features, fit, predict
from health.rules.policy import ForecastPolicy
from segmentation.rules import lifetime

CUT_OFFS = cut_offs_between(dt.date(2010, 12, 1), dt.date(2011, 9, 1))
CHOSEN_ON = 5
"""Choices were made on so many first cut-offs; the others were looked at when all was decided."""
SEED = 2011
CUSTOMERS = 2_000_000
SHOWN = ("auc", "average_precision", "accuracy", "precision_top_decile", "brier", "ece", "precision", "recall")

# ── simpler ways ────────────────────────────────────────────────────────────


def plain_lifetime(book: Book, day: dt.date) -> np.ndarray:
    """BG/NBD as it is: P(no purchase in the horizon)."""
    known = book.history.days.filter(pl.col("day") < day).group_by("customer_id").agg(
        first=pl.col("day").min(), last=pl.col("day").max(), days=pl.len()
    )  # fmt: skip
    found = lifetime.fit_orders(*_lives(known, day)).parameters
    assert found is not None
    active = book.active(day).select("customer_id").join(known, on="customer_id", maintain_order="left")
    return lifetime.nothing_bought(found, *_lives(active, day), book.rules.horizon_days / 7)


def _lives(rows: pl.DataFrame, day: dt.date) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, last = pl.col("first"), pl.col("last")
    spans = rows.select(
        x=pl.col("days").cast(pl.Float64) - 1,
        recency=(last - first).dt.total_days() / 7,
        age=((pl.lit(day) - first).dt.total_days() - 1) / 7,
    )
    return spans["x"].to_numpy(), spans["recency"].to_numpy(), spans["age"].to_numpy()


def recency(book: Book, day: dt.date) -> np.ndarray:
    """Days of silence ÷ 1,000: an order of customers, no probability."""
    return book.active(day).get_column("silence").to_numpy() / 1000


def rfm_sum(book: Book, day: dt.date) -> np.ndarray:
    """Quintiles of recency, order days and money of all time, added up; an order of customers, no probability."""
    active = book.active(day).join(
        book.history.months.filter(pl.col("month") < day).group_by("customer_id").agg(all_net=pl.col("net").sum()),
        on="customer_id", how="left", maintain_order="left",
    )  # fmt: skip
    ranks = [pl.col("silence").rank() * -1, pl.col("order_days").rank(), pl.col("all_net").fill_null(0).rank()]
    fifths = [((rank.rank("average") - 1) * 5 / pl.len()).floor() for rank in ranks]
    return 1 - active.select(pl.sum_horizontal(fifths)).to_series().to_numpy() / 15


def logistic(book: Book, day: dt.date) -> np.ndarray:
    """A logistic regression on silence, order days, gaps and money, learned from all closed windows alike."""

    def columns(rows: pl.DataFrame) -> np.ndarray:
        money = [pl.col(name).sign() * pl.col(name).abs().log1p() for name in ("net_quarter", "net_year")]
        return rows.select(
            *(
                pl.col(name).cast(pl.Float64).log1p()
                for name in ("silence", "order_days", "half_year_days", "recent", "longest_gap", "same_season")
            ),
            pl.col("active_months").cast(pl.Float64),
            pl.col("median_gap").log(),
            (pl.col("last_order_on") - pl.col("first_order_on")).dt.total_days().log1p().alias("span"),
            pl.col("mean_order").clip(0).cast(pl.Float64).log1p(),
            *money,
            (pl.col("credit_notes") / pl.col("orders").clip(1)).clip(0, 2),
        ).to_numpy()

    days = [each for each in _months() if each < day]
    windows = [book.closed(each, day) for each in days]
    matrix = np.vstack([columns(window) for window in windows])
    lapsed = np.concatenate([window["lapsed"].to_numpy() for window in windows]).astype(float)
    mean, spread = matrix.mean(axis=0), np.maximum(matrix.std(axis=0), 1e-9)
    with_one = np.column_stack([np.ones(len(matrix)), (matrix - mean) / spread])
    found = np.zeros(with_one.shape[1])
    for _round in range(30):
        chance = expit(with_one @ found)
        curve = (with_one * (chance * (1 - chance))[:, None]).T @ with_one + np.eye(len(found))
        found -= np.linalg.solve(curve, with_one.T @ (chance - lapsed) + found)
    now = np.clip((columns(book.active(day)) - mean) / spread, -4, 4)
    return expit(np.column_stack([np.ones(len(now)), now]) @ found)


def _months() -> list[dt.date]:
    return cut_offs_between(CUT_OFFS[0] - dt.timedelta(days=365), CUT_OFFS[-1])


def majority(book: Book, day: dt.date) -> np.ndarray:
    """The same for everybody: the share that lapsed in the last closed windows."""
    month = max(each for each in _months()
                if not book.closed(each, day).is_empty())  # fmt: skip
    return np.full(book.active(day).height, book.closed(month, day)["lapsed"].mean())


def silence(book: Book, day: dt.date) -> np.ndarray:
    """The rule of silence: a lapse is certain or out of the question."""
    return (book.active(day)["silence"] > book.rules.silence_days).cast(pl.Float64).to_numpy()


SIMPLER: dict[str, Callable[[Book, dt.date], np.ndarray]] = {
    "majority": majority,
    "silence rule": silence,
    "recency alone": recency,
    "RFM sum": rfm_sum,
    "plain BG/NBD": plain_lifetime,
    "logistic regression": logistic,
}
NO_PROBABILITY = {"recency alone", "RFM sum"}

# ── tables ──────────────────────────────────────────────────────────────────


def real() -> None:
    history, rules = retail(), ForecastPolicy()
    end = history.days["day"].max() + dt.timedelta(days=1)
    book = Book(history, rules)
    rows: dict[str, list[Measures]] = {name: [] for name in SIMPLER}
    for day in CUT_OFFS:
        closed = book.closed(day, end)
        lapsed, silent = closed["lapsed"].to_numpy(), closed["silence"].to_numpy() > rules.silence_days
        for name, way in SIMPLER.items():
            rows[name].append(measures(way(book, day), lapsed, silent, rules.warn_percent))
    record = backtest(history, CUT_OFFS, rules)
    ours = [cut_off.measures for cut_off in record.cut_offs if cut_off.measures is not None]
    assert len(ours) == len(CUT_OFFS), [cut_off.reason for cut_off in record.cut_offs]
    parts = {"all ten": slice(None), "first five": slice(CHOSEN_ON), "last five": slice(CHOSEN_ON, None)}
    for title, part in parts.items():
        print(f"\n{title}: {np.mean([m.customers for m in ours[part]]):.0f} customers, "
              f"base rate {np.mean([m.base_rate for m in ours[part]]):.3f}")  # fmt: skip
        print(f"{'':22}" + "".join(f"{name.replace('precision_top_decile', 'top decile'):>19}" for name in SHOWN))
        for name, found in {**rows, "ours": ours}.items():
            print(f"{name:22}" + "".join(f"{_cell(name, column, found[part]):>19}" for column in SHOWN))
    print(json.dumps(asdict(record.means) if record.means else None, indent=1))


def _cell(way: str, column: str, found: list[Measures]) -> str:
    if way in NO_PROBABILITY and column not in ("auc", "average_precision", "precision_top_decile"):
        return "–"
    numbers = [number for each in found if (number := getattr(each, column)) is not None]
    return f"{np.mean(numbers):.4f}" if numbers else "–"


# ── other firms ─────────────────────────────────────────────────────────────


def history_of(orders: pl.DataFrame) -> History:
    """The house's frames from orders (customer_id, day, net in points)."""
    return History(
        days=orders.select("customer_id", "day").unique(),
        months=orders.group_by("customer_id", month=pl.col("day").dt.truncate("1mo")).agg(
            orders=pl.len(), credit_notes=(pl.col("net") < 0).sum(), net=pl.col("net").sum()
        ),
    )


def cdnow() -> History:
    """CDNOW's buyers of music who came in early 1997, to June 1998; the file comes in the wheel of `lifetimes`."""
    [path] = [each for each in importlib.metadata.files("lifetimes") or [] if each.name == "CDNOW_master.txt"]
    rows = [line.split() for line in Path(str(path.locate())).read_text(encoding="ascii").splitlines()[1:]]
    orders = pl.DataFrame(
        [(int(row[0]), row[1], float(row[3])) for row in rows], orient="row", schema=["customer_id", "day", "money"]
    )
    return history_of(orders.with_columns(day=pl.col("day").str.to_date("%Y%m%d"),
                                          net=(pl.col("money") * 10_000).round().cast(pl.Int64)))  # fmt: skip


def helpdesk() -> History:
    """The tickets of a software firm's customers, taken for orders of one unit of money."""
    events = pl.read_csv(DATA / "helpdesk_italian.csv.gz", infer_schema=False)
    tickets = events.group_by("Case ID").agg(pl.col("customer").first(), pl.col("Complete Timestamp").min())
    return history_of(tickets.select(
        customer_id=pl.col("customer").rank("dense").cast(pl.Int64),
        day=pl.col("Complete Timestamp").str.slice(0, 10).str.to_date("%Y/%m/%d"),
        net=pl.lit(10_000),
    ))  # fmt: skip


def simulated(
    customers: int, *, season: float, growth: float, gap: float, leaves: float, years: float = 2.5, seed: int = SEED
) -> History:
    """A firm that was there before its records begin, with customers of very different rhythm.

    `season`: how much faster orders come in November than in May (0: all year alike). `growth`: how many times as many
    customers come at the end as at the beginning. `gap`: median days between a customer's orders. `leaves`: the mean
    share that leaves after an order.
    """
    chance = np.random.default_rng(seed)
    begin = np.datetime64("2018-01-01")
    length = int(365 * (years + 1.5))
    ordinary = 1 + season * np.cos(2 * np.pi * (np.arange(length * 4) - 315) / 365)
    clock = np.cumsum(ordinary)
    u = chance.random(customers)
    start = length * (u if growth == 1 else np.log1p(u * (growth - 1)) / np.log(growth))
    rhythm = gap * np.exp(chance.normal(0, 0.9, customers))
    # Gaps are gamma with a shape of its own for each customer: some like clockwork, most at random.
    shape = np.exp(chance.normal(0.2, 0.4, customers))
    stays = 1 - chance.beta(leaves * 6, (1 - leaves) * 6, customers)
    worth = np.exp(chance.normal(5, 1, customers))
    at = np.interp(start, np.arange(len(clock)), clock)
    alive = np.arange(customers)
    rows: list[pl.DataFrame] = []
    while alive.size:
        day = np.searchsorted(clock, at[alive])
        inside = day < length
        alive, day = alive[inside], day[inside]
        money = worth[alive] * np.exp(chance.normal(0, 0.5, alive.size))
        rows.append(pl.DataFrame({"customer_id": alive, "day": begin + day, "net": (money * 10_000).astype(np.int64)}))
        alive = alive[chance.random(alive.size) < stays[alive]]
        at[alive] += np.maximum(chance.gamma(shape[alive]) / shape[alive] * rhythm[alive], 1)
    orders = pl.concat(rows).with_columns(pl.col("day").cast(pl.Date))
    return history_of(orders.filter(pl.col("day") >= pl.lit(begin + 545).cast(pl.Date)))


OTHERS: dict[str, Callable[[], History]] = {
    "CDNOW": cdnow,
    "helpdesk": helpdesk,
    "no season, quick": lambda: simulated(4_000, season=0.0, growth=1, gap=25, leaves=0.08),
    "strong season": lambda: simulated(6_000, season=0.6, growth=1, gap=45, leaves=0.10),
    "season and growth": lambda: simulated(8_000, season=0.4, growth=4, gap=40, leaves=0.12),
    "growth, no season": lambda: simulated(8_000, season=0.0, growth=6, gap=35, leaves=0.10),
    "shrinking, season": lambda: simulated(6_000, season=0.4, growth=0.3, gap=40, leaves=0.10),
    "slow, loyal": lambda: simulated(3_000, season=0.2, growth=1, gap=80, leaves=0.04),
}


def others() -> None:
    rules = ForecastPolicy()
    print(f"{'':22}{'way':8}" + "".join(f"{name.replace('precision_top_decile', 'top decile'):>19}" for name in SHOWN))
    for name, make in OTHERS.items():
        history = make()
        first, last = history.days.select(pl.col("day").min(), last=pl.col("day").max()).row(0)
        months = cut_offs_between(first + dt.timedelta(days=rules.minimum_days + 30), last - dt.timedelta(days=89))
        months = [day for day in months if day + dt.timedelta(days=rules.horizon_days) <= last + dt.timedelta(days=1)]
        record = backtest(history, months[-12:], rules)
        book = Book(history, rules)
        plain, ours = [], []
        for cut_off in record.cut_offs:
            if cut_off.measures is None:
                continue
            closed = book.closed(cut_off.day, last + dt.timedelta(days=1))
            silent = (closed["silence"] > rules.silence_days).to_numpy()
            plain.append(measures(plain_lifetime(book, cut_off.day), closed["lapsed"].to_numpy(), silent,
                                  rules.warn_percent))  # fmt: skip
            ours.append(cut_off.measures)
        refused = sorted({cut_off.reason for cut_off in record.cut_offs if cut_off.reason})
        for way, found in {"BG/NBD": plain, "ours": ours}.items():
            print(f"{name:22}{way:8}" + "".join(f"{_cell(way, column, found):>19}" for column in SHOWN), flush=True)
        print(f"{'':22}{len(ours)} cut-offs, {np.mean([m.customers for m in ours]) if ours else 0:.0f} customers,"
              f" base rate {np.mean([m.base_rate for m in ours]) if ours else 0:.3f} {' '.join(refused)}")  # fmt: skip


# ── two million ─────────────────────────────────────────────────────────────


def speed() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(json.dumps(pool.apply(measure_speed, [CUSTOMERS]), indent=1))


def measure_speed(customers: int) -> dict[str, Any]:
    """Seconds by the clock and of the processors, and gigabytes at the end of each step."""
    history = _many(customers)
    as_of, rules = dt.date(2011, 1, 1), ForecastPolicy()
    found: dict[str, Any] = {"customers": customers, "order_days": history.days.height,
                             "gigabytes_history": _gigabytes()}  # fmt: skip

    def timed(name: str, work: Callable[[], Any]) -> Any:
        clock, processor = time.perf_counter(), time.process_time()
        answer = work()
        found[f"{name}_seconds"] = round(time.perf_counter() - clock, 2)
        found[f"{name}_cpu_seconds"] = round(time.process_time() - processor, 2)
        found[f"{name}_gigabytes"] = _gigabytes()
        return answer

    model: Fit = timed("fit", lambda: fit(history, as_of, rules))
    assert not model.reason, model.reason
    facts = timed("features", lambda: features(history, as_of, rules))
    told = timed("predict", lambda: predict(facts, model, rules, as_of))
    found["with_a_number"] = int(told["probability"].is_not_null().sum())
    rows = facts.join(told.filter(pl.col("code") == "").head(100), on="customer_id", how="semi").to_dicts()
    timed("explain_100", lambda: [explain(row, model, rules, as_of) for row in rows])
    return found


def _many(customers: int) -> History:
    """Two years of order days, some six each, of customers who order at rates of their own."""
    chance = np.random.default_rng(SEED)
    begin = chance.integers(0, 700, customers)
    count = 1 + chance.poisson(chance.gamma(0.8, 6, customers))
    who = np.repeat(np.arange(customers), count)
    day = begin[who] + (chance.random(who.size) * (730 - begin[who])).astype(np.int64)
    days = pl.DataFrame({"customer_id": who, "day": np.datetime64("2009-01-01") + day}).cast({"day": pl.Date}).unique()
    months = days.group_by("customer_id", month=pl.col("day").dt.truncate("1mo")).agg(
        orders=pl.len().cast(pl.Int32), credit_notes=pl.lit(0, dtype=pl.Int32), net=pl.len().cast(pl.Int64) * 2_500_000
    )
    return History(days, months)


def _gigabytes() -> float:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (2**30 if sys.platform == "darwin" else 2**20), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["real", "others", "speed"], metavar="real|others|speed")
    for what in parser.parse_args().what:
        {"real": real, "others": others, "speed": speed}[what]()


if __name__ == "__main__":
    main()
