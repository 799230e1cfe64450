"""Several people press the same button at the same moment: each amount is approved, and goes out, once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from customers.models import Referral
from customers.services import record_referral
from incentives.ledger.services import approve, pay_out, points_of, redeem
from incentives.models import Entry, Payout, Reward
from tenants.context import tenant_scope
from tests.incentives.ledger_story import check_books, night, order, paid_to, referred

pytestmark = pytest.mark.django_db(databases=["default", "owner"], transaction=True)
TODAY = dt.date(2026, 11, 20)


def at_once(cast: Any, what: Callable[[int], Any], people: int = 4) -> list[Any]:
    """What several did in transactions of their own, begun at the same moment."""
    start = Barrier(people)

    def one(number: int) -> Any:
        try:
            with tenant_scope(cast.tenant):
                start.wait(timeout=60)
                return what(number)
        except ValidationError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(people) as pool:
        return list(pool.map(one, range(people)))


def test_it_approves_pays_and_redeems_once(cast: Any) -> None:
    with tenant_scope(cast.tenant):
        row = referred(cast, dt.date(2026, 5, 1))
        order(row.customer, dt.date(2026, 5, 20), 1000)
    assert sum(at_once(cast, lambda _number: night(TODAY))) == 2
    with tenant_scope(cast.tenant):
        ids = list(Reward.objects.values_list("pk", flat=True))
    done = at_once(cast, lambda number: approve(rewards=ids, member=(cast.eve, cast.ada)[number % 2]))
    assert sum(len(each.rewards) for each in done) == 2
    payouts = at_once(cast, lambda _number: pay_out(member=cast.ada))
    assert sum(payout is not None for payout in payouts) == 1
    with tenant_scope(cast.tenant):
        assert Entry.objects.filter(kind=Entry.Kind.APPROVAL).count() == 2
        assert (Payout.objects.count(), paid_to(cast.ann)) == (1, 50)
        check_books()
    spent = at_once(
        cast,
        lambda number: redeem(customer=row.referrer, points=600, what="A hamper", key=str(number), member=cast.ann),
    )
    assert sum(isinstance(each, ValidationError) for each in spent) == 3
    with tenant_scope(cast.tenant):
        assert points_of(row.referrer) == 400


def test_it_gives_a_claim_to_one_and_lets_no_two_close_a_circle(cast: Any) -> None:
    new, first, second = cast.customer("New"), cast.customer("First"), cast.customer("Second")
    on = dt.date(2026, 5, 1)
    claims = at_once(cast, lambda number: record_referral(referrer=(first, second)[number % 2], customer=new, on=on))
    assert sum(isinstance(each, Referral) for each in claims) == 1
    circle = at_once(
        cast,
        lambda number: record_referral(
            referrer=(first, second)[number % 2], customer=(second, first)[number % 2], on=on
        ),
        people=2,
    )
    assert sum(isinstance(each, Referral) for each in circle) == 1
