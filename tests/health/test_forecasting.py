"""It: the night's step that forecasts lapses, and the explanation of one forecast."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from config.night import STEPS
from customers.activity import refresh_activity
from customers.models import Customer, Order
from customers.services import arrived
from health import forecasting
from health.models import BackTest, LapseFit, LapseForecast
from health.rules import forecast
from segmentation.models import Worth
from tenants.models import PolicyVersion, Run, RunStep
from tenants.parts import parts_of
from tenants.policies import active_policy, save_policy
from tests.conftest import Cast
from tests.health.crowds import TODAY, ago, crowd, place

__all__ = ["crowd"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("scope")]

LATER = dt.date(2026, 11, 27)
"""A day on which the model of TODAY's month is still in force."""


def rules(**changes: Any) -> None:
    """The policy with other settings of the section "forecast"."""
    policy = active_policy()
    section = policy.document.get("forecast", {})
    save_policy({**policy.document, "forecast": {**section, **changes}}, pack="callback")


def told(customer: Customer) -> LapseForecast:
    row: LapseForecast = LapseForecast.objects.get(customer=customer)
    return row


def state() -> list[str]:
    names = [field.attname for field in LapseForecast._meta.local_fields if field.attname != "fit_id"]
    return sorted(map(str, LapseForecast.objects.values_list(*names)))


# ── nights ──────────────────────────────────────────────────────────────────


def test_is_a_step_of_the_night_after_health() -> None:
    names = list(STEPS)
    assert STEPS[forecasting.STEP] is forecasting.NIGHT
    assert names.index("health") < names.index(forecasting.STEP) < names.index("follow-ups")


def test_forecasts_everybody_by_the_model_of_the_month(crowd: list[Customer]) -> None:
    counts = forecasting.run(TODAY)
    rows = list(LapseForecast.objects.all())
    numbered = [row for row in rows if row.percent is not None]
    fit = LapseFit.objects.get()
    assert (fit.as_of, fit.reason, fit.horizon_days) == (TODAY, "", 90)
    assert fit.customers >= 100
    assert counts == {
        "customers": len(rows), "forecast": len(numbered), "warned": sum(row.is_warned for row in rows), "models": 1,
        "changed": len(rows),
    }  # fmt: skip
    assert len(numbered) > 50
    assert {(row.fit_id, row.code, row.horizon_days) for row in numbered} == {(fit.pk, "", 90)}
    assert all(0 <= row.percent <= 100 and row.is_warned == (row.percent >= 50) for row in numbered)
    assert 0 < counts["warned"] < len(numbered)
    assert {row.code for row in rows if row.percent is None} <= {"one_order", "one_day", "lapsed"}
    assert not any(row.is_warned or row.money_at_risk is not None or row.fit_id for row in rows if row.percent is None)


def test_the_second_night_changes_nothing(crowd: list[Customer]) -> None:
    forecasting.run(TODAY)
    before, fit = state(), LapseFit.objects.get().pk
    again = forecasting.run(TODAY)
    assert (again["changed"], again["models"]) == (0, 0)
    assert (state(), LapseFit.objects.get().pk) == (before, fit)


def test_writes_who_is_lapsed_once_and_not_each_night(crowd: list[Customer]) -> None:
    forecasting.run(TODAY)
    lapsed = LapseForecast.objects.filter(code="lapsed").count()
    assert lapsed > 20
    assert forecasting.run(LATER)["changed"] <= 240 - lapsed


def test_keeps_the_model_until_the_next_month(crowd: list[Customer]) -> None:
    forecasting.run(TODAY)
    assert forecasting.run(LATER)["models"] == 0
    december = dt.date(2026, 12, 1)
    assert forecasting.run(december)["models"] == 1
    fit = LapseFit.objects.get(as_of=december)
    assert set(LapseForecast.objects.exclude(percent=None).values_list("fit_id", flat=True)) == {fit.pk}


def test_a_night_before_goes_by_the_model_of_then(crowd: list[Customer]) -> None:
    early = TODAY - dt.timedelta(40)
    forecasting.run(early)
    before = state()
    forecasting.run(TODAY)
    assert state() != before
    assert forecasting.run(early)["models"] == 0
    assert state() == before


def test_fits_anew_when_its_own_section_of_the_policy_changes(crowd: list[Customer]) -> None:
    forecasting.run(TODAY)
    document = active_policy().document
    save_policy({**document, "value": {**document["value"], "margin_percent": 60}}, pack="callback")
    assert forecasting.run(LATER)["models"] == 0
    rules(horizon_days=60)
    assert forecasting.run(LATER)["models"] == 1
    row = LapseForecast.objects.exclude(percent=None)[0]
    assert (row.horizon_days, row.policy_version) == (60, PolicyVersion.objects.count())


