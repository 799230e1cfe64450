"""It: begins once, asks each person in their time, goes where the outcome leads, lets one speak, and can be taken back."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from config.night import run_night
from customers.models import Contact, Interaction, Order
from followups import services as work
from followups.journeys import services as journeys
from followups.journeys import walking as journey_walking
from followups.models import DutyHolder, Enrolment, FollowUp, Message, Notice
from followups.reasons import phrase
from followups.services import Refused
from risk.alerts import services as alert_services
from risk.models import Alert, Playbook, PlaybookRun, PlaybookStep
from risk.playbooks import services as playbooks
from risk.playbooks import walking
from risk.rules.playbooks import Definition, is_held_out
from tenants.models import Event

NOON = dt.datetime(2026, 11, 18, 12, tzinfo=dt.UTC)  # a Wednesday
TODAY = NOON.date()
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
_numbers = itertools.count(1)

pytestmark = pytest.mark.usefixtures("scope")


@pytest.fixture
def clock(time_machine):
    """Moves the clock; it stands still in between."""
    time_machine.move_to(NOON, tick=False)
    return lambda moment: time_machine.move_to(moment, tick=False)


@pytest.fixture
def shipped(cast, clock, scope):
    """The playbooks that ship, by code, counting alerts of the last month."""
    playbooks.ensure_playbooks(NOON - 30 * DAY)
    return {row.code: row for row in Playbook.objects.all()}


@pytest.fixture
def customer(cast):
    return cast.customer()


def alert(customer, signal="order_silence", level="mild", **fields):
    usual = {
        "risk_class": "demand", "period": f"row-{next(_numbers)}", "opened_on": TODAY, "opened_at": NOON - HOUR,
        "due_at": NOON + DAY, "policy_version": 1,
    }  # fmt: skip
    return Alert.objects.create(customer=customer, signal=signal, level=level, **(usual | fields))


def own(cast, *steps, code="own", **said):
    """A playbook of the firm's own, switched on."""
    made, _outcome = playbooks.save_playbook(
        member=cast.lea, code=code, name=code.title(), definition={"steps": list(steps), **said}
    )
    playbooks.switch(playbook=made, member=cast.lea, on=True)
    return made


def asked(run):
    """Step → its follow-up, of the run."""
    return {step.code: step.follow_up for step in run.steps.select_related("follow_up") if step.follow_up}


def states(run):
    return {step.code: (step.status, step.outcome) for step in run.steps.order_by("pk")}


def fresh(run):
    return PlaybookRun.objects.get(pk=run.pk)


def log(follow_up, member, **said):
    return work.log_contact(follow_up=follow_up, member=member, channel="phone", **({"answered": True} | said))


# ── beginning ───────────────────────────────────────────────────────────────


def test_begins_by_hand_with_the_first_step_and_does_so_once(cast, shipped, customer):
    run = playbooks.start(playbook=shipped["silent"], customer=customer, member=cast.ann)
    assert playbooks.start(playbook=shipped["silent"], customer=customer, member=cast.bo) == run
    assert PlaybookRun.objects.count() == 1
    assert (run.status, run.stage, run.member) == ("active", "call", cast.ann)
    (step,) = asked(run).values()
    assert (step.assignee, step.rule, step.channel, step.level) == (cast.ann, "playbook:silent:call", "phone", "mild")
    # Two working days of nine hours: noon of Wednesday to noon of Friday.
    assert step.due_at == NOON + 2 * DAY
    assert step.facts["script"] == "dormant"
    assert phrase(step, TODAY) == "Two months silent: Call"
    assert Event.objects.filter(object_type="playbookrun", verb="started").count() == 1


