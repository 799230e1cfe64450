"""Reading: counts that a member sees; where every customer stands, for export."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from django.db import connection

from customers.querysets import visible_customers
from tenants.base import POINTS, TenantQuerySet
from tenants.context import current_tenant
from tenants.querysets import last_night

if TYPE_CHECKING:
    from tenants.models import Member


class BandCountQuerySet(TenantQuerySet):
    """Counts by the owners of customers."""

    def visible_to(self, member: Member) -> Self:
        """Those of the customers whom the member sees."""
        return self.filter(visible_customers(member))


def export_rows() -> Iterator[tuple[Any, ...]]:
    """One row per customer that the night has looked at, by external id.

    external_id (of the source "import" where there is one), last_order_on, recency_days (on the day of the
    last night), frequency, monetary, r, f, m, segment, tier, health, colour.
    """
    night = last_night()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT e.value, s.last_order_on, %s::date - s.last_order_on, s.frequency, s.monetary, s.r, s.f, s.m,
                   s.segment, s.tier, h.score, h.band
            FROM segmentation_standing s
            LEFT JOIN health_healthscore h ON h.tenant_id = s.tenant_id AND h.customer_id = s.customer_id
            LEFT JOIN LATERAL (
                SELECT value FROM customers_externalid
                WHERE tenant_id = s.tenant_id AND customer_id = s.customer_id
                ORDER BY source <> 'import', source, value LIMIT 1
            ) e ON true
            WHERE s.tenant_id = %s ORDER BY e.value, s.customer_id
            """,
            [night.for_date if night else None, current_tenant().pk],
        )
        for row in cursor:
            yield (*row[:4], Decimal(row[4]) / POINTS, *row[5:])
