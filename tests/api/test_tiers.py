import datetime as dt
from decimal import Decimal

import pytest
from django.utils import timezone

from customers.models import Customer
from segmentation.models import Standing, TierChange
from tenants.context import tenant_scope
from tenants.models import Member, Run
from tests.api.conftest import Caller, faults
from tests.conftest import Cast


@pytest.fixture
def gold(cast: Cast) -> Customer:
    customer = cast.customer("Brook & Sons")
    with tenant_scope(cast.tenant):
        customer.external_ids.create(source="erp", value="K-17")
        Run.objects.create(job="nightly", for_date="2026-11-20", status="done", finished_at=timezone.now())
        Standing.objects.create(
            customer=customer, first_order_on=dt.date(2026, 1, 7), last_order_on=dt.date(2026, 11, 10),
            returned_on=dt.date(2026, 9, 1), frequency=12, monetary=Decimal("6480.25"), r=5, f=4, m=5, segment="111",
            tier="gold", by_wholesale="regular", by_callback="gold", by_sales_team="core", policy_version=1,
        )  # fmt: skip
        for day, before, after in ((1, "", "silver"), (15, "silver", "gold")):
            TierChange.objects.create(
                customer=customer, on=dt.date(2026, 11, day), before=before, after=after, policy_version=1,
                facts={"move": "rise", "monetary": 64_802_500, "r": 5},
            )  # fmt: skip
    return customer


def test_lists_where_customers_stand_as_of_the_last_night(api: Caller, gold: Customer) -> None:
    row = api.get("tiers").json()["results"][0]
    assert row == {
        "customer": str(gold.pk), "external_ids": [{"source": "erp", "external_id": "K-17"}], "as_of": "2026-11-20",
        "tier": "gold", "segment": "111", "stage": "won_back", "r": 5, "f": 4, "m": 5, "first_order_on": "2026-01-07",
        "last_order_on": "2026-11-10", "returned_on": "2026-09-01", "recency_days": 10, "frequency": 12,
        "monetary": "6480.25", "currency": "GBP", "by_wholesale": "regular", "by_callback": "gold",
        "by_sales_team": "core", "below_since": None, "pin": None, "policy_version": 1,
    }  # fmt: skip


def test_shows_one_with_its_history_newest_first(api: Caller, gold: Customer) -> None:
    found = api.get(f"tiers/{gold.pk}").json()
    assert found["tier"] == "gold"
    assert [(each["on"], each["before"], each["after"]) for each in found["history"]] == [
        ("2026-11-15", "silver", "gold"),
        ("2026-11-01", "", "silver"),
    ]
    assert found["history"][0]["facts"] == {"move": "rise", "monetary": "6480.25", "r": 5}


def test_filters_and_walks(api: Caller, cast: Cast, gold: Customer) -> None:
    with tenant_scope(cast.tenant):
        for n, tier in enumerate(("silver", "bronze", "bronze")):
            Standing.objects.create(
                customer=Customer.objects.create(name=f"C{n}"),
                frequency=0,
                monetary=Decimal(n),
                tier=tier,
                policy_version=1,
            )

    def tiers(**query: object) -> list[str]:
        answer = api.get("tiers", **query)
        assert answer.status_code == 200, answer.content
        return [row["tier"] for row in answer.json()["results"]]

    assert tiers(tier=["gold", "silver"]) == ["gold", "silver"]
    assert tiers(segment="111") == ["gold"]
    assert tiers(ordering="-monetary") == ["gold", "bronze", "bronze", "silver"]
    for ordering in ("customer_id", "-customer_id", "monetary", "-monetary"):
        first = api.get("tiers", ordering=ordering, limit=2).json()
        second = api.get(first["next"]).json()
        assert len({row["customer"] for row in first["results"] + second["results"]}) == 4
        assert api.get(second["previous"]).json()["results"] == first["results"]
    assert tiers(r=["4", "5"], m="5") == ["gold"]
    assert tiers(r="4") == tiers(f="1") == []
    assert tiers(stage=["new", "won_back"]) == ["gold"]
    assert tiers(stage="prospect") == ["silver", "bronze", "bronze"]
    assert tiers(pinned="true") == []
    assert tiers(pinned="false", stage="won_back") == ["gold"]
    assert faults(api.get("tiers", tier="platinum", r="6")) == {"?tier": "invalid_choice", "?r": "invalid_choice"}


