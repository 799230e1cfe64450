import datetime as dt
from decimal import Decimal

import pytest

from customers.models import Activity, Customer, Order, OrderLine, Product
from customers.rules.orders import order_digest
from tenants.context import tenant_scope
from tenants.models import Event
from tests.api.conftest import Caller, faults
from tests.conftest import Cast

ORDER = {
    "customer": {"external_id": "K-17"},
    "placed_at": "2026-11-20T09:30:00+00:00",
    "lines": [
        {
            "product": {"external_id": "85123A", "name": "Heart", "category": "Decor"},
            "quantity": "6",
            "unit_price": "2.55",
        },
        {"product": {"external_id": "22720"}, "quantity": "2.5", "unit_price": "0.333"},
    ],
}


@pytest.fixture
def brook(cast: Cast) -> Customer:
    customer = cast.customer("Brook & Sons")
    with tenant_scope(cast.tenant):
        customer.external_ids.create(source="erp", value="K-17")
    return customer


def _rollup(cast: Cast) -> list[tuple[dt.date, int, int, Decimal, int]]:
    with tenant_scope(cast.tenant):
        rows = Activity.objects.order_by("month", "customer_id")
        return [(r.month, r.orders, r.credit_notes, r.net, r.days) for r in rows]


def test_creates_an_order_with_its_lines_and_articles(api: Caller, cast: Cast, brook: Customer) -> None:
    answer = api.put("orders/by-external/erp/1001", ORDER)
    assert answer.status_code == 201, answer.content
    order = answer.json()
    assert order["customer"] == str(brook.pk)
    assert (order["kind"], order["status"], order["placed_on"]) == ("order", "placed", "2026-11-20")
    assert order["placed_at"] == "2026-11-20T09:30:00Z"
    assert (order["net"], order["net_currency"], order["currency"], order["rate"]) == ("16.1325", "GBP", "GBP", "1")
    assert [(n["position"], n["quantity"], n["unit_price"], n["money"]) for n in order["lines"]] == [
        (1, "6", "2.55", "15.30"),
        (2, "2.5", "0.333", "0.8325"),
    ]
    assert order["lines"][0]["product_external_id"] == "85123A"
    assert order["lines"][0]["product_name"] == "Heart"
    with tenant_scope(cast.tenant):
        assert set(Product.objects.values_list("source", "category")) == {("erp", "Decor"), ("erp", "")}
        assert Event.objects.filter(object_type="order").values_list("verb", "customer_id").get() == (
            "recorded",
            brook.pk,
        )
    assert _rollup(cast) == [(dt.date(2026, 11, 1), 1, 0, Decimal("16.1325"), 1 << 19)]


def test_is_unchanged_when_delivered_again(api: Caller, cast: Cast, brook: Customer) -> None:
    first = api.put("orders/by-external/erp/1001", ORDER)
    again = api.put("orders/by-external/erp/1001", ORDER | {"lines": ORDER["lines"][::-1]})
    assert (again.status_code, again["Outcome"]) == (200, "unchanged")
    assert again.json() == first.json()
    assert api.patch(f"orders/{first.json()['id']}", first.json())["Outcome"] == "unchanged"
    with tenant_scope(cast.tenant):
        order = Order.objects.get()
        # The import reckons the same: either may deliver it again.
        assert order.digest == order_digest(
            customer_id=brook.pk,
            placed_at=dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC),
            kind="order",
            status="placed",
            currency="GBP",
            rate=Decimal(1),
            due_on=None,
            paid_on=None,
            lines=[(n.product_id, n.quantity, n.unit_price) for n in order.lines.all()],
        )
        assert Event.objects.filter(object_type="order").count() == 1


def test_puts_new_lines_in_the_place_of_all_lines(api: Caller, cast: Cast, brook: Customer) -> None:
    made = api.put("orders/by-external/erp/1001", ORDER).json()
    changed = api.put("orders/by-external/erp/1001", {"lines": ORDER["lines"][:1]})
    assert changed["Outcome"] == "updated"
    assert changed.json()["net"] == "15.30"
    assert changed.json()["id"] == made["id"]
    with tenant_scope(cast.tenant):
        assert OrderLine.objects.count() == 1
        event = Event.objects.get(object_type="order", verb="updated")
        assert event.changes == {"net": ["16.1325", "15.3000"]}
    assert _rollup(cast) == [(dt.date(2026, 11, 1), 1, 0, Decimal("15.3"), 1 << 19)]


