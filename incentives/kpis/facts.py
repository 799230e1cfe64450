"""The facts behind each KPI, and for whom each counts: SQL over sets, one statement per KPI (docs/rules/kpis.md).

Every statement gives the same columns: `source` (the table of the fact), `row_id`, `customer_id`, `day`, `person`,
`team`, `num` and `den`. Summed up they are the KPI's numerator and denominator; one by one they are the rows behind it.

For whom a fact counts: whoever did it where somebody did (`doer`), else the A owner on the day of the fact; and the
team in which that person was on that day. What looks at a customer's whole period is split by the days on which each
held the customer in each team; whole numbers stay whole where nobody changed.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from customers.rules.surveys import DETRACTOR_TO, PROMOTER_FROM
from followups.cover.coverage import planned_touches
from followups.surveys.figures import CONTENT_FROM
from incentives.kpis.open_hours import OPEN_TIME, PASSED, open_time
from incentives.rules.kpi_policy import KpiPolicy
from incentives.rules.kpis import KPIS, Code, Period, year_before
from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import TIER_ORDER
from tenants.base import POINTS
from tenants.calendars import firm_calendar
from tenants.context import current_tenant
from tenants.policies import Policy

WAIT_DAYS: Final = 90
"""A complaint that has waited longer without an answer counts no more: nobody expects that answer, and one forgotten
row would outweigh everything else."""


@dataclass(frozen=True)
class Statement:
    """SQL and its named parameters."""

    sql: str
    params: Mapping[str, Any]


def credited(code: Code, period: Period, as_of: dt.date, policy: Policy) -> Statement:
    """The facts of a KPI in a period, of days before `as_of`, each with the person and team for whom it counts."""
    rules = policy.section(KpiPolicy)
    params = _params(period, as_of, rules, policy.section(TierPolicy))
    params |= open_time(firm_calendar(policy), period.start, period.end).params
    sql, more = _FACTS[code](period, params)
    split = _BY_DAYS if KPIS[code].by_days else _BY_FACT
    return Statement(f"{_HANDS} {split.format(facts=sql)}", {**params, **more})


def _params(period: Period, as_of: dt.date, rules: KpiPolicy, tiers: TierPolicy) -> dict[str, Any]:
    tenant, until = current_tenant(), period.until(as_of)
    asked = dt.timedelta(days=rules.conversion_days)
    return {
        "tenant": tenant.pk,
        "zone": tenant.timezone,
        "start": period.start,
        "until": until,
        "end": period.end,
        "start_at": tenant.start_of(period.start),
        "until_at": tenant.start_of(until),
        "year_start": year_before(period.start),
        "year_until": year_before(until),
        "asked_from_at": tenant.start_of(period.start - asked),
        "asked_until_at": tenant.start_of(until - asked),
        "conversion_days": rules.conversion_days,
        "referral_days": rules.referral_days,
        "best_tier": TIER_ORDER[tiers.scheme][0],
        "lapsed_days": tiers.lapsed_days,
        "content_from": CONTENT_FROM,
        "promoter_from": PROMOTER_FROM,
        "detractor_to": DETRACTOR_TO,
        "waits_from_at": tenant.start_of(until - dt.timedelta(days=WAIT_DAYS)),
        # Facts lie up to so many days before the period: the days of a conversion.
        "hands_from": min(period.start, period.start - asked),
        "points": POINTS,
    }


# ── who held what on which day ──────────────────────────────────────────────

# Only what has changed since the first day of interest: whoever is not in here is held by the same as today.
_HANDS: Final = """
WITH owner_turns AS (
    SELECT customer_id, "on", before_id, after_id,
           lead("on") OVER own AS next_on, row_number() OVER own AS place
    FROM incentives_ownerchange WHERE tenant_id = %(tenant)s AND "on" > %(hands_from)s
    WINDOW own AS (PARTITION BY customer_id ORDER BY "on", id)
), owners AS (
    SELECT customer_id, after_id AS person, "on" AS from_on, COALESCE(next_on, 'infinity') AS to_on FROM owner_turns
    UNION ALL
    SELECT customer_id, before_id, '-infinity', "on" FROM owner_turns WHERE place = 1
), team_turns AS (
    SELECT member_id, "on", before_id, after_id,
           lead("on") OVER own AS next_on, row_number() OVER own AS place
    FROM incentives_teamchange WHERE tenant_id = %(tenant)s AND "on" > %(hands_from)s
    WINDOW own AS (PARTITION BY member_id ORDER BY "on", id)
), teams AS (
    SELECT member_id, after_id AS team, "on" AS from_on, COALESCE(next_on, 'infinity') AS to_on FROM team_turns
    UNION ALL
    SELECT member_id, before_id, '-infinity', "on" FROM team_turns WHERE place = 1
)
"""

_BY_FACT: Final = """
SELECT f.source, f.row_id, f.customer_id, f.day, f.person,
       CASE WHEN t.member_id IS NULL THEN m.team_id ELSE t.team END AS team, f.num::numeric, f.den::numeric
