"""Pages of acme on Friday 20 November 2026: orders placed, a night gone by, members signed in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from config.night import run_night
from customers.activity import refresh_activity
from customers.models import Customer, Order, OrderLine, Product, month_of
from tenants.context import tenant_scope
from tenants.models import Run

FRIDAY = dt.date(2026, 11, 20)
NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
HX = {"HX-Request": "true"}


@pytest.fixture
def noon(time_machine: Any) -> None:
    """The clock stands at noon of FRIDAY."""
    time_machine.move_to(NOON, tick=False)


@pytest.fixture
def placed(cast: Any) -> Callable[..., list[Order]]:
    """Orders of a customer of acme, so many days before FRIDAY; each of one line of `net`."""

    def place(customer: Customer, *days_before: int, net: str = "100", **fields: Any) -> list[Order]:
        orders = []
        with tenant_scope(cast.tenant):
            product, _new = Product.objects.get_or_create(
                external_id="P-1", defaults={"tenant": cast.tenant, "name": "Glazed tile", "category": "Tiles"}
            )
            for days in days_before:
                day = FRIDAY - dt.timedelta(days=days)
                usual = {"external_id": f"SO-{customer.pk}-{days}", "currency": "GBP", "digest": "", "placed_on": day}
                order = Order.objects.create(
                    customer=customer,
                    placed_at=cast.tenant.start_of(day) + dt.timedelta(hours=9),
                    net=Decimal(net),
                    **(usual | fields),
                )
                OrderLine.objects.create(
                    order=order, position=1, product=product, quantity=1, unit_price=Decimal(net), money=Decimal(net)
                )
                refresh_activity([(customer.pk, month_of(day))])
                orders.append(order)
        return orders

    return place


@pytest.fixture
def night(cast: Any, noon: None) -> Callable[[], Run]:
    """Runs acme's night of FRIDAY, for everybody: tests write facts past the services, which would note them."""
    return lambda: run_night(cast.tenant, FRIDAY, everybody=True)


def text(response: Any) -> str:
    """What came, also from a stream."""
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return str(content.decode())
