import django.db.models.deletion
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import RenderedOnce, TenantWall


class Migration(RenderedOnce):
    dependencies = [
        ("customers", "0006_search"),
        ("followups", "0007_journeys"),
        ("tenants", "0004_parts"),
    ]

    operations = [
        migrations.CreateModel(
            name="CareDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("founded", "Company anniversary"), ("other", "Another day")],
                        default="founded",
                        max_length=8,
                        verbose_name="kind",
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=60, verbose_name="what is celebrated")),
                ("on", models.DateField(verbose_name="day")),
                (
                    "by",
                    models.CharField(
                        choices=[("solar", "solar"), ("lunar", "lunar")],
                        default="solar",
                        max_length=5,
                        verbose_name="comes round by",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "contact",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="customers.contact",
                        verbose_name="contact",
                    ),
                ),
                (
                    "customer",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="care_days",
                        to="customers.customer",
                        verbose_name="customer",
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
                    models.Index(fields=["tenant", "customer"], name="care_day_of_customer"),
                    models.Index(fields=["tenant", "updated_at", "id"], name="care_day_by_update"),
                ],
            },
        ),
        migrations.CreateModel(
            name="CareWishes",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "birthday_by",
                    models.CharField(
                        choices=[("solar", "solar"), ("lunar", "lunar")],
                        default="solar",
                        max_length=5,
                        verbose_name="birthday by",
                    ),
                ),
                ("birthdays", models.BooleanField(default=True, verbose_name="birthdays")),
                ("anniversaries", models.BooleanField(default=True, verbose_name="anniversaries")),
                ("festivals", models.BooleanField(default=True, verbose_name="festivals")),
                (
                    "how",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "as the policy says"),
                            ("person", "a person gets in touch"),
                            ("email", "an e-mail is sent"),
                            ("sms", "an SMS is sent"),
                        ],
                        default="",
                        max_length=6,
                        verbose_name="how",
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "contact",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="care_wishes",
                        to="customers.contact",
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
                    models.UniqueConstraint(models.F("tenant"), models.F("contact"), name="care_wishes_uniq"),
                ],
            },
        ),
        TenantWall("CareWishes"),
        TenantWall("CareDay"),
    ]
