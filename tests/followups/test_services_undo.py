"""It: undo."""

import datetime as dt

import pytest

from customers.models import Interaction
from followups.models import FollowUp
from followups.services import (
    Refused,
    complete,
    complete_many,
    log_contact,
    reassign,
    snooze,
    snooze_many,
    undo,
)
from tenants.models import Event

MONDAY = dt.date(2026, 11, 23)


def state(row: FollowUp) -> tuple[object, ...]:
    fresh = FollowUp.objects.get(pk=row.pk)
    return tuple(getattr(fresh, f.attname) for f in fresh._meta.local_fields if f.name != "updated_at")


VERBS = {
    "complete": lambda row, cast: complete(follow_up=row, member=cast.ann),
    "snooze": lambda row, cast: snooze(follow_up=row, member=cast.ann, until=MONDAY, reason="closed"),
    "reassign": lambda row, cast: reassign(follow_up=row, member=cast.ann, assignee=cast.bo),
    "log_contact": lambda row, cast: log_contact(
        follow_up=row, member=cast.ann, channel="phone", answered=True, note="ok"
    ),
}


@pytest.mark.parametrize("verb", VERBS)
def test_brings_back_exactly_what_was(raised, scope, cast, verb):
    row = raised()
    before = state(row)
    change = VERBS[verb](row, cast)
    assert state(row) != before
    undo(events=change.events, member=cast.ann)
    assert state(row) == before
    assert not Interaction.objects.exists()
    assert Event.objects.filter(object_type="followup", verb="undone").count() == 1


@pytest.mark.parametrize("verb", VERBS)
def test_changes_nothing_when_sent_twice(raised, scope, cast, verb):
    row = raised()
    change = VERBS[verb](row, cast)
    undo(events=change.events, member=cast.ann)
    before = state(row)
    assert undo(events=change.events, member=cast.ann).events == []
    assert state(row) == before


def test_takes_back_an_earlier_snooze_to_the_one_before(raised, scope, cast):
    row = raised()
    snooze(follow_up=row, member=cast.ann, until=MONDAY, reason="closed")
    change = snooze(follow_up=row, member=cast.ann, until=MONDAY + dt.timedelta(days=1), reason="later")
    undo(events=change.events, member=cast.ann)
    row.refresh_from_db()
    assert (row.snoozed_until, row.snooze_reason) == (MONDAY, "closed")


def test_takes_back_a_whole_bulk_and_what_it_satisfied(raised, scope, cast):
    alert = raised(rule="signal:order_silence")
    rows = [alert, raised(alert.customer), raised(), raised()]
    before = [state(row) for row in rows]
    change = complete_many(ids=[row.pk for row in rows if row is not rows[1]], seen=3, member=cast.ann)
    assert len(change.satisfied) == 1
    undo(events=change.events, member=cast.ann)
    assert [state(row) for row in rows] == before
    assert not Interaction.objects.exists()


def test_takes_back_a_bulk_of_two_hundred(raised, scope, cast, django_assert_max_num_queries):
    ids = [raised().pk for _ in range(200)]
    change = snooze_many(ids=ids, seen=200, member=cast.ann, until=MONDAY, reason="closed")
    undo(events=change.events, member=cast.ann)
    assert not FollowUp.objects.filter(snoozed_until__isnull=False).exists()


def test_takes_nothing_back_when_somebody_has_changed_one_since(raised, scope, cast):
    rows = [raised(), raised()]
    change = snooze_many(ids=[r.pk for r in rows], seen=2, member=cast.ann, until=MONDAY, reason="closed")
    snooze(follow_up=rows[1], member=cast.bo, until=MONDAY + dt.timedelta(days=1), reason="later")
    with pytest.raises(Refused, match="has been changed since"):
        undo(events=change.events, member=cast.ann)
    assert FollowUp.objects.filter(snoozed_until__isnull=True).count() == 0


def test_keeps_a_contact_on_which_another_follow_up_still_rests(raised, scope, cast):
    alert = raised(rule="signal:order_silence")
    raised(alert.customer)
    change = complete(follow_up=alert, member=cast.ann)
    undo(events=change.events[:1], member=cast.ann)
    assert Interaction.objects.count() == 1
    undo(events=change.events[1:], member=cast.ann)
    assert not Interaction.objects.exists()


def test_is_for_who_did_it_and_for_who_may_assign(raised, scope, cast):
    change = complete(follow_up=raised(), member=cast.ann)
    with pytest.raises(Refused, match="Only who did it"):
        undo(events=change.events, member=cast.bo)
    assert undo(events=change.events, member=cast.lea).follow_ups


def test_refuses_events_that_are_none_of_a_follow_up(raised, scope, cast):
    complete(follow_up=raised(), member=cast.ann)
    foreign = Event.objects.filter(object_type="interaction").values_list("pk", flat=True)
    for events in ([], [999_999_999], list(foreign)):
        with pytest.raises(Refused, match="nothing to undo"):
            undo(events=events, member=cast.ann)
