"""The policy's section "risk": when a signal fires, and how soon it is answered (docs/rules/risk.md)."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal, get_args

from pydantic import Field, ValidationInfo, field_validator

from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import TIER_ORDER
from tenants.rules.sections import PolicySection, gettext_noop, refusal

Signal = Literal[
    "order_silence", "contact_silence", "frequency_falling", "spec_drift", "activity_drop", "category_drop",
    "complaint_rise", "competitor_pull", "unanswered", "nps_silence", "leaving", "repeated_question", "lapse_forecast",
]  # fmt: skip

SIGNAL_CODES: Final[tuple[Signal, ...]] = get_args(Signal)
"""The signals in the order in which people read them; risk/rules/signals.py says what each is."""

_LINES: Final = gettext_noop("When a signal fires")
_ANSWERS: Final = gettext_noop("How soon it is answered")


def _line(default: int, least: int, most: int, title: str, unit: str = "days") -> Any:
    """A field that says when a signal fires."""
    return Field(default, ge=least, le=most, title=title, json_schema_extra={"unit": unit, "group": _LINES})


def _hours(default: int, title: str) -> Any:
    """A field that says how soon an answer is due."""
    return Field(default, ge=1, le=720, title=title, json_schema_extra={"unit": "hours", "group": _ANSWERS})


class RiskPolicy(PolicySection):
    """The lines of the signals and the clocks of their answers."""

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
    watched: tuple[Signal, ...] = Field(
        SIGNAL_CODES, max_length=len(SIGNAL_CODES), title=gettext_noop("Signals that are watched")
    )
    frequency_gaps: int = _line(3, 2, 12, gettext_noop("Orders less often: gaps between orders, the last ones"), "")
    frequency_factor: float = Field(
        1.5, ge=1.1, le=10, title=gettext_noop("Orders less often: longer than those before by"),
        json_schema_extra={"unit": "times", "group": _LINES},
    )  # fmt: skip
    activity_days: int = _line(90, 30, 365, gettext_noop("Orders halved: days, and as many before"))
    activity_drop: int = _line(50, 10, 100, gettext_noop("Orders halved: fewer orders by"), "percent")
    activity_orders: int = _line(4, 1, 100, gettext_noop("Orders halved: orders before, at least"), "")
    category_drop: int = _line(30, 10, 99, gettext_noop("Fewer categories: by"), "percent")
    categories_least: int = _line(3, 1, 100, gettext_noop("Fewer categories: categories before, at least"), "")
    complaint_rise: int = _line(50, 10, 1000, gettext_noop("More complaints: complaints per order up by"), "percent")
    complaints_least: int = _line(2, 1, 100, gettext_noop("More complaints: complaints now, at least"), "")
    spend_months: int = _line(3, 2, 6, gettext_noop("Spends less, asks about competitors: falling for"), "months")
    spend_drop: int = _line(20, 5, 90, gettext_noop("Spends less, asks about competitors: each month by"), "percent")
    competitor_days: int = _line(
        90, 30, 365, gettext_noop("Spends less, asks about competitors: days of contacts, and as many before")
    )
    unanswered_contacts: int = _line(3, 2, 50, gettext_noop("Does not answer: contacts in a row"), "")
    nps_silence_days: int = _line(90, 30, 365, gettext_noop("Discontent (NPS under 0) and without an order for"))
    leaving_days: int = _line(90, 7, 365, gettext_noop("Wants to leave: what was said counts for"))
    rest_days: int = _line(30, 0, 365, gettext_noop("After somebody has closed an alert, what still stands rests for"))
    answer_hours_top: int = _hours(24, gettext_noop("Answer within, for the first of the top tiers"))
    answer_hours_others: int = _hours(48, gettext_noop("Answer within, for everybody else"))
    answer_hours_moderate: int = _hours(48, gettext_noop("Answer within, moderate alerts"))
    answer_hours_severe: int = _hours(24, gettext_noop("Answer within, severe alerts"))
    escalation_hours: int = _hours(8, gettext_noop("Up the line: whoever is next has"))

    @field_validator("watched")
    @classmethod
    def _each_once(cls, watched: tuple[Signal, ...]) -> tuple[Signal, ...]:
        return tuple(code for code in SIGNAL_CODES if code in watched)

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
