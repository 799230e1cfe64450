"""Risk signals of the night: silence of orders and of contacts, shrinking orders (docs/rules/risk.md)."""

from __future__ import annotations

import datetime as dt
from typing import Final, Literal

import polars as pl

from risk.rules.policy import RiskPolicy
from tenants.rules.columns import Schema, conform

Signal = Literal["order_silence", "contact_silence", "spec_drift"]
RiskClass = Literal["demand", "relationship", "external"]
Level = Literal["mild", "moderate", "severe"]

FACTS: Final[Schema] = {
    "customer_id": pl.Int64,
    "tier": pl.String,
    "last_order_on": pl.Date,
    "median_gap": pl.Float64,
    "last_contact_on": pl.Date,
}

DRIFTS: Final[Schema] = {
    "customer_id": pl.Int64,
    "tier": pl.String,
    "ratio": pl.Float64,
    "products": pl.Int64,
    "since": pl.Date,
}

_COLUMNS: Final = (
    "customer_id",
    "signal",
    "risk_class",
    "level",
    "answer",
    "answer_hours",
    "period",
    "facts",
)


def silence(facts: pl.DataFrame, policy: RiskPolicy, as_of: dt.date) -> pl.DataFrame:
    """The silence signals as of `as_of`: at most one row per customer and signal, by customer_id and signal.

    `facts`: customer_id, tier, last_order_on, median_gap (own median gap between order days, null when
    unknown) and last_contact_on. A customer that never ordered or was never contacted is not silent.

    * order_silence (demand, mild): no order for `silence_days`, or for more than `own_cycle_factor` * own
      gap and at least `own_cycle_min_days`; answered by a contact. Silent for more than
      `ignore_after_days`: left to win-back.
    * contact_silence (relationship, mild): a customer of the top tiers, contacted before, and not for
      `contact_silence_days`; answered by a light touch.

    Columns: customer_id, signal, risk_class, level, answer ("contact", "light_touch"), answer_hours
    (Int32), period (ISO date from which the silence counts: one alert per customer, signal and period) and
    facts, a struct of since (Date), days (Int32), own_gap (days, null when unknown or not asked) and
    threshold (the days that it passed).
    """
    timed = conform(facts, FACTS).with_columns(answer_hours=_answer_hours(policy))
    both = pl.concat([_order_silence(timed, policy, as_of), _contact_silence(timed, policy, as_of)])
    return both.sort("customer_id", "signal")


def spec_drift(drifts: pl.DataFrame, policy: RiskPolicy) -> pl.DataFrame:
    """Shrinking order sizes as signals (demand, mild), by customer_id; the columns are those of `silence`.

    `drifts`: customer_id, tier, ratio (order sizes now ÷ before), products (articles compared) and since (the
    night that saw it first): one row per customer whose order sizes have shrunk, by the rule of
    segmentation/rules/drift.py. The period is `since`, so one occurrence is one alert; facts is a struct of
    since, ratio and products.
    """
    return (
        conform(drifts, DRIFTS)
        .with_columns(
            signal=pl.lit("spec_drift"),
            risk_class=pl.lit("demand"),
            level=pl.lit("mild"),
            answer=pl.lit("contact"),
            answer_hours=_answer_hours(policy),
            period=pl.col("since").dt.to_string("iso"),
            facts=pl.struct("since", "ratio", "products"),
        )
        .select(_COLUMNS)
        .sort("customer_id")
    )


def _answer_hours(policy: RiskPolicy) -> pl.Expr:
    return (
        pl.when(pl.col("tier").is_in(list(policy.top_tiers[:1])))
        .then(pl.lit(policy.answer_hours_top, dtype=pl.Int32))
        .otherwise(pl.lit(policy.answer_hours_others, dtype=pl.Int32))
    )


def _order_silence(frame: pl.DataFrame, policy: RiskPolicy, as_of: dt.date) -> pl.DataFrame:
    days = pl.col("days")
    own_line = pl.col("median_gap") * policy.own_cycle_factor
    by_own_cycle = ((days > own_line) & (days >= policy.own_cycle_min_days)).fill_null(False)
    by_days = days >= policy.silence_days
    fixed_line = pl.lit(float(policy.silence_days))
    # Both lines may be passed; the lower one is the one that spoke first.
    own_threshold = pl.max_horizontal(own_line, pl.lit(float(policy.own_cycle_min_days)))
    threshold = (
        pl.when(by_own_cycle & by_days)
        .then(pl.min_horizontal(own_threshold, fixed_line))
        .when(by_own_cycle)
        .then(own_threshold)
        .otherwise(fixed_line)
    )
    return _signals(
        _since(frame, "last_order_on", as_of).filter((by_own_cycle | by_days) & (days <= policy.ignore_after_days)),
        signal="order_silence",
        risk_class="demand",
        answer="contact",
        own_gap=pl.col("median_gap"),
        threshold=threshold,
    )


def _contact_silence(frame: pl.DataFrame, policy: RiskPolicy, as_of: dt.date) -> pl.DataFrame:
    return _signals(
        _since(frame, "last_contact_on", as_of).filter(
            pl.col("tier").is_in(list(policy.top_tiers)) & (pl.col("days") >= policy.contact_silence_days)
        ),
        signal="contact_silence",
        risk_class="relationship",
        answer="light_touch",
        own_gap=pl.lit(None, dtype=pl.Float64),
        threshold=pl.lit(float(policy.contact_silence_days)),
    )


def _since(frame: pl.DataFrame, column: str, as_of: dt.date) -> pl.DataFrame:
    days = (pl.lit(as_of) - pl.col(column)).dt.total_days().cast(pl.Int32)
    return frame.filter(pl.col(column).is_not_null()).with_columns(since=pl.col(column), days=days)


def _signals(
    frame: pl.DataFrame,
    *,
    signal: Signal,
    risk_class: RiskClass,
    answer: str,
    own_gap: pl.Expr,
    threshold: pl.Expr,
) -> pl.DataFrame:
    level: Level = "mild"
    return frame.with_columns(
        signal=pl.lit(signal),
        risk_class=pl.lit(risk_class),
        level=pl.lit(level),
        answer=pl.lit(answer),
        period=pl.col("since").dt.to_string("iso"),
        facts=pl.struct("since", "days", own_gap=own_gap, threshold=threshold),
    ).select(_COLUMNS)
