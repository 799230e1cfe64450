"""What the API's tests cannot show of the verbs: races, and many orders in one transaction."""

import datetime as dt
from decimal import Decimal
from unittest import mock

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction

from customers import services
from customers.models import Activity, Contact, Customer, Order, Product
from customers.services.rows import for_update
from tenants.models import Event, Tenant
from tests.conftest import Cast


def _order(customer: Customer, number: str, day: int = 20) -> tuple[Order, str]:
    return services.upsert_order(
        source="erp",
        external_id=number,
        customer=customer,
        placed_at=dt.datetime(2026, 11, day, tzinfo=dt.UTC),
        lines=[
            services.Line(
                product=services.Article(source="erp", external_id="85123A"),
                quantity=Decimal(6),
                unit_price=Decimal("2.55"),
            )
        ],
    )


def _lost_race(module: str):
    """Make the verb's first look find nothing, as if somebody else were just writing the row."""
    looks: list[int] = []

    def blind(rows: object) -> object:
        looks.append(1)
        return None if len(looks) == 1 else for_update(rows)

    return mock.patch(f"customers.services.{module}.for_update", blind)


@pytest.mark.parametrize("kind", ["customer", "contact", "product", "interaction", "complaint"])
def test_changes_the_winners_row_after_a_lost_race(cast: Cast, scope: Tenant, kind: str) -> None:
    customer = Customer.objects.create(name="Brook & Sons")
    fields = {
        "customer": {"name": "Brook & Sons"},
        "contact": {"customer": customer, "name": "Priya Shah"},
        "product": {"name": "Heart"},
        "interaction": {"customer": customer, "channel": "phone", "at": dt.datetime(2026, 11, 20, tzinfo=dt.UTC)},
        "complaint": {"customer": customer, "topic": "Late", "opened_at": dt.datetime(2026, 11, 20, tzinfo=dt.UTC)},
    }[kind]
    upsert = getattr(services, f"upsert_{kind}")
    first, outcome = upsert(source="erp", external_id="1", **fields)
    assert outcome == "created"
    events = Event.objects.count()
    with _lost_race(f"{kind}s"):
        again, outcome = upsert(source="erp", external_id="1", **fields)
    assert (again.pk, outcome) == (first.pk, "unchanged")
    assert Event.objects.count() == events


def test_rolls_many_orders_up_once(cast: Cast, scope: Tenant) -> None:
    customer, other = Customer.objects.create(name="Brook & Sons"), Customer.objects.create(name="Hall & Co")
    with services.many_orders([customer.pk]):
        for number in range(3):
            _order(customer, str(number), day=number + 1)
        _order(other, "9")
        with pytest.raises(ValidationError), transaction.atomic():
            services.create_order(source="erp", external_id="9", customer=other)
        assert not Activity.objects.exists()
    assert {(row.customer_id, row.orders, row.days) for row in Activity.objects.all()} == {
        (customer.pk, 3, 0b111),
        (other.pk, 1, 1 << 19),
    }
    _order(customer, "3", day=4)
    assert Activity.objects.get(customer=customer).orders == 4


def test_writes_nothing_of_a_verb_that_is_refused_half_way(cast: Cast, scope: Tenant) -> None:
    customer = services.create_customer(name="Brook & Sons", tags=["north"])
    services.create_customer(name="Hall & Co", external_ids=[("erp", "1")])
    events = Event.objects.count()
    with pytest.raises(ValidationError) as refused:
        services.patch_customer(customer=customer, tags=["south"], name="x" * 201, external_ids=[("erp", "1")])
    assert "external_ids/0" in refused.value.error_dict
    assert list(customer.tags.values_list("name", flat=True)) == ["north"]
    assert Event.objects.count() == events


def test_makes_unknown_articles_but_none_for_a_refused_order(cast: Cast, scope: Tenant) -> None:
    customer = Customer.objects.create(name="Brook & Sons")
    known = services.create_product(source="erp", external_id="85123A", name="Heart", category="Decor")
    order, _outcome = _order(customer, "1")
    assert order.lines.get().product == known  # and keeps its name
    with pytest.raises(ValidationError):
        services.create_order(
            external_id="2",
            customer=customer,
            placed_at=dt.datetime(2026, 11, 20, tzinfo=dt.UTC),
            lines=[
                services.Line(
                    product=services.Article(source="erp", external_id="new"),
                    quantity=Decimal("NaN"),
                    unit_price=Decimal(1),
                )
            ],
        )
    assert Product.objects.get() == known


def test_leaves_an_unnamed_contact_unnamed(cast: Cast, scope: Tenant) -> None:
    customer = Customer.objects.create(name="Brook & Sons")
    for _n in range(2):  # no name is no name that could be taken
        contact, outcome = services.save_contact(customer=customer, name="Priya Shah")
        assert outcome == "created"
    assert services.save_contact(contact=contact, name="Priya Shah") == (contact, "unchanged")
    assert Contact.objects.count() == 2
