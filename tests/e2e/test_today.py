"""It: Today by the keyboard, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from customers.models import Interaction
from followups.models import FollowUp
from followups.services import complete
from tenants.context import tenant_scope
from tenants.models import User
from tests.e2e.conftest import NARROW, serious, tomorrow

TODAY = "/acme/today/"


@pytest.fixture
def today(browse, cast, queue):
    """Ann's Today with three follow-ups."""
    queue(3)
    return browse(TODAY, member=cast.ann)


def current(page):
    return page.locator(".pn-item.is-current .pn-item-name")


def preview(page):
    return page.locator("#preview-title")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def test_moves_with_j_and_k_and_shows_whom_it_moves_to(today):
    expect(current(today)).to_have_text("Customer 1")
    expect(preview(today)).to_have_text("Customer 1")
    press(today, "j", "j")
    expect(current(today)).to_have_text("Customer 3")
    expect(preview(today)).to_have_text("Customer 3")
    press(today, "j", "k")
    expect(preview(today)).to_have_text("Customer 2")
    press(today, "ArrowUp")
    expect(preview(today)).to_have_text("Customer 1")
    assert "at=" in today.url
    today.reload()
    expect(current(today)).to_have_text("Customer 1")


def test_logs_a_call_and_has_the_next_customer_on_screen_in_two_keystrokes_and_the_text(today, cast, statuses):
    press(today, "l")
    today.keyboard.type("They want samples, j k e s x.")
    press(today, "Control+Enter")
    expect(preview(today)).to_have_text("Customer 2")
    expect(current(today)).to_have_text("Customer 2")
    expect(today.locator("#undo")).to_contain_text("Customer 1 logged")
    expect(today.locator("#live")).to_contain_text("2 follow-ups")
    assert statuses() == ["done", "open", "open"]
    with tenant_scope(cast.tenant):
        assert Interaction.objects.get().note == "They want samples, j k e s x."
    press(today, "l")
    today.keyboard.type("next one")
    press(today, "Control+Enter")
    expect(preview(today)).to_have_text("Customer 3")


def test_marks_done_and_brings_back(today, statuses):
    press(today, "j", "e")
    expect(today.locator("#undo")).to_contain_text("1 done, next touch planned")
    expect(today.locator(".pn-item")).to_have_count(2)
    expect(preview(today)).to_have_text("Customer 3")
    assert statuses() == ["open", "done", "open"]
    press(today, "u")
    expect(today.locator(".pn-item")).to_have_count(3)
    expect(preview(today)).to_have_text("Customer 2")
    expect(today.locator(".pn-item.is-current a")).to_be_focused()
    assert statuses() == ["open", "open", "open"]


def test_works_off_the_queue_as_fast_as_somebody_types(today, statuses):
    press(today, "e", "e", "e")
    expect(today.get_by_role("heading", name="Nothing due")).to_be_visible()
    assert statuses() == ["done", "done", "done"]


def test_snoozes_with_two_keystrokes(today, cast):
    press(today, "s")
    expect(today.locator("#dialog-title")).to_have_text("Snooze Customer 1")
    expect(today.locator("#id_reason")).to_be_focused()
    expect(today.locator(".pn-other")).to_be_hidden()
    press(today, "Enter")
    expect(today.locator("#undo")).to_contain_text("1 snoozed to")
    expect(today.locator("#dialog")).to_be_hidden()
    expect(preview(today)).to_have_text("Customer 2")
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.get(snooze_reason="closed").snoozed_until >= tomorrow(cast)


def test_says_in_the_dialog_why_it_cannot_wait_and_keeps_what_was_typed(today):
    press(today, "s")
    today.locator("#id_reason").select_option("other")
    today.locator("#id_words").fill("Stocktaking")
    today.locator("#id_until").evaluate("field => { field.removeAttribute('min'); field.value = '2020-01-01'; }")
    press(today, "Enter")
    expect(today.locator("#dialog")).to_contain_text("Snooze to a day after today.")
    expect(today.locator("#id_words")).to_have_value("Stocktaking")


