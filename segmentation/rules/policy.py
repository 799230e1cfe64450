"""The policy's section "tiers": how customers are sorted by what they are worth."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from tenants.rules.sections import PolicySection

Scheme = Literal["callback", "starter"]


class TierPolicy(PolicySection):
    """Window, scheme and lines of the tiers (docs/rules/segmentation.md).

    "Best x %" means: the share of ranked customers who are strictly better is below x.
    """

    section: ClassVar[str] = "tiers"

    scheme: Scheme = Field("starter", description="callback: gold, silver, bronze; starter: the RFM segments")
    window_months: int = Field(12, ge=1, le=60, description="months of orders behind F and M")
    gold_recency_best: int = Field(20, ge=0, le=100, description="gold needs R among the best so many percent")
    gold_money_best: int = Field(15, ge=0, le=100, description="gold needs M among the best so many percent")
    silver_best: int = Field(40, ge=0, le=100, description="silver needs R+F+M among the best so many percent")
    grace_days: int = Field(30, ge=0, le=365, description="days below the line before a tier falls")

    @classmethod
    def pack_values(cls, name: str) -> dict[str, Any]:
        return {"scheme": name}
