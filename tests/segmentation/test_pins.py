"""It: tiers that people pin."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone, translation

from customers.models import Customer
from segmentation.facts import tier_facts
from segmentation.models import Standing, TierChange, TierPin
from segmentation.rules.policy import TierPolicy
from segmentation.services import PIN_DAYS, pin_tier, unpin
from tenants.models import Event, PolicyVersion
from tenants.policies import active_policy
from tests.conftest import Cast
from tests.segmentation.conftest import TODAY

Ordered = Callable[..., Customer]
Night = Callable[..., dict[str, int]]

pytestmark = pytest.mark.django_db
REASON = "Opens three shops in spring"


@pytest.fixture(autouse=True)
def _noon(time_machine: Any, scope: object) -> None:
    time_machine.move_to(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC), tick=False)


@pytest.fixture
def bronze(ordered: Ordered, night: Night) -> Customer:
    """A customer who is bronze since last night, beside five who are not."""
    for n in range(5):
        ordered(1 + n, 30, money=900 + n, name=f"Better {n}")
    customer = ordered(200, money=1)
    night()
    assert standing(customer).tier == "bronze"
    return customer


def standing(customer: Customer) -> Standing:
    row: Standing = Standing.objects.get(customer=customer)
    return row


def pin(cast: Cast, customer: Customer, **said: Any) -> tuple[TierPin, str]:
    usual = {"tier": "gold", "reason": REASON, "until": TODAY + dt.timedelta(90), "member": cast.lea}
    return pin_tier(customer=customer, **(usual | said))


def test_counts_at_once_with_history_and_events(cast: Cast, bronze: Customer) -> None:
    row, outcome = pin(cast, bronze)
    assert outcome == "created"
    assert (standing(bronze).tier, standing(bronze).below_since) == ("gold", None)
    change = TierChange.objects.filter(customer=bronze).first()
    assert (change.on, change.before, change.after) == (TODAY, "bronze", "gold")
    assert change.facts == {"move": "pin", "pin": "gold", "reason": REASON, "until": "2027-02-18"}
    pinned, moved = Event.objects.filter(customer_id=bronze.pk).order_by("pk")
    assert (pinned.verb, pinned.object_type, pinned.object_id) == ("pinned", "tierpin", row.pk)
    assert pinned.changes == {"tier": [None, "gold"], "until": [None, "2027-02-18"], "reason": [None, REASON]}
    assert (moved.verb, moved.changes["tier"]) == ("tier_changed", ["bronze", "gold"])
    assert {(event.customer_id, event.actor_id) for event in (pinned, moved)} == {(bronze.pk, cast.lea.pk)}


def test_is_kept_by_every_night_up_to_its_last_day(cast: Cast, bronze: Customer, night: Night) -> None:
    pin(cast, bronze, until=TODAY + dt.timedelta(40))
    quiet = night()
    assert (quiet["changed"], quiet["moved"]) == (0, 0)
    for later in (1, 35, 40):
        night(later)
        assert (standing(bronze).tier, standing(bronze).below_since) == ("gold", None)
    night(41)
    assert (standing(bronze).tier, standing(bronze).below_since) == ("gold", TODAY + dt.timedelta(41))
    night(70)
    assert standing(bronze).tier == "gold"
    night(71)
    assert standing(bronze).tier == "bronze"
    assert [row.facts["move"] for row in TierChange.objects.filter(customer=bronze)] == ["fall", "pin", "start"]


def test_holds_a_tier_down_and_lets_it_rise_the_night_after(
    cast: Cast, ordered: Ordered, night: Night, bronze: Customer
) -> None:
    best = ordered(1, money=9_000, name="Best")
    night()
    assert standing(best).tier == "gold"
    pin(cast, best, tier="bronze", until=TODAY)
    assert night()["moved"] == 0
    assert standing(best).tier == "bronze"
    assert night(1)["moved"] == 1
    assert standing(best).tier == "gold"


def test_waits_for_the_first_night_of_a_new_customer(cast: Cast, night: Night) -> None:
    customer = cast.customer("New")
    pin(cast, customer, tier="silver")
    assert not TierChange.objects.exists()
    night()
    assert standing(customer).tier == "silver"
    assert TierChange.objects.get().facts["move"] == "pin"


def test_takes_the_place_of_the_pin_before(cast: Cast, bronze: Customer) -> None:
    first, _outcome = pin(cast, bronze)
    second, _outcome = pin(cast, bronze, tier="silver", reason="Only two shops")
    first.refresh_from_db()
    assert (first.ended_at, first.ended_by) == (timezone.now(), cast.lea)
    assert list(TierPin.objects.filter(ended_at=None)) == [second]
    assert standing(bronze).tier == "silver"
    assert Event.objects.filter(verb="pinned").order_by("pk").last().changes["tier"] == ["gold", "silver"]
    assert [(row.before, row.after) for row in TierChange.objects.filter(customer=bronze)] == [
        ("gold", "silver"), ("bronze", "gold"), ("", "bronze"),
    ]  # fmt: skip


def test_changes_nothing_when_the_same_is_said_again(cast: Cast, bronze: Customer) -> None:
    first, _outcome = pin(cast, bronze)
    events = Event.objects.count()
    assert pin(cast, bronze) == (first, "unchanged")
    assert Event.objects.count() == events
    assert pin(cast, bronze, reason="Opens four shops")[1] == "created"
    assert TierChange.objects.filter(customer=bronze).count() == 2  # the tier is what it was


def test_leaves_the_tier_to_the_night_when_it_is_ended(cast: Cast, bronze: Customer, night: Night) -> None:
    row, _outcome = pin(cast, bronze)
    assert unpin(pin=row, member=cast.ada) == "updated"
    assert standing(bronze).tier == "gold"
    event = Event.objects.order_by("pk").last()
    assert (event.verb, event.customer_id, event.actor_id) == ("unpinned", bronze.pk, cast.ada.pk)
    assert unpin(pin=row, member=cast.ada) == "unchanged"
    assert Event.objects.filter(verb="unpinned").count() == 1
    night(1)
    assert (standing(bronze).tier, standing(bronze).below_since) == ("gold", TODAY + dt.timedelta(1))
    night(31)
    assert standing(bronze).tier == "bronze"


@pytest.mark.parametrize(
    ("said", "field", "code"),
    [
        ({"tier": "strategic"}, "tier", "not_in_scheme"),
        ({"tier": "platinum"}, "tier", "not_in_scheme"),
        ({"tier": ""}, "tier", "not_in_scheme"),
        ({"reason": "  "}, "reason", "blank"),
        ({"reason": "x" * 201}, "reason", "max_length"),
        ({"until": TODAY - dt.timedelta(1)}, "until", "in_the_past"),
        ({"until": TODAY + dt.timedelta(PIN_DAYS + 1)}, "until", "too_far"),
    ],
)
def test_names_the_field_that_does_not_fit_and_writes_nothing(
    cast: Cast, bronze: Customer, said: dict[str, Any], field: str, code: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        pin(cast, bronze, **said)
    assert {name: [each.code for each in errors] for name, errors in refused.value.error_dict.items()} == {
        field: [code]
    }
    assert not TierPin.objects.exists()
    assert standing(bronze).tier == "bronze"


def test_says_in_the_readers_language_which_tiers_there_are(cast: Cast, bronze: Customer) -> None:
    with translation.override("zh-hans"), pytest.raises(ValidationError) as refused:
        pin(cast, bronze, tier="core")
    assert "金" in refused.value.message_dict["tier"][0]


def test_is_refused_for_a_closed_customer(cast: Cast) -> None:
    with pytest.raises(ValidationError) as refused:
        pin(cast, cast.customer("Gone", closed_on=TODAY))
    assert refused.value.error_dict["tier"][0].code == "closed"


def test_counts_for_nothing_once_the_scheme_has_no_such_tier(cast: Cast, bronze: Customer, night: Night) -> None:
    pin(cast, bronze)
    active = active_policy()
    document = active.document | {"tiers": active.document["tiers"] | {"scheme": "wholesale"}}
    PolicyVersion.objects.create(number=active.number + 1, pack="wholesale", document=document)
    night()
    assert standing(bronze).tier == "regular"
    assert tier_facts(TODAY, TierPolicy())["pin"].drop_nulls().to_list() == ["gold"]
