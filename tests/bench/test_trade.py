"""bench.trade: facts of a made-up wholesaler, the same each time, and skewed like real trade."""

import hashlib

import polars as pl
import pytest

from bench import trade

CUSTOMERS = 4_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trade")
    trade.make(folder, CUSTOMERS)
    return folder


@pytest.fixture(scope="module")
def orders(folder):
    return pl.read_parquet(folder / "orders.parquet")


def contents(folder):
    return {
        path.name: hashlib.sha256(str(pl.read_parquet(path).rows()).encode()).hexdigest()
        for path in sorted(folder.glob("*.parquet"))
    }


def test_is_the_same_for_the_same_size_and_seed(tmp_path):
    for name in ("one", "two"):
        trade.make(tmp_path / name, 300)
    trade.make(tmp_path / "other", 300, seed=6)
    first, second, other = (contents(tmp_path / name) for name in ("one", "two", "other"))
    assert first == second
    assert len(first) == 6
    assert all(first[name] != other[name] for name in first if name != "size.json")


def test_does_not_depend_on_how_much_is_made_at_a_time(tmp_path, monkeypatch):
    """The first customers of a larger firm are not those of a smaller one, but blocks leave no seams in the numbers."""
    monkeypatch.setattr(trade, "BLOCK", 100)
    trade.make(tmp_path, 350)
    assert pl.read_parquet(tmp_path / "customers.parquet")["customer"].to_list() == list(range(1, 351))
    orders = pl.read_parquet(tmp_path / "orders.parquet")
    assert orders["number"].to_list() == list(range(1, orders.height + 1))
    assert orders["at"].is_sorted()


def test_lets_a_fifth_of_the_customers_bring_most_of_the_money(orders):
    money = orders.group_by("customer").agg(pl.col("points").sum())["points"].sort(descending=True)
    share = money.head(CUSTOMERS // 5).sum() / money.sum()
    assert 0.6 < share < 0.9


def test_lets_most_customers_order_seldom_and_a_few_every_week(orders):
    a_year = orders.filter(~pl.col("is_credit")).group_by("customer").len()["len"] / trade.YEARS
    assert a_year.quantile(0.5) < 5
    assert a_year.max() > 40


def test_follows_seasons_and_working_days(orders):
    by_month = dict(orders.group_by(pl.col("day").dt.month()).len().rows())
    assert by_month[11] > 1.4 * by_month[2]
    by_weekday = dict(orders.group_by(pl.col("day").dt.weekday()).len().rows())
    assert by_weekday[1] > 4 * by_weekday[7]


def test_sends_a_few_orders_back(orders):
    back = orders.filter("is_credit")
    assert 0.02 < back.height / orders.height < 0.04
    assert back["points"].max() < 0
    assert back["due"].is_null().all()


def test_stays_within_its_three_years(orders):
    assert orders["day"].min() >= trade.FIRST_DAY
    assert orders["day"].max() <= trade.LAST_DAY
    assert orders["paid"].drop_nulls().max() <= trade.LAST_DAY
    assert (orders["paid"].drop_nulls().len() / orders.height) > 0.8
