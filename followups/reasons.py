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
from followups.care.words import occasion_words
from followups.rules.policy import PERIOD_DAYS, Period, Touch
from followups.shipped_names import JOURNEYS, PLAYBOOK_STEPS, PLAYBOOKS, STEPS
from tenants.templatetags.perennial import day

if TYPE_CHECKING:
    from followups.models import FollowUp

MANUAL: Final = "manual"
CADENCE: Final = "cadence:"
SIGNAL: Final = "signal:"
SURVEY: Final = "survey:"
CARE: Final = "care:"
JOURNEY: Final = "journey:"
PLAYBOOK: Final = "playbook:"
PLANNED: Final = "planned"
"""What a member has agreed with the customer when they logged a contact: the next touch on a day of their own."""
PROMISE: Final = "promise"
"""The same, promised to the customer: closing the day asks for it."""

WIDTH: Final = 38
"""Columns of a phrase; a Han character takes two."""


class SnoozeReason(models.TextChoices):
    """Why people put a follow-up off. The row keeps the code, or what was written instead."""

    CLOSED = "closed", gettext_lazy("Customer closed until a date")
    LATER = "later", gettext_lazy("Asked to be called later")
    WAITING = "waiting", gettext_lazy("Waiting for an answer")
    ABSENT = "absent", gettext_lazy("Contact is away")
    CARRIED = "carried", gettext_lazy("Carried over at the end of the day")
    MOVED = "moved", gettext_lazy("Moved in the calendar")


def snooze_words(reason: str) -> str:
    """A kept reason in the reader's language; free text as it was written."""
    return str(SnoozeReason(reason).label) if reason in SnoozeReason.values else reason


def asks_for_contact(rule: str, facts: Mapping[str, Any]) -> bool:
    """Whether the rule wants the customer contacted, so that doing the follow-up is a touch.

    A step of a playbook may be done inside the firm; its facts say so.
    """
    if rule.startswith(PLAYBOOK):
        return not facts.get("inside")
    return rule.startswith((CADENCE, SIGNAL, JOURNEY, SURVEY, CARE)) or rule in {PLANNED, PROMISE}


def phrase(follow_up: FollowUp, today: dt.date) -> str:
    """Why the follow-up is here, as of `today`.

    `facts` by rule. cadence:<kind>: every_days. signal:order_silence: since (ISO date of the last order) and
    own_gap (days, or null). signal:contact_silence: since. signal:spec_drift: ratio (now ÷ before). Other signals: what
    risk/rules/signals.py shows of each. manual:
    text. survey:nps, survey:csat: score. care:<kind>: on (ISO date), times, what and by. journey:<code>:<step>: journey and name (as they were named, else code
    and step say it). planned, promise: on (ISO date of the talk) and text. A fact that is missing makes the phrase shorter, never a hole.
    """
    facts, rule = follow_up.facts, follow_up.rule
    if rule.startswith(CADENCE):
        return cut(_cadence(str(TouchKind(follow_up.kind).label), facts.get("every_days")))
    if rule in {PLANNED, PROMISE}:
        return cut(_agreed(rule, facts))
    if rule.startswith(JOURNEY):
        return cut(_journey(facts))
    if rule.startswith(PLAYBOOK):
        return cut(_playbook(facts))
    if rule.startswith(CARE):
        return cut(_care(rule.removeprefix(CARE), facts))
    if rule.startswith(SURVEY):
        return cut(_low_answer(rule, facts))
    written = _SIGNALS.get(rule.removeprefix(SIGNAL))
    text = written(facts, today) if written else str(facts.get("text") or "").strip()
    return cut(text or str(TouchKind(follow_up.kind).label))


def cut(text: str, width: int = WIDTH) -> str:
    """The text in at most `width` columns, an ellipsis where it was cut."""
    text = " ".join(text.split())
    # Most are told by their length: no character of ASCII takes two columns.
    if (len(text) if text.isascii() else sum(map(_columns, text))) <= width:
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


def _agreed(rule: str, facts: Mapping[str, Any]) -> str:
    said, text = facts.get("on"), " ".join(str(facts.get("text") or "").split())
    if said is None:
        head = _("Promised") if rule == PROMISE else _("Agreed")
    else:
        words = _("Promised on %(day)s") if rule == PROMISE else _("Agreed on %(day)s")
        head = words % {"day": day(dt.date.fromisoformat(said))}
    return _("%(head)s: %(text)s") % {"head": head, "text": text} if text else head


def _care(kind: str, facts: Mapping[str, Any]) -> str:
    said = {"what": str(facts.get("what") or ""), "by": str(facts.get("by") or "solar")}
    words = occasion_words(kind, int(facts.get("times") or 0), **said)
    on = facts.get("on")
    if not on:
        return words
    return _("%(day)s: %(what)s") % {"day": day(dt.date.fromisoformat(on)), "what": words}


