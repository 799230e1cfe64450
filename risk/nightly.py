"""The night's step of risk: silence, or shrinking orders, open an alert and a follow-up; when it ends, both close."""

from __future__ import annotations

import datetime as dt
from typing import Final

import polars as pl
from django.utils import timezone

from customers.changes import days_before, due_by_facts
from customers.frames import last_touches
from followups.raising import cancel_by_rule, raise_follow_ups
from followups.rules.policy import CadencePolicy
from risk.models import Alert
from risk.rules.policy import RiskPolicy
from risk.rules.signals import silence, spec_drift
from tenants.context import current_tenant
from tenants.frames import insert_frame, read_frame
from tenants.parts import Customers, among, are_few
from tenants.policies import active_policy
from tenants.runs import Counts, Piece, Step

HOURS_A_DAY = 24


def run(as_of: dt.date) -> dict[str, int]:
    """The whole step at once: alerts (opened), raised (follow-ups) and closed."""
    return STEP.at_once(as_of)


def work(piece: Piece) -> Counts:
    """Open and close the part's alerts.

    On a quiet night only of customers about whom a fact came in, whose tier moved, whose order sizes shrink, or whose
    silence passes a line tonight: for all others the last night has said the same.
    """
    policy = active_policy()
    rules = policy.section(RiskPolicy)
    as_of = piece.as_of
    asked: Customers = piece.part if piece.since is None else _asked(piece, rules)
    facts = _facts(as_of, asked)
    fired = pl.concat([_with_json(silence(facts, rules, as_of)), _with_json(spec_drift(_drifts(asked), rules))])
    closed = _close_passed(fired, facts, rules, as_of, asked)
    opened = _open(fired, policy.section(CadencePolicy), as_of, policy.number)
    raised = raise_follow_ups(_answers(_due(fired, as_of)), policy_version=policy.number, customers=asked)
    return {"alerts": opened, "raised": raised, "closed": closed}


STEP = Step(work)


def _asked(piece: Piece, rules: RiskPolicy) -> list[int]:
    tenant_id, part, now, then = current_tenant().pk, piece.part.sql(), piece.as_of, piece.since
    silent_now, silent_then = "(%s - last_order_on)", "(%s - last_order_on)"
    # Where a line lies between the silence of then and of now, it is passed tonight.
    passed = " OR ".join(f"({line} > {silent_then} - 1 AND {line} <= {silent_now})" for line in _LINES)
    lines = [rules.silence_days, rules.own_cycle_min_days, rules.ignore_after_days]
    found = read_frame(
        f"""
        SELECT customer_id FROM health_healthscore WHERE tenant_id = %s AND {part} AND ({passed})
        UNION
        SELECT customer_id FROM segmentation_tierchange WHERE tenant_id = %s AND "on" > %s AND {part}
        UNION
        SELECT customer_id FROM segmentation_specdrift WHERE tenant_id = %s AND {part}
        UNION
        SELECT customer_id FROM risk_alert
        WHERE tenant_id = %s AND closed_on IS NULL AND signal = %s AND {part}
        """,
        [
            tenant_id,
            *(value for line in lines for value in (line, then, line, now)),
            *(rules.own_cycle_factor, then, rules.own_cycle_factor, now),
            *(tenant_id, then),
            tenant_id,
            *(tenant_id, Alert.Signal.SPEC_DRIFT),
        ],
        schema={"customer_id": pl.Int64},
    )
    due = due_by_facts(piece, orders=[], contacts=[days_before(rules.contact_silence_days - 1)])
    return sorted({*found.get_column("customer_id"), *due})


# Days of silence at which an answer can turn.
_LINES: Final = ("%s", "%s", "%s", "median_gap * %s")


def _facts(as_of: dt.date, customers: Customers) -> pl.DataFrame:
    rows = read_frame(
        f"""
        SELECT h.customer_id, COALESCE(s.tier, ''), h.last_order_on, h.median_gap FROM health_healthscore h
        LEFT JOIN segmentation_standing s ON s.tenant_id = %s AND s.customer_id = h.customer_id
        WHERE h.tenant_id = %s AND {among(customers, "h.customer_id")}
        """,
        [current_tenant().pk, current_tenant().pk],
        schema={"customer_id": pl.Int64, "tier": pl.String, "last_order_on": pl.Date, "median_gap": pl.Float64},
        few=are_few(customers),
    )
    touched = last_touches(as_of, customers).group_by("customer_id").agg(last_contact_on=pl.col("last_touch_on").max())
    return rows.join(touched, on="customer_id", how="left")


