"""The policy's section "reports": when the month's report and the week's digest are made (docs/rules/reports.md)."""

from __future__ import annotations

from typing import ClassVar, Final, Literal, get_args

from pydantic import Field

from tenants.rules.sections import PolicySection, gettext_noop

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: Final[tuple[Weekday, ...]] = get_args(Weekday)
"""In their order, Monday first."""


class ReportPolicy(PolicySection):
    """When reports are made; who gets them by mail, each member says for themselves."""

    section: ClassVar[str] = "reports"
    title: ClassVar[str] = gettext_noop("Reports")

    # By the sixth working day a month is closed by itself under the usual policy, so that its numbers stay.
    monthly_day: int = Field(
        6, ge=1, le=15, title=gettext_noop("Monthly report: at opening of this working day of the month after")
    )  # fmt: skip
    weekly_day: Weekday = Field(
        "monday", title=gettext_noop("Weekly digest: at opening on, or on the next working day")
    )
