"""bench.day: what a share of the customers has new on one day, brought in by the import."""

import datetime as dt

import polars as pl
import pytest

from bench import day, trade
from customers.models import Arrival
from customers.services import arrived

CUSTOMERS = 3_000
TOMORROW = trade.LAST_DAY + dt.timedelta(days=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("day")
    trade.make(folder, CUSTOMERS)
    return folder


@pytest.mark.parametrize("share", [0.01, 0.5, 1.0])
def test_is_about_that_share_of_the_customers(folder, share):
    assert day.customers_of(day.make(folder, TOMORROW, share)) == share * CUSTOMERS


def test_is_the_same_each_time_and_another_on_another_day(folder):
    one, two = (day.make(folder, TOMORROW) for _ in range(2))
    assert all(one[kind].equals(two[kind]) for kind in one)
    later = day.make(folder, TOMORROW + dt.timedelta(days=1))
    assert not one["orders"].equals(later["orders"])


def test_has_new_orders_and_payments_of_old_ones(folder):
    files = day.make(folder, TOMORROW, 0.2)
    orders = files["orders"]
    paid = orders.filter(pl.col("paid_on") != "")
    assert orders["order"].is_unique().all()
    assert 0.1 < paid.height / orders.height < 0.5
    assert set(paid["paid_on"]) == {str(TOMORROW)}
    assert orders.filter(pl.col("paid_on") == "")["placed_at"].str.starts_with(str(TOMORROW)).all()
    known = pl.read_parquet(folder / "orders.parquet").filter(pl.col("paid").is_null())
    numbers = set(known.select("SO" + pl.col("number").cast(pl.String).str.zfill(9)).to_series())
    assert set(paid["order"]) <= numbers


def test_has_something_of_every_kind(folder):
    files = day.make(folder, TOMORROW, 0.5)
    assert all(file.height for file in files.values())
    assert set(files["survey_responses"]["kind"]) == {"nps"}


def test_prefers_who_orders_often(folder):
    orders = pl.read_parquet(folder / "orders.parquet")
    times = orders.group_by("customer").len().with_columns(number="C" + pl.col("customer").cast(pl.String))
    chosen = day.make(folder, TOMORROW, 0.1)["orders"]["customer"].unique()
    assert times.filter(pl.col("number").is_in(chosen.implode()))["len"].mean() > 1.5 * times["len"].mean()


def test_notes_who_has_something_new_as_of_the_day(cast, scope):
    arrived([cast.customer().pk, cast.customer().pk])
    assert day.date_notes("acme", TOMORROW) == 2
    assert {(note.is_seen, scope.local_date(note.at)) for note in Arrival.objects.all()} == {(True, TOMORROW)}
