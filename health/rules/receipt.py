"""The receipt of one customer's health: every number on it can be followed by hand (docs/rules/health.md)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any, Final, Literal, Self

from health.rules.indicators import (
    THOUSANDTHS,
    breadth_ratio,
    complaint_ratio,
    contact_ratio,
    frequency_ratio,
    line_score,
    net_promoter,
    spend_ratio,
    whole_score,
)
from health.rules.policy import KEYS, ORDER_KEYS, Band, HealthPolicy, IndicatorRule, Point, WeightsFrom
from tenants.rules.shares import share_out

Input = dt.date | int | float | None
UnknownCode = Literal[
    "needs_orders",
    "no_spend_before",
    "no_categories_before",
    "no_contacts_before",
    "nobody_asked",
    "no_orders",
    "no_complaints_kept",
    "nothing_solved",
    "no_answers",
    "nothing_noted",
    "no_invoices",
    "switched_off",
]
Action = Literal["contact", "solve", "order"]
"""An answered contact today; solving what is open about a repeated question; an order today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFacts:
    """One customer's row of `indicators.FACTS`, without the customer; what a field means is said there."""

    order_days_count: int = 0
    last_order_on: dt.date | None = None
    median_gap: float | None = None
    gap_cv: float | None = None
    spend_recent: int = 0
    spend_before: int = 0
    categories_recent: int = 0
    categories_before: int = 0
    tier: str = ""
    stage: str = ""
    contacts_recent: int = 0
    contacts_before: int = 0
    asked: int = 0
    answered: int = 0
    unanswered_run: int = 0
    last_asked_on: dt.date | None = None
    complaints_recent: int | None = None
    complaints_before: int | None = None
    orders_recent: int = 0
    orders_before: int = 0
    solved: int = 0
    solved_first: int = 0
    repeated_open: int = 0
    csat_sum: int = 0
    csat_count: int = 0
    promoters: int = 0
    detractors: int = 0
    nps_count: int = 0
    competitor_recent: int | None = None
    days_late: float | None = None
    invoices: int = 0
    last_paid_on: dt.date | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The facts in a row that has (at least some of) these columns; None counts as not there."""
        return cls(**{f.name: row[f.name] for f in fields(cls) if row.get(f.name) is not None})


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why an indicator is unknown.

    needs_orders: `needs` order days, has `has`. no_spend_before, no_categories_before, no_contacts_before: nothing
    to compare with. nobody_asked: no contact to the customer of which it is known whether it was answered. no_orders:
    none in either window of the complaint rate. no_complaints_kept: the firm keeps none. nothing_solved: nothing was
    solved in the window. no_answers: no survey answer in the window. nothing_noted: no contact in the window, or the
    firm never notes competitors. no_invoices: none paid yet. switched_off: weight 0 for this customer.
    """

    code: UnknownCode
    needs: int | None = None
    has: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLine:
    """One indicator: what was seen, where that lies on the line, what it adds.

    `inputs` are the facts behind `value`; `score` has three decimals; `effective_weight` is the weight
    among the indicators that count and `contribution` the part of the score, both with one decimal. None where
    unknown, unless the policy counts it as so many points while it is (`is_assumed`): then only `value` is None.
    Without a score there is no effective weight and no contribution.
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

    @property
    def is_assumed(self) -> bool:
        """Unknown, and counted as the points that the policy gives for that."""
        return self.unknown is not None and self.score is not None


@dataclass(frozen=True, slots=True)
class Lift:
    """What one act would make of the score; `then` is what another one would make of it as well."""

    action: Action
    score: int
    band: Band
    then: Lift | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A health score and all that it consists of: contributions + rounding == score, exactly.

    `score` is None and `band` "none" when fewer than `minimum_known` indicators are known or none of the
    order indicators is. `lines` are all twelve in reading order. `weights_from` says whose weights count: with
    "tier" or "stage", `weights_for` is which. `lift` is None when no single act would raise the score.
    """

    as_of: dt.date
    score: int | None
    band: Band
    known: int
    minimum_known: int
    lines: tuple[ReceiptLine, ...]
    rounding: Decimal
    lift: Lift | None
    weights_from: WeightsFrom = "all"
    weights_for: str = ""

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