def test_patches_the_head_alone(api: Caller, cast: Cast, brook: Customer) -> None:
    made = api.put("orders/by-external/erp/1001", ORDER).json()
    paid = api.patch(f"orders/{made['id']}", {"paid_on": "2026-11-25", "due_on": "2026-12-01"})
    assert paid.status_code == 200
    assert paid.json()["lines"] == made["lines"]
    moved = api.patch(f"orders/{made['id']}", {"placed_at": "2026-10-31T23:30:00Z"}).json()
    assert moved["placed_on"] == "2026-10-31"
    assert _rollup(cast) == [(dt.date(2026, 10, 1), 1, 0, Decimal("16.1325"), 1 << 30)]
    assert api.patch(f"orders/{made['id']}", {"status": "cancelled"}).status_code == 200
    assert _rollup(cast) == []


def test_counts_days_in_the_firms_own_zone(api: Caller, cast: Cast, brook: Customer) -> None:
    order = api.put("orders/by-external/erp/1", ORDER | {"placed_at": "2026-06-30T23:30:00Z"}).json()
    assert (order["placed_at"], order["placed_on"]) == ("2026-07-01T00:30:00+01:00", "2026-07-01")
    local = api.put("orders/by-external/erp/2", ORDER | {"placed_at": "2026-07-01T00:30:00"}).json()
    assert local["placed_at"] == order["placed_at"]


def test_moves_an_order_to_another_customer(api: Caller, cast: Cast, brook: Customer) -> None:
    made = api.put("orders/by-external/erp/1001", ORDER).json()
    other = cast.customer("Other")
    assert api.patch(f"orders/{made['id']}", {"customer": str(other.pk)}).json()["customer"] == str(other.pk)
    with tenant_scope(cast.tenant):
        assert Activity.objects.get().customer_id == other.pk


def test_knows_a_credit_note_by_its_money(api: Caller, cast: Cast, brook: Customer) -> None:
    line = ORDER["lines"][0] | {"quantity": "-6"}
    note = api.put("orders/by-external/erp/C1", ORDER | {"lines": [line]}).json()
    assert (note["kind"], note["net"]) == ("credit_note", "-15.30")
    said = api.put("orders/by-external/erp/C2", ORDER | {"lines": [line], "kind": "order"}).json()
    assert said["kind"] == "order"
    free = api.put("orders/by-external/erp/F1", ORDER | {"lines": [line | {"unit_price": "0"}]}).json()
    assert (free["kind"], free["net"]) == ("order", "0.00")
    assert _rollup(cast) == [(dt.date(2026, 11, 1), 2, 1, Decimal("-30.6"), 1 << 19)]


def test_wants_the_rate_of_another_currency(api: Caller, brook: Customer) -> None:
    euro = ORDER | {"currency": "EUR"}
    assert faults(api.put("orders/by-external/erp/1001", euro)) == {"#/rate": "required"}
    order = api.put("orders/by-external/erp/1001", euro | {"rate": "0.85"}).json()
    assert (order["currency"], order["rate"], order["net"]) == ("EUR", "0.85", "13.7126")
    assert faults(api.patch(f"orders/{order['id']}", {"currency": "USD"})) == {"#/rate": "required"}
    assert api.patch(f"orders/{order['id']}", {"currency": "USD", "rate": "0.8"}).json()["net"] == "12.906"
    assert api.patch(f"orders/{order['id']}", {"currency": "GBP"}).json()["rate"] == "1"
    assert faults(api.put("orders/by-external/erp/2", ORDER | {"rate": "0.9"})) == {"#/rate": "invalid"}


def test_takes_known_articles_by_id(api: Caller, brook: Customer) -> None:
    product = api.post("products", {"source": "erp", "external_id": "85123A"}).json()
    line = {"quantity": 1, "unit_price": 2.5}
    order = api.put("orders/by-external/erp/1", ORDER | {"lines": [line | {"product": product["id"]}]})
    assert order.status_code == 201, order.content
    assert order.json()["net"] == "2.50"
    unknown = ORDER | {"lines": [line | {"product": product["id"]}, line | {"product": "999999"}]}
    assert faults(api.put("orders/by-external/erp/2", unknown)) == {"#/lines/1/product": "not_found"}


