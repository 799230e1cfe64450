"""Reading: sales figures, what to offer whom, where spending turned; each limited to what a member sees.

Every figure has a way to its rows: `ordered_between`, `moved_between`, `candidates` and `drifting` narrow a
list of customers to those behind a number. Figures as of the last night are those that it has counted
(`segmentation.counting`); of other days, and of who is new since, they are counted from the rows.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Final

import polars as pl
from django.db.models import Case, CharField, Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from customers.models import Activity, Customer, Interaction, Order, OrderLine, Product, month_of
from customers.tallies import OWNERS, tallied
from segmentation.models import CrossSellRule, CrossSellRun, SegmentationTally, SpecDrift, TierChange
from segmentation.rules import inflections as turning
from segmentation.rules import sales
from segmentation.rules.policy import CrossSellPolicy, TierPolicy
from segmentation.rules.rfm import window_start
from tenants.base import POINTS
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.models import Member
from tenants.permissions import SEES_ALL
from tenants.policies import active_policy, policy_numbered

_ITEM_OF_PRODUCT: Final = re.compile(r"#(\d{1,18})")
TALK_MONTHS: Final = 2
MIGRATION_DAYS: Final = 30
"""From how long ago the moves between tiers are shown when nobody asks for other days."""


# ── repurchase, order values, Pareto, season ─────────────────────────────────


def repurchase(member: Member, as_of: dt.date) -> list[sales.Rate]:
    """The repurchase rates of the last full month, quarter (3 full months) and year (12), in this order."""
    return _rates(member, as_of, [sales.span(period, as_of) for period in sales.PERIODS])


def repurchase_series(member: Member, as_of: dt.date) -> list[sales.Rate]:
    """The monthly repurchase rates of the last 12 full months, oldest first."""
    return _rates(member, as_of, series_spans(as_of))


def series_spans(as_of: dt.date) -> list[sales.Span]:
    """The last 12 full months before a day, oldest first."""
    return [sales.span("month", as_of, ago) for ago in range(sales.SERIES_MONTHS)][::-1]


def _rates(member: Member, as_of: dt.date, spans: Sequence[sales.Span]) -> list[sales.Rate]:
    if (cells := tallied(SegmentationTally, member, "repurchase", as_of)) is not None:
        known = {(cell["period"], cell["end"]): (cell["before"], cell["again"]) for cell in cells}
        counted = [known[each.period, str(each.end)] for each in spans]
    else:
        row = repurchases(spans, *_seen_by(member)).row(0)
        counted = list(zip(row[::2], row[1::2], strict=True))
    begun = _history_month()
    return [
        sales.Rate(each, before, again, covered=begun is not None and begun <= each.before)
        for each, (before, again) in zip(spans, counted, strict=True)
    ]


def repurchases(
    spans: Sequence[sales.Span], seen: str = "", seen_params: Sequence[Any] = (), *, by_owners: bool = False
) -> pl.DataFrame:
    """before_n and again_n of each span: buyers of the period before it, and how many of them bought again.

    One query: each customer's order months as bits, then counted per span; a row for each pair of owners when asked
    for. `seen` narrows the customers.
    """
    first, end = min(each.before for each in spans), max(each.end for each in spans)
    counts, counted_params = [], list[Any]()
    for each in spans:
        before, now = _bits(first, each.before, each.start), _bits(first, each.start, each.end)
        counts.append("count(*) FILTER (WHERE months & %s <> 0)")
        counts.append("count(*) FILTER (WHERE months & %s <> 0 AND months & %s <> 0)")
        counted_params += [before, before, now]
    place = "(extract(year FROM month) * 12 + extract(month FROM month))::int - %s"
    tenant_id = current_tenant().pk
    months = f"""
        SELECT customer_id, bit_or(1::bigint << ({place})) AS months FROM customers_activity
        WHERE tenant_id = %s AND month >= %s AND month < %s AND orders > 0 {seen}
        GROUP BY customer_id
    """
    params = [first.year * 12 + first.month, tenant_id, first, end, *seen_params]
    schema = {f"{what}_{n}": pl.Int64 for n in range(len(spans)) for what in ("before", "again")}
    if by_owners:
        sql = f"""
            SELECT c.owner_a_id, c.owner_b_id, {", ".join(counts)} FROM ({months}) bought
            JOIN customers_customer c ON c.tenant_id = %s AND c.id = bought.customer_id
            GROUP BY c.owner_a_id, c.owner_b_id
        """
        return read_frame(sql, [*counted_params, *params, tenant_id], schema=OWNERS | schema)
    sql = f"SELECT {', '.join(counts)} FROM ({months}) bought"
    return read_frame(sql, [*counted_params, *params], schema=schema)


def _bits(first: dt.date, start: dt.date, end: dt.date) -> int:
    """The months from start until before end, as bits counted from `first`."""
    low, high = sales.months_between(first, start), sales.months_between(first, end)
    return (1 << high) - (1 << low)


def order_values(member: Member, as_of: dt.date) -> sales.OrderValues:
    """Net money per order: the last 24 full months, and growth by month, quarter and year."""
    first = sales.add_months(as_of, -2 * sales.YEAR_MONTHS)
    months = [
        sales.OrderMonth(month, orders, Decimal(net) / POINTS)
        for month, orders, net in _months(member, as_of)
        if month >= first
    ]
    return sales.order_values(months, as_of, _history_month())


def seasons(member: Member, as_of: dt.date) -> sales.Seasons:
    """The share of each calendar month in the orders of all full years."""
    months = [(month, orders) for month, orders, _net in _months(member, as_of)]
    return sales.seasons(months, as_of, _history_month())


def _months(member: Member, as_of: dt.date) -> list[tuple[dt.date, int, int]]:
    """Month, orders and net (points) of the member's customers, for full months before a day with anything."""
    if (cells := tallied(SegmentationTally, member, "months", as_of)) is not None:
        return [(dt.date.fromisoformat(cell["month"]), cell["orders"], cell["net"]) for cell in cells]
    seen, params = _seen_by(member)
    found = read_frame(
        f"""
        SELECT month, sum(orders), sum(net) FROM customers_activity
        WHERE tenant_id = %s AND month < %s {seen} GROUP BY month ORDER BY month
        """,
        [current_tenant().pk, sales.add_months(as_of, 0), *params],
        schema={"month": pl.Date, "orders": pl.Int64, "net": pl.Int64},
    )
    return found.rows()


