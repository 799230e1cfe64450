"""The policy's section "win_back": how returns of customers that went are reckoned (docs/rules/win-back.md)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tenants.rules.sections import PolicySection, gettext_noop


class WinBackPolicy(PolicySection):
    """PLAYBOOK section 7, the return plan for old customers. Whoever is silent for longer than the section "risk" looks
    at (`ignore_after_days`) has lapsed.
    """

    section: ClassVar[str] = "win_back"
    title: ClassVar[str] = gettext_noop("Win-back")

    horizon_days: int = Field(
        365, ge=30, le=1095, title=gettext_noop("Chance of an order within"), json_schema_extra={"unit": "days"}
    )  # fmt: skip
    credit_days: int = Field(
        90, ge=7, le=730, title=gettext_noop("An offer has won a customer back who orders within"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip
    forget_days: int = Field(
        1825, ge=90, le=7300, title=gettext_noop("No longer in the list after"), json_schema_extra={"unit": "days"}
    )
