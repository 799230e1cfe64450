"""It: opens, moves and closes crises by programme, and says how their clocks stand."""

import datetime as dt

import pytest

from risk.models import Incident
from tenants.context import tenant_scope
from tests.api.conftest import faults

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def noon(time_machine):
    time_machine.move_to(NOON, tick=False)


@pytest.fixture
def opened(cast, api):
    said = {"customer": str(cast.customer().pk), "title": "Wrong blue", "level": "serious", "kind": "wrong_product"}
    answer = api.post("incidents", said)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_opens_one_once_with_its_clocks(cast, api, opened):
    assert opened["name"] == "CR-1"
    assert [(each["kind"], each["state"]) for each in opened["clocks"]] == [
        ("acknowledge", "running"), ("team", "running"), ("solution", "running"), ("solved", "running"),
    ]  # fmt: skip
    assert opened["clocks"][0]["deadline_at"] == "2026-11-20T12:30:00Z"
    same = {"customer": opened["customer"], "title": "Wrong blue", "level": "serious"}
    again = api.post("incidents", same)
    assert (again.status_code, again["Outcome"], again.json()["id"]) == (200, "unchanged", opened["id"])
    assert len(api.get("incidents", is_open="true").json()["results"]) == 1
    assert api.get("incidents", is_open="false").json()["results"] == []


def test_says_what_is_wrong(cast, api):
    wrong = api.post("incidents", {"customer": "999999", "title": "", "level": "worst"})
    assert set(faults(wrong)) == {"#/customer", "#/title", "#/level"}
    closed = cast.customer("Gone", closed_on=dt.date(2026, 11, 1))
    refused = api.post("incidents", {"customer": str(closed.pk), "title": "Late", "level": "major"})
    assert refused.status_code == 400
    assert "is closed since" in refused.content.decode()
    assert api.get("incidents", colour="red").status_code == 400


def test_moves_through_its_verbs_to_the_end(cast, api, opened):
    here = f"incidents/{opened['id']}"
    done = api.post(f"{here}/step-done", {"step": "acknowledge"}).json()
    assert done["clocks"][0]["state"] == "met"
    assert api.post(f"{here}/step-done", {"step": "acknowledge"})["Outcome"] == "unchanged"
    assert faults(api.post(f"{here}/step-done", {"step": "nothing"})) == {"#/step": "not_found"}
    major = api.post(f"{here}/level", {"level": "major", "reason": "Press"}).json()
    assert {each["kind"] for each in major["clocks"]} >= {"visit", "team"}
    assert api.post(f"{here}/pause", {"reason": "Sample"}).json()["clocks"][1]["state"] == "paused"
    assert api.post(f"{here}/resume").json()["clocks"][1]["state"] == "running"
    line = {"text": "Printing is stopped", "is_visible": True, "reference": "erp-1"}
    assert api.post(f"{here}/entries", line)["Outcome"] == "created"
    assert api.post(f"{here}/entries", line)["Outcome"] == "unchanged"
    refused = api.post(f"{here}/close", {"outcome": "saved", "cause": "quality"})
    assert refused.status_code == 400
    assert "Not yet" in refused.content.decode()
    closed = api.post(f"{here}/close", {"outcome": "lost", "cause": "quality", "tried": ["rework"]}).json()
    assert (closed["outcome"], closed["cause"], closed["tried"]) == ("lost", "quality", ["rework"])
    assert [each["text"] for each in closed["entries"] if each["is_visible"]] == ["Printing is stopped"]


def test_asks_no_more_for_many_than_for_one(cast, api, opened, django_assert_max_num_queries):
    for number in range(5):
        said = {"customer": opened["customer"], "title": f"More {number}", "level": "major"}
        assert api.post("incidents", said).status_code == 201
    with django_assert_max_num_queries(16):
        assert len(api.get("incidents").json()["results"]) == 6
    with tenant_scope(cast.tenant):
        assert sorted(Incident.objects.values_list("number", flat=True)) == [1, 2, 3, 4, 5, 6]
