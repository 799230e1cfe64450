"""It: back-tests as jobs, killed anywhere and gone on with, and the command that prints one."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection

from customers.frames import order_span
from customers.models import Customer
from health import backtests, tasks
from health.frames import read_history
from health.models import BackTest, BackTestCutOff
from health.rules.backtest import BackTest as Record
from health.rules.backtest import Ground
from health.rules.policy import ForecastPolicy
from tenants.context import tenant_scope
from tenants.models import Event
from tenants.policies import active_policy, save_policy
from tests.conftest import Cast
from tests.health.crowds import TODAY, ago, crowd, place

__all__ = ["crowd"]

pytestmark = pytest.mark.django_db

FIRST, LAST = dt.date(2026, 5, 1), dt.date(2026, 8, 1)
KEYS = {
    "cut_offs", "customers", "base_rate", "auc", "average_precision", "accuracy", "majority_accuracy", "rule_accuracy",
    "precision_top_decile", "brier", "ece", "lead_time_days",
}  # fmt: skip


class Killed(BaseException):
    """As a kill -9 leaves it: no handler runs."""


@pytest.fixture(autouse=True)
def _on_that_day(cast: Cast) -> Any:
    """The clock stands at noon of TODAY."""
    with time_machine.travel(dt.datetime.combine(TODAY, dt.time(12), dt.UTC), tick=False):
        yield


@pytest.fixture
def started(cast: Cast, crowd: list[Customer]) -> BackTest:
    """A back-test of four months that waits to be run."""
    with tenant_scope(cast.tenant):
        row, outcome = backtests.start_back_test(first=FIRST, last=LAST, member=cast.lea)
    assert outcome == "created"
    return row


def direct(cast: Cast, first: dt.date = FIRST, last: dt.date = LAST) -> Record:
    with tenant_scope(cast.tenant):
        return backtests.evaluate(first, last)


def run(cast: Cast, row: BackTest) -> BackTest:
    found = backtests.run_back_test(cast.tenant, row.pk)
    assert found is not None
    return found


def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(tasks.run_back_test, "delay", lambda *args: calls.append(args))
    return calls


def plain(record: Record) -> Any:
    return json.loads(json.dumps(record.to_json()))


# ── running ─────────────────────────────────────────────────────────────────


def test_measures_each_month_and_makes_the_record(cast: Cast, started: BackTest) -> None:
    row = run(cast, started)
    assert (row.status, row.reason, row.done, row.total) == ("done", "", 4, 4)
    assert row.result == plain(direct(cast))
    assert 0.5 < row.result["means"]["auc"] <= 1
    assert [each["day"] for each in row.result["cut_offs"]] == ["2026-05-01", "2026-06-01", "2026-07-01", "2026-08-01"]
    with tenant_scope(cast.tenant):
        # Single customers' forecasts are kept no longer than the record needs them.
        assert {tuple(each.result) for each in BackTestCutOff.objects.all()} == {("cut_off",)}
        events = Event.objects.filter(object_type="backtest").order_by("pk")
        assert list(events.values_list("verb", flat=True)) == ["started", "finished"]


@pytest.mark.parametrize("at", [1, 3, 4])
def test_goes_on_where_it_was_killed(cast: Cast, started: BackTest, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    measured: list[dt.date] = []
    original = Ground.measure

    def killing(self: Ground, day: dt.date) -> Any:
        measured.append(day)
        if len(measured) == at:
            raise Killed
        return original(self, day)

    monkeypatch.setattr(Ground, "measure", killing)
    with pytest.raises(Killed):
        run(cast, started)
    with tenant_scope(cast.tenant):
        assert BackTestCutOff.objects.filter(is_done=True).count() == at - 1
    row = run(cast, started)
    assert (row.status, row.done) == ("done", 4)
    assert len(measured) == 5  # the one that was cut off is measured again, no other
    assert row.result == plain(direct(cast))


def test_makes_the_record_again_when_it_was_killed_there(
    cast: Cast, started: BackTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_args: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(backtests, "summary", kill)
        with pytest.raises(Killed):
            run(cast, started)
    assert run(cast, started).result == plain(direct(cast))


def test_does_nothing_when_it_is_done(cast: Cast, started: BackTest) -> None:
    first = run(cast, started)
    with tenant_scope(cast.tenant):
        events = Event.objects.count()
    again = run(cast, started)
    assert (again.finished_at, again.result, again.attempts) == (first.finished_at, first.result, first.attempts)
    with tenant_scope(cast.tenant):
        assert Event.objects.count() == events


def test_gives_up_what_kills_every_worker(cast: Cast, started: BackTest, monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(*_args: Any) -> None:
        raise Killed

    monkeypatch.setattr(Ground, "measure", kill)
    for _attempt in range(backtests.MAX_ATTEMPTS):
        with pytest.raises(Killed):
            run(cast, started)
    row = run(cast, started)
    assert (row.status, row.reason, row.done) == ("failed", "gave_up", 0)
    with tenant_scope(cast.tenant):
        assert backtests.unattended(cast.tenant) == []


def test_counts_attempts_from_the_last_month_that_was_measured(
    cast: Cast, started: BackTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = Ground.measure, [0]

    def every_other(self: Ground, day: dt.date) -> Any:
        calls[0] += 1
        if calls[0] % 3:
            raise ZeroDivisionError
        return original(self, day)

    monkeypatch.setattr(Ground, "measure", every_other)
    for _attempt in range(8):
        with pytest.raises(ZeroDivisionError):
            run(cast, started)
    assert run(cast, started).status == "done"


def test_says_so_when_nothing_could_be_measured(cast: Cast) -> None:
    with tenant_scope(cast.tenant):
        customer = cast.customer()
        place([(customer, ago(day), 50) for day in range(5, 700, 30)])
        row, _outcome = backtests.start_back_test()
    done = run(cast, row)
    assert (done.status, done.reason, done.result["means"]) == ("done", "few_customers", None)
    assert {each["reason"] for each in done.result["cut_offs"]} == {"few_customers"}


def test_takes_facts_of_the_future_for_not_there(cast: Cast, started: BackTest, crowd: list[Customer]) -> None:
    before = plain(direct(cast))
    with tenant_scope(cast.tenant):
        place([(customer, TODAY + dt.timedelta(60), 50) for customer in crowd[:40]])
    assert plain(direct(cast)) == before
    assert run(cast, started).result == before


# ── starting ────────────────────────────────────────────────────────────────


def test_tests_the_last_ten_closed_months_unless_others_are_named(cast: Cast, crowd: list[Customer]) -> None:
    with tenant_scope(cast.tenant):
        row, _outcome = backtests.start_back_test(member=cast.lea)
        start, end = order_span(TODAY)
        months = backtests.measurable_now()
        usual = backtests.usual_parameters()
    assert (row.first, row.last, row.horizon_days) == (dt.date(2025, 11, 1), dt.date(2026, 8, 1), 90)
    assert (usual["first"], usual["last"]) == (row.first, row.last)
    # The first has enough before it, the last its 90 days after it, and no month could be added.
    assert dt.timedelta(270) <= months[0] - start < dt.timedelta(270 + 31)
    assert dt.timedelta(90) <= end - months[-1] < dt.timedelta(90 + 31)


def test_is_the_same_while_the_same_is_under_way(cast: Cast, started: BackTest) -> None:
    with tenant_scope(cast.tenant):
        again, outcome = backtests.start_back_test(first=FIRST, last=LAST, member=cast.ada)
        assert (again.pk, outcome) == (started.pk, "unchanged")
        with pytest.raises(ValidationError) as refused:
            backtests.start_back_test(first=FIRST, last=LAST, horizon_days=60, member=cast.ada)
        assert refused.value.code == "busy"
    run(cast, started)
    with tenant_scope(cast.tenant):
        assert backtests.start_back_test(first=FIRST, last=LAST, member=cast.ada)[1] == "created"


@pytest.mark.parametrize(
    ("said", "field", "code"),
    [
        ({"first": LAST, "last": FIRST}, "last", "before_first"),
        ({"first": dt.date(2001, 1, 1), "last": LAST}, "last", "too_many"),
        ({"horizon_days": 29}, "horizon_days", "out_of_range"),
        ({"horizon_days": 366}, "horizon_days", "out_of_range"),
    ],
)
def test_refuses_months_and_days_that_cannot_be(
    cast: Cast, crowd: list[Customer], said: dict[str, Any], field: str, code: str
) -> None:
    with tenant_scope(cast.tenant), pytest.raises(ValidationError) as refused:
        backtests.start_back_test(**said)
    assert [each.code for each in refused.value.error_dict[field]] == [code]
    with tenant_scope(cast.tenant):
        assert not BackTest.objects.exists()


def test_refuses_a_history_without_a_closed_month(cast: Cast) -> None:
    with tenant_scope(cast.tenant):
        with pytest.raises(ValidationError, match="too short"):
            backtests.start_back_test()
        place([(cast.customer(), ago(day), 50) for day in (300, 200, 100, 5)])
        with pytest.raises(ValidationError, match="too short"):
            backtests.start_back_test()
        assert backtests.queue_usual(order_span(TODAY)) is None


def test_is_made_by_itself_once_per_last_month_and_policy(cast: Cast, crowd: list[Customer]) -> None:
    with tenant_scope(cast.tenant):
        span = order_span(TODAY)
        row = backtests.queue_usual(span)
        assert backtests.queue_usual(span) is None
        BackTest.objects.filter(pk=row.pk).update(status="done")
        assert backtests.queue_usual(span) is None
        policy = active_policy()
        save_policy({**policy.document, "value": {**policy.document["value"], "margin_percent": 60}}, pack="callback")
        assert backtests.queue_usual(span) is None
        save_policy({**policy.document, "forecast": {"warn_percent": 40}}, pack="callback")
        assert backtests.queue_usual(span).policy_version == 3


def test_knows_which_months_can_be_measured() -> None:
    rules = ForecastPolicy()
    span = (dt.date(2009, 12, 1), dt.date(2011, 12, 10))
    months = backtests.measurable(span, rules)
    assert (months[0], months[-1], len(months)) == (dt.date(2010, 9, 1), dt.date(2011, 9, 1), 13)
    assert backtests.measurable(span, ForecastPolicy(lapse="own_cycle"))[-1] == dt.date(2010, 12, 1)
    assert backtests.measurable((span[0], span[0] + dt.timedelta(359)), rules) == []
    assert backtests.measurable(None, rules) == []


def test_looks_only_at_orders_that_stand(cast: Cast) -> None:
    customer = cast.customer()
    with tenant_scope(cast.tenant):
        assert order_span(TODAY) is None
        place([(customer, ago(40), 50), (customer, ago(30), 50), (customer, TODAY, 50)])
        place([(customer, ago(90), -5)], kind="credit_note")
        place([(customer, ago(1), 50)], status="cancelled")
        assert order_span(TODAY) == (ago(40), ago(29))


# ── who works on it ─────────────────────────────────────────────────────────


def test_rings_when_it_is_started_and_again_while_nobody_works_on_it(
    cast: Cast, crowd: list[Customer], monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:  # fmt: skip
    calls = rung(monkeypatch)
    with django_capture_on_commit_callbacks(execute=True), tenant_scope(cast.tenant):
        row, _outcome = backtests.start_back_test(member=cast.lea)
    assert calls == [(cast.tenant.pk, row.pk)]
    tasks.sweep_back_tests()
    assert calls == [(cast.tenant.pk, row.pk)] * 2
    tasks.run_back_test(*calls[0])
    tasks.sweep_back_tests()
    assert len(calls) == 2


def test_does_nothing_for_one_that_a_newer_one_has_replaced(cast: Cast, started: BackTest) -> None:
    with tenant_scope(cast.tenant):
        BackTest.objects.filter(pk=started.pk).delete()
    assert backtests.run_back_test(cast.tenant, started.pk) is None


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_leaves_alone_what_somebody_works_on(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    with tenant_scope(cast.tenant):
        place([(cast.customer(), ago(day), 50) for day in range(5, 700, 30)])
        row, _outcome = backtests.start_back_test()
        first = row.cut_offs.first().pk
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT set_config('app.tenant_id', %s, true)", [str(cast.tenant.pk)])
            cursor.execute("SELECT id FROM health_backtestcutoff WHERE id = %s FOR UPDATE", [first])
            assert cursor.fetchone() == (first,)
        # Neither rung for nor counted, however often the bell rings.
        assert backtests.unattended(cast.tenant) == []
        for _ring in range(backtests.MAX_ATTEMPTS + 1):
            again = run(cast, row)
        assert (again.status, again.attempts, again.done) == ("queued", 0, 0)
        other.rollback()
    finally:
        other.close()
    assert backtests.unattended(cast.tenant) == [row.pk]
    assert run(cast, row).status == "done"


# ── the command ─────────────────────────────────────────────────────────────


def printed(*arguments: str) -> tuple[dict[str, Any], str]:
    out = StringIO()
    call_command("backtest", "--tenant", "acme", *arguments, stdout=out)
    return json.loads(out.getvalue()), out.getvalue()


def test_prints_the_means_of_the_months(cast: Cast, crowd: list[Customer]) -> None:
    told, text = printed("--from", "2026-05", "--to", "2026-08")
    assert set(told) == KEYS
    assert text.count("\n") == 1
    means = direct(cast).means
    assert told["cut_offs"] == 4
    assert {name: told[name] for name in KEYS - {"cut_offs"}} == {
        name: round(getattr(means, name), 4) for name in KEYS - {"cut_offs"}
    }
    with tenant_scope(cast.tenant):
        assert not BackTest.objects.exists()


def test_counts_who_ordered_twice_and_within_the_horizon(cast: Cast, crowd: list[Customer]) -> None:
    told, _text = printed("--from", "2026-08", "--to", "2026-08", "--horizon", "60")
    cut_off = dt.date(2026, 8, 1)
    with tenant_scope(cast.tenant):
        days = read_history(TODAY).days
    active = 0
    for customer in crowd:
        ordered = sorted(day for each, day in days.rows() if each == customer.pk and day < cut_off)
        active += len(ordered) >= 2 and (cut_off - ordered[-1]).days <= 60
    assert told["customers"] == active > 30
    lapsed = 1 - told["base_rate"]
    assert 0 < lapsed < 1


def test_prints_nulls_and_says_why_where_nothing_can_be_measured(
    cast: Cast, crowd: list[Customer], capsys: pytest.CaptureFixture[str]
) -> None:
    told, _text = printed("--from", "2024-08", "--to", "2024-09")
    assert told == dict.fromkeys(KEYS) | {"cut_offs": 0}
    said = capsys.readouterr().err
    assert "2024-08-01: not measured: short_history" in said
    told, _text = printed("--from", "2026-08", "--to", "2026-09")
    assert told["cut_offs"] == 1
    assert "2026-09-01: not measured: not_closed" in capsys.readouterr().err


@pytest.mark.parametrize("horizon", ["29", "366"])
def test_refuses_a_horizon_that_cannot_be(cast: Cast, horizon: str) -> None:
    with pytest.raises(CommandError, match="30 to 365"):
        printed("--from", "2026-08", "--to", "2026-08", "--horizon", horizon)


def test_refuses_months_that_are_none(cast: Cast) -> None:
    with pytest.raises(CommandError, match="is no month"):
        printed("--from", "2026-13", "--to", "2026-08")
    with pytest.raises(CommandError, match="before the first"):
        printed("--from", "2026-08", "--to", "2026-07")
    with pytest.raises(CommandError, match="no tenant 'none'"):
        call_command("backtest", "--tenant", "none", "--from", "2026-08", "--to", "2026-08")


def test_looks_the_same_days_ahead_for_everybody_when_it_is_told_how_many(cast: Cast, crowd: list[Customer]) -> None:
    plainly, _text = printed("--from", "2026-08", "--to", "2026-08")
    with tenant_scope(cast.tenant):
        policy = active_policy()
        save_policy({**policy.document, "forecast": {"lapse": "own_cycle"}}, pack="callback")
    assert printed("--from", "2026-08", "--to", "2026-08", "--horizon", "90")[0] == plainly
