"""Whom a night has to look at: about whom facts have come in, and whose facts a window takes in or leaves behind.

A night that takes last night's results as given (`Piece.since`) finds here everybody for whom they could differ by
facts. What passes with time alone (days of silence) each step knows from what it has stored.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import polars as pl
from django.db import connection

from customers.services.arrivals import forget_arrivals
from tenants.context import current_tenant
from tenants.frames import read_frame
from tenants.runs import Counts, Piece

Boundary = Callable[[dt.date], dt.date]
"""Where a window begins or ends, as of a day."""

Group = TypeVar("Group", bound=str)

_TABLES: Final = {
    "orders": ("customers_order", "placed_on"),
    "contacts": ("customers_interaction", "at"),
    "complaints": ("customers_complaint", "opened_at"),
    "solutions": ("customers_complaint", "solved_at"),
    "responses": ("customers_surveyresponse", "at"),
    "evidence": ("customers_evidence", '"on"'),
}


def days_before(days: int) -> Boundary:
    """So many days before the night."""
    return lambda as_of: as_of - dt.timedelta(days=days)


def tonight(as_of: dt.date) -> dt.date:
    """The night itself: facts of the days since the last one count now."""
    return as_of


def due_by_facts(piece: Piece, **boundaries: Sequence[Boundary]) -> list[int]:
    """The ids of the part's customers, closed ones too, whose facts count differently than as of `piece.since`.

    Everybody about whom a fact has come in (`noted`), and everybody with a fact dated from where a boundary was to
    where it is tonight (`crossed`).

    Raises ValueError when `piece.since` is None: then everybody is due.
    """
    asked, params = _all_within(_spans(piece, boundaries))
    return _ids([_NOTED, *asked], [current_tenant().pk, *params], piece)


def noted(piece: Piece) -> list[int]:
    """The ids of the part's customers, closed ones too, about whom a fact has come in that no night has reckoned with."""
    return _ids([_NOTED], [current_tenant().pk], piece)


def crossed(piece: Piece, **boundaries: Sequence[Boundary]) -> list[int]:
    """The ids of the part's customers, closed ones too, with a fact dated from where a boundary was to where it is now.

    Was: as of `piece.since`; is: tonight. Boundaries by the kind of fact: orders (by the day they were placed on),
    contacts, complaints (opened), solutions (of complaints), responses (to surveys), evidence; `tonight` is always one
    of each kind that is named.

    Raises ValueError when `piece.since` is None: then everybody is due.
    """
    asked, params = _all_within(_spans(piece, boundaries))
    return _ids(asked, params, piece) if asked else []


def crossed_by(piece: Piece, groups: Mapping[Group, Mapping[str, Sequence[Boundary]]]) -> dict[Group, list[int]]:
    """`crossed` of several groups of boundaries, by group; days that groups share are asked for once.

    Raises ValueError when `piece.since` is None: then everybody is due.
    """
    spans = {group: _spans(piece, boundaries) for group, boundaries in groups.items()}
    numbers = {span: n for n, span in enumerate(sorted({span for those in spans.values() for span in those}))}
    if not numbers:
        return {group: [] for group in groups}
    asked, params = _all_within(list(numbers), numbered=True)
    sql = " UNION ".join(f"{each} AND {piece.part.sql()}" for each in asked)
    found = read_frame(sql, params, schema={"span": pl.Int64, "customer_id": pl.Int64}, few=True)
    ids = {n: set(some.get_column("customer_id")) for (n,), some in found.group_by("span")}
    return {
        group: sorted(set().union(*(ids.get(numbers[span], set()) for span in those))) for group, those in spans.items()
    }


_NOTED: Final = "SELECT customer_id FROM customers_arrival WHERE tenant_id = %s"

_Span = tuple[str, dt.date, dt.date]
"""A kind of fact, and its days from the first up to but not including the last."""


def _spans(piece: Piece, boundaries: Mapping[str, Sequence[Boundary]]) -> list[_Span]:
    """The days that the boundaries have passed since `piece.since`, each once."""
    if piece.since is None:
        raise ValueError("Everybody is due")
    found: list[_Span] = []
    for kind, those in boundaries.items():
        # Boundaries that are functions of their own may fall on the same days.
        edges = {(boundary(piece.since), boundary(piece.as_of)) for boundary in (tonight, *those)}
        found += [
            (kind, first, last) for first, last in sorted({(min(edge), max(edge)) for edge in edges}) if first < last
        ]
    return found


def _all_within(spans: Sequence[_Span], *, numbered: bool = False) -> tuple[list[str], list[Any]]:
    """A SELECT of the customers with a fact for each span, behind its place if `numbered`, and what it is asked with."""
    tenant = current_tenant()
    asked: list[str] = []
    params: list[Any] = []
    for n, (kind, first, last) in enumerate(spans):
        table, column = _TABLES[kind]
        number = f"{n}, " if numbered else ""
        asked.append(
            f"SELECT {number}customer_id FROM {table} WHERE tenant_id = %s AND {column} >= %s AND {column} < %s"
        )
        is_day = kind in {"orders", "evidence"}
        edges = (first, last) if is_day else (tenant.start_of(first), tenant.start_of(last))
        params += [tenant.pk, *edges]
    return asked, params


def _ids(asked: Sequence[str], params: Sequence[Any], piece: Piece) -> list[int]:
    sql = " UNION ".join(f"{each} AND {piece.part.sql()}" for each in asked)
    return sorted(read_frame(sql, params, schema={"customer_id": pl.Int64}, few=True).get_column("customer_id"))


def forget(piece: Piece) -> Counts:
    """The night's last step: the notes of facts that it has reckoned with go."""
    forget_arrivals(piece.as_of, piece.snapshot)
    return {}


def cut_points(size: int) -> list[int]:
    """The numbers at which to cut the tenant's customers into parts of `size`; none for a small firm.

    The last part takes what is left over, and whoever comes later.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM (
                SELECT id, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS customers
                FROM customers_customer WHERE tenant_id = %s
            ) numbered WHERE place %% %s = 0 AND place + %s / 2 <= customers ORDER BY id
            """,
            [current_tenant().pk, size, size],
        )
        return [row[0] for row in cursor.fetchall()]
