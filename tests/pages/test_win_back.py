"""It: ranks lapsed customers by expected money, and walks from the offer to who came back."""

import pytest

from risk.models import WinBack, WinBackTry
from tenants.context import tenant_scope
from tests.pages.conftest import HX, text

URL = "/acme/win-back/"

pytestmark = pytest.mark.usefixtures("noon")


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


@pytest.fixture
def lapsed(cast, placed, night):
    placed(cast.customer("Small"), 400, 430, net="10")
    placed(cast.customer("Big"), 400, 430, net="9000")
    placed(cast.customer("Hidden", owner_a=cast.bo, owner_b=None), 400)
    night()
    with tenant_scope(cast.tenant):
        return {row.customer.name: row.pk for row in WinBack.objects.select_related("customer")}


def test_ranks_what_may_come_back_first(ann, lapsed):
    page = text(ann.get(URL))
    assert page.index("Big") < page.index("Small")
    assert "Hidden" not in page
    assert "as of 20 Nov" in page
    assert "2 customers" in text(ann.get(f"{URL}?status=open", headers=HX))
    assert "2 customers" in text(ann.get(f"{URL}?status=waiting", headers=HX))
    assert "2 customers" not in text(ann.get(f"{URL}?status=tried", headers=HX))
    assert b" multiple" not in ann.get(URL).content  # each filter is one line, whatever is chosen
    assert "Big" not in text(ann.get(f"{URL}?q=small", headers=HX))
    assert ann.get(f"{URL}?colour=red").status_code == 400
    lines = text(ann.get(f"{URL}?export=csv&columns=yearly")).splitlines()
    assert lines[1].startswith("Big,18000")


def test_goes_from_offer_to_answer(ann, cast, lapsed):
    big = f"{URL}{lapsed['Big']}/"
    page = text(ann.get(big))
    assert "one in two hundred a month" in page
    assert "Nobody has offered anything yet" in page
    said = {"offer": "payment_terms", "terms": "60 days", "channel": "phone", "note": "", "with_playbook": "on"}
    assert ann.post(f"{big}offer/", said)["Location"] == big
    page = text(ann.get(big))
    assert "Payment terms: 60 days" in page
    assert "Playbook" in page
    with tenant_scope(cast.tenant):
        tried = WinBackTry.objects.get()
        assert tried.playbook_run is not None
    assert ann.post(f"{URL}offers/{tried.pk}/", {"result": "declined", "note": "Too dear"}).status_code == 302
    assert "Too dear" in text(ann.get(big))
    assert "Say why" not in text(ann.get(f"{big}give-up/"))
    assert ann.post(f"{big}give-up/", {"reason": "Moved away"}).status_code == 302
    assert "Moved away" in text(ann.get(big))
    assert ann.post(f"{big}take-up/", {}).status_code == 302
    with tenant_scope(cast.tenant):
        assert WinBack.objects.get(pk=lapsed["Big"]).status == "tried"


def test_says_rates_only_of_what_is_decided(ann, cast, lapsed):
    assert "Nothing is decided yet" in text(ann.get(f"{URL}rates/"))
    with tenant_scope(cast.tenant):
        row = WinBack.objects.get(pk=lapsed["Big"])
        WinBackTry.objects.create(
            win_back=row, customer=row.customer, member=cast.ann, offer="trial", returned_on="2026-11-19"
        )
        WinBack.objects.filter(pk=row.pk).update(status="returned", returned_on="2026-11-19", tries=1)
    page = text(ann.get(f"{URL}rates/"))
    assert "Free trial" in page
    assert "not enough cases" in page
    assert "1 of 2 came back" in page
    assert "1 customer" in text(ann.get(f"{URL}?won_by=trial", headers=HX))
    assert text(ann.get(f"{URL}rates/?export=csv")).splitlines()[1].startswith("Free trial,1,1,1.0")
    assert "came back 19 Nov" in text(ann.get(f"/acme/customers/{row.customer_id}/?all"))


def test_explains_an_empty_list(ann, cast):
    assert "Nobody has lapsed" in text(ann.get(URL))
