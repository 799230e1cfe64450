"""A customer answers on a phone with one tap; the team sees it, at both widths and without serious findings of axe."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from customers.models import SurveyResponse
from followups.models import FollowUp
from followups.surveys.links import token_of
from tenants.context import tenant_scope
from tests.e2e.conftest import NARROW, WIDE, serious
from tests.followups.surveyed import asked, contact_of


def wide_pages(page) -> bool:
    """Whether anything makes the page scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.mark.parametrize(
    ("language", "thanks", "again", "why"),
    [("en", "Thank you", "Change the number", "Send"), ("zh", "谢谢", "更改评分", "提交")],
)
def test_one_tap_on_a_phone_is_an_answer(cast, browse, language, thanks, again, why):
    survey = asked(cast, contact_of(cast, language=language))
    page = browse(f"/survey/{token_of(survey)}/", viewport=NARROW, has_touch=True)
    assert not wide_pages(page)
    assert serious(page) == []
    button = page.get_by_role("button", name="3", exact=True)
    box = button.bounding_box()
    assert box["height"] >= 44
    assert box["width"] >= 44
    button.tap()
    expect(page.get_by_role("heading", name=thanks)).to_be_visible()
    with tenant_scope(cast.tenant):
        assert SurveyResponse.objects.get().score == 3
        assert FollowUp.objects.get().rule == "survey:nps"
    page.get_by_role("checkbox").nth(1).check()
    page.get_by_role("textbox").fill("Late twice")
    page.get_by_role("button", name=why).tap()
    page.wait_for_url("**#told")
    expect(page.get_by_role("checkbox").nth(1)).to_be_checked()
    page.get_by_text(again).tap()
    page.get_by_role("button", name="9", exact=True).tap()
    expect(page.get_by_text("9", exact=False).first).to_be_visible()
    expect(page.get_by_text(again)).to_have_count(0)
    assert not wide_pages(page)
    assert serious(page) == []
    with tenant_scope(cast.tenant):
        row = SurveyResponse.objects.get()
        assert (row.score, row.text) == (9, "Late twice")
        assert FollowUp.objects.get().status == "cancelled"


def test_the_answer_works_without_scripts_and_without_cookies(cast, browse):
    survey = asked(cast)
    page = browse(f"/survey/{token_of(survey)}/", java_script_enabled=False)
    page.context.clear_cookies()
    page.get_by_role("button", name="10", exact=True).click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()


@pytest.mark.parametrize("viewport", [WIDE, NARROW])
def test_the_teams_pages_fit_and_have_no_serious_finding(cast, browse, viewport):
    from followups.surveys import services as surveys

    for number, score in enumerate((10, 3, 8)):
        survey = asked(cast, contact_of(cast, cast.customer(f"Customer {number}")))
        with tenant_scope(cast.tenant):
            surveys.answer(survey=survey, score=score)
            surveys.tell(survey=survey, reasons=["price", "delivery"], text="So it is")
    for path in ("surveys/", "surveys/answers/", "surveys/asked/", "quality/", "quality/people/", "quality/mystery/"):
        page = browse(f"/acme/{path}", cast.lea, viewport=viewport)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert not wide_pages(page), path
        assert serious(page) == [], path
