"""It: a promoter names somebody on the survey's own page; a referral is written down, or the owner is told why not."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client

from customers.models import Contact, Customer, Order, Referral
from followups.models import FollowUp, Message, Notice, Survey
from followups.notices.services import sentence
from followups.surveys.links import token_of
from tenants.context import tenant_scope
from tenants.models import Event
from tests.followups.surveyed import asked, contact_of, set_policy
from tests.followups.test_services_at_once import at_once
from tests.pages.conftest import NOON, noon, text

__all__ = ["noon"]

QUESTION = "Whom would you recommend us to?"


@pytest.fixture
def survey(cast, noon) -> Survey:
    set_policy(cast, ask_promoters="yes")
    return asked(cast)


@pytest.fixture
def page(survey):
    """The survey's own page after an answer of 10: what is posted to it, and what it shows."""
    client, url = Client(), f"/survey/{token_of(survey)}/?lang=en"

    def posted(**said):
        answer = client.post(url, said or {"score": "10"})
        return answer if answer.status_code != 302 else client.get(url)

    posted.url = url
    posted()
    return posted


def told(cast):
    with tenant_scope(cast.tenant):
        return [(str(row.member), sentence(row), row.url) for row in Notice.objects.order_by("member__user__name")]


def test_it_records_a_new_customer_and_its_referral_once_and_tells_the_owners(cast, page):
    assert QUESTION in text(Client().get(page.url))
    shown = text(page(whom="  Brook &  Sons ", reach="Tom Brook, tom@brook.example"))
    assert "Thank you for recommending us to Brook &amp; Sons." in shown
    assert QUESTION not in shown
    page(whom="Somebody else")
    with tenant_scope(cast.tenant):
        brook, row = Customer.objects.get(name="Brook & Sons"), Referral.objects.get()
        assert (brook.owner_a_id, row.customer_id, row.referrer.name) == (
            cast.ann.pk,
            brook.pk,
            "Huaxin Building Materials",
        )
        assert (row.origin, row.on, row.member_id, row.note) == (
            "survey", NOON.date(), cast.ann.pk, "Tom Brook, tom@brook.example",
        )  # fmt: skip
        assert row.response == Survey.objects.get().response
        assert Customer.objects.count() == 2
        # Nothing goes to somebody of whom a third person has told us.
        assert not Contact.objects.filter(customer=brook).exists()
        assert not Message.objects.filter(customer=brook).exists()
        assert Event.objects.filter(verb="recommended").count() == 1
        assert FollowUp.objects.filter(rule="survey:nps").count() == 0
    assert told(cast) == [
        (
            "Ann", "Chen Jing of Huaxin Building Materials recommends us to Brook & Sons: Tom Brook, tom@brook.example",
            f"customers/{brook.pk}/",
        )
    ]  # fmt: skip


def test_it_tells_the_owners_and_not_the_promoter_why_no_referral_is_recorded(cast, page, survey):
    known = cast.customer("Wanjia")
    with tenant_scope(cast.tenant):
        Order.objects.create(
            customer=known, external_id="SO-1", placed_at=NOON - dt.timedelta(days=9), placed_on=dt.date(2026, 11, 11),
            currency="GBP", net=1, digest="",
        )  # fmt: skip
    shown = text(page(whom="WANJIA", reach=""))
    assert "Thank you for recommending us to WANJIA." in shown
    assert "SO-1" not in shown
    assert [who for who, _words, _url in told(cast)] == ["Ann", "Bo"]
    words = told(cast)[0][1]
    assert "No referral is recorded: It had ordered before: order SO-1" in words
    with tenant_scope(cast.tenant):
        assert not Referral.objects.exists()
        assert Customer.objects.count() == 2


@pytest.mark.parametrize(
    ("name", "why"), [("Twins", "Several customers are called so."), ("Huaxin Building Materials", "to itself")]
)
def test_it_refuses_whom_it_cannot_tell_apart_and_the_promoter_itself(cast, page, name, why):
    for _n in range(2):
        cast.customer("Twins")
    assert page(whom=name, reach="").status_code == 200
    assert why in told(cast)[0][1]
    with tenant_scope(cast.tenant):
        assert not Referral.objects.exists()


def test_it_asks_only_promoters_only_where_the_policy_says_so_and_only_while_the_answer_may_change(
    cast, page, survey, time_machine
):
    for score, asks in (("8", False), ("9", True)):
        other = asked(cast, contact_of(cast, survey.customer, name=f"Mei {score}", email=f"m{score}@huaxin.example"))
        url = f"/survey/{token_of(other)}/?lang=en"
        Client().post(url, {"score": score})
        assert (QUESTION in text(Client().get(url))) is asks
        refused = Client().post(url, {"whom": "Brook"})
        assert refused.status_code == (302 if asks else 409)
    for whom, status in (("   ", 400), ("x" * 201, 400)):
        refused = page(whom=whom, reach="Typed")
        assert refused.status_code == status
        assert 'value="Typed"' in text(refused)
    set_policy(cast, ask_promoters="no")
    assert QUESTION not in text(Client().get(page.url))
    assert page(whom="Brook 2").status_code == 409
    set_policy(cast, ask_promoters="yes")
    time_machine.move_to(NOON + dt.timedelta(days=7), tick=False)
    assert page(whom="Brook 3").status_code == 409
    with tenant_scope(cast.tenant):
        assert Referral.objects.count() == 1


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
@pytest.mark.xdist_group("transactions")
def test_it_is_recorded_once_when_the_form_comes_twice_at_the_same_moment(cast, survey, page):
    from followups.surveys.recommending import recommend

    with tenant_scope(cast.tenant):
        row = Survey.objects.get()
    said = at_once(cast.tenant, *(lambda: recommend(survey=row, name="Brook", reach="") for _n in range(2)))
    assert sorted(said) == ["created", "unchanged"]
    with tenant_scope(cast.tenant):
        assert (Referral.objects.count(), Notice.objects.count()) == (1, 1)
