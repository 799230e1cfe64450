"""How complaints go: by kind and by person, first-time resolution and how many steps were on time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from django.db.models import Aggregate, Count, F, FloatField, Q, QuerySet
from django.db.models.functions import Extract
from django.utils import timezone

from customers.models import Complaint
from followups.rules.variants import Rate, rate
from risk.complaints.lists import MET, missed
from risk.rules.complaint_policy import STEPS
from tenants.context import current_tenant

By = Literal["kind", "assignee"]
HOUR: Final = 3600


@dataclass(frozen=True)
class Line:
    """Complaints of one kind, or of one person; `key` is what the list is narrowed by ("" for nothing said).

    Hours are by the clock, from opening to the solution; None where nothing is solved. `on_time`: of the steps that
    have a clock and are done or over, how many were done in time.
    """

    key: str
    opened: int
    to_do: int
    late: int
    solved: int
    first: Rate
    reopened: int
    median: float | None
    ninety: float | None
    on_time: dict[str, Rate]


def lines(rows: QuerySet[Complaint], by: By, *, since: dt.date, until: dt.date) -> list[Line]:
    """Of the complaints that were opened in these days, one line for each kind or person, most first. One query."""
    tenant, now = current_tenant(), timezone.now()
    chosen = rows.filter(
        opened_at__gte=tenant.start_of(since), opened_at__lt=tenant.start_of(until + dt.timedelta(days=1))
    )
    solved = Q(solved_at__isnull=False)
    asked: dict[str, Any] = {
        "opened": Count("pk"),
        "to_do": Count("pk", filter=Q(due_at__isnull=False)),
        "overdue": Count("pk", filter=Q(due_at__lte=now)),
        "solved": Count("pk", filter=solved),
        "known": Count("pk", filter=solved & Q(first_time__isnull=False)),
        "first": Count("pk", filter=solved & Q(first_time=True)),
        "again": Count("pk", filter=Q(reopened__gt=0)),
        "median": _Percentile(Extract(F("solved_at") - F("opened_at"), "epoch"), share=0.5),
        "ninety": _Percentile(Extract(F("solved_at") - F("opened_at"), "epoch"), share=0.9),
    }
    for step in STEPS:
        done, due = MET[step]
        counted = Q(**{f"{due}__isnull": False}) & (Q(**{f"{done}__isnull": False}) | Q(**{f"{due}__lte": now}))
        asked[f"{step}_of"] = Count("pk", filter=counted)
        asked[f"{step}_missed"] = Count("pk", filter=counted & missed(step, now))
    found: list[dict[str, Any]] = list(chosen.order_by().values(by).annotate(**asked))
    return sorted((_line(row, by) for row in found), key=lambda each: (-each.opened, each.key))


def whole(found: Sequence[Line]) -> tuple[int, Rate]:
    """How many were opened, and the rate of first-time resolution, over all lines."""
    return sum(each.opened for each in found), rate(
        sum(each.first.hits for each in found), sum(each.first.of for each in found)
    )


def _line(row: dict[str, Any], by: By) -> Line:
    return Line(
        key=str(row[by] or ""),
        opened=row["opened"],
        to_do=row["to_do"],
        late=row["overdue"],
        solved=row["solved"],
        first=rate(row["first"], row["known"]),
        reopened=row["again"],
        median=None if row["median"] is None else row["median"] / HOUR,
        ninety=None if row["ninety"] is None else row["ninety"] / HOUR,
        on_time={step: rate(row[f"{step}_of"] - row[f"{step}_missed"], row[f"{step}_of"]) for step in STEPS},
    )


class _Percentile(Aggregate):
    """The value below which the share of values lies; null where there is none."""

    template = "PERCENTILE_CONT(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"

    def __init__(self, expression: Any, *, share: float) -> None:
        super().__init__(expression, output_field=FloatField(), share=share)
