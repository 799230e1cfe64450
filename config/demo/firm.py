"""What a demo firm is made of: its people, its articles, and the words its world is told in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from tenants.permissions import Role

SEED = "perennial"


def dice(*parts: object) -> Random:
    """Dice of their own for everything named by `parts`: what one customer does never moves another one.

    Parts are names and days, never the numbers of rows: these depend on what the database has held before.
    """
    return Random("/".join(map(str, (SEED, *parts))))  # noqa: S311  # a story, not a secret


def listed(text: str, separator: str | None = None) -> tuple[str, ...]:
    """The words of a text, or what stands between the separators."""
    return tuple(word.strip() for word in text.split(separator))


def named(text: str) -> dict[str, str]:
    """What stands after the colon, by what stands before it: a name and how it is written in Latin letters."""
    pairs = (word.partition(":") for word in text.split())
    return {shown: latin for shown, _colon, latin in pairs}


@dataclass(frozen=True)
class Person:
    """Somebody who works at a firm; `team` is empty for those who belong to all of it."""

    email: str
    name: str
    role: Role
    team: str = ""
    language: str = ""
    weekly_capacity: int | None = None


@dataclass(frozen=True)
class Article:
    """`price` in cents of the firm's currency, before discounts; sold in packs of `pack`."""

    number: str
    name: str
    category: str
    price: int
    pack: int


@dataclass(frozen=True)
class Company:
    """A customer's name and place; `latin` is its part of an e-mail address."""

    name: str
    latin: str
    city: str
    country: str


@dataclass(frozen=True)
class Name:
    """A contact's name, and the same as part of an e-mail address."""

    shown: str
    latin: str


@dataclass(frozen=True)
class Topic:
    """What a talk was about, with notes people write: our question, their word, or nobody answering."""

    name: str
    outbound: tuple[str, ...]
    inbound: tuple[str, ...]


@dataclass(frozen=True)
class Words:
    """What is said and written in a firm, in its language."""

    titles: tuple[str, ...]  # those who decide first
    industries: tuple[str, ...]
    tags: tuple[str, ...]
    topics: tuple[Topic, ...]
    complaints: Mapping[str, tuple[str, ...]]  # topic: what the customer wrote
    no_answer: tuple[str, ...]
    thanks: str
    thanks_note: str
    call_back: str
    call_back_note: str
    follow_up: str
    follow_up_notes: tuple[str, ...]
    silence: str
    silence_notes: tuple[str, ...]
    promises: tuple[str, ...]  # what was promised to a customer; one phrase of a follow-up's width
    notes: Mapping[str, tuple[str, ...]]  # shape: the note on the customer
    evidence: Mapping[str, tuple[str, ...]]  # kind: what happened
    pin_reason: str  # why a growing customer's tier is fixed
    causes: tuple[str, ...]  # why an alert was what it was
    rivals: tuple[str, ...]  # the customer's word when it looks at somebody else's offer
    answers: Mapping[str, tuple[str, ...]]  # "good", "middling", "bad": own words in a survey
    views: Mapping[str, tuple[tuple[str, str], ...]]  # colour: reason and words of a person's own view


@dataclass(frozen=True)
class Foreign:
    """Customers of one country who order in their own currency; `rate` turns theirs into the firm's."""

    country: str
    currency: str
    rate: str


@dataclass(frozen=True)
class PolicyStep:
    """A change of the pack's policy that somebody has made: why, and the values by section and field."""

    note: str
    changes: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class SavedFilter:
    """A segment that the first team's lead has saved for everybody, as the list's address has its filters."""

    name: str
    filters: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Firm:
    """Everything that makes a demo tenant itself."""

    slug: str
    name: str
    pack: str
    timezone: str
    currency: str
    country: str
    language: str
    people: tuple[Person, ...]
    articles: tuple[Article, ...]
    words: Words
    company: Callable[[Random], Company]
    contact: Callable[[Random], Name]
    phone: Callable[[Random], str]
    season: Callable[[dt.date], float]
    season_of: Mapping[str, tuple[int, ...]]  # category: the months in which it sells
    working_days: tuple[int, ...]  # 0 is Monday
    channels: Mapping[str, int]  # channel: weight
    order_money: int  # cents, the median order
    terms_days: tuple[int, ...]
    prefixes: Mapping[str, str]  # what numbers begin with: customer, order, shop, credit
    companions: tuple[tuple[str, str], ...] = ()  # names of articles: who buys the first soon wants the second
    policy: tuple[PolicyStep, ...] = ()
    segments: tuple[SavedFilter, ...] = ()
    foreign: Foreign | None = None

    def staff(self, role: Role) -> tuple[Person, ...]:
        """The firm's people in a role, in the order they are listed."""
        return tuple(person for person in self.people if person.role == role)
