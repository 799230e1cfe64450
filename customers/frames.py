"""The facts as frames, one row per customer, for the night: read in one pass over the monthly rollup."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from django.db import connection

from customers.models import month_of
from customers.rules.surveys import DETRACTOR_TO, PROMOTER_FROM
from tenants.context import current_tenant
from tenants.frames import read_frame

Window = tuple[dt.date, dt.date]
"""Half-open: from the first day, up to but not including the second."""

Customers = Sequence[int] | None
"""Their ids; None: everybody."""

# Constants to the planner: nothing of it is left when everybody is meant. Takes the ids twice.
_AMONG = "(%s::bigint[] IS NULL OR customer_id = ANY(%s::bigint[]))"


def living_customers() -> pl.DataFrame:
    """customer_id, owner_a_id and the channel and id of the contact to ask first; closed customers are left out.

    The contact is the main one, else the first; one who has left, or withdrew consent, is nobody to ask.
    """
    return read_frame(
        """
        SELECT c.id, c.owner_a_id, p.id, p.channel
        FROM customers_customer c
        LEFT JOIN LATERAL (
            SELECT id, channel FROM customers_contact
            WHERE tenant_id = %s AND customer_id = c.id AND left_on IS NULL AND consent <> 'withdrawn'
            ORDER BY is_main DESC, id LIMIT 1
        ) p ON true
        WHERE c.tenant_id = %s AND c.closed_on IS NULL
        ORDER BY c.id
        """,
        [current_tenant().pk, current_tenant().pk],
        schema={"customer_id": pl.Int64, "owner_a_id": pl.Int64, "contact_id": pl.Int64, "channel": pl.String},
    )


def relations(closed_since: dt.date | None = None) -> pl.DataFrame:
    """customer_id, since, industry_position (1 to 5 or null) and growth_potential ("" if not known); no closed ones.

    With `closed_since`, customers closed on that day or after it are among them: they were not then.
    """
    return read_frame(
        """
        SELECT id, since, industry_position, growth_potential FROM customers_customer
        WHERE tenant_id = %s AND (closed_on IS NULL OR closed_on >= %s) ORDER BY id
        """,
        [current_tenant().pk, closed_since or dt.date.max],
        schema={
            "customer_id": pl.Int64,
            "since": pl.Date,
            "industry_position": pl.Int8,
            "growth_potential": pl.String,
        },
    )


def order_days(as_of: dt.date, customers: Customers = None) -> pl.DataFrame:
    """customer_id and day, a row for each day before `as_of` on which a customer placed an order.

    Credit notes and cancelled orders are none.
    """
    months = read_frame(
        f"""
        SELECT customer_id, month, days FROM customers_activity
        WHERE tenant_id = %s AND month < %s AND days <> 0 AND {_AMONG}
        """,
        [current_tenant().pk, as_of, *_among(customers)],
        schema={"customer_id": pl.Int64, "month": pl.Date, "days": pl.Int64},
        few=customers is not None,
    )
    days = [
        months.lazy()
        .filter(pl.col("days") // 2**bit % 2 == 1)
        .select("customer_id", day=pl.col("month") + pl.duration(days=bit))
        for bit in range(31)
    ]
    return pl.concat(days).filter(pl.col("day") < as_of).collect()


def monthly_activity(before: dt.date, customers: Customers = None) -> pl.DataFrame:
    """customer_id, month, orders, credit_notes and net (points): the rollup of the months that begin before a day.

    The last of them may not be over: what it says is what is known now.
    """
    return read_frame(
        f"""
        SELECT customer_id, month, orders, credit_notes, net FROM customers_activity
        WHERE tenant_id = %s AND month < %s AND {_AMONG}
        """,
        [current_tenant().pk, before, *_among(customers)],
        schema={
            "customer_id": pl.Int64, "month": pl.Date, "orders": pl.Int32, "credit_notes": pl.Int32, "net": pl.Int64,
        },
        few=customers is not None,
    )  # fmt: skip


def order_span(before: dt.date) -> Window | None:
    """The first day with an order, and the day after the last one before a day; None without any."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (SELECT placed_on FROM customers_order WHERE tenant_id = %s AND status = 'placed' AND kind = 'order'
                    AND placed_on < %s ORDER BY placed_on LIMIT 1),
                   (SELECT placed_on FROM customers_order WHERE tenant_id = %s AND status = 'placed' AND kind = 'order'
                    AND placed_on < %s ORDER BY placed_on DESC LIMIT 1)
            """,
            [current_tenant().pk, before, current_tenant().pk, before],
        )
        first, last = cursor.fetchone()
    return None if first is None else (first, last + dt.timedelta(days=1))


def window_sums(windows: Mapping[str, Window], customers: Customers = None) -> pl.DataFrame:
    """customer_id, and for each named window `<name>_orders` (number) and `<name>_net` (points).

    Whole months come from the rollup; only the months that a window cuts are read from the orders, so
    every window is exact to the day. Customers without anything in any window have no row.
    """
    tenant_id = current_tenant().pk
    cut = sorted({month_of(edge) for window in windows.values() for edge in window if edge.day != 1})
    first, last = _span(windows)
    sums: list[str] = []
    params: list[Any] = []
    for name, window in windows.items():
        for column in ("orders", "net"):
            sums.append(
                f'COALESCE(sum({column}) FILTER (WHERE day >= %s AND day < %s), 0)::bigint AS "{name}_{column}"'
            )
            params += window
    # A month is a piece at its first day; of a cut month, each day is a piece of its own.
    sql = f"""
        SELECT customer_id, {", ".join(sums)}
        FROM (
            SELECT customer_id, month AS day, orders, net
            FROM customers_activity
            WHERE tenant_id = %s AND month >= %s AND month < %s AND month <> ALL(%s::date[]) AND {_AMONG}
            UNION ALL
            SELECT customer_id, placed_on, CASE kind WHEN 'order' THEN 1 ELSE 0 END, net
            FROM customers_order
            WHERE tenant_id = %s AND status = 'placed' AND {_AMONG}
              AND EXISTS (SELECT 1 FROM unnest(%s::date[]) AS cut
                          WHERE placed_on >= cut AND placed_on < cut + interval '1 month')
        ) pieces
        GROUP BY customer_id
    """
    params += [tenant_id, month_of(first), last, cut, *_among(customers), tenant_id, *_among(customers), cut]
    columns = [f"{name}_{column}" for name in windows for column in ("orders", "net")]
    schema = {"customer_id": pl.Int64} | dict.fromkeys(columns, pl.Int64)
    return read_frame(sql, params, schema=schema, few=customers is not None)


def _span(windows: Mapping[str, Window]) -> Window:
    """From where the first of the windows begins to where the last one ends."""
    return min(first for first, _last in windows.values()), max(last for _first, last in windows.values())


def first_day_money(as_of: dt.date) -> pl.DataFrame:
    """customer_id and first_net (points): net money of the first order day before `as_of`, its credit notes deducted."""
    tenant_id = current_tenant().pk
    return read_frame(
        """
        SELECT o.customer_id, sum(o.net)::bigint
        FROM (
            SELECT customer_id, min(placed_on) AS day FROM customers_order
            WHERE tenant_id = %s AND status = 'placed' AND kind = 'order' AND placed_on < %s GROUP BY customer_id
        ) first
        JOIN customers_order o ON o.tenant_id = %s AND o.customer_id = first.customer_id AND o.placed_on = first.day
        WHERE o.status = 'placed'
        GROUP BY o.customer_id
        """,
        [tenant_id, as_of, tenant_id],
        schema={"customer_id": pl.Int64, "first_net": pl.Int64},
    )


def days_late(as_of: dt.date, orders: int = 5) -> pl.DataFrame:
    """customer_id and days_late of `paid_invoices`."""
    return paid_invoices(as_of, orders).select("customer_id", "days_late")


def paid_invoices(as_of: dt.date, invoices: int, customers: Customers = None) -> pl.DataFrame:
    """customer_id, days_late, invoices and last_paid_on of the last `invoices` orders paid before `as_of`.

    days_late is the median of due day → paid day over them, below 0 early; invoices their number. Orders without a
    due day or not yet paid, and credit notes, are left out; customers without one have no row.
    """
    return read_frame(
        f"""
        SELECT customer_id, percentile_cont(0.5) WITHIN GROUP (ORDER BY paid_on - due_on), count(*), max(paid_on)
        FROM (
            SELECT customer_id, paid_on, due_on,
                   row_number() OVER (PARTITION BY customer_id ORDER BY paid_on DESC, id DESC) AS place
            FROM customers_order
            WHERE tenant_id = %s AND status = 'placed' AND kind = 'order' AND due_on IS NOT NULL AND paid_on < %s
              AND {_AMONG}
        ) paid
        WHERE place <= %s GROUP BY customer_id
        """,
        [current_tenant().pk, as_of, *_among(customers), invoices],
        schema={"customer_id": pl.Int64, "days_late": pl.Float64, "invoices": pl.Int32, "last_paid_on": pl.Date},
        few=customers is not None,
    )


def evidence(window: Window) -> pl.DataFrame:
    """evidence_id, customer_id, kind and referred_id (null: nobody named) of the evidence of a window, in its order."""
    return read_frame(
        """
        SELECT id, customer_id, kind, referred_id FROM customers_evidence
        WHERE tenant_id = %s AND "on" >= %s AND "on" < %s ORDER BY customer_id, "on", id
        """,
        [current_tenant().pk, *window],
        schema={"evidence_id": pl.Int64, "customer_id": pl.Int64, "kind": pl.String, "referred_id": pl.Int64},
    )


def category_counts(windows: Mapping[str, Window], customers: Customers = None) -> pl.DataFrame:
    """customer_id, and for each named window the number of categories bought; credit notes do not count.

    A product without a category counts as its own.
    """
    # Byte by byte (COLLATE "C") the same texts are equal, and sorting for DISTINCT takes a quarter less.
    counts: list[str] = []
    params: list[Any] = []
    for name, window in windows.items():
        counts.append(f'count(DISTINCT category) FILTER (WHERE placed_on >= %s AND placed_on < %s) AS "{name}"')
        params += window
    tenant_id = current_tenant().pk
    sql = f"""
        SELECT customer_id, {", ".join(counts)}
        FROM (
            SELECT DISTINCT o.customer_id, o.placed_on,
                   COALESCE(NULLIF(p.category, ''), '#' || p.id) COLLATE "C" AS category
            FROM customers_order o
            JOIN customers_orderline l ON l.tenant_id = %s AND l.order_id = o.id
            JOIN customers_product p ON p.tenant_id = %s AND p.id = l.product_id
            WHERE o.tenant_id = %s AND o.status = 'placed' AND o.kind = 'order'
              AND o.placed_on >= %s AND o.placed_on < %s AND {_AMONG}
        ) bought
        GROUP BY customer_id
    """
    first, last = _span(windows)
    params += [tenant_id, tenant_id, tenant_id, first, last, *_among(customers)]
    schema = {"customer_id": pl.Int64} | dict.fromkeys(windows, pl.Int32)
    return read_frame(sql, params, schema=schema, few=customers is not None)


def first_purchases(window: Window, *, by_category: bool) -> pl.DataFrame:
    """customer_id, item and day: when each customer first bought each item in the window, as lists of orders say.

    An item is "#" and the product's id; by category it is the category, and a product without one stays an
    item of its own. Lines of placed orders with a quantity above nothing; closed customers' orders count.
    """
    tenant_id = current_tenant().pk
    bought = read_frame(
        """
        SELECT o.customer_id, l.product_id, min(o.placed_on)
        FROM customers_order o
        JOIN customers_orderline l ON l.tenant_id = %s AND l.order_id = o.id
        WHERE o.tenant_id = %s AND o.status = 'placed' AND o.kind = 'order' AND l.quantity > 0
          AND o.placed_on >= %s AND o.placed_on < %s
        GROUP BY o.customer_id, l.product_id
        """,
        [tenant_id, tenant_id, *window],
        schema={"customer_id": pl.Int64, "product_id": pl.Int64, "day": pl.Date},
    )
    name = "COALESCE(NULLIF(category, ''), '#' || id)" if by_category else "'#' || id"
    items = read_frame(
        f"SELECT id, {name} FROM customers_product WHERE tenant_id = %s",
        [tenant_id],
        schema={"product_id": pl.Int64, "item": pl.String},
    )
    named = bought.join(items.cast({"item": pl.Categorical}), on="product_id").select("customer_id", "item", "day")
    return named.group_by("customer_id", "item").agg(pl.col("day").min()) if by_category else named


def order_sizes(split: dt.date, days: int) -> pl.DataFrame:
    """customer_id, product_id, before, now and money: each article that a customer bought on both sides of a day.

    before and now are the median quantities of a line in the `days` before `split` and from it on (ten
    thousandths, as the table has them); money is what both spans brought (points). Lines of placed orders
    with a quantity above nothing.
    """
    tenant_id, span = current_tenant().pk, dt.timedelta(days=days)
    return read_frame(
        """
        SELECT o.customer_id, l.product_id,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY l.quantity) FILTER (WHERE o.placed_on < %s),
               percentile_cont(0.5) WITHIN GROUP (ORDER BY l.quantity) FILTER (WHERE o.placed_on >= %s),
               sum(l.money)
        FROM customers_order o
        JOIN customers_orderline l ON l.tenant_id = %s AND l.order_id = o.id
        WHERE o.tenant_id = %s AND o.status = 'placed' AND o.kind = 'order' AND l.quantity > 0
          AND o.placed_on >= %s AND o.placed_on < %s
        GROUP BY o.customer_id, l.product_id
        HAVING min(o.placed_on) < %s AND max(o.placed_on) >= %s
        """,
        [split, split, tenant_id, tenant_id, split - span, split + span, split, split],
        schema={
            "customer_id": pl.Int64,
            "product_id": pl.Int64,
            "before": pl.Float64,
            "now": pl.Float64,
            "money": pl.Int64,
        },
    )


def last_touches(as_of: dt.date) -> pl.DataFrame:
    """customer_id, kind and last_touch_on: the last contact of each kind before `as_of`, either direction."""
    tenant = current_tenant()
    return read_frame(
        """
        SELECT customer_id, kind, (max(at) AT TIME ZONE %s)::date
        FROM customers_interaction WHERE tenant_id = %s AND at < %s GROUP BY customer_id, kind
        """,
        [tenant.timezone, tenant.pk, tenant.start_of(as_of)],
        schema={"customer_id": pl.Int64, "kind": pl.String, "last_touch_on": pl.Date},
    )


@dataclass(frozen=True)
class Books:
    """Which kinds of facts a firm writes down at all: of a kind that it never does, none noted means nothing."""

    complaints: bool
    competitors: bool


def books_kept(as_of: dt.date) -> Books:
    """Whether any complaint, any contact about a competitor, was written down before `as_of`."""
    tenant = current_tenant()
    kept = read_frame(
        """
        SELECT EXISTS (SELECT 1 FROM customers_complaint WHERE tenant_id = %s AND opened_at < %s),
               EXISTS (SELECT 1 FROM customers_interaction WHERE tenant_id = %s AND at < %s AND about_competitor)
        """,
        [tenant.pk, tenant.start_of(as_of)] * 2,
        schema={"complaints": pl.Boolean, "competitors": pl.Boolean},
        few=True,
    )
    return Books(**kept.row(0, named=True))


def contact_counts(windows: Mapping[str, Window], customers: Customers = None) -> pl.DataFrame:
    """customer_id, and for each named window `<name>`, `<name>_two_way` and `<name>_competitor`: numbers of contacts.

    Two-way: the customer answered, or turned to us and was not left without an answer. Competitor: it asked about
    one. Customers without a contact between the first and the last day of the windows have no row.
    """
    tenant = current_tenant()
    two_way = "(answered OR (direction = 'inbound' AND answered IS NOT FALSE))"
    kinds = {"": "true", "_two_way": two_way, "_competitor": "about_competitor"}
    counts: list[str] = []
    params: list[Any] = []
    for name, (first, last) in windows.items():
        for suffix, condition in kinds.items():
            counts.append(f'count(*) FILTER (WHERE at >= %s AND at < %s AND {condition}) AS "{name}{suffix}"')
            params += [tenant.start_of(first), tenant.start_of(last)]
    sql = f"""
        SELECT customer_id, {", ".join(counts)} FROM customers_interaction
        WHERE tenant_id = %s AND at >= %s AND at < %s AND {_AMONG}
        GROUP BY customer_id
    """
    first, last = _span(windows)
    params += [tenant.pk, tenant.start_of(first), tenant.start_of(last), *_among(customers)]
    columns = [f"{name}{suffix}" for name in windows for suffix in kinds]
    schema = {"customer_id": pl.Int64} | dict.fromkeys(columns, pl.Int32)
    return read_frame(sql, params, schema=schema, few=customers is not None)


def last_answers(as_of: dt.date, contacts: int, run: int, customers: Customers = None) -> pl.DataFrame:
    """customer_id, asked, answered, unanswered_run and last_asked_on of the last outbound contacts before `as_of`.

    Only contacts of which somebody noted whether they were answered. asked and answered count the last `contacts` of
    them; unanswered_run the latest in a row without an answer, among as many or the last `run` if these are more.
    """
    tenant = current_tenant()
    return read_frame(
        f"""
        SELECT customer_id,
               count(*) FILTER (WHERE place <= %s),
               count(*) FILTER (WHERE place <= %s AND answered),
               coalesce(min(place) FILTER (WHERE answered) - 1, count(*)),
               (max(at) AT TIME ZONE %s)::date
        FROM (
            SELECT customer_id, at, answered,
                   row_number() OVER (PARTITION BY customer_id ORDER BY at DESC, id DESC) AS place
            FROM customers_interaction
            WHERE tenant_id = %s AND direction = 'outbound' AND answered IS NOT NULL AND at < %s AND {_AMONG}
        ) asked
        WHERE place <= %s GROUP BY customer_id
        """,
        [contacts, contacts, tenant.timezone, tenant.pk, tenant.start_of(as_of), *_among(customers),
         max(contacts, run)],
        schema={
            "customer_id": pl.Int64,
            "asked": pl.Int32,
            "answered": pl.Int32,
            "unanswered_run": pl.Int32,
            "last_asked_on": pl.Date,
        },
        few=customers is not None,
    )  # fmt: skip


def complaint_counts(windows: Mapping[str, Window], customers: Customers = None) -> pl.DataFrame:
    """customer_id, and for each named window the number of complaints opened in it."""
    tenant = current_tenant()
    counts: list[str] = []
    params: list[Any] = []
    for name, (first, last) in windows.items():
        counts.append(f'count(*) FILTER (WHERE opened_at >= %s AND opened_at < %s) AS "{name}"')
        params += [tenant.start_of(first), tenant.start_of(last)]
    sql = f"""
        SELECT customer_id, {", ".join(counts)} FROM customers_complaint
        WHERE tenant_id = %s AND opened_at >= %s AND opened_at < %s AND {_AMONG} GROUP BY customer_id
    """
    first, last = _span(windows)
    params += [tenant.pk, tenant.start_of(first), tenant.start_of(last), *_among(customers)]
    schema = {"customer_id": pl.Int64} | dict.fromkeys(windows, pl.Int32)
    return read_frame(sql, params, schema=schema, few=customers is not None)


def repeated_questions(as_of: dt.date, customers: Customers = None) -> pl.DataFrame:
    """customer_id and repeated_open: the most complaints about one topic that were open when `as_of` began.

    Topics are the same whatever their capitals and the blanks around them.
    """
    tenant = current_tenant()
    start = tenant.start_of(as_of)
    return read_frame(
        f"""
        SELECT customer_id, max(number) FROM (
            SELECT customer_id, count(*) AS number FROM customers_complaint
            WHERE tenant_id = %s AND opened_at < %s AND (solved_at IS NULL OR solved_at >= %s) AND {_AMONG}
            GROUP BY customer_id, lower(btrim(topic))
        ) topics GROUP BY customer_id
        """,
        [tenant.pk, start, start, *_among(customers)],
        schema={"customer_id": pl.Int64, "repeated_open": pl.Int32},
        few=customers is not None,
    )


def solutions(window: Window, customers: Customers = None) -> pl.DataFrame:
    """customer_id, solved and solved_first: what was solved in the window, and how much of it the first time.

    Complaints solved in it, and contacts in it, of which somebody noted whether once was enough.
    """
    tenant = current_tenant()
    span = [tenant.start_of(window[0]), tenant.start_of(window[1])]
    return read_frame(
        f"""
        SELECT customer_id, count(*), count(*) FILTER (WHERE first_time) FROM (
            SELECT customer_id, first_time FROM customers_complaint
            WHERE tenant_id = %s AND solved_at >= %s AND solved_at < %s AND first_time IS NOT NULL AND {_AMONG}
            UNION ALL
            SELECT customer_id, solved FROM customers_interaction
            WHERE tenant_id = %s AND at >= %s AND at < %s AND solved IS NOT NULL AND {_AMONG}
        ) questions GROUP BY customer_id
        """,
        [tenant.pk, *span, *_among(customers)] * 2,
        schema={"customer_id": pl.Int64, "solved": pl.Int32, "solved_first": pl.Int32},
        few=customers is not None,
    )


def satisfaction(window: Window, customers: Customers = None) -> pl.DataFrame:
    """customer_id, csat_sum and csat_count of the CSAT answers (1 to 5) of a window."""
    tenant = current_tenant()
    return read_frame(
        f"""
        SELECT customer_id, sum(score), count(*) FROM customers_surveyresponse
        WHERE tenant_id = %s AND kind = 'csat' AND at >= %s AND at < %s AND {_AMONG} GROUP BY customer_id
        """,
        [tenant.pk, tenant.start_of(window[0]), tenant.start_of(window[1]), *_among(customers)],
        schema={"customer_id": pl.Int64, "csat_sum": pl.Int32, "csat_count": pl.Int32},
        few=customers is not None,
    )


def recommendation(window: Window, customers: Customers = None) -> pl.DataFrame:
    """customer_id, promoters, detractors (rules.surveys) and nps_count over the contacts' latest NPS of a window.

    Answers that name no contact count as those of one person.
    """
    tenant = current_tenant()
    return read_frame(
        f"""
        SELECT customer_id, count(*) FILTER (WHERE score >= %s), count(*) FILTER (WHERE score <= %s), count(*) FROM (
            SELECT DISTINCT ON (customer_id, contact_id) customer_id, score FROM customers_surveyresponse
            WHERE tenant_id = %s AND kind = 'nps' AND at >= %s AND at < %s AND {_AMONG}
            ORDER BY customer_id, contact_id, at DESC, id DESC
        ) latest GROUP BY customer_id
        """,
        [PROMOTER_FROM, DETRACTOR_TO, tenant.pk, tenant.start_of(window[0]), tenant.start_of(window[1]),
         *_among(customers)],
        schema={"customer_id": pl.Int64, "promoters": pl.Int32, "detractors": pl.Int32, "nps_count": pl.Int32},
        few=customers is not None,
    )  # fmt: skip


def _among(customers: Customers) -> list[Any]:
    ids = None if customers is None else list(customers)
    return [ids, ids]
