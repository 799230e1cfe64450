"""It: `manage.py rebuild_rollup` makes the monthly rollup what the raw orders say, and nothing else."""

import datetime as dt
import io
import json
from decimal import Decimal

import polars as pl
import pytest
from django.core.management import call_command

from customers import rollup, services
from customers.frames import order_days, window_sums
from customers.models import Activity, Arrival, Order
from customers.services import Article, Line
from tenants import slices
from tenants.context import tenant_scope
from tenants.models import Tenant

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("transactions"),
]

MARCH, APRIL, MAY = dt.date(2026, 3, 1), dt.date(2026, 4, 1), dt.date(2026, 5, 1)
JUST_BEFORE_APRIL = dt.datetime(2026, 3, 31, 22, 30, tzinfo=dt.UTC)  # 23:30 in London, 1 April in Shanghai


def place(customer, number, at, money=100):
    line = Line(
        product=Article(source="erp", external_id="hammer"), quantity=Decimal(1), unit_price=Decimal(abs(money))
    )
    if money < 0:
        line = Line(product=line.product, quantity=Decimal(-1), unit_price=line.unit_price)
    if isinstance(at, dt.date) and not isinstance(at, dt.datetime):
        at = dt.datetime.combine(at, dt.time(12), tzinfo=dt.UTC)
    return services.create_order(
        customer=customer, source="erp", external_id=number, placed_at=at, currency="GBP", lines=[line]
    )


@pytest.fixture
def customers(cast):
    """Three customers of acme with orders, whose notes somebody has taken away."""
    found = [cast.customer(f"C{n}") for n in range(3)]
    with tenant_scope(cast.tenant):
        for n, customer in enumerate(found):
            place(customer, f"{n}a", MARCH)
            place(customer, f"{n}b", MARCH.replace(day=9), 40 + n)
            place(customer, f"{n}c", MARCH.replace(day=12), -15)
            place(customer, f"{n}d", APRIL.replace(day=30), 7)
        place(found[0], "edge", JUST_BEFORE_APRIL)
        services.patch_order(order=place(found[0], "gone", MAY, 999), status="cancelled")
        Arrival.objects.all().delete()
    return found


@pytest.fixture
def spoil(cast, customers):
    """Four months are wrong: one says something else, two are missing, one is there that nobody ordered in."""
    with tenant_scope(cast.tenant):
        Activity.objects.filter(customer=customers[0], month=MARCH).update(net=Decimal(1), days=0)
        Activity.objects.filter(customer=customers[1]).delete()
        Activity.objects.create(customer=customers[2], month=MAY, orders=1, credit_notes=0, net=Decimal(5), days=1)


def rebuild(*args):
    out = io.StringIO()
    call_command("rebuild_rollup", "--tenant", "acme", *args, stdout=out)
    found = json.loads(out.getvalue())
    assert found.pop("seconds") >= 0
    return found


def state(cast):
    """The whole rollup, and who is to be looked at again."""
    with tenant_scope(cast.tenant):
        fields = ("customer_id", "month", "orders", "credit_notes", "net", "days")
        return (
            sorted(Activity.objects.values_list(*fields)),
            set(Arrival.objects.values_list("customer_id", flat=True)),
        )


RIGHT = {"days": 0, "months": 6, "missing": 0, "extra": 0, "different": 0, "written": 0}
SPOILED = RIGHT | {"missing": 2, "extra": 1, "different": 1}


def test_leaves_alone_what_is_right(cast, customers):
    before = state(cast)
    assert rebuild() == RIGHT
    assert state(cast) == before


def test_puts_right_what_differs_and_notes_whom_it_is_about(cast, customers, request):
    wanted, _noted = state(cast)
    request.getfixturevalue("spoil")
    assert rebuild() == SPOILED | {"written": 4}
    assert state(cast) == (wanted, {customer.pk for customer in customers})
    assert rebuild() == RIGHT


def test_only_counts_with_check(cast, spoil):
    before = state(cast)
    assert rebuild("--check") == SPOILED
    assert state(cast) == before


def test_makes_it_all_anew(cast, customers):
    wanted, _noted = state(cast)
    with tenant_scope(cast.tenant):
        Activity.objects.all().delete()
    assert rebuild("--connections", "3") == RIGHT | {"missing": 6, "written": 6}
    assert state(cast)[0] == wanted


