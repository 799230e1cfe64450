"""The improvement report (改进报告): its draft from the log, and what must hold before it is sent (docs/rules/crisis.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

About = Literal["", "cause", "avoided", "offer"]
Part = Literal["why", "avoided", "offer"]
Check = Literal["filled", "no_internal", "cause_confirmed", "compensation", "solved"]

PARTS: Final[tuple[Part, ...]] = ("why", "avoided", "offer")
CHECKS: Final[tuple[Check, ...]] = ("filled", "no_internal", "cause_confirmed", "compensation", "solved")

_PART_OF: Final[dict[About, Part]] = {"cause": "why", "avoided": "avoided", "offer": "offer"}

_WORDS: Final[dict[Part, re.Pattern[str]]] = {
    "why": re.compile(r"\b(?:cause|because|due to|reason)\b|原因|因为|由于|起因", re.IGNORECASE),
    "avoided": re.compile(
        r"\b(?:prevent|avoid|from now on|in future|from \d{1,2} \w+)\b|避免|防止|杜绝|今后|以后|整改", re.IGNORECASE
    ),
    "offer": re.compile(
        r"\b(?:refund|discount|replace\w*|at our cost|credit)\b|退款|减免|补发|赔偿|补偿", re.IGNORECASE
    ),
}
LEAST_QUOTE: Final = 12
"""A note shorter than this, counted without spaces, is too common to be called a leak."""


@dataclass(frozen=True)
class Line:
    """An entry of the log that a person wrote."""

    id: int
    text: str
    about: About
    is_visible: bool


@dataclass(frozen=True)
class Draft:
    """The three parts, and the entries that each was drawn from. An empty part has to be written by hand."""

    why: str
    avoided: str
    offer: str
    sources: dict[Part, list[int]]


def draft(lines: Iterable[Line], offers: Iterable[str] = ()) -> Draft:
    """The report as the log tells it, oldest first; `offers` are the approved compensations in words.

    What was marked as cause, prevention or offer is taken. Only where nothing is marked, what the customer has already
    seen and sounds like it. An unmarked internal note is never drawn from: it was not written for the customer.
    """
    known = list(lines)
    texts: dict[Part, list[str]] = {part: [] for part in PARTS}
    sources: dict[Part, list[int]] = {part: [] for part in PARTS}
    for line in known:
        if line.about:
            part = _PART_OF[line.about]
            texts[part].append(line.text.strip())
            sources[part].append(line.id)
    for part in PARTS:
        if not texts[part]:
            found = [line for line in known if not line.about and line.is_visible and _WORDS[part].search(line.text)]
            texts[part] = [line.text.strip() for line in found]
            sources[part] = [line.id for line in found]
    texts["offer"] += [words for words in offers if words not in texts["offer"]]
    joined = {part: "\n".join(texts[part]) for part in PARTS}
    return Draft(joined["why"], joined["avoided"], joined["offer"], sources)


def leaks(report: str, internal: Sequence[str]) -> list[str]:
    """The internal notes that stand in a report word for word; spaces and line breaks do not count."""
    said = _bare(report)
    return [note for note in internal if len(_bare(note)) >= LEAST_QUOTE and _bare(note) in said]


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", text)


def checks(
    *,
    parts: Sequence[str],
    internal: Sequence[str],
    cause_confirmed: bool,
    is_compensation_open: bool,
    is_solved: bool,
) -> dict[Check, bool]:
    """What must hold before a report is sent, each with whether it does."""
    return {
        "filled": all(part.strip() for part in parts),
        "no_internal": not leaks("\n".join(parts), internal),
        "cause_confirmed": cause_confirmed,
        "compensation": not is_compensation_open,
        "solved": is_solved,
    }
