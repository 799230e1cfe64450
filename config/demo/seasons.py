"""How a year goes for the two trades: 1 is an ordinary day."""

from __future__ import annotations

import datetime as dt
from typing import Final

from config.demo.firm import listed

SPRING_FESTIVALS: Final = tuple(
    dt.date.fromisoformat(day)
    for day in listed(
        """
        2023-01-22 2024-02-10 2025-01-29 2026-02-17 2027-02-06 2028-01-26 2029-02-13 2030-02-03 2031-01-23
        2032-02-11 2033-01-31 2034-02-19 2035-02-08 2036-01-28 2037-02-15 2038-02-04 2039-01-24 2040-02-12
        """
    )
)

_BY_MONTH_CHINA: Final = (1.0, 0.9, 1.15, 1.2, 1.15, 1.0, 0.85, 0.85, 1.2, 1.2, 1.05, 1.0)
_BY_MONTH_BRITAIN: Final = (0.6, 0.75, 0.9, 0.95, 1.0, 0.9, 0.85, 1.1, 1.4, 1.65, 1.5, 0.7)


def spring_festival(year: int) -> dt.date:
    """The first day of the Chinese year that begins in `year`; roughly, beyond the years listed."""
    return next((day for day in SPRING_FESTIVALS if day.year == year), dt.date(year, 2, 5))


def building_materials(day: dt.date) -> float:
    """Nothing is built around the Spring Festival, sites stock up before it, spring and autumn are busy."""
    to_festival = (spring_festival(day.year) - day).days
    if -14 <= to_festival <= 10:
        return 0.08
    if 10 < to_festival <= 30:
        return 1.5
    if day.month == 10 and day.day <= 7:
        return 0.15
    return _BY_MONTH_CHINA[day.month - 1]


def gifts(day: dt.date) -> float:
    """Shops order for Christmas from late summer on and count their stock in January."""
    if (day.month, day.day) >= (12, 22) or (day.month, day.day) <= (1, 3):
        return 0.05
    return _BY_MONTH_BRITAIN[day.month - 1]
