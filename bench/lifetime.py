"""How long the lifetime model takes, and how much memory: python -m bench.lifetime [customers ...]

Simulated customers of three years in whole days, with the parameters of a real wholesaler: the fit of BG/NBD and of
Gamma-Gamma, and the value of everybody. `lifetimes`, if it can be imported, fits the same customers beside it, up to
100,000. Each size runs in a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

DAYS = 3 * 365
R, ALPHA, A, B = 0.66, 9.0, 0.11, 2.4
P, Q, V = 1.9, 3.8, 560.0
SEED = 2011
WITH_LIFETIMES = 100_000


def simulate(customers: int) -> tuple[Any, Any, Any, Any]:
    """Repeats, recency and age in whole days as weeks, and mean order money, of customers who do as the model says."""
    random = np.random.default_rng(SEED)
    age = random.integers(1, DAYS, customers).astype(np.float64)
    rate = random.gamma(R, 1 / ALPHA, customers) / 7
    leaves = random.beta(A, B, customers)
    time_, recency, repeats = np.zeros(customers), np.zeros(customers), np.zeros(customers)
    lives = np.arange(customers)
    while lives.size:
        time_[lives] = np.floor(time_[lives] + 1 + random.exponential(1 / np.maximum(rate[lives], 1e-12)))
        lives = lives[time_[lives] <= age[lives]]
        repeats[lives] += 1
        recency[lives] = time_[lives]
        lives = lives[random.random(lives.size) >= leaves[lives]]
    many = np.maximum(repeats, 1)
    mean = random.gamma(P * many, 1 / (random.gamma(Q, 1 / V, customers) * many))
    return repeats, recency / 7, age / 7, np.where(repeats > 0, mean, 0.0)


def peak_gigabytes() -> float:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**30 if sys.platform == "darwin" else 2**20)


@contextmanager
def timed(found: dict[str, Any], name: str) -> Iterator[None]:
    """Seconds by the clock, and of one processor."""
    clock, processor = time.perf_counter(), time.process_time()
    yield
    found[f"{name}_seconds"] = round(time.perf_counter() - clock, 2)
    found[f"{name}_cpu_seconds"] = round(time.process_time() - processor, 2)


def measure(customers: int) -> dict[str, Any]:
    from segmentation.rules import lifetime

    repeats, recency, age, mean = simulate(customers)
    found: dict[str, Any] = {"customers": customers, "gigabytes_before": round(peak_gigabytes(), 2)}
    with timed(found, "fit_orders"):
        orders = lifetime.fit_orders(repeats, recency, age)
    again = repeats > 0
    with timed(found, "fit_money"):
        money = lifetime.fit_money(repeats[again], mean[again])
    found["gigabytes_fit"] = round(peak_gigabytes(), 2)
    assert orders.parameters is not None, orders.reason
    assert money.parameters is not None, money.reason
    with timed(found, "answers"):
        lifetime.expected_orders(orders.parameters, repeats, recency, age, 365 / 7 * np.arange(1, 6))
        lifetime.nothing_bought(orders.parameters, repeats, recency, age, 90 / 7)
        lifetime.expected_order_money(money.parameters, repeats, mean)
    found["gigabytes_all"] = round(peak_gigabytes(), 2)
    found |= {name: round(getattr(orders, name), 4) for name in ("r", "alpha", "a", "b", "log_likelihood")}
    found |= {name: round(getattr(money, name), 4) for name in ("p", "q", "v")}
    if customers <= WITH_LIFETIMES:
        found["lifetimes"] = beside(repeats, recency, age, mean)
    return found


def beside(repeats: Any, recency: Any, age: Any, mean: Any) -> dict[str, Any] | str:
    """The same by the package `lifetimes`, or why not."""
    try:
        from lifetimes import BetaGeoFitter, GammaGammaFitter
    except ImportError as error:
        return f"not measured: {error}"
    found: dict[str, Any] = {}
    orders, money, again = BetaGeoFitter(), GammaGammaFitter(), repeats > 0
    with timed(found, "fit_orders"):
        orders.fit(repeats, recency, age)
    with timed(found, "fit_money"):
        money.fit(repeats[again], mean[again])
    return found | {name: round(float(value), 4) for name, value in {**orders.params_, **money.params_}.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("customers", nargs="*", type=int, default=[4_000, 2_000_000])
    for customers in parser.parse_args().customers:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(json.dumps(pool.apply(measure, [customers]), indent=2), flush=True)


if __name__ == "__main__":
    main()
