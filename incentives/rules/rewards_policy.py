"""The policy's section "rewards": who earns what by new orders, upgrades and referrals (docs/rules/rewards.md)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar, Final

from pydantic import Field, ValidationInfo, field_validator

from tenants.rules.sections import PolicySection, gettext_noop, refusal

_MONEY: Final = gettext_noop("Money for staff and the product team")
_POINTS: Final = gettext_noop("Points for customers")


def _step(default: int, title: str) -> Any:
    """A field that says at how many recommended customers a step begins."""
    return Field(default, ge=1, le=1000, validate_default=True, title=title, json_schema_extra={"group": _POINTS})


def _points(default: int, title: str) -> Any:
    """A field of points."""
    return Field(default, ge=0, le=10_000_000, title=title, json_schema_extra={"group": _POINTS})


class RewardPolicy(PolicySection):
    """What a new order, an upgrade and a referral earn. PLAYBOOK section 8."""

    section: ClassVar[str] = "rewards"
    title: ClassVar[str] = gettext_noop("Rewards")

    staff_percent: float = Field(
        5, ge=0, le=100, title=gettext_noop("For who brought a recommended customer: of its new orders"),
        json_schema_extra={"unit": "percent", "group": _MONEY},
    )  # fmt: skip
    staff_months: int = Field(
        12, ge=1, le=60, title=gettext_noop("New orders are those in the first"),
        json_schema_extra={"unit": "months", "group": _MONEY},
    )  # fmt: skip
    convert_months: int = Field(
        12, ge=1, le=60, title=gettext_noop("A referral counts when the first order comes within"),
        json_schema_extra={"unit": "months", "group": _MONEY},
    )  # fmt: skip
    product_percent: float = Field(
        3, ge=0, le=100, title=gettext_noop("For the product team: of spend that a service upgrade adds"),
        json_schema_extra={"unit": "percent", "group": _MONEY},
    )  # fmt: skip
    refund_days: int = Field(
        90, ge=0, le=730, title=gettext_noop("Refunds still count after that for"),
        json_schema_extra={"unit": "days", "group": _MONEY},
    )  # fmt: skip
    lead_limit: int = Field(
        5000, ge=0, le=1_000_000_000, title=gettext_noop("Team leads approve rewards of up to"),
        json_schema_extra={"unit": "money", "group": _MONEY},
    )  # fmt: skip
    referral_points: int = _points(1000, gettext_noop("For a recommended customer’s first order: points"))
    first_step_at: int = _step(3, gettext_noop("First step of a year: at so many recommended customers"))
    first_step_points: int = _points(2000, gettext_noop("First step: points on top"))
    second_step_at: int = _step(5, gettext_noop("Second step of a year: at so many recommended customers"))
    second_step_points: int = _points(5000, gettext_noop("Second step: points on top"))
    third_step_at: int = _step(10, gettext_noop("Third step of a year: at so many recommended customers"))
    third_step_points: int = _points(15_000, gettext_noop("Third step: points on top"))

    @field_validator("second_step_at", "third_step_at")
    @classmethod
    def _steps_rise(cls, at: int, info: ValidationInfo) -> int:
        before = {"second_step_at": "first_step_at", "third_step_at": "second_step_at"}[info.field_name or ""]
        least = info.data.get(before)
        if least is not None and at <= least:
            raise refusal(
                "steps_not_rising", gettext_noop("must be more than the step before it: {least}"), least=least
            )
        return at

    @property
    def steps(self) -> tuple[tuple[int, int], ...]:
        """(recommended customers in the year, points on top), rising; a step of no points is none."""
        all_three = (
            (self.first_step_at, self.first_step_points),
            (self.second_step_at, self.second_step_points),
            (self.third_step_at, self.third_step_points),
        )
        return tuple(step for step in all_three if step[1])

    @property
    def lead_limit_money(self) -> Decimal:
        """`lead_limit` as money."""
        return Decimal(self.lead_limit)