def test_takes_the_alert_it_is_for_counts_as_its_answer_and_takes_the_place_of_its_follow_up(cast, shipped, customer):
    other, fitting = alert(customer, "spec_drift"), alert(customer)
    own_answer = FollowUp.objects.create(
        customer=customer, assignee=cast.ann, kind="light_touch", rule="signal:order_silence", period=fitting.period,
        due_on=TODAY, level="mild",
    )  # fmt: skip
    run = playbooks.start(playbook=shipped["silent"], customer=customer, member=cast.ann)
    assert run.alert == fitting
    fitting.refresh_from_db()
    other.refresh_from_db()
    assert (fitting.first_action_by, other.first_action_by) == (cast.ann, None)
    own_answer.refresh_from_db()
    assert own_answer.status == "cancelled"
    # The alert repeats, and the night asks again: the playbook is already at it.
    repeat = FollowUp.objects.create(
        customer=customer, assignee=cast.ann, kind="light_touch", rule="signal:order_silence", period="again",
        due_on=TODAY, level="mild",
    )  # fmt: skip
    assert playbooks.advance_due(NOON + HOUR) == 1
    repeat.refresh_from_db()
    assert repeat.status == "cancelled"
    playbooks.stop(run=run, member=cast.ann)
    own_answer.refresh_from_db()
    assert own_answer.status == "open"
    assert asked(run)["call"].status == "cancelled"


def test_refuses_what_is_switched_off_and_a_closed_customer_and_who_may_only_read(cast, shipped, customer):
    playbooks.switch(playbook=shipped["silent"], member=cast.lea, on=False)
    with pytest.raises(Refused, match="switched off"):
        playbooks.start(playbook=shipped["silent"], customer=customer, member=cast.ann)
    gone = cast.customer("Gone", closed_on=TODAY)
    with pytest.raises(Refused, match="Gone is closed"):
        playbooks.start(playbook=shipped["win-back"], customer=gone, member=cast.ann)
    with pytest.raises(PermissionDenied):
        playbooks.start(playbook=shipped["win-back"], customer=customer, member=cast.eve)
    with pytest.raises(Refused, match="another customer"):
        playbooks.start(
            playbook=shipped["win-back"], customer=customer, member=cast.ann, alert=alert(cast.customer("Other"))
        )
    assert not PlaybookRun.objects.exists()


def test_begins_for_many_whom_the_member_sees_and_says_who_stays(cast, shipped, customer):
    gone, lost = cast.customer("Gone", closed_on=TODAY), cast.customer("Not Ann's", owner_a=None, owner_b=None)
    second = cast.customer("Second")
    playbooks.start(playbook=shipped["win-back"], customer=second, member=cast.ann)
    ids = [customer.pk, gone.pk, lost.pk, second.pk]
    done = playbooks.start_many(playbook=shipped["win-back"], customers=ids, member=cast.ann)
    assert [run.customer for run in done.runs] == [customer]
    assert [run.customer for run in done.there] == [second]
    assert done.stays == [(gone, "Gone is closed.")]
    with pytest.raises(Refused, match="Nothing"):
        playbooks.start_many(playbook=shipped["win-back"], customers=[], member=cast.ann)


# ── steps ───────────────────────────────────────────────────────────────────


def test_goes_on_to_where_the_answer_leads_and_asks_for_the_end(cast, clock, shipped, customer):
    run = playbooks.start(playbook=shipped["silent"], customer=customer, member=cast.ann)
    log(asked(run)["call"], cast.ann, answered=False)
    clock(NOON + HOUR)
    assert playbooks.advance_due(NOON + HOUR) == 1
    assert states(run) == {"call": ("done", "not_reached"), "chat": ("raised", "")}
    assert asked(run)["chat"].channel == "wechat"
    log(asked(run)["chat"], cast.ann)
    clock(NOON + 2 * HOUR)
    playbooks.advance_due(NOON + 2 * HOUR)
    # Reached: on to the last step, which is not before five working days.
    assert states(run)["next-order"] == ("ahead", "")
    assert "again" not in states(run)
    later = NOON + 8 * DAY
    clock(later)
    playbooks.advance_due(later)
    log(asked(run)["next-order"], cast.ann)
    clock(later + HOUR)
    playbooks.advance_due(later + HOUR)
    assert states(run)["next-order"] == ("asks", "reached")
    change = playbooks.say(run=run, code="next-order", outcome="saved", member=cast.ann)
    assert (change.run.status, change.run.outcome, change.run.why) == ("finished", "saved", "")
    assert playbooks.advance_due(later + 2 * HOUR) == 0


