"""The ranking of a month and its medals, and which cases are worth telling: decided by quality, never by volume.

What somebody did for a customer in a month is one share per customer, however many contacts, answers or touches it was
made of; what counts is how far it lies above what is usual for customers of that tier. What is usual is counted over the
four quarters before and does not move with what anybody did in the month. So the score of a person is changed by nobody
else, and more of the same quality, or of a worse one, never raises it. The rules stand in docs/rules/awards.md.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Final, Literal, get_args

from incentives.rules.kpis import Period

Share = Literal["coverage", "csat", "first_time", "response_time", "repurchase"]
SHARES: Final[tuple[Share, ...]] = get_args(Share)
"""The KPIs that are somebody's own work. Growth, retention, lifetime value, NPS and the number of referrals are left
out: they follow the market, the products and whom one was given."""

Place = Literal["first", "second", "third"]
PLACES: Final[tuple[Place, ...]] = get_args(Place)
MedalKind = Literal["first", "second", "third", "improved", "case"]
MEDALS: Final[tuple[MedalKind, ...]] = get_args(MedalKind)

WhyNot = Literal["", "left_out", "left", "new", "away", "too_few"]
"""Why somebody has no place: taken out by a correction; no longer there; came within the month; away for too much of
it; too little is known of their work."""

QUARTERS: Final = 4
"""Whole quarters before the month, of which it is known what is usual."""

ENOUGH_USUAL: Final = 30
"""Customers below which a tier's own share says nothing, and that of the whole firm is taken."""

SCORE_PLACES: Final = Decimal("0.01")


# ── what is usual ───────────────────────────────────────────────────────────

UsualFrom = Literal["tier", "firm", "target"]


@dataclass(frozen=True)
class Count:
    """So many customers, and the sum of their shares: from 0 to as many as there are."""

    customers: int = 0
    total: Fraction = Fraction(0)

    def __add__(self, other: Count) -> Count:
        return Count(self.customers + other.customers, self.total + other.total)

    @property
    def percent(self) -> Fraction | None:
        """The customers' mean share in percent; None without a customer."""
        return self.total * 100 / self.customers if self.customers else None


@dataclass(frozen=True)
class Usual:
    """What is usual of a share for customers of a tier, in percent, and where that is from."""

    percent: Fraction
    of: UsualFrom

    @property
    def rounded(self) -> Decimal:
        """The percentage with two decimals."""
        return _decimal(self.percent)


def usual_shares(
    counts: Mapping[tuple[Share, str], Count], targets: Mapping[Share, Fraction], tiers: Iterable[str]
) -> dict[tuple[Share, str], Usual]:
    """What is usual by share and tier: the tier's own, the firm's where too few customers are known, else the target.

    `counts` are those of the quarters before, by share and tier; `targets` in percent.
    """
    found: dict[tuple[Share, str], Usual] = {}
    named = sorted({*tiers, *(tier for _share, tier in counts)})
    for share in SHARES:
        firm = sum((count for (of, _tier), count in counts.items() if of == share), Count())
        for tier in named:
            own = counts.get((share, tier), Count())
            if own.customers >= ENOUGH_USUAL and own.percent is not None:
                found[share, tier] = Usual(own.percent, "tier")
            elif firm.customers >= ENOUGH_USUAL and firm.percent is not None:
                found[share, tier] = Usual(firm.percent, "firm")
            else:
                found[share, tier] = Usual(targets[share], "target")
    return found


def quarters_before(month: Period) -> list[Period]:
    """The four whole quarters before the quarter in which a month lies, the oldest first."""
    return Period.of("quarter", month.start).before.back(QUARTERS)


# ── a person's score ────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Done:
    """What somebody did for a customer in a month, of one share: `hits` of `of` cases. `tier`: with which it began."""

    share: Share
    customer: int
    tier: str
    hits: Fraction
    of: Fraction


