from unittest.mock import Mock

import pytest
from django.core.management import call_command
from django.db import connections, models
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState

from tenants.migrations_ops import RenderedOnce

RENDERED_BETWEEN = {
    "customers.0001_initial": "a customer's tags lead through a table that is made after it",
    "customers.0006_search": "rows are written between one operation and the next",
}
"""Migrations of several operations on models that need them as they stand in between, and why."""

ON_MODELS = (
    operations.CreateModel,
    operations.AddField,
    operations.AlterField,
    operations.RemoveField,
    operations.AddIndex,
    operations.RemoveIndex,
    operations.AddConstraint,
    operations.RemoveConstraint,
)


@pytest.mark.django_db(databases=["default", "owner"])
def test_models_and_migrations_agree():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_the_app_role_owns_nothing_and_may_not_make_tables(db):
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)"
        )
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT has_schema_privilege(current_user, 'public', 'CREATE')")
        assert cursor.fetchone() == (False,)


def test_make_the_models_anew_once():
    """A migration of several operations that did so between any two would take minutes of a newcomer's first start."""
    between = {
        f"{app}.{name}"
        for (app, name), migration in MigrationLoader(None).disk_migrations.items()
        if not type(migration).__module__.startswith(("django.", "allauth."))
        and sum(isinstance(operation, ON_MODELS) for operation in migration.operations) > 1
        and not isinstance(migration, RenderedOnce)
    }
    assert between == set(RENDERED_BETWEEN)


class Noted(operations.AddField):
    """Adds a field and writes nothing but what it saw: the fields before and after it."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        new = {"colour", "motto"}
        for state in (from_state, to_state):
            fields = state.apps.get_model("tenants", "team")._meta.get_fields()
            schema_editor.seen(sorted(new & {field.name for field in fields}))


@pytest.mark.parametrize(("kind", "seen"), [
    (Migration, [[], ["colour"], ["colour"], ["colour", "motto"]]),
    (RenderedOnce, [[], ["colour", "motto"], [], ["colour", "motto"]]),
])  # fmt: skip
def test_rendered_once_shows_each_operation_the_first_state_and_the_last(monkeypatch, kind, seen):
    before = MigrationLoader(None).project_state(("tenants", "0001_initial"))
    size = len(before.apps.get_models(include_auto_created=True))
    render = Mock(side_effect=ModelState.render)
    monkeypatch.setattr(ModelState, "render", lambda *arguments: render(*arguments))
    migration, editor = kind("next", "tenants"), Mock()
    migration.operations = [Noted("team", name, models.CharField(max_length=9)) for name in ("colour", "motto")]
    migration.apply(before, editor)
    assert [call.args[0] for call in editor.seen.call_args_list] == seen
    assert (render.call_count <= size) is (kind is RenderedOnce)


def test_walls_make_no_index_that_another_one_begins_with(db):
    with connections["default"].cursor() as cursor:
        cursor.execute(
            """
            SELECT w.indexrelid::regclass::text, o.indexrelid::regclass::text
            FROM pg_index w JOIN pg_index o ON o.indrelid = w.indrelid AND o.indexrelid <> w.indexrelid
            WHERE w.indexrelid::regclass::text LIKE '%\\_wall\\_ix' AND o.indpred IS NULL
            AND (o.indkey[0], o.indkey[1]) = (w.indkey[0], w.indkey[1])
            """
        )
        assert cursor.fetchall() == []
