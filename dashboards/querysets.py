"""Reading across apps: customers with where they stand and how they are."""

from __future__ import annotations

from django.db.models import Exists, F, FilteredRelation, OuterRef, Q, QuerySet

from customers.models import Customer
from health.models import Band, HealthScore
from risk.models import Alert
from tenants.context import current_tenant
from tenants.models import Member


def customer_rows(member: Member) -> QuerySet[Customer]:
    """Customers that the member sees, each with tier, segment, scores, money, orders and health of last night.

    Adds tier, segment, r, f, m, last_order_on, orders_12m, money_12m, score and band; all empty for a
    customer that no night has seen. The tenant is said in each join as well: the wall's own condition then
    costs nothing.
    """
    tenant = current_tenant().pk
    rows: QuerySet[Customer] = (
        Customer.objects.visible_to(member)
        .annotate(
            standing=FilteredRelation("standings", condition=Q(standings__tenant_id=tenant)),
            health=FilteredRelation("health_scores", condition=Q(health_scores__tenant_id=tenant)),
        )
        .annotate(
            tier=F("standing__tier"),
            segment=F("standing__segment"),
            last_order_on=F("standing__last_order_on"),
            orders_12m=F("standing__frequency"),
            money_12m=F("standing__monetary"),
            score=F("health__score"),
            band=F("health__band"),
        )
        .select_related("owner_a__user", "owner_b__user")
    )
    return rows


def customers_at_risk(rows: QuerySet[Customer]) -> QuerySet[Customer]:
    """Those of the customers, not closed, whose health is red or who have an open alert."""
    red = HealthScore.objects.filter(tenant_id=current_tenant().pk, customer=OuterRef("pk"), band=Band.RED)
    return rows.filter(Exists(red) | Exists(_open_alert()), closed_on__isnull=True)


def customers_with_alert(rows: QuerySet[Customer]) -> QuerySet[Customer]:
    """Those of the customers who have an open alert."""
    return rows.filter(Exists(_open_alert()))


def _open_alert() -> QuerySet[Alert]:
    alerts: QuerySet[Alert] = Alert.objects.filter(
        tenant_id=current_tenant().pk, customer=OuterRef("pk"), closed_on__isnull=True
    )
    return alerts
