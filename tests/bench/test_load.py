"""bench.load: one made-up trade for one firm, or shared out among many."""

import datetime as dt

import polars as pl
import pytest

from bench import trade
from bench.load import Firms, _terms, activity


@pytest.fixture
def firms():
    """Three firms of ten customers, two account managers and five articles each."""
    return Firms(pl.Series([70, 80, 90]), 10, 5, pl.Series([1, 2, 3, 4, 5, 6]))


def test_gives_each_firm_customers_members_and_articles_of_its_own(firms):
    facts = pl.DataFrame({"customer": [1, 10, 11, 21, 30], "owner": [7, 8, 8, 9, 2], "product": [1, 12, 5, 6, 10]})
    assert facts.select(firms.tenant()).to_series().to_list() == [70, 70, 80, 90, 90]
    assert facts.select(firms.owner()).to_series().to_list() == [2, 1, 3, 6, 5]
    assert facts.select(firms.product()).to_series().to_list() == [1, 2, 10, 11, 15]


def test_takes_a_single_firm_as_it_is():
    firms = Firms(pl.Series([7]), 100, 50, pl.Series([11, 12, 13]))
    facts = pl.DataFrame({"customer": [1, 100], "owner": [0, 2], "product": [1, 50]})
    assert facts.select(firms.tenant()).to_series().to_list() == [7, 7]
    assert facts.select(firms.owner()).to_series().to_list() == [11, 13]
    assert facts.select(firms.product()).to_series().to_list() == [1, 50]


def test_lets_names_be_found_as_the_services_do():
    found = pl.DataFrame({"name": ["恒通7 贸易有限公司", "Alder12 Stores"]}).select(_terms()).to_series().to_list()
    assert "有限公司" in found[0]
    assert found[1] == ["alder12", "stores"]


def test_rolls_orders_up_by_month(tmp_path):
    trade.make(tmp_path, 300)
    orders = pl.read_parquet(tmp_path / "orders.parquet")
    rolled = activity(tmp_path)
    assert rolled["net"].sum() == orders["points"].sum()
    assert rolled["credit_notes"].sum() == orders["is_credit"].sum()
    row = rolled.row(0, named=True)
    end = row["month"] + dt.timedelta(days=31)
    own = orders.filter(
        (pl.col("customer") == row["customer"])
        & pl.col("day").is_between(row["month"], end.replace(day=1), closed="left")
        & ~pl.col("is_credit")
    )
    assert row["days"] == sum({1 << (day.day - 1) for day in own["day"]})
