"""The steps that ship for a crisis, by what went wrong and how bad it is (docs/rules/crisis.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from risk.rules.crisis_policy import ClockKind, Level

Seat = Literal["lead", "contact", "expert", "executive"]
Kind = Literal["wrong_product", "late", "service", "trust", "other"]

KINDS: Final[tuple[Kind, ...]] = ("wrong_product", "late", "service", "trust", "other")
VERSION: Final = 1
"""Grows when the lists change; an incident keeps the steps it was opened with."""


@dataclass(frozen=True)
class Step:
    """A step of the list: whose it is, which clock is met when it is done, and by which clock it is due.

    It is due when the share of its clock's time has passed: 1.0 at the clock's own deadline.
    """

    code: str
    seat: Seat
    by: ClockKind
    share: float = 1.0
    meets: ClockKind | None = None


_FIRST: Final = (
    Step("acknowledge", "contact", "acknowledge", meets="acknowledge"),
    Step("name_team", "lead", "team", meets="team"),
)
_LAST: Final = (
    Step("first_solution", "lead", "solution", meets="solution"),
    Step("compensation", "lead", "solved", share=0.5),
    Step("carry_out", "expert", "solved", share=0.9),
    Step("visit", "executive", "visit", meets="visit"),
    Step("call_back", "contact", "solved", meets="solved"),
    Step("report", "lead", "solved"),
)
_BETWEEN: Final[Mapping[Kind, tuple[Step, ...]]] = {
    "wrong_product": (
        Step("stop_batch", "expert", "solution", share=0.25),
        Step("find_cause", "expert", "solution", share=0.5),
        Step("show_sample", "contact", "solution", share=0.75),
    ),
    "late": (
        Step("locate_goods", "expert", "solution", share=0.25),
        Step("needed_by", "contact", "solution", share=0.25),
        Step("faster_way", "expert", "solution", share=0.75),
    ),
    "service": (
        Step("hear_them", "contact", "solution", share=0.25),
        Step("find_cause", "expert", "solution", share=0.5),
    ),
    "trust": (
        Step("one_voice", "lead", "solution", share=0.25),
        Step("hear_them", "contact", "solution", share=0.25),
        Step("find_cause", "expert", "solution", share=0.5),
    ),
    "other": (Step("find_cause", "expert", "solution", share=0.5),),
}


def steps_for(kind: Kind, level: Level, clocks: Mapping[ClockKind, int]) -> list[Step]:
    """The steps of a crisis in their order; those of a clock that does not run are left out.

    Compensation belongs to serious and major ones, as PLAYBOOK's table has it.
    """
    found = [*_FIRST, *_BETWEEN[kind], *_LAST]
    return [step for step in found if step.by in clocks and (step.code != "compensation" or level != "general")]


CODES: Final = tuple(dict.fromkeys(step.code for each in _BETWEEN.values() for step in (*_FIRST, *each, *_LAST)))
"""Every code that ships."""
