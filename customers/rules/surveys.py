"""What an answer to "how likely are you to recommend us?" says of who gave it (F. Reichheld's net promoter score)."""

from __future__ import annotations

from typing import Final, Literal

PROMOTER_FROM: Final = 9
DETRACTOR_TO: Final = 6

NpsGroup = Literal["promoter", "passive", "detractor"]


def nps_group(score: int) -> NpsGroup:
    """Of a score from 0 to 10: 9 and 10 promote us, 7 and 8 are passive, up to 6 talks others out of it."""
    if score >= PROMOTER_FROM:
        return "promoter"
    return "detractor" if score <= DETRACTOR_TO else "passive"
