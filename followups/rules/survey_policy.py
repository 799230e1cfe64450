"""The policy's section "surveys": whom we ask how often, what a low answer sets off, what is reviewed (docs/rules/surveys.md)."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import Field

from tenants.rules.sections import PolicySection, YesNo, gettext_noop

Sending = Literal["by_hand", "automatic"]
Every = Literal["month", "quarter", "half_year", "year"]

EVERY: Final[tuple[Every, ...]] = ("month", "quarter", "half_year", "year")


class SurveyPolicy(PolicySection):
    """Surveys by link, what follows a low answer, and the share of logged contacts that is reviewed."""

    section: ClassVar[str] = "surveys"
    title: ClassVar[str] = gettext_noop("Surveys and quality review")

    # By hand until a firm says so: nobody's customers are written to because a night has passed.
    sending: Sending = Field("by_hand", title=gettext_noop("Surveys go out"))
    nps_every: Every = Field("quarter", title=gettext_noop("NPS: a contact is asked once"))
    nps_percent: int = Field(
        100, ge=1, le=100, title=gettext_noop("NPS: contacts asked in each period"), json_schema_extra={"unit": "percent"}
    )  # fmt: skip
    csat_contact_percent: int = Field(
        20, ge=0, le=100, title=gettext_noop("CSAT: asked after a talk"), json_schema_extra={"unit": "percent"}
    )  # fmt: skip
    csat_complaint_percent: int = Field(
        100, ge=0, le=100, title=gettext_noop("CSAT: asked after a solved complaint"),
        json_schema_extra={"unit": "percent"},
    )  # fmt: skip
    csat_within_days: int = Field(
        3, ge=1, le=30, title=gettext_noop("CSAT: asked at most so long afterwards"), json_schema_extra={"unit": "days"}
    )  # fmt: skip
    answer_days: int = Field(
        14, ge=1, le=90, title=gettext_noop("A link can be answered for"), json_schema_extra={"unit": "days"}
    )  # fmt: skip
    change_days: int = Field(
        7, ge=0, le=90, title=gettext_noop("An answer can be changed for"), json_schema_extra={"unit": "days"}
    )  # fmt: skip
    ask_promoters: YesNo = Field("no", title=gettext_noop("Promoters are asked whom they would recommend us to"))
    reminders: int = Field(1, ge=0, le=3, title=gettext_noop("Reminders, at most"))
    reminder_days: int = Field(
        5, ge=1, le=30, title=gettext_noop("A reminder after"), json_schema_extra={"unit": "days"}
    )  # fmt: skip
    low_csat: int = Field(
        2, ge=1, le=4, title=gettext_noop("CSAT is low up to"), json_schema_extra={"unit": "of 5"}
    )  # fmt: skip
    low_hours: int = Field(
        24, ge=1, le=168, title=gettext_noop("A low answer is followed up within"), json_schema_extra={"unit": "hours"}
    )  # fmt: skip
    verify_days: int = Field(
        30, ge=1, le=180, title=gettext_noop("Asked again after the follow-up is done"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip
    quality_percent: int = Field(
        5, ge=1, le=100, title=gettext_noop("Logged contacts reviewed each month"),
        json_schema_extra={"unit": "percent"},
    )  # fmt: skip
    mystery_a_month: int = Field(8, ge=0, le=500, title=gettext_noop("Mystery visits a month"))
