"""The pages of referrals and rewards at both widths: nothing scrolls sideways, and axe finds nothing serious."""

from __future__ import annotations

import datetime as dt

import pytest

from incentives.ledger.services import approve, open_dispute
from incentives.models import Reward
from tenants.context import tenant_scope
from tests.e2e.conftest import NARROW, WIDE, serious
from tests.incentives.ledger_story import night, order, referred


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_it_reads_well_at_every_width(cast, browse, viewport):
    today = cast.tenant.today()
    with tenant_scope(cast.tenant):
        row = referred(cast, today - dt.timedelta(days=90))
        order(row.customer, today - dt.timedelta(days=60), 12_345)
        order(row.customer, today - dt.timedelta(days=20), -345)
        night(today)
        ids = list(Reward.objects.values_list("pk", flat=True))
        staff = Reward.objects.filter(kind="staff").order_by("pk").first()
        approve(rewards=ids, member=cast.eve)
        open_dispute(reward=staff, member=cast.ann, text="The second delivery is missing here.", key="a")
    page = browse("/acme/referrals/", cast.ada, viewport=viewport)
    for path in (
        "/acme/referrals/", "/acme/rewards/", "/acme/rewards/approve/", "/acme/rewards/payouts/",
        f"/acme/rewards/statement/{cast.ann.pk}/", f"/acme/rewards/{staff.pk}/", "/acme/rewards/upgrades/",
        f"/acme/customers/{row.referrer_id}/points/",
    ):  # fmt: skip
        page.goto(page.url.split("/acme/")[0] + path)
        assert serious(page) == [], path
        assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"), path
