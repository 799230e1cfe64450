from django.db import migrations

# Of each table another index begins with the same columns.
WALLS = {
    ("health_bandcount", "owner_a_id"): "health_bandcount_tenant_id_owner_a_id_ff8fbdca_wall_ix",
}


class Migration(migrations.Migration):
    """Indexes that every write kept up and no query needed: the walls had made them before they could see the others."""

    dependencies = [("health", "0007_night")]

    operations = [
        migrations.RunSQL(
            f"DROP INDEX IF EXISTS {name}",
            f"CREATE INDEX IF NOT EXISTS {name} ON {table} (tenant_id, {column})",
        )
        for (table, column), name in WALLS.items()
    ]