FROM (
    SELECT facts.*, COALESCE(
        facts.doer, CASE WHEN o.customer_id IS NULL THEN c.owner_a_id ELSE o.person END
    ) AS person
    FROM ({facts}) facts
    JOIN customers_customer c ON c.tenant_id = %(tenant)s AND c.id = facts.customer_id
    LEFT JOIN owners o ON o.customer_id = facts.customer_id AND facts.day >= o.from_on AND facts.day < o.to_on
) f
LEFT JOIN tenants_member m ON m.tenant_id = %(tenant)s AND m.id = f.person
LEFT JOIN teams t ON t.member_id = f.person AND f.day >= t.from_on AND f.day < t.to_on
"""

_BY_DAYS: Final = """
SELECT 'customer' AS source, f.customer_id AS row_id, f.customer_id, f.from_on AS day, f.person, f.team,
       f.num * f.days / f.whole AS num, f.den * f.days / f.whole AS den
FROM (
    SELECT held.customer_id, held.num, held.den, held.person,
           CASE WHEN t.member_id IS NULL THEN m.team_id ELSE t.team END AS team,
           GREATEST(held.from_on, t.from_on) AS from_on,
           (LEAST(held.to_on, t.to_on) - GREATEST(held.from_on, t.from_on))::numeric AS days,
           (%(until)s::date - %(start)s::date)::numeric AS whole
    FROM (
        SELECT facts.customer_id, facts.num::numeric, facts.den::numeric,
               CASE WHEN o.customer_id IS NULL THEN c.owner_a_id ELSE o.person END AS person,
               GREATEST(o.from_on, %(start)s::date) AS from_on, LEAST(o.to_on, %(until)s::date) AS to_on
        FROM ({facts}) facts
        JOIN customers_customer c ON c.tenant_id = %(tenant)s AND c.id = facts.customer_id
        LEFT JOIN owners o ON o.customer_id = facts.customer_id
             AND o.from_on < %(until)s AND o.to_on > %(start)s AND o.from_on < o.to_on
    ) held
    LEFT JOIN tenants_member m ON m.tenant_id = %(tenant)s AND m.id = held.person
    LEFT JOIN teams t ON t.member_id = held.person
         AND t.from_on < held.to_on AND t.to_on > held.from_on AND t.from_on < t.to_on
) f
WHERE f.whole > 0
"""

# ── who had ordered ─────────────────────────────────────────────────────────

_MONTH: Final = "({0}::date - (extract(day FROM {0}::date)::int - 1))"
_DAYS_BEFORE: Final = "((1::bigint << (extract(day FROM {0}::date)::int - 1)) - 1)"


def _ordered(customer: str, until: str, since: str = "") -> str:
    """SQL that is true for a customer with a placed order on a day before `until` and, where it is said, from `since` on.

    The rollup says on which days of a month there were orders, and its index has all of it: an order each would be
    looked up all over the greatest table.
    """
    days = f"CASE WHEN a.month = {_MONTH.format(until)} THEN a.days & {_DAYS_BEFORE.format(until)} ELSE a.days END"
    months = f"a.month <= {_MONTH.format(until)}"
    if since:
        months += f" AND a.month >= {_MONTH.format(since)}"
        days += f" & CASE WHEN a.month = {_MONTH.format(since)} THEN ~{_DAYS_BEFORE.format(since)} ELSE -1 END"
    return f"""EXISTS (
        SELECT 1 FROM customers_activity a
        WHERE a.tenant_id = %(tenant)s AND a.customer_id = {customer} AND {months} AND {days} <> 0
    )"""


# ── single facts ────────────────────────────────────────────────────────────

Made = tuple[str, Mapping[str, Any]]

# "%%" is a per cent sign, not the end of one and the beginning of a placeholder.
_PLACEHOLDER: Final = re.compile(r"(?<!%)%s")


def _coverage(period: Period, params: Mapping[str, Any]) -> Made:
    """The planned touches, as the page of coverage reckons them; all that were due before `as_of`."""
    planned = planned_touches(None).filter(due_on__gte=params["start"], due_on__lt=params["until"])
    sql, values = planned.order_by().values_list("pk", "customer_id", "due_on", "state").query.sql_with_params()
    names = {f"planned_{place}": value for place, value in enumerate(values)}
    numbered = iter(names)
    inner = _PLACEHOLDER.sub(lambda _match: f"%({next(numbered)})s", sql)
    return (
        f"""
        SELECT 'followup' AS source, id AS row_id, customer_id, due_on AS day, NULL::bigint AS doer,
               (state = 'in_time')::int AS num, 1 AS den
        FROM ({inner} OFFSET 0) AS planned (id, customer_id, due_on, state)
        """,
        names,
    )


_CSAT: Final = """
SELECT 'surveyresponse' AS source, r.id AS row_id, r.customer_id, (r.at AT TIME ZONE %(zone)s)::date AS day,
       k.assignee_id AS doer, (r.score >= %(content_from)s)::int AS num, 1 AS den
