"""The desk of a team of 50 with 100,000 customers: `python -m bench.team [--customers 100000] [--people 50] [--requests 20]`.

Makes a firm of its own in a throw-away database: one team whose people share all customers, two years of monthly sales,
changes of tier, twelve weeks of health, follow-ups from a month late to a month ahead, a year of contacts, crises with
clocks, closed cases, own views. The figures are counted as the run after the night counts them (its time is said first).
Then the web server is asked, one request after the other, as the lead and as an administrator: the desk in its three
spans, the rows behind the reds, the firm over its teams. Time is measured around the application; the goal is 300 ms.
"""

from __future__ import annotations

import argparse
import datetime as dt
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench import house
from bench.pages import Asked, Browser, row_of, served, time_of
from bench.table import Row, machine, markdown
from config import processes

SLUG: Final = "team"
GOAL_MS: Final = 300
MONTHS: Final = 24
_SEED: Final = 8
_BATCH: Final = 5_000
_TIERS: Final = ("strategic", "key", "regular")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--requests", type=int, default=20)
    asked = parser.parse_args()
    with house.house(None) as state:
        counting, rows = _measured(state, asked.customers, asked.people, asked.requests)
    for name, value in machine().items():
        print(f"- **{name}**: {value}")
    print(f"- **customers**: {asked.customers:,} of {asked.people} people; figures counted in {counting:.1f} s\n")
    print(markdown(rows))


def _measured(state: Path, customers: int, people: int, requests: int) -> tuple[float, list[Row]]:
    import django

    house.manage("migrate", "--verbosity", "0")
    django.setup()
    tenant = _make(customers, people)
    house.settle()
    counting = _count(tenant)
    return counting, _ask(state, requests)


# ── the firm ────────────────────────────────────────────────────────────────


