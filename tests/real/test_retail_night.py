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
from risk.models import Alert
from segmentation.figures import item_labels
from segmentation.models import CrossSellRule, CrossSellRun, LifetimeFit, SpecDrift, Standing, Worth
from segmentation.valuing import explain
from tenants.context import tenant_scope
from tenants.policies import active_policy
from tenants.services import create_member
from tests.real.conftest import DAY

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("real")]


def counts(tenant, run):
    with tenant_scope(tenant):
        return {step.name: step.counts for step in run.steps.all()}


def test_scores_and_segments_everybody_who_ever_ordered(retail_tenant, retail_night):
    assert counts(retail_tenant, retail_night)["segmentation"]["scored"] == 5881
    with tenant_scope(retail_tenant):
        assert Standing.objects.aggregate(net=Sum("monetary"))["net"] == Decimal("7995460.464")
        segments = Counter(Standing.objects.exclude(segment="").values_list("segment", flat=True))
    assert segments == {
        "111": 1380, "110": 102, "101": 244, "100": 602, "011": 382, "010": 96, "001": 346, "000": 2729,
    }  # fmt: skip


def test_calls_core_the_fewest_who_bring_four_fifths_and_knows_when_everybody_ordered_first(
    retail_tenant, retail_night
):
    with tenant_scope(retail_tenant):
        assert Counter(Standing.objects.values_list("by_sales_team", flat=True)) == {
            "core": 1170,
            "basic": 4711,
            "": 61,
        }
        money = list(Standing.objects.filter(monetary__gt=0).values_list("monetary", flat=True))
        core = list(Standing.objects.filter(by_sales_team="core").values_list("monetary", flat=True))
        assert sum(core) >= sum(money) * 80 / 100 > sum(core) - min(core)
        first = Standing.objects.filter(first_order_on__isnull=False)
        assert (first.count(), first.order_by("first_order_on")[0].first_order_on) == (5881, dt.date(2009, 12, 1))


def test_values_everybody_by_a_model_of_two_years(retail_tenant, retail_night):
    with tenant_scope(retail_tenant):
        fit = LifetimeFit.objects.get(as_of=DAY)
        assert (fit.customers, fit.repeaters, fit.converged) == (5881, 4189, True)
        assert (fit.r, fit.alpha, fit.a, fit.b) == pytest.approx((0.6627, 9.0263, 0.1087, 2.4184), rel=0.01)
        assert (fit.p, fit.q, fit.v) == pytest.approx((1.918, 3.765, 555.5), rel=0.01)
        # Whom credit notes leave nothing of their repeat orders has no value.
        assert fit.inputs["money"]["excluded"] == 32
        assert Worth.objects.filter(clv__isnull=False).count() == 5881 - 32
        for row in Worth.objects.select_related("fit").order_by("customer_id")[::25]:
            told = explain(row)
            assert (told.discounted.clv, told.simple.clv, told.scorecard.score) == (row.clv, row.clv_simple, row.score)


STANDING = {"customers", "scored", "forecast", "warned"}
"""Counts of how things are; the others are of what a night wrote."""


def test_changes_no_row_the_second_time(retail_tenant, retail_night):
    again = counts(retail_tenant, run_night(retail_tenant, DAY))
    quiet = {name: n for step in again.values() for name, n in step.items() if name not in STANDING}
    assert set(quiet.values()) == {0}


def test_every_receipt_adds_up_to_its_score(retail_tenant, retail_night):
    with tenant_scope(retail_tenant):
        rules = active_policy().section(HealthPolicy)
        for row in HealthScore.objects.all():
            receipt = row.receipt(rules, DAY)
            assert (receipt.score, receipt.band, receipt.known) == (row.score, row.band, row.known)
            if row.score is not None:
                assert receipt.total + receipt.rounding == row.score


def test_gives_a_lead_a_queue_to_work_off(retail_tenant, retail_night):
    with tenant_scope(retail_tenant):
        lead = create_member(email="lead@retail.example", role="team_lead")
        assert FollowUp.objects.filter(rule="signal:order_silence").count() == 1945
    client = Client()
    client.force_login(lead.user)
    page = client.get("/retail/today/?view=all")
    assert page.status_code == 200
    assert page.content.decode().count('class="pn-item') >= 50


def test_finds_cross_sell_rules_between_all_products(retail_tenant, retail_night):
    """The files have no categories: every product is an item of its own."""
    with tenant_scope(retail_tenant):
        search = CrossSellRun.objects.get()
        assert (search.customers, search.items, search.rules, search.reason) == (5832, 4589, 761, "")
        assert CrossSellRule.objects.count() == 761
        strongest = CrossSellRule.objects.order_by("-lift").first()
        names = item_labels([strongest.antecedent, strongest.consequent])
        assert [names[strongest.antecedent], names[strongest.consequent]] == [
            "PINK  POLKADOT CUP",
            "BLUE POLKADOT PLATE",
        ]
        assert SpecDrift.objects.count() == Alert.objects.filter(signal="spec_drift").count() == 55