def test_goes_on_without_an_answer_when_nobody_gives_one(cast, clock, customer):
    run = playbooks.start(
        playbook=own(cast, {"code": "check", "asks": True}), customer=customer, member=cast.ann
    )  # fmt: skip
    log(asked(run)["check"], cast.ann)
    clock(NOON + HOUR)
    playbooks.advance_due(NOON + HOUR)
    assert fresh(run).next_at <= NOON + 14 * DAY
    clock(NOON + 15 * DAY)
    playbooks.advance_due(NOON + 15 * DAY)
    step = run.steps.get()
    assert (step.status, step.outcome, step.why) == ("done", "reached", "silent")
    assert (fresh(run).status, fresh(run).outcome) == ("finished", "")


def test_asks_several_at_once_and_waits_for_all_of_them(cast, shipped, customer):
    DutyHolder.objects.create(duty="after_sales", member=cast.bo)
    run = playbooks.start(playbook=shipped["diagnosis"], customer=customer, member=cast.ann)
    first = asked(run)
    assert {code: row.assignee for code, row in first.items()} == {
        "facts": cast.ann, "quality": cast.bo, "technical": cast.ann,
    }  # fmt: skip
    assert first["technical"].facts["duty"] == "product"  # nobody is named: the A owner does it for them
    work.complete(follow_up=first["facts"], member=cast.ann)
    work.complete(follow_up=first["quality"], member=cast.bo)
    playbooks.advance_due(NOON + HOUR)
    assert set(states(run)) == {"facts", "quality", "technical"}
    assert not Interaction.objects.exists()  # done inside the firm: no contact
    playbooks.say(run=run, code="technical", outcome="done", member=cast.ann)
    assert states(run)["date"] == ("raised", "")


def test_gives_each_step_to_its_role_up_the_line_as_far_as_somebody_is_there(cast, shipped, customer):
    run = playbooks.start(playbook=shipped["retention-team"], customer=customer, member=cast.ann)
    (team,) = asked(run).values()
    assert (team.assignee, team.level) == (cast.lea, "severe")
    assert team.due_at == NOON + 4 * HOUR
    work.complete(follow_up=team, member=cast.lea)
    playbooks.advance_due(NOON)
    hear = asked(run)["hear"]
    assert (hear.assignee, hear.facts["duty"]) == (cast.lea, "executive")


def test_sends_a_message_by_itself_and_a_person_does_what_it_cannot(cast, clock, shipped, customer):
    run = playbooks.start(playbook=shipped["three-plus-one"], customer=customer, member=cast.ann)
    Contact.objects.create(customer=customer, name="Li", email="li@example.com", is_main=True, consent="given")
    for code in ("phone", "wechat"):
        playbooks.skip(run=run, code=code, member=cast.ann)
    assert states(run)["mail"] == ("ahead", "")
    later = NOON + 7 * DAY
    clock(later)
    playbooks.advance_due(later)
    message = Message.objects.get()
    assert (message.origin, message.purpose, message.channel) == ("playbook:three-plus-one:mail", "journey", "email")
    assert states(run)["mail"] == ("done", "sent")
    nobody = cast.customer("Nobody to write to")
    other = playbooks.start(playbook=shipped["three-plus-one"], customer=nobody, member=cast.ann)
    for code in ("phone", "wechat"):
        playbooks.skip(run=other, code=code, member=cast.ann)
    clock(later + 7 * DAY)
    playbooks.advance_due(later + 7 * DAY)
    step = other.steps.get(code="mail")
    assert (step.status, step.why, step.follow_up.channel) == ("raised", "no_contact", "email")


