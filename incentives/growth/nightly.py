"""The night's step of growth: certifications of a quarter made, what is due told, notes of promotion written."""

from __future__ import annotations

from typing import Final

from incentives.growth.certifying import open_quarter, tell_due
from incentives.growth.promotion import raise_notes
from incentives.growth.training import tell_late
from tenants.runs import Counts, Piece, Step

MONDAY: Final = 0


def run(piece: Piece) -> Counts:
    """After the KPIs, which close quarters. Asked again it writes nothing.

    Years on target are looked at once a week, and when everybody is worked out anew: a quarter is closed four times a
    year, and nobody waits for the note by the day.
    """
    is_thorough = piece.since is None or piece.as_of.weekday() == MONDAY
    return {
        "certifications": open_quarter(piece.as_of),
        "reviewers_told": tell_due(piece.as_of),
        "trainings_told": tell_late(piece.as_of),
        "promotion_notes": raise_notes(piece.as_of) if is_thorough else 0,
    }


STEP: Final = Step(run, splits=False)
