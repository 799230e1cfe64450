"""Room for tasks: a routine touch waits for a day on which the contact's budget has room (docs/rules/contact.md)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from followups.rules.governor import first_free

DAY = dt.timedelta(days=1)


def free_day(
    wanted: dt.date, used: Sequence[dt.date], *, most: int, window_days: int, wait_days: int
) -> dt.date | None:
    """The first day from `wanted` on which one more touch leaves every window within the budget `most`.

    `used` are the days of the touches that have been and that are planned. None where there is no such day within
    `wait_days`: a person decides then.
    """
    day = first_free(wanted, sorted(used), most=most, span=window_days * DAY)
    return day if day is not None and day - wanted <= wait_days * DAY else None
