"""Verbs of the crisis room: opening, another level, pausing, naming the team, closing, drills.

Each is one transaction under the incident's row lock, writes one event, and may be sent twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, cast

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.models import Complaint, Customer, Order
from customers.services.rows import Outcome, clean, error_of
from risk.cases import services as cases
from risk.incidents import off_hours, reports
from risk.incidents.room import (
    Moved,
    Refused,
    crisis_policy,
    due_of,
    lock,
    log,
    pauses_of,
    reckon,
    running_minutes,
    shipped_steps,
    tell,
    touch,
)
from risk.incidents.words import clock_name, names_words, seat_name
from risk.models import (
    Alert,
    Incident,
    IncidentClock,
    IncidentCompensation,
    IncidentPause,
    IncidentSeat,
    IncidentStep,
)
from risk.rules.causes import CAUSES, tried_codes
from risk.rules.crisis_policy import LEVELS, ClockKind, Level
from tenants.calendars import firm_calendar
from tenants.context import current_tenant
from tenants.events import acting, record
from tenants.models import Member
from tenants.policies import active_policy
from tenants.rules.calendar import Calendar, NeverOpensError
from tenants.templatetags.perennial import day

# First half of the advisory lock's key; the second is the tenant's id.
_NUMBERS: Final = 1_129_466_451

AGAIN: Final = dt.timedelta(minutes=2)
"""The same crisis of the same customer opened again so soon is the form sent twice."""


# ── opening ─────────────────────────────────────────────────────────────────


def open_incident(
    *,
    customer: Customer,
    title: str,
    level: str,
    what: str = "",
    member: Member,
    order: Order | None = None,
    alert: Alert | None = None,
    complaint: Complaint | None = None,
    drill: bool = False,
    kind: str = "other",
    value: Decimal | None = None,
    needed_by: dt.date | None = None,
    drill_of: Incident | None = None,
) -> Incident:
    """Open a crisis: its clocks begin to run in the firm's business time, its steps are laid out, its people are told.

    Outside business hours the customer gets an automatic answer that names the next opening time. `value` is the money
    affected (the order's net unless said), of which compensation is a percentage. With an alert or a complaint that has
    a crisis already, that one comes back; so does one that the same person has opened a moment ago under the same title.

    Raises Refused for a closed customer and for a firm without business hours; ValidationError by field.
    """
    with acting(member):
        # Whoever opens a second one for the customer waits, and then finds the first.
        row: Customer = Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
        known = None if drill else _known(row, title.strip(), member, alert, complaint)
        if known is not None:
            return known
        if row.closed_on is not None:
            words = _("%(customer)s is closed since %(day)s. Open the customer again before a crisis.")
            raise Refused(words % {"customer": row.name, "day": day(row.closed_on)}, code="closed_customer")
        policy = active_policy()
        calendar = firm_calendar(policy)
        now = timezone.now()
        opens_at = next_opening(calendar, now)
        incident = Incident(
            customer=row, title=title.strip(), level=level, kind=kind, what=what.strip(), order=order, alert=alert,
            complaint=complaint, is_drill=drill, drill_of=drill_of, needed_by=needed_by, opened_at=now,
            opened_by=member, value=value if value is not None or order is None else max(order.net, Decimal(0)),
            policy_version=policy.number, calendar_version=policy.number, number=_next_number(),
        )  # fmt: skip
        clean(incident, skip=["tried"], check=_of_the_customer)
        incident.save(force_insert=True)
        for kind_of, minutes in crisis_policy(policy).clocks(cast(Level, level)).items():
            IncidentClock.objects.create(incident=incident, kind=kind_of, target_minutes=minutes)
        lay_out_steps(incident, calendar)
        reckon(incident, calendar)
        log(incident, member=member, code="opened", text=incident.what, facts={"level": level}, key="opened")
        if opens_at != now:
            off_hours.answer(incident, opens_at)
        record("opened", incident, {"level": level, "drill": drill}, policy_version=policy.number)
        tell(incident, "incident.opened", key="opened", but=member)
        return incident


def next_opening(calendar: Calendar, now: dt.datetime) -> dt.datetime:
    """When business time begins next, or `now` itself. Raises Refused, in words, for a firm that never opens."""
    try:
        opens_at = calendar.next_opening(now)
    except NeverOpensError as error:
        words = _(
            "The firm has no working day for years, so no clock can run. Set working days and hours in the policy."
        )
        raise Refused(words, code="never_opens") from error
    return now if opens_at == now else opens_at


def _known(
    customer: Customer, title: str, member: Member, alert: Alert | None, complaint: Complaint | None
) -> Incident | None:
    rows = Incident.objects.filter(customer=customer, is_drill=False).select_related("customer", "order")
    found: Incident | None = None
    if alert is not None:
        found = rows.filter(alert=alert).first()
    if found is None and complaint is not None:
        found = rows.filter(complaint=complaint).first()
    if found is None:
        again = rows.filter(title=title, opened_by=member, closed_at__isnull=True)
        found = again.filter(opened_at__gt=timezone.now() - AGAIN).first()
    return found


def _next_number() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_NUMBERS, current_tenant().pk % 2**31])
    return int(Incident.objects.aggregate(last=Max("number"))["last"] or 0) + 1


def _of_the_customer(row: Incident) -> dict[str, Any]:
    wrong: dict[str, Any] = {}
    for name in ("order", "alert", "complaint"):
        other = getattr(row, name)
        if other is not None and other.customer_id != row.customer_id:
            wrong[name] = error_of(_("This belongs to another customer."), "other_customer")
    return wrong


def lay_out_steps(incident: Incident, calendar: Calendar) -> None:
    """Add the shipped steps that the incident does not have, in their order; those of its contact are its A owner's."""
    there = set(IncidentStep.objects.filter(incident=incident).exclude(code="").values_list("code", flat=True))
    minutes = running_minutes(incident)
    pauses = pauses_of(incident)
    seats = {seat.seat: seat.member_id for seat in IncidentSeat.objects.filter(incident=incident)}
    seats.setdefault(IncidentSeat.Seat.CONTACT, incident.customer.owner_a_id)
    for position, step in enumerate(shipped_steps(incident), 1):
        if step.code in there:
            IncidentStep.objects.filter(incident=incident, code=step.code).update(position=position * 10)
            continue
        due = due_of(step, minutes, incident.opened_at, calendar, pauses)
        IncidentStep.objects.create(
            incident=incident, position=position * 10, code=step.code, seat=step.seat, meets=step.meets or "",
            owner_id=seats.get(step.seat), due_at=due,
        )  # fmt: skip


# ── another level ───────────────────────────────────────────────────────────


def change_level(*, incident: Incident, level: str, reason: str, member: Member) -> Outcome:
    """Another level while it runs: targets by the policy in force, deadlines from when it was opened, all in the log.

    What was met stays met; clocks that the level does not have are dropped, its own are added. Raises ValidationError
    without a reason.
    """
    if not reason.strip():
        raise ValidationError({"reason": error_of(_("Say why."), "required")})
    if level not in LEVELS:
        raise ValidationError({"level": error_of(_("There is no such level."), "invalid")})
    with acting(member):
        row = lock(incident)
        before = row.level
        if before == level:
            return "unchanged"
        now, policy = timezone.now(), active_policy()
        calendar = firm_calendar(policy)
        next_opening(calendar, now)
        row.level = level
        wanted = crisis_policy(policy).clocks(level)
        dropped = _set_clocks(row, cast(Mapping[str, int], wanted), now)
        _drop_steps(row, set(wanted))
        lay_out_steps(row, calendar)
        row.policy_version = row.calendar_version = policy.number
        touch(row, "level", "policy_version", "calendar_version")
        changes = [*dropped, *(each.as_json() for each in reckon(row, calendar))]
        facts = {"from": before, "to": level, "clocks": changes}
        log(row, member=member, code="level", text=reason.strip(), facts=facts)
        record("level_changed", row, {"level": [before, level]}, policy_version=policy.number)
        tell(row, "incident.level", key=f"level:{row.revision}", params={"from": before}, but=member)
        return "updated"


def _set_clocks(incident: Incident, wanted: Mapping[str, int], now: dt.datetime) -> list[list[str | None]]:
    """Targets as wanted; returns the clocks that were dropped as `Moved.as_json` has them."""
    dropped: list[list[str | None]] = []
    there = {clock.kind: clock for clock in IncidentClock.objects.filter(incident=incident)}
    for kind, clock in there.items():
        if kind not in wanted:
            if clock.met_at is None and clock.dropped_at is None:
                dropped.append(Moved(kind, clock.deadline_at, None).as_json())
                clock.dropped_at = now
                clock.save(update_fields=["dropped_at"])
        elif clock.dropped_at is not None or clock.target_minutes != wanted[kind]:
            clock.dropped_at, clock.target_minutes = None, wanted[kind]
            clock.save(update_fields=["dropped_at", "target_minutes"])
    for kind in wanted:
        if kind not in there:
            IncidentClock.objects.create(incident=incident, kind=kind, target_minutes=wanted[kind])
    return dropped


def _drop_steps(incident: Incident, wanted: set[ClockKind]) -> None:
    """Leave out the open steps of clocks that do not run, take up again those that were left out for that."""
    steps = IncidentStep.objects.filter(incident=incident).exclude(meets="")
    steps.filter(status=IncidentStep.Status.OPEN).exclude(meets__in=wanted).update(
        status=IncidentStep.Status.LEFT_OUT, done_at=timezone.now()
    )
    again = steps.filter(status=IncidentStep.Status.LEFT_OUT, meets__in=wanted, done_by__isnull=True)
    again.update(status=IncidentStep.Status.OPEN, done_at=None)


# ── pausing ─────────────────────────────────────────────────────────────────


def pause(*, incident: Incident, reason: str, member: Member) -> Outcome:
    """Stop the clocks, because nothing can be done for now: the customer is to answer, a test runs. A reason is needed."""
    if not reason.strip():
        raise ValidationError({"reason": error_of(_("Say what it waits for."), "required")})
    with acting(member):
        row = lock(incident)
        if IncidentPause.objects.filter(incident=row, ended_at__isnull=True).exists():
            return "unchanged"
        stopped = IncidentPause(incident=row, started_at=timezone.now(), reason=reason.strip(), member=member)
        clean(stopped)
        stopped.save(force_insert=True)
        reckon(row)
        log(row, member=member, code="paused", text=reason.strip())
        touch(row)
        record("paused", row, {"reason": reason.strip()})
        return "updated"


def resume(*, incident: Incident, member: Member) -> Outcome:
    """Let the clocks run on; each deadline moves by the business time that they stood still."""
    with acting(member):
        row = lock(incident)
        stopped = IncidentPause.objects.filter(incident=row, ended_at__isnull=True).first()
        if stopped is None:
            return "unchanged"
        stopped.ended_at, stopped.ended_by = timezone.now(), member
        stopped.save(update_fields=["ended_at", "ended_by"])
        moved = reckon(row)
        log(row, member=member, code="resumed", facts={"clocks": [each.as_json() for each in moved]})
        touch(row)
        record("resumed", row, {})
        return "updated"


# ── the team ────────────────────────────────────────────────────────────────


def name_team(*, incident: Incident, seats: Mapping[str, Member | None], seen: int, member: Member) -> Outcome:
    """Name who does what; the clock of the team is met, and open steps of a seat are its member's.

    `seen` is the incident's `team_revision` that the member has seen: when somebody has named the team meanwhile, this
    refuses and says who and whom; asked again with the new number it takes that team's place. Raises ValidationError
    without somebody who leads.
    """
    lead, contact = (seats.get(seat) for seat in (IncidentSeat.Seat.LEAD, IncidentSeat.Seat.CONTACT))
    wrong = {}
    if lead is None:
        wrong["lead"] = error_of(_("Somebody has to lead."), "required")
    if contact is None:
        wrong["contact"] = error_of(_("Somebody has to speak with the customer."), "required")
    for seat, person in seats.items():
        if person is not None and not (person.is_active and person.can("incidents:write")):
            wrong[seat] = error_of(_("%(name)s cannot work on crises.") % {"name": person}, "no_permission")
    if wrong:
        raise ValidationError(wrong)
    with acting(member):
        row = lock(incident)
        there = {each.seat: each for each in row.seats.select_related("member__user", "named_by__user")}
        wanted = {str(seat): person for seat, person in seats.items() if person is not None}
        if {seat: each.member_id for seat, each in there.items()} == {seat: one.pk for seat, one in wanted.items()}:
            return "unchanged"
        if row.team_revision != seen:
            raise Refused(_named_meanwhile(there.values()), code="team_named")
        IncidentSeat.objects.filter(incident=row).exclude(seat__in=wanted).delete()
        now = timezone.now()
        for seat, person in wanted.items():
            if seat in there and there[seat].member_id == person.pk:
                continue
            _seat(row, seat, person, there.get(seat), member, now)
        row.team_revision += 1
        # A step of its own comes to mind with the first naming only.
        meet(row, "team", member, now)
        named = [[seat, str(person)] for seat, person in wanted.items()]
        log(row, member=member, code="team", facts={"seats": named}, is_visible=True)
        touch(row, "team_revision")
        record("team_named", row, {"seats": {seat: person.pk for seat, person in wanted.items()}})
        for seat, person in wanted.items():
            tell(row, "incident.seat", key=f"seat:{seat}", members=[person], params={"seat": seat}, but=member)
        return "updated"


def _seat(
    incident: Incident, seat: str, person: Member, held: IncidentSeat | None, member: Member, now: dt.datetime
) -> None:
    steps = IncidentStep.objects.filter(incident=incident, seat=seat, status=IncidentStep.Status.OPEN)
    if held is not None:
        # Who was handed a step by name keeps it.
        steps = steps.filter(owner_id__in=[held.member_id])
    steps.update(owner=person)
    IncidentSeat.objects.update_or_create(
        incident=incident, seat=seat, defaults={"member": person, "named_by": member, "named_at": now}
    )


def _named_meanwhile(seats: Iterable[IncidentSeat]) -> str:
    rows = list(seats)
    who = ", ".join(f"{each.member} ({seat_name(each.seat)})" for each in rows)
    by = rows[0].named_by if rows else None
    words = _("%(by)s has named the team meanwhile: %(who)s. Look, and name it again if you want another one.")
    return words % {"by": by or _("Somebody"), "who": who or _("nobody")}


# ── clocks met ──────────────────────────────────────────────────────────────


def meet(incident: Incident, kind: str, member: Member, at: dt.datetime) -> bool:
    """Stop a clock because it is met, and tick off the step that meets it; False when it does not run or was met."""
    clock = IncidentClock.objects.filter(incident=incident, kind=kind, dropped_at__isnull=True).first()
    IncidentStep.objects.filter(incident=incident, meets=kind, status=IncidentStep.Status.OPEN).update(
        status=IncidentStep.Status.DONE, done_at=at, done_by=member
    )
    if clock is None or clock.met_at is not None:
        return False
    clock.met_at, clock.met_by = at, member
    if clock.deadline_at is not None and at >= clock.deadline_at:
        clock.breached_at = clock.deadline_at
    clock.save(update_fields=["met_at", "met_by", "breached_at"])
    return True


def unmeet(incident: Incident, kind: str) -> None:
    """Let a clock run again that was met by mistake."""
    IncidentClock.objects.filter(incident=incident, kind=kind).update(met_at=None, met_by=None)
    reckon(incident)


# ── closing ─────────────────────────────────────────────────────────────────


def missing_for(incident: Incident, outcome: str) -> list[str]:
    """What is missing before it can be closed so, in words; empty when nothing is.

    A saved customer was solved and called back, nothing waits for approval, and the improvement report can be sent.
    """
    missing = []
    if IncidentCompensation.objects.filter(incident=incident, status=IncidentCompensation.Status.ASKED).exists():
        missing.append(_("a compensation waits for approval"))
    if outcome == Incident.Outcome.SAVED:
        if not IncidentClock.objects.filter(incident=incident, kind="solved", met_at__isnull=False).exists():
            missing.append(clock_name("solved"))
        missing += reports.missing_words(incident)
    return missing


def close(
    *,
    incident: Incident,
    outcome: str,
    cause: str,
    tried: Iterable[str] = (),
    note: str = "",
    member: Member,
) -> Outcome:
    """Close a crisis with its outcome and cause; the report goes to the customer, the case into the library.

    Raises ValidationError by field; Refused naming what is missing. A drill leaves no case and sends nothing.
    """
    wrong = {}
    if outcome not in Incident.Outcome.values:
        wrong["outcome"] = error_of(_("Say how it ended."), "required")
    if cause not in CAUSES:
        wrong["cause"] = error_of(_("Say what caused it."), "required")
    if wrong:
        raise ValidationError(wrong)
    with acting(member):
        row = lock(incident, is_open=False)
        if not row.is_open:
            return "unchanged"
        if missing := missing_for(row, outcome):
            raise Refused(_("Not yet: %(missing)s.") % {"missing": names_words(missing)}, code="missing")
        now = timezone.now()
        _end_pause(row, member, now)
        if outcome == Incident.Outcome.SAVED:
            reports.send(row, member)
        row.closed_at, row.closed_by, row.outcome, row.cause = now, member, outcome, cause
        row.tried, row.note = tried_codes(tried), note.strip()
        steps = IncidentStep.objects.filter(incident=row, status=IncidentStep.Status.OPEN)
        if outcome == Incident.Outcome.SAVED:
            steps.filter(code="report").update(status=IncidentStep.Status.DONE, done_at=now, done_by=member)
        steps.update(status=IncidentStep.Status.LEFT_OUT, done_at=now, done_by=member)
        facts = {"outcome": outcome, "cause": cause}
        log(row, member=member, code="closed", text=row.note, facts=facts)
        if outcome == Incident.Outcome.SAVED:
            log(row, member=None, code="solved", is_visible=True)
        touch(row, "closed_at", "closed_by", "outcome", "cause", "tried", "note")
        cases.keep(incident=row)
        record("closed", row, facts)
        return "updated"


def _end_pause(incident: Incident, member: Member, now: dt.datetime) -> None:
    IncidentPause.objects.filter(incident=incident, ended_at__isnull=True).update(ended_at=now, ended_by=member)


def reopen(*, incident: Incident, reason: str, member: Member) -> Outcome:
    """Open a closed crisis again: its clocks go on, the time since then was a pause, its case leaves the library."""
    if not reason.strip():
        raise ValidationError({"reason": error_of(_("Say why."), "required")})
    with acting(member):
        row = lock(incident, is_open=False)
        if row.is_open or row.closed_at is None:
            return "unchanged"
        if row.customer.closed_on is not None:
            words = _("%(customer)s is closed since %(day)s. Open the customer again before a crisis.")
            raise Refused(words % {"customer": row.customer.name, "day": day(row.customer.closed_on)}, code="closed")
        next_opening(firm_calendar(), timezone.now())
        IncidentPause.objects.create(
            incident=row, started_at=row.closed_at, ended_at=timezone.now(), reason=_("closed"), member=member,
            ended_by=member,
        )  # fmt: skip
        before = row.outcome
        row.closed_at, row.closed_by, row.outcome, row.cause = None, None, "", ""
        touch(row, "closed_at", "closed_by", "outcome", "cause")
        if not row.is_drill:
            cases.withdraw(incident=row)
        # Who calls the customer back does it again.
        again = IncidentStep.objects.filter(incident=row, meets="solved")
        again.update(status=IncidentStep.Status.OPEN, done_at=None, done_by=None)
        unmeet(row, "solved")
        log(row, member=member, code="reopened", text=reason.strip())
        record("reopened", row, {"outcome": [before, ""], "reason": reason.strip()})
        tell(row, "incident.opened", key=f"reopened:{row.revision}", but=member)
        return "updated"


# ── drills ──────────────────────────────────────────────────────────────────


def start_drill(*, incident: Incident, member: Member) -> Incident:
    """A marked copy of a crisis that begins now: same customer, kind and level, its own clocks; nobody outside hears."""
    source: Incident = Incident.objects.select_related("customer", "order").get(pk=incident.pk)
    return open_incident(
        customer=source.customer, title=source.title, level=source.level, what=source.what, member=member,
        order=source.order, drill=True, kind=source.kind, value=source.value, drill_of=source,
    )  # fmt: skip
