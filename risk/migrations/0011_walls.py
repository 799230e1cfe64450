from django.db import migrations

# Of each table another index begins with the same columns.
WALLS = {
    ("risk_alert", "customer_id"): "risk_alert_tenant_id_customer_id_91db07f5_wall_ix",
}


class Migration(migrations.Migration):
    """Indexes that every write kept up and no query needed: the walls had made them before they could see the others."""

    dependencies = [("risk", "0010_waiting")]

    operations = [
        migrations.RunSQL(
            f"DROP INDEX IF EXISTS {name}",
            f"CREATE INDEX IF NOT EXISTS {name} ON {table} (tenant_id, {column})",
        )
        for (table, column), name in WALLS.items()
    ]
