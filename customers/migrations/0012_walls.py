from django.db import migrations

# Of each table another index begins with the same columns.
WALLS = {
    ("customers_evidence", "customer_id"): "customers_evidence_tenant_id_customer_id_c6d81b46_wall_ix",
    ("customers_surveyresponse", "customer_id"): "customers_surveyresponse_tenant_id_customer_id_ad3ab74e_wall_ix",
}


class Migration(migrations.Migration):
    """Indexes that every write kept up and no query needed: the walls had made them before they could see the others."""

    dependencies = [("customers", "0011_whole_months")]

    operations = [
        migrations.RunSQL(
            f"DROP INDEX IF EXISTS {name}",
            f"CREATE INDEX IF NOT EXISTS {name} ON {table} (tenant_id, {column})",
        )
        for (table, column), name in WALLS.items()
    ]
