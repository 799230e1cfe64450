"""The policy's sections "tiers", "value" and "cross_sell": what customers are worth, and what they may want next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tenants.rules.sections import PolicySection, gettext_noop, refusal

Scheme = Literal["wholesale", "callback", "sales-team", "starter"]
"""Each scheme is what the pack of its name ships; a firm runs one, the others can be looked at beside it."""

SCHEMES: tuple[Scheme, ...] = get_args(Scheme)


class TierPolicy(PolicySection):
    """Window, scheme and lines of the tiers (docs/rules/segmentation.md).

    "Best x %" means: the share of ranked customers who are strictly better is below x. Money is in whole
    units of the firm's currency.
    """

    section: ClassVar[str] = "tiers"
    title: ClassVar[str] = gettext_noop("Tiers")

    scheme: Scheme = Field("starter", title=gettext_noop("Tiers in force"))
    window_months: int = Field(
        12, ge=1, le=60, title=gettext_noop("Months of orders behind frequency and money"),
        json_schema_extra={"unit": "months"},
    )  # fmt: skip

    strategic_money: int = Field(
        10_000_000, ge=1, le=10**12, title=gettext_noop("Strategic: net money of the window, at least"),
        json_schema_extra={"unit": "money", "scheme": "wholesale"},
    )  # fmt: skip
    strategic_years: int = Field(
        5, ge=0, le=50, title=gettext_noop("Strategic: relation, at least"),
        json_schema_extra={"unit": "years", "scheme": "wholesale"},
    )  # fmt: skip
    key_money: int = Field(
        1_000_000, ge=1, le=10**12, title=gettext_noop("Key: net money of the window, at least"),
        json_schema_extra={"unit": "money", "scheme": "wholesale"},
    )  # fmt: skip
    key_years: int = Field(
        2, ge=0, le=50, title=gettext_noop("Key: growth potential “high” and relation, at least"),
        json_schema_extra={"unit": "years", "scheme": "wholesale"},
    )  # fmt: skip

    gold_recency_best: int = Field(
        20, ge=1, le=100, title=gettext_noop("Gold: recency among the best"),
        json_schema_extra={"unit": "percent", "scheme": "callback"},
    )  # fmt: skip
    gold_money_best: int = Field(
        15, ge=1, le=100, title=gettext_noop("Gold: net money among the best"),
        json_schema_extra={"unit": "percent", "scheme": "callback"},
    )  # fmt: skip
    silver_best: int = Field(
        40, ge=1, le=100, title=gettext_noop("Silver: R + F + M among the best"),
        json_schema_extra={"unit": "percent", "scheme": "callback"},
    )  # fmt: skip

    core_share: int = Field(
        80, ge=1, le=99, title=gettext_noop("A: the fewest customers who bring this share of the money"),
        json_schema_extra={"unit": "percent", "scheme": "sales-team"},
    )  # fmt: skip
    potential_from: float = Field(
        4, ge=1, le=5, title=gettext_noop("B: potential (industry position, growth), at least"),
        json_schema_extra={"unit": "of 5", "scheme": "sales-team"},
    )  # fmt: skip

    grace_days: int = Field(
        30, ge=0, le=365, title=gettext_noop("A tier falls only after days below the line"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip
    new_days: int = Field(
        90, ge=1, le=730, title=gettext_noop("New, and won back, for days after the order"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip
    lapsed_days: int = Field(
        90, ge=1, le=1095, title=gettext_noop("Lapsed after days without an order"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip

    @model_validator(mode="after")
    def _every_tier_can_be_reached(self) -> Self:
        if self.strategic_money <= self.key_money:
            raise refusal(
                "strategic_not_above_key",
                gettext_noop("must be more than what Key takes ({key_money}), else nobody can be Key by money"),
                setting="strategic_money",
                key_money=self.key_money,
            )
        return self

    @classmethod
    def pack_values(cls, name: str) -> dict[str, Any]:
        return {"scheme": name}


class Weights(BaseModel):
    """Percent by which the three parts of the value scorecard count; they add up to 100."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    direct: int = Field(40, ge=0, le=100, title=gettext_noop("Direct"), json_schema_extra={"unit": "percent"})
    indirect: int = Field(30, ge=0, le=100, title=gettext_noop("Indirect"), json_schema_extra={"unit": "percent"})
    strategic: int = Field(30, ge=0, le=100, title=gettext_noop("Strategic"), json_schema_extra={"unit": "percent"})

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        total = self.direct + self.indirect + self.strategic
        if total != 100:
            raise refusal(
                "weights_do_not_add_up",
                gettext_noop("direct, indirect and strategic must add up to 100 percent, not {total}"),
                total=total,
            )
        return self


