"""It: adding and changing customers, contacts, talks and complaints, as a page and in the dialog."""

import datetime as dt
import re

import pytest

from customers.models import Complaint, Contact, Customer, Interaction
from followups.models import FollowUp
from tenants.context import tenant_scope
from tenants.models import Event
from tests.pages.conftest import FRIDAY, HX, text


@pytest.fixture
def customer(cast):
    return cast.customer()


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def stored(cast):
    """All rows of a model in acme."""

    def rows(model, **where):
        with tenant_scope(cast.tenant):
            return list(model.objects.filter(**where))

    return rows


LOG = {"channel": "phone", "kind": "deep_talk", "direction": "outbound", "at": "2026-11-20T10:30", "answered": "no"}


def test_logs_a_contact(cast, ann, customer, stored, noon):
    address = f"/acme/customers/{customer.pk}/log/"
    answer = ann.post(address, LOG | {"topic": "Prices", "note": "asks again"}, follow=True)
    assert answer.redirect_chain[-1][0] == f"/acme/customers/{customer.pk}/"
    assert "The contact is logged." in text(answer)
    (row,) = stored(Interaction)
    assert (row.member_id, row.channel, row.kind, row.answered, row.note) == (
        cast.ann.pk, "phone", "deep_talk", False, "asks again",
    )  # fmt: skip
    assert row.at == dt.datetime(2026, 11, 20, 10, 30, tzinfo=dt.UTC)
    assert [event.verb for event in stored(Event, object_type="interaction")] == ["logged"]


def test_offers_the_contacts_of_this_customer_alone(cast, ann, customer):
    with tenant_scope(cast.tenant):
        Contact.objects.create(customer=customer, name="Liu Fang")
        Contact.objects.create(customer=cast.customer("Other"), name="Zhang")
        Contact.objects.create(customer=customer, name="He Min", left_on=FRIDAY)
    page = text(ann.get(f"/acme/customers/{customer.pk}/log/"))
    assert "Liu Fang" in page
    assert "Zhang" not in page
    assert "He Min" not in page


def test_refuses_a_contact_person_of_another_customer(cast, ann, customer, stored, noon):
    with tenant_scope(cast.tenant):
        other = Contact.objects.create(customer=cast.customer("Other"), name="Zhang")
    page = ann.post(f"/acme/customers/{customer.pk}/log/", LOG | {"contact": other.pk})
    assert "is-invalid" in text(page)
    assert stored(Interaction) == []


def test_refuses_a_contact_in_the_future_and_keeps_what_was_typed(ann, customer, stored, noon):
    page = text(ann.post(f"/acme/customers/{customer.pk}/log/", LOG | {"at": "2026-12-24T10:00", "note": "long story"}))
    assert "cannot be logged before it happened" in page
    assert "long story" in page
    assert 'aria-invalid="true"' in page
    assert stored(Interaction) == []


def test_opens_in_the_dialog(ann, customer):
    fragment = text(ann.get(f"/acme/customers/{customer.pk}/log/", headers=HX))
    assert "<html" not in fragment
    assert 'hx-target="#dialog-body"' in fragment


def test_stays_in_the_dialog_with_an_error_and_leaves_it_after_saving(ann, customer, noon):
    address = f"/acme/customers/{customer.pk}/log/"
    wrong = ann.post(address, LOG | {"channel": "pigeon"}, headers=HX)
    assert wrong.status_code == 200
    assert "is-invalid" in text(wrong)
    assert ann.post(address, LOG, headers=HX)["HX-Redirect"] == f"/acme/customers/{customer.pk}/"


def test_adds_a_contact_person(ann, customer, stored):
    ann.post(
        f"/acme/customers/{customer.pk}/contacts/add/",
        {"name": "Liu Fang", "channel": "wechat", "birthday": "1980-12-03", "consent": "given", "is_main": "on"},
    )
    (row,) = stored(Contact)
    assert (row.name, row.channel, row.birthday, row.consent, row.is_main) == (
        "Liu Fang", "wechat", dt.date(1980, 12, 3), "given", True,
    )  # fmt: skip


def test_says_at_the_field_what_is_wrong_with_a_contact_person(ann, customer):
    page = text(
        ann.post(f"/acme/customers/{customer.pk}/contacts/add/", {"name": "", "email": "x", "consent": "given"})
    )
    assert page.count("invalid-feedback") == 2


def test_changes_a_contact_person(cast, ann, customer, stored):
    with tenant_scope(cast.tenant):
        row = Contact.objects.create(customer=customer, name="Liu Fang", phone="1")
    assert 'value="Liu Fang"' in text(ann.get(f"/acme/contacts/{row.pk}/"))
    ann.post(
        f"/acme/contacts/{row.pk}/", {"name": "Liu Fang", "phone": "2", "consent": "withdrawn", "left_on": "2026-11-01"}
    )
    (row,) = stored(Contact)
    assert (row.phone, row.consent, row.left_on) == ("2", "withdrawn", dt.date(2026, 11, 1))


