"""Own views of customers: given, listed, taken back."""

import datetime as dt

import pytest

from customers.models import Customer
from health.models import Pulse
from health.pulses import give_pulse
from tenants.context import tenant_scope
from tests.api.conftest import Caller, faults
from tests.conftest import Cast
from tests.health.scored import score_of


@pytest.fixture(autouse=True)
def _november(time_machine) -> None:
    time_machine.move_to(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC), tick=False)


@pytest.fixture
def customer(cast: Cast) -> Customer:
    found = cast.customer()
    with tenant_scope(cast.tenant):
        score_of(found, 80)
        found.external_ids.create(source="erp", value="C-1")
    return found


@pytest.fixture
def ann(call_as, cast: Cast) -> Caller:
    return call_as(cast.ann)


def said(**more: str) -> dict[str, object]:
    return {"customer": {"source": "erp", "external_id": "C-1"}, "band": "red", "reason": "competitor", **more}


def test_gives_a_view_beside_the_score(cast: Cast, ann: Caller, customer: Customer) -> None:
    answer = ann.post("pulses", said(note="Talks to a rival"))
    assert answer.status_code == 201
    body = answer.json()
    assert answer["Location"].endswith(f"/pulses/{body['id']}")
    assert body == {
        "id": body["id"], "customer": str(customer.pk), "band": "red", "reason": "competitor", "note": "Talks to a rival",
        "member": str(cast.ann.pk), "at": "2026-11-20T12:00:00Z", "withdrawn_at": None, "counts": True, "score": 80,
        "band_by_score": "green",
    }  # fmt: skip
    again = ann.post("pulses", said(note="Talks to a rival"))
    assert (again.status_code, again["Outcome"], again.json()["id"]) == (200, "unchanged", body["id"])
    assert ann.get(f"pulses/{body['id']}").json() == body


def test_refuses_what_is_no_view_with_all_reasons(cast: Cast, ann: Caller, customer: Customer) -> None:
    assert faults(ann.post("pulses", {"band": "none", "reason": "mood", "member": str(cast.bo.pk), "x": 1})) == {
        "#/customer": "required", "#/band": "invalid_choice", "#/reason": "invalid_choice", "#/x": "unknown_field",
    }  # fmt: skip
    with tenant_scope(cast.tenant):
        Customer.objects.update(closed_on="2026-11-01")
    assert faults(ann.post("pulses", said())) == {"#/customer": "closed"}
    assert ann.get("pulses").json()["results"] == []


def test_lists_what_counts_and_what_differs(cast: Cast, ann: Caller, customer: Customer) -> None:
    other = cast.customer("Other")
    with tenant_scope(cast.tenant):
        score_of(other, 20)
        old = give_pulse(customer=customer, member=cast.bo, band="yellow", reason="price")[0]
        new = give_pulse(customer=customer, member=cast.ann, band="red", reason="price")[0]
        same = give_pulse(customer=other, member=cast.ann, band="red", reason="quality")[0]

    def ids(**query: str) -> list[str]:
        return [row["id"] for row in ann.get("pulses", **query).json()["results"]]

    every = [str(row.pk) for row in (old, new, same)]
    assert ids() == every
    assert ids(ordering="-at") == every[::-1]
    assert ids(counting="true") == every[1:]
    assert ids(counting="false") == every[:1]
    assert ids(differs="any") == ids(differs="worse") == [every[1]]
    assert ids(differs="better") == []
    assert ids(customer=str(other.pk)) == ids(reason="quality") == [every[2]]
    assert ids(member=str(cast.bo.pk)) == ids(band="yellow") == [every[0]]
    assert faults(ann.get("pulses", colour="red")) == {"?colour": "unknown_parameter"}
    assert faults(ann.get("pulses", differs="much")) == {"?differs": "invalid_choice"}


def test_takes_a_view_back(cast: Cast, ann: Caller, call_as, customer: Customer) -> None:
    view = ann.post("pulses", said()).json()["id"]
    bo = call_as(cast.bo)
    refused = bo.post(f"pulses/{view}/withdraw", {})
    assert refused.status_code == 403
    assert "Only who gave this view" in refused.json()["detail"]
    taken = ann.post(f"pulses/{view}/withdraw", {})
    assert (taken.status_code, taken["Outcome"], taken.json()["counts"]) == (200, "updated", False)
    assert ann.post(f"pulses/{view}/withdraw", {})["Outcome"] == "unchanged"
    with tenant_scope(cast.tenant):
        assert Pulse.objects.get().withdrawn_at is not None


def test_is_given_by_people_alone(api: Caller, customer: Customer) -> None:
    assert api.get("pulses").status_code == 200
    assert api.post("pulses", said()).status_code == 403


def test_asks_no_more_for_more_rows(cast: Cast, ann: Caller, customer: Customer, django_assert_max_num_queries) -> None:
    with tenant_scope(cast.tenant):
        for number in range(6):
            give_pulse(customer=cast.customer(f"More {number}"), member=cast.ann, band="red", reason="price")
    ann.get("pulses")
    with django_assert_max_num_queries(8):
        assert len(ann.get("pulses").json()["results"]) == 6
