"""Reading: pins that hold, saved segments that a member sees, the stage of life as the database says it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any, Literal, NamedTuple, Self, TypeVar

from django.db.models import Case, CharField, F, Q, QuerySet, Value, When
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


class StageDays(NamedTuple):
    """All of the tiers' rules that the stage of life goes by, in days."""

    lapsed_days: int
    new_days: int


class _Stage(Case):
    """The stage of life as a column, which remembers by what it was told."""

    def __init__(self, as_of: dt.date | None, rules: TierPolicy | StageDays, standing: str, closed_on: str) -> None:
        self.as_of, self.standing, self.closed_on = as_of, standing, closed_on
        day = as_of or dt.date.min + dt.timedelta(days=rules.lapsed_days + rules.new_days)
        self.lapsed = day - dt.timedelta(days=rules.lapsed_days)
        self.recent = day - dt.timedelta(days=rules.new_days)
        unseen = Q(**{f"{standing}customer_id__isnull": True}) if as_of else ~Q(pk__in=[])
        stages: list[tuple[StageName | Literal[""], Q]] = [
            ("closed", Q(**{f"{closed_on}__isnull": False})),
            ("", unseen),
        ]
        if as_of is not None:
            stages += [
                ("prospect", Q(**{f"{standing}last_order_on__isnull": True})),
                ("lapsed", Q(**{f"{standing}last_order_on__lte": self.lapsed})),
                ("won_back", Q(**{f"{standing}returned_on__gt": self.recent})),
                ("new", Q(**{f"{standing}first_order_on__gt": self.recent})),
            ]
        active: StageName = "active"
        cases = [When(condition, then=Value(name)) for name, condition in stages]
        super().__init__(*cases, default=Value(active), output_field=CharField())

    def is_one(self, stage: str) -> Q:
        """The condition of one stage by itself: spans of days, in which an index can begin, and not a choice of six."""
        if stage == "closed":
            return Q(**{f"{self.closed_on}__isnull": False})
        if self.as_of is None:
            return Q(pk__in=[])
        living = Q(**{f"{self.closed_on}__isnull": True, "stage_seen__isnull": False})
        if stage == "prospect":
            return living & Q(stage_last__isnull=True)
        if stage == "lapsed":
            return living & Q(stage_last__lte=self.lapsed)
        buying = living & Q(stage_last__gt=self.lapsed)
        returned = Q(stage_returned__gt=self.recent)
        if stage == "won_back":
            return buying & returned
        kept = buying & (Q(stage_returned__isnull=True) | Q(stage_returned__lte=self.recent))
        return kept & (Q(stage_first__gt=self.recent) if stage == "new" else Q(stage_first__lte=self.recent))


def with_stage(
    rows: Rows,
    as_of: dt.date | None,
    rules: TierPolicy | StageDays,
    *,
    standing: str = "standing__",
    closed_on: str = "closed_on",
) -> Rows:
    """The rows with `stage`, as `rules.stages.stage` says it as of a day (of the last night; None: there was none).

    `standing` is the way to the customer's standing, which must be joined; `closed_on` that to the day on which
    the customer was closed. A customer whom no night has seen has the stage "", unless it is closed.
    """
    return rows.annotate(stage=_Stage(as_of, rules, standing, closed_on)).alias(
        stage_seen=F(f"{standing}customer_id"),
        stage_last=F(f"{standing}last_order_on"),
        stage_first=F(f"{standing}first_order_on"),
        stage_returned=F(f"{standing}returned_on"),
    )


def in_stage(rows: Rows, stages: Iterable[str]) -> Rows:
    """Those of the rows `with_stage` that are in one of the stages."""
    column: Any = rows.query.annotations["stage"]
    return rows.filter(reduce(or_, (column.is_one(stage) for stage in stages)))
