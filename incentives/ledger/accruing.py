"""What is earned, from the facts: worked out anew for whom something can have changed, and posted where it differs.

The same facts give the same rewards, so that a step that was killed, or runs again, posts nothing twice. Percentages,
months and points are those of the policy in force on the day of the order or referral: a new version touches nothing
that is earned already.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from django.db import connection

from customers.changes import due_by_facts
from customers.models import Referral
from incentives.ledger.posting import Move, lock_ledger, move, place_of, to_amount, to_points
from incentives.models import Entry, Reward, Upgrade
from incentives.rules.rewards import (
    YEAR_MONTHS,
    Baseline,
    Document,
    Month,
    Result,
    baseline_of,
    months_after,
    moved,
    result_of,
    staff_shares,
    status_of,
    steps_reached,
    upgrade_months,
)
from incentives.rules.rewards_policy import RewardPolicy
from tenants.base import POINTS
from tenants.context import current_tenant
from tenants.models import Member, PolicyVersion
from tenants.policies import Policy
from tenants.runs import Counts, Piece, Step

_DOCUMENTS: Final = """
SELECT customer_id, id, placed_on, net, kind = 'order', status = 'placed', external_id
FROM customers_order WHERE tenant_id = %s AND customer_id = ANY(%s) AND placed_on < %s
"""


@dataclass(frozen=True)
class Rules:
    """The rewards' section of the policy, by day: that in force when a day ended; before the first version, the first."""

    starts: tuple[dt.date, ...]
    versions: tuple[tuple[int, RewardPolicy], ...]

    @classmethod
    def read(cls) -> Rules:
        """All versions of the open scope."""
        tenant = current_tenant()
        starts: list[dt.date] = []
        versions: list[tuple[int, RewardPolicy]] = []
        for row in PolicyVersion.objects.order_by("number"):
            section = Policy(row.number, row.pack, row.document).section(RewardPolicy)
            day = tenant.local_date(row.created_at) if versions else dt.date.min
            if versions and versions[-1][1] == section:
                continue
            if starts and starts[-1] == day:
                versions[-1] = (row.number, section)
            else:
                starts.append(day)
                versions.append((row.number, section))
        return cls(tuple(starts), tuple(versions))

    def on(self, day: dt.date) -> RewardPolicy:
        """The rules of a day."""
        return self.numbered(day)[1]

    def numbered(self, day: dt.date) -> tuple[int, RewardPolicy]:
        """The rules of a day with their version's number."""
        return self.versions[max(bisect_right(self.starts, day) - 1, 0)]


@dataclass
class Wanted:
    """What the facts say that a reward is."""

    key: str
    kind: str
    customer_id: int | None
    earned_on: dt.date
    entitled: int  # 1/10,000
    version: int
    member_id: int | None = None
    referral_id: int | None = None
    upgrade_id: int | None = None
    order_id: int | None = None
    percent: Fraction | None = None
    facts: dict[str, Any] = field(default_factory=dict)


# ── the night ───────────────────────────────────────────────────────────────


def work(piece: Piece) -> Counts:
    """The night's step: rewards of those about whom facts have come in, and of upgrades whose month is over."""
    if piece.since is None:
        return accrue(piece.as_of)
    return accrue(piece.as_of, customers=due_by_facts(piece, orders=[]), since=piece.since)


STEP: Final = Step(work, splits=False)
"""In one part: a customer's referrals lie with customers all over, and there are few beside the customers."""


def accrue(as_of: dt.date, *, customers: Sequence[int] | None = None, since: dt.date | None = None) -> Counts:
    """Bring rewards into line with the facts before a day; of `customers` alone where they are named.

    Upgrades are looked at too when one of their months has ended since `since`. Returns posted (entries) and rewards
    (looked at). Asked again it posts nothing.
    """
    lock_ledger()
    referrals = _due_referrals(customers)
    upgrades = _due_upgrades(customers, as_of, since)
    if not referrals and not upgrades:
        return {"posted": 0, "rewards": 0}
    rules = Rules.read()
    concerned = {row.customer_id for row in referrals} | {row.customer_id for row in upgrades}
    books = _documents(concerned, as_of)
    wanted = [*_by_referrals(referrals, books, rules, as_of), *_by_upgrades(upgrades, books, rules, as_of)]
    referrers = {row.referrer_id for row in referrals}
    known = _known_rewards(referrals, referrers, upgrades)
    moves = list(_differences(wanted, known, _why_gone(referrals, upgrades, books)))
    return {"posted": len(move(moves, on=as_of - dt.timedelta(days=1))), "rewards": len(wanted)}


