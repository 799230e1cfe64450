"""It: signals from facts in the database, in the night and as facts arrive."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

import risk.nightly
from config.arrivals import look_at_arrivals
from customers import services
from customers.models import Customer
from followups.models import FollowUp
from health.models import LapseForecast
from risk.alerts.services import close
from risk.models import Alert, AlertRepeat
from risk.signals.services import fire_for
from risk.signals.words import answer_words, sentence
from tenants.context import tenant_scope
from tests.health.conftest import TODAY, Story, story

__all__ = ["story"]

pytestmark = pytest.mark.django_db


def night(story: Story, later: int = 0) -> dict[str, int]:
    """The night's steps of health and risk, of TODAY or so many days later."""
    story.night(later)
    with tenant_scope(story.cast.tenant):
        return risk.nightly.run(TODAY + dt.timedelta(days=later))


def alerts(story: Story, customer: Customer, **where: Any) -> dict[str, Alert]:
    with tenant_scope(story.cast.tenant):
        return {
            each.signal: each for each in Alert.objects.filter(customer=customer, **where).select_related("customer")
        }


def in_words(story: Story, customer: Customer, signal: str) -> str:
    with tenant_scope(story.cast.tenant):
        return sentence(alerts(story, customer)[signal])


def test_finds_each_signal_in_the_facts_and_says_what_fired_it(story: Story) -> None:
    slow, halved, narrow, angry, rival, deaf, glum, leaving, asking, warned, fine = (
        story.cast.customer(name) for name in (
            "Slow", "Halved", "Narrow", "Angry", "Rival", "Deaf", "Glum", "Leaving", "Asking", "Warned", "Fine",
        )
    )  # fmt: skip
    story.orders(slow, 1, 21, 41, 61, *range(71, 141, 10))
    story.orders(halved, 5, 60, *range(95, 175, 10))
    for category in "ABCDE":
        story.orders(narrow, *range(190, 340, 30), category=category)
    story.orders(narrow, 3, 33, 63, category="A")
    story.orders(angry, *range(2, 400, 30))
    for days in (5, 20, 40):
        story.complaint(angry, days, topic=f"Topic {days}")
    for days, money in ((120, 1000), (90, 700), (60, 500), (30, 300)):  # July to October
        story.orders(rival, days, money=money)
    story.contact(rival, 10, about_competitor=True)
    for customer in (deaf, glum, leaving, asking, warned, fine):
        story.orders(customer, *range(100 if customer == glum else 2, 500, 30))
    for days in (9, 6, 3):
        story.contact(deaf, days, answered=False)
    story.answer(glum, 30, "nps", 3)
    story.contact(leaving, 1, leaving="considers")
    for days in (9, 6, 3):
        story.complaint(asking, days, topic="Invoice")
    story.night()
    with tenant_scope(story.cast.tenant):
        LapseForecast.objects.create(customer=warned, percent=63, is_warned=True, warned_on=TODAY, policy_version=1)
    counts = night(story)
    expected = {
        slow: ("frequency_falling", "Orders every 20 days now, every 10 days before."),
        halved: ("activity_drop", "2 orders in the last 90 days, 8 in as many days before."),
        narrow: ("category_drop", "Buys from 1 category now, from 5 before."),
        angry: ("complaint_rise", "3 complaints in 3 orders now, 0 in 11 orders before."),
        rival: ("competitor_pull", "Spend fell 3 months running, from £1k to £300. 1 contact was about competitors, 0 before."),
        deaf: ("unanswered", "3 contacts in a row unanswered, the last on 17 Nov."),
        glum: ("nps_silence", "NPS -100 from 1 answers, and no order for 100 days."),
        leaving: ("leaving", "Said on 19 Nov that it considers another supplier."),
        asking: ("repeated_question", "“invoice” came up 3 times and is not solved, the last on 17 Nov."),
        warned: ("lapse_forecast", "The forecast says 63 % that it lapses; warned of since 20 Nov."),
    }  # fmt: skip
    for customer, (signal, words) in expected.items():
        assert signal in alerts(story, customer), customer.name
        assert in_words(story, customer, signal) == words
    assert alerts(story, fine) == {}
    team = alerts(story, leaving)["leaving"]
    assert (team.level, team.role, team.risk_class) == ("severe", "executive", "external")
    assert answer_words("leaving") == "Retention team, led by an executive"
    # Friday 20 November at 10:32: a working day later is Monday at 10:32.
    assert team.due_at == dt.datetime(2026, 11, 23, 10, 32, tzinfo=dt.UTC).replace(
        microsecond=team.due_at.microsecond, second=team.due_at.second
    )
    with tenant_scope(story.cast.tenant):
        [task] = FollowUp.objects.filter(customer=leaving, rule="signal:leaving")
        assert (task.due_at, task.level, task.kind) == (team.due_at, "severe", "deep_talk")
        assert counts["alerts"] == Alert.objects.count() == FollowUp.objects.filter(rule__startswith="signal:").count()
    assert night(story)["alerts"] == 0, "the same night again finds nothing to change"
    assert night(story, 1)["repeated"] == 0, "and the next one no news"


