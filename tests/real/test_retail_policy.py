"""The real wholesaler tries a policy out: all 5,881 who ever ordered, and then it comes so."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dashboards.dry_run import alternatives, dry_run, moved_customers
from segmentation import nightly
from segmentation.models import Standing
from tenants.context import tenant_scope
from tenants.policies import active_policy, complete_document, save_policy, switch_pack
from tenants.rules.documents import put
from tests.real.conftest import DAY

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("real")]


def test_a_dry_run_shows_everybody(retail_tenant, retail_night):
    with tenant_scope(retail_tenant):
        draft = put(complete_document(active_policy()), ("tiers", "silver_best"), 20)
        run = dry_run(draft)
        ways = alternatives(draft, run)
    assert run.as_of == DAY
    assert run.customers - run.row("").customers == 5881
    assert run.total.money == Decimal("7995460.464")
    assert run.falls == run.moved > 1000
    assert ways == []  # nobody has capacity: there is nothing to fit into


@pytest.mark.parametrize("pack", ["wholesale", "callback", "sales-team", "starter"])
def test_saving_then_does_what_was_shown(retail_tenant, pack):
    thresholds = {"strategic_money": 100_000, "strategic_years": 1, "key_money": 10_000, "silver_best": 20}
    with tenant_scope(retail_tenant):
        nightly.run(DAY)
        draft = switch_pack(complete_document(active_policy()), pack)
        for name, value in thresholds.items():
            draft = put(draft, ("tiers", name), value)
        run = dry_run(draft, as_of=DAY)
        cell = max((place for place in run.cells if place[0] != place[1]), key=lambda place: run.cells[place].customers)
        behind = moved_customers(draft, *cell, as_of=DAY)
        save_policy(draft, pack=pack)
        nightly.run(DAY)
        after = dict(Standing.objects.values_list("customer_id", "tier"))
    assert after == dict(run.outcome.select("customer_id", "tonight").iter_rows())
    assert len(behind) == run.cells[cell].customers
    if pack != "callback":  # a fall waits
        assert {after[customer] for customer in behind} == {cell[1]}
