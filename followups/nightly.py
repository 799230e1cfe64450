"""The night's step of follow-ups: what the cadence asks for, and the ranks of what is open."""

from __future__ import annotations

import datetime as dt

import polars as pl
from django.db import connection

from customers.changes import Boundary, due_by_facts
from customers.frames import last_touches, living_customers, relations
from followups.care.services import raise_care
from followups.landing import landed
from followups.models import FollowUp
from followups.planned import without_planned
from followups.raising import cancel_satisfied, not_raised, raise_follow_ups
from followups.rules import cadence
from followups.rules.policy import CadencePolicy
from followups.rules.ranking import priority_sql
from tenants.calendars import firm_calendar
from tenants.context import current_tenant
from tenants.frames import read_frame, without_loops
from tenants.parts import Customers, Part, among, are_few
from tenants.policies import active_policy
from tenants.rules.calendar import Calendar
from tenants.runs import Counts, Piece, Step


def run(as_of: dt.date) -> dict[str, int]:
    """The whole step at once: raised, cancelled (no longer needed) and ranked (rank changed)."""
    return STEP.at_once(as_of)


def work(piece: Piece) -> Counts:
    """Raise what the cadence asks for, withdraw what a contact has satisfied, rank what is open.

    On a quiet night only for customers about whom a fact came in, whose tier moved, or to whom the cadence comes
    round tonight: for all others the last night has asked already.
    """
    policy = active_policy()
    rules, calendar = policy.section(CadencePolicy), firm_calendar(policy)
    asked: Customers = piece.part if piece.since is None else _asked(piece, piece.since, rules, calendar)
    touched = last_touches(piece.as_of, asked)
    planned = cadence.plan(under_cadence(asked), touched, rules)
    due = without_planned(cadence.due(planned, rules, looks_to(piece.as_of, calendar)), asked)
    cancelled = cancel_satisfied(touched, asked)
    new = not_raised(due, few=are_few(asked))
    routine = landed(new, planned, living_customers(asked), rules, calendar, piece.as_of).with_columns(
        level=pl.lit(FollowUp.Level.ROUTINE.value), facts=pl.struct(every_days="interval").struct.json_encode()
    )
    raised = raise_follow_ups(routine, policy_version=policy.number, customers=asked)
    cared = raise_care(piece.as_of, policy, piece.part)
    return {"raised": raised, "cancelled": cancelled, **cared, "ranked": rank_again(piece.part)}


STEP = Step(work)


def looks_to(as_of: dt.date, calendar: Calendar) -> dt.date:
    """The last day whose touches a night raises: its own, and days off that follow, for they may land before."""
    return calendar.next_working_day(as_of) - dt.timedelta(days=1)


def _asked(piece: Piece, since: dt.date, rules: CadencePolicy, calendar: Calendar) -> list[int]:
    days: list[int] = cadence.intervals(rules).get_column("interval").unique().to_list()

    def touched_before(interval: int) -> Boundary:
        return lambda as_of: looks_to(as_of, calendar) - dt.timedelta(days=interval - 1)

    # Due so many days after the last touch: tonight it comes round to those touched on the days in between.
    comes_round = [touched_before(each) for each in days]
    started = _changes(piece.part, after=since - dt.timedelta(days=max(days, default=0)))
    ahead, looked_to = looks_to(piece.as_of, calendar), looks_to(since, calendar)
    first_ones = cadence.starting(started, rules, since, ahead, looked_to)
    return sorted({*due_by_facts(piece, contacts=comes_round), *first_ones})


def _changes(part: Part, after: dt.date) -> pl.DataFrame:
    """customer_id, tier and since: who came into which tier after a day, and when."""
    return read_frame(
        f"""
        SELECT customer_id, after, "on" FROM segmentation_tierchange
        WHERE tenant_id = %s AND "on" > %s AND after <> '' AND {part.sql()}
        """,
        [current_tenant().pk, after],
        schema={"customer_id": pl.Int64, "tier": pl.String, "since": pl.Date},
    )


def under_cadence(customers: Customers) -> pl.DataFrame:
    """Living customers with their tier, since the day they came into it: a shorter interval starts fresh."""
    tiers = read_frame(
        f"""
        SELECT s.customer_id, s.tier, max(c.on) FROM segmentation_standing s
        JOIN segmentation_tierchange c ON c.tenant_id = %s AND c.customer_id = s.customer_id AND c.after = s.tier
        WHERE s.tenant_id = %s AND s.tier <> '' AND {among(customers, "s.customer_id")}
          AND {among(customers if isinstance(customers, Part) else None, "c.customer_id")}
        GROUP BY s.customer_id, s.tier
        """,
        [current_tenant().pk, current_tenant().pk],
        schema={"customer_id": pl.Int64, "tier": pl.String, "since": pl.Date},
        few=are_few(customers),
    )
    return tiers.join(relations(customers=customers).select("customer_id"), on="customer_id", how="semi")


def rank_again(part: Part) -> int:
    """Bring the priority of the part's open follow-ups up to date with tonight's money and health; returns how many.

    Locked in the order of their numbers, as by people who change several at once: none waits for the other crosswise.
    The part is said of each table: from one the planner does not conclude that it holds of those that it is joined to,
    and would read all of the firm's for each part.
    """
    now = priority_sql("s.monetary", "h.score", "f.level")
    tenant_id = current_tenant().pk
    with connection.cursor() as cursor, without_loops(cursor):
        cursor.execute(
            f"""
            UPDATE followups_followup f SET priority = r.priority FROM (
                SELECT f.id, {now} AS priority FROM followups_followup f
                LEFT JOIN segmentation_standing s
                  ON s.tenant_id = %s AND s.customer_id = f.customer_id AND {part.sql("s.customer_id")}
                LEFT JOIN health_healthscore h
                  ON h.tenant_id = %s AND h.customer_id = f.customer_id AND {part.sql("h.customer_id")}
                WHERE f.tenant_id = %s AND f.status = 'open' AND {part.sql("f.customer_id")} AND f.priority <> {now}
                ORDER BY f.id FOR NO KEY UPDATE OF f
            ) r WHERE f.tenant_id = %s AND f.id = r.id AND f.status = 'open' AND {part.sql("f.customer_id")}
            """,
            [tenant_id] * 4,
        )
        return int(cursor.rowcount)
