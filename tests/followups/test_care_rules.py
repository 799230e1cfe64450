"""It: knows when birthdays, anniversaries and festivals come round, by the sun and by the moon."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lunar_python import LunarYear

from followups.rules.care import CarePolicy, festival_days, in_lunar_year, keeps, lunar_of, occurrences

DAY = dt.timedelta(days=1)


def year(of: int) -> tuple[dt.date, dt.date]:
    return dt.date(of, 1, 1), dt.date(of, 12, 31)


def d(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("born", "in_year", "on", "times"),
    [
        ("1988-11-23", 2026, "2026-11-23", 38),
        ("1988-02-29", 2026, "2026-02-28", 38),
        ("1988-02-29", 2028, "2028-02-29", 40),
        ("1996-02-29", 2100, "2100-02-28", 104),  # no leap year
    ],
)
def test_keeps_a_birthday_by_the_sun(born: str, in_year: int, on: str, times: int) -> None:
    assert occurrences(d(born), "solar", *year(in_year)) == [(d(on), times)]


@pytest.mark.parametrize(
    ("born", "in_year", "on"),
    [
        # 农历1990年五月初五; Dragon Boat of 2026 is 19 June
        ("1990-05-28", 2026, "2026-06-19"),
        # 农历1987年闰六月初一: 2025 has that leap month, 2026 has not
        ("1987-07-26", 2025, "2025-07-25"),
        ("1987-07-26", 2026, "2026-07-14"),
        # 农历2000年十二月三十, New Year's Eve; the twelfth month of 2025 has 29 days
        ("2001-01-23", 2026, "2026-02-16"),
    ],
)
def test_keeps_a_birthday_by_the_moon(born: str, in_year: int, on: str) -> None:
    assert d(on) in [when for when, _times in occurrences(d(born), "lunar", *year(in_year))]


def test_counts_lunar_birthdays_by_lunar_years_and_has_two_in_some_years_of_the_sun() -> None:
    # 农历十一月十二: in January 2025 that of 2024, in December 2025 that of 2025.
    born = in_lunar_year(1980, 11, 22)
    got = occurrences(born, "lunar", dt.date(2022, 1, 1), dt.date(2027, 12, 31))
    assert [times for _on, times in got] == sorted({times for _on, times in got})
    per_year = [sum(on.year == each for on, _times in got) for each in range(2022, 2028)]
    assert sum(per_year) == len(got)
    assert 2 in [
        sum(on.year == each for on, _times in occurrences(in_lunar_year(1980, 12, 1), "lunar", *year(each)))
        for each in range(2000, 2030)
    ]


def test_does_not_keep_the_day_itself() -> None:
    assert occurrences(d("2026-05-01"), "solar", *year(2026)) == []
    assert occurrences(d("2026-05-01"), "lunar", d("2026-04-01"), d("2027-03-01")) == []


@settings(max_examples=300, deadline=None)
@given(st.dates(dt.date(1930, 1, 1), dt.date(2024, 12, 31)), st.integers(2025, 2060))
def test_keeps_every_lunar_birthday_once_a_lunar_year_on_its_own_day(born: dt.date, year: int) -> None:
    _of, month, day = lunar_of(born)
    on = in_lunar_year(year, month, day)
    _kept_in, kept_month, kept_day = lunar_of(on)
    assert kept_month == (month if LunarYear.fromYear(year).getLeapMonth() == -month else abs(month))
    assert kept_day == day or (day == 30 and kept_day == 29 and lunar_of(on + DAY)[2] == 1)
    assert (on, year - _of) in occurrences(born, "lunar", on, on)
    assert occurrences(born, "lunar", on - 20 * DAY, on - DAY) == []


@settings(max_examples=200, deadline=None)
@given(
    st.dates(dt.date(1930, 1, 1), dt.date(2024, 12, 31)),
    st.dates(dt.date(2025, 1, 1), dt.date(2040, 1, 1)),
    st.integers(0, 900),
    st.integers(0, 900),
    st.sampled_from(["solar", "lunar"]),
)
def test_finds_the_same_in_one_stretch_as_in_two(born: dt.date, first: dt.date, some: int, more: int, by) -> None:
    middle, last = first + some * DAY, first + (some + more) * DAY
    in_two = occurrences(born, by, first, middle) + occurrences(born, by, middle + DAY, last)
    assert sorted(in_two) == sorted(occurrences(born, by, first, last))


@pytest.mark.parametrize(
    ("festival", "days"),
    [
        ("spring_festival", ["2025-01-29", "2026-02-17", "2027-02-06"]),
        ("new_years_eve_lunar", ["2025-01-28", "2026-02-16", "2027-02-05"]),
        ("lantern", ["2025-02-12", "2026-03-03", "2027-02-20"]),
        ("dragon_boat", ["2025-05-31", "2026-06-19", "2027-06-09"]),
        ("mid_autumn", ["2025-10-06", "2026-09-25", "2027-09-15"]),
        ("double_ninth", ["2025-10-29", "2026-10-18", "2027-10-08"]),
        ("christmas", ["2025-12-25", "2026-12-25", "2027-12-25"]),
    ],
)
def test_knows_the_days_of_festivals(festival, days: list[str]) -> None:
    assert [on for _name, on in festival_days((festival,), d("2025-01-01"), d("2027-12-31"))] == list(map(d, days))


def test_lists_festivals_in_the_order_of_their_days() -> None:
    got = list(festival_days(("christmas", "new_year", "mid_autumn"), d("2026-09-25"), d("2027-01-01")))
    assert got == [("mid_autumn", d("2026-09-25")), ("christmas", d("2026-12-25")), ("new_year", d("2027-01-01"))]
    assert list(festival_days((), d("2026-09-25"), d("2027-01-01"))) == []


def test_keeps_round_anniversaries_only_where_the_policy_says_so() -> None:
    assert [n for n in range(1, 12) if keeps("round", n)] == [1, 5, 10]
    assert all(keeps("every", n) for n in range(1, 12))
    assert not any(keeps("no", n) for n in range(1, 12))


def test_ships_greetings_for_those_who_hear_little_else() -> None:
    assert CarePolicy.pack("wholesale").festival_tiers == ("regular",)
    assert CarePolicy.pack("starter").festival_tiers == ()
