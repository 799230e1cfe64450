"""Posting: entries whose lines add up to nothing, and what they make of rewards. The one place that writes lines.

Amounts are in units of the account's commodity: money of the tenant's currency, or points. Above zero is a debit, below
zero a credit; what somebody is owed stands below zero on their account.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from django.db import IntegrityError, connection, transaction
from django.db.models import Q, Sum
from django.utils import timezone

from customers.models import Customer
from incentives.models import Account, Entry, EntryLine, Reward
from incentives.rules.rewards import Place, status_of
from tenants.base import POINTS
from tenants.context import current_tenant
from tenants.models import Member

AccountKey = tuple[str, int | None, int | None]
"""Kind of account, member, customer."""

_POINT_KINDS: Final = {Reward.Kind.REFERRAL.value, Reward.Kind.STEP.value}
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('incentives.ledger'), %s)"
_BATCH: Final = 5_000


@dataclass(frozen=True)
class Line:
    """What an entry adds to an account; `reward` is what it is about."""

    account: Account
    amount: Decimal
    reward: Reward | None = None


def lock_ledger() -> None:
    """One at a time in a firm reckons what is earned or pays out; approvals only lock their rewards."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [current_tenant().pk % 2**31])


# ── accounts ────────────────────────────────────────────────────────────────


def account(kind: str, *, member: Member | None = None, customer: Customer | None = None) -> Account:
    """The account of that kind, of a member or customer where it is one's own; made when it is first needed.

    Raises IntegrityError for an account that cannot be: a kind of somebody's without whose, or the other way round.
    """
    key = (str(kind), member.pk if member else None, customer.pk if customer else None)
    return _accounts([key])[key]


def _accounts(keys: Iterable[AccountKey]) -> dict[AccountKey, Account]:
    wanted = set(keys)
    found = _known(wanted)
    if missing := sorted(wanted - found.keys(), key=str):
        Account.objects.bulk_create(
            [
                Account(kind=kind, member_id=member, customer_id=customer, commodity=commodity_of(kind))
                for kind, member, customer in missing
            ],
            ignore_conflicts=True,
        )
        found |= _known(set(missing))
    return {key: found[key] for key in wanted}


def _known(keys: set[AccountKey]) -> dict[AccountKey, Account]:
    whose = Q(member__isnull=True, customer__isnull=True)
    whose |= Q(member__in={member for _kind, member, _customer in keys if member is not None})
    whose |= Q(customer__in={customer for _kind, _member, customer in keys if customer is not None})
    rows = Account.objects.filter(whose, kind__in={kind for kind, _member, _customer in keys})
    every = {(row.kind, row.member_id, row.customer_id): row for row in rows}
    return {key: every[key] for key in keys if key in every}


def commodity_of(kind: str) -> str:
    """What an account of a kind holds: money or points."""
    return Account.Commodity.POINTS if kind.startswith("points") else Account.Commodity.MONEY


@dataclass(frozen=True)
class Ways:
    """The accounts that a reward goes through."""

    pending: AccountKey
    payable: AccountKey
    expense: AccountKey
    paid: AccountKey


def ways_of(reward: Reward) -> Ways:
    """The accounts of a reward's kind and of whom it is for."""
    if reward.kind in _POINT_KINDS:
        whose = reward.customer_id
        return Ways(
            ("points_pending", None, whose), ("points", None, whose), ("points_issued", None, None),
            ("points_redeemed", None, None),
        )  # fmt: skip
    kind = "product" if reward.kind == Reward.Kind.PRODUCT else "staff"
    return Ways(
        (f"{kind}_pending", reward.member_id, None), (f"{kind}_payable", reward.member_id, None),
        (f"{kind}_expense", None, None), ("paid_out", None, None),
    )  # fmt: skip


# ── entries ─────────────────────────────────────────────────────────────────


def post(
    *,
    lines: Sequence[Line],
    kind: str,
    key: str,
    facts: Mapping[str, Any],
    member: Member | None = None,
    on: dt.date | None = None,
) -> Entry:
    """Post an entry once: the same key again gives the entry that is there. `on` is today unless said otherwise.

    Needs an open scope. Raises ValueError for less than two lines, a line of nothing, or lines that do not add up to
    nothing in each commodity (the database refuses these as well).
    """
    check_balanced(lines)
    posted = Entry.objects.filter(key=key).first()
    if posted is not None:
        return posted
    entry = Entry(
        kind=kind, key=key, facts=dict(facts), member=member, line_count=len(lines), on=on or current_tenant().today()
    )
    try:
        with transaction.atomic():
            entry.save(force_insert=True)
            EntryLine.objects.bulk_create(
                [EntryLine(entry=entry, account=each.account, amount=each.amount, reward=each.reward) for each in lines]
            )
    except IntegrityError:
        winner: Entry | None = Entry.objects.filter(key=key).first()
        if winner is None:
            raise
        return winner
    return entry


