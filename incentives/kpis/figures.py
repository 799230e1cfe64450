"""Reading: what the KPIs of a period came to for whom, beside the target; score cards; the rows behind a value."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, Literal

from django.db import connection
from django.db.models import F, Max
from django.http import QueryDict
from django.urls import reverse

from customers.models import Customer
from incentives.kpis.counting import Counts, Key, Pair, counts_of, standing_counts
from incentives.kpis.facts import credited
from incentives.kpis.words import kpi_title, shown
from incentives.models import KpiClosing, KpiCorrection, KpiCount, KpiCounted, KpiTarget, MemberJob
from incentives.rules.kpi_policy import KpiPolicy
from incentives.rules.kpis import CODES, KPIS, Code, Job, Kpi, Line, Period, achievement, score, target_for, value_of
from tenants.base import Among
from tenants.context import current_tenant
from tenants.models import Member, Team
from tenants.permissions import SEES_ALL, Role
from tenants.policies import Policy, active_policy, policy_numbered

Kind = Literal["person", "team", "tenant"]


@dataclass(frozen=True)
class Who:
    """Of whom a value is: a person, a team, or the whole firm (`pk` is None then)."""

    kind: Kind
    pk: int | None = None

    @classmethod
    def person(cls, member: Member | int) -> Who:
        return cls("person", member if isinstance(member, int) else member.pk)

    @classmethod
    def team(cls, team: Team | int) -> Who:
        return cls("team", team if isinstance(team, int) else team.pk)

    @classmethod
    def tenant(cls) -> Who:
        return cls("tenant")

    @classmethod
    def read(cls, code: str) -> Who:
        """From "person-12", "team-3" or "tenant". Raises ValueError for anything else."""
        kind, _dash, number = code.partition("-")
        if kind == "tenant" and not number:
            return cls.tenant()
        if kind in ("person", "team") and number.isascii() and number.isdigit():
            return cls("person" if kind == "person" else "team", int(number))
        raise ValueError(f"{code!r} is nobody; write person-1, team-1 or tenant")

    @property
    def code(self) -> str:
        return self.kind if self.pk is None else f"{self.kind}-{self.pk}"

    def takes(self, key: Key) -> bool:
        """Whether a count by KPI, person and team is one of theirs."""
        _code, member, team = key
        return self.kind == "tenant" or (member == self.pk if self.kind == "person" else team == self.pk)


@dataclass(frozen=True)
class Corrected:
    """What a frozen value comes to by what was found since."""

    numerator: Decimal
    denominator: Decimal
    value: Decimal | None
    found_at: dt.datetime


@dataclass(frozen=True)
class Value:
    """One KPI of somebody in a period. `value` is in the KPI's unit, `achieved` in percent of the target.

    `as_of`: facts of days before it are in it. `is_closed`: it is frozen; `corrected` is then what it would be now,
    where that is something else.
    """

    code: Code
    period: Period
    who: Who
    numerator: Decimal
    denominator: Decimal
    value: Decimal | None
    target: Decimal
    achieved: Decimal | None
    as_of: dt.date
    is_closed: bool
    rows_url: str
    corrected: Corrected | None = None

    @property
    def kpi(self) -> Kpi:
        return KPIS[self.code]

    @property
    def title(self) -> str:
        return kpi_title(self.code)

    @property
    def words(self) -> str:
        return shown(self.kpi, self.value)

    @property
    def target_words(self) -> str:
        return shown(self.kpi, self.target)

    @property
    def corrected_words(self) -> str:
        return shown(self.kpi, self.corrected.value) if self.corrected else ""

    @property
    def is_reached(self) -> bool | None:
        """Whether the target is reached; None without a value."""
        return None if self.achieved is None else self.achieved >= 100

    @property
    def bar(self) -> int:
        """How far towards the target, 0 to 100, for a bar."""
        return 0 if self.achieved is None else min(100, int(self.achieved))


# ── reading the counts ──────────────────────────────────────────────────────


@dataclass
class _Stand:
    """What is known of a period: its counts, as of when, and if it is closed what was found since."""

    counts: Counts
    as_of: dt.date
    policy: Policy
    closing: KpiClosing | None = None
    corrections: dict[Key, KpiCorrection] = field(default_factory=dict)

    @cached_property
    def by_code(self) -> dict[Code, Counts]:
        """The counts of each KPI: a board asks for each of them for everybody."""
        return _by_code(self.counts)

    @cached_property
    def corrected(self) -> dict[Code, Counts]:
        later: Counts = {key: (row.numerator, row.denominator) for key, row in self.corrections.items()}
        return _by_code(self.counts | later)


def _by_code(counts: Counts) -> dict[Code, Counts]:
    found: dict[Code, Counts] = {}
    for key, pair in counts.items():
        found.setdefault(key[0], {})[key] = pair
    return found


class Stands:
    """The counts of some periods, read in a fixed number of questions however many people are asked for.

    A closed period's are the frozen ones. Of others the last count, where there is one that is fresh; a firm in which
    nothing is counted ahead counts its facts at that moment, of days before today. `only_kept`: leave out periods of
    which no number has been kept.
    """

    def __init__(self, periods: Iterable[Period], codes: Collection[Code] = CODES, *, only_kept: bool = False) -> None:
        self.codes = [code for code in CODES if code in codes]
        self.periods = sorted(set(periods))
        self.policy = active_policy()
        self._found: dict[Period, _Stand] = {}
        self._targets: list[KpiTarget] | None = None
        self._read_closed()
        self._read_counted()
        if not only_kept:
            today = current_tenant().today()
            for period in self.periods:
                if period not in self._found:
                    counts = counts_of(period, today, self.policy, self.codes)
                    self._found[period] = _Stand(counts, today, self.policy)

    def _read_closed(self) -> None:
        rows = KpiClosing.objects.filter(start__in=[each.start for each in self.periods])
        closings = {Period(row.span, row.start): row for row in rows.select_related("closed_by__user")}
        wanted = {period: row for period, row in closings.items() if period in self.periods}
        standing = standing_counts(list(wanted.values())) if wanted else {}
        policies: dict[int, Policy] = {self.policy.number: self.policy}
        for period, row in wanted.items():
            if row.policy_version not in policies:
                policies[row.policy_version] = policy_numbered(row.policy_version)
            frozen, corrections = standing[row.pk]
            self._found[period] = _Stand(frozen, row.as_of, policies[row.policy_version], row, corrections)

    def _read_counted(self) -> None:
        left = [period for period in self.periods if period not in self._found]
        if not left:
            return
        starts = [each.start for each in left]
        today = current_tenant().today()
        for counted in KpiCounted.objects.filter(start__in=starts, as_of__gt=min(starts)):
            period = Period(counted.span, counted.start)
            # A running period whose last count is older than the last night's would show last week as if it were now.
            if period in left and (counted.as_of >= period.end or (today - counted.as_of).days <= 1):
                self._found[period] = _Stand({}, counted.as_of, self.policy)
        for row in KpiCount.objects.filter(start__in=starts, kpi__in=self.codes):
            found = self._found.get(Period(row.span, row.start))
            if found is not None and found.closing is None:
                found.counts[row.kpi, row.member_id, row.team_id] = (row.numerator, row.denominator)

    def __contains__(self, period: Period) -> bool:
        return period in self._found

    def closing(self, period: Period) -> KpiClosing | None:
        return self._found[period].closing

    def as_of(self, period: Period) -> dt.date:
        return self._found[period].as_of

    def people(self, period: Period, team: int | None = None) -> set[int]:
        """Who has anything in a period, of one team or of all."""
        counts = self._found[period].counts
        return {member for _code, member, of in counts if member is not None and team in (None, of)}

    def teams(self, period: Period) -> set[int]:
        return {team for _code, _member, team in self._found[period].counts if team is not None}

    def value(self, code: Code, period: Period, who: Who) -> Value:
        stand = self._found[period]
        kpi, rules = KPIS[code], stand.policy.section(KpiPolicy)
        numerator, denominator = _sum(stand.by_code.get(code, {}), who)
        value, target = value_of(kpi, numerator, denominator), self._target(code, period, who, stand)
        return Value(
            code=code,
            period=period,
            who=who,
            numerator=numerator,
            denominator=denominator,
            value=value,
            target=target,
            achieved=achievement(kpi, value, target, Decimal(rules.cap_percent)),
            as_of=stand.as_of,
            is_closed=stand.closing is not None,
            rows_url=rows_url(code, period, who),
            corrected=_corrected(stand, code, who, (numerator, denominator)),
        )

    def _target(self, code: Code, period: Period, who: Who, stand: _Stand) -> Decimal:
        if self._targets is None:
            self._targets = list(KpiTarget.objects.order_by("-from_on", "-pk"))
        own = next(
            (
                row.target
                for row in self._targets
                if row.kpi == code and row.from_on <= period.start and _is_of(row, who)
            ),
            None,
        )
        if own is not None:
            return own
        said, people = stand.policy.section(KpiPolicy).targets.of(code), 1
        if who.kind != "person":
            people = max(1, len(self.people(period, who.pk)))
        return target_for(KPIS[code], said, period, people)


def _is_of(row: KpiTarget, who: Who) -> bool:
    return bool(row.member_id == who.pk if who.kind == "person" else who.kind == "team" and row.team_id == who.pk)


def _sum(counts: Counts, who: Who) -> Pair:
    taken = [pair for key, pair in counts.items() if who.takes(key)]
    return sum((top for top, _low in taken), Decimal(0)), sum((low for _top, low in taken), Decimal(0))


def _corrected(stand: _Stand, code: Code, who: Who, frozen: Pair) -> Corrected | None:
    found = [row.found_at for key, row in stand.corrections.items() if key[0] == code and who.takes(key)]
    if not found:
        return None
    now = _sum(stand.corrected.get(code, {}), who)
    if now == frozen:
        return None
    return Corrected(*now, value_of(KPIS[code], *now), max(found))


def rows_url(code: Code, period: Period, who: Who) -> str:
    """The address of the page with the rows behind a value."""
    query = QueryDict(mutable=True)
    query.update({"kpi": code, "period": period.code, "who": who.code})
    return f"{reverse('kpi-rows', kwargs={'tenant': current_tenant().slug})}?{query.urlencode()}"


def values(kpi_codes: Iterable[Code], *, period: Period, of: Who) -> list[Value]:
    """The KPIs of somebody in a period, in the order asked for."""
    codes = list(kpi_codes)
    stands = Stands([period], codes)
    return [stands.value(code, period, of) for code in codes]


def values_of_many(kpi_codes: Iterable[Code], *, period: Period, whos: Iterable[Who]) -> dict[Who, list[Value]]:
    """The same of many at once; the number of questions does not grow with them."""
    codes = list(kpi_codes)
    stands = Stands([period], codes)
    return {who: [stands.value(code, period, who) for code in codes] for who in whos}


def series(code: Code, who: Who, period: Period, count: int) -> list[Value]:
    """A KPI over the last `count` periods up to this one, the oldest first; those without a kept number are left out."""
    stands = Stands(period.back(count), [code], only_kept=True)
    return [stands.value(code, each, who) for each in stands.periods if each in stands]


# ── score cards ─────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class ScoreCard:
    """What a member is measured as in a period, each KPI with its weight, and the score; None: nothing to measure.

    `job` is empty for who is measured as nothing: an executive, an administrator.
    """

    member: Member
    period: Period
    job: Job | Literal[""]
    lines: Sequence[tuple[Value, Line]]
    score: Decimal | None
    is_closed: bool
    as_of: dt.date

    @property
    def is_on_target(self) -> bool | None:
        """Whether all in all the targets are reached: a score of 100 or more; None without a score."""
        return None if self.score is None else self.score >= 100


def score_card(member: Member, period: Period) -> ScoreCard:
    """The score card of one person."""
    return score_cards([member], period)[0]


def score_cards(members: Sequence[Member], period: Period, stands: Stands | None = None) -> list[ScoreCard]:
    """The score cards of some people, in their order, in a fixed number of questions."""
    stands = stands or Stands([period])
    closing = stands.closing(period)
    jobs = jobs_on(period.last, members, closed_at=closing.closed_at if closing else None)
    return [_card(member, period, jobs[member.pk], stands) for member in members]


def _card(member: Member, period: Period, job: Job | Literal[""], stands: Stands) -> ScoreCard:
    closing, as_of = stands.closing(period), stands.as_of(period)
    if not job:
        return ScoreCard(member, period, "", (), None, closing is not None, as_of)
    policy = policy_numbered(closing.policy_version) if closing is not None else stands.policy
    weights = policy.section(KpiPolicy).weights_of(job)
    found = {code: stands.value(code, period, Who.person(member)) for code, weight in weights.items() if weight}
    achieved = {code: value.achieved for code, value in found.items()}
    if all(reached is None for code, reached in achieved.items() if KPIS[code].unit != "count"):
        # Nobody whose work could not be measured at all is at 0 for having brought nobody.
        achieved = dict.fromkeys(achieved)
    total, lines = score(weights, achieved)
    return ScoreCard(
        member, period, job, [(found[line.code], line) for line in lines], total, closing is not None, as_of
    )


def jobs_on(
    day: dt.date, members: Sequence[Member], *, closed_at: dt.datetime | None = None
) -> dict[int, Job | Literal[""]]:
    """What members are measured as on a day: as it was said last; an account manager of whom nothing is said as sales.

    `closed_at`: only what had been said by then counts, for a period that was closed at that moment.
    """
    rows = MemberJob.objects.filter(member__in=[each.pk for each in members], from_on__lte=day)
    if closed_at is not None:
        rows = rows.filter(created_at__lte=closed_at)
    said: dict[int, Any] = dict(rows.order_by("from_on", "pk").values_list("member", "job"))
    usual: dict[str, Job | Literal[""]] = {Role.ACCOUNT_MANAGER: "sales"}
    return {each.pk: said.get(each.pk, usual.get(each.role, "")) for each in members}


# ── who may see whom ────────────────────────────────────────────────────────


def may_see(member: Member, who: Who) -> bool:
    """Whether a member sees somebody's KPIs: their own; a lead's team and its people; all for who sees all customers."""
    if member.role in SEES_ALL:
        return True
    if who.kind == "person":
        return who.pk == member.pk or (member.role == Role.TEAM_LEAD and who.pk in member.team_members)
    return who.kind == "team" and member.role == Role.TEAM_LEAD and who.pk == member.team_id


def people_seen(member: Member) -> list[Member]:
    """The active people whose score cards a member sees and who are measured, by name; their own first."""
    rows = Member.objects.filter(is_active=True).select_related("user", "team")
    if member.role not in SEES_ALL:
        ids = member.team_members if member.role == Role.TEAM_LEAD else []
        rows = rows.filter(pk__in={member.pk, *ids})
    people = list(rows.order_by("user__name", "pk"))
    jobs = jobs_on(current_tenant().today(), people)
    return sorted((each for each in people if jobs[each.pk]), key=lambda each: each.pk != member.pk)


# ── the rows behind a value ─────────────────────────────────────────────────


@dataclass(frozen=True)
class Row:
    """One fact behind a value. `customer` is empty where the reader does not see that customer; it counts all the same."""

    source: str
    row_id: int
    customer_id: int
    customer: str
    day: dt.date | None
    person_id: int | None
    person: str
    team: str
    numerator: Decimal
    denominator: Decimal


ORDERS: Final = {
    "customer": "c.search_name, credited.row_id, credited.source, credited.day, credited.person",
    "-numerator": "credited.num DESC, c.search_name, credited.row_id, credited.source, credited.day, credited.person",
    "numerator": "credited.num, c.search_name, credited.row_id, credited.source, credited.day, credited.person",
    "day": "credited.day, c.search_name, credited.row_id, credited.source, credited.person",
}


def rows(
    kpi: Code,
    period: Period,
    who: Who,
    *,
    order: str = "customer",
    offset: int = 0,
    limit: int | None = None,
    seen_by: Member | None = None,
) -> Iterator[Row]:
    """The facts behind a value as they are known now, of days before today or before the period's end.

    Of a closed period they are today's facts by the policy of its closing: where they do not add up to the frozen value,
    the difference is its correction. `seen_by` takes away the names of customers whom that member does not see.
    """
    closing = KpiClosing.objects.filter(span=period.span, start=period.start).first()
    policy = active_policy() if closing is None else policy_numbered(closing.policy_version)
    made = credited(kpi, period, current_tenant().today(), policy)
    narrow = {"person": "WHERE credited.person = %(who)s", "team": "WHERE credited.team = %(who)s"}.get(who.kind, "")
    sql = f"""
        SELECT credited.source, credited.row_id, credited.customer_id, c.name, credited.day, credited.person,
               COALESCE(NULLIF(u.name, ''), u.email, ''), COALESCE(t.name, ''), credited.num, credited.den
        FROM ({made.sql}) credited
        JOIN customers_customer c ON c.tenant_id = %(tenant)s AND c.id = credited.customer_id
        LEFT JOIN tenants_member m ON m.tenant_id = %(tenant)s AND m.id = credited.person
        LEFT JOIN tenants_user u ON u.id = m.user_id
        LEFT JOIN tenants_team t ON t.tenant_id = %(tenant)s AND t.id = credited.team
        {narrow} ORDER BY {ORDERS[order]} LIMIT %(limit)s OFFSET %(offset)s
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, {**made.params, "who": who.pk, "limit": limit, "offset": offset})
        found = [Row(*each) for each in cursor.fetchall()]
    hidden = _hidden({each.customer_id for each in found}, seen_by)
    for each in found:
        yield Row(**{**vars(each), "customer": ""}) if each.customer_id in hidden else each


def _hidden(customers: set[int], seen_by: Member | None) -> set[int]:
    if seen_by is None or seen_by.role in SEES_ALL:
        return set()
    seen = Customer.objects.visible_to(seen_by).filter(Among(F("pk"), sorted(customers)))
    return customers - set(seen.values_list("pk", flat=True))


def last_counted() -> dt.date | None:
    """As of which day anything was counted last; None where nothing is counted ahead."""
    found: dt.date | None = KpiCounted.objects.aggregate(last=Max("as_of"))["last"]
    return found
