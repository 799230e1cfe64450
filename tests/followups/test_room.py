"""Tasks in the budget: a routine touch of a contact who has had enough waits for a day with room, and says so."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.models import Contact, Interaction
from followups.messages.outbox import queue_message
from followups.messages.whys import task_why
from followups.models import ContactWishes, FollowUp
from followups.raising import raise_follow_ups
from followups.rules.room import free_day
from tenants.policies import active_policy, save_policy
from tests.followups.conftest import NOON, TODAY

DAY = dt.timedelta(days=1)
days = st.integers(-40, 20)


@given(used=st.lists(days, max_size=8), most=st.integers(1, 4), window=st.integers(1, 30))
def test_it_finds_the_first_day_on_which_no_window_is_too_full(used, most, window):
    dates = [TODAY + each * DAY for each in used]
    found = free_day(TODAY, dates, most=most, window_days=window, wait_days=400)

    def fits(day):
        return all(
            sum(begin <= each < begin + window * DAY for each in [*dates, day]) <= most
            for begin in (day - offset * DAY for offset in range(window))
        )

    assert found is not None
    assert fits(found)
    assert not any(fits(TODAY + offset * DAY) for offset in range((found - TODAY).days))


def test_it_gives_up_where_there_is_no_room_soon():
    assert free_day(TODAY, [TODAY - DAY], most=1, window_days=30, wait_days=28) is None
    assert free_day(TODAY, [TODAY - DAY], most=1, window_days=30, wait_days=29) == TODAY + 29 * DAY


@pytest.fixture
def mei(cast, scope):
    return Contact.objects.create(customer=cast.customer(), name="Mei", email="mei@huaxin.example", is_main=True)


def ask(contact, rule="cadence:light_touch", level="routine", due=TODAY, period="p"):
    wanted = pl.DataFrame(
        {
            "customer_id": [contact.customer_id], "kind": ["light_touch"], "rule": [rule], "period": [period],
            "due_on": [due], "level": [level], "facts": ['{"every_days": 30}'],
        }
    )  # fmt: skip
    assert raise_follow_ups(wanted, policy_version=1, customers=[contact.customer_id]) == 1
    return FollowUp.objects.get(rule=rule, period=period)


def call(contact, *days_ago, **fields):
    for each in days_ago:
        usual = {"customer": contact.customer, "contact": contact, "channel": "phone", "at": NOON - each * DAY}
        Interaction.objects.create(**(usual | fields))


def test_it_leaves_a_task_where_the_contact_has_room(mei):
    call(mei, 1, 2, 3)
    task = ask(mei)
    assert (task.due_on, task.facts) == (TODAY, {"every_days": 30})
    assert task_why(task.facts) == ""


def test_it_moves_a_task_to_a_working_day_with_room_and_says_why(mei):
    call(mei, 27, *range(1, 8))  # eight in 30 days; the oldest leaves after three days: Monday
    task = ask(mei)
    assert task.due_on == dt.date(2026, 11, 23)
    assert task.facts == {"every_days": 30, "wanted_on": "2026-11-20", "budget": 8}
    assert task_why(task.facts) == "Moved from 20 Nov: the contact's budget of 8 touches was used up."


def test_it_counts_messages_and_other_tasks_as_well(mei, raised):
    call(mei, 27, 26, 25, 24)
    for number in range(2):
        queue_message(
            customer=mei.customer, contact=mei, channel="email", purpose="care", subject="x", body="x", origin="care",
            period=str(number),
        )  # fmt: skip
    raised(mei.customer, contact=mei)
    assert ask(mei).due_on == TODAY  # the eighth
    assert ask(mei, period="q").due_on == dt.date(2026, 11, 23)


def test_it_counts_a_contact_that_the_outbox_has_logged_once(mei):
    call(mei, 1, 2, 3, 4)
    call(mei, 1, 2, 3, 4, source="outbox")
    assert ask(mei).due_on == TODAY


def test_it_keeps_to_what_the_contact_wishes(mei):
    ContactWishes.objects.create(contact=mei, most=1)
    call(mei, 27)
    assert ask(mei).due_on == dt.date(2026, 11, 23)


def test_it_leaves_to_a_person_what_has_no_room_soon(mei):
    call(mei, *range(1, 9))
    task = ask(mei)
    assert (task.due_on, task.facts["crowded"]) == (TODAY, 8)
    assert "decide yourself" in task_why(task.facts)


@pytest.mark.parametrize(("rule", "level"), [("signal:order_silence", "severe"), ("reply", "routine")])
def test_it_never_moves_what_answers_something(mei, rule, level):
    call(mei, 27, *range(1, 8))
    assert ask(mei, rule=rule, level=level).due_on == TODAY


def test_it_goes_by_the_policy(mei, cast):
    document = dict(active_policy().document)
    document["contact"] = {**document.get("contact", {}), "budget": 20}
    save_policy(document, pack="callback", note="more")
    call(mei, 27, *range(1, 8))
    assert ask(mei).due_on == TODAY
