"""The test databases. Migrating takes long: it is done once in a run, and every process copies what came of it.

The copy is PostgreSQL's own (CREATE DATABASE … TEMPLATE): whatever the migrations made, row for row, with rights,
walls and sequences. The template belongs to one run: which one stands in its comment, and another run's is made anew,
so that no migration of another day is ever tested.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connections, transaction
from psycopg2.errors import ObjectInUse


@contextmanager
def copied(name: str) -> Iterator[None]:
    """Until the end both roles work in a new database of this name, migrated and empty; then it is gone.

    Call it outside of any transaction.
    """
    template = migrated()
    _make(name, template)
    try:
        with _worked_in(name):
            yield
    finally:
        drop(name)


def migrated() -> str:
    """The name of the migrated database, into which nobody connects: the first process that asks makes it.

    The others wait meanwhile. Whoever dies over it leaves no word in the comment, and the next one begins anew.
    """
    name, run = template_name(), os.environ["PERENNIAL_TEST_RUN"]
    with (Path(os.environ["PERENNIAL_TEST_VAR"]) / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _comment_on(name) != run:
            _make(name, "template1")
            with _worked_in(name):
                call_command("migrate", verbosity=0, interactive=False, run_syncdb=True)
            with connections["owner"]._nodb_cursor() as cursor:
                cursor.execute(f"COMMENT ON DATABASE {_quoted(name)} IS %s", [run])
    return name


def empty() -> None:
    """Take out what a test has committed, as Django's `flush` would, but only where there is something.

    `flush` gives every table and every index a new file, and then makes the content types, the permissions and the
    app role's rights again: hundreds of tests would wait half a second each. Here these stay as they are, and where
    little has been written the rows are deleted one by one. Locks are the same: what still writes is waited for.
    """
    owner = connections["owner"]
    tables = sorted(set(owner.introspection.django_table_names(only_existing=True)) - _KEPT)
    listed = ", ".join(map(_quoted, tables))
    with transaction.atomic(using="owner"), owner.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {listed} IN ACCESS EXCLUSIVE MODE")
        cursor.execute(_WRITTEN, [tables])
        written = cursor.fetchall()
        if sum(size for _name, size, _guarded in written) > _MUCH or any(guarded for _name, _size, guarded in written):
            cursor.execute(f"TRUNCATE {listed}")
        elif written:
            cursor.execute("; ".join(f"DELETE FROM {name}" for name, _size, _guarded in written))


_KEPT = {"django_content_type", "auth_permission"}
"""What `migrate` writes for the models there are: no test changes it."""

_MUCH = 4 * 2**20
"""Bytes in tables from which on new files are quicker than deleting; deleted rows count until PostgreSQL has swept."""

# Tables and partitions that are not of no length, and whether a trigger comes before what is deleted there: a guard.
_WRITTEN = """
SELECT c.oid::regclass::text, pg_relation_size(c.oid),
       EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgtype & 10 = 10)
FROM pg_class c
WHERE c.relkind = 'r' AND coalesce(pg_partition_root(c.oid), c.oid) = ANY (%s::regclass[]) AND pg_relation_size(c.oid) > 0
"""


def template_name() -> str:
    """Of the database that all of a run's are copied from: beside theirs, which pytest-django names."""
    return f"test_{unquote(urlsplit(settings.DATABASE_OWNER_URL).path.strip('/'))}_template"


def drop(name: str) -> None:
    """Remove the database if it is there, with the sessions that others have left in it.

    A live server's thread whose browser has gone, or a process that was killed, may keep a session, or come for
    another: nobody is let in any more, and each role ends its own. What they did is long committed, or never will be.
    """
    connections.close_all()
    with connections["owner"]._nodb_cursor() as cursor:
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", [name])
        if not cursor.rowcount:
            return
        cursor.execute(f"ALTER DATABASE {_quoted(name)} ALLOW_CONNECTIONS false")
    end = time.monotonic() + _PATIENCE_S
    while True:
        left = _end_sessions(name)
        try:
            with connections["owner"]._nodb_cursor() as cursor:
                cursor.execute(f"DROP DATABASE {_quoted(name)}")
            return
        except OperationalError as error:
            if not isinstance(error.__cause__, ObjectInUse):
                raise
            if time.monotonic() > end:
                raise AssertionError(f"Sessions that do not end in {name}: {left}") from error


_PATIENCE_S = 60.0
"""A session that was ended is gone a moment later: on a busy machine after more than the five seconds that PostgreSQL
waits for it."""


def _end_sessions(name: str) -> list[tuple[str | None, ...]]:
    """Each role ends its own sessions in the database, from outside of it. What they were: role, state, statement."""
    with connections["owner"]._nodb_cursor() as cursor:
        cursor.execute("SELECT usename, state, query FROM pg_stat_activity WHERE datname = %s", [name])
        left = cursor.fetchall()
    for alias in ("owner", "default"):
        if connections[alias].settings_dict["USER"] in {role for role, *_rest in left}:
            with connections[alias]._nodb_cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = %s AND usename = current_user",
                    [name],
                )
    return left


def _make(name: str, template: str) -> None:
    drop(name)
    with connections["owner"]._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {_quoted(name)} TEMPLATE {_quoted(template)}")


@contextmanager
def _worked_in(name: str) -> Iterator[None]:
    """Both roles' connections lead to the database; none is open before or after."""
    places = [connections[alias].settings_dict for alias in ("owner", "default")]
    before = [place["NAME"] for place in places]
    connections.close_all()
    for place in places:
        place["NAME"] = name
    try:
        yield
    finally:
        connections.close_all()
        for place, usual in zip(places, before, strict=True):
            place["NAME"] = usual


def _comment_on(name: str) -> str | None:
    with connections["owner"]._nodb_cursor() as cursor:
        cursor.execute("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name])
        row = cursor.fetchone()
    return row[0] if row else None


def _quoted(name: str) -> str:
    return connections["owner"].ops.quote_name(name)