FROM customers_surveyresponse r
LEFT JOIN customers_complaint k ON k.tenant_id = %(tenant)s AND k.id = r.complaint_id
WHERE r.tenant_id = %(tenant)s AND r.kind = 'csat' AND r.at >= %(start_at)s AND r.at < %(until_at)s
"""

# An account's answers that name no contact count as one person's.
_NPS: Final = """
SELECT DISTINCT ON (r.customer_id, r.contact_id)
       'surveyresponse' AS source, r.id AS row_id, r.customer_id, (r.at AT TIME ZONE %(zone)s)::date AS day,
       NULL::bigint AS doer,
       CASE WHEN r.score >= %(promoter_from)s THEN 1 WHEN r.score <= %(detractor_to)s THEN -1 ELSE 0 END AS num,
       1 AS den
FROM customers_surveyresponse r
WHERE r.tenant_id = %(tenant)s AND r.kind = 'nps' AND r.at >= %(start_at)s AND r.at < %(until_at)s
ORDER BY r.customer_id, r.contact_id, r.at DESC, r.id DESC
"""

# A contact counts when its days to order are over: what it came to is then known for good.
_ASKED_ON: Final = "(i.at AT TIME ZONE %(zone)s)::date"
_REPURCHASE: Final = f"""
SELECT DISTINCT ON (i.customer_id)
       'interaction' AS source, i.id AS row_id, i.customer_id, {_ASKED_ON} AS day,
       NULL::bigint AS doer,
       EXISTS (
           SELECT 1 FROM customers_order o
           WHERE o.tenant_id = %(tenant)s AND o.customer_id = i.customer_id AND o.kind = 'order'
             AND o.status = 'placed' AND o.placed_at > i.at
             AND o.placed_on >= {_ASKED_ON} AND o.placed_on <= {_ASKED_ON} + %(conversion_days)s
       )::int AS num,
       1 AS den
FROM customers_interaction i
WHERE i.tenant_id = %(tenant)s AND i.at >= %(asked_from_at)s AND i.at < %(asked_until_at)s
  AND i.direction = 'outbound' AND i.kind <> 'message'
  AND ({_ordered("i.customer_id", _ASKED_ON)} OR EXISTS (
      SELECT 1 FROM customers_order b
      WHERE b.tenant_id = %(tenant)s AND b.customer_id = i.customer_id AND b.kind = 'order'
        AND b.status = 'placed' AND b.placed_on = {_ASKED_ON} AND b.placed_at <= i.at
  ))
ORDER BY i.customer_id, i.at, i.id
"""

_RESPONSE_TIME: Final = f"""
SELECT 'complaint' AS source, k.id AS row_id, k.customer_id,
       (LEAST(k.answered_at, k.until_at) AT TIME ZONE %(zone)s)::date - k.waits::int AS day, k.assignee_id AS doer,
       GREATEST({PASSED.format(at="LEAST(k.answered_at, k.until_at)")} - {PASSED.format(at="k.opened_at")}, 0) / 3600 AS num,
       1 AS den
