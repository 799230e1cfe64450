"""The policy's section "risk": when silence is an alert, and how soon it is answered (docs/rules/risk.md)."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import TIER_ORDER
from tenants.rules.sections import PolicySection, gettext_noop, refusal


class RiskPolicy(PolicySection):
    """The lines of the silence signals and the clocks of their answers."""

    section: ClassVar[str] = "risk"
    title: ClassVar[str] = gettext_noop("Risk")

    silence_days: int = Field(
        60, ge=1, le=730, title=gettext_noop("Silence for anybody: without an order for"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip
    own_cycle_factor: float = Field(
        2.0, gt=0, le=10, title=gettext_noop("Silence by own cycle: beyond the usual gap"),
        json_schema_extra={"unit": "times"},
    )  # fmt: skip
    own_cycle_min_days: int = Field(
        14, ge=1, le=365, title=gettext_noop("Silence by own cycle: not before"), json_schema_extra={"unit": "days"}
    )
    ignore_after_days: int = Field(
        365, ge=1, le=3650, validate_default=True, title=gettext_noop("No longer silence but win-back after"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip
    contact_silence_days: int = Field(
        30, ge=1, le=365, title=gettext_noop("Top tiers: without a contact for"), json_schema_extra={"unit": "days"}
    )
    top_tiers: tuple[str, ...] = Field(
        ("champions", "develop"), max_length=20, title=gettext_noop("Top tiers"),
        description="watched for contacts, best first",
    )  # fmt: skip
    answer_hours_top: int = Field(
        24, ge=1, le=720, title=gettext_noop("Answer within, for the first of the top tiers"),
        json_schema_extra={"unit": "hours"},
    )  # fmt: skip
    answer_hours_others: int = Field(
        48, ge=1, le=720, title=gettext_noop("Answer within, for everybody else"), json_schema_extra={"unit": "hours"}
    )

    @field_validator("ignore_after_days")
    @classmethod
    def _silence_can_be_seen(cls, ignore_after_days: int, info: ValidationInfo) -> int:
        if ignore_after_days < info.data.get("silence_days", 0):
            raise refusal(
                "silence_never_seen",
                gettext_noop("must not be under the days of silence ({silence_days}), else no silence is ever seen"),
                silence_days=info.data["silence_days"],
            )
        return ignore_after_days

    @classmethod
    def pack_values(cls, name: str) -> dict[str, Any]:
        return {"top_tiers": TIER_ORDER[TierPolicy.pack(name).scheme][:2]}
