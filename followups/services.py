"""Writing: what people do with follow-ups.

Each verb is one transaction, leaves one event for each follow-up that it changed, may be sent twice, and
can be undone by `undo` with the ids of those events. Raising and withdrawing in bulk is raising.py's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

import customers.services
from customers.models import Channel, Customer, Interaction
from followups.models import FollowUp
from followups.querysets import FollowUpQuerySet
from followups.reasons import CADENCE, PLANNED, PROMISE, SnoozeReason, asks_for_contact
from followups.rules.policy import CadencePolicy
from followups.rules.ranking import explain, weight_of
from health.counting import recounted
from tenants.base import POINTS
from tenants.context import current_tenant
from tenants.events import acting, changes_of, record
from tenants.models import Event, Member
from tenants.policies import active_policy

MANY: Final = 500
"""The most follow-ups that one call changes."""

NOTE_LENGTH: Final = 4000
REASON_LENGTH: Final = 120
PLAN_MAX_DAYS: Final = 366
"""How far ahead a touch can be agreed by hand."""

_DAYS: Final = frozenset({"snoozed_until", "due_on"})
_MOMENTS: Final = frozenset({"closed_at", "due_at"})


class Refused(ValidationError):
    """A verb that must not happen; its message says why, in the user's language."""


class AlreadyClosed(Refused):
    """Somebody was faster, or the night found that the reason is gone."""

    def __init__(self, follow_up: FollowUp, member: Member) -> None:
        self.follow_up = follow_up
        super().__init__(who_was_faster(follow_up, member), code="closed")


@dataclass(frozen=True)
class Change:
    """What a verb did.

    `follow_ups` it changed, `stays` those that it must not change, with the reason in words. `events` undo
    it; empty when it had happened before and nothing was written. `satisfied` are other follow-ups of the
    same customers that the contact has answered as well, `planned` what comes next by hand.
    """

    follow_ups: list[FollowUp] = field(default_factory=list)
    stays: list[tuple[FollowUp, str]] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    satisfied: list[FollowUp] = field(default_factory=list)
    interaction: Interaction | None = None
    planned: list[FollowUp] = field(default_factory=list)


def complete(*, follow_up: FollowUp, member: Member) -> Change:
    """Mark a follow-up done. One that asks for a contact counts as a touch of its kind from now on.

    Doing again what the member has done changes nothing. Raises AlreadyClosed when somebody else closed it.
    """
    with acting(member):
        row = _lock_one(follow_up)
        if row.status == FollowUp.Status.DONE and row.closed_by_id == member.pk:
            return Change()
        _check_open(row, member)
        return _close([row], member)


def complete_many(*, ids: Collection[int], seen: int, member: Member) -> Change:
    """Mark the follow-ups `ids` done, of which the member saw `seen`. Raises Refused when that has changed."""
    with acting(member):
        return _close(_lock_seen(ids, seen, member), member)


def snooze(*, follow_up: FollowUp, member: Member, until: dt.date, reason: str) -> Change:
    """Put a follow-up off to a day, with a reason (a code of reasons.SnoozeReason, or the member's words).

    Raises Refused, in words, for a day that is not after today or too far, without a reason, and for a
    follow-up of a severe alert; AlreadyClosed for one that is closed.
    """
    with acting(member):
        row = _lock_one(follow_up)
        _check_open(row, member)
        return _unless_all_stay(_snooze([row], until, reason))


def snooze_many(*, ids: Collection[int], seen: int, member: Member, until: dt.date, reason: str) -> Change:
    """Put the follow-ups `ids` off, of which the member saw `seen`; severe ones stay.

    Raises Refused as `snooze` does, when none is left, and when what was seen has changed.
    """
    with acting(member):
        return _unless_all_stay(_snooze(_lock_seen(ids, seen, member), until, reason))


