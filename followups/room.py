"""Tasks in the budget: whoever is raised for a contact who has had enough waits, and says so (rules/room.py)."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from typing import Any, Final

import polars as pl
from django.db import connection

from followups.messages.governor import OUTBOX
from followups.models import FollowUp
from followups.rules.contact_policy import ContactPolicy
from followups.rules.room import free_day
from tenants.calendars import firm_calendar
from tenants.context import current_tenant
from tenants.frames import copy_frame, read_frame
from tenants.policies import Policy
from tenants.rules.calendar import Calendar

ROUTINE: Final = ("cadence:", "journey:", "care:")
"""Rules whose tasks can wait. What answers a signal, a complaint or a promise does not."""

_CROWDED: Final = """
WITH used AS (
    SELECT m.contact_id, m.counts_at AT TIME ZONE %(zone)s AS at FROM room_asked w
    JOIN followups_message m ON m.tenant_id = %(tenant)s AND m.contact_id = w.contact_id AND m.counts_at >= %(since)s
    UNION ALL
    SELECT w.contact_id, i.at AT TIME ZONE %(zone)s FROM room_asked w
    JOIN customers_interaction i ON i.tenant_id = %(tenant)s AND i.customer_id = w.customer_id
     AND (i.contact_id = w.contact_id OR i.contact_id IS NULL)
     AND i.at >= %(since)s AND i.direction = 'outbound' AND i.source <> %(outbox)s
    UNION ALL
    SELECT w.contact_id, f.day FROM room_asked w
    JOIN followups_followup f ON f.tenant_id = %(tenant)s AND f.contact_id = w.contact_id AND f.status = 'open'
     AND f.day >= %(first)s
)
SELECT w.contact_id, x.most, u.days FROM room_asked w
JOIN (SELECT contact_id, count(*) AS n, string_agg(at::date::text, ',' ORDER BY at) AS days FROM used GROUP BY 1) u
  ON u.contact_id = w.contact_id
LEFT JOIN followups_contactwishes x ON x.tenant_id = %(tenant)s AND x.contact_id = w.contact_id
WHERE u.n + w.asked > LEAST(%(budget)s, COALESCE(x.most, %(budget)s))
"""


def make_room(rows: pl.DataFrame, policy: Policy, *, few: bool) -> pl.DataFrame:
    """The rows that are to be raised, routine ones of contacts who have had enough moved to a day with room.

    `rows`: customer_id, contact_id, rule, level, due_on, facts (JSON text). A moved one has the day it was wanted for in
    its facts ("wanted_on"); where no day within the policy's patience has room it stays, and its facts say "crowded":
    a person decides. `few` as in `read_frame`.
    """
    can_wait = (pl.col("level") == FollowUp.Level.ROUTINE.value) & pl.any_horizontal(
        pl.col("rule").str.starts_with(rule) for rule in ROUTINE
    )
    waiting = rows.filter(can_wait & pl.col("contact_id").is_not_null())
    if waiting.is_empty():
        return rows
    section = policy.section(ContactPolicy)
    used = _used(waiting, section, few=few)
    if not used:
        return rows
    crowded = pl.col("contact_id").is_in(list(used))
    calendar = firm_calendar(policy)
    moved = [
        _placed(row, section, calendar, *used[row["contact_id"]])
        for row in rows.filter(can_wait & crowded).sort("due_on", "customer_id", "rule").to_dicts()
    ]
    kept = rows.filter((can_wait & crowded).not_() | (can_wait & crowded).is_null())
    return pl.concat([kept, pl.DataFrame(moved, schema=rows.schema)])


def _used(waiting: pl.DataFrame, section: ContactPolicy, *, few: bool) -> dict[int, tuple[int, list[dt.date]]]:
    """By crowded contact: the budget, and the days of the touches that were or are planned."""
    tenant = current_tenant()
    asked = waiting.group_by("contact_id", "customer_id").agg(asked=pl.len())
    first = tenant.today() - dt.timedelta(days=section.window_days)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS room_asked")
        copy_frame(cursor, "room_asked", asked.select("contact_id", "customer_id", pl.col("asked").cast(pl.Int64)))
    said: Any = {  # named places: psycopg takes a mapping as well
        "tenant": tenant.pk, "zone": str(tenant.zone), "since": tenant.start_of(first), "first": first,
        "outbox": OUTBOX, "budget": section.budget,
    }  # fmt: skip
    found = read_frame(_CROWDED, said, schema={"contact_id": pl.Int64, "most": pl.Int64, "days": pl.String}, few=few)
    used: defaultdict[int, tuple[int, list[dt.date]]] = defaultdict(lambda: (section.budget, []))
    for contact_id, most, days in found.iter_rows():
        own = section.budget if most is None else min(most, section.budget)
        used[contact_id] = own, [dt.date.fromisoformat(day) for day in days.split(",")]
    return dict(used)


def _placed(
    row: dict[str, Any], section: ContactPolicy, calendar: Calendar, most: int, used: list[dt.date]
) -> dict[str, Any]:
    """One task at its day, which then counts for the next one of the contact."""
    wanted: dt.date = row["due_on"]
    day = free_day(wanted, used, most=most, window_days=section.window_days, wait_days=section.wait_days)
    facts = json.loads(row["facts"])
    if day is not None and day != wanted:
        day = calendar.on_or_after(day)
    if day is None:
        facts["crowded"] = most
    elif day != wanted:
        facts |= {"wanted_on": wanted.isoformat(), "budget": most}
    used.append(day or wanted)
    used.sort()
    return row | {"due_on": day or wanted, "facts": json.dumps(facts, ensure_ascii=False)}
