"""It: puts what to say into the text by one key, and writes scripts and journeys, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from followups.journeys import services as journeys
from followups.models import Script, ScriptUse
from tenants.context import tenant_scope
from tenants.models import User
from tests.e2e.conftest import NARROW, serious


@pytest.fixture
def library(cast):
    with tenant_scope(cast.tenant):
        journeys.ensure_journeys()


def test_puts_the_script_into_the_text_by_m_and_counts_its_use(browse, cast, queue, library):
    queue(2)
    page = browse("/acme/today/", member=cast.ann)
    page.keyboard.press("m")
    say = page.locator("#say")
    expect(say).to_be_focused()
    expect(say).to_have_value(re.compile("Acme Trading"))
    assert not say.input_value().startswith("m")
    page.keyboard.type("\n\nThey want samples.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#preview-title")).to_have_text("Customer 2")
    with tenant_scope(cast.tenant):
        use = ScriptUse.objects.get()
        assert use.interaction.note.endswith("They want samples.")
        assert use.variant.script.scene == "regular"


def test_keeps_what_is_typed_when_another_script_is_chosen(browse, cast, queue, library):
    queue(1)
    page = browse("/acme/today/", member=cast.ann)
    say = page.locator("#say")
    say.fill("My own words.")
    page.locator("#script-choice").select_option(label="Whom could we help as well")
    expect(page.locator("#script-for .pn-script-text")).to_contain_text("introduction")
    page.locator("[data-use-script]").click()
    assert say.input_value().endswith("My own words.")
    assert "introduction" in say.input_value()


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("path", ["scripts/", "journeys/", "journeys/add/", "journeys/people/"])
def test_has_no_serious_fault_for_who_cannot_see(browse, cast, library, path, language):
    User.objects.filter(pk=cast.lea.user_id).update(language=language)
    page = browse(f"/acme/{path}", member=cast.lea)
    assert serious(page) == []


def test_stands_on_a_phone(browse, cast, queue, library):
    (row,) = queue(1)
    with tenant_scope(cast.tenant):
        script = Script.objects.get(code="dormant")
    for path in (f"scripts/{script.pk}/", "journeys/", f"today/{row.pk}/script/"):
        page = browse(f"/acme/{path}", member=cast.ann, viewport=NARROW)
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], path
        assert serious(page) == [], path