def settle_medals(month: dt.date, wanted: Sequence[Wanted], on: dt.date, *, member: Member | None = None) -> int:
    """Bring the rewards of a month's medals into line with those that are held; returns how many entries were posted.

    What is no longer wanted is taken back as everything else is: first what waits, then what is owed, and what is paid
    becomes a claim. Asked again it posts nothing.
    """
    lock_ledger()
    rows = Reward.objects.filter(kind=Reward.Kind.AWARD, key__startswith=f"award:{month:%Y-%m}:")
    known = {row.key: row for row in rows.order_by("pk").select_for_update(no_key=True)}
    return len(move(list(_differences(wanted, known, lambda _reward: "medal")), member=member, on=on))


def _due_referrals(customers: Sequence[int] | None) -> list[Referral]:
    """Referrals of or to the customers, and all others of the same referrers: the year's steps count them together."""
    rows = Referral.objects.select_related("customer", "referrer").order_by("pk")
    if customers is None:
        return list(rows)
    if not customers:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT referrer_id FROM customers_referral WHERE tenant_id = %(tenant)s AND customer_id = ANY(%(due)s) "
            "UNION SELECT referrer_id FROM customers_referral WHERE tenant_id = %(tenant)s AND referrer_id = ANY(%(due)s) "
            # Whom a referral named before it was changed has rewards to lose.
            "UNION SELECT r.referrer_id FROM incentives_reward w JOIN customers_referral r "
            "ON r.tenant_id = w.tenant_id AND r.id = w.referral_id "
            "WHERE w.tenant_id = %(tenant)s AND w.customer_id = ANY(%(due)s)",
            {"tenant": current_tenant().pk, "due": list(customers)},
        )
        referrers = [row[0] for row in cursor.fetchall()]
    return list(rows.filter(referrer__in=referrers)) if referrers else []


def _due_upgrades(customers: Sequence[int] | None, as_of: dt.date, since: dt.date | None) -> list[Upgrade]:
    rows = Upgrade.objects.select_related("customer").order_by("pk")
    if customers is None:
        return list(rows)
    named = set(customers)
    running = rows.filter(on__gt=months_after(as_of, -YEAR_MONTHS - 1))
    late = rows.filter(customer__in=named, on__lte=months_after(as_of, -YEAR_MONTHS - 1)) if named else []
    ended = [
        row
        for row in running
        if row.customer_id in named
        or since is None
        or any(since < months_after(row.on, number) <= as_of for number in range(1, YEAR_MONTHS + 1))
    ]
    return [*ended, *late]