def test_assigns_what_is_selected(today, cast):
    press(today, "x", "j", "j", "Shift+X", "a")
    expect(today.locator("#dialog-title")).to_have_text("Assign 3")
    today.locator("#id_assignee").select_option("Bo")
    press(today, "Enter")
    expect(today.locator("#undo")).to_contain_text("3 given to Bo")
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.filter(assignee=cast.bo).count() == 3


def test_selects_with_x_and_clears_with_escape(today):
    press(today, "x")
    expect(today.locator("#bulk-bar strong")).to_have_text("1 selected")
    press(today, "j", "x")
    expect(today.locator("#bulk-bar strong")).to_have_text("2 selected")
    expect(today.locator("#hints")).to_be_hidden()
    press(today, "Escape")
    expect(today.locator("#bulk-bar")).to_be_hidden()
    expect(today.locator("#hints")).to_be_visible()


def test_does_two_hundred_at_once_and_takes_them_back(browse, cast, queue, statuses):
    queue(200)
    page = browse(f"{TODAY}?show=200", member=cast.ann)
    press(page, "x")
    page.locator(".pn-item").last.locator("a").click()
    press(page, "Shift+X", "e")
    expect(page.locator("#undo")).to_contain_text("200 done")
    assert set(statuses()) == {"done"}
    press(page, "u")
    expect(page.locator("#undo")).to_contain_text("200 brought back")
    expect(page.locator(".pn-item")).to_have_count(200)
    assert set(statuses()) == {"open"}


def test_lists_the_keys_and_lets_letters_rest(today, statuses, cast):
    press(today, "?")
    keys = today.locator("#keys")
    expect(keys).to_be_visible()
    press(today, "e")
    with today.expect_response("**/keys/"):
        keys.get_by_role("switch").uncheck()
    press(today, "Escape")
    expect(keys).to_be_hidden()
    today.locator(".pn-item.is-current a").focus()
    press(today, "e", "j", "?")
    expect(current(today)).to_have_text("Customer 1")
    press(today, "ArrowDown")
    expect(preview(today)).to_have_text("Customer 2")
    assert statuses() == ["open"] * 3
    assert not User.objects.get(pk=cast.ann.user_id).letter_keys


def test_finds_a_customer_and_goes_there(today):
    press(today, "Control+k")
    expect(today.locator("#palette-text")).to_be_focused()
    today.keyboard.type("cust 2")
    expect(today.locator("#palette-list [aria-selected=true]")).to_contain_text("Customer 2")
    press(today, "Enter")
    today.wait_for_url("**/customers/*/")
    press(today, "g", "t")
    today.wait_for_url("**/today/")


def test_opens_the_customer_with_o_and_searches_the_list_with_a_slash(today):
    press(today, "/")
    today.keyboard.type("customer 3")
    expect(today.locator(".pn-item")).to_have_count(1)
    expect(today.locator("#look")).to_be_focused()
    press(today, "Escape")
    today.locator(".pn-item.is-current a").focus()
    press(today, "o")
    today.wait_for_url("**/customers/*/")
    expect(today.get_by_role("heading", level=1)).to_contain_text("Customer 3")


COMPOSE = """([key, how]) => document.activeElement.dispatchEvent(new KeyboardEvent(
    'keydown', {key, bubbles: true, cancelable: true, ctrlKey: key === 'Enter', ...how}))"""


@pytest.mark.parametrize("how", [{"isComposing": True}, {"keyCode": 229}])
def test_does_nothing_while_an_input_method_composes(today, statuses, how):
    today.locator(".pn-item.is-current a").focus()
    for key in ("e", "s", "x", "j", "?", "Enter"):
        today.evaluate(COMPOSE, [key, how])
    today.locator("#say").focus()
    today.evaluate(COMPOSE, ["Enter", how])
    today.wait_for_timeout(200)
    expect(current(today)).to_have_text("Customer 1")
    expect(today.locator("#bulk-bar")).to_be_hidden()
    assert today.locator("dialog[open]").count() == 0
    assert statuses() == ["open"] * 3


