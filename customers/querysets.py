"""Reading: which customers, and which of their facts, a member sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db.models import Exists, OuterRef, Q

from tenants.base import TenantQuerySet
from tenants.permissions import SEES_ALL, Role

if TYPE_CHECKING:
    from tenants.models import Member


def visible_customers(member: Member, path: str = "") -> Q:
    """The condition that `path` (a prefix like "customer__") is a customer the member sees.

    Own and covered ones for an account manager; for a lead those of the team and those of nobody;
    all for executives, administrators and integrations. PLAYBOOK section 9.
    """
    if member.role in SEES_ALL:
        return Q()
    if member.role == Role.TEAM_LEAD:
        nobodys = Q(**{f"{path}owner_a__isnull": True, f"{path}owner_b__isnull": True})
        own = Q(**{f"{path}owner_a": member}) | Q(**{f"{path}owner_b": member})
        if member.team_id is None:
            return nobodys | own
        team = member.team_id
        return nobodys | own | Q(**{f"{path}owner_a__team": team}) | Q(**{f"{path}owner_b__team": team})
    return Q(**{f"{path}owner_a": member}) | Q(**{f"{path}owner_b": member})


class CustomerQuerySet(TenantQuerySet):
    """Customers."""

    def visible_to(self, member: Member) -> CustomerQuerySet:
        return self.filter(visible_customers(member))

    def named_like(self, text: str) -> CustomerQuerySet:
        """Customers whose name contains the text or one of whose external ids begins with it."""
        found = self
        for word in text.lower().split():
            # Not a join: a customer with three numbers would come three times, and the list be sorted to find out.
            numbered = self.model.external_ids.rel.related_model.objects.filter(
                customer_id=OuterRef("pk"), value__istartswith=word
            )
            found = found.filter(Q(search_name__contains=word) | Exists(numbered))
        return found


class OfCustomerQuerySet(TenantQuerySet):
    """Facts of a customer: as visible as the customer."""

    def visible_to(self, member: Member) -> Self:
        return self.filter(visible_customers(member, "customer__"))
