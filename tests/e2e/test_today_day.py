"""It: the account manager's day in a real browser: the next touch, the reason for a rank, closing the day, the calendar."""

from __future__ import annotations

import datetime as dt

import pytest
from playwright.sync_api import expect

from followups import bulk
from followups.models import Bulk, FollowUp
from tenants.context import tenant_scope
from tenants.models import User
from tests.e2e.conftest import NARROW, serious, tomorrow

TODAY = "/acme/today/"
LANGUAGES = pytest.mark.parametrize("language", ["en", "zh-hans"])


@pytest.fixture
def speaks(cast):
    def speak(language, member=None):
        User.objects.filter(pk=(member or cast.ann).user_id).update(language=language)

    return speak


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def preview(page):
    return page.locator("#preview-title")


@LANGUAGES
def test_logs_a_call_plans_the_next_and_has_the_next_customer_in_two_keystrokes_and_the_text(
    browse, cast, queue, speaks, statuses, language
):
    speaks(language)
    queue(2)
    page = browse(TODAY, member=cast.ann)
    press(page, "l")
    page.keyboard.insert_text("对方要样品, they want samples")
    press(page, "Control+Enter")
    expect(preview(page)).to_have_text("Customer 2")
    assert statuses() == ["done", "open"]
    later = cast.tenant.today() + dt.timedelta(days=9)
    page.locator("#next-on").fill(later.isoformat())
    page.locator("#promised").check()
    page.locator("#say").fill("Prices")
    press(page, "Control+Enter")
    expect(page.locator("#undo")).to_contain_text("Customer 2")
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.get(rule="promise").due_on == later


@LANGUAGES
def test_does_two_hundred_at_once_and_takes_them_back(browse, cast, queue, speaks, statuses, language):
    speaks(language)
    queue(200)
    page = browse(f"{TODAY}?show=200", member=cast.ann)
    press(page, "x")
    page.locator(".pn-item").last.locator("a").click()
    press(page, "Shift+X", "e")
    expect(page.locator("#undo")).to_contain_text("200")
    assert set(statuses()) == {"done"}
    press(page, "u")
    expect(page.locator(".pn-item")).to_have_count(200)
    assert set(statuses()) == {"open"}


def test_says_why_it_ranks_here_with_one_key_and_shows_what_came_in(browse, cast, queue):
    queue(2)
    page = browse(TODAY, member=cast.ann)
    expect(page.locator(".pn-since-news")).to_contain_text("nothing new")
    expect(page.locator("#why dl")).to_be_hidden()
    press(page, "r")
    expect(page.locator("#why dl")).to_be_visible()
    assert serious(page) == []


@LANGUAGES
def test_carries_over_with_one_key_and_closes_the_day_with_another(browse, cast, queue, speaks, language):
    speaks(language)
    queue(3)
    page = browse(TODAY, member=cast.ann)
    press(page, "g", "d")
    page.wait_for_url("**/today/close/")
    assert serious(page) == []
    with page.expect_navigation():
        press(page, "c")
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.filter(snooze_reason="carried").count() == 3
    with page.expect_navigation():
        press(page, "u")
    with tenant_scope(cast.tenant):
        assert not FollowUp.objects.filter(snooze_reason="carried").exists()
    with page.expect_navigation():
        press(page, "c")
    with page.expect_navigation():
        press(page, "d")
    page.wait_for_url("**/today/")
    expect(page.locator(".pn-item")).to_have_count(0)


def test_drops_a_follow_up_on_another_day_and_moves_it_back_by_key(browse, cast, queue):
    day = tomorrow(cast)
    (row,) = queue(1, rule="planned", facts={}, due_on=day)
    page = browse(f"{TODAY}calendar/?span=week&day={day}", member=cast.ann)
    # The week of tomorrow has a day beside it, whatever day it is today.
    others = [each.get_attribute("data-day") for each in page.locator("td[data-day]").all()]
    wanted = next(each for each in reversed(others) if each != str(day))
    with page.expect_navigation():
        page.locator("[data-move]").drag_to(page.locator(f'td[data-day="{wanted}"]'))
    with tenant_scope(cast.tenant):
        assert str(FollowUp.objects.get(pk=row.pk).due_on) == wanted
    expect(page.locator("#undo")).to_contain_text("Customer 1 moved to")
    with page.expect_navigation():
        press(page, "u")
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.get(pk=row.pk).due_on == day


def test_moves_by_the_button_in_a_dialog_that_says_what_is_wrong(browse, cast, queue):
    (row,) = queue(1)
    page = browse(f"{TODAY}calendar/", member=cast.ann)
    page.get_by_role("link", name="Move Customer 1 to another day").click()
    field = page.locator("#dialog input[name=to]")
    field.fill("2020-01-01")
    press(page, "Enter")
    expect(page.locator("#dialog")).to_contain_text("That day has passed.")
    assert serious(page) == []
    later = cast.tenant.today() + dt.timedelta(days=3)
    page.locator("#dialog input[name=to]").fill(later.isoformat())
    with page.expect_navigation():
        press(page, "Enter")
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.get(pk=row.pk).day == later


def test_shows_how_far_a_bulk_is_until_it_is_done(browse, cast, queue, monkeypatch):
    from dashboards.views import today_bulk

    monkeypatch.setattr(today_bulk, "MANY", 2)
    queue(5)
    page = browse(f"{TODAY}all/", member=cast.ann)
    assert serious(page) == []
    page.get_by_role("button", name="Mark 5 done").click()
    page.wait_for_url("**/bulks/*/")
    expect(page.locator("progress")).to_be_visible()
    with tenant_scope(cast.tenant):
        row = Bulk.objects.get()
    bulk.work(cast.tenant, row.pk)
    expect(page.locator("#run-title")).to_have_text("Done")
    assert serious(page) == []
    with page.expect_navigation():
        press(page, "u")
    bulk.work(cast.tenant, row.pk)
    expect(page.locator("#run-title")).to_have_text("Taken back")


@pytest.mark.parametrize(
    "path",
    ["", "since/", "since/orders/", "close/", "all/", "bulks/", "calendar/", "calendar/?span=week", "calendar/feed/"],
)
@LANGUAGES
def test_fits_a_phone_and_has_no_serious_barrier(browse, cast, queue, speaks, path, language):
    speaks(language)
    queue(3)
    page = browse(f"{TODAY}{path}", member=cast.ann, viewport=NARROW, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious(page) == []


def test_subscribes_to_the_calendar_by_an_address_shown_once(browse, cast, queue):
    queue(1)
    page = browse(f"{TODAY}calendar/feed/", member=cast.ann)
    page.get_by_role("button", name="Make an address").click()
    address = page.locator("#feed-address").text_content().strip()
    assert "/feeds/cal_" in address
    answer = page.request.get(address, headers={"Cookie": ""})
    assert answer.text().startswith("BEGIN:VCALENDAR")
