"""What the story consists of: rows that know neither a database nor its keys."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ContactFact:
    """A person at a customer."""

    number: str
    name: str
    title: str
    email: str
    phone: str
    wechat: str
    birthday: dt.date | None
    channel: str
    language: str
    consent: str
    consent_on: dt.date | None


@dataclass(frozen=True, slots=True)
class CustomerFact:
    """A customer. `key` is its number in the ERP, owners are e-mail addresses, the first contact is the main one."""

    key: str
    shape: str
    name: str
    country: str
    city: str
    industry: str
    owner_a: str | None
    owner_b: str | None
    since: dt.date | None
    closed_on: dt.date | None
    note: str
    tags: tuple[str, ...]
    external_ids: tuple[tuple[str, str], ...]
    contacts: tuple[ContactFact, ...]
    industry_position: int | None = None
    growth_potential: str = ""


@dataclass(frozen=True, slots=True)
class LineFact:
    """`unit_price` in cents of the order's currency."""

    article: str
    quantity: int
    unit_price: int


@dataclass(frozen=True, slots=True)
class OrderFact:
    """An order or credit note; `number` is given when all are in their order."""

    customer: str
    source: str
    kind: str
    status: str
    placed_at: dt.datetime
    currency: str
    rate: str
    due_on: dt.date | None
    paid_on: dt.date | None
    lines: tuple[LineFact, ...]
    number: str = ""


@dataclass(frozen=True, slots=True)
class TalkFact:
    """A contact with a customer; `contact` is the person's number, `member` an e-mail address."""

    customer: str
    contact: str | None
    member: str
    at: dt.datetime
    channel: str
    direction: str
    kind: str
    topic: str
    answered: bool | None
    solved: bool | None
    note: str
    about_competitor: bool = False
    number: str = ""


@dataclass(frozen=True, slots=True)
class ComplaintFact:
    """Something that went wrong, perhaps with an order, named by the moment it was placed."""

    customer: str
    order_at: dt.datetime | None
    opened_at: dt.datetime
    topic: str
    severity: str
    text: str
    solved_at: dt.datetime | None
    first_time: bool | None
    number: str = ""


@dataclass(frozen=True, slots=True)
class AnswerFact:
    """An answer to a survey, "nps" (0 to 10) or "csat" (1 to 5); `contact` is the person's number."""

    customer: str
    contact: str | None
    kind: str
    score: int
    at: dt.datetime
    text: str
    complaint: str = ""  # the number of the one whose solution was asked about
    number: str = ""


@dataclass(frozen=True, slots=True)
class EvidenceFact:
    """What shows a customer's worth beside its money; `referred` is the key of who came on its word."""

    customer: str
    kind: str
    on: dt.date
    note: str
    referred: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """Everything that happened at a firm before `today`."""

    firm: str
    today: dt.date
    customers: tuple[CustomerFact, ...]
    orders: tuple[OrderFact, ...]
    talks: tuple[TalkFact, ...]
    complaints: tuple[ComplaintFact, ...]
    answers: tuple[AnswerFact, ...]
    evidence: tuple[EvidenceFact, ...]

    def digest(self) -> str:
        """64 hex digits that two histories share only if they are the same word for word."""
        sha = hashlib.sha256()
        for fact in self._facts():
            sha.update(repr(fact).encode())
        return sha.hexdigest()

    def _facts(self) -> Iterator[object]:
        yield self.firm, self.today
        for facts in (self.customers, self.orders, self.talks, self.complaints, self.answers, self.evidence):
            yield from facts
