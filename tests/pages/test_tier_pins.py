"""It: a lead pins a customer's tier with a reason and an end, sees it on the page, and takes the pin out."""

import datetime as dt
import re

import pytest

from segmentation.models import Standing, TierPin
from segmentation.services import pin_tier
from tenants.context import tenant_scope
from tenants.models import Team
from tests.pages.conftest import FRIDAY, HX, text
from tests.pages.test_customer import page, section

PIN = {"tier": "gold", "reason": "Big tender", "until": "2027-02-01"}


@pytest.fixture
def lea(cast, sign_in):
    return sign_in(cast.lea)


@pytest.fixture
def customer(cast, placed, night):
    customer = cast.customer()
    placed(customer, 30, net="200")
    placed(cast.customer("Better"), 3, net="500")
    night()
    return customer


@pytest.fixture
def pins(cast):
    def rows():
        with tenant_scope(cast.tenant):
            return list(TierPin.objects.order_by("pk"))

    return rows


@pytest.fixture
def pinned(cast, customer):
    with tenant_scope(cast.tenant):
        return pin_tier(
            customer=customer, tier="gold", reason="Big tender", until=dt.date(2027, 2, 1), member=cast.lea
        )[0]


def tier_of(cast, customer):
    with tenant_scope(cast.tenant):
        return Standing.objects.get(customer=customer).tier


def test_pins_at_once(cast, lea, customer, pins):
    assert tier_of(cast, customer) == "bronze"
    answer = lea.post(f"/acme/customers/{customer.pk}/pin/", PIN, follow=True)
    assert answer.redirect_chain[-1][0] == f"/acme/customers/{customer.pk}/"
    assert "is pinned to Gold until 1 February 2027." in text(answer)
    (pin,) = pins()
    assert (pin.tier, pin.reason, pin.until, pin.created_by_id) == (
        "gold", "Big tender", dt.date(2027, 2, 1), cast.lea.pk,
    )  # fmt: skip
    assert tier_of(cast, customer) == "gold"


def test_shows_who_pinned_it_why_and_what_the_facts_say(lea, customer, pinned):
    content = page(lea, customer)
    seen = section(content, "tier")
    assert "Pinned to Gold until 1 Feb 2027 “Big tender”, Lea, 20 Nov" in seen.replace(" , ", ", ")
    assert "By the facts alone: Bronze" in seen
    assert "Bronze → Gold Pinned until 1 Feb 2027: Big tender" in seen
    assert "Below its line" not in seen
    assert 'class="badge"><svg class="icon" aria-hidden="true"><use href="#i-lock"/></svg>pinned' in content


def test_offers_the_tiers_of_the_policy_from_the_one_in_force(lea, customer, noon):
    dialog = text(lea.get(f"/acme/customers/{customer.pk}/pin/", headers=HX))
    assert "<html" not in dialog
    assert dialog.count("<option") == 3
    assert re.search(r'<option value="bronze"[^>]* selected', dialog)
    assert 'value="2027-02-18"' in dialog  # a quarter from today


def test_begins_with_what_the_pin_says_now(lea, customer, pinned, noon):
    dialog = text(lea.get(f"/acme/customers/{customer.pk}/pin/"))
    assert re.search(r'<option value="gold"[^>]* selected', dialog)
    assert 'value="Big tender"' in dialog
    assert 'value="2027-02-01"' in dialog


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"until": "2026-11-19"}, "This day has passed."),
        ({"until": "2030-01-01"}, "At most until"),
        ({"reason": " "}, "This field is required."),
        ({"tier": "strategic"}, "Select a valid choice."),
    ],
)
def test_says_at_the_field_what_is_wrong(cast, lea, customer, pins, noon, fields, says):
    answer = text(lea.post(f"/acme/customers/{customer.pk}/pin/", PIN | fields))
    assert says in answer
    assert answer.count("invalid-feedback") == 1
    assert pins() == []
    assert tier_of(cast, customer) == "bronze"


def test_takes_the_place_of_the_pin_before(lea, customer, pinned, pins, noon):
    lea.post(f"/acme/customers/{customer.pk}/pin/", PIN | {"tier": "silver", "reason": "Smaller tender"})
    old, new = pins()
    assert old.ended_at is not None
    assert (new.tier, new.ended_at) == ("silver", None)


def test_takes_the_pin_out(cast, lea, customer, pinned, pins, noon):
    answer = lea.post(f"/acme/pins/{pinned.pk}/unpin/", follow=True)
    assert "The pin is out." in text(answer)
    (pin,) = pins()
    assert (pin.ended_at is not None, pin.ended_by_id) == (True, cast.lea.pk)
    seen = section(page(lea, customer), "tier")
    assert "Pinned to" not in seen
    assert "It was pinned. By the facts alone: Bronze; the next night decides." in seen
    assert tier_of(cast, customer) == "gold"  # until the night
    assert "was out already" in text(lea.post(f"/acme/pins/{pinned.pk}/unpin/", follow=True))


def test_shows_no_pin_that_is_over(lea, customer, pinned, time_machine):
    time_machine.move_to(dt.datetime(2027, 2, 2, 12, tzinfo=dt.UTC))
    assert "Pinned to" not in section(page(lea, customer), "tier")


def test_says_that_a_pin_of_another_scheme_counts_for_nothing(cast, lea, customer, pinned):
    with tenant_scope(cast.tenant):
        TierPin.objects.update(tier="strategic")
    assert "It counts for nothing" in section(page(lea, customer), "tier")


@pytest.mark.parametrize(("who", "may"), [("ann", False), ("eve", False), ("lea", True), ("ada", True)])
def test_shows_everybody_the_pin_and_the_buttons_to_who_may(cast, sign_in, customer, pinned, who, may):
    content = page(sign_in(getattr(cast, who)), customer)
    assert "Pinned to Gold" in content
    assert ("/unpin/" in content) == (f"/customers/{customer.pk}/pin/" in content) == may


def test_is_not_there_for_the_lead_of_another_team(cast, sign_in, customer, pinned, pins):
    with tenant_scope(cast.tenant):
        cast.lea.team = Team.objects.create(name="North")
        cast.lea.save()
    client = sign_in(cast.lea)
    assert client.post(f"/acme/customers/{customer.pk}/pin/", PIN).status_code == 404
    assert client.post(f"/acme/pins/{pinned.pk}/unpin/").status_code == 404
    assert pins()[0].ended_at is None


def test_is_not_there_for_a_closed_customer(cast, lea, noon):
    closed = cast.customer(closed_on=FRIDAY)
    assert lea.get(f"/acme/customers/{closed.pk}/pin/").status_code == 404
    assert "/pin/" not in page(lea, closed)