def _history_month() -> dt.date | None:
    """The first month that the firm's orders cover in full; None without an order."""
    orders = Order.objects.filter(kind=Order.Kind.ORDER, status=Order.Status.PLACED)
    first = orders.order_by("placed_on").values_list("placed_on", flat=True).first()
    return None if first is None else sales.history_month(first)


def pareto(member: Member, as_of: dt.date, rules: TierPolicy) -> sales.Pareto:
    """Who brings the money of the tier window `[as_of - window_months, as_of)`; closed customers are left out.

    The core is the set that the scheme "sales-team" calls so: the policy's `core_share` of the money.
    """
    start = window_start(as_of, rules.window_months)
    for cell in tallied(SegmentationTally, member, "pareto", as_of) or ():
        kept = sales.Pareto.from_json(cell)
        if (kept.start, kept.core_share) == (start, rules.core_share):
            return kept
    sql, params = _money_sql(start, as_of, *_seen_by(member))
    living = "SELECT id FROM customers_customer WHERE tenant_id = %s AND closed_on IS NULL"
    money = read_frame(
        f"SELECT net FROM ({sql}) money WHERE customer_id IN ({living})",
        [*params, current_tenant().pk],
        schema={"net": pl.Int64},
    )
    return sales.pareto(money.get_column("net"), start, as_of, core_share=rules.core_share, scale=POINTS)


