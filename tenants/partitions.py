"""History tables in partitions, one per calendar year in UTC: what there is, what is due, what may go.

Models say so by `partitioned_by`; their migrations carry `PartitionByYear`. A parent has, without a gap: one partition
for everything before its first year, one for each year, and a default one for what lies ahead.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections, models, transaction
from django.utils import timezone

from tenants.base import TenantModel
from tenants.database import OWNER

KEPT_DAYS: Final = 366  # screens compare with a year ago
LOCK_TIMEOUT_MS: Final = 10_000


@dataclass(frozen=True)
class Partition:
    """One partition; `rows` and `bytes` (with its indexes) as the database's statistics and files have them."""

    model: type[models.Model]
    name: str
    first: int | None  # year; None: everything before `last`
    last: int | None  # year; None: everything after the other partitions
    rows: int
    bytes: int

    @property
    def years(self) -> str:
        if self.last is None:
            return "later"
        return f"to {self.last}" if self.first is None else str(self.first)


def history_models() -> list[type[Any]]:
    """The models whose tables are partitioned, by table name."""
    found = [m for m in apps.get_models() if issubclass(m, TenantModel) and m.partitioned_by]
    return sorted(found, key=lambda m: m._meta.db_table)


def partitions_of(model: type[models.Model], using: str = OWNER) -> list[Partition]:
    """The table's partitions, oldest first, the default one last."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid), greatest(c.reltuples, 0)::bigint, "
            "pg_total_relation_size(c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = %s::regclass",
            [model._meta.db_table],
        )
        found = [Partition(model, name, *_years(bound), rows, size) for name, bound, rows, size in cursor.fetchall()]
    return sorted(found, key=lambda partition: partition.last or dt.MAXYEAR)


def _years(bound: str) -> tuple[int | None, int | None]:
    years = [int(year) for year in re.findall(r"\('(\d+)-01-01", bound)]
    if len(years) == 2:
        return years[0], years[1] - 1
    return None, years[0] - 1 if years else None


def are_kept(using: str) -> bool:
    """Whether the migrations that make partitions have run."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT to_regprocedure('public.history_upkeep()') IS NOT NULL")
        return bool(cursor.fetchone()[0])


def upkeep(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Make the partitions of this and the next year where they are missing; returns their names.

    Rows that had to go into the default partition move into theirs. Also tells the planner how large the whole tables
    are. The app role may call it. Raises OperationalError when a lock is not to be had within five seconds: the next
    day will do.
    """
    with transaction.atomic(using), connections[using].cursor() as cursor:
        cursor.execute("SELECT public.history_upkeep()")
        return [name for (name,) in cursor.fetchall()]


def begin_with(year: int, using: str = OWNER) -> list[str]:
    """Give every year from `year` on a partition, for history that is brought in; returns the names of the new ones.

    Rows of those years move out of the oldest partition. Needs the owner; nobody else can use a table meanwhile.
    """
    made = []
    with transaction.atomic(using), connections[using].cursor() as cursor:
        for model in history_models():
            oldest = partitions_of(model, using)[0].last
            for missing in range(oldest or year, year - 1, -1):
                cursor.execute("SELECT public.history_make_year(%s::regclass, %s)", [model._meta.db_table, missing])
                made.append(cursor.fetchone()[0])
    return made


def droppable(day: dt.date, using: str = OWNER) -> list[Partition]:
    """The partitions that `drop_before(day)` would drop; an oldest one that was made by an earlier drop is left out.

    Raises ValueError when that would take from the last `KEPT_DAYS` days.
    """
    if day > timezone.now().date() - dt.timedelta(days=KEPT_DAYS):
        raise ValueError(f"The history of the last {KEPT_DAYS} days is needed: {day} is too late")
    return [partition for model in history_models() for partition in _old(model, day, using)]


def _old(model: type[models.Model], day: dt.date, using: str) -> list[Partition]:
    old = [p for p in partitions_of(model, using) if p.last is not None and p.last < day.year]
    # What has stood since before is already all that the only one of them holds.
    return [] if len(old) == 1 and old[0].last == day.year - 1 and not _holds_more(old[0], using) else old


def _holds_more(oldest: Partition, using: str) -> bool:
    """Whether an oldest partition has rows that a drop would take: whoever's last row stands is in it once."""
    quote, model = connections[using].ops.quote_name, oldest.model
    stands = _stands(model)
    more = f"GROUP BY {', '.join(map(quote, stands))} HAVING count(*) > 1" if stands else ""
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {quote(oldest.name)} {more})")
        return bool(cursor.fetchone()[0])


