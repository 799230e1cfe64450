"""Who may approve which reward: by role, and never one's own (four eyes)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Refusal = Literal["own", "own_word", "own_correction", "disputed", "over_limit", "nothing"]


@dataclass(frozen=True)
class Asked:
    """A reward that somebody wants to approve: what waits, for whom, on whose word it rests, who corrected it."""

    pending: Decimal
    is_points: bool
    is_disputed: bool
    for_member: int | None
    noted_by: int | None
    corrected_by: frozenset[int] = frozenset()


def refusal_of(asked: Asked, *, member: int, is_lead: bool, lead_limit: Decimal) -> Refusal | None:
    """Why a member may not approve a reward, or None when they may.

    Nobody approves what they get, what rests on their own word, or what they have corrected themselves. A disputed
    reward waits. A team lead approves money up to a limit; points have none.
    """
    if asked.pending <= 0:
        return "nothing"
    if asked.for_member == member:
        return "own"
    if asked.noted_by == member:
        return "own_word"
    if member in asked.corrected_by:
        return "own_correction"
    if asked.is_disputed:
        return "disputed"
    if is_lead and not asked.is_points and asked.pending > lead_limit:
        return "over_limit"
    return None