# ── migration between tiers ──────────────────────────────────────────────────


def migration(member: Member, start: dt.date, end: dt.date) -> pl.DataFrame:
    """before, after, customers and money: how many customers had which tier on two days.

    A customer's tier on a day is that of the last change on or before it; "" is none: never ordered, not
    yet tiered, or closed by then. money (points) is the net money of the tier window that ends with `end`.
    Raises ValueError when `end` lies before `start`.
    """
    if end < start:
        raise ValueError(f"end ({end}) lies before start ({start})")
    months = active_policy().section(TierPolicy).window_months
    counted = tallied(SegmentationTally, member, "moves", end)
    if counted and (counted[0]["start"], counted[0]["months"]) == (str(start), months):
        return pl.DataFrame(counted).select("before", "after", "customers", "money").sort("before", "after")
    return tier_moves(start, end, window_start(end, months), partial(_seen_by, member))


def tier_moves(
    start: dt.date,
    end: dt.date,
    window: dt.date,
    seen: Callable[[str], tuple[str, list[Any]]] = lambda _column: ("", []),
    *,
    standings_of_end: bool = False,
    by_owners: bool = False,
) -> pl.DataFrame:
    """before, after, customers and money of `migration`, a row for each pair of owners when asked for.

    A tier is read back from today's: what the first change after a day came from. So only the changes since `start`
    are read, not the years before. `seen` narrows the customers by a column that has their id. `standings_of_end`: the
    night of `end` has just written the standings, whose money is that of the window.
    """
    tenant_id = current_tenant().pk
    owners = "c.owner_a_id, c.owner_b_id, " if by_owners else ""
    first_since = (
        'SELECT DISTINCT ON (customer_id) customer_id, before FROM segmentation_tierchange WHERE tenant_id = %s AND "on"'
        ' > %s ORDER BY customer_id, "on", id'
    )
    # A customer without a standing (closed, or new since the night) has at most its last change.
    bare = """
        AND customer_id = ANY(ARRAY(
            SELECT c.id FROM customers_customer c
            LEFT JOIN segmentation_standing n ON n.tenant_id = %s AND n.customer_id = c.id
            WHERE c.tenant_id = %s AND n.customer_id IS NULL
        ))"""
    narrow = (bare, [tenant_id, tenant_id]) if standings_of_end else seen("customer_id")
    money, money_params = _money_sql(window, end, *narrow)
    ids, ids_params = seen("id")
    net = "COALESCE(n.monetary, m.net)" if standings_of_end else "m.net"
    places = "1, 2, 3, 4" if by_owners else "1, 2"
    return read_frame(
        f"""
        SELECT {owners}
               CASE WHEN c.closed_on <= %s THEN '' ELSE COALESCE(b.before, n.tier, l.after, '') END AS before,
               CASE WHEN c.closed_on <= %s THEN '' ELSE COALESCE(a.before, n.tier, l.after, '') END AS after,
               count(*), COALESCE(sum({net}), 0)::bigint
        FROM (
            SELECT id, closed_on, owner_a_id, owner_b_id FROM customers_customer WHERE tenant_id = %s {ids}
        ) c
        LEFT JOIN segmentation_standing n ON n.tenant_id = %s AND n.customer_id = c.id
        LEFT JOIN ({first_since}) b ON b.customer_id = c.id
        LEFT JOIN ({first_since}) a ON a.customer_id = c.id
        LEFT JOIN LATERAL (
            SELECT t.after FROM segmentation_tierchange t
            WHERE n.customer_id IS NULL AND t.tenant_id = %s AND t.customer_id = c.id
            ORDER BY t."on" DESC, t.id DESC LIMIT 1
        ) l ON true
        LEFT JOIN ({money}) m ON m.customer_id = c.id
        GROUP BY {places} ORDER BY {places}
        """,
        [
            *(start, end, tenant_id, *ids_params, tenant_id),
            *(tenant_id, start, tenant_id, end, tenant_id),
            *money_params,
        ],
        schema=(OWNERS if by_owners else {})
        | {"before": pl.String, "after": pl.String, "customers": pl.Int64, "money": pl.Int64},
    )


