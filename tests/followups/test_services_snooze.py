"""It: snooze, one and many."""

import datetime as dt

import pytest

from followups.models import FollowUp
from followups.services import AlreadyClosed, Refused, complete, snooze, snooze_many
from tests.followups.conftest import TODAY

MONDAY = dt.date(2026, 11, 23)


def test_puts_a_follow_up_off_with_its_reason(raised, scope, cast):
    row = raised()
    change = snooze(follow_up=row, member=cast.ann, until=MONDAY, reason="closed")
    row.refresh_from_db()
    assert (row.snoozed_until, row.snooze_reason, row.status) == (MONDAY, "closed", "open")
    assert len(change.events) == 1


def test_changes_nothing_when_sent_twice(raised, scope, cast):
    row = raised()
    snooze(follow_up=row, member=cast.ann, until=MONDAY, reason="closed")
    assert snooze(follow_up=row, member=cast.ann, until=MONDAY, reason="closed").events == []


@pytest.mark.parametrize(
    ("until", "reason", "words"),
    [
        (TODAY, "closed", "a day after today"),
        (TODAY - dt.timedelta(days=1), "closed", "a day after today"),
        (TODAY + dt.timedelta(days=31), "closed", "At most 30 days, until 20/12/2026|12/20/2026"),
        (MONDAY, "  ", "Say why it can wait"),
        (MONDAY, "x" * 121, "At most 120 characters"),
    ],
)
def test_refuses_in_words(raised, scope, cast, until, reason, words):
    row = raised()
    with pytest.raises(Refused, match=words):
        snooze(follow_up=row, member=cast.ann, until=until, reason=reason)
    row.refresh_from_db()
    assert row.snoozed_until is None


def test_goes_as_far_as_the_policy_says(raised, scope, cast):
    row = raised()
    snooze(follow_up=row, member=cast.ann, until=TODAY + dt.timedelta(days=30), reason="closed")
    row.refresh_from_db()
    assert row.snoozed_until == dt.date(2026, 12, 20)


def test_refuses_a_severe_alert(raised, scope, cast):
    row = raised(level="severe", rule="signal:order_silence")
    with pytest.raises(Refused, match=f"{row.customer.name} stays: severe alerts cannot be snoozed"):
        snooze(follow_up=row, member=cast.ann, until=MONDAY, reason="closed")


def test_refuses_what_is_closed(raised, scope, cast):
    row = raised()
    complete(follow_up=row, member=cast.bo)
    with pytest.raises(AlreadyClosed):
        snooze(follow_up=row, member=cast.ann, until=MONDAY, reason="closed")


def test_puts_many_off_and_says_which_stay(raised, scope, cast):
    mild, severe = raised(), raised(level="severe")
    change = snooze_many(ids=[mild.pk, severe.pk], seen=2, member=cast.ann, until=MONDAY, reason="closed")
    assert change.follow_ups == [mild]
    assert [(row, "severe" in words) for row, words in change.stays] == [(severe, True)]
    assert FollowUp.objects.get(snoozed_until=MONDAY) == mild
