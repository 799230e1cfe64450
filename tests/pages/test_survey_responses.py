"""It: writing down what a customer answered, finding it in the timeline, and who would recommend us."""

import datetime as dt
import re

import pytest

from customers.models import Arrival, Complaint, Contact, Interaction, SurveyResponse
from tenants.context import tenant_scope
from tests.pages.conftest import HX, NOON, text
from tests.pages.test_timeline import lines, read

FORM = {"kind": "nps", "score": "9", "at": "2026-11-20T10:30", "text": "Always on time"}


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def customer(cast):
    return cast.customer()


@pytest.fixture
def liu(cast, customer):
    with tenant_scope(cast.tenant):
        return Contact.objects.create(customer=customer, name="Liu Fang")


@pytest.fixture
def stored(cast):
    def rows():
        with tenant_scope(cast.tenant):
            return list(SurveyResponse.objects.select_related("contact", "complaint").order_by("pk"))

    return rows


@pytest.fixture
def answered(cast, customer):
    """An answer of the customer, so many days before."""

    def make(days=1, **fields):
        with tenant_scope(cast.tenant):
            usual = {"customer": customer, "kind": "nps", "score": 9, "at": NOON - dt.timedelta(days=days)}
            return SurveyResponse.objects.create(**(usual | fields))

    return make


def test_writes_it_down(cast, ann, customer, liu, stored, noon):
    with tenant_scope(cast.tenant):
        complaint = Complaint.objects.create(customer=customer, topic="Chipped")
    address = f"/acme/customers/{customer.pk}/survey-responses/add/"
    answer = ann.post(address, FORM | {"contact": liu.pk, "complaint": complaint.pk}, follow=True)
    assert answer.redirect_chain[-1][0] == f"/acme/customers/{customer.pk}/"
    assert "The survey response is written down." in text(answer)
    (row,) = stored()
    assert (row.kind, row.score, row.contact, row.complaint, row.text) == (
        "nps", 9, liu, complaint, "Always on time",
    )  # fmt: skip
    assert row.at == dt.datetime(2026, 11, 20, 10, 30, tzinfo=dt.UTC)
    with tenant_scope(cast.tenant):
        assert Arrival.objects.get().customer_id == customer.pk


def test_says_at_the_score_that_it_is_beside_the_scale_and_keeps_what_was_typed(ann, customer, stored, noon):
    address = f"/acme/customers/{customer.pk}/survey-responses/add/"
    wrong = text(ann.post(address, FORM | {"kind": "csat"}, headers=HX))
    assert "<html" not in wrong
    assert "CSAT is asked from 1 to 5." in wrong
    assert wrong.count("invalid-feedback") == 1
    assert "Always on time" in wrong
    assert stored() == []
    assert ann.post(address, FORM, headers=HX)["HX-Redirect"] == f"/acme/customers/{customer.pk}/"


def test_offers_the_people_and_complaints_of_this_customer_alone(cast, ann, customer, liu):
    with tenant_scope(cast.tenant):
        other = cast.customer("Other")
        Contact.objects.create(customer=other, name="Zhang")
        Complaint.objects.create(customer=other, topic="Theirs")
        Contact.objects.create(customer=customer, name="He Min", left_on=NOON.date())
        Complaint.objects.create(customer=customer, topic="Chipped")
    page = text(ann.get(f"/acme/customers/{customer.pk}/survey-responses/add/"))
    assert ">Liu Fang<" in page
    assert ">Chipped<" in page
    for word in ("Zhang", "Theirs", "He Min"):
        assert word not in page


def test_changes_it_and_keeps_who_has_left_since(cast, ann, customer, liu, answered, stored, noon):
    row = answered(contact=liu, score=3)
    with tenant_scope(cast.tenant):
        Contact.objects.update(left_on=NOON.date())
    page = text(ann.get(f"/acme/survey-responses/{row.pk}/"))
    assert 'value="3"' in page
    assert f'<option value="{liu.pk}" selected' in page
    ann.post(f"/acme/survey-responses/{row.pk}/", FORM | {"score": "8", "contact": liu.pk})
    (row,) = stored()
    assert (row.score, row.contact, row.text) == (8, liu, "Always on time")


