"""Reading: how the customers whom a member sees are doing, how that moved, and where machine and person differ.

Every figure has a way to its rows: `had_band`, `recoloured_between`, `disagreeing` and the columns of HealthScore
narrow a list of customers to those behind a number. What everybody is doing now is counted already (`BandCount`), and
so is how that moved until the last night; before the first night, and for other days, the rows are counted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

import polars as pl
from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    F,
    FilteredRelation,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from customers.models import Customer
from customers.tallies import OWNERS, tallied
from health.history import monday, month_before, week_before
from health.models import Band, BandCount, HealthCount, HealthHistory, HealthScore, HealthTally, Pulse
from health.pulses import counting, latest_pulses
from tenants.base import POINTS
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.models import Member, Run, RunStep
from tenants.permissions import SEES_ALL, Role

BANDS: Final[tuple[str, ...]] = (Band.GREEN, Band.YELLOW, Band.RED, Band.NONE)
"""All bands, best first; not enough data comes last."""

NOT_SCORED: Final = ""
"""The band of who had none on a day: no customer yet, no night yet, or closed by then."""

TREND_WEEKS: Final = 12
MOVES_WEEKS: Final = 4
"""Between which Monday and the last night moves are shown when nobody asks for other days."""
DROP: Final = 5
"""Points lost in a week from which a fall is a big one, as the screens set it in bold."""

Since = Literal["week", "month"]
View = Literal["any", "worse", "better"]
"""How a person sees a customer beside the machine."""

DIFFERS: Final[Mapping[str, Q]] = {"any": ~Q(gap=0), "worse": Q(gap__lt=0), "better": Q(gap__gt=0)}
"""The same as a condition on `gap`: how many colours the person is above the machine."""

_RANK: Final = {Band.GREEN: 3, Band.YELLOW: 2, Band.RED: 1}


def monday_before(as_of: dt.date, since: Since) -> dt.date:
    """The Monday that changes in a week, in a month are counted from."""
    return week_before(as_of) if since == "week" else month_before(as_of)


# ── now ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class BandShare:
    """The customers of a colour: how many, what they brought in the tiers' window, and what part that is (0 to 1)."""

    band: str
    customers: int
    money: Decimal
    customer_share: float | None
    money_share: float | None


def distribution(member: Member) -> list[BandShare]:
    """How the customers whom a member sees are doing now, by colour, best first; at most two queries."""
    found = {band: (count, money) for band, count, money in _by_band(member)}
    everybody = sum(count for count, _money in found.values())
    whole = sum((money for _count, money in found.values()), Decimal(0))
    shares = []
    for band in BANDS:
        count, money = found.get(band, (0, Decimal(0)))
        customer_share = count / everybody if everybody else None
        shares.append(BandShare(band, count, money, customer_share, float(money / whole) if whole > 0 else None))
    return shares


def has_counts() -> bool:
    """Whether a night has counted what is now; from then on it is kept right."""
    return bool(BandCount.objects.exists())


def _by_band(member: Member) -> list[tuple[str, int, Decimal]]:
    """Colour, customers and money of those whom a member sees; added up where they are counted."""
    if has_counts():
        counts = BandCount.objects.visible_to(member).order_by().values_list("band")
        return [row for row in counts.annotate(Sum("customers"), Sum("net")) if row[1]]
    rows = _with_money(HealthScore.objects.visible_to(member)).order_by()
    counted = rows.values_list("band").annotate(Count("customer"), Sum("net"))
    return [(band, count, money or Decimal(0)) for band, count, money in counted]


def _by_owner(member: Member) -> list[tuple[int | None, str, int, Decimal, int]]:
    """A owner, colour, customers, money and fallen in a week, of those whom a member sees."""
    if has_counts():
        counts = BandCount.objects.visible_to(member).order_by().values_list("owner_a", "band")
        sums = counts.annotate(Sum("customers"), Sum("net"), Sum("week_fallen"))
        return [row for row in sums if row[2]]
    rows = _with_money(HealthScore.objects.visible_to(member)).order_by()
    fell = Count("customer", filter=Q(week_points__lt=0))
    counted = rows.values_list("customer__owner_a", "band").annotate(Count("customer"), Sum("net"), fallen=fell)
    return [(owner, band, count, money or Decimal(0), fallen) for owner, band, count, money, fallen in counted]


