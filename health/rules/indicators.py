"""The health indicators over whole frames: facts in, one score per customer out (docs/rules/health.md).

Line scores are kept as whole thousandths of a point. From there on everything is exact integer arithmetic:
a score cannot miss a band by a rounding error, and the receipt of one customer adds up to the frame's
score.
"""

from __future__ import annotations

import datetime as dt
import math
from itertools import pairwise
from typing import Final, TypeVar

import polars as pl

from health.rules.policy import KEYS, ORDER_KEYS, HealthPolicy, Point
from tenants.rules.columns import Schema, conform

THOUSANDTHS: Final = 1000
"""Line scores in these per point."""

ORDER_DAYS: Final[Schema] = {"customer_id": pl.Int64, "day": pl.Date}

FACTS: Final[Schema] = {
    "customer_id": pl.Int64,
    "order_days_count": pl.Int32,
    "last_order_on": pl.Date,
    "median_gap": pl.Float64,
    "gap_cv": pl.Float64,
    "spend_recent": pl.Int64,
    "spend_before": pl.Int64,
    "categories_recent": pl.Int32,
    "categories_before": pl.Int32,
    "tier": pl.String,
    "stage": pl.String,
    "contacts_recent": pl.Int32,
    "contacts_before": pl.Int32,
    "asked": pl.Int32,
    "answered": pl.Int32,
    "unanswered_run": pl.Int32,
    "last_asked_on": pl.Date,
    "complaints_recent": pl.Int32,
    "complaints_before": pl.Int32,
    "orders_recent": pl.Int32,
    "orders_before": pl.Int32,
    "solved": pl.Int32,
    "solved_first": pl.Int32,
    "repeated_open": pl.Int32,
    "csat_sum": pl.Int32,
    "csat_count": pl.Int32,
    "promoters": pl.Int32,
    "detractors": pl.Int32,
    "nps_count": pl.Int32,
    "competitor_recent": pl.Int32,
    "days_late": pl.Float64,
    "invoices": pl.Int32,
    "last_paid_on": pl.Date,
}
"""What `score_frame` reads; `receipt.HealthFacts` is one such row. Money in points, gaps and days_late in days.

tier and stage say by which weights. Contacts are two-way ones; asked, answered and unanswered_run are about the last
`outbound_contacts`. complaints_* are null where the firm keeps no complaints, competitor_recent where nobody noted it.
orders_* are those of the complaint rate's windows. repeated_open is the most open complaints about one topic.
"""

Number = TypeVar("Number", float, pl.Expr)
Whole = TypeVar("Whole", int, pl.Expr)


def frequency_ratio(days: Number, median_gap: Number) -> Number:
    """Days since the last order ÷ own median gap."""
    return days / median_gap


def spend_ratio(recent: Number, before: Number, policy: HealthPolicy) -> Number:
    """Net money of the last `spend_days` ÷ what as many of the `spend_before_days` before them brought."""
    return recent * float(policy.spend_before_days) / (before * float(policy.spend_days))


def breadth_ratio(recent: Number, before: Number) -> Number:
    """Categories bought in the last `category_days` ÷ in as many days before."""
    return recent / before


def contact_ratio(recent: Number, before: Number, policy: HealthPolicy) -> Number:
    """Two-way contacts of the last `interaction_days` ÷ what as many of the `interaction_before_days` before them had."""
    return recent * float(policy.interaction_before_days) / (before * float(policy.interaction_days))


def complaint_ratio(recent: Number, orders_recent: Number, before: Number, orders_before: Number) -> Number:
    """Complaints per order now ÷ before; all but `recent` at least 1, so that there is always something to compare with.

    The first complaint of a customer who had none before counts as if there had been one: the lowest rate that could
    have been noted then. So a complaint more never makes the ratio smaller, and the first one is no division by 0.
    """
    return recent * orders_before / (orders_recent * before)


def net_promoter(promoters: Number, detractors: Number, answers: Number) -> Number:
    """(Promoters - detractors) ÷ answers x 100: -100 to 100. Promoters answered 9 or 10, detractors 0 to 6."""
    return (promoters - detractors) * 100.0 / answers


