import django.db.models.deletion
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import RenderedOnce, TenantWall


class Migration(RenderedOnce):
    dependencies = [
        ("customers", "0008_complaints"),
        ("tenants", "0004_parts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Referral",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source", models.CharField(default="import", max_length=30)),
                ("external_id", models.CharField(blank=True, max_length=100, verbose_name="external id")),
                ("on", models.DateField(verbose_name="recommended on")),
                (
                    "origin",
                    models.CharField(
                        choices=[
                            ("by_hand", "by hand"),
                            ("import", "file"),
                            ("api", "programme"),
                            ("survey", "survey answer"),
                        ],
                        default="by_hand",
                        max_length=8,
                        verbose_name="recorded by way of",
                    ),
                ),
                ("note", models.TextField(blank=True, verbose_name="note")),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True, verbose_name="withdrawn")),
                (
                    "withdrawn_why",
                    models.CharField(
                        blank=True, db_default="", default="", max_length=200, verbose_name="why it was withdrawn"
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "customer",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="referrals",
                        to="customers.customer",
                        verbose_name="new customer",
                    ),
                ),
                (
                    "member",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        help_text="Who gets the reward for the new orders; empty: the A owner of the customer who recommended us.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                        verbose_name="brought by",
                    ),
                ),
                (
                    "noted_by",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                    ),
                ),
                (
                    "referrer",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="referrals_made",
                        to="customers.customer",
                        verbose_name="recommended by",
                    ),
                ),
                (
                    "response",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="customers.surveyresponse",
                        verbose_name="survey answer",
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
                    models.Index(fields=["tenant", "-on", "-id"], name="referral_newest"),
                    models.Index(fields=["tenant", "updated_at", "id"], name="referral_by_update"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"),
                        models.F("source"),
                        models.F("external_id"),
                        condition=models.Q(("external_id", ""), _negated=True),
                        name="referral_external_id_uniq",
                    ),
                    models.UniqueConstraint(
                        models.F("tenant"),
                        models.F("customer"),
                        condition=models.Q(("withdrawn_at__isnull", True)),
                        name="referral_claim_uniq",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("referrer", models.F("customer")), _negated=True),
                        name="referral_not_of_oneself",
                    ),
                ],
            },
        ),
        TenantWall("Referral"),
        migrations.AlterField(
            model_name="columnmapping",
            name="kind",
            field=models.CharField(
                choices=[
                    ("orders", "orders"),
                    ("customers", "customers"),
                    ("contacts", "contacts"),
                    ("products", "products"),
                    ("interactions", "interactions"),
                    ("complaints", "complaints"),
                    ("survey_responses", "survey responses"),
                    ("referrals", "referrals"),
                ],
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="import",
            name="kind",
            field=models.CharField(
                choices=[
                    ("orders", "orders"),
                    ("customers", "customers"),
                    ("contacts", "contacts"),
                    ("products", "products"),
                    ("interactions", "interactions"),
                    ("complaints", "complaints"),
                    ("survey_responses", "survey responses"),
                    ("referrals", "referrals"),
                ],
                max_length=20,
                verbose_name="kind",
            ),
        ),
    ]
