"""It: what customers answered, over the API."""

import datetime as dt

import pytest
from django.utils import timezone

from customers.models import Arrival, Complaint, Contact, SurveyResponse
from tenants.context import tenant_scope
from tenants.models import Event
from tests.api.conftest import Caller, faults
from tests.conftest import Cast

AT = "2026-11-18T10:00:00Z"


def test_takes_an_answer_and_knows_it_again(api: Caller, cast: Cast) -> None:
    customer = cast.customer()
    said = {"customer": str(customer.pk), "kind": "nps", "score": 9, "at": AT, "text": "Always on time"}
    made = api.put("survey-responses/by-external/crm/1", said)
    assert made.status_code == 201, made.content
    body = made.json()
    assert {name: body[name] for name in ("kind", "score", "text", "contact", "complaint")} == {
        "kind": "nps", "score": 9, "text": "Always on time", "contact": None, "complaint": None,
    }  # fmt: skip
    assert dt.datetime.fromisoformat(body["at"]) == dt.datetime.fromisoformat(AT)
    assert api.put("survey-responses/by-external/crm/1", said)["Outcome"] == "unchanged"
    assert api.patch(f"survey-responses/{body['id']}", {"score": 6})["Outcome"] == "updated"
    with tenant_scope(cast.tenant):
        assert SurveyResponse.objects.get().score == 6
        verbs = Event.objects.filter(object_type="surveyresponse").order_by("id").values_list("verb", flat=True)
        assert list(verbs) == ["added", "updated"]


@pytest.mark.parametrize(
    ("kind", "score", "code"),
    [
        ("nps", 0, ""), ("nps", 10, ""), ("nps", 11, "max_value"), ("nps", -1, "min_value"),
        ("csat", 1, ""), ("csat", 5, ""), ("csat", 0, "out_of_range"), ("csat", 6, "out_of_range"),
    ],
)  # fmt: skip
def test_keeps_to_the_scale_of_the_kind(api: Caller, cast: Cast, kind: str, score: int, code: str) -> None:
    said = {"customer": str(cast.customer().pk), "kind": kind, "score": score}
    answer = api.post("survey-responses", said)
    if code:
        assert faults(answer) == {"#/score": code}
    else:
        assert answer.status_code == 201, answer.content
        other = {"csat": "nps", "nps": "csat"}[kind]
        changed = api.patch(f"survey-responses/{answer.json()['id']}", {"kind": other})
        assert changed.status_code == (200 if 1 <= score <= 5 else 400)


def test_says_all_that_is_wrong_at_once(api: Caller, cast: Cast) -> None:
    customer, other = cast.customer(), cast.customer("Other")
    with tenant_scope(cast.tenant):
        contact = Contact.objects.create(customer=other, name="Theirs")
        complaint = Complaint.objects.create(customer=other, topic="Late", source="crm", external_id="C-1")
    future = (timezone.now() + dt.timedelta(days=2)).isoformat()
    said = {
        "customer": str(customer.pk), "kind": "csat", "score": 9, "at": future, "contact": str(contact.pk),
        "complaint": {"source": "crm", "external_id": "C-1"},
    }  # fmt: skip
    assert faults(api.post("survey-responses", said)) == {
        "#/score": "out_of_range", "#/at": "in_the_future", "#/contact": "other_customer",
        "#/complaint": "other_customer",
    }  # fmt: skip
    assert faults(api.post("survey-responses", {"kind": "ces"})) == {
        "#/customer": "required", "#/kind": "invalid_choice", "#/score": "required",
    }  # fmt: skip
    with tenant_scope(cast.tenant):
        assert not SurveyResponse.objects.exists()
        assert not Arrival.objects.exists()
    said = said | {"customer": str(other.pk), "score": 4, "at": AT}
    made = api.post("survey-responses", said)
    assert made.status_code == 201, made.content
    assert (made.json()["contact"], made.json()["complaint"]) == (str(contact.pk), str(complaint.pk))


def test_filters(api: Caller, cast: Cast) -> None:
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        contact = Contact.objects.create(customer=customer, name="Liu Fang")
    for day, kind, score in ((17, "nps", 3), (18, "csat", 4), (19, "nps", 9)):
        said = {"customer": str(customer.pk), "kind": kind, "score": score, "at": f"2026-11-{day}T10:00:00Z"}
        who = {"contact": str(contact.pk)} if score == 9 else {}
        assert api.post("survey-responses", said | who).status_code == 201

    def found(**query: object) -> list[int]:
        return [row["score"] for row in api.get("survey-responses", ordering="at", **query).json()["results"]]

    assert found() == [3, 4, 9]
    assert found(kind="nps") == [3, 9]
    assert found(contact=contact.pk) == found(since="2026-11-19T00:00:00Z") == [9]
    assert found(until="2026-11-18T00:00:00Z") == [3]
    assert found(customer=cast.customer("Other").pk) == []


def test_takes_many_at_once(api: Caller, cast: Cast) -> None:
    first, second = cast.customer(), cast.customer("Other")
    rows = [
        {"source": "crm", "external_id": str(n), "customer": str(customer.pk), "kind": "csat", "score": score}
        for n, (customer, score) in enumerate([(second, 4), (first, 5), (second, 6), (first, 3)])
    ]
    counts = api.post("survey-responses/batch", {"mode": "partial", "rows": rows}).json()["counts"]
    assert counts == {"created": 3, "updated": 0, "unchanged": 0, "failed": 1}
    with tenant_scope(cast.tenant):
        assert set(Arrival.objects.values_list("customer_id", flat=True)) == {first.pk, second.pk}


def test_notes_of_a_contact_that_the_customer_asked_about_a_competitor(api: Caller, cast: Cast) -> None:
    said = {"customer": str(cast.customer().pk), "channel": "phone"}
    assert api.post("interactions", said).json()["about_competitor"] is False
    tagged = api.post("interactions", said | {"about_competitor": True}).json()
    found = api.get("interactions", about_competitor="true").json()["results"]
    assert [row["id"] for row in found] == [tagged["id"]]


def test_notes_of_a_contact_that_the_customer_thinks_of_leaving(api: Caller, cast: Cast) -> None:
    said = {"customer": str(cast.customer().pk), "channel": "phone"}
    assert api.post("interactions", said).json()["leaving"] == ""
    tagged = api.post("interactions", said | {"leaving": "considers"}).json()
    assert tagged["leaving"] == "considers"
    assert [row["id"] for row in api.get("interactions", leaving="considers").json()["results"]] == [tagged["id"]]
    assert api.post("interactions", said | {"leaving": "perhaps"}).status_code == 400
