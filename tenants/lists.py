"""Finding the rows of a page of a long list: which they are, in order, and how many there are.

Either all rows that meet the filters are sorted, and counted on the way, or the first ones are found along an index, and
counting stops at COUNT_CAP. Which of the two, the planner's own costs decide, with a lean to the first: with a LIMIT the
planner bets that the rows lie evenly in the index, and where they do not, it would read through millions: a walk that
has taken STAKE_MS is given up, and the rows are sorted after all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.core.exceptions import EmptyResultSet
from django.db import OperationalError, connection, transaction
from django.db.models import BooleanField, Case, Q, QuerySet, Value, When
from django.db.models.expressions import Col
from django.utils.translation import gettext as _
from psycopg2 import errors

from tenants.keyset import Beyond, Place, Window, field_of, parts
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

MOST_OWN: Final = 25_000
"""So many of somebody's own rows are known by their numbers while a page is looked for."""

STAKE_MS: Final = 250
"""So long a walk along an index may take: from a cold cache most take less, and to sort all rows takes longer."""

LONGEST: Final = 120_000
"""So many entries of an index are passed over at most for a page of somebody's own rows: some twenty milliseconds."""

UNEVEN: Final = 5
"""So many times longer than if they lay evenly the walk to somebody's own rows may be."""

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
    own: Sequence[QuerySet[Any]] = (),
) -> Found:
    """The first rows of the windows' order from a place on, at most so many, and how many there are in all.

    `own` are the ids of all the rows in parts of which no two have the same, where an index answers each part: of what
    somebody sees of everybody's.
    """
    if own and is_indexed and (at_once := _among_all(rows, windows, most, place, own, backwards=backwards)) is not None:
        return at_once
    size: Size | None = None
    capped = _Query.of(rows.order_by().values("pk")[: COUNT_CAP + 1])
    plan = capped.plan()
    if plan is None:
        return Found([], Size(0))
    if plan.whole_cost > CHEAP or plan.rows > COUNT_CAP:
        ways = (
            (number, _Query.of(part.values_list("pk", flat=True)[:most]))
            for number, part in parts(rows, windows, place, backwards=backwards)
        )
        ahead = next((way for way in ways if way[1].sql), None)  # a window that nothing can be in says nothing
        if ahead is not None and _is_many(plan, ahead[1], is_indexed=is_indexed):
            size = Size.of(capped.count()) if plan.cost <= DEAR else Size.about(plan.rows)
            if size.is_capped and not is_indexed:
                return Found(None, size)
            if size.is_capped:
                walked = _along_index(rows, windows, most, place, ahead, backwards=backwards)
                if walked is not None:
                    return Found(walked, size)
    if place is None and not backwards:
        found = _sorted(rows, windows, most)
        return found if size is None else replace(found, size=size)
    ids: list[tuple[int, int]] = []
    for number, part in parts(rows, windows, place, backwards=backwards):
        if len(ids) < most:
            ids += [(number, pk) for pk in _sorted_part(part, most - len(ids))]
    return Found(ids, size or Size.of(rows.order_by().values("pk").count()))


def _is_many(plan: _Plan, ahead: _Query, *, is_indexed: bool) -> bool:
    """Whether the rows are so many that the way along an index is better, or the only one."""
    if not is_indexed:
        return plan.rows > COUNT_CAP
    if plan.rows <= COUNT_CAP // 10:
        return False
    way = ahead.plan()
    return way is not None and way.cost * GAIN < plan.whole_cost


@dataclass(frozen=True)
class _Plan:
    """What the planner expects of a query with a LIMIT: its cost; without the LIMIT the whole cost, and how many rows."""

    cost: float
    whole_cost: float
    rows: int