def test_ends_well_when_the_customer_orders_or_answers(cast, clock, shipped, customer):
    run = playbooks.start(playbook=shipped["three-plus-one"], customer=customer, member=cast.ann)
    other = cast.customer("Other")
    silent = playbooks.start(playbook=shipped["silent"], customer=other, member=cast.ann)
    clock(NOON + HOUR)
    Interaction.objects.create(customer=customer, at=NOON + HOUR / 2, channel="wechat", direction="inbound")
    Order.objects.create(
        customer=other, external_id="1", placed_at=NOON + HOUR / 2, placed_on=TODAY, currency="GBP", net=Decimal(9),
        digest="",
    )  # fmt: skip
    walking.walk([customer.pk, other.pk], NOON + HOUR)
    assert (fresh(run).status, fresh(run).outcome, fresh(run).why) == ("finished", "saved", "answer")
    assert (fresh(silent).status, fresh(silent).outcome, fresh(silent).why) == ("finished", "saved", "order")
    assert not FollowUp.objects.filter(status="open").exists()


@pytest.mark.parametrize(
    ("outcome", "ends"),
    [
        ("saved", ("finished", "saved")),
        ("lost", ("finished", "lost")),
        ("false_alarm", ("stopped", "")),
    ],
)
def test_ends_with_its_alert(cast, shipped, customer, outcome, ends):
    run = playbooks.start(playbook=shipped["silent"], customer=customer, member=cast.ann, alert=alert(customer))
    alert_services.close(
        alert=run.alert, outcome=outcome, cause="" if outcome == "false_alarm" else "price", tried=(), note="",
        member=cast.ann,
    )  # fmt: skip
    playbooks.advance_due(NOON + HOUR)
    run = fresh(run)
    assert (run.status, run.outcome, run.why) == (*ends, "alert")
    assert asked(run)["call"].status == "cancelled"


def test_stops_with_a_closed_customer_and_raises_nothing_more(cast, shipped, customer):
    run = playbooks.start(playbook=shipped["silent"], customer=customer, member=cast.ann)
    customer.closed_on = TODAY
    customer.save()
    walking.walk([customer.pk], NOON + HOUR)
    assert (fresh(run).status, fresh(run).why) == ("stopped", "closed")


# ── by a signal ─────────────────────────────────────────────────────────────


def test_begins_by_itself_with_its_signal_once_however_often_it_looks(cast, shipped, customer):
    alert(customer, "unanswered", "severe")
    second = cast.customer("Second")
    alert(second, "category_drop", "moderate")
    alert(second, "complaint_rise", "moderate")
    mild = cast.customer("Mild")
    alert(mild, "category_drop", "mild")  # below its level
    old = cast.customer("Old")
    alert(old, "unanswered", "severe", opened_at=NOON - 40 * DAY)  # from before it was switched on
    silent = cast.customer("Silent")
    alert(silent)  # fits one that begins by hand only
    assert playbooks.start_for_alerts(now=NOON) == [customer.pk, second.pk]
    assert playbooks.start_for_alerts(now=NOON + HOUR) == []
    assert playbooks.advance_due(NOON) == 2
    runs = {run.customer: run for run in PlaybookRun.objects.all()}
    assert (runs[customer].playbook.code, runs[customer].level) == ("three-plus-one", "severe")
    assert (runs[second].playbook.code, runs[second].status) == ("diagnosis", "active")
    assert asked(runs[customer])["phone"].level == "severe"
    playbooks.stop(run=runs[customer], member=cast.ann)
    assert playbooks.start_for_alerts(now=NOON + 2 * HOUR) == []  # ended by hand: the same alert begins it no more