def test_an_event_that_comes_again_adds_to_its_alert(story: Story) -> None:
    deaf = story.regular()
    for days in (9, 6, 3):
        story.contact(deaf, days, answered=False)
    night(story)
    story.contact(deaf, 1, answered=False)
    counts = night(story, 1)
    alert = alerts(story, deaf)["unanswered"]
    assert (counts["alerts"], counts["repeated"], alert.repeats, alert.facts["contacts"]) == (0, 1, 1, 4)
    story.contact(deaf, 0)
    night(story, 2)
    assert alerts(story, deaf)["unanswered"].outcome == "passed"
    with tenant_scope(story.cast.tenant):
        assert AlertRepeat.objects.count() == 1
        assert set(FollowUp.objects.filter(rule="signal:unanswered").values_list("status", flat=True)) == {"cancelled"}


def test_a_state_rests_after_a_person_closed_it_and_comes_back_when_it_still_stands(story: Story) -> None:
    halved = story.cast.customer()
    story.orders(halved, 5, *range(95, 175, 5))
    night(story)
    with tenant_scope(story.cast.tenant):
        alert = Alert.objects.get(signal="activity_drop")
        close(alert=alert, outcome="false_alarm", cause="", tried=[], note="", member=story.cast.ann)
    night(story, 29)
    assert "activity_drop" not in alerts(story, halved, closed_on=None)
    night(story, 30)
    assert "activity_drop" in alerts(story, halved, closed_on=None)


def test_what_was_said_does_not_pass_by_itself_and_ends_with_a_closed_customer(story: Story) -> None:
    customer = story.regular()
    story.contact(customer, 1, leaving="broke_off")
    night(story)
    for later in (100, 200):
        night(story, later)
        assert "leaving" in alerts(story, customer, closed_on=None), "nobody has answered it"
    with tenant_scope(story.cast.tenant):
        services.patch_customer(customer=Customer.objects.get(pk=customer.pk), closed_on=timezone.now().date())
    night(story, 201)
    assert {alert.outcome for alert in alerts(story, customer, signal="leaving").values()} == {"lost"}


# ── between two nights ──────────────────────────────────────────────────────


def test_a_severe_fact_opens_its_alert_as_it_arrives_and_the_night_finds_it_there(story: Story) -> None:
    customer = story.regular()
    night(story)
    look_at_arrivals()
    story.contact(customer, 0, leaving="considers", direction="inbound")
    assert look_at_arrivals() == 1
    alert = alerts(story, customer)["leaving"]
    assert alert.opened_at <= timezone.now() < alert.due_at
    with tenant_scope(story.cast.tenant):
        now = timezone.now()
        again = fire_for([customer.pk], as_of=TODAY + dt.timedelta(days=1), now=now)
        assert (again.opened, again.repeated, again.raised) == (0, 0, 0)
    assert night(story, 1)["alerts"] == 0
    assert alerts(story, customer)["leaving"].repeats == 0


def test_an_order_that_arrives_ends_a_silence_at_once(story: Story) -> None:
    customer = story.regular(silent=70)
    night(story)
    look_at_arrivals()
    assert "order_silence" in alerts(story, customer, closed_on=None)
    story.orders(customer, 0)
    look_at_arrivals()
    assert alerts(story, customer)["order_silence"].outcome == "passed"


def test_a_night_leaves_what_facts_of_its_own_day_have_opened_and_closed(story: Story) -> None:
    deaf, halved = story.regular(), story.cast.customer("Halved")
    story.orders(halved, 5, 30, *range(95, 175, 10))
    for days in (9, 6):
        story.contact(deaf, days, answered=False)
    night(story)
    look_at_arrivals()
    story.contact(deaf, 0, answered=False)
    story.orders(halved, *[0] * 4)
    look_at_arrivals()
    assert "unanswered" in alerts(story, deaf, closed_on=None)
    assert alerts(story, halved)["activity_drop"].outcome == "passed"
    night(story)  # as of today: it sees neither
    assert "unanswered" in alerts(story, deaf, closed_on=None)
    assert "activity_drop" not in alerts(story, halved, closed_on=None)
    night(story, 1)
    assert "unanswered" in alerts(story, deaf, closed_on=None)
    assert "activity_drop" not in alerts(story, halved, closed_on=None)


def test_looks_at_nobody_before_the_first_night(story: Story) -> None:
    customer = story.regular(silent=70)
    story.contact(customer, 1, leaving="considers")
    assert look_at_arrivals() == 0
    assert alerts(story, customer) == {}
