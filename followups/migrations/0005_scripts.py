import django.db.models.deletion
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import RenderedOnce, TenantWall


class Migration(RenderedOnce):
    dependencies = [
        ("customers", "0006_search"),
        ("followups", "0004_owners"),
        ("tenants", "0004_parts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Script",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=18, verbose_name="code")),
                (
                    "scene",
                    models.CharField(
                        choices=[
                            ("first_order", "First-order thanks"),
                            ("regular", "Regular call-back"),
                            ("complaint", "Complaint call-back"),
                            ("dormant", "Dormant wake-up"),
                            ("new_product", "New product"),
                            ("renewal", "Renewal or price talk"),
                            ("festival", "Festival care"),
                            ("referral", "Referral request"),
                        ],
                        max_length=12,
                        verbose_name="scene",
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=80, verbose_name="name")),
                (
                    "channel",
                    models.CharField(
                        blank=True,
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
                (
                    "outline",
                    models.CharField(
                        choices=[("plain", "Free text"), ("aida", "AIDA"), ("efi", "Emotion, benefit, action")],
                        default="plain",
                        max_length=5,
                        verbose_name="outline",
                    ),
                ),
                ("is_on", models.BooleanField(default=True, verbose_name="in use")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
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
                    models.Index(fields=["tenant", "updated_at", "id"], name="script_by_update"),
                ],
                "constraints": [
                    models.UniqueConstraint(models.F("tenant"), models.F("code"), name="script_code_uniq"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ScriptVariant",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("letter", models.CharField(max_length=2, verbose_name="variant")),
                ("texts", models.JSONField(default=dict)),
                ("retired_at", models.DateTimeField(blank=True, null=True, verbose_name="retired")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "script",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="variants",
                        to="followups.script",
                        verbose_name="script",
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
                "ordering": ["letter"],
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"), models.F("script"), models.F("letter"), name="script_variant_uniq"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ScriptUse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
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
                ("at", models.DateTimeField(verbose_name="when")),
                (
                    "contact",
                    tenants.base.TenantForeignKey(
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
                        related_name="+",
                        to="customers.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "follow_up",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="followups.followup",
                    ),
                ),
                (
                    "interaction",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="customers.interaction",
                        verbose_name="logged contact",
                    ),
                ),
                (
                    "member",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                        verbose_name="by",
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
                    "variant",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="uses",
                        to="followups.scriptvariant",
                        verbose_name="variant",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "variant", "at"], name="script_use_by_variant"),
                ],
                "constraints": [
                    models.UniqueConstraint(models.F("tenant"), models.F("interaction"), name="script_use_once"),
                ],
            },
        ),
        TenantWall("Script"),
        TenantWall("ScriptVariant"),
        TenantWall("ScriptUse"),
    ]