def moved_between(
    rows: QuerySet[Customer], start: dt.date, end: dt.date, before: str, after: str
) -> QuerySet[Customer]:
    """Those of the customers who had the tier `before` on `start` and `after` on `end`: a cell of `migration`."""
    return had_tier(had_tier(rows, start, before), end, after)


def had_tier(rows: QuerySet[Customer], day: dt.date, tier: str) -> QuerySet[Customer]:
    """Those of the customers who had a tier on a day; "" is none."""
    name = f"tier_on_{day:%Y%m%d}"
    return rows.alias(**{name: _tier_on(day)}).filter(**{name: tier})


def changed_between(rows: QuerySet[Customer], start: dt.date, end: dt.date) -> QuerySet[Customer]:
    """Those of the customers whose tier on `end` is another one than on `start`: all that `migration` moves."""
    return rows.alias(tier_on_start=_tier_on(start), tier_on_end=_tier_on(end)).exclude(tier_on_start=F("tier_on_end"))


def _tier_on(day: dt.date) -> Case:
    last = (
        TierChange.objects.filter(tenant_id=current_tenant().pk, customer=OuterRef("pk"), on__lte=day)
        .order_by("-on", "-pk")
        .values("after")[:1]
    )
    none = Value("", output_field=CharField())
    return Case(When(closed_on__lte=day, then=none), default=Coalesce(Subquery(last), none))


# ── money and orders of the customers that a member sees ─────────────────────


def ordered_between(rows: QuerySet[Customer], start: dt.date, end: dt.date) -> QuerySet[Customer]:
    """Those of the customers who placed an order in `[start, end)`; twice, it gives who ordered again."""
    return rows.filter(_placed_between(start, end))


def silent_between(rows: QuerySet[Customer], start: dt.date, end: dt.date) -> QuerySet[Customer]:
    """Those of the customers who placed no order in `[start, end)`."""
    return rows.filter(~_placed_between(start, end))


def _placed_between(start: dt.date, end: dt.date) -> Exists:
    return Exists(
        Order.objects.filter(
            tenant_id=current_tenant().pk,
            customer=OuterRef("pk"),
            kind=Order.Kind.ORDER,
            status=Order.Status.PLACED,
            placed_on__gte=start,
            placed_on__lt=end,
        )
    )


def _seen_by(member: Member, column: str = "customer_id") -> tuple[str, list[Any]]:
    """A condition on `column` for the customers that the member sees; empty for who sees all."""
    if member.role in SEES_ALL:
        return "", []
    sql, params = Customer.objects.visible_to(member).order_by().values("pk").query.sql_with_params()
    return f"AND {column} IN ({sql})", list(params)


def _money_sql(start: dt.date, end: dt.date, seen: str = "", seen_params: Sequence[Any] = ()) -> tuple[str, list[Any]]:
    """customer_id and net (points) of `[start, end)`: whole months from the rollup, cut ones from the orders."""
    cut = sorted({month_of(edge) for edge in (start, end) if edge.day != 1})
    tenant_id = current_tenant().pk
    sql = f"""
        SELECT customer_id, sum(net) AS net FROM (
            SELECT customer_id, net FROM customers_activity
            WHERE tenant_id = %s AND month >= %s AND month < %s AND month <> ALL(%s::date[]) {seen}
            UNION ALL
            SELECT customer_id, net FROM customers_order
            WHERE tenant_id = %s AND status = 'placed' AND placed_on >= %s AND placed_on < %s {seen}
              AND EXISTS (SELECT 1 FROM unnest(%s::date[]) AS cut
                          WHERE placed_on >= cut AND placed_on < cut + interval '1 month')
        ) pieces GROUP BY customer_id
    """
    params = [tenant_id, month_of(start), end, cut, *seen_params, tenant_id, start, end, *seen_params, cut]
    return sql, params


