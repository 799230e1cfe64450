"""It: freezes what a period came to; what comes to light later stands beside it, and nothing frozen can be edited."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import ProgrammingError, connection, transaction

from customers.models import Customer, SurveyResponse
from incentives.kpis import services as kpis
from incentives.kpis.counting import close_due, count_period, count_running, mark_values, recount, recount_closed
from incentives.kpis.figures import Stands, Who, score_card, series, values
from incentives.kpis.nightly import STEP
from incentives.models import ClvMark, KpiClosing, KpiCorrection, KpiCount, KpiFrozen
from incentives.rules.kpis import Period
from segmentation.models import Worth
from tenants.models import Event, Tenant
from tenants.policies import active_policy, save_policy

TODAY = dt.date(2026, 11, 22)
OCTOBER = Period("month", dt.date(2026, 10, 1))
NOVEMBER = OCTOBER.after

pytestmark = pytest.mark.usefixtures("scope")


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel(dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC), tick=False):
        yield


@pytest.fixture
def answered(cast):
    """CSAT answers of a customer of Ann's on a day."""
    customer = cast.customer()

    def make(day, *scores, customer=customer):
        at = cast.tenant.start_of(day) + dt.timedelta(hours=9)
        SurveyResponse.objects.bulk_create(
            SurveyResponse(customer=customer, kind="csat", score=score, at=at) for score in scores
        )

    return make


def csat(period, who):
    return values(["csat"], period=period, of=who)[0]


def test_a_closed_value_stays_and_later_facts_stand_beside_it(answered, cast):
    answered(dt.date(2026, 10, 5), 5, 5, 5, 1)
    ann = Who.person(cast.ann)
    assert (csat(OCTOBER, ann).value, csat(OCTOBER, ann).is_closed) == (75, False)

    closing = kpis.close_period(OCTOBER, cast.lea)
    answered(dt.date(2026, 10, 6), 1)
    frozen = csat(OCTOBER, ann)
    assert (frozen.value, frozen.is_closed, frozen.corrected) == (75, True, None)
    assert recount(closing, TODAY) == 1
    assert recount(closing, TODAY) == 0, "the same again is no news"

    for who in (ann, Who.team(cast.lea.team), Who.tenant()):
        after = csat(OCTOBER, who)
        assert (after.value, after.numerator, after.denominator) == (75, 3, 4)
        assert (after.corrected.value, after.corrected.denominator) == (60, 5)
    # Taken away again it is what it was: no correction is left to be seen.
    SurveyResponse.objects.filter(score=1).order_by("-pk").first().delete()
    assert recount(closing, TODAY) == 1
    assert csat(OCTOBER, ann).corrected is None
    assert [row.numerator_before for row in KpiCorrection.objects.order_by("pk")] == [3, 3]
    assert [event.verb for event in Event.objects.filter(object_type="kpiclosing").order_by("pk")] == [
        "closed", "corrected", "corrected",
    ]  # fmt: skip


def test_a_period_that_runs_is_not_closed_and_a_closed_one_not_again(answered, cast):
    answered(dt.date(2026, 10, 5), 5)
    with pytest.raises(ValidationError, match="still runs; it can be closed from"):
        kpis.close_period(NOVEMBER, cast.lea)
    kpis.close_period(OCTOBER, cast.lea)
    with pytest.raises(ValidationError, match=r"Lea closed Oct.* 2026 on .* Its numbers stay"):
        kpis.close_period(OCTOBER, cast.ada)
    assert KpiClosing.objects.count() == 1
    assert count_period(OCTOBER, TODAY) == 0, "the night leaves a closed period alone"
    assert not KpiCount.objects.filter(start=OCTOBER.start).exists()


