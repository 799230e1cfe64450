"""It: the RFM scores."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.rules.rfm import RFM_FACTS, SEGMENTS, score, window_start

D = dt.date(2026, 11, 20)
quick = settings(max_examples=50, deadline=None)

Customer = tuple[int | None, int, int]  # days since the last order, orders, points of money

customers = st.lists(
    st.tuples(st.none() | st.integers(1, 900), st.integers(0, 30), st.integers(-50_000, 90_000)), max_size=60
)


def frame(rows: list[Customer]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (number, None if days is None else D - dt.timedelta(days), orders, money)
            for number, (days, orders, money) in enumerate(rows, start=1)
        ],
        schema={"customer_id": pl.Int64, **RFM_FACTS},
        orient="row",
    )


def by_hand(value: int, ranked: list[int]) -> int:
    return 1 + 5 * sum(other < value for other in ranked) // len(ranked)


@quick
@given(customers)
def test_gives_one_plus_five_times_the_share_strictly_worse(rows: list[Customer]) -> None:
    scored = score(frame(rows), D)
    ranked = [row for row in rows if row[0] is not None]
    for row, got in zip(rows, scored.iter_rows(named=True), strict=True):
        days, orders, money = row
        if days is None:
            assert (got["recency_days"], got["r"], got["f"], got["m"], got["segment"]) == (None,) * 4 + ("",)
            continue
        r = by_hand(-days, [-other for other, _, _ in ranked if other is not None])
        f = by_hand(orders, [other for _, other, _ in ranked])
        m = by_hand(money, [other for _, _, other in ranked])
        assert (got["recency_days"], got["r"], got["f"], got["m"]) == (days, r, f, m)
        assert got["segment"] == "".join("1" if points >= 4 else "0" for points in (r, f, m))


@quick
@given(customers)
def test_gives_equal_values_equal_scores_and_a_better_customer_never_a_lower_one(rows: list[Customer]) -> None:
    scored = score(frame(rows), D).filter(pl.col("r").is_not_null())
    for value, points, descending in (("recency_days", "r", True), ("frequency", "f", False), ("monetary", "m", False)):
        assert scored.group_by(value).agg(pl.col(points).n_unique())[points].to_list().count(1) == (
            scored[value].n_unique()
        )
        assert scored.sort(value, descending=descending)[points].is_sorted()


@quick
@given(customers)
def test_does_not_depend_on_the_order_of_the_rows(rows: list[Customer]) -> None:
    facts = frame(rows)
    assert score(facts.reverse(), D).sort("customer_id").equals(score(facts, D))


def test_scores_nobody_in_an_empty_tenant() -> None:
    empty = score(frame([]), D)
    assert empty.height == 0
    assert {"recency_days", "r", "f", "m", "segment"} <= set(empty.columns)


def test_gives_the_lowest_scores_to_one_customer_alone_and_to_a_crowd_of_equals() -> None:
    one: Customer = (3, 4, 50_000)
    for crowd in (1, 17):
        assert score(frame([one] * crowd), D).select("r", "f", "m", "segment").unique().rows() == [(1, 1, 1, "000")]


def test_leaves_everybody_unranked_where_nobody_ordered() -> None:
    scored = score(frame([(None, 0, 0)] * 3), D)
    assert scored["segment"].to_list() == ["", "", ""]
    assert scored["m"].null_count() == 3


def test_ranks_a_customer_who_ordered_only_before_the_window() -> None:
    scored = score(frame([(800, 0, 0), (5, 3, 100), (None, 0, 0)]), D)
    assert scored["f"].to_list() == [1, 3, None]


def test_refuses_orders_that_do_not_count_yet() -> None:
    with pytest.raises(ValueError, match="2026-11-20"):
        score(frame([(0, 1, 1)]), D)


@pytest.mark.parametrize(
    ("as_of", "months", "start"),
    [
        (dt.date(2011, 12, 10), 12, dt.date(2010, 12, 10)),
        (dt.date(2024, 2, 29), 12, dt.date(2023, 2, 28)),
        (dt.date(2026, 3, 31), 1, dt.date(2026, 2, 28)),
        (dt.date(2026, 1, 31), 2, dt.date(2025, 11, 30)),
        (dt.date(2026, 1, 15), 1, dt.date(2025, 12, 15)),
    ],
)
def test_starts_the_window_on_the_same_day_or_the_months_last(as_of: dt.date, months: int, start: dt.date) -> None:
    assert window_start(as_of, months) == start


def test_names_all_eight_segments_once() -> None:
    assert sorted(SEGMENTS) == [f"{bits:03b}" for bits in range(8)]
