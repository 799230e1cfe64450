"""It: the night's step of health, its facts, its history, its counts."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from customers.models import Contact, Customer
from health.facts import facts_of
from health.models import HealthCount, HealthHistory, HealthScore
from health.rules.policy import HealthPolicy
from tenants.context import tenant_scope
from tenants.models import Event
from tenants.policies import active_policy
from tests.conftest import Cast
from tests.health.conftest import TODAY, Story

DAY = dt.timedelta(days=1)


def history(cast: Cast, customer: Customer) -> list[tuple[dt.date, str]]:
    with tenant_scope(cast.tenant):
        return list(HealthHistory.objects.filter(customer=customer).order_by("on").values_list("on", "band"))


def news(cast: Cast) -> list[Event]:
    with tenant_scope(cast.tenant):
        return list(Event.objects.filter(verb="health_changed").order_by("id"))


def a_customer_of_everything(story: Story) -> Customer:
    """A customer with facts for all twelve indicators."""
    customer = story.regular()
    story.orders(customer, 40, 70, 100, due_on=TODAY - 30 * DAY, paid_on=TODAY - 20 * DAY)
    story.contact(customer, 100)
    story.contact(customer, 3, answered=False)
    story.contact(customer, 5, about_competitor=True, solved=True)
    story.contact(customer, 6, answered=None, direction="inbound")
    story.complaint(customer, 20)
    story.complaint(customer, 21, topic=" late ")
    story.complaint(customer, 30, topic="Broken", solved_at=story.at(28), first_time=False)
    story.complaint(customer, 200)
    story.answer(customer, 10, "csat", 4)
    story.answer(customer, 12, "csat", 5)
    with tenant_scope(story.cast.tenant):
        first, second = (Contact.objects.create(customer=customer, name=name) for name in ("Mei", "Jo"))
    story.answer(customer, 300, "nps", 0, contact=first)
    story.answer(customer, 20, "nps", 9, contact=first)
    story.answer(customer, 20, "nps", 6, contact=second)
    return customer


def test_keeps_the_facts_of_all_twelve_indicators(story: Story) -> None:
    customer = a_customer_of_everything(story)
    counts = story.night()
    row = story.score(customer)
    assert (counts["customers"], counts["scored"], counts["changed"], counts["history"]) == (1, 1, 1, 1)
    assert (row.order_days_count, row.last_order_on, row.median_gap) == (28, TODAY - DAY, 25.5)
    assert (row.spend_recent, row.spend_before) == (Decimal(500), Decimal(1400))
    assert (row.orders_recent, row.orders_before, row.categories_recent, row.categories_before) == (5, 14, 1, 1)
    assert (row.contacts_recent, row.contacts_before) == (2, 1)
    assert (row.asked, row.answered, row.unanswered_run, row.last_asked_on) == (3, 2, 1, TODAY - 3 * DAY)
    assert (row.complaints_recent, row.complaints_before, row.repeated_open) == (3, 1, 3)
    assert (row.solved, row.solved_first) == (2, 1)
    assert (row.csat_sum, row.csat_count) == (9, 2)
    assert (row.promoters, row.detractors, row.nps_count) == (1, 1, 2)
    assert row.competitor_recent == 1
    assert (row.days_late, row.invoices, row.last_paid_on) == (10.0, 3, TODAY - 20 * DAY)
    assert (row.tier, row.stage) == ("gold", "active")
    assert row.known == 12
    assert (row.band_since, row.rescored_at) == (TODAY, None)
    assert row.receipt(HealthPolicy(), TODAY).score == row.score


def test_counts_what_lies_before_the_day_and_inside_its_windows(story: Story) -> None:
    customer = story.regular(silent=5)
    story.orders(customer, 0)
    for days in (0, 1, 90, 91, 360, 361):
        story.contact(customer, days)
        story.complaint(customer, days, topic=f"{days}", solved_at=story.at(days), first_time=True)
    for days in (0, 180, 181):
        story.answer(customer, days, "csat", 5)
    for days in (0, 366):
        story.answer(customer, days, "nps", 10)
    story.night()
    row = story.score(customer)
    assert row.last_order_on == TODAY - 5 * DAY
    assert (row.contacts_recent, row.contacts_before) == (2, 2)
    assert (row.complaints_recent, row.complaints_before) == (2, 3)
    assert (row.solved, row.csat_count, row.nps_count) == (3, 1, 0)


def test_takes_a_complaint_for_open_until_the_day_on_which_it_was_solved(story: Story) -> None:
    customer = story.regular()
    for topic in ("Late", "late", " Late", "Other"):
        story.complaint(customer, 20, topic=topic, solved_at=story.at(0) if topic == " Late" else None)
    story.night()
    assert story.score(customer).repeated_open == 3
    story.night(1)
    assert story.score(customer).repeated_open == 2


def test_does_not_take_silence_for_praise_where_a_firm_keeps_no_book(story: Story) -> None:
    customer, other = story.regular(), story.regular("Other")
    story.contact(customer, 3)
    story.night()
    row = story.score(customer)
    assert (row.complaints_recent, row.complaints_before, row.competitor_recent) == (None, None, None)
    story.complaint(other, 400)
    story.contact(other, 400, about_competitor=True)
    story.night(1)
    row, beside = story.score(customer), story.score(other)
    assert (row.complaints_recent, row.complaints_before, row.competitor_recent) == (0, 0, 0)
    assert beside.competitor_recent is None  # nobody talked to it in these days


def test_looks_at_the_last_contacts_of_which_it_is_known_whether_they_were_answered(story: Story) -> None:
    customer = story.regular()
    for days, answered in ((2, False), (3, None), (4, False), (5, False), (6, True), (7, True), (8, True)):
        story.contact(customer, days, answered=answered)
    story.night()
    row = story.score(customer)
    assert (row.asked, row.answered, row.unanswered_run) == (5, 2, 3)


@pytest.mark.parametrize(
    ("days_ago", "stage"),
    [
        ((10,), "new"),
        ((200, 10), "won_back"),
        ((100, 40, 10), "active"),
        ((300, 200), "lapsed"),
        ((), "prospect"),
    ],
)
def test_keeps_the_stage_by_which_it_weighs(story: Story, days_ago: tuple[int, ...], stage: str) -> None:
    customer = story.cast.customer()
    story.orders(customer, *days_ago)
    story.night()
    assert story.score(customer).stage == stage


def test_reads_of_some_customers_what_it_reads_of_all(story: Story) -> None:
    chosen, _other = a_customer_of_everything(story), story.regular("Other", every=20)
    story.night()
    with tenant_scope(story.cast.tenant):
        policy = active_policy()
        everybody, one = facts_of(TODAY, policy), facts_of(TODAY, policy, [chosen.pk])
        again = facts_of(TODAY, policy, [chosen.pk], of_that_day=True)
    assert everybody.height == 2
    assert_frame_equal(one, everybody.filter(pl.col("customer_id") == chosen.pk))
    assert_frame_equal(one, again)


def test_run_twice_changes_nothing(story: Story) -> None:
    a_customer_of_everything(story)
    falling = story.regular("Falling")
    story.night()
    story.night(70)

    def written() -> list[list[object]]:
        with tenant_scope(story.cast.tenant):
            models = (HealthScore, HealthHistory, HealthCount, Event)
            return [sorted(map(str, model.objects.values_list())) for model in models]

    before = written()
    assert story.night(70)["changed"] == 0
    assert written() == before
    assert [row.customer_id for row in news(story.cast)].count(falling.pk) == 1


def test_forgets_who_is_closed_but_not_what_they_were(story: Story) -> None:
    customer = story.regular()
    story.night()
    with tenant_scope(story.cast.tenant):
        Customer.objects.filter(pk=customer.pk).update(closed_on=TODAY)
    story.night(1)
    with tenant_scope(story.cast.tenant):
        assert not HealthScore.objects.exists()
        assert not HealthCount.objects.filter(on=TODAY + DAY).exists()
    assert len(history(story.cast, customer)) == 1


# ── history ─────────────────────────────────────────────────────────────────


def test_writes_a_row_when_the_colour_changes_and_tells_it(story: Story) -> None:
    customer = story.regular()
    story.night()
    first = story.score(customer)
    assert news(story.cast) == []  # a first score is no news
    for later in range(1, 60):
        if story.night(later)["history"] and story.score(customer).band != first.band:
            break
    row = story.score(customer)
    assert row.band != first.band
    changed_on = TODAY + dt.timedelta(days=later)
    assert row.band_since == changed_on
    assert history(story.cast, customer)[-1] == (changed_on, row.band)
    [event] = news(story.cast)
    assert event.customer_id == customer.pk
    assert event.changes["band"] == [first.band, row.band]
    assert event.changes["score"][1] == row.score
    assert story.cast.tenant.local_date(event.at) == changed_on


def test_writes_a_moved_score_once_a_week_from_its_first_night_on(story: Story) -> None:
    customer = story.regular(every=100, silent=110)
    scores = {}
    for later in range(26):
        story.night(later)
        scores[TODAY + dt.timedelta(days=later)] = story.score(customer)
    kept = history(story.cast, customer)
    colours = {TODAY} | {day for day, row in scores.items() if day > TODAY and row.band != scores[day - DAY].band}
    assert {day for day, _band in kept} <= {day for day in scores if day.weekday() == 0} | colours
    with tenant_scope(story.cast.tenant):
        rows = {row.on: row.score for row in HealthHistory.objects.all()}
    for day, row in scores.items():  # the rule by which the history is read
        if day.weekday() == 0:
            assert rows[max(on for on in rows if on <= day)] == row.score
    assert len(kept) > len(colours)


def test_writes_nothing_while_nothing_moves(story: Story) -> None:
    customer = story.cast.customer()
    for later in range(15):
        story.night(later)
    assert history(story.cast, customer) == [(TODAY, "none")]


def test_writes_on_tuesday_what_no_monday_has(story: Story) -> None:
    customer = story.regular(every=100, silent=110)
    story.night()
    before = story.score(customer)
    story.night(4)  # a Tuesday, the first night of its week
    after = story.score(customer)
    assert (after.band, before.score != after.score) == (before.band, True)
    story.night(5)
    assert [on for on, _band in history(story.cast, customer)] == [TODAY, TODAY + 4 * DAY]


def test_keeps_the_scores_of_the_mondays_a_week_and_a_month_before(story: Story) -> None:
    customer = story.regular(every=100, silent=170)
    scores = {}
    for later in range(-33, 1):
        story.night(later)
        scores[TODAY + dt.timedelta(days=later)] = story.score(customer).score
    row = story.score(customer)
    assert row.week_score == scores[dt.date(2026, 11, 9)]
    assert row.month_score == scores[dt.date(2026, 10, 19)]
    assert len({row.score, row.week_score, row.month_score}) == 3


def test_has_no_score_of_before_for_who_is_new(story: Story) -> None:
    customer = story.regular()
    story.night()
    row = story.score(customer)
    assert (row.week_score, row.month_score) == (None, None)


def test_does_not_leave_what_a_first_run_of_the_same_night_wrote_in_error(story: Story) -> None:
    customer = story.regular()
    story.night()
    story.night(60)
    first, error = story.score(customer), history(story.cast, customer)[-1]
    assert error == (TODAY + 60 * DAY, first.band)
    story.orders(customer, *range(-59, 1, 30))
    story.night(60)
    row = story.score(customer)
    assert row.band == "green"
    assert row.band_since == TODAY
    assert history(story.cast, customer) == [(TODAY, "green")]


def test_leaves_what_later_nights_said_when_one_is_made_up_for_an_earlier_day(story: Story) -> None:
    customer = story.regular()
    story.orders(customer, 85)
    story.orders(customer, -70, money=1000)
    story.night()
    story.night(75)
    later, kept = story.score(customer), history(story.cast, customer)
    assert kept == [(TODAY, later.band)]  # nothing had changed: the night wrote nothing
    for _again in range(2):
        story.night(65)
        between = story.score(customer)
        assert between.band != later.band
        assert history(story.cast, customer) == [
            (TODAY, later.band), (TODAY + 65 * DAY, between.band), (TODAY + 75 * DAY, later.band),
        ]  # fmt: skip
    with tenant_scope(story.cast.tenant):
        assert HealthHistory.objects.get(on=TODAY + 75 * DAY).score == later.score


def test_leaves_what_later_nights_said_when_an_earlier_one_takes_its_row_back(story: Story) -> None:
    customer = story.regular()
    story.night()
    story.night(60)
    error = story.score(customer)
    story.night(61)
    assert [on for on, _band in history(story.cast, customer)] == [TODAY, TODAY + 60 * DAY]
    story.orders(customer, *range(-59, 1, 30))
    story.night(60)
    assert history(story.cast, customer) == [(TODAY, "green"), (TODAY + 61 * DAY, error.band)]
    story.night(61)
    assert history(story.cast, customer) == [(TODAY, "green")]


# ── counts ──────────────────────────────────────────────────────────────────


def test_counts_colours_by_owner_with_their_money(story: Story) -> None:
    story.regular("One")
    story.regular("Two")
    story.cast.customer("Three", owner_a=story.cast.bo)
    story.cast.customer("Four", owner_a=None)
    story.night()
    with tenant_scope(story.cast.tenant):
        found = set(HealthCount.objects.values_list("on", "owner", "band", "customers", "net"))
    assert found == {
        (TODAY, story.cast.ann.pk, "green", 2, Decimal(2600)),
        (TODAY, story.cast.bo.pk, "none", 1, Decimal(0)),
        (TODAY, None, "none", 1, Decimal(0)),
    }