def rescored(member: Member) -> int:
    """How many of the customers whom a member sees a fact that came in has had scored since the last night."""
    if has_counts():
        return BandCount.objects.visible_to(member).aggregate(number=Sum("rescored"))["number"] or 0
    count: int = HealthScore.objects.visible_to(member).filter(rescored_at__isnull=False).count()
    return count


@dataclass(frozen=True)
class OwnerHealth:
    """Customers of an A owner (None: nobody's) by colour, their money, and what of it is red."""

    owner: Member | None
    customers: Mapping[str, int]
    money: Decimal
    red_money: Decimal
    fallen: int
    """How many have lost points since the Monday a week before."""

    @property
    def total(self) -> int:
        return sum(self.customers.values())


@dataclass(frozen=True)
class OwnersHealth:
    """A owners, who has most money in red first: those asked for, and how many there are."""

    shown: Sequence[OwnerHealth]
    count: int


def owners(member: Member, limit: int | None = None) -> OwnersHealth:
    """The customers whom a member sees by their A owner; at most `limit` owners, without one all. Three queries."""
    by_owner: dict[int | None, list[tuple[str, int, Decimal, int]]] = {}
    for owner, band, count, money, fallen in _by_owner(member):
        by_owner.setdefault(owner, []).append((band, count, money, fallen))

    def place(owner: int | None) -> tuple[bool, Decimal, int]:
        cells = by_owner[owner]
        red = sum((money for band, _count, money, _fallen in cells if band == Band.RED), Decimal(0))
        return owner is None, -red, -sum(count for _band, count, _money, _fallen in cells)

    places = {owner: place(owner) for owner in by_owner}
    asked = sorted(places, key=lambda owner: places[owner])
    if limit is not None and limit < len(asked):
        # Names decide between equals: whoever stands level with the last one shown takes part.
        border = places[asked[limit - 1]]
        asked = [owner for owner in asked if places[owner] <= border]
    people = {person.pk: person for person in Member.objects.filter(pk__in={*asked} - {None}).select_related("user")}
    found = [_owner_health(people.get(owner) if owner else None, by_owner[owner]) for owner in asked]
    found.sort(key=lambda each: (each.owner is None, -each.red_money, -each.total, str(each.owner)))
    return OwnersHealth(found[:limit], len(by_owner))


def _owner_health(owner: Member | None, cells: Sequence[tuple[str, int, Decimal, int]]) -> OwnerHealth:
    return OwnerHealth(
        owner=owner,
        customers={band: count for band, count, _money, _fallen in cells},
        money=sum((money for _band, _count, money, _fallen in cells), Decimal(0)),
        red_money=sum((money for band, _count, money, _fallen in cells if band == Band.RED), Decimal(0)),
        fallen=sum(fallen for _band, _count, _money, fallen in cells),
    )


def _with_money(rows: QuerySet[Any], path: str = "customer__") -> QuerySet[Any]:
    """`rows` with `net`: what the customer brought in the tiers' window until the last night."""
    tenant = current_tenant().pk
    standing = FilteredRelation(f"{path}standings", condition=Q(**{f"{path}standings__tenant_id": tenant}))
    return rows.annotate(standing=standing).annotate(net=F("standing__monetary"))


# ── over time ────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Week:
    """How many customers had which colour on the last night of a week, and what they brought."""

    on: dt.date
    customers: Mapping[str, int]
    money: Mapping[str, Decimal]


def trend(member: Member, as_of: dt.date, weeks: int = TREND_WEEKS) -> list[Week]:
    """The colours of the last weeks, oldest first: of each seven days up to `as_of` the last night; two queries.

    Counted by A owner, as each night has written it: an account manager's own customers, for a lead those of the
    team and of nobody, for who sees all everybody's. Weeks without a night are left out.
    """
    return trend_of(_owned_by(member), as_of, weeks)


