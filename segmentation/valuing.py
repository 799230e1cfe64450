"""What customers are worth: the lifetime model of the month, everybody's value, and the explanation of one.

The night's step "value" fits the model on the first night of a month (and when the policy's sections "value" or
"tiers" have changed since), and values everybody by it; on other nights only customers whose facts have changed.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
from pydantic import TypeAdapter, ValidationError

from customers.changes import cut_points, due_by_facts
from customers.frames import (
    evidence,
    evidence_kinds,
    order_days,
    order_spans,
    paid_invoices,
    relations,
    window_sums,
)
from customers.models import Customer
from segmentation.facts import of_customers, ranked_money, tier_facts, tiers_in_force
from segmentation.models import LifetimeFit, Worth
from segmentation.rules import clv, lifetime, rfm, scorecard, tiers
from segmentation.rules.levels import Levels
from segmentation.rules.policy import TierPolicy, ValuePolicy
from tenants.base import POINTS
from tenants.context import current_tenant
from tenants.frames import insert_frame, merge_frame, read_frame
from tenants.parts import Customers, among, are_few, parts_of
from tenants.policies import Policy, active_policy, policy_numbered
from tenants.runs import Counts, Piece, Prepared, Step

BEGINNING: Final = dt.date(1900, 1, 1)
"""Before all orders."""

STRETCH: Final = 250_000
"""Customers whose facts are held at a time while the model is fitted to everybody."""

PAID_ORDERS: Final = 5
"""So many of the last ones say how a customer pays."""

# What is looked at each night; whoever differs is valued anew. The rank and the window's money move with time and
# with others: they are taken anew when the customer is.
_WATCHED: Final = {
    "fit_id": pl.Int64,
    "tier": pl.String,
    "repeats": pl.Int32,
    "first_order_on": pl.Date,
    "last_order_on": pl.Date,
    "mean_order": pl.Int64,
    "net": pl.Int64,
    "days_late": pl.Float64,
    "referred_net": pl.Int64,
    "evidence": pl.String,
    "indirect_kept": pl.Boolean,
    "strategic_kept": pl.Boolean,
}
_COLUMNS: Final = [
    "customer_id", "valued_on", "fit_id", "tier", "repeats", "first_order_on", "last_order_on", "mean_order", "net",
    "window_net", "more_than", "days_late", "referred_net", "evidence", "alive", "expected_orders",
    "expected_order_money", "clv", "clv_simple", "direct", "indirect", "strategic", "score", "pays_on",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Basis:
    """What the values of a night rest on beside a customer's own facts: the ranking, and which books the firm keeps."""

    ranking: Levels
    indirect: bool
    strategic: bool


_SHARED: Final = TypeAdapter(Basis)


def run(as_of: dt.date) -> Counts:
    """Fit when it is time, and value whoever is due; returns customers, fitted (models) and changed."""
    return STEP.at_once(as_of)


def prepare(piece: Piece) -> Prepared:
    """Fit when it is time, and look at what everybody's value has in common."""
    policy = active_policy()
    _fit_row, is_new = _fit_in_force(policy, piece.as_of)
    months = policy.section(ValuePolicy).evidence_months
    kept = {scorecard.KINDS[kind] for kind in evidence_kinds((rfm.window_start(piece.as_of, months), piece.as_of))}
    basis = Basis(scorecard.ranking(ranked_money()), "indirect" in kept, "strategic" in kept)
    return Prepared(_SHARED.dump_python(basis, mode="json"), counts={"fitted": int(is_new)})


def work(piece: Piece) -> Counts:
    """Value those of a part who are due; returns customers and changed."""
    policy = active_policy()
    rules, basis = policy.section(ValuePolicy), _SHARED.validate_python(piece.shared)
    # Not the one that prepare saw, when somebody has fitted by hand since: who was valued by it is due again next night.
    fit = fit_in_force(piece.as_of)
    if fit is None:
        raise RuntimeError(f"No lifetime model as of {piece.as_of}: the step was not prepared")
    noted = _noted(fit, policy, piece)
    known = _fresh(policy, piece.as_of, piece.part) if piece.since is None else _asked(fit, policy, basis, noted, piece)
    facts = _facts(known, noted, fit, basis)
    stored = of_customers(facts.get_column("customer_id").to_list(), _stored)
    due = _due(facts, stored)
    changed = _write(_valued(due, fit, rules, piece.as_of).select(*_COLUMNS, "is_valued"), policy)
    _note_payments(facts, stored)
    ours = Worth.objects.filter(customer__gte=piece.part.first, customer__lte=piece.part.last)
    ours.filter(customer__in=Customer.objects.filter(closed_on__isnull=False)).delete()
    return {"customers": ours.count(), "changed": changed}