def test_is_as_visible_as_the_customer(call_as, cast: Cast, gold: Customer) -> None:
    with tenant_scope(cast.tenant):
        Customer.objects.filter(pk=gold.pk).update(owner_b=None)
    assert call_as(cast.ann).get(f"tiers/{gold.pk}").status_code == 200
    assert call_as(cast.bo).get(f"tiers/{gold.pk}").status_code == 404
    assert call_as(cast.bo).get("tiers").json()["results"] == []


def test_has_none_before_the_first_night(api: Caller, cast: Cast) -> None:
    assert api.get(f"tiers/{cast.customer().pk}").status_code == 404


PIN = {"tier": "silver", "reason": "Pays late", "until": "2026-12-31"}


@pytest.fixture
def friday(time_machine) -> None:
    time_machine.move_to(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC), tick=False)


def test_pins_a_tier_and_ends_the_pin(call_as, cast: Cast, gold: Customer, friday: None) -> None:
    lea = call_as(cast.lea)
    answer = lea.post(f"tiers/{gold.pk}/pin", PIN)
    assert (answer.status_code, answer["Outcome"]) == (200, "created")
    assert (answer.json()["tier"], answer.json()["pin"]) == ("silver", PIN | {"member": str(cast.lea.pk)})
    assert lea.post(f"tiers/{gold.pk}/pin", PIN)["Outcome"] == "unchanged"
    listed = lea.get("tiers", pinned="true").json()["results"]
    assert [(row["customer"], row["pin"]["until"]) for row in listed] == [(str(gold.pk), "2026-12-31")]
    history = lea.get(f"tiers/{gold.pk}").json()["history"]
    assert history[0]["facts"] == {"move": "pin", "pin": "silver", "reason": "Pays late", "until": "2026-12-31"}
    answer = lea.post(f"tiers/{gold.pk}/unpin")
    assert (answer["Outcome"], answer.json()["pin"], answer.json()["tier"]) == ("updated", None, "silver")
    assert lea.post(f"tiers/{gold.pk}/unpin")["Outcome"] == "unchanged"


def test_names_what_does_not_fit_in_a_pin(call_as, cast: Cast, gold: Customer, friday: None) -> None:
    lea = call_as(cast.lea)
    said = {"tier": "strategic", "reason": "x", "until": "2026-11-19"}
    assert faults(lea.post(f"tiers/{gold.pk}/pin", said)) == {"#/tier": "not_in_scheme", "#/until": "in_the_past"}
    wrong = faults(lea.post(f"tiers/{gold.pk}/pin", {"tier": "platinum", "why": "x"}))
    assert wrong.keys() == {"#/tier", "#/reason", "#/until", "#/why"}
    with tenant_scope(cast.tenant):
        assert Standing.objects.get(customer=gold).tier == "gold"


def test_lets_leads_and_administrators_pin_and_nobody_else(call_as, cast: Cast, gold: Customer, friday: None) -> None:
    for member in (cast.ann, cast.eve, cast.ian):
        assert call_as(member).post(f"tiers/{gold.pk}/pin", PIN).status_code == 403
        assert call_as(member).post(f"tiers/{gold.pk}/unpin").status_code == 403
    assert call_as(cast.ada).post(f"tiers/{gold.pk}/pin", PIN).status_code == 200
    assert call_as(cast.ada, ("tiers:read",)).post(f"tiers/{gold.pk}/unpin").status_code == 403


def test_does_not_pin_what_the_caller_does_not_see(call_as, cast: Cast, gold: Customer, friday: None) -> None:
    with tenant_scope(cast.tenant):
        Member.objects.filter(pk=cast.eve.pk).update(team=None)
        Customer.objects.filter(pk=gold.pk).update(owner_a=cast.eve, owner_b=None)
    assert call_as(cast.lea).post(f"tiers/{gold.pk}/pin", PIN).status_code == 404
    assert call_as(cast.ada).post("tiers/999999/pin", PIN).status_code == 404
