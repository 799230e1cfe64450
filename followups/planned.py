"""Touches agreed by hand, and what they mean for the cadence: a day that was agreed counts more than an interval."""

from __future__ import annotations

import polars as pl

from followups.reasons import PLANNED, PROMISE
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.parts import Customers, among, are_few


def without_planned(due: pl.DataFrame, customers: Customers = None) -> pl.DataFrame:
    """Those of the due touches (customer_id, kind, …) for which no open follow-up of that kind was agreed by hand.

    Doing what was agreed is a touch of its kind, from which the cadence counts on. `customers` are those whom `due` may
    name.
    """
    agreed = read_frame(
        f"""
        SELECT customer_id, kind FROM followups_followup
        WHERE tenant_id = %s AND status = 'open' AND rule IN (%s, %s) AND {among(customers)}
        """,
        [current_tenant().pk, PLANNED, PROMISE],
        schema={"customer_id": pl.Int64, "kind": pl.String},
        few=are_few(customers),
    )
    return due.join(agreed, on=["customer_id", "kind"], how="anti")
