"""The policy's section "health": indicators, lines, weights and bands (docs/rules/health.md)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

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

Point = tuple[Annotated[float, Field(allow_inf_nan=False)], Annotated[int, Field(ge=0, le=100)]]
"""A raw value and the score it gets. Scores are whole, so that a point of the line is hit exactly."""


class IndicatorRule(BaseModel):
    """How one indicator becomes points: straight lines between `line`'s points, flat beyond its ends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: int = Field(
        ge=0, le=100, title=gettext_noop("Weight"), description="share in the score; 0 switches the indicator off"
    )
    line: tuple[Point, ...] = Field(
        min_length=2, max_length=20, title=gettext_noop("Line"), description="raw value and score, raw values rising"
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


class HealthPolicy(PolicySection):
    """Lines, weights, windows and bands of the health score. The packs do not differ."""

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
    gaps: int = Field(12, ge=2, le=60, title=gettext_noop("Gaps between order days looked at, the last ones"))
    frequency_orders: int = Field(3, ge=2, le=60, title=gettext_noop("Order days that order frequency needs"))
    stability_orders: int = Field(5, ge=3, le=60, title=gettext_noop("Order days that order stability needs"))
    spend_days: int = Field(
        90, ge=7, le=365, title=gettext_noop("Spend trend: days now"), json_schema_extra={"unit": "days"}
    )
    spend_before_days: int = Field(
        365, ge=30, le=1095, title=gettext_noop("Spend trend: days before, to compare with"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip
    category_days: int = Field(
        180, ge=30, le=730, title=gettext_noop("Categories bought: days now, and as many before"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip

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

    def band(self, score: int | None) -> Band:
        """The band of a whole score; "none" when there is no score."""
        if score is None:
            return "none"
        if score >= self.green:
            return "green"
        return "yellow" if score >= self.yellow else "red"
