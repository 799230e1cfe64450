"""One day of a made-up wholesaler (bench.trade): `python -m bench.day FOLDER --slug SLUG [--day DAY] [--share 0.01]`.

Deterministic. Of the firm's customers a share hears or says something new on that day: most of them order, some are
talked to, pay an order of before, complain or answer a survey. Who orders often is more likely to be among them. All of
it comes in as files, by what `manage.py import_file` and the worker call.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from bench.trade import LAST_DAY, Size

SHARE: Final = 0.01
# Of the customers with something new: who has which kind of it. At least one each: who would have none, orders.
_ORDER, _CONTACT, _PAYMENT, _COMPLAINT, _ANSWER = 0.75, 0.35, 0.3, 0.02, 0.03
_RETURN: Final = 0.03
_RECENT_DAYS: Final = 365


def make(folder: Path, day: dt.date, share: float = SHARE, seed: int = 5) -> dict[str, pl.DataFrame]:
    """The day's files by kind, for the facts in the folder: orders, interactions, complaints, survey_responses.

    `share` is of all customers, at least one. Times are local, numbers those that bench.load gives (source "erp").
    """
    said = json.loads((folder / "size.json").read_text())
    wanted = Size(said["customers"], said["members"], said["products"])
    rng = np.random.default_rng([seed, day.toordinal()])
    who = _who(folder, day, max(1, round(share * wanted.customers)), rng)
    has = {kind: rng.random(who.size) < part for kind, part in
           (("contact", _CONTACT), ("payment", _PAYMENT), ("complaint", _COMPLAINT), ("answer", _ANSWER))}  # fmt: skip
    orders = rng.random(who.size) < _ORDER
    payments = _payments(folder, day, who[has["payment"]])
    # Who was to pay and owes nothing orders as well.
    owes = _number(who).is_in(payments["customer"].implode()).to_numpy()
    orders |= ~(has["contact"] | has["complaint"] | has["answer"] | owes)
    return {
        "orders": pl.concat([_orders(rng, who[orders], wanted, day), payments]),
        "interactions": _contacts(rng, who[has["contact"]], day),
        "complaints": _complaints(rng, who[has["complaint"]], day),
        "survey_responses": _answers(rng, who[has["answer"]], day),
    }


def customers_of(files: dict[str, pl.DataFrame]) -> int:
    """How many customers a day's files are about."""
    return pl.concat([file.select("customer") for file in files.values()]).n_unique("customer")


def _who(folder: Path, day: dt.date, count: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """So many customers' numbers: drawn from the orders of a year, so that who orders often comes often."""
    since = pl.lit(day - dt.timedelta(days=_RECENT_DAYS))
    drawn = pl.scan_parquet(folder / "orders.parquet").filter(pl.col("day") >= since).select("customer").collect()
    numbers = rng.permutation(drawn["customer"].to_numpy())
    _each, first = np.unique(numbers, return_index=True)
    found = numbers[np.sort(first)[:count]]
    if found.size < count:  # nearly everybody: those who have not ordered for a year, too
        everybody = pl.read_parquet(folder / "customers.parquet", columns=["customer"])["customer"].to_numpy()
        found = np.concatenate([found, np.setdiff1d(everybody, found)[: count - found.size]])
    return np.sort(found)


def _moments(rng: np.random.Generator, day: dt.date, count: int) -> pl.Series:
    start = dt.datetime.combine(day, dt.time())
    minutes = pl.Series("minute", rng.integers(8 * 60, 18 * 60, count))
    return pl.select(pl.lit(start) + pl.duration(minutes=pl.lit(minutes))).to_series().dt.to_string("%Y-%m-%d %H:%M")


def _orders(rng: np.random.Generator, who: np.ndarray[Any, Any], wanted: Size, day: dt.date) -> pl.DataFrame:
    back = rng.random(who.size) < _RETURN
    product = np.minimum((wanted.products * rng.random(who.size) ** 2.2).astype(np.int64), wanted.products - 1) + 1
    quantity = rng.integers(1, 40, who.size) * np.where(back, -1, 1)
    price = np.round(np.exp(rng.normal(3.0, 1.0, who.size)), 2)
    return pl.DataFrame(
        {
            "order": [f"SO{day:%Y%m%d}-{n}" for n in range(1, who.size + 1)],
            "customer": _number(who),
            "placed_at": _moments(rng, day, who.size),
            "product": [f"A{n}" for n in product],
            "quantity": [str(n) for n in quantity],
            "unit_price": [f"{n:.2f}" for n in price],
            "due_on": [str(day + dt.timedelta(days=30))] * who.size,
            "paid_on": [""] * who.size,
        },
        schema_overrides=dict.fromkeys(("order", "product", "quantity", "unit_price", "due_on", "paid_on"), pl.String),
    )


def _payments(folder: Path, day: dt.date, who: np.ndarray[Any, Any]) -> pl.DataFrame:
    """The oldest unpaid order of each of these customers, delivered again with the day as the day of payment."""
    unpaid = (
        pl.scan_parquet(folder / "orders.parquet")
        .filter(pl.col("paid").is_null() & pl.col("due").is_not_null())
        .filter(pl.col("customer").is_in(pl.Series(who).implode()))
        .select("number", "customer", "at", "points", "product", "quantity", "due")
        .collect()
        .sort("number")
        .unique("customer", keep="first", maintain_order=True)
    )
    return unpaid.select(
        order=pl.concat_str(pl.lit("SO"), pl.col("number").cast(pl.String).str.zfill(9)),
        customer=pl.concat_str(pl.lit("C"), pl.col("customer").cast(pl.String)),
        placed_at=pl.col("at").dt.to_string("%Y-%m-%d %H:%M"),
        product=pl.concat_str(pl.lit("A"), pl.col("product").cast(pl.String)),
        quantity=pl.col("quantity").cast(pl.String),
        unit_price=_price(pl.col("points").abs() * 100 // pl.col("quantity")),
        due_on=pl.col("due").cast(pl.String),
        paid_on=pl.lit(str(day)),
    )


def _price(millionths: pl.Expr) -> pl.Expr:
    """A price as text, as exactly as bench.load has written it."""
    return pl.concat_str(
        (millionths // 1_000_000).cast(pl.String), pl.lit("."), (millionths % 1_000_000).cast(pl.String).str.zfill(6)
    )


def _contacts(rng: np.random.Generator, who: np.ndarray[Any, Any], day: dt.date) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "customer": _number(who),
            "at": _moments(rng, day, who.size),
            "channel": np.where(rng.random(who.size) < 0.8, "phone", "wechat"),
            "direction": np.where(rng.random(who.size) < 0.75, "outbound", "inbound"),
            "kind": np.where(rng.random(who.size) < 0.15, "deep_talk", "light_touch"),
            "answered": np.where(rng.random(who.size) < 0.6, "yes", "no"),
            "external_id": [f"T{day:%Y%m%d}-{n}" for n in range(1, who.size + 1)],
        },
        schema_overrides={"external_id": pl.String},
    )


def _complaints(rng: np.random.Generator, who: np.ndarray[Any, Any], day: dt.date) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "customer": _number(who),
            "opened_at": _moments(rng, day, who.size),
            "topic": [f"topic {n}" for n in rng.integers(0, 12, who.size)],
            "external_id": [f"B{day:%Y%m%d}-{n}" for n in range(1, who.size + 1)],
        },
        schema_overrides={"topic": pl.String, "external_id": pl.String},
    )


