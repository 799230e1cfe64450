"""It: opens crises, holds their clocks, names teams, grants compensation, reports and closes."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection

from customers.models import Complaint, Contact, Customer, Order
from followups.models import Message, Notice
from risk.incidents import compensation, reading, reports, services, steps, talk, watching
from risk.incidents.services import Refused
from risk.models import Case, Incident, IncidentClock, IncidentEntry, IncidentStep
from tenants.models import Event
from tenants.policies import active_policy, save_policy
from tenants.rules.calendar import Calendar

pytestmark = pytest.mark.usefixtures("scope")

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)  # a Friday; acme is in London, open 9 to 18
HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def clock(time_machine):
    """The clock stands at noon; calling it moves it."""
    time_machine.move_to(NOON, tick=False)
    return lambda at: time_machine.move_to(at, tick=False)


@pytest.fixture
def customer(cast, scope):
    return cast.customer("Golden Sail Gifts")


@pytest.fixture
def opened(cast, customer):
    def make(level="serious", **fields):
        usual = {"customer": customer, "title": "4,800 boxes in the wrong blue", "what": "Call from Chen Yao"}
        return services.open_incident(level=level, member=cast.ann, **(usual | {"kind": "wrong_product"} | fields))

    return make


def deadlines(incident):
    rows = IncidentClock.objects.filter(incident=incident, dropped_at__isnull=True)
    return {row.kind: row.deadline_at for row in rows}


def step(incident, code):
    return IncidentStep.objects.select_related("incident").get(incident=incident, code=code)


def told(kind):
    return sorted(str(row.member) for row in Notice.objects.filter(kind=kind).select_related("member__user"))


def at(day, hour, minute=0, month=11):
    return dt.datetime(2026, month, day, hour, minute, tzinfo=dt.UTC)


# ── opening ─────────────────────────────────────────────────────────────────


def test_opens_with_its_clocks_steps_and_people(cast, opened):
    incident = opened()
    assert incident.name == "CR-1"
    assert deadlines(incident) == {
        "acknowledge": at(20, 12, 30), "team": at(20, 16), "solution": at(23, 15), "solved": at(27, 15),
    }  # fmt: skip
    assert [each.code for each in IncidentStep.objects.filter(incident=incident)] == [
        "acknowledge", "name_team", "stop_batch", "find_cause", "show_sample", "first_solution", "compensation",
        "carry_out", "call_back", "report",
    ]  # fmt: skip
    assert step(incident, "acknowledge").owner == cast.ann
    assert told("incident.opened") == ["Bo", "Lea"]  # Ann has opened it
    assert Event.objects.filter(verb="opened", object_type="incident").count() == 1


def test_numbers_go_up_and_the_form_sent_twice_opens_one(opened, cast, customer):
    first, again = opened(), opened()
    assert (first.pk, Incident.objects.count()) == (again.pk, 1)
    assert opened(title="Another").number == 2
    complaint = Complaint.objects.create(customer=customer, topic="Late", opened_at=NOON)
    one, other = opened(title="A", complaint=complaint), opened(title="B", complaint=complaint)
    assert one.pk == other.pk


def test_refuses_a_closed_customer_in_words(opened, customer):
    Customer.objects.filter(pk=customer.pk).update(closed_on=dt.date(2026, 11, 1))
    with pytest.raises(Refused, match=r"Golden Sail Gifts is closed since 1 Nov"):
        opened()
    assert not Incident.objects.exists()


def test_refuses_a_firm_without_working_days_in_words(cast):
    off = frozenset(dt.date(2026, 1, 1) + dt.timedelta(days=n) for n in range(3_000))
    with pytest.raises(Refused, match="no working day for years"):
        services.next_opening(Calendar(cast.tenant.zone, days_off=off), NOON)


def test_refuses_orders_and_complaints_of_another_customer(cast, opened):
    other = cast.customer("Other")
    order = Order.objects.create(
        customer=other, external_id="SO-1", placed_at=NOON, placed_on=NOON.date(), currency="GBP", net=1, digest=""
    )
    with pytest.raises(ValidationError) as refused:
        opened(order=order)
    assert "another customer" in str(refused.value)


def test_answers_out_of_hours_with_the_real_next_opening(clock, opened, customer):
    """Thursday evening before Easter 2026: Good Friday is a holiday everywhere in Britain, Easter Monday is not."""
    Contact.objects.create(customer=customer, name="Chen Yao", email="chen@golden.example", language="zh", is_main=True)
    clock(dt.datetime(2026, 4, 2, 22, 59, tzinfo=dt.UTC))
    incident = opened()
    entry = IncidentEntry.objects.get(incident=incident, code="off_hours")
    assert entry.is_visible
    assert entry.facts["opens"] == "2026-04-06T09:00:00+01:00"
    message = Message.objects.get()
    assert "4月6日" in message.body
    assert "09:00" in message.body
    assert "Call from Chen Yao" not in message.body + message.subject  # what was told to the team alone
    assert deadlines(incident)["acknowledge"] == dt.datetime(2026, 4, 6, 8, 30, tzinfo=dt.UTC)
    assert not IncidentClock.objects.filter(met_at__isnull=False).exists()  # a machine's answer is no acknowledgement


def test_answers_nobody_within_working_hours(opened, customer):
    Contact.objects.create(customer=customer, name="Chen Yao", email="chen@golden.example")
    opened()
    assert not IncidentEntry.objects.filter(code="off_hours").exists()
    assert not Message.objects.exists()


# ── clocks ──────────────────────────────────────────────────────────────────


def test_a_step_done_stops_its_clock_and_undone_lets_it_run(clock, cast, opened):
    incident = opened()
    clock(NOON + 13 * MINUTE)
    assert steps.done(step=step(incident, "acknowledge"), member=cast.ann) == "updated"
    assert steps.done(step=step(incident, "acknowledge"), member=cast.bo) == "unchanged"
    line = reading.clock_lines(incident, NOON + HOUR)[0]
    assert (line.state, line.time, line.of) == ("met", "13 min", "of 30 min")
    steps.undo(step=step(incident, "acknowledge"), member=cast.ann)
    assert reading.clock_lines(incident, NOON + HOUR)[0].state == "breached"


def test_another_level_reckons_anew_in_the_open(clock, cast, opened):
    incident = opened("general")
    steps.done(step=step(incident, "acknowledge"), member=cast.ann)
    clock(NOON + HOUR)
    with pytest.raises(ValidationError):
        services.change_level(incident=incident, level="major", reason=" ", member=cast.ann)
    services.change_level(incident=incident, level="major", reason="They talk to the press", member=cast.ann)
    assert deadlines(incident) == {
        "acknowledge": at(20, 12, 30), "team": at(20, 14), "solution": at(20, 16), "solved": at(24, 18),
        "visit": at(2, 12, month=12),
    }  # fmt: skip
    assert IncidentClock.objects.get(kind="acknowledge").met_at == NOON
    assert {"name_team", "visit", "compensation"} <= set(IncidentStep.objects.values_list("code", flat=True))
    entry = next(each for each in reading.entry_lines(incident) if each.row.code == "level")
    assert not entry.is_visible
    assert "General → Major" in entry.words
    assert "First solution Mon 23 Nov 15:00 → today 16:00" in entry.words
    services.change_level(incident=incident, level="general", reason="Calm again", member=cast.ann)
    assert set(deadlines(incident)) == {"acknowledge", "solution", "solved"}
    assert step(incident, "visit").status == "left_out"


def test_a_pause_has_a_reason_and_moves_the_deadlines(clock, cast, opened):
    incident = opened()
    with pytest.raises(ValidationError):
        services.pause(incident=incident, reason="", member=cast.ann)
    clock(NOON + HOUR)
    services.pause(incident=incident, reason="Their sample is on its way", member=cast.ann)
    assert services.pause(incident=incident, reason="Again", member=cast.bo) == "unchanged"
    assert deadlines(incident)["solution"] is None
    clock(at(23, 10))  # five hours of Friday's, one of Monday's
    assert watching.watch(cast.tenant) == 1  # the acknowledgement had run out before the pause
    services.resume(incident=incident, member=cast.ann)
    assert deadlines(incident)["team"] == at(23, 13)
    assert deadlines(incident)["solution"] == at(24, 12)


def test_says_once_that_a_clock_has_run_out_to_the_minute(clock, cast, opened):
    incident = opened()
    clock(NOON + 30 * MINUTE - dt.timedelta(seconds=1))
    assert watching.watch(cast.tenant) == 0
    clock(NOON + 30 * MINUTE)
    assert watching.watch(cast.tenant) == 1
    assert watching.watch(cast.tenant) == 0
    assert IncidentClock.objects.get(kind="acknowledge").breached_at == at(20, 12, 30)
    assert told("incident.breached") == ["Ann", "Bo", "Lea"]
    entry = IncidentEntry.objects.get(incident=incident, code="breached")
    assert (entry.at, entry.is_visible) == (at(20, 12, 30), False)


def test_working_hours_that_change_meanwhile_move_the_deadlines_in_the_open(clock, cast, opened):
    incident = opened()
    policy = active_policy()
    changed = policy.document | {"calendar": policy.document["calendar"] | {"days_off": ["2026-11-23"]}}
    save_policy(changed, pack=policy.pack, note="Stocktaking on Monday", based_on=policy.number)
    assert watching.watch(cast.tenant) == 1
    assert deadlines(incident)["solution"] == at(24, 15)
    assert watching.watch(cast.tenant) == 0
    entry = IncidentEntry.objects.get(incident=incident, code="calendar")
    assert ["solution", "2026-11-23T15:00:00+00:00", "2026-11-24T15:00:00+00:00"] in entry.facts["clocks"]


# ── the team ────────────────────────────────────────────────────────────────


def test_names_the_team_once_and_tells_the_second_who_was_first(cast, opened):
    incident = opened()
    seats = {"lead": cast.lea, "contact": cast.ann, "expert": cast.bo}
    assert services.name_team(incident=incident, seats=seats, seen=0, member=cast.lea) == "updated"
    assert IncidentClock.objects.get(kind="team").met_by == cast.lea
    assert step(incident, "name_team").status == "done"
    assert step(incident, "find_cause").owner == cast.bo
    with pytest.raises(Refused, match=r"Lea has named the team meanwhile: Lea \(leads\), Ann"):
        services.name_team(incident=incident, seats=seats | {"lead": cast.eve}, seen=0, member=cast.eve)
    assert services.name_team(incident=incident, seats=seats, seen=0, member=cast.eve) == "unchanged"
    services.name_team(incident=incident, seats=seats | {"lead": cast.eve}, seen=1, member=cast.eve)
    assert step(incident, "first_solution").owner == cast.eve
    assert told("incident.seat") == ["Ann", "Bo"]  # Lea and Eve have named themselves


def test_a_team_needs_who_leads_and_who_speaks_and_nobody_who_cannot(cast, opened):
    with pytest.raises(ValidationError) as refused:
        services.name_team(incident=opened(), seats={"expert": cast.ian}, seen=0, member=cast.lea)
    assert set(refused.value.message_dict) == {"lead", "contact"}


def test_whoever_is_in_the_team_sees_the_crisis_of_a_customer_that_is_not_theirs(cast, opened, customer):
    Customer.objects.filter(pk=customer.pk).update(owner_b=None)
    incident = opened()
    assert not Incident.objects.visible_to(cast.bo).exists()
    services.name_team(incident=incident, seats={"lead": cast.lea, "contact": cast.bo}, seen=0, member=cast.lea)
    assert list(Incident.objects.visible_to(cast.bo)) == [incident]
    assert not Customer.objects.visible_to(cast.bo).exists()
    for role in (cast.eve, cast.ada, cast.ian, cast.lea):
        assert list(Incident.objects.visible_to(role)) == [incident]


# ── steps and lines ─────────────────────────────────────────────────────────


def test_steps_are_moved_handed_over_added_and_left_out(clock, cast, opened):
    incident = opened()
    sample = step(incident, "show_sample")
    steps.change(step=sample, member=cast.ann, due_at=at(20, 16), owner=cast.bo)
    assert told("incident.step") == ["Bo"]
    with pytest.raises(ValidationError) as refused:
        steps.change(step=sample, member=cast.ann, due_at=NOON - HOUR, owner=cast.bo)
    assert "before the crisis" in str(refused.value)
    services.change_level(incident=incident, level="major", reason="Worse", member=cast.ann)
    assert step(incident, "show_sample").due_at == at(20, 16)  # somebody has chosen that
    own = steps.add(incident=incident, title="Deliver to Hangzhou", member=cast.ann, owner=cast.ann)
    titles = [line.title for line in reading.step_lines(incident, NOON)]
    assert titles.index("Deliver to Hangzhou") < titles.index("Call back, confirm it is solved")
    steps.leave_out(step=own, member=cast.ann)
    with pytest.raises(Refused, match="A clock runs"):
        steps.leave_out(step=step(incident, "first_solution"), member=cast.ann)


def test_a_line_sent_twice_is_one_and_cannot_be_changed(cast, opened):
    incident = opened()
    first, _outcome = talk.write_update(incident=incident, text="Found it", member=cast.ann, key="k1")
    again, outcome = talk.write_update(incident=incident, text="Found it", member=cast.ann, key="k1")
    assert (first.pk, outcome) == (again.pk, "unchanged")
    with pytest.raises(ValidationError):
        talk.write_update(incident=incident, text="  ", member=cast.ann)
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege(current_user, 'risk_incidententry', 'UPDATE')")
        assert cursor.fetchone() == (False,)


# ── compensation ────────────────────────────────────────────────────────────


def test_compensation_is_approved_by_whoever_may(cast, opened):
    incident = opened(value=Decimal(10_000))
    asked = compensation.ask(incident=incident, kind="discount", amount=Decimal(800), member=cast.ann)
    assert (asked.status, asked.needs) == ("asked", "team_lead")
    assert told("incident.approval") == ["Lea"]
    with pytest.raises(Refused, match="waits for approval"):
        compensation.ask(incident=incident, kind="credit", amount=Decimal(1), member=cast.ann)
    with pytest.raises(PermissionDenied):
        compensation.decide(compensation=asked, approve=True, member=cast.bo)
    with pytest.raises(ValidationError):
        compensation.decide(compensation=asked, approve=False, member=cast.lea)
    assert compensation.decide(compensation=asked, approve=True, member=cast.lea) == "updated"
    assert compensation.decide(compensation=asked, approve=True, member=cast.eve) == "unchanged"
    assert told("incident.decided") == ["Ann"]
    # A second one of the same size makes it more than the lead's share.
    more = compensation.ask(incident=incident, kind="credit", amount=Decimal(1), member=cast.lea)
    assert (more.status, more.needs) == ("asked", "executive")
    compensation.withdraw(compensation=more, member=cast.lea)
    granted = compensation.ask(incident=incident, kind="credit", amount=Decimal(1), member=cast.eve)
    assert granted.status == "approved"


# ── the report and the end ──────────────────────────────────────────────────


def ready(cast, incident):
    """All that a saved customer needs."""
    steps.done(step=step(incident, "call_back"), member=cast.ann)
    language = reports.language_for(incident)
    parts = {"why": "Old job file.", "avoided": "Locked from Monday.", "offer": "New boxes."}
    reports.save(incident=incident, language=language, parts=parts, seen=0, member=cast.ann)
    reports.confirm_cause(incident=incident, language=language, member=cast.bo)


def test_closes_only_when_all_is_there_and_leaves_a_case(cast, opened, customer):
    contact = Contact.objects.create(customer=customer, name="Chen Yao", email="chen@golden.example", is_main=True)
    incident = opened()
    end = {"incident": incident, "outcome": "saved", "cause": "quality", "member": cast.ann}
    with pytest.raises(Refused, match="Not yet: Solved, called back, improvement report: all three parts are written"):
        services.close(**end)
    asked = compensation.ask(incident=incident, kind="discount", amount=Decimal(9), member=cast.ann)
    ready(cast, incident)
    with pytest.raises(Refused, match="waits for approval"):
        services.close(**end)
    compensation.decide(compensation=asked, approve=True, member=cast.lea)
    talk.make_link(incident=incident, contact=contact, member=cast.ann)
    assert services.close(**end, tried=["rework"], note="Check the job file") == "updated"
    assert services.close(**end) == "unchanged"
    incident.refresh_from_db()
    case = Case.objects.get(incident=incident)
    assert (case.outcome, case.cause, case.tried) == ("saved", "quality", ["rework"])
    assert reports.report_of(incident, "en").sent_at == NOON
    assert "Improvement report" in Message.objects.get().subject
    visible = [line.row.code for line in reading.entry_lines(incident, for_customer=True)]
    assert sorted(visible) == ["report", "solved"]
    with pytest.raises(Refused, match="CR-1 is closed"):
        services.pause(incident=incident, reason="x", member=cast.ann)


def test_a_lost_or_false_one_needs_no_report_but_a_cause(cast, opened):
    incident = opened()
    with pytest.raises(ValidationError) as refused:
        services.close(incident=incident, outcome="lost", cause="", member=cast.ann)
    assert set(refused.value.message_dict) == {"cause"}
    services.close(incident=incident, outcome="lost", cause="price", member=cast.ann)
    assert Case.objects.get().outcome == "lost"
    assert not IncidentStep.objects.filter(status="open").exists()


def test_opened_again_its_clocks_go_on_and_the_case_goes(clock, cast, opened):
    incident = opened()
    services.close(incident=incident, outcome="lost", cause="price", member=cast.ann)
    clock(at(23, 12))
    services.reopen(incident=incident, reason="They called", member=cast.ann)
    assert not Case.objects.exists()
    assert deadlines(incident)["team"] == at(23, 16)  # nothing of the four hours was used while it was closed


def test_two_who_write_the_report_do_not_overwrite_each_other(cast, opened):
    incident = opened()
    parts = {"why": "A", "avoided": "B", "offer": "C"}
    reports.save(incident=incident, language="en", parts=parts, seen=0, member=cast.ann)
    with pytest.raises(Refused, match="Ann has saved the report meanwhile"):
        reports.save(incident=incident, language="en", parts=parts | {"why": "Z"}, seen=0, member=cast.bo)
    reports.confirm_cause(incident=incident, language="en", member=cast.bo)
    report, _outcome = reports.save(
        incident=incident, language="en", parts=parts | {"why": "Z"}, seen=1, member=cast.bo
    )
    assert report.cause_confirmed_at is None  # another cause is another confirmation


def test_drafts_from_the_log_and_finds_an_internal_note_that_got_in(cast, opened):
    incident = opened()
    talk.write_update(incident=incident, text="The old job file was used.", member=cast.ann, about="cause")
    talk.write_update(incident=incident, text="Their boss is hard to please, be careful.", member=cast.ann)
    assert reports.report_of(incident, "en").why == "The old job file was used."
    parts = {"why": "Their boss is hard to please, be careful.", "avoided": "B", "offer": "C"}
    report, _outcome = reports.save(incident=incident, language="en", parts=parts, seen=0, member=cast.ann)
    assert reports.checks_of(report)["no_internal"] is False


# ── drills ──────────────────────────────────────────────────────────────────


def test_a_drill_is_a_marked_copy_that_no_customer_hears_of(clock, cast, opened, customer):
    contact = Contact.objects.create(customer=customer, name="Chen Yao", email="chen@golden.example", is_main=True)
    incident = opened()
    clock(at(20, 22))
    drill = services.start_drill(incident=incident, member=cast.lea)
    assert (drill.is_drill, drill.drill_of, drill.title, drill.number) == (True, incident, incident.title, 2)
    assert IncidentEntry.objects.filter(incident=drill, code="off_hours").exists()
    with pytest.raises(Refused, match="drill"):
        talk.make_link(incident=drill, contact=contact, member=cast.lea)
    ready(cast, drill)
    services.close(incident=drill, outcome="saved", cause="quality", member=cast.lea)
    assert not Message.objects.exists()
    assert not Case.objects.exists()
    assert reading.open_to(cast.lea).count() == 1
