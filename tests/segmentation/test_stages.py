"""It: the stage of life, as the rule says it and as the database does."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise, product

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customers.models import Customer
from dashboards.querysets import customer_rows
from segmentation.models import Stage, Standing
from segmentation.querysets import with_stage
from segmentation.rules.policy import TierPolicy
from segmentation.rules.stages import STAGES, order_history, stage, stage_until, stages
from tests.conftest import Cast

D = dt.date(2026, 11, 20)
RULES = TierPolicy(new_days=60, lapsed_days=90)


def ago(days: int | None) -> dt.date | None:
    return None if days is None else D - dt.timedelta(days)


@pytest.mark.parametrize(
    ("first", "last", "returned", "closed", "expected"),
    [
        (None, None, None, None, "prospect"),
        (59, 3, None, None, "new"),
        (60, 3, None, None, "active"),
        (500, 89, None, None, "active"),
        (500, 90, None, None, "lapsed"),
        (500, 10, 59, None, "won_back"),
        (500, 10, 60, None, "active"),
        (500, 95, 95, None, "lapsed"),  # came back, and has been silent since
        (500, 3, None, 1, "closed"),
        (None, None, None, 1, "closed"),
    ],
)
def test_tells_the_stage_of_a_customer(
    first: int | None, last: int | None, returned: int | None, closed: int | None, expected: str
) -> None:
    assert stage(ago(first), ago(last), ago(returned), ago(closed), D, RULES) == expected


def test_says_lapsed_before_new_and_won_back_before_new() -> None:
    rules = TierPolicy(new_days=300, lapsed_days=90)
    assert stage(ago(200), ago(95), None, None, D, rules) == "lapsed"
    assert stage(ago(200), ago(5), ago(20), None, D, rules) == "won_back"


def test_says_of_a_frame_what_it_says_of_one() -> None:
    days = (None, 3, 59, 60, 89, 90, 200)
    rows = [(ago(first), ago(last), ago(returned)) for first, last, returned in product(days, days, days)]
    names = ["first_order_on", "last_order_on", "returned_on"]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Date), orient="row")
    for rules in (RULES, TierPolicy(new_days=300, lapsed_days=90)):
        found = frame.select(stages(D, rules)).to_series().to_list()
        assert found == [stage(*row, None, D, rules) for row in rows]


def test_says_until_when_a_stage_lasts_if_nothing_happens() -> None:
    spans = (3, 20, 59, 60, 89, 90, 200)
    rows = [
        (ago(first), ago(last), ago(returned))
        for first, last, returned in product(spans, spans, (None, *spans))
        if first >= last and (returned is None or first > returned >= last)
    ]
    frame = pl.DataFrame(
        rows, schema=dict.fromkeys(["first_order_on", "last_order_on", "returned_on"], pl.Date), orient="row"
    )
    for rules in (RULES, TierPolicy(new_days=300, lapsed_days=90), TierPolicy(new_days=10, lapsed_days=400)):
        for row, until in zip(rows, frame.select(stage_until(D, rules)).to_series(), strict=True):
            days = [D + dt.timedelta(n) for n in range(800)]
            now = stage(*row, None, D, rules)
            other = next((day for day in days if stage(*row, None, day, rules) != now), None)
            assert until == other


def test_names_the_stages_that_the_tables_know() -> None:
    assert list(STAGES) == Stage.values


@pytest.mark.django_db
def test_says_the_same_in_the_database(cast: Cast, scope: object) -> None:
    days = (None, 0, 59, 60, 61, 89, 90, 91, 400)
    found = [
        (first, last, returned, closed)
        for first, last, returned, closed in product(days, days, days, (None, 5))
        if (first is None) == (last is None) or (first is None and returned is None)
    ]
    rows = Customer.objects.bulk_create([Customer(name=str(n), closed_on=ago(row[3])) for n, row in enumerate(found)])
    Standing.objects.bulk_create(
        Standing(
            customer=customer, first_order_on=ago(first), last_order_on=ago(last), returned_on=ago(returned),
            frequency=0, monetary=0, policy_version=1,
        )
        for customer, (first, last, returned, _closed) in zip(rows, found, strict=True)
    )  # fmt: skip
    expected = {
        customer.pk: stage(ago(first), ago(last), ago(returned), ago(closed), D, RULES)
        for customer, (first, last, returned, closed) in zip(rows, found, strict=True)
    }
    assert set(expected.values()) == set(STAGES)
    in_list = with_stage(customer_rows(cast.ada), D, RULES)
    assert dict(in_list.values_list("pk", "stage")) == expected
    beside = with_stage(Standing.objects.all(), D, RULES, standing="", closed_on="customer__closed_on")
    assert dict(beside.values_list("customer_id", "stage")) == expected
    assert set(in_list.filter(stage="won_back")) == {row for row in rows if expected[row.pk] == "won_back"}


@pytest.mark.django_db
def test_says_nothing_about_a_customer_whom_no_night_has_seen(cast: Cast, scope: object) -> None:
    cast.customer("Fresh")
    cast.customer("Gone", closed_on=D)
    for night in (D, None):
        rows = with_stage(customer_rows(cast.ada), night, RULES)
        assert dict(rows.values_list("name", "stage")) == {"Fresh": "", "Gone": "closed"}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 400)), max_size=40))
def test_finds_first_and_last_order_and_the_last_return_as_by_hand(orders: list[tuple[int, int]]) -> None:
    frame = pl.DataFrame(
        [(customer, ago(days)) for customer, days in orders],
        schema={"customer_id": pl.Int64, "day": pl.Date},
        orient="row",
    )
    expected = {}
    for customer in {customer for customer, _days in orders}:
        days = sorted(D - dt.timedelta(days) for other, days in orders if other == customer)
        returns = [day for before, day in pairwise(days) if (day - before).days >= 90]
        expected[customer] = (days[0], days[-1], returns[-1] if returns else None)
    got = order_history(frame, RULES)
    assert {row[0]: row[1:] for row in got.iter_rows()} == expected
