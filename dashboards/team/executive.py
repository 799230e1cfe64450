"""The firm over its teams: who is kept, with how much money, what came by referral, and what the programme brings.

Years are twelve full months before the month of the night, so that every number has its rows by order day
(docs/rules/team.md, docs/rules/programme.md).
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import polars as pl

from customers.tallies import Cells
from incentives.rules.programme import ProgrammePolicy, Return, cost_per_contact, programme_return, yearly_gain
from segmentation.rules.sales import add_months, months_between
from tenants.base import POINTS
from tenants.context import current_tenant
from tenants.frames import read_frame

YEAR_MONTHS: Final = 12
YOUNG_MONTHS: Final = 48
"""A firm with fewer months of orders looks at its customers by the quarter in which they came, else by the year."""


@dataclass(frozen=True)
class Years:
    """The year that is looked at, `[middle, end)`, and the one before it, `[start, middle)`."""

    start: dt.date
    middle: dt.date
    end: dt.date


def years(as_of: dt.date) -> Years:
    """The twelve full months before the month of a day, and the twelve before those."""
    return Years(add_months(as_of, -2 * YEAR_MONTHS), add_months(as_of, -YEAR_MONTHS), add_months(as_of, 0))


# ── counted for the firm, by A owner ────────────────────────────────────────


def count_retention(as_of: dt.date) -> Cells:
    """owner, tier, customers, kept, before, retained and now: of who bought in the year before.

    kept: customers who bought again; money in points: before, what of it was bought again (at most as much each), and now.
    The tier is that of the day between the years, or the first one known after it.
    """
    span, tenant_id = years(as_of), current_tenant().pk
    return read_frame(
        """
        SELECT c.owner_a_id,
               COALESCE(NULLIF(f.before, ''), f.after, n.tier, l.after, ''),
               count(*), count(*) FILTER (WHERE b.again > 0), sum(b.old)::bigint,
               sum(LEAST(GREATEST(b.new, 0), GREATEST(b.old, 0)))::bigint, sum(b.new)::bigint
        FROM (
            SELECT customer_id,
                   COALESCE(sum(orders) FILTER (WHERE month >= %s), 0) AS again,
                   COALESCE(sum(net) FILTER (WHERE month < %s), 0) AS old,
                   COALESCE(sum(net) FILTER (WHERE month >= %s), 0) AS new
            FROM customers_activity WHERE tenant_id = %s AND month >= %s AND month < %s
            GROUP BY customer_id HAVING sum(orders) FILTER (WHERE month < %s) > 0
        ) b
        JOIN customers_customer c ON c.tenant_id = %s AND c.id = b.customer_id
        LEFT JOIN segmentation_standing n ON n.tenant_id = %s AND n.customer_id = b.customer_id
        LEFT JOIN (
            SELECT DISTINCT ON (customer_id) customer_id, before, after FROM segmentation_tierchange
            WHERE tenant_id = %s AND "on" > %s ORDER BY customer_id, "on", id
        ) f ON f.customer_id = b.customer_id
        LEFT JOIN LATERAL (
            SELECT t.after FROM segmentation_tierchange t
            WHERE n.customer_id IS NULL AND f.customer_id IS NULL AND t.tenant_id = %s AND t.customer_id = b.customer_id
            ORDER BY t."on" DESC, t.id DESC LIMIT 1
        ) l ON true
        GROUP BY 1, 2
        """,
        [
            *(span.middle, span.middle, span.middle, tenant_id, span.start, span.end, span.middle),
            *(tenant_id, tenant_id, tenant_id, span.middle, tenant_id),
        ],
        schema={"owner": pl.Int64, "tier": pl.String}
        | dict.fromkeys(("customers", "kept", "before", "retained", "now"), pl.Int64),
    ).to_dicts()


def cohort_months(as_of: dt.date) -> int:
    """Months of a cohort: 3 while the firm's orders are young, 12 from YOUNG_MONTHS on."""
    found = read_frame(
        "SELECT min(month) FROM customers_activity WHERE tenant_id = %s AND orders > 0",
        [current_tenant().pk],
        schema={"month": pl.Date},
    ).item(0, "month")
    return 3 if found is None or months_between(found, add_months(as_of, 0)) < YOUNG_MONTHS else YEAR_MONTHS


