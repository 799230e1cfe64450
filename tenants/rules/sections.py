"""The base of a policy's sections: a tenant's rules are one document with one section per app."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

PACKS: Final = ("wholesale", "callback", "sales-team", "starter")
"""The packs that ship."""

YesNo = Literal["yes", "no"]
YES_NO: Final[tuple[YesNo, ...]] = get_args(YesNo)
"""A switch of the policy, which says in words what it is set to."""


def gettext_noop(words: str) -> str:
    """The words as they are: marks them for the catalogue, which rules, free of Django, cannot read.

    Titles of fields and messages of validators are marked so, and translated where somebody reads them.
    """
    return words


def refusal(code: str, template: str, *, setting: str = "", **values: Any) -> PydanticCustomError:
    """What a validator raises: `template` is marked with gettext_noop, its places "{…}" take `values`.

    `setting` names the field that is meant, where the validator looks at several. pydantic hands on the words
    with the values in them, so the template goes along for whoever translates.
    """
    return PydanticCustomError(
        code,
        template,
        {**values, "template": template, "setting": setting},
    )


class PolicySection(BaseModel):
    """One app's part of the policy: typed, closed and unchangeable once read.

    A section validates on its own, from plain JSON, and every field has a default. What does not fit raises
    pydantic.ValidationError, whose `loc` names the field; validators raise what `refusal` makes.

    Fields have a `title`, what people read beside the number, and where the number is of something a "unit":
    money, percent, days, hours, months, years, times, "of 5", touches.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    section: ClassVar[str]
    """The section's key in the policy document."""

    title: ClassVar[str]
    """What people call it."""

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
        """What of the section belongs to the pack; all else is the same in every pack."""
        return {}


@dataclass(frozen=True)
class Misfit:
    """Two sections that do not fit together: where (from the section's key on), and why.

    `template` is marked with gettext_noop; its places "{…}" take `values`.
    """

    path: tuple[str, ...]
    code: str
    template: str
    values: Mapping[str, Any] = field(default_factory=dict)


Check = Callable[[Mapping[str, PolicySection]], Iterable[Misfit]]
"""Looks at all sections of a policy together, by their keys; each is right in itself."""
