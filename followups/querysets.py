"""Reading: who is to be contacted today, in which order, and what comes after."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Self, get_args

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import (
    Case,
    Count,
    DateField,
    F,
    FloatField,
    Func,
    IntegerField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    SmallIntegerField,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Cast, Floor, Greatest, Least, Ln
from django.utils import formats
from django.utils.translation import gettext as _

from customers.asked import OfCustomer
from customers.models import Interaction
from customers.querysets import sees_by, visible_apart, visible_customers
from followups.rules.cadence import next_touch
from followups.rules.policy import CadencePolicy
from followups.rules.ranking import URGENCY_FUTURE, URGENCY_MOST_DAYS, URGENCY_PER_DAY, URGENCY_TODAY
from followups.rules.spread import nearest
from tenants.base import TenantQuerySet
from tenants.context import current_tenant
from tenants.kept import Kept
from tenants.models import Member
from tenants.permissions import SEES_ALL, Role
from tenants.prepared import QUERIES_KEPT

if TYPE_CHECKING:
    from customers.models import Customer
    from tenants.rules.calendar import Calendar

View = Literal["mine", "covering", "all"]
VIEWS: Final[tuple[View, ...]] = get_args(View)
Due = Literal["", "today", "late"]

MOST_COUNTED: Final = 10_000
"""Nobody works through more: so many are counted of what everybody has to do, and "10,000+" is said."""

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
        return Q(owner_b=member) & (Q(assignee__isnull=True) | ~Q(assignee=member))
    return Q()


class FollowUpQuerySet(TenantQuerySet):
    """Follow-ups."""

    def visible_to(self, member: Member) -> Self:
        """Those of customers whom the member sees."""
        return self.filter(visible_customers(member))

    def waiting(self, today: dt.date) -> FollowUpQuerySet:
        """Open, not put off beyond today, and by its `day` late or due within HORIZON_DAYS."""
        awake = Q(snoozed_until__isnull=True) | Q(snoozed_until__lte=today)
        return self.filter(_OPEN & awake, day__lte=today + dt.timedelta(days=HORIZON_DAYS))

    def ranked(self, today: dt.date) -> FollowUpQuerySet:
        """In the order in which to work: annotated with `rank`, highest first; a total order.

        `rank` is rules/ranking.py's `priority // 100 * urgency` of `day`.
        """
        late = Least(_DaysBetween(_day(today), F("day")), Value(URGENCY_MOST_DAYS))
        urgency = Case(When(day__gt=today, then=Value(URGENCY_FUTURE)), default=URGENCY_TODAY + URGENCY_PER_DAY * late)
        ranked = self.annotate(rank=F("priority") / 100 * urgency)
        return ranked.order_by("-rank", "day", F("due_at").asc(nulls_last=True), "pk")

    def queue(self, member: Member, view: View, today: dt.date) -> FollowUpQuerySet:
        """Today's queue of one person, in order."""
        return self.visible_to(member).filter(in_view(member, view)).waiting(today).ranked(today)


MAGNITUDES: Final = 2
"""Steps of a follow-up's magnitude to a factor of e: each is some 65 percent above the one below."""


def magnitude_of(priority: str) -> Cast:
    """The order of magnitude of a field's `priority // 100`, from 0: who has the higher one never ranks behind.

    An index of the priority itself would have every entry of a row written anew, those of its other indexes too,
    whenever a night moves it: PostgreSQL leaves them alone only where nothing that is indexed has changed (HOT).
    """
    rank = Cast(Greatest(F(priority) / 100, 1), FloatField())
    return Cast(Floor(Ln(rank) * MAGNITUDES), SmallIntegerField())


_DAYS_WAITING: Final = """
    WITH RECURSIVE days AS (
        (SELECT day FROM followups_followup
         WHERE tenant_id = %(tenant)s AND status = 'open' AND day >= %(first)s ORDER BY day LIMIT 1)
        UNION ALL
        SELECT (SELECT f.day FROM followups_followup f
                WHERE f.tenant_id = %(tenant)s AND f.status = 'open' AND f.day > days.day ORDER BY f.day LIMIT 1)
        FROM days WHERE days.day < %(last)s
    )
"""
"""Each day of which something waits, from one to the next along the index follow_up_ranked."""