@dataclass(frozen=True)
class Part:
    """One share in a score. `value`, `usual` in percent; `above` and `adds` in points of percent.

    Where fewer than the least customers are known it `counts` not; the others then weigh more.
    """

    share: Share
    weight: int
    customers: int
    value: Decimal | None
    usual: Decimal | None
    above: Decimal | None
    counts: bool
    adds: Decimal


@dataclass(frozen=True)
class Score:
    """How far somebody's work lies above the usual, in points of percent; None where too little is known."""

    value: Decimal | None
    parts: tuple[Part, ...]
    known_percent: int


@dataclass(frozen=True)
class Least:
    """From how many customers on a share counts, and how much of the weights must be known for a place."""

    customers: int
    weight_percent: int


def score(
    done: Iterable[Done], usual: Mapping[tuple[Share, str], Usual], weights: Mapping[Share, int], least: Least
) -> Score:
    """The score of one person's month: the weighted mean of how far each share lies above what is usual.

    Each customer counts once per share, whatever it is made of, beside what is usual for its tier: so a portfolio of
    easy customers is no advantage. The parts' `adds` sum up to the score, but for rounding.
    """
    by_customer: dict[tuple[Share, int], list[Done]] = defaultdict(list)
    for each in done:
        if each.of > 0:
            by_customer[each.share, each.customer].append(each)
    own: dict[Share, Count] = defaultdict(Count)
    expected: dict[Share, Fraction] = defaultdict(Fraction)
    for (share, _customer), rows in by_customer.items():
        rate = sum((row.hits for row in rows), Fraction(0)) / sum((row.of for row in rows), Fraction(0))
        own[share] += Count(1, rate)
        expected[share] += usual[share, rows[0].tier].percent
    counted = {share for share in SHARES if weights.get(share) and own[share].customers >= least.customers}
    known = sum(weights[share] for share in counted)
    exact, parts = Fraction(0), []
    for share in SHARES:
        weight, count = weights.get(share, 0), own[share]
        if not weight:
            continue
        value = count.percent
        at = expected[share] / count.customers if count.customers else None
        above = value - at if value is not None and at is not None else None
        adds = above * weight / known if share in counted and above is not None else Fraction(0)
        exact += adds
        parts.append(
            Part(
                share, weight, count.customers, _rounded(value), _rounded(at), _rounded(above), share in counted,
                _decimal(adds),
            )
        )  # fmt: skip
    whole = sum(weights.values())
    percent = known * 100 // whole if whole else 0
    is_known = bool(known) and percent >= least.weight_percent
    return Score(_decimal(exact) if is_known else None, tuple(parts), percent)


def _rounded(value: Fraction | None) -> Decimal | None:
    return None if value is None else _decimal(value)


def _decimal(value: Fraction) -> Decimal:
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(SCORE_PLACES, ROUND_HALF_UP)


# ── who has a place ─────────────────────────────────────────────────────────


@dataclass(frozen=True)
class There:
    """How much of a month somebody was there: working days in it, and those on which they were away."""

    working_days: int
    away_days: int

    def is_too_short(self, most_away_percent: int) -> bool:
        return self.away_days * 100 > self.working_days * most_away_percent


def why_not(
    *, is_left_out: bool, has_left: bool, is_new: bool, there: There, most_away_percent: int, known: Score
) -> WhyNot:
    """Why somebody has no place in a month; "" for who has one. The first that holds is said."""
    if is_left_out:
        return "left_out"
    if has_left:
        return "left"
    if is_new:
        return "new"
    if there.is_too_short(most_away_percent):
        return "away"
    return "too_few" if known.value is None else ""


def places(scores: Mapping[int, Decimal]) -> dict[int, int]:
    """The place of each person by score, the highest first; equal scores share a place, and the next one is left out.

    Nothing but the score tells people apart: not how much they did, nor their names.
    """
    ordered = sorted(scores.values(), reverse=True)
    return {member: ordered.index(score) + 1 for member, score in scores.items()}


@dataclass(frozen=True)
class Given:
    """A medal of the ranking: to whom, and by which numbers. `rise`: against the month before."""

    member: int
    kind: MedalKind
    score: Decimal
    rise: Decimal | None = None


