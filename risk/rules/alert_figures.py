"""Figures of alerts: business time between moments, and where most of them lie (docs/rules/alerts.md)."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Sequence

Opening = tuple[dt.datetime, dt.datetime]

NO_TIME = dt.timedelta()


class Passed:
    """Business time between moments, for many of them: the stretches of business time are added up once.

    `openings` are the firm's stretches of business time (Calendar.openings), in order, over all that is asked about.
    """

    def __init__(self, openings: Sequence[Opening]) -> None:
        self._begins = [begin for begin, _end in openings]
        self._lengths = [end - begin for begin, end in openings]
        self._before = [NO_TIME]
        for length in self._lengths:
            self._before.append(self._before[-1] + length)

    def between(self, start: dt.datetime, end: dt.datetime) -> dt.timedelta:
        """Business time from `start` to `end`; none when `end` is not after `start`."""
        return max(self._until(end) - self._until(start), NO_TIME)

    def _until(self, moment: dt.datetime) -> dt.timedelta:
        at = bisect_right(self._begins, moment)
        if at == 0:
            return NO_TIME
        return self._before[at - 1] + min(moment - self._begins[at - 1], self._lengths[at - 1])


def percentile(values: Sequence[dt.timedelta], share: float) -> dt.timedelta | None:
    """The smallest of the values that at least so many of them do not exceed (nearest rank); None for no values.

    >>> percentile([dt.timedelta(hours=hours) for hours in (1, 2, 3, 10)], 0.5)
    datetime.timedelta(seconds=7200)
    """
    if not values:
        return None
    if not 0 < share <= 1:
        raise ValueError("The share lies above 0 and up to 1")
    ordered = sorted(values)
    rank = -int(-(share * len(ordered)) // 1)
    return ordered[max(rank, 1) - 1]
