"""Kinds of notices: what each says, and how a member hears of it who has said nothing else.

Whoever tells something registers its kind here: the room knows none of them by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from django.utils.functional import Promise

from followups.messages.sending.parcels import Attachment

if TYPE_CHECKING:
    from followups.models import Notice
    from tenants.models import Member

Mail = Literal["at_once", "daily", "never"]
Words = Callable[[Mapping[str, Any]], str]
"""One sentence from a notice's params, in the language that is active."""


@dataclass(frozen=True)
class Letter:
    """A mail of its own: plain text, and the files that go along."""

    subject: str
    text: str
    attachments: tuple[Attachment, ...] = ()


Write = Callable[["Notice"], Letter]
"""Writes a notice's mail in the language that is active; called in the firm's scope, right before it leaves."""

Usual = Callable[["Member"], Mail | None]
"""How a member hears of it by mail who has said nothing; None: it is not for them at all."""


@dataclass(frozen=True)
class Kind:
    """What is told, in the words of the preferences page; `words` makes its sentence.

    `mail` and `chat` are how it is told unless a member wishes otherwise; `usual` says it member by member. A kind with
    a `letter` goes as a mail of its own, at once or never, and each such mail has a link that ends them.
    """

    code: str
    title: str | Promise
    words: Words
    mail: Mail = "daily"
    chat: bool = False
    letter: Write | None = None
    usual: Usual | None = None

    def usual_mail(self, member: Member) -> Mail | None:
        """How a member hears of it by mail who has said nothing; None: it is not for them."""
        return self.mail if self.usual is None else self.usual(member)

    @property
    def ways(self) -> tuple[Mail, ...]:
        """How it can go by mail."""
        return ("at_once", "daily", "never") if self.letter is None else ("at_once", "never")


_KINDS: Final[dict[str, Kind]] = {}


def register(
    code: str,
    title: str | Promise,
    words: Words,
    *,
    mail: Mail = "daily",
    chat: bool = False,
    letter: Write | None = None,
    usual: Usual | None = None,
) -> Kind:
    """Make a kind of notice known; once, when the programme starts. Returns it.

    `code`: at most 30 characters, kept in rows. Raises ValueError for a code that another kind has.
    """
    kind = Kind(code, title, words, mail, chat, letter, usual)
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
