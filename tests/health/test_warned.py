"""It: tells the standing of a customer whether the lapse forecast warns of it, whoever writes either."""

from __future__ import annotations

from typing import Any

import pytest

from customers.models import Customer
from health.models import LapseForecast
from segmentation.models import Standing
from tenants.context import tenant_scope
from tests.conftest import Cast


@pytest.fixture
def customers(cast: Cast, scope: None) -> list[Customer]:
    return [cast.customer(f"C{number}") for number in range(3)]


def standing(customer: Customer) -> None:
    Standing.objects.create(customer=customer, frequency=1, monetary=1, policy_version=1)


def forecast(customer: Customer, **fields: Any) -> LapseForecast:
    row: LapseForecast = LapseForecast.objects.create(customer=customer, policy_version=1, **fields)
    return row


def warned() -> set[int]:
    return set(Standing.objects.filter(is_warned=True).values_list("customer_id", flat=True))


def test_a_standing_knows_of_a_warning_that_comes_changes_and_goes(customers: list[Customer]) -> None:
    for each in customers:
        standing(each)
    first, second, third = customers
    forecast(first, is_warned=True), forecast(second, is_warned=False), forecast(third, is_warned=True)
    assert warned() == {first.pk, third.pk}
    LapseForecast.objects.filter(customer=second).update(is_warned=True)
    LapseForecast.objects.filter(customer=first).update(is_warned=False, percent=3)
    assert warned() == {second.pk, third.pk}
    LapseForecast.objects.filter(customer__in=customers).update(percent=7)
    assert warned() == {second.pk, third.pk}
    LapseForecast.objects.filter(customer=third).delete()
    assert warned() == {second.pk}


def test_a_new_standing_knows_of_the_warning_that_there_is(customers: list[Customer]) -> None:
    first, second, third = customers
    forecast(first, is_warned=True), forecast(second, is_warned=False)
    Standing.objects.bulk_create(
        Standing(customer=each, frequency=1, monetary=1, policy_version=1) for each in (first, second, third)
    )
    assert warned() == {first.pk}


def test_one_firm_s_warnings_do_not_touch_another_s_standings(cast: Cast) -> None:
    ours = cast.customer()
    with tenant_scope(cast.tenant):
        standing(ours)
    with tenant_scope(cast.other_tenant):
        theirs = Customer.objects.create(name="Theirs", search_name="theirs")
        standing(theirs)
        forecast(theirs, is_warned=True)
        assert warned() == {theirs.pk}
    with tenant_scope(cast.tenant):
        assert warned() == set()
