"""What the charts draw: numbers and words made here, so that the script only paints."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from health.figures import BANDS, Week
from health.models import Band, HealthHistory
from segmentation.rules.sales import Pareto, Seasons
from tenants.templatetags.perennial import day, symbol

MONTHS = 24
WEEKS = 26


def months_until(last: dt.date, count: int = MONTHS) -> list[dt.date]:
    """The first days of the `count` months that end with the month of `last`, oldest first."""
    number = last.year * 12 + last.month - 1
    return [dt.date(each // 12, each % 12 + 1, 1) for each in range(number - count + 1, number + 1)]


def spend(
    months: Sequence[tuple[dt.date, Decimal]], currency: str, marks: Mapping[dt.date, str] | None = None
) -> dict[str, Any]:
    """Net money by month: values in a unit that keeps the axis short, named in words; `marks` are letters on months."""
    size, unit = _unit(max((abs(money) for _month, money in months), default=Decimal(0)), symbol(currency).strip())
    return {
        "kind": "spend",
        "unit": unit,
        "labels": [_month_words(month) for month, _money in months],
        "ticks": [_tick(month) for month, _money in months],
        "values": [float(round(money / size, 2)) for _month, money in months],
        "marks": [(marks or {}).get(month, "") for month, _money in months],
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
    return _short_month(month)


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


def bands(weeks: Sequence[Week]) -> dict[str, Any]:
    """Customers by colour, week by week, red lowest: what lies on the ground is seen to grow."""
    order = tuple(reversed(BANDS[:3])) + BANDS[3:]
    return {
        "kind": "bands",
        "labels": [day(week.on) for week in weeks],
        "series": [
            {"band": band, "name": str(Band(band).label), "values": [week.customers.get(band, 0) for week in weeks]}
            for band in order
        ],
    }


def lapses(months: Sequence[Any], as_of: dt.date, names: Mapping[str, str]) -> dict[str, Any]:
    """Lapsed customers by month, stacked by class; of `months` (dashboards.team.figures.Lapses) the last is not over."""
    return {
        "kind": "stack",
        "labels": [month_so_far(each.month, as_of) for each in months],
        "series": [
            {"name": name, "values": [each.customers.get(code, 0) for each in months]} for code, name in names.items()
        ],
        "totals": [each.total for each in months],
    }


def month_so_far(month: dt.date, as_of: dt.date) -> str:
    """A month in short; the one of `as_of` says up to which day it has gone."""
    if (month.year, month.month) == (as_of.year, as_of.month):
        return _("to %(day)s") % {"day": day(as_of)}
    return _month_name(month)


def shares(points: Sequence[tuple[dt.date, float | None]]) -> dict[str, Any]:
    """A share by month, in percent; a month without one has no bar."""
    return {
        "kind": "bars",
        "unit": "%",
        "labels": [_month_words(month) for month, _share in points],
        "ticks": [_short_month(month) for month, _share in points],
        "values": [None if share is None else round(share * 100, 1) for _month, share in points],
    }


def averages(points: Sequence[tuple[dt.date, Decimal | None]], currency: str) -> dict[str, Any]:
    """Money per order by month; a month without orders has no bar."""
    size, unit = _unit(
        max((abs(money) for _month, money in points if money), default=Decimal(0)), symbol(currency).strip()
    )
    return {
        "kind": "bars",
        "unit": unit,
        "labels": [_month_words(month) for month, _money in points],
        "ticks": [_tick(month) for month, _money in points],
        "values": [None if money is None else float(round(money / size, 2)) for _month, money in points],
    }


def pareto(curve: Pareto) -> dict[str, Any]:
    """The share of the money that the best so many percent of the customers bring, from nobody to all."""
    return {
        "kind": "curve",
        "points": [[0, 0], *([round(100 * p.customers / curve.customers, 2), round(100 * p.share, 2)] for p in curve.points)],
        "mark": [
            round(100 * (curve.core_customer_share or 0), 2),
            round(100 * (curve.core_money_share or 0), 2),
        ],
        "x": _("of customers"),
        "y": _("of the money"),
    }  # fmt: skip


def seasons(season: Seasons) -> dict[str, Any]:
    """The share of each calendar month in a year's orders, in percent."""
    months = [dt.date(2000, each.month, 1) for each in season.months]
    return {
        "kind": "bars",
        "unit": "%",
        "labels": [_month_name(month) for month in months],
        "ticks": [_month_name(month) for month in months],
        "values": [round(each.share * 100, 1) for each in season.months],
    }


def calibration(bins: Sequence[Mapping[str, Any]], *, fewest: int) -> dict[str, Any]:
    """What was forecast against what came, in percent; bins of fewer forecasts than `fewest` say nothing."""
    told = [each for each in bins if each["n"] >= fewest]
    return {
        "kind": "calibration",
        "points": [[round(100 * each["predicted"], 1), round(100 * each["seen"], 1)] for each in told],
        "x": _("forecast"),
        "y": _("lapsed"),
    }


def gain(deciles: Sequence[Mapping[str, Any]], base_rate: float) -> dict[str, Any]:
    """The share that lapsed in each tenth of the customers by risk, in percent, beside the share of all."""
    return {
        "kind": "bars",
        "unit": "%",
        "labels": [str(each["number"]) for each in deciles],
        "ticks": [str(each["number"]) for each in deciles],
        "values": [None if each["lapsed"] is None else round(100 * each["lapsed"], 1) for each in deciles],
        "line": round(100 * base_rate, 1),
    }


def _month_name(month: dt.date) -> str:
    return str(date_format(month, "n月" if (translation.get_language() or "").startswith("zh") else "M"))


def _short_month(month: dt.date) -> str:
    name = _month_name(month)
    return f"{name}\n{month.year}" if month.month == 1 else name
