"""The value scorecard 客户综合贡献度: what a customer contributes, beyond its own money too (docs/rules/value.md).

Three parts of 0 to 100 each, weighted by the policy, by default 40 to 30 to 30:

* direct: what it brings and how it pays;
* indirect: whom it brought, and what those brought; what it said for us;
* strategic: benchmark customer, co-development, industry cluster.

Every point rests on a fact: a rank, payment days, or a row of evidence. What is not known is left out and the rest
weighs more; nothing is filled in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

import polars as pl

from segmentation.rules.levels import Crowd, Levels
from segmentation.rules.policy import EvidencePoints, ValuePolicy, Weights
from tenants.rules.columns import Schema, conform
from tenants.rules.shares import share_out

PartKey = Literal["direct", "indirect", "strategic"]
PARTS: Final[tuple[PartKey, ...]] = ("direct", "indirect", "strategic")

MONEY_WEIGHT: Final = 2
MARGIN_WEIGHT: Final = 1
PAYMENT_WEIGHT: Final = 1
"""Inside the direct part. The margin of single customers has no facts yet: it is always left out."""

PAYMENT_LINE: Final = ((0.0, 100.0), (15.0, 50.0), (45.0, 0.0))
"""Median days late → points, straight between and level beyond; health's payment behaviour has the same."""

REFERRED_MONEY: Final = "referred_money"
"""The line for what referred customers brought, beside the kinds of evidence."""
KINDS: Final[Mapping[str, PartKey]] = {
    "referral": "indirect",
    REFERRED_MONEY: "indirect",
    "endorsement": "indirect",
    "benchmark": "strategic",
    "co_development": "strategic",
    "cluster": "strategic",
}
"""To which part each kind of evidence adds."""

FULL: Final = 100

SCORE_FACTS: Final[Schema] = {
    "tier": pl.String,
    "more_than": pl.Float64,
    "days_late": pl.Float64,
    "indirect_points": pl.Int64,
    "strategic_points": pl.Int64,
}
"""One row per customer. more_than: percent of the other customers who brought less (`more_than`); days_late: median
days after the due day, below 0 for early; null where not known. The points are sums over the rows of evidence, null
for a part of which the firm keeps no book."""


