"""Playbooks in words: what a step asks, when, by whom, where it goes on; and what became of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from customers.models import Channel, TouchKind
from followups.models import DutyHolder, Script
from risk.models import Alert, PlaybookStep
from risk.models.playbooks import playbook_step_title
from risk.rules.playbooks import ENDINGS, Definition, Step
from segmentation.models import Tier

WHATS: Final[Mapping[str, str | Promise]] = {
    "call": gettext_lazy("Ask what has changed. Listen for plans, stock, a new contact, another supplier."),
    "chat": gettext_lazy("A short personal message; no offer yet."),
    "again": gettext_lazy("At another time of the day, or to another contact."),
    "next-order": gettext_lazy("Agree what they need next and by when, or note that there is nothing."),
    "facts": gettext_lazy("Orders by category, promises, open questions, who decides: on one page."),
    "quality": gettext_lazy("Every complaint of the last half year: cause, solved or not, what the customer said."),
    "technical": gettext_lazy("Which products fell away, what they were used for, what could take their place."),
    "date": gettext_lazy("Sales, after-sales and technical come together; say so, and ask who should be there."),
    "visit": gettext_lazy("On site: look, ask, do not sell. Write down every point with its owner."),
    "measures": gettext_lazy("What we found, what we do, by when, who answers for it."),
    "check": gettext_lazy("Ask whether it is better now. Then say here whether the customer is saved or lost."),
    "team": gettext_lazy("Who leads, who does what; go through the history before anybody calls."),
    "hear": gettext_lazy("The executive calls: apologise, hear everything, promise a plan within two days."),
    "remedy": gettext_lazy("Each failure, its remedy, a name and a date; compensation where it is due."),
    "present": gettext_lazy("Go through the plan in person and change it with them."),
    "deliver": gettext_lazy("Do what the plan says; report each point to the customer when it is done."),
    "phone": gettext_lazy("At another time than before; ask how they are, not for an order."),
    "wechat": gettext_lazy("Personal, short, with something useful for them."),
    "mail": gettext_lazy("Goes out by itself. Whoever answers is no longer silent."),
    "benefit": gettext_lazy("One benefit only they get: a date, a service, a price. Say until when."),
    "learn": gettext_lazy("Price, delivery, terms, service of the other offer; who decides and when."),
    "own-offer": gettext_lazy("Set the whole cost side by side; add service before price."),
    "talk": gettext_lazy("Both offers on one page. Say plainly where the other one is better."),
    "ask-why": gettext_lazy("Why did they go, where do they buy now, what would have to be different."),
    "terms": gettext_lazy("Payment terms, free storage, a discount on the first order, or a trial."),
    "make-offer": gettext_lazy("One offer, one condition, one date."),
    "letter": gettext_lazy("The same offer in writing, with until when it stands."),
}

BRANCH_WORDS: Final[Mapping[str, str | Promise]] = {
    "reached": gettext_lazy("reached"),
    "not_reached": gettext_lazy("not reached"),
    "done": pgettext_lazy("step outcome", "done"),
    "saved": pgettext_lazy("playbook", "saved"),
    "lost": pgettext_lazy("playbook", "lost"),
}

ENDING_WORDS: Final[Mapping[str, str | Promise]] = {
    "end": gettext_lazy("end"),
    "end-saved": gettext_lazy("end: saved"),
    "end-lost": gettext_lazy("end: lost"),
    "end-no-answer": gettext_lazy("end: no answer"),
}
assert set(ENDING_WORDS) == set(ENDINGS)  # noqa: S101  # both are constants: one without the other is a slip

MEASURES: Final[Mapping[str, str | Promise]] = {
    "order": gettext_lazy("the customer orders again"),
    "spend": gettext_lazy("the customer buys at least as much as before"),
}


@dataclass(frozen=True)
class StepWords:
    """A step as people read it. `number` counts from 1; `ways` are outcome and where it goes."""

    number: int
    code: str
    title: str
    what: str
    when: str
    touch: str
    channel: str
    inside: bool
    message: bool
    script: Script | None
    script_code: str
    who: str
    alongside: bool
    asks: bool
    unless: str
    ways: Sequence[tuple[str, str]]


def what_words(step: Step) -> str:
    """What a step asks: as it was written, else as the one that ships."""
    return step.what or str(WHATS.get(step.code, ""))


def steps_words(rules: Definition, scripts: Mapping[str, Script]) -> list[StepWords]:
    """The steps of a definition in words; `scripts` by their codes."""
    facts = {"order": _("an order"), "answer": _("an answer"), "complaint": _("a complaint")}
    titles = {step.code: playbook_step_title(step.code, step.name) for step in rules.steps}
    return [
        StepWords(
            number=number,
            code=step.code,
            title=titles[step.code],
            what=what_words(step),
            when=when_words(step),
            touch=str(TouchKind(step.kind).label),
            channel=str(Channel(step.channel).label),
            inside=step.inside,
            message=step.how == "message",
            script=scripts.get(step.script),
            script_code=step.script,
            who=str(DutyHolder.Duty(step.duty).label),
            alongside=step.alongside,
            asks=step.asks,
            unless=", ".join(facts[fact] for fact in step.unless),
            ways=[
                (str(BRANCH_WORDS[branch]), str(ENDING_WORDS[target]) if target in ENDINGS else titles[target])
                for branch, target in step.then.items()
            ],
        )
        for number, step in enumerate(rules.steps, start=1)
    ]


def span_words(count: int, unit: str) -> str:
    """So much business time: 4 working hours, 2 working days."""
    if unit == "hours":
        return ngettext("%(count)d working hour", "%(count)d working hours", count) % {"count": count}
    return ngettext("%(count)d working day", "%(count)d working days", count) % {"count": count}


def when_words(step: Step) -> str:
    """When a step is done: within 2 working days; from 3 to 5 working days after the start."""
    ends = span_words(step.within, step.unit)
    from_start = step.counts_from == "start"
    if not step.after:
        words = _("within %(ends)s of the start") if from_start else _("within %(ends)s")
        return words % {"ends": ends}
    words = _("%(begins)d to %(ends)s after the start") if from_start else _("%(begins)d to %(ends)s later")
    return words % {"begins": step.after, "ends": ends}


def begins_words(rules: Definition) -> str:
    """What begins a playbook, as a sentence."""
    labels = dict(Alert.Signal.choices)
    signals = ", ".join(str(labels.get(signal, signal)) for signal in rules.signals)
    if not signals:
        return _("begun by hand")
    level = str(Alert.Level(rules.least_level).label)
    words = (
        _("by itself with: %(signals)s (%(level)s or worse)")
        if rules.automatic
        else _("by hand; fits: %(signals)s (%(level)s or worse)")
    )
    return words % {"signals": signals, "level": level}


def tier_words(rules: Definition) -> str:
    """For which tiers; empty for all."""
    return ", ".join(str(Tier(tier).label) if tier in Tier.values else tier for tier in rules.tiers)


def stop_words(rules: Definition) -> str:
    """What ends a playbook well, in words."""
    facts = {"order": _("an order"), "answer": _("an answer")}
    return ", ".join(facts[fact] for fact in rules.stops)


def measure_words(rules: Definition) -> str:
    """When a playbook counts as having helped, as a sentence."""
    words = ngettext(
        "%(what)s within %(days)d day of its start", "%(what)s within %(days)d days of its start", rules.measure_days
    )
    return words % {"what": MEASURES[rules.measure], "days": rules.measure_days}


def step_state(row: PlaybookStep) -> str:
    """What became of a step, in one or two words."""
    if row.status == PlaybookStep.Status.DONE:
        if row.outcome == PlaybookStep.Outcome.SENT and row.message is not None:
            return str(row.message.get_status_display())
        return str(row.get_outcome_display() or row.get_status_display())
    return str(row.get_status_display())
