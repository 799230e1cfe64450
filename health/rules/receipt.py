"""The receipt of one customer's health: every number on it can be followed by hand (docs/rules/health.md)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any, Literal, Self

from health.rules.indicators import (
    THOUSANDTHS,
    breadth_ratio,
    frequency_ratio,
    line_score,
    spend_ratio,
    whole_score,
)
from health.rules.policy import KEYS, ORDER_KEYS, Band, HealthPolicy, Point
from tenants.rules.shares import share_out

Input = dt.date | int | float | None
UnknownCode = Literal["needs_orders", "no_spend_before", "no_categories_before", "not_recorded", "switched_off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFacts:
    """One customer's row of `indicators.FACTS`, without the customer. Money in points, gaps in days."""

    order_days_count: int = 0
    last_order_on: dt.date | None = None
    median_gap: float | None = None
    gap_cv: float | None = None
    spend_recent: int = 0
    spend_before: int = 0
    categories_recent: int = 0
    categories_before: int = 0

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The facts in a row that has (at least some of) these columns; None counts as not there."""
        return cls(**{f.name: row[f.name] for f in fields(cls) if row.get(f.name) is not None})


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why an indicator is unknown.

    needs_orders: `needs` order days, has `has`. no_spend_before, no_categories_before: nothing to compare
    with. not_recorded: no facts of this kind yet. switched_off: weight 0 in the policy.
    """

    code: UnknownCode
    needs: int | None = None
    has: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLine:
    """One indicator: what was seen, where that lies on the line, what it adds.

    `inputs` are the facts behind `value`; `score` has three decimals; `effective_weight` is the weight
    among the known indicators and `contribution` the part of the score, both with one decimal. None where
    unknown; without a score there is no effective weight and no contribution.
    """

    key: str
    inputs: Mapping[str, Input]
    value: float | None
    line: tuple[Point, ...]
    score: Decimal | None
    weight: int
    effective_weight: Decimal | None
    contribution: Decimal | None
    unknown: Unknown | None


@dataclass(frozen=True, slots=True)
class Lift:
    """What one act would make of the score. order: an order today."""

    action: Literal["order"]
    score: int
    band: Band


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A health score and all that it consists of: contributions + rounding == score, exactly.

    `score` is None and `band` "none" when fewer than `minimum_known` indicators are known or none of the
    order indicators is. `lines` are all twelve in reading order. `lift` is None when the act would not
    raise the score.
    """

    as_of: dt.date
    score: int | None
    band: Band
    known: int
    minimum_known: int
    lines: tuple[ReceiptLine, ...]
    rounding: Decimal
    lift: Lift | None

    @property
    def total(self) -> Decimal:
        """Sum of the contributions, before rounding to the whole score."""
        return sum((line.contribution for line in self.lines if line.contribution is not None), Decimal("0.0"))


@dataclass(frozen=True, slots=True)
class Move:
    """What one indicator did to the score between two receipts; key "rounding" is the rounding's part."""

    key: str
    change: Decimal


@dataclass(frozen=True, slots=True)
class _Measure:
    inputs: Mapping[str, Input]
    value: float | None = None
    unknown: Unknown | None = None


def receipt(facts: HealthFacts, policy: HealthPolicy, as_of: dt.date) -> Receipt:
    """The receipt as of `as_of`; its score, band and known are those of `indicators.score_frame`.

    Contributions and effective weights have one decimal, shared out by largest remainder. Where the
    contributions' sum is not whole, `rounding` takes it to the score. Raises ValueError when the last order
    lies after `as_of`.
    """
    drawn = _without_lift(facts, policy, as_of)
    if drawn.score is None:
        return drawn
    after = _without_lift(replace(facts, last_order_on=as_of), policy, as_of)
    if after.score is None or after.score <= drawn.score:
        return drawn
    return replace(drawn, lift=Lift("order", after.score, after.band))


def moves(now: Receipt, before: Receipt) -> list[Move]:
    """What moved the score from `before` to `now`: changes of contribution, biggest first.

    They add up to the difference of the two scores; an indicator that is unknown on one side counts as 0
    there. Empty when either receipt has no score, or nothing moved.
    """
    if now.score is None or before.score is None:
        return []
    nothing = Decimal("0.0")
    earlier = {line.key: line.contribution or nothing for line in before.lines}
    changes = [Move(line.key, (line.contribution or nothing) - earlier[line.key]) for line in now.lines]
    changes.append(Move("rounding", now.rounding - before.rounding))
    return sorted((move for move in changes if move.change), key=lambda move: -abs(move.change))


