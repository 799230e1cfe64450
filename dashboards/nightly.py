"""The night's step of the dashboards: who is in which saved segment."""

from __future__ import annotations

import datetime as dt

from dashboards import segments
from tenants.runs import Step


def run(as_of: dt.date) -> dict[str, int]:
    """Evaluate every saved segment; comes last, so that the filters read what this night has found."""
    return segments.run(as_of)


STEP = Step(lambda piece: run(piece.as_of), splits=False)
