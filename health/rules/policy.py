"""The policy's sections "health" and "forecast" (docs/rules/health.md, docs/rules/forecast.md)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Final, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from tenants.rules.sections import PolicySection, gettext_noop, refusal

Band = Literal["green", "yellow", "red", "none"]
"""A score's band; none: not enough data."""

ORDER_KEYS: Final = ("order_frequency", "order_stability", "spend_trend", "category_breadth")
"""The indicators that orders alone give; without any of them there is no score."""

KEYS: Final = (
    *ORDER_KEYS,
    "interaction_frequency",
    "responsiveness",
    "complaint_rate",
    "first_time_resolution",
    "satisfaction",
    "advocacy",
    "competitor_interest",
    "payment_behaviour",
)
"""All indicators in the order in which people read them."""

Stage = Literal["new", "active", "lapsed", "won_back"]
"""The stages that can have weights of their own: those of customers who have ordered."""

WeightsFrom = Literal["all", "tier", "stage"]
"""Whose weights count: everybody's, or those of a customer's tier or stage."""

Point = tuple[Annotated[float, Field(allow_inf_nan=False)], Annotated[int, Field(ge=0, le=100)]]
"""A raw value and the score it gets. Scores are whole, so that a point of the line is hit exactly."""


# The headings that fields of the section stand under.
_LOOKED_AT: Final = gettext_noop("What the indicators look at")
_BESIDE: Final = gettext_noop("Beside the score")


def _looked_at(default: int, least: int, most: int, title: str, unit: str = "days") -> Any:
    """A field that says which facts an indicator looks at."""
    return Field(default, ge=least, le=most, title=title, json_schema_extra={"unit": unit, "group": _LOOKED_AT})


def _beside(default: int, least: int, most: int, title: str, unit: str = "days") -> Any:
    """A field about what stands beside the score and is never part of it."""
    return Field(default, ge=least, le=most, title=title, json_schema_extra={"unit": unit, "group": _BESIDE})


class IndicatorRule(BaseModel):
    """How one indicator becomes points: straight lines between `line`'s points, flat beyond its ends.

    While the indicator is unknown it is left out and the others weigh more; with `unknown_points` it counts as these.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: int = Field(
        ge=0, le=100, title=gettext_noop("Weight"), description="share in the score; 0 switches the indicator off"
    )
    line: tuple[Point, ...] = Field(
        min_length=2,
        max_length=20,
        title=gettext_noop("Line of scores"),
        description="raw value and score, raw values rising",
    )

    unknown_points: int | None = Field(
        None,
        ge=0,
        le=100,
        title=gettext_noop("Points while unknown"),
        json_schema_extra={"empty": gettext_noop("left out")},
    )

    @field_validator("line")
    @classmethod
    def _line_goes_one_way(cls, line: tuple[Point, ...]) -> tuple[Point, ...]:
        if any(right <= left for (left, _), (right, _) in pairwise(line)):
            raise refusal("line_not_rising", gettext_noop("each value must be greater than the one before it"))
        steps = [after - before for (_, before), (_, after) in pairwise(line)]
        if any(step > 0 for step in steps) and any(step < 0 for step in steps):
            raise refusal(
                "line_turns", gettext_noop("scores must only rise or only fall, so that better is never worse")
            )
        return line


def _shipped() -> dict[str, IndicatorRule]:
    lines: dict[str, tuple[int, tuple[Point, ...]]] = {
        "order_frequency": (15, ((1, 100), (1.5, 60), (2, 30), (3, 0))),
        "order_stability": (6, ((0.5, 100), (1, 50), (2, 0))),
        "spend_trend": (14, ((0.2, 0), (0.5, 20), (0.8, 60), (1, 100))),
        "category_breadth": (8, ((0.3, 0), (0.7, 50), (1, 100))),
        "interaction_frequency": (8, ((0, 0), (0.5, 40), (1, 100))),
        "responsiveness": (9, ((0, 0), (0.5, 50), (1, 100))),
        "complaint_rate": (9, ((0, 100), (1, 60), (1.5, 30), (3, 0))),
        "first_time_resolution": (6, ((0.4, 0), (0.8, 60), (1, 100))),
        "satisfaction": (8, ((2, 0), (3, 40), (4, 75), (5, 100))),
        "advocacy": (7, ((-50, 0), (0, 50), (50, 100))),
        "competitor_interest": (5, ((0, 100), (1, 50), (3, 0))),
        "payment_behaviour": (5, ((0, 100), (15, 50), (45, 0))),
    }
    return {key: IndicatorRule(weight=weight, line=line) for key, (weight, line) in lines.items()}


class IndicatorWeights(BaseModel):
    """The weights of all twelve for customers of one tier or stage, in place of the indicators' own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order_frequency: int = Field(15, ge=0, le=100, title=gettext_noop("Order frequency"))
    order_stability: int = Field(6, ge=0, le=100, title=gettext_noop("Order stability"))
    spend_trend: int = Field(14, ge=0, le=100, title=gettext_noop("Spend trend"))
    category_breadth: int = Field(8, ge=0, le=100, title=gettext_noop("Category breadth"))
    interaction_frequency: int = Field(8, ge=0, le=100, title=gettext_noop("Interaction frequency"))
    responsiveness: int = Field(9, ge=0, le=100, title=gettext_noop("Responsiveness"))
    complaint_rate: int = Field(9, ge=0, le=100, title=gettext_noop("Complaint rate"))
    first_time_resolution: int = Field(6, ge=0, le=100, title=gettext_noop("Solved first time"))
    satisfaction: int = Field(8, ge=0, le=100, title=gettext_noop("Satisfaction"))
    advocacy: int = Field(7, ge=0, le=100, title=gettext_noop("Advocacy"))
    competitor_interest: int = Field(5, ge=0, le=100, title=gettext_noop("Competitor interest"))
    payment_behaviour: int = Field(5, ge=0, le=100, title=gettext_noop("Payment"))

    @model_validator(mode="after")
    def _orders_count(self) -> Self:
        if not any(getattr(self, key) for key in ORDER_KEYS):
            raise refusal("no_order_indicator", gettext_noop("at least one indicator of orders needs a weight above 0"))
        return self