def test_gives_orders_the_days_of_a_new_time_zone(cast, customers):
    with tenant_scope(cast.tenant):
        before = dict(Order.objects.values_list("external_id", "placed_on"))
    Tenant.objects.filter(pk=cast.tenant.pk).update(timezone="Asia/Shanghai")
    checked = rebuild("--check")
    assert (checked["days"], checked["different"], checked["missing"]) == (1, 2, 0)  # of March and April
    with tenant_scope(cast.tenant):
        assert dict(Order.objects.values_list("external_id", "placed_on")) == before
    assert rebuild()["days"] == 1
    with tenant_scope(cast.tenant):
        assert dict(Order.objects.values_list("external_id", "placed_on")) == before | {"edge": APRIL}
        april = Activity.objects.get(customer=customers[0], month=APRIL)
        assert (april.orders, april.net, april.days) == (2, Decimal(107), 1 | 1 << 29)
    assert state(cast)[1] == {customers[0].pk}
    assert rebuild() == RIGHT


def test_loses_nothing_that_is_written_meanwhile(cast, customers, spoil, monkeypatch):
    """The orders that it has read are old when it writes: one more came in a month that it found wrong."""
    put_right = rollup._side_by_side

    def write_first(tenant, wrong, *args):
        with tenant_scope(tenant):
            place(customers[0], f"late {len(wrong)}", MARCH.replace(day=20), 1_000)
            Activity.objects.filter(customer=customers[0], month=MARCH).update(net=Decimal(1))
        return put_right(tenant, wrong, *args)

    monkeypatch.setattr(rollup, "_side_by_side", write_first)
    rebuild()
    monkeypatch.undo()
    with tenant_scope(cast.tenant):
        march = Activity.objects.get(customer=customers[0], month=MARCH)
        assert (march.orders, march.net) == (5, Decimal(2_225))
    assert rebuild() == RIGHT


def test_does_not_take_for_wrong_what_is_written_while_it_reads(cast, customers, monkeypatch):
    """Orders and rollup are read one after the other, as of one moment."""
    read = slices.Moment.read

    def write_first(moment, rows, *folds):
        with tenant_scope(cast.tenant):
            place(customers[1], f"{rows.table} {rows.where}", MARCH.replace(day=25))
        return read(moment, rows, *folds)

    monkeypatch.setattr(slices.Moment, "read", write_first)
    assert rebuild() == RIGHT


def test_compares_some_customers_at_a_time(cast, customers, spoil, monkeypatch):
    monkeypatch.setattr(rollup, "_AT_A_TIME", 1)
    monkeypatch.setattr(slices.Moment, "size", lambda _moment, _rows: 2)  # three passes
    monkeypatch.setattr(rollup, "_PUT_RIGHT", 1)
    assert rebuild() == SPOILED | {"written": 4}
    assert rebuild() == RIGHT


def test_looks_at_no_other_firm(cast, spoil):
    with tenant_scope(cast.other_tenant):
        stranger = services.create_customer(name="Stranger")
        Activity.objects.create(customer=stranger, month=MAY, orders=1, credit_notes=0, net=Decimal(5), days=1)
    assert rebuild() == SPOILED | {"written": 4}
    with tenant_scope(cast.other_tenant):
        assert Activity.objects.count() == 1


@pytest.mark.parametrize("as_of", [MARCH, MARCH.replace(day=10), APRIL.replace(day=30), MAY])
def test_sums_up_raw_orders_as_the_rollup_does(cast, customers, as_of):
    only_credit = cast.customer("Only returns")
    with tenant_scope(cast.tenant):
        place(only_credit, "r", MARCH, -3)
        window = (as_of - dt.timedelta(days=25), as_of)
    with tenant_scope(cast.tenant):
        found = rollup.rfm_summary_from_orders(as_of, window).sort("customer_id")
        sums = {key: tuple(rest) for key, *rest in window_sums({"w": window}).iter_rows()}
        days = order_days(as_of).group_by("customer_id").agg(first=pl.col("day").min(), last=pl.col("day").max())
        spans = {key: tuple(rest) for key, *rest in days.iter_rows()}
    assert found["customer_id"].is_unique().all()
    for customer, first, last, orders, net in found.iter_rows():
        assert spans.get(customer, (None, None)) == (first, last)
        assert sums.get(customer, (0, 0)) == (orders, net)
    assert set(found["customer_id"]) >= spans.keys() | {key for key, value in sums.items() if any(value)}
