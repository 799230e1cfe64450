"""Every KPI once more, in plain SQL that shares nothing with the application's: day by day, fact by fact, slowly.

Who held a customer on a day is looked up for each day by itself, and a customer's whole period is laid out day by day.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from django.db import connection

from incentives.rules.kpis import Code, Period
from tenants.calendars import firm_calendar
from tenants.context import current_tenant

# Who held customer {c} on day {d}, and in which team {p} was on day {d}.
OWNER = """
(SELECT CASE WHEN EXISTS (SELECT 1 FROM incentives_ownerchange h WHERE h.tenant_id = {t} AND h.customer_id = {c} AND h."on" > {d})
 THEN (SELECT h.before_id FROM incentives_ownerchange h WHERE h.tenant_id = {t} AND h.customer_id = {c} AND h."on" > {d}
       ORDER BY h."on", h.id LIMIT 1)
 ELSE (SELECT k.owner_a_id FROM customers_customer k WHERE k.tenant_id = {t} AND k.id = {c}) END)
"""
TEAM = """
(SELECT CASE WHEN EXISTS (SELECT 1 FROM incentives_teamchange h WHERE h.tenant_id = {t} AND h.member_id = {p} AND h."on" > {d})
 THEN (SELECT h.before_id FROM incentives_teamchange h WHERE h.tenant_id = {t} AND h.member_id = {p} AND h."on" > {d}
       ORDER BY h."on", h.id LIMIT 1)
 ELSE (SELECT k.team_id FROM tenants_member k WHERE k.tenant_id = {t} AND k.id = {p}) END)
