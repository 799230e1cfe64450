"""The facts behind the signals as a frame, one row per customer: as the last night left them, or as of a past day.

Most of them health, forecast and cross-sell have left in their tables. Six signals (OWN) rest on facts that are read
for them alone: as of a night only of whom the signal is asked about, and for whom it can fire at all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TypeAlias, get_args

import polars as pl

from customers.changes import Boundary, days_before
from customers.frames import (
    Window,
    books_kept,
    contact_counts,
    days_of,
    last_contacts,
    order_counts,
    rollup,
    window_sums,
)
from customers.models import month_of
from health.facts import PARTS, Reads, facts_of
from health.rules.policy import HealthPolicy
from risk.complaints.repeats import repeated
from risk.rules.complaint_policy import ComplaintPolicy
from risk.rules.policy import RiskPolicy
from risk.rules.signals import SIGNAL_FACTS, falling, gaps, possible
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.parts import Customers, Part, among, are_few
from tenants.policies import Policy

Own: TypeAlias = Literal[
    "contact_silence", "frequency_falling", "activity_drop", "competitor_pull", "repeated_question", "leaving"
]
OWN: Final[tuple[Own, ...]] = get_args(Own)
"""Signals that rest on facts which are read for them alone."""

Asked: TypeAlias = Mapping[Own, Sequence[int]]
"""Of whom each of OWN is asked, where that is not everybody who is looked at."""

Whom: TypeAlias = Callable[[Own], Customers]
"""Of whom a signal's own facts are to be read."""

SOME: Final = 25_000
"""More than so many of a part are read with the whole part, in one pass, and not one by one."""

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


