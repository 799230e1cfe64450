"""Customers with orders, and nights of segmentation over them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import pytest

from customers.activity import refresh_activity
from customers.models import Customer, Order, OrderLine, Product
from segmentation import nightly
from tenants.context import tenant_scope
from tests.conftest import Cast

TODAY = dt.date(2026, 11, 20)


@pytest.fixture
def ordered(cast: Cast) -> Callable[..., Customer]:
    """A customer of acme, a new one unless it is said, with orders so many days ago, each of so much money."""

    def make(
        *days_ago: int, money: int = 100, name: str = "Huaxin", customer: Customer | None = None, **fields: object
    ) -> Customer:
        customer = customer or cast.customer(name, **fields)
        with tenant_scope(cast.tenant):
            days = [TODAY - dt.timedelta(days) for days in days_ago]
            Order.objects.bulk_create(
                Order(
                    customer=customer, external_id=f"{customer.pk}-{days_ago[n]}", kind="order" if money >= 0 else "credit_note",
                    placed_at=dt.datetime.combine(day, dt.time(12), dt.UTC), placed_on=day, currency="GBP",
                    net=Decimal(money),
                )
                for n, day in enumerate(days)
            )  # fmt: skip
            refresh_activity([(customer.pk, day) for day in days])
        return customer

    return make


@pytest.fixture
def night(cast: Cast) -> Callable[..., dict[str, int]]:
    """The night's step of segmentation, of today or so many days later."""

    def run(later: int = 0) -> dict[str, int]:
        with tenant_scope(cast.tenant):
            return nightly.run(TODAY + dt.timedelta(later))

    return run


@pytest.fixture
def bought(cast: Cast) -> Callable[..., None]:
    """A customer of acme bought a product so many days ago, in an order of its own each time."""

    def buy(
        customer: Customer, product: str, *days_ago: int, quantity: int = 1, money: int = 100, category: str = "",
        **fields: object,
    ) -> None:  # fmt: skip
        with tenant_scope(cast.tenant):
            article, _made = Product.objects.get_or_create(
                external_id=product, defaults={"tenant": cast.tenant, "name": product.title(), "category": category}
            )
            days = [TODAY - dt.timedelta(days) for days in days_ago]
            orders = Order.objects.bulk_create(
                Order(
                    customer=customer, external_id=f"{customer.pk}-{product}-{day}-{fields}", placed_on=day,
                    placed_at=dt.datetime.combine(day, dt.time(12), dt.UTC), currency="GBP", net=Decimal(money), **fields,
                )
                for day in days
            )  # fmt: skip
            OrderLine.objects.bulk_create(
                OrderLine(
                    order=order, position=1, product=article, quantity=quantity, unit_price=Decimal(money),
                    money=Decimal(money),
                )
                for order in orders
            )  # fmt: skip
            refresh_activity([(customer.pk, day.replace(day=1)) for day in days])

    return buy
