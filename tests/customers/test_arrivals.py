"""It: every fact that health rests on leaves a note about its customer, once, in its own transaction."""

import datetime as dt
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from customers import services
from customers.models import Arrival
from customers.services import Article, Line
from tenants.context import tenant_scope
from tests.customers.conftest import ORDERS

AT = dt.datetime(2026, 11, 18, 10, tzinfo=dt.UTC)
LINES = [Line(product=Article(source="erp", external_id="h"), quantity=Decimal(1), unit_price=Decimal(9))]


@pytest.fixture
def customer(cast, scope):
    return cast.customer()


@pytest.fixture
def other(cast, scope):
    return cast.customer("Other")


def noted():
    """Whose facts came in since the last time this was asked."""
    return set(services.take_arrivals(100))


def ids(*customers):
    return {customer.pk for customer in customers}


def order(**fields):
    usual = {"source": "erp", "external_id": "1", "placed_at": AT, "lines": LINES}
    return services.upsert_order(**(usual | fields))[0]


ADD = {
    "order": order,
    "interaction": lambda **fields: services.log_interaction(channel="phone", **fields),
    "complaint": lambda **fields: services.open_complaint(topic="Late", **fields),
    "answer": lambda **fields: services.add_survey_response(kind="csat", score=4, **fields),
}
CHANGE = {
    "order": lambda row, **fields: services.patch_order(order=row, **fields),
    "interaction": lambda row, **fields: services.patch_interaction(interaction=row, **fields),
    "complaint": lambda row, **fields: services.patch_complaint(complaint=row, **fields),
    "answer": lambda row, **fields: services.patch_survey_response(response=row, **fields),
}
DIFFERENT = {
    "order": {"paid_on": dt.date(2026, 11, 19)},
    "interaction": {"answered": True},
    "complaint": {"severity": "serious"},
    "answer": {"score": 2},
}


@pytest.mark.parametrize("fact", ADD)
def test_notes_a_new_fact(customer, other, fact):
    ADD[fact](customer=customer)
    assert noted() == ids(customer)
    assert noted() == set()


@pytest.mark.parametrize("fact", ADD)
def test_notes_a_change_and_not_what_is_the_same_again(customer, fact):
    row = ADD[fact](customer=customer)
    noted()
    assert CHANGE[fact](row, **DIFFERENT[fact]) == "updated"
    assert noted() == ids(customer)
    assert CHANGE[fact](row, **DIFFERENT[fact]) == "unchanged"
    assert noted() == set()


@pytest.mark.parametrize("fact", ADD)
def test_notes_both_customers_when_a_fact_goes_to_another(customer, other, fact):
    row = ADD[fact](customer=customer)
    noted()
    CHANGE[fact](row, customer=other)
    assert noted() == ids(customer, other)


@pytest.mark.parametrize(
    "upsert",
    [
        lambda **fields: services.upsert_interaction(source="crm", external_id="1", channel="phone", **fields),
        lambda **fields: services.upsert_complaint(source="crm", external_id="1", topic="Late", **fields),
        lambda **fields: services.upsert_survey_response(
            source="crm", external_id="1", kind="nps", score=9, at=AT, **fields
        ),
    ],
)
def test_notes_what_another_system_brings_by_its_own_name(customer, upsert):
    upsert(customer=customer)
    assert noted() == ids(customer)
    assert upsert(customer=customer)[1] == "unchanged"
    assert noted() == set()


def test_notes_a_complaint_that_is_solved_and_a_contact_that_is_taken_back(customer):
    complaint, contact = ADD["complaint"](customer=customer), ADD["interaction"](customer=customer)
    noted()
    services.solve_complaint(complaint=complaint)
    assert noted() == ids(customer)
    services.delete_interaction(interaction=contact)
    assert noted() == ids(customer)


def test_notes_nothing_of_what_is_refused_or_rolled_back(customer, other):
    with pytest.raises(ValidationError):
        services.add_survey_response(customer=customer, kind="csat", score=9)
    before = transaction.savepoint()
    ADD["complaint"](customer=customer)
    transaction.savepoint_rollback(before)
    assert noted() == set()


def test_notes_nothing_of_what_health_does_not_rest_on(customer):
    services.save_contact(customer=customer, name="Liu Fang")
    services.add_evidence(customer=customer, kind="endorsement", on=dt.date(2026, 1, 2))
    assert noted() == set()


def test_notes_what_is_said_about_the_customer_itself_and_a_new_one(customer):
    services.patch_customer(customer=customer, city="Leeds")
    assert noted() == ids(customer)
    new = services.create_customer(name="New")
    assert noted() == ids(new)


def test_keeps_one_note_and_its_last_moment_however_many_facts_come(customer, time_machine):
    time_machine.move_to(AT, tick=False)
    ADD["complaint"](customer=customer)
    later = AT + dt.timedelta(minutes=5)
    time_machine.move_to(later, tick=False)
    ADD["interaction"](customer=customer)
    assert list(Arrival.objects.values_list("customer_id", "at", "is_seen")) == [(customer.pk, later, False)]


