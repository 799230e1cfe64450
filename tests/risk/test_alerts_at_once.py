"""It: the same alert opened, escalated, closed and told about at the same moment."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from followups.models import Notice
from followups.notices.services import notify
from risk.alerts import services
from risk.models import Alert, AlertEscalation, Case
from tenants.context import tenant_scope
from tests.conftest import Cast
from tests.followups.test_services_at_once import at_once
from tests.risk.test_alerts import MONDAY, fire

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("transactions"),
]


def test_it_opens_escalates_closes_and_tells_once(cast: Cast) -> None:
    customer = cast.customer()
    row: dict[str, Any] = {"customer_id": customer.pk, "level": "severe"}
    both = at_once(cast.tenant, lambda: fire(row), lambda: fire(row))
    assert sorted(each.opened for each in both) == [0, 1]
    again = row | {"period": "2026-11-01"}
    both = at_once(cast.tenant, lambda: fire(again), lambda: fire(again))
    assert sorted(each.repeated for each in both) == [0, 1]

    tuesday = MONDAY + dt.timedelta(days=1)
    both = at_once(cast.tenant, lambda: services.escalate_due(tuesday), lambda: services.escalate_due(tuesday))
    assert sorted(both) == [0, 1]
    with tenant_scope(cast.tenant):
        alert = Alert.objects.get()
        assert (alert.repeats, alert.escalations, AlertEscalation.objects.count()) == (1, 1, 1)
        assert Notice.objects.filter(kind="alert_escalated").count() == 1
        assert Notice.objects.filter(kind="alert_severe").count() == 1

    both = at_once(
        cast.tenant,
        lambda: services.close(alert=alert, outcome="lost", cause="price", member=cast.ann),
        lambda: services.close(alert=alert, outcome="saved", cause="quality", member=cast.bo),
    )
    assert sorted(isinstance(each, services.AlreadyClosed) for each in both) == [False, True]
    with tenant_scope(cast.tenant):
        assert Case.objects.count() == 1

    def tell() -> int:
        return notify(members=[cast.ann], kind="alert_assigned", key="same", params={}, url="")

    at_once(cast.tenant, tell, tell)
    with tenant_scope(cast.tenant):
        assert Notice.objects.filter(key="same").count() == 1
