import datetime as dt
from decimal import Decimal

import pytest

from customers.models import Activity, Customer, ExternalId, Order, OrderLine, Product
from tenants.context import tenant_scope
from tenants.models import Event
from tests.customers.conftest import ORDERS, counts

TWO_ORDERS = ORDERS + (
    "A1,4711,2026-03-02 10:00,hammer,2,9.99\n"
    "A1,4711,2026-03-02 10:00,nail,1000,0.0125\n"
    "A2,4712,2026-03-03,hammer,1,10\n"
)


def test_makes_orders_customers_and_products(cast, deliver):
    row = deliver(TWO_ORDERS)
    assert (row.status, counts(row)) == ("done", (3, 0, 2, 0, 0))
    with tenant_scope(cast.tenant):
        order = Order.objects.get(external_id="A1")
        assert (order.net, order.kind, order.status, order.currency) == (Decimal("32.48"), "order", "placed", "GBP")
        assert order.customer.external_ids.get().value == "4711"
        assert order.customer.name == order.customer.search_name == "4711"
        assert [(line.position, line.product.external_id, line.money) for line in order.lines.all()] == [
            (1, "hammer", Decimal("19.98")),
            (2, "nail", Decimal("12.5")),
        ]
        month = Activity.objects.get(customer=order.customer)
        assert (month.month, month.orders, month.net, month.days) == (dt.date(2026, 3, 1), 1, Decimal("32.48"), 2)


def test_changes_nothing_the_second_time(cast, deliver):
    deliver(TWO_ORDERS)
    with tenant_scope(cast.tenant):
        before = list(Order.objects.order_by("pk").values_list("pk", "updated_at"))
        lines = list(OrderLine.objects.order_by("pk").values_list("pk", flat=True))
    row = deliver(TWO_ORDERS.replace("9.99", "9.990").replace("2026-03-03", "2026-03-03T00:00:00Z"))
    assert counts(row) == (3, 0, 0, 0, 2)
    with tenant_scope(cast.tenant):
        assert list(Order.objects.order_by("pk").values_list("pk", "updated_at")) == before
        assert list(OrderLine.objects.order_by("pk").values_list("pk", flat=True)) == lines


def test_knows_numbers_again_whatever_is_in_them(cast, deliver):
    """Thousands of them are looked up at once, as one text that PostgreSQL takes apart."""
    odd = [
        'a"b',
        "c\\d",
        "{e}",
        "NULL",
        "f,g",
        "h'i",
        "100%",
        "%s",
        '"',
        "\\",
        '\\"',
        "é 华",
        "j  k",
        "a\tb",
        "two\nlines",
    ]
    quoted = ['"' + name.replace('"', '""') + '"' for name in odd]
    text = ORDERS + "".join(f"{name},{name},2026-03-02,{name},1,10\n" for name in quoted)
    assert counts(deliver(text)) == (len(odd), 0, len(odd), 0, 0)
    assert counts(deliver(text)) == (len(odd), 0, 0, 0, len(odd))
    with tenant_scope(cast.tenant):
        assert set(ExternalId.objects.values_list("value", flat=True)) == set(odd)
        assert set(Product.objects.values_list("external_id", flat=True)) == set(odd)
        assert set(Order.objects.values_list("external_id", flat=True)) == set(odd)


def test_replaces_the_lines_of_an_order_that_comes_again(cast, deliver):
    deliver(TWO_ORDERS)
    row = deliver(ORDERS + "A1,4711,2026-04-02 10:00,hammer,3,9.99\nA2,4712,2026-03-03,hammer,1,10\n")
    assert counts(row) == (2, 0, 0, 1, 1)
    with tenant_scope(cast.tenant):
        order = Order.objects.get(external_id="A1")
        assert [line.money for line in order.lines.all()] == [Decimal("29.97")]
        assert [a.month for a in Activity.objects.filter(customer=order.customer)] == [dt.date(2026, 4, 1)]