@dataclass(frozen=True)
class _Query:
    """A query put into SQL once, to be both planned and run; "" where nothing can meet its filters."""

    sql: str
    params: tuple[Any, ...]

    @classmethod
    def of(cls, rows: QuerySet[Any]) -> _Query:
        try:
            sql, params = rows.query.sql_with_params()
        except EmptyResultSet:
            return cls("", ())
        return cls(sql, tuple(params))

    def plan(self) -> _Plan | None:
        """None where nothing can meet the filters."""
        if not self.sql:
            return None
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {self.sql}", self.params)
            said = cursor.fetchone()[0]
        plan = (json.loads(said) if isinstance(said, str) else said)[0]["Plan"]
        without = plan["Plans"][0] if plan["Node Type"] == "Limit" else plan
        return _Plan(plan["Total Cost"], without["Total Cost"], int(without["Plan Rows"]))

    def count(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM ({self.sql}) AS found", self.params)
            return int(cursor.fetchone()[0])

    def ids(self, within_ms: int) -> list[int] | None:
        """The first column of what is found; None where it takes longer."""
        if not self.sql:
            return []
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {within_ms:d}; {self.sql}", self.params)
                found = [row[0] for row in cursor.fetchall()]
                cursor.execute("SET LOCAL statement_timeout = DEFAULT")
        except OperationalError as error:
            if isinstance(error.__cause__, errors.QueryCanceled):
                return None
            raise
        return found


def _along_index(
    rows: QuerySet[Any],
    windows: Sequence[Window],
    most: int,
    place: Place | None,
    ahead: tuple[int, _Query],
    *,
    backwards: bool,
) -> list[tuple[int, int]] | None:
    """The first of the windows' rows, each window walked through in its order; None where one takes too long.

    `ahead` is the first window in which there can be rows, and its query, which has been planned.
    """
    first, planned = ahead
    found: list[tuple[int, int]] = []
    for number, part in parts(rows, windows, place, backwards=backwards):
        if len(found) == most:
            break
        asked = planned if number == first else _Query.of(part.values_list("pk", flat=True)[: most - len(found)])
        walked = asked.ids(STAKE_MS)
        if walked is None:
            return None
        found += [(number, pk) for pk in walked]
    return found


def _among_all(
    rows: QuerySet[Any],
    windows: Sequence[Window],
    most: int,
    place: Place | None,
    own: Sequence[QuerySet[Any]],
    *,
    backwards: bool,
) -> Found | None:
    """The first of somebody's own rows on a walk along everybody's: whether one is among them, it is told by its number.

    Of thousands of rows that lie all over their tables, reading each for the column that they are ordered by takes ten
    times as long as passing over its neighbours in the index. None where there are so few of them, or they lie so
    unevenly, that the walk would be, or has been, too long; and where there are too many to know their numbers.
    """
    number, _ahead = next(parts(rows, windows, place, backwards=backwards))
    window = windows[number]
    values = place.values if place is not None and place.window == number else None
    walk = _alone(rows, window, values, falls=window.falls != backwards)
    ids, given = _union(own)
    if walk is None or not ids:
        return None
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({ids} LIMIT %s) AS own", [*given, MOST_OWN + 1])
        size = int(cursor.fetchone()[0])
    everybody = _Query.of(walk).plan() if 0 < size <= MOST_OWN else None
    if everybody is None or (steps := max(most, everybody.rows * most * UNEVEN // size)) > LONGEST:
        return None
    sql, params = walk[:steps].query.sql_with_params()
    keys = [f"k{place}" for place in range(len(window.names))]
    way = "DESC" if window.falls != backwards else "ASC"
    with connection.cursor() as cursor:
        # IS TRUE: the ids are put into a table to look them up in, where the planner might join them, and sort.
        cursor.execute(
            f"SELECT {keys[-1]} FROM ({sql}) AS walked ({', '.join(keys)}) WHERE ({keys[-1]} IN ({ids})) IS TRUE "
            f"ORDER BY {', '.join(f'{key} {way}' for key in keys)} LIMIT %s",
            [*params, *given, most],
        )
        found = [(number, pk) for (pk,) in cursor.fetchall()]
    return Found(found, Size.of(size)) if len(found) == most else None


def _alone(rows: QuerySet[Any], window: Window, values: Sequence[Any] | None, *, falls: bool) -> QuerySet[Any] | None:
    """The columns that a window is ordered by, in its order from some values on, read from the one table that has them.

    None where they are of several tables, or where the window's rows are not all that have a value in the first one.
    """
    fields = [_column_of(rows, name) for name in window.names]
    model = getattr(fields[0], "model", None)
    if model is None or any(getattr(each, "model", None) is not model for each in fields):
        return None
    names = [each.attname for each in fields]
    found = model.objects.all()
    if window.only:
        if window.only != Q(**{f"{window.names[0]}__isnull": False}):
            return None
        found = found.filter(**{f"{names[0]}__isnull": False})
    if values is not None:
        found = found.filter(Beyond(names, values, falls=falls))
    return found.order_by(*(f"-{name}" if falls else name for name in names)).values_list(*names)


def _column_of(rows: QuerySet[Any], name: str) -> Any:
    """The column itself, where `field_of` says what a foreign key or a generated column holds."""
    annotation = rows.query.annotations.get(name)
    return annotation.target if isinstance(annotation, Col) else field_of(rows, name)


def _union(parts: Sequence[QuerySet[Any]]) -> tuple[str, list[Any]]:
    """The ids of several queries, one after the other, as SQL and what goes into it; "" where nothing can be found."""
    said: list[str] = []
    given: list[Any] = []
    for part in parts:
        try:
            sql, params = part.order_by().values_list("pk").query.sql_with_params()
        except EmptyResultSet:
            continue
        said.append(sql)
        given += params
    return " UNION ALL ".join(said), given


def _sorted(rows: QuerySet[Any], windows: Sequence[Window], most: int) -> Found:
    """The first rows and how many there are, in one look at all of them."""
    names = list(dict.fromkeys(name for window in windows for name in window.names[:-1]))
    whens = [(window.only, number) for number, window in enumerate(windows) if window.only and not window.is_empty]
    numbers = [When(only, then=Value(number)) for only, number in whens]
    number = Case(*numbers, default=Value(len(windows) - 1)) if len(windows) > 1 else Value(0)
    inner = rows.annotate(window_number=number).order_by().values_list("pk", "window_number", *names)
    order = ["w"]
    for place, window in enumerate(windows):
        if window.is_empty:
            continue
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
