"""It: writing down, changing and deleting what shows a customer's value, and finding it in the timeline."""

import datetime as dt

import pytest

from customers.models import Evidence, ExternalId
from tenants.context import tenant_scope
from tests.pages.conftest import FRIDAY, HX, text
from tests.pages.test_timeline import lines, read

DAY = FRIDAY - dt.timedelta(days=17)


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def customer(cast):
    return cast.customer()


@pytest.fixture
def stored(cast):
    def rows():
        with tenant_scope(cast.tenant):
            return list(Evidence.objects.select_related("referred"))

    return rows


@pytest.fixture
def noted(cast, customer):
    """A piece of evidence about the customer."""

    def make(**fields):
        with tenant_scope(cast.tenant):
            return Evidence.objects.create(
                **({"customer": customer, "kind": "endorsement", "on": DAY, "note": "A letter"} | fields)
            )

    return make


FORM = {"kind": "endorsement", "on": "2026-11-03", "note": "A letter"}


def test_writes_it_down_with_who_noted_it(cast, ann, customer, stored, noon):
    answer = ann.post(f"/acme/customers/{customer.pk}/evidence/add/", FORM, follow=True)
    assert answer.redirect_chain[-1][0] == f"/acme/customers/{customer.pk}/"
    assert "The evidence is written down." in text(answer)
    (row,) = stored()
    assert (row.customer_id, row.kind, row.on, row.note, row.member_id) == (
        customer.pk, "endorsement", DAY, "A letter", cast.ann.pk,
    )  # fmt: skip


def test_proposes_today(ann, customer, noon):
    assert 'value="2026-11-20"' in text(ann.get(f"/acme/customers/{customer.pk}/evidence/add/"))


def test_stays_in_the_dialog_with_an_error_and_leaves_it_after_saving(ann, customer, stored, noon):
    address = f"/acme/customers/{customer.pk}/evidence/add/"
    wrong = text(ann.post(address, FORM | {"on": "2026-11-21", "note": "long story"}, headers=HX))
    assert "<html" not in wrong
    assert "still to come" in wrong
    assert "long story" in wrong
    assert stored() == []
    assert ann.post(address, FORM, headers=HX)["HX-Redirect"] == f"/acme/customers/{customer.pk}/"


@pytest.mark.parametrize("said", ["Newcomer Ltd", "newcomer ltd", " K-9 "])
def test_knows_who_came_by_name_or_number(cast, ann, customer, stored, noon, said):
    newcomer = cast.customer("Newcomer Ltd")
    with tenant_scope(cast.tenant):
        ExternalId.objects.create(customer=newcomer, source="erp", value="K-9")
    ann.post(f"/acme/customers/{customer.pk}/evidence/add/", FORM | {"kind": "referral", "referred": said})
    assert stored()[0].referred == newcomer


def test_offers_similar_names_for_one_that_nobody_has(cast, ann, customer, stored, noon):
    cast.customer("Newcomer Ltd")
    cast.customer("Newcomer of Bo", owner_a=cast.bo, owner_b=None)
    fields = FORM | {"kind": "referral", "referred": "newcomer"}
    page = text(ann.post(f"/acme/customers/{customer.pk}/evidence/add/", fields))
    assert "Similar names are offered." in page
    assert '<option value="Newcomer Ltd">' in page
    assert "Newcomer of Bo" not in page
    assert stored() == []


def test_asks_which_one_is_meant_by_a_name_that_two_have(cast, ann, customer, stored, noon):
    cast.customer("Twin")
    cast.customer("Twin")
    fields = FORM | {"kind": "referral", "referred": "Twin"}
    assert "write the number" in text(ann.post(f"/acme/customers/{customer.pk}/evidence/add/", fields))
    assert stored() == []


def test_does_not_find_a_colleagues_customer_or_the_customer_itself(cast, ann, customer, stored, noon):
    cast.customer("Hidden", owner_a=cast.bo, owner_b=None)
    for name in ("Hidden", customer.name):
        fields = FORM | {"kind": "referral", "referred": name}
        ann.post(f"/acme/customers/{customer.pk}/evidence/add/", fields)
    assert stored() == []