"""

# customer, day, doer (null: the owner), numerator, denominator
FACTS: dict[str, str] = {
    "coverage": """
        SELECT f.customer_id, f.due_on, NULL::bigint,
               CASE WHEN t.day <= f.due_on THEN 1 ELSE 0 END, 1
        FROM followups_followup f JOIN customers_customer c ON c.tenant_id = {t} AND c.id = f.customer_id
        LEFT JOIN LATERAL (
            SELECT min((i.at AT TIME ZONE '{zone}')::date) AS day FROM customers_interaction i
            WHERE i.tenant_id = {t} AND i.customer_id = f.customer_id AND i.kind = f.kind
              AND (f.period !~ '^[0-9]+-[0-9]+-[0-9]+$' OR (i.at AT TIME ZONE '{zone}')::date > f.period::date)
        ) t ON true
        WHERE f.tenant_id = {t} AND f.rule LIKE 'cadence:%%' AND c.closed_on IS NULL
          AND f.due_on BETWEEN '{start}' AND '{last}' AND (f.status <> 'cancelled' OR t.day IS NOT NULL)""",
    "csat": """
        SELECT r.customer_id, (r.at AT TIME ZONE '{zone}')::date,
               (SELECT assignee_id FROM customers_complaint k WHERE k.tenant_id = {t} AND k.id = r.complaint_id),
               CASE WHEN r.score IN (4, 5) THEN 1 ELSE 0 END, 1
        FROM customers_surveyresponse r
        WHERE r.tenant_id = {t} AND r.kind = 'csat' AND (r.at AT TIME ZONE '{zone}')::date BETWEEN '{start}' AND '{last}'""",
    "nps": """
        SELECT r.customer_id, (r.at AT TIME ZONE '{zone}')::date, NULL::bigint,
               CASE WHEN r.score IN (9, 10) THEN 1 WHEN r.score BETWEEN 0 AND 6 THEN -1 ELSE 0 END, 1
        FROM customers_surveyresponse r
        WHERE r.tenant_id = {t} AND r.kind = 'nps' AND (r.at AT TIME ZONE '{zone}')::date BETWEEN '{start}' AND '{last}'
          AND NOT EXISTS (
            SELECT 1 FROM customers_surveyresponse n
            WHERE n.tenant_id = {t} AND n.kind = 'nps' AND n.customer_id = r.customer_id
              AND n.contact_id IS NOT DISTINCT FROM r.contact_id
              AND (n.at AT TIME ZONE '{zone}')::date <= '{last}' AND (n.at, n.id) > (r.at, r.id))""",
    "repurchase": """
        SELECT a.customer_id, a.day, NULL::bigint, CASE WHEN EXISTS (
                   SELECT 1 FROM customers_order o WHERE o.tenant_id = {t} AND o.customer_id = a.customer_id
                     AND o.kind = 'order' AND o.status = 'placed' AND o.placed_at > a.at AND o.placed_on - a.day <= 30
               ) THEN 1 ELSE 0 END, 1
        FROM (
            SELECT i.*, (i.at AT TIME ZONE '{zone}')::date AS day,
                   row_number() OVER (PARTITION BY i.customer_id ORDER BY i.at, i.id) AS n
            FROM customers_interaction i
            WHERE i.tenant_id = {t} AND i.direction = 'outbound' AND i.kind <> 'message'
              AND (i.at AT TIME ZONE '{zone}')::date + 30 BETWEEN '{start}' AND '{last}'
              AND (SELECT min(o.placed_at) FROM customers_order o WHERE o.tenant_id = {t}
                     AND o.customer_id = i.customer_id AND o.kind = 'order' AND o.status = 'placed') <= i.at
        ) a WHERE a.n = 1""",
    "response_time": """
        SELECT k.customer_id, (a.at AT TIME ZONE '{zone}')::date, k.assignee_id,
               {worked}, 1
        FROM customers_complaint k
        CROSS JOIN LATERAL (SELECT min(x) AS at FROM unnest(ARRAY[k.apologised_at, k.promised_at, k.solved_at]) x) a
        WHERE k.tenant_id = {t} AND k.opened_at < '{end_at}' AND a.at >= '{start_at}' AND a.at < '{end_at}'
        UNION ALL
        SELECT k.customer_id, '{last}'::date, k.assignee_id, {worked_until_end}, 1
        FROM customers_complaint k
        CROSS JOIN LATERAL (SELECT min(x) AS at FROM unnest(ARRAY[k.apologised_at, k.promised_at, k.solved_at]) x) a
        WHERE k.tenant_id = {t} AND k.opened_at < '{end_at}' AND (a.at IS NULL OR a.at >= '{end_at}')
          AND k.opened_at >= (('{last}'::date + 1 - 90)::timestamp AT TIME ZONE '{zone}')""",
    "first_time": """
        SELECT k.customer_id, (k.solved_at AT TIME ZONE '{zone}')::date, k.assignee_id,
               CASE WHEN k.first_time THEN 1 ELSE 0 END, 1
        FROM customers_complaint k WHERE k.tenant_id = {t} AND k.first_time IS NOT NULL
          AND (k.solved_at AT TIME ZONE '{zone}')::date BETWEEN '{start}' AND '{last}'
        UNION ALL
        SELECT i.customer_id, (i.at AT TIME ZONE '{zone}')::date, i.member_id, CASE WHEN i.solved THEN 1 ELSE 0 END, 1
        FROM customers_interaction i WHERE i.tenant_id = {t} AND i.solved IS NOT NULL
          AND (i.at AT TIME ZONE '{zone}')::date BETWEEN '{start}' AND '{last}'""",
    "referrals": """
        SELECT r.referrer_id, r."on", r.member_id, 1, 0 FROM customers_referral r
        WHERE r.tenant_id = {t} AND r.withdrawn_at IS NULL AND r."on" BETWEEN '{start}' AND '{last}'""",
    "referral_conversion": """
        SELECT d.referrer_id, d.day, d.member_id, d.won, 1 FROM (
            SELECT r.referrer_id, r.member_id, CASE WHEN o.first - r."on" <= 90 THEN 1 ELSE 0 END AS won,
                   CASE WHEN o.first - r."on" <= 90 THEN o.first ELSE r."on" + 90 END AS day
            FROM customers_referral r
            CROSS JOIN LATERAL (SELECT min(placed_on) AS first FROM customers_order o WHERE o.tenant_id = {t}
                AND o.customer_id = r.customer_id AND o.kind = 'order' AND o.status = 'placed' AND o.placed_on >= r."on") o
            WHERE r.tenant_id = {t} AND r.withdrawn_at IS NULL
        ) d WHERE d.day BETWEEN '{start}' AND '{last}'""",
}

NET = """COALESCE((SELECT sum(o.net) FROM customers_order o WHERE o.tenant_id = {t} AND o.customer_id = c.id
          AND o.status = 'placed' AND o.placed_on BETWEEN {{a}} AND {{b}}), 0)"""
NOW = NET.replace("{{a}}", "'{start}'").replace("{{b}}", "'{last}'")
THEN = NET.replace("{{a}}", "'{year_start}'").replace("{{b}}", "'{year_last}'")
ORDERED = """EXISTS (SELECT 1 FROM customers_order o WHERE o.tenant_id = {t} AND o.customer_id = c.id
             AND o.kind = 'order' AND o.status = 'placed' AND {when})"""
# The tier of the last change up to the first day; what came before the first change after it; else today's.
TIER = """COALESCE(
    (SELECT h.before FROM segmentation_tierchange h WHERE h.tenant_id = {t} AND h.customer_id = c.id AND h."on" > '{start}'
     ORDER BY h."on", h.id LIMIT 1),
    (SELECT n.tier FROM segmentation_standing n WHERE n.tenant_id = {t} AND n.customer_id = c.id),
    (SELECT h.after FROM segmentation_tierchange h WHERE h.tenant_id = {t} AND h.customer_id = c.id
     ORDER BY h."on" DESC, h.id DESC LIMIT 1), '') = '{best}' AND (c.closed_on IS NULL OR c.closed_on > '{start}')"""
GROWN = f"""
    SELECT c.id AS customer, ({NOW} - {THEN}) / 10000.0 AS num, {THEN} / 10000.0 AS den FROM customers_customer c
    WHERE c.tenant_id = {{t}} AND {ORDERED.replace("{when}", "o.placed_on < '{year_start}'")}"""

# customer, numerator, denominator: of its whole period
WHOLE: dict[str, str] = {
    "value_growth": GROWN,
    "strategic_growth": f"{GROWN} AND {TIER}",
    "strategic_retention": f"""
        SELECT c.id AS customer, CASE WHEN (c.closed_on IS NULL OR c.closed_on > '{{last}}')
               AND {ORDERED.replace("{when}", "'{last}'::date + 1 - o.placed_on BETWEEN 1 AND 89")} THEN 1 ELSE 0 END AS num,
               1 AS den
        FROM customers_customer c WHERE c.tenant_id = {{t}} AND {TIER}
          AND {ORDERED.replace("{when}", "'{start}'::date - o.placed_on BETWEEN 1 AND 89")}""",
    "clv_uplift": """
        SELECT c.id AS customer, (COALESCE(e.clv, 0) - s.clv) / 10000.0 AS num, s.clv / 10000.0 AS den
        FROM customers_customer c
        JOIN incentives_clvmark s ON s.tenant_id = {t} AND s.customer_id = c.id AND s."on" = '{start}'
        LEFT JOIN LATERAL (
            SELECT CASE WHEN EXISTS (SELECT 1 FROM incentives_clvmark x WHERE x.tenant_id = {t} AND x."on" = '{end}')
                   THEN (SELECT x.clv FROM incentives_clvmark x WHERE x.tenant_id = {t} AND x.customer_id = c.id AND x."on" = '{end}')
                   ELSE (SELECT w.clv FROM segmentation_worth w WHERE w.tenant_id = {t} AND w.customer_id = c.id) END AS clv
        ) e ON true
        WHERE c.tenant_id = {t} AND (e.clv IS NOT NULL OR c.closed_on <= '{last}')""",
}


def _worked(zone: str, start: dt.date, end: dt.date, until: str) -> str:
    """Working hours from a complaint's opening on: what each working day by itself adds, by the clock on the wall."""
    calendar = firm_calendar()
    first = dt.date(start.year - 2, 1, 1)
    days = [first + dt.timedelta(days=number) for number in range((end - first).days + 1)]
    worked = ",".join(day.isoformat() for day in days if calendar.is_working(day))
    return f"""COALESCE((
        SELECT sum(greatest(0, extract(epoch FROM
            least({until}, (d + time '{calendar.closes}') AT TIME ZONE '{zone}')
            - greatest(k.opened_at, (d + time '{calendar.opens}') AT TIME ZONE '{zone}'))))
        FROM unnest('{{{worked}}}'::date[]) d), 0) / 3600"""


