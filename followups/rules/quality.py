"""Quality review: which logged contacts are looked at (docs/rules/surveys.md)."""

from __future__ import annotations

from typing import Final

import polars as pl

from tenants.rules.columns import Schema, conform

LOGGED: Final[Schema] = {"interaction_id": pl.Int64, "member_id": pl.Int64}

_WORD: Final = 2**32
_GOLDEN: Final = 2_654_435_761  # Knuth: 2^32 ÷ golden ratio, prime; neighbouring ids land far apart


def sample_size(logged: int, percent: int) -> int:
    """How many of a person's contacts are reviewed: `percent` of them, rounded up; of anything at least one."""
    return -(-logged * percent // 100) if logged > 0 else 0


def draw(logged: pl.DataFrame, percent: int, salt: int) -> pl.DataFrame:
    """The contacts to review: interaction_id and member_id, by person and place in the draw.

    `logged`: the contacts of a month, each with who logged it. Of each person `sample_size`, so that who logs little is
    looked at as well; which ones is fixed by their ids and `salt` (the month's number): the same month draws the same
    contacts on every machine, and nobody can choose them.
    """
    # Mixed twice: consecutive ids of one person would else come at even distances.
    once = (pl.col("interaction_id") % _WORD).cast(pl.UInt64) * pl.lit(_GOLDEN, dtype=pl.UInt64) + pl.lit(
        salt % _WORD * 40_503, dtype=pl.UInt64
    )
    mixed = (once % _WORD).xor(once // _WORD % _WORD) * pl.lit(_GOLDEN, dtype=pl.UInt64) % _WORD
    frame = conform(logged, LOGGED).with_columns(place=mixed)
    size = (pl.len().cast(pl.Int64).over("member_id") * percent + 99) // 100
    order = pl.struct("place", "interaction_id").rank("ordinal").over("member_id")
    return (
        frame.with_columns(order=order, size=size)
        .filter(pl.col("order") <= pl.col("size"))
        .sort("member_id", "order")
        .select("interaction_id", "member_id")
    )
