"""Whose customers a desk is about: those of a team, of one person, or of the whole firm.

By the A owner, who answers for a customer: so people add up to their team, and teams to the firm. Customers of nobody
belong to no team; the firm's desk counts them, and a lead's says how many there are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Q

from tenants.models import Member, Team
from tenants.permissions import SEES_ALL, Role

WORKERS: Final = frozenset({Role.ACCOUNT_MANAGER, Role.TEAM_LEAD, Role.ADMIN})
"""Roles whose members are somebody's A owner; an integration is nobody's colleague."""


@dataclass(frozen=True)
class Crew:
    """A team, a person, or without either the whole firm.

    `members` are all of it, also those who have left: theirs are still theirs.
    """

    team: Team | None
    members: tuple[Member, ...]
    person: Member | None = None

    @property
    def is_firm(self) -> bool:
        return self.team is None and self.person is None

    @property
    def ids(self) -> list[int]:
        return [member.pk for member in self.members]

    @property
    def people(self) -> list[Member]:
        """Who can be given work, by name."""
        return [member for member in self.members if member.is_active and member.role in WORKERS]

    def owned(self, path: str = "owner_a") -> Q:
        """The condition that `path` (the A owner) is one of them."""
        return Q() if self.is_firm else Q(**{f"{path}__in": self.ids})

    def of(self, cells: Iterable[Any], owner: str = "owner") -> list[Any]:
        """Those of the cells (mappings with an A owner) that belong here."""
        if self.is_firm:
            return list(cells)
        known = frozenset(self.ids)
        return [cell for cell in cells if cell[owner] in known]

    @property
    def query(self) -> str:
        """The parameter that narrows a list of customers to them; empty for the whole firm."""
        if self.person is not None:
            return f"owner_a={self.person.pk}"
        return "" if self.team is None else f"team={self.team.pk}"


def crews(member: Member) -> list[Team]:
    """The teams whose desk a member may open, by name: a lead the own one, else all."""
    if member.role in SEES_ALL:
        return list(Team.objects.order_by("name", "pk"))
    return [member.team] if member.team is not None else []


def crew(team: Team | None) -> Crew:
    """The members of a team, or of the whole firm, by name; one query."""
    rows = Member.objects.select_related("user", "team").order_by("user__name", "pk")
    found: Sequence[Member] = list(rows.filter(team=team) if team is not None else rows)
    return Crew(team, tuple(found))


def crew_of_one(person: Member) -> Crew:
    """One person, whose own customers it is about."""
    return Crew(None, (person,), person)


@dataclass(frozen=True)
class Span:
    """The days that a desk looks back on: `days` full ones before the night of `end`."""

    code: str
    days: int
    end: dt.date

    @property
    def start(self) -> dt.date:
        """The day that moves are counted from, and the first day on which a touch was due."""
        return self.end - dt.timedelta(days=self.days)

    @property
    def last(self) -> dt.date:
        """The last full day."""
        return self.end - dt.timedelta(days=1)


SPANS: Final = {"4-weeks": 28, "quarter": 91, "year": 365}
USUAL_SPAN: Final = "quarter"


def span(code: str, end: dt.date) -> Span:
    """The span of a code of SPANS up to a day. Raises KeyError for another one."""
    return Span(code, SPANS[code], end)