def _make(number: int, people: int) -> Any:
    from customers.models import Activity, Customer, Interaction
    from followups.models import FollowUp
    from health.counting import count_now
    from health.models import HealthCount, HealthScore, LapseForecast, Pulse
    from risk.models import Case, Incident, IncidentClock
    from segmentation.models import Standing, TierChange
    from tenants.context import tenant_scope
    from tenants.models import Member, Run, Team, User
    from tenants.services import create_tenant

    tenant = create_tenant(slug=SLUG, name="Team", pack="wholesale", timezone="Asia/Shanghai", currency="CNY")
    dice = np.random.default_rng(_SEED)
    with tenant_scope(tenant):
        team, today = Team.objects.create(name="South"), tenant.today()
        names = [*(f"am-{n}" for n in range(people)), "lead", "admin"]
        roles = {"lead": "team_lead", "admin": "admin"}
        users = User.objects.bulk_create(User(email=f"{name}@{SLUG}.example", name=name) for name in names)
        members = Member.objects.bulk_create(
            Member(user=user, role=roles.get(user.name, "account_manager"), team=None if user.name == "admin" else team)
            for user in users
        )
        owners = members[:people]
        rows = Customer.objects.bulk_create(
            (Customer(name=f"Customer {n}", owner_a=owners[n % people]) for n in range(number)), batch_size=_BATCH
        )
        money, scores = dice.integers(0, 3_000_000, number), dice.integers(0, 101, number)
        silent = dice.integers(0, 400, number)
        tiers = dice.choice(_TIERS, number, p=(0.02, 0.18, 0.8))
        bands = np.where(
            scores >= 30, np.where(scores >= 50, "green", "yellow"), np.where(scores >= 6, "yellow", "red")
        )
        _bulk(Standing, (
            Standing(customer=each, frequency=9, monetary=int(money[n]), tier=tiers[n], policy_version=1,
                     first_order_on=today - dt.timedelta(days=700), last_order_on=today - dt.timedelta(days=int(silent[n])),
                     returned_on=today - dt.timedelta(days=30) if n % 50 == 0 else None)
            for n, each in enumerate(rows)
        ))  # fmt: skip
        _bulk(HealthScore, (
            HealthScore(customer=each, score=int(scores[n]), week_score=int(scores[n]) + 3, known=4, band=str(bands[n]),
                        order_days_count=9, spend_recent=1, spend_before=1, categories_recent=2, categories_before=2,
                        last_order_on=today - dt.timedelta(days=int(silent[n])), median_gap=20, gap_cv=0.4, policy_version=1)
            for n, each in enumerate(rows)
        ))  # fmt: skip
        _bulk(TierChange, (
            TierChange(customer=each, on=today - dt.timedelta(days=int(silent[n])), before="key", after=tiers[n], policy_version=1)
            for n, each in enumerate(rows) if n % 12 == 0
        ))  # fmt: skip
        months = [_month(today, ago) for ago in range(MONTHS + 1)]
        _bulk(Activity, (
            Activity(customer=each, month=months[ago], orders=1, credit_notes=0, net=int(money[n]) // 12, days=1)
            for n, each in enumerate(rows) for ago in range(n % 3, MONTHS + 1, 3)
        ))  # fmt: skip
        _bulk(LapseForecast, (
            LapseForecast(customer=each, percent=int(scores[n]), horizon_days=90, expected_money=int(money[n]),
                          money_at_risk=int(money[n]) // 5, policy_version=1)
            for n, each in enumerate(rows)
        ))  # fmt: skip
        days = dice.integers(-30, 31, number)
        _bulk(FollowUp, (
            FollowUp(customer=each, assignee=each.owner_a, kind="light_touch", rule="cadence:light_touch",
                     period=str(today - dt.timedelta(days=60)), due_on=today + dt.timedelta(days=int(days[n])), facts={"every_days": 30})
            for n, each in enumerate(rows) if n % 2
        ))  # fmt: skip
        for quarter in range(1, 5):
            _bulk(FollowUp, (
                FollowUp(customer=each, assignee=each.owner_a, kind="deep_talk", rule="cadence:deep_talk", status="done",
                         period=str(today - dt.timedelta(days=90 * quarter + 30)),
                         due_on=today - dt.timedelta(days=90 * quarter - int(days[n]) - 31), facts={"every_days": 90})
                for n, each in enumerate(rows)
            ))  # fmt: skip
        now = tenant.start_of(today)
        _bulk(Interaction, (
            Interaction(customer=each, channel="phone", direction="outbound", kind="deep_talk",
                        at=now - dt.timedelta(days=int(silent[n] * times / 3), hours=1))
            for n, each in enumerate(rows) for times in (1, 2, 3)
        ))  # fmt: skip
        HealthCount.objects.bulk_create(
            HealthCount(on=today - dt.timedelta(weeks=week), owner=owner, band=band, customers=100 + week, net=1000)
            for week in range(12) for owner in owners for band in ("green", "yellow", "red", "none")
        )  # fmt: skip
        Pulse.objects.bulk_create(
            Pulse(customer=each, member=owners[0], band="red", reason="price") for each in rows[: number // 50]
        )
        Case.objects.bulk_create(
            Case(customer=each, risk_class=("demand", "relationship", "external")[n % 3], cause=("price", "quality", "competitor")[n % 3],
                 outcome=("lost", "saved")[n % 2], money=1000, opened_on=today - dt.timedelta(days=60),
                 closed_on=today - dt.timedelta(days=n % 300))
            for n, each in enumerate(rows[: number // 100])
        )  # fmt: skip
        crises = Incident.objects.bulk_create(
            Incident(number=n + 1, customer=rows[n], title="Late", level="general", opened_at=now - dt.timedelta(days=n),
                     closed_at=now if n else None, outcome="saved" if n else "", policy_version=1, calendar_version=1)
            for n in range(60)
        )  # fmt: skip
        IncidentClock.objects.bulk_create(
            IncidentClock(incident=each, kind=kind, target_minutes=60, deadline_at=each.opened_at + dt.timedelta(hours=4),
                          met_at=each.opened_at + dt.timedelta(hours=3) if each.closed_at else None)
            for each in crises for kind in ("acknowledge", "solution", "solved")
        )  # fmt: skip
        Run.objects.create(job="nightly", for_date=today, status="done", finished_at=now, policy_version=1)
        count_now()
    return tenant


def _bulk(model: Any, rows: Any) -> None:
    model.objects.bulk_create(rows, batch_size=_BATCH)


def _month(today: dt.date, ago: int) -> dt.date:
    number = today.year * 12 + today.month - 1 - ago
    return dt.date(number // 12, number % 12 + 1, 1)


def _count(tenant: Any) -> float:
    """Seconds that the run after the night counts the desks' figures."""
    from dashboards.team import counting
    from tenants.context import tenant_scope
    from tenants.runs import Piece

    began = time.perf_counter()
    with tenant_scope(tenant):
        counting.run(Piece(as_of=tenant.today()))
    return time.perf_counter() - began


# ── what is asked for ───────────────────────────────────────────────────────


def _ask(state: Path, requests: int) -> list[Row]:
    port = processes.free_port()
    with served(port, state):
        browsers = {who: Browser(port, _identity(who)) for who in ("lead", "admin")}
        asked = [
            Asked(f"{name}{span}", who, [f"/{SLUG}/{path}{span}"], goal=GOAL_MS)
            for who in browsers
            for name, path, spans in (
                ("desk", "team/", ("?span=4-weeks", "?span=quarter", "?span=year")),
                ("reds without action", "customers/?risk=idle", ("",)),
                ("work in hand", "team/work/", ("",)),
                ("one person's customers", "team/customers/", ("",)),
                ("all teams", "executive/", ("",)),
            )
            for span in spans
            if who == "admin" or path != "executive/"
        ]
        return [row_of(each, time_of(each, browsers[each.person], requests)) for each in asked]


def _identity(name: str) -> dict[str, str]:
    from django.test import Client

    from tenants.models import User

    client = Client()
    client.force_login(User.objects.get(email=f"{name}@{SLUG}.example"))
    return {"Cookie": "; ".join(f"{key}={morsel.value}" for key, morsel in client.cookies.items())}


if __name__ == "__main__":
    main()
