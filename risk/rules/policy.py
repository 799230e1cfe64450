"""The policy's section "risk": when silence is an alert, and how soon it is answered (docs/rules/risk.md)."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import TIER_ORDER
from tenants.rules.sections import PolicySection


class RiskPolicy(PolicySection):
    """The lines of the silence signals and the clocks of their answers."""

    section: ClassVar[str] = "risk"

    silence_days: int = Field(60, ge=1, le=730, description="days without an order that are silence for anybody")
    own_cycle_factor: float = Field(2.0, gt=0, le=10, description="times the own median gap that are silence")
    own_cycle_min_days: int = Field(14, ge=1, le=365, description="days under which the own cycle says nothing")
    ignore_after_days: int = Field(
        365, ge=1, le=3650, validate_default=True, description="days from which a lapse belongs to win-back"
    )
    contact_silence_days: int = Field(30, ge=1, le=365, description="days without a contact, for top tiers")
    top_tiers: tuple[str, ...] = Field(("champions", "develop"), description="watched for contacts, best first")
    answer_hours_top: int = Field(24, ge=1, le=720, description="hours to answer for the first of top_tiers")
    answer_hours_others: int = Field(48, ge=1, le=720, description="hours to answer for everybody else")

    @field_validator("ignore_after_days")
    @classmethod
    def _silence_can_be_seen(cls, ignore_after_days: int, info: ValidationInfo) -> int:
        if ignore_after_days < info.data.get("silence_days", 0):
            raise ValueError("ignore_after_days: must not be under silence_days, else no silence is ever seen")
        return ignore_after_days

    @classmethod
    def pack_values(cls, name: str) -> dict[str, Any]:
        return {"top_tiers": TIER_ORDER[TierPolicy.pack(name).scheme][:2]}
