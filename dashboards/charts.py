"""What the charts draw: numbers and words made here, so that the script only paints."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from health.models import HealthHistory
from tenants.templatetags.perennial import day, symbol

MONTHS = 24
WEEKS = 26


def months_until(last: dt.date, count: int = MONTHS) -> list[dt.date]:
    """The first days of the `count` months that end with the month of `last`, oldest first."""
    number = last.year * 12 + last.month - 1
    return [dt.date(each // 12, each % 12 + 1, 1) for each in range(number - count + 1, number + 1)]


def spend(months: Sequence[tuple[dt.date, Decimal]], currency: str) -> dict[str, Any]:
    """Net money by month: values in a unit that keeps the axis short, named in words."""
    size, unit = _unit(max((abs(money) for _month, money in months), default=Decimal(0)), symbol(currency).strip())
    return {
        "kind": "spend",
        "unit": unit,
        "labels": [_month_words(month) for month, _money in months],
        "ticks": [_tick(month) for month, _money in months],
        "values": [float(round(money / size, 2)) for _month, money in months],
    }


def _unit(most: Decimal, sign: str) -> tuple[Decimal, str]:
    chinese = (translation.get_language() or "").startswith("zh")
    steps = (
        [(Decimal(10**8), _("hundred million %(currency)s")), (Decimal(10**4), _("ten thousand %(currency)s"))]
        if chinese
        else [(Decimal(10**6), _("million %(currency)s")), (Decimal(10**3), _("thousand %(currency)s"))]
    )
    for size, words in steps:
        if most >= 5 * size:
            return size, words % {"currency": sign}
    return Decimal(1), sign


def _month_words(month: dt.date) -> str:
    return str(date_format(month, "Y年n月" if (translation.get_language() or "").startswith("zh") else "M Y"))


def _tick(month: dt.date) -> str:
    if month.month not in {1, 4, 7, 10}:
        return ""
    name = date_format(month, "n月" if (translation.get_language() or "").startswith("zh") else "M")
    return f"{name}\n{month.year}" if month.month == 1 else str(name)


def health(history: Sequence[HealthHistory], *, yellow: int, green: int) -> dict[str, Any]:
    """The score over time, where there was one, with the two lines between the colours."""
    known = [row for row in history if row.score is not None]
    return {
        "kind": "health",
        "points": [[row.on.isoformat(), row.score] for row in known],
        "labels": {row.on.isoformat(): day(row.on) for row in known},
        "lines": [yellow, green],
        "band": known[-1].band if known else "none",
    }
