"""The base of a policy's sections: a tenant's rules are one document with one section per app."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict

PACKS: Final = ("callback", "starter")
"""The packs that ship."""


class PolicySection(BaseModel):
    """One app's part of the policy: typed, closed and unchangeable once read.

    A section validates on its own, from plain JSON, and every field has a default. What does not fit raises
    pydantic.ValidationError, whose `loc` names the field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    section: ClassVar[str]
    """The section's key in the policy document."""

    @classmethod
    def pack(cls, name: str) -> Self:
        """The section as the pack `name` ships it.

        Raises ValueError naming the packs there are.
        """
        if name not in PACKS:
            raise ValueError(f"There is no pack {name!r}; there are: {', '.join(PACKS)}")
        return cls.model_validate(cls.pack_values(name))

    @classmethod
    def pack_values(cls, name: str) -> dict[str, Any]:
        """Where the pack differs from the section's defaults; a section whose packs differ overrides this."""
        return {}
