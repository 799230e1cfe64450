"""The API of awards: the ranking, awarding, correcting, the best case, and the medals."""

import datetime as dt

import pytest
import time_machine

from incentives.kpis.services import close_period
from incentives.rules.kpis import Period
from tenants.context import tenant_scope
from tenants.models import Member
from tests.api.conftest import faults
from tests.incentives.test_awards import answer, case, held_by, rules

OCTOBER = Period("month", dt.date(2026, 10, 1))


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel(dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC), tick=False):
        yield


def test_awards_corrects_and_chooses(call_as, cast):
    with tenant_scope(cast.tenant):
        Member.objects.update(created_at=dt.datetime(2025, 1, 1, tzinfo=dt.UTC))
        rules()
        held = held_by(cast, cast.ann, (1, 0), (1, 0))
        held_by(cast, cast.bo, (3, 1), (1, 0))
        kept = case(cast, cast.bo, level="severe")
    lead, ann = call_as(cast.lea), call_as(cast.ann)
    assert "is not closed yet" in str(lead.post("awards/give", {"period": "2026-10"}).json())
    with tenant_scope(cast.tenant):
        close_period(OCTOBER, cast.lea)
    assert ann.get("awards/standings?period=2026-10").json()["revision"] is None
    given = lead.post("awards/give", {"period": "2026-10"})
    assert (given.status_code, given["Outcome"]) == (201, "created")
    assert [(row["member_name"], row["place"], row["score"]) for row in given.json()["results"]] == [
        ("Ann", 1, "10"), ("Bo", 2, "-2.5"),
    ]  # fmt: skip
    assert "Lea awarded" in str(lead.post("awards/give", {"period": "2026-10"}).json())
    own = ann.get("awards/standings?period=2026-10").json()
    assert [row["member"] for row in own["results"]] == [str(cast.ann.pk)]
    assert own["results"][0]["parts"] == [
        {
            "share": "csat", "weight": 100, "customers": 2, "counts": True, "value": "100", "usual": "90",
            "above": "10", "adds": "10",
        }
    ]  # fmt: skip

    proposed = lead.get("awards/proposals?period=2026-10").json()["results"]
    assert [(row["case"], row["handler"], row["points"]) for row in proposed] == [(str(kept.pk), str(cast.bo.pk), 6)]
    best = lead.post("awards/best-case", {"period": "2026-10", "case": kept.pk, "reason": "Ask first"}).json()
    assert (best["kind"], best["member"], best["words"]) == ("case", str(cast.bo.pk), "Ask first")
    with tenant_scope(cast.tenant):
        answer(cast, held[0], 1, 1, 1)
    corrected = lead.post("awards/correct", {"period": "2026-10", "why": "Came in late"}).json()
    assert (corrected["revision"], corrected["why"]) == (2, "Came in late")
    medals = ann.get("awards?held=false").json()["results"]
    assert [(row["kind"], row["member_name"], row["ended_why"]) for row in medals] == [("first", "Ann", "Came in late")]
    assert len(ann.get("awards?month=2026-10-20").json()["results"]) == 2


def test_refuses_what_is_no_month_and_what_it_does_not_know(call_as, cast):
    lead = call_as(cast.lea)
    for query in ("", "period=2026-Q4", "period=2027-01", "period=x"):
        assert "?period" in str(faults(lead.get(f"awards/standings?{query}"))), query
    for body in ({}, {"period": "2026-Q4"}, {"period": "2026-10", "colour": "red"}):
        assert lead.post("awards/give", body).status_code == 400, body
    assert lead.post("awards/correct", {"period": "2026-10", "why": "x"}).status_code == 400, "not awarded"
    assert lead.post("awards/best-case", {"period": "2026-10", "case": 1, "reason": "x"}).status_code == 400
