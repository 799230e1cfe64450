"""Growth: how a certification comes to its scores, when a training is done, when a promotion is worth a talk.

Numbers are those of the policy, section "growth"; docs/rules/growth.md says all of it in words.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Literal, get_args

from incentives.rules.kpis import Period

Dimension = Literal["knowledge", "communication", "problems", "coordination"]
DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)
"""The four dimensions of a certification: knowledge, communication, problem solving, coordination."""

State = Literal["open", "scored", "confirmed"]
Verb = Literal["score", "confirm", "send_back"]
STEPS: Final[Mapping[Verb, tuple[State, State]]] = {
    "score": ("open", "scored"),
    "confirm": ("scored", "confirmed"),
    "send_back": ("scored", "open"),
}
"""Each verb leads from one state to another; what is confirmed is led nowhere."""

FULL: Final = Decimal(100)
TENTH: Final = Decimal("0.1")
ON_TARGET: Final = Decimal(100)
YEAR_QUARTERS: Final = 4


# ── certification ───────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Part:
    """Facts of one kind: of `count` things `good` were as they should be."""

    code: str
    good: Decimal
    count: Decimal


def facts_count(parts: Iterable[Part]) -> Decimal:
    """How many facts there are."""
    return sum((part.count for part in parts), Decimal(0))


def score_of(parts: Sequence[Part], least: int) -> Decimal | None:
    """The score that the facts give, 0 to 100 with one decimal: the share of all of them that were as they should be.

    None with fewer than `least` of them: one bad day would decide, and somebody who was there must say it.
    """
    count = facts_count(parts)
    if count < max(1, least):
        return None
    good = sum((part.good for part in parts), Decimal(0))
    return min(FULL, max(Decimal(0), good * 100 / count)).quantize(TENTH, ROUND_HALF_UP)


@dataclass(frozen=True)
class Result:
    """What four scores come to. `below` are the dimensions under the line that each must reach."""

    mean: Decimal
    passed: bool
    below: tuple[Dimension, ...]


def result_of(scores: Mapping[Dimension, Decimal], pass_mean: int, pass_each: int) -> Result:
    """Passed: the mean of the four reaches `pass_mean`, and each of them `pass_each`.

    Raises KeyError when a dimension has no score.
    """
    total = sum((scores[each] for each in DIMENSIONS), Decimal(0))
    mean = (total / len(DIMENSIONS)).quantize(TENTH, ROUND_HALF_UP)
    below = tuple(each for each in DIMENSIONS if scores[each] < pass_each)
    # What is shown decides: a mean that reads 75.0 is 75.
    return Result(mean, mean >= pass_mean and not below, below)


def takes_part(joined_on: dt.date, quarter: Period, least_days: int) -> bool:
    """Whether somebody is certified in a quarter: not who comes when fewer than `least_days` of it are left."""
    return (quarter.end - max(joined_on, quarter.start)).days >= least_days


# ── training ────────────────────────────────────────────────────────────────

Stand = Literal["open", "late", "ready", "approved", "approved_late", "ended"]
STANDS: Final[tuple[Stand, ...]] = get_args(Stand)


def ready_on(done: Iterable[dt.date], wanted: int) -> dt.date | None:
    """The day on which the last customer that was wanted was done; None while there are fewer."""
    days = sorted(done)
    return days[wanted - 1] if len(days) >= wanted else None


def days_late(due_on: dt.date, until: dt.date) -> int:
    """How many days after its day, 0 in time."""
    return max(0, (until - due_on).days)


def stand_of(state: str, due_on: dt.date, ready: dt.date | None, today: dt.date) -> Stand:
    """Where a training stands. Late is who has not done all by the day; for how long the mentor looks nobody is late."""
    if state == "ended":
        return "ended"
    if state == "approved":
        return "approved_late" if ready is not None and ready > due_on else "approved"
    if ready is not None:
        return "ready"
    return "late" if today > due_on else "open"


# ── promotion ───────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class QuarterStand:
    """What a closed score card said of somebody in a quarter; `score` is None where nothing could be measured."""

    period: Period
    is_closed: bool
    score: Decimal | None
    job: str

    @property
    def is_on_target(self) -> bool | None:
        return None if self.score is None else self.score >= ON_TARGET


Ended = Literal["reached", "missed", "gaps", "open", "beginning"]


@dataclass(frozen=True)
class Streak:
    """Quarters on target in a row, up to the last one that is closed.

    `counted` and `gaps` are oldest first. `ended` says why it goes back no further: reached, a quarter that was missed,
    too many without a score, one that nobody has closed, or the beginning of what is known; `ended_by` is that quarter.
    """

    wanted: int
    counted: tuple[QuarterStand, ...]
    gaps: tuple[QuarterStand, ...]
    ended: Ended
    ended_by: Period | None = None

    @property
    def is_reached(self) -> bool:
        return len(self.counted) >= self.wanted

    @property
    def bar(self) -> int:
        """How much of the way, 0 to 100."""
        return min(100, len(self.counted) * 100 // self.wanted)


def streak(quarters: Iterable[QuarterStand], *, wanted: int, most_gaps: int, job: str = "") -> Streak:
    """How many quarters in a row somebody has been on target; `quarters` newest first, without one left out.

    A quarter without a score, or in another job than `job` where one is asked for, is a gap: it neither counts nor
    ends the row, while there are no more than `most_gaps` between quarters that count.
    """
    counted: list[QuarterStand] = []
    gaps: list[QuarterStand] = []
    waiting: list[QuarterStand] = []  # gaps with nothing that counts before them yet
    ended: Ended = "beginning"
    ended_by: Period | None = None
    for each in quarters:
        is_gap = each.score is None or (bool(job) and each.job != job)
        if not each.is_closed:
            ended, ended_by = "open", each.period
        elif is_gap and len(gaps) + len(waiting) >= most_gaps:
            ended, ended_by = "gaps", each.period
        elif is_gap:
            waiting.append(each)
            continue
        elif each.is_on_target:
            gaps, waiting = gaps + waiting, []
            counted.append(each)
            if len(counted) < wanted:
                continue
            ended = "reached"
        else:
            ended, ended_by = "missed", each.period
        break
    return Streak(wanted, tuple(reversed(counted)), tuple(reversed(gaps)), ended, ended_by)