def best_of_all(today: dt.date, due: Due, most: int, without: Sequence[int] = ()) -> list[int]:
    """The ids of `waiting(today).ranked(today)` of the whole tenant, the first `most`, without some.

    The best of everybody's work are among the best of each day, which the index has in order, but for those of one
    magnitude: whoever has hundreds of thousands open waits no longer than who has hundreds.
    """
    first, last = due_span(due, today)
    urgency = (
        f"CASE WHEN best.day > %(today)s THEN {URGENCY_FUTURE} "
        f"ELSE {URGENCY_TODAY} + {URGENCY_PER_DAY} * LEAST(%(today)s - best.day, {URGENCY_MOST_DAYS}) END"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            {_DAYS_WAITING}
            SELECT best.id FROM days CROSS JOIN LATERAL (
                SELECT f.id, f.priority, f.day, f.due_at FROM followups_followup f
                WHERE f.tenant_id = %(tenant)s AND f.status = 'open' AND f.day = days.day
                      AND (f.snoozed_until IS NULL OR f.snoozed_until <= %(today)s) AND f.id <> ALL(%(without)s::bigint[])
                ORDER BY f.magnitude DESC, f.priority / 100 DESC, f.due_at, f.id LIMIT %(most)s
            ) best WHERE days.day <= %(last)s
            ORDER BY best.priority / 100 * ({urgency}) DESC, best.day, best.due_at, best.id LIMIT %(most)s
            """,
            {
                "tenant": current_tenant().pk,
                "today": today,
                "first": first,
                "last": last,
                "most": max(0, most),
                "without": list(without),
            },
        )
        return [pk for (pk,) in cursor.fetchall()]


def due_span(due: Due, today: dt.date) -> tuple[dt.date, dt.date]:
    """The first and the last `day` behind a number of the strip."""
    if due == "today":
        return today, today
    if due == "late":
        return dt.date.min, today - dt.timedelta(days=1)
    return dt.date.min, today + dt.timedelta(days=HORIZON_DAYS)


@dataclass(frozen=True)
class QueueCounts:
    """What the heads of the views and the strip say; `oldest_days` is how late the latest is, 0 for none late.

    `mine`, `covering` and `all` count the views; the others count in the view that was asked about. More than
    MOST_COUNTED stands for any number above.
    """

    mine: int
    covering: int
    all: int
    due_today: int
    overdue: int
    oldest_days: int
    new: int
    found: int

    @cached_property
    def words(self) -> dict[str, str]:
        """The numbers as people read them: "10,000+" for more than are counted."""
        return {each.name: counted(getattr(self, each.name)) for each in fields(self)}


def counted(number: int) -> str:
    """A number that is counted up to MOST_COUNTED."""
    if number <= MOST_COUNTED:
        return str(formats.number_format(number, 0))
    return _("%(count)s+") % {"count": formats.number_format(MOST_COUNTED, 0)}


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
    """Count the queues of a member. `rows` are all follow-ups of the tenant.

    Of an account manager's own customers in one pass over each part, which an index answers alone; of a team's and of
    all customers, who may have tens of thousands open, each number by itself, up to MOST_COUNTED. `new` are those of
    the view that were raised or moved after `since` and are not among the `known` ids; `found` those of the view that
    meet `only`.
    """
    put = _pass if member.role == Role.ACCOUNT_MANAGER else _numbers
    if since is None or only != Q():
        sql, params = put(rows, member, view, today, _fresh(since, known), only)
    else:
        # To put the query together takes about as long as to ask it.
        anybody = range(-len(known), 0)  # no row has these numbers: they hold the places of the known ones
        key = (current_tenant().pk, member.pk, sees_by(member), view, today, len(known))
        sql, kept = _kept_counts.get(key, lambda: put(rows, member, view, today, _fresh(ANY_MOMENT, anybody), only))
        said = dict(zip(anybody, known, strict=True)) | {ANY_MOMENT: since}
        params = [said.get(each, each) for each in kept]
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        counts = QueueCounts(*cursor.fetchone())
    return counts if only != Q() else replace(counts, found=getattr(counts, view))


ANY_MOMENT: Final = dt.datetime.max.replace(tzinfo=dt.UTC)
"""In a kept query it stands for the moment of the ranking."""
_kept_counts: Final[Kept[tuple[Any, ...], tuple[str, list[Any]]]] = Kept(QUERIES_KEPT)


def _pass(
    rows: FollowUpQuerySet, member: Member, view: View, today: dt.date, fresh: Q, only: Q
) -> tuple[str, list[Any]]:
    """The query of `count_queue` as one pass over what the member sees, and its values."""
    # Of each row what the index has of it.
    columns = [rows.filter(part).waiting(today).values("day", "assignee", "owner_b") for part in visible_apart(member)]
    seen = _Sql.all_of(each.order_by() for each in columns)
    waiting = rows.visible_to(member).waiting(today).filter(in_view(member, view))
    mine, covering, here = (_seen_in(member, each) for each in ("mine", "covering", view))
    new, found = _Sql.number([waiting.filter(fresh)]), _found([waiting], only)
    # Not in groups: for tens of thousands of rows, to find its group takes longer than to read the row.
    sql = f"""
            SELECT count(*) FILTER (WHERE {mine}), count(*) FILTER (WHERE {covering}), count(*),
                   count(*) FILTER (WHERE {here} AND day = %s), count(*) FILTER (WHERE {here} AND day < %s),
                   greatest(0, %s - min(day) FILTER (WHERE {here})), {new.sql}, {found.sql}
            FROM ({seen.sql}) AS seen (day, assignee, owner_b)
            """
    return sql, [today, today, today, *new.params, *found.params, *seen.params]


def _seen_in(member: Member, view: View) -> str:
    """`in_view` of the rows of a pass, of which the member sees each."""
    me = int(member.pk)
    if view == "mine":
        return f"assignee = {me}"
    return f"owner_b = {me} AND assignee IS DISTINCT FROM {me}" if view == "covering" else "true"


def _numbers(
    rows: FollowUpQuerySet, member: Member, view: View, today: dt.date, fresh: Q, only: Q
) -> tuple[str, list[Any]]:
    """The query of `count_queue` with each number by itself, and its values."""
    everything = [rows.filter(part).waiting(today) for part in visible_apart(member)]
    # What is assigned to a person, or covered by one, has an index of its own, and so has what was written lately.
    seen = rows.visible_to(member).waiting(today)
    here = everything if view == "all" else [seen.filter(in_view(member, view))]
    late = due_filter("late", today)
    oldest = _first_day(rows.waiting(today).filter(in_view(member, view) & late), member)
    numbers = [
        _Sql.number([seen.filter(in_view(member, "mine"))]),
        _Sql.number([seen.filter(in_view(member, "covering"))]),
        _Sql.number(everything),
        _Sql.number(part.filter(due_filter("today", today)) for part in here),
        _Sql.number(part.filter(late) for part in here),
        _Sql(f"greatest(0, %s - {oldest.sql})", [today, *oldest.params]),
        _Sql.number([seen.filter(in_view(member, view) & fresh)]),
        _found(here, only),
    ]
    return f"SELECT {', '.join(each.sql for each in numbers)}", [value for each in numbers for value in each.params]


def _found(here: Iterable[FollowUpQuerySet], only: Q) -> _Sql:
    """How many rows of a view meet a condition; without one it is the number of the view."""
    return _Sql("NULL") if only == Q() else _Sql.number(part.filter(only) for part in here)


def _first_day(rows: FollowUpQuerySet, member: Member) -> _Sql:
    """The first day of the rows that a member sees: one look into an index for each owner, not a walk over all."""
    first = rows.order_by("day").values("day")
    if member.role in SEES_ALL:
        firsts: list[QuerySet[Any]] = [first[:1]]
    else:
        owners = Member.objects.filter(pk__in=member.people).order_by()
        owned, covered = (
            owners.values(first_day=Subquery(first.filter(**{owner: OuterRef("pk")})[:1]))
            for owner in ("owner_a", "owner_b")
        )
        firsts = [owned, covered, first.filter(owner_a__isnull=True, owner_b__isnull=True)[:1]]
    days = _Sql.all_of(firsts)
    return _Sql(f"(SELECT min(day) FROM ({days.sql}) AS firsts (day))", days.params)


class _Sql(NamedTuple):
    """A piece of a query, and its values."""

    sql: str
    params: Sequence[Any] = ()

    @classmethod
    def all_of(cls, parts: Iterable[QuerySet[Any]]) -> _Sql:
        """The rows of all parts, one after the other; parts of which none can have a row have no statement."""
        said = []
        for part in parts:
            with suppress(EmptyResultSet):
                said.append(part.query.sql_with_params())
        return cls(
            " UNION ALL ".join(f"({sql})" for sql, _given in said), [each for _sql, given in said for each in given]
        )

    @classmethod
    def number(cls, parts: Iterable[QuerySet[Any]]) -> _Sql:
        """How many rows the parts have, up to one more than MOST_COUNTED."""
        rows = cls.all_of(part.order_by().values("day") for part in parts)
        if not rows.sql:
            return cls("0")
        return cls(
            f"(SELECT count(*) FROM (SELECT FROM ({rows.sql}) AS seen LIMIT {MOST_COUNTED + 1}) AS counted)",
            rows.params,
        )


def _fresh(since: dt.datetime | None, known: Collection[int]) -> Q:
    return Q(pk__in=[]) if since is None else Q(updated_at__gt=since) & ~Q(pk__in=list(known))


def due_filter(due: Due, today: dt.date) -> Q:
    """The rows behind a number of the strip."""
    if due == "today":
        return Q(day=today)
    if due == "late":
        return Q(day__lt=today)
    return Q()


def done_today(rows: FollowUpQuerySet, member: Member, view: View, today: dt.date) -> int:
    """How many were done since midnight: by the member, or in the view of all by anybody."""
    done = rows.filter(status="done", closed_at__gte=current_tenant().start_of(today))
    done = done.visible_to(member) if view == "all" else done.filter(closed_by=member)
    return done.order_by().values("pk")[: MOST_COUNTED + 1].count()


@dataclass(frozen=True)
class Touched:
    """The local day of a customer's last contact of each kind, and how many contacts there were of all kinds."""

    last: Mapping[str, dt.date]
    count: int


def touched(customer: Customer) -> Touched:
    """The contacts with a customer, in one query."""
    rows: list[Any] = _by_kind.rows(customer.pk)
    local_date = current_tenant().local_date
    return Touched({row["kind"]: local_date(row["last"]) for row in rows}, sum(row["number"] for row in rows))


def _kinds_of(pk: int) -> QuerySet[Any]:
    kinds = Interaction.objects.filter(customer_id=pk).values("kind").order_by()
    rows: QuerySet[Any] = kinds.annotate(last=Max("at"), number=Count("pk"))
    return rows


_by_kind: Final = OfCustomer[Any](_kinds_of)


def next_after(
    customer: Customer,
    tier: str,
    policy: CadencePolicy,
    *,
    kind: str = "",
    today: dt.date | None = None,
    calendar: Calendar | None = None,
    known: Touched | None = None,
) -> tuple[str, dt.date] | None:
    """Kind and day of the customer's next touch by the cadence; None when the tier has none.

    With `kind` and `today`: as it will be once a contact of that kind is logged today. With a calendar the day is
    the working day on which it lands where there is room. `known` is what `touched` has found, where it is at hand.
    """
    last = dict((known or touched(customer)).last)
    if kind and today:
        last[kind] = today
    found = next_touch(tier, last, policy)
    return found and (found[0], nearest(calendar, found[1], customer.pk) if calendar else found[1])


def assignable(members: Iterable[Member]) -> list[Member]:
    """Those who may work on follow-ups, by name."""
    return sorted((m for m in members if m.is_active and m.can("follow-ups:write")), key=lambda m: str(m).lower())