def count_cohorts(as_of: dt.date) -> Cells:
    """owner, cohort (first month), months (of a period), age (periods since), customers who ordered and their money (points).

    A customer belongs to the period of the first order. Only full months.
    """
    months, tenant_id = cohort_months(as_of), current_tenant().pk
    period = f"(extract(year FROM month)::int * 12 + extract(month FROM month)::int - 1) / {int(months)}"
    found = read_frame(
        f"""
        SELECT c.owner_a_id, p.first, p.period - p.first, count(*) FILTER (WHERE p.orders > 0),
               COALESCE(sum(p.net), 0)::bigint
        FROM (
            SELECT customer_id, period, orders, net,
                   min(period) FILTER (WHERE orders > 0) OVER (PARTITION BY customer_id) AS first
            FROM (
                SELECT customer_id, {period} AS period, sum(orders) AS orders, sum(net) AS net
                FROM customers_activity WHERE tenant_id = %s AND month < %s GROUP BY 1, 2
            ) sums
        ) p
        JOIN customers_customer c ON c.tenant_id = %s AND c.id = p.customer_id
        WHERE p.period >= p.first GROUP BY 1, 2, 3
        """,
        [tenant_id, add_months(as_of, 0), tenant_id],
        schema={"owner": pl.Int64} | dict.fromkeys(("first", "age", "customers", "money"), pl.Int64),
    )
    return [
        {
            "owner": owner,
            "cohort": str(dt.date(first * months // 12, first * months % 12 + 1, 1)),
            "months": months,
            "age": age,
            "customers": customers,
            "money": money,
        }
        for owner, first, age, customers, money in found.iter_rows()
    ]


def count_new(as_of: dt.date) -> Cells:
    """owner, referred, customers and money (points) of who ordered for the first time in the year that is looked at."""
    span, tenant_id = years(as_of), current_tenant().pk
    return read_frame(
        """
        SELECT c.owner_a_id, r.customer_id IS NOT NULL, count(*), COALESCE(sum(f.net), 0)::bigint
        FROM (
            SELECT customer_id, sum(net) FILTER (WHERE month < %s) AS net FROM customers_activity
            WHERE tenant_id = %s GROUP BY customer_id
            HAVING min(month) FILTER (WHERE orders > 0) >= %s AND min(month) FILTER (WHERE orders > 0) < %s
        ) f
        JOIN customers_customer c ON c.tenant_id = %s AND c.id = f.customer_id
        LEFT JOIN (
            SELECT customer_id FROM customers_referral WHERE tenant_id = %s AND withdrawn_at IS NULL
        ) r ON r.customer_id = f.customer_id
        GROUP BY 1, 2
        """,
        [span.end, tenant_id, span.middle, span.end, tenant_id, tenant_id],
        schema={"owner": pl.Int64, "referred": pl.Boolean, "customers": pl.Int64, "money": pl.Int64},
    ).to_dicts()


def count_contacts(as_of: dt.date) -> Cells:
    """owner and contacts (of whatever kind) with the owner's customers in the year that is looked at."""
    span, tenant = years(as_of), current_tenant()
    return read_frame(
        """
        SELECT c.owner_a_id, count(*) FROM customers_interaction i
        JOIN customers_customer c ON c.tenant_id = %s AND c.id = i.customer_id
        WHERE i.tenant_id = %s AND i.at >= %s AND i.at < %s GROUP BY 1
        """,
        [tenant.pk, tenant.pk, tenant.start_of(span.middle), tenant.start_of(span.end)],
        schema={"owner": pl.Int64, "contacts": pl.Int64},
    ).to_dicts()


COUNTED: Final[Mapping[str, Callable[[dt.date], Cells]]] = {
    "firm-retention": count_retention,
    "firm-cohorts": count_cohorts,
    "firm-new": count_new,
    "firm-contacts": count_contacts,
}


# ── retention ───────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Retention:
    """Customers who bought in the year before, and how many of them bought again; their money before and now.

    `retained` is what of the money before was bought again, at most as much of each customer.
    """

    customers: int = 0
    kept: int = 0
    before: Decimal = Decimal(0)
    retained: Decimal = Decimal(0)
    now: Decimal = Decimal(0)

    def __add__(self, other: Retention) -> Retention:
        return Retention(
            self.customers + other.customers,
            self.kept + other.kept,
            self.before + other.before,
            self.retained + other.retained,
            self.now + other.now,
        )

    @property
    def share(self) -> float | None:
        """Of the customers; None where nobody bought before."""
        return self.kept / self.customers if self.customers else None

    @property
    def gross(self) -> float | None:
        """Of the money, growth aside; None without money before."""
        return float(self.retained / self.before) if self.before > 0 else None

    @property
    def net(self) -> float | None:
        """Of the money, growth counted."""
        return float(self.now / self.before) if self.before > 0 else None


def retention_of(cell: Mapping[str, int]) -> Retention:
    """A cell of `count_retention`."""
    money = (Decimal(cell[name]) / POINTS for name in ("before", "retained", "now"))
    return Retention(cell["customers"], cell["kept"], *money)


def retention_by(cells: Cells, key: Callable[[Mapping[str, object]], object]) -> dict[object, Retention]:
    """Cells of `count_retention` put together by what `key` says of each."""
    found: defaultdict[object, Retention] = defaultdict(Retention)
    for cell in cells:
        found[key(cell)] += retention_of(cell)
    return dict(found)


# ── cohorts ─────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class CohortCell:
    """A cohort in one period: who ordered, of how many, their money; `[first, end)` is the period."""

    first: dt.date
    end: dt.date
    customers: int
    of: int
    money: Decimal
    is_full: bool

    @property
    def share(self) -> float | None:
        return self.customers / self.of if self.of else None


@dataclass(frozen=True)
class Cohort:
    """Customers by the period `[first, end)` of their first order; a cell for each period from it on."""

    first: dt.date
    end: dt.date
    customers: int
    cells: tuple[CohortCell, ...]


def cohorts_of(cells: Cells, as_of: dt.date) -> list[Cohort]:
    """The triangle, oldest cohort first; the last period of each may not be full yet."""
    end = add_months(as_of, 0)
    sums: defaultdict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    months = next((cell["months"] for cell in cells), YEAR_MONTHS)
    for cell in cells:
        both = sums[cell["cohort"], cell["age"]]
        both[0] += cell["customers"]
        both[1] += cell["money"]
    found = []
    for cohort in sorted({cohort for cohort, _age in sums}):
        first = dt.date.fromisoformat(cohort)
        whole = sums[cohort, 0][0]
        ages = range((months_between(first, end) + months - 1) // months)
        starts = [add_months(first, age * months) for age in ages]
        row = tuple(
            CohortCell(
                start,
                add_months(start, months),
                sums[cohort, age][0],
                whole,
                Decimal(sums[cohort, age][1]) / POINTS,
                add_months(start, months) <= end,
            )
            for age, start in zip(ages, starts, strict=True)
        )
        found.append(Cohort(first, add_months(first, months), whole, row))
    return found


# ── referrals and the programme ─────────────────────────────────────────────


@dataclass(frozen=True)
class Newcomers:
    """Who ordered for the first time in the year: how many, how many of them by referral, and those ones' money."""

    customers: int
    referred: int
    money: Decimal

    @property
    def share(self) -> float | None:
        return self.referred / self.customers if self.customers else None


def newcomers(cells: Iterable[Mapping[str, int]]) -> Newcomers:
    """Of cells of `count_new`."""
    rows = list(cells)
    referred = [cell for cell in rows if cell["referred"]]
    return Newcomers(
        sum(cell["customers"] for cell in rows),
        sum(cell["customers"] for cell in referred),
        Decimal(sum(cell["money"] for cell in referred)) / POINTS,
    )


@dataclass(frozen=True)
class Programme:
    """What the programme costs and brings; `missing` names the inputs (fields of the policy) without which nothing is shown."""

    inputs: ProgrammePolicy
    missing: tuple[str, ...]
    contacts: int
    per_contact: Decimal | None
    found: Return | None


def programme(inputs: ProgrammePolicy, kept: Retention, new: Newcomers, contacts: int) -> Programme:
    """The return by what the firm has entered and what the facts say."""
    missing = tuple(
        name
        for name, there in (
            ("costs", inputs.yearly or inputs.once),
            ("margin", inputs.margin),
            ("baseline", inputs.baseline),
        )
        if not there
    )
    found = None
    if not missing:
        gain = yearly_gain(
            before=kept.before, kept=kept.retained, referred=new.money, baseline=inputs.baseline, margin=inputs.margin
        )
        found = programme_return(
            gain=gain, once=inputs.once, yearly=inputs.yearly, years=inputs.years, discount=inputs.discount
        )
    return Programme(inputs, missing, contacts, cost_per_contact(yearly=inputs.yearly, contacts=contacts), found)
