"""It: the alerts of the demo's past have answers, and clocks that ran out."""

from __future__ import annotations

import datetime as dt

from config.demo.alarms import answer_alerts
from config.demo.oakfield import OAKFIELD
from followups.models import NoticeDelivery
from risk.models import Alert
from tenants.context import tenant_scope
from tests.conftest import Cast
from tests.risk.test_alerts import fire


def test_it_answers_what_was_closed_and_lets_the_others_go_up_the_line(cast: Cast) -> None:
    with tenant_scope(cast.tenant):
        today = cast.tenant.today()
        then = cast.tenant.start_of(today - dt.timedelta(days=10)) + dt.timedelta(hours=2)
        closed, late = (cast.customer(name) for name in ("Closed", "Late"))
        for customer in (closed, late):
            fire({"customer_id": customer.pk, "level": "moderate"}, now=then)
        fresh = cast.customer("Fresh")
        fire({"customer_id": fresh.pk}, now=dt.datetime.now(dt.UTC))
        Alert.objects.filter(customer=closed).update(
            closed_on=today - dt.timedelta(days=3), closed_by=cast.ann, outcome="lost", cause="price"
        )
        answer_alerts(OAKFIELD, today)
        was, open_one, put_off = (Alert.objects.get(customer=each) for each in (closed, late, fresh))
        assert was.first_action_at is not None
        assert was.closed_at is not None
        assert open_one.escalations == 2
        assert put_off.snoozed_until is not None
        assert not NoticeDelivery.objects.filter(status="queued").exists()