def test_changes_it(cast, ann, customer, noted, stored, noon):
    row = noted(member=cast.bo)
    assert "A letter" in text(ann.get(f"/acme/evidence/{row.pk}/"))
    ann.post(f"/acme/evidence/{row.pk}/", FORM | {"kind": "benchmark", "note": "Shows our samples"})
    (row,) = stored()
    assert (row.kind, row.note, row.member_id) == ("benchmark", "Shows our samples", cast.bo.pk)


def test_keeps_who_came_when_the_name_has_a_twin(cast, ann, customer, noted, stored, noon):
    twin, _other = cast.customer("Twin"), cast.customer("Twin")
    row = noted(kind="referral", referred=twin)
    ann.post(f"/acme/evidence/{row.pk}/", FORM | {"kind": "referral", "referred": "Twin", "note": "New words"})
    assert (stored()[0].referred, stored()[0].note) == (twin, "New words")


def test_keeps_who_came_when_it_is_a_colleagues_customer(cast, ann, customer, noted, stored, noon):
    hidden = cast.customer("Hidden", owner_a=cast.bo, owner_b=None)
    row = noted(kind="referral", referred=hidden)
    assert "Hidden" not in text(ann.get(f"/acme/evidence/{row.pk}/"))
    ann.post(f"/acme/evidence/{row.pk}/", FORM | {"kind": "referral", "note": "New words"})
    assert (stored()[0].referred, stored()[0].note) == (hidden, "New words")


def test_deletes_it_after_asking(ann, customer, noted, stored, noon):
    row = noted()
    assert "Delete “Endorsement of 3 Nov”?" in text(ann.get(f"/acme/evidence/{row.pk}/delete/", headers=HX))
    assert len(stored()) == 1
    answer = ann.post(f"/acme/evidence/{row.pk}/delete/", follow=True)
    assert "Endorsement of 3 Nov is deleted." in text(answer)
    assert stored() == []
    assert ann.post(f"/acme/evidence/{row.pk}/delete/").status_code == 404


@pytest.mark.parametrize("path", ["customers/{0.pk}/evidence/add/", "evidence/{1.pk}/", "evidence/{1.pk}/delete/"])
def test_is_not_there_for_who_does_not_see_the_customer(cast, sign_in, noted, stored, path):
    hidden = cast.customer(owner_a=cast.bo, owner_b=None)
    address = f"/acme/{path.format(hidden, noted(customer=hidden))}"
    assert sign_in(cast.ann).get(address).status_code == 404
    assert sign_in(cast.ann).post(address, FORM).status_code == 404
    assert len(stored()) == 1


@pytest.mark.parametrize("path", ["customers/{0.pk}/evidence/add/", "evidence/{1.pk}/", "evidence/{1.pk}/delete/"])
def test_refuses_who_only_looks_on(cast, sign_in, customer, noted, stored, path):
    assert sign_in(cast.eve).post(f"/acme/{path.format(customer, noted())}", FORM).status_code == 403
    assert stored()[0].kind == "endorsement"


def test_stands_in_the_timeline(cast, ann, customer, noted, noon):
    newcomer = cast.customer("Newcomer Ltd")
    noted(member=cast.bo)
    noted(kind="referral", referred=newcomer, on=DAY + dt.timedelta(days=1))
    for tab in ("all", "changes"):
        page = read(ann, customer, f"?tab={tab}")
        assert lines(page) == ["Referral, Newcomer Ltd", "Endorsement"]
        assert f'/acme/customers/{newcomer.pk}/"' in text(page)
        assert "Bo · 3 Nov" in text(page)
    assert lines(read(ann, customer, "?tab=contacts")) == []


def test_does_not_name_a_colleagues_customer_in_the_timeline(cast, ann, sign_in, customer, noted, noon):
    noted(kind="referral", referred=cast.customer("Hidden", owner_a=cast.bo, owner_b=None))
    assert lines(read(ann, customer)) == ["Referral, a customer of a colleague"]
    assert lines(read(sign_in(cast.bo), customer)) == ["Referral, Hidden"]
