"""Did it help? What came of a playbook's runs, with intervals, and beside it those who were held out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from django.db.models import BigIntegerField, Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from customers.models import Order
from followups.rules.variants import Rate, rate
from risk.models import Playbook, PlaybookRun
from risk.playbooks.services import versions_of
from risk.rules.playbooks import Definition, Help, did_it_help
from tenants.context import current_tenant
from tenants.models import Member

Cases = Literal["signal", "held", "hand", "early"]
CASES: Final[tuple[Cases, ...]] = get_args(Cases)
"""signal: begun by itself, and looked at long enough ago; held: held out; hand: begun by hand; early: too soon to say."""

RECENT_DAYS: Final = 90
"""Runs under the heads "ended" are those of so many days."""


def recent_from() -> dt.date:
    """The first of the last RECENT_DAYS days, today's own included."""
    return current_tenant().today() - dt.timedelta(days=RECENT_DAYS - 1)


_COUNTS: Final = ~Q(why__in=[PlaybookRun.Why.UNDONE, PlaybookRun.Why.STARTED])
"""A start that was taken back is no case; nor is somebody held out for whom it was begun after all."""

_HELD: Final = Q(status=PlaybookRun.Status.HELD)


def of_cases(cases: Cases, rules: Definition, now: dt.datetime) -> Q:
    """The runs that count as such cases by what a playbook says now."""
    looked_at = Q(started_at__lte=now - dt.timedelta(days=rules.measure_days))
    if cases == "early":
        return _COUNTS & ~looked_at
    if cases == "held":
        return _COUNTS & looked_at & _HELD
    by_hand = Q(member__isnull=False)
    return _COUNTS & looked_at & ~_HELD & (by_hand if cases == "hand" else ~by_hand)


def with_helped(rows: QuerySet[Any], rules: Definition) -> QuerySet[Any]:
    """`rows` (runs of one playbook) annotated with `helped`, by its measure.

    order: an order was placed within `measure_days` of the start. spend: the net money of so many days from the start is
    not less than that of as many days before, and is some.
    """
    span = dt.timedelta(days=rules.measure_days)
    placed = Order.objects.filter(customer=OuterRef("customer_id"), status=Order.Status.PLACED)
    after = placed.filter(placed_at__gt=OuterRef("started_at"), placed_at__lt=OuterRef("started_at") + span)
    if rules.measure == "order":
        return rows.annotate(helped=Exists(after.filter(kind=Order.Kind.ORDER)))
    before = placed.filter(placed_at__lte=OuterRef("started_at"), placed_at__gt=OuterRef("started_at") - span)
    earned = rows.annotate(net_after=_net(after), net_before=_net(before))
    enough = Q(net_after__gt=0, net_after__gte=F("net_before"))
    return earned.annotate(helped=Case(When(enough, then=Value(True)), default=Value(False)))


def _net(orders: QuerySet[Order]) -> Any:
    """The net money of some orders of each row, in points."""
    points = orders.order_by().values("customer_id").annotate(points=Sum("net", output_field=BigIntegerField()))
    return Coalesce(Subquery(points.values("points"), output_field=BigIntegerField()), 0)


@dataclass(frozen=True)
class Figures:
    """What came of a playbook: by signals beside those held out (`help`), begun by hand, and how many it is too early for."""

    help: Help
    by_hand: Rate
    early: int
    as_of: dt.datetime


def figures_of(playbook: Playbook, rules: Definition, member: Member, now: dt.datetime | None = None) -> Figures:
    """The figures of a playbook over the customers whom the member sees, judged by what it says now."""
    at = now or timezone.now()
    rows = with_helped(PlaybookRun.objects.visible_to(member).filter(playbook=playbook), rules)
    asked: dict[str, Any] = {}
    for cases in ("signal", "held", "hand"):
        which = of_cases(cases, rules, at)
        asked |= {cases: Count("pk", filter=which), f"{cases}_helped": Count("pk", filter=which & Q(helped=True))}
    found = rows.aggregate(**asked, early=Count("pk", filter=of_cases("early", rules, at)))

    def share(cases: str) -> Rate:
        return rate(found[f"{cases}_helped"], found[cases])

    return Figures(did_it_help(share("signal"), share("held")), share("hand"), found["early"], at)


@dataclass(frozen=True)
class Line:
    """A playbook in the list, with how many runs there are, and what came of those that ended lately."""

    row: Playbook
    rules: Definition
    active: int
    waiting: int
    saved: int
    lost: int
    others: int
    figures: Figures


def lines(member: Member, playbooks: Collection[Playbook] | None = None) -> list[Line]:
    """All playbooks (or some), the first to speak first; runs are those of customers whom the member sees."""
    rows = list(Playbook.objects.all() if playbooks is None else playbooks)
    versions, counts = versions_of(rows), _counts(member)
    empty = {"active": 0, "waiting": 0, "saved": 0, "lost": 0, "others": 0}
    found = []
    for row in rows:
        rules = versions[row.pk].rules
        figures = figures_of(row, rules, member)
        found.append(Line(row=row, rules=rules, figures=figures, **(empty | counts.get(row.pk, {}))))
    return sorted(found, key=lambda line: (line.rules.priority, line.row.code))


def _counts(member: Member) -> Mapping[int, dict[str, int]]:
    S = PlaybookRun.Status  # noqa: N806  # as it is called elsewhere
    lately = Q(ended_at__gte=current_tenant().start_of(recent_from())) & ~_HELD
    told = Q(outcome__in=[PlaybookRun.Outcome.SAVED, PlaybookRun.Outcome.LOST])
    rows = (
        PlaybookRun.objects.visible_to(member)
        .order_by()
        .values("playbook")
        .annotate(
            active=Count("pk", filter=Q(status=S.ACTIVE)),
            waiting=Count("pk", filter=Q(status=S.WAITING)),
            saved=Count("pk", filter=lately & Q(outcome=PlaybookRun.Outcome.SAVED)),
            lost=Count("pk", filter=lately & Q(outcome=PlaybookRun.Outcome.LOST)),
            others=Count("pk", filter=lately & ~told),
        )
    )
    return {row.pop("playbook"): row for row in rows}
