"""It: somebody writes a fact while somebody else takes the notes away: no fact is missed, nobody waits in a circle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from customers import services
from customers.models import Arrival, Complaint
from tenants.context import tenant_scope
from tests.conftest import Cast
from tests.followups.test_services_at_once import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("transactions"),
]

WAIT = 10
A_MOMENT = 0.3  # in which a transaction that need not wait has gone on


def complain(customer: Any) -> Complaint:
    return services.open_complaint(customer=customer, topic="Late")


def note(cast: Cast, *customers: Any) -> None:
    with tenant_scope(cast.tenant):
        services.arrived(customer.pk for customer in customers)


def test_does_not_take_a_note_before_its_fact_is_there(cast: Cast) -> None:
    """The note was there already: a writer who only looked would be missed."""
    customer = cast.customer()
    note(cast, customer)
    written, taken = threading.Event(), threading.Event()

    def write() -> None:
        complain(customer)
        written.set()
        assert taken.wait(WAIT)

    def take() -> list[int]:
        assert written.wait(WAIT)
        found = services.take_arrivals(10)
        taken.set()
        return found

    assert at_once(cast.tenant, write, take)[1] == []
    with tenant_scope(cast.tenant):
        assert services.take_arrivals(10) == [customer.pk]
        assert Complaint.objects.count() == 1


def test_waits_for_who_is_just_taking_the_note_and_leaves_a_new_one(cast: Cast) -> None:
    customer = cast.customer()
    note(cast, customer)
    has_taken, wants_to_write = threading.Event(), threading.Event()
    seen: list[int] = []

    def take() -> list[int]:
        found = services.take_arrivals(10)
        has_taken.set()
        assert wants_to_write.wait(WAIT)
        threading.Event().wait(A_MOMENT)
        seen.append(Complaint.objects.count())
        return found

    def write() -> None:
        assert has_taken.wait(WAIT)
        wants_to_write.set()
        complain(customer)

    results = at_once(cast.tenant, take, write)
    assert results == [[customer.pk], None]
    assert seen == [0]
    with tenant_scope(cast.tenant):
        assert services.take_arrivals(10) == [customer.pk]


def test_is_there_again_when_who_took_it_fails(cast: Cast) -> None:
    customer = cast.customer()
    note(cast, customer)

    def take_and_fail() -> None:
        assert services.take_arrivals(10) == [customer.pk]
        raise ZeroDivisionError

    assert isinstance(at_once(cast.tenant, take_and_fail)[0], ZeroDivisionError)
    with tenant_scope(cast.tenant):
        assert Arrival.objects.count() == 1


def test_gives_each_note_to_one_of_several_takers(cast: Cast) -> None:
    customers = [cast.customer(f"C{n}") for n in range(30)]
    note(cast, *customers)
    both = threading.Barrier(3)

    def take() -> list[int]:
        found = services.take_arrivals(10)
        both.wait(WAIT)  # all three have taken, none has committed
        return found

    found = [pk for result in at_once(cast.tenant, take, take, take) for pk in result]
    assert sorted(found) == sorted(customer.pk for customer in customers)


def batch(customers: list[Any]) -> Callable[[], None]:
    def write() -> None:
        with services.arrivals_last():
            for customer in customers:
                complain(customer)

    return write


def test_never_waits_crosswise_whatever_the_order_of_the_facts(cast: Cast) -> None:
    customers = [cast.customer(f"C{n}") for n in range(12)]
    jobs = [batch(customers), batch(customers[::-1]), batch(customers[6:] + customers[:6])]
    results = at_once(cast.tenant, *jobs, lambda: services.take_arrivals(5), lambda: services.take_arrivals(5))
    assert not [result for result in results if isinstance(result, Exception)]
    with tenant_scope(cast.tenant):
        assert Complaint.objects.count() == 36
        # Whatever was taken in between, the facts that came after it left their notes.
        left = set(services.take_arrivals(100))
    assert left | set(results[3]) | set(results[4]) == {customer.pk for customer in customers}
