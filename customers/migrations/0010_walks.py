"""The customers that somebody owns or covers, by their numbers alone."""

from django.db import migrations, models

from tenants.migrations_ops import RenderedOnce

# The indexes that take their place begin with the same columns; who covers nobody is in none, and looked for in none.
OWNED = "customers_customer_tenant_id_owner_a_id_10f02b83_wall_ix"
COVERED = "customers_customer_tenant_id_owner_b_id_6335faf8_wall_ix"


class Migration(RenderedOnce):
    dependencies = [
        ("customers", "0009_referrals"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(fields=["tenant", "owner_a", "id"], name="customer_owned"),
        ),
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(
                condition=models.Q(("owner_b__isnull", False)),
                fields=["tenant", "owner_b", "id"],
                include=["owner_a"],
                name="customer_covered",
            ),
        ),
        migrations.RunSQL(
            f"DROP INDEX IF EXISTS {OWNED}",
            f"CREATE INDEX IF NOT EXISTS {OWNED} ON customers_customer (tenant_id, owner_a_id)",
        ),
        migrations.RunSQL(
            f"DROP INDEX IF EXISTS {COVERED}",
            f"CREATE INDEX IF NOT EXISTS {COVERED} ON customers_customer (tenant_id, owner_b_id)",
        ),
    ]
