"""It: lists journeys with who is in them, edits one with a look at who would enter, and shows a customer's place."""

import datetime as dt

import pytest

from customers.models import Complaint, Product
from followups.journeys import services as journeys
from followups.journeys import walking
from followups.models import Announcement, DutyHolder, Enrolment, FollowUp, Journey
from tenants.context import tenant_scope
from tests.pages.conftest import NOON, text

URL = "/acme/journeys/"
HOUR = dt.timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("noon")


@pytest.fixture
def lea(cast, sign_in):
    return sign_in(cast.lea)


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def shipped(cast):
    with tenant_scope(cast.tenant):
        journeys.ensure_journeys(NOON - dt.timedelta(days=60))
        return {row.code: row.pk for row in Journey.objects.all()}


@pytest.fixture
def under_way(cast, shipped):
    """A customer whose complaint about the delivery is being solved."""
    customer = cast.customer("Brook & Sons")
    with tenant_scope(cast.tenant):
        Complaint.objects.create(customer=customer, topic="Late delivery", opened_at=NOON - HOUR)
        walking.enter(walking.journeys_on(), NOON)
        walking.walk([customer.pk], NOON)
    return customer


STEP = {
    "step-0-code": "call", "step-0-how": "follow_up", "step-0-kind": "light_touch", "step-0-channel": "phone",
    "step-0-duty": "owner", "step-0-level": "routine", "step-0-after_hours": "0", "step-0-within_hours": "48",
}  # fmt: skip
FORM = {
    "code": "own",
    "name": "Own",
    "trigger": "silence",
    "days": "30",
    "priority": "5",
    "wait_days": "14",
    "steps": "1",
}


def test_puts_what_ships_there_and_says_what_each_begins_with(ann):
    page = text(ann.get(URL))
    assert "After the first order" in page
    assert "no order for 90 days" in page
    assert "Thank-you letter → Call → First value report" in page


def test_refuses_parameters_that_it_does_not_have(ann):
    assert ann.get(f"{URL}?colour=red").status_code == 400
    assert ann.get(f"{URL}?export=xlsx").status_code == 400
    assert ann.get(f"{URL}people/?colour=red").status_code == 400


def test_exports_the_journeys_and_who_is_in_them(ann, under_way):
    assert "Complained about logistics" in text(ann.get(f"{URL}?export=csv"))
    lines = text(ann.get(f"{URL}people/?export=csv")).splitlines()
    assert lines[1].startswith("Brook & Sons,Complained about logistics,under way")


def test_counts_who_is_in_it_and_opens_them(ann, shipped, under_way):
    address = f"{URL}people/?journey={shipped['logistics']}&amp;status=active"
    assert f'href="{address}">1</a>' in text(ann.get(URL))
    page = text(ann.get(address.replace("&amp;", "&")))
    assert "Brook &amp; Sons" in page
    assert "1 place in a journey" in page


def test_shows_no_customer_of_others(cast, sign_in, shipped, under_way):
    with tenant_scope(cast.tenant):
        type(under_way).objects.filter(pk=under_way.pk).update(owner_a=cast.bo, owner_b=None)
    ann = sign_in(cast.ann)
    assert "Brook" not in text(ann.get(f"{URL}people/"))
    page = text(ann.get(f"{URL}{shipped['logistics']}/"))
    assert "Brook" not in page
    assert "1 of them is not yours to see" in page


def test_shows_the_steps_and_who_would_enter(cast, ann, shipped, under_way):
    page = text(ann.get(f"{URL}{shipped['logistics']}/"))
    assert "a complaint that names: logistics, delivery" in page
    assert "within 24 hours" in page
    assert "After-sales" in page
    assert "1 customer since" in page
    assert "complaint: Late delivery" in page


def test_shows_a_customers_place_and_takes_it_out(cast, ann, under_way):
    page = text(ann.get(f"/acme/customers/{under_way.pk}/"))
    assert "Complained about logistics" in page
    assert "1 of 1 steps" in page
    with tenant_scope(cast.tenant):
        row = Enrolment.objects.get()
    page = text(ann.post(f"{URL}people/{row.pk}/out/", follow=True))
    assert "is out of “Complained about logistics”." in page
    assert "somebody took the customer out" in page
    assert "was out of" in text(ann.post(f"{URL}people/{row.pk}/out/", follow=True))
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.get().status == "cancelled"


