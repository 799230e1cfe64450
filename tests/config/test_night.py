import datetime as dt
import json
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command

from config.night import JOB, STEPS, due_night, run_night
from customers.activity import refresh_activity
from customers.models import Interaction, Order, month_of
from followups.models import FollowUp
from health.models import (
    BackTest,
    BackTestCutOff,
    HealthCount,
    HealthHistory,
    HealthScore,
    LapseFit,
    LapseForecast,
)
from risk.models import Alert
from segmentation.models import (
    CrossSellRule,
    CrossSellRun,
    LifetimeFit,
    SpecDrift,
    Standing,
    TierChange,
    Worth,
)
from tenants.context import tenant_scope
from tenants.models import Event, Run

DAY = dt.date(2026, 11, 20)


@pytest.fixture
def orders(cast):
    """Places orders of 100.00 for a customer, so many days before DAY."""

    def place(customer, *days_before, kind="order", net=Decimal("100.00"), status="placed"):
        with tenant_scope(cast.tenant):
            for n in days_before:
                day = DAY - dt.timedelta(days=n)
                Order.objects.create(
                    customer=customer,
                    external_id=f"{customer.pk}-{n}-{kind}-{status}",
                    kind=kind,
                    status=status,
                    placed_at=cast.tenant.start_of(day),
                    placed_on=day,
                    currency="GBP",
                    net=net,
                    digest="",
                )
                refresh_activity([(customer.pk, month_of(day))])

    return place


def rows(model, **where):
    return list(model.objects.filter(**where))


_WRITTEN = (
    Standing, TierChange, LifetimeFit, Worth, CrossSellRun, CrossSellRule, SpecDrift, HealthScore, HealthHistory,
    HealthCount, LapseFit, LapseForecast, BackTest, BackTestCutOff, FollowUp, Alert, Event,
)  # fmt: skip


def state(tenant):
    """Everything that the night writes, to compare two states."""
    with tenant_scope(tenant):
        return {model.__name__: sorted(map(str, model.objects.values_list())) for model in _WRITTEN}


def test_counts_only_what_lies_before_the_day(cast, orders):
    customer = cast.customer()
    orders(customer, 0, 1, 366, 365)
    run_night(cast.tenant, DAY)
    with tenant_scope(cast.tenant):
        standing = Standing.objects.get(customer=customer)
    assert standing.last_order_on == DAY - dt.timedelta(days=1)
    assert standing.frequency == 2  # yesterday, and the window's own first day a year ago
    assert standing.monetary == Decimal(200)


def test_ignores_cancelled_orders_and_lets_credit_notes_reduce_money_only(cast, orders):
    customer = cast.customer()
    orders(customer, 40)
    orders(customer, 10, kind="credit_note", net=Decimal("-30.125"))
    orders(customer, 5, status="cancelled")
    run_night(cast.tenant, DAY)
    with tenant_scope(cast.tenant):
        standing = Standing.objects.get(customer=customer)
    assert (standing.frequency, standing.monetary) == (1, Decimal("69.875"))
    assert standing.last_order_on == DAY - dt.timedelta(days=40)


def test_has_no_score_for_who_never_ordered_and_no_row_for_who_is_closed(cast, orders):
    never, closed = cast.customer("Never"), cast.customer("Closed", closed_on=DAY)
    orders(closed, 10)
    run_night(cast.tenant, DAY)
    with tenant_scope(cast.tenant):
        standing = Standing.objects.get(customer=never)
        assert (standing.r, standing.segment, standing.tier) == (None, "", "")
        assert HealthScore.objects.get(customer=never).band == "none"
        assert not Standing.objects.filter(customer=closed).exists()


def test_run_twice_changes_nothing(cast, orders):
    for n in range(6):
        orders(cast.customer(f"C{n}"), *range(20 * n + 1, 300, 20 + 7 * n))
    run_night(cast.tenant, DAY)
    before = state(cast.tenant)
    run_night(cast.tenant, DAY)
    assert state(cast.tenant) == before
    assert before["Alert"]
    assert before["HealthScore"]
    assert before["LapseForecast"]


def test_opens_one_alert_and_one_follow_up_for_a_silent_customer(cast, orders):
    customer = cast.customer()
    orders(customer, 70)
    for days in range(3):
        run_night(cast.tenant, DAY + dt.timedelta(days=days))
    with tenant_scope(cast.tenant):
        [alert] = rows(Alert)
        [follow_up] = rows(FollowUp, rule="signal:order_silence")
    assert (alert.signal, alert.level, alert.opened_on) == ("order_silence", "mild", DAY)
    assert follow_up.assignee_id == cast.ann.pk
    assert follow_up.priority > 0
    assert follow_up.due_on == DAY  # the only customer is gold: 24 hours from the night end with its day


