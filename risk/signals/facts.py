"""The facts behind the signals as a frame, one row per customer: as the last night left them, or as of a past day."""

from __future__ import annotations

import datetime as dt
from typing import Final

import polars as pl

from customers.changes import Boundary, days_before
from customers.frames import Window, books_kept, contact_counts, days_of, last_touches, rollup, window_sums
from customers.models import month_of
from health.facts import PARTS, Reads, facts_of
from health.rules.policy import HealthPolicy
from risk.complaints.repeats import repeated
from risk.rules.complaint_policy import ComplaintPolicy
from risk.rules.policy import RiskPolicy
from risk.rules.signals import SIGNAL_FACTS, falling, gaps
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.parts import Customers, among, are_few
from tenants.policies import Policy

GAP_YEARS: Final = 2
"""So far back, in whole months, order days are looked at for whether a customer orders less often."""

_HEALTH: Final = (
    "last_order_on", "median_gap", "categories_recent", "categories_before", "complaints_recent", "complaints_before",
    "orders_recent", "orders_before", "unanswered_run", "last_asked_on", "promoters", "detractors",
    "nps_count",
)  # fmt: skip
"""What of a health score's facts the signals rest on."""

_NIGHT: Final = {
    "customer_id": pl.Int64,
    "tier": pl.String,
    **{name: SIGNAL_FACTS[name] for name in _HEALTH},
    **{name: SIGNAL_FACTS[name] for name in ("percent", "is_warned", "warned_on", "ratio", "products", "since")},
}


def night_facts(as_of: dt.date, policy: Policy, customers: Customers) -> pl.DataFrame:
    """The columns of `rules.signals.SIGNAL_FACTS` of living customers, as of a day.

    What health, forecast and cross-sell have found stands in their tables, as their last step or the re-score since left
    it; the rest is read from facts dated before `as_of`.
    """
    tenant_id = current_tenant().pk
    columns = ", ".join(f"h.{name}" for name in _HEALTH)
    stood = read_frame(
        f"""
        SELECT h.customer_id, COALESCE(s.tier, ''), {columns}, f.percent, f.is_warned, f.warned_on,
               d.ratio, d.products, d.since
        FROM health_healthscore h
        LEFT JOIN segmentation_standing s
          ON s.tenant_id = %s AND s.customer_id = h.customer_id AND {among(customers, "s.customer_id")}
        LEFT JOIN health_lapseforecast f
          ON f.tenant_id = %s AND f.customer_id = h.customer_id AND {among(customers, "f.customer_id")}
        LEFT JOIN segmentation_specdrift d
          ON d.tenant_id = %s AND d.customer_id = h.customer_id AND {among(customers, "d.customer_id")}
        WHERE h.tenant_id = %s AND {among(customers, "h.customer_id")}
        """,
        [tenant_id] * 4,
        schema=_NIGHT,
        few=are_few(customers),
    )
    return _with_own(stood, as_of, policy, customers, Reads())


def past_facts(as_of: dt.date, policy: Policy, customers: Customers, reads: Reads) -> pl.DataFrame:
    """The same of a past day, by the facts dated before it that are known today.

    The tier is that of the day. What a night has said then and nobody kept, the lapse forecast and shrinking order
    sizes, is null. `reads` is what other days and policies have read.
    """
    kept = ["customer_id", "tier", *_HEALTH]
    stood = facts_of(as_of, policy, customers, of_that_day=True, reads=reads).select(kept)
    unknown = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in _NIGHT.items() if name not in kept]
    return _with_own(stood.with_columns(unknown), as_of, policy, customers, reads)


# ── what the signals read themselves ────────────────────────────────────────


def _with_own(stood: pl.DataFrame, as_of: dt.date, policy: Policy, customers: Customers, reads: Reads) -> pl.DataFrame:
    """The frame with what is read for the signals alone; of those that nobody watches it stays null."""
    rules = policy.section(RiskPolicy)
    watched: set[str] = set(rules.watched)
    found = stood
    if "contact_silence" in watched:
        touched = reads(last_touches, as_of, customers)
        found = _joined(found, touched.group_by("customer_id").agg(last_contact_on=pl.col("last_touch_on").max()))
    if "frequency_falling" in watched:
        found = _joined(found, gaps(reads(_order_days, as_of, customers), rules))
    if windows := _order_windows(as_of, rules, watched):
        found = _joined(found, _sums(reads(window_sums, windows, customers), rules, watched))
    if "competitor_pull" in watched and reads(books_kept, as_of).competitors:
        found = _joined(found, _competitors(as_of, rules, customers, reads))
    if "repeated_question" in watched:
        asked = reads(repeated, customers, as_of=as_of, policy=policy.section(ComplaintPolicy))
        found = _joined(found, _most_asked(asked))
    if "leaving" in watched:
        found = _joined(found, reads(_leaving, as_of, rules.leaving_days, customers))
    missing = [
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in SIGNAL_FACTS.items() if name not in found.columns
    ]
    return found.with_columns(missing).select(*SIGNAL_FACTS)


