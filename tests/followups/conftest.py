"""Follow-ups of acme's customers, as the night or a person would have raised them."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from followups.models import FollowUp
from tenants.context import tenant_scope

TODAY = dt.date(2026, 11, 20)
NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
_number = itertools.count(1)


@pytest.fixture(autouse=True)
def friday_noon(time_machine: Any, request: pytest.FixtureRequest) -> None:
    """The clock stands at noon of Friday 20 November 2026, for everybody alike."""
    if "cast" in request.fixturenames:
        time_machine.move_to(NOON, tick=False)


@pytest.fixture
def raised(cast: Any) -> Callable[..., FollowUp]:
    """A follow-up of Ann's, due today, for a customer of its own unless one is given."""

    def make(customer: Any = None, **fields: Any) -> FollowUp:
        number = next(_number)
        customer = customer or cast.customer(f"Customer {number}")
        usual = {
            "assignee": cast.ann,
            "kind": "light_touch",
            "channel": "phone",
            "rule": "cadence:light_touch",
            "period": f"start-{number}",
            "due_on": TODAY,
            "priority": 1_000_000,
        }
        with tenant_scope(cast.tenant):
            return FollowUp.objects.create(customer=customer, **(usual | fields))

    return make
