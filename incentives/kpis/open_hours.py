"""The firm's business time as sets can reckon with it: added up once, so that a statement needs no loop over days."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tenants.rules.calendar import Calendar

YEARS_BACK: Final = 2
"""So many years before that of a period business time is known; what is older counts from then on."""

PASSED: Final = """(
    CASE width_bucket(extract(epoch FROM {at})::float8, open_time.begins)
    WHEN 0 THEN 0
    ELSE open_time.before[width_bucket(extract(epoch FROM {at})::float8, open_time.begins)] + LEAST(
        extract(epoch FROM {at})::float8
            - open_time.begins[width_bucket(extract(epoch FROM {at})::float8, open_time.begins)],
        open_time.lengths[width_bucket(extract(epoch FROM {at})::float8, open_time.begins)]
    ) END
)"""
"""SQL: the seconds of business time up to a moment `{at}`; `open_time` is OPEN_TIME. The place is found by halving."""

OPEN_TIME: Final = """(
    SELECT %(open_begins)s::float8[] AS begins, %(open_lengths)s::float8[] AS lengths, %(open_before)s::float8[] AS before
) open_time"""


@dataclass(frozen=True)
class OpenTime:
    """Stretches of business time in order: when each begins (seconds since 1970), how long it is, what was before it."""

    begins: list[float]
    lengths: list[float]
    before: list[float]

    @property
    def params(self) -> dict[str, list[float]]:
        """As OPEN_TIME names them."""
        return {"open_begins": self.begins, "open_lengths": self.lengths, "open_before": self.before}


def open_time(calendar: Calendar, first: dt.date, last: dt.date) -> OpenTime:
    """The business time from YEARS_BACK years before the year of a day to the end of the year after another's.

    For a firm that never opens all time passes, as it does for its alerts. Reckoned once for a calendar and its years.
    """
    return _of_years(calendar, first.year - YEARS_BACK, last.year + 1)


@lru_cache(maxsize=64)
def _of_years(calendar: Calendar, first: int, last: int) -> OpenTime:
    begin, end = dt.datetime(first, 1, 1, tzinfo=calendar.zone), dt.datetime(last + 1, 1, 1, tzinfo=calendar.zone)
    stretches = calendar.openings(begin, end) or [(begin, end)]
    lengths = [(over - start).total_seconds() for start, over in stretches]
    before, passed = [], 0.0
    for length in lengths:
        before.append(passed)
        passed += length
    return OpenTime([start.timestamp() for start, _over in stretches], lengths, before)
