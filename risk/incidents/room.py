"""What every verb of the crisis room needs: the lock, the clocks reckoned anew, a line of the log, telling the team."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from followups.notices.services import notify
from risk.incidents.people import hearers
from risk.models import Incident, IncidentClock, IncidentEntry, IncidentPause, IncidentStep
from risk.rules.clocks import deadline_of
from risk.rules.crisis_policy import ClockKind, CrisisPolicy
from risk.rules.incident_steps import Kind, Step, steps_for
from tenants.calendars import firm_calendar
from tenants.models import Member
from tenants.policies import Policy, active_policy
from tenants.rules.calendar import Calendar, Pause


class Refused(ValidationError):
    """A verb that must not happen; its message says why, in the reader's language."""


@dataclass(frozen=True)
class Moved:
    """A clock whose deadline is another one now."""

    kind: str
    before: dt.datetime | None
    after: dt.datetime | None

    def as_json(self) -> list[str | None]:
        """Kind, before, after; moments in ISO 8601."""
        return [self.kind, *(each.isoformat() if each else None for each in (self.before, self.after))]


def lock(incident: Incident, *, is_open: bool = True) -> Incident:
    """The incident as it is now, locked until the transaction ends.

    Raises Refused for one that is closed, unless `is_open` is False; Incident.DoesNotExist when it has gone.
    """
    rows = Incident.objects.select_for_update(of=("self",), no_key=True).select_related("customer", "order")
    row: Incident = rows.get(pk=incident.pk)
    if is_open and not row.is_open:
        raise Refused(_("%(crisis)s is closed. Open it again first.") % {"crisis": row.name}, code="closed")
    return row


def touch(incident: Incident, *fields: str) -> None:
    """Save these fields and let every browser know that something is new."""
    incident.revision += 1
    incident.save(update_fields=[*fields, "revision", "updated_at"])


def pauses_of(incident: Incident) -> list[Pause]:
    """From when to when its clocks stood still."""
    return list(IncidentPause.objects.filter(incident=incident).values_list("started_at", "ended_at"))


def log(
    incident: Incident,
    *,
    member: Member | None,
    code: str = "",
    text: str = "",
    facts: Mapping[str, Any] | None = None,
    is_visible: bool = False,
    about: str = "",
    key: str = "",
    at: dt.datetime | None = None,
) -> tuple[IncidentEntry, bool]:
    """A line of the timeline; with a `key` that it has already, that line and False."""
    key = key or uuid.uuid4().hex
    known = IncidentEntry.objects.filter(incident=incident, key=key).first()
    if known is not None:
        return known, False
    entry = IncidentEntry(
        incident=incident, member=member, code=code, text=text, facts=dict(facts or {}), is_visible=is_visible,
        about=about, key=key, at=at or timezone.now(),
    )  # fmt: skip
    entry.save(force_insert=True)
    return entry, True


def crisis_policy(policy: Policy | None = None) -> CrisisPolicy:
    """The section of a policy, that in force unless one is given."""
    return (policy or active_policy()).section(CrisisPolicy)


def reckon(incident: Incident, calendar: Calendar | None = None) -> list[Moved]:
    """Work out the deadlines of the clocks that run, and of the steps nobody has moved; returns the clocks that changed.

    By the firm's working days and hours as they are now, from when the incident was opened, without its pauses. A
    clock whose new deadline lies ahead is not breached any more.
    """
    calendar = calendar or firm_calendar()
    pauses, now = pauses_of(incident), timezone.now()
    moved = []
    for clock in IncidentClock.objects.filter(incident=incident, met_at__isnull=True, dropped_at__isnull=True):
        target = dt.timedelta(minutes=clock.target_minutes)
        after = deadline_of(calendar, incident.opened_at, target, pauses)
        if after == clock.deadline_at:
            continue
        moved.append(Moved(clock.kind, clock.deadline_at, after))
        clock.deadline_at = after
        if after is None or after > now:
            clock.breached_at = None
        clock.save(update_fields=["deadline_at", "breached_at"])
    _reckon_steps(incident, calendar, pauses)
    return moved


def _reckon_steps(incident: Incident, calendar: Calendar, pauses: list[Pause]) -> None:
    listed = {step.code: step for step in shipped_steps(incident)}
    minutes = running_minutes(incident)
    rows = IncidentStep.objects.filter(incident=incident, status=IncidentStep.Status.OPEN, is_moved=False)
    for row in rows.exclude(code=""):
        step = listed.get(row.code)
        due = due_of(step, minutes, incident.opened_at, calendar, pauses) if step else None
        if due != row.due_at and step is not None:
            row.due_at = due
            row.save(update_fields=["due_at"])


def running_minutes(incident: Incident) -> dict[ClockKind, int]:
    """Business minutes of each clock of the incident's level."""
    rows = IncidentClock.objects.filter(incident=incident, dropped_at__isnull=True)
    return {cast(ClockKind, row.kind): row.target_minutes for row in rows}


def shipped_steps(incident: Incident) -> list[Step]:
    """The steps that its kind and level ask for."""
    return steps_for(cast(Kind, incident.kind), cast(Any, incident.level), running_minutes(incident))


def due_of(
    step: Step, minutes: Mapping[ClockKind, int], opened_at: dt.datetime, calendar: Calendar, pauses: list[Pause]
) -> dt.datetime | None:
    """When a step is due: when its share of its clock has passed."""
    return deadline_of(calendar, opened_at, dt.timedelta(minutes=minutes[step.by]) * step.share, pauses)


def tell(
    incident: Incident,
    kind: str,
    *,
    key: str,
    params: Mapping[str, Any] | None = None,
    members: list[Member] | None = None,
    but: Member | None = None,
) -> int:
    """Tell the people of an incident something, each once for a key; `but` is who did it."""
    people = hearers(incident) if members is None else members
    facts = {"number": incident.number, "title": incident.title, "customer": incident.customer.name}
    return notify(
        members=[member for member in people if but is None or member.pk != but.pk],
        kind=kind,
        key=f"incident:{incident.pk}:{key}",
        params=facts | {"level": incident.level, "drill": incident.is_drill} | dict(params or {}),
        url=f"crises/{incident.pk}/",
    )