def test_warns_from_the_policys_line(crowd: list[Customer]) -> None:
    rules(warn_percent=20)
    forecasting.run(TODAY)
    numbered = LapseForecast.objects.exclude(percent=None)
    assert numbered.filter(is_warned=True).count() == numbered.filter(percent__gte=20).count()
    assert numbered.filter(is_warned=True, percent__lt=50).exists()


def test_goes_by_each_customers_own_cycle_when_the_policy_says_so(crowd: list[Customer]) -> None:
    rules(lapse="own_cycle")
    forecasting.run(TODAY)
    for row in LapseForecast.objects.exclude(percent=None):
        facts = forecasting.facts_of([row.customer_id], TODAY)[row.customer_id]
        assert row.horizon_days == min(max(60, -(-2 * facts["median_gap"] // 1)), 365)


# ── who has a number ────────────────────────────────────────────────────────


def test_says_why_there_is_no_number(cast: Cast, crowd: list[Customer]) -> None:
    once, twice_a_day, gone, never = (cast.customer(name) for name in ("Once", "Twice", "Gone", "Never"))
    place([(once, ago(40), 50)])
    place([(twice_a_day, ago(40), 50), (twice_a_day, ago(40), 70)])
    place([(gone, ago(200), 50), (gone, ago(91), 50)])
    forecasting.run(TODAY)
    for customer, code in ((once, "one_order"), (twice_a_day, "one_day"), (gone, "lapsed")):
        row = told(customer)
        assert (row.percent, row.code, row.money_at_risk) == (None, code, None)
    facts = forecasting.facts_of([gone.pk, never.pk], TODAY)
    assert list(facts) == [gone.pk]
    assert {name: facts[gone.pk][name] for name in ("order_days", "orders", "median_gap", "first_order_on")} == {
        "order_days": 2, "orders": 2, "median_gap": 109.0, "first_order_on": ago(200),
    }  # fmt: skip
    assert not LapseForecast.objects.filter(customer=never).exists()


def test_takes_orders_of_that_day_and_later_for_not_there(cast: Cast, crowd: list[Customer]) -> None:
    customer = cast.customer("Early bird")
    place([(customer, ago(20), 50), (customer, TODAY, 50), (customer, TODAY + dt.timedelta(30), 50)])
    forecasting.run(TODAY)
    assert told(customer).code == "one_order"


def test_forgets_who_was_closed_or_never_ordered_after_all(cast: Cast, crowd: list[Customer]) -> None:
    slip = cast.customer("A slip")
    place([(slip, ago(30), 50), (slip, ago(5), 50)])
    forecasting.run(TODAY)
    assert LapseForecast.objects.filter(customer__in=[slip, crowd[0]]).count() == 2
    Order.objects.filter(customer=slip).update(status="cancelled")
    refresh_activity([(slip.pk, ago(30)), (slip.pk, ago(5))])
    Customer.objects.filter(pk=crowd[0].pk).update(closed_on=TODAY)
    forecasting.run(TODAY)
    assert not LapseForecast.objects.filter(customer__in=[slip, crowd[0]]).exists()
    assert LapseForecast.objects.count() == 239


def test_has_no_number_for_three_customers_and_falls_back_to_silence(cast: Cast) -> None:
    fresh, silent, gone = (cast.customer(name) for name in ("Fresh", "Silent", "Gone"))
    place([(fresh, ago(400), 50), (fresh, ago(5), 50)])
    place([(silent, ago(300), 50), (silent, ago(61), 50)])
    place([(gone, ago(300), 50), (gone, ago(100), 50)])
    counts = forecasting.run(TODAY)
    assert (counts["forecast"], counts["models"], counts["warned"]) == (0, 0, 1)
    fit = LapseFit.objects.get()
    assert fit.reason == "few_customers"
    row = told(silent)
    assert (row.percent, row.code, row.is_warned, row.warned_on) == (None, "no_model", True, TODAY)
    assert (row.fit, row.money_at_risk, row.expected_money) == (fit, None, Decimal(100))
    assert (told(fresh).code, told(fresh).is_warned) == ("no_model", False)
    assert (told(gone).code, told(gone).is_warned) == ("lapsed", False)
    assert not BackTest.objects.exists()


def test_has_no_number_when_the_fit_does_not_converge(crowd: list[Customer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "_regress", lambda *_args: None)
    assert forecasting.run(TODAY)["forecast"] == 0
    assert LapseFit.objects.get().reason == "not_converged"
    assert set(LapseForecast.objects.values_list("code", flat=True)) <= {"no_model", "one_order", "one_day", "lapsed"}


def test_is_empty_in_a_firm_without_orders(cast: Cast) -> None:
    cast.customer()
    assert forecasting.run(TODAY) == {"customers": 0, "forecast": 0, "warned": 0, "models": 0, "changed": 0}
    assert LapseFit.objects.get().reason == "no_orders"


def test_notes_once_why_there_is_no_model_and_fits_as_soon_as_there_is_enough(cast: Cast) -> None:
    first = cast.customer("First")
    place([(first, ago(30), 50)])
    forecasting.run(TODAY)
    forecasting.run(TODAY + dt.timedelta(1))
    assert [(fit.as_of, fit.reason) for fit in LapseFit.objects.all()] == [(TODAY, "short_history")]
    history = [cast.customer(f"H{n}") for n in range(120)]
    place(
        [
            (customer, ago(day), 50)
            for n, customer in enumerate(history)
            for day in range(3 + n % 60, 900 - n, 40)
            if day > 300 or n % 3
        ]
    )
    assert forecasting.run(LATER)["models"] == 1
    assert forecasting.fit_in_force(LATER).reason == ""
    assert forecasting.fit_in_force(TODAY).reason == "short_history"


# ── warnings and money ──────────────────────────────────────────────────────


def test_remembers_the_first_night_of_a_warning_until_an_order_ends_it(cast: Cast, crowd: list[Customer]) -> None:
    customer = cast.customer("Silent")
    place([(customer, ago(days), 50) for days in range(74, 400, 14)])
    forecasting.run(TODAY)
    assert (told(customer).is_warned, told(customer).warned_on) == (True, TODAY)
    forecasting.run(LATER)
    assert told(customer).warned_on == TODAY
    place([(customer, LATER - dt.timedelta(1), 50)])
    forecasting.run(LATER)
    assert (told(customer).is_warned, told(customer).warned_on) == (False, None)


def test_expects_what_the_lifetime_model_does_else_the_last_twelve_months(cast: Cast, crowd: list[Customer]) -> None:
    by_model, by_past, in_debt = (cast.customer(name) for name in ("Model", "Past", "Debt"))
    for customer in (by_model, by_past, in_debt):
        place([(customer, ago(days), 50) for days in (500, 400, 300, 200, 60, 20)])
    place([(in_debt, ago(10), -900)], kind="credit_note")
    Worth.objects.create(
        customer=by_model, valued_on=TODAY, repeats=5, expected_orders=4.5, expected_order_money=Decimal("200.10"),
        policy_version=1,
    )  # fmt: skip
    forecasting.run(TODAY)
    row = told(by_model)
    assert row.expected_money == Decimal("900.45")
    assert row.money_at_risk == (row.expected_money * row.percent / 100).quantize(Decimal("0.0001"))
    assert told(by_past).expected_money == Decimal(200)
    assert (told(in_debt).percent is None, told(in_debt).expected_money, told(in_debt).money_at_risk) == (
        False, None, None,
    )  # fmt: skip


# ── one customer's ──────────────────────────────────────────────────────────


def test_explains_each_number_from_the_facts_kept_with_it(crowd: list[Customer]) -> None:
    for night in (TODAY, LATER):
        forecasting.run(night)
        for row in LapseForecast.objects.exclude(percent=None).select_related("fit"):
            explained = forecasting.explain(row, as_of=night)
            assert explained.model.as_of == TODAY
            said = explained.explanation
            # On the later night also of rows that were written a week before.
            assert said.percent == row.percent
            assert said.usual + sum(part.points for part in said.parts) + said.other == row.percent


def test_explains_nothing_where_there_is_no_number(cast: Cast) -> None:
    customer = cast.customer()
    place([(customer, ago(400), 50), (customer, ago(5), 50)])
    forecasting.run(TODAY)
    explained = forecasting.explain(told(customer), as_of=TODAY)
    assert explained.explanation is None
    assert explained.model.reason == "few_customers"
    assert explained.facts is not None
    assert explained.facts["last_order_on"] == ago(5)


def test_explains_nothing_when_facts_have_come_in_since(crowd: list[Customer]) -> None:
    forecasting.run(TODAY)
    row = LapseForecast.objects.exclude(percent=None).order_by("-percent")[0]
    place([(row.customer, ago(1), 50)])
    assert forecasting.explain(row, as_of=TODAY).explanation is None
    assert row.customer_id not in forecasting.explain_many([row], as_of=TODAY)


def test_explains_many_as_it_explains_one(crowd: list[Customer]) -> None:
    forecasting.run(TODAY)
    rows = list(LapseForecast.objects.all())
    many = forecasting.explain_many(rows, as_of=TODAY)
    assert len(many) > 50
    for row in rows:
        assert many.get(row.customer_id) == forecasting.explain(row, as_of=TODAY).explanation


def test_goes_by_the_policy_of_the_forecast_when_it_explains(crowd: list[Customer]) -> None:
    forecasting.run(TODAY)
    row = LapseForecast.objects.exclude(percent=None).order_by("-percent")[0]
    before = forecasting.explain(row, as_of=TODAY).explanation
    rules(horizon_days=30)
    assert forecasting.explain(row, active_policy(), as_of=TODAY).explanation == before


def test_knows_which_night_forecast_last_also_when_a_later_step_failed(cast: Cast) -> None:
    assert forecasting.told_on() is None
    for n, (day, later) in enumerate(((TODAY, "done"), (LATER, "failed"))):
        run = Run.objects.create(job="nightly", for_date=day, status=later)
        at = timezone.now() + dt.timedelta(minutes=n)
        RunStep.objects.create(run=run, ordinal=0, name="forecast", status="done", finished_at=at)
        RunStep.objects.create(run=run, ordinal=1, name="risk", status=later)
    other = Run.objects.create(job="other", for_date=dt.date(2027, 1, 1))
    RunStep.objects.create(run=other, ordinal=0, name="forecast", status="done", finished_at=timezone.now())
    assert forecasting.told_on() == LATER


def test_knows_a_model_of_another_version_for_none(crowd: list[Customer]) -> None:
    forecasting.run(TODAY)
    fit = LapseFit.objects.get()
    LapseFit.objects.update(parameters={**fit.parameters, "columns": ["other"]})
    row = LapseForecast.objects.exclude(percent=None)[0]
    assert forecasting.explain(row, as_of=TODAY).explanation is None
    assert forecasting.run(LATER)["models"] == 1  # fitted anew at once


# ── the record ──────────────────────────────────────────────────────────────


def test_lets_the_last_closed_months_be_tested_when_a_model_is_new(crowd: list[Customer]) -> None:
    forecasting.run(TODAY)
    row = BackTest.objects.get()
    assert (row.first, row.last, row.horizon_days, row.member, row.status) == (
        dt.date(2025, 11, 1), dt.date(2026, 8, 1), 90, None, "queued",
    )  # fmt: skip
    assert row.cut_offs.count() == 10
    forecasting.run(LATER)
    assert BackTest.objects.count() == 1
    forecasting.run(dt.date(2026, 12, 1))
    # Nobody had begun the one of November.
    assert [each.last for each in BackTest.objects.all()] == [dt.date(2026, 8, 1)]


# ── a night that looks only at whom something can have moved ────────────────


@pytest.mark.parametrize("seed", range(4))
def test_looks_only_at_some_and_says_what_looking_at_everybody_would(crowd: list[Customer], seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # the same each time
    night = TODAY - dt.timedelta(chance.randrange(15))
    if seed % 2:
        rules(minimum_customers=10_000)  # no model: the rule of silence warns
    forecasting.run(night)
    for _ in range(5):
        before, night = night, night + dt.timedelta(chance.choice((0, 1, 1, 2)))
        for customer in chance.sample(crowd, 12):
            day = night - dt.timedelta(chance.choice((-2, 0, 1, 1, 2, 30, 95)))
            place([(customer, day, chance.randrange(5, 500))], kind=chance.choice(("order", "order", "credit_note")))
            arrived([customer.pk])
        gone, closed, valued = chance.sample(crowd, 3)
        for order in Order.objects.filter(customer=gone)[:2]:
            Order.objects.filter(pk=order.pk).update(status="cancelled")
            refresh_activity([(gone.pk, order.placed_on)])
        Customer.objects.filter(pk=closed.pk).update(closed_on=night)
        arrived([gone.pk, closed.pk])
        Worth.objects.update_or_create(
            customer=valued,
            defaults={
                "valued_on": night, "repeats": 5, "expected_orders": 2.5, "policy_version": 1,
                "expected_order_money": Decimal(chance.randrange(900)),
            },
        )  # fmt: skip
        if night == before:
            arrived([valued.pk])  # as whoever is valued twice on one night has been
        for part in parts_of([crowd[99].pk]):
            forecasting.NIGHT.at_once(night, part, since=before)
        assert forecasting.run(night)["changed"] == 0