SWITCHED_OFF: Final = Unknown("switched_off")


def receipt(facts: HealthFacts, policy: HealthPolicy, as_of: dt.date) -> Receipt:
    """The receipt as of `as_of`; its score, band and known are those of `indicators.score_frame`.

    Contributions and effective weights have one decimal, shared out by largest remainder. Where the
    contributions' sum is not whole, `rounding` takes it to the score. Raises ValueError when the last order
    lies after `as_of`.
    """
    drawn = _without_lift(facts, policy, as_of)
    return drawn if drawn.score is None else replace(drawn, lift=_lift(facts, policy, as_of, drawn.score))


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


# ── what would lift it ───────────────────────────────────────────────────────

_ACTIONS: Final[tuple[Action, ...]] = ("contact", "solve", "order")
"""What is in the firm's own hands before what the customer decides."""

_RANK: Final[Mapping[Band, int]] = {"none": 0, "red": 1, "yellow": 2, "green": 3}


def _lift(facts: HealthFacts, policy: HealthPolicy, as_of: dt.date, score: int) -> Lift | None:
    """The single act that lifts the colour furthest, the firm's own before the customer's; else the most points."""
    single = _lifts(facts, policy, as_of, score)
    if not single:
        return None
    highest = max(_RANK[lift.band] for lift in single)
    if highest > _RANK[policy.band(score)]:
        best = next(lift for lift in single if _RANK[lift.band] == highest)
    else:
        best = max(single, key=lambda lift: lift.score)
    after = _lifts(_after(best.action, facts, policy, as_of), policy, as_of, best.score, best.action)
    return replace(best, then=max(after, key=lambda lift: lift.score)) if after else best


def _lifts(
    facts: HealthFacts, policy: HealthPolicy, as_of: dt.date, score: int, done: Action | None = None
) -> list[Lift]:
    """Every single act that makes more of the score, in the order of `_ACTIONS`; `done` is not repeated."""
    found = []
    for action in _ACTIONS:
        changed = facts if action == done else _after(action, facts, policy, as_of)
        if changed != facts:
            after = _without_lift(changed, policy, as_of)
            if after.score is not None and after.score > score:
                found.append(Lift(action, after.score, after.band))
    return found


def _after(action: Action, facts: HealthFacts, policy: HealthPolicy, as_of: dt.date) -> HealthFacts:
    """The facts if this happened on the day; what the act leaves open stays as it is, or is taken at its worst."""
    if action == "order":
        return replace(facts, last_order_on=as_of, orders_recent=facts.orders_recent + 1)
    if action == "solve":
        if facts.repeated_open < policy.repeated_questions:
            return facts
        # A question that was asked repeatedly was not solved the first time.
        return replace(facts, repeated_open=0, solved=facts.solved + facts.repeated_open)
    if facts.asked <= 0 and facts.contacts_before <= 0:
        return facts  # where contacts are not known yet, the first one tells something, but lifts nothing
    # The oldest of the contacts looked at makes place: an answered one, unless none was.
    full = facts.asked >= policy.outbound_contacts
    return replace(
        facts,
        contacts_recent=facts.contacts_recent + 1,
        asked=facts.asked if full else facts.asked + 1,
        answered=max(facts.answered, 1) if full else facts.answered + 1,
        unanswered_run=0,
        last_asked_on=as_of,
    )


# ── the receipt ──────────────────────────────────────────────────────────────