def _write(valued: pl.DataFrame, policy: Policy) -> int:
    by = {"policy_version": policy.number}
    known, new = valued.filter("is_valued").drop("is_valued"), valued.filter(~pl.col("is_valued")).drop("is_valued")
    changed = merge_frame(Worth, known, keys=["customer_id"], constants=by, insert=False).updated
    return changed + insert_frame(Worth, new, constants=by)


def _note_payments(facts: pl.DataFrame, stored: pl.DataFrame) -> None:
    """Keep up which payments are still to come of those whose value is as it was."""
    both = facts.select("customer_id", "pays_on").join(stored.select("customer_id", then="pays_on"), on="customer_id")
    differing = both.filter(pl.col("pays_on").ne_missing(pl.col("then"))).select("customer_id", "pays_on")
    merge_frame(Worth, differing, keys=["customer_id"], insert=False)


# ── facts ───────────────────────────────────────────────────────────────────


def _bought(as_of: dt.date, rules: TierPolicy, customers: Customers = None) -> pl.DataFrame:
    """A row for everybody who ever ordered, closed customers too: their orders say as much about the model.

    customer_id, first_order_on, last_order_on, repeats (order days after the first), net and window_net (points, of
    all time and of the tiers' window), mean_order (points): what came in after the first order day, credit notes
    deducted, per order day; null without repeats.
    """
    sums = window_sums(
        {"all": (BEGINNING, as_of), "window": (rfm.window_start(as_of, rules.window_months), as_of)}, customers
    )
    return (
        order_spans(as_of, customers)
        .join(sums, on="customer_id", how="left")
        .with_columns(
            repeats=pl.col("days") - 1,
            net=pl.col("all_net").fill_null(0),
            window_net=pl.col("window_net").fill_null(0),
            first_net=pl.col("first_net").fill_null(0),
        )
        .with_columns(mean_order=_per_day(pl.col("net") - pl.col("first_net"), pl.col("repeats")))
        .select("customer_id", "first_order_on", "last_order_on", "repeats", "net", "window_net", "mean_order")
        .sort("customer_id")
    )


def _per_day(points: pl.Expr, days: pl.Expr) -> pl.Expr:
    return pl.when(days > 0).then((points / days).round(0, mode="half_to_even")).cast(pl.Int64)


def _fresh(policy: Policy, as_of: dt.date, customers: Customers) -> pl.DataFrame:
    """Living customers with tier, and what orders and payments say: `_bought`, days_late and pays_on."""
    paid = paid_invoices(as_of, PAID_ORDERS, customers).select("customer_id", "days_late", "pays_on")
    return (
        relations(customers=customers)
        .select("customer_id")
        .join(tiers_in_force(customers).select("customer_id", "tier"), on="customer_id", how="left")
        .join(_bought(as_of, policy.section(TierPolicy), customers), on="customer_id", how="left")
        .join(paid, on="customer_id", how="left")
    )


def _asked(fit: LifetimeFit, policy: Policy, basis: Basis, noted: pl.DataFrame, piece: Piece) -> pl.DataFrame:
    """The same as `_fresh` of those of the part whose value can be another than it was.

    Of whose orders and payments nothing new is known, all of it is kept with the value; only tier, evidence, model or
    the firm's books are others, and the money of the window is that by which the tier was given tonight.
    """
    stale = _stale(fit, basis, piece)
    unread = stale.filter("is_unread").get_column("customer_id")
    due = {*due_by_facts(piece, orders=[]), *unread}
    others = {*stale.get_column("customer_id"), *_noted_anew(noted, piece)} - due
    fresh = of_customers(sorted(due), lambda some: _fresh(policy, piece.as_of, some))
    return pl.concat([fresh, of_customers(sorted(others), _kept).select(fresh.columns)]).sort("customer_id")


