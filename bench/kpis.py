"""KPIs of 50 people with 100,000 customers: `python -m bench.kpis [--customers 100000] [--people 50]`.

Makes a firm of its own in a throw-away database: three years of orders, half a year of contacts, follow-ups, answers and
complaints, and holders that change. Each KPI of a quarter is then counted once by itself, all running periods as the run
after the night counts them, and the board of the whole firm is read from what has been counted.
"""

from __future__ import annotations

import argparse
import time
from typing import Any, Final

from bench import house
from bench.table import Row, machine, markdown

SLUG: Final = "kpis"
_ORDERS: Final = 12  # of a customer, in three years

# Facts by the thousand, in the database itself: {n} customers with the ids from {first} on, {days} days back.
_FACTS: Final = (
    """
    INSERT INTO customers_order (tenant_id, customer_id, source, external_id, kind, status, placed_at, placed_on, currency,
                                 rate, net, digest, created_at, updated_at)
    SELECT %(tenant)s, c.id, 'bench', c.id || '-' || n, 'order', 'placed', at, (at AT TIME ZONE 'UTC')::date, 'CNY',
           100000000, 10000 * (1 + (c.id * 7 + n * 13) %% 5000), '', now(), now()
    FROM customers_customer c CROSS JOIN generate_series(1, %(orders)s) n
    CROSS JOIN LATERAL (SELECT now() - make_interval(hours => ((c.id * 31 + n * 2191) %% 26280)::int) AS at) t
    WHERE c.tenant_id = %(tenant)s
    """,
    """
    INSERT INTO customers_activity (tenant_id, customer_id, month, orders, credit_notes, net, days)
    SELECT tenant_id, customer_id, date_trunc('month', placed_on)::date, count(*), 0, sum(net), 1
    FROM customers_order WHERE tenant_id = %(tenant)s GROUP BY 1, 2, 3
    """,
    """
    INSERT INTO customers_interaction (tenant_id, customer_id, member_id, source, external_id, at, channel, direction, kind,
                                       topic, solved, note, created_at, updated_at)
    SELECT %(tenant)s, c.id, c.owner_a_id, 'bench', '', now() - make_interval(hours => ((c.id * 17 + n * 911) %% 4380)::int),
           'phone', 'outbound', 'light_touch', '', CASE WHEN n = 1 THEN c.id %% 3 > 0 END, '', now(), now()
    FROM customers_customer c CROSS JOIN generate_series(1, 4) n WHERE c.tenant_id = %(tenant)s
    """,
    """
    INSERT INTO followups_followup (tenant_id, customer_id, assignee_id, kind, channel, rule, period, facts, level, due_on,
                                    priority, status, snooze_reason, created_at, updated_at)
    SELECT %(tenant)s, c.id, c.owner_a_id, 'light_touch', 'phone', 'cadence:light_touch',
           (current_date - (n * 30 + (c.id %% 30))::int - 30)::text, '{}', 'routine',
           current_date - (n * 30 + (c.id %% 30))::int, 0, 'open', '', now(), now()
    FROM customers_customer c CROSS JOIN generate_series(0, 2) n WHERE c.tenant_id = %(tenant)s
    """,
    """
    INSERT INTO customers_surveyresponse (tenant_id, customer_id, source, external_id, kind, score, at, text, created_at,
                                          updated_at)
    SELECT %(tenant)s, c.id, 'bench', '', CASE WHEN n = 1 THEN 'csat' ELSE 'nps' END, 1 + (c.id + n) %% 5,
           now() - make_interval(hours => ((c.id * 13 + n * 701) %% 2160)::int), '', now(), now()
    FROM customers_customer c CROSS JOIN generate_series(1, 2) n WHERE c.tenant_id = %(tenant)s AND c.id %% 2 = 0
    """,
    """
    INSERT INTO customers_complaint (tenant_id, customer_id, source, external_id, opened_at, topic, severity, text, solved_at,
                                     first_time, created_at, updated_at)
    SELECT %(tenant)s, c.id, 'bench', '', at, 'Late', 'normal', '', at + interval '9 hours', c.id %% 4 > 0, now(), now()
    FROM customers_customer c
    CROSS JOIN LATERAL (SELECT now() - make_interval(hours => (c.id * 19 %% 4380)::int) AS at) t
    WHERE c.tenant_id = %(tenant)s AND c.id %% 10 = 0
    """,
    """
    INSERT INTO segmentation_standing (tenant_id, customer_id, frequency, monetary, segment, tier, policy_version)
    SELECT %(tenant)s, c.id, 9, 10000, '', CASE WHEN c.id %% 50 = 0 THEN 'strategic' ELSE 'regular' END, 1
    FROM customers_customer c WHERE c.tenant_id = %(tenant)s
    """,
    """
    UPDATE customers_customer SET owner_a_id = owner_b_id, owner_b_id = NULL WHERE tenant_id = %(tenant)s AND id %% 100 = 0
    """,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=50)
    asked = parser.parse_args()
    with house.house(None):
        rows = _measured(asked.customers, asked.people)
    for name, value in machine().items():
        print(f"- **{name}**: {value}")
    print(f"- **customers**: {asked.customers:,} of {asked.people} people\n")
    print(markdown(rows))


