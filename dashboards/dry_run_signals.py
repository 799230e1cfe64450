"""What a draft of the policy would have fired: the signals of a past quarter, replayed from facts, and who then lapsed.

Nothing is written (docs/rules/policy.md). The quarter ends so long ago that it is known of everybody whether an order
came in the days after: a lapse is what the section "forecast" calls one for everybody alike.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import polars as pl

from customers.frames import order_days
from health.facts import Reads
from health.rules.policy import ForecastPolicy, HealthPolicy
from risk.rules.complaint_policy import ComplaintPolicy
from risk.rules.policy import RiskPolicy, Signal
from risk.rules.signals import SIGNALS, fired, knowable
from risk.signals.facts import past_facts
from segmentation.rules.policy import TierPolicy
from tenants.context import current_tenant, only_reading
from tenants.frames import read_frame
from tenants.policies import Policy, active_policy, parsed_document
from tenants.querysets import last_night
from tenants.rules.sections import PolicySection

QUARTER_DAYS: Final = 91
STEP_DAYS: Final = 7
"""Between two of the days that are replayed."""

MOST: Final = 6_000
"""Customers of a bigger firm are a sample: every so many of them, by their numbers."""

NOT_REPLAYED: Final[frozenset[Signal]] = frozenset({"spec_drift", "lapse_forecast"})
"""Signals that rest on what a night has said and nobody has kept."""


@dataclass(frozen=True)
class SignalTrial:
    """One signal: of how many customers enough was known, for how many it fired, and how many of these then lapsed.

    By the version in force and by the draft. `is_watched` is the draft's.
    """

    signal: Signal
    known: int
    before: int
    before_lapsed: int
    after: int
    after_lapsed: int
    is_watched: bool

    @property
    def is_replayed(self) -> bool:
        return self.signal not in NOT_REPLAYED


@dataclass(frozen=True)
class SignalReplay:
    """All signals in the quarter from `first` to `last`; a lapse is no order for `horizon_days` from when it fired.

    `customers` were looked at, of `everybody`: fewer are a sample. `lapsed` of those who had ordered before `first`
    lapsed whatever fired: no order for `horizon_days` from then.
    """

    first: dt.date
    last: dt.date
    horizon_days: int
    customers: int
    everybody: int
    ordered: int
    lapsed: int
    rows: tuple[SignalTrial, ...]
    hits: pl.DataFrame = field(repr=False, compare=False)
    """customer_id, signal, on (the first day it fired) and lapsed, by the draft."""

    @property
    def found(self) -> int:
        """For how many customers anything fired, by the draft."""
        return self.hits.get_column("customer_id").n_unique()

    @property
    def is_sample(self) -> bool:
        return self.customers < self.everybody


def replay_signals(document: Mapping[str, Any], *, as_of: dt.date | None = None) -> SignalReplay:
    """Replay the signals of a quarter under a draft and under the version in force.

    As of a day (default: of the last night, today before the first). Every STEP_DAYS of the quarter everybody's facts
    dated before that day are looked at, as that night would have; what was entered late counts, what was taken back
    does not. Raises InvalidPolicy.
    """
    sections = parsed_document(document)
    with only_reading():
        night = last_night()
        day = as_of or (night.for_date if night else current_tenant().today())
        in_force = active_policy()
        draft = Policy(in_force.number, in_force.pack, _plain(sections))
        horizon = draft.section(ForecastPolicy).horizon_days
        last = day - dt.timedelta(days=horizon)
        first = last - dt.timedelta(days=QUARTER_DAYS - 1)
        ids, everybody = _customers(first)
        alike = _looks_at(draft) == _looks_at(in_force)
        # One day after the other: what two policies look at alike is read once, and not kept for longer.
        before, after, known = [], [], dict.fromkeys(SIGNALS, 0)
        for cut in _days(first, last):
            reads = Reads()
            facts = past_facts(cut, draft, ids, reads)
            after.append(_fired(facts, draft, cut))
            before.append(_fired(facts if alike else past_facts(cut, in_force, ids, reads), in_force, cut))
            for signal, number in knowable(facts, draft.section(RiskPolicy)).items():
                known[signal] = max(known[signal], number)
        days = order_days(day, ids)
    then, now = (_judged(pl.concat(found), days, horizon) for found in (before, after))
    began = days.filter(pl.col("day") < first).select("customer_id", on=pl.lit(first)).unique()
    everyone = _judged(began.with_columns(signal=pl.lit("")), days, horizon)
    return SignalReplay(
        first=first,
        last=last,
        horizon_days=horizon,
        customers=len(ids),
        everybody=everybody,
        ordered=everyone.height,
        lapsed=everyone.filter("lapsed").height,
        rows=tuple(_trial(signal, known[signal], then, now, draft.section(RiskPolicy)) for signal in SIGNALS),
        hits=now,
    )


def _plain(sections: Mapping[str, PolicySection]) -> dict[str, Any]:
    return {name: section.model_dump(mode="json") for name, section in sections.items()}


def _days(first: dt.date, last: dt.date) -> list[dt.date]:
    """The days that are replayed: the last one of the quarter, and each STEP_DAYS before."""
    return [
        last - dt.timedelta(days=days) for days in range((last - first).days // STEP_DAYS * STEP_DAYS, -1, -STEP_DAYS)
    ]


def _customers(since: dt.date) -> tuple[list[int], int]:
    """The ids of those to look at, and how many there are: customers now, and those closed since a day."""
    rows = read_frame(
        """
        SELECT id FROM customers_customer WHERE tenant_id = %s AND (closed_on IS NULL OR closed_on >= %s) ORDER BY id
        """,
        [current_tenant().pk, since],
        schema={"customer_id": pl.Int64},
    ).get_column("customer_id")
    step = -(-rows.len() // MOST) if rows.len() > MOST else 1
    return rows.gather_every(step).to_list(), rows.len()


def _looks_at(policy: Policy) -> tuple[Any, ...]:
    """What decides which facts the signals see: two policies alike in it have the same."""
    windows = policy.section(RiskPolicy).model_dump(include=_WINDOWS)
    return (policy.section(HealthPolicy), policy.section(TierPolicy), policy.section(ComplaintPolicy), windows)


_WINDOWS: Final = {
    "watched", "frequency_gaps", "activity_days", "spend_months", "spend_drop", "competitor_days", "leaving_days",
}  # fmt: skip


def _fired(facts: pl.DataFrame, policy: Policy, cut: dt.date) -> pl.DataFrame:
    return fired(facts, policy.section(RiskPolicy), cut).select("customer_id", "signal", on=pl.lit(cut))


def _judged(found: pl.DataFrame, order_days: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """customer_id, signal, on and lapsed: each customer once per signal, from the first day on which it fired."""
    firsts = found.group_by("customer_id", "signal").agg(on=pl.col("on").min())
    later = firsts.join(order_days, on="customer_id").filter(
        (pl.col("day") >= pl.col("on")) & (pl.col("day") < pl.col("on") + pl.duration(days=horizon))
    )
    came = later.select("customer_id", "signal").unique()
    kept = firsts.join(came, on=["customer_id", "signal"], how="anti").select(
        "customer_id", "signal", lapsed=pl.lit(True)
    )
    return (
        firsts.join(kept, on=["customer_id", "signal"], how="left")
        .with_columns(pl.col("lapsed").fill_null(value=False))
        .sort("signal", "customer_id")
    )


def _trial(signal: Signal, known: int, then: pl.DataFrame, now: pl.DataFrame, rules: RiskPolicy) -> SignalTrial:
    def counted(found: pl.DataFrame) -> tuple[int, int]:
        rows = found.filter(pl.col("signal") == signal)
        return rows.height, cast(int, rows.get_column("lapsed").sum())

    before, before_lapsed = counted(then)
    after, after_lapsed = counted(now)
    return SignalTrial(
        signal=signal,
        known=0 if signal in NOT_REPLAYED else known,
        before=before,
        before_lapsed=before_lapsed,
        after=after,
        after_lapsed=after_lapsed,
        is_watched=signal in rules.watched,
    )
