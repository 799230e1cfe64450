"""The night's step of segmentation: RFM scores, segments and tiers of every living customer.

Scores and tiers go by rank: everybody's depends on everybody's. What a rank comes to is worked out once over all of them
(`Standard`): from which value on it is another score, tier or share. By that each part judges its own customers; on a
quiet night only those whose facts have changed or whose row says something else than tonight's standard.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl
from pydantic import TypeAdapter

from customers.changes import Boundary, cut_points, due_by_facts
from customers.frames import relations
from customers.models import Customer
from segmentation.facts import (
    of_customers,
    pins,
    rank_facts,
    ranked_standings,
    standings,
    tier_facts,
    tiers_in_force,
)
from segmentation.locks import lock_standings
from segmentation.models import Standing, TierChange
from segmentation.rules import rfm, tiers
from segmentation.rules.policy import TierPolicy
from segmentation.stale import stale_standings
from tenants.context import current_tenant
from tenants.frames import insert_frame, merge_frame
from tenants.models import Event
from tenants.parts import parts_of
from tenants.policies import active_policy
from tenants.runs import Counts, Piece, Prepared, Step

_COLUMNS = [
    "customer_id", "first_order_on", "last_order_on", "returned_on", "relation_since", "frequency", "monetary", "r", "f",
    "m", "segment", "tier", "by_wholesale", "by_callback", "by_sales_team", "below_since",
]  # fmt: skip

STRETCH: Final = 250_000
"""Customers whose facts are held at a time while ranks are worked out over everybody."""


@dataclass(frozen=True, slots=True)
class Standard:
    """What ranks come to, as of a night, among everybody who ever ordered."""

    scale: rfm.Scale
    lines: tiers.Lines


_SHARED: Final = TypeAdapter(Standard)


def run(as_of: dt.date) -> Counts:
    """Score and tier everybody as of a day; returns customers, scored (ever ordered), changed and moved."""
    return STEP.at_once(as_of)


def prepare(piece: Piece) -> Prepared:
    """Work out the standard of the night."""
    rules = active_policy().section(TierPolicy)
    ranked = pl.concat(_ranked(piece, rules))
    scale = rfm.scale(ranked, piece.as_of)
    standard = Standard(scale, tiers.lines(rfm.score(ranked, piece.as_of, scale), rules))
    return Prepared(_SHARED.dump_python(standard, mode="json"), counts={"scored": scale.ranked})


def _ranked(piece: Piece, rules: TierPolicy) -> Iterator[pl.DataFrame]:
    """The facts behind ranks of everybody who ever ordered, a stretch at a time; of who has never changed, as it was."""
    if piece.since is None:
        for part in parts_of(cut_points(STRETCH)):
            yield rank_facts(piece.as_of, rules, part).select(*rfm.RFM_FACTS)
        return
    due = _due(piece, rules)
    yield ranked_standings(without=due)
    yield of_customers(due, lambda some: rank_facts(piece.as_of, rules, some)).select(*rfm.RFM_FACTS)


def work(piece: Piece) -> Counts:
    """Score and tier a part of the customers; returns customers, changed and moved."""
    policy = active_policy()
    rules = policy.section(TierPolicy)
    lock_standings(alone=False)
    standard = _SHARED.validate_python(piece.shared)
    facts = _everybody(piece, rules) if piece.since is None else _asked(piece, rules, standard)
    facts = facts.with_columns(is_known=pl.col("tier").is_not_null())
    scored = rfm.score(facts, piece.as_of, standard.scale)
    settled = tiers.settle(tiers.assign(scored, rules, piece.as_of, standard.lines), rules, piece.as_of)
    by = {"policy_version": policy.number}
    known, new = settled.filter("is_known").select(_COLUMNS), settled.filter(~pl.col("is_known")).select(_COLUMNS)
    changed = merge_frame(Standing, known, keys=["customer_id"], constants=by, insert=False).updated
    changed += insert_frame(Standing, new, constants=by)
    moved = _note_moves(settled.filter("changed"), piece.as_of, policy.number)
    ours = Standing.objects.filter(customer__gte=piece.part.first, customer__lte=piece.part.last)
    ours.filter(customer__in=Customer.objects.filter(closed_on__isnull=False)).delete()
    return {"customers": ours.count(), "changed": changed, "moved": moved}


def _everybody(piece: Piece, rules: TierPolicy) -> pl.DataFrame:
    """The facts of the part's customers, with the tier in force (null: no night has seen it) and below_since."""
    facts = tier_facts(piece.as_of, rules, customers=piece.part)
    return facts.join(tiers_in_force(piece.part), on="customer_id", how="left", maintain_order="left")


def _asked(piece: Piece, rules: TierPolicy, standard: Standard) -> pl.DataFrame:
    """The same of those whose standing can be another than it was: fresh facts where these have changed."""
    due = _due(piece, rules)
    fresh = of_customers(
        due, lambda some: tier_facts(piece.as_of, rules, customers=some)
        .join(tiers_in_force(some), on="customer_id", how="left", maintain_order="left")
    )  # fmt: skip
    stale = standings(stale_standings(piece, rules, standard.scale, standard.lines), piece.part)
    kept = stale.filter(~pl.col("customer_id").is_in(due))
    people = of_customers(kept.get_column("customer_id").to_list(), lambda some: relations(customers=some))
    known = kept.join(people.drop("since"), on="customer_id").join(
        pins(piece.as_of, piece.part), on="customer_id", how="left"
    )
    return pl.concat([fresh, known.select(fresh.columns)])


def _due(piece: Piece, rules: TierPolicy) -> list[int]:
    """Whose facts have changed, or count differently now; to be new is such a change."""
    leaves: Boundary = lambda as_of: rfm.window_start(as_of, rules.window_months)  # noqa: E731
    return due_by_facts(piece, orders=[leaves])


def _note_moves(moved: pl.DataFrame, as_of: dt.date, version: int) -> int:
    """Keep every move with the facts that decided; the first tier of a customer is history, not news."""
    facts = pl.struct("move", "pin", pl.col("why").struct.unnest())
    changes = moved.select(
        "customer_id",
        before=pl.col("tier_before"),
        after=pl.col("tier"),
        facts=facts.struct.json_encode(),
    )
    added = insert_frame(TierChange, changes, constants={"on": as_of, "policy_version": version}, strict=True)
    news = moved.filter(pl.col("move") != "start").select(
        "customer_id",
        object_id=pl.col("customer_id"),
        changes=pl.struct(tier=pl.concat_list("tier_before", "tier"), facts=facts).struct.json_encode(),
    )
    tenant = current_tenant()
    insert_frame(
        Event,
        news,
        constants={
            "at": tenant.start_of(as_of),
            "verb": "tier_changed",
            "object_type": "customer",
            "policy_version": version,
        },
    )
    return added


STEP: Final = Step(work, prepare)
