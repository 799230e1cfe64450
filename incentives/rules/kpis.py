"""KPIs: what is measured, over which stretch of days, against which target, and what a score card makes of it.

The table below is the one place that says which KPIs there are; docs/rules/kpis.md has each definition in words.
Numerators and denominators are exact decimals; how they come about from the facts is `incentives.kpis.facts`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Literal, get_args

from tenants.rules.sections import gettext_noop

Code = Literal[
    "coverage",
    "csat",
    "repurchase",
    "nps",
    "value_growth",
    "strategic_retention",
    "strategic_growth",
    "response_time",
    "first_time",
    "clv_uplift",
    "referrals",
    "referral_conversion",
]
CODES: Final[tuple[Code, ...]] = get_args(Code)

Unit = Literal["percent", "points", "hours", "count"]
Span = Literal["week", "month", "quarter"]
SPANS: Final[tuple[Span, ...]] = get_args(Span)

Job = Literal["sales", "service", "success"]
JOBS: Final[tuple[Job, ...]] = get_args(Job)
"""What a member is measured as; each job weighs the KPIs in its own way (policy section "kpis")."""

QUARTER_MONTHS: Final = 3
FIRST_YEAR: Final = 1970
YEAR_WEEKS: Final = Decimal(52)
PLACES: Final = Decimal("0.0001")
"""Numerators and denominators are kept to four decimals."""


@dataclass(frozen=True)
class Kpi:
    """One KPI. Its value is numerator ÷ denominator in its unit; a count is the numerator itself.

    Words are plain English, marked for the catalogue: `title`, what is counted (`numerator` of `denominator`), and over
    which `window`. `by_days`: it looks at a customer's whole period, which is split over whom the customer was held by,
    by days; the others look at single facts, which count for whoever was responsible on the day of the fact.
    `is_ours`: the target is not from the plans but ours to begin with.
    """

    code: Code
    title: str
    numerator: str
    denominator: str
    window: str
    unit: Unit
    target: Decimal
    better: Literal["up", "down"] = "up"
    by_days: bool = False
    is_ours: bool = False


KPIS: Final[Mapping[Code, Kpi]] = {
    each.code: each
    for each in (
        Kpi(
            "coverage", gettext_noop("Coverage"),
            gettext_noop("planned touches made in time"), gettext_noop("planned touches that were due"),
            gettext_noop("due in the period"), "percent", Decimal(95),
        ),
        Kpi(
            "csat", gettext_noop("Satisfaction (CSAT)"),
            gettext_noop("answers of 4 or 5"), gettext_noop("CSAT answers"),
            gettext_noop("answered in the period"), "percent", Decimal(90),
        ),
        Kpi(
            "repurchase", gettext_noop("Repurchase conversion"),
            gettext_noop("customers who ordered again in time"), gettext_noop("customers contacted who had bought before"),
            gettext_noop("contacts whose days to order ended in the period"), "percent", Decimal(25),
        ),
        Kpi(
            "nps", gettext_noop("NPS"),
            gettext_noop("promoters less detractors"), gettext_noop("contacts who answered"),
            gettext_noop("each contact's latest answer in the period"), "points", Decimal(50),
        ),
        Kpi(
            "value_growth", gettext_noop("Value growth"),
            gettext_noop("net money more than a year before"), gettext_noop("net money a year before"),
            gettext_noop("the period's days so far, and the same days a year before"), "percent", Decimal(18),
            by_days=True,
        ),
        Kpi(
            "strategic_retention", gettext_noop("Strategic retention"),
            gettext_noop("of them still customers at its end"), gettext_noop("best-tier customers at the period's start"),
            gettext_noop("from the period's first day to its last"), "percent", Decimal(98), by_days=True,
        ),
        Kpi(
            "strategic_growth", gettext_noop("Strategic growth"),
            gettext_noop("net money of best-tier customers more than a year before"),
            gettext_noop("their net money a year before"),
            gettext_noop("the period's days so far, and the same days a year before"), "percent", Decimal(18),
            by_days=True,
        ),
        Kpi(
            "response_time", gettext_noop("Response time"),
            gettext_noop("working hours until the first answer"), gettext_noop("complaints answered, or still waiting at its end"),
            gettext_noop("answered in the period, or opened before its end and not answered by then"), "hours",
            Decimal(9), "down",
        ),
        Kpi(
            "first_time", gettext_noop("First-time resolution"),
            gettext_noop("solved the first time"), gettext_noop("complaints and questions that were solved or not"),
            gettext_noop("complaints solved, and contacts, in the period"), "percent", Decimal(80), is_ours=True,
        ),
        Kpi(
            "clv_uplift", gettext_noop("Lifetime value uplift"),
            gettext_noop("lifetime value more than at the period's start"),
            gettext_noop("lifetime value at the period's start"),
            gettext_noop("from the period's first night to its last"), "percent", Decimal(5), by_days=True, is_ours=True,
        ),
        Kpi(
            "referrals", gettext_noop("Referrals"),
            gettext_noop("referrals"), "",
            gettext_noop("recorded for a day of the period"), "count", Decimal(1), is_ours=True,
        ),
        Kpi(
            "referral_conversion", gettext_noop("Referral conversion"),
            gettext_noop("referrals with a first order in time"), gettext_noop("referrals decided"),
            gettext_noop("first order in the period, or its days to order ended in the period"), "percent", Decimal(25),
            is_ours=True,
        ),
    )
}  # fmt: skip


# ── periods ─────────────────────────────────────────────────────────────────

_CODE: Final = re.compile(r"(?P<year>[0-9]{4})-(?:W(?P<week>[0-9]{2})|Q(?P<quarter>[1-4])|(?P<month>[0-9]{2}))")


@dataclass(frozen=True, order=True)
class Period:
    """A calendar week (Monday to Sunday, ISO 8601), month or quarter of the firm's local days, by its first day.

    Make one by `of` or `read`: `start` must be a first day.
    """

    span: Span
    start: dt.date

    def __post_init__(self) -> None:
        if self.start != _first_day(self.span, self.start):
            raise ValueError(f"{self.start} is not the first day of a {self.span}")

    @classmethod
    def of(cls, span: Span, day: dt.date) -> Period:
        """The period in which a day lies."""
        return cls(span, _first_day(span, day))

    @classmethod
    def read(cls, code: str) -> Period:
        """The period of a code as `code` writes it. Raises ValueError for what is none."""
        found = _CODE.fullmatch(code)
        if found is None or int(found["year"]) < FIRST_YEAR:
            raise ValueError(f"{code!r} is no period; write 2026-W47, 2026-11 or 2026-Q4")
        year = int(found["year"])
        if found["week"]:
            return cls("week", dt.date.fromisocalendar(year, int(found["week"]), 1))
        if found["quarter"]:
            return cls("quarter", dt.date(year, (int(found["quarter"]) - 1) * QUARTER_MONTHS + 1, 1))
        return cls("month", dt.date(year, int(found["month"]), 1))

    @property
    def end(self) -> dt.date:
        """The day after its last."""
        if self.span == "week":
            return self.start + dt.timedelta(days=7)
        return _months_on(self.start, 1 if self.span == "month" else QUARTER_MONTHS)

    @property
    def last(self) -> dt.date:
        return self.end - dt.timedelta(days=1)

    @property
    def code(self) -> str:
        """2026-W47, 2026-11, 2026-Q4."""
        if self.span == "week":
            year, week, _day = self.start.isocalendar()
            return f"{year:04}-W{week:02}"
        if self.span == "month":
            return f"{self.start:%Y-%m}"
        return f"{self.start.year:04}-Q{(self.start.month - 1) // QUARTER_MONTHS + 1}"

    @property
    def before(self) -> Period:
        return Period.of(self.span, self.start - dt.timedelta(days=1))

    @property
    def after(self) -> Period:
        return Period(self.span, self.end)

    def back(self, count: int) -> list[Period]:
        """This period and those before it, `count` in all, the oldest first."""
        found = [self]
        while len(found) < count:
            found.insert(0, found[0].before)
        return found

    def holds(self, day: dt.date) -> bool:
        return self.start <= day < self.end

    def until(self, as_of: dt.date) -> dt.date:
        """The day before which its facts count as of a day: its end, or that day while it runs."""
        return max(self.start, min(self.end, as_of))


def _first_day(span: Span, day: dt.date) -> dt.date:
    if span == "week":
        return day - dt.timedelta(days=day.weekday())
    if span == "month":
        return day.replace(day=1)
    return dt.date(day.year, (day.month - 1) // QUARTER_MONTHS * QUARTER_MONTHS + 1, 1)


def _months_on(first: dt.date, count: int) -> dt.date:
    number = first.year * 12 + first.month - 1 + count
    return dt.date(number // 12, number % 12 + 1, 1)


def year_before(day: dt.date) -> dt.date:
    """The same day a year before; of 29 February the 28th, as an exclusive end the 1 March stays a 1 March."""
    return dt.date(day.year - 1, 2, 28) if (day.month, day.day) == (2, 29) else day.replace(year=day.year - 1)


# ── values ──────────────────────────────────────────────────────────────────


def value_of(kpi: Kpi, numerator: Decimal, denominator: Decimal) -> Decimal | None:
    """The value in the KPI's unit, to four decimals; None where there is nothing to measure.

    A growth from nothing, or from less than nothing (credit notes), has no value: no number would say what it was.
    """
    if kpi.unit == "count":
        return numerator
    if denominator <= 0:
        return None
    factor = Decimal(100) if kpi.unit in ("percent", "points") else Decimal(1)
    return (numerator * factor / denominator).quantize(PLACES, ROUND_HALF_UP)


def target_for(kpi: Kpi, target: Decimal, period: Period, people: int) -> Decimal:
    """The target of a period for so many people: a count is said for one person and a month, the others hold as they are."""
    if kpi.unit != "count":
        return target
    per_period = {
        "week": target * 12 / YEAR_WEEKS,
        "month": target,
        "quarter": target * QUARTER_MONTHS,
    }[period.span]
    return (per_period * people).quantize(PLACES, ROUND_HALF_UP)


def achievement(kpi: Kpi, value: Decimal | None, target: Decimal, cap: Decimal) -> Decimal | None:
    """How far the target was reached, in percent from 0 to `cap`; None without a value or with a target of nothing.

    value ÷ target where more is better, target ÷ value where less is.
    """
    if value is None or target <= 0:
        return None
    if kpi.better == "down" and value <= 0:
        return cap
    share = max(Decimal(0), value) * 100 / target if kpi.better == "up" else target * 100 / value
    return min(cap, share).quantize(PLACES, ROUND_HALF_UP)


@dataclass(frozen=True)
class Line:
    """A KPI of a score card: its weight as the job says it, the weight it has when those without a value are left out."""

    code: Code
    weight: int
    achieved: Decimal | None
    share: Decimal
    contribution: Decimal


def score(weights: Mapping[Code, int], achieved: Mapping[Code, Decimal | None]) -> tuple[Decimal | None, list[Line]]:
    """The score of a card and its lines, heaviest first; the contributions add up to the score exactly.

    KPIs without a value are left out and the others weigh more; None when none has a value.
    """
    used = {code: weight for code, weight in weights.items() if weight > 0}
    known = sum(weight for code, weight in used.items() if achieved.get(code) is not None)
    lines = []
    for code, weight in sorted(used.items(), key=lambda each: (-each[1], CODES.index(each[0]))):
        reached = achieved.get(code)
        share = Decimal(0) if reached is None else Decimal(weight) * 100 / known
        part = Decimal(0) if reached is None else (share * reached / 100).quantize(PLACES, ROUND_HALF_UP)
        lines.append(Line(code, weight, reached, share.quantize(PLACES, ROUND_HALF_UP), part))
    if not known:
        return None, lines
    return sum((line.contribution for line in lines), Decimal(0)), lines
