"""It: evidence over the API: written by id and by name, listed, taken back; never about a customer one does not see."""

import datetime as dt

import pytest
from django.utils import timezone

from customers.models import Evidence
from tenants.context import tenant_scope
from tenants.models import Event
from tests.api.conftest import Caller, faults
from tests.conftest import Cast


@pytest.fixture
def said(cast: Cast) -> dict[str, str]:
    return {"customer": str(cast.customer().pk), "kind": "endorsement", "on": "2026-01-03", "note": "A letter"}


def test_writes_it_down(api: Caller, call_as, cast: Cast, said: dict[str, str]) -> None:
    made = call_as(cast.ann).post("evidence", said)
    assert made.status_code == 201, made.content
    body = made.json()
    assert {name: body[name] for name in said} == said
    assert (body["member"], body["referred"]) == (str(cast.ann.pk), None)
    assert api.post("evidence", said).json()["member"] is None  # an integration has seen nothing itself
    assert api.get(f"evidence/{body['id']}").json() == body


def test_upserts_and_patches(api: Caller, cast: Cast, said: dict[str, str]) -> None:
    assert api.put("evidence/by-external/crm/5", said)["Outcome"] == "created"
    assert api.put("evidence/by-external/crm/5", said)["Outcome"] == "unchanged"
    changed = api.put("evidence/by-external/crm/5", {"kind": "benchmark"})
    assert changed["Outcome"] == "updated"
    patched = api.patch(f"evidence/{changed.json()['id']}", {"note": ""})
    assert (patched.json()["kind"], patched.json()["note"]) == ("benchmark", "")
    assert api.get("evidence/by-external/crm/5").json() == patched.json()


def test_names_who_came(api: Caller, cast: Cast, said: dict[str, str]) -> None:
    api.put("customers/by-external/crm/K-9", {"name": "Newcomer"})
    referral = said | {"kind": "referral", "referred": {"source": "crm", "external_id": "K-9"}}
    made = api.put("evidence/by-external/crm/6", referral)
    assert made.status_code == 201, made.content
    came = made.json()["referred"]
    assert api.get(f"customers/{came}").json()["name"] == "Newcomer"
    assert [row["id"] for row in api.get("evidence", referred=came).json()["results"]] == [made.json()["id"]]


def test_refuses_what_cannot_be(api: Caller, cast: Cast, said: dict[str, str]) -> None:
    tomorrow = (timezone.now() + dt.timedelta(days=2)).date().isoformat()
    itself = said | {"kind": "referral", "on": tomorrow, "referred": said["customer"]}
    assert faults(api.post("evidence", itself)) == {"#/on": "in_the_future", "#/referred": "itself"}
    assert faults(api.post("evidence", said | {"referred": str(cast.customer("Other").pk)})) == {
        "#/referred": "not_a_referral"
    }
    assert faults(api.post("evidence", {"kind": "gift"})) == {
        "#/customer": "required", "#/kind": "invalid_choice", "#/on": "required",
    }  # fmt: skip
    with tenant_scope(cast.tenant):
        assert not Evidence.objects.exists()


def test_refers_to_customers_that_the_caller_sees(call_as, cast: Cast, said: dict[str, str]) -> None:
    hidden = cast.customer("Hidden", owner_a=cast.bo, owner_b=None)
    ann = call_as(cast.ann)
    assert faults(ann.post("evidence", said | {"customer": str(hidden.pk)})) == {"#/customer": "not_found"}
    referral = said | {"kind": "referral", "referred": str(hidden.pk)}
    assert faults(ann.post("evidence", referral)) == {"#/referred": "not_found"}
    assert call_as(cast.ada).post("evidence", referral).status_code == 201


def test_writes_a_batch(api: Caller, said: dict[str, str]) -> None:
    rows = [
        said | {"source": "crm", "external_id": "1"},
        said | {"source": "crm", "external_id": "2", "kind": "gift"},
    ]
    answer = api.post("evidence/batch", {"mode": "partial", "rows": rows}).json()
    assert [row["status"] for row in answer["results"]] == ["created", "failed"]
    assert answer["results"][1]["problem"]["errors"][0]["pointer"] == "#/rows/1/kind"


def test_filters(api: Caller, said: dict[str, str]) -> None:
    for kind, day in (("benchmark", "2026-01-02"), ("cluster", "2026-02-02"), ("endorsement", "2026-03-02")):
        assert api.post("evidence", said | {"kind": kind, "on": day}).status_code == 201

    def found(**query: object) -> list[str]:
        return [row["kind"] for row in api.get("evidence", ordering="on", **query).json()["results"]]

    assert found() == ["benchmark", "cluster", "endorsement"]
    assert found(kind=["cluster", "benchmark"]) == ["benchmark", "cluster"]
    assert found(since="2026-02-02") == ["cluster", "endorsement"]
    assert found(until="2026-02-01") == ["benchmark"]
    assert found(customer=said["customer"], kind="cluster") == ["cluster"]
    assert found(customer="0") == []


def test_takes_it_back(api: Caller, call_as, cast: Cast, said: dict[str, str]) -> None:
    pk = api.post("evidence", said).json()["id"]
    assert call_as(cast.ian, scopes=("evidence:read",)).post(f"evidence/{pk}/delete").status_code == 403
    assert api.post(f"evidence/{pk}/delete").status_code == 204
    assert api.get(f"evidence/{pk}").status_code == 404
    assert api.post(f"evidence/{pk}/delete").status_code == 404
    with tenant_scope(cast.tenant):
        verbs = Event.objects.filter(object_type="evidence").order_by("id").values_list("verb", flat=True)
        assert list(verbs) == ["added", "deleted"]


def test_has_no_delete_of_http(api: Caller, said: dict[str, str]) -> None:
    pk = api.post("evidence", said).json()["id"]
    assert api._call("delete", f"evidence/{pk}").status_code == 405
    assert api.get(f"evidence/{pk}").status_code == 200