def _joined(found: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    return found.join(more, on="customer_id", how="left")


def _order_days(as_of: dt.date, customers: Customers) -> pl.DataFrame:
    """customer_id and day of the order days of this month and the last GAP_YEARS."""
    first = dt.date(as_of.year - GAP_YEARS, as_of.month, 1)
    months = rollup(as_of, customers, f"days <> 0 AND month >= DATE '{first.isoformat()}'")
    return days_of(months.select("customer_id", "month", "days"), as_of)


def _order_windows(as_of: dt.date, rules: RiskPolicy, watched: set[str]) -> dict[str, Window]:
    windows: dict[str, Window] = {}
    if "activity_drop" in watched:
        recent = as_of - dt.timedelta(days=rules.activity_days)
        windows["recent"], windows["before"] = (
            (recent, as_of),
            (recent - dt.timedelta(days=rules.activity_days), recent),
        )
    if "competitor_pull" in watched:
        end = month_of(as_of)
        for number in range(rules.spend_months, -1, -1):
            begin = month_of(end - dt.timedelta(days=1))
            windows[f"month_{number}"], end = (begin, end), begin
    return windows


def _sums(sums: pl.DataFrame, rules: RiskPolicy, watched: set[str]) -> pl.DataFrame:
    told = sums.select("customer_id")
    if "activity_drop" in watched:
        told = told.with_columns(activity_recent=sums["recent_orders"], activity_before=sums["before_orders"])
    if "competitor_pull" in watched:
        nets = {f"month_{number}": f"month_{number}_net" for number in range(rules.spend_months + 1)}
        told = _joined(told, falling(sums.select("customer_id", **nets), rules))
    return told


def _competitors(as_of: dt.date, rules: RiskPolicy, customers: Customers, reads: Reads) -> pl.DataFrame:
    """customer_id, competitor_recent and competitor_before; who was not talked to has asked nothing."""
    recent = as_of - dt.timedelta(days=rules.competitor_days)
    windows = {"recent": (recent, as_of), "before": (recent - dt.timedelta(days=rules.competitor_days), recent)}
    return reads(contact_counts, windows, customers).select(
        "customer_id", competitor_recent="recent_competitor", competitor_before="before_competitor"
    )


def _most_asked(asked: pl.DataFrame) -> pl.DataFrame:
    """customer_id and repeated_times, repeated_topic and repeated_on of what each customer asked most, then last."""
    return (
        asked.sort("customer_id", "times", "last_on", "topic")
        .select(
            "customer_id",
            repeated_times=pl.col("times").cast(pl.Int32),
            repeated_topic="topic",
            repeated_on="last_on",
        )
        .unique("customer_id", keep="last", maintain_order=True)
    )


def _leaving(as_of: dt.date, days: int, customers: Customers) -> pl.DataFrame:
    """customer_id, leaving and leaving_at (local, ISO): what was said last of going to somebody else, in these days."""
    tenant = current_tenant()
    return read_frame(
        f"""
        SELECT DISTINCT ON (customer_id) customer_id, leaving,
               to_char(at AT TIME ZONE %s, 'YYYY-MM-DD"T"HH24:MI:SS.US')
        FROM customers_interaction
        WHERE tenant_id = %s AND leaving <> '' AND at >= %s AND at < %s AND {among(customers)}
        ORDER BY customer_id, at DESC, id DESC
        """,
        [tenant.timezone, tenant.pk, tenant.start_of(as_of - dt.timedelta(days=days)), tenant.start_of(as_of)],
        schema={"customer_id": pl.Int64, "leaving": pl.String, "leaving_at": pl.String},
        few=are_few(customers),
    )


# ── when they move ──────────────────────────────────────────────────────────

_PARTS: Final = ("rhythm", "money", "categories", "replies", "complaints", "advocacy")
"""The parts of health's facts that the signals rest on."""


def boundaries(policy: Policy) -> dict[str, list[Boundary]]:
    """Where the windows of the signals begin and end, by the kind of fact, as `customers.changes.crossed` takes them.

    Whole months move on the first of a month, when a night looks at everybody.
    """
    rules, health = policy.section(RiskPolicy), policy.section(HealthPolicy)
    repeats = days_before(policy.section(ComplaintPolicy).repeat_days)
    found: dict[str, list[Boundary]] = {
        "orders": [],
        "contacts": [],
        "complaints": [],
        "solutions": [],
        "responses": [],
    }
    for name in _PARTS:
        for kind, edges in PARTS[name].boundaries(health).items():
            found[kind] += edges
    found["orders"] += [days_before(rules.activity_days), days_before(2 * rules.activity_days)]
    found["contacts"] += [
        days_before(rules.contact_silence_days - 1),
        days_before(rules.competitor_days),
        days_before(2 * rules.competitor_days),
        days_before(rules.leaving_days),
        repeats,
    ]
    found["complaints"].append(repeats)
    return found


def silence_lines(rules: RiskPolicy) -> list[int]:
    """The days without an order at which a signal can turn."""
    return [rules.silence_days, rules.own_cycle_min_days, rules.ignore_after_days + 1, rules.nps_silence_days]
