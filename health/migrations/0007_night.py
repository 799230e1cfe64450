import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import RenderedOnce, TenantWall


class Migration(RenderedOnce):
    dependencies = [
        ("customers", "0006_search"),
        ("health", "0006_counts"),
        ("tenants", "0004_parts"),
    ]

    operations = [
        migrations.CreateModel(
            name="KnownCategory",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "product_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("category", models.CharField(blank=True, max_length=80)),
                ("seen", models.CharField(blank=True, max_length=80)),
                (
                    "product",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="customers.product",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={"abstract": False, "base_manager_name": "objects"},
        ),
        migrations.CreateModel(
            name="ScoreBasis",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("as_of", models.DateField(null=True)),
                ("latest", models.DateField()),
                ("keeps_complaints", models.BooleanField(default=False)),
                ("keeps_competitors", models.BooleanField(default=False)),
                ("customer_number", models.BigIntegerField(default=0)),
                ("tier_change_number", models.BigIntegerField(default=0)),
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
                "constraints": [models.UniqueConstraint("tenant", name="score_basis_uniq")],
            },
        ),
        migrations.AddField("healthscore", "facts_until", models.DateField(null=True)),
        migrations.AddField("healthscore", "stands_until", models.DateField(null=True)),
        migrations.AddField("healthscore", "kept_on", models.DateField(null=True)),
        migrations.AddField("healthscore", "kept_score", models.SmallIntegerField(null=True)),
        migrations.AddField(
            "healthscore",
            "kept_band",
            models.CharField(
                blank=True,
                choices=[("green", "Green"), ("yellow", "Yellow"), ("red", "Red"), ("none", "Not enough data")],
                db_default="",
                default="",
                max_length=6,
            ),
        ),
        migrations.AddIndex(
            "healthhistory",
            django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=["on"], name="health_history_by_day"),
        ),
        TenantWall("KnownCategory"),
        TenantWall("ScoreBasis"),
    ]
