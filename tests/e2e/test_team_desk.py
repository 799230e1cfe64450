"""It: the desk of a team in a real browser: by drag, by keys, narrow and wide, without a finding of axe."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from customers.models import Customer
from followups.models import FollowUp
from health.counting import count_now
from health.models import HealthScore
from tenants.context import tenant_scope
from tests.e2e.conftest import NARROW, WIDE, serious


@pytest.fixture
def red(cast, shop):
    """A red customer of Ann's for whom nobody does anything."""
    with tenant_scope(cast.tenant):
        row = Customer.objects.get(name="Customer 3")
        Customer.objects.update(owner_b=None)
        HealthScore.objects.filter(customer=row).update(band="red", score=20)
        FollowUp.objects.all().delete()
        count_now()
    return row


def owner(cast, customer):
    with tenant_scope(cast.tenant):
        return Customer.objects.values_list("owner_a", flat=True).get(pk=customer.pk)


def test_a_red_customer_is_dragged_onto_a_person_and_brought_back(browse, cast, red):
    page = browse("/acme/team/", cast.lea)
    page.locator(f'[data-drag="{red.pk}"]').drag_to(page.locator(f'[data-drop="{cast.bo.pk}"]'))
    expect(page.get_by_text("1 customer given to Bo")).to_be_visible()
    assert owner(cast, red) == cast.bo.pk
    page.keyboard.press("u")
    expect(page.get_by_text("1 brought back")).to_be_visible()
    assert owner(cast, red) == cast.ann.pk


def test_an_action_is_assigned_by_keys_alone(browse, cast, red):
    page = browse("/acme/team/", cast.lea)
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.locator("#dialog")).to_be_visible()
    expect(page.get_by_label("Who")).to_be_focused()
    page.locator("#dialog").get_by_role("button", name="Assign").click()
    expect(page.get_by_text("Ann gets in touch with Customer 3.")).to_be_visible()
    expect(page.get_by_text("Somebody looks after every red customer")).to_be_visible()


def test_a_lead_views_as_a_colleague_and_stops(browse, cast, red):
    page = browse("/acme/team/", cast.lea)
    page.get_by_label("View as").select_option("Ann")
    expect(page.get_by_text("You are viewing as Ann")).to_be_visible()
    page.get_by_role("button", name="Stop viewing").click()
    expect(page.get_by_role("heading", name="South")).to_be_visible()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_can_be_used_by_everybody(browse, cast, red, size):
    for member, address in (
        (cast.lea, "/acme/team/"),
        (cast.lea, "/acme/team/customers/"),
        (cast.ada, "/acme/executive/"),
    ):
        page = browse(address, member, viewport=size)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") == size["width"], address
        assert serious(page) == [], address