def order_gaps(order_days: pl.DataFrame, policy: HealthPolicy) -> pl.DataFrame:
    """Each customer's rhythm, from one row per order (customer_id, day); credit notes must not be among them.

    Several orders of one day are one order day. Returns customer_id, order_days_count (all of them),
    last_order_on, median_gap (days; of the last `gaps` gaps, null under `frequency_orders` order days) and
    gap_cv (coefficient of variation of the same gaps, population form, null under `stability_orders`).
    Customers without a row have none.
    """
    days = conform(order_days, ORDER_DAYS).select("customer_id", "day").unique().sort("customer_id", "day")
    # Sorted, so a neighbour of the same customer is the day before: far quicker than a window per customer.
    same = pl.col("customer_id") == pl.col("customer_id").shift()
    gap = pl.when(same).then(pl.col("day").diff().dt.total_days())
    recent = pl.col("gap").drop_nulls().tail(policy.gaps)
    count = pl.col("order_days_count")
    # n·Σg² - (Σg)² is whole, so equal gaps give exactly 0 and no library's way to sum can change the result.
    spread = (pl.col("gaps") * pl.col("sum_of_squares") - pl.col("sum") ** 2).cast(pl.Float64).sqrt()
    return (
        days.with_columns(gap=gap)
        .group_by("customer_id", maintain_order=True)
        .agg(
            order_days_count=pl.len().cast(pl.Int32),
            last_order_on=pl.col("day").max(),
            median=recent.median(),
            gaps=recent.len().cast(pl.Int64),
            sum=recent.sum(),
            sum_of_squares=(recent**2).sum(),
        )
        .select(
            "customer_id",
            "order_days_count",
            "last_order_on",
            median_gap=pl.when(count >= policy.frequency_orders).then(pl.col("median")),
            gap_cv=pl.when(count >= policy.stability_orders).then(spread / pl.col("sum")),
        )
    )


def on_line(value: pl.Expr, line: tuple[Point, ...]) -> pl.Expr:
    """The score of raw values on an indicator's line, in thousandths (0 to 100,000).

    Values beyond the line's ends are clipped to them; null stays null. `line_score` is the same for one
    value.
    """
    clipped = value.clip(line[0][0], line[-1][0])
    score = pl.lit(None, dtype=pl.Float64)
    for (left, low), (right, high) in reversed(list(pairwise(line))):
        score = pl.when(clipped <= right).then((clipped - left) * (high - low) / (right - left) + low).otherwise(score)
    return (score * THOUSANDTHS + 0.5).floor().cast(pl.Int64)


def line_score(value: float, line: tuple[Point, ...]) -> int:
    """The score of one raw value on an indicator's line, in thousandths (0 to 100,000)."""
    clipped = min(max(value, line[0][0]), line[-1][0])
    (left, low), (right, high) = next(pair for pair in pairwise(line) if clipped <= pair[1][0])
    score = (clipped - left) * (high - low) / (right - left) + low
    return math.floor(score * THOUSANDTHS + 0.5)


def whole_score(weighted: Whole, weights: Whole) -> Whole:
    """Σ weight * thousandths over Σ weight, as a whole score, rounded once, half up."""
    return (2 * weighted + THOUSANDTHS * weights) // (2 * THOUSANDTHS * weights)


