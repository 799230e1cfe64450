"""Variants of a script: who gets which, and which one does better (docs/rules/scripts.md)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Z: Final = 1.959963984540054
"""Of a 95 % interval."""

LEAST: Final = 30
"""Uses of each variant below which nothing is decided, whatever the intervals say."""

Decided = Literal["no_rival", "not_yet", "first", "second"]


def assign(script: str, person: str, letters: Sequence[str]) -> str:
    """The letter of the variant that a person gets, the same each time and on every machine.

    Each letter draws a number for the person, and the highest wins (rendezvous hashing): when a variant is retired
    only its own people move on. Raises ValueError without letters.
    """
    if not letters:
        raise ValueError("There is no variant to give")
    return max(sorted(letters), key=lambda letter: hashlib.sha256(f"{script}\0{person}\0{letter}".encode()).digest())


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval by Wilson: all three from 0 to 1; None where nothing has been counted."""

    hits: int
    of: int
    share: float | None
    low: float | None
    high: float | None


def rate(hits: int, of: int) -> Rate:
    """The share of hits, with Wilson's score interval, which stays inside 0 to 1 also for few and for none.

    Raises ValueError for more hits than tries, or fewer than none.
    """
    if not 0 <= hits <= of:
        raise ValueError(f"{hits} of {of}")
    if of == 0:
        return Rate(0, 0, None, None, None)
    share = hits / of
    middle = share + Z * Z / (2 * of)
    spread = Z * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of))
    whole = 1 + Z * Z / of
    return Rate(hits, of, share, max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole))


@dataclass(frozen=True)
class Difference:
    """The first share minus the second, with its 95 % interval, −1 to 1."""

    share: float
    low: float
    high: float


def difference(first: Rate, second: Rate) -> Difference | None:
    """The difference of two shares by Newcombe's method (10, from Wilson's intervals); None where one is not counted.

    R. G. Newcombe, Interval estimation for the difference between independent proportions, 1998.
    """
    if first.share is None or first.low is None or first.high is None:
        return None
    if second.share is None or second.low is None or second.high is None:
        return None
    between = first.share - second.share
    below = math.hypot(first.share - first.low, second.high - second.share)
    above = math.hypot(first.high - first.share, second.share - second.low)
    return Difference(between, max(-1.0, between - below), min(1.0, between + above))


def decide(first: Rate, second: Rate, least: int = LEAST) -> Decided:
    """Which of two is better: only when each was used `least` times and zero lies outside the difference's interval."""
    found = difference(first, second)
    if found is None or first.of < least or second.of < least or found.low <= 0 <= found.high:
        return "not_yet"
    return "first" if found.low > 0 else "second"


def best(rates: dict[str, Rate], least: int = LEAST) -> tuple[Decided, str]:
    """Whether one of several variants beats every other, and its letter; ("not_yet", "") while none does.

    Of k variants there are k − 1 comparisons for a winner; each must be decided by itself, which makes "not yet" the
    more likely the more there are.
    """
    if len(rates) < 2:
        return "no_rival", ""
    for letter, own in rates.items():
        if all(decide(own, other, least) == "first" for rival, other in rates.items() if rival != letter):
            return "first", letter
    return "not_yet", ""