def _drifts(customers: Customers) -> pl.DataFrame:
    return read_frame(
        f"""
        SELECT d.customer_id, COALESCE(s.tier, ''), d.ratio, d.products, d.since FROM segmentation_specdrift d
        LEFT JOIN segmentation_standing s ON s.tenant_id = %s AND s.customer_id = d.customer_id
        WHERE d.tenant_id = %s AND {among(customers, "d.customer_id")}
        """,
        [current_tenant().pk, current_tenant().pk],
        few=are_few(customers),
        schema={
            "customer_id": pl.Int64,
            "tier": pl.String,
            "ratio": pl.Float64,
            "products": pl.Int64,
            "since": pl.Date,
        },
    )


def _with_json(fired: pl.DataFrame) -> pl.DataFrame:
    """Each signal has facts of its own; as text they lie in one column."""
    return fired.with_columns(pl.col("facts").struct.json_encode())


def _due(fired: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    """Hours count from the night, so 24 of them end with the day itself and 48 with the next."""
    days = (pl.col("answer_hours") // HOURS_A_DAY - 1).clip(lower_bound=0)
    return fired.with_columns(due_on=pl.lit(as_of) + pl.duration(days=days))


def _open(fired: pl.DataFrame, cadence: CadencePolicy, as_of: dt.date, version: int) -> int:
    tenant = current_tenant()
    timed = _due(fired, as_of)
    ends = {
        day: dt.datetime.combine(day, cadence.done_by, tzinfo=tenant.zone)
        for day in timed.get_column("due_on").unique()
    }
    rows = timed.select(
        "customer_id",
        "signal",
        "risk_class",
        "level",
        "period",
        "facts",
        due_at=pl.col("due_on").replace_strict(ends, return_dtype=pl.Datetime("us", "UTC")),
    )
    return insert_frame(
        Alert,
        rows,
        constants={
            "opened_on": as_of,
            "outcome": "",
            "cause": "",
            "policy_version": version,
            "created_at": timezone.now(),
        },
    )


def _answers(fired: pl.DataFrame) -> pl.DataFrame:
    return fired.select(
        "customer_id",
        "level",
        "period",
        "due_on",
        "facts",
        kind=pl.lit("light_touch"),
        rule=pl.lit("signal:") + pl.col("signal"),
    )


def _close_passed(
    fired: pl.DataFrame, facts: pl.DataFrame, rules: RiskPolicy, as_of: dt.date, customers: Customers
) -> int:
    """Close what no longer fires: the customer came back, or has been silent so long that it is lost."""
    open_ones = read_frame(
        f"""
        SELECT id, customer_id, signal FROM risk_alert
        WHERE tenant_id = %s AND closed_on IS NULL AND {among(customers)}
        """,
        [current_tenant().pk],
        few=are_few(customers),
        schema={"id": pl.Int64, "customer_id": pl.Int64, "signal": pl.String},
    )
    over = open_ones.join(fired, on=["customer_id", "signal"], how="anti").join(facts, on="customer_id", how="left")
    long_ago = as_of - dt.timedelta(days=rules.ignore_after_days)
    lost = (pl.col("signal") == Alert.Signal.ORDER_SILENCE) & (pl.col("last_order_on") < long_ago)
    outcomes = over.with_columns(
        outcome=pl.when(lost.fill_null(False)).then(pl.lit(Alert.Outcome.LOST)).otherwise(pl.lit(Alert.Outcome.PASSED))
    )
    for outcome in (Alert.Outcome.LOST, Alert.Outcome.PASSED):
        ids = outcomes.filter(pl.col("outcome") == outcome).get_column("id").to_list()
        Alert.objects.filter(pk__in=ids, closed_on__isnull=True).update(closed_on=as_of, outcome=outcome)
    for signal in Alert.Signal.values:
        customers = over.filter(pl.col("signal") == signal).get_column("customer_id").to_list()
        cancel_by_rule(f"signal:{signal}", customers)
    return over.height