@pytest.mark.parametrize("table", ["kpiclosing", "kpifrozen", "kpicorrection", "kpitarget", "memberjob"])
def test_nobody_can_edit_a_closed_period(answered, cast, table):
    answered(dt.date(2026, 10, 5), 5)
    kpis.close_period(OCTOBER, cast.lea)
    assert KpiFrozen.objects.exists()
    with (
        connection.cursor() as cursor,
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
    ):
        cursor.execute(f"UPDATE incentives_{table} SET tenant_id = tenant_id")


def test_what_was_said_after_the_closing_does_not_change_what_it_was_measured_by(answered, cast):
    answered(dt.date(2026, 10, 5), 5, 4, 3, 1)
    kpis.set_job(member=cast.ann, job="service", from_on=dt.date(2026, 9, 1), by=cast.lea)
    kpis.close_period(OCTOBER, cast.lea)
    before = score_card(cast.ann, OCTOBER)
    assert (before.job, before.is_closed) == ("service", True)

    for say in (
        lambda: kpis.set_job(member=cast.ann, job="sales", from_on=dt.date(2026, 10, 20), by=cast.lea),
        lambda: kpis.set_target(
            kpi="csat", who=Who.person(cast.ann), target=Decimal(40), from_on=OCTOBER.start, by=cast.lea
        ),
    ):
        with pytest.raises(ValidationError, match=r"Oct.* is closed and stays as it is; say a day from"):
            say()
    document = dict(active_policy().document)
    document["kpis"] = {**document["kpis"], "targets": {**document["kpis"]["targets"], "csat": 10.0}}
    save_policy(document, pack="callback", note="Lower")
    assert score_card(cast.ann, OCTOBER) == before
    assert csat(NOVEMBER, Who.tenant()).target == 10


def test_targets_and_jobs_are_said_by_the_lead_for_others_and_never_of_nothing(cast):
    first = NOVEMBER.start
    target = {"kpi": "csat", "from_on": first, "by": cast.lea}
    kpis.set_target(who=Who.person(cast.ann), target=Decimal(80), **target)
    kpis.set_target(who=Who.team(cast.lea.team), target=Decimal(85), **target)
    assert [csat(NOVEMBER, who).target for who in (Who.person(cast.ann), Who.team(cast.lea.team), Who.tenant())] == [
        80, 85, 90,
    ]  # fmt: skip
    for zero in (Decimal(0), Decimal(-1)):
        with pytest.raises(ValidationError, match="A target of nothing is always reached"):
            kpis.set_target(who=Who.person(cast.ann), target=zero, **target)
    for by, who in (
        (cast.ann, cast.ann),
        (cast.ann, cast.bo),
        (cast.lea, cast.lea),
        (cast.ada, cast.ada),
        (cast.eve, cast.bo),
    ):
        with pytest.raises(ValidationError, match="nobody for themselves"):
            kpis.set_job(member=who, job="service", from_on=first, by=by)
    with pytest.raises(ValidationError, match="in the policy"):
        kpis.set_target(who=Who.tenant(), target=Decimal(80), **target)
    one = kpis.set_job(member=cast.bo, job="success", from_on=first, by=cast.lea)
    assert kpis.set_job(member=cast.bo, job="success", from_on=first, by=cast.lea) == one, "said twice"
    assert [score_card(each, NOVEMBER).job for each in (cast.ann, cast.bo, cast.eve)] == ["sales", "success", ""]
    assert score_card(cast.bo, OCTOBER).job == "sales"


def test_a_score_card_weighs_what_could_be_measured(answered, cast):
    kpis.set_job(member=cast.ann, job="service", from_on=NOVEMBER.start, by=cast.lea)
    answered(dt.date(2026, 11, 3), *[5] * 9, 1)
    card = score_card(cast.ann, NOVEMBER)
    assert card.score == 100
    assert card.is_on_target
    assert [(value.code, line.weight, line.share) for value, line in card.lines] == [
        ("csat", 40, 100), ("response_time", 30, 0), ("first_time", 30, 0),
    ]  # fmt: skip
    assert score_card(cast.eve, NOVEMBER).score is None


