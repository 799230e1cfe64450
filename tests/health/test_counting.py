"""It: counts how everybody is doing once a night, and keeps that right between two nights."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from customers.models import Customer
from dashboards import lapses
from followups.services import change_owner
from health import counting, figures, quality
from health.models import Band, BandCount, HealthScore, LapseForecast
from health.scoring import lock_scores, rescore
from tenants.models import Member, Run, RunStep
from tenants.runs import Piece
from tests.conftest import Cast
from tests.health.scored import counted, history_of, night_of, score_of

FRIDAY = dt.date(2026, 11, 20)
START = figures.usual_start(FRIDAY)
NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
FIGURES: dict[str, Callable[[Member], Any]] = {
    "distribution": figures.distribution,
    "rescored": figures.rescored,
    "owners": figures.owners,
    "week": lambda member: figures.movers(member, FRIDAY, "week"),
    "month": lambda member: figures.movers(member, FRIDAY, "month"),
    "moves": lambda member: figures.transitions(member, START, FRIDAY),
    "quality": quality.quality,
    "forecasts": lapses.totals,
}


@pytest.fixture(autouse=True)
def _noon(time_machine: Any) -> None:
    time_machine.move_to(NOW, tick=False)


def night(day: dt.date = FRIDAY) -> Run:
    """A night of a day that has scored everybody."""
    run = night_of(day)
    RunStep.objects.create(run=run, ordinal=0, name="health", status="done", finished_at=run.finished_at)
    return run


@pytest.fixture
def firm(cast: Cast, scope: Any) -> SimpleNamespace:
    """Customers of all kinds of owners; some who kept their colour since long ago, some who changed it, some closed."""

    def one(
        name: str, score: int | None, since: dt.date, *before: tuple[dt.date, int | None], **fields: Any
    ) -> Customer:
        owners = {key: fields.pop(key) for key in ("owner_a", "owner_b", "closed_on") if key in fields}
        customer = cast.customer(name, **owners)
        history_of(customer, *before, (since, score))
        score_of(customer, score, band_since=since, last_order_on=FRIDAY, order_days_count=4, **fields)
        LapseForecast.objects.create(
            customer=customer, percent=score, money_at_risk=score, is_warned=score == 35, policy_version=1,
            code="" if score is not None else "lapsed",
        )  # fmt: skip
        return customer

    long_ago, lately = START - dt.timedelta(days=90), FRIDAY - dt.timedelta(days=8)
    found = SimpleNamespace(
        same=one("Same", 90, long_ago, net=400, week_score=80, month_score=95),
        fell=one("Fell", 35, lately, (long_ago, 75), net=1000, week_score=52, month_score=80),
        twice=one("Twice", 75, lately, (long_ago, 75), (lately - dt.timedelta(days=3), 30), net=20, owner_b=None),
        new=one("New", 50, FRIDAY, net=70, owner_a=cast.bo, owner_b=None),
        unknown=one("Unknown", None, long_ago, net=5, owner_a=None, owner_b=None, csat_count=1),
        closed=cast.customer("Closed", closed_on=FRIDAY - dt.timedelta(days=2)),
        never=cast.customer("Never"),
    )
    history_of(found.closed, (long_ago, 60))
    night()
    return found


def by_rows(monkeypatch: pytest.MonkeyPatch, figure: Callable[[Member], Any], member: Member) -> Any:
    """What the figure says when nothing is counted."""
    with monkeypatch.context() as patched:
        for module in (figures, quality, lapses):
            patched.setattr(module, "tallied", lambda *_asked: None)
        patched.setattr(figures, "has_counts", lambda: False)
        return figure(member)


def count(as_of: dt.date = FRIDAY) -> None:
    counting.count_now()  # as the step of health does
    counting.run(Piece(as_of))


@pytest.mark.parametrize("who", ["ann", "bo", "lea", "eve"])
def test_counts_what_the_rows_say(cast: Cast, firm: Any, monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    member = getattr(cast, who)
    count()
    for name, figure in FIGURES.items():
        assert figure(member) == by_rows(monkeypatch, figure, member), name


def test_asks_the_history_only_about_who_changed_colour(cast: Cast, firm: Any) -> None:
    moves = {
        ("green", "green"): 2, ("green", "red"): 1, ("", "yellow"): 1, ("none", "none"): 1, ("yellow", ""): 1,
    }  # fmt: skip
    assert {pair: number for pair, (number, _money) in figures.transitions(cast.eve, START, FRIDAY).items()} == moves
    # What the score knows is taken from it.
    HealthScore.objects.filter(customer=firm.same).update(band="yellow")
    assert figures.transitions(cast.eve, START, FRIDAY)["yellow", "yellow"][0] == 1


def test_trusts_no_score_that_a_night_of_an_earlier_day_has_made_again(
    cast: Cast, firm: Any, time_machine: Any
) -> None:
    counted(FRIDAY, None, "green", 1)
    time_machine.move_to(NOW + dt.timedelta(hours=1), tick=False)
    night(FRIDAY - dt.timedelta(days=30))
    HealthScore.objects.filter(customer=firm.same).update(band="red", band_since=START - dt.timedelta(days=90))
    later = figures.transitions(cast.eve, START, FRIDAY - dt.timedelta(days=1))
    assert ("red", "red") not in later


def test_counts_again_after_another_night(cast: Cast, firm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    count()
    HealthScore.objects.filter(customer=firm.same).update(score=20, band="red")
    count()
    assert figures.distribution(cast.eve) == by_rows(monkeypatch, figures.distribution, cast.eve)


# ── between two nights ──────────────────────────────────────────────────────

NOW_FIGURES = ("distribution", "rescored", "owners", "week", "month")


def test_counts_at_once_whoever_is_scored_again(cast: Cast, firm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    count()
    lock_scores(alone=True)
    assert rescore([firm.same.pk, firm.fell.pk, firm.new.pk], NOW) == 3
    assert figures.rescored(cast.eve) == 3
    assert figures.distribution(cast.eve)[3].customers == 4  # too little is known about them
    for name in NOW_FIGURES:
        for member in (cast.ann, cast.bo, cast.lea, cast.eve):
            assert FIGURES[name](member) == by_rows(monkeypatch, FIGURES[name], member), name


def test_counts_at_once_whoever_changes_hands(cast: Cast, firm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    count()
    change_owner(customer=firm.fell, owner_a=cast.bo, owner_b=None, member=cast.lea)
    for name in NOW_FIGURES:
        for member in (cast.ann, cast.bo, cast.lea, cast.eve):
            assert FIGURES[name](member) == by_rows(monkeypatch, FIGURES[name], member), name


def test_has_nothing_to_put_right_before_the_first_night(firm: Any) -> None:
    with counting.recounted([firm.same.pk]):
        HealthScore.objects.filter(customer=firm.same).update(band=Band.RED)
    assert not BandCount.objects.exists()


def test_writes_nothing_where_nothing_moved(firm: Any, django_assert_num_queries: Any) -> None:
    count()
    # Whether anything is counted, the lock, and the numbers before and after.
    with django_assert_num_queries(4), counting.recounted([firm.same.pk]):
        pass
