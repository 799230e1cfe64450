"""It: a tenant's rows in bulk, whichever way they are read."""

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from django.db import connections

from customers.models import Customer, Order
from tenants import slices
from tenants.context import tenant_scope
from tenants.slices import Rows, one_moment

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("transactions"),
]

DAY = dt.date(2026, 3, 31)
ORDERS = Rows(
    "customers_order",
    {
        "customer_id": ("customer_id", pl.Int64),
        "number": ("external_id::int", pl.Int32),
        "day": ("placed_on", pl.Date),
        "net": ("net", pl.Int64),
        "is_small": ("net < %s", pl.Boolean),
    },
    key="customer_id",
    where="status = %s",
    params=(50_000, "placed"),
)


def orders(tenant, customers, each=3):
    with tenant_scope(tenant):
        made = [Customer.objects.create(name=f"C{n}") for n in range(customers)]
        rows = [
            Order(customer=customer, external_id=str(10 * place + n), placed_at=dt.datetime(2026, 3, 31, 12, tzinfo=dt.UTC),
                  placed_on=DAY - dt.timedelta(days=place), currency="GBP", net=Decimal(n * 4 - 2), digest="")
            for place, customer in enumerate(made) for n in range(each)
        ]  # fmt: skip
        Order.objects.bulk_create(rows)
        return rows


def as_it_is(frame):
    return frame


def read(tenant, rows=ORDERS):
    with one_moment(tenant, 2) as moment:
        return moment.read(rows, as_it_is, as_it_is).sort("customer_id", "number")


def wanted(rows):
    return sorted(
        (row.customer_id, int(row.external_id), row.placed_on, int(row.net * 10_000), row.net < 5) for row in rows
    )


@pytest.fixture
def both_tenants(cast):
    """Orders of a small firm beside those of a large one."""
    made = orders(cast.tenant, 3), orders(cast.other_tenant, 40)
    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE customers_order")
    return made


@pytest.fixture
def ways(monkeypatch):
    """The conditions by which slices are read, from now on; small ones, so that there are several."""
    found = []
    copy = slices._copy
    monkeypatch.setattr(
        slices, "_copy", lambda cursor, rows, piece: found.append(piece[0]) or copy(cursor, rows, piece)
    )
    monkeypatch.setattr(slices, "_PAGES", 1)
    monkeypatch.setattr(slices, "_ROWS", 20)
    return found


@pytest.mark.parametrize(("share", "way"), [(0, "ctid >="), (2, "customer_id >=")])
def test_reads_by_pages_what_it_reads_by_key(cast, both_tenants, monkeypatch, ways, share, way):
    monkeypatch.setattr(slices, "_SHARE", share)
    own, others = both_tenants
    assert read(cast.tenant).rows() == wanted(own)
    assert read(cast.other_tenant).rows() == wanted(others)
    assert len(ways) > 2
    assert all(way in condition for condition in ways)


def test_looks_up_the_rows_of_who_has_few_of_them(cast, both_tenants, ways):
    read(cast.tenant)
    assert all("customer_id >=" in condition for condition in ways)
    ways.clear()
    read(cast.other_tenant)
    assert all("ctid >=" in condition for condition in ways)
    with one_moment(cast.tenant) as moment:
        assert moment.size(ORDERS) == 9


def test_reads_nothing_where_there_is_nothing(cast):
    found = read(cast.tenant)
    assert found.is_empty()
    assert found.schema == ORDERS.none().schema


def test_sees_one_moment_whatever_is_written_meanwhile(cast):
    before = orders(cast.tenant, 2)
    with one_moment(cast.tenant, 2) as moment:
        with tenant_scope(cast.tenant):
            Order.objects.filter(pk=before[0].pk).update(status="cancelled")
            Order.objects.exclude(pk=before[0].pk).update(
                net=Decimal(9), customer=Customer.objects.create(name="Other")
            )
        first = moment.read(ORDERS, as_it_is, as_it_is)
        assert moment.read(ORDERS, as_it_is, as_it_is).sort("number").equals(first.sort("number"))
    assert first.sort("customer_id", "number").rows() == wanted(before)


def test_leaves_out_what_the_condition_does_not_take(cast):
    rows = orders(cast.tenant, 2)
    with tenant_scope(cast.tenant):
        Order.objects.filter(pk=rows[0].pk).update(status="cancelled")
    assert read(cast.tenant).rows() == wanted(rows[1:])


def test_folds_batch_by_batch_what_it_would_fold_at_once(cast, monkeypatch):
    rows = orders(cast.tenant, 40)
    monkeypatch.setattr(slices, "_PAGES", 1)
    monkeypatch.setattr(slices, "_BATCH", 1)
    joined = []

    def fold(frame):
        return frame.group_by("day").agg(pl.col("net").sum())

    def join(parts):
        joined.append(len(parts))
        return parts.group_by("day").agg(pl.col("net").sum())

    with one_moment(cast.tenant, 2) as moment:
        found = dict(moment.read(ORDERS, fold, join).iter_rows())
    assert found == {
        day: sum(int(row.net * 10_000) for row in rows if row.placed_on == day) for day in {r.placed_on for r in rows}
    }


@pytest.mark.parametrize(
    "column", [("paid_on", pl.Date), ("CASE WHEN net > 0 THEN paid_on ELSE placed_on END", pl.Date), ("net", pl.Int32)]
)
def test_refuses_what_is_not_as_long_as_was_said(cast, column):
    orders(cast.tenant, 4)
    with pytest.raises(ValueError, match="NULL, or another type"):
        read(cast.tenant, Rows("customers_order", {"customer_id": ORDERS.columns["customer_id"], "number": column},
                               key="customer_id"))  # fmt: skip


def test_says_what_went_wrong_and_lets_go_of_its_connections(cast):
    orders(cast.tenant, 2)
    with pytest.raises(ZeroDivisionError), one_moment(cast.tenant, 2) as moment:
        moment.read(ORDERS, lambda frame: 1 // len(frame.filter(False)), as_it_is)
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        )
        assert cursor.fetchone() == (0,)
