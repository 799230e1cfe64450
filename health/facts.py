"""The facts behind health as a frame, one row per customer: what night, re-score and replay all read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, TypeVar, cast

import polars as pl

from customers import frames
from customers.changes import Boundary, days_before
from health.rules.indicators import FACTS, order_gaps
from health.rules.policy import HealthPolicy
from segmentation.facts import tiers_in_force, tiers_on
from segmentation.rules import stages
from segmentation.rules.policy import TierPolicy
from tenants.parts import Customers, Part
from tenants.policies import Policy

# Nothing noted is a fact about these: none.
_COUNTS = [
    "order_days_count", "spend_recent", "spend_before", "categories_recent", "categories_before", "contacts_recent",
    "contacts_before", "asked", "answered", "unanswered_run", "orders_recent", "orders_before", "solved",
    "solved_first", "repeated_open", "csat_sum", "csat_count", "promoters", "detractors", "nps_count", "invoices",
]  # fmt: skip


_LASTING: Final = {**FACTS, "facts_until": pl.Date}

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
    customers: Customers = None,
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
    return lasting_facts(as_of, policy, customers, of_that_day=of_that_day, reads=reads).select(*FACTS)


def lasting_facts(
    as_of: dt.date,
    policy: Policy,
    customers: Customers = None,
    *,
    of_that_day: bool = False,
    reads: Reads | None = None,
) -> pl.DataFrame:
    """The same with facts_until: the first day as of which time alone makes others of them; null: none is known.

    On that day the stage ends, or an invoice counts as paid of which it is known already. What a window leaves behind
    is not in it.
    """
    look = _Look(as_of, policy, of_that_day, reads or Reads())
    found = look.read(_everybody, customers)
    for part in _PARTS:
        found = found.join(part.of(look, customers), on="customer_id", how="left")
    return _filled(found, look.read(frames.books_kept, as_of))


def renewed(
    stored: pl.DataFrame, due: Mapping[str, set[int]], as_of: dt.date, policy: Policy, books: frames.Books
) -> pl.DataFrame:
    """The columns of `lasting_facts` of the customers in `stored`, which has them as last night had them.

    Only those parts of the facts (`PARTS`) are read anew that `due` names, for the customers that it names; of a
    customer without stored facts (nulls) it must name all. `books` are those of both nights.
    """
    look = _Look(as_of, policy, False, Reads())
    found = stored.select(*_LASTING)
    known = set(stored.get_column("customer_id"))
    for part in _PARTS:
        ids = sorted(known.intersection(due[part.name]))
        if not ids:
            continue
        fresh = look.read(_everybody, ids).join(part.of(look, ids), on="customer_id", how="left")
        found = found.update(fresh, on="customer_id", how="left", include_nulls=True)
    return _filled(found, books)


def _everybody(customers: Customers) -> pl.DataFrame:
    if customers is None or isinstance(customers, Part):
        return frames.relations(customers=customers).select("customer_id")
    return pl.DataFrame({"customer_id": sorted(set(customers))}, schema={"customer_id": pl.Int64})


def _filled(found: pl.DataFrame, books: frames.Books) -> pl.DataFrame:
    """The columns of `lasting_facts`, with what nothing was found of."""
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
        "facts_until",
        tier=pl.col("tier").fill_null(""),
        stage=pl.col("stage").fill_null("prospect"),
        complaints_recent=pl.col("complaints_recent").fill_null(0) if books.complaints else nothing,
        complaints_before=pl.col("complaints_before").fill_null(0) if books.complaints else nothing,
        competitor_recent="competitor_recent" if books.competitors else nothing,
    ).select(pl.col(name).cast(dtype) for name, dtype in _LASTING.items())


# ── the parts of the facts ──────────────────────────────────────────────────


@dataclass(frozen=True)
class _Look:
    """As of when, by which policy, and how the facts are read."""

    as_of: dt.date
    policy: Policy
    of_that_day: bool
    read: Reads

    @property
    def rules(self) -> HealthPolicy:
        return self.policy.section(HealthPolicy)

    def last(self, days: int) -> frames.Window:
        return self.as_of - dt.timedelta(days=days), self.as_of

    def last_and_before(self, days: int, before_days: int) -> tuple[frames.Window, frames.Window]:
        recent = self.last(days)
        return recent, (recent[0] - dt.timedelta(days=before_days), recent[0])


Boundaries = Mapping[str, Sequence[Boundary]]


@dataclass(frozen=True)
class FactsPart:
    """Facts that are read together, and go out of date together.

    `boundaries` are those of their windows, as `customers.changes.crossed` takes them.
    """

    name: str
    of: Callable[[_Look, Customers], pl.DataFrame]
    boundaries: Callable[[HealthPolicy], Boundaries]


def _rhythm(look: _Look, customers: Customers) -> pl.DataFrame:
    """The order days, the stage, the paid invoices: what facts_until is about."""
    days = look.read(frames.order_days, look.as_of, customers)
    tiers = look.policy.section(TierPolicy)
    stage, until = stages.stages(look.as_of, tiers), stages.stage_until(look.as_of, tiers)
    staged = stages.order_history(days, tiers).select("customer_id", stage=stage, stage_until=until)
    paid = look.read(frames.paid_invoices, look.as_of, look.rules.invoices, customers)
    # Paid on a day, it counts as of the next.
    counts_on = pl.col("pays_on") + pl.duration(days=1)
    return (
        order_gaps(days, look.rules)
        .join(staged, on="customer_id", how="left")
        .join(paid, on="customer_id", how="full", coalesce=True)
        .with_columns(facts_until=pl.min_horizontal("stage_until", counts_on))
        .drop("stage_until", "pays_on")
    )


def _money(look: _Look, customers: Customers) -> pl.DataFrame:
    """customer_id; spend_recent and spend_before (points); orders_recent and orders_before, for the complaint rate."""
    rules = look.rules
    spend = look.last_and_before(rules.spend_days, rules.spend_before_days)
    orders = look.last_and_before(rules.complaint_days, rules.complaint_before_days)
    windows = dict(zip(("spend_recent", "spend_before", "orders_recent", "orders_before"), spend + orders, strict=True))
    return look.read(frames.window_sums, windows, customers).select(
        "customer_id",
        spend_recent="spend_recent_net",
        spend_before="spend_before_net",
        orders_recent="orders_recent_orders",
        orders_before="orders_before_orders",
    )


def _categories(look: _Look, customers: Customers) -> pl.DataFrame:
    recent, before = look.last_and_before(look.rules.category_days, look.rules.category_days)
    return look.read(frames.category_counts, {"categories_recent": recent, "categories_before": before}, customers)


def _tiers(look: _Look, customers: Customers) -> pl.DataFrame:
    if look.of_that_day:
        return look.read(tiers_on, look.as_of, customers).select("customer_id", "tier")
    return look.read(tiers_in_force, customers).select("customer_id", "tier")


def _contacts(look: _Look, customers: Customers) -> pl.DataFrame:
    """customer_id, contacts_recent and contacts_before (two-way), competitor_recent (null: no contact in its days)."""
    rules = look.rules
    recent, before = look.last_and_before(rules.interaction_days, rules.interaction_before_days)
    windows = {"recent": recent, "before": before, "talk": look.last(rules.competitor_days)}
    return look.read(frames.contact_counts, windows, customers).select(
        "customer_id",
        contacts_recent="recent_two_way",
        contacts_before="before_two_way",
        competitor_recent=pl.when(pl.col("talk") > 0).then("talk_competitor"),
    )


def _replies(look: _Look, customers: Customers) -> pl.DataFrame:
    rules = look.rules
    return look.read(frames.last_answers, look.as_of, rules.outbound_contacts, rules.unanswered_contacts, customers)


def _complaints(look: _Look, customers: Customers) -> pl.DataFrame:
    recent, before = look.last_and_before(look.rules.complaint_days, look.rules.complaint_before_days)
    return look.read(frames.complaint_counts, {"complaints_recent": recent, "complaints_before": before}, customers)


def _repeated(look: _Look, customers: Customers) -> pl.DataFrame:
    return look.read(frames.repeated_questions, look.as_of, customers)


def _solutions(look: _Look, customers: Customers) -> pl.DataFrame:
    return look.read(frames.solutions, look.last(look.rules.resolution_days), customers)


def _satisfaction(look: _Look, customers: Customers) -> pl.DataFrame:
    return look.read(frames.satisfaction, look.last(look.rules.satisfaction_days), customers)


def _advocacy(look: _Look, customers: Customers) -> pl.DataFrame:
    return look.read(frames.recommendation, look.last(look.rules.advocacy_days), customers)


def _pair(days: int, before_days: int) -> list[Boundary]:
    """Where a window begins, and the one before it."""
    return [days_before(days), days_before(days + before_days)]


def _money_boundaries(rules: HealthPolicy) -> Boundaries:
    spend = _pair(rules.spend_days, rules.spend_before_days)
    return {"orders": spend + _pair(rules.complaint_days, rules.complaint_before_days)}


def _contact_boundaries(rules: HealthPolicy) -> Boundaries:
    two_way = _pair(rules.interaction_days, rules.interaction_before_days)
    return {"contacts": [*two_way, days_before(rules.competitor_days)]}


def _solution_boundaries(rules: HealthPolicy) -> Boundaries:
    begins = [days_before(rules.resolution_days)]
    return {"solutions": begins, "contacts": begins}


CATEGORIES: Final = "categories"
TIER: Final = "tier"
RHYTHM: Final = "rhythm"

_PARTS: Final = (
    FactsPart(RHYTHM, _rhythm, lambda rules: {"orders": []}),
    FactsPart("money", _money, _money_boundaries),
    FactsPart(CATEGORIES, _categories, lambda rules: {"orders": _pair(rules.category_days, rules.category_days)}),
    FactsPart(TIER, _tiers, lambda rules: {}),
    FactsPart("contacts", _contacts, _contact_boundaries),
    FactsPart("replies", _replies, lambda rules: {"contacts": []}),
    FactsPart(
        "complaints",
        _complaints,
        lambda rules: {"complaints": _pair(rules.complaint_days, rules.complaint_before_days)},
    ),
    FactsPart("repeated", _repeated, lambda rules: {"complaints": [], "solutions": []}),
    FactsPart("solutions", _solutions, _solution_boundaries),
    FactsPart("satisfaction", _satisfaction, lambda rules: {"responses": [days_before(rules.satisfaction_days)]}),
    FactsPart("advocacy", _advocacy, lambda rules: {"responses": [days_before(rules.advocacy_days)]}),
)

PARTS: Final = {part.name: part for part in _PARTS}
