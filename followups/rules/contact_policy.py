"""The policy's section "contact": how much a person hears from us, and when (docs/rules/contact.md)."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tenants.rules.sections import PolicySection, gettext_noop, refusal

Way = Literal["phone", "visit", "wechat", "sms", "email", "app", "store"]

WAYS: Final[tuple[Way, ...]] = ("phone", "visit", "wechat", "sms", "email", "app", "store")
"""The channels, by the codes of customers.models.Channel."""


def _limit(default: int | None, title: str) -> Any:
    return Field(
        default, ge=0, le=100, title=title,
        json_schema_extra={"unit": "touches", "empty": gettext_noop("no limit of its own")},
    )  # fmt: skip


class ChannelLimits(BaseModel):
    """Touches by one channel in the window, at most; None: no limit of its own, 0: nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phone: int | None = _limit(None, gettext_noop("Phone"))
    visit: int | None = _limit(None, gettext_noop("Visit"))
    wechat: int | None = _limit(5, gettext_noop("WeChat"))
    sms: int | None = _limit(2, gettext_noop("SMS"))
    email: int | None = _limit(5, gettext_noop("E-mail"))
    app: int | None = _limit(4, gettext_noop("App"))
    store: int | None = _limit(None, gettext_noop("Store"))

    def of(self, channel: str) -> int | None:
        """The limit of a channel; one that there is not has none."""
        found: int | None = getattr(self, channel, None)
        return found


class ContactPolicy(PolicySection):
    """One budget per contact over tasks, mails, SMS and surveys; quiet hours; what consent is needed for."""

    section: ClassVar[str] = "contact"
    title: ClassVar[str] = gettext_noop("Contact governor")

    window_days: int = Field(
        30, ge=1, le=366, title=gettext_noop("The budget is counted over"), json_schema_extra={"unit": "days"}
    )
    budget: int = Field(
        8, ge=1, le=100, title=gettext_noop("Touches that a contact gets in that time, at most"),
        json_schema_extra={"unit": "touches"},
    )  # fmt: skip
    kept: int = Field(
        2, ge=0, le=99, title=gettext_noop("Of these kept for service and for what people write themselves"),
        json_schema_extra={"unit": "touches"},
    )  # fmt: skip
    day_limit: int = Field(
        2, ge=1, le=20, title=gettext_noop("Touches within 24 hours, at most"), json_schema_extra={"unit": "touches"}
    )
    channels: ChannelLimits = Field(ChannelLimits(), title=gettext_noop("By one channel, at most"))
    survey_days: int = Field(
        80, ge=0, le=730, title=gettext_noop("Between two surveys of a contact"), json_schema_extra={"unit": "days"}
    )
    quiet_from: dt.time | None = Field(
        dt.time(20, 0), title=gettext_noop("Nothing is sent from"), description="local time of the contact"
    )
    quiet_until: dt.time | None = Field(
        dt.time(8, 30), title=gettext_noop("until"), description="local time of the contact"
    )
    quiet_days: Literal["none", "weekends"] = Field("none", title=gettext_noop("Nothing is sent on"))
    wait_days: int = Field(
        21, ge=0, le=180, title=gettext_noop("A message that has no room waits for at most"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip
    consent_needed: tuple[Way, ...] = Field(
        ("sms",), title=gettext_noop("Consent must have been given for"), description="channel codes"
    )
    channel_choice: Literal["any", "preferred"] = Field("any", title=gettext_noop("What is automatic goes by"))

    @field_validator("consent_needed")
    @classmethod
    def _each_once(cls, ways: tuple[Way, ...]) -> tuple[Way, ...]:
        return tuple(way for way in WAYS if way in ways)

    @field_validator("quiet_from", "quiet_until")
    @classmethod
    def _local_time(cls, time: dt.time | None) -> dt.time | None:
        if time is not None and time.tzinfo is not None:
            raise refusal("time_with_zone", gettext_noop("is a local time, without a zone"))
        return time

    @model_validator(mode="after")
    def _fits_together(self) -> ContactPolicy:
        if self.kept >= self.budget:
            raise refusal("all_kept", gettext_noop("must be less than the whole budget"), setting="kept")
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise refusal("half_quiet", gettext_noop("quiet hours need a beginning and an end"), setting="quiet_until")
        return self
