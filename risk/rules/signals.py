"""Risk signals: facts of customers in, what fires out, with class, level, answer and clock (docs/rules/risk.md)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from risk.rules.policy import RiskPolicy, Signal
from tenants.rules.columns import Schema, conform

RiskClass = Literal["demand", "relationship", "external"]
Level = Literal["mild", "moderate", "severe"]
Role = Literal["account_manager", "lead", "executive"]

LEVELS: Final[tuple[Level, ...]] = ("mild", "moderate", "severe")
"""The levels, the least first."""


@dataclass(frozen=True)
class SignalRule:
    """What a signal is: its class, its level, what answers it and whose turn that is.

    `level` is None for one that is worth what its customer is. `is_state`: it says how things stand, not that
    something has happened: while its alert is open it says nothing new, and after a person has closed that it rests.
    `passes`: its alert ends by itself when the facts are no longer so; one that was said in words does not.
    """

    risk_class: RiskClass
    level: Level | None
    answer: str
    role: Role = "account_manager"
    is_state: bool = False
    passes: bool = True


SIGNALS: Final[Mapping[Signal, SignalRule]] = {
    "order_silence": SignalRule("demand", "mild", "contact"),
    "contact_silence": SignalRule("relationship", "mild", "light_touch"),
    "frequency_falling": SignalRule("demand", "mild", "ask", is_state=True),
    "spec_drift": SignalRule("demand", "mild", "contact"),
    "activity_drop": SignalRule("demand", "moderate", "diagnosis", is_state=True),
    "category_drop": SignalRule("demand", "moderate", "joint_visit", "lead", is_state=True),
    "complaint_rise": SignalRule("relationship", "moderate", "joint_visit", "lead", is_state=True),
    "competitor_pull": SignalRule("external", "moderate", "retention_plan", "lead"),
    "unanswered": SignalRule("relationship", "severe", "three_plus_one"),
    "nps_silence": SignalRule("relationship", "severe", "task"),
    "leaving": SignalRule("external", "severe", "retention_team", "executive", passes=False),
    "repeated_question": SignalRule("relationship", "moderate", "call_back"),
    "lapse_forecast": SignalRule("demand", None, "early_warning"),
}
"""All signals, as the PLAYBOOK's table has them, in the order in which people read them."""

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


SIGNAL_FACTS: Final[Schema] = {
    **FACTS,
    "categories_recent": pl.Int32,
    "categories_before": pl.Int32,
    "complaints_recent": pl.Int32,
    "complaints_before": pl.Int32,
    "orders_recent": pl.Int32,
    "orders_before": pl.Int32,
    "unanswered_run": pl.Int32,
    "last_asked_on": pl.Date,
    "promoters": pl.Int32,
    "detractors": pl.Int32,
    "nps_count": pl.Int32,
    "gap_recent": pl.Float64,
    "gap_before": pl.Float64,
    "activity_recent": pl.Int32,
    "activity_before": pl.Int32,
    "falling_months": pl.Int32,
    "month_first": pl.Int64,
    "month_last": pl.Int64,
    "competitor_recent": pl.Int32,
    "competitor_before": pl.Int32,
    "repeated_times": pl.Int32,
    "repeated_topic": pl.String,
    "repeated_on": pl.Date,
    "leaving": pl.String,
    "leaving_at": pl.String,
    "percent": pl.Int16,
    "is_warned": pl.Boolean,
    "warned_on": pl.Date,
    "ratio": pl.Float64,
    "products": pl.Int64,
    "since": pl.Date,
}
"""What `fired` reads: one row per customer, null where nothing is known.

Up to nps_count as health has them (health/rules/indicators.py). gap_recent and gap_before: median days between its
last order days, and between those before (`gaps`). activity_*: orders of the last `activity_days`, and of as many
before. falling_months of `falling`, with net money (points) of the month before them and of the last one.
competitor_*: contacts about a competitor; null where the firm never notes them. repeated_*: how often the question was
asked that came up most and is unsolved, its topic and when last (risk/complaints/repeats.py); null: not often enough. leaving: what was said last of it in
`leaving_days`, leaving_at when (ISO). percent, is_warned and warned_on: the lapse forecast of last night. ratio,
products and since: shrinking order sizes (`spec_drift`).
"""