def trend_of(owned: Q, as_of: dt.date, weeks: int = TREND_WEEKS) -> list[Week]:
    """`trend` of the customers whose A owner (`owner` of HealthCount) meets a condition."""
    rows = HealthCount.objects.filter(on__lte=as_of, on__gt=as_of - dt.timedelta(weeks=weeks))
    nights: dict[int, dt.date] = {}
    for on in _nights_counted(as_of - dt.timedelta(weeks=weeks), as_of):
        nights[(as_of - on).days // 7] = on  # the later night of a week takes the place of the earlier one
    counted = (
        rows.filter(owned, on__in=list(nights.values()))
        .order_by()
        .values_list("on", "band")
        .annotate(Sum("customers"), Sum("net"))
    )
    found: dict[dt.date, dict[str, tuple[int, Decimal]]] = {on: {} for on in nights.values()}
    for on, band, customers, money in counted:
        found[on][band] = customers, money
    return [
        Week(on, {band: each[0] for band, each in cells.items()}, {band: each[1] for band, each in cells.items()})
        for on, cells in sorted(found.items())
    ]


def _nights_counted(after: dt.date, last: dt.date) -> list[dt.date]:
    """The days after `after` until `last` of which a night has left its counts, oldest first."""
    # One look into the index for each day: a night leaves a row for each owner and colour.
    found = read_frame(
        """
        SELECT day::date FROM generate_series(%s::date + 1, %s::date, interval '1 day') day
        WHERE EXISTS (SELECT 1 FROM health_healthcount WHERE tenant_id = %s AND "on" = day::date) ORDER BY 1
        """,
        [after, last, current_tenant().pk],
        schema={"day": pl.Date},
        few=True,
    )
    return found.get_column("day").to_list()


def sees_by_owner(member: Member) -> bool:
    """Whether `trend` leaves out customers whom the member covers, or the team does: it counts by A owner."""
    return member.role not in SEES_ALL


def _owned_by(member: Member) -> Q:
    if member.role in SEES_ALL:
        return Q()
    own = Q(owner=member)
    if member.role == Role.TEAM_LEAD:
        own |= Q(owner__isnull=True)
        if member.team_id is not None:
            own |= Q(owner__team=member.team_id)
    return own


def usual_start(end: dt.date) -> dt.date:
    """The Monday four weeks before that of a day: from then on moves are shown when nobody asks for other days."""
    return monday(end) - dt.timedelta(weeks=MOVES_WEEKS)


def transitions(member: Member, start: dt.date, end: dt.date) -> dict[tuple[str, str], tuple[int, Decimal]]:
    """How many customers had which colour on two days, with what they brought in the tiers' window until now.

    By (colour on start, colour on end). A colour on a day is that of the last row of the history until then;
    NOT_SCORED is none. Who had none on both days is left out. At most two queries.

    Raises ValueError when `end` lies before `start`.
    """
    if end < start:
        raise ValueError(f"end ({end}) lies before start ({start})")
    counted = tallied(HealthTally, member, "moves", end)
    if counted and counted[0]["start"] == str(start):
        moved = pl.DataFrame(counted).select("before", "after", "customers", "money").sort("before", "after")
    else:
        moved = band_moves(start, end, *_seen_by(member))
    return {(a, b): (count, Decimal(money) / POINTS) for a, b, count, money in moved.iter_rows()}


def band_moves(
    start: dt.date, end: dt.date, seen: str = "", seen_params: Sequence[Any] = (), *, by_owners: bool = False
) -> pl.DataFrame:
    """before, after, customers and money (points) of `transitions`, a row for each pair of owners when asked for.

    `seen` narrows the customers by their id. Who has had today's colour since before a day had it on that day: the
    history is asked of the others alone.
    """
    tenant_id = current_tenant().pk
    owners = "c.owner_a_id, c.owner_b_id, " if by_owners else ""
    places = "1, 2, 3, 4" if by_owners else "1, 2"

    # One look into the index for each customer who may have changed: the table has years of rows.
    def on(name: str, only: str = "") -> str:
        return f"""
        LEFT JOIN LATERAL (
            SELECT h.band FROM health_healthhistory h
            WHERE (n.band_since <= %s) IS NOT TRUE AND h.tenant_id = %s AND h.customer_id = c.id AND h."on" <= %s {only}
            ORDER BY h."on" DESC LIMIT 1
        ) {name} ON true"""

    def band(name: str) -> str:
        return f"CASE WHEN c.closed_on <= %s THEN '' WHEN n.band_since <= %s THEN n.band ELSE COALESCE({name}.band, '') END"

    # Where no night ran before `start`, nobody had a colour then.
    begun = 'AND EXISTS (SELECT 1 FROM health_healthhistory WHERE tenant_id = %s AND "on" <= %s)' if by_owners else ""
    # A night that ran again for an earlier day has scored everybody as of then: its scores say nothing of later days.
    known = 'AND NOT EXISTS (SELECT 1 FROM health_healthcount WHERE tenant_id = %s AND "on" > %s)'
    return read_frame(
        f"""
        SELECT * FROM (
            SELECT {owners}{band("b")} AS before, {band("a")} AS after,
                   count(*), COALESCE(sum(s.monetary), 0)::bigint
            FROM (
                SELECT id, closed_on, owner_a_id, owner_b_id FROM customers_customer WHERE tenant_id = %s {seen}
            ) c
            LEFT JOIN health_healthscore n ON n.tenant_id = %s AND n.customer_id = c.id {known}
            {on("b", begun)} {on("a")}
            LEFT JOIN segmentation_standing s ON s.tenant_id = %s AND s.customer_id = c.id
            GROUP BY {places}
        ) cells WHERE before <> '' OR after <> '' ORDER BY {places}
        """,
        [
            *(start, start, end, end, tenant_id, *seen_params),
            *(tenant_id, tenant_id, _scored_as_of()),
            *(start, tenant_id, start, *((tenant_id, start) if by_owners else ()), end, tenant_id, end),
            tenant_id,
        ],
        schema=(OWNERS if by_owners else {})
        | {"before": pl.String, "after": pl.String, "customers": pl.Int64, "money": pl.Int64},
        few=not by_owners,
    )


def _scored_as_of() -> dt.date:
    """The day as of which everybody was scored last; before all days when no night has done so."""
    steps = RunStep.objects.filter(name="health", status=Run.Status.DONE, run__job="nightly")
    found: dt.date | None = steps.order_by("-finished_at").values_list("run__for_date", flat=True).first()
    return found or dt.date.min


def _seen_by(member: Member) -> tuple[str, list[Any]]:
    """A condition on `id` for the customers that the member sees; empty for who sees all."""
    if member.role in SEES_ALL:
        return "", []
    sql, params = Customer.objects.visible_to(member).order_by().values("pk").query.sql_with_params()
    return f"AND id IN ({sql})", list(params)


def had_band(rows: QuerySet[Customer], day: dt.date, band: str) -> QuerySet[Customer]:
    """Those of the customers who had a colour on a day; NOT_SCORED is none."""
    name = f"band_on_{day:%Y%m%d}"
    return rows.alias(**{name: _band_on(day)}).filter(**{name: band})


def recoloured_between(rows: QuerySet[Customer], start: dt.date, end: dt.date) -> QuerySet[Customer]:
    """Those of the customers whose colour on `end` is another one than on `start`: all that `transitions` moves."""
    return rows.alias(band_on_start=_band_on(start), band_on_end=_band_on(end)).exclude(band_on_start=F("band_on_end"))


def _band_on(day: dt.date) -> Case:
    last = (
        HealthHistory.objects.filter(tenant_id=current_tenant().pk, customer=OuterRef("pk"), on__lte=day)
        .order_by("-on")
        .values("band")[:1]
    )
    none = Value(NOT_SCORED, output_field=CharField())
    return Case(When(closed_on__lte=day, then=none), default=Coalesce(Subquery(last), none))


# ── movers ───────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Mover:
    """A customer whose score has changed by so many points since a Monday."""

    customer: Customer
    score: int
    band: str
    change: int
    money: Decimal | None

    @property
    def is_drop(self) -> bool:
        """Whether it has lost so much that people should see it at once."""
        return self.change <= -DROP


@dataclass(frozen=True)
class Movers:
    """Who rose and who fell since a Monday: how many, and the first of each; `dropped` lost DROP points or more."""

    start: dt.date
    risen: int
    fallen: int
    dropped: int
    up: Sequence[Mover]
    down: Sequence[Mover]


def movers(member: Member, as_of: dt.date, since: Since, limit: int | None = 8) -> Movers:
    """The customers whose score moved most since the Monday a week or a month before; four queries.

    Biggest change first, then most money; at most `limit` of each, without one all. Only who had a score then and
    has one now.
    """
    rows = HealthScore.objects.visible_to(member).annotate(change=change_of(since)).filter(change__isnull=False)
    if has_counts():
        ways = {way: Sum(f"{since}_{way}", default=0) for way in ("risen", "fallen", "dropped")}
        counts: dict[str, int] = BandCount.objects.visible_to(member).aggregate(**ways)
    else:
        counts = rows.order_by().aggregate(
            risen=Count("customer", filter=Q(change__gt=0)),
            fallen=Count("customer", filter=Q(change__lt=0)),
            dropped=Count("customer", filter=Q(change__lte=-DROP)),
        )
    ranked = _with_money(rows).select_related("customer__owner_a__user")
    money = F("net").desc(nulls_last=True)
    up = ranked.filter(change__gt=0).order_by("-change", money, "customer_id")[:limit]
    down = ranked.filter(change__lt=0).order_by("change", money, "customer_id")[:limit]
    return Movers(
        start=monday_before(as_of, since),
        up=[_mover(row) for row in up],
        down=[_mover(row) for row in down],
        **counts,
    )


def _mover(row: Any) -> Mover:
    return Mover(row.customer, row.score, row.band, row.change, row.net)


def change_of(since: Since, path: str = "") -> F:
    """Points won or lost since the Monday before, of a HealthScore that `path` leads to; null without both scores."""
    return F(f"{path}{since}_points")


# ── machine and person ───────────────────────────────────────────────────────


def disagreements(member: Member) -> QuerySet[Pulse]:
    """The views that count and differ by a colour from the score, of the customers whom a member sees.

    Each with `machine` (band), `score`, `gap` (colours that the person is above the machine: -2 to 2), `net` (money
    of the tiers' window) and customer, owner and author at hand. Who has no score disagrees with nobody.
    """
    tenant = current_tenant().pk
    latest: Any = latest_pulses()
    rows = (
        latest.visible_to(member)
        .annotate(
            health=FilteredRelation("customer__health_scores", condition=Q(customer__health_scores__tenant_id=tenant))
        )
        .annotate(machine=F("health__band"), score=F("health__score"))
        .filter(machine__in=[*_RANK])
        .annotate(gap=_rank("band") - _rank("machine"))
        .exclude(gap=0)
        .select_related("customer__owner_a__user", "member__user")
    )
    return _with_money(rows)


def disagreeing(rows: QuerySet[Customer], view: View) -> QuerySet[Customer]:
    """Those of the customers whom a person sees otherwise than the score does: worse, better, or either."""
    tenant = current_tenant().pk
    latest = counting().filter(tenant_id=tenant, customer=OuterRef("customer_id")).order_by("-at", "-pk")
    scores = (
        HealthScore.objects.filter(tenant_id=tenant, customer=OuterRef("pk"), band__in=[*_RANK])
        .annotate(person=Subquery(latest.values("band")[:1]))
        .filter(person__isnull=False)
        .annotate(gap=_rank("person") - _rank("band"))
    )
    return rows.filter(Exists(scores.filter(DIFFERS[view])))


def viewed_as(rows: QuerySet[Customer], band: str) -> QuerySet[Customer]:
    """Those of the customers whom the view that counts sees in a colour."""
    return rows.filter(Exists(latest_pulses().filter(customer=OuterRef("pk"), band=band)))


def _rank(name: str) -> Case:
    """The place of the band in `name`, best highest, to count colours by."""
    whens = [When(**{name: band}, then=Value(rank)) for band, rank in _RANK.items()]
    return Case(*whens, output_field=IntegerField())
