"""It: notes a person's own view, once a day, with an event, and takes it back with what its author said before."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from health.models import HealthScore, Pulse
from health.pulses import give_pulse, latest_pulse, latest_pulses, may_withdraw, withdraw
from tenants.models import Event
from tests.health.scored import score_of


@pytest.fixture(autouse=True)
def _november(time_machine):
    time_machine.move_to(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC), tick=False)


@pytest.fixture
def customer(cast, scope):
    return cast.customer()


def give(customer, member, band="red", **more):
    return give_pulse(customer=customer, member=member, band=band, **({"reason": "price"} | more))


def test_notes_who_said_what_and_why(cast, customer):
    pulse, outcome = give(customer, cast.ann, note="  Talks to a rival ")
    assert outcome == "created"
    assert (pulse.member, pulse.band, pulse.reason, pulse.note) == (cast.ann, "red", "price", "Talks to a rival")
    event = Event.objects.get(object_type="pulse")
    assert (event.verb, event.actor, event.customer_id) == ("given", cast.ann, customer.pk)
    assert event.changes["band"] == [None, "red"]
    again = give(customer, cast.ann, "green", reason="project")[0]
    assert Event.objects.get(object_id=again.pk, object_type="pulse").changes["band"] == ["red", "green"]
    assert latest_pulse(customer) == again


def test_says_the_same_only_once_a_day(cast, customer, time_machine):
    first, _outcome = give(customer, cast.ann)
    assert give(customer, cast.ann) == (first, "unchanged")
    assert Event.objects.filter(object_type="pulse").count() == 1
    assert give(customer, cast.ann, note="More of it")[1] == "created"
    assert give(customer, cast.bo, note="More of it")[1] == "created"
    time_machine.move_to(dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC))
    assert give(customer, cast.bo, note="More of it")[1] == "created"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"band": "none"}, "band"),
        ({"band": "blue"}, "band"),
        ({"reason": "mood"}, "reason"),
        ({"note": "x" * 301}, "note"),
    ],
)
def test_refuses_what_is_no_view(cast, customer, wrong, field):
    with pytest.raises(ValidationError) as refusal:
        give(customer, cast.ann, **wrong)
    assert set(refusal.value.error_dict) == {field}
    assert not Pulse.objects.exists()


def test_refuses_a_customer_who_is_closed(cast, customer):
    customer.closed_on = dt.date(2026, 11, 1)
    customer.save()
    with pytest.raises(ValidationError) as refusal:
        give(customer, cast.ann)
    assert refusal.value.error_dict["customer"][0].code == "closed"


def test_never_touches_the_score(cast, customer):
    score_of(customer, 90)
    before = HealthScore.objects.values().get()
    give(customer, cast.ann)
    assert HealthScore.objects.values().get() == before


def test_takes_back_all_that_its_author_said_and_leaves_what_others_did(cast, customer):
    bos, _outcome = give(customer, cast.bo, "yellow")
    old, _outcome = give(customer, cast.ann)
    new, _outcome = give(customer, cast.ann, "green")
    assert withdraw(pulse=new, member=cast.ann) == "updated"
    old.refresh_from_db()
    assert old.withdrawn_at is not None
    assert latest_pulse(customer) == bos
    assert Event.objects.filter(object_type="pulse", verb="withdrawn").count() == 1
    assert withdraw(pulse=new, member=cast.ann) == "unchanged"


def test_keeps_a_later_view_when_an_earlier_one_is_taken_back(cast, customer, time_machine):
    old, _outcome = give(customer, cast.ann)
    time_machine.move_to(dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC))
    new, _outcome = give(customer, cast.ann, "green")
    withdraw(pulse=old, member=cast.ann)
    assert latest_pulse(customer) == new


def test_is_taken_back_by_its_author_a_lead_or_an_administrator(cast, customer):
    pulse, _outcome = give(customer, cast.ann)
    allowed = {role for role, member in cast.roles.items() if may_withdraw(pulse, member)}
    assert allowed == {"account_manager", "team_lead", "admin"}
    assert not may_withdraw(pulse, cast.bo)
    with pytest.raises(PermissionDenied, match="Only who gave this view"):
        withdraw(pulse=pulse, member=cast.bo)
    assert latest_pulse(customer) == pulse
    withdraw(pulse=pulse, member=cast.lea)
    assert latest_pulse(customer) is None


def test_counts_for_the_days_of_the_policy(cast, customer, time_machine):
    pulse, _outcome = give(customer, cast.ann)
    time_machine.move_to(dt.datetime(2027, 2, 18, 23, tzinfo=dt.UTC))  # 90 days later
    assert list(latest_pulses()) == [pulse]
    time_machine.move_to(dt.datetime(2027, 2, 19, 1, tzinfo=dt.UTC))
    assert not latest_pulses().exists()
