"""Referrals, rewards and upgrades over the API."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from incentives.models import Reward
from tenants.context import tenant_scope
from tests.api.conftest import Caller, faults
from tests.conftest import Cast
from tests.incentives.ledger_story import night, order


@pytest.fixture
def said(cast: Cast) -> dict[str, Any]:
    return {
        "referrer": str(cast.customer().pk), "customer": str(cast.customer("New").pk), "on": "2026-01-03",
        "member": {"email": cast.ann.user.email},
    }  # fmt: skip


def test_it_upserts_referrals_and_says_what_came_of_them(
    api: Caller, call_as: Any, cast: Cast, said: dict[str, Any]
) -> None:
    made = api.put("referrals/by-external/crm/1", said)
    assert (made.status_code, made["Outcome"]) == (201, "created")
    assert api.put("referrals/by-external/crm/1", said)["Outcome"] == "unchanged"
    body = made.json()
    assert (body["origin"], body["member"]) == ("api", str(cast.ann.pk))
    assert faults(api.post("referrals", said | {"referrer": str(cast.customer("Other").pk)})) == {
        "#/customer": "claimed_already"
    }
    assert faults(api.post("referrals", said | {"customer": said["referrer"]})) == {"#/customer": "itself"}
    circle = {"referrer": said["customer"], "customer": said["referrer"], "on": "2026-01-04"}
    assert faults(api.post("referrals", circle)) == {"#/referrer": "circle"}
    with tenant_scope(cast.tenant):
        from customers.models import Customer

        order(Customer.objects.get(pk=said["customer"]), dt.date(2026, 2, 1), 1000)
        night(dt.date(2026, 3, 1))
        staff = Reward.objects.get(kind="staff")
    assert api.get("referrals", result="converted").json()["results"][0]["first_on"] == "2026-02-01"
    reward = call_as(cast.ann).get(f"rewards/{staff.pk}").json()
    assert (reward["pending"], reward["status"]) == ("50.00", "pending")
    assert "New" in reward["words"]
    assert call_as(cast.ann).post(f"rewards/{staff.pk}/approve").status_code == 403
    dispute = {"text": "Too little", "key": "1"}
    assert call_as(cast.ann).post(f"rewards/{staff.pk}/dispute", dispute).json()["is_disputed"] is True
    assert call_as(cast.eve).post(f"rewards/{staff.pk}/approve").status_code == 400
    withdrawn = api.post(f"referrals/{body['id']}/withdraw", {"why": "A trade fair"})
    assert withdrawn.json()["result"] == "withdrawn"
    assert api.patch(f"referrals/{body['id']}", {"note": "x"}).status_code == 400


def test_it_records_upgrades(api: Caller, cast: Cast, said: dict[str, Any]) -> None:
    upgrade = {"customer": said["customer"], "on": "2026-10-01", "what": "Storage"}
    assert faults(api.post("upgrades", upgrade)) == {"#/on": "no_baseline"}
    with tenant_scope(cast.tenant):
        from customers.models import Customer

        order(Customer.objects.get(pk=said["customer"]), dt.date(2026, 2, 1), 1000)
    made = api.post("upgrades", upgrade)
    assert made.status_code == 201, made.content
    assert faults(api.post("upgrades", upgrade)) == {"#/on": "overlaps"}
    done = api.post(f"upgrades/{made.json()['id']}/withdraw", {"why": "Never went live"})
    assert done.json()["withdrawn_why"] == "Never went live"
