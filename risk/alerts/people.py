"""Who answers an alert: the customer's account manager, their lead, or the executives; whoever covers when they are away."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Final

from django.db.models import Q, QuerySet
from django.utils import timezone

from followups.models import Absence
from risk.models import Alert, AnswerRole
from tenants.context import current_tenant
from tenants.models import Member
from tenants.permissions import Role

COUNTED: Final = 100
"""Of what waits for somebody nobody counts more (`dashboards.places.MOST_WAITING`)."""


class People:
    """The firm's active members by role, and who covers whom today; asked for once, however many alerts there are."""

    def __init__(self) -> None:
        rows = Member.objects.filter(is_active=True).select_related("user", "team").order_by("pk")
        self._members: dict[int, Member] = {row.pk: row for row in rows}
        today = current_tenant().today()
        away = Absence.objects.filter(settled_at__isnull=True, first__lte=today, last__gte=today)
        self._away: dict[int, int | None] = dict(away.values_list("member_id", "covered_by_id"))

    def member(self, pk: int | None) -> Member | None:
        """An active member by number; None for who has left."""
        return self._members.get(pk) if pk is not None else None

    def whose(
        self, *, role: str, owner_a: int | None, owner_b: int | None, assignee: int | None = None
    ) -> list[Member]:
        """Who answers for a customer of these owners: the one it is assigned to, else whoever has the role.

        An account manager is the A owner, whoever covers while they are away, else the B owner. Where nobody has the
        role, the next one up the line answers; a firm without executives has its administrators. Never empty as long as
        the firm has an active administrator.
        """
        named = self._there(assignee, owner_b)
        if named is not None:
            return [named]
        if role == AnswerRole.ACCOUNT_MANAGER:
            manager = self._there(owner_a, owner_b) or self.member(owner_b)
            return (
                [manager] if manager is not None else self.whose(role=AnswerRole.LEAD, owner_a=owner_a, owner_b=owner_b)
            )
        if role == AnswerRole.LEAD:
            leads = self._leads(owner_a if self.member(owner_a) else owner_b)
            return leads or self.whose(role=AnswerRole.EXECUTIVE, owner_a=owner_a, owner_b=owner_b)
        return self._by_role(Role.EXECUTIVE) or self._by_role(Role.ADMIN)

    def _there(self, pk: int | None, owner_b: int | None) -> Member | None:
        """The member, or who covers for them today; the member all the same where nobody can."""
        found = self.member(pk)
        if found is None or found.pk not in self._away:
            return found
        covers = self._away[found.pk]
        for other in (covers, owner_b):
            stand_in = self.member(other)
            if stand_in is not None and stand_in.pk not in self._away:
                return stand_in
        return found

    def _leads(self, owner: int | None) -> list[Member]:
        """The leads of the owner's team; of a customer of nobody, all leads: they see those."""
        manager = self.member(owner)
        leads = self._by_role(Role.TEAM_LEAD)
        if manager is None:
            return leads
        return [lead for lead in leads if lead.team_id is not None and lead.team_id == manager.team_id]

    def _by_role(self, role: str) -> list[Member]:
        return [member for member in self._members.values() if member.role == role]


def falls_to(member: Member) -> Q:
    """The condition that an alert is the member's to answer; absences aside, whose follow-ups move by themselves."""
    return reduce(or_, _of_nobody(member), Q(assignee=member))


def _of_nobody(member: Member) -> list[Q]:
    """Of the alerts that are assigned to nobody, the member's, as conditions that have nothing in common.

    The first is about customers with an A owner who is the member or in the team; the second about those without one.
    Of who answers for the whole firm there is one condition.
    """
    unassigned = Q(assignee__isnull=True)
    if member.role == Role.EXECUTIVE:
        return [unassigned & Q(role=AnswerRole.EXECUTIVE)]
    owned, without = Q(customer__owner_a=member), Q(customer__owner_a__isnull=True)
    as_manager = unassigned & Q(role=AnswerRole.ACCOUNT_MANAGER)
    if member.role != Role.TEAM_LEAD:
        return [as_manager & owned, as_manager & without & Q(customer__owner_b=member)]
    team: Sequence[int] = [member.pk, *member.team_members]
    as_lead = unassigned & Q(role=AnswerRole.LEAD)
    return [
        Q(customer__owner_a__in=team) & (as_lead | as_manager & owned),
        without & (as_lead | as_manager & Q(customer__owner_b=member)),
    ]


def waiting_for(member: Member, now: dt.datetime | None = None) -> QuerySet[Alert]:
    """The open alerts that are the member's to answer, of customers that they see; not more than COUNTED of a part.

    Those assigned and those of nobody are asked for apart: each is found in an index, all at once in none. In no order:
    to sort a part, all of it would have to be found. `now` is the moment that counts, the present where none is said.
    """
    rows = Alert.objects.filter(closed_on__isnull=True).order_by()
    awake = rows.filter(Q(snoozed_until__isnull=True) | Q(snoozed_until__lte=now or timezone.now()))
    seen = awake.visible_to(member)
    # Whose A owner one is, or leads, one sees: said once more, it would lead the planner past the index of owners.
    owned, *others = _of_nobody(member)
    assigned, *of_nobody = (
        part[:COUNTED]
        for part in (seen.filter(assignee=member), awake.filter(owned), *(seen.filter(each) for each in others))
    )
    found: QuerySet[Alert] = assigned.union(*of_nobody, all=True)
    return found
