"""Which events begin a journey, and for whom: one question to the database for each kind of event."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection
from django.utils import timezone

from followups.rules.journeys import Definition, Trigger
from tenants.base import POINTS
from tenants.context import current_tenant
from tenants.parts import Customers, among

_FIRST_ORDER: Final = """
SELECT o.customer_id, NULL::bigint AS contact_id, NULL::bigint AS complaint_id, NULL::bigint AS product_id,
    'order:' || o.id AS event, o.placed_at AS at
FROM customers_order o
WHERE o.tenant_id = %(tenant)s AND o.kind = 'order' AND o.status = 'placed'
  AND o.placed_on BETWEEN %(first_day)s AND %(last_day)s AND o.placed_at >= %(since)s AND o.placed_at < %(until)s
  AND NOT EXISTS (
    SELECT 1 FROM customers_order b
    WHERE b.tenant_id = %(tenant)s AND b.customer_id = o.customer_id AND b.kind = 'order' AND b.status = 'placed'
      AND b.placed_on <= o.placed_on AND (b.placed_at, b.id) < (o.placed_at, o.id))
  AND {among}"""

_SOLVED: Final = """
SELECT o.customer_id, NULL::bigint AS contact_id, o.id AS complaint_id, NULL::bigint AS product_id,
    'complaint:' || o.id AS event, o.solved_at AS at
FROM customers_complaint o
WHERE o.tenant_id = %(tenant)s AND o.solved_at >= %(since)s AND o.solved_at < %(until)s AND {among}"""

_COMPLAINED: Final = """
SELECT o.customer_id, NULL::bigint AS contact_id, o.id AS complaint_id, NULL::bigint AS product_id,
    'complaint:' || o.id AS event, o.opened_at AS at
FROM customers_complaint o
WHERE o.tenant_id = %(tenant)s AND o.opened_at >= %(since)s AND o.opened_at < %(until)s
  AND o.topic || ' ' || o.text ILIKE ANY(%(patterns)s) AND {among}"""

_ASKED: Final = """
SELECT o.customer_id, o.contact_id, NULL::bigint AS complaint_id, NULL::bigint AS product_id,
    'talk:' || o.id AS event, o.at
FROM customers_interaction o
WHERE o.tenant_id = %(tenant)s AND o.direction = 'inbound' AND o.at >= %(since)s AND o.at < %(until)s
  AND o.topic || ' ' || o.note ILIKE ANY(%(patterns)s) AND {among}"""

# The last order as the night knows it; a newer one than that is looked for.
_SILENCE: Final = """
SELECT o.customer_id, NULL::bigint AS contact_id, NULL::bigint AS complaint_id, NULL::bigint AS product_id,
    'silence:' || o.last_order_on AS event, (o.last_order_on + %(days)s)::timestamp AT TIME ZONE %(zone)s AS at
FROM segmentation_standing o
WHERE o.tenant_id = %(tenant)s AND o.last_order_on BETWEEN %(first_day)s - %(days)s AND %(last_day)s - %(days)s
  AND (o.last_order_on + %(days)s)::timestamp AT TIME ZONE %(zone)s >= %(since)s
  AND (o.last_order_on + %(days)s)::timestamp AT TIME ZONE %(zone)s < %(until)s
  AND NOT EXISTS (
    SELECT 1 FROM customers_order b
    WHERE b.tenant_id = %(tenant)s AND b.customer_id = o.customer_id AND b.kind = 'order' AND b.status = 'placed'
      AND b.placed_on > o.last_order_on)
  AND {among}"""

_ANNOUNCED: Final = """
SELECT o.id AS customer_id, NULL::bigint AS contact_id, NULL::bigint AS complaint_id, a.product_id,
    'product:' || a.product_id AS event, a.at
