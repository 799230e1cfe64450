"""It: the next touch planned by hand, with the contact or by itself; moving a follow-up to another day."""

import datetime as dt

import pytest

from customers.models import Interaction
from followups.models import FollowUp
from followups.planned import without_planned
from followups.reasons import phrase
from followups.services import (
    AlreadyClosed,
    Refused,
    add_words,
    complete,
    log_contact,
    move,
    plan,
    undo,
)
from tests.followups.conftest import TODAY

pytestmark = pytest.mark.usefixtures("scope")
DAY = dt.timedelta(days=1)
SAID = {"channel": "phone", "answered": True, "note": "Samples  on the way"}


def test_plans_the_next_touch_with_the_contact_as_the_members_own(cast, raised):
    row = raised(assignee=cast.bo, priority=500, level="severe")
    change = log_contact(follow_up=row, member=cast.ann, next_on=TODAY + 9 * DAY, **SAID)
    (planned,) = change.planned
    planned.refresh_from_db()
    assert (planned.assignee, planned.kind, planned.due_on, planned.rule) == (
        cast.ann,
        "light_touch",
        TODAY + 9 * DAY,
        "planned",
    )
    assert planned.priority == 100  # a routine weighs a fifth of a severe alert
    assert phrase(planned, TODAY) == "Agreed on 20 Nov: Samples on the way"


def test_notes_what_was_promised_and_the_kind_that_comes_next(cast, raised):
    change = log_contact(
        follow_up=raised(), member=cast.ann, next_on=TODAY + DAY, next_kind="review", promised=True, channel="phone",
        answered=True,
    )  # fmt: skip
    (planned,) = change.planned
    assert (planned.rule, planned.kind) == ("promise", "review")
    assert phrase(planned, TODAY) == "Promised on 20 Nov"


@pytest.mark.parametrize(("days", "code"), [(0, "past"), (-1, "past"), (367, "too_far")])
def test_refuses_a_day_that_cannot_be_and_logs_nothing(cast, raised, days, code):
    row = raised()
    with pytest.raises(Refused) as refused:
        log_contact(follow_up=row, member=cast.ann, next_on=TODAY + days * DAY, **SAID)
    assert refused.value.error_list[0].code == code
    row.refresh_from_db()
    assert row.status == "open"
    assert not Interaction.objects.exists()


def test_takes_the_plan_back_with_the_contact(cast, raised):
    row = raised()
    change = log_contact(follow_up=row, member=cast.ann, next_on=TODAY + 9 * DAY, **SAID)
    back = undo(events=change.events, member=cast.ann)
    assert [each.pk for each in back.follow_ups] == [row.pk]
    assert FollowUp.objects.get(pk=change.planned[0].pk).status == "cancelled"
    assert not Interaction.objects.exists()
    again = log_contact(follow_up=row, member=cast.ann, next_on=TODAY + 9 * DAY, **SAID)
    assert again.planned[0].pk != change.planned[0].pk


def test_plans_once_what_is_sent_twice(cast, raised):
    row = raised()
    for _ in range(2):
        log_contact(follow_up=row, member=cast.ann, next_on=TODAY + 9 * DAY, **SAID)
    assert FollowUp.objects.filter(rule="planned").count() == 1


def test_plans_by_itself_once_for_a_kind_and_day(cast):
    customer = cast.customer("Huaxin")
    said = {"customer": customer, "member": cast.ann, "kind": "review", "due_on": TODAY + 3 * DAY, "text": "Prices"}
    first, second = plan(**said), plan(**said)
    assert (len(first.planned), len(second.planned)) == (1, 0)
    assert first.planned[0].priority == 10_000 // 100 * 50  # no money, no score: the least worth at half the risk
    with pytest.raises(Refused):
        plan(**(said | {"due_on": TODAY}))


def test_doing_what_was_planned_is_a_touch(cast, raised):
    row = raised(rule="planned", period="x")
    assert complete(follow_up=row, member=cast.ann).interaction.kind == "light_touch"


