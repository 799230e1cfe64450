"""It: alerts, from the signal that opens one to what came of it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import polars as pl
import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from followups.models import FollowUp, Notice
from followups.services import Refused
from risk.alerts import services
from risk.alerts.people import waiting_for
from risk.models import Alert, AlertEscalation, AlertRepeat, Case
from tenants.context import tenant_scope
from tenants.events import acting
from tenants.models import Event, Member
from tests.conftest import Cast

LONDON = "Europe/London"
MONDAY = dt.datetime(2026, 11, 16, 11, 0, tzinfo=dt.UTC)


def fired(*rows: dict[str, Any]) -> pl.DataFrame:
    usual = {
        "signal": "order_silence", "risk_class": "demand", "level": "mild", "role": "account_manager",
        "answer_hours": 24, "period": "2026-09-01", "facts": json.dumps({"days": 60}),
    }  # fmt: skip
    return pl.DataFrame([usual | row for row in rows], schema=dict(services.FIRED))


def fire(*rows: dict[str, Any], now: dt.datetime = MONDAY, as_of: dt.date | None = None) -> services.OpenedCounts:
    return services.open_or_repeat(fired(*rows), as_of=as_of or now.date(), now=now, policy_version=1)


@pytest.fixture
def firm(cast: Cast) -> Any:
    with tenant_scope(cast.tenant):
        yield cast


def verbs(alert: Alert) -> list[str]:
    return list(
        Event.objects.filter(object_type="alert", object_id=alert.pk).order_by("pk").values_list("verb", flat=True)
    )


# ── firing ──────────────────────────────────────────────────────────────────


def test_it_opens_one_alert_and_adds_what_fires_again_once_a_period(firm: Cast) -> None:
    customer = firm.customer()
    row = {"customer_id": customer.pk}
    assert fire(row) == services.OpenedCounts(opened=1, customers=(customer.pk,))
    assert fire(row) == services.OpenedCounts()
    alert = Alert.objects.get()
    # 24 hours are a working day: Monday at 11 is answered by Tuesday at 11.
    assert (alert.due_at, alert.escalates_at) == (MONDAY + dt.timedelta(days=1),) * 2
    assert (alert.opened_on, alert.repeats, alert.last_fired_on) == (MONDAY.date(), 0, None)

    later = MONDAY + dt.timedelta(days=3)
    again = row | {"period": "2026-10-01", "facts": json.dumps({"days": 70})}
    assert fire(again, now=later).repeated == 1
    assert fire(again, now=later) == services.OpenedCounts()
    alert.refresh_from_db()
    assert (alert.repeats, alert.last_fired_on, alert.facts) == (1, later.date(), {"days": 70})
    assert alert.period == "2026-09-01"
    assert AlertRepeat.objects.get().period == "2026-10-01"
    assert verbs(alert) == ["opened", "fired_again"]
    # A closed alert does not open again for a period that it has had, also not for one that was added to it.
    services.close(alert=alert, outcome="false_alarm", member=firm.ann)
    assert fire(row) == fire(again) == services.OpenedCounts()
    assert fire(row | {"period": "2026-11-01"}).opened == 1


def test_it_counts_what_waits_for_somebody_assigned_or_not_each_once(firm: Cast) -> None:
    own, covered = firm.customer("Own"), firm.customer("Bo's", owner_a=firm.bo)
    of_nobody = firm.customer("Nobody's", owner_a=None, owner_b=None)
    fire(*({"customer_id": customer.pk} for customer in (own, covered, of_nobody)))

    def waiting(member: Member) -> list[str]:
        return sorted(Alert.objects.get(pk=row["pk"]).customer.name for row in waiting_for(member).values("pk"))

    assert (waiting(firm.ann), waiting(firm.bo)) == (["Own"], ["Bo's"])
    Alert.objects.filter(customer=covered).update(assignee=firm.lea)
    assert (waiting(firm.lea), waiting(firm.bo), waiting(firm.eve)) == (["Bo's"], [], [])
    fire({"customer_id": own.pk, "signal": "leaving", "level": "severe", "role": "lead", "period": "x"})
    assert (waiting(firm.lea), waiting(firm.ann)) == (["Bo's", "Own"], ["Own"])
    until = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    Alert.objects.filter(customer=covered).update(
        snoozed_until=until, snooze_reason="On holiday", due_at=until + dt.timedelta(days=1)
    )
    assert waiting(firm.lea) == ["Own"]


def test_it_lets_a_level_rise_and_never_fall_and_shows_again_what_was_put_off(firm: Cast) -> None:
    customer = firm.customer()
    row = {"customer_id": customer.pk}
    fire(row | {"answer_hours": 48})
    alert = Alert.objects.get()
    until = dt.datetime.now(dt.UTC) + dt.timedelta(days=5)
    services.snooze(alert=alert, until=until, reason="On holiday", member=firm.ann)
    severe = row | {"level": "severe", "role": "lead", "answer_hours": 2}
    assert fire(severe).raised == 1
    alert.refresh_from_db()
    assert (alert.level, alert.role, alert.snoozed_until, alert.snooze_reason) == ("severe", "lead", None, "")
    assert alert.due_at == MONDAY + dt.timedelta(hours=2)
    assert alert.repeats == 0
    assert fire(severe) == fire(row) == services.OpenedCounts()
    alert.refresh_from_db()
    assert alert.level == "severe"
    # The lead is told at once, by name; the account manager had the day's word.
    assert [each.kind for each in Notice.objects.filter(member=firm.lea)] == ["alert_severe"]
    assert [each.kind for each in Notice.objects.filter(member=firm.ann)] == ["alerts_new"]


def test_it_opens_nothing_for_a_closed_customer_and_refuses_a_customer_twice(firm: Cast) -> None:
    closed = firm.customer(closed_on=MONDAY.date())
    assert fire({"customer_id": closed.pk}) == services.OpenedCounts()
    with pytest.raises(ValueError, match="twice"):
        fire({"customer_id": closed.pk}, {"customer_id": closed.pk})


def test_it_closes_what_no_longer_fires(firm: Cast) -> None:
    fire({"customer_id": firm.customer().pk})
    alert = Alert.objects.get()
    for expected in (1, 0):
        done = services.pass_over(ids=[alert.pk], outcome="passed", as_of=MONDAY.date(), now=MONDAY)
        assert done == expected
    alert.refresh_from_db()
    assert (alert.outcome, alert.closed_on, alert.closed_by, alert.escalates_at) == (
        "passed", MONDAY.date(), None, None,
    )  # fmt: skip
    assert verbs(alert) == ["opened", "passed"]


# ── up the line ─────────────────────────────────────────────────────────────


def test_it_goes_up_the_line_on_the_minute_once_a_step_and_tells_the_right_people(firm: Cast) -> None:
    fire({"customer_id": firm.customer().pk})
    tuesday = MONDAY + dt.timedelta(days=1)
    assert services.escalate_due(tuesday - dt.timedelta(minutes=1)) == 0
    assert services.escalate_due(tuesday) == 1
    assert services.escalate_due(tuesday) == 0
    alert = Alert.objects.get()
    assert (alert.role, alert.escalations, alert.escalated_at) == ("lead", 1, tuesday)
    # The lead has eight hours of business time: seven are left of Tuesday, the eighth is Wednesday's first.
    wednesday = dt.datetime(2026, 11, 18, 10, 0, tzinfo=dt.UTC)
    assert alert.escalates_at == wednesday
    assert services.escalate_due(wednesday) == 1
    alert.refresh_from_db()
    assert (alert.role, alert.escalations, alert.escalates_at) == ("executive", 2, None)
    assert services.escalate_due(wednesday + dt.timedelta(days=30)) == 0
    steps = AlertEscalation.objects.values_list("step", "role", "due_at", "at")
    assert list(steps) == [(1, "lead", tuesday, tuesday), (2, "executive", wednesday, wednesday)]
    told = Notice.objects.filter(kind="alert_escalated").order_by("pk").values_list("member__user__name", flat=True)
    assert list(told) == ["Lea", "Eve"]
    assert verbs(alert) == ["opened", "escalated", "escalated"]


def test_it_takes_a_contact_since_it_opened_for_the_first_action(firm: Cast) -> None:
    customer = firm.customer()
    fire({"customer_id": customer.pk})
    at = MONDAY + dt.timedelta(hours=2)
    with acting(firm.bo):
        customer.interactions.create(member=firm.bo, at=at, channel="phone", kind="light_touch")
    assert services.escalate_due(MONDAY + dt.timedelta(days=1)) >= 0
    alert = Alert.objects.get()
    assert (alert.first_action_at, alert.first_action_by, alert.escalations) == (at, firm.bo, 0)
    assert alert.escalates_at is None
    assert verbs(alert) == ["opened", "answered"]


def test_it_leaves_who_is_away_out_and_asks_the_next_when_nobody_has_the_role(firm: Cast) -> None:
    from followups.models import Absence
    from risk.alerts.people import People

    today = firm.tenant.today()
    args = {"owner_a": firm.ann.pk, "owner_b": firm.bo.pk}
    assert People().whose(role="account_manager", **args) == [firm.ann]
    Absence.objects.create(member=firm.ann, first=today, last=today)
    assert People().whose(role="account_manager", **args) == [firm.bo]
    assert People().whose(role="lead", **args) == [firm.lea]
    firm.lea.is_active = False
    firm.lea.save()
    assert People().whose(role="lead", **args) == [firm.eve]
    firm.eve.is_active = False
    firm.eve.save()
    assert People().whose(role="account_manager", owner_a=None, owner_b=None) == [firm.ada]


# ── what people do ──────────────────────────────────────────────────────────


def opened(firm: Cast, **row: Any) -> Alert:
    """An alert that opened now, so that its clock has not run out."""
    now = dt.datetime.now(dt.UTC)
    customer = firm.customer()
    fire({"customer_id": customer.pk} | row, now=now)
    return Alert.objects.get(customer=customer)


def test_it_stops_the_clock_when_somebody_acts_and_undoes_it(firm: Cast) -> None:
    alert = opened(firm)
    clock = alert.escalates_at
    change = services.act(alert=alert, member=firm.ann)
    assert services.act(alert=alert, member=firm.bo).events == []
    alert.refresh_from_db()
    assert (alert.first_action_by, alert.escalates_at) == (firm.ann, None)
    with pytest.raises(Refused, match="Only who did it"):
        services.undo(events=change.events, member=firm.bo)
    services.undo(events=change.events, member=firm.ann)
    alert.refresh_from_db()
    assert (alert.first_action_at, alert.first_action_by, alert.escalates_at) == (None, None, clock)
    assert services.undo(events=change.events, member=firm.ann).events == []


def test_it_puts_off_with_a_reason_but_no_severe_one_beyond_its_clock(firm: Cast) -> None:
    mild, severe = opened(firm), opened(firm, level="severe", signal="unanswered")
    far = mild.due_at + dt.timedelta(days=3)
    for until, reason, words in (
        (mild.opened_at, "Holiday", "time to come"),
        (far + dt.timedelta(days=400), "Holiday", "At most"),
        (far, "  ", "Say why"),
    ):
        with pytest.raises(Refused, match=words):
            services.snooze(alert=mild, until=until, reason=reason, member=firm.ann)
    services.snooze(alert=mild, until=far, reason="Holiday", member=firm.ann)
    mild.refresh_from_db()
    assert (mild.snoozed_until, mild.escalates_at) == (far, far)
    with pytest.raises(Refused, match="beyond its clock"):
        services.snooze(alert=severe, until=severe.due_at + dt.timedelta(minutes=1), reason="Holiday", member=firm.ann)
    services.snooze(alert=severe, until=severe.due_at, reason="Called, calls back", member=firm.ann)
    severe.refresh_from_db()
    assert severe.escalates_at == severe.due_at
    # The database itself lets nobody hide it longer.
    with pytest.raises(IntegrityError, match="alert_severe_stays_seen"), transaction.atomic():
        Alert.objects.filter(pk=severe.pk).update(snoozed_until=severe.due_at + dt.timedelta(days=1))


def test_it_closes_with_outcome_and_cause_keeps_a_case_and_takes_all_of_it_back(firm: Cast) -> None:
    alert = opened(firm)
    task = FollowUp.objects.create(
        customer=alert.customer, assignee=firm.ann, kind="light_touch", rule="signal:order_silence", period="p",
        level="mild", due_on=firm.tenant.today(), policy_version=1,
    )  # fmt: skip
    for said, field in (({"outcome": "passed"}, "outcome"), ({"outcome": "lost"}, "cause"), (
        {"outcome": "lost", "cause": "weather"}, "cause"), ({"outcome": "saved", "cause": "price", "tried": "luck"}, "tried"),
    ):  # fmt: skip
        with pytest.raises(ValidationError) as wrong:
            services.close(alert=alert, member=firm.ann, **said)
        assert set(wrong.value.error_dict) == {field}
    said = {"outcome": "saved", "cause": "price", "tried": ["discount", "joint_visit"], "note": "5 % for a year"}
    change = services.close(alert=alert, member=firm.ann, **said)
    assert services.close(alert=alert, member=firm.ann, **said).events == []
    with pytest.raises(services.AlreadyClosed, match="Ann closed"):
        services.close(alert=alert, member=firm.bo, outcome="lost", cause="price")
    alert.refresh_from_db()
    task.refresh_from_db()
    assert (alert.outcome, alert.cause, alert.tried, alert.closed_by) == (
        "saved",
        "price",
        ["discount", "joint_visit"],
        firm.ann,
    )
    assert task.status == "cancelled"
    assert Case.objects.get().outcome == "saved"

    services.undo(events=change.events, member=firm.ann)
    alert.refresh_from_db()
    task.refresh_from_db()
    assert (alert.closed_on, alert.outcome, alert.first_action_at, task.status) == (None, "", None, "open")
    assert not Case.objects.exists()


def test_it_reopens_a_closed_alert_unless_another_is_open(firm: Cast) -> None:
    alert = opened(firm)
    services.close(alert=alert, outcome="lost", cause="price", member=firm.ann)
    services.reopen(alert=alert, member=firm.ann)
    alert.refresh_from_db()
    assert (alert.is_open, alert.outcome, alert.cause) == (True, "", "")
    services.close(alert=alert, outcome="lost", cause="price", member=firm.ann)
    fire({"customer_id": alert.customer_id, "period": "2026-11-11"})
    with pytest.raises(Refused, match="another open alert"):
        services.reopen(alert=alert, member=firm.ann)


def test_it_gives_an_alert_only_to_who_sees_the_customer_and_tells_them(firm: Cast) -> None:
    alert = opened(firm)
    with pytest.raises(Refused, match="your lead can give it"):
        services.assign(alert=alert, assignee=firm.lea, member=firm.ann)
    services.assign(alert=alert, assignee=firm.bo, member=firm.ann)
    services.assign(alert=alert, assignee=firm.lea, member=firm.lea)
    alert.refresh_from_db()
    assert alert.assignee == firm.lea
    assert Notice.objects.get(kind="alert_assigned").member == firm.bo
    firm.bo.is_active = False
    with pytest.raises(Refused, match="does not work on alerts"):
        services.assign(alert=alert, assignee=firm.bo, member=firm.lea)


def test_it_does_a_verb_with_many_and_says_which_stay(firm: Cast) -> None:
    mild, severe = opened(firm), opened(firm, level="severe", signal="unanswered")
    until = severe.due_at + dt.timedelta(hours=1)
    change = services.snooze_many(ids=[mild.pk, severe.pk], until=until, reason="Fair", member=firm.ann)
    assert ([row.pk for row in change.alerts], [row.pk for row, _why in change.stays]) == ([mild.pk], [severe.pk])
    # Whoever does not see the customers finds nothing to change.
    with tenant_scope(firm.tenant), pytest.raises(Refused):
        services.act_many(ids=[mild.pk], member=firm.otto)
