"""The facts that a forecast learns from, as frames."""

from __future__ import annotations

import datetime as dt
from typing import Final

import polars as pl

from customers.frames import days_of, rollup
from health.rules.forecast import SAMPLE, History, scrambled
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.parts import Customers

JUDGED: Final = 200_000
"""Customers by whom a back-test measures a big firm's forecast."""


def read_history(before: dt.date, customers: Customers = None, condition: str = "true") -> History:
    """All order days and months before a day, of everybody: closed customers say as much about the model.

    `condition` narrows it down, as in `customers.frames.rollup`.
    """
    months = rollup(before, customers, condition)
    return History.of_rollup(days_of(months, before), months.drop("days"))


def read_sample(before: dt.date, size: int = SAMPLE) -> History:
    """The history of at most so many of the customers who ordered before a day: those that `rules.forecast.sample` takes.

    Only theirs is read, so that a firm of millions needs no more memory than one of thousands.
    """
    everybody = read_frame(
        "SELECT id FROM customers_customer WHERE tenant_id = %s",
        [current_tenant().pk],
        schema={"customer_id": pl.Int64},
    )
    if everybody.height <= size:
        return read_history(before)
    in_turn = everybody.sort(scrambled(), "customer_id").get_column("customer_id")
    chosen: list[int] = []
    for some in in_turn.to_frame().iter_slices(size):
        ids = some.get_column("customer_id").to_list()
        ordered = set(days_of(rollup(before, ids, "days <> 0"), before).get_column("customer_id").unique())
        chosen += [each for each in ids if each in ordered]
        if len(chosen) >= size:
            break
    return read_history(before, sorted(chosen[:size]))
