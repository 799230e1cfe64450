"""The night's step of awards: say once that a month can be awarded, and keep what is usual before anybody looks."""

from __future__ import annotations

from typing import Final

from followups.notices.services import Told, notify_each
from incentives.awards.counting import usual_for
from incentives.awards.ranking import closing_of_month
from incentives.awards.services import awarders, due_months
from incentives.awards.telling import DUE
from tenants.policies import policy_numbered
from tenants.runs import Counts, Piece, Step

BACK: Final = 2
"""Months back that are looked at: who has awarded nothing for longer does not want to."""


def run(piece: Piece) -> Counts:
    """Tell whoever can award a month that is closed, each once; what is usual for it is counted once and kept."""
    told = 0
    for month in due_months(piece.as_of, BACK):
        closing = closing_of_month(month)
        if closing is not None:
            usual_for(month, piece.as_of, policy_numbered(closing.policy_version), keep=True)
        params = {"month": str(month.start)}
        told += notify_each(
            kind=DUE.code,
            told=[Told(each, f"awards_due:{month.code}", params, f"awards/{month.code}/") for each in awarders()],
        )
    return {"awards_told": told}


STEP: Final = Step(run, splits=False)
