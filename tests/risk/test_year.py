"""It: a stretch of the demo firm's days, with people at work between the nights; bench/risk_year.py lives a whole year."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.cache import cache

from bench.risk_year import WrongError, live, made
from risk.models import Alert, AlertEscalation
from tenants.context import tenant_scope
from tests.config.smaller_demo import smaller_demo

pytestmark = pytest.mark.django_db

TODAY = dt.date(2026, 11, 20)
DAYS = 12


def test_lives_without_an_alert_twice_a_severe_one_hidden_or_a_clock_missed() -> None:
    with smaller_demo():
        tenant, member = made("hengtai", TODAY)
    cache.clear()
    seen = live(tenant, TODAY - dt.timedelta(days=DAYS - 1), DAYS, member)
    assert seen.nights == DAYS
    assert seen.escalations > 10, "clocks have run out"
    assert seen.severe > 0, "there were severe ones to see"
    assert seen.put_off > 0
    assert seen.refused > 0, "some severe ones were to be put off beyond their clock, or closed by somebody else"
    assert len(seen.by_signal) >= 5
    with tenant_scope(tenant):
        # The watcher sees what is wrong: a clock that is put back, an alert that is put off past its clock.
        step = AlertEscalation.objects.order_by("pk").first()
        AlertEscalation.objects.filter(pk=step.pk).update(at=step.at + dt.timedelta(minutes=2))
        with pytest.raises(WrongError, match="Step 1"):
            seen.look_back()
        late = Alert.objects.filter(closed_on__isnull=True).order_by("pk").first()
        now = late.opened_at + dt.timedelta(days=90)
        Alert.objects.filter(pk=late.pk).update(escalates_at=now - dt.timedelta(hours=1))
        with pytest.raises(WrongError, match="run out unseen"):
            seen.look(now)
