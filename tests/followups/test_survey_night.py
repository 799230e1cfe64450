"""The night asks whose turn it is, after talks and complaints, asks again and reminds; twice finds nothing to do."""

from __future__ import annotations

import datetime as dt

import pytest

from customers.activity import refresh_activity
from customers.models import Complaint, Contact, Customer, Interaction, Order, month_of
from followups.models import FollowUp, Message, Survey, SurveyLoop
from followups.services import complete
from followups.surveys import asking, loops
from followups.surveys import services as surveys
from tenants.context import tenant_scope
from tests.followups.conftest import NOON, TODAY
from tests.followups.surveyed import asked, contact_of, set_policy

DAY = dt.timedelta(days=1)


@pytest.fixture
def automatic(cast):
    set_policy(cast, sending="automatic", csat_contact_percent=100)


@pytest.fixture
def buyers(cast):
    """So many customers who have bought, each with a contact."""

    def make(count: int) -> list[Contact]:
        found = []
        with tenant_scope(cast.tenant):
            for number in range(count):
                customer = Customer.objects.create(name=f"Buyer {number}", owner_a=cast.ann)
                day = TODAY - 20 * DAY
                Order.objects.create(
                    customer=customer, external_id=f"B-{number}", currency="GBP", digest="", net=1, placed_on=day,
                    placed_at=cast.tenant.start_of(day),
                )  # fmt: skip
                refresh_activity([(customer.pk, month_of(day))])
                found.append(
                    Contact.objects.create(customer=customer, name=f"Buyer {number}", email=f"b{number}@b.example")
                )
        return found

    return make


def night(cast, day: dt.date = TODAY) -> dict[str, int]:
    with tenant_scope(cast.tenant):
        return asking.STEP.at_once(day)


def test_asks_nobody_by_itself_until_the_firm_says_so(cast, buyers):
    buyers(200)
    assert night(cast)["asked"] == 0
    set_policy(cast, sending="automatic")
    assert night(cast)["asked"] > 0


def test_asks_those_whose_turn_it_is_and_no_one_twice(cast, automatic, buyers, time_machine):
    people = buyers(120)
    first = night(cast)["asked"]
    assert 0 < first < 60
    assert night(cast)["asked"] == 0
    total = first
    for ahead in range(1, 41):
        time_machine.move_to(NOON + ahead * DAY, tick=False)
        total += night(cast, TODAY + ahead * DAY)["asked"]
    with tenant_scope(cast.tenant):
        # From 20 November until the end of the quarter every turn of the rest has come.
        assert total == Survey.objects.count()
        by_contact = Survey.objects.filter(period="2026-Q4").values_list("contact_id", flat=True)
        assert len(by_contact) == len(set(by_contact))
        assert set(by_contact) <= {contact.pk for contact in people}
        assert not Survey.objects.filter(message__status="blocked").exists()


def test_leaves_alone_who_left_who_withdrew_who_closed_and_who_never_bought(cast, automatic, buyers):
    for contact, fields in zip(buyers(90), ({"left_on": TODAY}, {"consent": "withdrawn"}, None) * 30, strict=True):
        with tenant_scope(cast.tenant):
            if fields is None:
                Customer.objects.filter(pk=contact.customer_id).update(closed_on=TODAY)
            else:
                Contact.objects.filter(pk=contact.pk).update(**fields)
    for number in range(60):
        contact_of(cast, cast.customer(f"Prospect {number}"))
    assert night(cast)["asked"] == 0


def test_a_night_of_a_day_long_over_asks_nobody(cast, automatic, buyers):
    buyers(200)
    assert night(cast, TODAY - 2 * DAY) == {"drawn": 0}


def test_asks_after_a_solved_complaint_the_main_contact_once(cast, automatic):
    contact = contact_of(cast)
    with tenant_scope(cast.tenant):
        Contact.objects.create(customer=contact.customer, name="Li", email="li@huaxin.example")
        solved = Complaint.objects.create(
            customer=contact.customer, topic="Broken tiles", opened_at=NOON - 5 * DAY, solved_at=NOON - DAY
        )
        Complaint.objects.create(customer=contact.customer, topic="Long ago", opened_at=NOON - 40 * DAY, solved_at=NOON - 30 * DAY)  # fmt: skip
        Complaint.objects.create(customer=contact.customer, topic="Open")
    assert night(cast)["asked"] == 1
    assert night(cast)["asked"] == 0
    with tenant_scope(cast.tenant):
        survey = Survey.objects.get()
        assert (survey.contact, survey.complaint, survey.kind, survey.cause) == (contact, solved, "csat", "complaint")
        assert "Broken tiles" in survey.message.body


def test_asks_after_a_talk_unless_the_contact_was_asked_lately(cast, automatic):
    talked, tired = contact_of(cast), contact_of(cast, cast.customer("Tired"))
    asked(cast, tired)
    with tenant_scope(cast.tenant):
        for contact in (talked, tired):
            Interaction.objects.create(
                customer=contact.customer, contact=contact, member=cast.ann, channel="phone", answered=True,
                kind="deep_talk", at=NOON - DAY,
            )  # fmt: skip
        Interaction.objects.create(
            customer=talked.customer, contact=talked, member=cast.ann, channel="phone", answered=False, at=NOON - DAY
        )
    assert night(cast)["asked"] == 1
    with tenant_scope(cast.tenant):
        survey = Survey.objects.get(cause="contact")
        assert (survey.contact, survey.interaction.kind) == (talked, "deep_talk")


def test_asks_again_after_the_follow_up_is_done_and_the_contact_has_rested(cast, time_machine):
    survey = asked(cast)
    with tenant_scope(cast.tenant):
        surveys.answer(survey=survey, score=3)
        complete(follow_up=FollowUp.objects.get(), member=cast.ann)
    for days, again in ((29, 0), (31, 0), (81, 1), (82, 0)):
        time_machine.move_to(NOON + days * DAY, tick=False)
        assert night(cast, TODAY + days * DAY)["asked_again"] == again, days
    with tenant_scope(cast.tenant):
        loop = SurveyLoop.objects.get()
        assert loop.asked_again.cause == "verify"
        assert loop.asked_again.message.status in {"queued", "held"}
        surveys.answer(survey=loop.asked_again, score=9)
        assert loops.sweep() == 1
        loop.refresh_from_db()
        assert loop.improved


def test_reminds_once_who_got_the_message_and_has_not_answered(cast, time_machine):
    waiting, answered, unsent = (asked(cast, contact_of(cast, cast.customer(name))) for name in "ABC")
    with tenant_scope(cast.tenant):
        Message.objects.exclude(pk=unsent.message_id).update(status="sent", sent_at=NOON)
        surveys.answer(survey=answered, score=9)
    time_machine.move_to(NOON + 4 * DAY, tick=False)
    assert night(cast, TODAY + 4 * DAY)["reminded"] == 0
    time_machine.move_to(NOON + 5 * DAY, tick=False)
    assert night(cast, TODAY + 5 * DAY)["reminded"] == 1
    assert night(cast, TODAY + 5 * DAY)["reminded"] == 0
    with tenant_scope(cast.tenant):
        reminder = Message.objects.get(origin="survey-reminder:1")
        assert reminder.contact == waiting.contact
        assert reminder.status in {"queued", "held"}
        waiting.refresh_from_db()
        assert waiting.reminders == 1
    time_machine.move_to(NOON + 11 * DAY, tick=False)
    assert night(cast, TODAY + 11 * DAY)["reminded"] == 0
