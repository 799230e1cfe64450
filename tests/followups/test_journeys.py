"""It: takes whom an event brings in, does each step in its time and once, lets one journey speak, and stops in time."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from config.night import run_night
from customers.models import Complaint, Contact, Interaction, Order, Product
from followups.journeys import services as journeys
from followups.journeys import walking
from followups.models import Announcement, ChannelSetup, DutyHolder, Enrolment, FollowUp, Journey, JourneyStep, Message
from followups.reasons import phrase
from followups.rules.journeys import Definition
from segmentation.models import Standing
from tenants.models import Event
from tests.followups.conftest import NOON, TODAY

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
SINCE = NOON - 60 * DAY

pytestmark = pytest.mark.usefixtures("scope")


@pytest.fixture
def shipped(scope):
    """The journeys that ship, counting events of the last 60 days."""
    journeys.ensure_journeys(SINCE)


@pytest.fixture
def customer(cast):
    return cast.customer()


def order(customer, at, **fields):
    usual = {"external_id": f"SO-{customer.pk}-{at:%m%d%H%M}", "currency": "GBP", "net": Decimal(100), "digest": ""}
    return Order.objects.create(customer=customer, placed_at=at, placed_on=at.date(), **(usual | fields))


def enter(now=NOON, customers=None):
    return walking.enter(walking.journeys_on(), now, customers)


def walk(customer, now=NOON):
    walking.walk([customer.pk], now)
    return {row.journey.code: row for row in Enrolment.objects.filter(customer=customer).select_related("journey")}


def asked(customer):
    """Step → follow-up of the customer."""
    rows = FollowUp.objects.filter(customer=customer, rule__startswith="journey:")
    return {row.rule.removeprefix("journey:"): row for row in rows}


# ── who enters ──────────────────────────────────────────────────────────────


def test_takes_in_whoever_orders_for_the_first_time(cast, shipped, customer):
    old = cast.customer("Old")
    order(old, NOON - 200 * DAY)
    order(old, NOON - HOUR)
    first = order(customer, NOON - 2 * HOUR)
    order(customer, NOON - HOUR)
    order(cast.customer("Only cancelled"), NOON - HOUR, status="cancelled")
    order(cast.customer("Only credited"), NOON - HOUR, kind="credit_note")
    order(cast.customer("Closed", closed_on=TODAY), NOON - HOUR)
    assert enter() == {customer.pk}
    row = Enrolment.objects.get()
    assert (row.journey.code, row.event, row.event_at) == ("first-order", f"order:{first.pk}", first.placed_at)


def test_takes_in_each_event_once_however_often_it_looks(shipped, customer):
    order(customer, NOON - HOUR)
    assert enter() == {customer.pk}
    assert enter() == set()
    assert enter(NOON + HOUR) == set()
    assert Enrolment.objects.count() == 1


def test_greets_nobody_for_what_is_long_ago_or_was_before_it_was_switched_on(shipped, customer):
    order(customer, NOON - 8 * DAY)
    assert enter() == set()
    Journey.objects.update(since=NOON - HOUR)
    order(customer, NOON - 2 * HOUR, external_id="x")
    assert enter() == set()


def test_takes_in_complaints_questions_and_silence(cast, shipped):
    by_code = {}
    logistics, other, asks, silent, back = (cast.customer(name) for name in ("l", "o", "a", "s", "b"))
    Complaint.objects.create(customer=logistics, topic="物流太慢", opened_at=NOON - HOUR)
    Complaint.objects.create(customer=other, topic="Colour", opened_at=NOON - 3 * DAY, solved_at=NOON - HOUR)
    Interaction.objects.create(
        customer=asks, channel="phone", direction="inbound", at=NOON - HOUR, note="Is there a NEW PRODUCT?"
    )
    Interaction.objects.create(
        customer=other, channel="phone", direction="outbound", at=NOON - HOUR, note="We have a new product"
    )
    for one in (silent, back):
        Standing.objects.create(customer=one, frequency=1, monetary=1, policy_version=1, last_order_on=TODAY - 90 * DAY)
    order(back, NOON - 3 * DAY)  # after what the night knew of
    Order.objects.filter(customer=back).update(placed_at=NOON - 80 * DAY, placed_on=TODAY - 80 * DAY)
    enter()
    for row in Enrolment.objects.select_related("journey", "customer"):
        by_code.setdefault(row.journey.code, set()).add(row.customer.name)
    assert by_code == {"logistics": {"l"}, "complaint": {"o"}, "product-asked": {"a"}, "silent": {"s"}}


def test_takes_in_only_customers_who_meet_the_conditions(cast, shipped):
    product = Product.objects.create(external_id="P-9", name="Glazed tile XL")
    gold, silver, rich = (cast.customer(name) for name in ("gold", "silver", "rich"))
    for one, tier in ((gold, "gold"), (silver, "silver"), (rich, "bronze")):
        Standing.objects.create(customer=one, frequency=1, monetary=Decimal(500), tier=tier, policy_version=1)
    journeys.announce(product=product, member=cast.lea)
    assert enter(NOON + HOUR) == {gold.pk}
    wanted = Definition.model_validate(
        {
            "trigger": "announced",
            "conditions": {"least_net": 500, "tiers": ["silver", "gold"]},
            "steps": [{"code": "x"}],
        }
    )
    assert journeys.dry_run(wanted, cast.ada).customers == 2
    poor = wanted.model_copy(update={"conditions": wanted.conditions.model_copy(update={"least_net": 501})})
    assert journeys.dry_run(poor, cast.ada).customers == 0
    assert Announcement.objects.count() == 1


# ── steps ───────────────────────────────────────────────────────────────────


def test_asks_for_each_step_in_its_time(cast, shipped, customer):
    contact = Contact.objects.create(customer=customer, name="Li Wei", phone="1", is_main=True)
    order(customer, NOON - HOUR)
    enter()
    walk(customer)
    letter = asked(customer)["first-order:letter"]
    # No e-mail is set up, so a person writes it.
    assert (letter.assignee, letter.contact, letter.channel) == (cast.ann, contact, "email")
    assert letter.due_at == NOON + 23 * HOUR
    assert letter.due_on == TODAY + DAY
    assert phrase(letter, TODAY) == "After the first order: Thank-you lett…"
    assert set(asked(customer)) == {"first-order:letter"}
    walk(customer, NOON + 22 * HOUR)
    assert set(asked(customer)) == {"first-order:letter"}
    walk(customer, NOON + 23 * HOUR)
    call = asked(customer)["first-order:call"]
    assert (call.channel, call.kind, call.level, call.due_at) == ("phone", "light_touch", "mild", NOON + 71 * HOUR)
    place = walk(customer, NOON + 24 * HOUR)["first-order"]
    assert (place.status, place.next_at) == ("active", NOON + 95 * HOUR)


def test_does_nothing_twice(shipped, customer):
    order(customer, NOON - HOUR)
    enter()
    for _time in range(3):
        walk(customer)
        enter()
    assert FollowUp.objects.filter(customer=customer).count() == 1
    assert JourneyStep.objects.count() == 1


def test_ends_when_the_last_follow_up_is_done(cast, shipped, customer):
    Complaint.objects.create(customer=customer, topic="Colour", opened_at=NOON - DAY, solved_at=NOON - HOUR)
    enter()
    assert walk(customer)["complaint"].status == "active"
    FollowUp.objects.filter(customer=customer).update(status="done")
    row = walk(customer, NOON + HOUR)["complaint"]
    assert (row.status, row.ended_at) == ("finished", NOON + HOUR)


def test_leaves_out_a_step_that_an_answer_has_made_needless(shipped, customer):
    Complaint.objects.create(customer=customer, topic="Colour", opened_at=NOON - DAY, solved_at=NOON - 2 * HOUR)
    Interaction.objects.create(customer=customer, channel="phone", answered=True, at=NOON - HOUR)
    enter()
    assert walk(customer)["complaint"].status == "finished"
    assert asked(customer) == {}
    assert JourneyStep.objects.values_list("status", "why").get() == ("skipped", "answer")


def test_hands_a_message_over_where_it_can_be_sent(cast, shipped, customer):
    ChannelSetup.objects.create(channel="email", from_name="Acme", from_address="hello@acme.example")
    Contact.objects.create(customer=customer, name="Li Wei", email="li@example.org", language="zh", is_main=True)
    order(customer, NOON - HOUR)
    enter()
    walk(customer)
    message = Message.objects.get()
    assert message.status == "queued"
    assert (message.origin, message.purpose, message.channel) == ("journey:first-order:letter", "journey", "email")
    assert message.subject == "感谢您的首次订购"
    assert "Li Wei" in message.body
    assert message.script is not None
    assert asked(customer) == {}
    assert JourneyStep.objects.get().message == message


def test_takes_a_message_back_while_another_journey_goes_first_and_sends_it_afterwards(cast, shipped, customer):
    ChannelSetup.objects.create(channel="email", from_name="Acme", from_address="hello@acme.example")
    Contact.objects.create(customer=customer, name="Li Wei", email="li@example.org", is_main=True)
    first = Journey.objects.get(code="first-order")
    Journey.objects.filter(pk=first.pk).update(definition={**first.definition, "stops": []})
    order(customer, NOON - HOUR)
    enter()
    walk(customer)
    assert Message.objects.get().status == "queued"
    Complaint.objects.create(customer=customer, topic="Late delivery", opened_at=NOON + HOUR)
    enter(NOON + 2 * HOUR)
    walk(customer, NOON + 2 * HOUR)
    assert Message.objects.get().status == "cancelled"
    FollowUp.objects.filter(rule="journey:logistics:solve").update(status="done")
    walk(customer, NOON + 3 * HOUR)
    message = Message.objects.get()
    assert (message.status, message.due_at) == ("queued", NOON + 3 * HOUR)


def test_does_not_ask_a_person_to_write_to_who_has_opted_out(shipped, customer):
    Contact.objects.create(customer=customer, name="Li Wei", email="li@example.org", consent="withdrawn", is_main=True)
    order(customer, NOON - HOUR)
    enter()
    walk(customer)
    # Nobody is left to write to: the owner decides what to do, and reads why.
    step = JourneyStep.objects.get()
    assert (step.status, step.why) == ("raised", "no_contact")


# ── who does it ─────────────────────────────────────────────────────────────


def test_gives_a_step_to_who_holds_the_duty(cast, shipped, customer):
    journeys.name_duty(duty="after_sales", holder=cast.ada, member=cast.lea)
    Complaint.objects.create(customer=customer, topic="Late delivery", opened_at=NOON - HOUR)
    enter()
    walk(customer)
    assert asked(customer)["logistics:solve"].assignee == cast.ada
    # Within 24 hours would be Saturday: the end of Friday's work, not later than promised.
    assert asked(customer)["logistics:solve"].due_at == NOON + 6 * HOUR


@pytest.mark.parametrize("holder", [None, "otherwise"])
def test_gives_it_to_the_owner_where_nobody_can_do_it(cast, shipped, customer, holder):
    if holder:  # Bo does not see it
        DutyHolder.objects.create(duty="after_sales", member=cast.bo)
        type(customer).objects.filter(pk=customer.pk).update(owner_b=None)
    Complaint.objects.create(customer=customer, topic="Late delivery", opened_at=NOON - HOUR)
    enter()
    walk(customer)
    row = asked(customer)["logistics:solve"]
    assert row.assignee == cast.ann
    assert row.facts["duty"] == "after_sales"


def test_takes_a_duty_back(cast, shipped):
    assert journeys.name_duty(duty="product", holder=cast.ada, member=cast.lea) == "updated"
    assert journeys.name_duty(duty="product", holder=cast.ada, member=cast.lea) == "unchanged"
    assert journeys.name_duty(duty="product", holder=None, member=cast.lea) == "updated"
    assert journeys.name_duty(duty="product", holder=None, member=cast.lea) == "unchanged"
    assert DutyHolder.objects.count() == 0


# ── one speaks ──────────────────────────────────────────────────────────────


def test_lets_the_more_urgent_journey_go_first_and_takes_the_other_up_again(shipped, customer):
    order(customer, NOON - HOUR)
    Journey.objects.filter(code="first-order").update(
        definition={**Journey.objects.get(code="first-order").definition, "stops": []}
    )
    enter()
    walk(customer)
    Complaint.objects.create(customer=customer, topic="Late delivery", opened_at=NOON + HOUR)
    enter(NOON + 2 * HOUR)
    rows = walk(customer, NOON + 2 * HOUR)
    assert (rows["logistics"].status, rows["first-order"].status) == ("active", "waiting")
    assert rows["first-order"].why == "other"
    open_ones = {rule for rule, row in asked(customer).items() if row.status == "open"}
    assert open_ones == {"logistics:solve"}
    FollowUp.objects.filter(rule="journey:logistics:solve").update(status="done")
    rows = walk(customer, NOON + 6 * HOUR)
    assert (rows["logistics"].status, rows["first-order"].status) == ("finished", "active")
    letter = asked(customer)["first-order:letter"]
    assert letter.status == "open"
    # It waited four hours, so it has four hours more.
    assert letter.due_at == NOON + 27 * HOUR
    assert rows["first-order"].next_at == NOON - HOUR + 28 * HOUR


def test_gives_up_what_has_waited_too_long(shipped, customer):
    Complaint.objects.create(customer=customer, topic="Late delivery", opened_at=NOON - HOUR)
    Interaction.objects.create(
        customer=customer, channel="phone", direction="inbound", at=NOON - HOUR, note="new product?"
    )
    enter()
    rows = walk(customer)
    assert (rows["logistics"].status, rows["product-asked"].status) == ("active", "waiting")
    assert rows["product-asked"].next_at == NOON + 14 * DAY
    rows = walk(customer, NOON + 14 * DAY)
    assert (rows["product-asked"].status, rows["product-asked"].why) == ("stopped", "over")


def test_cannot_have_two_under_way_for_one_customer(shipped, customer):
    usual = {"customer": customer, "event_at": NOON, "base_at": NOON, "status": "active"}
    Enrolment.objects.create(journey=Journey.objects.get(code="silent"), event="1", **usual)
    with pytest.raises(IntegrityError), transaction.atomic():
        Enrolment.objects.create(journey=Journey.objects.get(code="complaint"), event="2", **usual)


# ── what stops it ───────────────────────────────────────────────────────────


@pytest.fixture
def silent(cast, shipped, customer):
    Standing.objects.create(
        customer=customer, frequency=1, monetary=1, policy_version=1, last_order_on=TODAY - 90 * DAY
    )
    enter()
    assert walk(customer)["silent"].status == "active"
    return customer


def test_stops_when_the_customer_orders_and_withdraws_what_it_asked_for(silent):
    order(silent, NOON + HOUR)
    row = walk(silent, NOON + 2 * HOUR)["silent"]
    assert (row.status, row.why) == ("stopped", "order")
    assert asked(silent)["silent:ask"].status == "cancelled"


def test_leaves_alone_what_somebody_has_done(silent):
    FollowUp.objects.filter(customer=silent).update(status="done")
    order(silent, NOON + HOUR)
    walk(silent, NOON + 2 * HOUR)
    assert asked(silent)["silent:ask"].status == "done"


def test_stops_when_the_customer_is_closed(silent):
    type(silent).objects.filter(pk=silent.pk).update(closed_on=TODAY)
    assert walk(silent)["silent"].why == "closed"


def test_takes_everybody_out_when_it_is_switched_off(cast, silent):
    assert journeys.switch(journey=Journey.objects.get(code="silent"), member=cast.lea, on=False) == "updated"
    assert walking.look_at_facts(NOON, 100) == 1
    row = Enrolment.objects.get()
    assert (row.status, row.why) == ("stopped", "off")
    assert journeys.switch(journey=row.journey, member=cast.lea, on=False) == "unchanged"


def test_lets_somebody_take_a_customer_out(cast, silent):
    row = Enrolment.objects.get()
    assert journeys.take_out(enrolment=row, member=cast.ann) == "updated"
    assert (row.status, row.why) == ("stopped", "by_hand")
    assert asked(silent)["silent:ask"].status == "cancelled"
    assert journeys.take_out(enrolment=row, member=cast.ann) == "unchanged"
    assert Event.objects.filter(verb="stopped", object_type="enrolment", actor=cast.ann).count() == 1
    with pytest.raises(PermissionDenied):
        journeys.take_out(enrolment=row, member=cast.eve)


# ── between two nights, and at night ────────────────────────────────────────


def test_begins_as_soon_as_the_fact_is_there(cast, shipped, customer):
    from customers.services.arrivals import arrived

    Journey.objects.update(looked_at=NOON)
    order(customer, NOON - HOUR)
    assert walking.look_at_facts(NOON, 100) == 0  # nobody has said that a fact came in
    arrived([customer.pk])
    assert walking.look_at_facts(NOON, 100) == 1
    assert set(asked(customer)) == {"first-order:letter"}


def test_walks_with_the_night(cast, customer):
    assert run_night(cast.tenant, TODAY, everybody=True).status == "done"
    assert Journey.objects.filter(is_on=True).count() == 6
    order(customer, NOON + HOUR)
    run_night(cast.tenant, TODAY + DAY, everybody=True)
    assert Enrolment.objects.get().event_at == NOON + HOUR
    assert set(asked(customer)) == {"first-order:letter"}


# ── the definitions ─────────────────────────────────────────────────────────


def test_puts_what_ships_there_once(shipped):
    assert journeys.ensure_journeys() == 0
    Journey.objects.filter(code="silent").update(is_on=False, name="Mine")
    assert journeys.ensure_journeys() == 0
    assert Journey.objects.get(code="silent").name == "Mine"


def test_makes_one_that_is_switched_off_until_somebody_switches_it_on(cast, shipped, customer):
    definition = {"trigger": "asked", "words": ["price"], "steps": [{"code": "call", "script": "renewal"}]}
    made, outcome = journeys.save_journey(member=cast.lea, definition=definition, code="price", name="Price talk")
    assert (outcome, made.is_on, made.trigger) == ("created", False, "asked")
    journeys.switch(journey=made, member=cast.lea, on=True)
    Interaction.objects.create(
        customer=customer, channel="phone", direction="inbound", at=NOON + HOUR, note="Your PRICE is high"
    )
    enter(NOON + 2 * HOUR)
    walk(customer, NOON + 2 * HOUR)
    assert phrase(asked(customer)["price:call"], TODAY) == "Price talk"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"code": "silent"}, "code"),
        ({"code": "Not so"}, "code"),
        ({"name": ""}, "name"),
        ({"definition": {"trigger": "asked", "steps": [{"code": "call"}]}}, "definition"),
        ({"definition": {"trigger": "silence", "steps": [{"code": "call", "script": "none"}]}}, "definition"),
        (
            {"definition": {"trigger": "silence", "conditions": {"tiers": ["key"]}, "steps": [{"code": "call"}]}},
            "definition",
        ),
    ],
)
def test_refuses_a_definition_that_cannot_work(cast, shipped, fields, field):
    usual = {"definition": {"trigger": "silence", "steps": [{"code": "call"}]}, "code": "new", "name": "New"}
    with pytest.raises(ValidationError) as refusal:
        journeys.save_journey(member=cast.lea, **(usual | fields))
    assert set(refusal.value.error_dict) == {field}


def test_announces_a_product_once_and_only_where_somebody_listens(cast, shipped):
    product = Product.objects.create(external_id="P-9")
    assert journeys.announce(product=product, member=cast.lea)[1] == "created"
    assert journeys.announce(product=product, member=cast.lea)[1] == "unchanged"
    Journey.objects.filter(code="new-product").update(is_on=False)
    with pytest.raises(ValidationError, match="switched on"):
        journeys.announce(product=product, member=cast.lea)
