"""A complaint's way: handed to somebody, apologised for, a time promised, solved and reported, called back.

Whoever writes a complaint down (a page, a programme, a file) needs to know nothing of this: the minute's sweep hands
every open one to somebody and sets its clocks, and tells up the line whose clock has run out. Each verb is one
transaction with one event; moments are in business time (tenants/rules/calendar.py).
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.models import Complaint
from customers.services.arrivals import change_fact
from customers.services.rows import Outcome, change, error_of, lock
from risk.complaints import told
from risk.complaints.people import Desk
from risk.models import ComplaintNote, TopicHolder
from risk.rules import complaints as rules
from risk.rules.complaint_policy import KINDS, ComplaintPolicy
from risk.rules.complaints import NEXT
from tenants.calendars import firm_calendar
from tenants.context import tenant_scope
from tenants.events import record
from tenants.models import Member, Tenant
from tenants.policies import active_policy
from tenants.rules.calendar import Calendar

log = logging.getLogger("perennial.complaints")

AT_ONCE: Final = 200
"""Complaints of one transaction of the sweep."""

ROUNDS: Final = 25
"""Transactions of one firm in a row; the next minute goes on."""

SERIOUS: Final = Complaint.Severity.SERIOUS


class _Rules:
    """Policy, calendar and people of one transaction, read once."""

    def __init__(self) -> None:
        policy = active_policy()
        self.policy = policy.section(ComplaintPolicy)
        self.calendar: Calendar = firm_calendar(policy)
        self.desk = Desk(self.policy)

    def clocks(self, complaint: Complaint, kind: str, start: dt.datetime) -> rules.Clocks:
        return rules.clocks(
            start, kind, is_serious=complaint.severity == SERIOUS, policy=self.policy, calendar=self.calendar
        )

    def call_back_by(self, complaint: Complaint, solved_at: dt.datetime, kind: str = "") -> dt.datetime:
        return rules.call_back_by(
            solved_at,
            kind or complaint.kind,
            is_serious=complaint.severity == SERIOUS,
            policy=self.policy,
            calendar=self.calendar,
        )


# ── handing on ───────────────────────────────────────────────────────────────


def sweep(tenant: Tenant, now: dt.datetime | None = None) -> int:
    """Hand on, and look at the clocks of, a firm's complaints until nothing is due; returns how many were touched.

    A firm that fails is logged and left for the next minute. Safe to run twice, also at the same moment.
    """
    done = 0
    try:
        for _round in range(ROUNDS):
            with tenant_scope(tenant):
                moment = now or timezone.now()
                found = route_due(moment) + settle_due(moment) + escalate_due(moment)
            done += found
            if found < AT_ONCE:
                break
    except Exception:
        log.exception("complaints of %s failed", tenant.slug)
    return done


@transaction.atomic
def route_due(now: dt.datetime) -> int:
    """Hand every open complaint that nobody looks after to somebody, with its clocks; at most AT_ONCE. How many.

    What is older than the policy's `route_days`, or of a customer that is closed, is left as it is. The clocks of what
    came in late, by a file of yesterday, begin when it came in: nobody can be late before they could know.
    """
    rows = (
        Complaint.objects.filter(routed_at__isnull=True, solved_at__isnull=True, customer__closed_on__isnull=True)
        .select_related("customer")
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True, skip_locked=True)
    )
    ours: _Rules | None = None
    policy = active_policy().section(ComplaintPolicy)
    found = list(rows.filter(opened_at__gte=now - dt.timedelta(days=policy.route_days))[:AT_ONCE])
    for complaint in found:
        ours = ours or _Rules()
        _hand_on(complaint, ours, now, kind=complaint.kind, holder=complaint.assignee, start=max(complaint.opened_at, min(complaint.created_at, now)))  # fmt: skip
    return len(found)


def _hand_on(
    complaint: Complaint, ours: _Rules, now: dt.datetime, *, kind: str, holder: Member | None, start: dt.datetime
) -> None:
    kind = kind or rules.kind_of(complaint.topic, complaint.text)
    who = holder or ours.desk.holder(kind, complaint.customer)
    due = ours.clocks(complaint, kind, start)
    fields: dict[str, Any] = {
        "kind": kind,
        "assignee": who,
        "routed_at": now,
        "apologise_by": due.apologise_by,
        "promise_by": due.promise_by,
        "solve_by": complaint.promised_until or due.solve_by,
    }
    change(complaint, fields, verb="handed_on")
    if who is not None:
        told.tell_holder(complaint, who)


@transaction.atomic
def settle_due(now: dt.datetime) -> int:
    """Set the clock of the call back for what was solved elsewhere: by a programme, or in a file. How many."""
    rows = (
        Complaint.objects.filter(
            status=Complaint.Status.SOLVED, call_back_by__isnull=True, solved_at__lte=now, routed_at__isnull=False
        )
        .select_for_update(of=("self",), no_key=True, skip_locked=True)
        .order_by("pk")[:AT_ONCE]
    )
    found = list(rows)
    if found:
        ours = _Rules()
        for complaint in found:
            complaint.call_back_by = ours.call_back_by(complaint, complaint.solved_at)
        Complaint.objects.bulk_update(found, ["call_back_by"])
    return len(found)


@transaction.atomic
def escalate_due(now: dt.datetime) -> int:
    """Tell who looks after it, and their lead, of every step whose clock has run out, once for each step. How many."""
    rows = (
        Complaint.objects.filter(due_at__lte=now)
        .exclude(told_late=F("status"))
        .select_related("customer", "assignee__user")
        .select_for_update(of=("self",), no_key=True, skip_locked=True)
        .order_by("due_at", "pk")[:AT_ONCE]
    )
    found = list(rows)
    if not found:
        return 0
    desk = _Rules().desk
    for complaint in found:
        step = NEXT[complaint.status]
        complaint.told_late = complaint.status
        complaint.save(update_fields=["told_late", "updated_at"])
        record("late", complaint, {"step": ["", step], "due_at": ["", str(complaint.due_at)]})
        above = {each.pk: each for each in (complaint.assignee, desk.lead(complaint.customer)) if each is not None}
        told.tell_late(complaint, step, above.values())
    return len(found)


# ── the four steps ───────────────────────────────────────────────────────────


@transaction.atomic
def hand_to(*, complaint: Complaint, member: Member, kind: str, assignee: Member | None) -> Outcome:
    """Give a complaint another kind or holder; without one the topic's rule says who. Its clocks start at its opening.

    Steps that are done stay done. Raises ValidationError for a holder who does not see the customer, and for a
    complaint that is closed.
    """
    lock(complaint)
    _refuse_closed(complaint)
    if kind not in KINDS:
        raise LookupError(kind)
    ours = _Rules()
    if assignee is not None and not ours.desk.sees(assignee, complaint.customer):
        raise ValidationError({"assignee": error_of(_("This person does not see the customer."), "not_visible")})
    before = complaint.assignee_id
    who = assignee or ours.desk.holder(kind, complaint.customer)
    fields: dict[str, Any] = {"kind": kind, "assignee": who}
    if complaint.routed_at is None or kind != complaint.kind:
        due = ours.clocks(complaint, kind, complaint.opened_at)
        fields |= {"apologise_by": due.apologise_by, "promise_by": due.promise_by}
        if complaint.promised_until is None and not complaint.reopened:
            fields["solve_by"] = due.solve_by
    if complaint.routed_at is None or (who.pk if who else None) != before:
        fields["routed_at"] = complaint.routed_at or timezone.now()
    outcome = change(complaint, fields, verb="handed_on")
    if who is not None and who.pk not in {before, member.pk}:
        told.tell_holder(complaint, who)
    return outcome


@transaction.atomic
def apologise(*, complaint: Complaint, member: Member, note: str = "", at: dt.datetime | None = None) -> Outcome:
    """Step one: the customer has been told that we are sorry; now unless said otherwise. Once done it stays."""
    lock(complaint)
    _refuse_closed(complaint)
    if complaint.apologised_at is not None:
        return "unchanged"
    ours = _begun(complaint, member)
    outcome = change(complaint, {**ours, "apologised_at": _past(complaint, "at", at)}, verb="apologised")
    _note(complaint, member, note, is_told=True)
    return outcome


@transaction.atomic
def promise(*, complaint: Complaint, member: Member, until: dt.datetime, note: str = "") -> Outcome:
    """Step two: it is recorded, and the customer knows until when it will be solved. Promised again: the new time counts.

    Whoever promises has spoken to the customer: an apology that nobody noted is noted with it. Raises ValidationError
    for a time that is over.
    """
    lock(complaint)
    _refuse_closed(complaint)
    now = timezone.now()
    if complaint.solved_at is not None:
        raise ValidationError(error_of(_("It is solved already."), "solved"))
    if until <= now:
        raise ValidationError({"until": error_of(_("A promised time lies ahead."), "in_the_past")})
    fields = {
        **_begun(complaint, member),
        "apologised_at": complaint.apologised_at or now,
        "promised_at": complaint.promised_at or now,
        "promised_until": until,
        "solve_by": until,
        "told_late": "" if complaint.told_late == Complaint.Status.PROMISED else complaint.told_late,
    }
    outcome = change(complaint, fields, verb="promised")
    _note(complaint, member, note, is_told=True)
    return outcome


@transaction.atomic
def progress(*, complaint: Complaint, member: Member, text: str, is_told: bool = False) -> ComplaintNote:
    """Write down what was done in between; `is_told` says that the customer heard of it. Raises ValidationError."""
    lock(complaint)
    _refuse_closed(complaint)
    if not text.strip():
        raise ValidationError({"text": error_of(_("This is needed."), "required")})
    return _note(complaint, member, text, is_told=is_told)


@transaction.atomic
def solve(
    *,
    complaint: Complaint,
    member: Member,
    solution: str,
    first_time: bool | None = None,
    at: dt.datetime | None = None,
) -> Outcome:
    """Step three: it is solved, and the customer was told how; now unless said otherwise. Then comes the call back.

    `first_time`: whether one try was enough; what was reopened never was. Raises ValidationError by field.
    """
    lock(complaint)
    _refuse_closed(complaint)
    if not solution.strip():
        raise ValidationError({"solution": error_of(_("Say how it was solved."), "required")})
    if complaint.solved_at is not None:
        raise ValidationError(error_of(_("It is solved already."), "solved"))
    solved_at = _past(complaint, "at", at)
    ours, begun = _Rules(), _begun(complaint, member)
    fields = {
        **begun,
        "solved_at": solved_at,
        "solution": solution.strip(),
        "first_time": False if complaint.reopened else first_time,
        "call_back_by": ours.call_back_by(complaint, max(solved_at, complaint.opened_at), begun.get("kind", "")),
        "is_content": None,
    }
    return change_fact(complaint, fields, verb="solved")


@transaction.atomic
def call_back(*, complaint: Complaint, member: Member, is_content: bool, note: str = "") -> Outcome:
    """Step four: the customer was called back. Content: it is closed. Not content: it is open again, and not solved.

    What is closed content, not reopened, and of which nobody said otherwise, was solved the first time.
    """
    lock(complaint)
    _refuse_closed(complaint)
    if complaint.solved_at is None:
        raise ValidationError(error_of(_("It is not solved yet."), "not_solved"))
    now = timezone.now()
    _note(complaint, member, note, is_told=True)
    if is_content:
        first = complaint.first_time if complaint.first_time is not None else complaint.reopened == 0
        fields: dict[str, Any] = {"called_back_at": now, "is_content": True, "first_time": first}
        return change_fact(complaint, fields, verb="called_back")
    ours = _Rules()
    again = rules.solve_again_by(
        now, complaint.kind, is_serious=complaint.severity == SERIOUS, policy=ours.policy, calendar=ours.calendar
    )
    fields = {
        **_begun(complaint, member),
        "solved_at": None,
        "first_time": False,
        "is_content": False,
        "reopened": complaint.reopened + 1,
        "apologised_at": complaint.apologised_at or now,
        "promised_at": complaint.promised_at or now,
        "promised_until": None,
        "solve_by": again,
        "call_back_by": None,
        "told_late": "",
    }
    return change_fact(complaint, fields, verb="reopened")


@transaction.atomic
def take_back(*, complaint: Complaint, member: Member) -> Outcome:
    """Take the last step back that was noted by mistake. Raises ValidationError where none is done."""
    lock(complaint)
    fields: dict[str, Any]
    match complaint.status:
        case Complaint.Status.CLOSED if complaint.called_back_at is not None:
            fields = {"called_back_at": None, "is_content": None}
        case Complaint.Status.SOLVED | Complaint.Status.CLOSED:
            fields = {"solved_at": None, "solution": "", "first_time": None, "call_back_by": None, "is_content": None}
        case Complaint.Status.PROMISED:
            solve_by = _Rules().clocks(complaint, complaint.kind, complaint.opened_at).solve_by
            fields = {"promised_at": None, "promised_until": None, "solve_by": solve_by}
        case Complaint.Status.APOLOGISED:
            fields = {"apologised_at": None}
        case _:
            raise ValidationError(error_of(_("None of its steps is done."), "nothing_done"))
    return change_fact(complaint, {**fields, "told_late": ""}, verb="taken_back")


@transaction.atomic
def name_holder(*, topic: str, holder: Member | None, member: Member) -> Outcome:
    """Say who gets complaints of a topic, whatever duty the policy names; None: as the policy says."""
    known = TopicHolder.objects.filter(topic=topic).select_for_update(of=("self",), no_key=True).first()
    before = known.member_id if known else None
    if before == (holder.pk if holder else None):
        return "unchanged"
    if holder is None:
        record("topic_freed", known, {"member": [before, None]})
        known.delete()
        return "updated"
    row, _made = TopicHolder.objects.update_or_create(topic=topic, defaults={"member": holder})
    record("topic_named", row, {"topic": ["", topic], "member": [before, holder.pk]})
    return "updated"


def _begun(complaint: Complaint, member: Member) -> dict[str, Any]:
    """What a complaint lacks that nobody has been handed yet: who acts first looks after it."""
    if complaint.routed_at is not None:
        return {}
    ours = _Rules()
    kind = complaint.kind or rules.kind_of(complaint.topic, complaint.text)
    due = ours.clocks(complaint, kind, complaint.opened_at)
    return {
        "kind": kind,
        "assignee": complaint.assignee or member,
        "routed_at": timezone.now(),
        "apologise_by": due.apologise_by,
        "promise_by": due.promise_by,
        "solve_by": complaint.promised_until or due.solve_by,
    }


def _past(complaint: Complaint, field: str, at: dt.datetime | None) -> dt.datetime:
    now = timezone.now()
    moment = at or max(now, complaint.opened_at)
    if at is not None and at > now:
        raise ValidationError({field: error_of(_("This lies ahead."), "in_the_future")})
    if moment < complaint.opened_at:
        raise ValidationError({field: error_of(_("This was before the complaint."), "before_opened")})
    return moment


def _note(complaint: Complaint, member: Member, text: str, *, is_told: bool) -> Any:
    if not text.strip():
        return None
    row = ComplaintNote.objects.create(complaint=complaint, member=member, text=text.strip(), is_told=is_told)
    record("noted", complaint, {"note": row.pk, "told": is_told})
    return row


def _refuse_closed(complaint: Complaint) -> None:
    if complaint.called_back_at is not None:
        raise ValidationError(error_of(_("This complaint is closed."), "closed"))


# ── looking ──────────────────────────────────────────────────────────────────


OPEN: Final = Q(called_back_at__isnull=True) & (Q(solved_at__isnull=True) | Q(routed_at__isnull=False))
"""Complaints of which a step is still to do."""


def late(now: dt.datetime) -> Q:
    """Complaints whose next step should have been done by now."""
    return Q(due_at__lte=now)


def waiting_for(member: Member) -> QuerySet[Complaint]:
    """The complaints of which a step is to do that are with a member, among customers that they see."""
    rows: QuerySet[Complaint] = Complaint.objects.visible_to(member).filter(assignee=member, due_at__isnull=False)
    return rows