def _journey(facts: Mapping[str, Any]) -> str:
    code, step = str(facts.get("code") or ""), str(facts.get("step") or "")
    journey = str(facts.get("journey") or JOURNEYS.get(code, code))
    doing = str(facts.get("name") or STEPS.get(step, step))
    if facts.get("alone") or not doing:
        return journey
    return _("%(journey)s: %(step)s") % {"journey": journey, "step": doing} if journey else doing


def _playbook(facts: Mapping[str, Any]) -> str:
    code, step = str(facts.get("code") or ""), str(facts.get("step") or "")
    playbook = str(facts.get("playbook") or PLAYBOOKS.get(code, code))
    doing = str(facts.get("name") or PLAYBOOK_STEPS.get(step, step))
    if not doing:
        return playbook
    return _("%(journey)s: %(step)s") % {"journey": playbook, "step": doing} if playbook else doing


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


def _low_answer(rule: str, facts: Mapping[str, Any]) -> str:
    score = facts.get("score")
    if score is None:
        return _("Low survey answer")
    sentence = _("Answered NPS %(score)s of 10") if rule == f"{SURVEY}nps" else _("Answered CSAT %(score)s of 5")
    return sentence % {"score": score}


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


def _number(words: Callable[[int], str], facts: Mapping[str, Any], *names: str) -> str:
    """A phrase with numbers of the facts in it; empty when one is missing, so that the kind of touch stands there."""
    if any(facts.get(name) is None for name in names):
        return ""
    first = int(facts[names[0]])
    return words(first) % {name: _rounded(facts[name]) for name in names}


def _rounded(value: Any) -> Any:
    return round(value) if isinstance(value, float) else value


def _frequency_falling(facts: Mapping[str, Any], _today: dt.date) -> str:
    return _number(
        lambda _n: _("Orders every %(gap_recent)s days, was %(gap_before)s"), facts, "gap_recent", "gap_before"
    )


def _activity_drop(facts: Mapping[str, Any], _today: dt.date) -> str:
    return _number(
        lambda n: ngettext("%(orders)s order, %(before)s before", "%(orders)s orders, %(before)s before", n),
        facts, "orders", "before",
    )  # fmt: skip


def _category_drop(facts: Mapping[str, Any], _today: dt.date) -> str:
    return _number(
        lambda n: ngettext("%(categories)s category, %(before)s before", "%(categories)s categories, %(before)s before", n),
        facts, "categories", "before",
    )  # fmt: skip


def _complaint_rise(facts: Mapping[str, Any], _today: dt.date) -> str:
    return _number(
        lambda n: ngettext("%(complaints)s complaint in %(orders)s orders", "%(complaints)s complaints in %(orders)s orders", n),
        facts, "complaints", "orders",
    )  # fmt: skip


def _competitor_pull(_facts: Mapping[str, Any], _today: dt.date) -> str:
    return _("Spends less, asks about competitors")


def _unanswered(facts: Mapping[str, Any], _today: dt.date) -> str:
    return _number(
        lambda n: ngettext("%(contacts)s contact unanswered", "%(contacts)s contacts in a row unanswered", n),
        facts, "contacts",
    )  # fmt: skip


def _nps_silence(facts: Mapping[str, Any], today: dt.date) -> str:
    days, nps = _since(facts, today), facts.get("nps")
    if days is None or nps is None:
        return ""
    return ngettext("NPS %(nps)s, no order for %(days)s day", "NPS %(nps)s, no order for %(days)s days", days) % {
        "nps": nps,
        "days": days,
    }


def _leaving(facts: Mapping[str, Any], _today: dt.date) -> str:
    said = {"considers": _("Considers another supplier"), "broke_off": _("Has broken off after a failure")}
    return said.get(str(facts.get("said")), "")


def _repeated_question(facts: Mapping[str, Any], _today: dt.date) -> str:
    return _number(
        lambda n: ngettext("Same question open %(times)s time", "Same question open %(times)s times", n), facts, "times"
    )


def _lapse_forecast(facts: Mapping[str, Any], _today: dt.date) -> str:
    percent = facts.get("percent")
    return _("Lapse at %(percent)s %%") % {"percent": percent} if percent is not None else ""


_SIGNALS: Final[Mapping[str, Callable[[Mapping[str, Any], dt.date], str]]] = {
    "order_silence": _order_silence,
    "contact_silence": _contact_silence,
    "spec_drift": _spec_drift,
    "frequency_falling": _frequency_falling,
    "activity_drop": _activity_drop,
    "category_drop": _category_drop,
    "complaint_rise": _complaint_rise,
    "competitor_pull": _competitor_pull,
    "unanswered": _unanswered,
    "nps_silence": _nps_silence,
    "leaving": _leaving,
    "repeated_question": _repeated_question,
    "lapse_forecast": _lapse_forecast,
}
