"""It: the care calendar's pages, and what is noted about customers and contacts."""

from __future__ import annotations

import datetime as dt

import pytest

from customers.models import Contact
from followups.models import CareDay, CareWishes, FollowUp
from tenants.context import tenant_scope
from tests.pages.conftest import FRIDAY, HX, text

URL = "/acme/care/"
DAY = dt.timedelta(days=1)

pytestmark = pytest.mark.usefixtures("noon")


@pytest.fixture
def zhang(cast):
    customer = cast.customer("Huaxin", since=dt.date(2020, 12, 2))
    with tenant_scope(cast.tenant):
        return Contact.objects.create(customer=customer, name="Ms Zhang", birthday=dt.date(1988, 11, 23), is_main=True)


def test_shows_whose_days_come_round_as_a_calendar_and_as_a_list(cast, sign_in, zhang):
    ann = sign_in(cast.ann)
    page = text(ann.get(URL))
    for words in ("Ms Zhang", "Birthday", "6 years of working together", "Mon 23 Nov", "a person", "planned"):
        assert words in page, words
    assert text(sign_in(cast.lea).get(URL)).count("Ms Zhang") > 0
    one_week = text(ann.get(URL, {"weeks": 1}))
    assert "Birthday" in one_week
    assert "years of working together" not in one_week
    assert "years of working together" not in text(ann.get(URL, {"kind": "birthday"})).split("<tbody>", 1)[1]
    sheet = text(ann.get(URL, {"export": "csv"})).lstrip("\ufeff").splitlines()
    assert sheet[1] == "2026-11-23,Birthday,Huaxin,Ms Zhang,a person,planned"


def test_says_what_became_of_a_day(cast, sign_in, zhang, night):
    night()
    with tenant_scope(cast.tenant):
        assert FollowUp.objects.filter(rule="care:birthday").count() == 1
    assert "follow-up open" in text(sign_in(cast.ann).get(URL))


def test_does_not_show_days_of_customers_that_one_does_not_see(cast, sign_in, zhang):
    with tenant_scope(cast.tenant):
        type(zhang.customer).objects.filter(pk=zhang.customer_id).update(owner_a=cast.ada, owner_b=None)
    page = text(sign_in(cast.ann).get(URL))
    assert "Ms Zhang" not in page
    assert "No day comes round in these weeks" in page


@pytest.mark.parametrize(
    "query", [{"weeks": 99}, {"weeks": "x"}, {"kind": "festival"}, {"who": "me"}, {"export": "xls"}]
)
def test_refuses_what_it_does_not_have(cast, sign_in, query):
    assert sign_in(cast.ann).get(URL, query).status_code == 400


def test_notes_days_of_a_customer_and_what_a_contact_likes(cast, sign_in, zhang):
    ann, base = sign_in(cast.ann), f"/acme/customers/{zhang.customer_id}/care/"
    assert "No days of its own yet" in text(ann.get(base))
    refused = ann.post(f"{base}add/", {"kind": "other", "name": "", "on": "1998-12-01", "by": "solar"})
    assert "Say what is celebrated." in text(refused)
    assert ann.post(f"{base}add/", {"kind": "founded", "on": "1998-12-01", "by": "solar"}).status_code == 302
    page = text(ann.get(base))
    assert "Company anniversary: 28" in page
    with tenant_scope(cast.tenant):
        day = CareDay.objects.get()
    ann.post(f"{URL}days/{day.pk}/", {"kind": "founded", "on": "1998-12-05", "by": "lunar", "contact": zhang.pk})
    with tenant_scope(cast.tenant):
        assert (CareDay.objects.get().by, CareDay.objects.get().contact) == ("lunar", zhang)
    likes = {"birthday_by": "lunar", "birthdays": "on", "how": ""}
    assert ann.post(f"/acme/contacts/{zhang.pk}/care/", likes).status_code == 302
    with tenant_scope(cast.tenant):
        wishes = CareWishes.objects.get()
        assert (wishes.birthday_by, wishes.birthdays, wishes.festivals) == ("lunar", True, False)
    mailed = text(ann.post(f"/acme/contacts/{zhang.pk}/care/", likes | {"how": "email"}))
    assert "There is no e-mail address of this contact." in mailed
    assert "Delete “Company anniversary" in text(ann.get(f"{URL}days/{day.pk}/delete/", headers=HX))
    ann.post(f"{URL}days/{day.pk}/delete/")
    with tenant_scope(cast.tenant):
        assert not CareDay.objects.exists()


def test_asks_the_same_number_of_questions_however_many_days(cast, sign_in, zhang, django_assert_max_num_queries):
    ann = sign_in(cast.ann)
    ann.get(URL)
    with tenant_scope(cast.tenant):
        for n in range(30):
            customer = cast.customer(f"Customer {n}", since=FRIDAY.replace(year=2010) + n * DAY)
            Contact.objects.create(customer=customer, name=f"Contact {n}", birthday=dt.date(1990, 12, 1))
    with django_assert_max_num_queries(30):
        assert "Contact 29" in text(ann.get(URL))