def _stale(fit: LifetimeFit, basis: Basis, piece: Piece) -> pl.DataFrame:
    """customer_id and is_unread of the part's customers with no value, or with one that rests on something else.

    is_unread: what orders and payments say has to be read, there is no value or a payment that was to come has come.
    """
    known = "(w.first_order_on IS NOT NULL OR w.evidence <> '[]')"
    books = [
        f"(w.{part} IS NULL) = {known}" if kept else f"w.{part} IS NOT NULL"
        for part, kept in (("indirect", basis.indirect), ("strategic", basis.strategic))
    ]
    return read_frame(
        f"""
        SELECT s.customer_id, w.customer_id IS NULL OR coalesce(w.pays_on < %s, false)
        FROM segmentation_standing s
        LEFT JOIN segmentation_worth w
          ON w.tenant_id = %s AND w.customer_id = s.customer_id AND {piece.part.sql("w.customer_id")}
        WHERE s.tenant_id = %s AND {piece.part.sql("s.customer_id")} AND (
            w.customer_id IS NULL OR w.tier <> s.tier OR w.fit_id IS DISTINCT FROM %s OR w.pays_on < %s
            OR {" OR ".join(books)}
        )
        """,
        [piece.as_of, current_tenant().pk, current_tenant().pk, fit.pk, piece.as_of],
        schema={"customer_id": pl.Int64, "is_unread": pl.Boolean},
    )


def _noted_anew(noted: pl.DataFrame, piece: Piece) -> list[int]:
    """The ids of the part's customers about whom other evidence counts now than the value rests on."""
    stored = read_frame(
        f"""
        SELECT customer_id, evidence::text, referred_net FROM segmentation_worth
        WHERE tenant_id = %s AND {piece.part.sql()} AND evidence <> '[]'
        """,
        [current_tenant().pk],
        schema={"customer_id": pl.Int64, "evidence": pl.String, "referred_net": pl.Int64},
    )
    told = ["customer_id", "evidence", "referred_net"]
    now, then = noted.select(told), stored.select(told)
    differing = pl.concat([now.join(then, on=told, how="anti"), then.join(now, on=told, how="anti")])
    return differing.get_column("customer_id").unique().to_list()


def _kept(customers: Customers) -> pl.DataFrame:
    """customer_id, tier, what `_bought` says, days_late and pays_on, from what is kept with their value and standing."""
    return read_frame(
        f"""
        SELECT w.customer_id, s.tier, w.first_order_on, w.last_order_on,
               CASE WHEN w.first_order_on IS NOT NULL THEN w.repeats END,
               w.net, CASE WHEN w.first_order_on IS NOT NULL THEN s.monetary END, w.mean_order, w.days_late, w.pays_on
        FROM segmentation_worth w
        JOIN segmentation_standing s ON s.tenant_id = %s AND s.customer_id = w.customer_id
        WHERE w.tenant_id = %s AND {among(customers, "w.customer_id")} AND {among(customers, "s.customer_id")}
        ORDER BY w.customer_id
        """,
        [current_tenant().pk] * 2,
        schema={
            "customer_id": pl.Int64, "tier": pl.String, "first_order_on": pl.Date, "last_order_on": pl.Date,
            "repeats": pl.Int32, "net": pl.Int64, "window_net": pl.Int64, "mean_order": pl.Int64,
            "days_late": pl.Float64, "pays_on": pl.Date,
        },
        few=are_few(customers),
    )  # fmt: skip


def _facts(known: pl.DataFrame, noted: pl.DataFrame, fit: LifetimeFit, basis: Basis) -> pl.DataFrame:
    """What the customers' values rest on, `_WATCHED` among it."""
    is_known = pl.col("first_order_on").is_not_null() | (pl.col("evidence") != _NO_EVIDENCE)
    ordered_money = pl.when(pl.col("first_order_on").is_not_null()).then("window_net")
    return (
        known.join(noted, on="customer_id", how="left")
        .with_columns(
            pl.col("repeats", "net", "window_net", "referred_net", "indirect_points", "strategic_points").fill_null(0),
            pl.col("tier").fill_null(""),
            pl.col("evidence").fill_null(_NO_EVIDENCE),
            fit_id=pl.lit(fit.pk, dtype=pl.Int64),
        )
        .with_columns(
            more_than=scorecard.more_than(ordered_money, basis.ranking),
            indirect_kept=is_known & basis.indirect,
            strategic_kept=is_known & basis.strategic,
        )
    )


_NO_EVIDENCE: Final = "[]"