def test_begins_in_the_night_and_again_changes_nothing(cast, shipped, customer):
    alert(customer, "unanswered", "severe")
    from risk.playbooks.services import work as night
    from tenants.runs import Piece

    assert night(Piece(TODAY + DAY)) == {"begun": 1, "walked": 1}
    before = list(FollowUp.objects.values())
    assert night(Piece(TODAY + DAY))["begun"] == 0
    assert list(FollowUp.objects.values()) == before


def test_rings_in_the_house_s_own_night(cast, shipped, customer):
    run = run_night(cast.tenant, TODAY)
    assert run.finished_at is not None


def test_holds_out_who_is_drawn_and_leaves_them_the_alert_s_own_answer(cast, clock):
    book = own(
        cast, {"code": "call"}, signals=["spec_drift"], automatic=True, holdout_percent=50, code="half",
    )  # fmt: skip
    people = [cast.customer(f"Customer {number}") for number in range(30)]
    for each in people:
        alert(each, "spec_drift", opened_at=NOON + HOUR)
    drawn = {each.pk for each in people if is_held_out(cast.tenant.pk, "half", each.pk, 50)}
    assert 0 < len(drawn) < 30
    begun = playbooks.start_for_alerts(now=NOON + HOUR)
    assert set(begun) == {each.pk for each in people} - drawn
    held = PlaybookRun.objects.filter(status="held")
    assert set(held.values_list("customer_id", flat=True)) == drawn
    playbooks.advance_due(NOON + HOUR)
    assert set(FollowUp.objects.values_list("customer_id", flat=True)) == set(begun)
    assert playbooks.start_for_alerts(now=NOON + 2 * HOUR) == []
    # A person may begin it all the same; then the customer no longer counts as one who went without.
    one = next(each for each in people if each.pk in drawn)
    run = playbooks.start(playbook=book, customer=one, member=cast.ann)
    assert run.status == "active"
    assert PlaybookRun.objects.get(customer=one, status="held").why == "started"


# ── one speaks ──────────────────────────────────────────────────────────────


def test_lets_the_more_urgent_of_two_playbooks_go_first_and_the_other_go_on_after_it(cast, clock, shipped, customer):
    silent = playbooks.start(playbook=shipped["silent"], customer=customer, member=cast.ann)
    call = asked(silent)["call"]
    team = playbooks.start(playbook=shipped["retention-team"], customer=customer, member=cast.ann)
    silent, call = fresh(silent), FollowUp.objects.get(pk=call.pk)
    assert (team.status, silent.status, silent.why, call.status) == ("active", "waiting", "other", "cancelled")
    with pytest.raises(IntegrityError), transaction.atomic():
        PlaybookRun.objects.filter(pk=silent.pk).update(status="active")
    later = NOON + DAY
    clock(later)
    playbooks.stop(run=team, member=cast.ann, outcome="saved")
    silent.refresh_from_db()
    call.refresh_from_db()
    assert (silent.status, call.status) == ("active", "open")
    assert call.due_at == NOON + 5 * DAY  # two working days, counted a day later: over the weekend


