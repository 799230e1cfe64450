"""It: the segment explorer in a browser: a cell opens its customers, and their filters become a saved segment."""

import pytest
from playwright.sync_api import expect

from segmentation.models import SavedSegment
from tenants.context import tenant_scope
from tests.e2e.conftest import NARROW, WIDE, serious

GRID = "/acme/segments/"

pytestmark = pytest.mark.usefixtures("shop")


def test_leads_by_keyboard_from_a_cell_to_a_saved_segment(browse, cast):
    page = browse(GRID, member=cast.ann)
    page.locator(".pn-grid a").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#list")).to_contain_text("customer")
    assert "r=5&f=" in page.url

    page.locator(".pn-filters-more summary").press("Enter")
    page.locator("select[name=stage]").select_option("new")
    page.wait_for_url("**stage=new**")
    page.get_by_role("link", name="Save as segment").focus()
    page.keyboard.press("Enter")
    name = page.locator("#dialog [name=name]")
    expect(name).to_be_focused()
    name.fill("New and lively")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="New and lively", exact=True)).to_be_visible()
    with tenant_scope(cast.tenant):
        kept = SavedSegment.objects.get()
    assert kept.filters.keys() == {"r", "f", "stage"}


def test_asks_before_a_saved_segment_goes(browse, cast):
    with tenant_scope(cast.tenant):
        SavedSegment.objects.create(name="Old", filters={"tier": ["gold"]}, member=cast.ann)
    page = browse(f"{GRID}saved/", member=cast.ann)
    page.get_by_role("link", name="Delete Old").click()
    expect(page.locator("#dialog")).to_contain_text("Delete “Old”?")
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()
    page.get_by_role("link", name="Delete Old").click()
    page.locator("#dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".pn-message")).to_contain_text("is deleted")


def test_draws_the_sales_figures(browse, cast):
    page = browse(f"{GRID}figures/", member=cast.eve)
    expect(page.locator("[data-chart=repurchase-data] canvas")).to_be_visible()
    expect(page.locator("[data-chart=pareto-data] canvas")).to_be_visible()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_can_be_used_by_everybody(browse, cast, size):
    with tenant_scope(cast.tenant):
        SavedSegment.objects.create(name="Old", filters={"tier": ["gold"]}, member=cast.lea)
    page = browse(GRID, member=cast.lea, viewport=size)
    for address in ("", "saved/", "migration/", "figures/", "cross-sell/"):
        page.goto(f"{GRID}{address}")
        assert serious(page) == [], address
        assert page.evaluate("document.documentElement.scrollWidth") == size["width"], address
