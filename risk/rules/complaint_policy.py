"""The policy's section "complaints": who answers which topic, and how soon each step is done (docs/rules/complaints.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tenants.rules.sections import PolicySection, gettext_noop, refusal

Duty = Literal["owner", "cover", "lead", "product", "after_sales", "executive"]
Kind = Literal["logistics", "quality", "goods", "service", "technical", "billing", "other"]
Step = Literal["apologise", "promise", "solve", "call_back"]

KINDS: Final[tuple[Kind, ...]] = ("logistics", "quality", "goods", "service", "technical", "billing", "other")
STEPS: Final[tuple[Step, ...]] = ("apologise", "promise", "solve", "call_back")
"""In their order."""


class TopicRule(BaseModel):
    """Whose duty a topic is, and the business hours within which each step is done."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    duty: Duty = Field("owner", title=gettext_noop("Handed to"))
    apologise_hours: int = Field(
        2, ge=1, le=240, title=gettext_noop("Apologise within"), json_schema_extra={"unit": "hours"}
    )
    promise_hours: int = Field(
        8, ge=1, le=240, title=gettext_noop("Record it and promise a time within"), json_schema_extra={"unit": "hours"}
    )
    solve_hours: int = Field(
        24, ge=1, le=720, title=gettext_noop("Without a promised time, solve within"),
        json_schema_extra={"unit": "hours"},
    )  # fmt: skip
    call_back_hours: int = Field(
        8, ge=1, le=240, title=gettext_noop("Call back after the solution within"), json_schema_extra={"unit": "hours"}
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.promise_hours < self.apologise_hours:
            raise refusal("promise_first", gettext_noop("must not be over before the apology"), setting="promise_hours")
        if self.solve_hours < self.promise_hours:
            raise refusal("solve_first", gettext_noop("must not be over before the promise"), setting="solve_hours")
        return self


class ComplaintPolicy(PolicySection):
    """PLAYBOOK section 7 and the first answer within a day: four steps, each with a clock in business time."""

    section: ClassVar[str] = "complaints"
    title: ClassVar[str] = gettext_noop("Complaints")

    logistics: TopicRule = Field(TopicRule(duty="after_sales"), title=gettext_noop("Delivery"))
    quality: TopicRule = Field(TopicRule(duty="after_sales"), title=gettext_noop("Quality"))
    goods: TopicRule = Field(TopicRule(duty="after_sales"), title=gettext_noop("Wrong or missing goods"))
    service: TopicRule = Field(TopicRule(duty="lead"), title=gettext_noop("Service"))
    technical: TopicRule = Field(TopicRule(duty="product"), title=gettext_noop("Technical help"))
    billing: TopicRule = Field(TopicRule(duty="owner"), title=gettext_noop("Price and invoice"))
    other: TopicRule = Field(TopicRule(duty="owner"), title=gettext_noop("Something else"))
    serious_percent: int = Field(
        50, ge=10, le=100, title=gettext_noop("Serious ones have of these hours"), json_schema_extra={"unit": "percent"}
    )
    route_days: int = Field(
        30, ge=1, le=365, title=gettext_noop("Clocks are set for complaints not older than"),
        description="older ones that come in by import are kept as they are", json_schema_extra={"unit": "days"},
    )  # fmt: skip
    repeat_times: int = Field(
        3, ge=2, le=20, title=gettext_noop("The same question unsolved counts from"),
        json_schema_extra={"unit": "times"},
    )  # fmt: skip
    repeat_days: int = Field(
        90, ge=7, le=730, title=gettext_noop("within"), json_schema_extra={"unit": "days"}
    )  # fmt: skip

    def topic(self, kind: str) -> TopicRule:
        """The rule of a kind; that of "other" for one that is not known or not said."""
        rules: Mapping[str, TopicRule] = {
            "logistics": self.logistics, "quality": self.quality, "goods": self.goods, "service": self.service,
            "technical": self.technical, "billing": self.billing,
        }  # fmt: skip
        return rules.get(kind, self.other)
