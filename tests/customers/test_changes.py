"""It: whom a night has to look at: by notes of facts, and by facts that a window takes in or leaves behind."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine

from customers import services
from customers.changes import crossed, crossed_by, days_before, due_by_facts, noted
from customers.frames import paid_invoices
from customers.models import Arrival, Order
from tenants.models import Tenant
from tenants.parts import Part
from tenants.runs import Piece
from tests.conftest import Cast

SINCE, TONIGHT = dt.date(2026, 11, 18), dt.date(2026, 11, 20)
DAY = dt.timedelta(days=1)


def at(tenant: Tenant, day: dt.date) -> dt.datetime:
    return tenant.start_of(day) + dt.timedelta(hours=9)


@pytest.mark.parametrize(
    ("days_ago", "found"),
    [(0, 0), (1, 1), (2, 1), (3, 0), (30, 0), (31, 1), (32, 1), (33, 0)],
)
def test_finds_whose_contacts_a_window_takes_in_or_leaves_behind(
    cast: Cast, scope: Tenant, days_ago: int, found: int
) -> None:
    customer = cast.customer()
    with time_machine.travel(at(scope, TONIGHT + DAY)):
        services.log_interaction(customer=customer, channel="phone", at=at(scope, TONIGHT - days_ago * DAY))
    Arrival.objects.all().delete()
    piece = Piece(TONIGHT, SINCE)
    assert crossed(piece, contacts=[days_before(30)]) == [customer.pk] * found
    assert crossed(piece, complaints=[days_before(30)]) == []
    assert due_by_facts(piece, contacts=[days_before(30)]) == [customer.pk] * found


def test_finds_about_whom_facts_came_in_until_they_are_reckoned_with(cast: Cast, scope: Tenant) -> None:
    customers = [cast.customer(f"C{n}") for n in range(3)]
    services.arrived(customer.pk for customer in customers[:2])
    services.take_arrivals(1)
    piece = Piece(TONIGHT, SINCE)
    assert noted(piece) == due_by_facts(piece, orders=[]) == [customer.pk for customer in customers[:2]]
    assert noted(Piece(TONIGHT, SINCE, Part(customers[1].pk, customers[2].pk))) == [customers[1].pk]


def test_finds_nobody_by_windows_in_the_same_night_again(cast: Cast, scope: Tenant) -> None:
    assert crossed(Piece(TONIGHT, TONIGHT), contacts=[days_before(30)]) == []


def test_has_nobody_to_find_when_everybody_is_due(scope: Tenant) -> None:
    with pytest.raises(ValueError, match="Everybody is due"):
        crossed(Piece(TONIGHT), orders=[])


def test_knows_when_an_invoice_that_is_entered_ahead_will_have_been_paid(cast: Cast, scope: Tenant) -> None:
    customer = cast.customer()
    for number, paid in enumerate((TONIGHT - 9 * DAY, TONIGHT - DAY, TONIGHT, TONIGHT + 4 * DAY, None)):
        Order.objects.create(
            customer=customer, external_id=f"{number}", placed_at=at(scope, SINCE), placed_on=SINCE, currency="GBP",
            net=1, digest="", due_on=TONIGHT - 5 * DAY, paid_on=paid,
        )  # fmt: skip
    for customers in (None, [customer.pk]):
        (row,) = paid_invoices(TONIGHT, 5, customers).rows(named=True)
        assert (row["days_late"], row["invoices"], row["last_paid_on"]) == (0.0, 2, TONIGHT - DAY)
        assert row["pays_on"] == TONIGHT


@pytest.mark.parametrize("days_ago", [1, 30, 31, 60, 61, 90])
def test_finds_by_group_what_each_would_find_alone(cast: Cast, scope: Tenant, days_ago: int) -> None:
    talked, other = cast.customer(), cast.customer("Other")
    with time_machine.travel(at(scope, TONIGHT + DAY)):
        services.log_interaction(customer=talked, channel="phone", at=at(scope, TONIGHT - days_ago * DAY))
        services.open_complaint(customer=other, opened_at=at(scope, TONIGHT - days_ago * DAY), topic="Late")
    Arrival.objects.all().delete()
    groups = {
        "both": {"contacts": [days_before(30)], "complaints": [days_before(60)]},
        "contacts": {"contacts": [days_before(60), days_before(30)]},
        "tonight": {"complaints": []},
        "nothing": {},
    }
    for piece in (Piece(TONIGHT, SINCE), Piece(TONIGHT, SINCE, Part(other.pk)), Piece(TONIGHT, TONIGHT)):
        assert crossed_by(piece, groups) == {name: crossed(piece, **kinds) for name, kinds in groups.items()}
    with pytest.raises(ValueError, match="Everybody is due"):
        crossed_by(Piece(TONIGHT), groups)
