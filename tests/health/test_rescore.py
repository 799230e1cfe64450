"""It: scoring between two nights, of whoever a fact has come in about."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from django.db import connection

import config.arrivals
import health.nightly
from config.night import run_night
from config.tasks import look_at_arrivals
from customers.models import Arrival, Customer
from customers.services import forget_arrivals, log_interaction
from health.models import HealthHistory, HealthScore
from health.rules.policy import HealthPolicy
from health.scoring import lock_scores, try_lock_scores
from tenants.context import current_tenant, tenant_scope
from tenants.models import Run, RunStep
from tests.conftest import Cast
from tests.followups.test_services_at_once import at_once
from tests.health.conftest import NOW, TODAY, Story
from tests.health.scored import night_of

TOMORROW = TODAY + dt.timedelta(days=1)
OF_THE_NIGHT = ("rescored_at", "kept_on", "kept_score", "kept_band")
"""What only a night writes: all else it says as the score did between the nights."""


def stored(cast: Cast, customer: Customer, *but: str) -> dict[str, Any]:
    with tenant_scope(cast.tenant):
        values = HealthScore.objects.filter(customer=customer).values().get()
    return {name: value for name, value in values.items() if name not in but}


def waiting(cast: Cast) -> int:
    """Notes of facts by which nobody has scored yet."""
    with tenant_scope(cast.tenant):
        return Arrival.objects.filter(is_seen=False).count()


def noted(cast: Cast) -> list[int]:
    """Whom the next night has to look at."""
    with tenant_scope(cast.tenant):
        return list(Arrival.objects.order_by("customer_id").values_list("customer_id", flat=True))


def snapshot(cast: Cast) -> str:
    """What a night's first step can see."""
    with tenant_scope(cast.tenant), connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])


def forget(cast: Cast, as_of: dt.date, seen: str) -> int:
    """The night's last step."""
    with tenant_scope(cast.tenant):
        return forget_arrivals(as_of, seen)


def night_of_all_there_is(story: Story) -> None:
    """A night after which nothing has come in."""
    story.night()
    with tenant_scope(story.cast.tenant):
        Arrival.objects.all().delete()


@pytest.fixture
def quiet(story: Story) -> Customer:
    """A customer of last night, silent for two of its cycles, about whom nothing has come in since."""
    customer = story.regular(silent=65)
    night_of_all_there_is(story)
    return customer


def test_says_what_the_coming_night_will(story: Story, quiet: Customer) -> None:
    before = story.score(quiet)
    story.orders(quiet, 0)
    story.complaint(quiet, 0)
    story.answer(quiet, 0, "csat", 2)
    assert look_at_arrivals() == 1
    after = story.score(quiet)
    assert after.score > before.score
    assert (after.last_order_on, after.complaints_recent, after.csat_count) == (TODAY, 1, 1)
    with tenant_scope(story.cast.tenant):
        assert (before.as_of(TODAY), after.as_of(TODAY)) == (TODAY, TOMORROW)
    assert after.rescored_at is not None
    assert after.rescored_at >= NOW
    rescored = stored(story.cast, quiet, *OF_THE_NIGHT)
    assert story.night(1)["changed"] == 1
    assert stored(story.cast, quiet, *OF_THE_NIGHT) == rescored
    assert story.score(quiet).rescored_at is None


def test_comes_again_after_a_night_that_does_not_count_the_fact_yet(story: Story, quiet: Customer) -> None:
    story.orders(quiet, 0)  # shortly after midnight, say
    look_at_arrivals()
    ahead = stored(story.cast, quiet, *OF_THE_NIGHT)
    assert story.night(0)["changed"] == 1
    assert (story.score(quiet).rescored_at, waiting(story.cast)) == (None, 1)
    assert look_at_arrivals() == 1
    assert stored(story.cast, quiet, *OF_THE_NIGHT) == ahead
    story.night(1)  # counts it
    assert waiting(story.cast) == 0
    assert stored(story.cast, quiet, *OF_THE_NIGHT) == ahead


