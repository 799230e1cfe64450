"""Playbooks: steps with role and clock that branch on what came of them (docs/rules/playbooks.md)."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from followups.rules.journeys import STEP_CODE, Channel, Duty, Fact, How
from followups.rules.policy import Kind
from followups.rules.ranking import Level
from followups.rules.variants import LEAST, Difference, Rate, decide, difference
from tenants.rules.calendar import Calendar, NeverOpensError
from tenants.rules.sections import gettext_noop, refusal

PLAYBOOK_CODE: Final = re.compile(r"[a-z][a-z0-9-]{0,15}")

AlertLevel = Literal["mild", "moderate", "severe"]
ALERT_LEVELS: Final[tuple[AlertLevel, ...]] = get_args(AlertLevel)

Unit = Literal["hours", "days"]
From = Literal["previous", "start"]
Measure = Literal["order", "spend"]
Good = Literal["order", "answer"]
"""What ends a playbook well by itself."""

StepOutcome = Literal["reached", "not_reached", "done", "sent", "saved", "lost", "skipped", "left_out", "withdrawn"]
"""What came of a step: the customer was reached or not, it was done (nobody said more), a message went out, the
customer is saved or lost, it was skipped by hand, left out for a fact, or its follow-up was withdrawn."""

Branch = Literal["reached", "not_reached", "done", "saved", "lost"]
BRANCHES: Final[tuple[Branch, ...]] = get_args(Branch)
"""The outcomes on which a step may say where it goes on; a message that went out counts as done."""

Ending = Literal["", "saved", "lost", "no_answer"]
ENDINGS: Final[Mapping[str, Ending]] = {
    "end": "", "end-saved": "saved", "end-lost": "lost", "end-no-answer": "no_answer",
}  # fmt: skip
"""Where a branch may lead beside another step; the codes of steps cannot be these."""

ANSWER_DAYS: Final = 14
"""So many days after the contact a step that asks for an answer goes on without one."""

FAR: Final = 250
"""The most hours or days of business time that a step may lie ahead."""


class Step(BaseModel):
    """One step: when, what, by which way, with which script, by whom, and where it goes on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(title=gettext_noop("Code"))
    name: str = Field("", max_length=60, title=gettext_noop("Name"))
    what: str = Field("", max_length=400, title=gettext_noop("What to do"))
    alongside: bool = Field(False, title=gettext_noop("Together with the step before"))
    counts_from: From = Field("previous", title=gettext_noop("Counts from"))
    after: int = Field(0, ge=0, le=FAR, title=gettext_noop("Not before"))
    within: int = Field(1, ge=1, le=FAR, title=gettext_noop("At the latest after"))
    unit: Unit = Field("days", title=gettext_noop("Counted in"))
    how: How = Field("follow_up", title=gettext_noop("What"))
    inside: bool = Field(False, title=gettext_noop("Inside the firm: no contact"))
    kind: Kind = Field("deep_talk", title=gettext_noop("Kind of touch"))
    channel: Channel = Field("phone", title=gettext_noop("Channel"))
    script: str = Field("", max_length=18, title=gettext_noop("Script"))
    duty: Duty = Field("owner", title=gettext_noop("By whom"))
    level: Level = Field("mild", title=gettext_noop("Weight"))
    asks: bool = Field(False, title=gettext_noop("Asks: saved or lost"))
    unless: tuple[Fact, ...] = Field((), title=gettext_noop("Left out after"))
    then: Mapping[Branch, str] = Field(default_factory=dict, title=gettext_noop("Goes on"))

    @field_validator("code")
    @classmethod
    def _short_code(cls, code: str) -> str:
        if not STEP_CODE.fullmatch(code):
            raise refusal("step_code", gettext_noop("a code is up to 11 small letters, digits and hyphens"))
        if code == "end" or code in ENDINGS:
            raise refusal("step_code_taken", gettext_noop("this word ends a playbook and cannot be a step"))
        return code

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.within < self.after:
            raise refusal("ends_first", gettext_noop("a step cannot be due before it begins"), setting="within")
        if self.how == "message" and not self.script:
            raise refusal("no_script", gettext_noop("a message needs a script"), setting="script")
        if self.how == "message" and self.channel in {"phone", "visit", "store"}:
            raise refusal("not_sent", gettext_noop("nobody can send a call or a visit"), setting="channel")
        if self.how == "message" and (self.inside or self.asks):
            raise refusal(
                "message_inside", gettext_noop("a message goes to the customer and asks nothing of us"), setting="how"
            )
        if self.alongside and self.then:
            raise refusal(
                "two_ways", gettext_noop("a step together with another one goes where that one goes"), setting="then"
            )
        return self


