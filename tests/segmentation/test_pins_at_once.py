"""It: two people who pin, or a person and the night, at the same moment."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from customers.models import Customer
from segmentation import nightly
from segmentation.models import Standing, TierPin
from segmentation.services import pin_tier
from tenants.context import tenant_scope
from tests.conftest import Cast
from tests.followups.test_services_at_once import at_once
from tests.segmentation.conftest import TODAY

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("transactions"),
]


def pinning(customer: Customer, member: Any, tier: str) -> Callable[[], Any]:
    until = customer.tenant.today() + dt.timedelta(30)
    return lambda: pin_tier(customer=customer, tier=tier, reason=tier, until=until, member=member)


def test_leaves_exactly_one_pin_open(cast: Cast, ordered: Callable[..., Customer]) -> None:
    customer = ordered(3)
    jobs = [pinning(customer, member, tier) for member, tier in ((cast.lea, "gold"), (cast.ada, "silver")) * 3]
    results = at_once(cast.tenant, *jobs)
    assert all(isinstance(result, tuple) for result in results), results
    with tenant_scope(cast.tenant):
        assert TierPin.objects.filter(ended_at=None).count() == 1


def test_is_never_overwritten_by_a_night_that_reckons_meanwhile(cast: Cast, ordered: Callable[..., Customer]) -> None:
    customer = ordered(3)
    with tenant_scope(cast.tenant):
        nightly.run(TODAY)
    results = at_once(
        cast.tenant, *[lambda: nightly.run(TODAY + dt.timedelta(1)), pinning(customer, cast.lea, "bronze")] * 2
    )
    assert not [result for result in results if isinstance(result, Exception)]
    with tenant_scope(cast.tenant):
        assert Standing.objects.get(customer=customer).tier == "bronze"
        assert TierPin.objects.filter(ended_at=None).count() == 1


def test_waits_for_the_night_that_has_read_the_pins(
    cast: Cast, ordered: Callable[..., Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = ordered(3)
    has_read = threading.Event()
    read = nightly.tiers_in_force

    def slow(*asked: Any) -> Any:
        found = read(*asked)
        has_read.set()
        time.sleep(0.5)
        return found

    monkeypatch.setattr(nightly, "tiers_in_force", slow)

    def pin_late() -> Any:
        assert has_read.wait(10)
        return pinning(customer, cast.lea, "bronze")()

    results = at_once(cast.tenant, lambda: nightly.run(TODAY), pin_late)
    assert not [result for result in results if isinstance(result, Exception)]
    with tenant_scope(cast.tenant):
        row = Standing.objects.get(customer=customer)
        assert row.tier == "bronze"
        assert list(customer.tier_changes.values_list("before", "after")) == [("gold", "bronze"), ("", "gold")]
