"""Referrals and rewards on the screen: recorded, refused in words, approved, disputed, paid, stated as CSV and PDF."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from customers.models import Customer, Referral, SurveyResponse
from customers.services import record_referral
from incentives.models import Dispute, Payout, Reward
from tenants.context import tenant_scope
from tests.incentives.ledger_story import night as reckon
from tests.incentives.ledger_story import order, referred
from tests.pages.conftest import HX

FRIDAY = dt.date(2026, 11, 20)
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]


@pytest.fixture
def earned(cast: Any) -> Referral:
    """Ann brought Newcomer, whose order of 1,000 has earned her 50 and Huaxin 1,000 points."""
    with tenant_scope(cast.tenant):
        row = referred(cast, dt.date(2026, 5, 1))
        order(row.customer, dt.date(2026, 5, 20), 1000)
        reckon(FRIDAY)
    return row


def test_it_records_a_referral_and_says_who_holds_a_claim(cast: Any, sign_in: Any) -> None:
    old, other = cast.customer(), cast.customer("Second friend")
    client = sign_in(cast.ann)
    said = {"referrer": old.name, "customer": "", "new_name": "Newcomer Ltd", "on": "2026-11-02", "note": "At the fair"}
    assert client.post("/acme/referrals/add/", said).status_code == 302
    with tenant_scope(cast.tenant):
        row = Referral.objects.select_related("customer").get()
        assert (row.customer.name, row.customer.owner_a_id, row.member_id) == ("Newcomer Ltd", cast.ann.pk, cast.ann.pk)
        assert (row.origin, row.noted_by_id) == ("by_hand", cast.ann.pk)
    refused = client.post(
        "/acme/referrals/add/", said | {"referrer": other.name, "customer": "Newcomer Ltd", "new_name": ""}
    ).content.decode()
    assert "Ann holds the claim for this customer: recommended by Huaxin Building Materials" in refused
    for customer, words in ((old.name, "cannot recommend us to itself"), ("Nobody", "None of the customers you see")):
        assert words in client.post(
            "/acme/referrals/add/", said | {"customer": customer, "new_name": ""}
        ).content.decode().replace("&#x27;", "'")
    with tenant_scope(cast.tenant):
        assert (Referral.objects.count(), Customer.objects.count()) == (1, 3)
        answer = SurveyResponse.objects.create(customer=other, kind="nps", score=10)
    assert "Second friend" in client.get(f"/acme/referrals/add/?response={answer.pk}").content.decode()
    from_survey = said | {"referrer": other.name, "new_name": "Third"}
    assert client.post(f"/acme/referrals/add/?response={answer.pk}", from_survey).status_code == 302
    with tenant_scope(cast.tenant):
        last = Referral.objects.get(origin="survey")
        assert last.response_id == answer.pk
    assert client.post(f"/acme/referrals/{last.pk}/withdraw/", {"why": ""}).status_code == 200
    assert client.post(f"/acme/referrals/{last.pk}/withdraw/", {"why": "Twice"}).status_code == 302
    page = client.get("/acme/referrals/?result=withdrawn").content.decode()
    assert "Third" in page
    assert "Newcomer Ltd" not in page


def test_it_lists_what_came_of_referrals_and_shows_it_at_the_customer(
    cast: Any, sign_in: Any, earned: Referral, placed: Any, night: Any
) -> None:
    client = sign_in(cast.ann)
    page = client.get("/acme/referrals/?result=converted").content.decode()
    assert "Newcomer" in page
    assert "£1,000" in page
    assert client.get("/acme/referrals/?result=waits").content.decode().count("Newcomer") == 0
    rows = b"".join(client.get("/acme/referrals/?export=csv").streaming_content).decode()
    assert "Newcomer" in rows
    assert ",1,1000," in rows
    assert f"/acme/referrals/{earned.pk}/withdraw/" in page
    shown = client.get(f"/acme/customers/{earned.customer_id}/parts/dealings/", headers=HX).content.decode()
    assert "Recommended by" in shown
    otto = sign_in(cast.otto)
    assert otto.get("/acme/referrals/").status_code == 404


def test_it_approves_by_four_eyes_and_pays_out_once(cast: Any, sign_in: Any, earned: Referral) -> None:
    with tenant_scope(cast.tenant):
        ids = [str(pk) for pk in Reward.objects.values_list("pk", flat=True)]
        staff = Reward.objects.get(kind="staff")
    assert sign_in(cast.ann).post(f"/acme/rewards/{staff.pk}/approve/").status_code == 403
    ada = sign_in(cast.ada)
    waiting = ada.get("/acme/rewards/approve/").content.decode()
    assert "5% of order" in waiting
    assert "£50" in waiting
    assert ada.post("/acme/rewards/approve/", {"reward": ids}).status_code == 302
    assert "Nothing waits for approval" in ada.get("/acme/rewards/approve/").content.decode()
    assert "£50" in ada.get("/acme/rewards/payouts/").content.decode()
    for _press in range(2):
        assert ada.post("/acme/rewards/payouts/").status_code == 302
    with tenant_scope(cast.tenant):
        payout = Payout.objects.get()
    file = b"".join(ada.get(f"/acme/rewards/payouts/{payout.pk}/?export=csv").streaming_content).decode("utf-8-sig")
    assert file.splitlines()[1] == f"P-1,2026-11-20,Ann,{cast.ann.user.email},50,GBP"


def test_it_states_every_line_in_words_as_page_csv_and_pdf(cast: Any, sign_in: Any, earned: Referral) -> None:
    client = sign_in(cast.ann)
    page = client.get("/acme/rewards/statement/").content.decode()
    assert "whom Huaxin Building Materials recommended" in page
    rows = b"".join(client.get("/acme/rewards/statement/?export=csv").streaming_content).decode("utf-8-sig")
    assert "Brought forward" in rows
    assert ",50,0,0" in rows
    pdf = client.get("/acme/rewards/statement/?export=pdf")
    assert pdf.status_code in {200, 503}  # where Pango is not installed it is said
    assert pdf.status_code == 503 or pdf.content.startswith(b"%PDF")
    assert client.get("/acme/rewards/statement/?until=2026-01-01&since=2026-02-01").status_code == 400
    assert client.get("/acme/rewards/statement/?what=1").status_code == 400
    assert client.get(f"/acme/rewards/statement/{cast.bo.pk}/").status_code == 403
    assert sign_in(cast.lea).get(f"/acme/rewards/statement/{cast.ann.pk}/").status_code == 200
    assert sign_in(cast.eve).get("/acme/rewards/statement/product/").status_code == 200


def test_it_holds_a_dispute_until_it_is_settled(cast: Any, sign_in: Any, earned: Referral) -> None:
    with tenant_scope(cast.tenant):
        staff = Reward.objects.get(kind="staff")
    ann, lea = sign_in(cast.ann), sign_in(cast.lea)
    assert ann.post(f"/acme/rewards/{staff.pk}/dispute/", {"text": "", "key": "a"}).status_code == 422
    for _press in range(2):
        assert ann.post(f"/acme/rewards/{staff.pk}/dispute/", {"text": "Too little", "key": "a"}).status_code == 302
    page = lea.get(f"/acme/rewards/{staff.pk}/").content.decode()
    assert page.count("Too little") == 1
    settle = {"end-text": "Counted again", "end-amount": "60", "end-key": "b"}
    assert ann.post(f"/acme/rewards/{staff.pk}/settle/", settle).status_code == 403
    assert lea.post(f"/acme/rewards/{staff.pk}/settle/", settle | {"end-amount": "-1"}).status_code == 422
    assert lea.post(f"/acme/rewards/{staff.pk}/settle/", settle).status_code == 302
    with tenant_scope(cast.tenant):
        staff.refresh_from_db()
        assert (staff.amount, Dispute.objects.get().status) == (60, "accepted")


def test_it_redeems_points_and_records_upgrades(cast: Any, sign_in: Any, earned: Referral) -> None:
    with tenant_scope(cast.tenant):
        points = Reward.objects.get(kind="referral")
    sign_in(cast.eve).post("/acme/rewards/approve/", {"reward": [str(points.pk)]})
    client, address = sign_in(cast.ann), f"/acme/customers/{earned.referrer_id}/points/"
    said = {"points": "400", "what": "A hamper", "key": "k1"}
    for _press in range(2):
        assert client.post(address, said).status_code == 302
    assert "600 there" in client.get(address).content.decode()
    assert "There are 600 points." in client.post(address, said | {"points": "700", "key": "k2"}).content.decode()
    upgrade = {"customer": "Newcomer", "on": "2026-11-10", "what": "Storage"}
    assert client.post("/acme/rewards/upgrades/add/", upgrade).status_code == 302
    assert "less than 12 months away" in client.post("/acme/rewards/upgrades/add/", upgrade).content.decode()
    assert "Storage" in client.get("/acme/rewards/upgrades/").content.decode()


def test_it_shows_nobody_what_a_colleague_earns(cast: Any, sign_in: Any, earned: Referral) -> None:
    with tenant_scope(cast.tenant):
        Customer.objects.update(owner_b=None)
        staff = Reward.objects.get(kind="staff")
        record_referral(referrer=earned.referrer, customer=cast.customer("Bo’s", owner_a=cast.bo), on=FRIDAY)
    bo = sign_in(cast.bo)
    assert bo.get(f"/acme/rewards/{staff.pk}/").status_code == 404
    assert "£50" not in bo.get("/acme/rewards/").content.decode()
    assert "Newcomer" not in bo.get("/acme/referrals/").content.decode()
    lea = sign_in(cast.lea)
    assert lea.get(f"/acme/rewards/{staff.pk}/").status_code == 200
    shown = lea.get("/acme/rewards/?sort=-total").content.decode()
    assert "£50<" in shown
    assert "1,000 points" in shown
