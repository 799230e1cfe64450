"""Counting what the figures of health and forecast show: by the night for everybody, and between two nights what moves.

`BandCount` is what is now: the night's step of health counts it, and whoever writes scores or owners between two nights keeps it right
(`recounted`). Tallies are as of the night: moves between colours, data quality, what the forecasts add up to.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Final

import polars as pl
from django.db import connection

from customers.tallies import OWNERS, by_audience, cells_of, write_tallies
from health import quality
from health.figures import DROP, band_moves, usual_start
from health.models import BandCount, HealthTally
from tenants.context import current_tenant
from tenants.frames import insert_frame, read_frame, without_index_alone
from tenants.policies import active_policy
from tenants.runs import Counts, Piece, Step

# First half of the advisory lock's key; the second is the tenant's id.
_COUNTS: Final = 7_305
_HALF: Final = 2**31

_NUMBERS: Final = (
    "customers", "net", "rescored", "week_risen", "week_fallen", "week_dropped", "month_risen", "month_fallen",
    "month_dropped",
)  # fmt: skip
_KEYS: Final = (*OWNERS, "band")


def run(piece: Piece) -> Counts:
    """Count as of a day; comes after health, which counts what is now, and forecast. Returns tallies (rows)."""
    as_of = piece.as_of
    figures = {"moves": _moves(as_of), "forecasts": _forecasts(), "quality": quality.count(as_of, active_policy())}
    kept = {name: cells_of(frame) for name, frame in figures.items()}
    return {"tallies": write_tallies(HealthTally, as_of, kept)}


STEP = Step(run, splits=False)


# ── what is now ─────────────────────────────────────────────────────────────


def count_now() -> pl.DataFrame:
    """Count everybody anew, when a night has scored them; returns what is counted, in the columns of BandCount."""
    _lock_counts(alone=True)
    bands = _bands()
    BandCount.objects.all().delete()
    insert_frame(BandCount, bands, strict=True)
    return bands


@contextmanager
def recounted(customers: Sequence[int]) -> Iterator[None]:
    """Whatever is written of these customers' scores and owners inside counts at once.

    Before the first night nothing is counted, and nothing has to be put right.
    """
    if not customers or not BandCount.objects.exists():
        yield
        return
    _lock_counts(alone=False)
    before = _bands(customers)
    yield
    numbers = pl.col(_NUMBERS)
    moved = pl.concat([before.with_columns(-numbers), _bands(customers)]).group_by(_KEYS).agg(numbers.sum())
    _add(moved.filter(pl.any_horizontal(numbers != 0)))


def _bands(customers: Sequence[int] | None = None) -> pl.DataFrame:
    """BandCount of everybody with a score, or of some customers."""
    tenant_id = current_tenant().pk
    moved = ", ".join(
        f"count(*) FILTER (WHERE h.{since}_points {test})::int"
        for since in ("week", "month")
        for test in ("> 0", "< 0", f"<= {-DROP}")
    )
    ids = None if customers is None else list(customers)
    with connection.cursor() as cursor, without_index_alone(cursor) if ids is None else nullcontext():
        return read_frame(
            f"""
            SELECT c.owner_a_id, c.owner_b_id, h.band, count(*)::int, COALESCE(sum(s.monetary), 0)::bigint,
                   count(h.rescored_at)::int, {moved}
            FROM health_healthscore h
            JOIN customers_customer c ON c.tenant_id = %s AND c.id = h.customer_id
            LEFT JOIN segmentation_standing s ON s.tenant_id = %s AND s.customer_id = h.customer_id
            WHERE h.tenant_id = %s {"" if ids is None else "AND h.customer_id = ANY(%s::bigint[])"}
            GROUP BY 1, 2, 3
            """,
            [tenant_id, tenant_id, tenant_id, *([] if ids is None else [ids])],
            schema=OWNERS | {"band": pl.String} | {name: pl.Int64 if name == "net" else pl.Int32 for name in _NUMBERS},
            few=ids is not None,
        )


def _add(moved: pl.DataFrame) -> None:
    """Add numbers to those that are counted."""
    columns = ", ".join((*_KEYS, *_NUMBERS))
    sums = ", ".join(f"{name} = t.{name} + EXCLUDED.{name}" for name in _NUMBERS)
    values = ", ".join(["%s"] * (1 + len(_KEYS) + len(_NUMBERS)))
    with connection.cursor() as cursor:
        # By key, so that two who move the same counts at once wait for each other in one order.
        for row in moved.select(*_KEYS, *_NUMBERS).sort(_KEYS, nulls_last=True).iter_rows():
            cursor.execute(
                f"""
                INSERT INTO health_bandcount AS t (tenant_id, {columns}) VALUES ({values})
                ON CONFLICT (tenant_id, owner_a_id, owner_b_id, band) DO UPDATE SET {sums}
                """,
                [current_tenant().pk, *row],
            )


def _lock_counts(*, alone: bool) -> None:
    """Wait for whoever counts everybody, or alone for all who move counts; lasts until the transaction ends."""
    lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {lock}(%s, %s)", [_COUNTS, current_tenant().pk % _HALF])


# ── as of the night ─────────────────────────────────────────────────────────


def _moves(as_of: dt.date) -> pl.DataFrame:
    start = usual_start(as_of)
    moved = band_moves(start, as_of, by_owners=True)
    counted = by_audience(moved, ["before", "after"], [pl.col("customers").sum(), pl.col("money").sum()])
    return counted.with_columns(start=pl.lit(str(start)))


def _forecasts() -> pl.DataFrame:
    """What dashboards.lapses.Totals adds up, one cell for each audience."""
    tenant_id = current_tenant().pk
    found = read_frame(
        """
        SELECT c.owner_a_id, c.owner_b_id,
               count(*) FILTER (WHERE f.is_warned),
               COALESCE(sum(f.money_at_risk) FILTER (WHERE f.is_warned), 0)::bigint,
               count(f.percent),
               COALESCE(sum(f.money_at_risk) FILTER (WHERE f.percent IS NOT NULL), 0)::bigint,
               count(*) FILTER (WHERE f.percent IS NULL AND f.code <> 'lapsed'),
               count(*) FILTER (WHERE f.code = 'lapsed')
        FROM health_lapseforecast f JOIN customers_customer c ON c.tenant_id = %s AND c.id = f.customer_id
        WHERE f.tenant_id = %s GROUP BY 1, 2
        """,
        [tenant_id, tenant_id],
        schema=OWNERS | dict.fromkeys(("warned", "at_risk", "forecast", "expected", "unknown", "lapsed"), pl.Int64),
    )
    return by_audience(found, [], [pl.col(name).sum() for name in found.columns if name not in OWNERS])
