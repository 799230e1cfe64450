"""The care calendar: when birthdays, anniversaries and festivals come round (docs/rules/care.md)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Final, Literal

from lunar_python import Lunar, LunarMonth, LunarYear, Solar
from pydantic import Field

from tenants.rules.sections import PolicySection, YesNo, gettext_noop

By = Literal["solar", "lunar"]
How = Literal["person", "email", "sms"]
Festival = Literal[
    "new_year", "new_years_eve_lunar", "spring_festival", "lantern", "womens_day", "labour_day", "dragon_boat",
    "mid_autumn", "double_ninth", "national_day_cn", "christmas",
]  # fmt: skip


class CarePolicy(PolicySection):
    """Which days the firm keeps, how early somebody is asked to, and whose greetings go out by themselves."""

    section: ClassVar[str] = "care"
    title: ClassVar[str] = gettext_noop("Care calendar")

    ahead_days: int = Field(
        3, ge=0, le=30, title=gettext_noop("Follow-ups are raised before the day by"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip
    birthdays: YesNo = Field("yes", title=gettext_noop("Birthdays of contacts"))
    anniversaries: Literal["every", "round", "no"] = Field(
        "every", title=gettext_noop("Anniversaries of the company and of working together")
    )
    festivals: tuple[Festival, ...] = Field(
        ("new_year", "spring_festival", "mid_autumn"), title=gettext_noop("Festivals")
    )
    festival_tiers: tuple[str, ...] = Field((), title=gettext_noop("Tiers that get festival greetings"))
    automatic_tiers: tuple[str, ...] = Field((), title=gettext_noop("Tiers greeted by e-mail instead of by a person"))

    @classmethod
    def pack_values(cls, name: str) -> dict[str, Any]:
        return _PACK_TIERS[name]


# PLAYBOOK section 6: greetings are for those who hear little else; the others have their own agent.
_PACK_TIERS: Final[dict[str, dict[str, Any]]] = {
    "wholesale": {"festival_tiers": ["regular"], "automatic_tiers": ["regular"]},
    "callback": {"festival_tiers": ["silver"], "automatic_tiers": ["silver", "bronze"]},
    "sales-team": {"festival_tiers": ["basic"], "automatic_tiers": ["basic"]},
    "starter": {"festival_tiers": [], "automatic_tiers": []},
}

ROUND: Final = 5
"""Round anniversaries: the first, and every fifth."""


# ── days that come round ────────────────────────────────────────────────────


def occurrences(day: dt.date, by: By, first: dt.date, last: dt.date) -> list[tuple[dt.date, int]]:
    """When a day comes round from `first` to `last`, both included, and for which time; never on the day itself.

    By the sun: 29 February is kept on the 28th in years without one. By the moon: in the month and on the day of the
    Chinese calendar on which it was; a leap month's in the leap month where the year has it and in the plain month of
    that number elsewhere; the 30th in a short month on its last day. Times are counted in years of that calendar.
    """
    if by == "solar":
        found = ((_in_year(day, year), year - day.year) for year in range(first.year, last.year + 1))
    else:
        lunar = lunar_of(day)
        years = range(first.year - 1, last.year + 1)  # a lunar year ends in January or February of the next
        found = ((in_lunar_year(year, lunar[1], lunar[2]), year - lunar[0]) for year in years)
    return [(on, times) for on, times in found if times > 0 and first <= on <= last]


def _in_year(day: dt.date, year: int) -> dt.date:
    if (day.month, day.day) == (2, 29) and not _is_leap(year):
        return dt.date(year, 2, 28)
    return day.replace(year=year)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


@lru_cache(maxsize=4096)
def lunar_of(day: dt.date) -> tuple[int, int, int]:
    """Year, month and day of the Chinese calendar; a leap month is negative."""
    lunar = Solar.fromYmd(day.year, day.month, day.day).getLunar()
    return lunar.getYear(), lunar.getMonth(), lunar.getDay()


@lru_cache(maxsize=4096)
def in_lunar_year(year: int, month: int, day: int) -> dt.date:
    """The day of the sun on which a day of the Chinese calendar falls in one of its years; `month` < 0: a leap month."""
    if month < 0 and LunarYear.fromYear(year).getLeapMonth() != -month:
        month = -month
    length = LunarMonth.fromYm(year, month).getDayCount()
    solar = Lunar.fromYmd(year, month, min(day, length)).getSolar()
    return dt.date(solar.getYear(), solar.getMonth(), solar.getDay())


def keeps(anniversaries: Literal["every", "round", "no"], times: int) -> bool:
    """Whether the firm keeps an anniversary of so many years."""
    if anniversaries == "round":
        return times == 1 or times % ROUND == 0
    return anniversaries == "every"


# ── festivals ───────────────────────────────────────────────────────────────


def _sun(month: int, day: int) -> Callable[[int], dt.date]:
    return lambda year: dt.date(year, month, day)


def _moon(month: int, day: int) -> Callable[[int], dt.date]:
    return lambda year: in_lunar_year(year, month, day)


# By the year of the sun in which most of the lunar one lies; the eve belongs to the festival that follows it.
_FESTIVALS: Final[Mapping[Festival, Callable[[int], dt.date]]] = {
    "new_year": _sun(1, 1),
    "new_years_eve_lunar": lambda year: in_lunar_year(year, 1, 1) - dt.timedelta(days=1),
    "spring_festival": _moon(1, 1),
    "lantern": _moon(1, 15),
    "womens_day": _sun(3, 8),
    "labour_day": _sun(5, 1),
    "dragon_boat": _moon(5, 5),
    "mid_autumn": _moon(8, 15),
    "double_ninth": _moon(9, 9),
    "national_day_cn": _sun(10, 1),
    "christmas": _sun(12, 25),
}


def festival_days(festivals: tuple[Festival, ...], first: dt.date, last: dt.date) -> Iterator[tuple[Festival, dt.date]]:
    """The festivals from `first` to `last`, both included, in the order of their days."""
    found = [
        (on, name)
        for name in festivals
        for year in range(first.year, last.year + 1)
        if first <= (on := _FESTIVALS[name](year)) <= last
    ]
    return ((name, on) for on, name in sorted(found))