def test_writes_down_a_complaint_and_that_it_is_solved(ann, customer, stored, placed, noon):
    (order,) = placed(customer, 5)
    ann.post(
        f"/acme/customers/{customer.pk}/complaints/add/",
        {"topic": "Chipped", "severity": "serious", "opened_at": "2026-11-19T09:00", "order": order.pk},
    )
    (row,) = stored(Complaint)
    assert (row.topic, row.severity, row.order_id) == ("Chipped", "serious", order.pk)
    ann.post(f"/acme/complaints/{row.pk}/solve/", {"first_time": "no"})
    (row,) = stored(Complaint)
    assert (row.solved_at is not None, row.first_time) == (True, False)
    assert ann.post(f"/acme/complaints/{row.pk}/solve/", {"first_time": "yes"}).status_code == 404


def test_adds_a_customer_that_its_maker_then_owns(cast, ann, stored):
    answer = ann.post("/acme/customers/add/", {"name": "New & Co", "tags": "tiles, export，tiles"}, follow=True)
    assert "New &amp; Co is added." in text(answer)
    (row,) = stored(Customer)
    with tenant_scope(cast.tenant):
        assert sorted(tag.name for tag in row.tags.all()) == ["export", "tiles"]
        assert row.owner_a == cast.ann


def test_lets_a_lead_say_whose_a_new_customer_is(cast, sign_in, stored):
    sign_in(cast.lea).post("/acme/customers/add/", {"name": "New", "owner_a": cast.bo.pk})
    assert stored(Customer)[0].owner_a_id == cast.bo.pk


def test_changes_a_customer(cast, ann, customer, stored):
    page = text(ann.get(f"/acme/customers/{customer.pk}/edit/"))
    assert 'value="Huaxin Building Materials"' in page
    assert "owner_a" not in page
    ann.post(f"/acme/customers/{customer.pk}/edit/", {"name": "Huaxin", "city": "Foshan", "note": "Likes oolong"})
    row = stored(Customer)[0]
    assert (row.name, row.city, row.note, row.owner_a_id) == ("Huaxin", "Foshan", "Likes oolong", cast.ann.pk)
    assert stored(Event, object_type="customer")[-1].changes["city"] == ["", "Foshan"]


def test_asks_for_the_potential_and_shows_it(ann, customer, stored):
    fields = {"name": customer.name, "industry_position": "4", "growth_potential": "high"}
    page = text(ann.post(f"/acme/customers/{customer.pk}/edit/", fields, follow=True))
    assert "4 of 5" in page
    row = stored(Customer)[0]
    assert (row.industry_position, row.growth_potential) == (4, "high")
    page = text(ann.get(f"/acme/customers/{customer.pk}/edit/"))
    assert re.findall(r'<option value="(\w+)" *selected', page) == ["4", "high"]
    ann.post(f"/acme/customers/{customer.pk}/edit/", {"name": customer.name})
    assert (stored(Customer)[0].industry_position, stored(Customer)[0].growth_potential) == (None, "")
    page = text(ann.post(f"/acme/customers/{customer.pk}/edit/", fields | {"industry_position": "9"}))
    assert "is-invalid" in page


def test_moves_open_follow_ups_when_a_lead_changes_the_owner(cast, sign_in, customer, stored):
    with tenant_scope(cast.tenant):
        FollowUp.objects.create(
            customer=customer, assignee=cast.ann, kind="light_touch", rule="manual", period="1", due_on=FRIDAY
        )
    fields = {"name": customer.name, "owner_a": cast.bo.pk, "owner_b": ""}
    sign_in(cast.lea).post(f"/acme/customers/{customer.pk}/edit/", fields)
    assert (stored(Customer)[0].owner_a_id, stored(Customer)[0].owner_b_id) == (cast.bo.pk, None)
    assert stored(FollowUp)[0].assignee_id == cast.bo.pk


def test_refuses_the_same_person_as_both_owners(cast, sign_in, customer, stored):
    fields = {"name": "Renamed", "owner_a": cast.bo.pk, "owner_b": cast.bo.pk}
    page = sign_in(cast.lea).post(f"/acme/customers/{customer.pk}/edit/", fields)
    assert "somebody else" in text(page)
    row = stored(Customer)[0]
    assert (row.name, row.owner_a_id) == (customer.name, cast.ann.pk)


@pytest.mark.parametrize("path", ["customers/{0}/log/", "customers/{0}/edit/", "customers/{0}/contacts/add/"])
def test_is_not_there_for_who_does_not_see_the_customer(cast, sign_in, path):
    hidden = cast.customer(owner_a=cast.bo, owner_b=None)
    assert sign_in(cast.ann).get(f"/acme/{path.format(hidden.pk)}").status_code == 404
    assert sign_in(cast.ann).post(f"/acme/{path.format(hidden.pk)}", LOG).status_code == 404


@pytest.mark.parametrize("path", ["customers/add/", "customers/{0}/edit/", "customers/{0}/log/"])
def test_refuses_who_only_looks_on(cast, sign_in, customer, path):
    assert sign_in(cast.eve).post(f"/acme/{path.format(customer.pk)}", {"name": "X"}).status_code == 403
