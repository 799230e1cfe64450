"""Value inflection points: months from which a customer spends on another level (docs/rules/sales-figures.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

HISTORY_MONTHS: Final = 36
MINIMUM_MONTHS: Final = 12
SEGMENT_MONTHS: Final = 3
BUSY_MONTHS: Final = 6
"""Months with anything in them; of fewer, a few good ones in a row look like a level."""
PENALTY: Final = 6.0
"""Times ln(months): what one more level must take off the squared noise.

Tried on simulated months without any step (even, skewed, and mostly empty ones): at 6 a level is seen in under
4 of 100 series of a year and under 3 of 100 of three years, while a threefold rise is found in 9 of 10
(tests/segmentation/test_inflections.py).
"""
LEAST_CHANGE: Final = 0.3
"""Of the larger of two levels; less is no turning point, however steady the months."""


@dataclass(frozen=True)
class Step:
    """From month number `place` on (0 is the first given) the mean is `after`; since the last step `before`."""

    place: int
    before: float
    after: float

    @property
    def change(self) -> float | None:
        """As a share of the level before; None when that was nothing or less."""
        return self.after / self.before - 1 if self.before > 0 else None


def steps(money: Sequence[float]) -> list[Step]:
    """Where the level of a monthly series changes, oldest first; months without orders are 0.

    Only the last 36 months count; fewer than 12, or fewer than 6 with anything, say nothing. A level lasts at
    least 3 months.
    """
    values = np.asarray(money, dtype=float)[-HISTORY_MONTHS:]
    skipped = len(money) - len(values)
    if len(values) < MINIMUM_MONTHS or np.count_nonzero(values) < BUSY_MONTHS:
        return []
    signal = _in_noise(values)
    if signal is None:
        return []
    # Loaded here: SciPy comes along, which most processes never need.
    from ruptures import KernelCPD

    search = KernelCPD(kernel="linear", min_size=SEGMENT_MONTHS).fit(signal.reshape(-1, 1))
    ends = search.predict(pen=PENALTY * float(np.log(len(values))))
    edges = _material(values, [0, *ends])
    return [
        Step(skipped + edge, float(values[first:edge].mean()), float(values[edge:last].mean()))
        for first, edge, last in zip(edges, edges[1:], edges[2:], strict=False)
    ]


def _in_noise(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """The series in units of its own noise; None when all months are equal.

    Square roots keep one big month from being a level of its own. The noise is that of the month to month
    differences, of which steps are only a few.
    """
    signal = np.sign(values) * np.sqrt(np.abs(values))
    jumps = np.diff(signal)
    typical = float(np.median(np.abs(jumps - np.median(jumps)))) / 0.6745
    noise = max(typical, 0.8 * float(np.std(jumps))) / np.sqrt(2)
    return signal / noise if noise > 0 else None


def _material(values: npt.NDArray[np.float64], edges: list[int]) -> list[int]:
    """The edges without those where too little changes: the smallest goes first, as its levels then join."""
    while len(edges) > 2:
        means = [float(values[a:b].mean()) for a, b in pairwise(edges)]
        changes = [abs(b - a) / max(abs(a), abs(b), 1e-9) for a, b in pairwise(means)]
        least = min(range(len(changes)), key=changes.__getitem__)
        if changes[least] >= LEAST_CHANGE:
            break
        del edges[least + 1]
    return edges