FIRED: Final[Schema] = {
    "customer_id": pl.Int64,
    "signal": pl.String,
    "risk_class": pl.String,
    "level": pl.String,
    "role": pl.String,
    "answer": pl.String,
    "answer_hours": pl.Int32,
    "period": pl.String,
    "facts": pl.String,
}
"""What `fired` says; facts is JSON text, period null for a state."""


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


# ── all of them ─────────────────────────────────────────────────────────────


def fired(facts: pl.DataFrame, policy: RiskPolicy, as_of: dt.date) -> pl.DataFrame:
    """Every signal that fires as of a day, as in FIRED: at most one row per customer and signal, in that order.

    `facts` as in SIGNAL_FACTS, one row per customer. Only what the policy watches fires. What is not known does not
    fire. A state's period is null: `settled` gives it the night that sees it first. docs/rules/risk.md has the rules.
    """
    known = conform(facts, SIGNAL_FACTS)
    found = [
        _named(silence(known, policy, as_of)),
        _named(spec_drift(known.filter(pl.col("since").is_not_null()), policy)),
    ]
    found += [_rows(known, policy, as_of, signal) for signal in _CONDITIONS]
    every = pl.concat(found)
    return every.filter(pl.col("signal").is_in(list(policy.watched))).sort("customer_id", "signal")


def possible(signal: Signal, policy: RiskPolicy, as_of: dt.date) -> pl.Expr:
    """Whether a signal can fire at all, by the columns tier and last_order_on alone (null: it cannot).

    True of every row for which `fired` says it: where it is not, what the signal rests on beside need not be read.
    """
    if signal == "contact_silence":
        return pl.col("tier").is_in(list(policy.top_tiers))
    if signal in ("frequency_falling", "activity_drop"):
        return _is_alive(policy, as_of)
    return pl.lit(value=True)


def knowable(facts: pl.DataFrame, policy: RiskPolicy) -> dict[Signal, int]:
    """By signal, of how many customers enough is known that it could fire at all; 0: the firm has no such facts."""
    known = conform(facts, SIGNAL_FACTS)
    counts = known.select(_knows(policy)[signal].fill_null(value=False).sum().alias(signal) for signal in SIGNALS).row(
        0
    )
    return dict(zip(SIGNALS, counts, strict=True))


