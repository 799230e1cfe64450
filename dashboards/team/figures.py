"""What a desk shows, by A owner: counted over the whole firm, once for everybody who looks.

In a big firm the night has counted it (dashboards/team/counting.py), else it is counted from the rows when asked for.
What people do today (follow-ups, reds, crises) is always read from the rows.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Final

import polars as pl
from django.db.models import Case as Choose
from django.db.models import CharField, Count, F, FilteredRelation, Min, Q, Sum, Value, When

from customers.models import Customer
from customers.tallies import Cells
from dashboards.team.crew import SPANS, Crew
from dashboards.team.lapses import lapsed_between
from followups.cover import coverage
from followups.models import Absence, FollowUp
from followups.rules.policy import CadencePolicy
from health.models import Band, BandCount, HealthTally
from risk.models import Case, Incident, IncidentClock
from segmentation.figures import tier_moves
from segmentation.rules.policy import TierPolicy
from segmentation.rules.rfm import window_start
from segmentation.rules.sales import add_months
from tenants.base import POINTS
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.models import Member
from tenants.policies import active_policy
from tenants.querysets import nights_done

LOAD_DAYS: Final = 7
"""The load is what is due in so many days from today on, what is late included."""

LAPSE_MONTHS: Final = 12

CAUSE_DAYS: Final = 365


# ── counted for the firm, by A owner ────────────────────────────────────────


def moves_start(as_of: dt.date, days: int) -> dt.date:
    """The day that moves of a span are counted from: its first, or that of the first night, before which nobody had a tier."""
    start = as_of - dt.timedelta(days=days)
    first = nights_done().order_by("for_date").values_list("for_date", flat=True).first()
    return start if first is None else min(max(start, first), as_of)


def count_moves(as_of: dt.date, days: int) -> Cells:
    """owner, before, after, customers and money (points) of `segmentation.figures.migration` since `moves_start`."""
    months = active_policy().section(TierPolicy).window_months
    moved = tier_moves(moves_start(as_of, days), as_of, window_start(as_of, months), by_owners=True)
    return (
        moved.group_by("owner_a_id", "before", "after")
        .agg(pl.col("customers").sum(), pl.col("money").sum())
        .rename({"owner_a_id": "owner"})
        .sort("owner", "before", "after", nulls_last=True)
        .to_dicts()
    )


def count_coverage(as_of: dt.date, days: int) -> Cells:
    """owner, tier, in_time, late and missed of the planned touches due in the full days before a night."""
    lines = coverage.coverage(None, as_of - dt.timedelta(days=days), as_of - dt.timedelta(days=1))
    return [
        {"owner": line.person, "tier": line.tier, "in_time": line.in_time, "late": line.late, "missed": line.missed}
        for line in lines
    ]


def count_lapses(as_of: dt.date) -> Cells:
    """owner, month, why, customers and money (points) of the lapses since the month eleven before that of a day."""
    rules = active_policy().section(TierPolicy)
    joined = Customer.objects.annotate(
        standing=FilteredRelation("standings", condition=Q(standings__tenant_id=current_tenant().pk))
    )
    rows: Any = lapsed_between(joined, first_month(as_of), as_of, rules.lapsed_days).order_by()
    found: defaultdict[tuple[int | None, dt.date, str], list[Any]] = defaultdict(lambda: [0, Decimal(0)])
    for owner, day, why, money in rows.values_list("owner_a", "lapsed_on", "lapse_class", "lapse_money").iterator():
        cell = found[owner, day.replace(day=1), why]
        cell[0] += 1
        cell[1] += money
    return [
        {"owner": owner, "month": str(month), "why": why, "customers": number, "money": int(money * POINTS)}
        for (owner, month, why), (number, money) in found.items()
    ]


def first_month(as_of: dt.date) -> dt.date:
    """The first of the LAPSE_MONTHS months that a desk shows: that of a day is the last."""
    return add_months(as_of, 1 - LAPSE_MONTHS)


def count_forecast(_as_of: dt.date) -> Cells:
    """owner, tier, customers, expected and at_risk (points, of the next 12 months) of those with a forecast."""
    tenant_id = current_tenant().pk
    return read_frame(
        """
        SELECT c.owner_a_id, COALESCE(s.tier, ''), count(*), COALESCE(sum(f.expected_money), 0)::bigint,
               COALESCE(sum(f.money_at_risk), 0)::bigint
        FROM health_lapseforecast f
        JOIN customers_customer c ON c.tenant_id = %s AND c.id = f.customer_id
        LEFT JOIN segmentation_standing s ON s.tenant_id = %s AND s.customer_id = f.customer_id
        WHERE f.tenant_id = %s AND f.percent IS NOT NULL AND c.closed_on IS NULL GROUP BY 1, 2
        """,
        [tenant_id] * 3,
        schema={"owner": pl.Int64, "tier": pl.String, "customers": pl.Int64, "expected": pl.Int64, "at_risk": pl.Int64},
    ).to_dicts()


COUNTED: Final[Mapping[str, Callable[[dt.date], Cells]]] = {
    **{f"desk-moves-{days}": partial(count_moves, days=days) for days in SPANS.values()},
    **{f"desk-cover-{days}": partial(count_coverage, days=days) for days in SPANS.values()},
    "desk-lapses": count_lapses,
    "desk-forecast": count_forecast,
}
"""What the night counts, by the name of its tally."""


def counted(names: Sequence[str], as_of: dt.date) -> dict[str, Cells]:
    """The cells of figures as of a night, by name: as the night has counted them, else from the rows; one query where it has."""
    kept = HealthTally.objects.filter(figure__in=names, member=None, team=None, on=as_of)
    found: dict[str, Cells] = dict(kept.values_list("figure", "cells"))
    return {name: found[name] if name in found else known_figures()[name](as_of) for name in names}


def known_figures() -> Mapping[str, Callable[[dt.date], Cells]]:
    """Every figure that can be counted ahead, the firm's own too."""
    from dashboards.team.executive import COUNTED as OF_THE_FIRM  # it reads what stands here

    return {**COUNTED, **OF_THE_FIRM}


