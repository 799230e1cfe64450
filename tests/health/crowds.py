"""A crowd with a past: enough customers, for long enough, that a forecast can be learned from them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pytest

from customers.activity import refresh_activity
from customers.models import Customer, Order
from tenants.context import tenant_scope
from tests.conftest import Cast

TODAY = dt.date(2026, 11, 20)


def place(orders: list[tuple[Customer, dt.date, float]], **fields: object) -> None:
    """Orders of so much money, in few statements."""
    Order.objects.bulk_create(
        Order(
            customer=customer, external_id=f"{customer.pk}-{n}-{day}-{fields}", placed_on=day, currency="GBP",
            placed_at=dt.datetime.combine(day, dt.time(12), dt.UTC), net=Decimal(str(money)), digest="", **fields,
        )
        for n, (customer, day, money) in enumerate(orders)
    )  # fmt: skip
    refresh_activity({(customer.pk, day.replace(day=1)) for customer, day, _money in orders})


def ago(days: int) -> dt.date:
    return TODAY - dt.timedelta(days=days)


@pytest.fixture
def crowd(cast: Cast) -> list[Customer]:
    """240 customers of two and a half years, each at a rate of its own; one order in twelve was the last."""
    random = np.random.default_rng(20)
    with tenant_scope(cast.tenant):
        customers: list[Customer] = Customer.objects.bulk_create(
            Customer(name=f"C{n}", search_name=f"c{n}", owner_a=cast.ann) for n in range(240)
        )
        orders = []
        for customer in customers:
            every, mean = 7 / random.gamma(1.2, 1 / 6), 900 / random.gamma(3.5, 1.0)
            day = float(random.integers(3, 900))
            while day >= 1:
                orders.append((customer, ago(int(day)), round(float(mean * random.gamma(4, 1 / 4)), 2)))
                if random.random() < 1 / 12:
                    break
                day -= 1 + random.exponential(every)
        place(orders)
    return customers
