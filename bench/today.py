"""Today with tens of thousands of open follow-ups: `python -m bench.today [--follow-ups 50000] [--requests 40]`.

Makes a firm of its own in a throw-away database: 20,000 customers with tier, money and health, 100 account managers in ten
teams, and open follow-ups from a month late to a month ahead, most of them due about today. Then it asks the web server,
one request after the other, as an account manager, a lead and an administrator: Today as it opens, ranked anew, one
preview, a contact logged, the news since yesterday, the calendar, the check at the end of the day. Time is measured around
the application (bench/serve.py); the goal is 100 ms for Today, and as many queries for fifty thousand as for fifty.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench import house
from bench.pages import Asked, Browser, Timed, row_of, served, time_of
from bench.table import Row, machine, markdown
from config import processes

CUSTOMERS: Final = 20_000
MEMBERS: Final = 100
TEAMS: Final = 10
SLUG: Final = "today"
GOAL_MS: Final = 100
PEOPLE: Final = {"account manager": "am-0", "lead": "lead-0", "administrator": "admin"}
_SEED: Final = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--follow-ups", type=int, default=50_000)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--requests", type=int, default=40)
    asked = parser.parse_args()
    with house.house(None) as state:
        rows = _measured(state, asked.customers, asked.follow_ups, asked.requests)
    for name, value in machine().items():
        print(f"- **{name}**: {value}")
    print(f"- **open follow-ups**: {asked.follow_ups:,} of {asked.customers:,} customers\n")
    print(markdown(rows))


def _measured(state: Path, customers: int, follow_ups: int, requests: int) -> list[Row]:
    import django

    house.manage("migrate", "--verbosity", "0")
    django.setup()
    tenant = _make(customers, 50)
    few = _ask(state, 3)
    _fill(tenant, follow_ups - 50)
    house.settle()
    many = _ask(state, requests)
    return [row | {"queries for 50": before.get("queries")} for row, before in zip(many, few, strict=True)]


# ── the firm ────────────────────────────────────────────────────────────────


def _make(number: int, follow_ups: int) -> Any:
    from customers.models import Customer
    from health.models import HealthScore
    from segmentation.models import Standing
    from tenants.context import tenant_scope
    from tenants.models import Member, Run, Team, User
    from tenants.services import create_tenant

    tenant = create_tenant(slug=SLUG, name="Today", pack="callback", timezone="Asia/Shanghai", currency="CNY")
    dice = np.random.default_rng(_SEED)
    with tenant_scope(tenant):
        teams = Team.objects.bulk_create(Team(name=f"Team {n}") for n in range(TEAMS))
        names = [f"am-{n}" for n in range(MEMBERS)] + [f"lead-{n}" for n in range(TEAMS)] + ["admin"]
        users = User.objects.bulk_create(User(email=f"{name}@{SLUG}.example", name=name) for name in names)
        people = Member.objects.bulk_create(
            Member(user=user, role=_role(user.name), team=teams[_number(user.name) % TEAMS]) for user in users
        )
        workers = people[:MEMBERS]
        customers = Customer.objects.bulk_create(
            (
                Customer(name=f"Customer {n} {'贸易' if n % 3 else 'Trading'}", owner_a=workers[n % MEMBERS],
                         owner_b=workers[(n + 1) % MEMBERS])
                for n in range(number)
            ),
            batch_size=5_000,
        )  # fmt: skip
        money, scores = dice.integers(0, 3_000_000, number), dice.integers(0, 101, number)
        today = tenant.today()
        Standing.objects.bulk_create(
            (
                Standing(customer=each, frequency=9, monetary=int(money[n]), tier=("gold", "silver", "bronze")[n % 3],
                         last_order_on=today - dt.timedelta(days=n % 90), policy_version=1)
                for n, each in enumerate(customers)
            ),
            batch_size=5_000,
        )  # fmt: skip
        HealthScore.objects.bulk_create(
            (
                HealthScore(customer=each, score=int(scores[n]), week_score=int(scores[n]) - 3, known=4,
                            band="green" if scores[n] >= 80 else "yellow" if scores[n] >= 50 else "red",
                            order_days_count=9, spend_recent=1, spend_before=1, categories_recent=2, categories_before=2,
                            last_order_on=today - dt.timedelta(days=n % 90), median_gap=20, gap_cv=0.4, policy_version=1)
                for n, each in enumerate(customers)
            ),
            batch_size=5_000,
        )  # fmt: skip
        Run.objects.create(
            job="nightly", for_date=today, status="done", finished_at=tenant.start_of(today), policy_version=1
        )
    _fill(tenant, follow_ups)
    return tenant


def _number(name: str) -> int:
    return int(name.rpartition("-")[2]) if "-" in name else 0


def _role(name: str) -> str:
    return {"am": "account_manager", "lead": "team_lead"}.get(name.partition("-")[0], "admin")


def _fill(tenant: Any, count: int) -> None:
    """Raise so many follow-ups, spread over the customers and over 61 days, a third of them due today."""
    from customers.models import Customer
    from followups.models import FollowUp
    from tenants.context import tenant_scope

    dice = np.random.default_rng(_SEED + count)
    with tenant_scope(tenant):
        owners = list(Customer.objects.order_by("pk").values_list("pk", "owner_a_id"))
        before = FollowUp.objects.count()
        days = np.where(dice.random(count) < 1 / 3, 0, dice.integers(-30, 31, count))
        priority = dice.integers(10_000, 3_000_000_000, count)
        levels = dice.choice(["routine", "routine", "routine", "mild", "moderate", "severe"], count)
        kinds = ("light_touch", "deep_talk", "review")
        rows = (
            FollowUp(
                customer_id=owners[n % len(owners)][0],
                assignee_id=owners[n % len(owners)][1],
                kind=kinds[n % 3],
                rule=f"cadence:{kinds[n % 3]}",
                facts={"every_days": 30},
                period=f"made-{before + n}",
                due_on=tenant.today() + dt.timedelta(days=int(days[n])),
                level=str(levels[n]),
                priority=int(priority[n]),
            )
            for n in range(count)
        )
        FollowUp.objects.bulk_create(rows, batch_size=5_000)


# ── what is asked for ───────────────────────────────────────────────────────


def _ask(state: Path, requests: int) -> list[Row]:
    port = processes.free_port()
    with served(port, state):
        browsers = {who: Browser(port, _identity(name)) for who, name in PEOPLE.items()}
        return [
            row_of(asked, _timed(asked, browser, requests))
            for who, browser in browsers.items()
            for asked in _pages(who, browser, requests)
        ]


def _identity(name: str) -> dict[str, str]:
    from django.test import Client

    from tenants.models import User

    client = Client()
    client.force_login(User.objects.get(email=f"{name}@{SLUG}.example"))
    return {"Cookie": "; ".join(f"{key}={morsel.value}" for key, morsel in client.cookies.items())}


def _pages(who: str, browser: Browser, requests: int) -> Iterator[Asked]:
    today = f"/{SLUG}/today/"
    view = "?view=mine" if who == "account manager" else "?view=all"
    browser.ask("GET", today + view)  # the view is kept from now on
    yield Asked("Today, as it stands", who, [today], goal=GOAL_MS)
    yield Asked("Today, the next view", who, [f"{today}?view=covering", f"{today}?view=all"], goal=GOAL_MS)
    _response, page = browser.ask("GET", today + view)
    ids = re.findall(r'data-id="(\d+)"', page.decode())
    yield Asked("preview", who, [f"{today}{each}/" for each in ids[: max(1, requests)]], goal=GOAL_MS)
    yield Asked("since yesterday", who, [f"{today}since/"], goal=GOAL_MS)
    yield Asked("calendar, month", who, [f"{today}calendar/"], goal=GOAL_MS)
    yield Asked("calendar, week", who, [f"{today}calendar/?span=week"], goal=GOAL_MS)
    yield Asked("close the day", who, [f"{today}close/"], goal=GOAL_MS)
    yield Asked("all of the view", who, [f"{today}all/"], goal=None)


def _timed(asked: Asked, browser: Browser, requests: int) -> Timed:
    addresses = cycle(asked.addresses)
    once = Asked(asked.name, asked.person, [next(addresses) for _ in range(min(requests, len(asked.addresses)))])
    return time_of(once, browser, requests)


if __name__ == "__main__":
    main()
