"""One customer's story, newest first: orders, contacts, complaints, answers, alerts, and what changed about it.

Every source is asked for the next few rows before a mark; the merged rows are cut to a page, and the last
one is the next mark. So a page costs the same however long the story is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any, Final, Literal, get_args

from django.core.exceptions import BadRequest
from django.db.models import Case, CharField, Count, F, Q, QuerySet, Subquery, Value, When, Window
from django.db.models.functions import Cast, Coalesce, RowNumber
from django.utils.translation import gettext as _

from customers.models import Complaint, Customer, Evidence, Interaction, Order, OrderLine, SurveyResponse
from dashboards.standings import change_in_words, rules_of
from health import history
from health.models import HealthHistory, Pulse
from risk.models import Alert
from segmentation.models import TierChange
from tenants.context import current_tenant
from tenants.models import Event, Member

Tab = Literal["all", "orders", "contacts", "alerts", "changes"]
TABS: Final[tuple[Tab, ...]] = get_args(Tab)
PAGE: Final = 20


@dataclass(frozen=True)
class Mark:
    """A place in the story: when, and among what happened at once, which source and row."""

    at: dt.datetime
    rank: int
    pk: int

    def __str__(self) -> str:
        return f"{self.at.timestamp():.6f}-{self.rank}-{self.pk}"

    @classmethod
    def parse(cls, text: str) -> Mark:
        """Raises BadRequest for what is not a mark."""
        try:
            at, rank, pk = text.split("-")
            return cls(dt.datetime.fromtimestamp(float(at), tz=dt.UTC), int(rank), int(pk))
        except (ValueError, OverflowError, OSError) as error:
            raise BadRequest(_("before is not a place in this timeline.")) from error


@dataclass(frozen=True)
class Item:
    """Something that happened. `row` is its fact; `more` what the words need besides."""

    kind: str
    at: dt.datetime
    rank: int
    row: Any
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mark(self) -> Mark:
        return Mark(self.at, self.rank, self.row.pk if isinstance(self.row.pk, int) else 0)

    @property
    def order(self) -> tuple[dt.datetime, int, int]:
        mark = self.mark
        return mark.at, mark.rank, mark.pk


@dataclass(frozen=True)
class Page:
    """A page of the story by month, and the mark of the next one."""

    months: list[tuple[dt.date, list[Item]]]
    next: Mark | None


def read(customer: Customer, tab: Tab, before: Mark | None, member: Member) -> Page:
    """The page of the story that lies before a mark; the newest without one.

    Customers who came by a referral are named to who sees them.
    """
    items = [item for source in _OF_TAB[tab] for item in source(customer, before)]
    items.sort(key=attrgetter("order"), reverse=True)
    page = _with_referred(_with_baskets(items[:PAGE]), member)
    zone = current_tenant().zone
    by_month = groupby(page, key=lambda item: item.at.astimezone(zone).date().replace(day=1))
    months = [(month, list(found)) for month, found in by_month]
    return Page(months, page[-1].mark if len(items) > PAGE else None)


def count(customer: Customer) -> dict[Tab, int]:
    """How much each tab holds; one query beside that of the health history."""
    sources = {
        "orders": Order.objects.all(),
        "interactions": Interaction.objects.all(),
        "complaints": Complaint.objects.all(),
        "responses": SurveyResponse.objects.all(),
        "alerts": Alert.objects.all(),
        "tiers": TierChange.objects.exclude(before=""),
        "owners": _owner_events(customer),
        "evidence": Evidence.objects.all(),
        "pulses": Pulse.objects.filter(withdrawn_at__isnull=True),
    }
    numbers = [_number(rows.filter(customer_id=customer.pk)) for rows in sources.values()]
    found = dict(zip(sources, Customer.objects.filter(pk=customer.pk).values_list(*numbers).get(), strict=True))
    contacts = found["interactions"] + found["complaints"] + found["responses"]
    changes = found["tiers"] + found["owners"] + found["evidence"] + found["pulses"]
    changes += len(_health_changes(customer))
    return {
        "all": found["orders"] + contacts + found["alerts"] + changes,
        "orders": found["orders"],
        "contacts": contacts,
        "alerts": found["alerts"],
        "changes": changes,
    }


def _number(rows: QuerySet[Any]) -> Coalesce:
    """How many rows of one customer there are, as a part of another query."""
    counted = rows.order_by().values("customer_id").annotate(number=Count("*")).values("number")
    return Coalesce(Subquery(counted), 0)


# ── sources ──────────────────────────────────────────────────────────────────


def _earlier(name: str, rank: int, before: Mark | None) -> Q:
    """Rows with a moment that lie before the mark."""
    if before is None:
        return Q()
    if rank > before.rank:
        return Q(**{f"{name}__lt": before.at})
    if rank < before.rank:
        return Q(**{f"{name}__lte": before.at})
    return Q(**{f"{name}__lt": before.at}) | Q(**{name: before.at, "pk__lt": before.pk})


def _earlier_day(name: str, rank: int, before: Mark | None) -> Q:
    """Rows with a day, which count as its first moment, that lie before the mark."""
    if before is None:
        return Q()
    tenant = current_tenant()
    day = tenant.local_date(before.at)
    if tenant.start_of(day) < before.at or rank < before.rank:
        return Q(**{f"{name}__lte": day})
    if rank > before.rank:
        return Q(**{f"{name}__lt": day})
    return Q(**{f"{name}__lt": day}) | Q(**{name: day, "pk__lt": before.pk})


def _orders(customer: Customer, before: Mark | None) -> list[Item]:
    # By their day first, which says the same: along the index of a customer's days, of a thousand orders only the page
    # and what else was placed on its last day is read. The day more is for a firm whose time zone has been changed.
    rows = Order.objects.filter(_earlier("placed_at", 1, before), customer=customer)
    if before is not None:
        rows = rows.filter(placed_on__lte=current_tenant().local_date(before.at) + dt.timedelta(days=1))
    rows = rows.order_by("-placed_on", "-placed_at", "-pk")
    return [Item("order", row.placed_at, 1, row) for row in rows[: PAGE + 1]]


def _interactions(customer: Customer, before: Mark | None) -> list[Item]:
    rows = (
        Interaction.objects.filter(_earlier("at", 2, before), customer=customer)
        .select_related("contact", "member__user")
        .order_by("-at", "-pk")
    )
    return [Item("interaction", row.at, 2, row) for row in rows[: PAGE + 1]]


def _complaints(customer: Customer, before: Mark | None) -> list[Item]:
    rows = Complaint.objects.filter(_earlier("opened_at", 3, before), customer=customer).order_by("-opened_at", "-pk")
    return [Item("complaint", row.opened_at, 3, row) for row in rows[: PAGE + 1]]


def _responses(customer: Customer, before: Mark | None) -> list[Item]:
    rows = (
        SurveyResponse.objects.filter(_earlier("at", 9, before), customer=customer)
        .select_related("contact", "complaint")
        .order_by("-at", "-pk")
    )
    return [Item("response", row.at, 9, row) for row in rows[: PAGE + 1]]


def _alerts(customer: Customer, before: Mark | None) -> list[Item]:
    rows = Alert.objects.filter(_earlier_day("opened_on", 6, before), customer=customer).order_by("-opened_on", "-pk")
    start = current_tenant().start_of
    return [Item("alert", start(row.opened_on), 6, row) for row in rows[: PAGE + 1]]


def _tier_changes(customer: Customer, before: Mark | None) -> list[Item]:
    rows = TierChange.objects.filter(_earlier_day("on", 5, before), customer=customer).exclude(before="")
    found = list(rows.order_by("-on", "-pk")[: PAGE + 1])
    start, rules = current_tenant().start_of, rules_of({row.policy_version for row in found})
    return [Item("tier", start(row.on), 5, row, {"change": change_in_words(row, rules)}) for row in found]


def _owner_events(customer: Customer) -> Any:
    return Event.objects.filter(customer_id=customer.pk, object_type="customer", verb="owners_changed")


def _owners(customer: Customer, before: Mark | None) -> list[Item]:
    rows = list(
        _owner_events(customer)
        .filter(_earlier("at", 4, before))
        .select_related("actor__user")
        .order_by("-at", "-pk")[: PAGE + 1]
    )
    named = {pk for row in rows for pair in row.changes.values() for pk in pair if pk}
    people = {member.pk: member for member in Member.objects.filter(pk__in=named).select_related("user")}

    def moves(row: Event) -> list[dict[str, Any]]:
        return [
            {"which": "A" if name == "owner_a" else "B", "before": people.get(old), "after": people.get(new)}
            for name, (old, new) in sorted(row.changes.items())
        ]

    return [Item("owners", row.at, 4, row, {"moves": moves(row)}) for row in rows]


def _health_changes(customer: Customer) -> list[tuple[HealthHistory, HealthHistory]]:
    return [(old, new) for old, new in pairwise(history.rows_of(customer)) if old.band != new.band]


def _health(customer: Customer, before: Mark | None) -> list[Item]:
    start = current_tenant().start_of
    items = [Item("health", start(new.on), 7, new, {"before": old}) for old, new in _health_changes(customer)]
    if before is not None:
        items = [item for item in items if item.order < (before.at, before.rank, before.pk)]
    return sorted(items, key=attrgetter("order"), reverse=True)[: PAGE + 1]


def _evidence(customer: Customer, before: Mark | None) -> list[Item]:
    rows = (
        Evidence.objects.filter(_earlier_day("on", 8, before), customer=customer)
        .select_related("referred", "member__user")
        .order_by("-on", "-pk")
    )
    start = current_tenant().start_of
    return [Item("evidence", start(row.on), 8, row) for row in rows[: PAGE + 1]]


def _pulses(customer: Customer, before: Mark | None) -> list[Item]:
    """What people have said of the customer and not taken back."""
    rows = (
        Pulse.objects.filter(_earlier("at", 10, before), customer=customer, withdrawn_at__isnull=True)
        .select_related("member__user")
        .order_by("-at", "-pk")
    )
    return [Item("pulse", row.at, 10, row) for row in rows[: PAGE + 1]]


Source = Callable[[Customer, Mark | None], list[Item]]
_CHANGES: Final[tuple[Source, ...]] = (_tier_changes, _owners, _health, _evidence, _pulses)
_OF_TAB: Final[Mapping[Tab, tuple[Source, ...]]] = {
    "all": (_orders, _interactions, _complaints, _responses, _alerts, *_CHANGES),
    "orders": (_orders,),
    "contacts": (_interactions, _complaints, _responses),
    "alerts": (_alerts,),
    "changes": _CHANGES,
}


# ── what was in the orders ───────────────────────────────────────────────────


def _with_baskets(items: Sequence[Item]) -> list[Item]:
    ids = [item.row.pk for item in items if item.kind == "order"]
    baskets = baskets_of(ids) if ids else {}
    return [replace(item, more=baskets.get(item.row.pk, {})) if item.kind == "order" else item for item in items]


def _with_referred(items: Sequence[Item], member: Member) -> list[Item]:
    named = [item.row.referred_id for item in items if item.kind == "evidence" and item.row.referred_id]
    seen = set(Customer.objects.visible_to(member).filter(pk__in=named).values_list("pk", flat=True)) if named else ()
    return [
        replace(item, more={"is_seen": item.row.referred_id in seen}) if item.kind == "evidence" else item
        for item in items
    ]


def baskets_of(order_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """By order: how many lines and categories it has, and its two biggest lines."""
    lines = OrderLine.objects.filter(order__in=order_ids)
    # A product without a category is one by itself.
    own = Case(
        When(product__category="", then=Cast("product_id", CharField())),
        default=F("product__category"),
        output_field=CharField(),
    )
    counts = lines.order_by().values("order_id").annotate(lines=Count("pk"), categories=Count(own, distinct=True))
    baskets: dict[int, dict[str, Any]] = {row["order_id"]: {**row, "biggest": []} for row in counts}
    place = Window(RowNumber(), partition_by="order_id", order_by=[F("money").desc(), F("pk").asc()])
    for line in lines.annotate(place=place).filter(place__lte=Value(2)).select_related("product").order_by("place"):
        baskets[line.order_id]["biggest"].append(line)
    return baskets
