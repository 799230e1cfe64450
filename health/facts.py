"""The facts behind health as a frame, one row per customer: what night, re-score and replay all read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import polars as pl

from customers import frames
from health.rules.indicators import FACTS, order_gaps
from health.rules.policy import HealthPolicy
from segmentation.facts import tiers_in_force, tiers_on
from segmentation.rules import stages
from segmentation.rules.policy import TierPolicy
from tenants.policies import Policy

# Nothing noted is a fact about these: none.
_COUNTS = [
    "order_days_count", "spend_recent", "spend_before", "categories_recent", "categories_before", "contacts_recent",
    "contacts_before", "asked", "answered", "unanswered_run", "orders_recent", "orders_before", "solved",
    "solved_first", "repeated_open", "csat_sum", "csat_count", "promoters", "detractors", "nps_count", "invoices",
]  # fmt: skip


P = ParamSpec("P")
Found = TypeVar("Found")


class Reads:
    """Reads each thing once: facts of several policies that share it share what their windows have in common.

    Only within one tenant's scope, and while nothing is written.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[object, str], Any] = {}

    def __call__(self, read: Callable[P, Found], *args: P.args, **kwargs: P.kwargs) -> Found:
        """What `read` answers, or has answered to the same question before."""
        question = (read, repr((args, kwargs)))
        if question not in self._found:
            self._found[question] = read(*args, **kwargs)
        return cast(Found, self._found[question])


def facts_of(
    as_of: dt.date,
    policy: Policy,
    customers: frames.Customers = None,
    *,
    of_that_day: bool = False,
    reads: Reads | None = None,
) -> pl.DataFrame:
    """The columns of `rules.indicators.FACTS`, from facts dated before `as_of`, by the windows of a policy.

    A row for each living customer; of `customers` for each one, also when it is closed. The tier is the one in force
    now; `of_that_day` takes it from the history of tiers instead. complaints_recent and complaints_before are null
    where the firm had written down no complaint at all by then; competitor_recent where it had noted no contact about
    a competitor, or had no contact with the customer in these days. `reads` is what other policies' facts have read.
    """
    rules = policy.section(HealthPolicy)
    read = reads or Reads()
    days = read(frames.order_days, as_of, customers)
    tiers = read(tiers_on, as_of, customers) if of_that_day else read(tiers_in_force, customers)
    found = read(_everybody, customers)
    for facts in (
        order_gaps(days, rules),
        _money(as_of, rules, customers, read),
        _categories(as_of, rules, customers, read),
        _stages(days, as_of, policy.section(TierPolicy)),
        tiers.select("customer_id", "tier"),
        _contacts(as_of, rules, customers, read),
        read(frames.last_answers, as_of, rules.outbound_contacts, rules.unanswered_contacts, customers),
        _complaints(as_of, rules, customers, read),
        read(frames.repeated_questions, as_of, customers),
        read(frames.solutions, _last(as_of, rules.resolution_days), customers),
        read(frames.satisfaction, _last(as_of, rules.satisfaction_days), customers),
        read(frames.recommendation, _last(as_of, rules.advocacy_days), customers),
        read(frames.paid_invoices, as_of, rules.invoices, customers),
    ):
        found = found.join(facts, on="customer_id", how="left")
    books = read(frames.books_kept, as_of)
    nothing = pl.lit(None, dtype=pl.Int32)
    return found.select(
        "customer_id",
        *(pl.col(name).fill_null(0) for name in _COUNTS),
        "last_order_on",
        "median_gap",
        "gap_cv",
        "last_asked_on",
        "days_late",
        "last_paid_on",
        tier=pl.col("tier").fill_null(""),
        stage=pl.col("stage").fill_null("prospect"),
        complaints_recent=pl.col("complaints_recent").fill_null(0) if books.complaints else nothing,
        complaints_before=pl.col("complaints_before").fill_null(0) if books.complaints else nothing,
        competitor_recent="competitor_recent" if books.competitors else nothing,
    ).select(pl.col(name).cast(dtype) for name, dtype in FACTS.items())


def _everybody(customers: frames.Customers) -> pl.DataFrame:
    if customers is None:
        return frames.living_customers().select("customer_id")
    return pl.DataFrame({"customer_id": sorted(set(customers))}, schema={"customer_id": pl.Int64})


def _last(as_of: dt.date, days: int) -> frames.Window:
    return as_of - dt.timedelta(days=days), as_of


def _last_and_before(as_of: dt.date, days: int, before_days: int) -> tuple[frames.Window, frames.Window]:
    recent = _last(as_of, days)
    return recent, _last(recent[0], before_days)


def _money(as_of: dt.date, rules: HealthPolicy, customers: frames.Customers, read: Reads) -> pl.DataFrame:
    """customer_id; spend_recent and spend_before (points); orders_recent and orders_before, for the complaint rate."""
    spend = _last_and_before(as_of, rules.spend_days, rules.spend_before_days)
    orders = _last_and_before(as_of, rules.complaint_days, rules.complaint_before_days)
    windows = dict(zip(("spend_recent", "spend_before", "orders_recent", "orders_before"), spend + orders, strict=True))
    return read(frames.window_sums, windows, customers).select(
        "customer_id",
        spend_recent="spend_recent_net",
        spend_before="spend_before_net",
        orders_recent="orders_recent_orders",
        orders_before="orders_before_orders",
    )


def _categories(as_of: dt.date, rules: HealthPolicy, customers: frames.Customers, read: Reads) -> pl.DataFrame:
    recent, before = _last_and_before(as_of, rules.category_days, rules.category_days)
    return read(frames.category_counts, {"categories_recent": recent, "categories_before": before}, customers)


def _stages(days: pl.DataFrame, as_of: dt.date, rules: TierPolicy) -> pl.DataFrame:
    """customer_id and stage of everybody who has ordered."""
    return stages.order_history(days, rules).select("customer_id", stage=stages.stages(as_of, rules))


def _contacts(as_of: dt.date, rules: HealthPolicy, customers: frames.Customers, read: Reads) -> pl.DataFrame:
    """customer_id, contacts_recent and contacts_before (two-way), competitor_recent (null: no contact in its days)."""
    recent, before = _last_and_before(as_of, rules.interaction_days, rules.interaction_before_days)
    windows = {"recent": recent, "before": before, "talk": _last(as_of, rules.competitor_days)}
    return read(frames.contact_counts, windows, customers).select(
        "customer_id",
        contacts_recent="recent_two_way",
        contacts_before="before_two_way",
        competitor_recent=pl.when(pl.col("talk") > 0).then("talk_competitor"),
    )


def _complaints(as_of: dt.date, rules: HealthPolicy, customers: frames.Customers, read: Reads) -> pl.DataFrame:
    recent, before = _last_and_before(as_of, rules.complaint_days, rules.complaint_before_days)
    return read(frames.complaint_counts, {"complaints_recent": recent, "complaints_before": before}, customers)