# ── tiers ───────────────────────────────────────────────────────────────────

Pair = tuple[str, str]


def moves_of(cells: Cells, crew: Crew) -> dict[Pair, tuple[int, Decimal]]:
    """Customers and money by tier before and after."""
    found: defaultdict[Pair, list[int]] = defaultdict(lambda: [0, 0])
    for cell in crew.of(cells):
        sums = found[cell["before"], cell["after"]]
        sums[0] += cell["customers"]
        sums[1] += cell["money"]
    return {pair: (count, Decimal(money) / POINTS) for pair, (count, money) in found.items()}


def tiers_of(cells: Cells) -> dict[int | None, dict[str, int]]:
    """How many customers of which tier each A owner has now, out of the moves."""
    found: defaultdict[int | None, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for cell in cells:
        found[cell["owner"]][cell["after"]] += cell["customers"]
    return {owner: dict(tiers) for owner, tiers in found.items()}


# ── coverage ────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Covered:
    """Planned touches that had to be made, and how many were made in time."""

    in_time: int = 0
    due: int = 0

    @property
    def share(self) -> float | None:
        """In time, of those that had to be made; None when none had to."""
        return self.in_time / self.due if self.due else None

    def __add__(self, other: Covered) -> Covered:
        return Covered(self.in_time + other.in_time, self.due + other.due)


def coverage_by(cells: Cells, key: str) -> dict[Any, Covered]:
    """The coverage of cells of `count_coverage` by "tier" or "owner"."""
    found: defaultdict[Any, Covered] = defaultdict(Covered)
    for cell in cells:
        found[cell[key]] += Covered(cell["in_time"], cell["in_time"] + cell["late"] + cell["missed"])
    return dict(found)


# ── load ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Load:
    """What a person has to do in the coming LOAD_DAYS days, and how much there is room for in a week."""

    person: Member
    load: int
    capacity: int
    overdue: int
    oldest: dt.date | None
    reds: int
    away_until: dt.date | None

    @property
    def is_over(self) -> bool:
        return self.load > self.capacity


def loads(crew: Crew, today: dt.date) -> list[Load]:
    """The load of everybody who can be given work, by name: open follow-ups assigned to them, whoever's the customers are."""
    people = crew.people
    ids = [person.pk for person in people]
    weekly = active_policy().section(CadencePolicy).weekly_capacity
    last = today + dt.timedelta(days=LOAD_DAYS - 1)
    rows = (
        FollowUp.objects.filter(status=FollowUp.Status.OPEN, assignee__in=ids, day__lte=last)
        .order_by()
        .values_list("assignee")
        .annotate(
            Count("pk"),
            overdue=Count("pk", filter=Q(day__lt=today)),
            oldest=Min("day", filter=Q(day__lt=today)),
        )
    )
    work = {person: (load, overdue, oldest) for person, load, overdue, oldest in rows}
    bands = BandCount.objects.filter(owner_a__in=ids, band=Band.RED).order_by().values_list("owner_a")
    reds: dict[int, int] = dict(bands.annotate(Sum("customers")))
    away = Absence.objects.filter(member__in=ids, settled_at__isnull=True, first__lte=today, last__gte=today)
    until: dict[int, dt.date] = dict(away.order_by("last").values_list("member", "last"))
    found = []
    for person in people:
        load, overdue, oldest = work.get(person.pk, (0, 0, None))
        capacity = weekly if person.weekly_capacity is None else person.weekly_capacity
        found.append(Load(person, load, capacity, overdue, oldest, reds.get(person.pk, 0), until.get(person.pk)))
    return found


def reds_of(crew: Crew) -> tuple[int, Decimal]:
    """How many customers are red, and what they brought in the tiers' window."""
    rows = BandCount.objects.filter(crew.owned(), band=Band.RED)
    sums = rows.aggregate(customers=Sum("customers"), money=Sum("net"))
    return sums["customers"] or 0, sums["money"] or Decimal(0)


# ── crises ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class ClockCell:
    """The clocks of a kind and level: how many have ended, and how many of them were met in time."""

    met: int = 0
    ended: int = 0

    @property
    def late(self) -> int:
        return self.ended - self.met


def clocks(
    crew: Crew, first: dt.date, now: dt.datetime, end: dt.date | None = None
) -> dict[tuple[str, str], ClockCell]:  # fmt: skip
    """By level and kind, the clocks of the crises opened since a day; drills and what a level no longer asks for aside.

    `end`: only of those opened before that day.
    """
    found = clock_rows(IncidentClock.objects.all(), now).filter(
        crew.owned("incident__customer__owner_a"), incident__opened_at__gte=current_tenant().start_of(first)
    )
    if end is not None:
        found = found.filter(incident__opened_at__lt=current_tenant().start_of(end))
    counted_rows = (
        found.exclude(state="running")
        .order_by()
        .values_list("incident__level", "kind")
        .annotate(met=Count("pk", filter=Q(state="met")), ended=Count("pk"))
    )
    return {(level, kind): ClockCell(met, ended) for level, kind, met, ended in counted_rows}


def clock_rows(rows: Any, now: dt.datetime) -> Any:
    """Clocks with `state` (met, late or running): late is what was met after its deadline, or has not been met by it."""
    late = Q(met_at__gt=F("deadline_at")) | Q(met_at__isnull=True, deadline_at__lt=now)
    return (
        rows.filter(incident__is_drill=False, dropped_at__isnull=True)
        .annotate(
            state=Choose(
                When(late, then=Value("late")),
                When(met_at__isnull=False, then=Value("met")),
                default=Value("running"),
                output_field=CharField(),
            )
        )
        .exclude(state="running", incident__closed_at__isnull=False)
    )


@dataclass(frozen=True)
class Running:
    """An open crisis, and the clock that runs out next."""

    incident: Incident
    clock: IncidentClock | None


def running(crew: Crew) -> list[Running]:
    """The open crises, the nearest clock first."""
    rows = (
        Incident.objects.filter(crew.owned("customer__owner_a"), closed_at__isnull=True, is_drill=False)
        .select_related("customer")
        .prefetch_related("clocks")
    )
    found = []
    for incident in rows:
        waiting = [
            clock
            for clock in incident.clocks.all()
            if clock.met_at is None and clock.dropped_at is None and clock.deadline_at is not None
        ]
        found.append(Running(incident, min(waiting, key=lambda clock: clock.deadline_at, default=None)))
    far = dt.datetime.max.replace(tzinfo=dt.UTC)
    return sorted(found, key=lambda each: each.clock.deadline_at if each.clock and each.clock.deadline_at else far)


# ── lapses and causes ───────────────────────────────────────────────────────


@dataclass(frozen=True)
class Lapses:
    """The lapses of a month: customers and money by class."""

    month: dt.date
    customers: Mapping[str, int]
    money: Decimal

    @property
    def total(self) -> int:
        return sum(self.customers.values())


def lapses_of(cells: Cells, crew: Crew, as_of: dt.date) -> list[Lapses]:
    """The last LAPSE_MONTHS months, oldest first; the last one as far as it has gone."""
    counts: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    money: defaultdict[str, int] = defaultdict(int)
    for cell in crew.of(cells):
        counts[cell["month"]][cell["why"]] += cell["customers"]
        money[cell["month"]] += cell["money"]
    months = [add_months(as_of, -ago) for ago in range(LAPSE_MONTHS - 1, -1, -1)]
    return [Lapses(month, dict(counts[str(month)]), Decimal(money[str(month)]) / POINTS) for month in months]


@dataclass(frozen=True)
class CauseLine:
    """Closed cases of a cause: how many, how many of the customers were kept or came back, and the money lost for good."""

    cause: str
    cases: int
    saved: int
    won_back: int
    lost: Decimal

    @property
    def good(self) -> int:
        """Kept, or won back."""
        return self.saved + self.won_back


def causes(crew: Crew, as_of: dt.date) -> list[CauseLine]:
    """The causes in the case library of a year, most cases first; false alarms aside."""
    lost = Q(outcome=Case.Outcome.LOST)
    rows = (
        Case.objects.filter(
            crew.owned("customer__owner_a"), closed_on__gt=as_of - dt.timedelta(days=CAUSE_DAYS), closed_on__lte=as_of
        )
        .exclude(outcome=Case.Outcome.FALSE_ALARM)
        .order_by()
        .values_list("cause")
        .annotate(
            cases=Count("pk"),
            saved=Count("pk", filter=Q(outcome=Case.Outcome.SAVED)),
            back=Count("pk", filter=lost & Q(won_back_on__isnull=False)),
            money=Sum("money", filter=lost & Q(won_back_on__isnull=True)),
        )
    )
    found = [CauseLine(cause, cases, saved, back, money or Decimal(0)) for cause, cases, saved, back, money in rows]
    return sorted(found, key=lambda line: (line.cause == "", -line.cases, line.cause))


# ── forecast ────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Expected:
    """What the customers of a tier are expected to buy in the next 12 months, and what of it is at risk."""

    customers: int = 0
    expected: Decimal = Decimal(0)
    at_risk: Decimal = Decimal(0)

    def __add__(self, other: Expected) -> Expected:
        return Expected(self.customers + other.customers, self.expected + other.expected, self.at_risk + other.at_risk)

    @property
    def kept(self) -> Decimal:
        """What is expected to come."""
        return self.expected - self.at_risk


def forecast_of(cells: Cells, crew: Crew) -> dict[str, Expected]:
    """By tier."""
    found: defaultdict[str, Expected] = defaultdict(Expected)
    for cell in crew.of(cells):
        found[cell["tier"]] += Expected(
            cell["customers"], Decimal(cell["expected"]) / POINTS, Decimal(cell["at_risk"]) / POINTS
        )
    return dict(found)
