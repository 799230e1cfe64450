import django.db.models.deletion
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import TenantWall


class Migration(migrations.Migration):
    dependencies = [
        ("segmentation", "0003_partitions"),
        ("tenants", "0003_partitions"),
    ]

    operations = [
        migrations.CreateModel(
            name="SegmentationTally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("figure", models.CharField(max_length=20)),
                ("on", models.DateField()),
                ("counted_at", models.DateTimeField()),
                ("cells", models.JSONField(default=list)),
                (
                    "member",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.member",
                    ),
                ),
                (
                    "team",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.team",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"),
                        models.F("figure"),
                        models.F("member"),
                        models.F("team"),
                        name="segmentation_tally_uniq",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        TenantWall("SegmentationTally"),
    ]
