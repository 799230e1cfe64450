"""What a rank comes to, worked out once over a crowd: then any of its values can be looked up alone.

A score by rank needs everybody, but what it says is a step of the value that is ranked: from some value on it is
another. These steps are few, whole numbers, and small enough to hand from one worker to another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Levels:
    """A whole number for each value: `levels[n]` from `starts[n]` on, up to the next start; both are whole numbers.

    Below the first start it is the first level. Without any start there is no answer.
    """

    starts: tuple[int, ...]
    levels: tuple[int, ...]

    @classmethod
    def over(cls, values: Ints, levels: Ints) -> Self:
        """From `values`, ascending and each once, and the level of each."""
        if not len(values):
            return cls((), ())
        first = np.concatenate([[0], np.flatnonzero(np.diff(levels)) + 1])
        return cls(tuple(values[first].tolist()), tuple(levels[first].tolist()))

    def at(self, value: pl.Expr) -> pl.Expr:
        """The level of each value (Int64); null for null."""
        return value.map_batches(self._at, return_dtype=pl.Int64)

    def _at(self, values: pl.Series) -> pl.Series:
        if not self.starts:
            return pl.Series(values.name, [None], dtype=pl.Int64).new_from_index(0, len(values))
        known = values.cast(pl.Int64)
        places = np.searchsorted(np.asarray(self.starts), known.fill_null(0).to_numpy(), side="right") - 1
        found = pl.Series(values.name, np.asarray(self.levels, dtype=np.int64)[np.maximum(places, 0)])
        return found.set(known.is_null(), None) if known.null_count() else found


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many have each value: `values` ascending and each once. Nobody is in it without a value."""

    values: Ints
    counts: Ints

    @classmethod
    def of(cls, values: pl.Series) -> Self:
        """From one whole number each; null counts as nobody."""
        found = np.unique(values.drop_nulls().cast(pl.Int64).to_numpy(), return_counts=True)
        return cls(found[0], found[1].astype(np.int64))

    @property
    def size(self) -> int:
        return int(self.counts.sum())

    @property
    def below(self) -> Ints:
        """For each value, how many have less."""
        return np.cumsum(self.counts) - self.counts

    @property
    def above(self) -> Ints:
        """For each value, how many have more."""
        return self.size - np.cumsum(self.counts)