@dataclass(frozen=True)
class Books:
    """A customer's documents: those that count, and what the others are called that were cancelled."""

    counting: tuple[Document, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    cancelled: frozenset[int] = frozenset()


_NONE: Final = Books()


def _documents(customers: set[int], as_of: dt.date) -> dict[int, Books]:
    with connection.cursor() as cursor:
        cursor.execute(_DOCUMENTS, [current_tenant().pk, sorted(customers), as_of])
        rows = cursor.fetchall()
    counting: dict[int, list[Document]] = defaultdict(list)
    names: dict[int, dict[int, str]] = defaultdict(dict)
    gone: dict[int, set[int]] = defaultdict(set)
    for customer, pk, on, net, is_order, is_placed, name in rows:
        names[customer][pk] = name
        if is_placed:
            counting[customer].append(Document(pk, on, net, is_order))
        else:
            gone[customer].add(pk)
    return {pk: Books(tuple(counting[pk]), names[pk], frozenset(gone[pk])) for pk in names}


# ── referrals ───────────────────────────────────────────────────────────────


def _by_referrals(
    referrals: Iterable[Referral], books: Mapping[int, Books], rules: Rules, as_of: dt.date
) -> Iterable[Wanted]:
    converted: dict[int, list[tuple[dt.date, Referral]]] = defaultdict(list)
    for row in referrals:
        if row.withdrawn_at is not None:
            continue
        version, policy = rules.numbered(row.on)
        book = books.get(row.customer_id, _NONE)
        result, first = result_of(row.on, book.counting, policy.convert_months, as_of)
        if result != "converted" or first is None:
            continue
        converted[row.referrer_id].append((first.on, row))
        if row.member_id is not None:
            yield from _staff(row, first, book, rules, policy)
        if policy.referral_points:
            yield Wanted(
                key=f"referral:{row.pk}:{row.referrer_id}", kind=Reward.Kind.REFERRAL, customer_id=row.referrer_id,
                earned_on=first.on, entitled=policy.referral_points * POINTS, version=version, referral_id=row.pk,
                order_id=first.id, facts=_named(row) | {"order": book.names[first.id], "on": str(first.on)},
            )  # fmt: skip
    for referrer, rows in converted.items():
        days = [on for on, _row in rows]
        by_day = {on: rules.on(on).steps for on in days}
        for step in steps_reached(days, by_day):
            yield Wanted(
                key=f"step:{referrer}:{step.on.year}:{step.at}", kind=Reward.Kind.STEP, customer_id=referrer,
                earned_on=step.on, entitled=step.points * POINTS, version=rules.numbered(step.on)[0],
                facts={"year": step.on.year, "at": step.at, "referrer": rows[0][1].referrer.name},
            )  # fmt: skip


def _staff(row: Referral, first: Document, book: Books, rules: Rules, policy: RewardPolicy) -> Iterable[Wanted]:
    percents = {each.on: _percent(rules.on(each.on).staff_percent) for each in book.counting}
    for share in staff_shares(first.on, book.counting, policy.staff_months, policy.refund_days, percents):
        document = share.document
        yield Wanted(
            key=f"staff:{row.pk}:{document.id}:{row.member_id}", kind=Reward.Kind.STAFF, customer_id=row.customer_id,
            earned_on=document.on, entitled=share.amount, version=rules.numbered(document.on)[0],
            member_id=row.member_id, referral_id=row.pk, order_id=document.id, percent=share.percent,
            facts=_named(row) | {
                "order": book.names[document.id], "on": str(document.on), "net": str(to_amount(document.net)),
                "is_order": document.is_order, "first_on": str(first.on), "months": policy.staff_months,
            },
        )  # fmt: skip


def _named(row: Referral) -> dict[str, Any]:
    return {"customer": row.customer.name, "referrer": row.referrer.name, "recommended_on": str(row.on)}


def _percent(percent: float) -> Fraction:
    return Fraction(str(percent))


# ── upgrades ────────────────────────────────────────────────────────────────


def _by_upgrades(
    upgrades: Iterable[Upgrade], books: Mapping[int, Books], rules: Rules, as_of: dt.date
) -> Iterable[Wanted]:
    for row in upgrades:
        book = books.get(row.customer_id, _NONE)
        baseline = baseline_of(row.on, book.counting)
        if row.withdrawn_at is not None or baseline is None:
            continue
        version, policy = rules.numbered(row.on)
        percent = _percent(policy.product_percent)
        for month in upgrade_months(row.on, book.counting, baseline, percent, as_of):
            yield Wanted(
                key=f"product:{row.pk}:{month.number}", kind=Reward.Kind.PRODUCT, customer_id=row.customer_id,
                earned_on=month.end - dt.timedelta(days=1), entitled=month.amount, version=version,
                upgrade_id=row.pk, percent=percent, facts=_month_facts(row, month, baseline),
            )  # fmt: skip


def _month_facts(row: Upgrade, month: Month, baseline: Baseline) -> dict[str, Any]:
    return {
        "customer": row.customer.name, "what": row.what, "upgraded_on": str(row.on), "month": month.number,
        "until": str(month.end - dt.timedelta(days=1)), "spent": str(to_amount(month.spent)),
        "expected": str(to_amount(month.expected)), "baseline": str(to_amount(baseline.net)),
        "baseline_since": str(baseline.since), "baseline_days": baseline.days,
    }  # fmt: skip


# ── what differs ────────────────────────────────────────────────────────────


def _known_rewards(
    referrals: Sequence[Referral], referrers: set[int], upgrades: Sequence[Upgrade]
) -> dict[str, Reward]:
    """The rewards that are there, locked until the transaction ends, in the order in which all lock them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM incentives_reward WHERE tenant_id = %(tenant)s AND (referral_id = ANY(%(referrals)s) "
            "OR upgrade_id = ANY(%(upgrades)s) OR (kind = 'step' AND customer_id = ANY(%(referrers)s)))",
            {
                "tenant": current_tenant().pk,
                "referrals": [row.pk for row in referrals],
                "upgrades": [row.pk for row in upgrades],
                "referrers": sorted(referrers),
            },
        )
        ids = [row[0] for row in cursor.fetchall()]
    locked = Reward.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    return {row.key: row for row in locked}


def _differences(
    wanted: Iterable[Wanted], known: dict[str, Reward], why_gone: Callable[[Reward], str]
) -> Iterable[Move]:
    left = dict(known)
    for each in wanted:
        row = left.pop(each.key, None)
        if row is None:
            if each.entitled:
                yield _new(each)
        elif to_points(row.entitled) != each.entitled or row.facts != each.facts:
            yield _changed(row, each.entitled, "changed", each.facts)
    for row in left.values():
        if row.entitled or row.correction:
            yield _changed(row, 0, why_gone(row), row.facts)


def _new(wanted: Wanted) -> Move:
    percent = None if wanted.percent is None else to_amount(int(wanted.percent * POINTS))
    row = Reward(
        key=wanted.key, kind=wanted.kind, member_id=wanted.member_id, customer_id=wanted.customer_id,
        referral_id=wanted.referral_id, upgrade_id=wanted.upgrade_id, order_id=wanted.order_id,
        earned_on=wanted.earned_on, percent=percent, entitled=to_amount(wanted.entitled), facts=wanted.facts,
        policy_version=wanted.version,
    )  # fmt: skip
    to = moved(place_of(row), wanted.entitled)
    row.status = status_of(to)
    return Move(row, to, Entry.Kind.ACCRUAL)


def _changed(row: Reward, entitled: int, why: str, facts: dict[str, Any]) -> Move:
    before = to_points(row.entitled)
    correction = to_points(row.correction)
    # Without what it corrects a correction stands for nothing; and it never takes more than there is.
    correction = 0 if not entitled else max(correction, -max(entitled, 0)) if correction < 0 else correction
    row.entitled, row.correction, row.facts = to_amount(entitled), to_amount(correction), facts
    said = {"why": why, "before": str(to_amount(before)), "after": str(to_amount(entitled))}
    return Move(row, moved(place_of(row), entitled + correction), Entry.Kind.ADJUSTMENT, said)


def _why_gone(
    referrals: Sequence[Referral], upgrades: Sequence[Upgrade], books: Mapping[int, Books]
) -> Callable[[Reward], str]:
    by_pk = {row.pk: row for row in referrals}
    withdrawn = {row.pk for row in upgrades if row.withdrawn_at is not None}

    def why(reward: Reward) -> str:
        row = by_pk.get(reward.referral_id or 0)
        if reward.upgrade_id in withdrawn:
            return "withdrawn"
        if row is not None and row.withdrawn_at is not None:
            return "withdrawn"
        if row is not None and reward.member_id is not None and reward.member_id != row.member_id:
            return "other_member"
        if reward.order_id is not None and any(reward.order_id in book.cancelled for book in books.values()):
            return "cancelled"
        return "facts"

    return why


# ── results of referrals, for pages ─────────────────────────────────────────


@dataclass(frozen=True)
class Outcome:
    """What became of a referral: its result, the first order's day, and the money in its window."""

    result: Result
    first_on: dt.date | None
    orders: int
    net: int  # 1/10,000


def outcomes(referrals: Sequence[Referral], as_of: dt.date) -> dict[int, Outcome]:
    """By referral: what became of it, by the facts before a day. One query for all."""
    rules = Rules.read()
    books = _documents({row.customer_id for row in referrals}, as_of)
    found: dict[int, Outcome] = {}
    for row in referrals:
        policy = rules.on(row.on)
        documents = books.get(row.customer_id, _NONE).counting
        result, first = result_of(row.on, documents, policy.convert_months, as_of)
        window: list[Document] = []
        if result == "converted" and first is not None:
            end = months_after(first.on, policy.staff_months)
            window = [each for each in documents if first.on <= each.on < end]
        found[row.pk] = Outcome(
            result, None if first is None else first.on, sum(each.is_order for each in window),
            sum(each.net for each in window),
        )  # fmt: skip
    return found