def test_the_cadence_waits_for_what_was_agreed_for_its_kind(cast, raised):
    import polars as pl

    agreed, other, done = raised(rule="planned"), raised(rule="planned", kind="review"), raised(rule="promise")
    complete(follow_up=done, member=cast.ann)
    due = pl.DataFrame({"customer_id": [row.customer_id for row in (agreed, other, done)], "kind": ["light_touch"] * 3})
    left = without_planned(due).get_column("customer_id").to_list()
    assert left == [other.customer_id, done.customer_id]
    assert without_planned(due, [agreed.customer_id, other.customer_id]).height == 2


# ── moving ───────────────────────────────────────────────────────────────────


def test_moves_what_was_planned_freely_and_all_else_as_far_as_it_can_wait(cast, raised):
    planned, routine = raised(rule="planned", due_on=TODAY + 2 * DAY), raised()
    move(follow_up=planned, member=cast.ann, to=TODAY + 90 * DAY)
    move(follow_up=routine, member=cast.ann, to=TODAY + 5 * DAY)
    planned.refresh_from_db()
    routine.refresh_from_db()
    assert (planned.day, planned.due_on, planned.snooze_reason) == (TODAY + 90 * DAY, TODAY + 90 * DAY, "")
    assert (routine.day, routine.due_on, routine.snooze_reason) == (TODAY + 5 * DAY, TODAY, "moved")
    with pytest.raises(Refused, match="At most 30 days"):
        move(follow_up=routine, member=cast.ann, to=TODAY + 90 * DAY)


def test_moves_to_an_earlier_day_and_forgets_that_it_was_put_off(cast, raised):
    row = raised(due_on=TODAY + 9 * DAY, snoozed_until=TODAY + 12 * DAY, snooze_reason="later")
    change = move(follow_up=row, member=cast.ann, to=TODAY + DAY)
    row.refresh_from_db()
    assert (row.day, row.snooze_reason) == (TODAY + DAY, "")
    undo(events=change.events, member=cast.ann)
    row.refresh_from_db()
    assert (row.day, row.due_on, row.snooze_reason) == (TODAY + 12 * DAY, TODAY + 9 * DAY, "later")


@pytest.mark.parametrize(
    ("fields", "days", "words"),
    [
        ({"due_on": TODAY + 5 * DAY}, -1, "That day has passed."),
        ({}, -1, "That day has passed."),
        ({"due_on": TODAY - 3 * DAY}, 0, "Snooze to a day after today."),
        ({"level": "severe"}, 3, "severe alerts cannot be snoozed"),
    ],
)
def test_says_why_a_follow_up_cannot_move(cast, raised, fields, days, words):
    row = raised(**fields)
    before = row.due_on
    with pytest.raises(Refused, match=words):
        move(follow_up=row, member=cast.ann, to=TODAY + days * DAY)
    row.refresh_from_db()
    assert row.day == before


def test_does_not_move_what_somebody_has_closed(cast, raised):
    row = raised()
    complete(follow_up=row, member=cast.bo)
    with pytest.raises(AlreadyClosed, match="Bo"):
        move(follow_up=row, member=cast.ann, to=TODAY + DAY)


# ── words afterwards ─────────────────────────────────────────────────────────


def test_adds_words_to_what_was_done_without_one(cast, raised):
    touched, manual = raised(), raised(rule="manual", facts={"text": "Send the list"})
    for row in (touched, manual):
        complete(follow_up=row, member=cast.ann)
        add_words(follow_up=row, member=cast.ann, note=" They are well ")
    notes = [FollowUp.objects.get(pk=row.pk).interaction.note for row in (touched, manual)]
    assert notes == ["They are well", "They are well"]
    assert Interaction.objects.count() == 2


@pytest.mark.parametrize(("who", "note", "words"), [("bo", "x", "Only who has done it"), ("ann", " ", "Say what")])
def test_refuses_words_of_others_and_none(cast, raised, who, note, words):
    row = raised()
    complete(follow_up=row, member=cast.ann)
    with pytest.raises(Refused, match=words):
        add_words(follow_up=row, member=getattr(cast, who), note=note)
