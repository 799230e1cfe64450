"""The facts of a ranking: what each person did for each customer in a month, and what is usual, from the KPIs' own SQL."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, cast

from django.db import connection

from customers.models import Interaction
from followups.models import Absence
from incentives.kpis.facts import credited
from incentives.kpis.figures import jobs_on
from incentives.models import AwardUsual, KpiClosing
from incentives.rules.awards import (
    SHARES,
    Count,
    Done,
    Share,
    There,
    Usual,
    quarters_before,
    usual_shares,
)
from incentives.rules.kpi_policy import KpiPolicy
from incentives.rules.kpis import Period
from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import TIER_ORDER
from tenants.base import POINTS
from tenants.calendars import firm_calendar
from tenants.context import current_tenant
from tenants.models import Member
from tenants.permissions import Role
from tenants.policies import Policy

# The tier with which a customer went into the period: nobody makes a customer easier by moving it within the month.
_BY_CUSTOMER: Final = """
SELECT k.person, k.customer_id, COALESCE(b.before, n.tier, '') AS tier, sum({hits}) AS hits, sum(k.den) AS cases
FROM ({facts}) k
LEFT JOIN segmentation_standing n ON n.tenant_id = %(tenant)s AND n.customer_id = k.customer_id
LEFT JOIN (
    SELECT DISTINCT ON (customer_id) customer_id, before FROM segmentation_tierchange
    WHERE tenant_id = %(tenant)s AND "on" > %(start)s ORDER BY customer_id, "on", id
) b ON b.customer_id = k.customer_id
WHERE k.den > 0 {narrow}
GROUP BY 1, 2, 3
"""

# What fell on days on which somebody was away is nothing that they could do anything about.
_THERE: Final = """
AND k.person IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM followups_absence a
    WHERE a.tenant_id = %(tenant)s AND a.member_id = k.person AND a."first" <= k.day AND a."last" >= k.day
)
"""

_BY_TIER: Final = """
SELECT tier, count(*), round(sum(rate) * %(points)s) FROM (
    SELECT customer_id, tier, sum(hits) / sum(cases) AS rate FROM ({rows}) by_customer GROUP BY 1, 2
) rates GROUP BY tier
"""

_HITS: Final[dict[Share, str]] = {"response_time": "(k.num <= %(in_time)s)::int"}
"""Hours become a share: whether they were within the target. The others are counted as hits already."""


def done_in(month: Period, as_of: dt.date, policy: Policy) -> dict[int, list[Done]]:
    """What each person did for each customer in a month, by the facts of days before `as_of`; one statement per share."""
    found: dict[int, list[Done]] = defaultdict(list)
    for share in SHARES:
        for person, customer, tier, hits, of in _read(share, month, as_of, policy, narrow=_THERE):
            found[person].append(Done(share, customer, tier, Fraction(hits), Fraction(of)))
    return found


def _read(
    share: Share, period: Period, as_of: dt.date, policy: Policy, *, narrow: str = "", around: str = "{rows}"
) -> list[tuple[Any, ...]]:
    """The rows of a share by person, customer and tier, `narrow`ed to some; or what a statement `around` makes of them."""
    made = credited(share, period, as_of, policy)
    in_time = Decimal(str(policy.section(KpiPolicy).targets.response_time))
    rows = _BY_CUSTOMER.format(facts=made.sql, hits=_HITS.get(share, "k.num"), narrow=narrow)
    with connection.cursor() as cursor:
        cursor.execute(around.format(rows=rows), {**made.params, "in_time": in_time, "points": POINTS})
        return cast(list[tuple[Any, ...]], cursor.fetchall())


# ── what is usual ───────────────────────────────────────────────────────────


def usual_for(month: Period, as_of: dt.date, policy: Policy, *, keep: bool = False) -> dict[tuple[Share, str], Usual]:
    """What is usual for a month: counted once for each of the four quarters before; `keep` writes down what is new.

    Who only looks keeps nothing. Needs the scope's transaction; two who keep at the same moment keep the same.
    """
    quarters = quarters_before(month)
    kept = list(AwardUsual.objects.filter(quarter__in=[each.start for each in quarters]))
    known = {row.quarter for row in kept}
    fresh = [row for quarter in quarters if quarter.start not in known for row in _count(quarter, as_of, policy)]
    if keep and fresh:
        AwardUsual.objects.bulk_create(fresh, ignore_conflicts=True)
    counts: dict[tuple[Share, str], Count] = defaultdict(Count)
    for row in [*kept, *fresh]:
        counts[cast(Share, row.share), row.tier] += Count(row.customers, Fraction(row.total))
    targets = policy.section(KpiPolicy).targets
    usual = {share: Fraction(targets.of(share)) for share in SHARES}
    usual["response_time"] = Fraction(100)  # the target of hours; of the share that is within it there is none but all
    tiers = {"", *TIER_ORDER[policy.section(TierPolicy).scheme]}
    return usual_shares(counts, usual, tiers)


def _count(quarter: Period, as_of: dt.date, policy: Policy) -> list[AwardUsual]:
    rows: list[AwardUsual] = []
    for share in SHARES:
        found = _read(share, quarter, as_of, policy, around=_BY_TIER)
        # A quarter without a fact is kept as such: it would be counted again and again.
        for tier, customers, total in found or [("", 0, 0)]:
            rows.append(
                AwardUsual(
                    quarter=quarter.start, share=share, tier=tier, customers=customers, total=Decimal(total) / POINTS
                )
            )
    return rows


# ── who was there ───────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Person:
    """Somebody who is measured, and what of the month they were there."""

    member: Member
    has_left: bool
    is_new: bool
    there: There


def people_of(month: Period, closing: KpiClosing) -> list[Person]:
    """Everybody who was measured in a month, by name.

    New is whose place in the firm was made after its first day and who had no contact with a customer before it.
    """
    rows = Member.objects.exclude(role=Role.INTEGRATION).select_related("user", "team").order_by("user__name", "pk")
    jobs = jobs_on(month.last, list(rows), closed_at=closing.closed_at)
    members = [each for each in rows if jobs[each.pk]]
    working = firm_calendar().working_days(month.start, month.last)
    away = _away(members, month)
    tenant = current_tenant()
    start_at = tenant.start_of(month.start)
    late = [each.pk for each in members if tenant.local_date(each.created_at) > month.start]
    known = {pk for pk in late if Interaction.objects.filter(member=pk, at__lt=start_at).exists()}
    return [
        Person(
            member=each,
            has_left=not each.is_active,
            is_new=each.pk in late and each.pk not in known,
            there=There(
                len(working), sum(any(row.is_on(day) for row in away.get(each.pk, ())) for day in working)
            ),
        )
        for each in members
    ]  # fmt: skip


def _away(members: Sequence[Member], month: Period) -> dict[int, list[Absence]]:
    found: dict[int, list[Absence]] = defaultdict(list)
    rows = Absence.objects.filter(
        member__in=[each.pk for each in members], first__lte=month.last, last__gte=month.start
    )
    for row in rows:
        found[row.member_id].append(row)
    return found
