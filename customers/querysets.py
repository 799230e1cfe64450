"""Reading: which customers, and which of their facts, a member sees."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Final, Self

from django.db import connection
from django.db.models import Q

from customers.terms import note_names
from tenants.base import TenantQuerySet
from tenants.context import current_tenant
from tenants.permissions import SEES_ALL, Role

if TYPE_CHECKING:
    from tenants.models import Member


def visible_customers(member: Member, path: str = "") -> Q:
    """The condition that `path` (a prefix like "customer__") is a customer the member sees.

    Own and covered ones for an account manager; for a lead those of the team and those of nobody;
    all for executives, administrators and integrations. PLAYBOOK section 9.
    """
    return reduce(or_, _ways(member, path))


def _ways(member: Member, path: str) -> list[Q]:
    """Why a member sees a customer: for an owner, for who covers, for nobody's."""
    if member.role in SEES_ALL:
        return [Q()]
    # As numbers, not as a join: the planner knows how many customers each of them has.
    ways = [Q(**{f"{path}owner_a__in": member.people}), Q(**{f"{path}owner_b__in": member.people})]
    if member.role == Role.TEAM_LEAD:
        ways.append(Q(**{f"{path}owner_a__isnull": True, f"{path}owner_b__isnull": True}))
    return ways


def sees_by(member: Member) -> tuple[Any, ...]:
    """All that `visible_customers` depends on: for whom it is equal, they see the same."""
    if member.role in SEES_ALL:
        return ()
    return (member.role, *member.people)


def visible_apart(member: Member, path: str = "") -> list[Q]:
    """`visible_customers` as conditions of which no two meet the same row: each is one walk along an index.

    What is counted over tens of thousands of rows is counted in parts: an index has the whole answer to each, and to
    "one or the other" none has.
    """
    owns, *others = _ways(member, path)
    if not others:
        return [owns]
    covers, *nobodys = others
    # Of an owner that is null SQL says neither that it is in a list nor that it is not.
    return [owns, covers & (Q(**{f"{path}owner_a__isnull": True}) | ~owns), *nobodys]


class CustomerQuerySet(TenantQuerySet):
    """Customers."""

    def visible_to(self, member: Member) -> CustomerQuerySet:
        return self.filter(visible_customers(member))

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        rows = super().bulk_create(objs, *args, **kwargs)
        note_names({row.pk: row.name for row in rows}, new=True)
        return rows


_COUNTRIES: Final = """
WITH RECURSIVE found AS (
    (SELECT country FROM customers_customer WHERE tenant_id = %(tenant)s ORDER BY country LIMIT 1)
    UNION ALL
    SELECT (SELECT c.country FROM customers_customer c WHERE c.tenant_id = %(tenant)s AND c.country > found.country
            ORDER BY c.country LIMIT 1) FROM found WHERE found.country IS NOT NULL)
SELECT country FROM found WHERE country IS NOT NULL
"""


def countries() -> list[str]:
    """The countries of the tenant's customers in their order, "" among them: from one to the next along the index."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTRIES, {"tenant": current_tenant().pk})
        return [country for (country,) in cursor.fetchall()]


class OfCustomerQuerySet(TenantQuerySet):
    """Facts of a customer: as visible as the customer."""

    def visible_to(self, member: Member) -> Self:
        return self.filter(visible_customers(member, "customer__"))
