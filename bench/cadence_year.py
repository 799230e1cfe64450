"""How long it takes to plan a year of cadence: `python -m bench.cadence_year [--customers 6000] [--runs 5]`.

Without a database: customers of the sales-team pack (A, B and C as 20, 30 and 50 of 100) with touches of the last
months, in the hands of twenty people, placed by `followups.rules.spread.plan_ahead` as the page does. With
`--tenant SLUG` the whole way of the page is timed on a firm that is there: reading included. Prints one JSON object;
seconds are the median and the longest of the runs.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from zoneinfo import ZoneInfo

FIRST = dt.date(2026, 11, 23)
DAYS = 365
PEOPLE = 20
LIMIT = 10.0


def made_up(customers: int) -> Callable[[], list]:
    from followups.rules.policy import AUTOMATIC, CadencePolicy
    from followups.rules.spread import Wanted, plan_ahead, room_a_day
    from tenants.rules.calendar import Calendar

    policy, calendar = CadencePolicy.pack("sales-team"), Calendar(ZoneInfo("Asia/Shanghai"), "CN")
    chance = random.Random(6)  # noqa: S311  # nothing secret
    starts = []
    for customer in range(1, customers + 1):
        tier = "core" if customer % 10 < 2 else "potential" if customer % 10 < 5 else "basic"
        for touch in policy.tiers[tier]:
            if touch.kind not in AUTOMATIC:
                on = FIRST + dt.timedelta(days=chance.randint(-20, touch.interval_days))
                starts.append(Wanted(customer, touch.kind, customer % PEOPLE + 1, on, touch.interval_days))
    room = {person: room_a_day(policy.weekly_capacity * 3, calendar) for person in range(1, PEOPLE + 1)}
    return lambda: plan_ahead(starts, calendar, FIRST, DAYS, room)


def of_tenant(slug: str) -> Callable[[], list]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from followups.cover.coverage import plan_year
    from tenants.context import tenant_scope
    from tenants.models import Member, Tenant
    from tenants.permissions import SEES_ALL

    def planned() -> list:
        with tenant_scope(Tenant.objects.get(slug=slug)):
            member = Member.objects.filter(role__in=SEES_ALL, is_active=True).order_by("pk")[:1].get()
            return plan_year(member).touches

    return planned


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=6_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tenant")
    asked = parser.parse_args()
    plan = of_tenant(asked.tenant) if asked.tenant else made_up(asked.customers)
    seconds, touches = [], []
    for _run in range(asked.runs):
        begun = time.perf_counter()
        touches = plan()
        seconds.append(time.perf_counter() - begun)
    by_weekday = Counter(each.due_on.isoweekday() for each in touches)
    figures = {
        "of": asked.tenant or f"{asked.customers} customers",
        "touches": len(touches),
        "median": round(statistics.median(seconds), 3),
        "longest": round(max(seconds), 3),
        "limit": LIMIT,
        "by_weekday": dict(sorted(by_weekday.items())),
        "busiest_day_of_a_person": max(Counter((each.person, each.due_on) for each in touches).values(), default=0),
    }
    json.dump(figures, sys.stdout)
    sys.stdout.write("\n")
    assert max(seconds) < LIMIT, "over the limit"


if __name__ == "__main__":
    main()
