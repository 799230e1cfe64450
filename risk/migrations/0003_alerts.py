import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import RenderedOnce, TenantWall

# Causes were free text. What was open before has no clock that runs on: else all of it would go up the line at once.
CARRY_OVER = """
UPDATE risk_alert SET
    opened_at = created_at,
    updated_at = created_at,
    closed_at = closed_on::timestamp AT TIME ZONE 'UTC',
    note = cause,
    cause = CASE cause WHEN '' THEN '' ELSE 'other' END
"""


class Migration(RenderedOnce):
    dependencies = [
        ("risk", "0002_spec_drift"),
        ("customers", "0001_initial"),
        ("tenants", "0004_parts"),
    ]

    operations = [
        migrations.CreateModel(
            name="AlertEscalation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("step", models.PositiveSmallIntegerField()),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("account_manager", "Account manager"),
                            ("lead", "Team lead"),
                            ("executive", "Executive"),
                        ],
                        max_length=16,
                    ),
                ),
                ("due_at", models.DateTimeField()),
                ("at", models.DateTimeField()),
                (
                    "alert",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="steps_up",
                        to="risk.alert",
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
                "ordering": ["step"],
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"), models.F("alert"), models.F("step"), name="alert_escalation_once_a_step"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AlertRepeat",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("signal", models.CharField(max_length=30)),
                ("period", models.CharField(max_length=40)),
                ("fired_on", models.DateField()),
                (
                    "level",
                    models.CharField(
                        choices=[("mild", "Mild"), ("moderate", "Moderate"), ("severe", "Severe")], max_length=10
                    ),
                ),
                ("facts", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "alert",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="fired_again",
                        to="risk.alert",
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
                "ordering": ["fired_on", "id"],
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"),
                        models.F("customer"),
                        models.F("signal"),
                        models.F("period"),
                        name="alert_repeat_once_a_period",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="alert",
            name="assignee",
            field=tenants.base.TenantForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="alerts",
                to="tenants.member",
                verbose_name="assigned to",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="closed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="alert",
            name="escalated_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="alert",
            name="escalates_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="alert",
            name="escalations",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="steps up the line"),
        ),
        migrations.AddField(
            model_name="alert",
            name="first_action_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="first action"),
        ),
        migrations.AddField(
            model_name="alert",
            name="first_action_by",
            field=tenants.base.TenantForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.member",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="last_fired_on",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="alert",
            name="money",
            field=tenants.base.MoneyField(default=0, verbose_name="money at risk"),
        ),
        migrations.AddField(
            model_name="alert",
            name="note",
            field=models.CharField(blank=True, default="", max_length=500, verbose_name="note"),
        ),
        migrations.AddField(
            model_name="alert",
            name="opened_at",
            field=models.DateTimeField(default=django.utils.timezone.now),
        ),
        migrations.AddField(
            model_name="alert",
            name="repeats",
            field=models.PositiveIntegerField(default=0, verbose_name="fired again"),
        ),
        migrations.AddField(
            model_name="alert",
            name="role",
            field=models.CharField(
                choices=[("account_manager", "Account manager"), ("lead", "Team lead"), ("executive", "Executive")],
                default="account_manager",
                max_length=16,
                verbose_name="who answers",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="snooze_reason",
            field=models.CharField(blank=True, default="", max_length=120, verbose_name="why snoozed"),
        ),
        migrations.AddField(
            model_name="alert",
            name="snoozed_until",
            field=models.DateTimeField(blank=True, null=True, verbose_name="snoozed until"),
        ),
        migrations.AddField(
            model_name="alert",
            name="tried",
            field=models.JSONField(blank=True, default=list, verbose_name="tried"),
        ),
        migrations.AddField(
            model_name="alert",
            name="updated_at",
            field=models.DateTimeField(auto_now=True),
        ),
        migrations.RunSQL(CARRY_OVER, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="alert",
            name="cause",
            field=models.CharField(blank=True, max_length=30, verbose_name="cause"),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("closed_on__isnull", True)), fields=["tenant", "due_at", "id"], name="alert_open"
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("closed_on__isnull", True), ("escalates_at__isnull", False)),
                fields=["tenant", "escalates_at"],
                name="alert_escalates",
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(fields=["tenant", "opened_on", "id"], name="alert_by_opening"),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("closed_on__isnull", False)),
                fields=["tenant", "closed_on", "id"],
                name="alert_by_closing",
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(fields=["tenant", "updated_at", "id"], name="alert_by_update"),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("level", "severe"), _negated=True),
                    ("snoozed_until__isnull", True),
                    ("snoozed_until__lte", models.F("due_at")),
                    _connector="OR",
                ),
                name="alert_severe_stays_seen",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("snoozed_until__isnull", True), models.Q(("snooze_reason", ""), _negated=True), _connector="OR"
                ),
                name="alert_snooze_has_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_on__isnull", True), ("outcome", "")),
                    models.Q(("closed_on__isnull", False), models.Q(("outcome", ""), _negated=True)),
                    _connector="OR",
                ),
                name="alert_closed_with_outcome",
            ),
        ),
        TenantWall("Alert"),
        TenantWall("AlertRepeat"),
        TenantWall("AlertEscalation"),
    ]
