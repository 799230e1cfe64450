"""It: shows the medals to all, a ranking to whom it concerns, and lets a lead award, correct and choose."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine

from incentives.kpis.services import close_period
from incentives.models import AwardRound, Medal
from incentives.rules.kpis import Period
from tenants.context import tenant_scope
from tenants.models import Member
from tests.incentives.test_awards import answer, case, held_by, rules

URL = "/acme/awards/"
MONTH = f"{URL}2026-10/"
OCTOBER = Period("month", dt.date(2026, 10, 1))


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel(dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC), tick=False):
        yield


@pytest.fixture
def held(cast):
    with tenant_scope(cast.tenant):
        Member.objects.update(created_at=dt.datetime(2025, 1, 1, tzinfo=dt.UTC))
        rules(first_money=0, case_money=0)
        found = held_by(cast, cast.ann, (1, 0), (1, 0))
        held_by(cast, cast.bo, (3, 1), (1, 0))
    return found


def text(answer):
    return answer.content.decode()


def test_a_lead_awards_a_closed_month_and_everybody_reads_who_and_why(cast, sign_in, held):
    lead, ann, bo = sign_in(cast.lea), sign_in(cast.ann), sign_in(cast.bo)
    assert "No medals yet" in text(ann.get(URL))
    assert "not closed yet" in text(lead.get(MONTH))
    assert "is not closed yet" in text(lead.post(f"{MONTH}give/", follow=True))
    with tenant_scope(cast.tenant):
        close_period(OCTOBER, cast.lea)
    preview = text(lead.get(MONTH))
    for words in ("Ranking as it would be awarded now", "Award it", "+10.0", "−2.5", "2 people with a place"):
        assert words in preview, words
    assert "Ranking as it would be" not in text(ann.get(MONTH)), "who cannot award sees it when it is awarded"
    assert "closed and not awarded yet" not in text(ann.get(URL))
    assert "closed and not awarded yet" in text(lead.get(URL))
    assert "stays as it is" in text(lead.post(f"{MONTH}give/", follow=True))
    assert "Lea awarded" in text(lead.post(f"{MONTH}give/", follow=True))

    seen = text(bo.get(MONTH))
    assert "Best manager, first place" in seen
    assert "+10.0 points against what is usual for such customers, among 2 people" in seen
    assert f"/acme/awards/2026-10/{cast.bo.pk}/" in seen
    assert f"/acme/awards/2026-10/{cast.ann.pk}/" not in seen, "of others one sees the medals only"
    own = text(bo.get(f"{MONTH}{cast.bo.pk}/"))
    for words in ("Satisfaction (CSAT)", "87.5%", "90.0%", "−2.5", "the target: too little history", "kpis/rows/"):
        assert words in own, words
    assert bo.get(f"{MONTH}{cast.ann.pk}/").status_code == 403
    assert lead.get(f"{MONTH}{cast.ann.pk}/").status_code == 200
    assert "No standing in this month" in text(sign_in(cast.eve).get(f"{MONTH}{cast.eve.pk}/"))

    file = b"".join(lead.get(MONTH, {"export": "csv"}).streaming_content).decode()
    assert file.splitlines()[1].startswith("1,Ann,South,10")
    medals = b"".join(bo.get(URL, {"export": "csv", "held": "true"}).streaming_content).decode()
    assert '"Best manager, first place",Ann,South' in medals
    for query in ({"colour": "red"}, {"export": "pdf"}):
        assert bo.get(MONTH, query).status_code == 400
    for code in ("2026-Q4", "2026-W40", "2027-01", "soon"):
        assert bo.get(f"{URL}{code}/").status_code == 404, code


def test_a_correction_stands_beside_what_it_corrects(cast, sign_in, held):
    lead = sign_in(cast.lea)
    with tenant_scope(cast.tenant):
        close_period(OCTOBER, cast.lea)
    lead.post(f"{MONTH}give/")
    unchanged = text(lead.post(f"{MONTH}correct/", {"why": "Look again"}))
    assert "nothing to correct" in unchanged
    assert "Look again" in unchanged, "what was typed is still there"
    assert "Leave out" not in text(lead.get(f"{MONTH}correct/"))
    assert "Leave out" in text(sign_in(cast.eve).get(f"{MONTH}correct/"))
    with tenant_scope(cast.tenant):
        answer(cast, held[0], 1, 1, 1)
    assert lead.post(f"{MONTH}correct/", {"why": "Answers came in late"}).status_code == 302
    page = text(sign_in(cast.ann).get(MONTH))
    for words in ("corrected on", "How it was corrected", "taken back on", "Answers came in late"):
        assert words in page, words
    assert "taken back on" in text(sign_in(cast.ann).get(URL))
    with tenant_scope(cast.tenant):
        assert AwardRound.objects.count() == 2
        assert not Medal.objects.held().exists()


def test_a_lead_chooses_the_best_case_and_a_stranger_to_its_customer_reads_no_name(cast, sign_in, held):
    with tenant_scope(cast.tenant):
        kept = case(cast, cast.ann, level="severe", customer=cast.customer("Huaxin", owner_b=None))
        case(cast, cast.ann, lessons="", customer=cast.customer("Untold"))
    lead = sign_in(cast.lea)
    page = text(lead.get(MONTH))
    for words in ("Proposed for the best case", "Huaxin", "severe 3, lessons written down 2, something was tried 1"):
        assert words in page, words
    assert "Untold" not in page
    form = text(lead.get(f"{MONTH}case/"))
    assert "Huaxin, Price, Ann: 6 points" in form
    assert "Select a valid choice" in text(lead.post(f"{MONTH}case/", {"case": "999999", "reason": "x"}))
    assert lead.post(f"{MONTH}case/", {"case": kept.pk, "reason": "Ask first"}).status_code == 302
    assert "The case of Huaxin" in text(sign_in(cast.ann).get(MONTH))
    others = text(sign_in(cast.bo).get(MONTH))
    assert "Ask first" in others
    assert "Huaxin" not in others