def raw_values(facts: pl.DataFrame, policy: HealthPolicy, as_of: dt.date) -> pl.DataFrame:
    """customer_id and one Float64 column per indicator key: its raw value, null where it is unknown.

    Counts and money that are null count as none, but for those of which FACTS says what null means. Raises
    ValueError when an order lies after `as_of`.
    """
    frame = conform(facts, FACTS)
    if frame.select((pl.col("last_order_on") > as_of).any()).item():
        raise ValueError(f"last_order_on has days after {as_of}, which do not count yet")

    def number(name: str) -> pl.Expr:
        return pl.col(name).fill_null(0).cast(pl.Float64)

    days = (pl.lit(as_of) - pl.col("last_order_on")).dt.total_days().cast(pl.Float64)
    orders = number("order_days_count")
    unanswered = number("unanswered_run") >= policy.unanswered_contacts
    repeated = number("repeated_open") >= policy.repeated_questions
    complaints = pl.col("complaints_recent").cast(pl.Float64)
    rate = complaint_ratio(
        complaints,
        number("orders_recent").clip(1),
        number("complaints_before").clip(1),
        number("orders_before").clip(1),
    )
    known = {
        "order_frequency": pl.when((orders >= policy.frequency_orders) & (pl.col("median_gap") > 0)).then(
            frequency_ratio(days, pl.col("median_gap"))
        ),
        "order_stability": pl.when(orders >= policy.stability_orders).then(pl.col("gap_cv")),
        "spend_trend": pl.when(number("spend_before") > 0).then(
            spend_ratio(number("spend_recent"), number("spend_before"), policy)
        ),
        "category_breadth": pl.when(number("categories_before") > 0).then(
            breadth_ratio(number("categories_recent"), number("categories_before"))
        ),
        "interaction_frequency": pl.when(number("contacts_before") > 0).then(
            contact_ratio(number("contacts_recent"), number("contacts_before"), policy)
        ),
        "responsiveness": pl.when(number("asked") > 0).then(
            pl.when(unanswered).then(0.0).otherwise(number("answered") / number("asked"))
        ),
        "complaint_rate": pl.when(number("orders_recent") + number("orders_before") > 0).then(rate),
        "first_time_resolution": pl.when(repeated)
        .then(0.0)
        .when(number("solved") > 0)
        .then(number("solved_first") / number("solved")),
        "satisfaction": pl.when(number("csat_count") > 0).then(number("csat_sum") / number("csat_count")),
        "advocacy": pl.when(number("nps_count") > 0).then(
            net_promoter(number("promoters"), number("detractors"), number("nps_count"))
        ),
        "competitor_interest": pl.col("competitor_recent").cast(pl.Float64),
        "payment_behaviour": pl.when(number("invoices") > 0).then(pl.col("days_late")),
    }
    return frame.select("customer_id", *(known[key].alias(key) for key in KEYS))


def score_frame(facts: pl.DataFrame, policy: HealthPolicy, as_of: dt.date) -> pl.DataFrame:
    """customer_id, score (Int16, 0 to 100), band and known (Int8), one row per row of `facts`, in its order.

    `known` counts the indicators that have a value. Unknown ones are left out and the others re-weighted, unless the
    policy counts them as `unknown_points`. Under `minimum_known` known ones, or with no order indicator known, the
    score is null and the band "none": not enough data, never a number. Weights are those of the customer's stage or
    tier (`HealthPolicy.weights_of`); an indicator of weight 0 is switched off and not known. `facts` as in FACTS.
    """
    return _scored(facts, policy, as_of).select("customer_id", "score", "band", "known")


LONGEST: Final = 36_525
"""Days to look ahead: what would move a score in more than a hundred years, does not."""


def lasting_scores(facts: pl.DataFrame, policy: HealthPolicy, as_of: dt.date) -> pl.DataFrame:
    """The same with moves_on: the first day as of which these facts give another score; null: they never do.

    Of all that a score rests on only the days since the last order pass by themselves, and the longer they are the
    further the line of order frequency has come: the day is found by halving. That the stage, and so the weights,
    change with time as well is left to who knows the stage.
    """
    scored = _scored(facts, policy, as_of)
    key = "order_frequency"
    line = policy.indicators[key].line
    days = (pl.lit(as_of) - pl.col("last_order_on")).dt.total_days()
    # Beyond the line's last point it is flat.
    flat_from = (pl.col("median_gap") * line[-1][0]).ceil().clip(0, LONGEST).cast(pl.Int64) + 1
    moving = scored.filter(pl.col("score").is_not_null() & pl.col(key).is_not_null() & (pl.col(_weight(key)) > 0))
    moving = moving.select(
        "customer_id",
        "score",
        "weights",
        "last_order_on",
        "median_gap",
        weight=pl.col(_weight(key)),
        others=pl.col("weighted") - pl.col(key) * pl.col(_weight(key)),
        same=days,
        other=pl.min_horizontal(pl.max_horizontal(flat_from, days), days + LONGEST),
    )

    def gives_another(after: str) -> pl.Expr:
        """Whether so many days after the last order the score is another one."""
        points = on_line(frequency_ratio(pl.col(after).cast(pl.Float64), pl.col("median_gap")), line)
        return whole_score(pl.col("others") + points * pl.col("weight"), pl.col("weights")) != pl.col("score")

    moving = moving.filter(gives_another("other"))
    found = [moving.clear()]
    while not moving.is_empty():
        middle = (pl.col("same") + pl.col("other")) // 2
        moving = moving.with_columns(middle=middle).with_columns(is_another=gives_another("middle"))
        moving = moving.with_columns(
            same=pl.when("is_another").then("same").otherwise("middle"),
            other=pl.when("is_another").then("middle").otherwise("other"),
        ).drop("middle", "is_another")
        is_found = pl.col("other") - pl.col("same") <= 1
        found.append(moving.filter(is_found))
        moving = moving.filter(~is_found)
    moves = pl.concat(found).select("customer_id", moves_on=pl.col("last_order_on") + pl.duration(days="other"))
    return scored.select("customer_id", "score", "band", "known").join(
        moves, on="customer_id", how="left", maintain_order="left"
    )


