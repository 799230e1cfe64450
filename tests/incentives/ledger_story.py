"""What the ledger's tests share: orders, nights, and an independent look at the books by plain SQL."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import count
from typing import Any

from django.db import connection

from customers.models import Customer, Order
from customers.services import record_referral
from incentives.ledger.accruing import accrue
from incentives.models import Account, Reward

_numbers = count(1)


def order(customer: Customer, on: dt.date, net: Any, **fields: Any) -> Order:
    """An order of a day, or with money below nothing a credit note, as an import leaves it."""
    net = Decimal(str(net))
    kind = Order.Kind.ORDER if net > 0 else Order.Kind.CREDIT_NOTE
    row: Order = Order.objects.create(
        **{
            "customer": customer, "external_id": f"O-{next(_numbers)}", "placed_on": on, "currency": "GBP", "net": net,
            "placed_at": dt.datetime.combine(on, dt.time(12), tzinfo=dt.UTC), "kind": kind, "digest": "",
        } | fields
    )  # fmt: skip
    return row


def referred(cast: Any, on: dt.date, name: str = "Newcomer", **fields: Any) -> Any:
    """A referral by Huaxin of a new customer, brought by Ann."""
    referrer = fields.pop("referrer", None) or cast.customer()
    return record_referral(
        **{"referrer": referrer, "customer": cast.customer(name), "on": on, "member": cast.ann} | fields
    )


def night(as_of: dt.date) -> int:
    """Reckon everybody's rewards; returns how many entries were posted."""
    return accrue(as_of)["posted"]


def check_books() -> None:
    """Every entry balances, and each reward says what its lines say: told by plain SQL, not by the house."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # the deferred triggers look now
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(
            "SELECT l.entry_id, a.commodity FROM incentives_entryline l JOIN incentives_account a ON a.id = l.account_id "
            "GROUP BY l.entry_id, a.commodity HAVING sum(l.amount) <> 0"
        )
        assert cursor.fetchall() == []
        cursor.execute(
            """
            SELECT w.key, w.pending, w.payable, w.paid, w.entitled + w.correction,
                coalesce(-sum(l.amount) FILTER (WHERE a.kind LIKE '%pending'), 0),
                coalesce(-sum(l.amount) FILTER (WHERE a.kind IN ('staff_payable', 'product_payable', 'points')), 0),
                coalesce(sum(l.amount) FILTER (WHERE a.kind IN ('staff_expense', 'product_expense', 'points_issued')), 0)
            FROM incentives_reward w
            LEFT JOIN incentives_entryline l ON l.reward_id = w.id
            LEFT JOIN incentives_account a ON a.id = l.account_id
            GROUP BY w.id
            """
        )
        for key, pending, payable, paid, amount, on_pending, on_payable, expense in cursor.fetchall():
            assert (pending, payable) == (on_pending, on_payable), key
            assert amount == expense == pending + payable + paid, key


def paid_to(member: Any) -> Decimal:
    """What went out to somebody in all pay-outs, by the items of the batches."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(amount), 0) FROM incentives_payoutitem WHERE member_id = %s", [member.pk])
        return Decimal(cursor.fetchone()[0]).scaleb(-4)


def out_of_the_house() -> Decimal:
    """What the account of pay-outs says."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(-sum(l.amount), 0) FROM incentives_entryline l JOIN incentives_account a "
            "ON a.id = l.account_id WHERE a.kind = %s",
            [Account.Kind.PAID_OUT],
        )
        return Decimal(cursor.fetchone()[0]).scaleb(-4)


def of_kind(kind: str) -> list[Any]:
    """Rewards of a kind, oldest first."""
    return list(Reward.objects.filter(kind=kind).order_by("earned_on", "pk"))
