"""bench.side_by_side: everybody answers the same question, and who answers otherwise is found out."""

import datetime as dt
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from bench import trade
from bench.load import activity
from bench.rfm import ANSWER, AS_OF, START, WAYS, Facts
from bench.side_by_side import difference
from customers.activity import refresh_activity
from customers.models import Customer, Order
from tenants.context import tenant_scope

CUSTOMERS = 120
SHANGHAI = ZoneInfo("Asia/Shanghai")
NEEDS = {"duckdb": ("duckdb", "pyarrow"), "pandas": ("pandas", "pyarrow"), "lifetimes": ("lifetimes", "pyarrow")}
ON_FILES = [name for name in WAYS if not name.startswith(("sql", "ours"))]
IN_DATABASE = [name for name in WAYS if name not in ON_FILES]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The facts as files: one customer has returned everything and another has ordered on the day after only."""
    folder = tmp_path_factory.mktemp("side by side")
    trade.make(folder, CUSTOMERS)
    orders = pl.read_parquet(folder / "orders.parquet")
    late = orders.head(2).with_columns(
        customer=pl.Series([CUSTOMERS + 1, CUSTOMERS + 2]),
        at=pl.Series([dt.datetime.combine(AS_OF, dt.time(0, 5)), dt.datetime.combine(START, dt.time(9))]),
        day=pl.Series([AS_OF, START]),
        is_credit=pl.Series([False, True]),
        points=pl.Series([50_000, -70_000]),
    )
    pl.concat([orders, late]).write_parquet(folder / "orders.parquet")
    activity(folder).write_parquet(folder / "rollup.parquet")
    return folder


@pytest.fixture(scope="module")
def wanted(folder):
    """The answer as one would work it out by hand."""
    rows = pl.read_parquet(folder / "orders.parquet").filter(pl.col("day") < AS_OF).to_dicts()
    found = []
    for customer in range(1, CUSTOMERS + 3):
        own = [row for row in rows if row["customer"] == customer]
        days = [row["day"] for row in own if not row["is_credit"]]
        year = [row for row in own if row["day"] >= START]
        if days:
            orders = sum(not row["is_credit"] for row in year)
            found.append((customer, max(days), orders, sum(row["points"] for row in year)))
    return pl.DataFrame(found, schema=ANSWER, orient="row")


@pytest.fixture
def loaded(cast, folder):
    """The same facts as orders of globex, which reckons in Shanghai."""
    with tenant_scope(cast.other_tenant):
        for number in range(CUSTOMERS + 2):
            Customer.objects.create(name=f"C{number + 1}")
        base = Customer.objects.order_by("pk").values_list("pk", flat=True)[0] - 1
        rows = pl.read_parquet(folder / "orders.parquet").to_dicts()
        Order.objects.bulk_create(
            Order(
                customer_id=row["customer"] + base, external_id=str(number), digest="", currency="CNY",
                kind="credit_note" if row["is_credit"] else "order", placed_at=row["at"].replace(tzinfo=SHANGHAI),
                placed_on=row["day"], net=row["points"] / 10_000,
            ) for number, row in enumerate(rows)
        )  # fmt: skip
        refresh_activity({(row["customer"] + base, row["day"]) for row in rows})
    return cast.other_tenant.slug


def answered(name, facts):
    way = WAYS[name]
    return way.frame(facts, way.make(facts)())


@pytest.mark.parametrize("name", ON_FILES)
def test_gives_the_same_answer_on_files(folder, wanted, name):
    for module in NEEDS.get(name.partition("-")[0], ()):
        pytest.importorskip(module, reason=f"{module} is not installed: bench/requirements.txt")
    found = answered(name, Facts(folder, "nobody", threads=2))
    assert difference(wanted, found) == ""
    assert set(found.columns) == ({"customer", "last_order_on"} if name == "lifetimes" else set(ANSWER))


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
@pytest.mark.xdist_group("transactions")
def test_gives_the_same_answer_in_the_database(folder, wanted, loaded):
    for name in IN_DATABASE:
        assert difference(wanted, answered(name, Facts(folder, loaded, threads=2))) == "", name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"net": pl.col("net") + 1}, "3 of 3 customers differ"),
        ({"orders": pl.when(pl.col("customer") == 2).then(9).otherwise("orders")}, "1 of 3 customers differ"),
        ({"last_order_on": pl.lit(None, pl.Date)}, "3 of 3 customers differ"),
        ({"customer": pl.col("customer") + 1}, "4 of 4 customers differ"),
    ],
)
def test_finds_who_answers_otherwise(change, said):
    first = pl.DataFrame({"customer": [1, 2, 3], "last_order_on": [AS_OF] * 3, "orders": [1, 2, 3], "net": [4, 5, 6]})
    assert difference(first, first.reverse()) == ""
    assert difference(first, first.select("customer", "last_order_on")) == ""
    assert difference(first, first.with_columns(**change)).startswith(said)
    assert difference(first, first.head(2)).startswith("1 of 3 customers differ")
