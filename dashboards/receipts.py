"""The health receipt in words and marks: every line says what was seen, where that lies, and what it adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from health.rules.policy import Point
from health.rules.receipt import Receipt, ReceiptLine, Unknown
from tenants.base import POINTS
from tenants.templatetags.perennial import MINUS, short_money

NAMES: Final[Mapping[str, Promise]] = {
    "order_frequency": gettext_lazy("Order frequency"),
    "order_stability": gettext_lazy("Order stability"),
    "spend_trend": gettext_lazy("Spend trend"),
    "category_breadth": gettext_lazy("Category breadth"),
    "interaction_frequency": gettext_lazy("Interaction frequency"),
    "responsiveness": gettext_lazy("Responsiveness"),
    "complaint_rate": gettext_lazy("Complaint rate"),
    "first_time_resolution": gettext_lazy("Solved first time"),
    "satisfaction": gettext_lazy("Satisfaction"),
    "advocacy": gettext_lazy("Advocacy"),
    "competitor_interest": gettext_lazy("Competitor interest"),
    "payment_behaviour": gettext_lazy("Payment"),
}

# The drawn line of an indicator, in the units of its little picture: 44 × 16, level beyond both ends.
_LEFT, _RIGHT, _TOP, _BOTTOM = 6.2, 37.8, 2.5, 13.5
_FAR_LEFT, _FAR_RIGHT = 1.5, 42.5
_BAR = 48.0


@dataclass(frozen=True)
class Curve:
    """An indicator's line as the points of a polyline, and where the customer stands on it."""

    points: str
    x: str
    y: str
    words: str


@dataclass(frozen=True)
class Row:
    """A line of the receipt, ready to print. Widths are in units of a bar of 48."""

    name: str
    value: str
    curve: Curve | None
    score: str
    track: str
    fill: str
    contribution: Decimal | None
    weight: Decimal | int


@dataclass(frozen=True)
class Drawn:
    """A receipt, ready to print: the known indicators, the unknown ones with why, and the sum."""

    receipt: Receipt
    rows: list[Row]
    unknown: list[tuple[str, str]]
    known: int
    switched_on: int

    @property
    def known_names(self) -> str:
        return _(", ").join(row.name for row in self.rows)


def draw(receipt: Receipt) -> Drawn:
    """What the page shows of a receipt."""
    heaviest = max((line.effective_weight or Decimal(line.weight) for line in receipt.lines), default=Decimal(1))
    known = [line for line in receipt.lines if line.unknown is None]
    return Drawn(
        receipt=receipt,
        rows=[_row(line, heaviest) for line in known],
        unknown=[(str(NAMES[line.key]), _why(line.unknown)) for line in receipt.lines if line.unknown],
        known=receipt.known,
        switched_on=sum(line.weight > 0 for line in receipt.lines),
    )


def _row(line: ReceiptLine, heaviest: Decimal) -> Row:
    weight = line.effective_weight if line.effective_weight is not None else Decimal(line.weight)
    track = float(weight / heaviest) * _BAR if heaviest else 0.0
    return Row(
        name=str(NAMES[line.key]),
        value=_value(line),
        curve=_curve(line) if line.value is not None else None,
        score="" if line.score is None else str(int(line.score + Decimal("0.5"))),
        track=f"{track:.1f}",
        fill=f"{track * float(line.score or 0) / 100:.1f}",
        contribution=line.contribution,
        weight=weight,
    )


# ── what was seen, in words ──────────────────────────────────────────────────


def _value(line: ReceiptLine) -> str:
    says = {
        "order_frequency": _frequency,
        "order_stability": _stability,
        "spend_trend": _spend,
        "category_breadth": _breadth,
    }.get(line.key)
    return says(line.inputs, line.value or 0.0) if says else _number(line.value or 0.0)


def _frequency(inputs: Mapping[str, Any], value: float) -> str:
    return _("%(days)s ÷ %(gap)s d = %(ratio)s") % {
        "days": inputs["days"],
        "gap": _number(inputs["median_gap"]),
        "ratio": f"{value:.2f}",
    }


def _stability(inputs: Mapping[str, Any], value: float) -> str:
    return _("variation %(value)s") % {"value": f"{value:.2f}"}


def _spend(inputs: Mapping[str, Any], value: float) -> str:
    recent = Decimal(inputs["recent"]) / POINTS
    usual = Decimal(inputs["before"]) / POINTS * inputs["days"] / inputs["before_days"]
    return f"{short_money(recent)} ÷ {short_money(usual)} = {value:.2f}".replace("-", MINUS)


def _breadth(inputs: Mapping[str, Any], value: float) -> str:
    return f"{inputs['recent']} ÷ {inputs['before']} = {value:.2f}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0").replace("-", MINUS)


def _why(unknown: Unknown) -> str:
    if unknown.code == "needs_orders":
        needs = unknown.needs or 0
        return ngettext(
            "needs orders on %(needs)d day, has %(has)d", "needs orders on %(needs)d days, has %(has)d", needs
        ) % {"needs": needs, "has": unknown.has or 0}
    return {
        "no_spend_before": _("nothing bought in the year before"),
        "no_categories_before": _("nothing bought in the half-year before"),
        "not_recorded": _("not recorded yet"),
        "switched_off": _("switched off in the policy"),
    }[unknown.code]


# ── where it lies ────────────────────────────────────────────────────────────


def _curve(line: ReceiptLine) -> Curve:
    points = line.line
    first, last = points[0][0], points[-1][0]
    value, score = line.value or 0.0, float(line.score or 0)

    def across(raw: float) -> float:
        return _LEFT + (raw - first) / (last - first) * (_RIGHT - _LEFT)

    def up(points_of_score: float) -> float:
        return _BOTTOM - points_of_score / 100 * (_BOTTOM - _TOP)

    path = [(_FAR_LEFT, up(points[0][1])), *((across(raw), up(each)) for raw, each in points)]
    path.append((_FAR_RIGHT, up(points[-1][1])))
    return Curve(
        points=" ".join(f"{x:.1f},{y:.1f}" for x, y in path),
        x=f"{min(max(across(value), _FAR_LEFT + 2.5), _FAR_RIGHT - 2.5):.1f}",
        y=f"{up(score):.1f}",
        words=line_words(points),
    )


def line_words(points: Sequence[Point]) -> str:
    """An indicator's line, best first: ≤1→100, 1.5→60, 2→30, ≥3→0."""
    named = [(_number(raw), score) for raw, score in points]
    (first, first_score), (last, last_score) = named[0], named[-1]
    ends = [(f"≤{first}" if points[0][0] else first, first_score), *named[1:-1], (f"≥{last}", last_score)]
    best_first = ends if first_score >= last_score else ends[::-1]
    return ", ".join(f"{raw}→{score}" for raw, score in best_first)
