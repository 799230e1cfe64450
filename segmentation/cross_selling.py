"""The night's step of cross-sell: once a month the rules, every night whose order sizes shrink.

On a quiet night only customers are compared anew about whom facts have come in or whose orders have passed an edge of the
two spans. Of the others both spans hold what they held, and a comparison that says the same changes nothing.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

import polars as pl
from django.utils import timezone

from customers.changes import cut_points, days_before, due_by_facts
from customers.frames import bought_on_both_sides, first_purchases, order_sizes, relations
from customers.models import month_of
from segmentation.facts import of_customers
from segmentation.models import CrossSellRule, CrossSellRun, SpecDrift, Standing
from segmentation.rules import cross_sell, drift
from segmentation.rules.policy import CrossSellPolicy
from segmentation.rules.rfm import window_start
from tenants.context import current_tenant
from tenants.frames import merge_frame, read_frame
from tenants.parts import Customers, among, are_few, parts_of
from tenants.policies import Policy, active_policy, policy_numbered
from tenants.runs import Counts, Piece, Prepared, Step

GROWN = 1.25
"""So many times the buyers of the last search: the rules are out of date before the month is over."""

_KEYS = ["antecedent", "consequent"]


STRETCH: Final = 250_000
"""Customers whose lines are read at a time for the search."""


def run(as_of: dt.date) -> Counts:
    """Search for rules when it is time, and compare everybody's order sizes, as of a day.

    Returns rules (new, changed or gone) and drifting (customers whose row is new, changed or gone).
    """
    return STEP.at_once(as_of)


def prepare(piece: Piece) -> Prepared:
    """Search for rules when it is time."""
    policy = active_policy()
    rules = policy.section(CrossSellPolicy)
    changed = _search(policy, rules, piece.as_of) if _is_time(rules, piece.as_of) else 0
    return Prepared(counts={"rules": changed})


def work(piece: Piece) -> Counts:
    """Compare the order sizes of a part's customers."""
    policy = active_policy()
    rules = policy.section(CrossSellPolicy)
    split = days_before(rules.drift_days)(piece.as_of)

    def compared(customers: Customers) -> pl.DataFrame:
        if are_few(customers):
            # Most customers about whom something has come in never bought enough articles twice to be compared.
            customers = bought_on_both_sides(split, rules.drift_days, rules.drift_products, customers)
        living = relations(customers=customers).select("customer_id")
        return order_sizes(split, rules.drift_days, customers).join(living, on="customer_id", how="semi")

    if piece.since is None:
        sizes, standing = compared(piece.part), _standing(piece.part)
    else:
        due = due_by_facts(piece, orders=[days_before(rules.drift_days), days_before(2 * rules.drift_days)])
        sizes, standing = of_customers(due, compared), of_customers(due, _standing)
    return {"drifting": _drift(sizes, standing, policy, rules, piece)}


def _is_time(rules: CrossSellPolicy, as_of: dt.date) -> bool:
    """Whether to search: first night of a month, other rules of the game, or facts that have grown.

    A search that found too little to work with is repeated every night, so that a firm that has just
    delivered its orders does not wait for the month to end.
    """
    start = month_of(as_of)
    following = (start + dt.timedelta(days=31)).replace(day=1)
    last: CrossSellRun | None = (
        CrossSellRun.objects.filter(as_of__gte=start, as_of__lt=following).order_by("-as_of").first()
    )
    if last is None or policy_numbered(last.policy_version).section(CrossSellPolicy) != rules:
        return True
    if last.reason not in {"", "no_rules"}:
        return True
    buyers = Standing.objects.filter(last_order_on__gte=window_start(as_of, rules.window_months)).count()
    return buyers > GROWN * last.customers


def _search(policy: Policy, rules: CrossSellPolicy, as_of: dt.date) -> int:
    window = (window_start(as_of, rules.window_months), as_of)
    by_category = rules.level == "category"
    bought = (
        first_purchases(window, by_category=by_category, customers=part) for part in parts_of(cut_points(STRETCH))
    )
    found = cross_sell.search(bought, rules, as_of)
    gone = _rules_in_force().join(found.rules, on=_KEYS, how="anti").get_column("id").to_list()
    CrossSellRule.objects.filter(pk__in=gone).delete()
    merged = merge_frame(CrossSellRule, found.rules, keys=_KEYS)
    outcome = {
        "level": rules.level,
        "customers": found.customers,
        "items": found.items,
        "rules": found.rules.height,
        "reason": found.reason,
        "policy_version": policy.number,
    }
    # A search repeated for the same night that finds the same leaves its row alone.
    if not CrossSellRun.objects.filter(as_of=as_of, **outcome).exists():
        CrossSellRun.objects.update_or_create(as_of=as_of, defaults={**outcome, "created_at": timezone.now()})
    return merged.written + len(gone)


def _rules_in_force() -> pl.DataFrame:
    return read_frame(
        "SELECT id, antecedent, consequent FROM segmentation_crosssellrule WHERE tenant_id = %s",
        [current_tenant().pk],
        schema={"id": pl.Int64, "antecedent": pl.String, "consequent": pl.String},
    )


def _standing(customers: Customers) -> pl.DataFrame:
    """customer_id and since of those (of `customers`) whose order sizes shrank until now."""
    return read_frame(
        f"SELECT customer_id, since FROM segmentation_specdrift WHERE tenant_id = %s AND {among(customers)}",
        [current_tenant().pk],
        schema={"customer_id": pl.Int64, "since": pl.Date},
        few=are_few(customers),
    )


def _drift(sizes: pl.DataFrame, standing: pl.DataFrame, policy: Policy, rules: CrossSellPolicy, piece: Piece) -> int:
    """Bring the rows of those who were compared, `standing` among them, to what the comparison says."""
    found = drift.drifting(drift.ratios(sizes), standing, rules, piece.as_of)
    gone = standing.join(found, on="customer_id", how="anti").get_column("customer_id").to_list()
    removed, _each = SpecDrift.objects.filter(customer_id__in=gone).delete()
    merged = merge_frame(SpecDrift, found, keys=["customer_id"], constants={"policy_version": policy.number})
    return merged.written + removed


STEP: Final = Step(work, prepare)