def test_says_for_what_a_waiting_journey_waits(cast, ann, shipped, under_way):
    with tenant_scope(cast.tenant):
        Enrolment.objects.create(
            journey_id=shipped["silent"], customer=under_way, event="silence:2026-08-22", event_at=NOON, base_at=NOON,
            waits_since=NOON, next_at=NOON,
        )  # fmt: skip
        walking.walk([under_way.pk], NOON)
    assert "“Complained about logistics” goes first" in text(ann.get(f"/acme/customers/{under_way.pk}/"))


def test_says_nothing_of_journeys_where_there_is_none(cast, ann):
    assert 'id="journeys"' not in text(ann.get(f"/acme/customers/{cast.customer().pk}/"))


def test_makes_a_journey_that_is_off_until_it_is_switched_on(cast, lea):
    page = text(lea.post(f"{URL}add/", FORM | STEP, follow=True))
    assert "It is switched off until you switch it on." in page
    with tenant_scope(cast.tenant):
        row = Journey.objects.get(code="own")
        assert (row.is_on, row.rules.days, row.rules.steps[0].within_hours) == (False, 30, 48)
    assert "is switched on" in text(lea.post(f"{URL}{row.pk}/switch/", {"on": "1"}, follow=True))
    assert "was so already" in text(lea.post(f"{URL}{row.pk}/switch/", {"on": "1"}, follow=True))
    assert "is taken out" in text(lea.post(f"{URL}{row.pk}/switch/", {"on": "0"}, follow=True))


def test_shows_who_would_enter_before_it_is_saved(cast, lea, under_way):
    form = FORM | STEP | {"trigger": "complaint_opened", "words": "delivery", "try": "1"}
    page = text(lea.post(f"{URL}add/", form))
    assert "1 customer since" in page
    assert "Brook &amp; Sons" in page
    with tenant_scope(cast.tenant):
        assert not Journey.objects.filter(code="own").exists()
        assert Enrolment.objects.count() == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"step-0-code": ""}, "steps"),
        ({"step-0-within_hours": "5", "step-0-after_hours": "9"}, "a step cannot be due before it begins"),
        ({"step-0-how": "message"}, "a message needs a script"),
        ({"trigger": "asked"}, "say which words to look for"),
        ({"code": "Not so"}, "slug"),
        ({"step-0-name": "Named", "step-0-code": ""}, "A step needs a code."),
        ({"name": ""}, "This is needed."),
    ],
)
def test_says_what_is_wrong_and_keeps_what_was_typed(cast, lea, changed, words):
    page = text(lea.post(f"{URL}add/", FORM | STEP | {"countries": "Norway, Spain"} | changed))
    assert words in page
    assert "Norway, Spain" in page
    with tenant_scope(cast.tenant):
        assert not Journey.objects.exclude(code__in=["none"]).filter(name="Own").exists()


def test_changes_a_journey_and_keeps_its_code(cast, lea, shipped):
    page = text(lea.get(f"{URL}{shipped['silent']}/edit/"))
    assert 'name="step-0-code" value="ask"' in page
    lea.post(f"{URL}{shipped['silent']}/edit/", FORM | STEP | {"days": "60"})
    with tenant_scope(cast.tenant):
        row = Journey.objects.get(pk=shipped["silent"])
    assert (row.code, row.name, row.rules.days, row.version) == ("silent", "Own", 60, 2)


def test_announces_a_product_by_its_number_or_name(cast, lea, shipped):
    with tenant_scope(cast.tenant):
        Product.objects.create(external_id="P-1", name="Glazed tile")
        Product.objects.create(external_id="P-2", name="Grout")
        Product.objects.create(external_id="P-3", name="grout")
    address = f"{URL}announce/"
    assert "There is no product" in text(lea.post(address, {"product": "P-9"}))
    assert "say the number" in text(lea.post(address, {"product": "Grout"}))
    assert "is announced" in text(lea.post(address, {"product": "glazed TILE"}, follow=True))
    assert "was announced before" in text(lea.post(address, {"product": "P-1"}, follow=True))
    with tenant_scope(cast.tenant):
        assert Announcement.objects.get().member == cast.lea


def test_names_who_does_what(cast, lea, shipped):
    page = text(lea.get(f"{URL}duties/"))
    assert "Product manager" in page
    data = {"product": cast.ada.pk, "after_sales": "", "executive": ""}
    assert "It is noted who does what." in text(lea.post(f"{URL}duties/", data, follow=True))
    with tenant_scope(cast.tenant):
        assert DutyHolder.objects.get().member == cast.ada
    lea.post(f"{URL}duties/", {"product": "", "after_sales": "", "executive": ""})
    with tenant_scope(cast.tenant):
        assert not DutyHolder.objects.exists()
