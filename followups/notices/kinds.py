"""Kinds of notices: what each says, and how a member hears of it who has said nothing else.

Whoever tells something registers its kind here: the room knows none of them by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from django.utils.functional import Promise

Mail = Literal["at_once", "daily", "never"]
Words = Callable[[Mapping[str, Any]], str]
"""One sentence from a notice's params, in the language that is active."""


@dataclass(frozen=True)
class Kind:
    """What is told, in the words of the preferences page; `words` makes its sentence.

    `mail` and `chat` are how it is told unless a member wishes otherwise.
    """

    code: str
    title: str | Promise
    words: Words
    mail: Mail = "daily"
    chat: bool = False


_KINDS: Final[dict[str, Kind]] = {}


def register(code: str, title: str | Promise, words: Words, *, mail: Mail = "daily", chat: bool = False) -> Kind:
    """Make a kind of notice known; once, when the programme starts. Returns it.

    `code`: at most 30 characters, kept in rows. Raises ValueError for a code that another kind has.
    """
    kind = Kind(code, title, words, mail, chat)
    if _KINDS.get(code, kind).words is not words:
        raise ValueError(f"There is a kind of notice {code} already")
    _KINDS[code] = kind
    return kind


def kind_of(code: str) -> Kind | None:
    """The kind of a code; None for one that was told by an older or newer release."""
    return _KINDS.get(code)


def kinds() -> list[Kind]:
    """All of them, in the order in which they were registered."""
    return list(_KINDS.values())