def test_lets_a_journey_wait_and_waits_for_one_that_is_more_urgent(cast, clock, shipped, customer):
    journeys.ensure_journeys(NOON - 60 * DAY)
    journey = journeys.Journey.objects.get(code="silent")  # priority 5
    place = Enrolment.objects.create(
        journey=journey, customer=customer, event="silence:1", event_at=NOON, base_at=NOON, next_at=NOON
    )
    journey_walking.walk([customer.pk], NOON)
    place.refresh_from_db()
    assert place.status == "active"
    run = playbooks.start(playbook=shipped["silent"], customer=customer, member=cast.ann)  # priority 4
    place.refresh_from_db()
    assert (run.status, place.status, place.why) == ("active", "waiting", "other")
    assert [row.rule for row in FollowUp.objects.filter(status="open")] == ["playbook:silent:call"]
    (line,) = [line for line in journeys.places_of(customer) if line.row == place]
    assert line.why == "“Two months silent” goes first"
    # A solved complaint is called back first: priority 1.
    urgent = Enrolment.objects.create(
        journey=journeys.Journey.objects.get(code="complaint"), customer=customer, event="complaint:1", event_at=NOON,
        base_at=NOON, next_at=NOON,
    )  # fmt: skip
    journey_walking.walk([customer.pk], NOON + HOUR)
    run.refresh_from_db()
    urgent.refresh_from_db()
    assert (urgent.status, run.status, run.why) == ("active", "waiting", "other")
    open_ones = FollowUp.objects.filter(status="open")
    assert [row.rule for row in open_ones] == ["journey:complaint:call-back"]
    assert playbooks.advance_due(NOON + HOUR) == 0  # nothing to do while the journey speaks
    log(open_ones.get(), cast.ann)
    journey_walking.walk([customer.pk], NOON + 2 * HOUR)
    urgent.refresh_from_db()
    assert urgent.status == "finished"
    playbooks.advance_due(NOON + 2 * HOUR)
    assert fresh(run).status == "active"
    assert [row.rule for row in FollowUp.objects.filter(status="open")] == ["playbook:silent:call"]


# ── what people do ──────────────────────────────────────────────────────────


def test_says_what_came_of_a_step_closes_its_follow_up_and_can_be_taken_back(cast, shipped, customer):
    run = playbooks.start(playbook=shipped["silent"], customer=customer, member=cast.ann)
    change = playbooks.say(run=run, code="call", outcome="not_reached", member=cast.ann, note="Voice mail")
    call = asked(run)["call"]
    assert (call.status, call.interaction.answered, call.interaction.note) == ("done", False, "Voice mail")
    assert states(run) == {"call": ("done", "not_reached"), "chat": ("raised", "")}
    assert playbooks.say(run=run, code="call", outcome="not_reached", member=cast.ann).event is None
    chat = asked(run)["chat"]
    playbooks.undo(event=change.event, member=cast.ann)
    assert states(run) == {"call": ("raised", "")}
    call.refresh_from_db()
    chat.refresh_from_db()
    assert (call.status, chat.status) == ("open", "cancelled")
    assert not Interaction.objects.exists()
    assert playbooks.undo(event=change.event, member=cast.ann).event is None  # twice is once
    # Done after all, the same follow-up comes back: there is never a second one.
    playbooks.say(run=run, code="call", outcome="not_reached", member=cast.ann)
    chat.refresh_from_db()
    assert chat.status == "open"
    with pytest.raises(Refused, match="not under way"):
        playbooks.say(run=run, code="next-order", outcome="done", member=cast.ann)


def test_skips_stops_and_hands_over_each_with_its_way_back(cast, clock, shipped, customer):
    run = playbooks.start(playbook=shipped["silent"], customer=customer, member=cast.ann)
    skipped = playbooks.skip(run=run, code="call", member=cast.ann)
    assert states(run)["call"] == ("done", "skipped")
    assert asked(run)["call"].status == "cancelled"
    playbooks.undo(event=skipped.event, member=cast.ann)
    assert asked(run)["call"].status == "open"

    handed = playbooks.hand_over(run=run, to=cast.bo, member=cast.ann)
    assert asked(run)["call"].assignee == cast.bo
    assert Notice.objects.get().member == cast.bo
    with pytest.raises(Refused, match="your lead"):
        playbooks.hand_over(run=run, to=cast.lea, member=cast.ann)
    playbooks.undo(event=handed.event, member=cast.ann)
    assert (asked(run)["call"].assignee, fresh(run).owner) == (cast.ann, None)

    stopped = playbooks.stop(run=run, member=cast.ann, outcome="lost")
    assert (stopped.run.status, stopped.run.outcome, stopped.run.why) == ("finished", "lost", "by_hand")
    assert asked(run)["call"].status == "cancelled"
    assert playbooks.stop(run=run, member=cast.ann).event is None
    with pytest.raises(Refused, match="ended"):
        playbooks.skip(run=run, code="call", member=cast.ann)
    playbooks.undo(event=stopped.event, member=cast.ann)
    assert (fresh(run).status, fresh(run).outcome, asked(run)["call"].status) == ("active", "", "open")


