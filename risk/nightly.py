"""The night's step of risk: what fires opens an alert and a follow-up; when it ends by itself, both close."""

from __future__ import annotations

import datetime as dt
from typing import Final

import polars as pl
from django.utils import timezone

from customers.changes import due_by_facts
from health.scoring import lock_scores
from risk.models import Alert
from risk.rules.policy import RiskPolicy
from risk.signals.facts import boundaries, silence_lines
from risk.signals.services import look
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.models import RunStep
from tenants.parts import Customers
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
    last night has said the same.
    """
    policy = active_policy()
    # Who looks at facts that arrive meanwhile waits, and does not see half of a night.
    lock_scores(alone=False)
    asked: Customers = piece.part
    if piece.since is not None and not piece.shared.get("everybody"):
        asked = _asked(piece, policy)
    told = look(asked, as_of=piece.as_of, now=_moment(piece.as_of), policy=policy)
    return {"alerts": told.opened, "repeated": told.repeated, "raised": told.raised, "closed": told.closed}


STEP = Step(work, prepare)


def _moment(as_of: dt.date) -> dt.datetime:
    """When the night is: now, and for one of another day when that one's would have been."""
    tenant, now = current_tenant(), timezone.now()
    return now if tenant.local_date(now) == as_of else dt.datetime.combine(as_of, NIGHT_AT, tzinfo=tenant.zone)


def _asked(piece: Piece, policy: Policy) -> list[int]:
    if piece.since is None:
        raise ValueError("Everybody is asked")
    tenant_id, part, now, then = current_tenant().pk, piece.part.sql(), piece.as_of, piece.since
    rules = policy.section(RiskPolicy)
    silent_now, silent_then = "(%s - last_order_on)", "(%s - last_order_on)"
    lines: list[tuple[str, float]] = [("%s", line) for line in silence_lines(rules)]
    lines.append(("median_gap * %s", rules.own_cycle_factor))
    # Where a line lies between the silence of then and of now, it is passed tonight.
    passed = " OR ".join(f"({line} > {silent_then} - 1 AND {line} <= {silent_now})" for line, _value in lines)
    found = read_frame(
        f"""
        SELECT customer_id FROM health_healthscore WHERE tenant_id = %s AND {part} AND ({passed})
        UNION
        SELECT customer_id FROM segmentation_tierchange WHERE tenant_id = %s AND "on" >= %s AND {part}
        UNION
        SELECT customer_id FROM segmentation_specdrift WHERE tenant_id = %s AND {part}
        UNION
        SELECT customer_id FROM health_lapseforecast
        WHERE tenant_id = %s AND is_warned AND warned_on >= %s AND {part}
        UNION
        SELECT a.customer_id FROM risk_alert a
        LEFT JOIN health_lapseforecast f ON f.tenant_id = a.tenant_id AND f.customer_id = a.customer_id AND f.is_warned
        WHERE a.tenant_id = %s AND a.closed_on IS NULL AND a.signal = %s AND f.customer_id IS NULL
          AND {piece.part.sql("a.customer_id")}
        UNION
        SELECT customer_id FROM risk_alert
        WHERE tenant_id = %s AND closed_on IS NULL AND signal = %s AND {part}
        UNION
        SELECT customer_id FROM risk_alert
        WHERE tenant_id = %s AND closed_by_id IS NOT NULL AND closed_on > %s AND closed_on <= %s AND {part}
        """,
        [
            tenant_id,
            *(value for _line, number in lines for value in (number, then, number, now)),
            *(tenant_id, then),
            tenant_id,
            *(tenant_id, then),
            *(tenant_id, Alert.Signal.LAPSE_FORECAST),
            *(tenant_id, Alert.Signal.SPEC_DRIFT),
            *(tenant_id, then - dt.timedelta(days=rules.rest_days), now - dt.timedelta(days=rules.rest_days)),
        ],
        schema={"customer_id": pl.Int64},
    )
    due = due_by_facts(piece, **boundaries(policy))
    return sorted({*found.get_column("customer_id"), *due})