def test_lists_everything_that_is_wrong(api: Caller, cast: Cast, brook: Customer) -> None:
    answer = api.put(
        "orders/by-external/erp/1001",
        {
            "customer": {"external_id": "nobody"}, "placed_at": "soon", "status": "lost", "currency": "POUND",
            "lines": [{"product": {"name": "x"}, "quantity": "1"}, {"product": 7, "quantity": "x", "unit_price": "1e99"},
                      {"product": {"external_id": "1"}, "quantity": "0.00001", "unit_price": "1", "discount": "5"}],
        },
    )  # fmt: skip
    assert faults(answer) == {
        "#/customer": "not_found",
        "#/placed_at": "invalid",
        "#/status": "invalid_choice",
        "#/currency": "max_length",
        "#/lines/0/product/external_id": "required",
        "#/lines/0/unit_price": "required",
        "#/lines/1/product": "wrong_form",
        "#/lines/1/quantity": "invalid",
        "#/lines/1/unit_price": "max_digits",
        "#/lines/2/quantity": "max_decimal_places",
        "#/lines/2/discount": "unknown_field",
    }
    assert faults(api.put("orders/by-external/erp/1001", {})) == {
        "#/customer": "required", "#/placed_at": "required", "#/lines": "required",
    }  # fmt: skip
    assert faults(api.put("orders/by-external/erp/1001", ORDER | {"lines": []})) == {"#/lines": "min_length"}
    lines = [{"product": {"external_id": "1"}, "quantity": "9999999999", "unit_price": "999999999"}]
    assert faults(api.put("orders/by-external/erp/1001", ORDER | {"lines": lines})) == {"#/lines/0": "too_much"}
    assert faults(api.put("orders/by-external/erp/1001", ORDER | {"placed_at": "0001-02-01T00:00:00Z"})) == {
        "#/placed_at": "out_of_range"
    }
    with tenant_scope(cast.tenant):
        assert not Order.objects.exists()
        assert not Product.objects.exists()


def test_wants_whole_lines_in_a_patch_too(api: Caller, brook: Customer) -> None:
    made = api.put("orders/by-external/erp/1001", ORDER).json()
    answer = api.patch(f"orders/{made['id']}", {"lines": [{"quantity": "1"}]})
    assert faults(answer) == {"#/lines/0/product": "required", "#/lines/0/unit_price": "required"}


def test_creates_with_post_and_keeps_the_number(api: Caller, brook: Customer) -> None:
    named = ORDER | {"source": "erp", "external_id": "1001"}
    assert api.post("orders", named).status_code == 201
    again = api.post("orders", named)
    assert again.status_code == 409
    assert faults(again) == {"#/external_id": "taken"}


def test_filters(api: Caller, cast: Cast, brook: Customer) -> None:
    for day in (18, 19, 20):
        api.put(f"orders/by-external/erp/{day}", ORDER | {"placed_at": f"2026-11-{day}T12:00:00Z"})
    line = ORDER["lines"][0] | {"quantity": "-6"}
    api.put("orders/by-external/erp/C1", ORDER | {"lines": [line]})

    def found(**query: object) -> list[str]:
        return [row["external_id"] for row in api.get("orders", **query).json()["results"]]

    assert found(placed_since="2026-11-19", kind="order") == ["19", "20"]
    assert found(placed_until="2026-11-19") == ["18", "19"]
    assert found(kind="credit_note", customer=brook.pk) == ["C1"]
    assert found(ordering="-placed_on", kind="order") == ["20", "19", "18"]
    assert found(customer=cast.customer("Other").pk) == []


def test_shows_everybody_only_the_orders_of_their_customers(api: Caller, call_as, cast: Cast, brook: Customer) -> None:
    with tenant_scope(cast.tenant):
        Customer.objects.filter(pk=brook.pk).update(owner_b=None)
    made = api.put("orders/by-external/erp/1001", ORDER).json()
    ann, bo = call_as(cast.ann), call_as(cast.bo)
    assert ann.get(f"orders/{made['id']}").status_code == 200
    assert bo.get(f"orders/{made['id']}").status_code == 404
    assert bo.get("orders").json()["results"] == []
    assert bo.get("orders/by-external/erp/1001").status_code == 404
