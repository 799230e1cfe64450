"""The night's step of win-back: who has lapsed and what they may be worth again, and who has come back.

Chances are reckoned from the firm's own history, which is counted once a month, and stand for that month; on the nights
between, only customers about whom a fact came in or whose silence passes a line are looked at.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import polars as pl
from django.utils import timezone

from customers.changes import days_before, due_by_facts
from customers.models import Customer, month_of
from risk.cases.services import note_won_back
from risk.models import ReturnHistory, WinBack
from risk.rules.policy import RiskPolicy
from risk.rules.win_back import FEW, LONGEST, MONTH_DAYS, History, Month, rank, reckoned_on
from risk.rules.win_back_policy import WinBackPolicy
from risk.win_back.services import credit, take_credit_back
from tenants.context import current_tenant
from tenants.frames import merge_frame, read_frame
from tenants.parts import Customers, among, are_few
from tenants.policies import active_policy
from tenants.runs import Counts, Piece, Prepared, Step

SAMPLE: Final = 100_000
"""Customers whose silences are counted for the history: of more, every so many-th."""

_LAPSED: Final = {"customer_id": pl.Int64, "last_order_on": pl.Date, "orders": pl.Int64, "yearly": pl.Int64}


def run(as_of: dt.date) -> Counts:
    """The whole step at once: lapsed (rows written), returned, forgotten."""
    return STEP.at_once(as_of)


def prepare(piece: Piece) -> Prepared:
    """Count the history once a month, and when the policy draws the line elsewhere.

    Within a month nights take it as it is, also those that look at everybody: they would otherwise say something else
    than the quiet ones before them.
    """
    known, line = ReturnHistory.objects.first(), active_policy().section(RiskPolicy).ignore_after_days
    first = month_of(piece.as_of)
    if known is None or known.as_of != first or known.line != line:
        counts = [[each.group, each.month, each.reached, each.ended] for each in count_history(first, line)]
        ReturnHistory.objects.update_or_create(defaults={"as_of": first, "line": line, "counts": counts})
    return Prepared()


def work(piece: Piece) -> Counts:
    """Bring the part's lapses up to date."""
    policy = active_policy()
    risk, ours = policy.section(RiskPolicy), policy.section(WinBackPolicy)
    asked: Customers = piece.part
    if piece.since is not None:
        asked = due_by_facts(piece, orders=[days_before(risk.ignore_after_days), days_before(ours.forget_days)])
        if not asked:
            return {}
    returned = _note_returned(asked, ours)
    first = piece.as_of - dt.timedelta(days=ours.forget_days)
    last = piece.as_of - dt.timedelta(days=risk.ignore_after_days + 1)
    found = rank(lapsed(asked, first, last), history(), reckoned_on(piece.as_of), ours.horizon_days)
    _open_again(asked, found)
    rows = found.with_columns(lapsed_on=pl.col("last_order_on") + pl.duration(days=risk.ignore_after_days + 1))
    merged = merge_frame(
        WinBack,
        rows,
        keys=["customer_id", "last_order_on"],
        constants={"updated_at": timezone.now()},
    )
    return {"lapsed": merged.written, "returned": returned, "forgotten": _forget(asked, found)}


STEP: Final = Step(work, prepare)


def history() -> History:
    """How the firm's silences ended, as last counted; one of nothing where it never was."""
    known = ReturnHistory.objects.first()
    return History.of(Month(*row) for row in known.counts) if known else History(())


def count_history(as_of: dt.date, lapse_days: int) -> list[Month]:
    """For each group and month of silence from the line on: how many silences reached it, how many ended in it.

    A silence goes from a month with orders to the next one, or to today; it is told by months, which is what the rollup
    knows of everybody at once. Of a big firm every so many-th customer is counted.
    """
    tenant = current_tenant()
    line = max(1, int(lapse_days / MONTH_DAYS))
    stride = _stride()
    lengths = read_frame(
        """
        WITH bought AS (
            SELECT customer_id, month,
                   lead(month) OVER w AS again, sum(orders) OVER w AS orders
            FROM customers_activity
            WHERE tenant_id = %s AND orders > 0 AND month < %s AND customer_id %% %s = 0
            WINDOW w AS (PARTITION BY customer_id ORDER BY month)
        ), silences AS (
            SELECT CASE WHEN orders <= 1 THEN 'once' WHEN orders <= %s THEN 'few' ELSE 'many' END AS kind,
                   (extract(year FROM age(coalesce(again, %s), month)) * 12
                    + extract(month FROM age(coalesce(again, %s), month)))::integer AS length,
                   again IS NOT NULL AS has_ended
            FROM bought
        )
        SELECT kind, length, has_ended, count(*) FROM silences WHERE length >= %s GROUP BY 1, 2, 3
        """,
        [tenant.pk, as_of, stride, FEW, as_of.replace(day=1), as_of.replace(day=1), line],
        schema={"group": pl.String, "length": pl.Int64, "ended": pl.Boolean, "number": pl.Int64},
    )
    return _life_table(lengths, line)


