"""For migrations: the tenant's wall around a table, a table in partitions of a year, and many operations at once."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import Migration
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
        # CreateModel puts a table's indexes off to the migration's end: which there are has to be known below.
        while schema_editor.deferred_sql:
            schema_editor.execute(schema_editor.deferred_sql.pop(0), None)
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


class RenderedOnce(Migration):
    """A migration whose operations know two states only: as it was before all of them, and as it is after them.

    Between any two operations Django makes the classes of all related models anew, and ours are all related through
    their tenant: most of a newcomer's first start went there. Here they are made once in a migration. So no operation
    may rest upon what another one of the same migration has made: a new model's indexes, constraints and columns are
    said in its CreateModel.
    """

    def apply(
        self,
        project_state: ProjectState,
        schema_editor: BaseDatabaseSchemaEditor,
        collect_sql: bool = False,  # noqa: FBT001
    ) -> ProjectState:
        if collect_sql:  # `sqlmigrate` wants each operation's own lines
            return super().apply(project_state, schema_editor, collect_sql)
        before = project_state.clone()
        project_state.__dict__.pop("apps", None)  # what is not rendered need not be rendered again
        after = self.mutate_state(project_state, preserve=False)
        for operation in self.operations:
            operation.database_forwards(self.app_label, schema_editor, before, after)
        return after


class PartitionByYear(Operation):
    """Turns a table into one of a partition per calendar year (UTC) of `by`, so that old years can be dropped.

    1. Rows, defaults, indexes and foreign keys are carried over; the identity goes on where it stood.
    2. `key` becomes the primary key, which must hold `by`. Django still goes by the model's own: where that is an
       `id`, the identity makes it unique, and nothing may refer to it.
    3. The parent has its walls as before. A partition lets nobody in but the owner (`history_close`), since who names
       a partition is not bound by its parent's policies.

    There is a partition for each year from the oldest row's to the next, one for what is older, and a default one;
    `history_upkeep`, which tenants' migration 0003 makes, adds the years to come. Backwards makes one table again.
    While it runs, nobody else can use the table.
    """

    reduces_to_sql = False
    reversible = True

    def __init__(self, model_name: str, by: str, key: Sequence[str]) -> None:
        self.model_name, self.by, self.key = model_name, by, list(key)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return type(self).__name__, [self.model_name], {"by": self.by, "key": self.key}

    def describe(self) -> str:
        return f"Partition {self.model_name} by the year of {self.by}"

    @property
    def migration_name_fragment(self) -> str:
        return f"partition_{self.model_name.lower()}"

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """How the rows are laid out is the database's own affair."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        quote = schema_editor.quote_name
        model = to_state.apps.get_model(app_label, self.model_name)
        table, by = model._meta.db_table, quote(model._meta.get_field(self.by).column)

        def fill(old: str, columns: str) -> None:
            first, now = _one(
                schema_editor,
                f"SELECT extract(year FROM least(min({by} AT TIME ZONE 'UTC'), now() AT TIME ZONE 'UTC'))::integer, "
                f"extract(year FROM now() AT TIME ZONE 'UTC')::integer FROM {quote(old)}",
            )
            oldest, default = f"{table}_before_{first}", f"{table}_default"
            schema_editor.execute(
                f"CREATE TABLE {quote(oldest)} PARTITION OF {quote(table)} "
                f"FOR VALUES FROM (MINVALUE) TO ('{first}-01-01 00:00:00+00')"
            )
            schema_editor.execute(f"CREATE TABLE {quote(default)} PARTITION OF {quote(table)} DEFAULT")
            for name in (oldest, default):
                schema_editor.execute("SELECT public.history_close(%s::regclass)", [quote(name)])
            for year in range(first, now + 2):
                schema_editor.execute("SELECT public.history_make_year(%s::regclass, %s)", [quote(table), year])
            schema_editor.execute(f"INSERT INTO {quote(table)} ({columns}) SELECT {columns} FROM {quote(old)}")

        _remake(schema_editor, table, f"PARTITION BY RANGE ({by})", self.key, fill)
        TenantWall(self.model_name).database_forwards(app_label, schema_editor, from_state, to_state)
        schema_editor.execute(f"ANALYZE {quote(table)}")

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        quote = schema_editor.quote_name
        model = from_state.apps.get_model(app_label, self.model_name)
        table = model._meta.db_table

        def fill(old: str, columns: str) -> None:
            schema_editor.execute(f"INSERT INTO {quote(table)} ({columns}) SELECT {columns} FROM {quote(old)}")

        _remake(schema_editor, table, "", [field.column for field in model._meta.pk_fields], fill)
        TenantWall(self.model_name).database_forwards(app_label, schema_editor, from_state, from_state)


def _remake(
    editor: BaseDatabaseSchemaEditor, table: str, layout: str, key: Sequence[str], fill: Callable[[str, str], None]
) -> None:
    """Makes the table anew in another layout. `fill(old, columns)` brings the rows over from the old one.

    Indexes and foreign keys come after the rows: quicker, and no check is left pending that would lock us out.
    """
    quote, old = editor.quote_name, f"{table}_old"
    referring = _all(
        editor, "SELECT conname FROM pg_constraint WHERE contype = 'f' AND confrelid = %s::regclass", quote(table)
    )
    if referring:
        raise ValueError(f"{table} cannot be made anew: {', '.join(name for (name,) in referring)} refer to it")
    # Of a partitioned table only the whole's constraints and indexes; the partitions' own come with them.
    constraints = _all(
        editor,
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE contype IN ('f', 'u') AND conrelid = %s::regclass AND conparentid = 0 ORDER BY conname",
        quote(table),
    )
    indexes = _all(
        editor,
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = %s::regclass "
        "AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))",
        quote(table),
    )
    fields = _all(
        editor,
        "SELECT quote_ident(attname), attidentity, pg_get_serial_sequence(attrelid::regclass::text, attname) "
        "FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        quote(table),
    )
    editor.execute(f"ALTER TABLE {quote(table)} RENAME TO {quote(old)}")
    editor.execute(
        f"CREATE TABLE {quote(table)} (LIKE {quote(old)} INCLUDING ALL EXCLUDING IDENTITY EXCLUDING INDEXES) {layout}"
    )
    fill(old, ", ".join(name for name, *_ in fields))
    went_on = [
        (name, *_one(editor, f"SELECT last_value, is_called FROM {seq}")) for name, identity, seq in fields if identity
    ]
    editor.execute(f"DROP TABLE {quote(old)}")
    for name, last, is_called in went_on:
        editor.execute(f"ALTER TABLE {quote(table)} ALTER COLUMN {name} ADD GENERATED BY DEFAULT AS IDENTITY")
        editor.execute("SELECT setval(pg_get_serial_sequence(%s, %s), %s, %s)", [quote(table), name, last, is_called])
    editor.execute(
        f"ALTER TABLE {quote(table)} ADD CONSTRAINT {quote(f'{table}_pkey')} PRIMARY KEY ({', '.join(map(quote, key))})"
    )
    for (definition,) in indexes:
        editor.execute(definition)
    for name, definition in constraints:
        editor.execute(f"ALTER TABLE {quote(table)} ADD CONSTRAINT {quote(name)} {definition}")


def _all(editor: BaseDatabaseSchemaEditor, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with editor.connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def _one(editor: BaseDatabaseSchemaEditor, sql: str) -> tuple[Any, ...]:
    return _all(editor, sql)[0]


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
