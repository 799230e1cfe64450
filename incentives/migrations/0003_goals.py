from typing import Any, ClassVar

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import TenantWall


class Migration(migrations.Migration):
    dependencies: ClassVar[list[Any]] = [("incentives", "0002_ledger")]

    operations: ClassVar[list[Any]] = [
        migrations.CreateModel(
            name="Goal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("quarter", models.DateField(verbose_name="quarter")),
                ("title", models.CharField(max_length=160, verbose_name="what is to get better")),
                ("why", models.TextField(blank=True, default="", verbose_name="why")),
                ("kpi", models.CharField(max_length=20, verbose_name="measured by")),
                ("baseline", tenants.base.FixedPointField(places=4, verbose_name="baseline")),
                ("baseline_of", models.DateField(blank=True, null=True)),
                (
                    "target",
                    tenants.base.FixedPointField(
                        places=4, validators=[django.core.validators.MinValueValidator(0)], verbose_name="target"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("plan", "Plan"),
                            ("do", "Do"),
                            ("check", "Check"),
                            ("act", "Act"),
                            ("closed", "closed"),
                        ],
                        default="plan",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("plan", models.TextField(blank=True, default="", verbose_name="what will be done")),
                ("done", models.TextField(blank=True, default="", verbose_name="what was done")),
                ("result", tenants.base.FixedPointField(blank=True, null=True, places=4, verbose_name="result")),
                ("checked_at", models.DateTimeField(blank=True, null=True, verbose_name="checked")),
                (
                    "verdict",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("reached", "reached"),
                            ("better", "better, not reached"),
                            ("missed", "not better"),
                            ("unknown", "could not be measured"),
                        ],
                        default="",
                        max_length=10,
                        verbose_name="verdict",
                    ),
                ),
                ("learned", models.TextField(blank=True, default="", verbose_name="what was learned")),
                ("standard", models.TextField(blank=True, default="", verbose_name="what became standard")),
                (
                    "standard_where",
                    models.CharField(blank=True, default="", max_length=300, verbose_name="where it is written down"),
                ),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "followed_by",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="follows",
                        to="incentives.goal",
                    ),
                ),
                (
                    "member",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="goals",
                        to="tenants.member",
                        verbose_name="of the person",
                    ),
                ),
                (
                    "owner",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                        verbose_name="who answers for it",
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
                        verbose_name="of the team",
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
                "ordering": ["-quarter", "-id"],
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "-quarter", "-id"], name="goal_by_quarter"),
                    models.Index(fields=["tenant", "updated_at", "id"], name="goal_by_update"),
                ],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("target__gt", 0)), name="goal_target_above_nothing"),
                    models.CheckConstraint(
                        condition=models.Q(("team__isnull", True), ("member__isnull", True), _connector="OR"),
                        name="goal_of_one",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "closed"), _negated=True),
                            models.Q(("verdict", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="goal_closed_with_verdict",
                    ),
                ],
            },
        ),
        TenantWall("Goal"),
    ]
