"""The two database roles: the owner migrates, the app role works and is bound by every wall."""

from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg2
from django.conf import settings
from django.db import connections
from django.db.backends.utils import CursorWrapper
from django.db.models import Model

OWNER = "owner"


class OwnerMigrates:
    """Database router: tables are made through the owner's connection only."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == OWNER or OWNER not in connections

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool:
        return True  # two names of one database


def app_role() -> tuple[str, str]:
    """Name and password of the role that web and workers use."""
    parts = urlsplit(settings.DATABASE_APP_URL)
    return unquote(parts.username or ""), unquote(parts.password or "")


def grant_app_role(using: str, append_only: list[str]) -> None:
    """Make the app role if it is missing and give it the right to read and write rows, nothing else.

    Runs after every migration, one that goes back too: of the `append_only` tables some may be gone then. The others
    can be read and added to, never changed; partitions are read and written through their parent alone, which has the
    walls.
    """
    role, password = app_role()
    connection = connections[using]
    quoted = connection.ops.quote_name(role)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user = %s", [role])
        if cursor.fetchone()[0]:
            return  # one role for both: config.checks refuses to start with it
        _make_role(cursor, role, quoted, password)
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {quoted}")
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {quoted}")
        cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {quoted}")
        for table in sorted({*append_only} & {*connection.introspection.table_names(cursor)}):
            cursor.execute(f"REVOKE UPDATE, DELETE ON {connection.ops.quote_name(table)} FROM {quoted}")
        cursor.execute("SELECT oid::regclass::text FROM pg_class WHERE relispartition AND relkind = 'r'")
        if partitions := [name for (name,) in cursor.fetchall()]:
            cursor.execute(f"REVOKE ALL ON {', '.join(partitions)} FROM {quoted}")
        cursor.execute("SELECT to_regprocedure('public.history_upkeep()') IS NOT NULL")
        if cursor.fetchone()[0]:
            cursor.execute(f"GRANT EXECUTE ON FUNCTION public.history_upkeep() TO {quoted}")


def _make_role(cursor: CursorWrapper, role: str, quoted: str, password: str) -> None:
    # Roles belong to the whole server, which test processes and installations share: another one may make
    # the same role at this moment, and a role that can already sign in needs nothing.
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
    if cursor.fetchone() is None:
        cursor.execute(
            f"DO $do$ BEGIN CREATE ROLE {quoted} LOGIN NOINHERIT PASSWORD %s; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $do$",
            [password],
        )
    elif password and not _signs_in():
        cursor.execute(f"ALTER ROLE {quoted} LOGIN PASSWORD %s", [password])


def _signs_in() -> bool:
    try:
        psycopg2.connect(settings.DATABASE_APP_URL, connect_timeout=10).close()
    except psycopg2.OperationalError:
        return False
    return True
