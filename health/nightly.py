"""The night's step of health: the score of every living customer, its history, and the counts of the day.

On a quiet night only those are looked at for whom something can have changed (`_due`): about whom facts have come in,
whose facts a window takes in or leaves behind tonight, whom time alone has brought another stage or score
(`HealthScore.stands_until`). Of their facts those are read that can be others; the rest stands in the score.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
from django.db import connection
from django.db.models import Case, DateField, Max, Value, When

from customers.changes import crossed, noted
from customers.frames import Books, books_kept
from customers.services import arrived
from health import history
from health.categories import regrouped_buyers, see_categories, settle_categories
from health.counting import count_now
from health.facts import CATEGORIES, PARTS, RHYTHM, TIER, renewed
from health.models import HealthCount, HealthScore, ScoreBasis
from health.rules.policy import HealthPolicy
from health.scoring import KEPT, SCORE, lock_scores, score_of, scored, write
from segmentation.locks import lock_standings
from tenants.context import current_tenant
from tenants.frames import insert_frame, merge_frame, read_frame
from tenants.models import Run, RunStep
from tenants.parts import Part, among
from tenants.policies import Policy, active_policy
from tenants.runs import Counts, Piece, Prepared, Step

NAME: Final = "health"
"""The night's step, by its name."""


def run(as_of: dt.date) -> dict[str, int]:
    """Score everybody as of a day; returns customers, scored (enough is known), changed and history (rows).

    Whoever has been scored on that day or later already, after a fact of it came in, is left to be scored so again.
    """
    return STEP.at_once(as_of)


def is_under_way() -> bool:
    """Whether a night has prepared this step and not ended it: what stands is then of two nights."""
    steps = RunStep.objects.filter(name=NAME, is_prepared=True, run__job="nightly", run__status=Run.Status.OPEN)
    return bool(steps.exclude(status=Run.Status.DONE).exists())


# ── what the parts share ────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Shared:
    """What `_prepare` has found for all parts.

    takes_over: what stands may be taken from the last night. weekly: no night of this week has been before. regroups:
    an article has another category than the scores rest on. new_customers_from and new_tiers_from: the numbers after
    which customers and changes of tier are newer than what stands.
    """

    takes_over: bool
    weekly: bool
    regroups: bool
    keeps_complaints: bool
    keeps_competitors: bool
    customer_number: int
    tier_change_number: int
    new_customers_from: int = 0
    new_tiers_from: int = 0

    @property
    def books(self) -> Books:
        return Books(complaints=self.keeps_complaints, competitors=self.keeps_competitors)


def _prepare(piece: Piece) -> Prepared:
    # Whoever pins a tier just now is waited for, so that its change has a number that is counted here.
    lock_standings(alone=False)
    lock_scores(alone=True)
    books = books_kept(piece.as_of)
    basis: ScoreBasis = ScoreBasis.objects.first() or ScoreBasis(latest=_last_counted() or piece.as_of)
    takes_over = _stands(basis, piece, books)
    basis.latest = max(basis.latest, piece.as_of)
    basis.save()
    customers, tier_changes = _highest_numbers()
    shared = _Shared(
        takes_over=takes_over,
        weekly=history.first_of_the_week(piece.as_of),
        regroups=see_categories(),
        keeps_complaints=books.complaints,
        keeps_competitors=books.competitors,
        customer_number=customers,
        tier_change_number=tier_changes,
        new_customers_from=basis.customer_number,
        new_tiers_from=basis.tier_change_number,
    )
    return Prepared(vars(shared))


def _last_counted() -> dt.date | None:
    last: dt.date | None = HealthCount.objects.aggregate(last=Max("on"))["last"]
    return last


def _stands(basis: ScoreBasis, piece: Piece, books: Books) -> bool:
    """Whether the scores are those of a night of `piece.since` or later, and no night of a later day has written any."""
    if piece.since is None or basis.as_of is None or basis.latest > piece.as_of:
        return False
    # Where a firm begins to write complaints down, none noted means something for everybody.
    if books != Books(complaints=basis.keeps_complaints, competitors=basis.keeps_competitors):
        return False
    return piece.since <= basis.as_of <= piece.as_of


