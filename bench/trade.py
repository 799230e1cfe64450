"""A made-up wholesaler of any size: `python -m bench.trade FOLDER [--customers N]` writes its facts as Parquet.

Deterministic: the same size and seed give the same facts, whatever the machine. Skewed like real trade (checked by
tests/bench): a few customers order every week and most a few times a year, a fifth of them bring most of the money,
they come and go, buy in seasons and on working days, send things back, pay late, complain and answer surveys seldom.
Everybody in it is fictional.

Files, one row each: `customers`, `products`, `orders` (one article each, in the order in which they were placed),
`contacts`, `complaints`, `answers`. Customers, products and orders are numbered from 1; money is in points.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

LAST_DAY: Final = dt.date(2026, 6, 30)
YEARS: Final = 3
DAYS: Final = 365 * YEARS
FIRST_DAY: Final = LAST_DAY - dt.timedelta(days=DAYS - 1)
BLOCK: Final = 100_000
"""Customers that are made at a time: memory is bounded by these, and by the sorting of the orders."""

# Orders a year of a customer while it buys: many small ones, few large ones.
_MEDIAN_RATE: Final = 4.3
_RATE_SPREAD: Final = 1.0
_MEAN_LIFE: Final = 4.0 * 365
_NEVER_BOUGHT: Final = 0.03
_RETURNS: Final = 0.03
# January to December: the spring festival is a hole, autumn a hill; Monday to Sunday.
_MONTHS: Final = (0.92, 0.62, 1.05, 1.0, 1.02, 0.96, 0.9, 0.95, 1.15, 1.2, 1.25, 0.98)
_WEEKDAYS: Final = (1.2, 1.2, 1.15, 1.1, 1.0, 0.35, 0.1)

_CITIES: Final = (
    ("China", "杭州"), ("China", "宁波"), ("China", "广州"), ("China", "苏州"), ("China", "成都"), ("China", "青岛"),
    ("Germany", "Bremen"), ("France", "Lyon"), ("United Kingdom", "Leeds"), ("Spain", "Bilbao"),
)  # fmt: skip
_INDUSTRIES: Final = ("hardware", "catering", "textiles", "toys", "medical", "packaging")
_FAMILIES: Final = ("恒通", "新华", "金桥", "海天", "安泰", "明远", "正大", "永兴", "Oakfield", "Marlow", "Brandt", "Castel",
                    "Alder", "Kestrel", "Nordby", "Vidal")  # fmt: skip
_TRADES: Final = ("贸易有限公司", "五金商行", "餐饮用品", "纺织", "Supplies", "Trading", "Stores", "Workshop")


@dataclass(frozen=True)
class Size:
    """How much is made."""

    customers: int
    members: int
    products: int


def size(customers: int) -> Size:
    """A firm of so many customers: one account manager for some thousands, an article for every hundred."""
    return Size(customers, max(3, min(400, customers // 5_000)), max(50, min(20_000, customers // 100)))


def season() -> np.ndarray[Any, Any]:
    """The share of the trade that each day brings; adds up to 1."""
    days = [FIRST_DAY + dt.timedelta(days=n) for n in range(DAYS)]
    share = np.array([_MONTHS[day.month - 1] * _WEEKDAYS[day.weekday()] for day in days])
    return share / share.sum()


def make(folder: Path, customers: int, seed: int = 5) -> Size:
    """Write the facts of a firm of so many customers into the folder; returns how much it is."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = size(customers)
    clock = np.concatenate([[0.0], np.cumsum(season())])
    parts: dict[str, list[pl.DataFrame]] = {}
    for first in range(0, customers, BLOCK):
        block = _block(np.random.default_rng([seed, first]), first, min(BLOCK, customers - first), wanted, clock)
        for name, frame in block:
            parts.setdefault(name, []).append(frame)
    for name, frames in parts.items():
        frame = pl.concat(frames)
        frames.clear()
        if "at" in frame.columns:  # as they came in
            frame = frame.sort("at", "customer", maintain_order=True).with_row_index("number", offset=1)
        frame.write_parquet(folder / f"{name}.parquet", row_group_size=500_000)
    _products(wanted, np.random.default_rng([seed, 999])).write_parquet(folder / "products.parquet")
    (folder / "size.json").write_text(json.dumps({"seed": seed, **vars(wanted)}))
    return wanted


