"""Facts and policies as hypothesis draws them for the tests of the score."""

from __future__ import annotations

import dataclasses
import datetime as dt

import polars as pl
from hypothesis import strategies as st

from health.rules.indicators import FACTS
from health.rules.policy import KEYS, ORDER_KEYS, HealthPolicy, IndicatorRule, IndicatorWeights
from health.rules.receipt import HealthFacts, Receipt, ReceiptLine

D = dt.date(2026, 11, 20)
POLICY = HealthPolicy()
TIERS = ("gold", "silver", "bronze", "")
STAGES = ("new", "active", "lapsed", "won_back", "prospect")

count = st.integers(0, 12)


@st.composite
def facts(draw: st.DrawFn) -> HealthFacts:
    """Any facts that a database can hold, known and unknown in all mixtures."""
    asked, solved, answers, contents = draw(st.integers(0, 5)), draw(count), draw(count), draw(count)
    promoters = draw(st.integers(0, answers))
    return HealthFacts(
        order_days_count=draw(st.integers(0, 20)),
        last_order_on=draw(st.none() | st.dates(D - dt.timedelta(700), D - dt.timedelta(1))),
        median_gap=draw(st.none() | st.integers(1, 400).map(lambda halves: halves / 2)),
        gap_cv=draw(st.none() | st.floats(0, 4)),
        spend_recent=draw(st.integers(-(10**9), 10**13)),
        spend_before=draw(st.integers(-(10**9), 10**13)),
        categories_recent=draw(count),
        categories_before=draw(count),
        tier=draw(st.sampled_from(TIERS)),
        stage=draw(st.sampled_from(STAGES)),
        contacts_recent=draw(count),
        contacts_before=draw(count),
        asked=asked,
        answered=draw(st.integers(0, asked)),
        unanswered_run=draw(st.integers(0, 5)),
        complaints_recent=draw(st.none() | count),
        complaints_before=draw(st.none() | count),
        orders_recent=draw(count),
        orders_before=draw(count),
        solved=solved,
        solved_first=draw(st.integers(0, solved)),
        repeated_open=draw(st.integers(0, 5)),
        csat_sum=draw(st.integers(contents, 5 * contents)),
        csat_count=contents,
        promoters=promoters,
        detractors=draw(st.integers(0, answers - promoters)),
        nps_count=answers,
        competitor_recent=draw(st.none() | count),
        days_late=draw(st.none() | st.integers(-60, 200).map(lambda halves: halves / 2)),
        invoices=draw(st.integers(0, 5)),
    )


@st.composite
def known_facts(draw: st.DrawFn) -> HealthFacts:
    """Facts of which every indicator is known."""
    asked, solved, answers, contents = (draw(st.integers(1, 5)) for _ in range(4))
    promoters = draw(st.integers(0, answers))
    return HealthFacts(
        order_days_count=draw(st.integers(5, 20)),
        last_order_on=draw(st.dates(D - dt.timedelta(200), D - dt.timedelta(1))),
        median_gap=draw(st.integers(2, 200).map(lambda halves: halves / 2)),
        gap_cv=draw(st.floats(0, 3)),
        spend_recent=draw(st.integers(0, 10**8)),
        spend_before=draw(st.integers(1, 4 * 10**8)),
        categories_recent=draw(count),
        categories_before=draw(st.integers(1, 12)),
        contacts_recent=draw(count),
        contacts_before=draw(st.integers(1, 12)),
        asked=asked,
        answered=draw(st.integers(0, asked)),
        unanswered_run=draw(st.integers(0, 5)),
        complaints_recent=draw(count),
        complaints_before=draw(count),
        orders_recent=draw(count),
        orders_before=draw(st.integers(1, 12)),
        solved=solved,
        solved_first=draw(st.integers(0, solved)),
        repeated_open=draw(st.integers(0, 5)),
        csat_sum=draw(st.integers(contents, 5 * contents)),
        csat_count=contents,
        promoters=promoters,
        detractors=draw(st.integers(0, answers - promoters)),
        nps_count=answers,
        competitor_recent=draw(count),
        days_late=draw(st.integers(-60, 200).map(lambda halves: halves / 2)),
        invoices=draw(st.integers(1, 5)),
    )


weights = st.lists(st.integers(0, 100), min_size=len(KEYS), max_size=len(KEYS)).filter(
    lambda drawn: any(drawn[: len(ORDER_KEYS)])
)
own_weights = weights.map(lambda drawn: IndicatorWeights(**dict(zip(KEYS, drawn, strict=True))))


@st.composite
def policies(draw: st.DrawFn) -> HealthPolicy:
    """Any weights, also for single tiers and stages; any rule for what is unknown; any bands and windows."""
    yellow = draw(st.integers(1, 99))
    assumed = draw(st.lists(st.none() | st.integers(0, 100), min_size=len(KEYS), max_size=len(KEYS)))
    return HealthPolicy(
        indicators={
            key: IndicatorRule(weight=weight, line=POLICY.indicators[key].line, unknown_points=points)
            for key, weight, points in zip(KEYS, draw(weights), assumed, strict=True)
        },
        yellow=yellow,
        green=draw(st.integers(yellow + 1, 100)),
        minimum_known=draw(st.integers(1, 4)),
        spend_days=draw(st.integers(7, 365)),
        unanswered_contacts=draw(st.integers(1, 5)),
        repeated_questions=draw(st.integers(2, 5)),
        tier_weights=draw(st.dictionaries(st.sampled_from(TIERS[:3]), own_weights, max_size=2)),
        stage_weights=draw(st.dictionaries(st.sampled_from(STAGES[:4]), own_weights, max_size=2)),
    )


def frame(rows: list[HealthFacts]) -> pl.DataFrame:
    """The rows as the night has them, customers 1, 2, 3 …"""
    columns = [(number, *dataclasses.astuple(row)) for number, row in enumerate(rows, start=1)]
    return pl.DataFrame(columns, schema=dict(FACTS), orient="row")


def line(drawn: Receipt, key: str) -> ReceiptLine:
    return next(line for line in drawn.lines if line.key == key)
