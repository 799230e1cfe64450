"""Survey rules: whose turn, a link's life, what an answer means, how sure a number is."""

from __future__ import annotations

import datetime as dt
import itertools
import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followups.rules.quality import LOGGED, draw, sample_size
from followups.rules.survey_policy import EVERY, SurveyPolicy
from followups.rules.surveys import (
    CATCH_UP_DAYS,
    CONTACTS,
    Asking,
    Nps,
    change_until,
    is_better,
    is_low,
    may_change,
    period_of,
    reminder_due,
    state,
    turns,
    wilson,
)

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
days = st.dates(dt.date(2020, 1, 1), dt.date(2040, 12, 31))


def contacts(ids, last_asked_on=None) -> pl.DataFrame:
    ids = list(ids)
    return pl.DataFrame({"contact_id": ids, "last_asked_on": [last_asked_on] * len(ids)}, schema=CONTACTS)


@given(days, st.sampled_from(EVERY))
def test_a_day_lies_in_one_period_and_the_next_one_begins_where_it_ends(day, every):
    period = period_of(day, every)
    assert period.start <= day < period.end
    after = period_of(period.end, every)
    assert (after.start, after.number) == (period.end, period.number + 1)
    assert period_of(period.end - DAY, every) == period


def test_periods_are_named_as_people_name_them():
    day = dt.date(2026, 11, 20)
    assert [period_of(day, every).name for every in EVERY] == ["2026-11", "2026-Q4", "2026-H2", "2026"]


def asked_in(period_start: dt.date, period_end: dt.date, people, policy, rest=0) -> dict[int, set[dt.date]]:
    found: dict[int, set[dt.date]] = {}
    day = period_start
    while day < period_end:
        for contact, _name, turn in turns(people, policy, day, rest).iter_rows():
            found.setdefault(contact, set()).add(turn)
        day += DAY
    return found


@settings(deadline=None, max_examples=20)  # ninety nights each
@given(st.lists(st.integers(1, 2**40), min_size=1, max_size=60, unique=True), days)
def test_everybody_has_one_turn_in_a_quarter(ids, day):
    policy = SurveyPolicy()
    period = period_of(day, policy.nps_every)
    found = asked_in(period.start, period.end, contacts(ids), policy)
    assert set(found) == set(ids)
    assert all(len(turn) == 1 for turn in found.values())
    assert all(period.start <= min(turn) < period.end for turn in found.values())


def test_turns_spread_over_the_months():
    policy = SurveyPolicy()
    found = asked_in(dt.date(2026, 10, 1), dt.date(2027, 1, 1), contacts(range(1, 6001)), policy)
    by_day: dict[dt.date, int] = {}
    for (turn,) in found.values():
        by_day[turn] = by_day.get(turn, 0) + 1
    mean = 6000 / 78  # 92 days without the last CATCH_UP_DAYS
    assert len(by_day) == 92 - CATCH_UP_DAYS
    assert max(by_day.values()) < 1.25 * mean
    assert min(by_day.values()) > 0.75 * mean


