"""Tallies: what figures count over the customers whom somebody sees, counted by the night instead of by each page.

An audience is whose customers are counted: a member's own and covered ones, those whom the lead of a team sees (the
team's, and nobody's), or all. So a figure is one row for whoever looks at it, however many customers there are; whose
a customer is, and who is in which team, is as of the night.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, cast

import polars as pl
from django.db import connection, models

from tenants.base import TenantForeignKey, TenantModel
from tenants.context import current_tenant
from tenants.frames import insert_frame
from tenants.kept import Kept
from tenants.models import Member, Team
from tenants.permissions import SEES_ALL, Role
from tenants.prepared import QUERIES_KEPT, Prepared
from tenants.querysets import nights_done

OWNERS: Final = {"owner_a_id": pl.Int64, "owner_b_id": pl.Int64}
"""Whose customers a row of a frame is about: what `by_audience` goes by."""

AUDIENCE: Final = ["member_id", "team_id"]

_CLOCKS_DIFFER: Final = dt.timedelta(minutes=1)
"""Who writes says when by the clock of another machine."""

Cells = list[dict[str, Any]]
"""The rows of a figure: what is counted, by what; money in points."""


class Tally(TenantModel):
    """The cells of one figure for one audience, as of a night; without member and team it is all customers."""

    figure = models.CharField(max_length=20)
    member = TenantForeignKey(Member, models.CASCADE, null=True, related_name="+")
    team = TenantForeignKey(Team, models.CASCADE, null=True, related_name="+")
    on = models.DateField()
    counted_at = models.DateTimeField()  # whatever was written before has been counted
    cells = models.JSONField(default=list)

    class Meta(TenantModel.Meta):
        abstract = True
        constraints: ClassVar[list[Any]] = [
            # The figure of whoever looks at it.
            models.UniqueConstraint(
                "tenant", "figure", "member", "team", name="%(app_label)s_tally_uniq", nulls_distinct=False
            )
        ]


def tallied(kind: type[Tally], member: Member, figure: str, on: dt.date | None = None) -> Cells | None:
    """The cells of a figure over the customers whom a member sees, of the night of a day; of the last one, if none is said.

    None where that has not been counted: before the first night, for who is new, in a firm too small for it, and for
    another day than the last night's. The figure is then counted from the rows. One query.
    """
    audience = _audience(member)
    if audience is None:
        return None
    key = (current_tenant().pk, kind, figure, on, *audience.values())
    found = _tallies.get(key, lambda: _tally(kind, figure, on, audience)).rows()
    return found[0].cells if found else None


_tallies: Final[Kept[tuple[Any, ...], Prepared[Tally]]] = Kept(QUERIES_KEPT)


def _tally(kind: type[Tally], figure: str, on: dt.date | None, audience: dict[str, Any]) -> Prepared[Tally]:
    night = nights_done().values("for_date")[:1]
    rows = kind.objects.filter(figure=figure, on=on or models.Subquery(night), **audience)
    return Prepared(rows.order_by().only("cells"))  # each audience has one row at most


def _audience(member: Member) -> dict[str, Any] | None:
    """`customers.querysets.visible_customers` as an audience; None for who sees what no audience has."""
    if member.role in SEES_ALL:
        return {"member": None, "team": None}
    if member.role != Role.TEAM_LEAD:
        return {"member": member.pk, "team": None}
    # A lead without a team sees own customers and nobody's; one with a team is in it, and so are the own customers.
    return {"member": None, "team": member.team_id} if member.team_id is not None else None


def by_audience(pairs: pl.DataFrame, by: Sequence[str], counts: Sequence[pl.Expr]) -> pl.DataFrame:
    """The frame of `OWNERS`, `by` and numbers, counted for each audience: AUDIENCE, `by`, and what `counts` make.

    `counts` put numbers of several rows together (`pl.col("customers").sum()`). An audience that sees nobody has no
    row.
    """
    people = pl.DataFrame(
        list(Member.objects.values_list("pk", "team_id")), schema={"person": pl.Int64, "team": pl.Int64}, orient="row"
    )
    rows = pairs.join(people.rename({"person": "owner_a_id", "team": "team_a"}), on="owner_a_id", how="left").join(
        people.rename({"person": "owner_b_id", "team": "team_b"}), on="owner_b_id", how="left"
    )
    nobodys = rows.filter(pl.col("owner_a_id").is_null() & pl.col("owner_b_id").is_null())
    teams = pl.DataFrame({"team_id": list(Team.objects.values_list("pk", flat=True))}, schema={"team_id": pl.Int64})
    own, covered = pl.col("owner_a_id"), pl.col("owner_b_id")
    nobody = pl.lit(None, dtype=pl.Int64)
    parts = [
        rows.with_columns(member_id=nobody, team_id=nobody),
        rows.filter(own.is_not_null()).with_columns(member_id=own, team_id=nobody),
        rows.filter(covered.is_not_null() & covered.ne_missing(own)).with_columns(member_id=covered, team_id=nobody),
        rows.filter(pl.col("team_a").is_not_null()).with_columns(member_id=nobody, team_id="team_a"),
        rows.filter(pl.col("team_b").is_not_null() & pl.col("team_b").ne_missing(pl.col("team_a"))).with_columns(
            member_id=nobody, team_id="team_b"
        ),
        nobodys.with_columns(member_id=nobody).join(teams, how="cross"),
    ]
    columns = [*AUDIENCE, *(name for name in pairs.columns if name not in OWNERS)]
    return pl.concat([part.select(columns) for part in parts]).group_by(*AUDIENCE, *by).agg(*counts)


def cells_of(counted: pl.DataFrame) -> pl.DataFrame:
    """The frame of `by_audience` with a row for each audience: AUDIENCE and its `cells` as JSON."""
    names = [name for name in counted.columns if name not in AUDIENCE]
    cell = pl.struct(names).struct.json_encode()
    return (
        counted.sort([*AUDIENCE, *names], nulls_last=True)
        .select(*AUDIENCE, cell=cell)
        .group_by(AUDIENCE, maintain_order=True)
        .agg(cells=pl.format("[{}]", pl.col("cell").str.join(",")))
    )


def write_tallies(kind: type[Tally], on: dt.date, figures: Mapping[str, pl.DataFrame]) -> int:
    """Make the tallies of these figures those of a night: frames of `cells_of` by figure; returns how many."""
    rows = pl.concat([frame.with_columns(figure=pl.lit(name)) for name, frame in figures.items()])
    kind.objects.filter(figure__in=list(figures)).delete()
    return insert_frame(kind, rows, constants={"on": on, "counted_at": _seen_until()}, strict=True)


def keep_tallies(kind: type[Tally], on: dt.date, figures: Sequence[str]) -> int:
    """Say that the tallies of these figures are those of a night as well; returns how many."""
    count: int = kind.objects.filter(figure__in=figures).update(on=on)
    return count


def _seen_until() -> dt.datetime:
    """Whatever has been written until then is seen by this transaction: what still writes has begun later."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT least(now(), min(xact_start)) FROM pg_stat_activity WHERE datname = current_database()")
        (oldest,) = cursor.fetchone()
    return cast(dt.datetime, oldest) - _CLOCKS_DIFFER
