"""Pages by position: rows that come or go meanwhile shift nothing, and a deep page costs what the first one does.

An order is a row of windows: parts of the list one after the other, in each of which the columns that it is ordered
by have values, so that an index can give it. What has no value comes last, in a window of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import BooleanField, Expression, F, Field, Q, QuerySet

_SALT: Final = "tenants.keyset"


NOBODY: Final = Q(pk__in=[])


@dataclass(frozen=True)
class Window:
    """A part of a list: which rows, and by which columns they are ordered, each rising or, with "-", falling.

    All fall or all rise. The last column tells any two rows apart: the row's own key, or the same number beside the
    others in their index.
    """

    only: Q
    order: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether it only keeps the windows behind it in their places."""
        return self.only is NOBODY

    def within(self, part: Q) -> Window:
        """Those of its rows that are in a part of the list; empty in an empty one."""
        return Window(NOBODY if part is NOBODY else part & self.only, self.order)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name.removeprefix("-") for name in self.order)

    @property
    def falls(self) -> bool:
        return self.order[0].startswith("-")


@dataclass(frozen=True)
class Place:
    """A row's place in a list: the window, its values of that window's columns, and how many rows come before."""

    window: int
    values: tuple[Any, ...]
    before: int


class NoPlace(ValueError):
    """A text that is not a place of this list in this order."""


def write_place(place: Place, order: str) -> str:
    """The place as it stands in an address, signed: nobody makes up places."""
    values = [value if isinstance(value, int | str) else str(value) for value in place.values]
    return signing.Signer(salt=_SALT).sign_object([order, place.before, place.window, *values])


def read_place(text: str, order: str, rows: QuerySet[Any], windows: Sequence[Window]) -> Place:
    """The place that `write_place` wrote for the same order. Raises NoPlace."""
    try:
        said, before, number, *values = signing.Signer(salt=_SALT).unsign_object(text)
        if said != order:
            raise NoPlace(text)
        names = windows[number].names
        found = tuple(field_of(rows, name).to_python(value) for name, value in zip(names, values, strict=True))
    except (signing.BadSignature, ValueError, IndexError, ValidationError) as error:
        raise NoPlace(text) from error
    return Place(number, found, before)


def field_of(rows: QuerySet[Any], path: str) -> Field[Any, Any]:
    """What a column of the rows, or of what they lead to, holds."""
    annotation: Any = rows.query.annotations.get(path)
    if annotation is not None:
        found: Field[Any, Any] = annotation.output_field
        return found
    model: Any = rows.model
    *way, last = path.split("__")
    for name in way:
        model = model._meta.get_field(name).related_model
    return model._meta.pk if last == "pk" else model._meta.get_field(last)


class Beyond(Expression):
    """The condition that a row lies beyond a place: the columns compared as one row, which an index can start from."""

    output_field = BooleanField()
    conditional = True

    def __init__(self, names: Sequence[str], values: Sequence[Any], *, falls: bool) -> None:
        super().__init__()
        self.columns: list[Any] = [F(name) for name in names]
        self.values, self.falls = values, falls

    def get_source_expressions(self) -> list[Any]:
        return self.columns

    def set_source_expressions(self, exprs: Sequence[Any]) -> None:
        self.columns = list(exprs)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        parts: list[str] = []
        params: list[Any] = []
        for column in self.columns:
            sql, found = compiler.compile(column)
            parts.append(sql)
            params += found
        values = [
            column.output_field.get_db_prep_value(value, connection)
            for column, value in zip(self.columns, self.values, strict=True)
        ]
        sign = "<" if self.falls else ">"
        return f"({', '.join(parts)}) {sign} ({', '.join(['%s'] * len(values))})", (*params, *values)


def parts(
    rows: QuerySet[Any], windows: Sequence[Window], place: Place | None, *, backwards: bool = False
) -> Iterator[tuple[int, QuerySet[Any]]]:
    """The number and the ordered rows of each window from a place on, in reading order away from it; not of empty ones."""
    numbers = range(len(windows))
    if place is not None:
        numbers = range(place.window + 1) if backwards else range(place.window, len(windows))
    for number in reversed(numbers) if backwards else numbers:
        window = windows[number]
        if window.is_empty:
            continue
        falls = window.falls != backwards
        found = rows.filter(window.only) if window.only else rows
        if place is not None and number == place.window:
            found = found.filter(Beyond(window.names, place.values, falls=falls))
        yield number, found.order_by(*(f"-{name}" if falls else name for name in window.names))
