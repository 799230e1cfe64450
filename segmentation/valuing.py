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
from pydantic import ValidationError

from customers.frames import days_late, evidence, first_day_money, order_days, relations, window_sums
from customers.models import Customer
from segmentation.facts import tier_facts, tiers_in_force
from segmentation.models import LifetimeFit, Worth
from segmentation.rules import clv, lifetime, rfm, scorecard, tiers
from segmentation.rules.policy import TierPolicy, ValuePolicy
from tenants.base import POINTS
from tenants.context import current_tenant
from tenants.frames import merge_frame, read_frame
from tenants.policies import Policy, active_policy, policy_numbered

BEGINNING: Final = dt.date(1900, 1, 1)
"""Before all orders."""

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
    "expected_order_money", "clv", "clv_simple", "direct", "indirect", "strategic", "score",
]  # fmt: skip


def run(as_of: dt.date) -> dict[str, int]:
    """Fit when it is time, and value whoever is due; returns customers, fitted (models) and changed."""
    policy = active_policy()
    bought = _bought(as_of, policy.section(TierPolicy))
    fit, is_new = _fit_in_force(bought, policy, as_of)
    facts = _facts(bought, fit, policy.section(ValuePolicy), as_of)
    due = _due(facts)
    merged = merge_frame(
        Worth,
        _valued(due, fit, policy.section(ValuePolicy), as_of).select(_COLUMNS),
        keys=["customer_id"],
        constants={"policy_version": policy.number},
    )
    Worth.objects.filter(customer__in=Customer.objects.filter(closed_on__isnull=False)).delete()
    return {"customers": facts.height, "fitted": int(is_new), "changed": merged.written}


# ── facts ───────────────────────────────────────────────────────────────────


