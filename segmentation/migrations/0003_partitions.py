from django.db import migrations

from tenants.migrations_ops import PartitionByYear


class Migration(migrations.Migration):
    dependencies = [
        ("segmentation", "0002_value"),
        ("tenants", "0003_partitions"),
    ]

    operations = [
        # "tier_change_by_customer" begins with the same columns.
        migrations.RunSQL(
            "DROP INDEX IF EXISTS segmentation_tierchange_tenant_id_customer_id_10d7f606_wall_ix",
            migrations.RunSQL.noop,
        ),
        PartitionByYear("TierChange", by="on", key=["tenant_id", "id", "on"]),
    ]