def check_balanced(lines: Sequence[Line]) -> None:
    """Raises ValueError for lines that cannot be an entry."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for each in lines:
        sums[each.account.commodity] += each.amount
    if len(lines) < 2 or any(not each.amount for each in lines):
        raise ValueError("An entry has at least two lines, and none of nothing")
    if wrong := {commodity: total for commodity, total in sums.items() if total}:
        raise ValueError(f"An entry adds up to nothing, not to {wrong}")


def balance(of: Account) -> Decimal:
    """What stands on an account: debits less credits. What somebody is owed is below zero."""
    total = EntryLine.objects.filter(account=of).aggregate(total=Sum("amount"))["total"]
    return Decimal(total or 0)


# ── rewards ─────────────────────────────────────────────────────────────────


@dataclass
class Move:
    """A reward that goes to another place, and why; one entry is posted for it."""

    reward: Reward
    to: Place
    kind: str
    facts: dict[str, Any] = field(default_factory=dict)


def place_of(reward: Reward) -> Place:
    """Where a reward stands, in 1/10,000."""
    return Place(to_points(reward.pending), to_points(reward.payable), to_points(reward.paid))


def to_points(amount: Decimal) -> int:
    """An amount as whole 1/10,000."""
    return int(Decimal(amount).scaleb(4))


def to_amount(points: int) -> Decimal:
    """Whole 1/10,000 as an amount."""
    return Decimal(points) / POINTS


def move(moves: Sequence[Move], *, member: Member | None = None, on: dt.date | None = None) -> list[Entry]:
    """Post an entry for each reward that moves, and note on the reward where it stands; in bulk.

    The rewards must be locked, or new, and of the transaction that is open. What moves nothing is left out. `entitled`
    and `correction` are written as they are said on the reward.
    """
    day, now = on or current_tenant().today(), timezone.now()
    steps = [(each, _lines(each.reward, place_of(each.reward), each.to)) for each in moves]
    steps = [(each, lines) for each, lines in steps if lines]
    accounts = _accounts(key for _each, lines in steps for key, _amount in lines)
    entries: list[Entry] = []
    for each, lines in steps:
        reward = each.reward
        reward.revision += 1
        reward.pending, reward.payable, reward.paid = map(to_amount, (each.to.pending, each.to.payable, each.to.paid))
        reward.status, reward.updated_at = status_of(each.to), now
        entries.append(
            Entry(
                kind=each.kind, key=f"{reward.key}#{reward.revision}", facts=each.facts, member=member, on=day, at=now,
                line_count=len(lines),
            )
        )  # fmt: skip
    rewards = [each.reward for each in moves]
    new = [each for each in rewards if each._state.adding]
    keep_rewards([each for each in rewards if not each._state.adding])
    Reward.objects.bulk_create(new, batch_size=_BATCH)
    Entry.objects.bulk_create(entries, batch_size=_BATCH)
    EntryLine.objects.bulk_create(
        [
            EntryLine(entry=entry, account=accounts[key], amount=to_amount(amount), reward=each.reward)
            for entry, (each, lines) in zip(entries, steps, strict=True)
            for key, amount in lines
        ],
        batch_size=_BATCH,
    )
    return entries


def keep_rewards(rewards: Sequence[Reward]) -> None:
    """Write what is said on rewards that are there."""
    Reward.objects.bulk_update(
        rewards,
        [
            "entitled", "correction", "pending", "payable", "paid", "status", "facts", "revision", "approved_by",
            "approved_at", "is_disputed", "policy_version", "updated_at",
        ],
        batch_size=1_000,
    )  # fmt: skip


def _lines(reward: Reward, before: Place, after: Place) -> list[tuple[AccountKey, int]]:
    ways = ways_of(reward)
    all_lines = [
        (ways.pending, before.pending - after.pending),
        (ways.payable, before.payable - after.payable),
        (ways.paid, before.paid - after.paid),
        (ways.expense, after.total - before.total),
    ]
    return [(key, amount) for key, amount in all_lines if amount]
