"""The cadence: which touch is due for whom (docs/rules/followups.md)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final

import polars as pl

from followups.rules.policy import AUTOMATIC, KINDS, CadencePolicy, Kind
from tenants.rules.columns import Schema, conform

FIRST: Final = "start"
"""The period of a customer's first touch of a kind."""

CUSTOMERS: Final[Schema] = {"customer_id": pl.Int64, "tier": pl.String, "since": pl.Date}
TOUCHED: Final[Schema] = {"customer_id": pl.Int64, "kind": pl.String, "last_touch_on": pl.Date}
TOUCHES: Final[Schema] = {
    "customer_id": pl.Int64,
    "tier": pl.String,
    "kind": pl.String,
    "last_touch_on": pl.Date,
    "since": pl.Date,
}

_WORD: Final = 2**32
_GOLDEN: Final = 2_654_435_761  # Knuth: 2^32 ÷ golden ratio, prime; neighbouring ids land far apart
_KIND_PLACES: Final = 8  # more than there are kinds, so that a new kind does not move the others'


def plan(customers: pl.DataFrame, touched: pl.DataFrame, policy: CadencePolicy) -> pl.DataFrame:
    """One row per customer and kind that the customer's tier has a cadence for: the frame that `due` reads.

    `customers`: customer_id, tier, since (the day the customer came under this cadence). `touched`:
    customer_id, kind, last_touch_on; several rows of a customer and kind count as their latest. Automatic kinds
    are nobody's work: they, and customers whose tier has no cadence beside them, have no rows.
    """
    wanted = intervals(policy).select("tier", "kind")
    latest = conform(touched, TOUCHED).group_by("customer_id", "kind").agg(pl.col("last_touch_on").max())
    return (
        conform(customers, CUSTOMERS)
        .join(wanted, on="tier")
        .join(latest, on=["customer_id", "kind"], how="left")
        .select(*TOUCHES)
    )


def due(touches: pl.DataFrame, policy: CadencePolicy, as_of: dt.date) -> pl.DataFrame:
    """The follow-ups due on or before `as_of`: customer_id, kind, rule ("cadence:<kind>"), due_on and period.

    `touches` as from `plan`. A touch is due its tier's interval after the last one of its kind, but never
    before the customer came under the cadence. A customer never touched is due within the first interval
    after that day, on a day that `offset_days` fixes, so that a thousand new customers do not all fall due
    on one morning.

    `period` is the ISO date of the last touch, or "start": a customer gets one follow-up per rule and
    period. It follows that doing a follow-up must be a touch. Rows come by due_on, customer_id and kind.
    """
    frame = conform(touches, TOUCHES).join(intervals(policy), on=["tier", "kind"])
    first = pl.col("since") + _days(offset_days(pl.col("customer_id"), pl.col("kind"), pl.col("interval")))
    again = pl.max_horizontal(pl.col("last_touch_on") + _days(pl.col("interval")), pl.col("since"))
    touched_before = pl.col("last_touch_on").is_not_null()
    return (
        frame.select(
            "customer_id",
            "kind",
            rule=pl.lit("cadence:") + pl.col("kind"),
            due_on=pl.when(touched_before).then(again).otherwise(first),
            period=pl.when(touched_before).then(pl.col("last_touch_on").dt.to_string("iso")).otherwise(pl.lit(FIRST)),
        )
        .filter(pl.col("due_on") <= as_of)
        .sort("due_on", "customer_id", "kind")
    )


def starting(
    customers: pl.DataFrame, policy: CadencePolicy, since: dt.date, as_of: dt.date, looked_to: dt.date | None = None
) -> list[int]:
    """The ids of the customers to whom a first touch of some kind comes round after `looked_to` and up to `as_of`.

    `looked_to` is as far as the last night looked, which was that of `since` (the same unless said otherwise).

    `customers`: customer_id, tier, since (the day the customer came under this cadence); several rows of one each count.
    Also everybody who came under it on the day of `since` or after: a touch of before may be overdue at once, and on the
    day itself it may have been after that night had asked, by a second one of the same day.
    """
    frame = conform(customers, CUSTOMERS).join(intervals(policy), on="tier")
    first = pl.col("since") + _days(offset_days(pl.col("customer_id"), pl.col("kind"), pl.col("interval")))
    comes = ((first > (looked_to or since)) & (first <= as_of)) | (pl.col("since") >= since)
    return frame.filter(comes).get_column("customer_id").unique().to_list()


def offset_days(customer_id: pl.Expr, kind: pl.Expr, interval: pl.Expr) -> pl.Expr:
    """Days from coming under the cadence to the first touch: 0 to interval - 1, the same on every machine.

    Multiplicative hash of the id, scaled to the interval: consecutive ids spread evenly. Kinds are shifted
    against each other, so that a customer's first talks do not meet on one day.
    """
    shift = {name: place * _WORD // _KIND_PLACES for place, name in enumerate(KINDS)}
    shifted = kind.replace_strict(shift, return_dtype=pl.UInt64)
    # UInt64 throughout: 32 bits * 32 bits does not fit a signed word.
    hashed = ((customer_id % _WORD).cast(pl.UInt64) * pl.lit(_GOLDEN, dtype=pl.UInt64) + shifted) % _WORD
    return (hashed * interval.cast(pl.UInt64) // _WORD).cast(pl.Int32)


def next_touch(tier: str, touched: Mapping[str, dt.date], policy: CadencePolicy) -> tuple[Kind, dt.date] | None:
    """The next touch that the tier's cadence asks for: kind and day, the earliest; None when there is none.

    `touched` holds the last touch of each kind. A kind that was never touched is left out: its first day hangs
    on when the customer came under the cadence, and `due` says it.
    """
    coming = [
        (touched[touch.kind] + dt.timedelta(days=touch.interval_days), touch.kind)
        for touch in policy.tiers.get(tier, ())
        if touch.kind in touched and touch.kind not in AUTOMATIC
    ]
    if not coming:
        return None
    day, kind = min(coming)
    return kind, day


def intervals(policy: CadencePolicy) -> pl.DataFrame:
    """tier, kind and interval (days), one row per touch of the policy that a person does."""
    rows = [
        (tier, touch.kind, touch.interval_days)
        for tier, touches in policy.tiers.items()
        for touch in touches
        if touch.kind not in AUTOMATIC
    ]
    return pl.DataFrame(rows, schema={"tier": pl.String, "kind": pl.String, "interval": pl.Int32}, orient="row")


def _days(number: pl.Expr) -> pl.Expr:
    return pl.duration(days=number)