def test_takes_back_its_start_and_refuses_when_somebody_has_worked_on_it(cast, clock, shipped, customer):
    answered = alert(customer)
    run = playbooks.start(playbook=shipped["silent"], customer=customer, member=cast.ann)
    started = Event.objects.get(object_type="playbookrun", verb="started").pk
    with pytest.raises(Refused, match="Only who did it"):
        playbooks.undo(event=started, member=cast.bo)
    playbooks.undo(event=started, member=cast.ann)
    answered.refresh_from_db()
    assert (fresh(run).status, fresh(run).why, answered.first_action_at) == ("stopped", "undone", None)
    again = playbooks.start(playbook=shipped["silent"], customer=customer, member=cast.ann)
    assert again != run
    clock(NOON + HOUR)
    log(asked(again)["call"], cast.ann)
    with pytest.raises(Refused, match="has gone on"):
        playbooks.undo(event=Event.objects.filter(verb="started").latest("pk").pk, member=cast.ann)
    with pytest.raises(PermissionDenied):
        playbooks.stop(run=again, member=cast.eve)


# ── writing ─────────────────────────────────────────────────────────────────


def test_writes_a_new_version_and_leaves_runs_under_way_with_theirs(cast, shipped, customer):
    run = playbooks.start(playbook=shipped["win-back"], customer=customer, member=cast.ann)
    changed = {"steps": [{"code": "only"}], "measure_days": 30}
    book, outcome = playbooks.save_playbook(member=cast.lea, playbook=shipped["win-back"], definition=changed)
    assert (outcome, book.version, book.versions.count()) == ("updated", 2, 2)
    assert playbooks.save_playbook(member=cast.lea, playbook=book, definition=changed)[1] == "unchanged"
    playbooks.skip(run=run, code="ask-why", member=cast.ann)
    assert fresh(run).stage == "terms"
    other = playbooks.start(playbook=book, customer=cast.customer("Other"), member=cast.ann)
    assert (other.stage, other.version.number) == ("only", 2)
    assert Definition.model_validate(book.versions.get(number=2).definition).measure_days == 30


def test_refuses_a_definition_with_every_fault_in_words(cast, shipped):
    with pytest.raises(ValidationError) as caught:
        playbooks.save_playbook(
            member=cast.lea, code="new", name="New",
            definition={"signals": ["rain"], "tiers": ["platinum"], "steps": [{"code": "a", "script": "nope"}]},
        )  # fmt: skip
    said = " ".join(caught.value.message_dict["definition"])
    assert "rain" in said
    assert "platinum" in said
    assert "nope" in said
    with pytest.raises(ValidationError, match="of this code"):
        playbooks.save_playbook(member=cast.lea, code="silent", name="x", definition={"steps": [{"code": "a"}]})
    with pytest.raises(ValidationError, match="small letters"):
        playbooks.save_playbook(member=cast.lea, code="No way", name="x", definition={"steps": [{"code": "a"}]})


def test_ships_once_and_never_writes_over_what_somebody_changed(cast, shipped):
    for book in shipped.values():  # its signals and scripts are there
        assert playbooks.checked(book.versions.get().definition) == book.versions.get().rules
    playbooks.save_playbook(
        member=cast.lea, playbook=shipped["silent"], name="Quiet", definition={"steps": [{"code": "a"}]}
    )
    assert playbooks.ensure_playbooks() == 0
    assert Playbook.objects.get(code="silent").title == "Quiet"
    assert PlaybookStep.objects.count() == 0
