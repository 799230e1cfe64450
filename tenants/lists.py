"""Finding the rows of a page of a long list: which they are, in order, and how many there are.

Either all rows that meet the filters are sorted, and counted on the way, or the first ones are found along an index, and
counting stops at COUNT_CAP. Which of the two, the planner's own costs decide, with a lean to the first: with a LIMIT the
planner bets that the rows lie evenly in the index, and where they do not, it reads through millions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import BooleanField, Case, Q, QuerySet, Value, When
from django.utils.translation import gettext as _

from tenants.keyset import Place, Window, field_of, parts
from tenants.templatetags.perennial import whole

COUNT_CAP: Final = 10_000
"""Counting on costs more than the number says."""

CHEAP: Final = 10_000.0
"""In the planner's units, some ten milliseconds: what takes no longer, and finds no more rows than are counted, is sorted
without a further thought."""

GAIN: Final = 4
"""So many times cheaper the way along an index must look."""

DEAR: Final = 5_000.0
"""In the same units: what takes longer to count to COUNT_CAP is told as the planner estimates it."""

CHUNK: Final = 1_000


@dataclass(frozen=True)
class Size:
    """How many rows a list has: exactly, more than COUNT_CAP, or about so many."""

    number: int
    is_capped: bool = False
    is_about: bool = False

    @classmethod
    def of(cls, number: int) -> Size:
        return cls(min(number, COUNT_CAP), number > COUNT_CAP)

    @classmethod
    def about(cls, number: int) -> Size:
        """An estimate, to two digits."""
        unit = 10 ** max(0, len(str(number)) - 2)
        return cls(number // unit * unit, is_capped=True, is_about=True)

    @property
    def shown(self) -> str:
        """The number as people read it: 1,234, 10,000+, about 250,000."""
        if self.is_about:
            return _("about %(count)s") % {"count": whole(self.number)}
        return _("%(count)s+") % {"count": whole(self.number)} if self.is_capped else whole(self.number)


@dataclass(frozen=True)
class Found:
    """Rows from a place on, each with the number of its window, in reading order away from the place.

    Without `rows` (None) there are too many to sort them by columns whose order no index gives.
    """

    rows: list[tuple[int, int]] | None
    size: Size


def find(
    rows: QuerySet[Any],
    windows: Sequence[Window],
    most: int,
    *,
    place: Place | None = None,
    backwards: bool = False,
    is_indexed: bool = True,
) -> Found:
    """The first rows of the windows' order from a place on, at most so many, and how many there are in all."""
    plan = _plan(_capped(rows))
    if plan is None:
        return Found([], Size(0))
    if (plan.whole_cost > CHEAP or plan.rows > COUNT_CAP) and _is_many(
        rows, windows, most, plan, place, backwards=backwards, is_indexed=is_indexed
    ):
        size = Size.of(_capped(rows).count()) if plan.cost <= DEAR else Size.about(plan.rows)
        if size.is_capped:
            return Found(_along_index(rows, windows, most, place, backwards=backwards) if is_indexed else None, size)
    if place is None and not backwards:
        return _sorted(rows, windows, most)
    found: list[tuple[int, int]] = []
    for number, part in parts(rows, windows, place, backwards=backwards):
        if len(found) < most:
            found += [(number, pk) for pk in _sorted_part(part, most - len(found))]
    return Found(found, Size.of(rows.order_by().values("pk").count()))


def _is_many(
    rows: QuerySet[Any],
    windows: Sequence[Window],
    most: int,
    plan: _Plan,
    place: Place | None,
    *,
    backwards: bool,
    is_indexed: bool,
) -> bool:
    """Whether the rows are so many that the way along an index is better, or the only one."""
    if not is_indexed:
        return plan.rows > COUNT_CAP
    if plan.rows <= COUNT_CAP // 10:
        return False
    _number, ahead = next(parts(rows, windows, place, backwards=backwards))
    way = _plan(ahead.values("pk")[:most])
    return way is None or way.cost * GAIN < plan.whole_cost


@dataclass(frozen=True)
class _Plan:
    """What the planner expects of a query with a LIMIT: its cost; without the LIMIT the whole cost, and how many rows."""

    cost: float
    whole_cost: float
    rows: int


def _plan(rows: QuerySet[Any]) -> _Plan | None:
    """None where nothing can meet the filters."""
    said = rows.explain(format="json")
    if not said:
        return None
    plan = json.loads(said)[0]["Plan"]
    without = plan["Plans"][0] if plan["Node Type"] == "Limit" else plan
    return _Plan(plan["Total Cost"], without["Total Cost"], int(without["Plan Rows"]))


