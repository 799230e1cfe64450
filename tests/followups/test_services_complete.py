"""It: complete, one and many."""

import pytest

from customers.models import Interaction
from followups.models import FollowUp
from followups.services import AlreadyClosed, Refused, complete, complete_many
from tenants.models import Event


def test_marks_a_follow_up_done_by_the_member_with_one_event(raised, scope, cast):
    row = raised(rule="manual", facts={"text": "Send the colour proof"})
    change = complete(follow_up=row, member=cast.ann)
    row.refresh_from_db()
    assert (row.status, row.closed_by) == ("done", cast.ann)
    assert row.closed_at is not None
    event = Event.objects.get(object_type="followup")
    assert (event.verb, event.actor, event.customer_id, [event.pk]) == (
        "completed",
        cast.ann,
        row.customer_id,
        change.events,
    )
    assert not Interaction.objects.exists()


@pytest.mark.parametrize("rule", ["cadence:light_touch", "signal:order_silence"])
def test_counts_as_a_touch_where_a_contact_was_asked_for(raised, scope, cast, rule):
    row = raised(rule=rule, channel="wechat")
    complete(follow_up=row, member=cast.ann)
    touch = Interaction.objects.get()
    assert (touch.customer, touch.kind, touch.channel, touch.member) == (
        row.customer,
        "light_touch",
        "wechat",
        cast.ann,
    )
    assert touch.answered is None
    row.refresh_from_db()
    assert row.interaction == touch


def test_changes_nothing_when_sent_twice(raised, scope, cast):
    row = raised()
    complete(follow_up=row, member=cast.ann)
    again = complete(follow_up=row, member=cast.ann)
    assert again.events == []
    assert Interaction.objects.count() == 1


def test_says_who_was_faster_and_when(raised, scope, cast):
    row = raised()
    complete(follow_up=row, member=cast.bo)
    with pytest.raises(AlreadyClosed, match=rf"Bo logged a contact with {row.customer.name} at 12:00\."):
        complete(follow_up=row, member=cast.ann)


def test_says_that_the_reason_has_passed(raised, scope, cast):
    row = raised(status="cancelled")
    with pytest.raises(AlreadyClosed, match="no longer needed"):
        complete(follow_up=row, member=cast.ann)


def test_satisfies_the_cadence_of_the_same_kind_and_nothing_else(raised, scope, cast):
    row = raised(rule="signal:order_silence")
    same = raised(row.customer)
    other_kind = raised(row.customer, rule="cadence:review", kind="review")
    other_customer = raised()
    change = complete(follow_up=row, member=cast.ann)
    assert change.satisfied == [same]
    assert FollowUp.objects.get(pk=same.pk).status == "cancelled"
    assert set(FollowUp.objects.filter(status="open")) == {other_kind, other_customer}


def test_completes_many_at_once_with_an_event_each(raised, scope, cast):
    rows = [raised() for _ in range(3)]
    change = complete_many(ids=[row.pk for row in rows], seen=3, member=cast.ann)
    assert change.follow_ups == rows
    assert Event.objects.filter(verb="completed").count() == 3
    assert not FollowUp.objects.filter(status="open").exists()


def test_logs_one_contact_for_two_reasons_of_one_customer(raised, scope, cast):
    first = raised(rule="signal:order_silence")
    second = raised(first.customer)
    complete_many(ids=[first.pk, second.pk], seen=2, member=cast.ann)
    assert Interaction.objects.count() == 1
    assert set(FollowUp.objects.values_list("status", flat=True)) == {"done"}


def test_changes_nothing_of_many_when_one_has_been_closed_meanwhile(raised, scope, cast):
    rows = [raised() for _ in range(3)]
    complete(follow_up=rows[1], member=cast.bo)
    with pytest.raises(Refused, match="1 of the selected has been closed meanwhile"):
        complete_many(ids=[row.pk for row in rows], seen=3, member=cast.ann)
    assert FollowUp.objects.filter(status="open").count() == 2


def test_takes_many_sent_twice_as_sent_once(raised, scope, cast):
    ids = [raised().pk for _ in range(2)]
    complete_many(ids=ids, seen=2, member=cast.ann)
    assert complete_many(ids=ids, seen=2, member=cast.ann).events == []


@pytest.mark.parametrize(("ids", "words"), [([], "Nothing is selected"), (range(1, 600), "At most 500")])
def test_refuses_none_and_too_many(scope, cast, ids, words):
    with pytest.raises(Refused, match=words):
        complete_many(ids=list(ids), seen=len(ids), member=cast.ann)


def test_refuses_a_count_that_is_not_what_was_seen(raised, scope, cast):
    with pytest.raises(Refused, match="not what you saw"):
        complete_many(ids=[raised().pk], seen=2, member=cast.ann)


def test_does_not_see_what_the_member_does_not_see(raised, scope, cast):
    foreign = cast.customer("Not Ann's", owner_a=cast.bo, owner_b=None)
    row = raised(foreign, assignee=cast.bo)
    with pytest.raises(Refused):
        complete_many(ids=[row.pk], seen=1, member=cast.ann)
    row.refresh_from_db()
    assert row.status == "open"