def night_facts(as_of: dt.date, policy: Policy, customers: Customers, asked: Asked | None = None) -> pl.DataFrame:
    """The columns of `rules.signals.SIGNAL_FACTS` of living customers, as of a day: all that `fired` needs of them.

    What health, forecast and cross-sell have found stands in their tables, as their last step or the re-score since left
    it; the rest is read from facts dated before `as_of`, of those for whom their signal is `asked` (some of `customers`;
    default: all of them) and `possible`. Of everybody else it may be null: what is not known does not fire.
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
    rules = policy.section(RiskPolicy)

    def whom(signal: Own) -> Customers:
        able = stood.filter(possible(signal, rules, as_of)).get_column("customer_id")
        return _narrowed(customers if asked is None else asked[signal], able)

    return _with_own(stood, as_of, policy, whom, Reads(), in_full=False)


def past_facts(as_of: dt.date, policy: Policy, customers: Customers, reads: Reads) -> pl.DataFrame:
    """The same of a past day in full, by the facts dated before it that are known today.

    In full: also of those for whom nothing can fire, as `rules.signals.knowable` asks. The tier is that of the day. What
    a night has said then and nobody kept, the lapse forecast and shrinking order sizes, is null. `reads` is what other
    days and policies have read.
    """
    kept = ["customer_id", "tier", *_HEALTH]
    stood = facts_of(as_of, policy, customers, of_that_day=True, reads=reads).select(kept)
    unknown = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in _NIGHT.items() if name not in kept]
    return _with_own(stood.with_columns(unknown), as_of, policy, lambda _signal: customers, reads, in_full=True)


# ── what the signals read themselves ────────────────────────────────────────


def _with_own(
    stood: pl.DataFrame, as_of: dt.date, policy: Policy, whom: Whom, reads: Reads, *, in_full: bool
) -> pl.DataFrame:
    """The frame with what is read for the signals alone; of those that nobody watches it stays null.

    `in_full`: also what cannot make any of them fire.
    """
    rules = policy.section(RiskPolicy)
    watched: set[str] = set(rules.watched)
    found = stood
    if "contact_silence" in watched:
        found = _joined(found, reads(last_contacts, as_of, whom("contact_silence")))
    if "frequency_falling" in watched:
        found = _joined(found, gaps(reads(_order_days, as_of, whom("frequency_falling")), rules))
    if "activity_drop" in watched:
        found = _joined(found, reads(order_counts, _activity_windows(as_of, rules), whom("activity_drop")))
    if "competitor_pull" in watched and reads(books_kept, as_of).competitors:
        found = _joined(found, _pull(as_of, rules, whom("competitor_pull"), reads, in_full=in_full))
    if "repeated_question" in watched:
        questions = policy.section(ComplaintPolicy)
        found = _joined(found, _most_asked(reads(repeated, whom("repeated_question"), as_of=as_of, policy=questions)))
    if "leaving" in watched:
        found = _joined(found, reads(_leaving, as_of, rules.leaving_days, whom("leaving")))
    missing = [
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in SIGNAL_FACTS.items() if name not in found.columns
    ]
    return found.with_columns(missing).select(*SIGNAL_FACTS)


def _narrowed(customers: Customers, ids: pl.Series) -> Customers:
    """Those of `ids` that are among the customers; a part stays one when they are too many to be looked up."""
    if customers is None or isinstance(customers, Part):
        return ids.unique().sort().to_list() if ids.len() <= SOME else customers
    return sorted(set(customers).intersection(ids))


def _joined(found: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    return found.join(more, on="customer_id", how="left")


def _order_days(as_of: dt.date, customers: Customers) -> pl.DataFrame:
    """customer_id and day of the order days of this month and the last GAP_YEARS."""
    first = dt.date(as_of.year - GAP_YEARS, as_of.month, 1)
    months = rollup(as_of, customers, f"days <> 0 AND month >= DATE '{first.isoformat()}'")
    return days_of(months.select("customer_id", "month", "days"), as_of)


def _activity_windows(as_of: dt.date, rules: RiskPolicy) -> dict[str, Window]:
    recent = as_of - dt.timedelta(days=rules.activity_days)
    before = recent - dt.timedelta(days=rules.activity_days)
    return {"activity_recent": (recent, as_of), "activity_before": (before, recent)}


def _pull(as_of: dt.date, rules: RiskPolicy, customers: Customers, reads: Reads, *, in_full: bool) -> pl.DataFrame:
    """customer_id, competitor_recent and competitor_before, falling_months, month_first and month_last.

    Where nobody asked about a competitor more often than before it does not matter what months brought: unless
    `in_full` such customers have no row. Who was not talked to has asked nothing.
    """
    recent = as_of - dt.timedelta(days=rules.competitor_days)
    windows = {"recent": (recent, as_of), "before": (recent - dt.timedelta(days=rules.competitor_days), recent)}
    about = "true" if in_full else "about_competitor"
    asked = reads(contact_counts, windows, customers, about).select(
        "customer_id", competitor_recent="recent_competitor", competitor_before="before_competitor"
    )
    if not in_full:
        asked = asked.filter(pl.col("competitor_recent") > pl.col("competitor_before"))
        customers = _narrowed(customers, asked.get_column("customer_id"))
    sums = reads(window_sums, _whole_months(as_of, rules), customers)
    nets = {name: f"{name}_net" for name in _whole_months(as_of, rules)}
    months = falling(sums.select("customer_id", **nets), rules)
    return asked.join(months, on="customer_id", how="full" if in_full else "left", coalesce=True)


def _whole_months(as_of: dt.date, rules: RiskPolicy) -> dict[str, Window]:
    """month_<n>, the last whole month, back to month_0: one more than those in which spending is to fall."""
    windows: dict[str, Window] = {}
    end = month_of(as_of)
    for number in range(rules.spend_months, -1, -1):
        begin = month_of(end - dt.timedelta(days=1))
        windows[f"month_{number}"], end = (begin, end), begin
    return windows


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

STOOD: Final = "stood"
"""In place of a signal: all those that rest on what others have found (`night_facts`)."""


def boundaries(policy: Policy) -> dict[str, dict[str, list[Boundary]]]:
    """By signal of OWN, and STOOD, where the windows of its facts begin and end, as `customers.changes.crossed_by` asks.

    Whole months move on the first of a month, when a night looks at everybody.
    """
    rules, health = policy.section(RiskPolicy), policy.section(HealthPolicy)
    repeats = [days_before(policy.section(ComplaintPolicy).repeat_days)]
    stood: dict[str, list[Boundary]] = {}
    for name in _PARTS:
        for kind, edges in PARTS[name].boundaries(health).items():
            stood.setdefault(kind, []).extend(edges)
    own: dict[str, dict[str, list[Boundary]]] = {
        "contact_silence": {"contacts": [days_before(rules.contact_silence_days - 1)]},
        "frequency_falling": {"orders": []},
        "activity_drop": {"orders": _and_before(rules.activity_days)},
        "competitor_pull": {"contacts": _and_before(rules.competitor_days)},
        "repeated_question": {"contacts": repeats, "complaints": repeats, "solutions": []},
        "leaving": {"contacts": [days_before(rules.leaving_days)]},
    }
    return {STOOD: stood, **own}


def _and_before(days: int) -> list[Boundary]:
    """Where a window of so many days begins, and as many before it."""
    return [days_before(days), days_before(2 * days)]


def silence_lines(rules: RiskPolicy) -> list[int]:
    """The days without an order at which a signal can turn."""
    return [rules.silence_days, rules.own_cycle_min_days, rules.ignore_after_days + 1, rules.nps_silence_days]