def test_moves_an_order_to_another_customer(cast, deliver):
    deliver(TWO_ORDERS)
    deliver(TWO_ORDERS.replace("4711", "4712"))
    with tenant_scope(cast.tenant):
        customer = ExternalId.objects.get(value="4712").customer
        assert [(a.customer_id, a.orders) for a in Activity.objects.all()] == [(customer.pk, 2)]


def test_puts_lines_together_that_stand_far_apart(cast, deliver):
    lines = [f"B{n % 500},{n % 500 % 7},2026-03-02,p{n % 13},1,1\n" for n in range(3_000)]
    assert counts(deliver(ORDERS + "".join(lines))) == (3000, 0, 500, 0, 0)
    with tenant_scope(cast.tenant):
        assert set(Order.objects.values_list("net", flat=True)) == {Decimal(6)}
        assert Customer.objects.count() == 7


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ("A1,4711,2026-03-02,hammer,-2,10,\n", "credit_note"),
        ("A1,4711,2026-03-02,hammer,-2,10,\nA1,4711,2026-03-02,nail,2,10,\n", "order"),
        ("A1,4711,2026-03-02,hammer,-2,10,order\n", "order"),
        ("A1,4711,2026-03-02,hammer,2,10,Credit note\n", "credit_note"),
        ("A1,4711,2026-03-02,hammer,2,10,退货\n", "credit_note"),
    ],
)
def test_tells_credit_notes_from_orders(cast, deliver, lines, kind):
    deliver(ORDERS.replace("\n", ",kind\n") + lines)
    with tenant_scope(cast.tenant):
        assert Order.objects.get().kind == kind


def test_takes_names_from_the_file_for_what_is_new_and_keeps_them(cast, deliver):
    header = ORDERS.replace("\n", ",customer_name,country,product_name,category\n")
    line = "A{n},4711,2026-03-02,hammer,1,10,{name},{country},{product},{category}\n"
    first = line.format(n=1, name="Old Ltd", country="", product="", category="") + line.format(
        n=2, name="New Ltd", country="", product="Hammer", category=""
    )
    deliver(header + first)
    with tenant_scope(cast.tenant):
        customer, product = Customer.objects.get(), Product.objects.get()
        assert (customer.name, customer.search_name, product.name) == ("New Ltd", "new ltd", "Hammer")
    deliver(header + line.format(n=3, name="Newest Ltd", country="France", product="Big hammer", category="Tools"))
    with tenant_scope(cast.tenant):
        customer, product = Customer.objects.get(), Product.objects.get()
        assert (customer.name, customer.country) == ("New Ltd", "France")
        assert (product.name, product.category) == ("Hammer", "Tools")


def test_names_a_customer_that_had_only_a_number(cast, deliver):
    deliver(TWO_ORDERS)
    deliver(ORDERS.replace("\n", ",customer_name\n") + "A9,4711,2026-03-02,hammer,1,10,Huaxin\n")
    with tenant_scope(cast.tenant):
        assert ExternalId.objects.get(value="4711").customer.search_name == "huaxin"


def test_reckons_foreign_money_by_the_rate_that_the_order_brings(cast, deliver, why):
    header = ORDERS.replace("\n", ",currency,rate\n")
    row = deliver(
        header
        + "A1,1,2026-03-02,hammer,3,10,EUR,0.8512\n"
        + "A1,1,2026-03-02,nail,1,0.01,eur,\n"
        + "A2,1,2026-03-02,hammer,3,10,EUR,\n"
        + "A3,1,2026-03-02,hammer,3,10,GBP,1.2\n"
        + "A4,1,2026-03-02,hammer,3,10,,1\n"
        + "A5,1,2026-03-02,hammer,3,10,€,1\n"
        + "A6,1,2026-03-02,hammer,3,10,EUR,0\n"
        + "A1,1,2026-03-02,nail,1,0.01,USD,\n"
    )
    assert counts(row) == (8, 5, 2, 0, 0)
    assert why(row) == [
        (4, "rate", "The order is in EUR: it needs its exchange rate to GBP."),
        (5, "rate", "The order is in GBP, the firm's own currency: its exchange rate is 1, not 1.2."),
        (7, "currency", "“€” is no currency; write three capital letters, like GBP."),
        (8, "rate", "0 is not more than zero."),
        (9, "currency", "The order is in EUR by its first line, not in USD."),
    ]
    with tenant_scope(cast.tenant):
        assert Order.objects.get(external_id="A1").net == Decimal("25.5445")


