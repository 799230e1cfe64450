"""It: a complaint's response time is the business time of the firm's own calendar, exactly, reckoned as a set."""

from __future__ import annotations

import datetime as dt
from random import Random
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from customers.models import Complaint, Customer
from incentives.kpis.facts import credited
from incentives.kpis.open_hours import open_time
from incentives.rules.kpis import KPIS, Period
from tenants.calendars import firm_calendar
from tenants.context import tenant_scope
from tenants.policies import active_policy, complete_document, save_policy
from tenants.rules.calendar import Calendar
from tenants.rules.documents import put

NEARLY = 1e-6  # hours


def rows(period, as_of):
    """complaint → hours, as the KPI counts them."""
    made = credited("response_time", period, as_of, active_policy())
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT row_id, num FROM ({made.sql}) facts", dict(made.params))
        return {pk: float(hours) for pk, hours in cursor.fetchall()}


def answered(customer, opened, answer):
    return Complaint.objects.create(customer=customer, topic="Late", opened_at=opened, apologised_at=answer)


def test_it_is_the_business_time_between_any_two_moments(cast):
    """A month around the Chinese new year in Shanghai, and one in which clocks change in London, of hours of its own."""
    dice = Random(7)  # noqa: S311  # dice, not secrets
    for tenant, start, fields in (
        (cast.other_tenant, dt.date(2026, 2, 1), {"country": "CN"}),
        (cast.tenant, dt.date(2026, 3, 1), {"opens": "22:30:00", "closes": "00:00:00", "week": "every_day"}),
        (cast.tenant, dt.date(2026, 10, 1), {"opens": "00:00:00", "closes": "03:00:00", "days_on": ["2026-10-25"]}),
    ):
        with tenant_scope(tenant):
            document = complete_document(active_policy())
            for name, value in fields.items():
                document = put(document, ("calendar", name), value)
            save_policy(document, pack=active_policy().pack)
            customer, calendar = Customer.objects.create(name=f"Of {start}"), firm_calendar()
            begin, period = tenant.start_of(start), Period("month", start)
            moments = [
                begin
                + dt.timedelta(seconds=dice.randrange(-40 * 86_400, 28 * 86_400), microseconds=dice.randrange(10**6))
                for _n in range(80)
            ]
            made = [answered(customer, *sorted(dice.sample(moments, 2))) for _n in range(60)]
            found = rows(period, period.end)
            wanted = {
                row.pk: calendar.elapsed(row.opened_at, row.apologised_at).total_seconds() / 3600
                for row in made
                if row.apologised_at >= begin
            }
            assert found.keys() >= wanted.keys()
            assert len(wanted) > 20
            for pk, hours in wanted.items():
                assert abs(found[pk] - hours) < NEARLY, (start, pk)


def test_it_takes_no_time_over_a_weekend_and_counts_what_waits_up_to_the_end(cast, scope):
    friday, monday = dt.datetime(2026, 11, 20, 18, 30, tzinfo=dt.UTC), dt.datetime(2026, 11, 23, 8, tzinfo=dt.UTC)
    period = Period("month", dt.date(2026, 11, 1))
    customer = cast.customer()
    none = answered(customer, friday, monday)
    assert rows(period, period.end)[none.pk] == 0
    waits = answered(customer, dt.datetime(2026, 11, 19, 15, tzinfo=dt.UTC), None)
    assert rows(period, dt.date(2026, 11, 21))[waits.pk] == 12  # three hours on Thursday, nine on Friday
    backwards = answered(customer, monday, monday - dt.timedelta(days=4))
    assert rows(period, dt.date(2026, 11, 24))[backwards.pk] == 0
    assert KPIS["response_time"].target == 9


def test_it_measures_a_firm_that_never_opens_by_the_clock():
    never = Calendar(zone=ZoneInfo("UTC"), days_off=frozenset(
        dt.date(2023, 1, 1) + dt.timedelta(days=each) for each in range(2500)
    ))  # fmt: skip
    known = open_time(never, dt.date(2026, 5, 1), dt.date(2026, 6, 1))
    assert len(known.begins) == 1
    assert known.lengths == [dt.timedelta(days=365 + 366 + 365 + 365).total_seconds()]  # 2024 to 2027
    usual = open_time(Calendar(zone=ZoneInfo("Asia/Shanghai"), country="CN"), dt.date(2026, 5, 1), dt.date(2026, 6, 1))
    assert usual.begins == sorted(usual.begins)
    assert usual.before[-1] + usual.lengths[-1] == pytest.approx(sum(usual.lengths))
