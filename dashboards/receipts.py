"""The health receipt in words and marks: every line says what was seen, where that lies, and what it adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from health.rules.policy import Band, Point
from health.rules.receipt import Action, Lift, Receipt, ReceiptLine
from segmentation.models import Stage, Tier
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
    """A line of the receipt, ready to print. Widths are in units of a bar of 48.

    `why` says why the value is unknown, where the policy counts it as so many points all the same.
    """

    key: str
    name: str
    value: str
    why: str
    curve: Curve | None
    score: str
    track: str
    fill: str
    contribution: Decimal | None
    weight: Decimal | int


@dataclass(frozen=True)
class LiftWords:
    """What one act would make of the score: "An order today makes it", 53, yellow."""

    words: str
    score: int
    band: Band


@dataclass(frozen=True)
class Drawn:
    """A receipt, ready to print: the indicators that count, those left out with why, and the sum.

    `weights` says whose weights count, empty where they are everybody's. `lifts` are none, one, or two acts of which
    the second comes on top of the first.
    """

    receipt: Receipt
    rows: list[Row]
    unknown: list[tuple[str, str]]
    known: int
    switched_on: int
    weights: str
    lifts: list[LiftWords]

    @property
    def known_names(self) -> str:
        return _(", ").join(row.name for row in self.rows if not row.why)


def draw(receipt: Receipt) -> Drawn:
    """What the page shows of a receipt."""
    heaviest = max((line.effective_weight or Decimal(line.weight) for line in receipt.lines), default=Decimal(1))
    counted = [line for line in receipt.lines if line.unknown is None or line.is_assumed]
    left_out = [line for line in receipt.lines if line.unknown is not None and not line.is_assumed]
    return Drawn(
        receipt=receipt,
        rows=[_row(line, heaviest) for line in counted],
        unknown=[(str(NAMES[line.key]), why_unknown(line)) for line in left_out],
        known=receipt.known,
        switched_on=sum(line.weight > 0 for line in receipt.lines),
        weights=_weights(receipt),
        lifts=lift_words(receipt.lift),
    )


def _row(line: ReceiptLine, heaviest: Decimal) -> Row:
    weight = line.effective_weight if line.effective_weight is not None else Decimal(line.weight)
    track = float(weight / heaviest) * _BAR if heaviest else 0.0
    return Row(
        key=line.key,
        name=str(NAMES[line.key]),
        value=value_words(line),
        why=why_unknown(line),
        curve=_curve(line) if line.value is not None else None,
        score="" if line.score is None else str(int(line.score + Decimal("0.5"))),
        track=f"{track:.1f}",
        fill=f"{track * float(line.score or 0) / 100:.1f}",
        contribution=line.contribution,
        weight=weight,
    )


def _weights(receipt: Receipt) -> str:
    code = receipt.weights_for
    if receipt.weights_from == "tier":
        return _("Weights for the tier %(tier)s") % {"tier": Tier(code).label if code in Tier.values else code}
    if receipt.weights_from == "stage":
        return _("Weights for the stage %(stage)s") % {"stage": Stage(code).label}
    return ""


# ── what would lift it ───────────────────────────────────────────────────────


def lift_words(lift: Lift | None) -> list[LiftWords]:
    """The act that would lift the score, and the one on top of it, in words; empty for none."""
    if lift is None:
        return []
    first: Mapping[Action, str] = {
        "contact": _("One answered contact makes it"),
        "solve": _("Solving the repeated question makes it"),
        "order": _("An order today makes it"),
    }
    then: Mapping[Action, str] = {
        "contact": _("An answered contact as well:"),
        "solve": _("Solving the repeated question as well:"),
        "order": _("An order as well:"),
    }
    found = [LiftWords(first[lift.action], lift.score, lift.band)]
    if lift.then:
        found.append(LiftWords(then[lift.then.action], lift.then.score, lift.then.band))
    return found


# ── what was seen, in words ──────────────────────────────────────────────────


def value_words(line: ReceiptLine) -> str:
    """What was seen of an indicator: "41 ÷ 19 d = 2.16"; of an unknown one, what it counts as, "–" for nothing."""
    if line.value is not None:
        return _SAYS[line.key](line.inputs, line.value)
    if line.score is not None:
        return _("counts as %(points)s") % {"points": _number(float(line.score))}
    return "–"


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


def _contacts(inputs: Mapping[str, Any], value: float) -> str:
    usual = inputs["before"] * inputs["days"] / inputs["before_days"]
    return f"{inputs['recent']} ÷ {_number(usual)} = {value:.2f}"


def _responsiveness(inputs: Mapping[str, Any], value: float) -> str:
    if inputs["unanswered_run"] >= inputs["silent_from"]:
        return _("last %(number)s unanswered") % {"number": inputs["unanswered_run"]}
    return _("%(answered)s of %(asked)s answered") % {"answered": inputs["answered"], "asked": inputs["asked"]}


def _complaints(inputs: Mapping[str, Any], value: float) -> str:
    if not inputs["recent"]:
        return _("no complaints")
    now = inputs["recent"] / max(inputs["orders_recent"], 1)
    before = max(inputs["before"] or 0, 1) / max(inputs["orders_before"], 1)
    return f"{now:.2f} ÷ {before:.2f} = {value:.2f}"


def _resolution(inputs: Mapping[str, Any], value: float) -> str:
    if inputs["repeated_open"] >= inputs["repeated_from"]:
        return _("same question open %(number)s times") % {"number": inputs["repeated_open"]}
    return f"{inputs['solved_first']} ÷ {inputs['solved']} = {value:.2f}"


def _satisfaction(inputs: Mapping[str, Any], value: float) -> str:
    return _("CSAT %(value)s") % {"value": _number(value)}


def _advocacy(inputs: Mapping[str, Any], value: float) -> str:
    return _("NPS %(value)s") % {"value": _number(value)}


def _competitor(inputs: Mapping[str, Any], value: float) -> str:
    number = inputs["contacts"]
    return ngettext("%(number)d contact", "%(number)d contacts", number) % {"number": number}


def _payment(inputs: Mapping[str, Any], value: float) -> str:
    if value == 0:
        return _("on time")
    said = {"days": _number(abs(value))}
    return _("%(days)s d late") % said if value > 0 else _("%(days)s d early") % said


_SAYS: Final[Mapping[str, Callable[[Mapping[str, Any], float], str]]] = {
    "order_frequency": _frequency,
    "order_stability": _stability,
    "spend_trend": _spend,
    "category_breadth": _breadth,
    "interaction_frequency": _contacts,
    "responsiveness": _responsiveness,
    "complaint_rate": _complaints,
    "first_time_resolution": _resolution,
    "satisfaction": _satisfaction,
    "advocacy": _advocacy,
    "competitor_interest": _competitor,
    "payment_behaviour": _payment,
}


def _number(value: float) -> str:
    rounded = round(value, 1) + 0.0  # no minus before 0
    return f"{rounded:.1f}".removesuffix(".0").replace("-", MINUS)


def why_unknown(line: ReceiptLine) -> str:
    """Why an indicator is unknown; empty for one that is known."""
    unknown, inputs = line.unknown, line.inputs
    if unknown is None:
        return ""
    if unknown.code == "needs_orders":
        needs = unknown.needs or 0
        return ngettext(
            "needs orders on %(needs)d day, has %(has)d", "needs orders on %(needs)d days, has %(has)d", needs
        ) % {"needs": needs, "has": unknown.has or 0}
    windows: dict[str, Any] = {"now": inputs.get("days"), "before": inputs.get("before_days", inputs.get("days"))}
    if unknown.code == "no_orders":
        return _("no order in the last %(days)s days") % {"days": windows["now"] + windows["before"]}
    return {
        "no_spend_before": _("nothing bought in the %(before)s days before the last %(now)s") % windows,
        "no_categories_before": _("nothing bought in the %(before)s days before the last %(now)s") % windows,
        "no_contacts_before": _("no two-way contact in the %(before)s days before the last %(now)s") % windows,
        "nobody_asked": _("no contact noted as answered or not"),
        "no_complaints_kept": _("complaints are not kept here yet"),
        "nothing_solved": _("nothing solved in the last %(now)s days") % windows,
        "no_answers": _("no answer in the last %(now)s days") % windows,
        "nothing_noted": _("not noted in the last %(now)s days") % windows,
        "no_invoices": _("no paid invoice yet"),
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
        words=_(", ").join(filter(None, (line_words(points), _exception(line)))),
    )


def _exception(line: ReceiptLine) -> str:
    """What is 0 points whatever the line says."""
    if line.key == "responsiveness":
        return _("last %(number)s unanswered→0") % {"number": line.inputs["silent_from"]}
    if line.key == "first_time_resolution":
        return _("same question open %(number)s times→0") % {"number": line.inputs["repeated_from"]}
    return ""


def line_words(points: Sequence[Point]) -> str:
    """An indicator's line, best first: ≤1→100, 1.5→60, 2→30, ≥3→0."""
    named = [(_number(raw), score) for raw, score in points]
    (first, first_score), (last, last_score) = named[0], named[-1]
    ends = [(f"≤{first}" if points[0][0] else first, first_score), *named[1:-1], (f"≥{last}", last_score)]
    best_first = ends if first_score >= last_score else ends[::-1]
    return ", ".join(f"{raw}→{score}" for raw, score in best_first)
