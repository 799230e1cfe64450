"""It: numbers, money and dates as the screens write them, in both languages."""

import datetime as dt
from decimal import Decimal

import pytest
from django.utils import translation

from tenants.templatetags import perennial as words


@pytest.mark.parametrize(
    ("value", "english"),
    [
        (Decimal("6480"), "£6,480"),
        (Decimal("6480.255"), "£6,480.26"),
        (Decimal("-80.5"), "−£80.50"),
        (0, "£0"),
        (None, "–"),
        ("", "–"),
    ],
)
def test_writes_money_exactly(value, english):
    assert words.money(value, "GBP") == english
    with translation.override("zh-hans"):
        assert words.money(value, "GBP") == english


@pytest.mark.parametrize(
    ("value", "english", "chinese"),
    [
        (Decimal("21700000"), "¥21.7M", "¥2,170万"),
        (Decimal("620000"), "¥620k", "¥62万"),
        (Decimal("120000000"), "¥120.0M", "¥1.2亿"),
        (Decimal("-4300"), "−¥4k", "−¥4,300"),
        (Decimal("950"), "¥950", "¥950"),
        (None, "–", "–"),
    ],
)
def test_writes_money_short(value, english, chinese):
    assert words.short_money(value, "CNY") == english
    with translation.override("zh-hans"):
        assert words.short_money(value, "CNY") == chinese


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("1039.9998"), "£1,039.9998"),
        (Decimal("6480.2500"), "£6,480.25"),
        (Decimal("6480.5000"), "£6,480.50"),
        (Decimal("-6480.0000"), "−£6,480"),
        (Decimal(120000), "£120,000"),
        (None, "–"),
    ],
)
def test_writes_money_with_every_decimal_there_is(value, written):
    assert words.exact_money(value, "GBP") == written


@pytest.mark.parametrize(
    ("share", "written"),
    [(0.9994, "99.94%"), (Decimal("0.9770"), "97.7%"), (0.5, "50%"), (0.12345, "12.34%"), (0, "0%"), (None, "–")],
)
def test_writes_a_share_with_the_decimals_that_say_something(share, written):
    assert words.percent_part(share) == written


def test_keeps_the_letters_of_a_currency_without_a_sign():
    assert words.money(Decimal(5), "CHF") == "CHF\u00a05"


def test_signs_changes_with_a_true_minus():
    assert [words.signed(n) for n in (-9, 5, 0, None)] == ["−9", "+5", "0", ""]
    assert [words.percent_change(n) for n in (-0.05, 0.12, 0.0)] == ["−5%", "+12%", "0%"]


def test_names_the_year_only_when_it_is_another(time_machine):
    time_machine.move_to(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC))
    assert words.day(dt.date(2026, 11, 2)) == "2 Nov"
    assert words.day(dt.date(2025, 11, 2)) == "2 Nov 2025"
    with translation.override("zh-hans"):
        assert words.day(dt.date(2026, 11, 2)) == "11月2日"
        assert words.month_year(dt.date(2026, 11, 2)) == "2026年11月"


def test_says_the_time_alone_for_today(time_machine):
    now = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
    time_machine.move_to(now)
    assert words.moment(now - dt.timedelta(hours=2)) == "10:00"
    assert words.moment(now - dt.timedelta(days=2)) == "18 Nov 12:00"


def test_marks_health_with_shape_word_and_number():
    mark = words.health_mark("red", 37, -9)
    for part in ('data-band="red"', "#pn-red", "<span>Red</span>", "<b>37</b>", "drop", "−9"):
        assert part in mark
    assert "drop" not in words.health_mark("red", 37, -4)
    assert "<b>" not in words.health_mark("none", None)
