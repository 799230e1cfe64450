"""The night's step of risk: what fires opens an alert and a follow-up; when it ends by itself, both close."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import polars as pl
from django.utils import timezone

from customers.changes import crossed_by, noted
from health.scoring import lock_scores
from risk.models import Alert
from risk.rules.policy import RiskPolicy
from risk.signals.facts import OWN, STOOD, Own, boundaries, silence_lines
from risk.signals.services import look
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.models import RunStep
from tenants.policies import Policy, active_policy
from tenants.runs import Counts, Piece, Prepared, Step

NIGHT_AT: Final = dt.time(2, 0)
"""When the clocks of a night that is made up for another day start."""


def run(as_of: dt.date) -> dict[str, int]:
    """The whole step at once: alerts (opened), repeated, raised (follow-ups) and closed."""
    return STEP.at_once(as_of)


def prepare(piece: Piece) -> Prepared:
    """Everybody is looked at when an article has got another category, or the forecast another model, since last night.

    Whom that moves the steps of health and forecast know, and do not hand on.
    """
    steps = RunStep.objects.filter(run__job="nightly", run__for_date=piece.as_of, name__in=("health", "forecast"))
    told = {step.name: step for step in steps}
    regroups = "health" in told and bool(told["health"].shared.get("regroups"))
    is_refitted = "forecast" in told and bool(told["forecast"].counts.get("models"))
    return Prepared({"everybody": regroups or is_refitted})


def work(piece: Piece) -> Counts:
    """Open, add to and close the part's alerts.

    On a quiet night only of customers about whom a fact came in, whose facts a window takes in or leaves behind, whose
    tier, forecast or order sizes moved, whose silence passes a line tonight, or whose rest ends: for all others the
    last night has said the same. A signal that reads facts of its own is asked only where these can be others.
    """
    policy = active_policy()
    # Who looks at facts that arrive meanwhile waits, and does not see half of a night.
    lock_scores(alone=False)
    now = _moment(piece.as_of)
    if piece.since is None or piece.shared.get("everybody"):
        told = look(piece.part, as_of=piece.as_of, now=now, policy=policy)
    else:
        customers, asked = _asked(piece, piece.since, policy)
        told = look(customers, as_of=piece.as_of, now=now, policy=policy, asked=asked)
    return {"alerts": told.opened, "repeated": told.repeated, "raised": told.raised, "closed": told.closed}


STEP = Step(work, prepare)


def _moment(as_of: dt.date) -> dt.datetime:
    """When the night is: now, and for one of another day when that one's would have been."""
    tenant, now = current_tenant(), timezone.now()
    return now if tenant.local_date(now) == as_of else dt.datetime.combine(as_of, NIGHT_AT, tzinfo=tenant.zone)


def _asked(piece: Piece, then: dt.date, policy: Policy) -> tuple[list[int], dict[Own, list[int]]]:
    """Who is looked at on a quiet night after one as of `then`, and of whom each signal of OWN is asked."""
    rules = policy.section(RiskPolicy)
    crossing = crossed_by(piece, boundaries(policy))
    told = noted(piece)
    silent = _passed_a_line(piece, then, rules)
    moved = _moved(piece, then, rules)
    # Whoever is silent for so long that it belongs to win-back ends what was said about its orders.
    gone = silent.filter("is_gone").get_column("customer_id")
    ended: dict[str, list[int]] = {signal: gone.to_list() for signal in ("frequency_falling", "activity_drop")}
    asked: dict[Own, list[int]] = {}
    for signal in OWN:
        own = moved.filter(pl.col("signal") == signal).get_column("customer_id")
        asked[signal] = sorted({*told, *crossing[signal], *own, *ended.get(signal, ())})
    customers = {*told, *crossing[STOOD], *silent.get_column("customer_id"), *moved.get_column("customer_id")}
    return sorted(customers.union(*asked.values())), asked


def _passed_a_line(piece: Piece, then: dt.date, rules: RiskPolicy) -> pl.DataFrame:
    """customer_id of those whose silence passes a line tonight; is_gone: that to win-back lies behind it."""
    now = piece.as_of
    conditions: list[str] = []
    values: list[Any] = []
    for line in map(dt.timedelta, silence_lines(rules)):
        conditions.append("last_order_on BETWEEN %s AND %s")
        values += [then - line, now - line]
    # Where the own line lies between the silence of then and of now, or on one of them.
    own_line = "median_gap * %s"
    conditions.append(f"({own_line} > (%s - last_order_on) - 1 AND {own_line} <= (%s - last_order_on))")
    values += [rules.own_cycle_factor, then, rules.own_cycle_factor, now]
    return read_frame(
        f"""
        SELECT customer_id, last_order_on < %s FROM health_healthscore
        WHERE tenant_id = %s AND {piece.part.sql()} AND ({" OR ".join(conditions)})
        """,
        [now - dt.timedelta(days=rules.ignore_after_days), current_tenant().pk, *values],
        schema={"customer_id": pl.Int64, "is_gone": pl.Boolean},
    )


def _moved(piece: Piece, then: dt.date, rules: RiskPolicy) -> pl.DataFrame:
    """customer_id and signal of what others than facts move: tier, forecast, order sizes, and a rest that ends.

    Somebody may come more than once. Of a signal that reads nothing of its own the name does not matter.
    """
    tenant_id, part = current_tenant().pk, piece.part.sql()
    # What the night of then has written it has reckoned with; a pin's customer is noted. The same night again writes anew.
    first = min(then + dt.timedelta(days=1), piece.as_of)
    rested = [day - dt.timedelta(days=rules.rest_days) for day in (then, piece.as_of)]
    return read_frame(
        f"""
        SELECT customer_id, 'contact_silence' FROM segmentation_tierchange WHERE tenant_id = %s AND "on" >= %s AND {part}
        UNION ALL
        SELECT customer_id, 'spec_drift' FROM segmentation_specdrift WHERE tenant_id = %s AND {part}
        UNION ALL
        SELECT customer_id, 'lapse_forecast' FROM health_lapseforecast
        WHERE tenant_id = %s AND is_warned AND warned_on >= %s AND {part}
        UNION ALL
        SELECT a.customer_id, a.signal FROM risk_alert a
        LEFT JOIN health_lapseforecast f ON f.tenant_id = a.tenant_id AND f.customer_id = a.customer_id AND f.is_warned
        WHERE a.tenant_id = %s AND a.closed_on IS NULL AND a.signal = %s AND f.customer_id IS NULL
          AND {piece.part.sql("a.customer_id")}
        UNION ALL
        SELECT customer_id, signal FROM risk_alert WHERE tenant_id = %s AND closed_on IS NULL AND signal = %s AND {part}
        UNION ALL
        SELECT customer_id, signal FROM risk_alert
        WHERE tenant_id = %s AND closed_by_id IS NOT NULL AND closed_on > %s AND closed_on <= %s AND {part}
        """,
        [
            *(tenant_id, first),
            tenant_id,
            *(tenant_id, first),
            *(tenant_id, Alert.Signal.LAPSE_FORECAST),
            *(tenant_id, Alert.Signal.SPEC_DRIFT),
            *(tenant_id, *rested),
        ],
        schema={"customer_id": pl.Int64, "signal": pl.String},
    )