def _scored(facts: pl.DataFrame, policy: HealthPolicy, as_of: dt.date) -> pl.DataFrame:
    """`score_frame`, beside all that the score was worked out from: points and weight of each indicator, the facts."""
    points = raw_values(facts, policy, as_of).select(
        on_line(pl.col(key), policy.indicators[key].line).alias(key) for key in KEYS
    )
    known_facts = conform(facts, FACTS)
    weighed = pl.concat(
        [known_facts.select("customer_id", "last_order_on", "median_gap"), points, _weights(known_facts, policy)],
        how="horizontal",
    )

    def is_known(key: str) -> pl.Expr:
        return pl.col(key).is_not_null() & (pl.col(_weight(key)) > 0)

    def counted(key: str) -> pl.Expr:
        assumed = policy.indicators[key].unknown_points
        return pl.col(key) if assumed is None else pl.col(key).fill_null(assumed * THOUSANDTHS)

    weighted = pl.sum_horizontal(counted(key) * pl.col(_weight(key)) for key in KEYS)
    weights = pl.sum_horizontal(pl.when(counted(key).is_not_null()).then(pl.col(_weight(key))) for key in KEYS)
    known = pl.sum_horizontal(is_known(key).cast(pl.Int8) for key in KEYS).cast(pl.Int8)
    any_order = pl.any_horizontal(is_known(key) for key in ORDER_KEYS)

    score = pl.col("score")
    band = (
        pl.when(score.is_null())
        .then(pl.lit("none"))
        .when(score >= policy.green)
        .then(pl.lit("green"))
        .when(score >= policy.yellow)
        .then(pl.lit("yellow"))
        .otherwise(pl.lit("red"))
    )
    return (
        weighed.with_columns(weighted=weighted, weights=weights, known=known)
        .with_columns(enough=(pl.col("known") >= policy.minimum_known) & any_order)
        .with_columns(score=pl.when("enough").then(whole_score(pl.col("weighted"), pl.col("weights"))).cast(pl.Int16))
        .with_columns(band=band)
    )


def _weight(key: str) -> str:
    return f"weight of {key}"


def _weights(facts: pl.DataFrame, policy: HealthPolicy) -> pl.DataFrame:
    """A column of weights (Int64) for each indicator, row by row of `facts`."""
    sets = [policy.weights_of("", "")]
    which = pl.lit(0, dtype=pl.Int32)
    # Stages last: they go before tiers.
    for column, own in (("tier", policy.tier_weights), ("stage", policy.stage_weights)):
        for code in own:
            tier, stage = (code, "") if column == "tier" else ("", code)
            which = pl.when(pl.col(column) == code).then(pl.lit(len(sets), dtype=pl.Int32)).otherwise(which)
            sets.append(policy.weights_of(tier, stage))
    table = pl.DataFrame(
        [(place, *(weights[key] for key in KEYS)) for place, weights in enumerate(sets)],
        schema={"which": pl.Int32, **{_weight(key): pl.Int64 for key in KEYS}},
        orient="row",
    )
    # with_columns, not select: a lone literal would be one row.
    chosen = facts.with_columns(which=which).select("which")
    return chosen.join(table, on="which", how="left", maintain_order="left").drop("which")