def move(*, follow_up: FollowUp, member: Member, to: dt.date) -> Change:
    """Move a follow-up to another day, today or later: what was agreed by hand freely, all else as `snooze` allows it.

    To an earlier day than it was due on it simply becomes due then. Raises Refused, in words, for a day in the past, one
    too far ahead, and for a severe alert that would wait longer; AlreadyClosed for one that is closed.
    """
    with acting(member):
        row = _lock_one(follow_up)
        _check_open(row, member)
        if to == row.day:
            return Change()
        if row.rule not in {PLANNED, PROMISE} and to > row.due_on:
            return _unless_all_stay(_snooze([row], to, SnoozeReason.MOVED))
        _check_plan(to, first=current_tenant().today())
        change = Change()
        _write(row, "moved", {"due_on": to, "due_at": None, "snoozed_until": None, "snooze_reason": ""}, change)
        return change


def plan(
    *,
    customer: Customer,
    member: Member,
    kind: str,
    due_on: dt.date,
    channel: str = Channel.PHONE,
    promised: bool = False,
    text: str = "",
    assignee: Member | None = None,
) -> Change:
    """Agree the next touch with a customer by hand; it is the member's own, and the cadence of its kind waits for it.

    `promised` to the customer: closing the day asks for it. The same kind on the same day twice is one. Who may assign
    gives it to an `assignee` who sees the customer, for today or later. Raises Refused for a day that is not after today,
    or too far ahead, and for an assignee who cannot do it.
    """
    with acting(member):
        today = current_tenant().today()
        _check_plan(due_on, first=today + dt.timedelta(days=0 if assignee else 1))
        if assignee is not None:
            _check_given(customer, member, assignee)
        rule = PROMISE if promised else PLANNED
        period = plan_period(kind=kind, due_on=due_on)
        change = Change()
        # One after the other for one customer: the second finds what the first has made.
        Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
        if not FollowUp.objects.filter(customer=customer, rule=rule, period=period).exists():
            planned = FollowUp(
                customer=customer, assignee=assignee or member, kind=kind, channel=channel, rule=rule, period=period,
                due_on=due_on,
                facts=_agreed(text), priority=_priority(customer),
            )  # fmt: skip
            _raise(planned, change)
        return change


def reassign(*, follow_up: FollowUp, member: Member, assignee: Member) -> Change:
    """Give a follow-up to somebody else, who must see the customer.

    Who may assign, to anybody; others to the customer's A or B owner. Raises Refused otherwise, and
    AlreadyClosed for one that is closed.
    """
    with acting(member):
        row = _lock_one(follow_up)
        _check_open(row, member)
        return _unless_all_stay(_reassign([row], member, assignee))


def reassign_many(*, ids: Collection[int], seen: int, member: Member, assignee: Member) -> Change:
    """Give the follow-ups `ids`, of which the member saw `seen`, to somebody else; those they may not see stay.

    Raises Refused when none is left, and when what was seen has changed.
    """
    with acting(member):
        return _unless_all_stay(_reassign(_lock_seen(ids, seen, member), member, assignee))


def plan_period(*, kind: str, due_on: dt.date) -> str:
    """What makes a touch that was agreed by itself this one: its kind and day."""
    return f"{kind}:{due_on.isoformat()}"


def log_contact(
    *,
    follow_up: FollowUp,
    member: Member,
    channel: str,
    answered: bool | None,
    note: str = "",
    kind: str = "",
    about_competitor: bool = False,
    leaving: str = "",
    anyway: bool = False,
    next_on: dt.date | None = None,
    next_kind: str = "",
    promised: bool = False,
) -> Change:
    """Log a contact with the customer and close the follow-up with it.

    `answered`: True for a talk, False for no answer, None where that is not known yet (a message was sent).
    The touch counts for the cadence from today; the night raises the next one. Open cadence follow-ups of the
    same kind are satisfied by it and close too. The same contact sent twice is logged once. Raises
    AlreadyClosed when somebody else closed the follow-up; `anyway` then logs the contact all the same.

    `next_on` plans the next touch by hand for that day, of `next_kind` (that of the contact where empty), `promised` to
    the customer or not; without it the cadence plans. Raises Refused ("past", "too_far") for a day that cannot be.
    """
    with acting(member):
        row = _lock_one(follow_up)
        note = note.strip()
        if len(note) > NOTE_LENGTH:
            raise Refused(_("At most %(count)d characters.") % {"count": NOTE_LENGTH}, code="too_long")
        if next_on is not None:
            _check_plan(next_on, first=current_tenant().today() + dt.timedelta(days=1))
        said: _Said = {
            "channel": channel, "kind": kind or row.kind, "answered": answered, "about_competitor": about_competitor,
            "leaving": leaving, "note": note,
        }  # fmt: skip
        if row.status != FollowUp.Status.OPEN:
            before = row.interaction
            if before and before.member_id == member.pk and not changes_of(before, dict(said)):
                return Change(interaction=before)
            if not anyway:
                raise AlreadyClosed(row, member)
            change = Change(interaction=_log(row, member, said))
        else:
            change = _close([row], member, said)
        if next_on is not None:
            _plan_next(row, member, change, next_on, next_kind or said["kind"], promised=promised)
        return change