def _without_lift(facts: HealthFacts, policy: HealthPolicy, as_of: dt.date) -> Receipt:
    measures = _measures(facts, policy, as_of)
    values = {key: value for key in KEYS if (value := measures[key].value) is not None}
    points = {key: line_score(value, policy.indicators[key].line) for key, value in values.items()}
    known = list(values)
    enough = len(known) >= policy.minimum_known and any(key in ORDER_KEYS for key in known)

    score: int | None = None
    rounding = Decimal("0.0")
    contributions: dict[str, int] = {}
    effective: dict[str, int] = {}
    if enough:
        weights = [policy.indicators[key].weight for key in known]
        parts = [weight * points[key] for weight, key in zip(weights, known, strict=True)]
        score = whole_score(sum(parts), sum(weights))
        shares = share_out(parts, sum(weights) * THOUSANDTHS // 10)
        contributions = dict(zip(known, shares, strict=True))
        # Remainders fall to other lines here than above; no contribution may be printed above its weight.
        full = [1000 * weight for weight in weights]
        owed = [share * sum(weights) > part for share, part in zip(shares, full, strict=True)]
        effective = dict(zip(known, share_out(full, sum(weights), first=owed), strict=True))
        rounding = _tenths(10 * score - sum(shares))

    return Receipt(
        as_of=as_of,
        score=score,
        band=policy.band(score),
        known=len(known),
        minimum_known=policy.minimum_known,
        lines=tuple(
            ReceiptLine(
                key=key,
                inputs=measures[key].inputs,
                value=measures[key].value,
                line=policy.indicators[key].line,
                score=Decimal(points[key]).scaleb(-3) if key in points else None,
                weight=policy.indicators[key].weight,
                effective_weight=_tenths(effective[key]) if key in effective else None,
                contribution=_tenths(contributions[key]) if key in contributions else None,
                unknown=measures[key].unknown,
            )
            for key in KEYS
        ),
        rounding=rounding,
        lift=None,
    )


def _tenths(tenths: int) -> Decimal:
    return Decimal(tenths).scaleb(-1)


def _measures(facts: HealthFacts, policy: HealthPolicy, as_of: dt.date) -> dict[str, _Measure]:
    """Every indicator's facts and raw value, as `indicators.raw_values` has them for frames."""
    measured = {
        "order_frequency": _order_frequency(facts, policy, as_of),
        "order_stability": _order_stability(facts, policy),
        "spend_trend": _spend_trend(facts, policy),
        "category_breadth": _category_breadth(facts, policy),
    }
    not_recorded = _Measure({}, unknown=Unknown("not_recorded"))
    return {
        key: measured.get(key, not_recorded)
        if policy.indicators[key].weight > 0
        else _Measure({}, unknown=Unknown("switched_off"))
        for key in KEYS
    }


def _order_frequency(facts: HealthFacts, policy: HealthPolicy, as_of: dt.date) -> _Measure:
    days = None
    if facts.last_order_on is not None:
        days = (as_of - facts.last_order_on).days
        if days < 0:
            raise ValueError(f"last_order_on {facts.last_order_on} lies after {as_of} and does not count yet")
    inputs: dict[str, Input] = {
        "last_order_on": facts.last_order_on,
        "days": days,
        "median_gap": facts.median_gap,
        "order_days_count": facts.order_days_count,
    }
    enough = facts.order_days_count >= policy.frequency_orders
    if not enough or days is None or facts.median_gap is None or facts.median_gap <= 0:
        return _Measure(inputs, unknown=Unknown("needs_orders", policy.frequency_orders, facts.order_days_count))
    return _Measure(inputs, frequency_ratio(float(days), facts.median_gap))


def _order_stability(facts: HealthFacts, policy: HealthPolicy) -> _Measure:
    inputs: dict[str, Input] = {"gap_cv": facts.gap_cv, "order_days_count": facts.order_days_count}
    if facts.order_days_count < policy.stability_orders or facts.gap_cv is None:
        return _Measure(inputs, unknown=Unknown("needs_orders", policy.stability_orders, facts.order_days_count))
    return _Measure(inputs, facts.gap_cv)


def _spend_trend(facts: HealthFacts, policy: HealthPolicy) -> _Measure:
    inputs: dict[str, Input] = {
        "recent": facts.spend_recent,
        "before": facts.spend_before,
        "days": policy.spend_days,
        "before_days": policy.spend_before_days,
    }
    if facts.spend_before <= 0:
        return _Measure(inputs, unknown=Unknown("no_spend_before"))
    return _Measure(inputs, spend_ratio(float(facts.spend_recent), float(facts.spend_before), policy))


def _category_breadth(facts: HealthFacts, policy: HealthPolicy) -> _Measure:
    inputs: dict[str, Input] = {
        "recent": facts.categories_recent,
        "before": facts.categories_before,
        "days": policy.category_days,
    }
    if facts.categories_before <= 0:
        return _Measure(inputs, unknown=Unknown("no_categories_before"))
    return _Measure(inputs, breadth_ratio(float(facts.categories_recent), float(facts.categories_before)))