class HealthPolicy(PolicySection):
    """Lines, weights, windows and bands of the health score. The packs do not differ but in the tiers' weights."""

    section: ClassVar[str] = "health"
    title: ClassVar[str] = gettext_noop("Health")

    indicators: Mapping[str, IndicatorRule] = Field(
        default_factory=_shipped, title=gettext_noop("Indicators"), description="all twelve, by key"
    )
    yellow: int = Field(
        40, ge=1, le=100, title=gettext_noop("Yellow from a score of"), description="below, a score is red"
    )
    green: int = Field(70, ge=1, le=100, validate_default=True, title=gettext_noop("Green from a score of"))
    minimum_known: int = Field(3, ge=1, le=len(KEYS), title=gettext_noop("Known indicators that a score needs"))
    gaps: int = _looked_at(12, 2, 60, gettext_noop("Gaps between order days looked at, the last ones"), unit="")
    frequency_orders: int = _looked_at(3, 2, 60, gettext_noop("Order days that order frequency needs"), unit="")
    stability_orders: int = _looked_at(5, 3, 60, gettext_noop("Order days that order stability needs"), unit="")
    spend_days: int = _looked_at(90, 7, 365, gettext_noop("Spend trend: days now"))
    spend_before_days: int = _looked_at(365, 30, 1095, gettext_noop("Spend trend: days before, to compare with"))
    category_days: int = _looked_at(180, 30, 730, gettext_noop("Categories bought: days now, and as many before"))
    interaction_days: int = _looked_at(90, 7, 365, gettext_noop("Interaction frequency: days now"))
    interaction_before_days: int = _looked_at(
        270, 30, 1095, gettext_noop("Interaction frequency: days before, to compare with")
    )
    outbound_contacts: int = _looked_at(
        5, 1, 50, gettext_noop("Responsiveness: contacts to the customer looked at, the last ones"), unit=""
    )
    unanswered_contacts: int = _looked_at(
        3, 1, 50, gettext_noop("Responsiveness: so many unanswered in a row are 0 points"), unit=""
    )
    complaint_days: int = _looked_at(90, 7, 365, gettext_noop("Complaint rate: days now"))
    complaint_before_days: int = _looked_at(365, 30, 1095, gettext_noop("Complaint rate: days before, to compare with"))
    resolution_days: int = _looked_at(180, 30, 730, gettext_noop("Solved first time: days looked at"))
    repeated_questions: int = _looked_at(
        3, 2, 20, gettext_noop("Solved first time: the same question open so many times is 0 points"), unit=""
    )
    satisfaction_days: int = _looked_at(180, 30, 730, gettext_noop("Satisfaction: days looked at"))
    advocacy_days: int = _looked_at(365, 30, 1095, gettext_noop("Advocacy: days looked at"))
    competitor_days: int = _looked_at(90, 7, 365, gettext_noop("Competitor interest: days looked at"))
    invoices: int = _looked_at(5, 1, 50, gettext_noop("Payment: paid invoices looked at, the last ones"), unit="")
    pulse_days: int = _beside(90, 7, 365, gettext_noop("A person's own view counts for days"))
    stale_days: int = _beside(365, 30, 1095, gettext_noop("Facts of the last few are stale after days"))
    quality_goal: int = _beside(98, 1, 100, gettext_noop("Goal of data quality"), unit="percent")
    tier_weights: Mapping[str, IndicatorWeights] = Field(
        default_factory=dict, title=gettext_noop("Other weights for single tiers")
    )
    stage_weights: Mapping[Stage, IndicatorWeights] = Field(
        default_factory=dict, title=gettext_noop("Other weights for single stages"),
        description=gettext_noop("go before those of the tier"),
    )  # fmt: skip

    @classmethod
    def pack_values(cls, name: str) -> dict[str, Any]:
        return {"tier_weights": {}}  # weights of single tiers go with the tiers

    @field_validator("indicators")
    @classmethod
    def _all_twelve(cls, indicators: Mapping[str, IndicatorRule]) -> dict[str, IndicatorRule]:
        unknown = sorted(set(indicators) - set(KEYS))
        if unknown:
            raise refusal("unknown_indicators", gettext_noop("there is no {indicators}"), indicators=", ".join(unknown))
        missing = [key for key in KEYS if key not in indicators]
        if missing:
            raise refusal(
                "missing_indicators",
                gettext_noop("{indicators} must be there; the weight 0 switches one off"),
                indicators=", ".join(missing),
            )
        if not any(indicators[key].weight for key in ORDER_KEYS):
            raise refusal("no_order_indicator", gettext_noop("at least one indicator of orders needs a weight above 0"))
        return {key: indicators[key] for key in KEYS}  # the database's JSON does not keep the order

    @field_validator("green")
    @classmethod
    def _green_above_yellow(cls, green: int, info: ValidationInfo) -> int:
        if green <= info.data.get("yellow", 0):
            raise refusal(
                "green_not_above_yellow",
                gettext_noop("must be above where yellow begins ({yellow}), else no score is yellow"),
                yellow=info.data["yellow"],
            )
        return green

    def weights_from(self, tier: str, stage: str) -> WeightsFrom:
        """Whose weights a customer's score has: those of its stage before those of its tier before everybody's."""
        if stage in self.stage_weights:
            return "stage"
        return "tier" if tier in self.tier_weights else "all"

    def weights_of(self, tier: str, stage: str) -> dict[str, int]:
        """The weight of each indicator by key, for a customer of this tier and stage ("" for none)."""
        origin = self.weights_from(tier, stage)
        if origin == "all":
            return {key: self.indicators[key].weight for key in KEYS}
        own = self.tier_weights[tier] if origin == "tier" else self.stage_weights[cast(Stage, stage)]
        return {key: getattr(own, key) for key in KEYS}

    def band(self, score: int | None) -> Band:
        """The band of a whole score; "none" when there is no score."""
        if score is None:
            return "none"
        if score >= self.green:
            return "green"
        return "yellow" if score >= self.yellow else "red"


