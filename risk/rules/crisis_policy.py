"""The policy's section "crisis": the clocks of each level, who approves compensation (docs/rules/crisis.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tenants.rules.sections import PolicySection, gettext_noop, refusal

Level = Literal["general", "serious", "major"]
ClockKind = Literal["acknowledge", "team", "solution", "solved", "visit"]

LEVELS: Final[tuple[Level, ...]] = ("general", "serious", "major")
"""From the mildest to the worst."""

CLOCKS: Final[tuple[ClockKind, ...]] = ("acknowledge", "team", "solution", "solved", "visit")
"""In the order in which they run out."""


class LevelClocks(BaseModel):
    """How much business time each clock of a level has; an empty one does not run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    acknowledge_minutes: int = Field(
        30, ge=1, le=2880, title=gettext_noop("Acknowledge within"), json_schema_extra={"unit": "minutes"}
    )
    team_hours: int | None = Field(
        None, ge=1, le=720, title=gettext_noop("Name the team within"),
        json_schema_extra={"unit": "hours", "empty": gettext_noop("no clock")},
    )  # fmt: skip
    solution_hours: int = Field(
        12, ge=1, le=720, title=gettext_noop("First solution within"), json_schema_extra={"unit": "hours"}
    )
    solved_hours: int = Field(
        24, ge=1, le=2160, title=gettext_noop("Solved and called back within"), json_schema_extra={"unit": "hours"}
    )
    visit_hours: int | None = Field(
        None, ge=1, le=2160, title=gettext_noop("Visit within"),
        json_schema_extra={"unit": "hours", "empty": gettext_noop("no clock")},
    )  # fmt: skip

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        minutes = [self.acknowledge_minutes, (self.team_hours or 0) * 60, self.solution_hours * 60]
        if max(minutes[:2]) > self.solution_hours * 60:
            raise refusal(
                "solution_first", gettext_noop("must not run out before the acknowledgement and the team"),
                setting="solution_hours",
            )  # fmt: skip
        if self.solved_hours < self.solution_hours:
            raise refusal(
                "solved_first", gettext_noop("must not run out before the first solution"), setting="solved_hours"
            )
        return self

    def minutes(self) -> Mapping[ClockKind, int]:
        """Business minutes of each clock that runs at this level, in their order."""
        found: dict[ClockKind, int | None] = {
            "acknowledge": self.acknowledge_minutes,
            "team": self.team_hours and self.team_hours * 60,
            "solution": self.solution_hours * 60,
            "solved": self.solved_hours * 60,
            "visit": self.visit_hours and self.visit_hours * 60,
        }
        return {kind: minutes for kind, minutes in found.items() if minutes}


class CrisisPolicy(PolicySection):
    """PLAYBOOK section 7: four clocks a level, the strictest that applies; compensation approved by role."""

    section: ClassVar[str] = "crisis"
    title: ClassVar[str] = gettext_noop("Crisis room")

    general: LevelClocks = Field(LevelClocks(), title=gettext_noop("General"))
    serious: LevelClocks = Field(LevelClocks(team_hours=4, solved_hours=48), title=gettext_noop("Serious"))
    major: LevelClocks = Field(
        LevelClocks(team_hours=2, solution_hours=4, solved_hours=24, visit_hours=72), title=gettext_noop("Major")
    )
    alone_percent: int = Field(
        0, ge=0, le=100, title=gettext_noop("Compensation an account manager grants alone, up to"),
        json_schema_extra={"unit": "percent"},
    )  # fmt: skip
    lead_percent: int = Field(
        8, ge=0, le=100, title=gettext_noop("Compensation a team lead approves, up to"),
        json_schema_extra={"unit": "percent"},
    )  # fmt: skip
    lead_money: int = Field(
        5_000, ge=0, le=100_000_000, title=gettext_noop("and, whatever the share, up to"),
        json_schema_extra={"unit": "money"},
    )  # fmt: skip
    link_days: int = Field(
        30, ge=1, le=365, title=gettext_noop("The customer’s page can be opened for"),
        json_schema_extra={"unit": "days"},
    )  # fmt: skip

    def clocks(self, level: Level) -> Mapping[ClockKind, int]:
        """Business minutes of each clock of a level, in their order."""
        levels: dict[Level, LevelClocks] = {"general": self.general, "serious": self.serious, "major": self.major}
        return levels[level].minutes()

    @classmethod
    def pack_values(cls, name: str) -> dict[str, Any]:
        # In yuan where the pack is a Chinese trader's; the other packs reckon in pounds, euros or dollars.
        return {"lead_money": 50_000} if name == "wholesale" else {}