def add_words(*, follow_up: FollowUp, member: Member, note: str) -> Change:
    """Say afterwards what came of a follow-up that the member has done without a word.

    The words stand at the contact that was logged with it, else a contact is logged now. Raises Refused for one that is
    open, that somebody else closed, for no words or too many.
    """
    with acting(member):
        row = _lock_one(follow_up)
        note = note.strip()
        if row.status != FollowUp.Status.DONE or row.closed_by_id != member.pk:
            raise Refused(_("Only who has done it can say what came of it."), code="not_yours")
        if not note:
            raise Refused(_("Say what came of it."), code="no_reason")
        if len(note) > NOTE_LENGTH:
            raise Refused(_("At most %(count)d characters.") % {"count": NOTE_LENGTH}, code="too_long")
        change = Change()
        if row.interaction is not None:
            customers.services.patch_interaction(interaction=row.interaction, note=note)
            return Change(interaction=row.interaction)
        said: _Said = {
            "channel": row.channel, "kind": row.kind, "answered": None, "about_competitor": False, "leaving": "", "note": note,
        }  # fmt: skip
        interaction = _log(row, member, said)
        _write(row, "logged", {"interaction": interaction}, change)
        return Change(change.follow_ups, events=change.events, interaction=interaction)


def undo(*, events: Sequence[int], member: Member) -> Change:
    """Take back what the member (or, for who may assign, anybody) did with follow-ups: the ids of its events.

    A contact that was logged with it is removed. Undoing twice changes nothing. Raises Refused when somebody
    has changed a follow-up since: then nothing is taken back.
    """
    with acting(member), customers.services.arrivals_last():
        return _undo(events, member)


def undo_each(*, groups: Sequence[Sequence[int]], member: Member) -> list[Change | Refused]:
    """Take back several groups of events, each as `undo` does; one that is refused leaves the others as they come.

    One transaction. Returns for each group its change, or why nothing of it was taken back.
    """
    with acting(member), customers.services.arrivals_last():
        ids = Event.objects.filter(pk__in=[event for group in groups for event in group], object_type="followup")
        _lock(FollowUp.objects.filter(pk__in=list(ids.values_list("object_id", flat=True))))  # all at once, in order
        done: list[Change | Refused] = []
        for group in groups:
            try:
                with transaction.atomic():
                    done.append(_undo(group, member))
            except Refused as refusal:
                done.append(refusal)
        return done


def do_many(*, ids: Collection[int], verb: str, said: Mapping[str, Any], member: Member) -> Change:
    """Do one verb of a bulk with the follow-ups `ids`; whatever cannot be changed stays, and that is said in words.

    `said` as models.queue.Bulk has it; checked before by `check_verb`. Verbs: complete, snooze, reassign. Raises Refused
    where nothing can be done with any of them, as the verb itself does.
    """
    with acting(member):
        rows = _lock(_visible(member).filter(pk__in=ids))
        is_open = [row for row in rows if row.status == FollowUp.Status.OPEN]
        if verb == "complete":
            change = _close(is_open, member)
        elif verb == "snooze":
            change = _snooze(is_open, dt.date.fromisoformat(said["until"]), said["reason"])
        else:
            change = _reassign(is_open, member, Member.objects.select_related("user").get(pk=said["assignee"]))
        closed = [row for row in rows if row.status != FollowUp.Status.OPEN and row.pk not in _ids(change.follow_ups)]
        change.stays.extend((row, who_was_faster(row, member)) for row in closed)
        return change