class Definition(BaseModel):
    """What begins a playbook, its steps in order, what ends it, and how it is judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    signals: tuple[str, ...] = Field((), max_length=20, title=gettext_noop("Signals"))
    least_level: AlertLevel = Field("mild", title=gettext_noop("Of level, at least"))
    automatic: bool = Field(False, title=gettext_noop("Begins by itself"))
    tiers: tuple[str, ...] = Field((), max_length=20, title=gettext_noop("Tiers"))
    steps: tuple[Step, ...] = Field(min_length=1, max_length=12, title=gettext_noop("Steps"))
    stops: tuple[Good, ...] = Field((), title=gettext_noop("Ends well after"))
    priority: int = Field(3, ge=1, le=9, title=gettext_noop("Goes first"))
    wait_days: int = Field(14, ge=0, le=365, title=gettext_noop("Waits for another one at most"))
    measure: Measure = Field("order", title=gettext_noop("It helped when"))
    measure_days: int = Field(
        90, ge=7, le=365, title=gettext_noop("Looked at after"), json_schema_extra={"unit": "days"}
    )
    holdout_percent: int = Field(
        0, ge=0, le=50, title=gettext_noop("Held out to compare"), json_schema_extra={"unit": "percent"}
    )
    holdout_severe: bool = Field(False, title=gettext_noop("Hold out severe alerts too"))

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        codes = [step.code for step in self.steps]
        if len(set(codes)) < len(codes):
            raise refusal("step_twice", gettext_noop("two steps have the same code"), setting="steps")
        if self.steps[0].alongside:
            raise refusal("first_alongside", gettext_noop("the first step has none before it"), setting="steps")
        if self.automatic and not self.signals:
            raise refusal("no_signal", gettext_noop("say which signal begins it"), setting="signals")
        heads = {stage[0].code: number for number, stage in enumerate(stages(self.steps))}
        for stage in stages(self.steps):
            for target in stage[0].then.values():
                if target in ENDINGS:
                    continue
                if target not in heads:
                    raise refusal(
                        "no_such_step", gettext_noop("“{step}” goes on to “{target}”, which is no step of its own"),
                        setting="steps", step=stage[0].code, target=target,
                    )  # fmt: skip
                if heads[target] <= heads[stage[0].code]:
                    raise refusal(
                        "goes_back", gettext_noop("“{step}” goes back to “{target}”: a playbook only goes forward"),
                        setting="steps", step=stage[0].code, target=target,
                    )  # fmt: skip
        if lost := [code for code in heads if code not in reachable(self.steps)]:
            raise refusal(
                "never_reached", gettext_noop("no way leads to “{step}”"), setting="steps", step=lost[0]
            )  # fmt: skip
        return self


def faults_of(document: Any) -> list[tuple[str, str, str]]:
    """Path, message and code of all that is wrong with a definition; empty for one that is right."""
    try:
        Definition.model_validate(document)
    except ValidationError as error:
        found = [(".".join(map(str, each["loc"])), each["msg"], each["type"]) for each in error.errors()]
        in_steps = any(place.startswith("steps.") for place, _words, _code in found)
        return [each for each in found if not (in_steps and each[0] == "steps")]
    return []


# ── the way through ─────────────────────────────────────────────────────────


def stages(steps: Sequence[Step]) -> tuple[tuple[Step, ...], ...]:
    """The steps in stages: each begins with a step that is not `alongside`, the others of it are done beside it."""
    found: list[list[Step]] = []
    for step in steps:
        if step.alongside and found:
            found[-1].append(step)
        else:
            found.append([step])
    return tuple(tuple(stage) for stage in found)


def stage_named(steps: Sequence[Step], code: str) -> tuple[Step, ...]:
    """The stage that begins with a step; empty where there is none of the code."""
    return next((stage for stage in stages(steps) if stage[0].code == code), ())


@dataclass(frozen=True)
class Onward:
    """Where a playbook goes when a stage is over: to another stage, or to its end."""

    stage: str = ""
    is_over: bool = False
    ending: Ending = ""


def onward(steps: Sequence[Step], stage: str, outcomes: Mapping[str, StepOutcome]) -> Onward | None:
    """Where it goes on from a stage; None while it waits for an outcome.

    `outcomes`: step code → what came of it. Saved and lost end the playbook at once, whoever of the stage said so,
    unless the stage's first step names another way for it. So does a way that leads to an end; else all steps of the
    stage must have an outcome. What no way is named for goes to the next stage, after the last one to the end.
    Raises ValueError for a stage that there is not.
    """
    group = stage_named(steps, stage)
    if not group:
        raise ValueError(f"no stage {stage!r}")
    head = group[0]
    ways: Mapping[Any, str] = head.then
    named = ways.get(_branch(outcomes[head.code])) if head.code in outcomes else None
    if named is not None and named in ENDINGS:
        return Onward(is_over=True, ending=ENDINGS[named])
    if named is None:
        for step in group:
            said = outcomes.get(step.code)
            if said == "saved" or said == "lost":
                return Onward(is_over=True, ending=said)
    if any(step.code not in outcomes for step in group):
        return None
    if named is not None:
        return Onward(stage=named)
    following = _next_stage(steps, stage)
    return Onward(stage=following) if following else Onward(is_over=True)


def _branch(outcome: StepOutcome) -> str:
    return "done" if outcome == "sent" else outcome


def _next_stage(steps: Sequence[Step], stage: str) -> str:
    heads = [group[0].code for group in stages(steps)]
    at = heads.index(stage) + 1
    return heads[at] if at < len(heads) else ""


def reachable(steps: Sequence[Step]) -> frozenset[str]:
    """The stages that some way leads to, the first one among them."""
    heads = {group[0].code: group[0] for group in stages(steps)}
    found: set[str] = set()
    ahead = [next(iter(heads))]
    while ahead:
        code = ahead.pop()
        if code in found or code not in heads:
            continue
        found.add(code)
        ways = heads[code].then
        ahead += [target for target in ways.values() if target not in ENDINGS]
        # Skipping, and an outcome without a way of its own, go to the next stage: there is always one such.
        if following := _next_stage(steps, code):
            ahead.append(following)
    return frozenset(found)


# ── when ────────────────────────────────────────────────────────────────────


def ahead(base: dt.datetime, count: int, unit: Unit, calendar: Calendar) -> dt.datetime:
    """The moment so many hours or days of business time after `base`; a day is from opening to closing.

    A firm whose calendar never opens counts as its clocks go: nothing would be due otherwise.
    """
    if count <= 0:
        return base
    try:
        found = calendar.deadline(base, count * (dt.timedelta(hours=1) if unit == "hours" else calendar.day_length))
    except NeverOpensError:
        found = None
    return found or base + count * (dt.timedelta(hours=1) if unit == "hours" else dt.timedelta(days=1))


def begins_at(step: Step, start: dt.datetime, stage_at: dt.datetime, calendar: Calendar) -> dt.datetime:
    """When a step may be asked for: never before its stage. `start` and `stage_at` are later by what it waited."""
    base = start if step.counts_from == "start" else stage_at
    return max(ahead(base, step.after, step.unit, calendar), stage_at)


def due_at(step: Step, start: dt.datetime, stage_at: dt.datetime, now: dt.datetime, calendar: Calendar) -> dt.datetime:
    """By when a step is to be done: as the playbook says, but never earlier than it can be asked for."""
    base = start if step.counts_from == "start" else stage_at
    return max(ahead(base, step.within, step.unit, calendar), now)


# ── who is held out, and did it help ────────────────────────────────────────


def is_held_out(tenant: int, playbook: str, customer: int, percent: int) -> bool:
    """Whether a customer is held out of a playbook: the same each time, and of a larger share as well."""
    drawn = hashlib.sha256(f"{tenant}\0{playbook}\0{customer}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") < percent * 2**64 // 100


def may_be_held_out(rules: Definition, level: str) -> bool:
    """Whether a playbook may hold out a customer with an alert of this level: of a severe one only when said so."""
    return rules.holdout_percent > 0 and (level != "severe" or rules.holdout_severe)


def reaches(level: str, least: AlertLevel) -> bool:
    """Whether a level is at least as high as another one."""
    return level in ALERT_LEVELS and ALERT_LEVELS.index(level) >= ALERT_LEVELS.index(least)


Verdict = Literal["not_enough", "no_holdout", "helps", "harms", "no_difference"]


@dataclass(frozen=True)
class Help:
    """Whether a playbook helps: its rate, that of the held out, their difference, and a verdict."""

    treated: Rate
    held: Rate
    difference: Difference | None
    verdict: Verdict


def did_it_help(treated: Rate, held: Rate, least: int = LEAST) -> Help:
    """The verdict of a comparison, by Newcombe's 95 % interval of the difference (followups.rules.variants).

    Below `least` cases on either side nothing is said; without anybody held out nothing can be: a rate alone does not
    tell what would have happened anyway.
    """
    between = difference(treated, held)
    verdict: Verdict
    if treated.of < least:
        verdict = "not_enough"
    elif held.of == 0:
        verdict = "no_holdout"
    elif held.of < least:
        verdict = "not_enough"
    else:
        found = decide(treated, held, least)
        verdict = "helps" if found == "first" else "harms" if found == "second" else "no_difference"
    return Help(treated, held, between, verdict)
