"""From → to tables: what templates/components/matrix.html draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

import polars as pl

from tenants.base import POINTS

Kind = Literal["stay", "up", "down", "other", "nil"]

NONE: Final = "none"
"""In an address: no tier."""

Pair = tuple[str, str]


@dataclass(frozen=True)
class Cell:
    """Customers who go from one to another, and their net money."""

    customers: int = 0
    money: Decimal = Decimal(0)

    def __add__(self, other: Cell) -> Cell:
        return Cell(self.customers + other.customers, self.money + other.money)


def cells_of(outcome: pl.DataFrame) -> dict[Pair, Cell]:
    """Who goes where: of a frame with before, after and money (points), a row for each customer."""
    return {
        (before, after): Cell(customers, Decimal(points) / POINTS)
        for before, after, customers, points in outcome.group_by("before", "after")
        .agg(pl.len(), pl.col("money").sum())
        .iter_rows()
    }


def direction(order: Sequence[str]) -> Callable[[str, str], Kind]:
    """The kind of a step between two of `order`, best first; from or to anything else it is neither up nor down."""

    def kind(before: str, after: str) -> Kind:
        if before == after:
            return "stay"
        if before not in order or after not in order:
            return "other"
        return "up" if order.index(after) < order.index(before) else "down"

    return kind


@dataclass(frozen=True)
class Square:
    """A cell. `kind`: stay, up, down, other (first tiers, lost ones, another scheme) or nil; `query` opens its rows."""

    kind: str
    customers: int
    money: Decimal
    query: str


@dataclass(frozen=True)
class Row:
    """A row with its sum."""

    label: str
    squares: tuple[Square, ...]
    sum: Square


@dataclass(frozen=True)
class Matrix:
    """A whole table: `foot` has the sums of the columns, and of everything."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    foot: Row


def matrix(
    cells: Mapping[Pair, tuple[int, Decimal]],
    before: Sequence[str],
    after: Sequence[str],
    *,
    label: Callable[[str], str],
    kind: Callable[[str, str], Kind],
    query: Callable[[str | None, str | None], str],
    foot: str,
) -> Matrix:
    """The table of `cells` (customers and money by from and to) with the sums of its rows and columns.

    `query` makes the address's question of a cell, of a row (no second), of a column (no first) and of all.
    """

    def square(kind: Kind, chosen: list[tuple[int, Decimal]], asked: str) -> Square:
        customers = sum(count for count, _money in chosen)
        money = sum((money for _count, money in chosen), Decimal(0))
        return Square(kind if customers else "nil", customers, money, asked)

    def at(old: str | None, new: str | None) -> list[tuple[int, Decimal]]:
        return [value for (a, b), value in cells.items() if old in (None, a) and new in (None, b)]

    rows = tuple(
        Row(
            label(old),
            tuple(square(kind(old, new), at(old, new), query(old, new)) for new in after),
            square("other", at(old, None), query(old, None)),
        )
        for old in before
    )
    sums = tuple(square("other", at(None, new), query(None, new)) for new in after)
    return Matrix(tuple(map(label, after)), rows, Row(foot, sums, square("other", at(None, None), query(None, None))))