def lock_visible(ids: Collection[int], member: Member) -> list[FollowUp]:
    """The follow-ups `ids` that the member sees, locked until the transaction ends, with customer and people."""
    return _lock(_visible(member).filter(pk__in=ids))


def done_by_message(row: FollowUp, member: Member, change: Change) -> None:
    """Mark a locked, open follow-up done by a message that is on its way; what sends it logs the contact."""
    closed = {"status": FollowUp.Status.DONE.value, "closed_at": timezone.now(), "closed_by": member}
    _write(row, "completed", closed, change)


def check_verb(*, verb: str, said: Mapping[str, Any]) -> None:
    """Raises Refused for what no follow-up could be done with: a day in the past, no reason, nobody who may work."""
    if verb == "snooze":
        _check_snooze(dt.date.fromisoformat(said["until"]), said["reason"])
    if verb == "reassign":
        _check_assignee(Member.objects.select_related("user").get(pk=said["assignee"]))


def change_owner(*, customer: Customer, owner_a: Member | None, owner_b: Member | None, member: Member) -> Change:
    """Give a customer to other owners; open follow-ups of an owner who leaves go to the one who comes.

    Returns the follow-ups that moved. Raises ValidationError as customers.services.set_owners does.
    """
    with acting(member):
        moves = {customer.owner_a_id: owner_a} if customer.owner_a != owner_a else {}
        if customer.owner_b_id and customer.owner_b != owner_b and customer.owner_b_id not in moves:
            moves[customer.owner_b_id] = owner_b or owner_a
        with recounted([customer.pk]):
            customers.services.set_owners(customer=customer, owner_a=owner_a, owner_b=owner_b)
        stay = {owner.pk for owner in (owner_a, owner_b) if owner}
        change = Change()
        for row in _lock(FollowUp.objects.filter(customer=customer, status=FollowUp.Status.OPEN)):
            if row.assignee_id in moves and row.assignee_id not in stay:
                _write(row, "reassigned", {"assignee": moves[row.assignee_id]}, change)
        return change


class _Said(TypedDict):
    """A contact as it is logged."""

    channel: str
    kind: str
    answered: bool | None
    about_competitor: bool
    leaving: str
    note: str


# ── what the verbs share ────────────────────────────────────────────────────


def _undo(events: Sequence[int], member: Member) -> Change:
    found = list(Event.objects.filter(pk__in=events, object_type="followup").order_by("-pk"))
    if not found or len(found) != len(set(events)):
        raise Refused(_("There is nothing to undo."), code="unknown")
    if any(event.actor_id != member.pk for event in found) and not member.can("follow-ups:assign"):
        raise Refused(_("Only who did it can undo it."), code="not_yours")
    rows = {row.pk: row for row in _lock(_visible(member).filter(pk__in=[event.object_id for event in found]))}
    if len(rows) != len({event.object_id for event in found}):
        raise Refused(_("There is nothing to undo."), code="unknown")
    done = _undone(found)
    change = Change()
    for event in found:
        if event.pk not in done:
            _take_back(rows[event.object_id], event, change)
    return change


def _ids(rows: Sequence[FollowUp]) -> set[int]:
    return {row.pk for row in rows}


def _check_plan(day: dt.date, *, first: dt.date) -> None:
    if day < first:
        words = _("Plan it for a day after today.") if first > current_tenant().today() else _("That day has passed.")
        raise Refused(words, code="past")
    if day > current_tenant().today() + dt.timedelta(days=PLAN_MAX_DAYS):
        raise Refused(_("At most %(days)d days ahead.") % {"days": PLAN_MAX_DAYS}, code="too_far")


def _agreed(text: str) -> dict[str, Any]:
    return {"on": current_tenant().today().isoformat(), "text": " ".join(text.split())[:REASON_LENGTH]}