def test_closes_the_alert_and_withdraws_the_follow_up_when_an_order_comes(cast, orders):
    customer = cast.customer()
    orders(customer, 70)
    run_night(cast.tenant, DAY)
    orders(customer, -1)
    run_night(cast.tenant, DAY + dt.timedelta(days=2))
    with tenant_scope(cast.tenant):
        [alert] = rows(Alert)
        [follow_up] = rows(FollowUp, rule="signal:order_silence")
    assert (alert.outcome, alert.closed_on) == ("passed", DAY + dt.timedelta(days=2))
    assert follow_up.status == "cancelled"


def test_does_not_open_an_alert_again_for_the_same_silence(cast, orders):
    customer = cast.customer()
    orders(customer, 70)
    run_night(cast.tenant, DAY)
    with tenant_scope(cast.tenant):
        Alert.objects.update(closed_on=DAY, outcome="false_alarm")
    run_night(cast.tenant, DAY + dt.timedelta(days=1))
    with tenant_scope(cast.tenant):
        assert len(rows(Alert)) == 1


def test_raises_a_cadence_touch_and_counts_from_the_last_contact(cast, orders):
    customer = cast.customer()
    orders(customer, 3)
    with tenant_scope(cast.tenant):
        at = cast.tenant.start_of(DAY - dt.timedelta(days=11))
        Interaction.objects.create(customer=customer, channel="phone", at=at, kind="light_touch")
    run_night(cast.tenant, DAY)  # the only customer is gold: a light touch every ten days
    with tenant_scope(cast.tenant):
        [follow_up] = rows(FollowUp)
        assert (follow_up.rule, follow_up.due_on) == ("cadence:light_touch", DAY)  # not before the tier began
        Interaction.objects.create(customer=customer, channel="phone", at=cast.tenant.start_of(DAY), kind="light_touch")
    run_night(cast.tenant, DAY + dt.timedelta(days=1))
    with tenant_scope(cast.tenant):
        follow_up.refresh_from_db()
    assert follow_up.status == "cancelled"


@pytest.mark.parametrize(
    ("zone", "moment", "expected"),
    [
        ("Europe/London", dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC), dt.date(2026, 11, 20)),
        ("Europe/London", dt.datetime(2026, 11, 20, 1, 59, tzinfo=dt.UTC), dt.date(2026, 11, 19)),
        ("Asia/Shanghai", dt.datetime(2026, 11, 19, 18, 0, tzinfo=dt.UTC), dt.date(2026, 11, 20)),
        ("America/New_York", dt.datetime(2026, 11, 20, 6, 59, tzinfo=dt.UTC), dt.date(2026, 11, 19)),
    ],
)
def test_begins_at_two_in_the_morning_of_the_tenant(cast, zone, moment, expected):
    tenant = cast.tenant
    tenant.timezone, tenant.created_at = zone, moment - dt.timedelta(days=9)
    run = due_night(tenant, moment)
    assert run is not None
    assert run.for_date == expected
    assert due_night(tenant, moment) is None  # opened once


def test_missed_nights_are_one(cast):
    tenant = cast.tenant
    tenant.created_at -= dt.timedelta(days=400)
    start = dt.datetime(2026, 11, 1, 3, tzinfo=ZoneInfo("Europe/London"))
    due_night(tenant, start)
    due_night(tenant, start + dt.timedelta(days=10))
    with tenant_scope(tenant):
        assert Run.objects.filter(job=JOB).count() == 2


def test_has_no_night_before_the_firm_was_there(cast):
    assert due_night(cast.tenant, cast.tenant.created_at - dt.timedelta(days=1)) is None


def test_the_command_prints_one_json_object(cast, orders, capsys):
    orders(cast.customer(), 70)
    call_command("nightly", "--tenant", "acme", "--as-of", "2026-11-20")
    first = json.loads(capsys.readouterr().out)
    call_command("nightly", "--tenant", "acme", "--as-of", "2026-11-20")
    again = json.loads(capsys.readouterr().out)
    assert (first["customers"], first["scored"], first["alerts"]) == (1, 1, 1)
    assert (again["tasks"], again["alerts"], again["changed"]) == (0, 0, 0)
    assert list(first["seconds"]) == list(STEPS)


def test_the_command_names_the_tenants_it_knows(cast):
    with pytest.raises(CommandError, match="acme, globex"):
        call_command("nightly", "--tenant", "nobody")


def test_scores_are_exported_with_their_columns(cast, orders, capsys):
    orders(cast.customer("=cmd"), 70)
    run_night(cast.tenant, DAY)
    call_command("export_scores", "--tenant", "acme")
    header, line = capsys.readouterr().out.strip().splitlines()
    assert header == "external_id,last_order_on,recency_days,frequency,monetary,r,f,m,segment,tier,health,colour"
    assert line == ",2026-09-11,70,1,100,1,1,1,000,gold,,none"
