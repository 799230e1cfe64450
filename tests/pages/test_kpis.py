"""It: shows target and actual, opens the rows behind each value, and lets the lead close a period."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pytest
import time_machine

from customers.activity import refresh_activity
from customers.models import Customer, Order, SurveyResponse
from incentives.models import KpiClosing, KpiTarget, MemberJob
from tenants.context import tenant_scope

URL = "/acme/kpis/"


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel(dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC), tick=False):
        yield


@pytest.fixture
def answers(cast):
    """Nine good answers and a bad one of Ann's customer in October, one bad one of nobody's."""
    mine = cast.customer("Huaxin <Tiles>")
    nobodys = cast.customer("Nobody's", owner_a=None, owner_b=None)
    at = cast.tenant.start_of(dt.date(2026, 10, 6)) + dt.timedelta(hours=9)
    with tenant_scope(cast.tenant):
        SurveyResponse.objects.bulk_create(
            SurveyResponse(customer=mine, kind="csat", score=score, at=at) for score in [5] * 9 + [1]
        )
        SurveyResponse.objects.create(customer=nobodys, kind="csat", score=1, at=at)
    return mine


def text(response):
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return content.decode()


def test_shows_the_value_beside_its_target_and_opens_its_rows(cast, sign_in, answers):
    page = sign_in(cast.ann).get(URL, {"period": "2026-10"})
    words = text(page)
    assert "90%" in words
    assert "9 of 10" in words
    rows = f"{URL}rows/?kpi=csat&amp;period=2026-10&amp;who=person-{cast.ann.pk}"
    assert rows in words
    shown = text(sign_in(cast.ann).get(rows.replace("&amp;", "&")))
    assert shown.count("Huaxin &lt;Tiles&gt;") == 10
    assert shown.count("not content") == 1
    assert "Nobody" not in shown
    lines = list(csv.reader(io.StringIO(text(sign_in(cast.ann).get(rows.replace("&amp;", "&") + "&export=csv")))))
    assert len(lines) == 11
    assert {line[0] for line in lines[1:]} == {"Huaxin <Tiles>"}
    # The firm's has also what nobody holds.
    assert "9 of 11" in text(sign_in(cast.eve).get(URL, {"period": "2026-10"}))
    board = list(csv.reader(io.StringIO(text(sign_in(cast.eve).get(URL, {"period": "2026-10", "export": "csv"})))))
    assert ["The whole firm", "Satisfaction (CSAT)", "9", "11", "81.8182", "%", "90", "90.9091", ""] in board


def test_a_row_of_a_customer_of_somebody_else_now_counts_without_its_name(cast, sign_in, answers):
    with tenant_scope(cast.tenant):
        Customer.objects.filter(pk=answers.pk).update(owner_a=cast.bo, owner_b=None)
    rows = {"kpi": "csat", "period": "2026-10", "who": f"person-{cast.ann.pk}"}
    shown = text(sign_in(cast.ann).get(f"{URL}rows/", rows))
    assert shown.count("a customer of somebody else now") == 10
    assert "Huaxin" not in shown
    assert "Huaxin" in text(sign_in(cast.lea).get(f"{URL}rows/", rows))


def test_pages_go_on_where_the_last_one_ended(cast, sign_in):
    with tenant_scope(cast.tenant):
        customer = Customer.objects.create(name="Busy", owner_a=cast.ann)
        at = cast.tenant.start_of(dt.date(2026, 10, 6))
        SurveyResponse.objects.bulk_create(
            SurveyResponse(customer=customer, kind="csat", score=5, at=at) for _n in range(60)
        )
    rows = {"kpi": "csat", "period": "2026-10", "who": f"person-{cast.ann.pk}"}
    first, second = (text(sign_in(cast.ann).get(f"{URL}rows/", rows | {"page": page})) for page in (1, 2))
    assert (first.count(">Busy<"), second.count(">Busy<")) == (50, 10)
    assert 'rel="next"' in first
    assert 'rel="next"' not in second


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 200), ("period=2026-W43", 200), ("span=quarter", 200), ("period=2026-13", 400), ("who=charm", 400),
        ("colour=red", 400), ("period=2027-01", 404), ("period=2026-10&span=decade", 400), ("export=xls", 400),
    ],
)  # fmt: skip
def test_its_parameters_are_strict(cast, sign_in, query, status):
    assert sign_in(cast.lea).get(f"{URL}?{query}").status_code == status


def test_nobody_elses_kpis_are_there(cast, sign_in, answers):
    browser = sign_in(cast.ann)
    for who in (f"person-{cast.bo.pk}", f"team-{cast.lea.team_id}", "tenant", f"person-{cast.otto.pk}"):
        assert browser.get(URL, {"who": who}).status_code == 404, who
        assert browser.get(f"{URL}rows/", {"kpi": "csat", "period": "2026-10", "who": who}).status_code == 404, who
    lead = sign_in(cast.lea)
    assert lead.get(URL, {"who": f"person-{cast.bo.pk}"}).status_code == 200
    assert lead.get(URL, {"who": "tenant"}).status_code == 404
    assert sign_in(cast.eve).get(URL, {"who": f"team-{10**9}"}).status_code == 404


def test_a_score_card_says_what_each_kpi_adds(cast, sign_in, answers):
    card = text(sign_in(cast.ann).get(f"{URL}card/{cast.ann.pk}/", {"period": "2026-10"}))
    assert "measured as Sales" in card
    assert "counts 66.7%" in card
    assert sign_in(cast.ann).get(f"{URL}card/{cast.bo.pk}/").status_code == 403
    assert "Not measured" in text(sign_in(cast.eve).get(f"{URL}card/{cast.eve.pk}/"))
    board = text(sign_in(cast.lea).get(URL, {"period": "2026-10"}))
    assert f"/acme/kpis/card/{cast.ann.pk}/?period=2026-10" in board


def test_a_lead_closes_a_period_and_a_correction_shows_beside_it(cast, sign_in, answers):
    browser = sign_in(cast.lea)
    assert "Close the period" in text(browser.get(URL, {"period": "2026-10"}))
    assert "Close the period" not in text(browser.get(URL, {"period": "2026-11"}))
    refused = browser.post(f"{URL}2026-11/close/")
    assert "still runs" in text(refused)
    assert browser.post(f"{URL}2026-10/close/").status_code == 302
    with tenant_scope(cast.tenant):
        assert KpiClosing.objects.get().closed_by == cast.lea
        customer = Customer.objects.get(name__startswith="Huaxin")
        SurveyResponse.objects.create(
            customer=customer, kind="csat", score=1, at=cast.tenant.start_of(dt.date(2026, 10, 7))
        )
    assert "Lea closed" in text(browser.post(f"{URL}2026-10/close/"))
    assert browser.post(f"{URL}2026-10/again/").status_code == 302
    page = text(browser.get(URL, {"period": "2026-10"}))
    assert "90%" in page
    assert "81.8%" in page
    assert "1 value is another one" in page
    rows = {"kpi": "csat", "period": "2026-10", "who": f"team-{cast.lea.team_id}"}
    assert "The period is closed at 90%" in text(browser.get(f"{URL}rows/", rows))
    assert browser.post(f"{URL}2026-11/again/", follow=True).status_code == 200


def test_a_lead_says_what_people_are_measured_as(cast, sign_in):
    browser = sign_in(cast.lea)
    assert (
        browser.post(f"{URL}people/{cast.ann.pk}/job/", {"job": "service", "from_on": "2026-11-01"}).status_code == 302
    )
    said = {"who": f"person-{cast.ann.pk}", "kpi": "csat", "from_on": "2026-11-01"}
    assert "say more than 0" in text(browser.post(f"{URL}targets/add/", said | {"target": "0"}))
    assert browser.post(f"{URL}targets/add/", said | {"target": "85.5"}).status_code == 302
    assert browser.get(f"{URL}people/{cast.lea.pk}/job/").status_code == 200
    assert "nobody for themselves" in text(
        browser.post(f"{URL}people/{cast.lea.pk}/job/", {"job": "service", "from_on": "2026-11-01"})
    )
    page = text(browser.get(f"{URL}people/"))
    assert "Satisfaction (CSAT) 85.5% from" in page
    with tenant_scope(cast.tenant):
        assert (MemberJob.objects.get().job, KpiTarget.objects.get().target) == ("service", 85.5)


def test_every_kpi_has_rows_that_open(cast, sign_in):
    with tenant_scope(cast.tenant):
        customer = Customer.objects.create(name="Grows", owner_a=cast.ann)
        for year, money in ((2024, 1), (2025, 50), (2026, 75)):
            day = dt.date(year, 10, 5)
            Order.objects.create(
                customer=customer, external_id=str(year), placed_at=cast.tenant.start_of(day), placed_on=day,
                currency="GBP", net=money, digest="",
            )  # fmt: skip
        refresh_activity(list(Order.objects.values_list("customer_id", "placed_on")))
    browser = sign_in(cast.ann)
    codes = browser.get(URL, {"period": "2026-W43"}).content.decode().count('scope="row"')
    assert codes == 12
    week = {"kpi": "value_growth", "period": "2026-W41", "who": f"person-{cast.ann.pk}"}
    assert "25 on 50" in text(browser.get(f"{URL}rows/", week))