def _plan_next(row: FollowUp, member: Member, change: Change, day: dt.date, kind: str, *, promised: bool) -> None:
    """Raise what comes next as the member's own; the contact makes it unique, and undoing takes it back as well."""
    assert change.interaction is not None  # noqa: S101  # a contact has just been logged
    planned = FollowUp(
        customer=row.customer,
        contact=row.contact,
        assignee=member,
        kind=kind,
        channel=change.interaction.channel,
        rule=PROMISE if promised else PLANNED,
        period=str(change.interaction.pk),
        facts=_agreed(change.interaction.note),
        due_on=day,
        priority=row.priority // weight_of(row.level),
    )
    _raise(planned, change)


def _raise(planned: FollowUp, change: Change) -> None:
    planned.policy_version = active_policy().number
    planned.save(force_insert=True)
    # Undoing it is its cancellation.
    event = record("planned", planned, {"status": [FollowUp.Status.CANCELLED.value, FollowUp.Status.OPEN.value]})
    change.events.append(event.pk)
    change.planned.append(planned)


def _priority(customer: Customer) -> int:
    standing, health = customer.standings.first(), customer.health_scores.first()
    money = int(standing.monetary * POINTS) if standing else None
    found = explain(
        priority=0,
        money=money,
        score=health.score if health else None,
        level="routine",
        due_on=dt.date.min,
        as_of=dt.date.min,
    )
    return found.worth // 100 * found.risk * found.weight


def _visible(member: Member) -> FollowUpQuerySet:
    return FollowUp.objects.visible_to(member)


def _lock(rows: FollowUpQuerySet) -> list[FollowUp]:
    """The rows, locked until the transaction ends, always in the same order, so that two calls never wait crosswise."""
    ids = list(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
    # Read after the lock is held: rows joined while waiting for it would be those of before.
    related = FollowUp.objects.select_related("customer", "contact", "assignee", "interaction", "closed_by__user")
    return list(related.filter(pk__in=ids).order_by("pk"))


def _lock_one(follow_up: FollowUp) -> FollowUp:
    """Raises FollowUp.DoesNotExist when it has gone with its customer."""
    for row in _lock(FollowUp.objects.filter(pk=follow_up.pk)):
        return row
    raise FollowUp.DoesNotExist


def _lock_seen(ids: Collection[int], seen: int, member: Member) -> list[FollowUp]:
    """The open ones of `ids`, locked; those that the member closed a moment ago, by sending twice, left out.

    Raises Refused when the rest are not what the member saw.
    """
    wanted = set(ids)
    if not wanted:
        raise Refused(_("Nothing is selected."), code="empty")
    if len(wanted) > MANY:
        raise Refused(_("At most %(count)d at once.") % {"count": MANY}, code="too_many")
    rows = _lock(_visible(member).filter(pk__in=wanted))
    unseen = [row for row in rows if row.status != FollowUp.Status.OPEN and row.closed_by_id != member.pk]
    if unseen or len(rows) != len(wanted) or seen != len(wanted):
        if unseen and len(wanted) == 1:
            raise AlreadyClosed(unseen[0], member)
        gone = len(wanted) - len(rows) + len(unseen)
        text = ngettext(
            "Nothing was changed: %(count)d of the selected has been closed meanwhile.",
            "Nothing was changed: %(count)d of the selected have been closed meanwhile.",
            gone,
        )
        raise Refused(
            text % {"count": gone} if gone else _("Nothing was changed: the selection is not what you saw."),
            code="changed",
        )
    return [row for row in rows if row.status == FollowUp.Status.OPEN]


def _check_open(row: FollowUp, member: Member) -> None:
    if row.status != FollowUp.Status.OPEN:
        raise AlreadyClosed(row, member)


def who_was_faster(row: FollowUp, member: Member) -> str:
    """Who closed a follow-up and when, in a sentence for the member who wanted to."""
    who, customer = row.closed_by, row.customer.name
    if who is None or row.closed_at is None:
        return _("%(customer)s: no longer needed, the reason has passed.") % {"customer": customer}
    when = date_format(timezone.localtime(row.closed_at), "H:i")
    if current_tenant().local_date(row.closed_at) != current_tenant().today():
        when = f"{date_format(timezone.localtime(row.closed_at), 'SHORT_DATE_FORMAT')} {when}"
    values = {"who": who, "customer": customer, "time": when}
    if who == member:
        return _("You closed %(customer)s at %(time)s already.") % values
    if row.interaction:
        return _("%(who)s logged a contact with %(customer)s at %(time)s.") % values
    return _("%(who)s closed %(customer)s at %(time)s.") % values


def _write(row: FollowUp, verb: str, values: dict[str, Any], change: Change) -> bool:
    """Write the values that differ, with an event, and note both; says whether anything differed."""
    changes = changes_of(row, values)
    if not changes:
        return False
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=[*values, "updated_at"])
    change.events.append(record(verb, row, changes).pk)
    change.follow_ups.append(row)
    return True


