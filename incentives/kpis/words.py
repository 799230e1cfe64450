"""What people read of KPIs: titles, periods, values with their units."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from incentives.models import Job
from incentives.rules.kpis import CODES, KPIS, Code, Kpi, Period, Span
from tenants.templatetags.perennial import month_year

SPAN_TITLES: Final[dict[Span, str | Promise]] = {
    "week": gettext_lazy("Week"),
    "month": gettext_lazy("Month"),
    "quarter": gettext_lazy("Quarter"),
}


def kpi_title(code: Code) -> str:
    """What people call a KPI."""
    return _(KPIS[code].title)


def kpi_choices() -> list[tuple[str, str]]:
    return [(code, kpi_title(code)) for code in CODES]


def job_title(job: str) -> str:
    return str(Job(job).label) if job else ""


def period_words(period: Period) -> str:
    """Week 47 of 2026; Nov 2026; Quarter 4 of 2026."""
    if period.span == "month":
        return month_year(period.start)
    if period.span == "week":
        year, week, _day = period.start.isocalendar()
        return _("Week %(week)d of %(year)d") % {"week": week, "year": year}
    return _("Quarter %(quarter)d of %(year)d") % {
        "quarter": (period.start.month - 1) // 3 + 1,
        "year": period.start.year,
    }


def unit_words(kpi: Kpi) -> str:
    """The unit as it stands behind a number that is typed."""
    return {
        "percent": "%",
        "points": pgettext("NPS", "points"),
        "hours": pgettext("unit", "hours"),
        "count": pgettext("unit", "referrals"),
    }[kpi.unit]


def shown(kpi: Kpi, value: Decimal | None) -> str:
    """A value as people read it, with one decimal where it says something: 92.4 %, 31, 5.2 h; "–" for none."""
    if value is None:
        return "–"
    number = _one_decimal(value)
    if kpi.unit == "percent":
        return _("%(number)s%%") % {"number": number}
    if kpi.unit == "hours":
        return _("%(number)s h") % {"number": number}
    return number


def amount(value: Decimal) -> str:
    """A numerator or denominator: whole where it is, else with two decimals (a customer that was split by days)."""
    rounded = round(value, 2)
    if rounded == rounded.to_integral_value():
        return formats.number_format(int(rounded), use_l10n=True, force_grouping=True)
    return formats.number_format(rounded, decimal_pos=2, use_l10n=True, force_grouping=True)


def _one_decimal(value: Decimal) -> str:
    rounded = round(value, 1)
    if rounded == rounded.to_integral_value():
        return formats.number_format(int(rounded), use_l10n=True, force_grouping=True)
    return formats.number_format(rounded, decimal_pos=1, use_l10n=True, force_grouping=True)
