"""The night's steps of the KPIs: lifetime values to start from, periods closed, closed ones looked at again; and counts."""

from __future__ import annotations

from typing import Final

from incentives.kpis.counting import close_due, count_running, mark_values, recount_closed
from tenants.runs import Counts, Piece, Step

MONDAY: Final = 0


def run(piece: Piece) -> Counts:
    """Keep what the uplift of a new period starts from, close what is over, and once a week look at closed periods again.

    They are looked at again, too, when everybody is worked out anew.
    """
    counts = {"marks": mark_values(piece.as_of), "closed": close_due(piece.as_of)}
    is_thorough = piece.since is None or piece.as_of.weekday() == MONDAY
    return counts | {"corrections": recount_closed(piece.as_of) if is_thorough else 0}


def count(piece: Piece) -> Counts:
    """Count the periods that are not closed, for firms in which that takes too long while somebody waits."""
    return {"counts": count_running(piece.as_of)}


STEP: Final = Step(run, splits=False)
FIGURES: Final = Step(count, splits=False)
