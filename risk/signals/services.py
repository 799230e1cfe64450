"""Looking at customers for signals: in the night, and as facts arrive between two nights."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl
from django.db import transaction

from customers.models import TouchKind
from followups.raising import cancel_by_rule, raise_follow_ups
from followups.reasons import SIGNAL
from risk.alerts.services import note_actions, open_or_repeat, pass_over
from risk.models import Alert
from risk.rules.policy import RiskPolicy
from risk.rules.signals import SIGNALS, fired, news, settled
from risk.signals.facts import OWN, Asked, night_facts
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.parts import Customers, among, are_few
from tenants.policies import Policy, active_policy

KINDS: Final = {
    "contact": TouchKind.LIGHT_TOUCH,
    "light_touch": TouchKind.LIGHT_TOUCH,
    "ask": TouchKind.LIGHT_TOUCH,
    "call_back": TouchKind.LIGHT_TOUCH,
    "early_warning": TouchKind.LIGHT_TOUCH,
    "diagnosis": TouchKind.DEEP_TALK,
    "joint_visit": TouchKind.DEEP_TALK,
    "retention_plan": TouchKind.DEEP_TALK,
    "retention_team": TouchKind.DEEP_TALK,
    "three_plus_one": TouchKind.DEEP_TALK,
    "task": TouchKind.DEEP_TALK,
}
"""By default answer, the kind of touch that its follow-up asks for."""


@dataclass(frozen=True)
class Looked:
    """What came of looking: alerts opened, fired again while open, and closed by themselves; follow-ups raised."""

    opened: int = 0
    repeated: int = 0
    closed: int = 0
    raised: int = 0


@transaction.atomic
def fire_for(customers: Sequence[int], *, as_of: dt.date, now: dt.datetime) -> Looked:
    """Look at these customers between two nights, by facts dated before `as_of`: the day after the local one of `now`.

    Their scores have been brought up to date (`health.scoring.rescore`), and no night works on them meanwhile
    (`lock_scores`). All signals are looked at, so that an order that has come closes its alert as soon as a severe
    fact opens one. The coming night finds nothing to change. Called again it changes nothing.
    """
    if not customers:
        return Looked()
    ids = sorted(set(customers))
    # What has come in may be the first contact since an alert opened: its clock is met.
    note_actions(ids, now=now)
    return look(ids, as_of=as_of, now=now, policy=active_policy())


def look(
    customers: Customers, *, as_of: dt.date, now: dt.datetime, policy: Policy, asked: Asked | None = None
) -> Looked:
    """Open, add to and close the customers' alerts by the facts dated before `as_of`; raise what answers them.

    `now` is when the clocks of new alerts start. `asked` says of whom each signal of OWN is asked: what others have open
    of it stays as it is; by default all customers are. Whoever calls holds the lock of `lock_scores`.
    """
    rules = policy.section(RiskPolicy)
    facts = night_facts(as_of, policy, customers, asked)
    found = fired(facts, rules, as_of)
    before = _alerts(as_of, rules, customers)
    closed = _close_passed(found, facts, _looked_at(before, asked), rules, as_of, now)
    rows = news(settled(found, before, as_of), before)
    # Of a part that is looked at whole, tables are joined whole, too: they may never have been analyzed.
    whose = rows.get_column("customer_id").unique().sort().to_list() if are_few(customers) else customers
    opened = open_or_repeat(rows, as_of=as_of, now=now, policy_version=policy.number, customers=whose)
    raised = raise_follow_ups(_answers(rows, whose), policy_version=policy.number, customers=whose)
    return Looked(opened.opened, opened.repeated, closed, raised)


def _looked_at(alerts: pl.DataFrame, asked: Asked | None) -> pl.DataFrame:
    """The alerts with is_looked_at: whether their signal is asked of the customer."""
    if asked is None:
        return alerts.with_columns(is_looked_at=pl.lit(value=True))
    kinds = {"customer_id": pl.Int64, "signal": pl.String}
    pairs = [pl.DataFrame({"customer_id": ids, "signal": [signal] * len(ids)}, kinds) for signal, ids in asked.items()]
    own = pl.concat(pairs).with_columns(is_asked=pl.lit(value=True))
    is_looked_at = ~pl.col("signal").is_in(list(OWN)) | pl.col("is_asked").fill_null(value=False)
    return alerts.join(own, on=list(kinds), how="left").with_columns(is_looked_at=is_looked_at)


def _alerts(as_of: dt.date, rules: RiskPolicy, customers: Customers) -> pl.DataFrame:
    """Open alerts, and those of which a state rests, as `settled` takes them; id beside, and is_ahead.

    A state rests after a person has closed it, and when it ended on the day of `as_of` or later: then by facts that
    whoever looks as of that day does not see. is_ahead: such facts have opened it.
    """
    tenant = current_tenant()
    start = tenant.start_of(as_of)
    return read_frame(
        f"""
        SELECT id, customer_id, signal, level, period, closed_on IS NULL, opened_at >= %s FROM risk_alert
        WHERE tenant_id = %s AND {among(customers)} AND (
            closed_on IS NULL OR closed_at >= %s OR (closed_on > %s AND closed_by_id IS NOT NULL))
        """,
        [start, tenant.pk, start, as_of - dt.timedelta(days=rules.rest_days)],
        schema={
            "id": pl.Int64, "customer_id": pl.Int64, "signal": pl.String, "level": pl.String, "period": pl.String,
            "is_open": pl.Boolean, "is_ahead": pl.Boolean,
        },
        few=are_few(customers),
    )  # fmt: skip


def _answers(rows: pl.DataFrame, customers: Customers) -> pl.DataFrame:
    """The follow-ups that answer what has just been opened: one for each alert, with the facts that fired it."""
    open_ones = read_frame(
        f"""
        SELECT customer_id, signal, period, due_at AT TIME ZONE 'UTC', (due_at AT TIME ZONE %s)::date FROM risk_alert
        WHERE tenant_id = %s AND closed_on IS NULL AND {among(customers)}
        """,
        [current_tenant().timezone, current_tenant().pk],
        schema={
            "customer_id": pl.Int64, "signal": pl.String, "period": pl.String, "until": pl.String, "due_on": pl.Date,
        },
        few=are_few(customers),
    )  # fmt: skip
    # An alert that was added to keeps the follow-up that it has.
    both = rows.join(open_ones, on=["customer_id", "signal", "period"])
    until = pl.col("until").str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", time_zone="UTC")
    return both.select(
        "customer_id",
        "level",
        "period",
        "due_on",
        "facts",
        until=until,
        kind=pl.col("answer").replace_strict({answer: kind.value for answer, kind in KINDS.items()}),
        rule=pl.lit(SIGNAL) + pl.col("signal"),
    )


def _close_passed(
    found: pl.DataFrame,
    facts: pl.DataFrame,
    alerts: pl.DataFrame,
    rules: RiskPolicy,
    as_of: dt.date,
    now: dt.datetime,
) -> int:
    """Close what no longer fires: the customer came back, or is lost: closed, or silent for so long.

    `alerts` as of `_looked_at`. What facts of the day itself have opened is left to who sees them.
    """
    passing = [signal for signal, rule in SIGNALS.items() if rule.passes]
    living = facts.select("customer_id", "last_order_on").with_columns(is_living=True)
    over = (
        alerts.filter(pl.col("is_open") & ~pl.col("is_ahead"))
        .join(found, on=["customer_id", "signal"], how="anti")
        .join(living, on="customer_id", how="left")
    )
    is_gone = pl.col("is_living").is_null()
    over = over.filter(is_gone | (pl.col("is_looked_at") & pl.col("signal").is_in(passing)))
    if over.is_empty():
        return 0
    long_ago = as_of - dt.timedelta(days=rules.ignore_after_days)
    is_lost = is_gone | (
        pl.col("signal").is_in(_ENDS_LOST) & (pl.col("last_order_on") < long_ago).fill_null(value=False)
    )
    told = over.with_columns(
        outcome=pl.when(is_lost).then(pl.lit(Alert.Outcome.LOST.value)).otherwise(pl.lit(Alert.Outcome.PASSED.value))
    )
    closed = 0
    for outcome in (Alert.Outcome.LOST, Alert.Outcome.PASSED):
        ids = told.filter(pl.col("outcome") == outcome.value).get_column("id").to_list()
        closed += pass_over(ids=ids, outcome=outcome, as_of=as_of, now=now)
    for signal in told.get_column("signal").unique().sort():
        ids = told.filter(pl.col("signal") == signal).get_column("customer_id").to_list()
        cancel_by_rule(f"{SIGNAL}{signal}", ids)
    return closed


_ENDS_LOST: Final = ("order_silence", "nps_silence", "frequency_falling", "activity_drop", "category_drop")
"""Signals that end, with a customer who has not ordered for `ignore_after_days`, because it is lost."""
