"""Why a follow-up is here, in one phrase of the reader's language: at most 38 characters, 18 of them Han.

The row keeps facts, never words: dates and own gaps, from which the phrase is made on the day it is read.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from pydantic import ValidationError

from customers.models import TouchKind
from followups.rules.policy import PERIOD_DAYS, Period, Touch

if TYPE_CHECKING:
    from followups.models import FollowUp

MANUAL: Final = "manual"
CADENCE: Final = "cadence:"
SIGNAL: Final = "signal:"

WIDTH: Final = 38
"""Columns of a phrase; a Han character takes two."""


class SnoozeReason(models.TextChoices):
    """Why people put a follow-up off. The row keeps the code, or what was written instead."""

    CLOSED = "closed", gettext_lazy("Customer closed until a date")
    LATER = "later", gettext_lazy("Asked to be called later")
    WAITING = "waiting", gettext_lazy("Waiting for an answer")
    ABSENT = "absent", gettext_lazy("Contact is away")


def snooze_words(reason: str) -> str:
    """A kept reason in the reader's language; free text as it was written."""
    return str(SnoozeReason(reason).label) if reason in SnoozeReason.values else reason


def asks_for_contact(rule: str) -> bool:
    """Whether the rule wants the customer contacted, so that doing the follow-up is a touch."""
    return rule.startswith((CADENCE, SIGNAL))


def phrase(follow_up: FollowUp, today: dt.date) -> str:
    """Why the follow-up is here, as of `today`.

    `facts` by rule. cadence:<kind>: every_days. signal:order_silence: since (ISO date of the last order) and
    own_gap (days, or null). signal:contact_silence: since. signal:spec_drift: ratio (now ÷ before). manual:
    text. A fact that is missing makes the phrase shorter, never a hole.
    """
    facts, rule = follow_up.facts, follow_up.rule
    if rule.startswith(CADENCE):
        return cut(_cadence(str(TouchKind(follow_up.kind).label), facts.get("every_days")))
    written = _SIGNALS.get(rule.removeprefix(SIGNAL))
    text = written(facts, today) if written else str(facts.get("text") or "").strip()
    return cut(text or str(TouchKind(follow_up.kind).label))


def cut(text: str, width: int = WIDTH) -> str:
    """The text in at most `width` columns, an ellipsis where it was cut."""
    text = " ".join(text.split())
    if sum(map(_columns, text)) <= width:
        return text
    kept, used = "", 1
    for character in text:
        used += _columns(character)
        if used > width:
            break
        kept += character
    return f"{kept.rstrip()}…"


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _cadence(kind: str, days: int | None) -> str:
    # A label begins with a capital; inside a phrase it does not.
    inside = kind[:1].lower() + kind[1:]
    if not days:
        return kind
    words: Mapping[Period, str] = {
        "week": _("Weekly %(kind)s"),
        "month": _("Monthly %(kind)s"),
        "quarter": _("Quarterly %(kind)s"),
        "half_year": _("Half-yearly %(kind)s"),
        "year": _("Yearly %(kind)s"),
    }
    for period, length in PERIOD_DAYS.items():
        if days == length:
            return words[period] % {"kind": inside}
    if days == 1:
        return _("%(kind)s every day") % {"kind": kind}
    sentence = ngettext("%(kind)s every %(days)d day", "%(kind)s every %(days)d days", days)
    return sentence % {"kind": kind, "days": days}


def touches_words(touches: Sequence[Mapping[str, Any]]) -> str:
    """The touches of a tier, as the policy's document has them: "Monthly deep talk, quarterly report".

    What is not a valid touch reads as its kind alone.
    """
    return ", ".join(_touch(each) for each in touches) if touches else "–"


def _touch(said: Mapping[str, Any]) -> str:
    try:
        touch = Touch.model_validate(said)
    except ValidationError:
        return str(said.get("kind", ""))
    return _cadence(str(TouchKind(touch.kind).label), touch.interval_days)


def _since(facts: Mapping[str, Any], today: dt.date) -> int | None:
    since = facts.get("since")
    return (today - dt.date.fromisoformat(since)).days if since else None


def _order_silence(facts: Mapping[str, Any], today: dt.date) -> str:
    days, gap = _since(facts, today), facts.get("own_gap")
    if days is None:
        return _("No order for long")
    if not gap:
        return ngettext("No order for %(days)d day", "No order for %(days)d days", days) % {"days": days}
    sentence = ngettext(
        "No order for %(days)d day, usual gap %(gap)d", "No order for %(days)d days, usual gap %(gap)d", days
    )
    return sentence % {"days": days, "gap": max(1, round(gap))}


def _contact_silence(facts: Mapping[str, Any], today: dt.date) -> str:
    days = _since(facts, today)
    if days is None:
        return _("No contact for long")
    return ngettext("No contact for %(days)d day", "No contact for %(days)d days", days) % {"days": days}


def _spec_drift(facts: Mapping[str, Any], _today: dt.date) -> str:
    ratio = facts.get("ratio")
    if not ratio:
        return _("Order sizes shrink")
    return _("Order sizes at %(percent)d %% of before") % {"percent": round(ratio * 100)}


_SIGNALS: Final[Mapping[str, Callable[[Mapping[str, Any], dt.date], str]]] = {
    "order_silence": _order_silence,
    "contact_silence": _contact_silence,
    "spec_drift": _spec_drift,
}
