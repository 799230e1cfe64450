"""Sharing out: whole numbers that add up to what they are parts of."""

from __future__ import annotations

from collections.abc import Sequence


def share_out(parts: Sequence[int], unit: int, *, first: Sequence[bool] = ()) -> list[int]:
    """Whole numbers of `unit` near `parts`, whose sum is the parts' sum rounded half up.

    Each part is cut, and what is then missing goes to the largest remainders; those marked in `first` come
    before others. No number moves by a whole unit or more.
    """
    whole = [part // unit for part in parts]
    missing = (2 * sum(parts) + unit) // (2 * unit) - sum(whole)
    marks = first or [False] * len(parts)
    by_claim = sorted(range(len(parts)), key=lambda i: (not marks[i], -(parts[i] % unit), i))
    for i in by_claim[:missing]:
        whole[i] += 1
    return whole
