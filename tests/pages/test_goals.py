"""It: sets a goal on the page, takes it through its steps, and keeps it from who has no business with it."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine

from customers.models import SurveyResponse
from incentives.models import Goal
from tenants.context import tenant_scope

URL = "/acme/goals/"


def on(*day):
    return time_machine.travel(dt.datetime(*day, 12, tzinfo=dt.UTC), tick=False)


@pytest.fixture
def form(cast):
    return {
        "title": "More content customers", "quarter": "2026-10-01", "of": f"team-{cast.lea.team_id}", "kpi": "csat",
        "baseline": "50", "target": "80", "owner": cast.lea.pk, "why": "", "plan": "",
    }  # fmt: skip


def test_a_lead_takes_a_goal_from_plan_to_standard(cast, sign_in, form):
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        at = cast.tenant.start_of(dt.date(2026, 11, 3))
        SurveyResponse.objects.bulk_create(
            SurveyResponse(customer=customer, kind="csat", score=score, at=at) for score in (5, 5, 5, 5, 1)
        )
    browser = sign_in(cast.lea)
    with on(2026, 11, 22):
        assert "No goals yet" in browser.get(URL).content.decode()
        assert "no better than the baseline" in browser.post(f"{URL}add/", form | {"target": "40"}).content.decode()
        assert browser.post(f"{URL}add/", form).status_code == 302
        with tenant_scope(cast.tenant):
            goal = Goal.objects.get()
        page = f"{URL}{goal.pk}/"
        shown = browser.get(page).content.decode()
        assert "So far" in shown
        assert "100% of the way" in shown
        assert browser.post(f"{page}step/", {"verb": "start", "plan": "Call back"}).status_code == 302
        assert "runs until" in browser.post(f"{page}step/", {"verb": "check", "done": "Did"}).content.decode()
    with on(2027, 1, 5):
        for verb, said in (
            ("check", {"done": "Did"}),
            ("act", {"learned": "It helps"}),
            ("close", {"standard": "Call back within a day", "where": "Handbook 3"}),
        ):
            assert browser.post(f"{page}step/", {"verb": verb, **said}).status_code == 302, verb
        closed = browser.get(page).content.decode()
        for words in ("What became standard", "Call back within a day", "Handbook 3", "reached", "80%"):
            assert words in closed
        assert "stays as it is" in browser.post(f"{page}edit/", form).content.decode()
        exported = b"".join(browser.get(URL, {"export": "csv", "verdict": "reached"}).streaming_content).decode()
        assert "More content customers" in exported


def test_others_see_only_what_is_theirs_to_see(cast, sign_in, form):
    with on(2026, 11, 22):
        own = form | {"of": f"person-{cast.ann.pk}", "owner": cast.ann.pk}
        assert sign_in(cast.ann).post(f"{URL}add/", own).status_code == 302
        assert "Select a valid choice" in sign_in(cast.ann).post(f"{URL}add/", form).content.decode()
        with tenant_scope(cast.tenant):
            goal = Goal.objects.get()
        assert sign_in(cast.ann).get(f"{URL}{goal.pk}/").status_code == 200
        assert sign_in(cast.bo).get(f"{URL}{goal.pk}/").status_code == 404
        assert sign_in(cast.lea).get(f"{URL}{goal.pk}/").status_code == 200
        assert sign_in(cast.lea).get(URL, {"colour": "red"}).status_code == 400
