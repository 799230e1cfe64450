"""Statements: what somebody earned, was approved, was paid in a stretch of days, each line in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from django.db.models import Q, QuerySet, Sum

from customers.models import Customer
from incentives.ledger.words import entry_words
from incentives.models import Account, Entry, EntryLine, Reward
from tenants.models import Member


class Stretch(Protocol):
    """Local days from `start` up to before `end`; a Period of the KPIs is one."""

    @property
    def start(self) -> dt.date: ...

    @property
    def end(self) -> dt.date: ...


@dataclass(frozen=True)
class Days:
    """Days from `start` up to before `end`."""

    start: dt.date
    end: dt.date


@dataclass(frozen=True)
class StatementLine:
    """What one entry changed of one reward: what waits for approval, and what is owed, and the balance then."""

    on: dt.date
    entry: Entry
    reward: Reward | None
    pending: Decimal
    owed: Decimal
    balance: Decimal  # owed, after this line

    @property
    def words(self) -> str:
        """What happened, and why."""
        return entry_words(self.entry, self.reward)


@dataclass(frozen=True)
class Statement:
    """A person's or customer's statement; `who` is None for the product team. Amounts are of money or of points."""

    who: Member | Customer | None
    start: dt.date
    end: dt.date
    is_points: bool
    pending_before: Decimal
    owed_before: Decimal
    lines: tuple[StatementLine, ...]

    @property
    def last(self) -> dt.date:
        """The last day that counts."""
        return self.end - dt.timedelta(days=1)

    @property
    def pending(self) -> Decimal:
        """What waits for approval at the end."""
        return self.pending_before + sum((line.pending for line in self.lines), Decimal())

    @property
    def owed(self) -> Decimal:
        """What is owed at the end; below nothing it is set off against the next."""
        return self.owed_before + sum((line.owed for line in self.lines), Decimal())

    @property
    def earned(self) -> Decimal:
        """What was earned in these days, less what was taken back."""
        kinds = {Entry.Kind.ACCRUAL, Entry.Kind.ADJUSTMENT, Entry.Kind.CORRECTION}
        return sum((line.pending + line.owed for line in self.lines if line.entry.kind in kinds), Decimal())

    @property
    def paid(self) -> Decimal:
        """What went out in these days: pay-outs, or points redeemed."""
        kinds = {Entry.Kind.PAYOUT, Entry.Kind.REDEMPTION}
        return -sum((line.owed for line in self.lines if line.entry.kind in kinds), Decimal())


def statement(who: Member | Customer | None, period: Stretch) -> Statement:
    """The statement of a member (money), a customer (points) or, for None, the product team (money).

    Opening balance, a line for each reward of each entry in the order in which they were posted, and what is left.
    """
    pending, owed = _accounts_of(who)
    before = dict(
        EntryLine.objects.filter(account__in=[pending, owed], entry__on__lt=period.start)
        .order_by().values_list("account_id").annotate(total=Sum("amount"))
    )  # fmt: skip
    start_pending = -Decimal(before.get(_pk(pending), 0) or 0)
    start_owed = -Decimal(before.get(_pk(owed), 0) or 0)
    rows = EntryLine.objects.filter(account__in=[pending, owed], entry__on__gte=period.start, entry__on__lt=period.end)
    rows = rows.select_related("entry", "reward").order_by("entry__on", "entry_id", "reward_id", "pk")
    lines = tuple(_lines(rows, pending, start_owed))
    return Statement(who, period.start, period.end, isinstance(who, Customer), start_pending, start_owed, lines)


def _lines(rows: QuerySet[Any], pending: Account | None, owed: Decimal) -> Iterator[StatementLine]:
    held: list[Any] = []
    for row in [*rows, None]:
        if held and (row is None or (row.entry_id, row.reward_id) != (held[0].entry_id, held[0].reward_id)):
            line = _line(held, pending, owed)
            owed = line.balance
            yield line
            held = []
        if row is not None:
            held.append(row)


def _line(rows: Sequence[Any], pending: Account | None, owed: Decimal) -> StatementLine:
    waits = -sum((row.amount for row in rows if row.account_id == _pk(pending)), Decimal())
    due = -sum((row.amount for row in rows if row.account_id != _pk(pending)), Decimal())
    return StatementLine(rows[0].entry.on, rows[0].entry, rows[0].reward, waits, due, owed + due)


def _pk(of: Account | None) -> int | None:
    return None if of is None else of.pk


def _accounts_of(who: Member | Customer | None) -> tuple[Account | None, Account | None]:
    """The accounts that wait and that are owed; None for those that nothing was ever posted to."""
    kinds = Account.Kind
    if isinstance(who, Customer):
        both, whose = (kinds.POINTS_PENDING, kinds.POINTS), Q(customer=who)
    elif isinstance(who, Member):
        both, whose = (kinds.STAFF_PENDING, kinds.STAFF_PAYABLE), Q(member=who)
    else:
        both, whose = (kinds.PRODUCT_PENDING, kinds.PRODUCT_PAYABLE), Q(member__isnull=True, customer__isnull=True)
    found = {row.kind: row for row in Account.objects.filter(whose, kind__in=both)}
    return found.get(both[0]), found.get(both[1])
