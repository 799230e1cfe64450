"""The API of KPIs and goals: values, rows, score cards, closing, and the four steps of a goal."""

import datetime as dt

import pytest
import time_machine

from customers.models import SurveyResponse
from tenants.context import tenant_scope
from tests.api.conftest import faults


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel(dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC), tick=False):
        yield


@pytest.fixture
def answers(cast):
    customer = cast.customer()
    at = cast.tenant.start_of(dt.date(2026, 10, 6))
    with tenant_scope(cast.tenant):
        SurveyResponse.objects.bulk_create(
            SurveyResponse(customer=customer, kind="csat", score=score, at=at) for score in (5, 4, 4, 1)
        )
    return customer


def test_gives_values_rows_and_score_cards(call_as, cast, answers):
    api = call_as(cast.ann)
    found = api.get("kpis?period=2026-10&kpi=csat").json()
    assert (found["who"], found["start"], found["end"], found["is_closed"]) == (
        f"person-{cast.ann.pk}", "2026-10-01", "2026-10-31", False,
    )  # fmt: skip
    assert found["results"][0] | {"title": ""} == {
        "kpi": "csat", "title": "", "unit": "percent", "better": "up", "numerator": "3", "denominator": "4",
        "value": "75", "target": "90", "achieved": "83.3333", "corrected": None,
    }  # fmt: skip
    rows = api.get("kpis/rows?period=2026-10&kpi=csat&limit=3").json()
    assert [row["customer"] for row in rows["results"]] == [str(answers.pk)] * 3
    assert rows["next_offset"] == 3
    assert len(api.get("kpis/rows?period=2026-10&kpi=csat&offset=3").json()["results"]) == 1
    cards = call_as(cast.lea).get("score-cards?period=2026-10").json()["results"]
    assert {card["member"]: card["score"] for card in cards} == {str(cast.ann.pk): "55.5555", str(cast.bo.pk): None}
    assert len(api.get("kpis?period=2026-W40").json()["results"]) == 12


def test_refuses_what_it_does_not_know_and_whom_one_does_not_see(call_as, cast):
    api = call_as(cast.ann)
    for query, pointer in (
        ("period=2026-13", "?period"), ("", "?period"), ("period=2027-01", "?period"), ("period=2026-10&who=x", "?who"),
        ("period=2026-10&kpi=charm", "?kpi"), ("period=2026-10&colour=red", "?colour"),
    ):  # fmt: skip
        assert pointer in str(faults(api.get(f"kpis?{query}"))), query
    assert api.get("kpis/rows?period=2026-10&kpi=csat&limit=500").status_code == 400
    for who in ("tenant", f"person-{cast.bo.pk}", f"person-{cast.otto.pk}"):
        assert api.get(f"kpis?period=2026-10&who={who}").status_code == 404
    assert call_as(cast.eve).get("kpis?period=2026-10&who=team-999999").status_code == 404


def test_closes_a_period_once(call_as, cast, answers):
    api = call_as(cast.lea)
    assert api.post("kpis/close", {"period": "2026-11"}).status_code in (400, 409, 422)
    made = api.post("kpis/close", {"period": "2026-10"})
    assert (made.status_code, made.json()["period"], made.json()["closed_by"]) == (201, "2026-10", str(cast.lea.pk))
    again = api.post("kpis/close", {"period": "2026-10"})
    assert again.status_code in (400, 409, 422)
    assert "Lea closed" in again.content.decode()
    assert api.get("kpis?period=2026-10").json()["is_closed"] is True


def test_sets_a_goal_and_takes_its_steps(call_as, cast):
    api = call_as(cast.lea)
    said = {
        "quarter": "2026-10-01",
        "title": "Content",
        "kpi": "csat",
        "target": "80",
        "baseline": "50",
        "team": str(cast.lea.team_id),
    }
    made = api.post("goals", said)
    assert (made.status_code, made.json()["state"], made.json()["owner"]) == (201, "plan", str(cast.lea.pk))
    path = f"goals/{made.json()['id']}"
    assert api.patch(path, {"target": "0"}).status_code in (400, 422)
    assert api.patch(path, {"target": "85"}).json()["target"] == "85"
    assert api.post(f"{path}/step", {"verb": "check", "done": "Did"}).status_code in (400, 409, 422)
    assert api.post(f"{path}/step", {"verb": "start", "done": "Did"}).status_code in (400, 422)
    assert api.post(f"{path}/step", {"verb": "start", "plan": "Call"}).json()["state"] == "do"
    assert call_as(cast.ann).post(f"{path}/step", {"verb": "check", "done": "x"}).status_code in (400, 409, 422)
    assert [row["id"] for row in api.get("goals?quarter=2026-11-05&state=do").json()["results"]] == [made.json()["id"]]