FROM {OPEN_TIME} CROSS JOIN (
    SELECT c.*, %(until_at)s::timestamptz AS until_at,
           COALESCE(c.answered_at >= %(until_at)s, true) AS waits
    FROM (
        SELECT id, customer_id, assignee_id, opened_at,
               LEAST(apologised_at, promised_at, solved_at) AS answered_at
        FROM customers_complaint WHERE tenant_id = %(tenant)s AND opened_at < %(until_at)s
    ) c
) k
WHERE (NOT k.waits AND k.answered_at >= %(start_at)s) OR (k.waits AND k.opened_at >= %(waits_from_at)s)
"""

_FIRST_TIME: Final = """
SELECT 'complaint' AS source, k.id AS row_id, k.customer_id, (k.solved_at AT TIME ZONE %(zone)s)::date AS day,
       k.assignee_id AS doer, k.first_time::int AS num, 1 AS den
FROM customers_complaint k
WHERE k.tenant_id = %(tenant)s AND k.solved_at >= %(start_at)s AND k.solved_at < %(until_at)s
  AND k.first_time IS NOT NULL
UNION ALL
SELECT 'interaction', i.id, i.customer_id, (i.at AT TIME ZONE %(zone)s)::date, i.member_id, i.solved::int, 1
FROM customers_interaction i
WHERE i.tenant_id = %(tenant)s AND i.at >= %(start_at)s AND i.at < %(until_at)s AND i.solved IS NOT NULL
"""

_REFERRALS: Final = """
SELECT 'referral' AS source, r.id AS row_id, r.referrer_id AS customer_id, r."on" AS day, r.member_id AS doer,
       1 AS num, 0 AS den
FROM customers_referral r
WHERE r.tenant_id = %(tenant)s AND r."on" >= %(start)s AND r."on" < %(until)s AND r.withdrawn_at IS NULL
"""

_REFERRAL_CONVERSION: Final = """
SELECT 'referral' AS source, d.id AS row_id, d.referrer_id AS customer_id, d.day, d.member_id AS doer,
       d.won::int AS num, 1 AS den
FROM (
    SELECT r.id, r.referrer_id, r.member_id, COALESCE(o.first_on <= r."on" + %(referral_days)s, false) AS won,
           LEAST(o.first_on, r."on" + %(referral_days)s) AS day
    FROM customers_referral r
    LEFT JOIN LATERAL (
        SELECT min(o.placed_on) AS first_on FROM customers_order o
        WHERE o.tenant_id = %(tenant)s AND o.customer_id = r.customer_id AND o.kind = 'order'
          AND o.status = 'placed' AND o.placed_on >= r."on"
    ) o ON true
    WHERE r.tenant_id = %(tenant)s AND r.withdrawn_at IS NULL AND r."on" < %(until)s
      AND r."on" >= %(start)s::date - %(referral_days)s
) d
WHERE d.day >= %(start)s AND d.day < %(until)s
"""

# ── a customer's whole period ───────────────────────────────────────────────


def _net(name: str, first: dt.date, last: dt.date, whose: str) -> Made:
    """customer_id and net (points) of `[first, last)`: full months from the rollup, what they leave from the orders.

    `whose`: a condition on customer_id.
    """
    full = first if first.day == 1 else _next_month(first)
    over = max(full, last.replace(day=1))
    params = {f"{name}_first": first, f"{name}_full": full, f"{name}_over": over, f"{name}_last": last}
    orders = (
        "SELECT customer_id, net FROM customers_order WHERE tenant_id = %(tenant)s AND status = 'placed' "
        f"AND placed_on >= %({{0}}_{{1}})s AND placed_on < %({{0}}_{{2}})s AND {whose}"
    )
    if full >= last.replace(day=1):  # no full month in it
        return _summed(orders.format(name, "first", "last")), params
    months = (
        "SELECT customer_id, net FROM customers_activity WHERE tenant_id = %(tenant)s "
        f"AND month >= %({name}_full)s AND month < %({name}_over)s AND {whose}"
    )
    pieces = [months]
    if first < full:
        pieces.append(orders.format(name, "first", "full"))
    if over < last:
        pieces.append(orders.format(name, "over", "last"))
    return _summed(" UNION ALL ".join(pieces)), params


def _summed(pieces: str) -> str:
    return f"SELECT customer_id, sum(net) AS net FROM ({pieces}) pieces GROUP BY customer_id"


def _next_month(day: dt.date) -> dt.date:
    return (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1)


# Whoever bought before the days that are compared with: whole days stand against whole days.
_GREW: Final = f"""
SELECT customer_id, (now_net - before_net)::numeric / %(points)s AS num, before_net::numeric / %(points)s AS den
FROM (
    SELECT customer_id, COALESCE(n.net, 0) AS now_net, COALESCE(b.net, 0) AS before_net
    FROM ({{now}}) n FULL JOIN ({{before}}) b USING (customer_id)
) both_years
WHERE {_ordered("both_years.customer_id", "%(year_start)s")}
"""
_EVERYBODY: Final = "true"

# The tier with which a customer went into the period: what the first change since came from, else today's.
_BEST: Final = """
SELECT c.id AS customer_id, c.closed_on
FROM customers_customer c
LEFT JOIN segmentation_standing n ON n.tenant_id = %(tenant)s AND n.customer_id = c.id
LEFT JOIN (
    SELECT DISTINCT ON (customer_id) customer_id, before FROM segmentation_tierchange
    WHERE tenant_id = %(tenant)s AND "on" > %(start)s ORDER BY customer_id, "on", id
) b ON b.customer_id = c.id
LEFT JOIN LATERAL (
    SELECT t.after FROM segmentation_tierchange t
    WHERE n.customer_id IS NULL AND b.customer_id IS NULL AND t.tenant_id = %(tenant)s AND t.customer_id = c.id
    ORDER BY t."on" DESC, t.id DESC LIMIT 1
) l ON true
WHERE c.tenant_id = %(tenant)s AND COALESCE(b.before, n.tier, l.after, '') = %(best_tier)s
  AND (c.closed_on IS NULL OR c.closed_on > %(start)s)
