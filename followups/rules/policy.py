"""The policy's section "cadence": how often each tier hears from us (docs/rules/followups.md)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from segmentation.rules.tiers import TIER_ORDER
from tenants.rules.sections import PolicySection

Kind = Literal["deep_talk", "light_touch", "review", "report", "message"]

KINDS: Final[tuple[Kind, ...]] = ("deep_talk", "light_touch", "review", "report", "message")
"""Touch kinds; "message" is automatic, the others are a person's work. First touches are spread by place in
this list, so new kinds go to its end.
"""

Period = Literal["week", "month", "quarter", "half_year", "year"]

PERIOD_DAYS: Final[dict[Period, int]] = {"week": 7, "month": 30, "quarter": 90, "half_year": 182, "year": 365}


class Touch(BaseModel):
    """One kind of touch of a tier: every so many days, or so many times per period."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    every_days: int | None = Field(None, ge=1, le=1095, description="days between two touches")
    times: int | None = Field(None, ge=1, le=30, description="touches per period")
    per: Period | None = None

    @model_validator(mode="after")
    def _one_way_of_saying_it(self) -> Self:
        if self.interval_days < 1:
            raise ValueError(f"times: at most one touch a day, not {self.times} a {self.per}")
        return self

    @property
    def interval_days(self) -> int:
        """Days from one touch to the next, cut to whole ones: no period gets fewer touches than said."""
        if self.every_days is not None and self.times is None and self.per is None:
            return self.every_days
        if self.every_days is None and self.times is not None and self.per is not None:
            return PERIOD_DAYS[self.per] // self.times
        raise ValueError("every_days: say either every_days, or times and per")


class CadencePolicy(PolicySection):
    """Per tier, one interval for each kind of touch; a tier that is not named has no cadence."""

    section: ClassVar[str] = "cadence"

    tiers: Mapping[str, tuple[Touch, ...]] = Field(default_factory=dict, description="touches by tier code")
    snooze_max_days: int = Field(30, ge=1, le=365, description="days a follow-up may be put off at once")
    done_by: dt.time = Field(dt.time(18, 0), description="local time by which the touches of a day are done")

    @field_validator("tiers")
    @classmethod
    def _one_interval_per_kind(cls, tiers: Mapping[str, tuple[Touch, ...]]) -> Mapping[str, tuple[Touch, ...]]:
        for tier, touches in tiers.items():
            kinds = [touch.kind for touch in touches]
            twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
            if twice:
                raise ValueError(f"tiers.{tier}: {', '.join(twice)} has more than one interval")
        return tiers

    @field_validator("done_by")
    @classmethod
    def _local_time(cls, done_by: dt.time) -> dt.time:
        if done_by.tzinfo is not None:
            raise ValueError("done_by: a local time without a zone; the tenant's zone applies")
        return done_by

    @classmethod
    def pack_values(cls, name: str) -> dict[str, Any]:
        if name == "callback":
            return {
                "tiers": {
                    "gold": [{"kind": "light_touch", "times": 3, "per": "month"}],
                    "silver": [{"kind": "light_touch", "times": 2, "per": "quarter"}],
                    "bronze": [{"kind": "light_touch", "times": 1, "per": "year"}],
                }
            }
        champions, *others = TIER_ORDER["starter"]
        quarterly = {"kind": "light_touch", "times": 1, "per": "quarter"}
        monthly = {"kind": "deep_talk", "times": 1, "per": "month"}
        return {"tiers": {champions: [monthly], **{tier: [quarterly] for tier in others}}}
