"""Journeys: steps that follow an event of a customer, by conditions, until something stops them (docs/rules/journeys.md)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from followups.rules.policy import Kind
from followups.rules.ranking import Level
from tenants.rules.sections import gettext_noop, refusal

Trigger = Literal["first_order", "complaint_solved", "complaint_opened", "asked", "silence", "announced"]
Channel = Literal["phone", "visit", "wechat", "sms", "email", "app", "store"]
How = Literal["follow_up", "message"]
Duty = Literal["owner", "cover", "lead", "product", "after_sales", "executive"]
Fact = Literal["order", "answer", "complaint"]

WITH_WORDS: Final[frozenset[Trigger]] = frozenset({"complaint_opened", "asked"})
"""Triggers that look for words in what was said."""

GRACE_DAYS: Final = 7
"""An event that becomes known later than this begins no journey: thanks that come weeks late are none."""

STEP_CODE: Final = re.compile(r"[a-z][a-z0-9-]{0,10}")
JOURNEY_CODE: Final = re.compile(r"[a-z][a-z0-9-]{0,17}")


class Conditions(BaseModel):
    """Which customers an event takes along; what is empty asks nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tiers: tuple[str, ...] = Field((), title=gettext_noop("Tiers"))
    bands: tuple[Literal["green", "yellow", "red"], ...] = Field((), title=gettext_noop("Health"))
    countries: tuple[str, ...] = Field((), title=gettext_noop("Countries"))
    least_net: int | None = Field(
        None, ge=0, le=10**12, title=gettext_noop("Net money of the last 12 months, at least")
    )


class Step(BaseModel):
    """One step: from when after the event, by when at the latest, what, by which way, with which script, by whom."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(title=gettext_noop("Code"))
    name: str = Field("", max_length=60, title=gettext_noop("Name"))
    after_hours: int = Field(0, ge=0, le=24 * 366, title=gettext_noop("From, hours after the event"))
    within_hours: int = Field(24, ge=1, le=24 * 366, title=gettext_noop("At the latest, hours after the event"))
    how: How = Field("follow_up", title=gettext_noop("What"))
    kind: Kind = Field("light_touch", title=gettext_noop("Kind of touch"))
    channel: Channel = Field("phone", title=gettext_noop("Channel"))
    script: str = Field("", max_length=18, title=gettext_noop("Script"))
    duty: Duty = Field("owner", title=gettext_noop("By whom"))
    level: Level = Field("routine", title=gettext_noop("Weight"))
    unless: tuple[Fact, ...] = Field((), title=gettext_noop("Left out after"))

    @field_validator("code")
    @classmethod
    def _short_code(cls, code: str) -> str:
        if not STEP_CODE.fullmatch(code):
            raise refusal("step_code", gettext_noop("a code is up to 11 small letters, digits and hyphens"))
        return code

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.within_hours < self.after_hours:
            raise refusal("ends_first", gettext_noop("a step cannot be due before it begins"), setting="within_hours")
        if self.how == "message" and not self.script:
            raise refusal("no_script", gettext_noop("a message needs a script"), setting="script")
        if self.how == "message" and self.channel in {"phone", "visit", "store"}:
            raise refusal("not_sent", gettext_noop("nobody can send a call or a visit"), setting="channel")
        return self


class Definition(BaseModel):
    """What begins a journey, for whom, its steps in order, and what stops it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trigger: Trigger = Field(title=gettext_noop("Begins with"))
    days: int = Field(90, ge=7, le=730, title=gettext_noop("Days without an order"))
    words: tuple[str, ...] = Field((), max_length=30, title=gettext_noop("Words"))
    conditions: Conditions = Field(default_factory=lambda: Conditions(), title=gettext_noop("Only customers"))
    steps: tuple[Step, ...] = Field(min_length=1, max_length=12, title=gettext_noop("Steps"))
    stops: tuple[Fact, ...] = Field((), title=gettext_noop("Stops after"))
    priority: int = Field(5, ge=1, le=9, title=gettext_noop("Goes first"))
    wait_days: int = Field(14, ge=0, le=365, title=gettext_noop("Waits for another journey at most"))

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        codes = [step.code for step in self.steps]
        if len(set(codes)) < len(codes):
            raise refusal("step_twice", gettext_noop("two steps have the same code"), setting="steps")
        if self.trigger in WITH_WORDS and not any(word.strip() for word in self.words):
            raise refusal("no_words", gettext_noop("say which words to look for"), setting="words")
        return self


