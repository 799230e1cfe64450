"""Absences and care days over the API."""

import datetime as dt

import pytest

from followups.models import Absence, CareDay, FollowUp
from tenants.context import tenant_scope
from tests.api.conftest import faults
from tests.conftest import Cast


@pytest.fixture(autouse=True)
def _november(time_machine) -> None:
    time_machine.move_to(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC), tick=False)


def test_plans_an_absence_and_ends_it(cast: Cast, call_as) -> None:
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        row = FollowUp.objects.create(
            customer=customer, assignee=cast.ann, kind="light_touch", rule="manual", period="1", due_on="2026-11-20"
        )
    ann = call_as(cast.ann)
    made = ann.post("absences", {"first": "2026-11-20", "last": "2026-11-27", "note": "Skiing"})
    assert made.status_code == 201
    body = made.json()
    assert (body["member"], body["covered_by"], body["settled_at"]) == (str(cast.ann.pk), None, None)
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.get(pk=row.pk).assignee == cast.bo
    assert call_as(cast.bo).post(f"absences/{body['id']}/end").status_code in (400, 403, 409, 422)
    ended = ann.post(f"absences/{body['id']}/end")
    assert (ended.status_code, ended["Outcome"], ended.json()["last"]) == (200, "updated", "2026-11-20")
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.get(pk=row.pk).assignee == cast.ann
    later = ann.post("absences", {"first": "2026-12-01", "last": "2026-12-02"}).json()
    assert ann.post(f"absences/{later['id']}/end").status_code == 204
    assert [each["id"] for each in ann.get("absences", last_after="2026-11-01").json()["results"]] == [body["id"]]


def test_refuses_an_absence_with_all_reasons(cast: Cast, call_as) -> None:
    ann = call_as(cast.ann)
    assert faults(ann.post("absences", {"first": "soon", "x": 1})) == {
        "#/first": "invalid", "#/last": "required", "#/x": "unknown_field",
    }  # fmt: skip
    sent = {"first": "2026-11-27", "last": "2026-11-20", "covered_by": {"email": "ann@acme.example"}}
    assert faults(ann.post("absences", sent)) == {"#/last": "wrong_way_round", "#/covered_by": "cannot_cover"}
    with tenant_scope(cast.tenant):
        assert not Absence.objects.exists()


def test_notes_days_of_a_customer_and_takes_them_away(cast: Cast, call_as) -> None:
    customer, ann = cast.customer(), call_as(cast.ann)
    sent = {"customer": str(customer.pk), "kind": "founded", "on": "1998-12-01", "by": "lunar"}
    made = ann.post("care-days", sent)
    assert made.status_code == 201
    body = made.json()
    assert (body["on"], body["by"], body["name"]) == ("1998-12-01", "lunar", "")
    assert faults(ann.post("care-days", sent | {"kind": "other"})) == {"#/name": "required"}
    assert ann.get("care-days", customer=str(customer.pk)).json()["results"] == [body]
    assert ann.post(f"care-days/{body['id']}/delete").status_code == 204
    with tenant_scope(cast.tenant):
        assert not CareDay.objects.exists()
