"""The page behind a survey's link: no sign-in, in words when it does not work, limited."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client

from customers.models import SurveyResponse
from followups.models import FollowUp, Survey, SurveyReason
from followups.surveys.links import token_of
from followups.surveys.views_answer import ANSWERS, CALLS
from tenants.context import tenant_scope
from tests.followups.surveyed import asked, contact_of
from tests.pages.conftest import NOON, text

pytestmark = pytest.mark.usefixtures("noon")


@pytest.fixture
def survey(cast, noon) -> Survey:
    return asked(cast)


@pytest.fixture
def url(survey) -> str:
    return f"/survey/{token_of(survey)}/"


def test_asks_a_stranger_one_question_with_a_button_for_each_number(url):
    page = Client().get(url)
    shown = text(page)
    assert page.status_code == 200
    assert "How likely are you to recommend Acme Trading" in shown
    assert [f'value="{score}"' in shown for score in range(11)] == [True] * 11
    assert page["Referrer-Policy"] == "no-referrer"
    assert "no-store" in page["Cache-Control"]
    assert page["X-Robots-Tag"].startswith("noindex")


def test_asks_csat_from_1_to_5_about_what_it_was(cast):
    shown = text(Client().get(f"/survey/{token_of(asked(cast, kind='csat'))}/"))
    assert "How satisfied are you with Acme Trading?" in shown
    assert 'value="5"' in shown
    assert 'value="6"' not in shown
    assert 'value="0"' not in shown


def test_speaks_the_contacts_language_and_the_other_one_on_request(cast):
    survey = asked(cast, contact_of(cast, language="zh"))
    url = f"/survey/{token_of(survey)}/"
    page = text(Client().get(url))
    assert '<html lang="zh-hans">' in page
    assert f'href="{url}?lang=en"' in page
    page = text(Client().get(url, {"lang": "en"}))
    assert '<html lang="en">' in page
    assert "How likely" in page
    assert '<html lang="en">' in text(Client().get(url, {"lang": "tlh"}))


def test_one_tap_is_an_answer_and_reading_is_none(cast, url, survey):
    client = Client(enforce_csrf_checks=True)
    client.get(url)
    with tenant_scope(cast.tenant):
        assert not SurveyResponse.objects.exists()
    answer = client.post(url, {"score": "9"})
    assert answer.status_code == 302
    assert answer["Location"] == url
    page = text(client.get(url))
    assert "Thank you" in page
    assert "9 of 10" in page
    with tenant_scope(cast.tenant):
        assert SurveyResponse.objects.get().contact == survey.contact


def test_says_sorry_to_a_detractor_and_raises_the_follow_up(cast, url):
    Client().post(url, {"score": "2"})
    page = text(Client().get(url))
    assert "Somebody from Acme Trading will get in touch within 24 hours." in page
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.get().due_at == NOON + dt.timedelta(hours=24)


def test_takes_reasons_and_words_after_the_answer(cast, url):
    assert Client().post(url, {"reason": ["price"], "text": "Dear"}).status_code == 409
    Client().post(url, {"score": "7"})
    answer = Client().post(url, {"reason": ["price", "delivery"], "text": "Dear <b>and</b> late"})
    assert answer["Location"] == f"{url}#told"
    page = text(Client().get(url))
    assert "Dear &lt;b&gt;and&lt;/b&gt; late" in page
    assert 'maxlength="2000"' in page
    assert page.count(" checked") == 2
    with tenant_scope(cast.tenant):
        assert set(SurveyReason.objects.values_list("code", flat=True)) == {"price", "delivery"}


def test_says_when_the_answer_was_changed_before(url):
    client = Client()
    client.post(url, {"score": "9"})
    assert "Change the number" in text(client.get(url))
    client.post(url, {"score": "8"})
    assert "Change the number" not in text(client.get(url))
    refused = client.post(url, {"score": "10"})
    assert refused.status_code == 409
    assert "You have changed your answer once already" in text(refused)
    assert "8 of 10" in text(client.get(url))


def test_says_when_the_survey_has_ended(cast, url, survey, time_machine):
    time_machine.move_to(survey.expires_at, tick=False)
    page = Client().get(url)
    assert page.status_code == 410
    assert "The link could be answered until 4 December 2026." in text(page)
    assert "button" not in text(page).partition("<main")[2].partition("</main>")[0]
    refused = Client().post(url, {"score": "9"})
    assert refused.status_code == 409
    with tenant_scope(cast.tenant):
        assert not SurveyResponse.objects.exists()


@pytest.mark.parametrize("score", ["11", "-1", "", "9.5", "９", "nine"])
def test_refuses_what_is_no_number_of_the_scale(cast, url, score):
    refused = Client().post(url, {"score": score})
    assert refused.status_code == 400
    assert "Choose a number from 0 to 10" in text(refused)
    with tenant_scope(cast.tenant):
        assert not SurveyResponse.objects.exists()


@pytest.mark.parametrize("token", ["x", "1~1", "1~1.sig", "~.x", "a" * 200])
def test_a_link_that_is_not_whole_leads_nowhere_and_says_so(db, token):
    page = Client().get(f"/survey/{token}/")
    assert page.status_code == 404
    assert "This link does not work" in text(page)


def test_stops_a_machine_that_tries_links(db):
    client = Client()
    for _call in range(CALLS):
        assert client.get("/survey/x/").status_code == 404
    stopped = client.get("/survey/x/")
    assert stopped.status_code == 429
    assert stopped["Retry-After"] == "60"


def test_stops_a_link_that_is_answered_again_and_again(url):
    client = Client()
    for number in range(ANSWERS):
        assert client.post(url, {"score": str(number % 2)}).status_code in {302, 409}
    assert client.post(url, {"score": "9"}).status_code == 429
    assert client.get(url).status_code == 200


def test_other_methods_are_not_there(url):
    assert Client().delete(url).status_code == 405
