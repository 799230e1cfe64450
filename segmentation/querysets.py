"""Reading: pins that hold, saved segments that a member sees, the stage of life as the database says it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Self, TypeVar

from django.db.models import Case, CharField, Q, QuerySet, Value, When
from django.db.models.functions import TruncDate

from customers.querysets import OfCustomerQuerySet
from segmentation.rules.policy import TierPolicy
from segmentation.rules.stages import StageName
from tenants.base import TenantQuerySet
from tenants.context import current_tenant
from tenants.models import Member
from tenants.permissions import Role

Rows = TypeVar("Rows", bound=QuerySet[Any])


class TierPinQuerySet(OfCustomerQuerySet):
    """Pins of tiers."""

    def in_force(self, day: dt.date) -> Self:
        """Those that hold on a day: not ended by a person, and not past their end."""
        return self.filter(ended_at__isnull=True, until__gte=day)


class SavedSegmentQuerySet(TenantQuerySet):
    """Saved segments."""

    def visible_to(self, member: Member) -> Self:
        """The member's own and those that are shared; all for an administrator."""
        if member.role == Role.ADMIN:
            return self.all()
        return self.filter(Q(member=member) | Q(is_shared=True))


class SegmentMemberQuerySet(OfCustomerQuerySet):
    """Customers' times in saved segments."""

    def joined_since(self, day: dt.date) -> Self:
        """Those that began on a day or after it; who matched when the segment was made has not joined it."""
        made_on = TruncDate("segment__created_at", tzinfo=current_tenant().zone)
        return self.filter(joined_on__gte=day, joined_on__gt=made_on)


def with_stage(
    rows: Rows,
    as_of: dt.date | None,
    rules: TierPolicy,
    *,
    standing: str = "standing__",
    closed_on: str = "closed_on",
) -> Rows:
    """The rows with `stage`, as `rules.stages.stage` says it as of a day (of the last night; None: there was none).

    `standing` is the way to the customer's standing, which must be joined; `closed_on` that to the day on which
    the customer was closed. A customer whom no night has seen has the stage "", unless it is closed.
    """

    def then(name: StageName, condition: Q) -> When:
        return When(condition, then=Value(name))

    stages = [then("closed", Q(**{f"{closed_on}__isnull": False}))]
    unseen = Q(**{f"{standing}customer_id__isnull": True}) if as_of else ~Q(pk__in=[])
    stages.append(When(unseen, then=Value("")))
    if as_of is not None:
        lapsed = as_of - dt.timedelta(days=rules.lapsed_days)
        recent = as_of - dt.timedelta(days=rules.new_days)
        stages += [
            then("prospect", Q(**{f"{standing}last_order_on__isnull": True})),
            then("lapsed", Q(**{f"{standing}last_order_on__lte": lapsed})),
            then("won_back", Q(**{f"{standing}returned_on__gt": recent})),
            then("new", Q(**{f"{standing}first_order_on__gt": recent})),
        ]
    active: StageName = "active"
    return rows.annotate(stage=Case(*stages, default=Value(active), output_field=CharField()))