class ForecastPolicy(PolicySection):
    """What a lapse is, when to warn of one, and what a forecast needs (docs/rules/forecast.md)."""

    section: ClassVar[str] = "forecast"
    title: ClassVar[str] = gettext_noop("Lapse forecast")

    lapse: Literal["days", "own_cycle"] = Field("days", title=gettext_noop("A lapse is no order for"))
    horizon_days: int = Field(
        90, ge=30, le=365, title=gettext_noop("The next days, for everybody alike"), json_schema_extra={"unit": "days"}
    )
    own_cycle_times: float = Field(
        2,
        ge=1,
        le=10,
        title=gettext_noop("By own cycle: times the own median gap"),
        json_schema_extra={"unit": "times"},
    )
    own_cycle_minimum: int = Field(
        60, ge=14, le=365, title=gettext_noop("By own cycle: at least"), json_schema_extra={"unit": "days"}
    )
    warn_percent: int = Field(
        50, ge=1, le=99, title=gettext_noop("Warn from a probability of"), json_schema_extra={"unit": "percent"}
    )
    silence_days: int = Field(
        60, ge=7, le=365, title=gettext_noop("Without a model: warn after days without an order"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip
    minimum_customers: int = Field(
        100, ge=50, le=100_000, title=gettext_noop("Customers with closed windows that a model needs")
    )
    minimum_days: int = Field(
        270,
        ge=120,
        le=3650,
        title=gettext_noop("Days of history that a model needs"),
        json_schema_extra={"unit": "days"},
    )