def test_keeps_what_was_typed_when_somebody_was_faster(today, cast):
    with tenant_scope(cast.tenant):
        complete(follow_up=FollowUp.objects.order_by("pk")[0], member=cast.bo)
    press(today, "l")
    today.keyboard.type("My own words")
    press(today, "Control+Enter")
    expect(today.get_by_role("alert")).to_contain_text("Bo logged a contact with Customer 1")
    expect(today.locator("#say")).to_have_value("My own words")
    today.get_by_role("button", name="Log mine too").click()
    expect(preview(today)).to_have_text("Customer 2")
    with tenant_scope(cast.tenant):
        assert Interaction.objects.filter(note="My own words", member=cast.ann).count() == 1


def test_keeps_what_was_typed_when_the_server_is_away_and_when_one_looks_elsewhere(browse, today, statuses):
    press(today, "l")
    today.keyboard.type("Half a thought")
    press(today, "Escape", "j")
    expect(preview(today)).to_have_text("Customer 2")
    press(today, "k")
    expect(today.locator("#say")).to_have_value("Half a thought")
    today.route("**/log/**", lambda route: route.abort())
    press(today, "l", "Control+Enter")
    expect(today.get_by_role("alert")).to_contain_text("That did not get through")
    expect(today.locator("#say")).to_have_value("Half a thought")
    assert statuses() == ["open"] * 3
    today.unroute("**/log/**")
    press(today, "Control+Enter")
    expect(preview(today)).to_have_text("Customer 2")
    browse.errors.clear()  # the browser itself notes the request that was cut off


def test_speaks_chinese(browse, cast, queue, statuses):
    User.objects.filter(pk=cast.ann.user_id).update(language="zh-hans")
    queue(2)
    page = browse(TODAY, member=cast.ann)
    assert page.locator("html").get_attribute("lang").startswith("zh")
    press(page, "l")
    page.keyboard.insert_text("对方要样品")
    press(page, "Control+Enter")
    expect(preview(page)).to_have_text("Customer 2")
    assert statuses() == ["done", "open"]
    assert serious(page) == []


def test_fits_a_phone_where_the_preview_is_a_page_of_its_own(browse, cast, queue, statuses):
    queue(2)
    page = browse(TODAY, member=cast.ann, viewport=NARROW, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious(page) == []
    page.get_by_role("link", name="Customer 1").tap()
    page.wait_for_url("**/today/*/*")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious(page) == []
    page.locator("#say").fill("From the road")
    page.get_by_role("button", name="Log & next").tap()
    expect(preview(page)).to_have_text("Customer 2")
    expect(page.locator("#undo")).to_contain_text("Customer 1 logged")
    page.get_by_role("button", name="Undo").tap()
    expect(page.locator("#undo")).to_contain_text("1 brought back")
    assert statuses() == ["open", "open"]
    page.get_by_role("link", name="Customer 1").tap()
    page.locator(".pn-one").get_by_role("button", name="Done").tap()
    page.get_by_role("link", name="Customer 2").tap()
    page.get_by_role("button", name="Snooze").tap()
    page.get_by_role("button", name="Tomorrow").or_(page.get_by_role("button", name="Monday")).first.tap()
    expect(page.get_by_role("heading", name="Nothing due")).to_be_visible()
    assert statuses() == ["done", "open"]


def test_has_no_serious_barrier(today):
    assert serious(today) == []
    press(today, "x", "s")
    expect(today.locator("#dialog-title")).to_be_visible()
    assert serious(today) == []
    press(today, "Escape")
    expect(today.locator("#dialog")).to_be_hidden()
    press(today, "?")
    expect(today.locator("#keys")).to_be_visible()
    assert serious(today) == []


def test_shows_who_looks_on_a_queue_without_verbs(browse, cast, queue, statuses):
    queue(2)
    page = browse(TODAY, member=cast.eve)
    press(page, "j", "e", "s", "x", "u", "l")
    expect(preview(page)).to_have_text("Customer 2")
    assert page.locator("dialog[open]").count() == 0
    assert statuses() == ["open", "open"]