def settled(found: pl.DataFrame, alerts: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    """What of `fired` is to be handed on: with a period for each, and without what rests. As in FIRED.

    `alerts`: customer_id, signal and period of open alerts (is_open), and of those that a person has closed within
    `rest_days`; at most one open for customer and signal. A state keeps its open alert's period, so that it is not
    news every night; with none open it begins with `as_of`, unless it rests.
    """
    open_ones = alerts.filter("is_open").select("customer_id", "signal", open_period="period")
    closed = alerts.filter(~pl.col("is_open")).select("customer_id", "signal", rests=pl.lit(True)).unique()
    keys = ["customer_id", "signal"]
    both = found.join(open_ones, on=keys, how="left").join(closed, on=keys, how="left")
    is_state = pl.col("signal").is_in([signal for signal, rule in SIGNALS.items() if rule.is_state])
    rests = is_state & pl.col("open_period").is_null() & pl.col("rests").fill_null(value=False)
    begun = pl.coalesce("open_period", pl.lit(as_of.isoformat()))
    return (
        both.filter(~rests)
        .with_columns(period=pl.when(is_state).then(begun).otherwise("period"))
        .select(*FIRED)
        .sort(keys)
    )


def news(rows: pl.DataFrame, alerts: pl.DataFrame) -> pl.DataFrame:
    """Those of the rows of `settled` that the open alerts do not say already: another period, or a heavier level.

    `alerts`: customer_id, signal, period, level and is_open.
    """
    same = alerts.filter("is_open").select("customer_id", "signal", "period", open_level="level")
    both = rows.join(same, on=["customer_id", "signal", "period"], how="left")
    is_said = pl.col("open_level").is_not_null() & (_weight("level") <= _weight("open_level"))
    return both.filter(~is_said).select(rows.columns).sort("customer_id", "signal")


def _weight(column: str) -> pl.Expr:
    return pl.col(column).replace_strict({level: n for n, level in enumerate(LEVELS)}, return_dtype=pl.Int8)


# ── facts that a rule makes itself ──────────────────────────────────────────


def gaps(order_days: pl.DataFrame, policy: RiskPolicy) -> pl.DataFrame:
    """customer_id, gap_recent and gap_before: median days of the last `frequency_gaps` gaps, and of those before.

    `order_days`: customer_id and day, each once. Of those before at most three times as many count, and at least
    as many must be there, else the customer has no row.
    """
    days = order_days.select("customer_id", "day").unique().sort("customer_id", "day")
    same = pl.col("customer_id") == pl.col("customer_id").shift()
    number = policy.frequency_gaps
    gap = pl.col("gap").drop_nulls()
    before = gap.slice(0, pl.max_horizontal(gap.len().cast(pl.Int64) - number, pl.lit(0, pl.Int64))).tail(3 * number)
    return (
        days.with_columns(gap=pl.when(same).then(pl.col("day").diff().dt.total_days()))
        .group_by("customer_id", maintain_order=True)
        .agg(gap_recent=gap.tail(number).median(), gap_before=before.median(), before=before.len())
        .filter(pl.col("before") >= number)
        .select("customer_id", "gap_recent", "gap_before")
    )


def falling(months: pl.DataFrame, policy: RiskPolicy) -> pl.DataFrame:
    """customer_id, falling_months, month_first and month_last, from net money (points) of whole months.

    `months`: customer_id and month_0 (the earliest) to month_<n> with n = `spend_months`. falling_months is how many of
    the last months in a row were each under the month before by `spend_drop` percent or more.
    """
    number = policy.spend_months
    left = 100 - policy.spend_drop
    falls = [
        (pl.col(f"month_{n - 1}") > 0) & (pl.col(f"month_{n}") * 100 <= pl.col(f"month_{n - 1}") * left)
        for n in range(1, number + 1)
    ]
    run = pl.lit(0, pl.Int32)
    for fell in falls:
        run = pl.when(fell).then(run + 1).otherwise(pl.lit(0, pl.Int32))
    return months.select(
        "customer_id", falling_months=run.cast(pl.Int32), month_first="month_0", month_last=f"month_{number}"
    )


# ── when each fires ─────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Condition:
    """When a signal fires: what must hold, its period (None: a state) and the facts to show."""

    holds: Callable[[RiskPolicy, dt.date], pl.Expr]
    facts: Callable[[RiskPolicy, dt.date], list[pl.Expr]]
    period: Callable[[RiskPolicy, dt.date], pl.Expr] | None = None


def _days_silent(as_of: dt.date) -> pl.Expr:
    return (pl.lit(as_of) - pl.col("last_order_on")).dt.total_days().cast(pl.Int32)


def _is_alive(policy: RiskPolicy, as_of: dt.date) -> pl.Expr:
    """Ordered, and not silent for so long that it belongs to win-back."""
    return _days_silent(as_of) <= policy.ignore_after_days


def _rate(complaints: str, orders: str) -> pl.Expr:
    return pl.col(complaints).cast(pl.Float64) / pl.max_horizontal(pl.col(orders), pl.lit(1))


def _frequency_falls(policy: RiskPolicy, as_of: dt.date) -> pl.Expr:
    return (pl.col("gap_recent") >= pl.col("gap_before") * policy.frequency_factor) & _is_alive(policy, as_of)


def _activity_drops(policy: RiskPolicy, as_of: dt.date) -> pl.Expr:
    before = pl.col("activity_before")
    enough = before >= policy.activity_orders
    return (
        enough & (pl.col("activity_recent") * 100 <= before * (100 - policy.activity_drop)) & _is_alive(policy, as_of)
    )


def _categories_drop(policy: RiskPolicy, as_of: dt.date) -> pl.Expr:
    before = pl.col("categories_before")
    enough = before >= policy.categories_least
    fewer = pl.col("categories_recent") * 100 <= before * (100 - policy.category_drop)
    # Who orders nothing at all is silent, which another signal says.
    return enough & fewer & (pl.col("categories_recent") > 0) & _is_alive(policy, as_of)


def _complaints_rise(policy: RiskPolicy, _as_of: dt.date) -> pl.Expr:
    recent, before = "complaints_recent", pl.max_horizontal(pl.col("complaints_before"), pl.lit(1))
    orders_before = pl.max_horizontal(pl.col("orders_before"), pl.lit(1))
    line = before.cast(pl.Float64) / orders_before * (100 + policy.complaint_rise) / 100
    return (pl.col(recent) >= policy.complaints_least) & (_rate(recent, "orders_recent") >= line)


def _competitor_pulls(policy: RiskPolicy, _as_of: dt.date) -> pl.Expr:
    rising = pl.col("competitor_recent") > pl.col("competitor_before")
    return (pl.col("falling_months") >= policy.spend_months) & rising


def _is_discontent(policy: RiskPolicy, as_of: dt.date) -> pl.Expr:
    net = pl.col("promoters") - pl.col("detractors")
    silent = _days_silent(as_of)
    return (pl.col("nps_count") > 0) & (net < 0) & (silent >= policy.nps_silence_days) & _is_alive(policy, as_of)


_CONDITIONS: Final[Mapping[Signal, _Condition]] = {
    "frequency_falling": _Condition(
        _frequency_falls, lambda policy, as_of: [pl.col("gap_recent"), pl.col("gap_before")]
    ),
    "activity_drop": _Condition(
        _activity_drops,
        lambda policy, as_of: [
            pl.col("activity_recent").alias("orders"),
            pl.col("activity_before").alias("before"),
            pl.lit(policy.activity_days).alias("days"),
        ],
    ),
    "category_drop": _Condition(
        _categories_drop,
        lambda policy, as_of: [
            pl.col("categories_recent").alias("categories"),
            pl.col("categories_before").alias("before"),
        ],
    ),
    "complaint_rise": _Condition(
        _complaints_rise,
        lambda policy, as_of: [
            pl.col("complaints_recent").alias("complaints"),
            pl.col("orders_recent").alias("orders"),
            pl.col("complaints_before").alias("before"),
            pl.col("orders_before"),
        ],
    ),
    "competitor_pull": _Condition(
        _competitor_pulls,
        lambda policy, as_of: [
            pl.lit(policy.spend_months).alias("months"),
            pl.col("month_first").alias("from"),
            pl.col("month_last").alias("to"),
            pl.col("competitor_recent").alias("asked"),
            pl.col("competitor_before").alias("before"),
        ],
        # The last whole month: another month that falls is news.
        lambda policy, as_of: pl.lit((as_of.replace(day=1) - dt.timedelta(days=1)).strftime("%Y-%m")),
    ),
    "unanswered": _Condition(
        lambda policy, as_of: pl.col("unanswered_run") >= policy.unanswered_contacts,
        lambda policy, as_of: [pl.col("unanswered_run").alias("contacts"), pl.col("last_asked_on").alias("last")],
        # Another contact without an answer is news.
        lambda policy, as_of: pl.col("last_asked_on").dt.to_string("iso"),
    ),
    "nps_silence": _Condition(
        _is_discontent,
        lambda policy, as_of: [
            ((pl.col("promoters") - pl.col("detractors")) * 100 / pl.col("nps_count"))
            .round()
            .cast(pl.Int32)
            .alias("nps"),
            pl.col("nps_count").alias("answers"),
            pl.col("last_order_on").alias("since"),
            _days_silent(as_of).alias("days"),
        ],
        lambda policy, as_of: pl.col("last_order_on").dt.to_string("iso"),
    ),
    "leaving": _Condition(
        lambda policy, as_of: pl.col("leaving").fill_null("") != "",
        lambda policy, as_of: [pl.col("leaving").alias("said"), pl.col("leaving_at").str.slice(0, 10).alias("on")],
        lambda policy, as_of: pl.col("leaving_at"),
    ),
    "repeated_question": _Condition(
        lambda policy, as_of: pl.col("repeated_times").is_not_null(),
        lambda policy, as_of: [
            pl.col("repeated_times").alias("times"),
            pl.col("repeated_topic").alias("topic"),
            pl.col("repeated_on").alias("last"),
        ],
        # Asked once more is news.
        lambda policy, as_of: pl.col("repeated_on").dt.to_string("iso"),
    ),
    "lapse_forecast": _Condition(
        lambda policy, as_of: pl.col("is_warned").fill_null(value=False) & pl.col("percent").is_not_null(),
        lambda policy, as_of: [pl.col("percent"), pl.col("warned_on").alias("since")],
        lambda policy, as_of: pl.col("warned_on").dt.to_string("iso"),
    ),
}


def _knows(policy: RiskPolicy) -> Mapping[Signal, pl.Expr]:
    """By signal, whether enough is known of a customer."""
    ordered = pl.col("last_order_on").is_not_null()
    return {
        "order_silence": ordered,
        "contact_silence": pl.col("last_contact_on").is_not_null() & pl.col("tier").is_in(list(policy.top_tiers)),
        "frequency_falling": pl.col("gap_before").is_not_null(),
        "spec_drift": pl.col("since").is_not_null(),
        "activity_drop": pl.col("activity_before") >= policy.activity_orders,
        "category_drop": pl.col("categories_before") >= policy.categories_least,
        "complaint_rise": pl.col("complaints_recent").is_not_null() & ordered,
        "competitor_pull": pl.col("competitor_recent").is_not_null() & (pl.col("month_first") > 0),
        "unanswered": pl.col("last_asked_on").is_not_null(),
        "nps_silence": (pl.col("nps_count") > 0) & ordered,
        "leaving": pl.col("leaving").fill_null("") != "",
        "repeated_question": pl.col("complaints_recent").is_not_null(),
        "lapse_forecast": pl.col("percent").is_not_null(),
    }


def _rows(known: pl.DataFrame, policy: RiskPolicy, as_of: dt.date, signal: Signal) -> pl.DataFrame:
    condition, rule = _CONDITIONS[signal], SIGNALS[signal]
    period = condition.period(policy, as_of) if condition.period else pl.lit(None, dtype=pl.String)
    held = known.filter(condition.holds(policy, as_of).fill_null(value=False))
    level = _worth(policy) if rule.level is None else pl.lit(rule.level)
    return (
        held.with_columns(shown=pl.struct(condition.facts(policy, as_of)), period=period, level=level)
        .with_columns(
            signal=pl.lit(signal),
            risk_class=pl.lit(rule.risk_class),
            role=pl.lit(rule.role),
            answer=pl.lit(rule.answer),
            answer_hours=_hours(policy),
            facts=pl.col("shown").struct.json_encode(),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in FIRED.items())
    )


def _worth(policy: RiskPolicy) -> pl.Expr:
    """The level of what is worth as much as its customer: the first of the top tiers, the others of them, all else."""
    top = list(policy.top_tiers)
    return (
        pl.when(pl.col("tier").is_in(top[:1]))
        .then(pl.lit("severe"))
        .when(pl.col("tier").is_in(top))
        .then(pl.lit("moderate"))
        .otherwise(pl.lit("mild"))
    )


def _hours(policy: RiskPolicy) -> pl.Expr:
    """How soon an answer is due, by level; mild ones by tier."""
    return (
        pl.when(pl.col("level") == "severe")
        .then(pl.lit(policy.answer_hours_severe, dtype=pl.Int32))
        .when(pl.col("level") == "moderate")
        .then(pl.lit(policy.answer_hours_moderate, dtype=pl.Int32))
        .otherwise(_answer_hours(policy))
    )


def _named(found: pl.DataFrame) -> pl.DataFrame:
    """Rows of `silence` and `spec_drift` as in FIRED."""
    return found.with_columns(pl.col("facts").struct.json_encode(), role=pl.lit("account_manager")).select(
        pl.col(name).cast(dtype) for name, dtype in FIRED.items()
    )