def _without_lift(facts: HealthFacts, policy: HealthPolicy, as_of: dt.date) -> Receipt:
    weight = policy.weights_of(facts.tier, facts.stage)
    measures = _measures(facts, policy, as_of, weight)
    known = [key for key in KEYS if measures[key].value is not None]
    points = {key: each for key in KEYS if (each := _points(measures[key], policy.indicators[key])) is not None}
    counted = list(points)
    enough = len(known) >= policy.minimum_known and any(key in ORDER_KEYS for key in known)

    score: int | None = None
    rounding = Decimal("0.0")
    contributions: dict[str, int] = {}
    effective: dict[str, int] = {}
    if enough:
        weights = [weight[key] for key in counted]
        parts = [each * points[key] for each, key in zip(weights, counted, strict=True)]
        score = whole_score(sum(parts), sum(weights))
        shares = share_out(parts, sum(weights) * THOUSANDTHS // 10)
        contributions = dict(zip(counted, shares, strict=True))
        # Remainders fall to other lines here than above; no contribution may be printed above its weight.
        full = [1000 * each for each in weights]
        owed = [share * sum(weights) > part for share, part in zip(shares, full, strict=True)]
        effective = dict(zip(counted, share_out(full, sum(weights), first=owed), strict=True))
        rounding = _tenths(10 * score - sum(shares))

    origin = policy.weights_from(facts.tier, facts.stage)
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
                weight=weight[key],
                effective_weight=_tenths(effective[key]) if key in effective else None,
                contribution=_tenths(contributions[key]) if key in contributions else None,
                unknown=measures[key].unknown,
            )
            for key in KEYS
        ),
        rounding=rounding,
        lift=None,
        weights_from=origin,
        weights_for={"all": "", "tier": facts.tier, "stage": facts.stage}[origin],
    )


def _points(measure: _Measure, rule: IndicatorRule) -> int | None:
    """Thousandths of a point that count; None when the indicator is left out."""
    if measure.value is not None:
        return line_score(measure.value, rule.line)
    if measure.unknown == SWITCHED_OFF or rule.unknown_points is None:
        return None
    return rule.unknown_points * THOUSANDTHS


def _tenths(tenths: int) -> Decimal:
    return Decimal(tenths).scaleb(-1)


def _measures(
    facts: HealthFacts, policy: HealthPolicy, as_of: dt.date, weight: Mapping[str, int]
) -> dict[str, _Measure]:
    """Every indicator's facts and raw value, as `indicators.raw_values` has them for frames."""
    measured = {
        "order_frequency": _order_frequency(facts, policy, as_of),
        "order_stability": _order_stability(facts, policy),
        "spend_trend": _spend_trend(facts, policy),
        "category_breadth": _category_breadth(facts, policy),
        "interaction_frequency": _interaction_frequency(facts, policy),
        "responsiveness": _responsiveness(facts, policy),
        "complaint_rate": _complaint_rate(facts, policy),
        "first_time_resolution": _first_time_resolution(facts, policy),
        "satisfaction": _satisfaction(facts, policy),
        "advocacy": _advocacy(facts, policy),
        "competitor_interest": _competitor_interest(facts, policy),
        "payment_behaviour": _payment_behaviour(facts, policy),
    }
    return {key: measured[key] if weight[key] > 0 else _Measure({}, unknown=SWITCHED_OFF) for key in KEYS}


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


def _interaction_frequency(facts: HealthFacts, policy: HealthPolicy) -> _Measure:
    inputs: dict[str, Input] = {
        "recent": facts.contacts_recent,
        "before": facts.contacts_before,
        "days": policy.interaction_days,
        "before_days": policy.interaction_before_days,
    }
    if facts.contacts_before <= 0:
        return _Measure(inputs, unknown=Unknown("no_contacts_before"))
    return _Measure(inputs, contact_ratio(float(facts.contacts_recent), float(facts.contacts_before), policy))


