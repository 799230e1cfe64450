"""The night's step of cross-sell: once a month the rules, every night whose order sizes shrink."""

from __future__ import annotations

import datetime as dt

import polars as pl
from django.utils import timezone

from customers.frames import first_purchases, living_customers, order_sizes
from customers.models import month_of
from segmentation.models import CrossSellRule, CrossSellRun, SpecDrift, Standing
from segmentation.rules import cross_sell, drift
from segmentation.rules.policy import CrossSellPolicy
from segmentation.rules.rfm import window_start
from tenants.context import current_tenant
from tenants.frames import merge_frame, read_frame
from tenants.policies import Policy, active_policy, policy_numbered

GROWN = 1.25
"""So many times the buyers of the last search: the rules are out of date before the month is over."""

_KEYS = ["antecedent", "consequent"]


def run(as_of: dt.date) -> dict[str, int]:
    """Search for rules when it is time, and compare order sizes, as of a day.

    Returns rules (new, changed or gone) and drifting (customers whose row is new, changed or gone).
    """
    policy = active_policy()
    rules = policy.section(CrossSellPolicy)
    changed = _search(policy, rules, as_of) if _is_time(rules, as_of) else 0
    return {"rules": changed, "drifting": _drift(policy, rules, as_of)}


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
    found = cross_sell.search(first_purchases(window, by_category=rules.level == "category"), rules, as_of)
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


def _drift(policy: Policy, rules: CrossSellPolicy, as_of: dt.date) -> int:
    standing = read_frame(
        "SELECT customer_id, since FROM segmentation_specdrift WHERE tenant_id = %s",
        [current_tenant().pk],
        schema={"customer_id": pl.Int64, "since": pl.Date},
    )
    sizes = order_sizes(as_of - dt.timedelta(days=rules.drift_days), rules.drift_days)
    compared = drift.ratios(sizes.join(living_customers(), on="customer_id", how="semi"))
    found = drift.drifting(compared, standing, rules, as_of)
    gone = standing.join(found, on="customer_id", how="anti").get_column("customer_id").to_list()
    SpecDrift.objects.filter(customer_id__in=gone).delete()
    merged = merge_frame(SpecDrift, found, keys=["customer_id"], constants={"policy_version": policy.number})
    return merged.written + len(gone)