def _highest_numbers() -> tuple[int, int]:
    """Of customers, and of changes of tier."""
    tenant_id = current_tenant().pk
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT COALESCE((SELECT max(id) FROM customers_customer WHERE tenant_id = %s), 0),
                   COALESCE((SELECT max(id) FROM segmentation_tierchange WHERE tenant_id = %s), 0)
            """,
            [tenant_id, tenant_id],
        )
        customers, tier_changes = cursor.fetchone()
    return customers, tier_changes


# ── a part ──────────────────────────────────────────────────────────────────


def _work(piece: Piece) -> Counts:
    policy, shared = active_policy(), _Shared(**piece.shared)
    lock_scores(alone=False)
    ahead = HealthScore.objects.filter(rescored_at__gte=current_tenant().start_of(piece.as_of))
    ahead_ids = list(_of_part(ahead, piece.part).values_list("customer_id", flat=True))
    _forget_closed(piece.part)
    look_at = _look_at_some if shared.takes_over else _look_at_all
    counts = look_at(piece, policy, shared)
    arrived(ahead_ids)
    return counts


def _of_part(rows: Any, part: Part) -> Any:
    return rows if part.is_everybody else rows.filter(customer_id__gte=part.first, customer_id__lte=part.last)


def _forget_closed(part: Part) -> None:
    """Closed customers have no score: from the few that are closed, not from all that are not."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            DELETE FROM health_healthscore h USING customers_customer c
            WHERE h.tenant_id = %s AND c.tenant_id = %s AND c.id = h.customer_id AND c.closed_on IS NOT NULL
              AND {part.sql("c.id")}
            """,
            [current_tenant().pk] * 2,
        )


def _look_at_all(piece: Piece, policy: Policy, shared: _Shared) -> Counts:
    scores = history.remembered(scored(piece.as_of, policy, piece.part), piece.as_of, weekly=shared.weekly)
    changed = write(scores, policy, at=None).written
    return {"changed": changed, "history": history.keep(scores, piece.as_of, policy.number, piece.part)}


def _look_at_some(piece: Piece, policy: Policy, shared: _Shared) -> Counts:
    if piece.since is None:
        raise ValueError("Nothing stands that could be taken over")
    as_of = piece.as_of
    due = _due_by_facts(piece, policy, shared)
    looked_at = set().union(*due.values())
    stored = _stored(looked_at, piece)
    facts = renewed(stored, _due(due, stored, as_of), as_of, policy, shared.books)
    rolled = history.rolled_past(piece.since, as_of, piece.part)
    scores = history.remembered(
        history.with_carried_past(
            score_of(facts, policy, as_of).join(stored.select("customer_id", *_CARRIED), on="customer_id"),
            rolled,
            as_of,
        ),
        as_of,
        weekly=shared.weekly,
    )
    changed = _write(scores, stored, policy)
    keeping = ["customer_id", "score", "band", "last_score", "last_band", "is_kept"]
    kept = [scores.select(keeping)]
    if shared.weekly or not rolled.is_empty():
        others = _others(scores, rolled, piece, weekly=shared.weekly)
        changed += _write_past(others, policy)
        kept.append(others.select(keeping))
    # Of a night that runs again the history may have rows already: of those whose score says so, and of the closed.
    looked_at.update(stored.get_column("customer_id"))
    never = stored.filter((pl.col("kept_on") < as_of).fill_null(value=False))
    again = sorted(looked_at.difference(never.get_column("customer_id")))
    return {"changed": changed, "history": history.keep(pl.concat(kept), as_of, policy.number, again)}


_ALL: Final = "all"


def _due_by_facts(piece: Piece, policy: Policy, shared: _Shared) -> dict[str, set[int]]:
    """By each part of the facts, of whom it is to be read anew; "all": of whom each of them is. Some may be closed."""
    rules = policy.section(HealthPolicy)
    due = {name: set(crossed(piece, **part.boundaries(rules))) for name, part in PARTS.items()}
    due[_ALL] = {*noted(piece), *_numbered(_NEW_CUSTOMERS, shared.new_customers_from, piece.part)}
    due[TIER].update(_numbered(_NEW_TIERS, shared.new_tiers_from, piece.part))
    if shared.regroups:
        due[CATEGORIES].update(regrouped_buyers(piece, rules))
    return due


def _due(by_facts: Mapping[str, set[int]], stored: pl.DataFrame, as_of: dt.date) -> dict[str, set[int]]:
    """The same with what the stored scores say: who has none, or one of between two nights; whose time has come."""
    anew = stored.filter(pl.col("is_missing") | pl.col("is_rescored")).get_column("customer_id")
    passed = stored.filter(pl.col("facts_until") <= as_of).get_column("customer_id")
    due = {name: {*by_facts[name], *by_facts[_ALL], *anew} for name in PARTS}
    due[RHYTHM].update(passed)
    return due


_NEW_CUSTOMERS: Final = ("customers_customer", "id")
_NEW_TIERS: Final = ("segmentation_tierchange", "customer_id")


def _numbered(which: tuple[str, str], after: int, part: Part) -> list[int]:
    """The customers of the rows of a table with a higher number than that."""
    table, column = which
    found = read_frame(
        f"SELECT {column} FROM {table} WHERE tenant_id = %s AND id > %s AND {part.sql(column)}",
        [current_tenant().pk, after],
        schema={"customer_id": pl.Int64},
        few=True,
    )
    return found.get_column("customer_id").to_list()


_CARRIED: Final = ("stored_band", "stored_since", "is_rescored", *KEPT, "week_score", "month_score")


def _stored(looked_at: set[int], piece: Piece) -> pl.DataFrame:
    """The scores, as they are stored, of living customers of the part that are to be looked at, and of whom time moved.

    In the columns of SCORE and KEPT; is_missing: there is none, they are null.
    """
    schema = {"customer_id": pl.Int64, "is_rescored": pl.Boolean, **SCORE, **KEPT}
    columns = ", ".join((*SCORE, *KEPT))
    found = read_frame(
        f"""
        SELECT customer_id, rescored_at IS NOT NULL, {columns} FROM health_healthscore
        WHERE tenant_id = %s AND {piece.part.sql()}
          AND (stands_until <= %s OR rescored_at IS NOT NULL OR {among(sorted(looked_at))})
        """,
        [current_tenant().pk, piece.as_of],
        schema=schema,
        few=True,
    )
    others = sorted(looked_at.difference(found.get_column("customer_id")))
    missing = read_frame(
        f"SELECT id FROM customers_customer WHERE tenant_id = %s AND closed_on IS NULL AND {among(others, 'id')}",
        [current_tenant().pk],
        schema={"customer_id": pl.Int64},
        few=True,
    )
    nothing = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in schema.items() if name != "customer_id"]
    return pl.concat(
        [found.with_columns(is_missing=False), missing.with_columns(*nothing, is_missing=True)], how="diagonal"
    ).with_columns(pl.col("is_rescored").fill_null(value=False), stored_band="band", stored_since="band_since")


def _write(scores: pl.DataFrame, stored: pl.DataFrame, policy: Policy) -> int:
    """Write the scores that are not stored so; a score of between two nights is none of tonight's."""
    columns = [*SCORE, *KEPT]
    before = stored.select("customer_id", "is_missing", "is_rescored", pl.col(columns).name.suffix(" before"))
    both = scores.join(before, on="customer_id")
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name} before")) for name in columns)
    written = write(both.filter(~pl.col("is_missing") & (~same | pl.col("is_rescored"))), policy, at=None, insert=False)
    new = both.filter("is_missing").select("customer_id", *columns)
    return written.updated + insert_frame(HealthScore, new, constants={"policy_version": policy.number}, strict=True)


