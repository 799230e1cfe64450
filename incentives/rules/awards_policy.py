"""The policy's section "awards": what the month's ranking weighs, from when on somebody has a place, what a medal earns."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from incentives.rules.awards import SHARES, Least, MedalKind, Share
from tenants.rules.sections import PolicySection, gettext_noop, refusal

WHOLE: Final = 100

_MONEY: Final = gettext_noop("What a medal earns (0: nothing)")
_PLACE: Final = gettext_noop("Who has a place")


class AwardWeights(BaseModel):
    """What each share weighs in the month's ranking, in percent; together they are 100."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    coverage: int = Field(30, ge=0, le=100, title=gettext_noop("Coverage"))
    csat: int = Field(30, ge=0, le=100, title=gettext_noop("Satisfaction (CSAT)"))
    first_time: int = Field(20, ge=0, le=100, title=gettext_noop("First-time resolution"))
    response_time: int = Field(10, ge=0, le=100, title=gettext_noop("Answered in time"))
    repurchase: int = Field(10, ge=0, le=100, title=gettext_noop("Repurchase conversion"))

    @model_validator(mode="after")
    def _a_whole(self) -> Self:
        total = sum(getattr(self, share) for share in SHARES)
        if total != WHOLE:
            raise refusal("weights_not_a_whole", gettext_noop("the weights together are {total}, not 100"), total=total)
        return self


def _money(title: str) -> Any:
    return Field(0, ge=0, le=1_000_000, title=title, json_schema_extra={"unit": "money", "group": _MONEY})


class AwardPolicy(PolicySection):
    """The month's ranking and its medals. Numbers are ours: the plans name the awards and leave the rules open."""

    section: ClassVar[str] = "awards"
    title: ClassVar[str] = gettext_noop("Awards")

    weights: AwardWeights = Field(default_factory=AwardWeights, title=gettext_noop("Weights of the ranking"))
    least_customers: int = Field(
        5, ge=1, le=1000, title=gettext_noop("A share counts from so many customers on"),
        json_schema_extra={"group": _PLACE},
    )  # fmt: skip
    least_weight: int = Field(
        50, ge=1, le=100, title=gettext_noop("Of the weights must be known at least"),
        json_schema_extra={"unit": "percent", "group": _PLACE},
    )  # fmt: skip
    most_away: int = Field(
        50, ge=0, le=100, title=gettext_noop("Away at most, of the month’s working days"),
        json_schema_extra={"unit": "percent", "group": _PLACE},
    )  # fmt: skip
    least_people: int = Field(
        3, ge=2, le=100, title=gettext_noop("Medals from so many people with a place on"),
        json_schema_extra={"group": _PLACE},
    )  # fmt: skip
    first_money: int = _money(gettext_noop("First place"))
    second_money: int = _money(gettext_noop("Second place"))
    third_money: int = _money(gettext_noop("Third place"))
    improved_money: int = _money(gettext_noop("Most improved"))
    case_money: int = _money(gettext_noop("Best case of the month"))

    def weight_of(self) -> Mapping[Share, int]:
        """Weights by share."""
        return {share: getattr(self.weights, share) for share in SHARES}

    @property
    def least(self) -> Least:
        return Least(self.least_customers, self.least_weight)

    def money_of(self, kind: MedalKind) -> Decimal:
        """What a medal earns; 0: nothing."""
        return Decimal(getattr(self, f"{kind}_money"))
