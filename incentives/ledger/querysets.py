"""Reading: which rewards a member sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from django.db.models import Q

from customers.querysets import visible_customers
from tenants.base import TenantQuerySet
from tenants.permissions import SEES_ALL

if TYPE_CHECKING:
    from tenants.models import Member

PAY: Final = ("staff", "award")
"""Kinds of rewards that are a person's pay."""


def visible_rewards(member: Member, path: str = "") -> Q:
    """The condition that `path` (a prefix like "reward__") is a reward the member sees.

    One's own pay; for a lead the team's; all for executives, administrators and integrations. Points and the product
    team's share are as visible as their customer. PLAYBOOK section 9.
    """
    if member.role in SEES_ALL:
        return Q()
    paid_to = Q(**{f"{path}kind__in": PAY, f"{path}member__in": member.people})
    return paid_to | (~Q(**{f"{path}kind__in": PAY}) & visible_customers(member, f"{path}customer__"))


class RewardQuerySet(TenantQuerySet):
    """Rewards."""

    def visible_to(self, member: Member) -> Self:
        return self.filter(visible_rewards(member))


class OfRewardQuerySet(TenantQuerySet):
    """What hangs on a reward: as visible as the reward."""

    def visible_to(self, member: Member) -> Self:
        return self.filter(visible_rewards(member, "reward__"))
