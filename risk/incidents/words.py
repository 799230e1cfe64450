"""The crisis room in the reader's language: clocks, steps, lines of the log, notices."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

from risk.models import Incident, IncidentClock, IncidentCompensation, IncidentEntry, IncidentSeat, IncidentStep
from risk.rules.causes import CAUSES
from tenants.permissions import Role
from tenants.templatetags.perennial import clock as clock_time
from tenants.templatetags.perennial import money, weekday_day

STEPS: Final[Mapping[str, str | Promise]] = {
    "acknowledge": gettext_lazy("Acknowledge with a name and a time"),
    "name_team": gettext_lazy("Name the team, tell the customer"),
    "stop_batch": gettext_lazy("Stop what is still being made or sent"),
    "find_cause": gettext_lazy("Find the cause and write it down"),
    "show_sample": gettext_lazy("Show the customer the corrected sample"),
    "locate_goods": gettext_lazy("Find out where the goods are"),
    "needed_by": gettext_lazy("Ask by when the customer needs them at the latest"),
    "faster_way": gettext_lazy("Offer a faster way: express, part delivery, stock"),
    "hear_them": gettext_lazy("Hear the customer out, write down what they expect"),
    "one_voice": gettext_lazy("One person speaks, inside and outside"),
    "first_solution": gettext_lazy("First solution in writing, with a date"),
    "compensation": gettext_lazy("Agree the compensation"),
    "carry_out": gettext_lazy("Carry out the solution"),
    "visit": gettext_lazy("Visit the customer"),
    "call_back": gettext_lazy("Call back, confirm it is solved"),
    "report": gettext_lazy("Finish the improvement report"),
}
"""What the shipped steps are called, by their codes (rules/incident_steps.py)."""

ROLES: Final[Mapping[str, str | Promise]] = {
    "account_manager": Role.ACCOUNT_MANAGER.label, "team_lead": Role.TEAM_LEAD.label, "executive": Role.EXECUTIVE.label,
}  # fmt: skip

LED_BY: Final[Mapping[str, str | Promise]] = {
    "general": gettext_lazy("customer service"),
    "serious": gettext_lazy("the after-sales director"),
    "major": gettext_lazy("the general manager"),
}
"""Who leads at a level until the team is named."""


def duration_words(span: dt.timedelta) -> str:
    """Business time as people read it: 13 min, 6 h 22 min, 48 h; parts of a minute are left out."""
    minutes = int(span.total_seconds() // 60)
    hours, rest = divmod(minutes, 60)
    if not hours:
        return _("%(minutes)d min") % {"minutes": rest}
    if not rest:
        return _("%(hours)d h") % {"hours": hours}
    return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": rest}


def when_words(at: dt.datetime | None) -> str:
    """A moment ahead: today 16:00, Sat 21 Nov 08:42."""
    if at is None:
        return ""
    local = timezone.localtime(at)
    if local.date() == timezone.localdate():
        return _("today %(time)s") % {"time": clock_time(at)}
    return f"{weekday_day(local.date())} {clock_time(at)}"


def clock_name(kind: str) -> str:
    """What a clock is called."""
    return str(IncidentClock.Kind(kind).label)


def seat_name(seat: str) -> str:
    """What somebody in a team does."""
    return str(IncidentSeat.Seat(seat).label)


def level_name(level: str) -> str:
    """A level in words."""
    return str(Incident.Level(level).label) if level in Incident.Level.values else level


def step_title(step: IncidentStep) -> str:
    """What a step is called: as somebody wrote it, else as it ships."""
    return step.title or str(STEPS.get(step.code, step.code))


def names_words(names: Sequence[str]) -> str:
    """Several things one after the other."""
    return pgettext("between things of a list", ", ").join(names)


def compensation_words(row: IncidentCompensation) -> str:
    """What is offered: £500 off this order; with the words that were added."""
    how = {
        "discount": _("%(money)s off this order"),
        "credit": _("%(money)s credit for the next order"),
        "replacement": _("replacement at our cost, worth %(money)s"),
        "service": _("added service, worth %(money)s"),
    }[row.kind] % {"money": money(row.amount)}
    return f"{how}: {row.text}" if row.text else how


# ── lines of the log ────────────────────────────────────────────────────────


def entry_words(entry: IncidentEntry) -> str:
    """What a line of the log says. Of what the house noted only "team", "off_hours", "solved" and "report" are visible."""
    if not entry.code:
        return entry.text
    said = _SAID[entry.code](entry.facts)
    return f"{said} {entry.text}" if entry.text else said


def _at(text: str | None) -> str:
    found = parse_datetime(text) if text else None
    return when_words(found) if found else _("no deadline")


def _clocks(facts: Mapping[str, Any]) -> str:
    parts = [f"{clock_name(kind)} {_at(before)} → {_at(after)}" for kind, before, after in facts.get("clocks", [])]
    return names_words(parts)


def _level(facts: Mapping[str, Any]) -> str:
    words = _("Level: %(before)s → %(after)s. %(clocks)s.")
    return words % {"before": level_name(facts["from"]), "after": level_name(facts["to"]), "clocks": _clocks(facts)}


def _off_hours(facts: Mapping[str, Any]) -> str:
    opens = parse_datetime(facts["opens"])
    assert opens is not None  # noqa: S101  # it was written by isoformat()
    words = _("We have received your message outside our working hours. We open again on %(day)s at %(time)s and answer first thing.")  # fmt: skip
    local = timezone.localtime(opens)
    return words % {"day": weekday_day(local.date()), "time": clock_time(opens)}


def _team(facts: Mapping[str, Any]) -> str:
    named = names_words([f"{name} {seat_name(seat)}" for seat, name in facts["seats"]])
    return _("Your team: %(named)s.") % {"named": named}


def _step(facts: Mapping[str, Any]) -> str:
    title = facts.get("title") or str(STEPS.get(facts.get("code", ""), facts.get("code", "")))
    did = {
        "done": _("Done: %(step)s."),
        "undone": _("To do again: %(step)s."),
        "left_out": _("Left out: %(step)s."),
        "added": _("New step: %(step)s."),
        "moved": _("Moved to %(at)s: %(step)s."),
        "handed": _("Handed to %(who)s: %(step)s."),
    }[facts["did"]]
    return did % {"step": title, "at": _at(facts.get("at")), "who": facts.get("who", "")}


def _compensation(facts: Mapping[str, Any]) -> str:
    what = compensation_words(IncidentCompensation(kind=facts["kind"], amount=Decimal(facts["amount"])))
    did = {
        "asked": _("Compensation asked for: %(what)s; %(who)s decides."),
        "approved": _("Compensation approved: %(what)s."),
        "refused": _("Compensation refused: %(what)s."),
        "withdrawn": _("Compensation withdrawn: %(what)s."),
    }[facts["did"]]
    return did % {"what": what, "who": ROLES.get(facts.get("needs", ""), "")}


def _link(facts: Mapping[str, Any]) -> str:
    did = {
        "made": _("%(name)s can open the customer’s page."),
        "sent": _("The link to the customer’s page goes to %(name)s by e-mail."),
        "revoked": _("%(name)s’s link works no more."),
    }[facts["did"]]
    return did % {"name": facts["name"]}


def _closed(facts: Mapping[str, Any]) -> str:
    cause = CAUSES.get(facts["cause"])
    outcome = str(Incident.Outcome(facts["outcome"]).label)
    return _("Closed: %(outcome)s; cause: %(cause)s.") % {
        "outcome": outcome, "cause": _(cause.title) if cause else facts["cause"],
    }  # fmt: skip


_SAID: Final[Mapping[str, Any]] = {
    "opened": lambda facts: _("Opened as %(level)s.") % {"level": level_name(facts["level"])},
    "off_hours": _off_hours,
    "level": _level,
    "paused": lambda _facts: _("Clocks stopped:"),
    "resumed": lambda facts: _("Clocks run again. %(clocks)s") % {"clocks": _clocks(facts)},
    "team": _team,
    "step": _step,
    "breached": lambda facts: _("The clock “%(clock)s” has run out.") % {"clock": clock_name(facts["clock"])},
    "calendar": lambda facts: _("Working days or hours have changed: %(clocks)s.") % {"clocks": _clocks(facts)},
    "compensation": _compensation,
    "link": _link,
    "confirmed": lambda _facts: _("The cause in the improvement report is confirmed."),
    "report": lambda _facts: _("The improvement report is ready. You find it on this page."),
    "solved": lambda _facts: _("We regard this as solved. If anything is left, please tell us."),
    "closed": _closed,
    "reopened": lambda _facts: _("Opened again:"),
}

VISIBLE_CODES: Final = frozenset({"team", "off_hours", "report", "solved"})
"""What the house itself says to the customer."""


# ── notices ─────────────────────────────────────────────────────────────────


def _called(facts: Mapping[str, Any]) -> dict[str, str]:
    name = f"CR-{facts['number']}"
    if facts.get("drill"):
        name = _("Drill %(crisis)s") % {"crisis": name}
    return {"crisis": name, "title": facts["title"], "customer": facts["customer"]}


def opened_notice(facts: Mapping[str, Any]) -> str:
    """A crisis was opened."""
    words = _("%(crisis)s (%(level)s), %(customer)s: %(title)s")
    return words % (_called(facts) | {"level": level_name(facts["level"])})


def level_notice(facts: Mapping[str, Any]) -> str:
    """A crisis has another level."""
    words = _("%(crisis)s, %(customer)s is %(level)s now, was %(before)s: %(title)s")
    return words % (_called(facts) | {"level": level_name(facts["level"]), "before": level_name(facts["from"])})


def seat_notice(facts: Mapping[str, Any]) -> str:
    """Somebody is in a team."""
    words = _("You are in the team of %(crisis)s, %(customer)s (%(seat)s): %(title)s")
    return words % (_called(facts) | {"seat": seat_name(facts["seat"])})


def step_notice(facts: Mapping[str, Any]) -> str:
    """Somebody was handed a step."""
    title = facts.get("step") or str(STEPS.get(facts.get("code", ""), facts.get("code", "")))
    return _("%(crisis)s, %(customer)s: this is yours now: %(step)s") % (_called(facts) | {"step": title})


def breached_notice(facts: Mapping[str, Any]) -> str:
    """A clock has run out."""
    words = _("%(crisis)s, %(customer)s: the clock “%(clock)s” has run out: %(title)s")
    return words % (_called(facts) | {"clock": clock_name(facts["clock"])})


def approval_notice(facts: Mapping[str, Any]) -> str:
    """A compensation waits for approval."""
    what = compensation_words(IncidentCompensation(kind=facts["kind"], amount=Decimal(facts["amount"])))
    return _("%(crisis)s, %(customer)s: approve the compensation? %(what)s") % (_called(facts) | {"what": what})


def decided_notice(facts: Mapping[str, Any]) -> str:
    """A compensation was approved or refused."""
    what = compensation_words(IncidentCompensation(kind=facts["kind"], amount=Decimal(facts["amount"])))
    status = str(IncidentCompensation.Status(facts["status"]).label)
    return _("%(crisis)s, %(customer)s: compensation %(status)s: %(what)s") % (
        _called(facts) | {"what": what, "status": status}
    )


CHECKS: Final[Mapping[str, str | Promise]] = {
    "filled": gettext_lazy("all three parts are written"),
    "no_internal": gettext_lazy("no internal note stands in it word for word"),
    "cause_confirmed": gettext_lazy("cause confirmed"),
    "compensation": gettext_lazy("no compensation waits for approval"),
    "solved": gettext_lazy("solved and called back"),
}
"""What must hold before a report is sent (rules/improvement.py)."""

STATES: Final[Mapping[str, str | Promise]] = {
    "met": pgettext_lazy("clock", "met"),
    "met_late": pgettext_lazy("clock", "met late"),
    "running": pgettext_lazy("clock", "running"),
    "paused": pgettext_lazy("clock", "stopped"),
    "breached": pgettext_lazy("clock", "run out"),
    "dropped": pgettext_lazy("clock", "not at this level"),
    "never": pgettext_lazy("clock", "no working hours"),
}
"""How a clock stands (rules/clocks.py)."""
