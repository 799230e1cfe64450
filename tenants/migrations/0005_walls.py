from django.db import migrations

# Of each table another index begins with the same columns.
WALLS = {
    ("tenants_runpart", "step_id"): "tenants_runpart_tenant_id_step_id_89741a5f_wall_ix",
}


class Migration(migrations.Migration):
    """Indexes that every write kept up and no query needed: the walls had made them before they could see the others."""

    dependencies = [("tenants", "0004_parts")]

    operations = [
        migrations.RunSQL(
            f"DROP INDEX IF EXISTS {name}",
            f"CREATE INDEX IF NOT EXISTS {name} ON {table} (tenant_id, {column})",
        )
        for (table, column), name in WALLS.items()
    ]
