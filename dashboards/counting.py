"""The night's step that counts what Today says about risk, for everybody who looks at it."""

from __future__ import annotations

from typing import Final

import polars as pl

from customers.tallies import OWNERS, by_audience, cells_of, write_tallies
from health.models import Band, HealthTally
from risk.models import Alert
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.runs import Counts, Piece, Step

_NUMBERS: Final = ("customers", "money", "alerts", "severe", "alarmed")


def run(piece: Piece) -> Counts:
    """Count as of a day; comes after risk. Returns tallies (rows).

    customers (not closed, red or with an open alert) and their money (points); of everybody, alerts (open), how many
    of them are severe, and customers who have one (alarmed).
    """
    tenant_id = current_tenant().pk
    found = read_frame(
        """
        SELECT c.owner_a_id, c.owner_b_id,
               count(*) FILTER (WHERE at_risk), COALESCE(sum(s.monetary) FILTER (WHERE at_risk), 0)::bigint,
               sum(COALESCE(a.alerts, 0))::bigint, sum(COALESCE(a.severe, 0))::bigint, count(a.customer_id)
        FROM customers_customer c
        LEFT JOIN health_healthscore h ON h.tenant_id = %s AND h.customer_id = c.id
        LEFT JOIN (
            SELECT customer_id, count(*) AS alerts, count(*) FILTER (WHERE level = %s) AS severe FROM risk_alert
            WHERE tenant_id = %s AND closed_on IS NULL GROUP BY customer_id
        ) a ON a.customer_id = c.id
        LEFT JOIN segmentation_standing s ON s.tenant_id = %s AND s.customer_id = c.id
        CROSS JOIN LATERAL (
            SELECT c.closed_on IS NULL AND (COALESCE(h.band = %s, false) OR a.customer_id IS NOT NULL) AS at_risk
        ) r
        WHERE c.tenant_id = %s GROUP BY 1, 2
        """,
        [tenant_id, Alert.Level.SEVERE.value, tenant_id, tenant_id, Band.RED.value, tenant_id],
        schema=OWNERS | dict.fromkeys(_NUMBERS, pl.Int64),
    )
    counted = by_audience(found, [], [pl.col(name).sum() for name in _NUMBERS])
    return {"tallies": write_tallies(HealthTally, piece.as_of, {"risk": cells_of(counted)})}


STEP = Step(run, splits=False)
