"""It: signing in, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

PASSWORD = "correct horse battery"


@pytest.fixture
def with_password(cast):
    cast.ann.user.set_password(PASSWORD)
    cast.ann.user.save(update_fields=["password"])


def sign_in(page, password=PASSWORD):
    page.locator("input[name=login]").fill("Ann@acme.example")
    page.locator("input[name=password]").fill(password)
    page.keyboard.press("Enter")


def test_says_that_the_password_is_wrong_and_lets_in_with_the_right_one(browse, with_password):
    page = browse("/")
    sign_in(page, "not the password")
    expect(page.locator("[aria-invalid=true], .errorlist, [role=alert]").first).to_be_visible()
    assert "/accounts/login/" in page.url
    sign_in(page)
    page.wait_for_url("**/acme/today/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Today")


def test_leads_back_to_the_page_that_was_asked_for(browse, with_password):
    page = browse("/acme/customers/?risk=any")
    assert "/accounts/login/" in page.url
    sign_in(page)
    page.wait_for_url("**/acme/customers/?risk=any")


def test_shows_a_stranger_the_same_as_a_firm_that_does_not_exist(browse, cast):
    page = browse("/acme/today/", member=cast.otto)
    there = page.locator("body").inner_text()
    page.goto("/nobody/today/")
    assert page.locator("body").inner_text() == there
    browse.errors.clear()  # the browser itself notes the two 404
