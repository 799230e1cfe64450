"""Who lapsed when, and why: the latest lapse of each customer (docs/rules/team.md)."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.db.models import Case, DateField, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Cast, Coalesce, Least

from customers.models import Activity, Customer, Order
from risk import models as risk
from tenants.base import MoneyField
from tenants.context import current_tenant

UNKNOWN: Final = "unknown"
"""The class of a lapse that no case says anything about."""

CLASSES: Final = ("relationship", "demand", "external", UNKNOWN)

YEAR: Final = dt.timedelta(days=365)


def lapsed_between(rows: QuerySet[Customer], first: dt.date, last: dt.date, lapsed_days: int) -> QuerySet[Customer]:
    """Those of the customers, joined with their `standing`, who lapsed from `first` to `last`, both included.

    Adds `lapsed_on`, `lapse_class` (one of CLASSES) and `lapse_money`. A customer lapses when the days without an order are full,
    or on the day it is closed; one that has ordered again since lapsed when the days before that order were full. Each
    counts once, with its latest lapse. The class is that of the latest case closed as lost since the last order before;
    the money what the customer brought in the year up to that order.
    """
    silence, tenant = dt.timedelta(days=lapsed_days), current_tenant().pk
    orders = Order.objects.filter(
        tenant_id=tenant, customer=OuterRef("pk"), kind=Order.Kind.ORDER, status=Order.Status.PLACED,
        placed_on__lt=OuterRef("standing__returned_on"),
    )  # fmt: skip
    gone = Q(standing__last_order_on__lte=last - silence) | Q(
        closed_on__lte=last, standing__last_order_on__isnull=False
    )
    before = Case(
        When(gone, then=F("standing__last_order_on")),
        When(
            standing__returned_on__gte=first,
            then=Subquery(orders.order_by("-placed_on").values("placed_on")[:1]),
        ),
        default=None,
        output_field=DateField(),
    )
    ran_out = Cast(F("ordered_before") + Value(silence), DateField())
    day = Case(When(gone, then=Least(ran_out, F("closed_on"))), default=ran_out, output_field=DateField())
    cases = risk.Case.objects.filter(
        tenant_id=tenant, customer=OuterRef("pk"), outcome=risk.Case.Outcome.LOST, closed_on__gte=OuterRef("ordered_before")
    )  # fmt: skip
    months = (
        Activity.objects.filter(
            tenant_id=tenant, customer=OuterRef("pk"), month__lte=OuterRef("ordered_before"),
            month__gt=OuterRef("ordered_before") - Value(YEAR),
        )
        .order_by()
        .values("customer")
        .annotate(sum=Sum("net"))
    )  # fmt: skip
    # What an index can narrow stands first: only the few that are left are looked up one by one.
    possible = (
        Q(standing__last_order_on__gte=first - silence, standing__last_order_on__lte=last - silence)
        | Q(closed_on__gte=first, closed_on__lte=last)
        | Q(standing__returned_on__gte=first)
    )
    found: QuerySet[Any] = (
        rows.filter(possible)
        .annotate(ordered_before=before)
        .annotate(lapsed_on=day)
        .filter(lapsed_on__gte=first, lapsed_on__lte=last)
        .annotate(
            lapse_class=Coalesce(
                Subquery(cases.order_by("-closed_on", "-pk").values("risk_class")[:1]), Value(UNKNOWN)
            ),
            lapse_money=Coalesce(Subquery(months.values("sum")[:1]), Value(0), output_field=MoneyField()),
        )
    )
    return found