def _log(row: FollowUp, member: Member, said: _Said) -> Interaction:
    return customers.services.log_interaction(customer=row.customer, contact=row.contact, member=member, **said)


def _close(rows: Sequence[FollowUp], member: Member, said: _Said | None = None) -> Change:
    """Close open rows as done. With `said`, or where the rule asks for one, a contact is logged."""
    change, now = Change(), timezone.now()
    logged: dict[tuple[int, str], Interaction] = {}
    with customers.services.arrivals_last():
        for row in rows:
            interaction = logged.get((row.customer_id, row.kind))  # two reasons, one contact
            if interaction is None and (said or asks_for_contact(row.rule, row.facts)):
                silent: _Said = {
                    "channel": row.channel, "kind": row.kind, "answered": None, "about_competitor": False, "leaving": "", "note": "",
                }  # fmt: skip
                interaction = _log(row, member, said or silent)
                logged[row.customer_id, interaction.kind] = interaction
            closed = {"status": FollowUp.Status.DONE.value, "closed_at": now, "closed_by": member}
            _write(row, "completed", closed | {"interaction": interaction}, change)
        _satisfy(logged, member, now, change)
    last = next(reversed(logged.values()), None)
    return Change(change.follow_ups, change.stays, change.events, change.satisfied, last)


def _satisfy(logged: dict[tuple[int, str], Interaction], member: Member, now: dt.datetime, change: Change) -> None:
    """Close the cadence's other follow-ups that these contacts have answered: nobody is asked twice."""
    if not logged:
        return
    rows = FollowUp.objects.filter(
        customer__in={customer for customer, _kind in logged},
        rule__in={f"{CADENCE}{kind}" for _customer, kind in logged},
        status=FollowUp.Status.OPEN,
    )
    for row in _lock(rows):
        interaction = logged.get((row.customer_id, row.rule.removeprefix(CADENCE)))
        if interaction:
            answered = Change(events=change.events, follow_ups=change.satisfied)
            closed = {"status": FollowUp.Status.CANCELLED.value, "closed_at": now, "closed_by": member}
            _write(row, "satisfied", closed | {"interaction": interaction}, answered)


def _check_snooze(until: dt.date, reason: str) -> str:
    """The reason without spare blanks. Raises Refused for a day or a reason that cannot be."""
    today = current_tenant().today()
    most = active_policy().section(CadencePolicy).snooze_max_days
    last = today + dt.timedelta(days=most)
    if until <= today:
        raise Refused(_("Snooze to a day after today."), code="past")
    if until > last:
        values = {"days": most, "last": date_format(last, "SHORT_DATE_FORMAT")}
        raise Refused(_("At most %(days)d days, until %(last)s.") % values, code="too_far")
    reason = " ".join(reason.split())
    if not reason:
        raise Refused(_("Say why it can wait."), code="no_reason")
    if len(reason) > REASON_LENGTH:
        raise Refused(_("At most %(count)d characters.") % {"count": REASON_LENGTH}, code="too_long")
    return reason


