"""The policy's section "cadence": how often each tier hears from us (docs/rules/followups.md)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from segmentation.rules.tiers import TIER_ORDER
from tenants.rules.sections import PolicySection, gettext_noop, refusal

Kind = Literal["deep_talk", "light_touch", "review", "report", "message"]

KINDS: Final[tuple[Kind, ...]] = ("deep_talk", "light_touch", "review", "report", "message")
"""Touch kinds; "message" is automatic, the others are a person's work. First touches are spread by place in
this list, so new kinds go to its end.
"""

AUTOMATIC: Final[frozenset[Kind]] = frozenset({"message"})
"""Touch kinds that nobody is asked to do; a follow-up is always for a person."""

Period = Literal["week", "month", "quarter", "half_year", "year"]

PERIOD_DAYS: Final[dict[Period, int]] = {"week": 7, "month": 30, "quarter": 90, "half_year": 182, "year": 365}


class Touch(BaseModel):
    """One kind of touch of a tier: every so many days, or so many times per period."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind = Field(title=gettext_noop("Kind of touch"))
    every_days: int | None = Field(
        None, ge=1, le=1095, title=gettext_noop("Days between two touches"), json_schema_extra={"unit": "days"}
    )
    times: int | None = Field(None, ge=1, le=30, title=gettext_noop("Touches per period"))
    per: Period | None = Field(None, title=gettext_noop("Period"))

    @model_validator(mode="after")
    def _one_way_of_saying_it(self) -> Self:
        if self.interval_days < 1:
            raise refusal(
                "more_than_daily",
                gettext_noop("at most one touch a day"),
                setting="times",
                times=self.times,
                per=self.per,
            )
        return self

    @property
    def interval_days(self) -> int:
        """Days from one touch to the next, cut to whole ones: no period gets fewer touches than said."""
        if self.every_days is not None and self.times is None and self.per is None:
            return self.every_days
        if self.every_days is None and self.times is not None and self.per is not None:
            return PERIOD_DAYS[self.per] // self.times
        raise refusal(
            "no_one_interval", gettext_noop("say either days between two touches, or how many in which period")
        )


class CadencePolicy(PolicySection):
    """Per tier, one interval for each kind of touch; a tier that is not named has no cadence."""

    section: ClassVar[str] = "cadence"
    title: ClassVar[str] = gettext_noop("Cadence")

    tiers: Mapping[str, tuple[Touch, ...]] = Field(
        default_factory=dict, title=gettext_noop("Touches"), description="by tier code"
    )
    snooze_max_days: int = Field(
        30, ge=1, le=365, title=gettext_noop("A follow-up may be put off by"), json_schema_extra={"unit": "days"}
    )
    weekly_capacity: int = Field(
        30, ge=1, le=500, title=gettext_noop("Touches a week that a person has room for"),
        json_schema_extra={"unit": "touches"},
    )  # fmt: skip
    done_by: dt.time = Field(
        dt.time(18, 0), title=gettext_noop("The touches of a day are done by"), description="local time"
    )

    @field_validator("tiers")
    @classmethod
    def _one_interval_per_kind(cls, tiers: Mapping[str, tuple[Touch, ...]]) -> Mapping[str, tuple[Touch, ...]]:
        for tier, touches in tiers.items():
            if len({touch.kind for touch in touches}) < len(touches):
                raise refusal(
                    "kind_twice", gettext_noop("each kind of touch has one interval, none has two"), setting=tier
                )
        # The database's JSON does not keep the order; people read the best tier first.
        known = [tier for order in TIER_ORDER.values() for tier in order if tier in tiers]
        return {tier: tiers[tier] for tier in [*known, *(tier for tier in tiers if tier not in known)]}

    @field_validator("done_by")
    @classmethod
    def _local_time(cls, done_by: dt.time) -> dt.time:
        if done_by.tzinfo is not None:
            raise refusal("time_with_zone", gettext_noop("is a local time, without a zone"))
        return done_by

    @classmethod
    def pack_values(cls, name: str) -> dict[str, Any]:
        return {"tiers": _PACK_TIERS[name]}


def _touch(kind: Kind, times: int, per: Period) -> dict[str, Any]:
    return {"kind": kind, "times": times, "per": per}


_BEST_SEGMENT, *_OTHER_SEGMENTS = TIER_ORDER["starter"]

# PLAYBOOK section 6. A visit is a deep talk; the half-yearly needs review of A is written up as a report.
_PACK_TIERS: Final[dict[str, dict[str, list[dict[str, Any]]]]] = {
    "wholesale": {
        "strategic": [_touch("review", 1, "quarter"), _touch("deep_talk", 1, "month")],
        "key": [_touch("deep_talk", 1, "month"), _touch("report", 1, "quarter")],
        "regular": [_touch("message", 1, "month")],
    },
    "callback": {
        "gold": [_touch("light_touch", 3, "month")],
        "silver": [_touch("light_touch", 2, "quarter")],
        "bronze": [_touch("light_touch", 1, "year")],
    },
    "sales-team": {
        "core": [
            _touch("review", 1, "quarter"),
            _touch("deep_talk", 1, "quarter"),
            _touch("light_touch", 1, "month"),
            _touch("report", 1, "half_year"),
        ],
        "potential": [_touch("message", 1, "month"), _touch("deep_talk", 1, "half_year")],
        "basic": [_touch("message", 1, "month")],
    },
    "starter": {
        _BEST_SEGMENT: [_touch("deep_talk", 1, "month")],
        **{tier: [_touch("light_touch", 1, "quarter")] for tier in _OTHER_SEGMENTS},
    },
}