# ── the first night of a week ───────────────────────────────────────────────


def _others(scores: pl.DataFrame, rolled: pl.DataFrame, piece: Piece, *, weekly: bool) -> pl.DataFrame:
    """Those of whom only the past moves: not in `scores`; their columns of the past as stored and as they are to be."""
    past = {"week_score": pl.Int16, "month_score": pl.Int16, **KEPT}
    columns = ", ".join(past)
    found = read_frame(
        f"SELECT customer_id, score, band, {columns} FROM health_healthscore WHERE tenant_id = %s AND {piece.part.sql()}",
        [current_tenant().pk],
        schema={"customer_id": pl.Int64, "score": pl.Int16, "band": pl.String, **past},
        few=True,
    ).join(scores, on="customer_id", how="anti")
    before = found.select("customer_id", pl.col(*past).name.suffix(" before"))
    lasts = {f"last_{name.removeprefix('kept_')}": name for name in KEPT}
    rolling = history.roll(found, rolled).rename({name: last for last, name in lasts.items()})
    return history.remembered(rolling, piece.as_of, weekly=weekly).join(before, on="customer_id")


def _write_past(others: pl.DataFrame, policy: Policy) -> int:
    """Write the columns of the past where they differ; the score stands."""
    columns = ["week_score", "month_score", *KEPT]
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name} before")) for name in columns)
    rows = others.filter(~same).select("customer_id", *columns)
    by = {"policy_version": policy.number}
    return merge_frame(HealthScore, rows, keys=["customer_id"], constants=by, insert=False).written


# ── the end ─────────────────────────────────────────────────────────────────


def _finish(piece: Piece) -> Counts:
    lock_scores(alone=True)
    shared = _Shared(**piece.shared)
    customers, with_score = history.count(piece.as_of, count_now())
    settle_categories()
    # After a night for an earlier day the history has rows of which the scores do not know: nothing is taken from them.
    as_of = Case(When(latest__lte=piece.as_of, then=Value(piece.as_of)), output_field=DateField())
    ScoreBasis.objects.update(
        as_of=as_of,
        keeps_complaints=shared.keeps_complaints,
        keeps_competitors=shared.keeps_competitors,
        customer_number=shared.customer_number,
        tier_change_number=shared.tier_change_number,
    )
    return {"customers": customers, "scored": with_score}


STEP = Step(_work, prepare=_prepare, finish=_finish)
