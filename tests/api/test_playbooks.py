"""Playbooks over the API: read, write, begin, say what came of a step, and take it back."""

import pytest

from risk.models import Alert, Playbook, PlaybookRun
from risk.playbooks import services as playbooks
from tenants.context import tenant_scope
from tests.api.conftest import faults


@pytest.fixture
def ann(call_as, cast):
    return call_as(cast.ann)


@pytest.fixture
def books(cast):
    with tenant_scope(cast.tenant):
        playbooks.ensure_playbooks()
        return {row.code: str(row.pk) for row in Playbook.objects.all()}


def test_writes_a_playbook_in_versions_and_says_what_is_wrong(call_as, cast, books):
    lea = call_as(cast.lea)
    said = {"code": "own", "name": "Own", "is_on": True, "definition": {"steps": [{"code": "call"}]}}
    made = lea.post("playbooks", said)
    row = made.json()
    assert (made.status_code, made["Outcome"], row["is_on"], row["version"]) == (201, "created", True, 1)
    assert row["definition"]["steps"][0]["within"] == 1
    changed = lea.patch(f"playbooks/{row['id']}", {"definition": {"steps": [{"code": "call", "within": 3}]}})
    assert (changed["Outcome"], changed.json()["version"]) == ("updated", 2)
    assert lea.patch(f"playbooks/{row['id']}", {"name": "Own"})["Outcome"] == "unchanged"
    assert "#/definition" in faults(lea.post("playbooks", said | {"code": "x", "definition": {"steps": []}}))
    assert "#/code" in faults(lea.post("playbooks", said))
    assert len(lea.get("playbooks", is_on="true").json()["results"]) == 7
    assert call_as(cast.ann).post("playbooks", said).status_code == 403


def test_begins_says_skips_hands_over_stops_and_takes_back(cast, ann, books):
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        alert = Alert.objects.create(
            customer=customer, signal="order_silence", risk_class="demand", level="mild", period="1",
            opened_on="2026-11-20", due_at="2026-11-21T00:00Z", policy_version=1,
        )  # fmt: skip
    said = {"playbook": {"code": "silent"}, "customer": str(customer.pk), "alert": str(alert.pk)}
    made = ann.post("playbook-runs", said)
    run = made.json()
    assert (made.status_code, run["code"], run["alert"], run["member"]) == (
        201, "silent", str(alert.pk), str(cast.ann.pk),
    )  # fmt: skip
    assert [(step["code"], step["status"]) for step in run["steps"]] == [("call", "raised")]
    assert ann.post("playbook-runs", said)["Outcome"] == "unchanged"
    path = f"playbook-runs/{run['id']}"
    gone_on = ann.post(f"{path}/say", {"step": "call", "outcome": "not_reached", "note": "Voice mail"}).json()
    assert [step["code"] for step in gone_on["steps"]] == ["call", "chat"]
    assert [step["code"] for step in ann.post(f"{path}/undo").json()["steps"]] == ["call"]
    assert ann.post(f"{path}/skip", {"step": "call"})["Outcome"] == "updated"
    assert ann.post(f"{path}/hand-over", {"to": str(cast.bo.pk)}).json()["owner"] == str(cast.bo.pk)
    stopped = ann.post(f"{path}/stop", {"outcome": "saved"}).json()
    assert (stopped["status"], stopped["outcome"]) == ("finished", "saved")
    assert ann.post(f"{path}/stop", {})["Outcome"] == "unchanged"
    refused = ann.post(f"{path}/skip", {"step": "chat"})
    assert refused.status_code in {400, 409, 422}
    assert "has ended" in refused.content.decode()
    assert len(ann.get("playbook-runs", status="finished").json()["results"]) == 1
    assert ann.get("playbook-runs", cases="held").status_code == 400
    assert ann.post("playbook-runs", {"playbook": "999999", "customer": str(customer.pk)}).status_code >= 400


def test_says_whether_it_helped(ann, cast, books):
    found = ann.get(f"playbooks/{books['silent']}/figures").json()
    assert (found["measure"], found["measure_days"], found["verdict"], found["early"]) == ("order", 90, "not_enough", 0)
    assert found["by_signal"] == {"hits": 0, "of": 0, "share": None, "low": None, "high": None}
    assert found["difference"] is None


def test_keeps_runs_of_others_apart(cast, ann, call_as, books):
    other = cast.customer("Not Ann's", owner_a=cast.lea, owner_b=None)
    with tenant_scope(cast.tenant):
        run = playbooks.start(playbook=Playbook.objects.get(code="silent"), customer=other, member=cast.lea)
    assert ann.get(f"playbook-runs/{run.pk}").status_code == 404
    assert ann.post(f"playbook-runs/{run.pk}/stop", {}).status_code == 404
    assert ann.get("playbook-runs").json()["results"] == []
    said = {"playbook": books["silent"], "customer": str(other.pk)}
    assert faults(ann.post("playbook-runs", said)) == {"#/customer": "not_found"}
    assert call_as(cast.eve).get(f"playbook-runs/{run.pk}").status_code == 200
    assert call_as(cast.eve).post(f"playbook-runs/{run.pk}/stop", {}).status_code == 403
    with tenant_scope(cast.tenant):
        assert PlaybookRun.objects.get().status == "active"
