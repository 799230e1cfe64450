"""Coverage: which touches that the cadence planned were made, and in time; and what the coming year asks for.

Both are read from the facts: a planned touch is a follow-up of the cadence, and it was made by the first contact of its
kind since the one that it counts from, however that came to be logged (docs/rules/followups.md).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import polars as pl
from django.db import connection
from django.db.models import (
    Case,
    CharField,
    F,
    FilteredRelation,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import TruncDate

from customers.frames import last_touches, living_customers
from customers.models import Customer, Interaction
from followups.landing import room_of_members
from followups.models import FollowUp
from followups.nightly import under_cadence
from followups.rules import cadence
from followups.rules.policy import CadencePolicy
from followups.rules.spread import Planned, Wanted, plan_ahead
from tenants.calendars import firm_calendar
from tenants.context import current_tenant
from tenants.models import Member
from tenants.policies import active_policy

State = Literal["in_time", "late", "missed", "ahead"]
STATES: Final[tuple[State, ...]] = ("in_time", "late", "missed", "ahead")

YEAR_DAYS: Final = 365
MOST_CUSTOMERS: Final = 20_000
"""A year is planned while somebody waits for so many customers at most."""


class _CountsFrom(Func):
    """The moment from which a contact makes a planned touch: when the day of the last one was over.

    A first touch ("start") had none before it, so any contact makes it.
    """

    def as_sql(self, compiler: Any, connection: Any, **_context: Any) -> tuple[str, list[Any]]:  # type: ignore[override]  # returns a list, as all of them do
        period, params = compiler.compile(self.source_expressions[0])
        sql = (
            f"CASE WHEN {period} ~ '^[0-9]+-[0-9]+-[0-9]+$' THEN (({period})::date + 1)::timestamp AT TIME ZONE %s "
            "ELSE '-infinity'::timestamptz END"
        )
        return sql, [*params, *params, current_tenant().timezone]


def planned_touches(member: Member | None) -> QuerySet[Any]:
    """The cadence's follow-ups of the customers that a member sees (None: of all), with `touched_on`, `tier` and `state`.

    `touched_on` is the local day of the contact that made the touch, null for none; `tier` today's of the customer.
    Closed customers, and what was withdrawn without a contact, are left out: nobody had to be touched.
    """
    tenant = current_tenant()
    made = Interaction.objects.filter(
        customer=OuterRef("customer"), kind=OuterRef("kind"), at__gte=OuterRef("counts_from")
    )
    seen = FollowUp.objects.all() if member is None else FollowUp.objects.visible_to(member)
    rows: QuerySet[Any] = seen.filter(rule__startswith="cadence:", customer__closed_on__isnull=True)
    own = Q(customer__standings__tenant_id=tenant.pk)
    touched = TruncDate(Subquery(made.order_by("at").values("at")[:1]), tzinfo=tenant.zone)
    in_time = Q(touched_on__lte=F("due_on"))
    return (
        rows.annotate(
            counts_from=_CountsFrom(F("period")),
            standing=FilteredRelation("customer__standings", condition=own),
            tier=F("standing__tier"),
        )
        .annotate(touched_on=touched)
        .exclude(status=FollowUp.Status.CANCELLED, touched_on__isnull=True)
        .annotate(
            state=Case(
                When(in_time, then=Value("in_time")),
                When(touched_on__isnull=False, then=Value("late")),
                When(due_on__lt=tenant.today(), then=Value("missed")),
                default=Value("ahead"),
                output_field=CharField(),
            )
        )
    )


@dataclass(frozen=True)
class Line:
    """How many touches of a tier and A owner were planned in a stretch, and how many were made, by whomever.

    Whoever covers, or was given one, helps the owner's coverage: it is about their customers.
    """

    tier: str
    person: int | None
    in_time: int
    late: int
    missed: int
    ahead: int

    @property
    def due(self) -> int:
        """Those that had to be made by now."""
        return self.in_time + self.late + self.missed

    @property
    def share(self) -> float | None:
        """Made in time, of those that had to be made; None when none had to."""
        return self.in_time / self.due if self.due else None

    def __add__(self, other: Line) -> Line:
        return Line(
            self.tier,
            self.person,
            self.in_time + other.in_time,
            self.late + other.late,
            self.missed + other.missed,
            self.ahead + other.ahead,
        )


def coverage(member: Member | None, first: dt.date, last: dt.date) -> list[Line]:
    """The planned touches due from `first` to `last`, both included, by tier and person, in one question.

    Of the customers that a member sees; None: of all.
    """
    rows = planned_touches(member).filter(due_on__gte=first, due_on__lte=last).order_by()
    sql, params = rows.values_list("tier", "owner_a", "state").query.sql_with_params()
    with connection.cursor() as cursor:
        counts = ", ".join("count(*) FILTER (WHERE state = %s)" for _state in STATES)
        # OFFSET 0: each row's contact is looked for once.
        cursor.execute(
            f"SELECT tier, person, {counts} FROM ({sql} OFFSET 0) AS planned (tier, person, state) GROUP BY tier, person",
            [*STATES, *params],
        )
        return [Line(tier or "", person, *numbers) for tier, person, *numbers in cursor.fetchall()]


# ── the coming year ─────────────────────────────────────────────────────────


class TooManyError(ValueError):
    """More customers than a year is planned for while somebody waits."""


@dataclass(frozen=True)
class YearPlan:
    """All touches that the cadence asks for from a day on, on the days on which they land; `room` a day by person."""

    first: dt.date
    last: dt.date
    customers: int
    touches: list[Planned]
    room: dict[int, int]
    working_days: list[dt.date]


def plan_year(member: Member, *, person: Member | None = None, days: int = YEAR_DAYS) -> YearPlan:
    """Plan the coming days for the customers that a member sees, or those of them that a person owns.

    As the night would place them, were each touch made on its day. Raises TooManyError.
    """
    policy = active_policy()
    rules, calendar, today = policy.section(CadencePolicy), firm_calendar(policy), current_tenant().today()
    seen: QuerySet[Any] = Customer.objects.visible_to(member).filter(closed_on__isnull=True)
    if person is not None:
        seen = seen.filter(owner_a=person)
    ids = list(seen.order_by("pk").values_list("pk", flat=True)[: MOST_CUSTOMERS + 1])
    if len(ids) > MOST_CUSTOMERS:
        raise TooManyError
    first = calendar.on_or_after(today)
    room = room_of_members(rules, calendar)
    touches = plan_ahead(starts_of(ids, rules, today), calendar, first, days, room)
    last = first + dt.timedelta(days=days - 1)
    return YearPlan(first, last, len(ids), touches, room, calendar.working_days(first, last))


def starts_of(ids: Sequence[int], rules: CadencePolicy, today: dt.date) -> list[Wanted]:
    """The next touch of each of these customers and kind, those that waited longest first."""
    if not ids:
        return []
    planned = cadence.plan(under_cadence(ids), last_touches(today + dt.timedelta(days=1), ids), rules)
    far = today + dt.timedelta(days=10 * 365)
    wanted = cadence.due(planned, rules, far)
    rows = (
        wanted.join(planned.select("customer_id", "kind", "tier", "last_touch_on", "since"), on=["customer_id", "kind"])
        .join(cadence.intervals(rules), on=["tier", "kind"])
        .join(living_customers(ids).select("customer_id", "owner_a_id"), on="customer_id", how="left")
        .sort("due_on", "last_touch_on", "customer_id", "kind", nulls_last=True)
    )
    came_late = pl.col("last_touch_on").is_not_null() & (pl.col("due_on") == pl.col("since"))
    columns = rows.select("customer_id", "kind", "owner_a_id", "due_on", "interval", came_late)
    return [Wanted(*each) for each in columns.iter_rows()]
