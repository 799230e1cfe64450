import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import RenderedOnce, TenantWall


class Migration(RenderedOnce):
    dependencies = [("customers", "0006_search"), ("followups", "0009_surveys"), ("tenants", "0004_parts")]

    operations = [
        migrations.CreateModel(
            name="MysteryVisit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("on", models.DateField(verbose_name="day")),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("phone", "Phone"),
                            ("visit", "Visit"),
                            ("wechat", "WeChat"),
                            ("sms", "SMS"),
                            ("email", "E-mail"),
                            ("app", "App"),
                            ("store", "Store"),
                        ],
                        max_length=10,
                        verbose_name="channel",
                    ),
                ),
                ("place", models.CharField(blank=True, max_length=120, verbose_name="where")),
                ("scene", models.TextField(verbose_name="what was asked for")),
                (
                    "score",
                    models.PositiveSmallIntegerField(
                        help_text="1 to 5; 5 is as it should be.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(5),
                        ],
                        verbose_name="score",
                    ),
                ),
                (
                    "problem_kind",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("promise", "Promise not kept or not noted"),
                            ("need", "Need not found out"),
                            ("wrong", "Wrong or missing information"),
                            ("tone", "Tone"),
                            ("slow", "Slow"),
                            ("log", "Poorly written down"),
                            ("pester", "Too pushy"),
                            ("other", "Something else"),
                        ],
                        default="",
                        max_length=10,
                        verbose_name="kind of problem",
                    ),
                ),
                ("problem", models.TextField(blank=True, verbose_name="problem")),
                ("cause", models.TextField(blank=True, verbose_name="cause")),
                ("measure", models.TextField(blank=True, verbose_name="measure")),
                ("measure_due_on", models.DateField(blank=True, null=True, verbose_name="measure until")),
                ("measure_done_on", models.DateField(blank=True, null=True, verbose_name="measure done")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("updated_at", models.DateTimeField(auto_now=True)),
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
                        verbose_name="whom they met",
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
                (
                    "visitor",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                        verbose_name="by",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "-on", "-id"], name="mystery_visit_by_day"),
                    models.Index(fields=["tenant", "updated_at", "id"], name="mystery_visit_by_update"),
                ],
            },
        ),
        migrations.CreateModel(
            name="QualityReview",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField(verbose_name="month")),
                ("reviewed_at", models.DateTimeField(blank=True, null=True, verbose_name="reviewed")),
                (
                    "score",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="1 to 5; 5 is as it should be.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(5),
                        ],
                        verbose_name="score",
                    ),
                ),
                (
                    "problem_kind",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("promise", "Promise not kept or not noted"),
                            ("need", "Need not found out"),
                            ("wrong", "Wrong or missing information"),
                            ("tone", "Tone"),
                            ("slow", "Slow"),
                            ("log", "Poorly written down"),
                            ("pester", "Too pushy"),
                            ("other", "Something else"),
                        ],
                        default="",
                        max_length=10,
                        verbose_name="kind of problem",
                    ),
                ),
                ("problem", models.TextField(blank=True, verbose_name="problem")),
                ("cause", models.TextField(blank=True, verbose_name="cause")),
                ("measure", models.TextField(blank=True, verbose_name="measure")),
                ("measure_due_on", models.DateField(blank=True, null=True, verbose_name="measure until")),
                ("measure_done_on", models.DateField(blank=True, null=True, verbose_name="measure done")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "customer",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="customers.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "interaction",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reviews",
                        to="customers.interaction",
                        verbose_name="contact",
                    ),
                ),
                (
                    "member",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                        verbose_name="whose contact",
                    ),
                ),
                (
                    "reviewer",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                        verbose_name="reviewed by",
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
                "indexes": [
                    models.Index(fields=["tenant", "-month", "-id"], name="quality_review_by_month"),
                    models.Index(fields=["tenant", "member", "month"], name="quality_review_of_member"),
                    models.Index(fields=["tenant", "updated_at", "id"], name="quality_review_by_update"),
                ],
                "constraints": [
                    models.UniqueConstraint(models.F("tenant"), models.F("interaction"), name="quality_review_uniq")
                ],
            },
        ),
        migrations.CreateModel(
            name="QualitySample",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField()),
                ("percent", models.PositiveSmallIntegerField()),
                ("contacts", models.PositiveIntegerField()),
                ("drawn", models.PositiveIntegerField()),
                ("policy_version", models.IntegerField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
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
                    models.UniqueConstraint(models.F("tenant"), models.F("month"), name="quality_sample_uniq")
                ],
            },
        ),
        TenantWall("QualitySample"),
        TenantWall("QualityReview"),
        TenantWall("MysteryVisit"),
    ]
