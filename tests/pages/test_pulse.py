"""It: somebody says on the customer page how they see the customer, and takes that back."""

from __future__ import annotations

import pytest

from health.models import Pulse
from health.pulses import give_pulse
from tenants.context import tenant_scope
from tests.pages.conftest import HX, text

VIEW = {"band": "red", "reason": "competitor", "note": "Talks to a rival"}


@pytest.fixture
def customer(cast, noon):
    return cast.customer()


@pytest.fixture
def ann(cast, sign_in):
    return sign_in(cast.ann)


def views(cast):
    with tenant_scope(cast.tenant):
        return list(Pulse.objects.order_by("pk"))


def test_asks_for_a_colour_and_a_reason_and_says_how_long_it_counts(ann, customer):
    page = text(ann.get(f"/acme/customers/{customer.pk}/pulse/"))
    assert "Own view of Huaxin Building Materials" in page
    assert "Counts for 90 days." in page
    for words in ("Green", "Yellow", "Red", "Key contact left", "Season or stock"):
        assert f">{words}</option>" in page
    assert "Not enough data</option>" not in page


def test_notes_the_view_and_goes_back_to_the_customer(cast, ann, customer):
    answer = ann.post(f"/acme/customers/{customer.pk}/pulse/", VIEW, follow=True)
    assert answer.redirect_chain[-1][0] == f"/acme/customers/{customer.pk}/"
    assert "Your view of Huaxin Building Materials is noted: Red." in text(answer)
    (view,) = views(cast)
    assert (view.customer_id, view.member_id, view.band, view.reason, view.note) == (
        customer.pk, cast.ann.pk, "red", "competitor", "Talks to a rival",
    )  # fmt: skip
    again = ann.post(f"/acme/customers/{customer.pk}/pulse/", VIEW, follow=True)
    assert "You have said so today already." in text(again)
    assert len(views(cast)) == 1


def test_opens_in_the_dialog_and_keeps_what_was_typed(cast, ann, customer):
    assert 'id="dialog-title"' in text(ann.get(f"/acme/customers/{customer.pk}/pulse/", headers=HX))
    refused = text(ann.post(f"/acme/customers/{customer.pk}/pulse/", {"band": "red", "note": "Mine"}, headers=HX))
    assert "This field is required." in refused
    assert 'value="Mine"' in refused
    assert views(cast) == []
    done = ann.post(f"/acme/customers/{customer.pk}/pulse/", VIEW, headers=HX)
    assert done["HX-Redirect"] == f"/acme/customers/{customer.pk}/"


def test_is_not_there_for_a_customer_who_is_closed_or_not_seen(cast, ann, sign_in, customer):
    hidden = cast.customer("Hidden", owner_a=cast.ada, owner_b=None)
    assert ann.get(f"/acme/customers/{hidden.pk}/pulse/").status_code == 404
    with tenant_scope(cast.tenant):
        type(customer).objects.filter(pk=customer.pk).update(closed_on="2026-11-01")
    assert ann.post(f"/acme/customers/{customer.pk}/pulse/", VIEW).status_code == 404
    assert views(cast) == []


def test_is_taken_back_by_who_gave_it(cast, ann, sign_in, customer):
    with tenant_scope(cast.tenant):
        pulse = give_pulse(customer=customer, member=cast.ann, band="red", reason="price")[0]
    address = f"/acme/pulses/{pulse.pk}/withdraw/"
    assert sign_in(cast.bo).post(address).status_code == 403
    assert views(cast)[0].withdrawn_at is None
    assert "The view is taken back." in text(ann.post(address, follow=True))
    assert views(cast)[0].withdrawn_at is not None
    assert "The view was taken back already." in text(sign_in(cast.lea).post(address, follow=True))


def test_is_withdrawn_by_a_post_alone(cast, ann, customer):
    with tenant_scope(cast.tenant):
        pulse = give_pulse(customer=customer, member=cast.ann, band="red", reason="price")[0]
    assert ann.get(f"/acme/pulses/{pulse.pk}/withdraw/").status_code == 405
