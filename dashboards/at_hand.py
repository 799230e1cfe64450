"""What one statement says of a customer whose page is asked for, and which parts of the page have anything to show."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from typing import Any, Final

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from customers.asked import OfCustomer, attach
from customers.models import Customer, ExternalId, Interaction, Order, SurveyResponse, Tag
from customers.querysets import sees_by
from followups.models import Enrolment
from health.models import HealthHistory, Pulse
from risk.models import Alert, Incident, PlaybookRun
from segmentation.models import TierPin
from tenants.context import current_tenant
from tenants.kept import Kept
from tenants.models import Member
from tenants.prepared import ANY_ROW, QUERIES_KEPT, Prepared

ANY_DAY: Final = dt.date.min
ANY_MOMENT: Final = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(frozen=True)
class AtHand:
    """A customer with its owners, its first and last order up to a day, its last contact up to a moment.

    Of what most customers have none it is known here whether there is any: only then it is asked for.
    """

    customer: Customer
    first_order_on: dt.date | None
    last_order_on: dt.date | None
    last_contact_at: dt.datetime | None
    has_alerts: bool
    has_answers: bool
    has_crises: bool
    has_pins: bool
    has_places: bool
    has_pulses: bool
    has_runs: bool


_SAID: Final = tuple(each.name for each in fields(AtHand) if each.name != "customer")
_kept: Final[Kept[tuple[Any, ...], Prepared[Customer]]] = Kept(QUERIES_KEPT)
_history: Final = OfCustomer[HealthHistory](lambda pk: HealthHistory.objects.filter(customer_id=pk).order_by("on"))
_tags: Final = OfCustomer[Tag](lambda pk: Tag.objects.filter(customertag__customer_id=pk))
_numbers: Final = OfCustomer[ExternalId](lambda pk: ExternalId.objects.filter(customer_id=pk))


def at_hand(pk: int, member: Member, now: dt.datetime) -> AtHand | None:
    """The customer of a number, if the member sees it. What is dated later than `now` has not happened."""
    tenant = current_tenant()
    key = (tenant.pk, *sees_by(member))
    asked = _kept.get(key, lambda: Prepared(_asked(member), ANY_ROW, ANY_DAY, ANY_MOMENT))
    found = next(iter(asked.rows(pk, tenant.local_date(now), now)), None)
    return None if found is None else AtHand(found, **{name: vars(found)[name] for name in _SAID})


def with_history(customer: Customer) -> None:
    """Have the health history at hand: several parts walk through it."""
    attach(customer, "health_history", _history.rows(customer.pk))


def with_names(customer: Customer) -> None:
    """Have the tags and the numbers at hand that the customer has elsewhere."""
    attach(customer, "tags", _tags.rows(customer.pk))
    attach(customer, "external_ids", _numbers.rows(customer.pk))


def _asked(member: Member) -> QuerySet[Customer]:
    def of(model: Any, **values: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = model.objects.filter(customer_id=OuterRef("pk"), **values)
        return rows

    # Its first and its last by the index of the days: a customer can have a thousand, all over the table.
    orders = of(Order, status=Order.Status.PLACED, kind=Order.Kind.ORDER, placed_on__lte=ANY_DAY)
    talks = of(Interaction, at__lte=ANY_MOMENT)
    rows: QuerySet[Customer] = (
        Customer.objects.visible_to(member)
        .filter(pk=ANY_ROW)
        .select_related("owner_a__user", "owner_b__user")
        .annotate(
            first_order_on=Subquery(orders.order_by("placed_on", "pk").values("placed_on")[:1]),
            last_order_on=Subquery(orders.order_by("-placed_on", "-pk").values("placed_on")[:1]),
            last_contact_at=Subquery(talks.order_by("-at").values("at")[:1]),
            has_alerts=Exists(of(Alert, closed_on__isnull=True)),
            has_answers=Exists(of(SurveyResponse)),
            has_crises=Exists(of(Incident, closed_at__isnull=True)),
            has_pins=Exists(of(TierPin, ended_at__isnull=True)),
            has_places=Exists(of(Enrolment)),
            has_pulses=Exists(of(Pulse, withdrawn_at__isnull=True)),
            has_runs=Exists(of(PlaybookRun).exclude(status=PlaybookRun.Status.HELD)),
        )
    )
    return rows