class EvidencePoints(BaseModel):
    """What one row of evidence is worth, in points of 100."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    referral: int = Field(20, ge=0, le=100, title=gettext_noop("A referral"))
    endorsement: int = Field(25, ge=0, le=100, title=gettext_noop("An endorsement"))
    benchmark: int = Field(50, ge=0, le=100, title=gettext_noop("Benchmark customer"))
    co_development: int = Field(40, ge=0, le=100, title=gettext_noop("Co-development"))
    cluster: int = Field(25, ge=0, le=100, title=gettext_noop("Industry cluster"))


class ValuePolicy(PolicySection):
    """The lifetime value in both forms, and the value scorecard (docs/rules/value.md)."""

    section: ClassVar[str] = "value"
    title: ClassVar[str] = gettext_noop("Customer value")

    margin_percent: int = Field(
        100, ge=1, le=100, title=gettext_noop("Of net money, what stays as margin (100: reckon in sales)"),
        json_schema_extra={"unit": "percent"},
    )  # fmt: skip
    acquisition_cost: int = Field(
        0, ge=0, le=10**9, title=gettext_noop("What winning a customer cost"), json_schema_extra={"unit": "money"}
    )
    discount_percent: float = Field(
        12, ge=0, le=100, title=gettext_noop("Discount a year"), json_schema_extra={"unit": "percent"}
    )
    horizon_years: int = Field(5, ge=1, le=20, title=gettext_noop("Years ahead"), json_schema_extra={"unit": "years"})
    minimum_repeaters: int = Field(
        50, ge=10, le=100_000, title=gettext_noop("Customers who ordered again, that a model needs")
    )
    minimum_days: int = Field(
        180, ge=28, le=3650, title=gettext_noop("Days of history that a model needs"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip
    weights: Weights = Field(default_factory=Weights, title=gettext_noop("Weights of the scorecard"))
    tier_weights: Mapping[str, Weights] = Field(
        default_factory=dict, title=gettext_noop("Other weights for single tiers")
    )
    evidence: EvidencePoints = Field(default_factory=EvidencePoints, title=gettext_noop("Points of evidence"))
    evidence_months: int = Field(
        24, ge=1, le=120, title=gettext_noop("Evidence counts for months"), json_schema_extra={"unit": "months"}
    )

    @classmethod
    def pack_values(cls, name: str) -> dict[str, Any]:
        return {"tier_weights": {}}  # weights of single tiers go with the tiers


class CrossSellPolicy(PolicySection):
    """Which "bought A, then B" is a rule, and when shrinking orders are a signal (docs/rules/cross-sell.md)."""

    section: ClassVar[str] = "cross_sell"
    title: ClassVar[str] = gettext_noop("Cross-sell")

    level: Literal["category", "product"] = Field("category", title=gettext_noop("Rules between"))
    within_days: int = Field(
        90, ge=1, le=730, title=gettext_noop("B follows A within days"), json_schema_extra={"unit": "days"}
    )
    window_months: int = Field(
        24, ge=3, le=60, title=gettext_noop("Months of orders looked at"), json_schema_extra={"unit": "months"}
    )
    minimum_followed: int = Field(
        20, ge=5, le=100_000, title=gettext_noop("Customers who bought A and then B, at least")
    )
    minimum_confidence: int = Field(
        10, ge=1, le=100, title=gettext_noop("Of those who bought A, at least"), json_schema_extra={"unit": "percent"}
    )
    minimum_lift: float = Field(
        1.5, ge=1, le=100, title=gettext_noop("Times as often as usual, at least"), json_schema_extra={"unit": "times"}
    )
    suggestions: int = Field(3, ge=1, le=10, title=gettext_noop("Suggestions for a customer, at most"))
    drift_days: int = Field(
        180, ge=30, le=730, title=gettext_noop("Order sizes: days now, and as many before"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip
    drift_percent: int = Field(
        70, ge=10, le=95, title=gettext_noop("Order sizes shrink: below this share of before"),
        json_schema_extra={"unit": "percent"},
    )  # fmt: skip
    drift_products: int = Field(3, ge=1, le=50, title=gettext_noop("Articles bought in both spans, at least"))
