"""It: the API of alerts and notices."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from risk.alerts import services
from risk.models import Alert
from tenants.context import tenant_scope
from tests.api.conftest import faults
from tests.conftest import Cast
from tests.risk.test_alerts import fired


@pytest.fixture
def alert(cast: Cast) -> Alert:
    """A severe one of Ann's, opened now."""
    customer = cast.customer()
    now = dt.datetime.now(dt.UTC)
    with tenant_scope(cast.tenant):
        row = {"customer_id": customer.pk, "level": "severe", "signal": "unanswered"}
        services.open_or_repeat(fired(row), as_of=now.date(), now=now, policy_version=1)
        return Alert.objects.get()


def test_it_lists_reads_and_works_on_alerts(cast: Cast, call_as: Any, alert: Alert) -> None:
    ann, bo, otto = call_as(cast.ann), call_as(cast.bo), call_as(cast.otto)
    [said] = ann.get("alerts?state=open&level=severe").json()["results"]
    assert (said["id"], said["level"], said["outcome"], said["repeats"]) == (str(alert.pk), "severe", "", 0)
    assert said["facts"] == {"days": 60}
    assert said["facts_words"]
    assert said["role"] == "account_manager"
    assert ann.get("alerts?state=closed").json()["results"] == []
    assert ann.get("alerts?colour=red").status_code == 400
    path = f"alerts/{alert.pk}"
    assert otto.get(path).status_code == 404

    late = (alert.due_at + dt.timedelta(minutes=1)).isoformat()
    assert ann.post(f"{path}/snooze", {"until": late, "reason": "Fair"}).status_code in (400, 409, 422)
    assert faults(ann.post(f"{path}/snooze", {"until": late})) == {"#/reason": "required"}
    first = ann.post(f"{path}/act", {})
    assert (first.status_code, first["Outcome"], first.json()["first_action_by"]) == (200, "updated", str(cast.ann.pk))
    assert bo.post(f"{path}/act", {})["Outcome"] == "unchanged"
    assert faults(ann.post(f"{path}/close", {"outcome": "lost"})) == {"#/cause": "required"}
    closed = ann.post(f"{path}/close", {"outcome": "lost", "cause": "price", "tried": ["discount"]}).json()
    assert (closed["outcome"], closed["cause"], closed["tried"], closed["closed_by"]) == (
        "lost", "price", ["discount"], str(cast.ann.pk),
    )  # fmt: skip
    again = ann.post(f"{path}/reopen", {}).json()
    assert (again["outcome"], again["closed_at"]) == ("", None)
    given = ann.post(f"{path}/assign", {"assignee": str(cast.bo.pk)}).json()
    assert given["assignee"] == str(cast.bo.pk)


def test_it_tells_each_caller_their_own_notices(cast: Cast, call_as: Any, alert: Alert) -> None:
    ann, bo = call_as(cast.ann), call_as(cast.bo)
    [told] = ann.get("notices?read=false").json()["results"]
    assert (told["kind"], told["path"], told["read_at"]) == ("alert_severe", f"alerts/{alert.pk}/", None)
    assert "Severe alert" in told["words"]
    assert bo.get("notices").json()["results"] == []
    assert bo.post(f"notices/{told['id']}/read", {}).status_code == 404
    assert ann.post(f"notices/{told['id']}/read", {}).json()["read_at"]
    assert ann.post(f"notices/{told['id']}/read", {})["Outcome"] == "unchanged"
    assert ann.get("notices?read=false").json()["results"] == []