def test_the_night_closes_what_is_over_once_and_keeps_what_a_period_starts_from(answered, cast):
    Tenant.objects.filter(pk=cast.tenant.pk).update(created_at=dt.datetime(2026, 9, 20, tzinfo=dt.UTC))
    cast.tenant.refresh_from_db()
    answered(dt.date(2026, 10, 5), 5)
    customer = Customer.objects.get()
    Worth.objects.create(customer=customer, valued_on=TODAY, repeats=1, clv=100, policy_version=1)

    counts = STEP.at_once(TODAY)
    closed = {Period(row.span, row.start).code for row in KpiClosing.objects.all()}
    assert {"2026-10", "2026-Q3", "2026-W45"} <= closed
    assert not closed & {"2026-11", "2026-Q4", "2026-W46", "2026-W47", "2026-Q2"}
    assert counts["closed"] == len(closed)
    assert {mark.on for mark in ClvMark.objects.all()} == {dt.date(2026, 11, 16), NOVEMBER.start, dt.date(2026, 10, 1)}
    again = STEP.at_once(TODAY)
    assert again == {"marks": 0, "closed": 0, "corrections": 0}

    Worth.objects.update(clv=150)
    uplift = values(["clv_uplift"], period=NOVEMBER, of=Who.person(cast.ann))[0]
    assert (uplift.value, uplift.numerator) == (50, 50)
    assert close_due(TODAY) == 0
    answered(dt.date(2026, 10, 5), 1)
    assert recount_closed(TODAY) > 0


def test_the_first_night_closes_the_last_period_of_each_span_and_a_later_one_all_that_were_missed(cast):
    Tenant.objects.filter(pk=cast.tenant.pk).update(created_at=dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
    cast.tenant.refresh_from_db()
    codes = lambda: {Period(row.span, row.start).code for row in KpiClosing.objects.all()}  # noqa: E731
    assert close_due(TODAY) == 3
    assert codes() == {"2026-W45", "2026-10", "2026-Q3"}
    with time_machine.travel(dt.datetime(2027, 1, 20, 12, tzinfo=dt.UTC), tick=False):
        close_due(dt.date(2027, 1, 20))
    weeks = {f"2026-W{number}" for number in range(45, 54)}
    assert codes() == {*weeks, "2027-W01", "2026-10", "2026-11", "2026-12", "2026-Q3", "2026-Q4"}


def test_old_marks_are_forgotten_but_those_of_months_kept_for_a_year(cast):
    customer = cast.customer()
    for on in (dt.date(2025, 10, 1), dt.date(2026, 3, 1), dt.date(2026, 8, 3), dt.date(2026, 11, 9)):
        ClvMark.objects.create(on=on, customer=customer, clv=1)
    mark_values(TODAY)
    assert sorted(mark.on for mark in ClvMark.objects.all()) == [dt.date(2026, 3, 1), dt.date(2026, 11, 9)]


def test_counts_made_ahead_are_what_pages_show_and_a_count_of_last_week_is_not(answered, cast):
    answered(dt.date(2026, 11, 3), 5)
    assert count_running(TODAY) > 0
    assert count_running(TODAY) == 0, "a quiet night writes nothing"
    answered(dt.date(2026, 11, 4), 1)
    ahead = Stands([NOVEMBER])
    assert ahead.value("csat", NOVEMBER, Who.tenant()).value == 100
    with time_machine.travel(dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC), tick=False):
        assert csat(NOVEMBER, Who.tenant()).value == 50
    assert [value.period.code for value in series("csat", Who.tenant(), NOVEMBER, 3)] == ["2026-10", "2026-11"]
    count_period(NOVEMBER, TODAY)
    assert csat(NOVEMBER, Who.tenant()).value == 50
    SurveyResponse.objects.all().delete()
    count_period(NOVEMBER, TODAY)
    assert csat(NOVEMBER, Who.tenant()).value is None
