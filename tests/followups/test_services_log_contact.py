"""It: log a contact."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError

from customers.models import Interaction
from followups.models import FollowUp
from followups.querysets import next_after
from followups.rules.policy import CadencePolicy
from followups.services import AlreadyClosed, complete, log_contact
from tenants.models import Event
from tests.followups.conftest import NOON, TODAY

CALLBACK = CadencePolicy.pack("callback")


def test_logs_the_contact_and_closes_the_follow_up_with_it(raised, scope, cast):
    row = raised()
    said = {"channel": "wechat", "answered": True, "note": " They want samples. "}
    change = log_contact(follow_up=row, member=cast.ann, **said)
    row.refresh_from_db()
    touch = Interaction.objects.get()
    assert (touch.channel, touch.answered, touch.note, touch.direction) == (
        "wechat",
        True,
        "They want samples.",
        "outbound",
    )
    assert (touch.at, touch.member, touch.kind) == (NOON, cast.ann, row.kind)
    assert (row.status, row.interaction, change.interaction) == ("done", touch, touch)
    assert [(e.object_type, e.verb) for e in Event.objects.filter(customer_id=row.customer_id).order_by("pk")] == [
        ("interaction", "logged"),
        ("followup", "completed"),
    ]


def test_logs_the_same_contact_once_when_sent_twice(raised, scope, cast):
    row = raised()
    for _ in range(2):
        log_contact(follow_up=row, member=cast.ann, channel="phone", answered=False, note="busy")
    assert Interaction.objects.count() == 1


def test_keeps_another_text_of_the_same_member_apart(raised, scope, cast):
    row = raised()
    log_contact(follow_up=row, member=cast.ann, channel="phone", answered=False, note="busy")
    with pytest.raises(AlreadyClosed, match=r"You closed .* at 12:00 already"):
        log_contact(follow_up=row, member=cast.ann, channel="phone", answered=True, note="talked")


def test_says_who_was_faster_and_logs_mine_too_when_asked(raised, scope, cast):
    row = raised()
    complete(follow_up=row, member=cast.bo)
    said = {"channel": "phone", "answered": True, "note": "I called as well"}
    with pytest.raises(AlreadyClosed, match="Bo logged a contact"):
        log_contact(follow_up=row, member=cast.ann, **said)
    log_contact(follow_up=row, member=cast.ann, anyway=True, **said)
    assert set(Interaction.objects.values_list("member", flat=True)) == {cast.ann.pk, cast.bo.pk}
    row.refresh_from_db()
    assert row.closed_by == cast.bo


def test_satisfies_open_touches_of_the_kind_that_was_logged(raised, scope, cast):
    row = raised()
    review = raised(row.customer, rule="cadence:review", kind="review")
    change = log_contact(follow_up=row, member=cast.ann, channel="visit", answered=True, kind="review")
    assert change.satisfied == [review]
    assert FollowUp.objects.filter(status="open").count() == 0


@pytest.mark.parametrize("wrong", [{"channel": "pigeon"}, {"kind": "flirt"}, {"note": "x" * 4001}])
def test_refuses_what_is_no_contact_and_closes_nothing(raised, scope, cast, wrong):
    row = raised()
    with pytest.raises(ValidationError):
        log_contact(follow_up=row, member=cast.ann, **({"channel": "phone", "answered": None} | wrong))
    row.refresh_from_db()
    assert row.status == "open"


def test_plans_the_next_touch_from_the_one_just_logged(raised, scope, cast):
    customer = raised().customer
    assert next_after(customer, "gold", CALLBACK) is None
    Interaction.objects.create(customer=customer, channel="phone", at=NOON - dt.timedelta(days=4))
    assert next_after(customer, "gold", CALLBACK) == ("light_touch", dt.date(2026, 11, 26))
    planned = next_after(customer, "silver", CALLBACK, kind="light_touch", today=TODAY)
    assert planned == ("light_touch", dt.date(2027, 1, 4))
    assert next_after(customer, "", CALLBACK) is None