def test_keeps_a_note_that_is_seen_and_opens_it_again_for_another_fact(customer):
    ADD["complaint"](customer=customer)
    assert noted() == ids(customer)
    assert list(Arrival.objects.values_list("customer_id", "is_seen")) == [(customer.pk, True)]
    ADD["interaction"](customer=customer)
    assert list(Arrival.objects.values_list("customer_id", "is_seen")) == [(customer.pk, False)]
    assert noted() == ids(customer)


def test_takes_those_that_wait_longest_first(cast, scope, time_machine):
    customers = [cast.customer(f"C{n}") for n in range(4)]
    for minutes, customer in enumerate([customers[2], customers[0], customers[3], customers[1]]):
        time_machine.move_to(AT + dt.timedelta(minutes=minutes), tick=False)
        services.arrived([customer.pk])
    assert services.take_arrivals(2) == sorted(ids(customers[0], customers[2]))
    assert services.take_arrivals(2) == sorted(ids(customers[1], customers[3]))


def test_takes_no_more_than_it_is_asked_for_whatever_the_plan(cast, scope):
    services.arrived(cast.customer(f"C{n}").pk for n in range(6))
    with connection.cursor() as cursor:
        for way in ("hashjoin", "mergejoin", "hashagg", "sort", "material", "indexscan", "bitmapscan"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
    assert len(services.take_arrivals(2)) == 2
    assert Arrival.objects.filter(is_seen=False).count() == 4


def test_writes_the_notes_of_many_facts_in_one_statement_at_the_end(customer, other):
    with CaptureQueriesContext(connection) as queries, services.arrivals_last():
        for _each in range(3):
            ADD["interaction"](customer=other)
            ADD["complaint"](customer=customer)
        with services.arrivals_last():  # inside another one, that one's end counts
            ADD["answer"](customer=other)
        assert not Arrival.objects.exists()
    statements = [q["sql"] for q in queries if "INSERT INTO customers_arrival" in q["sql"]]
    assert len(statements) == 1
    assert queries[-1]["sql"] == statements[0]
    assert noted() == ids(customer, other)


def test_notes_orders_of_many_customers_once(customer, other):
    with CaptureQueriesContext(connection) as queries, services.many_orders(ids(customer, other)):
        order(customer=other, external_id="1")
        order(customer=customer, external_id="2")
        order(customer=other, external_id="3")
    assert sum("INSERT INTO customers_arrival" in q["sql"] for q in queries) == 1
    assert noted() == ids(customer, other)


# ── imports ─────────────────────────────────────────────────────────────────

FILES = {
    "orders": ORDERS + "1,{0},2026-03-02 10:00,h,{1},9\n",
    "interactions": "customer,at,channel,topic,note\n{0},2026-03-02 10:00,phone,prices,note {1}\n",
    "complaints": "customer,opened_at,topic,text\n{0},2026-03-02 10:00,Late,text {1}\n",
    "survey_responses": "customer,at,kind,score\n{0},2026-03-02 10:00,nps,{1}\n",
}


@pytest.fixture
def named(cast):
    with tenant_scope(cast.tenant):
        rows = {name: cast.customer(name) for name in ("K-1", "K-2", "K-3")}
        for name, row in rows.items():
            row.external_ids.create(source="import", value=name)
    return rows


@pytest.fixture
def came(cast):
    """Whose facts came in since the last time this was asked, by name."""

    def names(customers):
        with tenant_scope(cast.tenant):
            taken = noted()
        return {name for name, row in customers.items() if row.pk in taken}

    return names


@pytest.mark.parametrize("kind", FILES)
def test_notes_the_customers_whose_facts_a_file_changes(cast, deliver, named, came, kind):
    text = FILES[kind]
    deliver(text.format("K-1", 4), kind=kind)
    assert came(named) == {"K-1"}
    deliver(text.format("K-1", 4), kind=kind)
    assert came(named) == set()
    deliver(text.format("K-1", 5), kind=kind)
    assert came(named) == {"K-1"}
    deliver(text.format("K-2", 4), kind=kind, dry_run=True)
    assert came(named) == set()


@pytest.mark.parametrize("kind", FILES)
def test_notes_both_customers_when_a_file_gives_a_fact_to_another(cast, deliver, named, came, kind):
    text = FILES[kind]
    if kind != "orders":  # whose number is the order's own
        header, line = text.splitlines()
        text = f"{header},external_id\n{line},T-1\n"
    deliver(text.format("K-1", 4), kind=kind)
    assert came(named) == {"K-1"}
    deliver(text.format("K-3", 4), kind=kind)
    assert came(named) == {"K-1", "K-3"}