def _measured(customers: int, people: int) -> list[Row]:
    import django

    house.manage("migrate", "--verbosity", "0")
    django.setup()
    from incentives.kpis.counting import count_running, counts_of
    from incentives.kpis.figures import Stands, Who
    from incentives.rules.kpis import CODES, Period
    from tenants.context import tenant_scope
    from tenants.policies import active_policy

    tenant = _make(customers, people)
    house.settle()
    found: list[Row] = []

    def timed(name: str, work: Any) -> None:
        began = time.perf_counter()
        work()
        found.append({"what": name, "ms": round((time.perf_counter() - began) * 1000)})

    with tenant_scope(tenant):
        today, policy = tenant.today(), active_policy()
        quarter = Period.of("quarter", today).before
        for code in CODES:
            timed(f"{code}, a quarter", lambda code=code: counts_of(quarter, today, policy, [code]))
        timed("all running periods", lambda: count_running(today))

        def board(period: Period) -> None:
            stands = Stands([period])
            for code in CODES:
                stands.value(code, period, Who.tenant())
                for person in stands.people(period):
                    stands.value(code, period, Who.person(person))

        running = Period.of("month", today)
        board(running)  # the first address that is written makes Django read all of them
        timed("the board of this month, everybody, as counted", lambda: board(running))
        timed("the board of a month of which nothing is counted, everybody", lambda: board(running.before.before))
    return found


def _make(number: int, people: int) -> Any:
    from django.db import connection

    from customers.models import Customer
    from tenants.context import tenant_scope
    from tenants.models import Member, Team, User
    from tenants.services import create_tenant

    tenant = create_tenant(slug=SLUG, name="KPIs", pack="wholesale", timezone="UTC", currency="CNY")
    with tenant_scope(tenant):
        teams = Team.objects.bulk_create(Team(name=f"Team {n}") for n in range(5))
        users = User.objects.bulk_create(User(email=f"am-{n}@{SLUG}.example", name=f"am-{n}") for n in range(people))
        members = Member.objects.bulk_create(
            Member(user=user, role="account_manager", team=teams[n % len(teams)]) for n, user in enumerate(users)
        )
        Customer.objects.bulk_create(
            (
                Customer(name=f"C {n}", owner_a=members[n % people], owner_b=members[(n + 1) % people])
                for n in range(number)
            ),
            batch_size=5_000,
        )
        with connection.cursor() as cursor:
            for statement in _FACTS:
                cursor.execute(statement, {"tenant": tenant.pk, "orders": _ORDERS})
    return tenant


if __name__ == "__main__":
    main()