def _capped(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.order_by().values("pk")[: COUNT_CAP + 1]


def _along_index(
    rows: QuerySet[Any], windows: Sequence[Window], most: int, place: Place | None, *, backwards: bool
) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for number, part in parts(rows, windows, place, backwards=backwards):
        if len(found) < most:
            found += [(number, pk) for pk in part.values_list("pk", flat=True)[: most - len(found)]]
    return found


def _sorted(rows: QuerySet[Any], windows: Sequence[Window], most: int) -> Found:
    """The first rows and how many there are, in one look at all of them."""
    names = list(dict.fromkeys(name for window in windows for name in window.names[:-1]))
    numbers = [When(window.only, then=Value(number)) for number, window in enumerate(windows) if window.only]
    number = Case(*numbers, default=Value(len(windows) - 1)) if len(windows) > 1 else Value(0)
    inner = rows.annotate(window_number=number).order_by().values_list("pk", "window_number", *names)
    order = ["w"]
    for place, window in enumerate(windows):
        way = "DESC" if window.falls else "ASC"
        keys = [f"k{names.index(name)}" for name in window.names[:-1]]
        order += [f"CASE WHEN w = {place} THEN {key} END {way}" for key in (*keys, "id")]
    columns = ", ".join(["id", "w", *(f"k{place}" for place in range(len(names)))])
    sql, params = inner.query.sql_with_params()
    with connection.cursor() as cursor:
        # OFFSET 0: what is inside is planned by itself.
        cursor.execute(
            f"SELECT w, id, count(*) OVER () FROM ({sql} OFFSET 0) AS found ({columns}) "
            f"ORDER BY {', '.join(order)} LIMIT %s",
            [*params, most],
        )
        found = cursor.fetchall()
    return Found([(number, pk) for number, pk, _count in found], Size.of(found[0][2] if found else 0))


def _sorted_part(part: QuerySet[Any], most: int) -> list[int]:
    """The first ids of a window."""
    order = [str(name) for name in part.query.order_by]
    way = "DESC" if order[0].startswith("-") else "ASC"
    bare = part.order_by().values_list("pk", *(name.removeprefix("-") for name in order[:-1]))
    try:
        sql, params = bare.query.sql_with_params()
    except EmptyResultSet:
        return []
    keys = [f"k{place}" for place in range(len(order) - 1)]
    columns, wanted = ", ".join(["id", *keys]), ", ".join(f"{key} {way}" for key in (*keys, "id"))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM ({sql} OFFSET 0) AS found ({columns}) ORDER BY {wanted} LIMIT %s", [*params, most]
        )
        return [pk for (pk,) in cursor.fetchall()]


def all_ids(rows: QuerySet[Any], windows: Sequence[Window]) -> Iterator[list[int]]:
    """All ids in order, in chunks, by cursors of the database: memory does not grow with them.

    By our own cursors: Django's are switched off where connections are pooled by transaction, for those that would
    outlive it.
    """
    for number, part in parts(rows, windows, None):
        try:
            sql, params = part.values_list("pk", flat=True).query.sql_with_params()
        except EmptyResultSet:
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"DECLARE list_{number} NO SCROLL CURSOR FOR {sql}", params)
            cursor.execute(f"FETCH {CHUNK} FROM list_{number}")
            while chunk := [pk for (pk,) in cursor.fetchall()]:
                yield chunk
                cursor.execute(f"FETCH {CHUNK} FROM list_{number}")
            cursor.execute(f"CLOSE list_{number}")


def windows_of(
    rows: QuerySet[Any], paths: Sequence[str], tie: str, *, falls: bool, only: Q | None = None
) -> list[Window]:
    """The windows of a list that is ordered by these columns: what has no value in the first one comes last.

    Columns behind the first have values where it has; and they order those rows, too, where it has none. Of a yes or
    no alone the rows of each come together. `tie` tells rows apart that have the same values (`Window`).
    """
    only = only or Q()
    if not paths:
        return [Window(only, ("pk",))]
    first, *rest = paths
    field, sign = field_of(rows, first), "-" if falls else ""
    if isinstance(field, BooleanField):
        values = (True, False) if falls else (False, True)
        found = (windows_of(rows, rest, tie, falls=falls, only=only & Q(**{first: value})) for value in values)
        return [window for windows in found for window in windows]
    keys = tuple(f"{sign}{path}" for path in (*paths, tie))
    if "__" not in first and first not in rows.query.annotations and not field.null:
        return [Window(only, keys)]
    valued, bare = (only & Q(**{f"{first}__isnull": is_bare}) for is_bare in (False, True))
    return [Window(valued, keys), *windows_of(rows, rest, "pk", falls=falls, only=bare)]
