"""Who leads a crisis of which level until the team is named, and who hears of it."""

from __future__ import annotations

from customers.models import Customer
from followups.models import DutyHolder
from risk.models import Incident, IncidentSeat
from tenants.models import Member
from tenants.permissions import Role


def usual_lead(level: str, customer: Customer) -> Member | None:
    """Who leads by PLAYBOOK's table: customer service (the A owner), the after-sales director, the general manager.

    Where nobody holds the duty the next one up the line does; None where the firm has nobody at all.
    """
    members = list(Member.objects.filter(is_active=True).select_related("user").order_by("pk"))
    by_id = {member.pk: member for member in members}
    duties = dict(DutyHolder.objects.values_list("duty", "member_id"))
    owners = [by_id.get(pk) for pk in (customer.owner_a_id, customer.owner_b_id) if pk]
    owner = next((member for member in owners if member), None)
    lead = next(
        (m for m in members if m.role == Role.TEAM_LEAD and owner is not None and m.team_id == owner.team_id), None
    )
    after_sales = by_id.get(duties.get(DutyHolder.Duty.AFTER_SALES, 0))
    executive = by_id.get(duties.get(DutyHolder.Duty.EXECUTIVE, 0)) or next(
        (m for m in members if m.role == Role.EXECUTIVE), None
    )
    ways = {
        Incident.Level.GENERAL: (owner, lead, after_sales, executive),
        Incident.Level.SERIOUS: (after_sales, lead, executive, owner),
        Incident.Level.MAJOR: (executive, lead, after_sales, owner),
    }
    return next((member for member in ways[Incident.Level(level)] if member), None)


def hearers(incident: Incident) -> list[Member]:
    """Who is told what happens: the team, the customer's owners, and whoever leads at this level; each once."""
    seated = IncidentSeat.objects.filter(incident=incident).select_related("member__user")
    customer = incident.customer
    found = [seat.member for seat in seated]
    owners = Member.objects.filter(pk__in=[pk for pk in (customer.owner_a_id, customer.owner_b_id) if pk])
    found += list(owners.select_related("user"))
    lead = usual_lead(incident.level, customer)
    if lead is not None:
        found.append(lead)
    return list({member.pk: member for member in found if member.is_active}.values())


def approvers(needs: str) -> list[Member]:
    """Active members whose role may approve what needs this one, those of that very role where there are any."""
    roles = {
        "account_manager": [Role.TEAM_LEAD],
        "team_lead": [Role.TEAM_LEAD],
        "executive": [Role.EXECUTIVE],
    }
    rows = Member.objects.filter(is_active=True).select_related("user")
    return list(rows.filter(role__in=roles[needs])) or list(rows.filter(role__in=[Role.EXECUTIVE, Role.ADMIN]))
