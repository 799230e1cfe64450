"""What is handed to a server, and what may come of it: taken, not taken, or nobody knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Attachment:
    """A file that goes along with a mail."""

    name: str
    content: bytes
    content_type: str


@dataclass(frozen=True)
class Parcel:
    """A message as it leaves the house; `reference` is signed and names it to whoever answers."""

    message_id: int
    reference: str
    address: str
    to_name: str
    subject: str
    text: str
    from_name: str = ""
    from_address: str = ""
    reply_to: str = ""
    unsubscribe: str = ""
    language: str = ""
    is_automatic: bool = False
    fields: dict[str, str] = field(default_factory=dict)
    """What a gateway's address asks for: phone, wechat, email."""
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True)
class Receipt:
    """The server has taken it: what it calls it, and what it said."""

    provider_id: str = ""
    said: str = ""


class NotSent(Exception):
    """It certainly was not taken.

    `again`: trying later may help. `is_dead`: the address takes nothing. `is_down`: the server takes nothing at all,
    so the rest may wait as well. `why` is a code of whys.py.
    """

    def __init__(
        self, said: str, *, why: str, again: bool = False, is_dead: bool = False, is_down: bool = False
    ) -> None:
        super().__init__(said)
        self.said, self.why, self.again, self.is_dead, self.is_down = said, why, again, is_dead, is_down


class Unclear(Exception):
    """The text was on its way when the line broke: it may have been taken."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


class Sender(Protocol):
    """Hands parcels to one server; keeps its line open between two."""

    def send(self, parcel: Parcel) -> Receipt:
        """Raises NotSent or Unclear."""

    def close(self) -> None:
        """Raises nothing: what was taken was taken."""
