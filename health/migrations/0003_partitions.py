from django.db import migrations

from tenants.migrations_ops import PartitionByYear


class Migration(migrations.Migration):
    dependencies = [
        ("health", "0002_forecast"),
        ("tenants", "0003_partitions"),
    ]

    operations = [
        PartitionByYear("HealthHistory", by="on", key=["tenant_id", "customer_id", "on"]),
    ]
