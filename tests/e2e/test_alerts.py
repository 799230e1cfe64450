"""Alerts and notices in a real browser: they fit, have no serious finding of axe, and are worked through by keys."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from playwright.sync_api import expect

from risk.alerts import services
from risk.models import Alert
from tenants.context import tenant_scope
from tests.e2e.conftest import NARROW, WIDE, serious
from tests.e2e.test_surveys import wide_pages
from tests.risk.test_alerts import fired


@pytest.fixture
def alerts(cast: Any) -> list[Alert]:
    """Three of Ann's: one late, one severe, one closed as lost."""
    names = ("Huaxin Building Materials", "Ivory Hotel", "Jute & Sons")
    rows = [cast.customer(name) for name in names]
    now = dt.datetime.now(dt.UTC)
    silent = json.dumps({"since": "2026-09-01", "days": 76, "threshold": 60})
    mute = {"signal": "unanswered", "risk_class": "relationship", "level": "severe",
            "facts": json.dumps({"contacts": 3, "last": "2026-11-18"})}  # fmt: skip
    with tenant_scope(cast.tenant):
        for row, said, days in ((rows[0], {"facts": silent}, 9), (rows[1], mute, 0), (rows[2], {"facts": silent}, 20)):
            at = now - dt.timedelta(days=days)
            frame = fired({"customer_id": row.pk} | said)
            services.open_or_repeat(frame, as_of=at.date(), now=at, policy_version=1)
        lost = Alert.objects.get(customer=rows[2])
        services.close(alert=lost, outcome="lost", cause="price", tried=["discount"], member=cast.ann)
        return list(Alert.objects.order_by("pk"))


@pytest.mark.parametrize("viewport", [WIDE, NARROW])
def test_the_pages_fit_and_have_no_serious_finding(cast, browse, alerts, viewport):
    for path in ("alerts/", f"alerts/{alerts[0].pk}/", "risk/", "notices/", "notices/wishes/"):
        page = browse(f"/acme/{path}", cast.ann, viewport=viewport)
        assert not wide_pages(page), path
        assert serious(page) == [], path


def test_the_keys_go_through_the_board(cast, browse, alerts):
    page = browse("/acme/alerts/", cast.ann, viewport=WIDE)
    rows = page.locator("#list tbody tr")
    expect(rows).to_have_count(2)
    page.keyboard.press("j")
    expect(rows.nth(0)).to_have_attribute("aria-current", "true")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(rows.nth(1).get_by_role("checkbox")).to_be_checked()
    page.keyboard.press("m")
    expect(page.get_by_text("1 alert in hand")).to_be_visible()
    page.keyboard.press("u")
    expect(page.get_by_text("Taken back")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("o")
    expect(page.get_by_role("heading", name="Huaxin Building Materials")).to_be_visible()
    page.keyboard.press("e")
    expect(page.get_by_role("dialog")).to_contain_text("Close the alert")
