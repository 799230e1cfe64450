"""Who has to do with whose growth: who is certified, who reviews, who leads, whom a colleague may name."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.exceptions import ValidationError

from incentives.kpis.figures import jobs_on
from incentives.rules.growth import takes_part
from incentives.rules.kpis import Period
from tenants.context import current_tenant
from tenants.models import Member
from tenants.permissions import SEES_ALL, Role


class Refused(ValidationError):
    """A step that must not happen; its message says why, in the user's language."""


ABOVE = (Role.EXECUTIVE, Role.ADMIN)
"""Who stands above the leads of teams, the nearest first."""


def measured(quarter: Period, least_days: int) -> list[Member]:
    """Who is certified in a quarter: the active people who are measured as something and were there long enough."""
    tenant = current_tenant()
    rows = list(Member.objects.filter(is_active=True).select_related("user", "team").order_by("pk"))
    jobs = jobs_on(min(quarter.last, tenant.today()), rows)
    return [
        each for each in rows if jobs[each.pk] and takes_part(tenant.local_date(each.created_at), quarter, least_days)
    ]


def leads(member: Member, person: Member) -> bool:
    """Whether a member stands above a person: their lead, an executive or an administrator; nobody above themselves."""
    return member.pk != person.pk and (member.role in ABOVE or _is_lead_of(member, person))


def _is_lead_of(member: Member, person: Member) -> bool:
    """Whether a member leads a person's team; other leads in it, and who stands above them, are not led by a lead."""
    if member.role != Role.TEAM_LEAD or person.role in (Role.TEAM_LEAD, *ABOVE):
        return False
    return member.team_id is not None and member.team_id == person.team_id


def may_look(member: Member, person: Member) -> bool:
    """Whether a member sees a person's growth: their own, a lead's team's, all for who sees all."""
    return member.role in SEES_ALL or person.pk in member.people


def bosses_of(person: Member, among: Iterable[Member]) -> list[Member]:
    """Who leads a person: the leads of the team; where there is none the executives, then the administrators."""
    others = [each for each in among if each.pk != person.pk and each.is_active]
    team = [each for each in others if _is_lead_of(each, person)]
    return team or next((found for role in ABOVE if (found := [each for each in others if each.role == role])), [])


def leaders() -> list[Member]:
    """Everybody who leads somebody, in a fixed order."""
    rows = Member.objects.filter(is_active=True, role__in=[Role.TEAM_LEAD, *ABOVE])
    return list(rows.select_related("user").order_by("pk"))


def colleagues() -> list[Member]:
    """Everybody who can be trained or be a mentor, by name."""
    rows = Member.objects.filter(is_active=True).exclude(role=Role.INTEGRATION)
    return list(rows.select_related("user", "team").order_by("user__name", "pk"))