# ── turning points of one customer ───────────────────────────────────────────


@dataclass(frozen=True)
class Inflection:
    """From `month` on the customer spends on another level; `before` and `after` are mean net money a month."""

    month: dt.date
    before: Decimal
    after: Decimal
    change: float | None
    """As a share of before (0.5 is half as much again); None when there was nothing to compare with."""
    talks: Sequence[Interaction]
    """What the team did in the two months before, newest first."""


def inflections(customer: Customer, as_of: dt.date) -> list[Inflection]:
    """The turning points of a customer's monthly net money in the last 36 full months, oldest first."""
    end = sales.add_months(as_of, 0)
    rows: dict[dt.date, Decimal] = dict(
        Activity.objects.filter(customer=customer, month__lt=end).values_list("month", "net")
    )
    if not rows:
        return []
    first = max(min(rows), sales.add_months(end, -turning.HISTORY_MONTHS))
    months = [sales.add_months(first, n) for n in range(sales.months_between(first, end))]
    found = turning.steps([float(rows.get(month, 0)) for month in months])
    if not found:
        return []
    tenant = current_tenant()
    edges = [months[step.place] for step in found]
    talks = list(
        Interaction.objects.filter(
            customer=customer,
            at__gte=tenant.start_of(sales.add_months(edges[0], -TALK_MONTHS)),
            at__lt=tenant.start_of(edges[-1]),
        )
        .select_related("member__user")
        .order_by("-at", "-pk")
    )
    return [
        Inflection(
            month=month,
            before=Decimal(str(round(step.before, 4))),
            after=Decimal(str(round(step.after, 4))),
            change=step.change,
            talks=[
                talk
                for talk in talks
                if tenant.start_of(sales.add_months(month, -TALK_MONTHS)) <= talk.at < tenant.start_of(month)
            ],
        )
        for month, step in zip(edges, found, strict=True)
    ]


# ── cross-sell ───────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Suggestion:
    """What a customer may want next, and the rule that says so.

    The rule's `followed` of `customers` who bought the antecedent bought the consequent within
    `within_days`, half of them in `median_days`.
    """

    rule: CrossSellRule
    antecedent_label: str
    consequent_label: str
    within_days: int
    bought_on: dt.date
    """The day of the customer's first purchase of the antecedent in the rules' window."""
    last_bought_on: dt.date

    @property
    def strength(self) -> float:
        """What suggestions are ranked by: confidence × lift."""
        return float(self.rule.confidence * self.rule.lift)


def last_search() -> CrossSellRun | None:
    """The search that the rules come from; None before the first."""
    run: CrossSellRun | None = CrossSellRun.objects.order_by("-as_of").first()
    return run


def _rules_of(run: CrossSellRun) -> CrossSellPolicy:
    """The policy section by which a search worked."""
    return policy_numbered(run.policy_version).section(CrossSellPolicy)