def _bought(as_of: dt.date, rules: TierPolicy) -> pl.DataFrame:
    """A row for everybody who ever ordered, closed customers too: their orders say as much about the model.

    customer_id, first_order_on, last_order_on, repeats (order days after the first), net and window_net (points, of
    all time and of the tiers' window), mean_order (points): what came in after the first order day, credit notes
    deducted, per order day; null without repeats.
    """
    days = order_days(as_of).group_by("customer_id").agg(
        first_order_on=pl.col("day").min(), last_order_on=pl.col("day").max(), days=pl.len()
    )  # fmt: skip
    sums = window_sums(
        {"all": (BEGINNING, as_of), "window": (rfm.window_start(as_of, rules.window_months), as_of)}
    )  # fmt: skip
    repeats = pl.col("days").cast(pl.Int32) - 1
    return (
        days.join(sums, on="customer_id", how="left")
        .join(first_day_money(as_of), on="customer_id", how="left")
        .with_columns(
            repeats=repeats,
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


def _facts(bought: pl.DataFrame, fit: LifetimeFit, rules: ValuePolicy, as_of: dt.date) -> pl.DataFrame:
    """A row per living customer: what its value rests on, `_WATCHED` among it."""
    noted = _noted(bought, fit, rules, as_of)
    known = pl.col("first_order_on").is_not_null() | (pl.col("evidence") != _NO_EVIDENCE)
    return (
        relations()
        .select("customer_id")
        .join(bought, on="customer_id", how="left")
        .join(tiers_in_force().select("customer_id", "tier"), on="customer_id", how="left")
        .join(days_late(as_of), on="customer_id", how="left")
        .join(noted.rows, on="customer_id", how="left")
        .with_columns(
            pl.col("repeats", "net", "window_net", "referred_net", "indirect_points", "strategic_points").fill_null(0),
            pl.col("tier").fill_null(""),
            pl.col("evidence").fill_null(_NO_EVIDENCE),
            fit_id=pl.lit(fit.pk, dtype=pl.Int64),
            more_than=scorecard.more_than(pl.when(pl.col("first_order_on").is_not_null()).then("window_net")),
        )
        .with_columns(indirect_kept=known & noted.indirect, strategic_kept=known & noted.strategic)
    )


_NO_EVIDENCE: Final = "[]"


@dataclass(frozen=True)
class _Noted:
    """The evidence of the policy's months by customer, and of which parts the firm keeps a book at all."""

    rows: pl.DataFrame
    indirect: bool
    strategic: bool


def _noted(bought: pl.DataFrame, fit: LifetimeFit, rules: ValuePolicy, as_of: dt.date) -> _Noted:
    found = evidence((rfm.window_start(as_of, rules.evidence_months), as_of))
    named = found.filter(
        (pl.col("kind") == "referral") & pl.col("referred_id").is_not_null() & (pl.col("referred_id") != pl.col("customer_id"))
    ).unique(["customer_id", "referred_id"])  # fmt: skip
    came = bought.select(referred_id="customer_id", window_net="window_net")
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
    kept = {scorecard.KINDS[kind] for kind in found.get_column("kind").unique()}
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
    return _Noted(pl.DataFrame(rows, schema=schema, orient="row"), "indirect" in kept, "strategic" in kept)


def _due(facts: pl.DataFrame) -> pl.DataFrame:
    """The customers who have no value yet or whose facts differ from those that their value rests on."""
    stored = read_frame(
        """
        SELECT customer_id, fit_id, tier, repeats, first_order_on, last_order_on, mean_order, net, days_late,
               referred_net, evidence::text, indirect IS NOT NULL, strategic IS NOT NULL
        FROM segmentation_worth WHERE tenant_id = %s
        """,
        [current_tenant().pk],
        schema={"customer_id": pl.Int64, **_WATCHED},
    ).with_columns(is_valued=pl.lit(value=True))
    differs = [pl.col(name).ne_missing(pl.col(f"{name}_stored")) for name in _WATCHED]
    both = facts.join(stored, on="customer_id", how="left", suffix="_stored")
    return both.filter(pl.col("is_valued").is_null() | pl.any_horizontal(differs)).select(facts.columns)


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
    return _fit(_bought(as_of, policy.section(TierPolicy)), policy, as_of)


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


def _fit_in_force(bought: pl.DataFrame, policy: Policy, as_of: dt.date) -> tuple[LifetimeFit, bool]:
    """The model that counts on a night, fitted now if it is time; and whether it was."""
    last = fit_in_force(as_of)
    if last is not None and not _is_outdated(last, bought, policy, as_of):
        return last, False
    return _fit(bought, policy, as_of), True


def _is_outdated(fit: LifetimeFit, bought: pl.DataFrame, policy: Policy, as_of: dt.date) -> bool:
    if (fit.as_of.year, fit.as_of.month) != (as_of.year, as_of.month):
        return True
    if fit.policy_version != policy.number and not _says_the_same(policy_numbered(fit.policy_version), policy):
        return True
    # A firm that brings its history in the middle of a month does not wait for the next.
    return fit.reason in lifetime.TOO_LITTLE and _too_little(bought, policy, as_of) != fit.reason


def _says_the_same(before: Policy, policy: Policy) -> bool:
    """Whether two versions agree in all that a value rests on."""
    try:
        return all(before.section(kind) == policy.section(kind) for kind in (ValuePolicy, TierPolicy))
    except ValidationError:  # of another release, whose rules were others
        return False


def _too_little(bought: pl.DataFrame, policy: Policy, as_of: dt.date) -> str:
    rules = policy.section(ValuePolicy)
    recency, age = clv.weeks(bought, as_of)
    return lifetime.why_not(
        bought.get_column("repeats").to_numpy(), recency, age,
        minimum_repeaters=rules.minimum_repeaters, minimum_days=rules.minimum_days,
    )  # fmt: skip


def _fit(bought: pl.DataFrame, policy: Policy, as_of: dt.date) -> LifetimeFit:
    rules = policy.section(ValuePolicy)
    recency, age = clv.weeks(bought, as_of)
    orders = lifetime.fit_orders(
        bought.get_column("repeats").to_numpy(), recency, age,
        minimum_repeaters=rules.minimum_repeaters, minimum_days=rules.minimum_days,
    )  # fmt: skip
    again = bought.filter(pl.col("repeats") > 0)
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
            "retention": _retention(bought, policy, as_of),
            "typical_money": _typical_money(bought),
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


def _retention(bought: pl.DataFrame, policy: Policy, as_of: dt.date) -> dict[str, dict[str, int]]:
    rules = policy.section(TierPolicy)
    year_ago, two_ago = rfm.window_start(as_of, 12), rfm.window_start(as_of, 24)
    scored = rfm.score(tier_facts(year_ago, rules, closed_since=year_ago), year_ago)
    then = tiers.assign(scored, rules, year_ago).select("customer_id", tier="target")
    before = order_days(year_ago).filter(pl.col("day") >= two_ago).select("customer_id").unique()
    facts = (
        before.join(then, on="customer_id", how="left")
        .join(bought.select("customer_id", "last_order_on"), on="customer_id", how="left")
        .select("tier", before=pl.lit(value=True), again=(pl.col("last_order_on") >= year_ago).fill_null(value=False))
    )
    found = clv.retention(facts)
    return {tier: {"customers": each.customers, "again": each.again} for tier, each in found.items()}


def _typical_money(bought: pl.DataFrame) -> int | None:
    """Points: the median money of customers who brought some in the tiers' window."""
    median = bought.filter(pl.col("window_net") > 0).get_column("window_net").median()
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