def _snooze(rows: Sequence[FollowUp], until: dt.date, reason: str) -> Change:
    reason = _check_snooze(until, reason)
    change = Change()
    for row in rows:
        if row.level == FollowUp.Level.SEVERE:
            words = _("%(customer)s stays: severe alerts cannot be snoozed.") % {"customer": row.customer.name}
            change.stays.append((row, words))
        else:
            _write(row, "snoozed", {"snoozed_until": until, "snooze_reason": reason}, change)
    return change


def _check_assignee(assignee: Member) -> None:
    if not assignee.is_active or not assignee.can("follow-ups:write"):
        raise Refused(_("%(who)s does not work on follow-ups.") % {"who": assignee}, code="not_a_worker")


def _check_given(customer: Customer, member: Member, assignee: Member) -> None:
    """Raises Refused for work that the member must not give, or that the assignee could not see."""
    _check_assignee(assignee)
    if assignee.pk != member.pk and not member.can("follow-ups:assign"):
        raise Refused(_("Your lead can give work to others."), code="not_yours")
    if not Customer.objects.visible_to(assignee).filter(pk=customer.pk).exists():
        words = _("%(who)s is neither owner of %(customer)s nor covers it: give them the customer first.")
        raise Refused(words % {"who": assignee, "customer": customer.name}, code="not_seen")


def _reassign(rows: Sequence[FollowUp], member: Member, assignee: Member) -> Change:
    _check_assignee(assignee)
    anybody = member.can("follow-ups:assign")
    asked = {row.customer_id for row in rows}
    seen = set(Customer.objects.visible_to(assignee).filter(pk__in=asked).values_list("pk", flat=True))
    change = Change()
    for row in rows:
        values = {"who": assignee, "customer": row.customer.name}
        if not anybody and assignee.pk not in (row.customer.owner_a_id, row.customer.owner_b_id):
            words = _("%(customer)s stays: you can give it to its A or B owner; your lead can give it to others.")
            change.stays.append((row, words % values))
        elif row.customer_id not in seen:
            words = _("%(customer)s stays: %(who)s is neither its owner nor covers it.")
            change.stays.append((row, words % values))
        else:
            _write(row, "reassigned", {"assignee": assignee}, change)
    return change


def _unless_all_stay(change: Change) -> Change:
    """The change itself. Raises Refused with every reason when it would leave all as it was."""
    if change.stays and not change.follow_ups:
        raise Refused([ValidationError(words, code="stays") for _row, words in change.stays])
    return change


def _undone(events: Sequence[Event]) -> set[int]:
    """The events among these that have been taken back before."""
    again = Event.objects.filter(
        verb="undone",
        object_type="followup",
        customer_id__in={event.customer_id for event in events},
        pk__gt=events[-1].pk,
    )
    return {event.changes["event"] for event in again}


def _take_back(row: FollowUp, event: Event, change: Change) -> None:
    before = {name: _value(name, pair[0]) for name, pair in event.changes.items()}
    # The contact may be gone already, taken back with another follow-up that it answered.
    after = {name: _value(name, pair[1]) for name, pair in event.changes.items() if name != "interaction"}
    if any(getattr(row, _column(name)) != value for name, value in after.items()):
        values = {"customer": row.customer.name}
        raise Refused(_("%(customer)s has been changed since; it cannot be undone.") % values, code="changed")
    interaction = row.interaction if "interaction" in before else None
    for name, value in before.items():
        setattr(row, _column(name), value)
    row.save(update_fields=[*before, "updated_at"])
    if interaction and not FollowUp.objects.filter(interaction=interaction).exists():
        customers.services.delete_interaction(interaction=interaction)
    change.events.append(record("undone", row, {"event": event.pk}).pk)
    # What was planned with a contact goes with it; nobody would say that it was brought back.
    (change.planned if event.verb == "planned" else change.follow_ups).append(row)


def _column(name: str) -> str:
    """Foreign keys are kept as ids in events, and compared as ids."""
    return f"{name}_id" if name in {"assignee", "closed_by", "interaction"} else name


def _value(name: str, kept: Any) -> Any:
    """A value as events keep it (JSON) back in Python."""
    if kept is None:
        return None
    if name in _DAYS:
        return parse_date(kept)
    if name in _MOMENTS:
        return parse_datetime(kept)
    return kept
