"""Reading referrals: what became of each, in the database for lists and figures."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.db.models import (
    Case,
    CharField,
    DateTimeField,
    ExpressionWrapper,
    F,
    Func,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.utils.translation import pgettext_lazy

from customers.models import Customer, Order, Referral
from incentives.ledger.accruing import Rules
from incentives.ledger.paying import points_of
from tenants.context import current_tenant
from tenants.models import Member

RESULTS: Final = [
    ("waits", pgettext_lazy("referral", "waits for the first order")),
    ("converted", pgettext_lazy("referral", "converted")),
    ("too_late", pgettext_lazy("referral", "no order in time")),
    ("not_new", pgettext_lazy("referral", "had ordered before")),
    ("withdrawn", pgettext_lazy("referral", "withdrawn")),
]


def referral_rows(member: Member) -> QuerySet[Any]:
    """Referrals whose new customer the member sees, with `first_on` and `result`."""
    return with_results(Referral.objects.visible_to(member)).select_related(
        "referrer", "customer", "member__user", "noted_by__user"
    )


def with_results(rows: QuerySet[Any], as_of: dt.date | None = None) -> QuerySet[Any]:
    """Referrals with `first_on` (day of the new customer's first order) and `result`, by the facts before a day.

    The same as `incentives.rules.rewards.result_of`; without a day, by all that is placed up to today.
    """
    rules = Rules.read()
    day = as_of or current_tenant().today() + dt.timedelta(days=1)
    placed = Order.objects.filter(
        customer=OuterRef("customer"), kind=Order.Kind.ORDER, status=Order.Status.PLACED, placed_on__lt=day
    )
    first = Subquery(placed.order_by("placed_on", "pk").values("placed_on")[:1])
    spans = list(zip(rules.starts, (policy.convert_months for _number, policy in rules.versions), strict=True))
    months = Case(
        *(When(on__gte=start, then=Value(number)) for start, number in reversed(spans[1:])),
        default=Value(spans[0][1]), output_field=IntegerField(),
    )  # fmt: skip
    span = Func(months, function="make_interval", template="%(function)s(months => %(expressions)s)")
    until = ExpressionWrapper(F("on") + span, output_field=DateTimeField())
    return rows.annotate(first_on=first, until=until).annotate(
        result=Case(
            When(withdrawn_at__isnull=False, then=Value("withdrawn")),
            When(first_on__lt=F("on"), then=Value("not_new")),
            When(first_on__lt=F("until"), then=Value("converted")),
            When(first_on__isnull=False, then=Value("too_late")),
            When(until__lt=Value(day), then=Value("too_late")),
            default=Value("waits"),
            output_field=CharField(),
        )
    )


SHOWN: Final = 10
"""Referrals of a customer on its page, the newest; the list has them all."""


def referrals_of(customer: Customer) -> dict[str, Any]:
    """What the customer's page shows: whom it recommended us to, by whom it came, and its points."""
    standing = Referral.objects.filter(withdrawn_at__isnull=True)
    made = with_results(standing.filter(referrer=customer)).select_related("customer").order_by("-on", "-pk")
    return {
        "referrals": made[:SHOWN],
        "came_by": standing.filter(customer=customer).select_related("referrer").first(),
        "points": points_of(customer),
    }
