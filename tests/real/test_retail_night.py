"""The real wholesaler's morning: what the night makes of two years of orders, to the last tenth of a penny."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal

import pytest
from django.db.models import Sum
from django.test import Client

from config.night import run_night
from followups.models import FollowUp
from health.models import HealthScore
from health.rules.policy import HealthPolicy
from segmentation.models import Standing
from tenants.context import tenant_scope
from tenants.policies import active_policy
from tenants.services import create_member

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("real")]
DAY = dt.date(2011, 12, 10)


def counts(tenant, run):
    with tenant_scope(tenant):
        return {step.name: step.counts for step in run.steps.all()}


def test_scores_and_segments_everybody_who_ever_ordered(retail_tenant):
    run = run_night(retail_tenant, DAY)
    assert counts(retail_tenant, run)["segmentation"]["scored"] == 5881
    with tenant_scope(retail_tenant):
        assert Standing.objects.aggregate(net=Sum("monetary"))["net"] == Decimal("7995460.464")
        segments = Counter(Standing.objects.exclude(segment="").values_list("segment", flat=True))
    assert segments == {
        "111": 1380, "110": 102, "101": 244, "100": 602, "011": 382, "010": 96, "001": 346, "000": 2729,
    }  # fmt: skip


def test_changes_no_row_the_second_time(retail_tenant):
    run_night(retail_tenant, DAY)
    again = counts(retail_tenant, run_night(retail_tenant, DAY))
    quiet = {name: n for step in again.values() for name, n in step.items() if name not in {"customers", "scored"}}
    assert set(quiet.values()) == {0}


def test_every_receipt_adds_up_to_its_score(retail_tenant):
    run_night(retail_tenant, DAY)
    with tenant_scope(retail_tenant):
        rules = active_policy().section(HealthPolicy)
        for row in HealthScore.objects.all():
            receipt = row.receipt(rules, DAY)
            assert (receipt.score, receipt.band, receipt.known) == (row.score, row.band, row.known)
            if row.score is not None:
                assert receipt.total + receipt.rounding == row.score


def test_gives_a_lead_a_queue_to_work_off(retail_tenant):
    run_night(retail_tenant, DAY)
    with tenant_scope(retail_tenant):
        lead = create_member(email="lead@retail.example", role="team_lead")
        assert FollowUp.objects.filter(rule="signal:order_silence").count() == 1945
    client = Client()
    client.force_login(lead.user)
    page = client.get("/retail/today/?view=all")
    assert page.status_code == 200
    assert page.content.decode().count('class="pn-item') >= 50
