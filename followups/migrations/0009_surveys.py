import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import RenderedOnce, TenantWall


class Migration(RenderedOnce):
    dependencies = [("customers", "0006_search"), ("followups", "0008_care"), ("tenants", "0004_parts")]

    operations = [
        migrations.CreateModel(
            name="Survey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(choices=[("nps", "NPS"), ("csat", "CSAT")], max_length=4, verbose_name="kind"),
                ),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("rotation", "their turn"),
                            ("contact", "after a talk"),
                            ("complaint", "after a solved complaint"),
                            ("verify", "whether it is better now"),
                            ("hand", "by hand"),
                        ],
                        max_length=10,
                        verbose_name="why asked",
                    ),
                ),
                ("period", models.CharField(max_length=40)),
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
                ("language", models.CharField(max_length=10, verbose_name="language")),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="asked")),
                ("expires_at", models.DateTimeField(verbose_name="can be answered until")),
                ("reminders", models.PositiveSmallIntegerField(default=0, verbose_name="reminders")),
                ("reminded_at", models.DateTimeField(blank=True, null=True)),
                ("answered_at", models.DateTimeField(blank=True, null=True, verbose_name="answered")),
                ("changed_at", models.DateTimeField(blank=True, null=True)),
                ("policy_version", models.IntegerField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "asked_by",
                    tenants.base.TenantForeignKey(
                        blank=True,
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
                    "complaint",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="customers.complaint",
                    ),
                ),
                (
                    "contact",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="surveys",
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
                        related_name="surveys",
                        to="customers.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "interaction",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="customers.interaction",
                    ),
                ),
                (
                    "message",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="followups.message",
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
                        related_name="surveys",
                        to="customers.surveyresponse",
                        verbose_name="answer",
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
                    models.Index(fields=["tenant", "-asked_at", "-id"], name="survey_by_time"),
                    models.Index(
                        condition=models.Q(("answered_at__isnull", True)),
                        fields=["tenant", "expires_at"],
                        name="survey_waiting",
                    ),
                    models.Index(fields=["tenant", "customer", "-asked_at"], name="survey_of_customer"),
                    models.Index(fields=["tenant", "updated_at", "id"], name="survey_by_update"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"),
                        models.F("contact"),
                        models.F("kind"),
                        models.F("period"),
                        name="survey_uniq",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SurveyLoop",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("opened_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="opened")),
                ("analysed_at", models.DateTimeField(blank=True, null=True, verbose_name="analysed")),
                ("behind", models.TextField(blank=True, verbose_name="what was behind it")),
                ("improved", models.BooleanField(blank=True, null=True, verbose_name="better now")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "analysed_by",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                    ),
                ),
                (
                    "asked_again",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="followups.survey",
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
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="followups.followup",
                    ),
                ),
                (
                    "response",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="loops",
                        to="customers.surveyresponse",
                        verbose_name="answer",
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
                    "verified_by",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="customers.surveyresponse",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "opened_at"], name="survey_loop_by_time"),
                    models.Index(
                        condition=models.Q(("verified_by__isnull", True)),
                        fields=["tenant", "customer"],
                        name="survey_loop_open",
                    ),
                    models.Index(fields=["tenant", "updated_at", "id"], name="survey_loop_by_update"),
                ],
                "constraints": [
                    models.UniqueConstraint(models.F("tenant"), models.F("response"), name="survey_loop_uniq"),
                ],
            },
        ),
        migrations.CreateModel(
            name="SurveyReason",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "code",
                    models.CharField(
                        choices=[
                            ("product", "Product quality"),
                            ("delivery", "Delivery"),
                            ("price", "Price"),
                            ("range", "Range of products"),
                            ("response", "Speed of response"),
                            ("people", "Our people"),
                            ("after_sales", "After-sales service"),
                            ("terms", "Payment terms"),
                            ("other", "Something else"),
                        ],
                        max_length=12,
                        verbose_name="reason",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "customer",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="customers.customer",
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
                        related_name="+",
                        to="tenants.member",
                    ),
                ),
                (
                    "response",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reasons",
                        to="customers.surveyresponse",
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
                        models.F("tenant"), models.F("response"), models.F("code"), name="survey_reason_uniq"
                    ),
                ],
            },
        ),
        TenantWall("Survey"),
        TenantWall("SurveyReason"),
        TenantWall("SurveyLoop"),
    ]
