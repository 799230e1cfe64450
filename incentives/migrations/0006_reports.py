from typing import Any, ClassVar

import django.db.models.deletion
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import TenantWall


class Migration(migrations.Migration):
    dependencies: ClassVar[list[Any]] = [("incentives", "0005_growth")]

    operations: ClassVar[list[Any]] = [
        migrations.CreateModel(
            name="Report",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("monthly", "Monthly report"), ("weekly", "Weekly digest")],
                        max_length=8,
                        verbose_name="kind",
                    ),
                ),
                ("start", models.DateField(verbose_name="first day")),
                ("as_of", models.DateField(verbose_name="as of")),
                ("policy_version", models.IntegerField()),
                ("facts", models.JSONField(default=dict)),
                ("made_at", models.DateTimeField(auto_now_add=True, verbose_name="made")),
                (
                    "member",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                        verbose_name="person",
                    ),
                ),
                (
                    "team",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.team",
                        verbose_name="team",
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
                "ordering": ["-start", "-id"],
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "-start", "-id"], name="report_newest"),
                    models.Index(fields=["tenant", "made_at", "id"], name="report_by_making"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "kind", "start", "team", "member"), name="report_once", nulls_distinct=False
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("team__isnull", True), ("member__isnull", True), _connector="OR"),
                        name="report_of_one",
                    ),
                ],
            },
        ),
        TenantWall("Report"),
    ]