@pytest.mark.parametrize("path", ["customers/{0.pk}/survey-responses/add/", "survey-responses/{1.pk}/"])
def test_is_not_there_for_who_does_not_see_the_customer(cast, ann, answered, path):
    hidden = cast.customer(owner_a=cast.bo, owner_b=None)
    address = f"/acme/{path.format(hidden, answered(customer=hidden))}"
    assert ann.get(address).status_code == 404
    assert ann.post(address, FORM).status_code == 404


def test_lists_the_newest_on_the_customers_page(ann, customer, liu, answered, noon):
    for days in range(1, 8):
        answered(days, kind="csat", score=4, text=f"Word {days}", contact=liu if days == 1 else None)
    page = text(ann.get(f"/acme/customers/{customer.pk}/?all=yes"))
    card = page.split('id="survey-title"')[1].split("</section>")[0]
    assert [f"Word {days}" in card for days in range(1, 8)] == [True] * 5 + [False] * 2
    assert "4 of 5" in card
    assert "Liu Fang" in card


def test_says_what_is_missing_as_long_as_nobody_has_answered(ann, customer):
    assert "Nobody has answered yet." in text(ann.get(f"/acme/customers/{customer.pk}/?all=yes"))


@pytest.mark.parametrize(("score", "word"), [(10, "promoter"), (7, "passive"), (6, "detractor")])
def test_shows_each_persons_latest_nps_beside_the_name(cast, ann, customer, liu, answered, noon, score, word):
    with tenant_scope(cast.tenant):
        Contact.objects.create(customer=customer, name="Zhang")
    answered(30, contact=liu, score=1)
    answered(20, contact=liu, score=score)
    answered(5, contact=liu, kind="csat", score=2)
    answered(4, score=0)  # of nobody named
    people = text(ann.get(f"/acme/customers/{customer.pk}/")).split('id="contacts-title"')[1].split("</section>")[0]
    assert people.count("NPS") == 1
    assert f"NPS {score}, {word}" in " ".join(people.split())
    assert "31 Oct" in people


def test_tells_it_in_the_timeline_among_the_contacts(cast, ann, customer, liu, answered, noon):
    with tenant_scope(cast.tenant):
        complaint = Complaint.objects.create(customer=customer, topic="Chipped", opened_at=NOON - dt.timedelta(days=9))
        Interaction.objects.create(
            customer=customer, channel="phone", topic="Prices", at=NOON - dt.timedelta(days=3), about_competitor=True
        )
    answered(2, contact=liu, score=6)
    answered(4, kind="csat", score=4, complaint=complaint, text="Took a while")
    page = read(ann, customer, "?tab=contacts")
    assert lines(page) == [
        "NPS 6 , detractor, from Liu Fang", "Prices asked about a competitor", "CSAT 4 of 5", "Complaint: Chipped",
    ]  # fmt: skip
    assert "About the complaint: Chipped" in text(page)
    assert "Took a while" in text(page)
    assert re.search(r'aria-current="true"[^>]+tab=contacts"[^>]*>\w+ <span class="mute">4<', text(page))


def test_pages_through_answers_without_losing_or_repeating_any(ann, customer, answered, noon):
    for n in range(25):
        answered(1, kind="csat", score=1 + n % 5, text=f"Word {n}.")
    first = text(read(ann, customer, "?tab=contacts", headers=HX))
    mark = re.search(r"before=([\d.-]+)", first)[1]
    older = text(read(ann, customer, f"?tab=contacts&before={mark}", headers=HX))
    seen = re.findall(r"Word \d+", first + older)
    assert len(seen) == len(set(seen)) == 25


def test_logs_that_a_customer_asked_about_a_competitor(cast, ann, customer, noon):
    said = {
        "channel": "phone",
        "kind": "light_touch",
        "direction": "inbound",
        "at": "2026-11-20T10:30",
        "answered": "yes",
    }
    ann.post(f"/acme/customers/{customer.pk}/log/", said | {"about_competitor": "on", "leaving": "considers"})
    ann.post(f"/acme/customers/{customer.pk}/log/", said)
    with tenant_scope(cast.tenant):
        found = Interaction.objects.order_by("pk").values_list("about_competitor", flat=True)
        assert list(found) == [True, False]
        assert list(Interaction.objects.order_by("pk").values_list("leaving", flat=True)) == ["considers", ""]
