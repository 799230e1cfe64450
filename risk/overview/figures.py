"""Risk in numbers: what is open and what it is worth, how soon it was answered, who was lost and why.

Read from the alerts as they are now; every number is the number of rows that its link opens on the alerts board.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, F, Max, Q, QuerySet
from django.db.models.functions import TruncMonth
from django.utils import timezone

from risk.alerts.filters import answered_in_time
from risk.models import Alert
from risk.rules.alert_figures import Passed, percentile
from risk.rules.alerts import LEVELS
from tenants.calendars import firm_calendar
from tenants.context import current_tenant
from tenants.models import Member
from tenants.rules.calendar import NeverOpensError

DAYS: Final = (30, 90, 365)
MONTHS: Final = 12
MOST_TIMED: Final = 50_000
"""So many answers of a time are measured for the percentiles; of more, the newest."""

CLASSES: Final = tuple(Alert.RiskClass.values)


@dataclass(frozen=True)
class Cell:
    """Open alerts of a class and level, and the yearly money of their customers, each counted once."""

    alerts: int = 0
    money: Decimal = Decimal(0)


@dataclass(frozen=True)
class Clock:
    """How alerts opened in a stretch were answered: by their clock, late, still running, or none was needed.

    `p50` and `p90` are the business time to the first action that half, and nine of ten, did not exceed.
    """

    level: str
    in_time: int
    late: int
    running: int
    needless: int
    p50: dt.timedelta | None = None
    p90: dt.timedelta | None = None

    @property
    def judged(self) -> int:
        """Those whose clock has a verdict."""
        return self.in_time + self.late

    @property
    def share(self) -> float | None:
        """Of those with a verdict, how many were answered in time; None without any."""
        return self.in_time / self.judged if self.judged else None


@dataclass(frozen=True)
class Month:
    """Customers lost in a month, by closed alerts: how many alerts by cause ("" for none said), and their money."""

    first: dt.date
    last: dt.date
    causes: Mapping[str, int]
    customers: int
    money: Decimal

    @property
    def alerts(self) -> int:
        return sum(self.causes.values())


@dataclass(frozen=True)
class Overview:
    """All of it, as of a moment."""

    at: dt.datetime
    cells: Mapping[tuple[str, str], Cell]
    customers: int
    money: Decimal
    late: int
    snoozed: int
    opened_from: dt.date
    opened_to: dt.date
    clocks: Sequence[Clock]
    total: Clock
    months: Sequence[Month]
    causes: Sequence[str] = field(default_factory=tuple)

    @property
    def alerts(self) -> int:
        return sum(cell.alerts for cell in self.cells.values())

    def of_class(self, risk_class: str) -> Cell:
        """All levels of a class; a customer with alerts of two levels counts with its money in both."""
        found = [cell for (name, _level), cell in self.cells.items() if name == risk_class]
        return Cell(sum(cell.alerts for cell in found), sum((cell.money for cell in found), Decimal(0)))


def overview(member: Member, *, days: int) -> Overview:
    """What the member sees of risk: open now, answered in the last `days`, lost in the last months."""
    now, tenant = timezone.now(), current_tenant()
    seen = Alert.objects.visible_to(member)
    is_open = seen.filter(closed_on__isnull=True)
    today = tenant.today()
    since = today - dt.timedelta(days=days - 1)
    clocks, total = clocks_of(seen.filter(opened_on__gte=since, opened_on__lte=today))
    months = _months(seen, today)
    worth = _worth(is_open)
    return Overview(
        at=now,
        cells=_cells(is_open),
        customers=worth[0],
        money=worth[1],
        late=is_open.filter(answered_in_time(in_time=False)).count(),
        snoozed=is_open.filter(snoozed_until__gt=now).count(),
        opened_from=since,
        opened_to=today,
        clocks=clocks,
        total=total,
        months=months,
        causes=_causes(months),
    )


def _cells(rows: QuerySet[Any]) -> dict[tuple[str, str], Cell]:
    # A customer with two alerts of one kind is at risk once.
    by_customer = (
        rows.order_by().values("risk_class", "level", "customer_id").annotate(alerts=Count("pk"), worth=Max("money"))
    )
    found: dict[tuple[str, str], list[Any]] = defaultdict(lambda: [0, Decimal(0)])
    for row in by_customer.iterator(chunk_size=5_000):
        cell = found[row["risk_class"], row["level"]]
        cell[0] += row["alerts"]
        cell[1] += row["worth"] or Decimal(0)
    return {(name, level): Cell(*found[name, level]) for name in CLASSES for level in LEVELS}


def _worth(rows: QuerySet[Any]) -> tuple[int, Decimal]:
    """Customers with an open alert, and their yearly money, each once."""
    by_customer = rows.order_by().values("customer_id").annotate(worth=Max("money"))
    found = [row["worth"] or Decimal(0) for row in by_customer.iterator(chunk_size=5_000)]
    return len(found), sum(found, Decimal(0))


def clocks_of(rows: QuerySet[Any]) -> tuple[list[Clock], Clock]:
    """How alerts were answered by their clocks, the heaviest level first, and all of them together."""
    in_time, late = answered_in_time(in_time=True), answered_in_time(in_time=False)
    counted = (
        rows.order_by()
        .values("level")
        .annotate(
            opened=Count("pk"),
            good=Count("pk", filter=in_time),
            bad=Count("pk", filter=late),
            waiting=Count("pk", filter=Q(closed_on__isnull=True) & ~in_time & ~late),
        )
    )
    by_level = {row["level"]: row for row in counted}
    times = _times(rows)

    def clock(level: str, of: Sequence[str]) -> Clock:
        found = [by_level[each] for each in of if each in by_level]
        good, bad, waiting, opened = (sum(row[name] for row in found) for name in ("good", "bad", "waiting", "opened"))
        taken = [time for each in of for time in times.get(each, [])]
        return Clock(
            level, good, bad, waiting, opened - good - bad - waiting, percentile(taken, 0.5), percentile(taken, 0.9)
        )

    return [clock(level, [level]) for level in reversed(LEVELS)], clock("", LEVELS)


def _times(rows: QuerySet[Any]) -> dict[str, list[dt.timedelta]]:
    """By level, the business time from opening to the first action of those that had one."""
    answered = rows.filter(first_action_at__gte=F("opened_at")).order_by("-opened_at", "-pk")
    pairs = list(answered.values_list("level", "opened_at", "first_action_at")[:MOST_TIMED])
    if not pairs:
        return {}
    first, last = min(opened for _level, opened, _at in pairs), max(at for _level, _opened, at in pairs)
    try:
        passed = Passed(firm_calendar().openings(first, last))
    except NeverOpensError:
        passed = Passed([(first, last)])
    found: dict[str, list[dt.timedelta]] = defaultdict(list)
    for level, opened, at in pairs:
        found[level].append(passed.between(opened, at))
    return found


def _months(seen: QuerySet[Any], today: dt.date) -> list[Month]:
    firsts = [_month(today, back) for back in range(MONTHS - 1, -1, -1)]
    lost = seen.filter(outcome=Alert.Outcome.LOST, closed_on__gte=firsts[0], closed_on__lte=today).order_by()
    by_month = lost.annotate(month=TruncMonth("closed_on"))
    causes: dict[dt.date, dict[str, int]] = defaultdict(dict)
    for row in by_month.values("month", "cause").annotate(alerts=Count("pk")):
        causes[row["month"]][row["cause"]] = row["alerts"]
    customers: dict[dt.date, int] = defaultdict(int)
    money: dict[dt.date, Decimal] = defaultdict(Decimal)
    for row in by_month.values("month", "customer_id").annotate(worth=Max("money")).iterator(chunk_size=5_000):
        customers[row["month"]] += 1
        money[row["month"]] += row["worth"] or Decimal(0)
    return [Month(first, _month_end(first), causes.get(first, {}), customers[first], money[first]) for first in firsts]


def _causes(months: Sequence[Month]) -> tuple[str, ...]:
    """The causes that were said in these months, the most frequent first; "" last."""
    found: dict[str, int] = defaultdict(int)
    for month in months:
        for cause, number in month.causes.items():
            found[cause] += number
    return tuple(sorted(found, key=lambda cause: (cause == "", -found[cause], cause)))


def _month(today: dt.date, back: int) -> dt.date:
    number = today.year * 12 + today.month - 1 - back
    return dt.date(number // 12, number % 12 + 1, 1)


def _month_end(first: dt.date) -> dt.date:
    return _month(first, -1) - dt.timedelta(days=1)