def _responsiveness(facts: HealthFacts, policy: HealthPolicy) -> _Measure:
    is_silent = facts.unanswered_run >= policy.unanswered_contacts
    inputs: dict[str, Input] = {
        "asked": facts.asked,
        "answered": facts.answered,
        "unanswered_run": facts.unanswered_run,
        "silent_from": policy.unanswered_contacts,
        "last_asked_on": facts.last_asked_on,
    }
    if facts.asked <= 0:
        return _Measure(inputs, unknown=Unknown("nobody_asked"))
    return _Measure(inputs, 0.0 if is_silent else float(facts.answered) / float(facts.asked))


def _complaint_rate(facts: HealthFacts, policy: HealthPolicy) -> _Measure:
    inputs: dict[str, Input] = {
        "recent": facts.complaints_recent,
        "before": facts.complaints_before,
        "orders_recent": facts.orders_recent,
        "orders_before": facts.orders_before,
        "days": policy.complaint_days,
        "before_days": policy.complaint_before_days,
    }
    if facts.complaints_recent is None:
        return _Measure(inputs, unknown=Unknown("no_complaints_kept"))
    if facts.orders_recent + facts.orders_before <= 0:
        return _Measure(inputs, unknown=Unknown("no_orders"))
    ratio = complaint_ratio(
        float(facts.complaints_recent),
        float(max(facts.orders_recent, 1)),
        float(max(facts.complaints_before or 0, 1)),
        float(max(facts.orders_before, 1)),
    )
    return _Measure(inputs, ratio)


def _first_time_resolution(facts: HealthFacts, policy: HealthPolicy) -> _Measure:
    is_repeated = facts.repeated_open >= policy.repeated_questions
    inputs: dict[str, Input] = {
        "solved": facts.solved,
        "solved_first": facts.solved_first,
        "repeated_open": facts.repeated_open,
        "repeated_from": policy.repeated_questions,
        "days": policy.resolution_days,
    }
    if is_repeated:
        return _Measure(inputs, 0.0)
    if facts.solved <= 0:
        return _Measure(inputs, unknown=Unknown("nothing_solved"))
    return _Measure(inputs, float(facts.solved_first) / float(facts.solved))


def _satisfaction(facts: HealthFacts, policy: HealthPolicy) -> _Measure:
    inputs: dict[str, Input] = {
        "csat_sum": facts.csat_sum,
        "csat_count": facts.csat_count,
        "days": policy.satisfaction_days,
    }
    if facts.csat_count <= 0:
        return _Measure(inputs, unknown=Unknown("no_answers"))
    return _Measure(inputs, float(facts.csat_sum) / float(facts.csat_count))


def _advocacy(facts: HealthFacts, policy: HealthPolicy) -> _Measure:
    inputs: dict[str, Input] = {
        "promoters": facts.promoters,
        "detractors": facts.detractors,
        "nps_count": facts.nps_count,
        "days": policy.advocacy_days,
    }
    if facts.nps_count <= 0:
        return _Measure(inputs, unknown=Unknown("no_answers"))
    return _Measure(inputs, net_promoter(float(facts.promoters), float(facts.detractors), float(facts.nps_count)))


def _competitor_interest(facts: HealthFacts, policy: HealthPolicy) -> _Measure:
    inputs: dict[str, Input] = {"contacts": facts.competitor_recent, "days": policy.competitor_days}
    if facts.competitor_recent is None:
        return _Measure(inputs, unknown=Unknown("nothing_noted"))
    return _Measure(inputs, float(facts.competitor_recent))


def _payment_behaviour(facts: HealthFacts, policy: HealthPolicy) -> _Measure:
    inputs: dict[str, Input] = {
        "days_late": facts.days_late,
        "invoices": facts.invoices,
        "last_paid_on": facts.last_paid_on,
    }
    if facts.invoices <= 0 or facts.days_late is None:
        return _Measure(inputs, unknown=Unknown("no_invoices"))
    return _Measure(inputs, facts.days_late)