def faults_of(document: Any) -> list[tuple[str, str, str]]:
    """Path, message and code of all that is wrong with a definition; empty for one that is right."""
    try:
        Definition.model_validate(document)
    except ValidationError as error:
        found = [(".".join(map(str, each["loc"])), each["msg"], each["type"]) for each in error.errors()]
        # A step that is wrong is not counted as one: that there are too few then says nothing more.
        in_steps = any(place.startswith("steps.") for place, _words, _code in found)
        return [each for each in found if not (in_steps and each[0] == "steps")]
    return []


# ── when ────────────────────────────────────────────────────────────────────


def begins_at(step: Step, base: dt.datetime) -> dt.datetime:
    """When a step may be done at the earliest, `base` being the event, moved by the time that the journey waited."""
    return base + dt.timedelta(hours=step.after_hours)


def due_at(step: Step, base: dt.datetime, now: dt.datetime) -> dt.datetime:
    """By when a step is to be done: as the journey says, but never earlier than it can be asked for."""
    return max(base + dt.timedelta(hours=step.within_hours), now)


def on_working_day(
    until: dt.datetime, earliest: dt.datetime, done_by: dt.time, zone: dt.tzinfo, is_working: Callable[[dt.date], bool]
) -> dt.datetime:
    """The deadline of a person's step on a working day: never later than promised, and never before `earliest`.

    Where it falls on a day off, it is the end (`done_by`, local time) of the last working day before; where none lies
    between, it stays as it is.
    """
    day, first = until.astimezone(zone).date(), earliest.astimezone(zone).date()
    while day > first and not is_working(day):
        day -= dt.timedelta(days=1)
    if day == until.astimezone(zone).date() or not is_working(day):
        return until
    moved = dt.datetime.combine(day, done_by, tzinfo=zone)
    return moved if earliest <= moved < until else until


def ready(steps: Sequence[Step], done: Mapping[str, Any], base: dt.datetime, now: dt.datetime) -> list[Step]:
    """The steps that are to be done now, in the order in which they begin; those that are done are left out."""
    open_ones = [step for step in steps if step.code not in done and begins_at(step, base) <= now]
    return sorted(open_ones, key=lambda step: (step.after_hours, steps.index(step)))


def next_at(steps: Sequence[Step], done: Mapping[str, Any], base: dt.datetime) -> dt.datetime | None:
    """When the next step begins; None when all are done."""
    return min((begins_at(step, base) for step in steps if step.code not in done), default=None)


# ── which of several ────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Place:
    """A journey that a customer is in or waits for. A smaller priority goes first, then who came first."""

    pk: int
    priority: int
    entered_at: dt.datetime
    is_active: bool
    expires_at: dt.datetime


@dataclass(frozen=True)
class Settled:
    """Which journey goes on, which wait for it, and which have waited too long."""

    goes: int | None
    waits: tuple[int, ...]
    over: tuple[int, ...]


def settle(places: Sequence[Place], now: dt.datetime) -> Settled:
    """Of all journeys of a customer exactly one goes on, so that never two speak at once.

    The one with the smallest priority number; among equals the one that is under way, then the one that came first.
    The others wait; who still waits at its `expires_at` is over.
    """
    order = sorted(places, key=lambda each: (each.priority, not each.is_active, each.entered_at, each.pk))
    over = tuple(each.pk for each in order[1:] if not each.is_active and each.expires_at <= now)
    waits = tuple(each.pk for each in order[1:] if each.pk not in over)
    return Settled(order[0].pk if order else None, waits, over)


def says(text: str, words: Sequence[str]) -> bool:
    """Whether one of the words is in a text, whatever the case."""
    lower = text.lower()
    return any(word.strip().lower() in lower for word in words if word.strip())