def _life_table(lengths: pl.DataFrame, line: int) -> list[Month]:
    """`lengths`: group, length (months), ended, number of such silences. One that goes on counts in the months before."""
    found = []
    for (group,), own in lengths.sort("group").group_by(["group"], maintain_order=True):
        longest = min(LONGEST, int(own.get_column("length").max() or 0))  # type: ignore[arg-type]  # months are numbers
        for month in range(line, longest + 1):
            ends = int(own.filter(pl.col("ended") & (pl.col("length") == month)).get_column("number").sum())
            beyond = int(own.filter(pl.col("length") > month).get_column("number").sum())
            if reached := ends + beyond:
                found.append(Month(str(group), month, reached, ends))
    return found


def _stride() -> int:
    return max(1, Customer.objects.count() // SAMPLE)


def lapsed(customers: Customers, first: dt.date, last: dt.date) -> pl.DataFrame:
    """Customers of ours whose last order lies between two days, both included, with what they were worth (_LAPSED)."""
    tenant = current_tenant()
    return read_frame(
        f"""
        WITH gone AS (
            SELECT h.customer_id, h.last_order_on FROM health_healthscore h
            JOIN customers_customer c ON c.tenant_id = %s AND c.id = h.customer_id AND c.closed_on IS NULL
            WHERE h.tenant_id = %s AND h.last_order_on BETWEEN %s AND %s AND {among(customers, "h.customer_id")}
        )
        SELECT g.customer_id, g.last_order_on, sum(a.orders),
               coalesce(sum(a.net) FILTER (
                   WHERE a.month > date_trunc('month', g.last_order_on)::date - interval '12 months'
                     AND a.month <= g.last_order_on), 0)
        FROM gone g JOIN customers_activity a ON a.tenant_id = %s AND a.customer_id = g.customer_id
        GROUP BY g.customer_id, g.last_order_on
        """,
        [tenant.pk, tenant.pk, first, last, tenant.pk],
        schema=_LAPSED,
        few=are_few(customers),
    )


def _note_returned(customers: Customers, policy: WinBackPolicy) -> int:
    """Whoever has ordered again came back on the day of that order; a try shortly before has won them back."""
    tenant = current_tenant()
    back = read_frame(
        f"""
        SELECT w.id, w.customer_id, min(o.placed_on) FROM risk_winback w
        JOIN health_healthscore h ON h.tenant_id = %s AND h.customer_id = w.customer_id
        JOIN customers_order o ON o.tenant_id = %s AND o.customer_id = w.customer_id
             AND o.placed_on > w.last_order_on AND o.kind = 'order' AND o.status = 'placed'
        WHERE w.tenant_id = %s AND w.status <> 'returned' AND h.last_order_on > w.last_order_on
          AND {among(customers, "w.customer_id")}
        GROUP BY w.id, w.customer_id
        """,
        [tenant.pk, tenant.pk, tenant.pk],
        schema={"id": pl.Int64, "customer_id": pl.Int64, "on": pl.Date},
        few=are_few(customers),
    )
    found: list[dict[str, Any]] = back.to_dicts()
    credit({row["id"]: row["on"] for row in found}, within=dt.timedelta(days=policy.credit_days))
    note_won_back({row["customer_id"]: row["on"] for row in found})
    return len(found)


def _open_again(customers: Customers, found: pl.DataFrame) -> None:
    """The order with which somebody had come back was cancelled: the lapse goes on."""
    back = read_frame(
        f"""
        SELECT id, customer_id, last_order_on FROM risk_winback
        WHERE tenant_id = %s AND status = 'returned' AND {among(customers)}
        """,
        [current_tenant().pk],
        schema={"id": pl.Int64, "customer_id": pl.Int64, "last_order_on": pl.Date},
        few=are_few(customers),
    )
    take_credit_back(back.join(found, on=["customer_id", "last_order_on"], how="semi").get_column("id").to_list())


def _forget(customers: Customers, found: pl.DataFrame) -> int:
    """Lapses that nobody has tried and that no longer are any: too long ago, closed, or no lapse by another line."""
    waiting = read_frame(
        f"""
        SELECT id, customer_id, last_order_on FROM risk_winback
        WHERE tenant_id = %s AND status = 'open' AND {among(customers)}
        """,
        [current_tenant().pk],
        schema={"id": pl.Int64, "customer_id": pl.Int64, "last_order_on": pl.Date},
        few=are_few(customers),
    )
    over = waiting.join(found, on=["customer_id", "last_order_on"], how="anti").get_column("id").to_list()
    WinBack.objects.filter(pk__in=over, status=WinBack.Status.OPEN).delete()
    return len(over)