def _noted(fit: LifetimeFit, policy: Policy, piece: Piece) -> pl.DataFrame:
    """The evidence of the policy's months by customer of the part, and what its points come to.

    customer_id, evidence (JSON), indirect_points, strategic_points and referred_net.
    """
    rules, as_of = policy.section(ValuePolicy), piece.as_of
    found = evidence((rfm.window_start(as_of, rules.evidence_months), as_of), piece.part)
    named = found.filter(
        (pl.col("kind") == "referral") & pl.col("referred_id").is_not_null() & (pl.col("referred_id") != pl.col("customer_id"))
    ).unique(["customer_id", "referred_id"])  # fmt: skip
    who = named.get_column("referred_id").unique().sort().to_list()
    came = of_customers(who, lambda some: _window_money(policy, as_of, some)).rename({"customer_id": "referred_id"})
    referred = dict(
        named.join(came, on="referred_id").group_by("customer_id").agg(pl.col("window_net").sum()).rows()
    )  # fmt: skip
    by_customer: dict[int, list[scorecard.Evidence]] = {}
    for number, customer, kind, _referred in found.rows():
        row = (number, kind, scorecard.evidence_points(kind, rules.evidence))
        by_customer.setdefault(customer, []).append(row)
    for customer, net in referred.items():
        points = scorecard.referred_points(net, fit.inputs.get("typical_money"), rules.evidence)
        by_customer[customer].append((None, scorecard.REFERRED_MONEY, points))
    rows = [
        (
            customer,
            json.dumps(lines),
            scorecard.points_of(lines, "indirect"),
            scorecard.points_of(lines, "strategic"),
            referred.get(customer, 0),
        )
        for customer, lines in by_customer.items()
    ]
    schema = {
        "customer_id": pl.Int64, "evidence": pl.String, "indirect_points": pl.Int64, "strategic_points": pl.Int64,
        "referred_net": pl.Int64,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _window_money(policy: Policy, as_of: dt.date, customers: Customers) -> pl.DataFrame:
    """customer_id and window_net of those who ever ordered."""
    start = rfm.window_start(as_of, policy.section(TierPolicy).window_months)
    ordered = order_days(as_of, customers).select("customer_id").unique()
    sums = window_sums({"window": (start, as_of)}, customers).select("customer_id", "window_net")
    return ordered.join(sums, on="customer_id", how="left").with_columns(pl.col("window_net").fill_null(0))


def _stored(customers: Customers) -> pl.DataFrame:
    """`_WATCHED` and pays_on as the customers' values have them."""
    return read_frame(
        f"""
        SELECT customer_id, fit_id, tier, repeats, first_order_on, last_order_on, mean_order, net, days_late,
               referred_net, evidence::text, indirect IS NOT NULL, strategic IS NOT NULL, pays_on
        FROM segmentation_worth WHERE tenant_id = %s AND {among(customers)}
        """,
        [current_tenant().pk],
        schema={"customer_id": pl.Int64, **_WATCHED, "pays_on": pl.Date},
        few=are_few(customers),
    )


def _due(facts: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """The customers who have no value yet (not is_valued) or whose facts differ from those that their value rests on."""
    marked = stored.with_columns(is_valued=pl.lit(value=True))
    differs = [pl.col(name).ne_missing(pl.col(f"{name}_stored")) for name in _WATCHED]
    both = facts.join(marked, on="customer_id", how="left", suffix="_stored", maintain_order="left")
    both = both.with_columns(pl.col("is_valued").fill_null(value=False))
    return both.filter(~pl.col("is_valued") | pl.any_horizontal(differs)).select(*facts.columns, "is_valued")


def _valued(due: pl.DataFrame, fit: LifetimeFit, rules: ValuePolicy, as_of: dt.date) -> pl.DataFrame:
    expected = clv.forecast(due, orders_of(fit), money_of(fit), rules, as_of)
    by_facts = [
        pl.when(pl.col(f"{part}_kept")).then(f"{part}_points").alias(f"{part}_points") for part in ("indirect", "strategic")
    ]  # fmt: skip
    scored = scorecard.score_frame(expected.with_columns(by_facts), rules)
    return scored.with_columns(
        clv.simple(due, due.get_column("tier"), retentions_of(fit), rules, as_of), valued_on=pl.lit(as_of)
    )


# ── the model of the month ──────────────────────────────────────────────────


def fit_lifetime(as_of: dt.date) -> LifetimeFit:
    """Fit the lifetime model as of a day and keep it as that day's, in place of one that says otherwise."""
    policy = active_policy()
    return _fit(_crowd(as_of, policy.section(TierPolicy)), policy, as_of)


_OF_CROWD: Final = ("first_order_on", "last_order_on", "repeats", "mean_order", "window_net")


def _crowd(as_of: dt.date, rules: TierPolicy) -> pl.DataFrame:
    """What `_bought` says of everybody, but for who they are: read in stretches, so that only this is held at once."""
    stretches = [_bought(as_of, rules, part).select(*_OF_CROWD) for part in parts_of(cut_points(STRETCH))]
    return pl.concat(stretches)


def fit_in_force(as_of: dt.date) -> LifetimeFit | None:
    """The latest model of that day or before; None before the first night."""
    row: LifetimeFit | None = LifetimeFit.objects.filter(as_of__lte=as_of).order_by("-as_of").first()
    return row


def orders_of(fit: LifetimeFit | None) -> lifetime.Orders | None:
    """The parameters of BG/NBD; None without a model."""
    if fit is None or fit.r is None or fit.alpha is None or fit.a is None or fit.b is None:
        return None
    return lifetime.Orders(fit.r, fit.alpha, fit.a, fit.b)


def money_of(fit: LifetimeFit | None) -> lifetime.Money | None:
    """The parameters of Gamma-Gamma; None without a model."""
    if fit is None or fit.p is None or fit.q is None or fit.v is None:
        return None
    return lifetime.Money(fit.p, fit.q, fit.v)


def retentions_of(fit: LifetimeFit | None) -> dict[str, clv.Retention]:
    """Retention by tier as of the fit's day, and the whole firm's under clv.EVERYBODY."""
    kept: Mapping[str, Any] = {} if fit is None else fit.inputs.get("retention", {})
    return {tier: clv.Retention(tier=tier, **counts) for tier, counts in kept.items()}


def _fit_in_force(policy: Policy, as_of: dt.date) -> tuple[LifetimeFit, bool]:
    """The model that counts on a night, fitted now if it is time; and whether it was."""
    last = fit_in_force(as_of)
    if last is not None and (last.as_of.year, last.as_of.month) == (as_of.year, as_of.month):
        same = last.policy_version == policy.number or _says_the_same(policy_numbered(last.policy_version), policy)
        if same and last.reason not in lifetime.TOO_LITTLE:
            return last, False
        crowd = _crowd(as_of, policy.section(TierPolicy))
        # A firm that brings its history in the middle of a month does not wait for the next.
        if same and _too_little(crowd, policy, as_of) == last.reason:
            return last, False
    else:
        crowd = _crowd(as_of, policy.section(TierPolicy))
    return _fit(crowd, policy, as_of), True


def _says_the_same(before: Policy, policy: Policy) -> bool:
    """Whether two versions agree in all that a value rests on."""
    try:
        return all(before.section(kind) == policy.section(kind) for kind in (ValuePolicy, TierPolicy))
    except ValidationError:  # of another release, whose rules were others
        return False


def _too_little(crowd: pl.DataFrame, policy: Policy, as_of: dt.date) -> str:
    rules = policy.section(ValuePolicy)
    recency, age = clv.weeks(crowd, as_of)
    return lifetime.why_not(
        crowd.get_column("repeats").to_numpy(), recency, age,
        minimum_repeaters=rules.minimum_repeaters, minimum_days=rules.minimum_days,
    )  # fmt: skip


def _fit(crowd: pl.DataFrame, policy: Policy, as_of: dt.date) -> LifetimeFit:
    rules = policy.section(ValuePolicy)
    recency, age = clv.weeks(crowd, as_of)
    orders = lifetime.fit_orders(
        crowd.get_column("repeats").to_numpy(), recency, age,
        minimum_repeaters=rules.minimum_repeaters, minimum_days=rules.minimum_days,
    )  # fmt: skip
    again = crowd.filter(pl.col("repeats") > 0)
    money = lifetime.MoneyFit(customers=0, excluded=0)
    if orders.converged:
        money = lifetime.fit_money(
            again.get_column("repeats").to_numpy(),
            again.get_column("mean_order").to_numpy() / POINTS,
            minimum_repeaters=rules.minimum_repeaters,
        )
    values: dict[str, Any] = {
        "customers": orders.customers,
        "repeaters": orders.repeaters,
        "r": orders.r,
        "alpha": orders.alpha,
        "a": orders.a,
        "b": orders.b,
        "log_likelihood": orders.log_likelihood,
        "p": money.p,
        "q": money.q,
        "v": money.v,
        "converged": orders.converged and money.converged,
        "reason": orders.reason or money.reason,
        "policy_version": policy.number,
        "inputs": {
            "retention": _retention(policy, as_of),
            "typical_money": _typical_money(crowd),
            "limits": [*orders.limits, *money.limits],
            "money": {
                "customers": money.customers,
                "excluded": money.excluded,
                "correlation": money.correlation,
                "log_likelihood": money.log_likelihood,
            },
        },
    }
    kept: LifetimeFit | None = LifetimeFit.objects.filter(as_of=as_of).first()
    if kept is not None:
        if all(getattr(kept, name) == value for name, value in values.items()):
            return kept
        # A new row, not a changed one: values that rest on the old one then know that they are outdated.
        kept.delete()
    row: LifetimeFit = LifetimeFit.objects.create(as_of=as_of, **values)
    return row


def _retention(policy: Policy, as_of: dt.date) -> dict[str, dict[str, int]]:
    """Who ordered in the year before last, and again in the last one: the counts of clv.Retention by tier of then."""
    rules = policy.section(TierPolicy)
    year_ago, two_ago = rfm.window_start(as_of, 12), rfm.window_start(as_of, 24)
    years = {"before": (two_ago, year_ago), "again": (year_ago, as_of)}
    ranked, asked = [], []
    for part in parts_of(cut_points(STRETCH)):
        then = tier_facts(year_ago, rules, closed_since=year_ago, customers=part)
        ranked.append(then.filter(pl.col("last_order_on").is_not_null()).select(*rfm.RFM_FACTS))
        ordered = window_sums(years, part).filter(pl.col("before_orders") > 0)
        asked.append(
            ordered.select("customer_id", before=pl.lit(value=True), again=pl.col("again_orders") > 0)
            .join(then.drop("pin").cast({"growth_potential": pl.Categorical}), on="customer_id", how="left")
        )  # fmt: skip
    everybody = pl.concat(ranked)
    scale = rfm.scale(everybody, year_ago)
    lines = tiers.lines(rfm.score(everybody, year_ago, scale), rules)
    del everybody, ranked
    facts = []
    for stretch in asked:
        scored = rfm.score(stretch.cast({"growth_potential": pl.String}), year_ago, scale)
        facts.append(tiers.assign(scored, rules, year_ago, lines).select("before", "again", tier="target"))
    found = clv.retention(pl.concat(facts))
    return {tier: {"customers": each.customers, "again": each.again} for tier, each in found.items()}


def _typical_money(crowd: pl.DataFrame) -> int | None:
    """Points: the median money of customers who brought some in the tiers' window."""
    median = crowd.filter(pl.col("window_net") > 0).get_column("window_net").median()
    return int(median) if isinstance(median, int | float) else None


# ── one customer's ──────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Explained:
    """All that a customer's value consists of, as of the day of the valuation."""

    worth: Worth
    fit: LifetimeFit | None
    discounted: clv.Discounted
    simple: clv.Simple
    scorecard: scorecard.Scorecard


def explain(worth: Worth, policy: Policy | None = None) -> Explained:
    """Every number behind a customer's value, worked out again from the facts and the model kept with it.

    `policy` is a version that is at hand: it spares a query when the value was worked out by it.
    """
    if policy is None or policy.number != worth.policy_version:
        policy = policy_numbered(worth.policy_version)
    rules = policy.section(ValuePolicy)
    facts = clv.ValueFacts(
        first_order_on=worth.first_order_on,
        last_order_on=worth.last_order_on,
        repeats=worth.repeats,
        mean_order=None if worth.mean_order is None else int(worth.mean_order * POINTS),
        net=int(worth.net * POINTS),
    )
    fit: LifetimeFit | None = worth.fit
    noted = scorecard.ScoreFacts(
        tier=worth.tier,
        ordered=worth.first_order_on is not None,
        more_than=worth.more_than,
        days_late=worth.days_late,
        evidence=tuple((number, kind, points) for number, kind, points in worth.evidence),
        indirect_kept=worth.indirect is not None,
        strategic_kept=worth.strategic is not None,
    )
    return Explained(
        worth=worth,
        fit=fit,
        discounted=clv.explain_discounted(facts, orders_of(fit), money_of(fit), rules, worth.valued_on),
        simple=clv.explain_simple(facts, worth.tier, retentions_of(fit), rules, worth.valued_on),
        scorecard=scorecard.receipt(noted, rules),
    )


STEP: Final = Step(work, prepare)
