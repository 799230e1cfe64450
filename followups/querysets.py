"""Reading: who is to be contacted today, in which order, and what comes after."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from django.db.models import Case, Count, DateField, F, Func, IntegerField, Max, Min, Q, Value, When
from django.db.models.functions import Greatest, Least

from customers.models import Interaction
from customers.querysets import OfCustomerQuerySet, visible_customers
from followups.rules.cadence import next_touch
from followups.rules.policy import CadencePolicy
from followups.rules.ranking import URGENCY_FUTURE, URGENCY_MOST_DAYS, URGENCY_PER_DAY, URGENCY_TODAY
from tenants.context import current_tenant
from tenants.permissions import Role

if TYPE_CHECKING:
    from customers.models import Customer
    from tenants.models import Member

View = Literal["mine", "covering", "all"]
VIEWS: Final[tuple[View, ...]] = get_args(View)
Due = Literal["", "today", "late"]

HORIZON_DAYS: Final = 4
"""Today also shows what falls due within so many days, so that a free hour finds work."""

_OPEN: Final = Q(status="open")


class _DaysBetween(Func):
    """Whole days from the second date to the first; PostgreSQL's own difference, not an interval."""

    template = "(%(expressions)s)"
    arg_joiner = " - "
    output_field = IntegerField()


def _day(day: dt.date) -> Value:
    return Value(day, output_field=DateField())


def default_view(member: Member) -> View:
    """The view that Today opens with: who owns customers sees their own, the others everything they may see."""
    return "mine" if member.role == Role.ACCOUNT_MANAGER else "all"


def in_view(member: Member, view: View) -> Q:
    """The follow-ups of a view among those the member sees.

    mine: assigned to the member. covering: of customers whose B owner the member is, assigned to somebody
    else or to nobody. all: every one, also those of nobody.
    """
    if view == "mine":
        return Q(assignee=member)
    if view == "covering":
        return Q(customer__owner_b=member) & (Q(assignee__isnull=True) | ~Q(assignee=member))
    return Q()


class FollowUpQuerySet(OfCustomerQuerySet):
    """Follow-ups."""

    def waiting(self, today: dt.date) -> FollowUpQuerySet:
        """Open, not put off beyond today, late or due within HORIZON_DAYS; annotated with `day`.

        `day` is when it is due: the day it was put off to, where that is later.
        """
        last = today + dt.timedelta(days=HORIZON_DAYS)
        awake = Q(snoozed_until__isnull=True) | Q(snoozed_until__lte=today)
        return self.filter(_OPEN & awake, due_on__lte=last).annotate(day=Greatest("due_on", "snoozed_until"))

    def ranked(self, today: dt.date) -> FollowUpQuerySet:
        """In the order in which to work: annotated with `rank`, highest first; a total order.

        `rank` is rules/ranking.py's `priority // 100 * urgency` of `day`; call `waiting` first.
        """
        late = Least(_DaysBetween(_day(today), F("day")), Value(URGENCY_MOST_DAYS))
        urgency = Case(When(day__gt=today, then=Value(URGENCY_FUTURE)), default=URGENCY_TODAY + URGENCY_PER_DAY * late)
        ranked = self.annotate(rank=F("priority") / 100 * urgency)
        return ranked.order_by("-rank", "day", F("due_at").asc(nulls_last=True), "pk")

    def queue(self, member: Member, view: View, today: dt.date) -> FollowUpQuerySet:
        """Today's queue of one person, in order."""
        return self.visible_to(member).filter(in_view(member, view)).waiting(today).ranked(today)


@dataclass(frozen=True)
class QueueCounts:
    """What the heads of the views and the strip say; `oldest_days` is how late the latest is, 0 for none late.

    `mine`, `covering` and `all` count the views; the others count in the view that was asked about.
    """

    mine: int
    covering: int
    all: int
    due_today: int
    overdue: int
    oldest_days: int
    new: int
    found: int


def count_queue(
    rows: FollowUpQuerySet,
    member: Member,
    view: View,
    today: dt.date,
    *,
    since: dt.datetime | None = None,
    known: Collection[int] = (),
    only: Q = Q(),  # noqa: B008  # a Q is never changed
) -> QueueCounts:
    """Count the queues of a member in one pass. `rows` are all follow-ups of the tenant.

    `new` are those of the view that were raised or moved after `since` and are not among the `known` ids;
    `found` those of the view that meet `only`.
    """
    here = in_view(member, view)
    counts = (
        rows.visible_to(member)
        .waiting(today)
        .aggregate(
            mine=Count("pk", filter=in_view(member, "mine")),
            covering=Count("pk", filter=in_view(member, "covering")),
            all=Count("pk"),
            due_today=Count("pk", filter=here & Q(day=today)),
            overdue=Count("pk", filter=here & Q(day__lt=today)),
            oldest=Min("day", filter=here & Q(day__lt=today)),
            new=Count("pk", filter=here & _fresh(since, known)),
            found=Count("pk", filter=here & only),
        )
    )
    oldest = counts.pop("oldest")
    return QueueCounts(**counts, oldest_days=(today - oldest).days if oldest else 0)


def _fresh(since: dt.datetime | None, known: Collection[int]) -> Q:
    return Q(pk__in=[]) if since is None else Q(updated_at__gt=since) & ~Q(pk__in=list(known))


def due_filter(due: Due, today: dt.date) -> Q:
    """The rows behind a number of the strip; call `waiting` first."""
    if due == "today":
        return Q(day=today)
    if due == "late":
        return Q(day__lt=today)
    return Q()


def done_today(rows: FollowUpQuerySet, member: Member, view: View, today: dt.date) -> int:
    """How many were done since midnight: by the member, or in the view of all by anybody."""
    done = rows.filter(status="done", closed_at__gte=current_tenant().start_of(today))
    if view == "all":
        return done.filter(visible_customers(member, "customer__")).count()
    return done.filter(closed_by=member).count()


def last_touched(customer: Customer) -> dict[str, dt.date]:
    """The local day of the customer's last contact of each kind."""
    rows = Interaction.objects.filter(customer=customer).values_list("kind").annotate(last=Max("at")).order_by()
    return {kind: current_tenant().local_date(last) for kind, last in rows}


def next_after(
    customer: Customer, tier: str, policy: CadencePolicy, *, kind: str = "", today: dt.date | None = None
) -> tuple[str, dt.date] | None:
    """Kind and day of the customer's next touch by the cadence; None when the tier has none.

    With `kind` and `today`: as it will be once a contact of that kind is logged today.
    """
    touched = last_touched(customer)
    if kind and today:
        touched[kind] = today
    return next_touch(tier, touched, policy)


def assignable(members: Iterable[Member]) -> list[Member]:
    """Those who may work on follow-ups, by name."""
    return sorted((m for m in members if m.is_active and m.can("follow-ups:write")), key=lambda m: str(m).lower())
