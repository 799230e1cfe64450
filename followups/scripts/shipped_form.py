"""What a script that ships is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Text = tuple[str, tuple[str, ...]]
"""A subject and the parts of the outline."""


@dataclass(frozen=True)
class ShippedScript:
    """A script with its variants: letter → language → text."""

    code: str
    scene: str
    channel: str
    outline: str
    variants: Mapping[str, Mapping[str, Text]]
