"""The days on which the cadence's touches land: working days with room, by what everybody has to do already."""

from __future__ import annotations

import datetime as dt

import polars as pl
from django.db.models import Count

from followups.models import FollowUp
from followups.rules import cadence
from followups.rules.policy import CadencePolicy
from followups.rules.spread import Desks, Person, Wanted, room_a_day
from tenants.models import Member
from tenants.rules.calendar import Calendar


def landed(
    wanted: pl.DataFrame,
    planned: pl.DataFrame,
    owners: pl.DataFrame,
    rules: CadencePolicy,
    calendar: Calendar,
    as_of: dt.date,
) -> pl.DataFrame:
    """`wanted` (as from cadence.due, not raised yet) with the day that each lands on as due_on, and its interval.

    `planned` as from cadence.plan; `owners`: customer_id and owner_a_id. Of one day those who waited longest choose
    first. Parts of one night do not see each other's: each lays its own on top of what was there before the night.
    """
    known = ["customer_id", "kind"]
    rows = (
        wanted.join(planned.select(*known, "tier", "last_touch_on", "since"), on=known)
        .join(cadence.intervals(rules), on=["tier", "kind"])
        .join(owners.select("customer_id", "owner_a_id"), on="customer_id", how="left")
        .sort("due_on", "last_touch_on", "customer_id", "kind", nulls_last=True)
    )
    desks = Desks(calendar, as_of, _last(rows, as_of), room_of_members(rules, calendar), taken(as_of))
    came_late = pl.col("last_touch_on").is_not_null() & (pl.col("due_on") == pl.col("since"))
    days = [
        desks.place(Wanted(*each))
        for each in rows.select("customer_id", "kind", "owner_a_id", "due_on", "interval", came_late).iter_rows()
    ]
    return rows.with_columns(due_on=pl.Series(days, dtype=pl.Date)).select(*wanted.columns, "interval")


def room_of_members(rules: CadencePolicy, calendar: Calendar) -> dict[int, int]:
    """How many touches a day each active member has room for, by their own week or the policy's."""
    weekly = Member.objects.filter(is_active=True).values_list("pk", "weekly_capacity")
    return {pk: room_a_day(rules.weekly_capacity if own is None else own, calendar) for pk, own in weekly}


def _last(rows: pl.DataFrame, as_of: dt.date) -> dt.date:
    """A day that none of them can land after."""
    on, interval = rows.get_column("due_on").max(), rows.get_column("interval").max()
    latest = max(on, as_of) if isinstance(on, dt.date) else as_of
    return latest + dt.timedelta(days=interval if isinstance(interval, int) else 0)


def taken(as_of: dt.date) -> dict[tuple[Person, dt.date], int]:
    """How many open follow-ups each person has on each day from a day on.

    Rows are counted, not their numbers, which the index of the queues does not hold: it answers alone.
    """
    rows = FollowUp.objects.filter(status=FollowUp.Status.OPEN, assignee__isnull=False, day__gte=as_of)
    counted = rows.order_by().values_list("assignee", "day").annotate(number=Count("*"))
    return {(person, day): number for person, day, number in counted}
