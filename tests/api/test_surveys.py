"""The API of surveys: who was asked, asking, what became of low answers, figures."""

from __future__ import annotations

import datetime as dt

import pytest

from customers.models import Contact
from followups.models import Survey, SurveyLoop
from followups.surveys import services as surveys
from followups.surveys.links import token_of
from tenants.context import tenant_scope
from tests.api.conftest import Caller, faults
from tests.conftest import Cast
from tests.followups.surveyed import asked, contact_of

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def noon(time_machine) -> None:
    time_machine.move_to(NOON, tick=False)


@pytest.fixture
def contact(cast: Cast) -> Contact:
    return contact_of(cast)


def test_asks_once_a_day_and_never_gives_the_link_away(api: Caller, contact: Contact) -> None:
    first = api.post("surveys", {"contact": str(contact.pk), "kind": "nps"})
    assert first.status_code == 201
    said = first.json()
    assert (said["state"], said["cause"], said["channel"]) == ("open", "hand", "email")
    assert said["customer"] == str(contact.customer_id)
    again = api.post("surveys", {"contact": str(contact.pk), "kind": "nps"})
    assert (again.status_code, again["Outcome"], again.json()["id"]) == (200, "unchanged", said["id"])
    with tenant_scope(contact.tenant):
        secret = token_of(Survey.objects.get())
    assert secret not in first.content.decode() + api.get("surveys").content.decode()


def test_says_why_somebody_was_not_asked(api: Caller, cast: Cast) -> None:
    silent = contact_of(cast, cast.customer("Silent"), email="")
    said = api.post("surveys", {"contact": str(silent.pk), "kind": "csat"}).json()
    assert said["state"] == "blocked"
    assert said["why"]
    assert [row["id"] for row in api.get("surveys", state="blocked").json()["results"]] == [said["id"]]
    assert api.get("surveys", state="open").json()["results"] == []


def test_refuses_with_all_that_is_wrong(api: Caller, cast: Cast, contact: Contact) -> None:
    assert faults(api.post("surveys", {"kind": "weather", "link": "x"})) == {
        "#/kind": "invalid_choice", "#/contact": "required", "#/link": "unknown_field",
    }  # fmt: skip
    left = contact_of(cast, cast.customer("Gone"), left_on=NOON.date())
    assert faults(api.post("surveys", {"contact": str(left.pk), "kind": "nps"})) == {"#/contact": "left"}
    assert faults(api.get("surveys", colour="red")) == {"?colour": "unknown_parameter"}


def test_shows_and_analyses_what_became_of_a_low_answer(api: Caller, cast: Cast, contact: Contact) -> None:
    survey = asked(cast, contact)
    with tenant_scope(cast.tenant):
        surveys.answer(survey=survey, score=2)
        surveys.tell(survey=survey, reasons=["delivery"], text="Late")
        loop = SurveyLoop.objects.get()
    row = api.get("surveys", kind="nps").json()["results"][0]
    assert (row["state"], row["score"], row["response"]) == ("answered", 2, str(loop.response_id))
    said = api.get(f"survey-loops/{loop.pk}").json()
    assert (said["reasons"], said["follow_up"], said["follow_up_status"]) == (
        ["delivery"], str(loop.follow_up_id), "open",
    )  # fmt: skip
    assert faults(api.post(f"survey-loops/{loop.pk}/analyse", {"reasons": []})) == {"#/reasons": "empty"}
    done = api.post(f"survey-loops/{loop.pk}/analyse", {"reasons": ["response"], "behind": "Forwarder changed"})
    assert done["Outcome"] == "updated"
    assert (done.json()["reasons"], done.json()["behind"]) == (["delivery", "response"], "Forwarder changed")
    assert api.get("survey-loops", follow_up_status="done").json()["results"] == []
    assert len(api.get("survey-loops", customer=contact.customer_id).json()["results"]) == 1


def test_figures_add_up(api: Caller, cast: Cast) -> None:
    for number, score in enumerate((10, 9, 8, 3)):
        survey = asked(cast, contact_of(cast, cast.customer(f"Customer {number}")))
        with tenant_scope(cast.tenant):
            surveys.answer(survey=survey, score=score)
    asked(cast, contact_of(cast, cast.customer("Waits")))
    said = api.get("figures/surveys", start="2026-10-01", end="2026-11-20").json()
    assert (said["rate"]["asked"], said["rate"]["answered"], said["rate"]["share"]) == (5, 4, 0.8)
    assert (said["nps"]["score"], said["nps"]["n"]) == (25, 4)
    assert said["nps"]["low"] < 25 < said["nps"]["high"]
    assert [month["month"] for month in said["months"]] == ["2026-10-01", "2026-11-01"]
    assert said["loop"]["collected"] == said["loop"]["open"] == 1
    assert said["end"] == "2026-11-20"
    assert faults(api.get("figures/surveys", start="2026-10-01")) == {"?end": "required"}