def suggestions(customer: Customer, run: CrossSellRun | None) -> list[Suggestion]:
    """What to offer a customer: rules whose antecedent it has bought in the window, and whose consequent never.

    By the rules of `run`, the `last_search`. Best first, each consequent once, at most as many as the policy says.
    """
    if run is None or not run.rules:
        return []
    rules = _rules_of(run)
    start = window_start(run.as_of, rules.window_months)
    lines = OrderLine.objects.filter(**_BOUGHT, order__customer=customer)
    by_product = {
        product: (category, first, last)
        for product, category, first, last in lines.values_list("product_id", "product__category").annotate(
            first=Min("order__placed_on", filter=Q(order__placed_on__gte=start)), last=Max("order__placed_on")
        )
    }
    bought: dict[str, tuple[dt.date, dt.date]] = {}
    ever: set[str] = set()
    for product, (category, first, last) in by_product.items():
        item = category if category and run.level == "category" else f"#{product}"
        ever.add(item)
        if first is not None:
            known = bought.get(item, (first, last))
            bought[item] = min(known[0], first), max(known[1], last)
    found = CrossSellRule.objects.annotate(as_of=Value(run.as_of)).filter(antecedent__in=_one_of(bought))
    found = found.exclude(consequent__in=_one_of(ever))
    ranked = sorted(found, key=lambda rule: (-rule.confidence * rule.lift, -rule.followed, rule.pk))
    chosen: dict[str, CrossSellRule] = {}
    for rule in ranked:
        chosen.setdefault(rule.consequent, rule)
    best = list(chosen.values())[: active_policy().section(CrossSellPolicy).suggestions]
    labels = item_labels({item for rule in best for item in (rule.antecedent, rule.consequent)})
    return [
        Suggestion(
            rule=rule,
            antecedent_label=labels[rule.antecedent],
            consequent_label=labels[rule.consequent],
            within_days=rules.within_days,
            bought_on=bought[rule.antecedent][0],
            last_bought_on=bought[rule.antecedent][1],
        )
        for rule in best
    ]


def _one_of(items: Collection[str]) -> RawSQL:
    """The items as rows of one parameter: as thousands of parameters they would cost more than the search."""
    return RawSQL("SELECT unnest(%s::text[])", [list(items)])


def item_labels(items: Collection[str]) -> dict[str, str]:
    """What people call the items of rules: a category's own name, a product's name or number."""
    numbers = {item: int(match[1]) for item in items if (match := _ITEM_OF_PRODUCT.fullmatch(item))}
    products = {row.pk: str(row) for row in Product.objects.filter(pk__in=set(numbers.values()))} if numbers else {}
    return {item: products.get(numbers[item], item) if item in numbers else item for item in items}


def candidates(rule: CrossSellRule, member: Member) -> QuerySet[Customer]:
    """The customers whom the rule's consequent could be offered: seen by the member, and not closed."""
    return could_be_offered(Customer.objects.visible_to(member).filter(closed_on__isnull=True), rule)


def could_be_offered(rows: QuerySet[Customer], rule: CrossSellRule) -> QuerySet[Customer]:
    """Those of the customers who bought the rule's antecedent in its window, and never the consequent."""
    run = last_search()
    if run is None:
        return rows.none()
    start = window_start(run.as_of, _rules_of(run).window_months)
    have = _buyers(rule.antecedent).filter(order__placed_on__gte=start)
    return rows.filter(pk__in=have).exclude(pk__in=_buyers(rule.consequent))


_BOUGHT: Final[dict[str, Any]] = {
    "order__kind": Order.Kind.ORDER,
    "order__status": Order.Status.PLACED,
    "quantity__gt": 0,
}


def _buyers(item: str) -> QuerySet[Any]:
    """The ids of the customers who ever bought an item of rules."""
    match = _ITEM_OF_PRODUCT.fullmatch(item)
    products = Product.objects.filter(Q(category=item) | Q(pk=int(match[1]))) if match else None
    if products is None:
        products = Product.objects.filter(category=item)
    tenant_id = current_tenant().pk
    rows: QuerySet[Any] = OrderLine.objects.filter(
        **_BOUGHT, order__tenant_id=tenant_id, product__in=products.values("pk")
    ).values("order__customer_id")
    return rows


def drifting(rows: QuerySet[Customer]) -> QuerySet[Customer]:
    """Those of the customers whose order lines have grown smaller."""
    return rows.filter(_drifts())


def steady(rows: QuerySet[Customer]) -> QuerySet[Customer]:
    """Those of the customers whose order lines have not grown smaller."""
    return rows.filter(~_drifts())


def _drifts() -> Exists:
    return Exists(SpecDrift.objects.filter(tenant_id=current_tenant().pk, customer=OuterRef("pk")))
