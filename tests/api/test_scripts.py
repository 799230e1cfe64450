"""Scripts and journeys over the API: read, write, try out, take out."""

import pytest

from customers.models import Complaint, Contact
from followups.journeys import services as journeys
from followups.journeys import walking
from followups.models import Enrolment, Journey, Script
from followups.scripts import services as scripts
from tenants.context import tenant_scope
from tests.api.conftest import faults


@pytest.fixture
def lea(call_as, cast):
    return call_as(cast.lea)


@pytest.fixture
def ann(call_as, cast):
    return call_as(cast.ann)


@pytest.fixture
def library(cast):
    with tenant_scope(cast.tenant):
        journeys.ensure_journeys()
        return {row.code: str(row.pk) for row in Script.objects.all()}


def test_lists_scripts_with_their_wordings(ann, library):
    rows = ann.get("scripts", scene="dormant").json()["results"]
    (row,) = [each for each in rows if each["code"] == "dormant"]
    assert {each["scene"] for each in rows} == {"dormant"}
    assert (row["id"], row["code"], row["title"], row["name"]) == (library["dormant"], "dormant", "We miss you", "")
    assert [each["letter"] for each in row["wordings"]] == ["A", "B"]
    assert row["wordings"][0]["answered"] == {"hits": 0, "of": 0, "share": None, "low": None, "high": None}
    assert set(row["wordings"][0]["texts"]) == {"en", "zh-hans"}
    assert row["better_by_answers"] == ""
    assert len(ann.get("scripts").json()["results"]) == len(library)


def test_makes_a_script_adds_wordings_and_retires_one(lea):
    made = lea.post("scripts", {"code": "own", "name": "Own", "scene": "regular"})
    assert made.status_code == 201
    address = f"scripts/{made.json()['id']}"
    for word in ("Hello", "Good day"):
        answer = lea.post(f"{address}/wordings", {"texts": {"en": {"parts": [f"{word} {{customer}}."]}}})
        assert answer.status_code == 201, answer.content
    assert [each["letter"] for each in answer.json()["wordings"]] == ["A", "B"]
    assert lea.post(f"{address}/wordings/A/retire")["Outcome"] == "updated"
    assert lea.post(f"{address}/wordings/A/retire")["Outcome"] == "unchanged"
    assert lea.post(f"{address}/wordings/C/retire").status_code == 404
    assert lea.post(f"{address}/wordings/B/retire").status_code == 400
    assert lea.patch(address, {"is_on": False})["Outcome"] == "updated"
    assert lea.patch(address, {"is_on": False})["Outcome"] == "unchanged"


def test_says_what_is_wrong_with_a_wording(lea, library):
    said = {"texts": {"en": {"parts": ["Hello {contact}"]}}}
    refused = lea.post(f"scripts/{library['festival']}/wordings", said)
    assert faults(refused) == {"#/en_part_1": "may_be_missing"}


def test_writes_a_script_out_for_a_customer(cast, ann, library):
    customer = cast.customer("Brook & Sons")
    with tenant_scope(cast.tenant):
        contact = Contact.objects.create(customer=customer, name="Li Wei", language="zh")
        stranger = Contact.objects.create(customer=cast.customer("Other"), name="Else")
    address = f"scripts/{library['festival']}/rendered"
    text = ann.post(address, {"customer": str(customer.pk), "contact": str(contact.pk)}).json()
    assert text["language"] == "zh-hans"
    assert "Li Wei" in text["body"]
    assert text["missing"] == ["years"]
    assert (
        ann.post(address, {"customer": str(customer.pk), "language": "en"}).json()["body"].startswith("Dear customer")
    )
    refused = ann.post(address, {"customer": str(customer.pk), "contact": str(stranger.pk)})
    assert faults(refused) == {"#/contact": "other_customer"}
    hidden = cast.customer("Hidden", owner_a=cast.bo, owner_b=None)
    assert faults(ann.post(address, {"customer": str(hidden.pk)})) == {"#/customer": "not_found"}