def drop_before(day: dt.date, using: str = OWNER) -> list[Partition]:
    """Drop the partitions of the years before the day's own; returns them.

    Of a table whose rows stand until the next one (`stands_for`) the last row of each stays, with its true day, so that
    every later day still has its answer. One transaction a table:

    1. The rows that stand are gathered in a new oldest partition, with its indexes and foreign keys. Meanwhile the years
       before `day` take no writes; the rest of the table goes on.
    2. The old partitions are dropped and the new one takes their place: an instant, in which the table is locked.

    Raises ValueError as `droppable` does, OperationalError when a lock is not to be had within ten seconds; what
    is done by then is done, and another call does the rest.
    """
    gone = droppable(day, using)
    for model in dict.fromkeys(partition.model for partition in gone):
        with transaction.atomic(using):
            fresh = _replace(model, [p.name for p in gone if p.model is model], day.year, using)
        with connections[using].cursor() as cursor:
            cursor.execute(f"ANALYZE {connections[using].ops.quote_name(fresh)}")
    return gone


def _replace(model: type[models.Model], old: Sequence[str], year: int, using: str) -> str:
    connection = connections[using]
    quote, table = connection.ops.quote_name, model._meta.db_table
    fresh = f"{table}_before_{year}"
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        if fresh in old:  # an earlier drop's, with rows that came in late
            cursor.execute(f"ALTER TABLE {quote(fresh)} RENAME TO {quote(f'{fresh}_old')}")
            old = [f"{fresh}_old" if name == fresh else name for name in old]
        cursor.execute(f"CREATE TABLE {quote(fresh)} (LIKE {quote(table)} INCLUDING ALL EXCLUDING IDENTITY)")
        cursor.execute("SELECT public.history_close(%s::regclass)", [fresh])
        if stands := _stands(model):
            cursor.execute(f"LOCK TABLE {', '.join(map(quote, old))} IN SHARE MODE")
            columns = ", ".join(quote(field.column) for field in model._meta.local_concrete_fields if field.column)
            rows = " UNION ALL ".join(f"SELECT {columns} FROM {quote(name)}" for name in old)
            each = ", ".join(map(quote, stands))
            cursor.execute(
                f"INSERT INTO {quote(fresh)} ({columns}) "
                f"SELECT DISTINCT ON ({each}) {columns} FROM ({rows}) r ORDER BY {each}, {_newest_first(model, quote)}"
            )
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE contype = 'f' AND conrelid = %s::regclass AND conparentid = 0",
            [table],
        )
        for name, definition in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {quote(fresh)} ADD CONSTRAINT {quote(name)} {definition}")
        for name in old:
            cursor.execute(f"ALTER TABLE {quote(table)} DETACH PARTITION {quote(name)}")
            cursor.execute(f"DROP TABLE {quote(name)}")
        cursor.execute(
            f"ALTER TABLE {quote(table)} ATTACH PARTITION {quote(fresh)} "
            f"FOR VALUES FROM (MINVALUE) TO ('{year}-01-01 00:00:00+00')"
        )
    return fresh


def _stands(model: type[Any]) -> list[str]:
    """The columns whose last row stays; none where a row is about its own moment only."""
    return ["tenant_id", model._meta.get_field(model.stands_for).column] if model.stands_for else []


def _newest_first(model: type[Any], quote: Any) -> str:
    columns = [model._meta.get_field(model.partitioned_by).column]
    if isinstance(model._meta.pk, models.AutoField | models.BigAutoField):
        columns.append(model._meta.pk.column)  # of one day's rows the one that was written last
    return ", ".join(f"{quote(column)} DESC" for column in columns)
