"""It: health in a browser: what moved a score, a day again, a person's view, the forecast and its record."""

from __future__ import annotations

import datetime as dt

import pytest
from playwright.sync_api import expect

from config.night import run_night
from customers.activity import refresh_activity
from customers.models import Order, month_of
from tenants.context import tenant_scope
from tests.e2e.conftest import NARROW, WIDE, serious
from tests.pages.test_back_test import made

FORECAST, BACK_TEST = "/acme/health/forecast/", "/acme/health/back-test/"


@pytest.fixture
def quiet(cast):
    """A customer of Ann's who ordered every 20 days and has been silent for 61; nights two weeks ago and today."""
    today, customer = cast.tenant.today(), cast.customer("Quiet & Sons")
    with tenant_scope(cast.tenant):
        days = [today - dt.timedelta(days=ago) for ago in range(61, 500, 20)]
        for day in days:
            Order.objects.create(
                customer=customer, external_id=f"SO-{day}", currency="GBP", digest="", placed_on=day,
                placed_at=cast.tenant.start_of(day) + dt.timedelta(hours=9), net=500,
            )  # fmt: skip
        refresh_activity({(customer.pk, month_of(day)) for day in days})
    run_night(cast.tenant, today - dt.timedelta(days=14))
    run_night(cast.tenant, today)
    return customer


def test_compares_with_last_month_in_place(browse, cast, quiet):
    page = browse(f"/acme/customers/{quiet.pk}/", member=cast.ann)
    moved = page.locator("#moved")
    expect(moved.get_by_role("link", name="Last week")).to_have_attribute("aria-current", "true")
    before = moved.inner_text()
    moved.get_by_role("link", name="Last month").focus()
    page.keyboard.press("Enter")
    expect(moved.get_by_role("link", name="Last month")).to_have_attribute("aria-current", "true")
    assert moved.inner_text() != before


def test_takes_a_persons_view_beside_the_score(browse, cast, quiet):
    page = browse(f"/acme/customers/{quiet.pk}/", member=cast.ann)
    page.get_by_role("link", name="Give your view").click()
    dialog = page.locator("#dialog")
    dialog.locator("[name=band]").select_option("green")
    dialog.locator("[name=reason]").select_option("season")
    dialog.locator("[name=note]").fill("The site rests until spring")
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("#pulse")).to_contain_text("“The site rests until spring”")
    expect(page.locator("#pulse")).to_contain_text("Beside the score, never mixed in.")


def test_replays_another_day(browse, cast, quiet):
    page = browse(f"/acme/customers/{quiet.pk}/", member=cast.ann)
    page.get_by_role("link", name="Replay another day").click()
    expect(page.locator("h1")).to_have_text("Health of a day")
    on = cast.tenant.today() - dt.timedelta(days=14)
    page.locator("#on").fill(on.isoformat())
    page.get_by_role("button", name="Replay").click()
    page.wait_for_url(f"**on={on}")
    expect(page.locator(".pn-receipt")).to_contain_text("47 ÷ 20 d")
    expect(page.get_by_text("The receipt agrees with it.")).to_be_visible()


def test_draws_the_record_and_starts_a_new_one_in_a_dialog(browse, cast, quiet):
    made(cast)
    page = browse(BACK_TEST, member=cast.lea)
    for chart in ("calibration", "gain"):
        expect(page.locator(f"[data-chart={chart}-data] canvas")).to_be_visible()
    page.get_by_role("link", name="Start a back-test").click()
    dialog = page.locator("#dialog")
    dialog.locator("[name=first]").fill("2026-08")
    dialog.locator("[name=last]").fill("2026-05")
    dialog.locator("[name=horizon_days]").fill("90")
    dialog.get_by_role("button", name="Start").click()
    expect(dialog).to_contain_text("The last month lies before the first.")
    expect(dialog.locator("[name=first]")).to_have_value("2026-08")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_narrows_the_forecast_in_place(browse, cast, quiet):
    page = browse(FORECAST, member=cast.ann)
    expect(page.locator("#list")).to_contain_text("1 customer")
    page.locator("select[name=warned]").select_option("no")
    page.wait_for_url("**warned=no**")
    expect(page.locator("#list")).to_contain_text("Nothing matches these filters")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_can_be_used_by_everybody(browse, cast, quiet, size):
    made(cast)
    page = browse(FORECAST, member=cast.lea, viewport=size)
    for address in (FORECAST, BACK_TEST, f"/acme/customers/{quiet.pk}/", f"/acme/customers/{quiet.pk}/health/"):
        page.goto(address)
        assert serious(page) == [], address
        assert page.evaluate("document.documentElement.scrollWidth") == size["width"], address