def test_draws_a_receipt_that_adds_up_to_the_score(story: Story, quiet: Customer) -> None:
    story.contact(quiet, 0)
    story.orders(quiet, 0)
    look_at_arrivals()
    row = story.score(quiet)
    with tenant_scope(story.cast.tenant):
        assert row.receipt(HealthPolicy(), row.as_of(TODAY)).score == row.score
    assert row.receipt(HealthPolicy(), TOMORROW).lines[0].inputs["days"] == 1


def test_takes_the_policy_that_is_in_force(story: Story, quiet: Customer) -> None:
    number = story.weigh(order_frequency=90)
    story.contact(quiet, 0)
    look_at_arrivals()
    assert story.score(quiet).policy_version == number


def test_leaves_everybody_else_and_the_history_alone(story: Story, quiet: Customer) -> None:
    other = story.regular("Other")
    night_of_all_there_is(story)
    beside = stored(story.cast, other)
    with tenant_scope(story.cast.tenant):
        kept = HealthHistory.objects.count()
    story.orders(quiet, 0)
    assert look_at_arrivals() == 1
    assert look_at_arrivals() == 0
    assert stored(story.cast, other) == beside
    with tenant_scope(story.cast.tenant):
        assert HealthHistory.objects.count() == kept


def test_scores_who_came_after_the_night(story: Story, quiet: Customer) -> None:
    new = story.regular("New")
    look_at_arrivals()
    assert story.score(new).band == "green"


def test_gives_no_score_to_who_is_closed(story: Story, quiet: Customer) -> None:
    story.orders(quiet, 0)
    with tenant_scope(story.cast.tenant):
        Customer.objects.filter(pk=quiet.pk).update(closed_on=TODAY)
        HealthScore.objects.all().delete()
    assert look_at_arrivals() == 0
    assert waiting(story.cast) == 0
    with tenant_scope(story.cast.tenant):
        assert not HealthScore.objects.exists()


def test_waits_for_a_first_night(story: Story) -> None:
    story.regular()
    assert waiting(story.cast) == 1
    assert look_at_arrivals() == 0
    assert waiting(story.cast) == 0
    with tenant_scope(story.cast.tenant):
        assert not HealthScore.objects.exists()


def test_works_through_more_than_one_chunk(story: Story, quiet: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.arrivals, "CHUNK", 2)
    monkeypatch.setattr(config.arrivals, "CHUNKS", 2)
    for n in range(4):
        story.contact(story.cast.customer(f"{n}"), 0)
    story.contact(quiet, 0)
    assert look_at_arrivals() == 4
    assert look_at_arrivals() == 1


def test_goes_on_to_the_next_firm_when_one_fails(
    story: Story, quiet: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, globex = story.cast.tenant, story.cast.other_tenant
    story.contact(quiet, 0)
    with tenant_scope(globex):
        night_of(TODAY)
        log_interaction(customer=Customer.objects.create(name="Beyond"), channel="phone")
    rescore, asked = config.arrivals.rescore, []

    def fails_for_acme(*args: Any) -> int:
        asked.append(current_tenant())
        if current_tenant() == acme:
            raise RuntimeError("out of order")
        return rescore(*args)

    monkeypatch.setattr(config.arrivals, "rescore", fails_for_acme)
    assert look_at_arrivals() == 1
    assert asked == [acme, globex]
    assert waiting(story.cast) == 1  # its note is still there
    monkeypatch.setattr(config.arrivals, "rescore", rescore)
    assert look_at_arrivals() == 1


# ── at the same moment ──────────────────────────────────────────────────────

at_the_same_moment = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.xdist_group("transactions"),
]


