"""The night's step that counts what the figures of scores, tiers and sales show, for everybody who looks at them.

Scores, tiers and moves are counted anew each night, from the standings it has written. Sales of full months change
only when somebody writes an order of an earlier month, or a customer changes hands: they are counted when that may
have happened, and in the first night of a month.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Final

import polars as pl
from django.db import connection

from customers.models import Order
from customers.tallies import AUDIENCE, OWNERS, by_audience, cells_of, keep_tallies, write_tallies
from segmentation.figures import MIGRATION_DAYS, repurchases, series_spans, tier_moves
from segmentation.models import SegmentationTally
from segmentation.rules import sales
from segmentation.rules.policy import TierPolicy
from segmentation.rules.rfm import window_start
from tenants.base import POINTS
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.policies import active_policy
from tenants.runs import Counts, Piece, Step

SALES: Final = ("repurchase", "months", "owners")

_SUMS: Final = [pl.col("customers").sum(), pl.col("net").sum()]


def run(piece: Piece) -> Counts:
    """Count as of a day; comes after the step of segmentation. Returns tallies (rows written)."""
    as_of, rules = piece.as_of, active_policy().section(TierPolicy)
    standings = _standings()
    figures = {
        "scores": cells_of(by_audience(standings, ["r", "f", "m", "segment"], _SUMS)),
        "tiers": cells_of(
            by_audience(standings, ["tier", "segment", "by_wholesale", "by_callback", "by_sales_team"], _SUMS)
        ),
        "moves": cells_of(_moves(as_of, rules)),
        "pareto": _pareto(as_of, rules),
    }
    owners = _owners()
    if piece.since is not None and _stands(piece.since, as_of, owners):
        kept = keep_tallies(SegmentationTally, as_of, SALES)
        return {"tallies": write_tallies(SegmentationTally, as_of, figures), "kept": kept}
    months = by_audience(_months(as_of), ["month"], [pl.col("orders").sum(), pl.col("net").sum()])
    figures |= {"repurchase": cells_of(_repurchase(as_of)), "months": cells_of(months), "owners": cells_of(owners)}
    return {"tallies": write_tallies(SegmentationTally, as_of, figures), "kept": 0}


STEP = Step(run, splits=False)


def _stands(since: dt.date, as_of: dt.date, owners: pl.DataFrame) -> bool:
    """Whether the sales that the night of `since` has counted are those of tonight."""
    before = SegmentationTally.objects.filter(figure="owners", member=None, team=None, on=since).first()
    if before is None or before.cells != json.loads(cells_of(owners).item(0, "cells")):
        return False
    earlier = Order.objects.filter(placed_on__lt=sales.add_months(as_of, 0))
    return not earlier.filter(updated_at__gt=before.counted_at).exists()


def _owners() -> pl.DataFrame:
    """One cell: a number that is another one when a customer is somebody else's, or somebody in another team."""
    tenant_id = current_tenant().pk
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT sum(hashint8extended(id, COALESCE(owner_a_id, 0) * 1000003 + COALESCE(owner_b_id, 0))),
                   (SELECT sum(hashint8extended(id, COALESCE(team_id, 0))) FROM tenants_member WHERE tenant_id = %s)
            FROM customers_customer WHERE tenant_id = %s
            """,
            [tenant_id, tenant_id],
        )
        customers, members = cursor.fetchone()
    nobody = pl.Series([None], dtype=pl.Int64)
    return pl.DataFrame(
        {"member_id": nobody, "team_id": nobody, "customers": [str(customers)], "members": [str(members)]}
    )


def _standings() -> pl.DataFrame:
    """Customers and net (points) by owners, scores, segment, tier, and what each scheme says."""
    return read_frame(
        """
        SELECT c.owner_a_id, c.owner_b_id, s.r, s.f, s.m, s.segment, s.tier, s.by_wholesale, s.by_callback,
               s.by_sales_team, count(*), sum(s.monetary)::bigint
        FROM segmentation_standing s JOIN customers_customer c ON c.tenant_id = %s AND c.id = s.customer_id
        WHERE s.tenant_id = %s GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
        """,
        [current_tenant().pk] * 2,
        schema=OWNERS
        | dict.fromkeys(("r", "f", "m"), pl.Int16)
        | dict.fromkeys(("segment", "tier", "by_wholesale", "by_callback", "by_sales_team"), pl.String)
        | {"customers": pl.Int64, "net": pl.Int64},
    )


def _moves(as_of: dt.date, rules: TierPolicy) -> pl.DataFrame:
    start, months = as_of - dt.timedelta(days=MIGRATION_DAYS), rules.window_months
    moved = tier_moves(start, as_of, window_start(as_of, months), standings_of_end=True, by_owners=True)
    counted = by_audience(moved, ["before", "after"], [pl.col("customers").sum(), pl.col("money").sum()])
    return counted.with_columns(start=pl.lit(str(start)), months=pl.lit(months))


def _repurchase(as_of: dt.date) -> pl.DataFrame:
    """period, end, before and again: of the last month, quarter and year, and of each month of a year."""
    spans = list(dict.fromkeys([*(sales.span(each, as_of) for each in sales.PERIODS), *series_spans(as_of)]))
    wide = repurchases(spans, by_owners=True)
    counted = by_audience(wide, [], [pl.col(name).sum() for name in wide.columns if name not in OWNERS])
    return pl.concat(
        counted.select(
            *AUDIENCE,
            period=pl.lit(each.period),
            end=pl.lit(str(each.end)),
            before=f"before_{place}",
            again=f"again_{place}",
        )
        for place, each in enumerate(spans)
    )


def _months(as_of: dt.date) -> pl.DataFrame:
    """Orders and net (points) by owners and full month before a day."""
    return read_frame(
        """
        SELECT c.owner_a_id, c.owner_b_id, a.month, sum(a.orders)::bigint, sum(a.net)::bigint
        FROM customers_activity a JOIN customers_customer c ON c.tenant_id = %s AND c.id = a.customer_id
        WHERE a.tenant_id = %s AND a.month < %s GROUP BY 1, 2, 3
        """,
        [*[current_tenant().pk] * 2, sales.add_months(as_of, 0)],
        schema=OWNERS | {"month": pl.String, "orders": pl.Int64, "net": pl.Int64},
    )


def _pareto(as_of: dt.date, rules: TierPolicy) -> pl.DataFrame:
    """The whole curve of each audience as its one cell: it does not add up from those of others."""
    money = read_frame(
        """
        SELECT c.owner_a_id, c.owner_b_id, s.monetary FROM segmentation_standing s
        JOIN customers_customer c ON c.tenant_id = %s AND c.id = s.customer_id
        WHERE s.tenant_id = %s AND c.closed_on IS NULL AND s.monetary <> 0
        """,
        [current_tenant().pk] * 2,
        schema=OWNERS | {"net": pl.Int64},
    )
    start = window_start(as_of, rules.window_months)
    curves = by_audience(money, [], [pl.col("net")])
    cells = [
        json.dumps([sales.pareto(net, start, as_of, core_share=rules.core_share, scale=POINTS).to_json()])
        for net in curves.get_column("net")
    ]
    return curves.select(*AUDIENCE, cells=pl.Series(cells, dtype=pl.String))