FROM followups_announcement a CROSS JOIN customers_customer o
WHERE a.tenant_id = %(tenant)s AND o.tenant_id = %(tenant)s AND a.at >= %(since)s AND a.at < %(until)s AND {among}"""

_FINDERS: Final[Mapping[Trigger, str]] = {
    "first_order": _FIRST_ORDER,
    "complaint_solved": _SOLVED,
    "complaint_opened": _COMPLAINED,
    "asked": _ASKED,
    "silence": _SILENCE,
    "announced": _ANNOUNCED,
}

_WHO: Final = """
SELECT e.customer_id, e.contact_id, e.complaint_id, e.product_id, e.event, e.at FROM ({finder}) e
JOIN customers_customer c ON c.tenant_id = %(tenant)s AND c.id = e.customer_id
LEFT JOIN segmentation_standing s ON s.tenant_id = %(tenant)s AND s.customer_id = e.customer_id
LEFT JOIN health_healthscore h ON h.tenant_id = %(tenant)s AND h.customer_id = e.customer_id
WHERE c.closed_on IS NULL AND {conditions}"""


@dataclass(frozen=True)
class Entry:
    """An event that begins a journey for a customer."""

    customer_id: int
    contact_id: int | None
    complaint_id: int | None
    product_id: int | None
    event: str
    at: dt.datetime


def who_enters(rules: Definition, since: dt.datetime, until: dt.datetime, customers: Customers = None) -> list[Entry]:
    """The events from `since` up to `until` (aware) that begin a journey, of customers who meet its conditions.

    Sorted by time. Nothing is written: what enrols and what only looks ask the same.
    """
    sql, params = events_sql(rules, since, until, customers)
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} ORDER BY e.at, e.customer_id", params)
        return [Entry(*row) for row in cursor.fetchall()]


def events_sql(
    rules: Definition, since: dt.datetime, until: dt.datetime, customers: Customers = None
) -> tuple[str, dict[str, Any]]:
    """`who_enters` as SQL with its parameters: customer_id, contact_id, complaint_id, product_id, event, at."""
    tenant = current_tenant()
    asked: list[str] = []
    params: dict[str, Any] = {
        "tenant": tenant.pk,
        "zone": tenant.timezone,
        "since": since,
        "until": until,
        # The days of the firm, for the indexes that go by day.
        "first_day": tenant.local_date(since),
        "last_day": tenant.local_date(until),
        "days": rules.days,
        "patterns": [f"%{_plain(word.strip())}%" for word in rules.words if word.strip()],
    }
    wanted = rules.conditions
    if wanted.tiers:
        asked.append("s.tier = ANY(%(tiers)s)")
        params["tiers"] = list(wanted.tiers)
    if wanted.bands:
        asked.append("h.band = ANY(%(bands)s)")
        params["bands"] = list(wanted.bands)
    if wanted.countries:
        asked.append("lower(c.country) = ANY(%(countries)s)")
        params["countries"] = [country.lower() for country in wanted.countries]
    if wanted.least_net is not None:
        asked.append("s.monetary >= %(least_net)s")
        params["least_net"] = wanted.least_net * POINTS
    column = "o.id" if rules.trigger == "announced" else "o.customer_id"
    finder = _FINDERS[rules.trigger].replace("{among}", among(customers, column).replace("%", "%%"))
    return _WHO.format(finder=finder, conditions=" AND ".join(asked) or "true"), params


def _plain(word: str) -> str:
    """A word for ILIKE, its own % and _ meant as they stand."""
    return word.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")


def enrol(journey_id: int, sql: str, params: Mapping[str, Any], now: dt.datetime) -> list[int]:
    """Give each of the events that `events_sql` finds a place in the journey, waiting; returns whose are new.

    An event that has had its place keeps it as it is.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO followups_enrolment (
                tenant_id, journey_id, customer_id, contact_id, complaint_id, product_id, event, event_at, entered_at,
                base_at, waits_since, status, why, next_at, updated_at)
            SELECT %(tenant)s, %(journey)s, n.customer_id, n.contact_id, n.complaint_id, n.product_id, n.event, n.at,
                %(now)s, n.at, %(now)s, 'waiting', '', %(now)s, %(stamp)s
            FROM ({sql}) n ORDER BY n.at, n.customer_id
            ON CONFLICT DO NOTHING RETURNING customer_id
            """,
            {**params, "journey": journey_id, "now": now, "stamp": timezone.now()},
        )
        return sorted({row[0] for row in cursor.fetchall()})
