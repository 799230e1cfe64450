"""It: lapse forecasts with their reasons over the API, and the forecast's record in past months."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Customer
from health import backtests, forecasting
from health.api_forecasts import ReasonSerializer
from health.models import BackTest, LapseFit, LapseForecast
from health.rules.forecast import Part
from tenants.context import tenant_scope
from tenants.models import Run, RunStep
from tests.api.conftest import Caller, faults
from tests.conftest import Cast
from tests.health.crowds import TODAY, ago, crowd, place

__all__ = ["crowd"]


@pytest.fixture(autouse=True)
def _on_that_day(cast: Cast) -> Iterator[None]:
    """The clock stands at noon of TODAY."""
    with time_machine.travel(dt.datetime.combine(TODAY, dt.time(12), dt.UTC), tick=False):
        yield


def night(cast: Cast, as_of: dt.date = TODAY) -> None:
    """The step of a night, noted as the job would have."""
    with tenant_scope(cast.tenant):
        forecasting.run(as_of)
        run = Run.objects.create(job="nightly", for_date=as_of, status="done", finished_at=timezone.now())
        RunStep.objects.create(run=run, ordinal=0, name="forecast", status="done", finished_at=timezone.now())


def rows(cast: Cast, *said: dict[str, Any]) -> list[LapseForecast]:
    with tenant_scope(cast.tenant):
        return [
            LapseForecast.objects.create(
                customer=Customer.objects.create(name=f"C{n}", owner_a=cast.ann), horizon_days=90, policy_version=1, **each
            )
            for n, each in enumerate(said)
        ]  # fmt: skip


# ── forecasts ───────────────────────────────────────────────────────────────


def test_lists_by_money_at_risk_with_those_who_have_none_last(api: Caller, cast: Cast) -> None:
    made = rows(
        cast,
        {"percent": 40, "expected_money": Decimal(1000), "money_at_risk": Decimal(400)},
        {"code": "one_order"},
        {
            "percent": 80, "expected_money": Decimal("1000.5"), "money_at_risk": Decimal("800.4"), "is_warned": True,
            "warned_on": ago(3),
        },
        {"percent": 10},
    )  # fmt: skip
    with tenant_scope(cast.tenant):
        made[2].customer.external_ids.create(source="erp", value="K-17")
    found = api.get("forecasts").json()["results"]
    assert [row["customer"] for row in found] == [str(made[n].customer_id) for n in (2, 0, 3, 1)]
    assert found[0] == {
        "customer": str(made[2].customer_id), "external_ids": [{"source": "erp", "external_id": "K-17"}], "as_of": None,
        "percent": 80, "code": "", "horizon_days": 90, "is_warned": True, "warned_on": "2026-11-17",
        "expected_money": "1000.50", "money_at_risk": "800.40", "currency": "GBP", "policy_version": 1,
    }  # fmt: skip
    assert (found[3]["percent"], found[3]["code"], found[3]["money_at_risk"]) == (None, "one_order", None)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_walks_by_money_page_by_page(api: Caller, cast: Cast, limit: int) -> None:
    money = [None, 300, 100, None, 100, 0]
    rows(cast, *({"percent": 50, "money_at_risk": None if each is None else Decimal(each)} for each in money))
    seen, address = [], f"/api/v1/forecasts?limit={limit}"
    while address:
        page = api.get(address).json()
        seen += page["results"]
        address = page["next"]
    assert [row["money_at_risk"] for row in seen] == ["300.00", "100.00", "100.00", "0.00", None, None]
    assert len({row["customer"] for row in seen}) == len(money)


def test_filters(api: Caller, cast: Cast) -> None:
    made = rows(
        cast,
        {"percent": 80, "money_at_risk": Decimal(800), "is_warned": True, "warned_on": ago(3)},
        {"percent": 55, "money_at_risk": Decimal(50), "is_warned": True, "warned_on": ago(40)},
        {"percent": 20, "money_at_risk": Decimal(200)},
        {"code": "lapsed"},
        {"code": "one_day"},
    )
    with tenant_scope(cast.tenant):
        Customer.objects.filter(pk=made[2].customer_id).update(owner_a=cast.bo)
    numbers = {str(row.customer_id): n for n, row in enumerate(made)}

    def found(**query: object) -> list[int]:
        answer = api.get("forecasts", **query)
        assert answer.status_code == 200, answer.content
        return sorted(numbers[row["customer"]] for row in answer.json()["results"])

    assert found(warned="true") == [0, 1]
    assert found(warned="false") == [2, 3, 4]
    assert found(percent_min=55) == [0, 1]
    assert found(percent_max=55) == [1, 2]
    assert found(money_min="100", money_max="300.5") == [2]
    assert found(warned_since="2026-11-01") == [0]
    assert found(code=["lapsed", "one_day"]) == [3, 4]
    assert found(owner=str(cast.bo.pk)) == [2]
    wrong = api.get("forecasts", percent_min=101, code="gone", owner="x", colour="red", ordering="percent")
    assert set(faults(wrong)) == {"?percent_min", "?code", "?owner", "?colour", "?ordering"}


def test_shows_one_with_the_reasons_that_add_up(api: Caller, cast: Cast, crowd: list[Customer]) -> None:
    night(cast)
    listed = api.get("forecasts", percent_min=30).json()["results"]
    assert len(listed) > 10
    for row in listed:
        told = api.get(f"forecasts/{row['customer']}").json()
        assert {name: told[name] for name in row} == row
        said = told["explanation"]
        assert said["percent"] == told["percent"]
        assert said["usual"] + sum(each["points"] for each in said["reasons"]) + said["other"] == told["percent"]
    assert told["as_of"] == "2026-11-20"
    assert (told["model"]["as_of"], told["model"]["reason"]) == ("2026-11-20", "")
    assert len(told["model"]["rates"]) == 12
    assert Decimal(told["facts"]["mean_order"]) > 0
    assert "." in told["facts"]["mean_order"]
    keys = {
        each["key"]
        for row in listed
        for each in api.get(f"forecasts/{row['customer']}").json()["explanation"]["reasons"]
    }
    assert len(keys) > 2


def test_says_money_of_the_reasons_as_money() -> None:
    part = Part("money", 7, {"mean_order": 4_224_825, "net_quarter": None, "net_year": -11_653_000})
    assert ReasonSerializer(part).data == {
        "key": "money", "points": 7, "inputs": {"mean_order": "422.4825", "net_quarter": None, "net_year": "-1165.30"},
    }  # fmt: skip


def test_says_why_there_is_no_number(api: Caller, cast: Cast) -> None:
    customer = cast.customer("Silent")
    with tenant_scope(cast.tenant):
        place([(customer, ago(300), 50), (customer, ago(70), 50)])
    night(cast)
    told = api.get(f"forecasts/{customer.pk}").json()
    assert (told["percent"], told["code"], told["is_warned"], told["explanation"]) == (None, "no_model", True, None)
    assert told["model"]["reason"] == "few_customers"
    assert told["facts"]["last_order_on"] == "2026-09-11"
    assert api.get(f"forecasts/{cast.customer('Never ordered').pk}").status_code == 404


def test_is_as_visible_as_the_customer(call_as: Callable[..., Caller], cast: Cast) -> None:
    [row] = rows(cast, {"percent": 80})
    assert call_as(cast.ann).get(f"forecasts/{row.customer_id}").status_code == 200
    assert call_as(cast.bo).get(f"forecasts/{row.customer_id}").status_code == 404
    assert call_as(cast.bo).get("forecasts").json()["results"] == []
    assert call_as(cast.otto).get(f"forecasts/{row.customer_id}").status_code == 404
    assert call_as(cast.ann, ("scores:read",)).get("forecasts").status_code == 403
    assert call_as(cast.ian).post(f"forecasts/{row.customer_id}", {}).status_code == 405


def test_a_list_takes_two_queries_beside_those_that_admit_the_caller(api: Caller, cast: Cast) -> None:
    rows(cast, *({"percent": each} for each in range(30)))
    with CaptureQueriesContext(connection) as captured:
        assert len(api.get("forecasts").json()["results"]) == 30
    asked = [each["sql"] for each in captured if each["sql"].startswith("SELECT") and "set_config" not in each["sql"]]
    assert len(asked) <= 5


# ── back-tests ──────────────────────────────────────────────────────────────


def test_starts_a_back_test_and_shows_what_came_of_it(
    call_as: Callable[..., Caller], cast: Cast, crowd: list[Customer]
) -> None:
    lead = call_as(cast.lea)
    made = lead.post("back-tests", {"first": "2026-06-15", "last": "2026-08-01"})
    assert (made.status_code, made["Outcome"]) == (201, "created")
    row = made.json()
    assert made["Location"] == f"/api/v1/back-tests/{row['id']}"
    assert row | {"created_at": ""} == {
        "id": row["id"], "first": "2026-06-01", "last": "2026-08-01", "horizon_days": 90, "status": "queued", "done": 0,
        "total": 3, "reason": "", "means": None, "member": str(cast.lea.pk), "policy_version": 1, "created_at": "",
        "finished_at": None,
    }  # fmt: skip
    again = lead.post("back-tests", {"first": "2026-06-01", "last": "2026-08-15"})
    assert (again.status_code, again["Outcome"], again.json()["id"]) == (200, "unchanged", row["id"])
    assert lead.get(f"back-tests/{row['id']}").json()["cut_offs"] is None

    backtests.run_back_test(cast.tenant, int(row["id"]))
    [listed] = call_as(cast.ann).get("back-tests", status="done").json()["results"]
    told = call_as(cast.ann).get(f"back-tests/{row['id']}").json()
    assert {name: told[name] for name in listed} == listed
    assert (told["status"], told["done"], [each["day"] for each in told["cut_offs"]]) == (
        "done", 3, ["2026-06-01", "2026-07-01", "2026-08-01"],
    )  # fmt: skip
    means = told["means"]
    assert means["base_rate"] == pytest.approx(sum(each["measures"]["base_rate"] for each in told["cut_offs"]) / 3)
    assert (
        sum(each["n"] for each in told["calibration"])
        == sum(each["n"] for each in told["gain"])
        == 3 * means["customers"]
    )
    assert lead.get("back-tests", status="failed").json()["results"] == []


def test_starts_the_last_ten_months_when_nothing_is_said(
    call_as: Callable[..., Caller], cast: Cast, crowd: list[Customer]
) -> None:
    row = call_as(cast.ada).post("back-tests", {}).json()
    assert (row["first"], row["last"], row["total"]) == ("2025-11-01", "2026-08-01", 10)


def test_refuses_what_cannot_be_tested(call_as: Callable[..., Caller], cast: Cast, crowd: list[Customer]) -> None:
    lead = call_as(cast.lea)
    assert faults(lead.post("back-tests", {"first": "2026-08-01", "last": "2026-07-01"})) == {"#/last": "before_first"}
    assert faults(lead.post("back-tests", {"horizon_days": 7})) == {"#/horizon_days": "out_of_range"}
    wrong = lead.post("back-tests", {"first": "June", "horizon_days": "x", "months": 3})
    assert set(faults(wrong)) == {"#/first", "#/horizon_days", "#/months"}
    with tenant_scope(cast.tenant):
        assert not BackTest.objects.exists()
    assert lead.post("back-tests", {}).status_code == 201
    assert faults(lead.post("back-tests", {"horizon_days": 60})) == {"#": "busy"}


def test_says_that_a_history_is_too_short(call_as: Callable[..., Caller], cast: Cast) -> None:
    assert faults(call_as(cast.lea).post("back-tests", {})) == {"#": "short_history"}


def test_lets_leads_and_administrators_start_one_and_everybody_read(
    call_as: Callable[..., Caller], cast: Cast, crowd: list[Customer]
) -> None:
    for member in (cast.ann, cast.eve, cast.ian):
        assert call_as(member).post("back-tests", {}).status_code == 403
        assert call_as(member).get("back-tests").json()["results"] == []
    assert call_as(cast.lea, ("back-tests:read",)).post("back-tests", {}).status_code == 403


def test_another_firms_back_tests_are_not_there(
    call_as: Callable[..., Caller], cast: Cast, crowd: list[Customer]
) -> None:
    row = call_as(cast.lea).post("back-tests", {}).json()
    assert call_as(cast.otto).get("back-tests").json()["results"] == []
    assert call_as(cast.otto).get(f"back-tests/{row['id']}").status_code == 404
    with tenant_scope(cast.tenant):
        assert LapseFit.objects.count() == 0  # a back-test fits for itself
