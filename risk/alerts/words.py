"""How an alert stands and what has happened to it, in words of the reader's language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

from customers.asked import OfCustomer
from customers.models import Customer
from followups.reasons import snooze_words
from risk.cases.services import cause_title, tried_title
from risk.models import Alert, AlertRepeat, AnswerRole
from risk.signals.words import sentence
from tenants.models import Event, Member
from tenants.templatetags.perennial import moment


def state_words(alert: Alert, now: dt.datetime) -> str:
    """One word or two: what came of it, that it waits, that nobody has answered in time, or who works on it."""
    if alert.closed_on is not None:
        return str(alert.get_outcome_display())
    if alert.is_snoozed(now):
        return _("snoozed until %(when)s") % {"when": moment(alert.snoozed_until)}
    if alert.first_action_at is not None:
        return pgettext("alert", "in hand")
    return pgettext("alert", "late") if alert.due_at < now else pgettext("alert", "new")


def cause_words(cause: str) -> str:
    """A cause's name; nothing for none."""
    return cause_title(cause) if cause else ""


def tried_words(tried: Sequence[str] | None) -> str:
    """What was tried, in one line."""
    return ", ".join(tried_title(code) for code in tried or [])


_VERBS: Final = {
    "opened": gettext_lazy("The signal fired"),
    "fired_again": gettext_lazy("It fired again"),
    "rose": gettext_lazy("The level rose"),
    "escalated": gettext_lazy("The clock ran out; it went up the line"),
    "answered": gettext_lazy("A contact was logged: the first action"),
    "acted": gettext_lazy("Taken in hand"),
    "snoozed": gettext_lazy("Put off"),
    "woken": gettext_lazy("No longer put off"),
    "assigned": gettext_lazy("Given to somebody"),
    "closed": pgettext_lazy("alert", "Closed"),
    "passed": gettext_lazy("Closed by itself: the signal no longer fires"),
    "reopened": gettext_lazy("Opened again"),
    "undone": gettext_lazy("Taken back"),
}


@dataclass(frozen=True)
class Line:
    """Something that happened to an alert: when, what, the details, and by whom (empty: by the house)."""

    at: dt.datetime
    what: str
    more: str
    who: str


def story(alert: Alert) -> list[Line]:
    """What happened to an alert, the newest first."""
    rows = Event.objects.filter(object_type="alert", object_id=alert.pk, customer_id=alert.customer_id)
    events = list(rows.select_related("actor__user").order_by("-pk")[:200])
    again = [event.pk for event in reversed(events) if event.verb == "fired_again"]
    repeats = AlertRepeat.objects.filter(alert=alert).order_by("pk")
    fired = dict(zip(reversed(again), repeats.reverse(), strict=False))  # from the newest on: old events may be cut off
    people = {pk for event in events for pk in event.changes.get("assignee", []) if isinstance(pk, int)}
    names = {member.pk: str(member) for member in Member.objects.filter(pk__in=people).select_related("user")}
    levels, roles = dict(Alert.Level.choices), dict(AnswerRole.choices)

    def more(event: Event) -> str:
        changes: dict[str, Any] = event.changes
        match event.verb:
            case "fired_again":
                repeat = fired.get(event.pk)
                return sentence(Alert(signal=repeat.signal, facts=repeat.facts)) if repeat else ""
            case "opened" | "rose":
                return str(levels.get(changes.get("level", ""), ""))
            case "escalated":
                return str(roles.get(changes["role"][1], ""))
            case "snoozed":
                until = changes.get("snoozed_until", [None, None])[1]
                reason = changes.get("snooze_reason", [None, alert.snooze_reason])[1] or ""
                when = moment(parse_datetime(until)) if until else ""
                return " · ".join(each for each in (when, snooze_words(reason)) if each)
            case "assigned":
                given = changes["assignee"][1]
                return names.get(given, "") if given else _("whoever has the role")
            case "closed":
                said = changes.get("outcome", ["", ""])[1]
                return " · ".join(
                    each
                    for each in (
                        str(dict(Alert.Outcome.choices).get(said, said)),
                        cause_words(changes.get("cause", ["", ""])[1]),
                        tried_words(changes.get("tried", [[], []])[1]),
                    )
                    if each
                )
        return ""

    return [
        Line(event.at, str(_VERBS.get(event.verb, event.verb)), more(event), str(event.actor) if event.actor else "")
        for event in events
    ]


def open_alerts(customer: Customer) -> list[tuple[Alert, str, str]]:
    """A customer's open alerts, the heaviest first: each with what fired it and how it stands."""
    now = timezone.now()
    return [(row, sentence(row), state_words(row, now)) for row in _open_alerts.rows(customer.pk)]


_open_alerts: Final = OfCustomer[Alert](
    lambda pk: Alert.objects.filter(customer_id=pk, closed_on__isnull=True).order_by("-level", "due_at", "pk")
)
