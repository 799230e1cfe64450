"""Steps of a crisis: done, done again, left out, moved, handed over, added."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.services.rows import Outcome, clean, error_of
from risk.incidents.room import Refused, lock, log, tell, touch
from risk.incidents.services import meet, unmeet
from risk.models import Incident, IncidentStep
from tenants.events import acting, record
from tenants.models import Member

S = IncidentStep.Status


def _facts(step: IncidentStep, did: str, **more: Any) -> dict[str, Any]:
    return {"did": did, "step": step.pk, "code": step.code, "title": step.title, **more}


def _locked(step: IncidentStep) -> tuple[Incident, IncidentStep]:
    incident = lock(step.incident)
    row: IncidentStep = IncidentStep.objects.select_related("owner__user").get(pk=step.pk)
    return incident, row


def done(*, step: IncidentStep, member: Member, note: str = "", is_visible: bool = False) -> Outcome:
    """Tick a step off; the clock that it meets stops. `note` goes into the log, where the customer may see it.

    The team's step is done by naming the team: then this refuses.
    """
    with acting(member):
        incident, row = _locked(step)
        if row.status == S.DONE:
            return "unchanged"
        if row.meets == "team":
            raise Refused(_("Name the team: that does this step."), code="name_team")
        now = timezone.now()
        row.status, row.done_at, row.done_by = S.DONE, now, member
        row.save(update_fields=["status", "done_at", "done_by"])
        if row.meets:
            meet(incident, row.meets, member, now)
        log(incident, member=member, code="step", facts=_facts(row, "done"))
        if note.strip():
            log(incident, member=member, text=note.strip(), is_visible=is_visible)
        touch(incident)
        record("step_done", incident, {"step": row.code or row.title})
        return "updated"


def undo(*, step: IncidentStep, member: Member) -> Outcome:
    """Put a step back that was ticked off or left out by mistake; the clock that it met runs again."""
    with acting(member):
        incident, row = _locked(step)
        if row.status == S.OPEN:
            return "unchanged"
        if row.meets == "team" and incident.team_revision:
            raise Refused(_("The team is named; name another one instead."), code="team_named")
        was_done = row.status == S.DONE
        row.status, row.done_at, row.done_by = S.OPEN, None, None
        row.save(update_fields=["status", "done_at", "done_by"])
        if row.meets and was_done:
            unmeet(incident, row.meets)
        log(incident, member=member, code="step", facts=_facts(row, "undone"))
        touch(incident)
        record("step_undone", incident, {"step": row.code or row.title})
        return "updated"


def leave_out(*, step: IncidentStep, member: Member) -> Outcome:
    """Leave a step out; one that meets a clock cannot be left out."""
    with acting(member):
        incident, row = _locked(step)
        if row.status == S.LEFT_OUT:
            return "unchanged"
        if row.status == S.DONE:
            raise Refused(_("It is done already."), code="done")
        if row.meets:
            raise Refused(_("A clock runs for this step: it cannot be left out."), code="clock")
        row.status, row.done_at, row.done_by = S.LEFT_OUT, timezone.now(), member
        row.save(update_fields=["status", "done_at", "done_by"])
        log(incident, member=member, code="step", facts=_facts(row, "left_out"))
        touch(incident)
        record("step_left_out", incident, {"step": row.code or row.title})
        return "updated"


def change(*, step: IncidentStep, member: Member, due_at: dt.datetime | None, owner: Member | None) -> Outcome:
    """Move a step to another moment, hand it to somebody else, or both. Clocks do not move with it.

    Raises ValidationError by field for a moment before the crisis began and for who cannot work on crises.
    """
    with acting(member):
        incident, row = _locked(step)
        if row.status != S.OPEN:
            raise Refused(_("It is no longer to do."), code="closed")
        _check(incident, due_at, owner)
        is_moved, is_handed = due_at != row.due_at, (owner.pk if owner else None) != row.owner_id
        if not (is_moved or is_handed):
            return "unchanged"
        row.due_at, row.owner = due_at, owner
        row.is_moved = row.is_moved or is_moved
        row.save(update_fields=["due_at", "owner", "is_moved"])
        if is_moved:
            at = due_at.isoformat() if due_at else None
            log(incident, member=member, code="step", facts=_facts(row, "moved", at=at))
        if is_handed:
            log(incident, member=member, code="step", facts=_facts(row, "handed", who=str(owner or _("nobody"))))
        touch(incident)
        record("step_changed", incident, {"step": row.code or row.title, "owner": owner.pk if owner else None})
        if is_handed and owner is not None:
            _tell(incident, row, owner, member)
        return "updated"


def _tell(incident: Incident, row: IncidentStep, owner: Member, member: Member) -> None:
    key = f"step:{row.pk}:{incident.revision}"
    tell(
        incident, "incident.step", key=key, members=[owner], params={"code": row.code, "step": row.title}, but=member
    )  # fmt: skip


def _check(incident: Incident, due_at: dt.datetime | None, owner: Member | None) -> None:
    wrong = {}
    if due_at is not None and due_at < incident.opened_at:
        wrong["due_at"] = error_of(_("That is before the crisis began."), "too_early")
    if owner is not None and not (owner.is_active and owner.can("incidents:write")):
        wrong["owner"] = error_of(_("%(name)s cannot work on crises.") % {"name": owner}, "no_permission")
    if wrong:
        raise ValidationError(wrong)


def add(
    *, incident: Incident, title: str, member: Member, owner: Member | None = None, due_at: dt.datetime | None = None
) -> IncidentStep:
    """A step of one's own, behind the others that are to do. Raises ValidationError by field."""
    with acting(member):
        row = lock(incident)
        _check(row, due_at, owner)
        last = IncidentStep.objects.filter(incident=row).exclude(code__in=["call_back", "report"])
        position = int(last.aggregate(last=Max("position"))["last"] or 0) + 1
        step = IncidentStep(
            incident=row, position=position, title=title.strip(), owner=owner, due_at=due_at, is_moved=True
        )
        needed = {} if title.strip() else {"title": error_of(_("This is needed."), "required")}
        clean(step, check=lambda _row: needed)
        step.save(force_insert=True)
        log(row, member=member, code="step", facts=_facts(step, "added"))
        touch(row)
        record("step_added", row, {"step": step.title})
        if owner is not None:
            _tell(row, step, owner, member)
        return step