def ranking(money: pl.Series) -> Levels:
    """By money, how many hundredths of a percent of the other ranked customers brought less; null is not ranked.

    Of a customer alone nothing can be said: there is nobody to compare with.
    """
    crowd = Crowd.of(money)
    return Levels((), ()) if crowd.size < 2 else Levels.over(crowd.values, crowd.below * 10_000 // (crowd.size - 1))


def more_than(money: pl.Expr, among: Levels) -> pl.Expr:
    """Percent of the other ranked customers who brought less, cut to two decimals, by the ranking of all of them.

    Equal money gets an equal share, null none.
    """
    # Rounded: polars divides by multiplying, and 8571 / 100 is not 85.71.
    return (among.at(money) / 100).round(2)


def evidence_points(kind: str, points: EvidencePoints) -> int:
    """What one row of evidence is worth.

    Raises AttributeError for a kind that the policy does not have.
    """
    worth: int = getattr(points, kind)
    return worth


def referred_points(referred_net: int, typical: int | None, points: EvidencePoints) -> int:
    """What the money of referred customers is worth: as many points as a referral, per typical customer's money.

    `typical` is the median money of the firm's customers in the same window; without one nothing can be said.
    """
    if typical is None or typical <= 0 or referred_net <= 0:
        return 0
    return min(FULL, referred_net * points.referral // typical)


def score_frame(facts: pl.DataFrame, rules: ValuePolicy) -> pl.DataFrame:
    """Add direct, indirect, strategic and score, 0 to 100 each or null, to rows of SCORE_FACTS.

    direct is the mean of its known lines by their weights, the other two are sums of points up to 100; the score is
    the mean of the known parts by the weights of the customer's tier. Everything is rounded half up to whole
    numbers. Null where nothing is known or what is known weighs nothing.
    """
    rows = conform(facts, SCORE_FACTS)
    lines = ((_half_up(pl.col("more_than")), MONEY_WEIGHT), (_payment_points(), PAYMENT_WEIGHT))
    rows = rows.with_columns(
        direct=_mean([(points, pl.lit(weight)) for points, weight in lines]),
        indirect=pl.col("indirect_points").clip(0, FULL).cast(pl.Int16),
        strategic=pl.col("strategic_points").clip(0, FULL).cast(pl.Int16),
    )
    weights = {tier: _by_part(of_tier) for tier, of_tier in rules.tier_weights.items()}
    usual = _by_part(rules.weights)
    tier = pl.col("tier").fill_null("")
    parts = [
        (pl.col(part), tier.replace_strict({t: w[part] for t, w in weights.items()}, default=usual[part], return_dtype=pl.Int64))
        for part in PARTS
    ]  # fmt: skip
    return rows.with_columns(score=_mean(parts))


def weights_of(tier: str, rules: ValuePolicy) -> Weights:
    """The weights that count for a customer of this tier."""
    return rules.tier_weights.get(tier, rules.weights)


def _by_part(weights: Weights) -> dict[PartKey, int]:
    return {"direct": weights.direct, "indirect": weights.indirect, "strategic": weights.strategic}


def _mean(parts: Sequence[tuple[pl.Expr, pl.Expr]]) -> pl.Expr:
    """The weighted mean of the parts that are known, rounded half up in whole numbers; null without any."""
    known = [(part.cast(pl.Int64), pl.when(part.is_not_null()).then(weight).otherwise(0)) for part, weight in parts]
    total = pl.sum_horizontal([weight for _part, weight in known])
    points = pl.sum_horizontal([part.fill_null(0) * weight for part, weight in known])
    return pl.when(total > 0).then((2 * points + total) // (2 * total)).cast(pl.Int16)


def _payment_points() -> pl.Expr:
    days = pl.col("days_late")
    (x0, y0), (x1, y1), (x2, y2) = PAYMENT_LINE
    falling = pl.when(days <= x1).then(y0 + (days - x0) * (y1 - y0) / (x1 - x0))
    return _half_up(falling.otherwise(y1 + (days - x1) * (y2 - y1) / (x2 - x1)).clip(y2, y0))


def _half_up(points: pl.Expr) -> pl.Expr:
    return (points + 0.5).floor().cast(pl.Int64)


# ── the receipt ─────────────────────────────────────────────────────────────

Unknown = Literal["", "never_ordered", "alone", "no_payments", "no_margins", "not_kept"]
"""Why a line or part is left out: never_ordered; alone: there is no other customer to compare with; no_payments: no
paid order with a due day; no_margins: margins of single customers are not kept; not_kept: the firm has noted nothing
of this kind about anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One fact of a part. `key` is money, margin, payment, or a kind of KINDS; `evidence` the row's id.

    `value` is the percentage or the days behind the points; `weight` counts inside the direct part only.
    """

    key: str
    points: int | None
    value: float | None = None
    weight: int | None = None
    evidence: int | None = None
    unknown: Unknown = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the three parts: its lines, what they make (0 to 100), its weight, and what it adds to the score.

    `effective_weight` is the weight among the known parts and `contribution` the part of the score, both with one
    decimal. `capped`: the lines have more than 100 points together. None where the part is unknown.
    """

    key: PartKey
    lines: tuple[Line, ...]
    score: int | None
    capped: bool
    weight: int
    effective_weight: Decimal | None
    contribution: Decimal | None
    unknown: Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """A value score and all that it consists of: contributions + rounding == score, exactly."""

    score: int | None
    parts: tuple[Part, ...]
    rounding: Decimal

    @property
    def total(self) -> Decimal:
        """Sum of the contributions, before rounding to the whole score."""
        return sum((part.contribution for part in self.parts if part.contribution is not None), Decimal("0.0"))


Evidence = tuple[int | None, str, int]
"""One row that counted: its id (None for REFERRED_MONEY), its kind, its points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFacts:
    """What one customer's scorecard rests on; see SCORE_FACTS. `indirect_kept`, `strategic_kept`: the firm keeps a
    book of that part, and something is known about this customer."""

    tier: str
    ordered: bool
    more_than: float | None
    days_late: float | None
    evidence: tuple[Evidence, ...]
    indirect_kept: bool
    strategic_kept: bool


def points_of(evidence: Sequence[Evidence], part: PartKey) -> int:
    """The points of a part's evidence together, before the cap."""
    return sum(points for _id, kind, points in evidence if KINDS[kind] == part)


def receipt(facts: ScoreFacts, rules: ValuePolicy) -> Scorecard:
    """The scorecard of one customer; its numbers are those of `score_frame`."""
    kept: dict[PartKey, bool] = {"indirect": facts.indirect_kept, "strategic": facts.strategic_kept}
    row = {
        "tier": facts.tier,
        "more_than": facts.more_than,
        "days_late": facts.days_late,
        "indirect_points": points_of(facts.evidence, "indirect") if facts.indirect_kept else None,
        "strategic_points": points_of(facts.evidence, "strategic") if facts.strategic_kept else None,
    }
    one = pl.DataFrame([row], schema=dict(SCORE_FACTS))
    scored = score_frame(one, rules).row(0, named=True)
    money, payment = one.select(money=_half_up(pl.col("more_than")), payment=_payment_points()).row(0)
    never: Unknown = "never_ordered" if not facts.ordered else ""
    lines: dict[PartKey, tuple[Line, ...]] = {
        "direct": (
            Line(
                key="money", points=money, value=facts.more_than, weight=MONEY_WEIGHT,
                unknown="" if money is not None else never or "alone",
            ),
            Line(key="margin", points=None, weight=MARGIN_WEIGHT, unknown="no_margins"),
            Line(
                key="payment", points=payment, value=facts.days_late, weight=PAYMENT_WEIGHT,
                unknown="" if payment is not None else never or "no_payments",
            ),
        )
    }  # fmt: skip
    for part, is_kept in kept.items():
        lines[part] = tuple(
            Line(key=kind, points=points, evidence=number)
            for number, kind, points in facts.evidence
            if is_kept and KINDS[kind] == part
        )
    return _add_up(scored, lines, _by_part(weights_of(facts.tier, rules)), never)


def _add_up(
    scored: Mapping[str, int | None],
    lines: Mapping[PartKey, tuple[Line, ...]],
    weights: Mapping[PartKey, int],
    never: Unknown,
) -> Scorecard:
    known = [part for part in PARTS if scored[part] is not None]
    whole = sum(weights[part] for part in known)
    shares: dict[PartKey, int] = {}
    effective: dict[PartKey, int] = {}
    if whole:
        parts = [10 * weights[part] * (scored[part] or 0) for part in known]
        shares = dict(zip(known, share_out(parts, whole), strict=True))
        full = [1000 * weights[part] for part in known]
        owed = [share * whole > part for share, part in zip(shares.values(), full, strict=True)]
        effective = dict(zip(known, share_out(full, whole, first=owed), strict=True))
    score = scored["score"]
    missing: dict[PartKey, Unknown] = {"direct": never or "alone", "indirect": "not_kept", "strategic": "not_kept"}
    return Scorecard(
        score=score,
        parts=tuple(
            Part(
                key=part,
                lines=lines[part],
                score=scored[part],
                capped=part != "direct" and sum(line.points or 0 for line in lines[part]) > FULL,
                weight=weights[part],
                effective_weight=_tenths(effective[part]) if part in effective else None,
                contribution=_tenths(shares[part]) if part in shares else None,
                unknown="" if part in known else missing[part],
            )
            for part in PARTS
        ),
        rounding=_tenths(0 if score is None else 10 * score - sum(shares.values())),
    )


def _tenths(tenths: int) -> Decimal:
    return Decimal(tenths).scaleb(-1)
