"""Pages of surveys: the overview opens its rows, lists filter and export, asking and analysing."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from config.night import run_night
from customers.models import SurveyResponse
from customers.services import add_survey_response
from followups.models import FollowUp, Message, Survey, SurveyLoop, SurveyReason
from followups.services import complete
from followups.surveys import services as surveys
from tenants.context import tenant_scope
from tests.followups.surveyed import asked, contact_of
from tests.pages.conftest import FRIDAY, NOON, text

pytestmark = pytest.mark.usefixtures("noon")
URL = "/acme/surveys/"


@pytest.fixture
def told(cast, noon):
    """Four of Ann's contacts asked: a promoter, a detractor with reasons, one who waits, one without an address."""
    people = [contact_of(cast, cast.customer(name), name=f"{name} person") for name in ("Ash", "Birch", "Cedar")]
    people.append(contact_of(cast, cast.customer("Date"), email=""))
    rows = [asked(cast, contact) for contact in people]
    with tenant_scope(cast.tenant):
        surveys.answer(survey=rows[0], score=10)
        surveys.answer(survey=rows[1], score=3)
        surveys.tell(survey=rows[1], reasons=["delivery"], text="Late twice")
    return rows


def strip(page: str) -> list[str]:
    return re.findall(r'<span class="v"><b>([^<]*)</b>', page)


def test_counts_what_was_asked_and_answered_with_intervals(cast, sign_in, told):
    page = text(sign_in(cast.ann).get(URL))
    assert strip(page) == ["3", "67%", "0", "–", "1"]
    assert "21% to 94% with 95% certainty" in page
    assert "−73 to 73 with 95% certainty" in page


def test_shows_the_loop_and_every_number_opens_its_rows(cast, sign_in, told):
    client = sign_in(cast.ann)
    page = text(client.get(URL))
    for stage, count in (("low", 1), ("open", 1), ("asked_again", 0), ("done", 0)):
        address = f"{URL}answers/?stage={stage}"
        listed = text(client.get(address))
        assert f">{count} answer" in listed, stage
        assert f"answers/?stage={stage}&amp;since=" in page
    with tenant_scope(cast.tenant):
        complete(follow_up=FollowUp.objects.get(), member=cast.ann)
    assert "1 answer" in text(client.get(f"{URL}answers/?stage=done"))
    assert "1 answer" in text(client.get(f"{URL}answers/?reason=delivery"))
    assert "0 answers" in text(client.get(f"{URL}answers/?reason=price"))


def test_a_late_follow_up_is_counted_late(cast, sign_in, told, time_machine):
    time_machine.move_to(NOON + dt.timedelta(hours=25), tick=False)
    page = text(sign_in(cast.ann).get(URL))
    assert "1 late" in page


def test_says_what_to_do_when_nobody_was_asked(cast, sign_in):
    assert "Nobody has been asked yet" in text(sign_in(cast.ann).get(URL))
    assert "To the policy" in text(sign_in(cast.lea).get(URL))
    assert "Nobody has answered yet" in text(sign_in(cast.ann).get(f"{URL}answers/"))


def test_a_colleague_sees_only_the_own_customers(cast, sign_in, told):
    with tenant_scope(cast.tenant):
        told[0].customer.owner_a = told[0].customer.owner_b = cast.lea
        told[0].customer.save()
    page = text(sign_in(cast.ann).get(f"{URL}answers/"))
    assert "Birch" in page
    assert "Ash" not in page
    assert strip(text(sign_in(cast.ann).get(URL)))[0] == "2"


@pytest.mark.parametrize("query", ["?day=1", "?days=7", "?export=xlsx"])
def test_refuses_a_parameter_it_does_not_have(cast, sign_in, query):
    assert sign_in(cast.ann).get(URL + query).status_code == 400


def test_exports_the_months(cast, sign_in, told):
    lines = text(sign_in(cast.ann).get(f"{URL}?export=csv")).splitlines()
    assert lines[-1].startswith("2026-11,3,2,1,0,1,0.0,")
    assert sign_in(cast.ian).get(f"{URL}?export=csv").status_code == 403


def test_the_list_of_askings_says_why_somebody_was_not_asked(cast, sign_in, told):
    page = text(sign_in(cast.ann).get(f"{URL}asked/", {"state": "blocked"}))
    assert "1 survey" in page
    with tenant_scope(cast.tenant):
        from followups.messages.whys import message_why

        why = message_why(Message.objects.get(status="blocked"))
    assert why
    assert why in page.replace("&#x27;", "'")
    assert "Date" in page
    assert "Cedar" in text(sign_in(cast.ann).get(f"{URL}asked/", {"state": "open"}))


