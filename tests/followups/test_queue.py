"""It: Today's queue, its order and its counts."""

import datetime as dt

import polars as pl
import pytest

from followups.models import FollowUp
from followups.querysets import HORIZON_DAYS, VIEWS, count_queue, default_view, done_today, due_filter
from followups.rules.ranking import urgency
from tests.followups.conftest import NOON, TODAY

DAY = dt.timedelta(days=1)


def queue(member, view="mine"):
    return list(FollowUp.objects.queue(member, view, TODAY))


def test_ranks_as_the_rules_do(raised, scope, cast):
    for late in range(-4, 12):
        raised(due_on=TODAY - late * DAY, priority=1_234_567 + 991 * late)
    rows = queue(cast.ann)
    frame = pl.DataFrame({"due": [row.due_on for row in rows], "priority": [row.priority for row in rows]})
    expected = frame.select(pl.col("priority") // 100 * urgency(pl.col("due"), TODAY)).to_series().to_list()
    assert [row.rank for row in rows] == expected
    assert expected == sorted(expected, reverse=True)
    assert len(rows) == 16


def test_breaks_ties_by_day_hour_and_number(raised, scope, cast):
    third, second = raised(), raised(due_at=NOON + dt.timedelta(hours=6))
    first = raised(due_at=NOON)
    fourth = raised()
    assert queue(cast.ann) == [first, second, third, fourth]


def test_shows_what_is_late_or_due_within_four_days_and_awake(raised, scope, cast):
    shown = [
        raised(due_on=TODAY - 400 * DAY),
        raised(due_on=TODAY + HORIZON_DAYS * DAY),
        raised(snoozed_until=TODAY),
    ]
    for fields in (
        {"due_on": TODAY + (HORIZON_DAYS + 1) * DAY},
        {"snoozed_until": TODAY + DAY},
        {"status": "done"},
        {"status": "cancelled"},
    ):
        raised(**fields)
    assert set(queue(cast.ann)) == set(shown)


def test_counts_lateness_from_the_day_it_was_put_off_to(raised, scope, cast):
    raised(due_on=TODAY - 9 * DAY, snoozed_until=TODAY)
    assert [(row.day, row.rank) for row in queue(cast.ann)] == [(TODAY, 1_000_000)]


def test_parts_mine_covering_and_all(raised, scope, cast):
    annes = raised()
    bos_own = raised(cast.customer("Bo's", owner_a=cast.bo, owner_b=None), assignee=cast.bo)
    nobodys = raised(assignee=None)
    unseen = raised(cast.customer("Ada's", owner_a=cast.ada, owner_b=None), assignee=cast.ada)
    got = {(who, view): set(queue(getattr(cast, who), view)) for who in ("ann", "bo", "eve") for view in VIEWS}
    assert got == {
        ("ann", "mine"): {annes},
        ("ann", "covering"): set(),
        ("ann", "all"): {annes, nobodys},
        ("bo", "mine"): {bos_own},
        ("bo", "covering"): {annes, nobodys},
        ("bo", "all"): {annes, bos_own, nobodys},
        ("eve", "mine"): set(),
        ("eve", "covering"): set(),
        ("eve", "all"): {annes, bos_own, nobodys, unseen},
    }


def test_opens_with_what_the_role_works_on(cast):
    assert {name: default_view(m) for name, m in cast.roles.items()} == {
        "account_manager": "mine",
        "team_lead": "all",
        "executive": "all",
        "admin": "all",
        "integration": "all",
    }


def test_counts_in_one_query(raised, scope, cast, django_assert_num_queries):
    raised(due_on=TODAY + DAY)
    for late in (0, 0, 2):
        raised(due_on=TODAY - late * DAY)
    raised(assignee=None)
    with django_assert_num_queries(1):
        mine = count_queue(FollowUp.objects.all(), cast.ann, "mine", TODAY)
    assert (mine.mine, mine.covering, mine.all) == (4, 0, 5)
    assert (mine.due_today, mine.overdue, mine.oldest_days, mine.found, mine.new) == (2, 1, 2, 4, 0)
    covering = count_queue(FollowUp.objects.all(), cast.bo, "covering", TODAY, only=due_filter("today", TODAY))
    assert (covering.mine, covering.covering, covering.found, covering.due_today) == (0, 5, 3, 3)


def test_counts_what_came_after_the_ranking(raised, scope, cast, time_machine):
    known, moved = raised(), raised(assignee=cast.bo)
    time_machine.move_to(NOON + dt.timedelta(minutes=5), tick=False)
    fresh = raised()
    known.save()
    moved.assignee = cast.ann
    moved.save()
    counts = count_queue(FollowUp.objects.all(), cast.ann, "mine", TODAY, since=NOON, known=[known.pk])
    assert (counts.mine, counts.new) == (3, 2)
    assert fresh.pk != known.pk


@pytest.mark.parametrize(("view", "count"), [("mine", 1), ("covering", 1), ("all", 2)])
def test_counts_what_was_done_since_midnight(raised, scope, cast, view, count):
    raised(status="done", closed_at=NOON, closed_by=cast.ann)
    raised(status="done", closed_at=NOON, closed_by=cast.bo)
    raised(status="done", closed_at=NOON - 2 * DAY, closed_by=cast.ann)
    raised(status="cancelled", closed_at=NOON)
    assert done_today(FollowUp.objects.all(), cast.ann, view, TODAY) == count
