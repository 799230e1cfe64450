"""Who else speaks to a customer step by step: above journeys there may be more of their kind, and one speaks at a time."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol

from followups.rules.journeys import Place


class Voice(Protocol):
    """Another kind of steps that follow each other. Its places have negative numbers, so that they are told apart.

    Whoever asks holds the customers' locks.
    """

    def places(self, customers: Collection[int], now: dt.datetime) -> Mapping[int, Sequence[Place]]:
        """The open places of some customers, by customer."""

    def wait(self, places: Collection[int], now: dt.datetime) -> None:
        """Let these places wait, and take back what they have raised: somebody else goes first."""

    def speaking(self, customer: int) -> str:
        """What is under way for a customer, as people call it; empty for nothing."""


VOICES: Final[list[Voice]] = []
"""The other kinds; each is put there when its app is ready."""


def other_places(customers: Collection[int], now: dt.datetime) -> dict[int, list[Place]]:
    """The places of all other kinds, by customer."""
    found: dict[int, list[Place]] = defaultdict(list)
    for voice in VOICES:
        for customer, places in voice.places(customers, now).items():
            found[customer].extend(places)
    return found


def let_wait(places: Collection[int], now: dt.datetime) -> None:
    """Let places of other kinds wait."""
    if places:
        for voice in VOICES:
            voice.wait(places, now)


def speaking(customer: int) -> str:
    """What of another kind is under way for a customer; empty for nothing."""
    return next((said for voice in VOICES if (said := voice.speaking(customer))), "")
