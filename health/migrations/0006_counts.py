import django.db.models.deletion
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import RenderedOnce, TenantWall


class Migration(RenderedOnce):
    dependencies = [
        ("health", "0005_lists"),
        ("tenants", "0004_parts"),
    ]

    operations = [
        migrations.CreateModel(
            name="BandCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "band",
                    models.CharField(
                        choices=[("green", "Green"), ("yellow", "Yellow"), ("red", "Red"), ("none", "Not enough data")],
                        max_length=6,
                    ),
                ),
                ("customers", models.IntegerField()),
                ("net", tenants.base.MoneyField()),
                ("rescored", models.IntegerField()),
                ("week_risen", models.IntegerField()),
                ("week_fallen", models.IntegerField()),
                ("week_dropped", models.IntegerField()),
                ("month_risen", models.IntegerField()),
                ("month_fallen", models.IntegerField()),
                ("month_dropped", models.IntegerField()),
                (
                    "owner_a",
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
                    "owner_b",
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
                        models.F("owner_a"),
                        models.F("owner_b"),
                        models.F("band"),
                        name="band_count_uniq",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="HealthTally",
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
                        name="health_tally_uniq",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        TenantWall("BandCount"),
        TenantWall("HealthTally"),
    ]