def _answers(rng: np.random.Generator, who: np.ndarray[Any, Any], day: dt.date) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "customer": _number(who),
            "at": _moments(rng, day, who.size),
            "kind": ["nps"] * who.size,
            "score": [str(n) for n in np.clip(np.round(rng.normal(7.5, 2.2, who.size)), 0, 10).astype(np.int64)],
            "external_id": [f"N{day:%Y%m%d}-{n}" for n in range(1, who.size + 1)],
        },
        schema_overrides={"kind": pl.String, "score": pl.String, "external_id": pl.String},
    )


def _number(who: np.ndarray[Any, Any]) -> pl.Series:
    return pl.Series([f"C{n}" for n in who], dtype=pl.String)


def bring_in(slug: str, files: dict[str, pl.DataFrame]) -> dict[str, dict[str, Any]]:
    """Import a day's files into the firm; returns lines, what became of them and seconds, by kind.

    Raises RuntimeError for an import that did not end well, or refused a line: then nothing could be compared.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from customers.imports import service
    from customers.models import Import
    from tenants.context import tenant_scope
    from tenants.models import Tenant

    tenant = Tenant.objects.get(slug=slug)
    found = {}
    for kind, frame in files.items():
        if frame.is_empty():
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{kind}.csv"
            frame.write_csv(path)
            begun = time.perf_counter()
            with tenant_scope(tenant):
                source = "erp"
                row = service.start_import(kind=kind, file=path, filename=path.name, source=source)
                service.queue_import(row, ring=False)
            row = service.run_import(tenant, row.pk, wait=True)
            seconds = round(time.perf_counter() - begun, 2)
        if row.status != Import.Status.DONE or row.failed:
            raise RuntimeError(f"{kind}: {row.status}, {row.failed} lines refused {row.error}")
        counts = {name: getattr(row, name) for name in ("rows", "created", "updated", "unchanged")}
        found[kind] = counts | {"seconds": seconds}
    return found


def date_notes(slug: str, day: dt.date) -> int:
    """Who has something new has it since noon of that day, and the minutes' look has passed: returns how many.

    The clock is of another day. A night keeps what came in after its own, and would look at it again every night.
    """
    from customers.models import Arrival
    from tenants.context import tenant_scope
    from tenants.models import Tenant

    tenant = Tenant.objects.get(slug=slug)
    with tenant_scope(tenant):
        return Arrival.objects.update(at=tenant.start_of(day) + dt.timedelta(hours=12), is_seen=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slug", required=True)
    parser.add_argument("--day", type=dt.date.fromisoformat, default=LAST_DAY + dt.timedelta(days=1))
    parser.add_argument("--share", type=float, default=SHARE)
    asked = parser.parse_args()
    files = make(asked.folder, asked.day, asked.share)
    found = {"customers": customers_of(files)} | bring_in(asked.slug, files)
    date_notes(asked.slug, asked.day)
    json.dump(found, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