"""


def _orders_within(day: str) -> str:
    """Whether the customer had ordered in the days before a day without which it counts as lapsed."""
    return _ordered("best.customer_id", f"%({day})s", since=f"(%({day})s::date - %(lapsed_days)s + 1)")


_RETAINED: Final = f"""
SELECT best.customer_id, ((best.closed_on IS NULL OR best.closed_on >= %(until)s) AND {_orders_within("until")})::int AS num,
       1 AS den
FROM ({_BEST}) best
WHERE {_orders_within("start")}
"""


def _growth(_period: Period, params: Mapping[str, Any], whose: str = _EVERYBODY) -> Made:
    now, now_params = _net("now", params["start"], params["until"], whose)
    before, before_params = _net("before", params["year_start"], params["year_until"], whose)
    return _GREW.replace("{now}", now).replace("{before}", before), {**now_params, **before_params}


def _best_growth(period: Period, params: Mapping[str, Any]) -> Made:
    # They are few: their money is looked up, not picked out of everybody's.
    sql, more = _growth(period, params, "customer_id IN (SELECT customer_id FROM best)")
    return f"WITH best AS MATERIALIZED ({_BEST}) {sql}", more


# A lifetime value at the end is the next period's first; while there is none, the one of now.
_UPLIFT: Final = """
SELECT s.customer_id, (COALESCE(e.clv, 0) - s.clv)::numeric / %(points)s AS num, s.clv::numeric / %(points)s AS den
FROM incentives_clvmark s
JOIN customers_customer c ON c.tenant_id = %(tenant)s AND c.id = s.customer_id
LEFT JOIN (
    SELECT customer_id, clv FROM incentives_clvmark WHERE tenant_id = %(tenant)s AND "on" = %(end)s
    UNION ALL
    SELECT customer_id, clv FROM segmentation_worth
    WHERE tenant_id = %(tenant)s AND clv IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM incentives_clvmark WHERE tenant_id = %(tenant)s AND "on" = %(end)s)
) e ON e.customer_id = s.customer_id
WHERE s.tenant_id = %(tenant)s AND s."on" = %(start)s AND (e.clv IS NOT NULL OR c.closed_on < %(until)s)
"""


def _plain(sql: str) -> Callable[[Period, Mapping[str, Any]], Made]:
    return lambda _period, _params: (sql, {})


_FACTS: Final[Mapping[Code, Callable[[Period, Mapping[str, Any]], Made]]] = {
    "coverage": _coverage,
    "csat": _plain(_CSAT),
    "repurchase": _plain(_REPURCHASE),
    "nps": _plain(_NPS),
    "value_growth": _growth,
    "strategic_retention": _plain(_RETAINED),
    "strategic_growth": _best_growth,
    "response_time": _plain(_RESPONSE_TIME),
    "first_time": _plain(_FIRST_TIME),
    "clv_uplift": _plain(_UPLIFT),
    "referrals": _plain(_REFERRALS),
    "referral_conversion": _plain(_REFERRAL_CONVERSION),
}
