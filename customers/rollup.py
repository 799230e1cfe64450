"""The raw orders in bulk: what they come to for every customer, and the monthly rollup made anew from them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import polars as pl
from django.db import connection

from customers.activity import lock_customers, refresh_activity
from customers.rules import rollup as rules
from customers.services.arrivals import arrived
from tenants.context import current_tenant, tenant_scope
from tenants.models import Tenant
from tenants.slices import Moment, Rows, one_moment, processors

_CUSTOMER: Final = ("customer_id", pl.Int64)
_NET: Final = ("net", pl.Int64)
_IS_ORDER: Final = ("kind = 'order'", pl.Boolean)
# What placed_on should say: an order's day is derived as the rollup is.
_LOCAL_DAY: Final = "(placed_at AT TIME ZONE %s)::date"

_AT_A_TIME: Final = 4_000_000  # orders that are compared with the rollup at a time
_PUT_RIGHT: Final = 2_000  # orders, or months, that one transaction puts right


def rfm_summary_from_orders(
    as_of: dt.date, window: tuple[dt.date, dt.date], *, connections: int | None = None
) -> pl.DataFrame:
    """customer_id, first_order_on, last_order_on, orders and net (points): what the raw orders before a day say.

    orders and net (credit notes deducted) are those of the window (half open, within what lies before `as_of`); the
    days are of all orders, null for who has credit notes only. Customers without either have no row. The rollup is
    not asked (docs/rules/segmentation.md). What the open transaction has written is not seen.
    """
    orders = Rows(
        "customers_order",
        {"customer_id": _CUSTOMER, "day": ("placed_on", pl.Date), "net": _NET, "is_order": _IS_ORDER},
        key="customer_id",
        where="status = 'placed' AND placed_on < %s",
        params=(as_of,),
    )
    with one_moment(current_tenant(), connections) as moment:
        return moment.read(orders, lambda rows: rules.by_customer(rows, window), rules.same_customers)


@dataclass(frozen=True)
class Rebuilt:
    """How the rollup compared with the orders, and what was done about it.

    `days`: orders whose day was not the local one of their time. Then in rows of the rollup, a customer's month each:
    `months` are wanted by the orders; of these `missing` were not there and `different` said something else; `extra`
    ones were there and are wanted by none. `written` were written or removed; what somebody else had put right
    meanwhile is not among them.
    """

    days: int
    months: int
    missing: int
    extra: int
    different: int
    written: int


def rebuild_rollup(tenant: Tenant, *, check: bool = False, connections: int | None = None) -> Rebuilt:
    """Make each order's day and the monthly rollup what the raw orders say, or with `check` only count what differs.

    1. Orders and rollup are read as of one moment, beside all other work: what differs did differ then.
    2. An order with another day than its time has in the tenant's zone gets that day (the zone was changed).
    3. Each month that differs is recomputed as by every write of orders, under the lock of its customer
       (`refresh_activity`): what has been written since that moment counts, and rows that are right are not touched.
    4. Notes say that facts about these customers have come in, in the same transactions.

    Killed anywhere, what was put right stays so; started again it does the rest. It opens transactions of its own on
    as many connections as there are processors (at most 8) or `connections` says; call it outside of a scope.
    """
    with one_moment(tenant, connections) as moment:
        astray = moment.read(_astray(tenant), _as_it_is, _as_it_is)
        passes = moment.size(_orders(tenant, 0, 1)) // _AT_A_TIME + 1
        compared = [_compare(moment, tenant, one, passes) for one in range(passes)]
    differing = pl.concat(frame for _months, frame in compared)
    how = dict(differing["how"].value_counts().iter_rows())
    written = 0
    if not check:
        _side_by_side(tenant, astray.sort("customer_id", "id"), _put_days_right, connections)
        written = _side_by_side(tenant, differing.sort(rules.MONTH_KEY), _put_months_right, connections)
    return Rebuilt(
        days=len(astray),
        months=sum(months for months, _frame in compared),
        missing=how.get("missing", 0),
        extra=how.get("extra", 0),
        different=how.get("different", 0),
        written=written,
    )


# ── comparing ───────────────────────────────────────────────────────────────


def _astray(tenant: Tenant) -> Rows:
    """Orders whose day is not the local one of their time, cancelled ones too."""
    return Rows(
        "customers_order",
        {"id": ("id", pl.Int64), "customer_id": _CUSTOMER, "day": ("placed_on", pl.Date)},
        key="customer_id",
        where=f"placed_on <> {_LOCAL_DAY}",
        params=(tenant.timezone,),
    )


def _orders(tenant: Tenant, one: int, passes: int) -> Rows:
    return Rows(
        "customers_order",
        {"customer_id": _CUSTOMER, "day": (_LOCAL_DAY, pl.Date), "net": _NET, "is_order": _IS_ORDER},
        key="customer_id",
        where="status = 'placed' AND mod(customer_id, %s) = %s",
        params=(tenant.timezone, passes, one),
    )


def _rollup(one: int, passes: int) -> Rows:
    return Rows(
        "customers_activity",
        {
            "customer_id": _CUSTOMER,
            "month": ("month", pl.Date),
            "orders": ("orders", pl.Int32),
            "credit_notes": ("credit_notes", pl.Int32),
            "net": _NET,
            "days": ("days", pl.Int64),
        },
        key="customer_id",
        where="mod(customer_id, %s) = %s",
        params=(passes, one),
    )


def _compare(moment: Moment, tenant: Tenant, one: int, passes: int) -> tuple[int, pl.DataFrame]:
    """How many months the orders of every so many-th customer want, and those that differ."""
    wanted = moment.read(_orders(tenant, one, passes), rules.by_month, rules.same_months)
    found = moment.read(_rollup(one, passes), _as_it_is, _as_it_is)
    return len(wanted), rules.differing_months(wanted, found)


def _as_it_is(rows: pl.DataFrame) -> pl.DataFrame:
    return rows


# ── putting right ───────────────────────────────────────────────────────────


def _side_by_side(
    tenant: Tenant, wrong: pl.DataFrame, put_right: Callable[[pl.DataFrame], int], connections: int | None
) -> int:
    """Put the rows right, some thousands a transaction, on several connections; what it returned, added up.

    They come sorted by customer: transactions then lock customers in the order of their ids, each a range of its own
    (two may share the customer at its edge).
    """
    chunks = list(wrong.iter_slices(_PUT_RIGHT))[::-1]
    number = connections or processors()

    def work() -> int:
        done = 0
        with closing(connection):
            while True:
                try:
                    chunk = chunks.pop()
                except IndexError:
                    return done
                with tenant_scope(tenant):
                    done += put_right(chunk)

    with ThreadPoolExecutor(number) as pool:
        try:
            return sum(each.result() for each in [pool.submit(work) for _ in range(number)])
        finally:
            chunks.clear()  # when one has failed, the others stop with the chunk they are at


def _put_days_right(astray: pl.DataFrame) -> int:
    tenant = current_tenant()
    lock_customers(astray["customer_id"])
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE customers_order SET placed_on = {_LOCAL_DAY}, updated_at = now()
            WHERE tenant_id = %s AND id = ANY(%s) AND placed_on <> {_LOCAL_DAY}
            RETURNING customer_id, placed_on
            """,
            [tenant.timezone, tenant.pk, astray["id"].to_list(), tenant.timezone],
        )
        moved = cursor.fetchall()
    pairs = [*astray.select("customer_id", "day").iter_rows(), *moved]
    return _refresh(pairs)


def _put_months_right(differing: pl.DataFrame) -> int:
    return _refresh(list(differing.select(rules.MONTH_KEY).iter_rows()))


def _refresh(pairs: Sequence[tuple[int, dt.date]]) -> int:
    written = refresh_activity(pairs)
    if written:
        arrived(customer_id for customer_id, _day in pairs)
    return written