@settings(deadline=None, max_examples=20)  # a hundred months of a thousand people
@given(st.sampled_from([1, 5, 20, 30, 33, 50, 90, 100]), st.integers(2020, 2035))
def test_a_sample_takes_its_share_and_asks_everybody_before_it_asks_anybody_twice(percent, year):
    people, policy = contacts(range(1, 1001)), SurveyPolicy(nps_percent=percent, nps_every="month")
    rounds = -(-100 // percent)
    asked: list[set[int]] = []
    month = dt.date(year, 1, 1)
    for _round in range(rounds):
        period = period_of(month, "month")
        # All turns of the month have come, and are not too old, on some day of it: every tenth day meets each.
        found: set[int] = set()
        day = period.start
        while day < period.end:
            found |= set(turns(people, policy, day, 0).get_column("contact_id"))
            day += 9 * DAY
        found |= set(turns(people, policy, period.end - DAY, 0).get_column("contact_id"))
        assert math.isclose(len(found), 10 * percent, abs_tol=15), (percent, len(found))
        asked.append(found)
        month = period.end
    assert set().union(*asked) == set(range(1, 1001))
    for before, after in itertools.pairwise(asked[: 100 // percent]):
        assert before.isdisjoint(after)


def test_who_was_asked_lately_waits_for_their_rest_and_a_missed_turn_is_made_up():
    policy, everybody = SurveyPolicy(), range(1, 2001)
    day = dt.date(2026, 11, 20)
    fresh = turns(contacts(everybody), policy, day, 80)
    assert fresh.height > 0
    assert set(fresh.get_column("turn_on")) == {day - n * DAY for n in range(CATCH_UP_DAYS + 1)}
    assert turns(contacts(everybody, day - 79 * DAY), policy, day, 80).is_empty()
    assert turns(contacts(everybody, day - 80 * DAY), policy, day, 80).height == fresh.height


# ── a link's life ───────────────────────────────────────────────────────────


def test_a_link_is_open_until_it_expires_and_an_answer_stays_an_answer():
    asking = Asking(NOON + DAY)
    assert state(asking, NOON) == "open"
    assert state(asking, NOON + DAY) == "expired"
    assert state(Asking(NOON + DAY, blocked=True), NOON) == "blocked"
    answered = Asking(NOON + DAY, blocked=True, answered_at=NOON)
    assert state(answered, NOON + 9 * DAY) == "answered"


def test_an_answer_is_changed_once_and_only_for_some_days():
    policy = SurveyPolicy(change_days=7)
    assert not may_change(Asking(NOON + DAY), policy, NOON)
    answered = Asking(NOON + DAY, answered_at=NOON)
    assert change_until(answered, policy) == NOON + 7 * DAY
    assert may_change(answered, policy, NOON + 6 * DAY)
    assert not may_change(answered, policy, NOON + 7 * DAY)
    assert not may_change(Asking(NOON + DAY, answered_at=NOON, changed_at=NOON), policy, NOON)


def test_reminders_come_one_after_the_other_and_end():
    policy = SurveyPolicy(reminders=2, reminder_days=5)
    assert not reminder_due(NOON, 0, policy, NOON + 5 * DAY - dt.timedelta(seconds=1))
    assert reminder_due(NOON, 0, policy, NOON + 5 * DAY)
    assert not reminder_due(NOON, 1, policy, NOON + 9 * DAY)
    assert reminder_due(NOON, 1, policy, NOON + 10 * DAY)
    assert not reminder_due(NOON, 2, policy, NOON + 99 * DAY)


# ── what an answer means ────────────────────────────────────────────────────


def test_detractors_and_low_csat_are_low():
    policy = SurveyPolicy()
    assert [score for score in range(11) if is_low("nps", score, policy)] == [0, 1, 2, 3, 4, 5, 6]
    assert [score for score in range(1, 6) if is_low("csat", score, policy)] == [1, 2]
    assert is_low("csat", 3, SurveyPolicy(low_csat=3))


def test_better_is_another_group_or_a_higher_csat():
    assert is_better("nps", 6, 7)
    assert not is_better("nps", 3, 6)
    assert not is_better("nps", 9, 8)
    assert is_better("csat", 2, 3)
    assert not is_better("csat", 2, 2)


def test_a_single_answer_is_no_score():
    assert Nps(1, 0, 0, rating=9).score is None
    assert Nps(1, 0, 0, rating=9).interval is None
    assert Nps(0, 0, 0).score is None
    assert Nps(6, 3, 1).score == 50


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_an_interval_lies_within_the_scale_and_mirrors_when_sides_are_swapped(up, middle, down):
    nps = Nps(up, middle, down)
    if nps.n < 2:
        assert nps.interval is None
        return
    low, high = nps.interval
    assert -100 <= low <= high <= 100
    mirrored = Nps(down, middle, up).interval
    assert mirrored == pytest.approx((-high, -low))
    wider = Nps(10 * up, 10 * middle, 10 * down).interval
    assert wider[1] - wider[0] < high - low


@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.2), (0.7, 0.2, 0.1), (0.2, 0.5, 0.3), (0.05, 0.9, 0.05)])
def test_an_interval_holds_the_truth_as_often_as_it_says(shares):
    """Over every outcome of 40 answers, each by its own probability: no chance is drawn."""
    up, middle, down = shares
    n, truth, held = 40, 100 * (up - down), 0.0
    for promoters in range(n + 1):
        for detractors in range(n + 1 - promoters):
            passives = n - promoters - detractors
            ways = math.factorial(n) // (
                math.factorial(promoters) * math.factorial(passives) * math.factorial(detractors)
            )
            low, high = Nps(promoters, passives, detractors).interval
            if low <= truth <= high:
                held += ways * up**promoters * middle**passives * down**detractors
    assert 0.93 <= held <= 0.985


def test_wilson_gives_the_textbook_interval():
    low, high = wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert wilson(0, 0) is None
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == 1


# ── quality review ──────────────────────────────────────────────────────────


people = st.lists(st.tuples(st.integers(1, 2**40), st.integers(1, 6)), max_size=200, unique_by=lambda row: row[0])


@given(people, st.integers(1, 100), st.integers(0, 30_000))
def test_a_draw_takes_of_each_person_their_share_and_is_always_the_same(rows, percent, month):
    logged = pl.DataFrame(rows, schema=LOGGED, orient="row")
    drawn = draw(logged, percent, month)
    assert draw(logged.reverse(), percent, month).equals(drawn)
    assert drawn.join(logged, on=["interaction_id", "member_id"]).height == drawn.height
    for person in {member for _id, member in rows}:
        count = sum(member == person for _id, member in rows)
        assert drawn.filter(pl.col("member_id") == person).height == sample_size(count, percent)


def test_a_draw_is_another_one_each_month_and_favours_no_part_of_it():
    logged = pl.DataFrame({"interaction_id": range(1, 4001), "member_id": [1] * 4000}, schema=LOGGED)
    october, november = (set(draw(logged, 5, month).get_column("interaction_id")) for month in (24_321, 24_322))
    assert len(october) == len(november) == 200
    assert len(october & november) < 40
    thirds = [sum(low < each <= low + 1000 for each in october) for low in range(0, 4000, 1000)]
    assert all(25 <= count <= 80 for count in thirds)
