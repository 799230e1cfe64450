"""It: shows the board with what is due first, leads through the four steps, and opens the rows behind each number."""

import datetime as dt

import pytest

from customers.models import Complaint
from customers.services import open_complaint
from risk.complaints import services as complaints
from risk.models import TopicHolder
from tenants.context import tenant_scope
from tests.pages.conftest import HX, NOON, text

URL = "/acme/complaints/"
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)

pytestmark = pytest.mark.usefixtures("noon")


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def late(cast):
    """A complaint that was handed on yesterday and whose apology is late."""
    with tenant_scope(cast.tenant):
        made = open_complaint(
            customer=cast.customer("Brook & Sons"), topic="Late delivery", text="Ten days", opened_at=NOON - DAY
        )
        Complaint.objects.filter(pk=made.pk).update(created_at=NOON - DAY)
        complaints.route_due(NOON - DAY)
    return made.pk


def row(cast, pk):
    with tenant_scope(cast.tenant):
        return Complaint.objects.get(pk=pk)


def test_lists_what_is_due_first_and_counts_what_waits(ann, cast, late):
    with tenant_scope(cast.tenant):
        open_complaint(customer=cast.customer("Ash"), topic="Wrong price", opened_at=NOON)
        complaints.route_due(NOON)
        hidden = cast.customer("Hidden", owner_a=cast.bo, owner_b=None)
        open_complaint(customer=hidden, topic="Secret", opened_at=NOON)
        complaints.route_due(NOON)
    page = text(ann.get(URL))
    assert page.index("Late delivery") < page.index("Wrong price")
    assert "2 to do" in page
    assert "1 late" in page
    assert "Secret" not in page
    assert "Wrong price" not in text(ann.get(f"{URL}?state=late", headers=HX))
    assert "Late delivery" not in text(ann.get(f"{URL}?kind=billing", headers=HX))
    assert "Late delivery" in text(ann.get(f"{URL}?q=brook", headers=HX))
    assert ann.get(f"{URL}?colour=red").status_code == 400
    lines = text(ann.get(f"{URL}?export=csv&columns=topic&columns=step")).splitlines()
    assert lines[1:] == ["Late delivery,apologise", "Wrong price,apologise"]


def test_leads_through_the_four_steps(ann, cast, late):
    page = text(ann.get(f"{URL}{late}/"))
    assert "was due 19 Nov 14:00" in page
    assert f"{URL}{late}/do/apologise/" in page
    assert f"{URL}{late}/do/call-back/" not in page
    assert ann.post(f"{URL}{late}/do/apologise/", {"note": "Sorry"}).status_code == 302
    said = {"until": "2026-11-20T17:00", "note": ""}
    assert ann.post(f"{URL}{late}/do/promise/", said)["Location"] == f"{URL}{late}/"
    assert row(cast, late).promised_until == NOON + 5 * HOUR
    assert ann.post(f"{URL}{late}/do/progress/", {"text": "Found it", "is_told": "on"}).status_code == 302
    assert ann.post(f"{URL}{late}/do/solve/", {"solution": "By courier", "first_time": "yes"}).status_code == 302
    page = text(ann.get(f"{URL}{late}/"))
    assert "By courier" in page
    assert "Found it" in page
    assert "too late" in page  # the apology was
    assert ann.post(f"{URL}{late}/do/call-back/", {"is_content": "yes"}).status_code == 302
    assert (row(cast, late).status, row(cast, late).first_time) == ("closed", True)
    assert "do/apologise" not in text(ann.get(f"{URL}{late}/"))


def test_keeps_what_was_typed_and_says_what_is_wrong(ann, cast, late):
    page = text(ann.post(f"{URL}{late}/do/promise/", {"until": "2026-11-19T17:00", "note": "Soon"}, headers=HX))
    assert "A promised time lies ahead." in page
    assert "Soon" in page
    assert "not solved yet" in text(ann.post(f"{URL}{late}/do/call-back/", {"is_content": "no"}))
    assert row(cast, late).status == "open"


def test_takes_back_and_hands_on(ann, cast, late):
    ann.post(f"{URL}{late}/do/apologise/", {})
    ann.post(f"{URL}{late}/do/take-back/", {})
    assert row(cast, late).status == "open"
    ann.post(f"{URL}{late}/do/hand-on/", {"kind": "quality", "assignee": cast.bo.pk})
    assert (row(cast, late).kind, row(cast, late).assignee_id) == ("quality", cast.bo.pk)


def test_says_when_the_same_was_asked_before(ann, cast, late):
    with tenant_scope(cast.tenant):
        customer = row(cast, late).customer
        for days in (2, 3):
            open_complaint(customer=customer, topic="late DELIVERY", opened_at=NOON - days * DAY)
    assert "asked 3 times in 90 days" in text(ann.get(f"{URL}{late}/"))


def test_a_lead_says_who_gets_which(cast, sign_in):
    lea = sign_in(cast.lea)
    said = dict.fromkeys(Complaint.Kind.values, "") | {"quality": str(cast.bo.pk)}
    assert lea.post(f"{URL}people/", said)["Location"] == URL
    assert f'value="{cast.bo.pk}" selected' in text(lea.get(f"{URL}people/"))
    with tenant_scope(cast.tenant):
        assert TopicHolder.objects.get().topic == "quality"
    assert lea.post(f"{URL}people/", said | {"quality": ""}).status_code == 302
    with tenant_scope(cast.tenant):
        assert not TopicHolder.objects.exists()


def test_tells_first_time_resolution_and_opens_the_rows(ann, cast, late):
    assert "No complaint was opened" in text(ann.get(f"{URL}figures/?since=2026-01-01&until=2026-01-31"))
    with tenant_scope(cast.tenant):
        complaints.solve(complaint=row(cast, late), member=cast.ann, solution="Done", first_time=True)
        again = open_complaint(customer=row(cast, late).customer, topic="Late again", opened_at=NOON - 4 * HOUR)
        complaints.route_due(NOON)
        complaints.solve(complaint=again, member=cast.ann, solution="Done", first_time=False)
    page = text(ann.get(f"{URL}figures/"))
    assert "1 of 2, 9% to 91%" in page
    assert f"{URL}?kind=logistics&amp;state=first_time&amp;since=2026-08-23&amp;until=2026-11-20" in page
    found = text(ann.get(f"{URL}?kind=logistics&state=first_time&since=2026-08-23&until=2026-11-20", headers=HX))
    assert "Late delivery" in found
    assert "Late again" not in found
    late_ones = text(ann.get(f"{URL}?kind=logistics&step_late=apologise", headers=HX))
    assert "Late delivery" in late_ones
    assert "Late again" not in late_ones
    lines = text(ann.get(f"{URL}figures/?export=csv")).splitlines()
    assert lines[1].startswith("Delivery,2,")


def test_explains_an_empty_board_and_shows_the_link_on_the_customers_page(ann, cast, late, sign_in):
    page = text(ann.get(f"/acme/customers/{row(cast, late).customer_id}/?all"))
    assert f'href="{URL}{late}/"' in page
    assert "next step by" in page
    with tenant_scope(cast.tenant):
        Complaint.objects.all().delete()
    assert "No complaints yet" in text(ann.get(URL))