def test_says_that_a_script_has_no_wording(cast, ann, lea):
    made = lea.post("scripts", {"code": "own", "name": "Own", "scene": "regular"}).json()
    refused = ann.post(f"scripts/{made['id']}/rendered", {"customer": str(cast.customer().pk)})
    assert faults(refused) == {"#/script": "no_wording"}


def test_only_leads_and_administrators_write(ann, library):
    assert ann.post("scripts", {"code": "own", "name": "Own", "scene": "regular"}).status_code == 403
    assert ann.patch(f"scripts/{library['festival']}", {"is_on": False}).status_code == 403
    assert ann.post("journeys", {}).status_code == 403


def test_asks_no_more_for_more_scripts(ann, library, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):
        assert len(ann.get("scripts").json()["results"]) > 10


# ── journeys ────────────────────────────────────────────────────────────────

DEFINITION = {"trigger": "silence", "days": 30, "steps": [{"code": "call", "script": "regular"}]}


def test_makes_tries_and_switches_a_journey(cast, lea, library):
    made = lea.post("journeys", {"code": "own", "name": "Own", "definition": DEFINITION})
    assert made.status_code == 201, made.content
    row = made.json()
    assert (row["trigger"], row["is_on"], row["version"]) == ("silence", False, 1)
    address = f"journeys/{row['id']}"
    assert lea.patch(address, {"is_on": True})["Outcome"] == "updated"
    assert lea.patch(address, {"definition": DEFINITION})["Outcome"] == "unchanged"
    changed = lea.patch(address, {"definition": DEFINITION | {"days": 60}})
    assert (changed["Outcome"], changed.json()["version"]) == ("updated", 2)
    assert lea.get("journeys", is_on="true").json()["results"]


def test_says_what_is_wrong_with_a_definition(lea, library):
    refused = lea.post("journeys", {"code": "own", "name": "Own", "definition": {"trigger": "asked", "steps": []}})
    assert faults(refused) == {"#/definition": "too_short"}
    assert faults(lea.post("journeys/dry-run", {"definition": {"trigger": "dream"}})).keys() == {"#/definition"}


def test_says_who_would_enter(cast, ann, library):
    customer, hidden = cast.customer("Brook"), cast.customer("Hidden", owner_a=cast.bo, owner_b=None)
    with tenant_scope(cast.tenant):
        for each in (customer, hidden):
            Complaint.objects.create(customer=each, topic="Late delivery")
    definition = {"trigger": "complaint_opened", "words": ["delivery"], "steps": [{"code": "call"}]}
    found = ann.post("journeys/dry-run", {"definition": definition}).json()
    assert (found["events"], found["customers"], found["hidden"]) == (2, 2, 1)
    assert [each["customer"] for each in found["latest"]] == [str(customer.pk)]


def test_lists_places_and_takes_a_customer_out(cast, ann, library):
    from django.utils import timezone

    customer = cast.customer("Brook")
    with tenant_scope(cast.tenant):
        Complaint.objects.create(customer=customer, topic="Late delivery")
        walking.enter(walking.journeys_on(), timezone.now())
        walking.walk([customer.pk], timezone.now())
    (row,) = ann.get("enrolments", customer=customer.pk).json()["results"]
    assert (row["code"], row["status"], row["customer"]) == ("logistics", "active", str(customer.pk))
    assert [(step["code"], step["status"]) for step in row["steps"]] == [("solve", "raised")]
    answer = ann.post(f"enrolments/{row['id']}/stop")
    assert (answer["Outcome"], answer.json()["status"], answer.json()["why"]) == ("updated", "stopped", "by_hand")
    assert ann.post(f"enrolments/{row['id']}/stop")["Outcome"] == "unchanged"
    with tenant_scope(cast.tenant):
        assert Enrolment.objects.get().ended_at is not None
        assert Journey.objects.count() == 6
        assert scripts.ensure_library() == 0
