"""It: the pages of coverage, the rows behind their numbers, and the year ahead."""

from __future__ import annotations

import datetime as dt

import pytest

from customers.models import Interaction
from followups.models import FollowUp
from segmentation.models import Standing, TierChange
from tenants.context import tenant_scope
from tests.pages.conftest import FRIDAY, HX, text

URL = "/acme/coverage/"
DAY = dt.timedelta(days=1)

pytestmark = pytest.mark.usefixtures("noon")


@pytest.fixture
def planned(cast):
    """Two gold touches due on Tuesday: Huaxin's was made on Monday, Brook's was not."""
    due = FRIDAY - 3 * DAY
    for name, made in (("Huaxin", True), ("Brook", False)):
        customer = cast.customer(name)
        with tenant_scope(cast.tenant):
            Standing.objects.create(customer=customer, frequency=1, monetary=1, policy_version=1, tier="gold")
            TierChange.objects.create(customer=customer, on=FRIDAY - 90 * DAY, after="gold", policy_version=1)
            FollowUp.objects.create(
                customer=customer,
                assignee=cast.ann,
                kind="light_touch",
                rule="cadence:light_touch",
                period="start",
                due_on=due,
            )
            if made:
                at = cast.tenant.start_of(due - DAY)
                Interaction.objects.create(customer=customer, channel="phone", kind="light_touch", at=at)


def test_says_who_was_touched_in_time_by_tier_and_person(cast, sign_in, planned):
    page = text(sign_in(cast.lea).get(URL))
    assert page.count("50%") == 3  # of all, of gold, of Ann
    assert "of 2 that were due" in page
    assert f"{URL}rows/?due_from=2026-10-22&amp;due_to=2026-11-20&amp;tier=gold&amp;state=missed" in page
    later = text(sign_in(cast.lea).get(URL, {"first": "2026-11-18", "last": "2026-11-20"}))
    assert "No touch was planned in these days" in later
    sheet = text(sign_in(cast.lea).get(URL, {"export": "csv"})).lstrip("\ufeff").splitlines()
    assert sheet[1] == "Gold,Ann,2,1,0,1,0,0.5"


def test_opens_the_rows_behind_each_number(cast, sign_in, planned):
    lea, span = sign_in(cast.lea), {"due_from": "2026-10-22", "due_to": "2026-11-20"}

    def names(**query):
        page = text(lea.get(f"{URL}rows/", span | query, headers=HX))
        return {name for name in ("Huaxin", "Brook") if name in page}

    assert names() == {"Huaxin", "Brook"}
    assert names(state="in_time") == {"Huaxin"}
    assert names(state="missed", tier="gold", person=str(cast.ann.pk)) == {"Brook"}
    assert names(state="late") == names(tier="none") == names(person="none") == names(kind="review") == set()
    for order in ("due_on", "-due_on", "customer", "kind"):
        assert names(sort=order) == {"Huaxin", "Brook"}
    sheet = text(lea.get(f"{URL}rows/", span | {"export": "csv", "state": "in_time"})).lstrip("\ufeff").splitlines()
    assert sheet[1] == "Huaxin,Gold,Light touch,Ann,2026-11-17,2026-11-16,in time"


def test_shows_the_year_ahead_by_person_and_month(cast, sign_in, planned):
    lea = sign_in(cast.lea)
    page = text(lea.get(f"{URL}year/"))
    assert "touches for 2 customers" in page
    assert "Dec 2026" in page
    assert "for 0 customers" in text(lea.get(f"{URL}year/", {"person": cast.bo.pk}))
    sheet = text(lea.get(f"{URL}year/", {"export": "csv"})).lstrip("\ufeff").splitlines()
    assert sheet[0] == "Day,Customer,Kind,Person,Asked for on"
    assert len(sheet) > 60
    days = [dt.date.fromisoformat(line.split(",")[0]) for line in sheet[1:]]
    assert days == sorted(days)
    assert not [day for day in days if day.isoweekday() > 5]


@pytest.mark.parametrize(
    "path",
    ["?who=ann", "?first=2026-11-20&last=2026-11-01", "?first=x", "?first=2020-01-01&last=2026-01-01", "rows/?who=ann",
     "rows/?sort=tier", "year/?person=999999", "year/?months=3"],
)  # fmt: skip
def test_refuses_what_it_does_not_have(cast, sign_in, path):
    assert sign_in(cast.lea).get(f"{URL}{path}").status_code == 400


def test_lets_nobody_take_data_out_who_may_not(cast, sign_in, planned):
    ian = sign_in(cast.ian)
    for path in ("?export=csv", "rows/?export=csv", "year/?export=csv"):
        assert ian.get(f"{URL}{path}").status_code == 403