def _block(
    rng: np.random.Generator, first: int, count: int, wanted: Size, clock: np.ndarray[Any, Any]
) -> Iterator[tuple[str, pl.DataFrame]]:
    number = np.arange(first + 1, first + count + 1)
    rate = np.exp(rng.normal(np.log(_MEDIAN_RATE), _RATE_SPREAD, count))
    rate[rng.random(count) < _NEVER_BOUGHT] = 0
    came = rng.uniform(-2.0 * 365, DAYS * 0.95, count)
    left = came + rng.exponential(_MEAN_LIFE, count)
    # By the clock of the season: as many orders are placed in November as its share of the trade says.
    start = np.interp(np.clip(came, 0, DAYS), np.arange(DAYS + 1), clock)
    end = np.interp(np.clip(left, 0, DAYS), np.arange(DAYS + 1), clock)
    times = np.minimum(rng.poisson(rate * YEARS * (end - start)), 900)
    owner = number % wanted.members
    typical = np.exp(rng.normal(6.0, 1.0, count))  # of one order, in units of money

    who = np.repeat(np.arange(count), times)
    at = np.interp(rng.uniform(start[who], end[who]), clock, np.arange(DAYS + 1))
    day = np.minimum(at.astype(np.int64), DAYS - 1)
    money = np.round(typical[who] * np.exp(rng.normal(0, 0.6, who.size)), 2)
    minute = rng.integers(8 * 60, 18 * 60, who.size)
    product = np.minimum((wanted.products * rng.random(who.size) ** 2.2).astype(np.int64), wanted.products - 1) + 1
    yield "customers", _customers(rng, number, came, rate, owner)

    back = rng.random(who.size) < _RETURNS
    returned = np.minimum(day[back] + rng.integers(2, 30, int(back.sum())), DAYS - 1)
    late = np.round(rng.gamma(2.0, 6.0, who.size) - 8).astype(np.int64)
    paid = day + 30 + late
    orders = pl.DataFrame(
        {
            "customer": np.concatenate([number[who], number[who][back]]),
            "at": np.concatenate([day, returned]) * 1440 + np.concatenate([minute, minute[back]]),
            "points": np.round(np.concatenate([money, -money[back] * 0.5]) * 10_000).astype(np.int64) // 100 * 100,
            "is_credit": np.concatenate([np.zeros(who.size, bool), np.ones(returned.size, bool)]),
            "product": np.concatenate([product, product[back]]),
            "quantity": np.concatenate([rng.integers(1, 40, who.size), np.ones(returned.size, np.int64)]),
            "due": np.concatenate([day + 30, np.full(returned.size, -1)]),
            "paid": np.concatenate([np.where(paid < DAYS, np.maximum(paid, day), -1), np.full(returned.size, -1)]),
        }
    ).select(
        "customer",
        at=_instant(pl.col("at")),
        day=_day(pl.col("at") // 1440),
        points="points",
        is_credit="is_credit",
        product=pl.col("product").cast(pl.Int32),
        quantity=pl.col("quantity").cast(pl.Int32),
        due=pl.when(pl.col("due") >= 0).then(_day(pl.col("due"))),
        paid=pl.when(pl.col("paid") >= 0).then(_day(pl.col("paid"))),
    )
    yield "orders", orders
    alive = np.clip(np.minimum(left, DAYS) - np.clip(came, 0, DAYS), 0, DAYS)
    yield "contacts", _contacts(rng, number, alive, rate, owner)
    yield "complaints", _complaints(rng, number, alive, rate)
    yield "answers", _answers(rng, number, alive)


def _customers(
    rng: np.random.Generator, number: np.ndarray[Any, Any], came: np.ndarray[Any, Any], rate: np.ndarray[Any, Any],
    owner: np.ndarray[Any, Any],
) -> pl.DataFrame:  # fmt: skip
    count = number.size
    place = rng.integers(0, len(_CITIES), count)
    family, trade = rng.integers(0, len(_FAMILIES), count), rng.integers(0, len(_TRADES), count)
    return pl.DataFrame({"customer": number, "owner": owner, "place": place, "family": family, "trade": trade,
                         "industry": rng.integers(0, len(_INDUSTRIES), count), "since": np.floor(came).astype(np.int64),
                         "position": np.clip(np.round(np.log1p(rate)), 1, 5).astype(np.int64)}).select(
        "customer",
        "owner",
        name=pl.concat_str(_word("family", _FAMILIES), pl.col("customer").cast(pl.String), pl.lit(" "), _word("trade", _TRADES)),
        country=_word("place", tuple(country for country, _city in _CITIES)),
        city=_word("place", tuple(city for _country, city in _CITIES)),
        industry=_word("industry", _INDUSTRIES),
        since=_day(pl.col("since")),
        position=pl.col("position").cast(pl.Int16),
    )  # fmt: skip


def _contacts(
    rng: np.random.Generator, number: np.ndarray[Any, Any], alive: np.ndarray[Any, Any], rate: np.ndarray[Any, Any],
    owner: np.ndarray[Any, Any],
) -> pl.DataFrame:  # fmt: skip
    times = np.minimum(rng.poisson(alive / 365 * np.minimum(0.3 + rate / 8, 6)), 60)
    who = np.repeat(np.arange(number.size), times)
    outbound = rng.random(who.size) < 0.75
    answered = rng.random(who.size)
    return pl.DataFrame(
        {
            "customer": number[who],
            "owner": owner[who],
            "at": ((DAYS - rng.uniform(0, 1, who.size) * alive[who]) * 1440).astype(np.int64) - 400,
            "outbound": outbound,
            "answered": answered,
            "kind": rng.integers(0, 20, who.size),
            "competitor": rng.random(who.size) < 0.02,
        }
    ).select(
        "customer",
        "owner",
        at=_instant(pl.col("at")),
        direction=pl.when("outbound").then(pl.lit("outbound")).otherwise(pl.lit("inbound")),
        answered=pl.when(pl.col("answered") < 0.85).then(pl.col("answered") < 0.6),
        kind=pl.when(pl.col("kind") < 3).then(pl.lit("deep_talk")).otherwise(pl.lit("light_touch")),
        competitor="competitor",
    )


def _complaints(
    rng: np.random.Generator, number: np.ndarray[Any, Any], alive: np.ndarray[Any, Any], rate: np.ndarray[Any, Any]
) -> pl.DataFrame:
    times = np.minimum(rng.poisson(alive / 365 * np.minimum(0.01 + rate / 120, 2)), 20)
    who = np.repeat(np.arange(number.size), times)
    at = ((DAYS - rng.uniform(0, 1, who.size) * alive[who]) * 1440).astype(np.int64) - 400
    solved = at + rng.integers(60, 14 * 1440, who.size)
    return pl.DataFrame({"customer": number[who], "at": at, "solved": solved, "topic": rng.integers(0, 12, who.size),
                         "first": rng.random(who.size) < 0.7}).select(
        "customer",
        at=_instant(pl.col("at")),
        solved_at=pl.when(pl.col("solved") < DAYS * 1440).then(_instant(pl.col("solved"))),
        topic=pl.concat_str(pl.lit("topic "), pl.col("topic").cast(pl.String)),
        first=pl.when(pl.col("solved") < DAYS * 1440).then("first"),
    )  # fmt: skip


def _answers(rng: np.random.Generator, number: np.ndarray[Any, Any], alive: np.ndarray[Any, Any]) -> pl.DataFrame:
    times = np.minimum(rng.poisson(alive / 365 * 0.12), 6)
    who = np.repeat(np.arange(number.size), times)
    is_nps = rng.random(who.size) < 0.5
    score = np.where(is_nps, np.clip(np.round(rng.normal(7.5, 2.2, who.size)), 0, 10),
                     np.clip(np.round(rng.normal(4.0, 0.9, who.size)), 1, 5))  # fmt: skip
    return pl.DataFrame({"customer": number[who], "at": ((DAYS - rng.uniform(0, 1, who.size) * alive[who]) * 1440).astype(np.int64) - 400,
                         "nps": is_nps, "score": score}).select(
        "customer",
        at=_instant(pl.col("at")),
        kind=pl.when("nps").then(pl.lit("nps")).otherwise(pl.lit("csat")),
        score=pl.col("score").cast(pl.Int16),
    )  # fmt: skip


def _products(wanted: Size, rng: np.random.Generator) -> pl.DataFrame:
    categories = max(8, wanted.products // 60)
    return pl.DataFrame({"product": np.arange(1, wanted.products + 1)}).with_columns(
        name=pl.concat_str(pl.lit("Article "), pl.col("product").cast(pl.String)),
        category=pl.concat_str(pl.lit("Category "), pl.Series(rng.integers(0, categories, wanted.products)).cast(pl.String)),
    )  # fmt: skip


def _day(number: pl.Expr) -> pl.Expr:
    return pl.lit(FIRST_DAY) + pl.duration(days=number)


def _instant(minute: pl.Expr) -> pl.Expr:
    return pl.lit(dt.datetime.combine(FIRST_DAY, dt.time())) + pl.duration(minutes=minute.clip(0))


def _word(column: str, words: tuple[str, ...]) -> pl.Expr:
    return pl.lit(pl.Series(words)).gather(pl.col(column))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=5)
    asked = parser.parse_args()
    json.dump(vars(make(asked.folder, asked.customers, asked.seed)), sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