def medals(scores: Mapping[int, Decimal], before: Mapping[int, Decimal], least_people: int) -> list[Given]:
    """The medals of a month: the first three places, and who has improved most of the others.

    None while fewer than `least_people` have a place; no place at or below what is usual; improved is who rose most
    against the month before, above nothing. Equal ones all get the medal.
    """
    if len(scores) < least_people:
        return []
    found = [
        Given(member, PLACES[place - 1], scores[member])
        for member, place in sorted(places(scores).items(), key=lambda each: (each[1], each[0]))
        if place <= len(PLACES) and scores[member] > 0
    ]
    honoured = {each.member for each in found}
    rises = {
        member: value - before[member]
        for member, value in scores.items()
        if member in before and member not in honoured and value > before[member]
    }
    most = max(rises.values(), default=None)
    found += [Given(member, "improved", scores[member], rise) for member, rise in sorted(rises.items()) if rise == most]
    return found


# ── the best case of a month ────────────────────────────────────────────────

CasePoint = Literal["severe", "moderate", "mild", "won_back", "rare", "uneven", "lessons", "tried"]
CASE_POINTS: Final[Mapping[CasePoint, int]] = {
    "severe": 3,
    "moderate": 2,
    "mild": 1,
    "won_back": 2,
    "rare": 3,
    "uneven": 1,
    "lessons": 2,
    "tried": 1,
}
"""What a case has for it: how bad it was, a lost customer that came back, a cause by which customers are rarely kept
(less than a third of its cases) or about as often as not (less than two thirds), lessons that others can use, something
that was tried."""

RARE, UNEVEN = Fraction(1, 3), Fraction(2, 3)
PROPOSED: Final = 5


@dataclass(frozen=True)
class Kept:
    """A case of a month that ended well. `kept_share`: of its cause's cases those that ended so; None: too few cases."""

    case: int
    level: str
    was_won_back: bool
    kept_share: Fraction | None
    has_lessons: bool
    was_tried: bool
    ended_on: dt.date


@dataclass(frozen=True)
class Proposal:
    """A case that may be the best of its month, and what for."""

    case: int
    points: int
    why: tuple[CasePoint, ...]


def proposals(cases: Iterable[Kept], most: int = PROPOSED) -> list[Proposal]:
    """The cases of a month that are most worth telling, best first; equal ones in the order in which they ended.

    What nobody has learned anything from is not proposed: there is nothing to tell.
    """
    found = [(_proposal(each), each) for each in cases if each.has_lessons]
    found.sort(key=lambda pair: (-pair[0].points, pair[1].ended_on, pair[1].case))
    return [proposal for proposal, _case in found[:most]]


def _proposal(case: Kept) -> Proposal:
    why: list[CasePoint] = []
    if case.level == "severe":
        why.append("severe")
    elif case.level == "moderate":
        why.append("moderate")
    elif case.level == "mild":
        why.append("mild")
    if case.was_won_back:
        why.append("won_back")
    if case.kept_share is not None and case.kept_share < UNEVEN:
        why.append("rare" if case.kept_share < RARE else "uneven")
    if case.has_lessons:
        why.append("lessons")
    if case.was_tried:
        why.append("tried")
    return Proposal(case.case, sum(CASE_POINTS[each] for each in why), tuple(why))


# ── what a correction changes ───────────────────────────────────────────────


@dataclass(frozen=True)
class Change:
    """What a correction does to medals: those that are taken back, that are new, and that stay."""

    gone: tuple[tuple[int, MedalKind], ...] = ()
    new: tuple[tuple[int, MedalKind], ...] = ()
    stay: tuple[tuple[int, MedalKind], ...] = field(default=())


def change(before: Sequence[tuple[int, MedalKind]], after: Sequence[tuple[int, MedalKind]]) -> Change:
    """The difference between the medals (member, kind) of two rankings of a month."""
    had, has = set(before), set(after)
    return Change(tuple(sorted(had - has)), tuple(sorted(has - had)), tuple(sorted(had & has)))
