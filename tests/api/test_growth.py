"""The API of growth: certifications, trainings, notes of promotion."""

import datetime as dt

import pytest
import time_machine

from incentives.growth.services import open_quarter
from incentives.models import Certification, PromotionNote
from incentives.rules.growth import DIMENSIONS
from tenants.context import tenant_scope
from tenants.models import Member
from tests.api.conftest import faults

SAID = dict.fromkeys(DIMENSIONS, 80) | {f"{each}_reason": "Seen on visits" for each in DIMENSIONS}


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel(dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC), tick=False):
        yield


@pytest.fixture
def row(cast):
    with tenant_scope(cast.tenant):
        Member.objects.update(created_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        open_quarter(dt.date(2026, 9, 1))
        return Certification.objects.get(member=cast.ann)


def test_scores_sends_back_and_confirms_a_certification(call_as, cast, row):
    lea, eve = call_as(cast.lea), call_as(cast.eve)
    path = f"certifications/{row.pk}"
    assert lea.get(path).json()["scores"] == []
    assert set(faults(lea.post(f"{path}/score", {"knowledge": 80}))) == {
        "#/knowledge_reason", *(f"#/{each}{end}" for each in DIMENSIONS if each != "knowledge" for end in ("", "_reason")),
    }  # fmt: skip
    assert faults(lea.post(f"{path}/score", SAID | {"charm": 90})) == {"#/charm": "unknown_field"}
    done = lea.post(f"{path}/score", SAID).json()
    assert (done["state"], done["mean"], done["passed"], len(done["scores"])) == ("scored", "80", True, 4)
    assert done["scores"][0] == {
        "dimension": "knowledge", "source": "reviewer", "score": "80", "facts": [], "reason": "Seen on visits",
    }  # fmt: skip
    assert lea.post(f"{path}/confirm").status_code in (400, 409, 422)
    assert eve.post(f"{path}/send-back", {"why": "Which?"}).json()["sent_back_why"] == "Which?"
    assert lea.post(f"{path}/reviewer", {"reviewer": str(cast.eve.pk)}).json()["reviewer"] == str(cast.eve.pk)
    assert lea.post(f"{path}/score", SAID).status_code == 200
    assert eve.post(f"{path}/confirm").json()["confirmed_by"] == str(cast.eve.pk)
    assert call_as(cast.ann).post(f"{path}/score", SAID).status_code == 403
    assert call_as(cast.bo).get(path).status_code == 404
    found = lea.get("certifications?quarter=2026-09-30&state=confirmed&passed=true").json()["results"]
    assert [each["id"] for each in found] == [str(row.pk)]


def test_plans_a_training_names_customers_and_lets_the_mentor_approve(call_as, cast):
    ann, bo = call_as(cast.ann), call_as(cast.bo)
    mine, hidden = cast.customer(), cast.customer("Hidden", owner_b=None)
    said = {"member": str(cast.ann.pk), "mentor": {"email": "bo@acme.example"}, "title": "AIDA", "wanted": 2}
    assert faults(ann.post("trainings", said | {"mentor": str(cast.ann.pk)})) == {"#/mentor": "oneself"}
    made = ann.post("trainings", said)
    assert made.status_code == 201, made.content
    assert (made.json()["due_on"], made.json()["stand"], made.json()["done"]) == ("2026-12-06", "open", 0)
    path = f"trainings/{made.json()['id']}"
    assert ann.patch(path, {"title": "AIDA again"}).json()["title"] == "AIDA again"
    assert ann.post(f"{path}/customers", {"customer": str(mine.pk), "done_on": "2026-11-22"}).json()["done"] == 1
    ready = ann.post(f"{path}/customers", {"customer": str(hidden.pk), "done_on": "2026-11-22", "note": "Went well"})
    assert ready.json()["stand"] == "ready"
    assert ann.post(f"{path}/customers", {"customer": str(hidden.pk), "done_on": None}).json()["stand"] == "open"
    ann.post(f"{path}/customers", {"customer": str(hidden.pk), "done_on": "2026-11-22"})
    seen = bo.get(path).json()["customers"]
    assert [(each["customer"], each["note"]) for each in seen] == [(str(mine.pk), ""), (None, "")]
    assert ann.post(f"{path}/approve").status_code in (400, 409, 422)
    assert bo.post(f"{path}/approve", {"said": "Good ear"}).json()["approved_by"] == str(cast.bo.pk)
    assert bo.post(f"{path}/take-back").json()["stand"] == "ready"
    assert ann.post(f"{path}/end", {"why": "Enough"}).json()["stand"] == "ended"
    assert call_as(cast.ian).post("trainings", said).status_code == 403
    assert [each["id"] for each in ann.get("trainings?stand=ended").json()["results"]] == [made.json()["id"]]
    assert ann.get("trainings?stand=lost").status_code == 400


def test_gives_notes_of_promotion_and_takes_what_came_of_the_talk(call_as, cast):
    with tenant_scope(cast.tenant):
        note = PromotionNote.objects.create(
            member=cast.ann, first_quarter="2023-10-01", last_quarter="2026-07-01", job="sales", policy_version=1,
            raised_on="2026-10-08", quarters=[{"quarter": "2026-Q3", "score": "104.2", "job": "sales"}],
        )  # fmt: skip
    lea, path = call_as(cast.lea), f"promotion-notes/{note.pk}"
    assert lea.get(path).json()["quarters"] == [{"quarter": "2026-Q3", "score": "104.2", "job": "sales"}]
    assert call_as(cast.bo).get(path).status_code == 404
    assert call_as(cast.ann).post(f"{path}/settle", {"outcome": "promoted", "said": "Me"}).status_code == 403
    assert faults(lea.post(f"{path}/settle", {"outcome": "rich"})) == {
        "#/outcome": "invalid_choice", "#/said": "required",
    }  # fmt: skip
    done = lea.post(f"{path}/settle", {"outcome": "promoted", "said": "Senior"}).json()
    assert (done["outcome"], done["settled_by"]) == ("promoted", str(cast.lea.pk))
    assert lea.get("promotion-notes?settled=false").json()["results"] == []
