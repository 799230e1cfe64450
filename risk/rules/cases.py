"""What the case library says: why customers go, and what kept or won them back (docs/rules/cases.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from followups.rules.variants import Difference, Rate, difference, rate
from risk.rules.causes import CAUSES, TRIED

ENOUGH: Final = 10
"""Cases below which nothing is said about a share: its interval would reach from nearly nothing to nearly all."""

RETURNED_COUNTS: Final = frozenset({"saved", "won_back"})


@dataclass(frozen=True)
class Group:
    """So many cases (`count`) that are alike. `end`: saved, lost, or won_back (lost, and ordered again later)."""

    cause: str
    risk_class: str
    end: str
    tried: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class Helped:
    """Of the cases of a cause in which something was tried, how many ended well; and against those without it."""

    tried: str
    good: Rate
    gain: Difference | None
    enough: bool


@dataclass(frozen=True)
class Statement:
    """What the library says about a cause.

    `share`: of all decided cases those of this cause. `lost`: of its cases those that ended lost and stayed so. `good`:
    of its cases those that were saved or won back. `helped`: by what was tried, the best first. `enough`: whether there
    are ENOUGH decided cases in all for the share to be said; `enough_own` the same of the cause's own.
    """

    cause: str
    risk_class: str
    share: Rate
    lost: Rate
    good: Rate
    helped: tuple[Helped, ...]
    enough: bool
    enough_own: bool

    @property
    def best(self) -> Helped | None:
        """What helped most often, of what was tried often enough; None where nothing was."""
        said = [each for each in self.helped if each.enough and each.tried != "nothing"]
        return max(said, key=lambda each: (each.good.low or 0.0, each.good.of), default=None)


def statements(groups: Iterable[Group], enough: int = ENOUGH) -> list[Statement]:
    """One statement for each cause that occurs, the most frequent first, then in the order of CAUSES.

    Decided cases count: saved, lost and won back; false alarms were no danger and are left out by the caller or here.
    Cases without a cause count in the whole, so that shares do not grow by what nobody has said.
    """
    decided = [each for each in groups if each.end in {"saved", "lost", "won_back"} and each.count > 0]
    whole = sum(each.count for each in decided)
    order = {code: place for place, code in enumerate(CAUSES)}
    by_cause: dict[str, list[Group]] = {}
    for each in decided:
        if each.cause:
            by_cause.setdefault(each.cause, []).append(each)
    found = [_statement(cause, own, whole, enough) for cause, own in by_cause.items()]
    return sorted(found, key=lambda each: (-each.share.hits, order.get(each.cause, len(order)), each.cause))


def _statement(cause: str, own: list[Group], whole: int, enough: int) -> Statement:
    number = sum(each.count for each in own)
    known = CAUSES.get(cause)
    return Statement(
        cause=cause,
        risk_class=known.risk_class if known else own[0].risk_class,
        share=rate(number, whole),
        lost=rate(sum(each.count for each in own if each.end == "lost"), number),
        good=rate(_good(own), number),
        helped=_helped(own, enough),
        enough=whole >= enough,
        enough_own=number >= enough,
    )


def _helped(own: list[Group], enough: int) -> tuple[Helped, ...]:
    found = []
    for code in TRIED:
        having = [each for each in own if code in each.tried]
        without = [each for each in own if code not in each.tried]
        number, others = sum(each.count for each in having), sum(each.count for each in without)
        if not number:
            continue
        good = rate(_good(having), number)
        can_compare = number >= enough and others >= enough
        gain = difference(good, rate(_good(without), others)) if can_compare else None
        found.append(Helped(code, good, gain, number >= enough))
    return tuple(sorted(found, key=lambda each: (not each.enough, -(each.good.share or 0.0), -each.good.of)))


def _good(groups: list[Group]) -> int:
    return sum(each.count for each in groups if each.end in RETURNED_COUNTS)


# How much a kept case has in common with what is open.
SAME_CUSTOMER: Final = 4
SAME_CAUSE: Final = 3
SAME_SIGNAL: Final = 3
SAME_CLASS: Final = 1
SAME_LEVEL: Final = 1
SAME_INDUSTRY: Final = 1
"""Points of likeness. A case of the same customer, cause or signal is alike by itself; the rest only tells such apart."""

LEAST_ALIKE: Final = 3