def test_lists_sort_and_export(cast, sign_in, told):
    client = sign_in(cast.ann)
    for place, columns in (("answers", ("at", "customer", "contact", "score")), ("asked", ("asked_at", "state", "score", "asked_by", "channel", "cause"))):  # fmt: skip
        for column in columns:
            assert client.get(f"{URL}{place}/", {"sort": column}).status_code == 200, column
            assert client.get(f"{URL}{place}/", {"sort": f"-{column}"}).status_code == 200, column
        assert len(text(client.get(f"{URL}{place}/", {"export": "csv"})).splitlines()) > 2
    assert "Late twice" in text(client.get(f"{URL}answers/", {"export": "csv"}))


def test_the_accounts_nps_is_over_its_contacts_and_a_single_answer_is_a_rating(cast, sign_in):
    pair, alone = contact_of(cast, cast.customer("Pair")), contact_of(cast, cast.customer("Alone"))
    with tenant_scope(cast.tenant):
        at = NOON - dt.timedelta(days=2)
        add_survey_response(customer=pair.customer, contact=pair, kind="nps", score=2, at=at - dt.timedelta(days=9))
        add_survey_response(customer=pair.customer, contact=pair, kind="nps", score=10, at=at)
        add_survey_response(customer=pair.customer, kind="nps", score=8, at=at)
        add_survey_response(customer=alone.customer, contact=alone, kind="nps", score=4, at=at)
    run_night(cast.tenant, FRIDAY, everybody=True)
    client = sign_in(cast.ann)
    exported = text(client.get(f"{URL}accounts/", {"export": "csv"})).splitlines()
    assert exported[1].startswith("Pair,50.0,,2,1,0,")
    assert exported[2].startswith("Alone,,4,1,0,1,")
    assert "1 customer" in text(client.get(f"{URL}accounts/", {"side": "single"}))
    assert "0 customers" in text(client.get(f"{URL}accounts/", {"side": "below"}))
    for column in ("name", "nps", "rating", "answers", "answered_at", "owner_a"):
        assert client.get(f"{URL}accounts/", {"sort": column}).status_code == 200


def test_asks_from_the_customers_page_and_says_what_comes_of_it(cast, sign_in):
    contact = contact_of(cast)
    client = sign_in(cast.ann)
    url = f"/acme/customers/{contact.customer_id}/survey/"
    assert "Chen Jing" in text(client.get(url))
    page = client.post(url, {"contact": contact.pk, "kind": "nps"}, follow=True)
    assert "Chen Jing is being asked." in text(page)
    page = client.post(url, {"contact": contact.pk, "kind": "nps"}, follow=True)
    assert "has been asked about this already" in text(page)
    page = client.post(url, {"contact": contact.pk, "kind": "csat"}, follow=True)
    assert "Chen Jing is not asked:" in text(page)
    with tenant_scope(cast.tenant):
        assert Survey.objects.count() == 2
        assert Survey.objects.get(kind="nps").asked_by == cast.ann


def test_asking_refuses_a_contact_of_somebody_else(cast, sign_in):
    other, here = contact_of(cast, cast.customer("Other")), cast.customer("Here")
    page = sign_in(cast.ann).post(f"/acme/customers/{here.pk}/survey/", {"contact": other.pk, "kind": "nps"})
    assert page.status_code == 200
    with tenant_scope(cast.tenant):
        assert not Survey.objects.exists()


def test_analyses_a_low_answer(cast, sign_in, told):
    with tenant_scope(cast.tenant):
        loop = SurveyLoop.objects.get()
    client = sign_in(cast.ann)
    url = f"{URL}loops/{loop.pk}/"
    assert "checked" in text(client.get(url))
    assert "Choose" in text(client.post(url, {"behind": "x"})) or "This field is required" in text(client.post(url, {}))
    client.post(url, {"reasons": ["delivery", "response"], "behind": "Forwarder changed"})
    with tenant_scope(cast.tenant):
        loop.refresh_from_db()
        assert loop.behind == "Forwarder changed"
        assert set(SurveyReason.objects.values_list("code", "member")) == {
            ("delivery", None),
            ("response", cast.ann.pk),
        }
        assert SurveyResponse.objects.get(score=3).text == "Late twice"