def by_hand(code: Code, period: Period, as_of: dt.date, best: str) -> dict[tuple[int | None, int | None], Any]:
    """Numerator and denominator by person and team, of days before `as_of`."""
    tenant, end = current_tenant(), min(period.end, as_of)
    last = end - dt.timedelta(days=1)
    words = {
        "t": tenant.pk,
        "zone": tenant.timezone,
        "start": period.start,
        "last": last,
        "end": period.end,
        "start_at": tenant.start_of(period.start).isoformat(),
        "end_at": tenant.start_of(end).isoformat(),
        "year_start": _year_before(period.start),
        "year_last": _year_before(end) - dt.timedelta(days=1),
        "best": best,
        "worked": _worked(tenant.timezone, period.start, end, "a.at"),
        "worked_until_end": _worked(
            tenant.timezone, period.start, end, f"'{tenant.start_of(end).isoformat()}'::timestamptz"
        ),
    }
    if code in FACTS:
        facts = FACTS[code].format(**words)
        named = f"SELECT f.*, COALESCE(f.doer, {OWNER.format(t=tenant.pk, c='f.customer', d='f.day')}) AS person FROM ({facts}) AS f (customer, day, doer, num, den)"
    else:
        facts = WHOLE[code].format(**words)
        days = (end - period.start).days
        named = f"""
            SELECT w.customer, d.day::date AS day, {OWNER.format(t=tenant.pk, c="w.customer", d="d.day::date")} AS person,
                   w.num::numeric / {days} AS num, w.den::numeric / {days} AS den
            FROM ({facts}) w CROSS JOIN generate_series('{period.start}'::timestamp, '{last}'::timestamp, '1 day') AS d (day)"""
    team = TEAM.format(t=tenant.pk, p="x.person", d="x.day")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT person, team, sum(num), sum(den) FROM (SELECT x.*, {team} AS team FROM ({named}) x) y "
            "GROUP BY 1, 2".replace("%%", "%")
        )
        return {(person, of): (Decimal(num), Decimal(den)) for person, of, num, den in cursor.fetchall()}


def _year_before(day: dt.date) -> dt.date:
    return dt.date(day.year - 1, 2, 28) if (day.month, day.day) == (2, 29) else day.replace(year=day.year - 1)
