"""The policy's section "growth": certification, trainings and promotion (docs/rules/growth.md)."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from incentives.rules.growth import YEAR_QUARTERS
from tenants.rules.sections import PolicySection, gettext_noop, refusal

_CERTIFICATION: Final = gettext_noop("Certification")
_TRAINING: Final = gettext_noop("Trainings")
_PROMOTION: Final = gettext_noop("Promotion")

PromotionFor = Literal["every", "success"]


class GrowthPolicy(PolicySection):
    """When a certification is passed, what a training asks for, after how long a promotion is worth a talk.

    Four dimensions each quarter, three customers in two weeks and three years are the plans'; the lines are ours.
    """

    section: ClassVar[str] = "growth"
    title: ClassVar[str] = gettext_noop("Growth")

    pass_mean: int = Field(
        75, ge=1, le=100, title=gettext_noop("Passed: mean of the four scores, at least"),
        json_schema_extra={"group": _CERTIFICATION},
    )  # fmt: skip
    pass_each: int = Field(
        60, ge=0, le=100, validate_default=True, title=gettext_noop("Passed: each of the four, at least"),
        json_schema_extra={"group": _CERTIFICATION},
    )  # fmt: skip
    least_facts: int = Field(
        5, ge=1, le=1000, title=gettext_noop("Facts without which the reviewer says the score"),
        json_schema_extra={"group": _CERTIFICATION},
    )  # fmt: skip
    least_days: int = Field(
        30, ge=1, le=90, title=gettext_noop("Who joins is certified with at least so many days of a quarter left"),
        json_schema_extra={"unit": "days", "group": _CERTIFICATION},
    )  # fmt: skip
    score_days: int = Field(
        14, ge=1, le=60, title=gettext_noop("Reviewers score within, after the quarter’s end"),
        json_schema_extra={"unit": "days", "group": _CERTIFICATION},
    )  # fmt: skip
    training_customers: int = Field(
        3, ge=1, le=20, title=gettext_noop("A training asks for so many customers"),
        json_schema_extra={"group": _TRAINING},
    )  # fmt: skip
    training_days: int = Field(
        14, ge=1, le=180, title=gettext_noop("And is to be done within"),
        json_schema_extra={"unit": "days", "group": _TRAINING},
    )  # fmt: skip
    promotion_years: int = Field(
        3, ge=1, le=10, title=gettext_noop("On target for so many years in a row"),
        json_schema_extra={"unit": "years", "group": _PROMOTION},
    )  # fmt: skip
    promotion_gaps: int = Field(
        2, ge=0, le=8, title=gettext_noop("Quarters without a score in between, at most"),
        json_schema_extra={"group": _PROMOTION},
    )  # fmt: skip
    promotion_for: PromotionFor = Field(
        "every", title=gettext_noop("A note is written for"), json_schema_extra={"group": _PROMOTION}
    )

    @field_validator("pass_each")
    @classmethod
    def _each_below_mean(cls, line: int, info: ValidationInfo) -> int:
        mean = info.data.get("pass_mean")
        if mean is not None and line > mean:
            raise refusal("each_over_mean", gettext_noop("must not be over the line of the mean: {mean}"), mean=mean)
        return line

    @property
    def promotion_quarters(self) -> int:
        """Quarters on target in a row that a note takes."""
        return self.promotion_years * YEAR_QUARTERS

    @property
    def promotion_job(self) -> str:
        """The job whose quarters count; empty: any."""
        return "" if self.promotion_for == "every" else self.promotion_for