def test_refuses_lines_that_name_another_customer_than_their_order(cast, deliver, why):
    row = deliver(ORDERS + "A1,4711,2026-03-02,hammer,1,10\nA1,4712,2026-03-02,nail,1,10\n")
    assert counts(row) == (2, 1, 1, 0, 0)
    assert why(row) == [(3, "customer", "The order belongs to customer 4711 by its first line, not to 4712.")]


def test_counts_days_in_the_tenants_own_zone(cast, deliver):
    lines = "A1,1,2026-03-31 23:30,hammer,1,10\nA2,1,2026-03-31T23:30:00Z,hammer,1,10\n"
    deliver(ORDERS + lines)
    with tenant_scope(cast.tenant):
        days = dict(Order.objects.values_list("external_id", "placed_on"))
    assert days == {"A1": dt.date(2026, 3, 31), "A2": dt.date(2026, 4, 1)}  # London is an hour ahead by then


def test_reads_times_that_the_clocks_skip_or_show_twice(cast, deliver):
    deliver(ORDERS + "A1,1,2026-03-29 01:30,hammer,1,10\nA2,1,2026-10-25 01:30,hammer,1,10\n")
    with tenant_scope(cast.tenant):
        times = dict(Order.objects.values_list("external_id", "placed_at"))
    assert times["A1"] == dt.datetime(2026, 3, 29, 1, 30, tzinfo=dt.UTC)  # 02:30 summer time
    assert times["A2"] == dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)  # the first of the two


def test_keeps_what_the_file_does_not_say(cast, deliver):
    header = ORDERS.replace("\n", ",due_on,paid_on,status\n")
    deliver(header + "A1,1,2026-03-02,hammer,1,10,2026-04-01,2026-03-20,cancelled\n")
    row = deliver(ORDERS + "A1,1,2026-03-02,hammer,1,10\n")
    assert counts(row) == (1, 0, 0, 0, 1)
    with tenant_scope(cast.tenant):
        order = Order.objects.get()
        assert (order.due_on, order.paid_on, order.status) == (dt.date(2026, 4, 1), dt.date(2026, 3, 20), "cancelled")
        assert not Activity.objects.exists()


def test_keeps_sources_apart(cast, deliver):
    deliver(TWO_ORDERS)
    row = deliver(TWO_ORDERS, source="shop")
    assert counts(row) == (3, 0, 2, 0, 0)
    with tenant_scope(cast.tenant):
        assert Order.objects.count() == Customer.objects.count() == 4


def test_keeps_tenants_apart(cast, deliver):
    deliver(TWO_ORDERS)
    assert counts(deliver(TWO_ORDERS, tenant=cast.other_tenant)) == (3, 0, 2, 0, 0)
    with tenant_scope(cast.other_tenant):
        assert set(Order.objects.values_list("currency", flat=True)) == {"CNY"}


def test_writes_nothing_when_it_only_tries(cast, deliver):
    deliver(TWO_ORDERS)
    again = TWO_ORDERS.replace("9.99", "8.88") + "A3,5000,2026-03-02,saw,1,10\nA4,5000,2026-03-02,saw,x,10\n"
    row = deliver(again, dry_run=True)
    assert counts(row) == (5, 1, 1, 1, 1)
    with tenant_scope(cast.tenant):
        assert Order.objects.count() == Customer.objects.count() == Product.objects.count() == 2
        assert Order.objects.get(external_id="A1").net == Decimal("32.48")


def test_writes_one_event_for_the_whole_file(cast, deliver):
    row = deliver(TWO_ORDERS, member=cast.ian)
    with tenant_scope(cast.tenant):
        event = Event.objects.get(object_type="import")
    assert (event.verb, event.object_id, event.actor_id) == ("finished", row.pk, cast.ian.pk)
    assert event.changes["created"] == 2
