"""It: a playbook begun by the keyboard for what is ticked on Today, taken back, and its pages, in a real browser."""

import pytest
from playwright.sync_api import expect

from risk.models import Playbook, PlaybookRun
from risk.playbooks import services as playbooks
from tenants.context import tenant_scope
from tests.e2e.conftest import NARROW, WIDE, serious


@pytest.fixture
def shipped(cast):
    with tenant_scope(cast.tenant):
        playbooks.ensure_playbooks()


def active(cast):
    with tenant_scope(cast.tenant):
        return PlaybookRun.objects.filter(status="active").count()


def test_begins_one_with_p_for_all_that_is_ticked_and_takes_it_back(browse, cast, queue, shipped):
    queue(3)
    page = browse("/acme/today/", member=cast.ann)
    for key in ("x", "j", "x", "p"):
        page.keyboard.press(key)
    expect(page.locator("#dialog-title")).to_have_text("Begin a playbook for 2")
    page.locator("#dialog-body select").select_option(label="Two months silent")
    page.locator("#dialog-body button[type=submit]").click()
    expect(page.locator("#undo")).to_contain_text("“Two months silent” begun for 2")
    assert active(cast) == 2
    page.keyboard.press("u")
    expect(page.locator("#undo")).to_contain_text("2 playbooks taken back")
    assert active(cast) == 0


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_shows_a_run_with_nothing_that_hinders_anybody(browse, cast, shipped, size):
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        book = Playbook.objects.get(code="diagnosis")
        run = playbooks.start(playbook=book, customer=customer, member=cast.ann)
    page = browse(f"/acme/customers/{customer.pk}/", member=cast.ann, viewport=size)
    expect(page.locator("#playbooks")).to_contain_text("Put the facts together")
    for path in (f"/acme/playbooks/runs/{run.pk}/", f"/acme/playbooks/{book.pk}/", "/acme/playbooks/"):
        page.goto(path)
        expect(page.locator("h1")).to_be_visible()
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
