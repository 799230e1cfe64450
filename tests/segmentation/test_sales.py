"""It: repurchase, order values, the Pareto curve and the season, from months."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.rules import sales
from segmentation.rules.sales import OrderMonth, Rate, add_months, history_month, order_values, pareto, seasons, span

D = dt.date(2026, 11, 20)
quick = settings(max_examples=60, deadline=None)


def month(text: str) -> dt.date:
    return dt.date.fromisoformat(f"{text}-01")


@pytest.mark.parametrize(
    ("period", "as_of", "before", "start", "end"),
    [
        ("month", "2026-11-20", "2026-09", "2026-10", "2026-11"),
        ("quarter", "2026-11-20", "2026-05", "2026-08", "2026-11"),
        ("year", "2026-11-20", "2024-11", "2025-11", "2026-11"),
        ("month", "2026-11-01", "2026-09", "2026-10", "2026-11"),  # all of October lies before the first
        ("month", "2026-10-31", "2026-08", "2026-09", "2026-10"),
        ("month", "2026-01-15", "2025-11", "2025-12", "2026-01"),
    ],
)
def test_takes_the_last_full_months(period: sales.Period, as_of: str, before: str, start: str, end: str) -> None:
    got = span(period, dt.date.fromisoformat(as_of))
    assert (got.before, got.start, got.end) == (month(before), month(start), month(end))


@pytest.mark.parametrize(("day", "first"), [("2026-03-01", "2026-03"), ("2026-03-07", "2026-03"), ("2026-03-08", "2026-04"), ("2026-12-31", "2027-01")])  # fmt: skip
def test_counts_a_first_month_when_it_is_nearly_whole(day: str, first: str) -> None:
    assert history_month(dt.date.fromisoformat(day)) == month(first)


def test_has_no_rate_when_nobody_ordered_before() -> None:
    assert Rate(span("month", D), 0, 0, covered=True).share is None
    assert Rate(span("month", D), 8, 2, covered=True).share == 0.25


# ── order values ─────────────────────────────────────────────────────────────


def test_compares_the_average_order_with_the_period_before() -> None:
    rows = [
        OrderMonth(month("2026-09"), 10, Decimal(1000)),
        OrderMonth(month("2026-10"), 5, Decimal(600)),
    ]
    got = order_values(rows, D, month("2026-01"))
    by_period = {each.period: each for each in got.growth}
    assert (by_period["month"].average_before, by_period["month"].average) == (100, 120)
    assert by_period["month"].change == pytest.approx(0.2)
    assert by_period["quarter"].average == Decimal(1600) / 15
    assert by_period["quarter"].change is None, "no orders before"
    assert [by_period[each].covered for each in ("month", "quarter", "year")] == [True, True, False]


def test_shows_months_without_orders_as_empty_and_none_before_the_history() -> None:
    got = order_values([OrderMonth(month("2026-07"), 2, Decimal(50))], D, month("2026-07"))
    assert [(each.month, each.orders, each.average) for each in got.months] == [
        (month("2026-07"), 2, Decimal(25)),
        (month("2026-08"), 0, None),
        (month("2026-09"), 0, None),
        (month("2026-10"), 0, None),
    ]


def test_has_nothing_to_grow_from_below_nothing() -> None:
    rows = [OrderMonth(month("2026-09"), 1, Decimal(-20)), OrderMonth(month("2026-10"), 1, Decimal(30))]
    [of_month] = [each for each in order_values(rows, D, month("2026-01")).growth if each.period == "month"]
    assert (of_month.average_before, of_month.average, of_month.change) == (-20, 30, None)


def test_is_empty_for_a_firm_without_orders() -> None:
    got = order_values([], D, None)
    assert got.months == ()
    assert all(each.change is None and not each.covered for each in got.growth)


# ── Pareto ───────────────────────────────────────────────────────────────────


def curve(*money: int | None, core_share: int = 80) -> sales.Pareto:
    return pareto(pl.Series("net", money, dtype=pl.Int64), D, D, core_share=core_share, scale=100)


def test_finds_the_fewest_who_bring_most_of_the_money() -> None:
    got = curve(5_000, 3_000, 1_000, 600, 400)
    assert (got.customers, got.total) == (5, 100)
    assert (got.core_customers, got.core_money, got.core_line) == (2, 80, 30)
    assert got.core_money_share == 0.8
    assert [(point.customers, point.share) for point in got.points] == [
        (1, 0.5), (2, 0.8), (3, 0.9), (4, 0.96), (5, 1.0),
    ]  # fmt: skip


def test_keeps_equal_customers_together() -> None:
    got = curve(*[1_000] * 10)
    assert got.core_customers == 10
    assert curve(9_000, 500, 500).core_customers == 1


def test_states_money_below_nothing_beside_the_curve() -> None:
    got = curve(1_000, -300, 0, None, -50)
    assert (got.customers, got.total) == (1, 10)
    assert (got.negative_customers, got.negative_money) == (2, Decimal("-3.5"))


@pytest.mark.parametrize("money", [(), (0,), (-5, -7), (None,)])
def test_has_no_curve_without_money(money: tuple[int | None, ...]) -> None:
    got = curve(*money)
    assert (got.customers, got.core_customers, got.points, got.core_money_share) == (0, 0, (), None)


@quick
@given(st.lists(st.integers(-(10**9), 10**12), min_size=1, max_size=300), st.integers(1, 100))
def test_core_is_the_smallest_set_that_is_enough(money: list[int], core_share: int) -> None:
    got = curve(*money, core_share=core_share)
    ranked = sorted((each for each in money if each > 0), reverse=True)
    if not ranked:
        assert got.core_customers == 0
        return
    core = got.core_customers
    assert sum(ranked[:core]) * 100 >= core_share * sum(ranked)
    least = ranked[core - 1]
    without_equals = sum(each for each in ranked if each > least)
    assert without_equals * 100 < core_share * sum(ranked), "no smaller set, but for equals"
    assert core == sum(each >= least for each in ranked)
    shares = [point.share for point in got.points]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) <= sales.CURVE_POINTS + 1


# ── season ───────────────────────────────────────────────────────────────────


def year_of(orders: int, first: dt.date, **busy: int) -> list[tuple[dt.date, int]]:
    """Twelve months of as many orders; november=50 has others."""
    months = [add_months(first, n) for n in range(12)]
    return [(each, busy.get(f"{each:%B}".lower(), orders)) for each in months]


def test_gives_each_month_its_share_of_the_year() -> None:
    rows = year_of(10, month("2024-11"), november=90) + year_of(30, month("2025-11"), november=270)
    got = seasons(rows, D, month("2024-11"))
    assert (got.years, got.start, got.end) == (2, month("2024-11"), month("2026-11"))
    november = got.months[10]
    assert (november.month, november.orders) == (11, 360)
    assert november.share == november.least == november.most == pytest.approx(0.45), "growth is no season"
    assert sum(each.share for each in got.months) == pytest.approx(1)


def test_says_how_single_years_differ() -> None:
    rows = year_of(10, month("2024-11")) + year_of(10, month("2025-11"), may=120)
    may = seasons(rows, D, month("2024-11")).months[4]
    assert (may.least, may.most) == (pytest.approx(10 / 120), pytest.approx(120 / 230))


@pytest.mark.parametrize(
    ("history_from", "years", "history"),
    [(None, 0, 0), (month("2026-10"), 0, 1), (month("2025-11"), 1, 12), (month("2024-12"), 1, 23)],
)
def test_needs_two_full_years(history_from: dt.date | None, years: int, history: int) -> None:
    rows = year_of(10, month("2024-11")) + year_of(10, month("2025-11"))
    got = seasons(rows if history_from else [], D, history_from)
    assert (got.years, got.history_months, got.months) == (years, history, ())


def test_leaves_out_years_without_orders() -> None:
    rows = year_of(10, month("2023-11")) + year_of(10, month("2025-11"))
    got = seasons(rows, D, month("2023-11"))
    assert got.years == 2
    assert seasons(year_of(10, month("2023-11")), D, month("2023-11")).months == ()
