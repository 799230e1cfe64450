"""The migration operation that raises a tenant's wall around a table."""

from collections.abc import Iterator
from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from tenants.base import TenantForeignKey

# NULL without a scope, so nothing matches. The plain form: `(SELECT current_setting(…))` would hide the
# tenant's size from the planner.
_OWN = "tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint"


class TenantWall(Operation):
    """Row-level security and composite foreign keys for one model; repeat it after adding a foreign key.

    1. Every `TenantForeignKey` becomes `(tenant_id, x_id) → (tenant_id, id)`: a row cannot point across.
    2. Row-level security is switched on and forced: the app role sees and writes its scope's rows only.
    3. The role that migrates is exempt by a policy of its own; otherwise a new foreign key would be
       validated through the wall, where it finds no rows and accepts orphans.

    `readable_by_user` names a column of the person's id: they may read those rows in every tenant (their
    own memberships, before a tenant is chosen).
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, model_name: str, readable_by_user: str = "") -> None:
        self.model_name = model_name
        self.readable_by_user = readable_by_user

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, [self.model_name], {"readable_by_user": self.readable_by_user}

    def describe(self) -> str:
        return f"Raise the tenant wall around {self.model_name}"

    @property
    def migration_name_fragment(self) -> str:
        return f"wall_{self.model_name.lower()}"

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The wall is the database's own; the models do not know of it."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        table, quote = model._meta.db_table, schema_editor.quote_name
        for field in _tenant_foreign_keys(model):
            target = field.remote_field.model._meta.db_table
            _ensure(schema_editor, target, f"{target}_tenant_id_id_uniq", "UNIQUE (tenant_id, id)")
            # Deferred, as Django's own foreign keys are: rows of one transaction may come in any order.
            _ensure(
                schema_editor,
                table,
                _name(schema_editor, table, field.column, "_wall_fk"),
                f"FOREIGN KEY (tenant_id, {quote(field.column)}) REFERENCES {quote(target)} (tenant_id, id) "
                "DEFERRABLE INITIALLY DEFERRED",
            )
            if not _is_indexed(schema_editor, table, field.column):
                index = _name(schema_editor, table, field.column, "_wall_ix")
                schema_editor.execute(
                    f"CREATE INDEX {quote(index)} ON {quote(table)} (tenant_id, {quote(field.column)})"
                )
        schema_editor.execute(f"ALTER TABLE {quote(table)} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        policies = {
            "tenant_wall": f"TO PUBLIC USING ({_OWN}) WITH CHECK ({_OWN})",
            "owner_gate": "TO CURRENT_USER USING (true) WITH CHECK (true)",
        }
        if self.readable_by_user:
            mine = f"{quote(self.readable_by_user)} = nullif(current_setting('app.user_id', true), '')::bigint"
            policies["own_rows"] = f"FOR SELECT TO PUBLIC USING ({mine})"
        for name, body in policies.items():
            schema_editor.execute(f"DROP POLICY IF EXISTS {name} ON {quote(table)}")
            schema_editor.execute(f"CREATE POLICY {name} ON {quote(table)} {body}")

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        table, quote = model._meta.db_table, schema_editor.quote_name
        for policy in ("tenant_wall", "owner_gate", "own_rows"):
            schema_editor.execute(f"DROP POLICY IF EXISTS {policy} ON {quote(table)}")
        schema_editor.execute(f"ALTER TABLE {quote(table)} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")
        for field in _tenant_foreign_keys(model):
            constraint = _name(schema_editor, table, field.column, "_wall_fk")
            schema_editor.execute(f"ALTER TABLE {quote(table)} DROP CONSTRAINT IF EXISTS {quote(constraint)}")


def _tenant_foreign_keys(model: type[models.Model]) -> Iterator[Any]:
    for field in model._meta.local_fields:
        if isinstance(field, TenantForeignKey):
            yield field


def _name(editor: Any, table: str, column: str, suffix: str) -> str:
    return str(editor._create_index_name(table, ["tenant_id", column], suffix=suffix))


def _is_indexed(editor: BaseDatabaseSchemaEditor, table: str, column: str) -> bool:
    """Whether a whole index begins with (tenant_id, column) already."""
    with editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_index i "
            "JOIN pg_attribute t ON t.attrelid = i.indrelid AND t.attnum = i.indkey[0] AND t.attname = 'tenant_id' "
            "JOIN pg_attribute c ON c.attrelid = i.indrelid AND c.attnum = i.indkey[1] AND c.attname = %s "
            "WHERE i.indrelid = %s::regclass AND i.indpred IS NULL",
            [column, editor.quote_name(table)],
        )
        return cursor.fetchone() is not None


def _ensure(editor: BaseDatabaseSchemaEditor, table: str, constraint: str, definition: str) -> None:
    with editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_constraint WHERE conrelid = %s::regclass AND conname = %s",
            [editor.quote_name(table), constraint],
        )
        if cursor.fetchone():
            return
    quote = editor.quote_name
    editor.execute(f"ALTER TABLE {quote(table)} ADD CONSTRAINT {quote(constraint)} {definition}")
