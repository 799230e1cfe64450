"""It: the policy in a browser: a field is changed, who moves is seen at once, and then the version is saved."""

import pytest
from playwright.sync_api import expect

from tenants.context import tenant_scope
from tenants.models import PolicyVersion, User
from tests.e2e.conftest import NARROW, serious

POLICY = "/acme/policy/"


@pytest.fixture
def policy(browse, cast, shop):
    page = browse(POLICY, member=cast.lea)
    expect(page.locator(".pn-matrix")).to_be_visible()
    return page


def change(page, name, text):
    field = page.locator(f'[name="{name}"]')
    field.fill(text)
    field.press("Tab")


def versions(cast):
    with tenant_scope(cast.tenant):
        return list(PolicyVersion.objects.order_by("number"))


def test_shows_who_moves_when_a_threshold_changes_and_saves_it(policy, cast):
    save = policy.get_by_role("button", name="Save as v2")
    expect(save).to_be_disabled()
    expect(policy.locator(".pn-matrix .up")).to_have_count(0)
    change(policy, "tiers.gold_money_best", "50")
    expect(policy.get_by_text("was 15% in v1")).to_be_visible()
    change(policy, "tiers.gold_recency_best", "50")
    expect(policy.locator(".pn-matrix .up").first).to_be_visible()
    moved = int(policy.locator(".pn-matrix .up a").first.inner_text())
    expect(policy.locator("#policy-head")).to_contain_text("draft of v2, 2 changes")
    expect(policy.get_by_role("button", name="Tiers 2 changed")).to_be_visible()
    expect(save).to_be_enabled()
    assert len(versions(cast)) == 1
    policy.locator(".pn-matrix .up a").first.click()
    policy.wait_for_url("**/policy/moves/**")
    expect(policy.locator(".row-link")).to_have_count(moved)
    policy.go_back()
    policy.get_by_label("Why this change").fill("More gold")
    policy.get_by_role("button", name="Save as v2").click()
    expect(policy.get_by_text("Saved as v2.")).to_be_visible()
    saved = versions(cast)[-1]
    assert (saved.number, saved.note, saved.document["tiers"]["gold_money_best"]) == (2, "More gold", 50)
    policy.get_by_role("link", name="Versions").click()
    expect(policy.get_by_text("More gold")).to_be_visible()


def test_puts_a_field_back(policy):
    change(policy, "tiers.grace_days", "5")
    policy.get_by_role("button", name="put back: A tier falls").click()
    expect(policy.locator('[name="tiers.grace_days"]')).to_have_value("30")
    expect(policy.locator('[name="tiers.grace_days"]')).to_be_focused()
    expect(policy.locator("#policy-head")).to_contain_text("nothing changed yet")


def test_says_at_the_field_what_does_not_fit_and_lets_one_type_on(policy):
    field = policy.locator('[name="tiers.grace_days"]')
    change(policy, "tiers.grace_days", "soon")
    expect(policy.locator("#dry-run")).to_contain_text("The dry run waits")
    expect(field).to_have_value("soon")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(policy.locator('[name="tiers.new_days"]')).to_be_focused()
    expect(policy.get_by_role("button", name="Save as v2")).to_be_disabled()
    assert serious(policy) == []
    change(policy, "tiers.grace_days", "20")
    expect(policy.locator(".pn-matrix")).to_be_visible()
    expect(field).not_to_have_attribute("aria-invalid", "true")


def test_takes_what_stands_in_the_fields_along_to_the_next_tab(policy):
    policy.locator('[name="tiers.grace_days"]').fill("7")
    policy.get_by_role("button", name="Cadence").click()
    touch = policy.get_by_label("Light touch").first
    touch.select_option(label="every month")
    expect(policy.get_by_text("was 3 times a month in v1")).to_be_visible()
    policy.get_by_label("Another touch").first.select_option(label="Report")
    expect(policy.get_by_label("Report").first).to_be_visible()
    policy.get_by_role("button", name="Tiers").click()
    expect(policy.locator('[name="tiers.grace_days"]')).to_have_value("7")
    expect(policy.locator("#policy-head")).to_contain_text("3 changes")


def test_works_without_scripts(browse, cast, shop):
    page = browse(POLICY, member=cast.lea, java_script_enabled=False)
    page.locator('[name="tiers.gold_money_best"]').fill("50")
    page.locator("#dry-run").get_by_role("button", name="Dry run").click()
    expect(page.locator(".pn-matrix")).to_be_visible()
    expect(page.get_by_text("was 15% in v1")).to_be_visible()
    page.get_by_label("Why this change").fill("By hand")
    page.get_by_role("button", name="Save as v2").click()
    expect(page.get_by_text("Saved as v2.")).to_be_visible()
    assert versions(cast)[-1].document["tiers"]["gold_money_best"] == 50


@pytest.mark.parametrize("section", ["tiers", "health", "cadence", "calendar", "care", "risk", "value", "cross_sell"])
def test_fits_a_phone_and_has_no_serious_barrier(browse, cast, shop, section):
    page = browse(f"{POLICY}?section={section}", member=cast.lea, viewport=NARROW, has_touch=True)
    expect(page.locator(".pn-matrix")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious(page) == []


@pytest.mark.parametrize("path", ["versions/", "versions/1/", "compare/?from=1&to=2", "moves/?who=all"])
def test_has_pages_without_a_serious_barrier(browse, cast, policy, path):
    change(policy, "tiers.gold_money_best", "50")
    expect(policy.get_by_text("was 15% in v1")).to_be_visible()
    policy.get_by_label("Why this change").fill("More gold")
    policy.get_by_role("button", name="Save as v2").click()
    expect(policy.get_by_text("Saved as v2.")).to_be_visible()
    policy.goto(f"{POLICY}{path}")
    assert serious(policy) == []
    policy.set_viewport_size(NARROW)
    assert policy.evaluate("document.documentElement.scrollWidth") <= 390


def test_speaks_chinese(browse, cast, shop):
    User.objects.filter(pk=cast.lea.user_id).update(language="zh-hans")
    page = browse(POLICY, member=cast.lea)
    expect(page.locator(".pn-matrix")).to_be_visible()
    change(page, "tiers.gold_money_best", "50")
    expect(page.locator("#f-tiers-gold_money_best-w .pn-was")).to_be_visible()
    assert page.locator("html").get_attribute("lang").startswith("zh")
    assert serious(page) == []
