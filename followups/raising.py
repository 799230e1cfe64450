"""Raising and withdrawing follow-ups in bulk: for the cadence, and for whoever else wants something done."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl
from django.db import connection
from django.utils import timezone

from customers.frames import living_customers
from customers.models import Channel
from followups.models import FollowUp
from followups.room import make_room
from followups.rules.policy import CadencePolicy
from followups.rules.ranking import priority
from tenants.context import current_tenant
from tenants.frames import copy_frame, insert_frame, read_frame
from tenants.parts import Customers, Part, among, are_few
from tenants.policies import active_policy

_FURTHER: Final[Mapping[str, Any]] = {
    "for_member": pl.Int64, "with_contact": pl.Int64, "by_channel": pl.String, "until": pl.Datetime("us", "UTC"),
}  # fmt: skip
"""What whoever wants a follow-up may know better."""


def raise_follow_ups(wanted: pl.DataFrame, *, policy_version: int, customers: Customers = None) -> int:
    """Raise one follow-up per row, unless (customer, rule, period) has had one; returns how many are new.

    `wanted`: customer_id, kind, rule, period, due_on, level and facts (JSON text). The A owner gets it, by
    the way the first contact likes; closed customers get none. `customers` are those whom it may name. What comes from an alert has a clock: the
    policy's hour of its day.

    A routine touch of a contact who has had enough waits for a day with room (room.py).

    Who knows better says so in further columns, null where not: `for_member` (whose it is), `with_contact`,
    `by_channel` and `until` (the moment it is due).
    """
    if wanted.is_empty():
        return 0
    unsaid = {name: kind for name, kind in _FURTHER.items() if name not in wanted.columns}
    wanted = wanted.with_columns(pl.lit(None, kind).alias(name) for name, kind in unsaid.items())
    asked = wanted.join(living_customers(customers), on="customer_id")
    if asked.is_empty():
        return 0
    policy = active_policy()
    rules = policy.section(CadencePolicy)
    zone = current_tenant().zone
    ends = {day: dt.datetime.combine(day, rules.done_by, tzinfo=zone) for day in asked.get_column("due_on").unique()}
    clock = pl.col("due_on").replace_strict(ends, return_dtype=pl.Datetime("us", "UTC"))
    # Of named customers their rows are looked up; of a part each table is read, and has to be told which part.
    part = customers if isinstance(customers, Part) else None
    worth = read_frame(
        f"""
        SELECT c.id, COALESCE(s.monetary, 0), h.score FROM customers_customer c
        LEFT JOIN segmentation_standing s
          ON s.tenant_id = c.tenant_id AND s.customer_id = c.id AND {among(part, "s.customer_id")}
        LEFT JOIN health_healthscore h
          ON h.tenant_id = c.tenant_id AND h.customer_id = c.id AND {among(part, "h.customer_id")}
        WHERE c.tenant_id = %s AND {among(customers, "c.id")}
        """,
        [current_tenant().pk],
        schema={"customer_id": pl.Int64, "money": pl.Int64, "score": pl.Int16},
        few=are_few(customers),
    )
    now = timezone.now()
    rows = asked.join(worth, on="customer_id", how="left").select(
        "customer_id",
        "kind",
        "rule",
        "period",
        "due_on",
        "level",
        "facts",
        contact_id=pl.coalesce("with_contact", "contact_id"),
        assignee_id=pl.coalesce("for_member", "owner_a_id"),
        channel=pl.when(pl.coalesce("by_channel", "channel").fill_null("") == "")
        .then(pl.lit(Channel.PHONE.value))
        .otherwise(pl.coalesce("by_channel", "channel")),
        due_at=pl.coalesce("until", pl.when(pl.col("level") != FollowUp.Level.ROUTINE.value).then(clock)),
        priority=priority(pl.col("money"), pl.col("score"), pl.col("level")),
    )
    constants = {
        "status": FollowUp.Status.OPEN.value,
        "snooze_reason": "",
        "policy_version": policy_version,
        "created_at": now,
        "updated_at": now,
    }
    rows = make_room(rows, policy, few=are_few(customers))
    return insert_frame(FollowUp, rows, constants=constants)


def not_raised(wanted: pl.DataFrame, *, few: bool = False) -> pl.DataFrame:
    """Those of the rows (customer_id, rule, period) that have never had a follow-up; `few` as in `read_frame`."""
    if wanted.is_empty():
        return wanted
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS wanted_touches")
        copy_frame(cursor, "wanted_touches", wanted.select("customer_id", "rule", "period"))
    there = read_frame(
        """
        SELECT w.customer_id, w.rule, w.period FROM wanted_touches w
        JOIN followups_followup f ON f.tenant_id = %s AND f.customer_id = w.customer_id
         AND f.rule = w.rule AND f.period = w.period
        """,
        [current_tenant().pk],
        schema={"customer_id": pl.Int64, "rule": pl.String, "period": pl.String},
        few=few,
    )
    return wanted.join(there, on=["customer_id", "rule", "period"], how="anti", maintain_order="left")


def cancel_satisfied(touched: pl.DataFrame, customers: Customers = None) -> int:
    """Withdraw the customers' cadence follow-ups that a later contact has satisfied, and all of closed customers.

    `touched`: customer_id, kind, last_touch_on. Returns how many were withdrawn.
    """
    open_ones = read_frame(
        f"""
        SELECT f.id, f.customer_id, f.kind, f.rule, f.period, c.closed_on IS NOT NULL FROM followups_followup f
        JOIN customers_customer c ON c.tenant_id = f.tenant_id AND c.id = f.customer_id
        WHERE f.tenant_id = %s AND f.status = 'open' AND {among(customers, "f.customer_id")}
        """,
        [current_tenant().pk],
        few=are_few(customers),
        schema={
            "id": pl.Int64,
            "customer_id": pl.Int64,
            "kind": pl.String,
            "rule": pl.String,
            "period": pl.String,
            "closed": pl.Boolean,
        },
    )
    known = open_ones.join(touched, on=["customer_id", "kind"], how="left")
    last = pl.col("last_touch_on").dt.to_string("iso")
    satisfied = pl.col("rule").str.starts_with("cadence:") & last.is_not_null() & (last != pl.col("period"))
    return _cancel(known.filter(pl.col("closed") | satisfied).get_column("id").to_list())


def cancel_by_rule(rule: str, customer_ids: Sequence[int]) -> int:
    """Withdraw the open follow-ups that a rule raised for these customers; returns how many."""
    ids = FollowUp.objects.filter(rule=rule, customer_id__in=customer_ids, status=FollowUp.Status.OPEN)
    return _cancel(list(ids.values_list("pk", flat=True)))


def _cancel(ids: Sequence[int]) -> int:
    now = timezone.now()
    # The status is asked again: somebody may complete one at this moment, and their word counts.
    return FollowUp.objects.filter(pk__in=ids, status=FollowUp.Status.OPEN).update(
        status=FollowUp.Status.CANCELLED, closed_at=now, updated_at=now
    )