class TestAtOnce:
    pytestmark = at_the_same_moment

    def test_leaves_the_notes_while_a_night_writes(self, story: Story, quiet: Customer) -> None:
        story.contact(quiet, 0)

        with tenant_scope(story.cast.tenant):
            lock_scores(alone=False)  # as a part of the night does
            assert at_once(story.cast.tenant, look_at_arrivals) == [0]
        assert waiting(story.cast) == 1
        assert look_at_arrivals() == 1

    def test_ends_with_what_the_coming_night_says_however_they_come_together(
        self, story: Story, quiet: Customer
    ) -> None:
        def write() -> None:
            for _n in range(5):
                story.contact(quiet, 0)

        jobs = [write, look_at_arrivals, lambda: health.nightly.run(TODAY), write, look_at_arrivals]
        results = at_once(story.cast.tenant, *jobs)
        assert not [result for result in results if isinstance(result, Exception)], results
        look_at_arrivals()
        assert waiting(story.cast) == 0
        row = story.score(quiet)
        assert (row.contacts_recent, row.asked) == (10, 5)
        rescored = stored(story.cast, quiet, *OF_THE_NIGHT)
        story.night(1)
        assert stored(story.cast, quiet, *OF_THE_NIGHT) == rescored

    def test_is_held_by_one(self, story: Story) -> None:
        tenant = story.cast.tenant

        def held() -> bool:
            with tenant_scope(tenant):
                return try_lock_scores()

        with tenant_scope(tenant):
            assert try_lock_scores()
            assert at_once(tenant, held) == [False]
        with tenant_scope(story.cast.other_tenant):
            lock_scores(alone=True)
            assert at_once(tenant, held) == [True]

    def test_keeps_out_while_parts_of_a_night_write_side_by_side(self, story: Story, quiet: Customer) -> None:
        story.contact(quiet, 0)
        tenant = story.cast.tenant
        side_by_side = threading.Barrier(2)

        def part() -> int:
            with tenant_scope(tenant):
                lock_scores(alone=False)
                side_by_side.wait(5)  # both hold it
                looked = look_at_arrivals() if threading.current_thread().name == "looks" else 0
                side_by_side.wait(5)
                return looked

        def looking() -> int:
            threading.current_thread().name = "looks"
            return part()

        assert at_once(tenant, part, looking) == [0, 0]
        assert waiting(story.cast) == 1

    def test_leaves_the_notes_while_a_night_is_between_its_parts(self, story: Story, quiet: Customer) -> None:
        story.contact(quiet, 0)
        with tenant_scope(story.cast.tenant):
            run = Run.objects.create(job="nightly", for_date=TOMORROW, status="open")
            step = RunStep.objects.create(run=run, ordinal=0, name=health.nightly.NAME, is_prepared=True)
        assert look_at_arrivals() == 0
        assert waiting(story.cast) == 1
        with tenant_scope(story.cast.tenant):
            RunStep.objects.filter(pk=step.pk).update(status="done")
        assert look_at_arrivals() == 1

    def test_keeps_a_note_until_a_night_has_reckoned_with_it(self, story: Story, quiet: Customer) -> None:
        story.contact(quiet, 1)
        assert forget(story.cast, TOMORROW, snapshot(story.cast)) == 0  # nobody has scored by it yet
        assert look_at_arrivals() == 1
        assert noted(story.cast) == [quiet.pk]
        assert forget(story.cast, TODAY, snapshot(story.cast)) == 0  # a fact of the day itself counts tomorrow
        assert forget(story.cast, TOMORROW, snapshot(story.cast)) == 1
        assert noted(story.cast) == []

    def test_keeps_a_note_of_what_comes_in_while_a_night_works(self, story: Story, quiet: Customer) -> None:
        began = snapshot(story.cast)
        story.contact(quiet, 1)
        look_at_arrivals()
        assert forget(story.cast, TOMORROW, began) == 0
        assert noted(story.cast) == [quiet.pk]
        assert forget(story.cast, TOMORROW, snapshot(story.cast)) == 1

    def test_is_left_with_no_note_after_a_whole_night(self, story: Story, quiet: Customer) -> None:
        story.contact(quiet, 1)
        look_at_arrivals()
        run_night(story.cast.tenant, TOMORROW)
        assert noted(story.cast) == []
