import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import RenderedOnce, TenantWall


class Migration(RenderedOnce):
    dependencies = [
        ("customers", "0007_payments"),
        ("risk", "0005_playbooks"),
        ("tenants", "0004_parts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Incident",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                ("title", models.CharField(max_length=160, verbose_name="what went wrong")),
                ("what", models.TextField(blank=True, default="", verbose_name="what happened")),
                (
                    "level",
                    models.CharField(
                        choices=[("general", "General"), ("serious", "Serious"), ("major", "Major")],
                        max_length=10,
                        verbose_name="level",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("wrong_product", "Wrong or faulty product"),
                            ("late", "Late or lost delivery"),
                            ("service", "Service failed"),
                            ("trust", "Trust: broken promise, data, public criticism"),
                            ("other", "Other"),
                        ],
                        default="other",
                        max_length=16,
                        verbose_name="kind",
                    ),
                ),
                ("needed_by", models.DateField(blank=True, null=True, verbose_name="needed by")),
                (
                    "value",
                    tenants.base.MoneyField(
                        blank=True,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(0)],
                        verbose_name="money affected",
                    ),
                ),
                ("opened_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="opened")),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed")),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[("", "open"), ("saved", "saved"), ("lost", "lost"), ("false_alarm", "false alarm")],
                        default="",
                        max_length=12,
                        verbose_name="outcome",
                    ),
                ),
                ("cause", models.CharField(blank=True, default="", max_length=30, verbose_name="cause")),
                ("tried", models.JSONField(default=list)),
                ("note", models.TextField(blank=True, default="", verbose_name="note")),
                ("is_drill", models.BooleanField(default=False, verbose_name="drill")),
                ("team_revision", models.PositiveIntegerField(default=0)),
                ("revision", models.PositiveIntegerField(default=1)),
                ("policy_version", models.IntegerField()),
                ("calendar_version", models.IntegerField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "alert",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="incidents",
                        to="risk.alert",
                    ),
                ),
                (
                    "closed_by",
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
                    "complaint",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="incidents",
                        to="customers.complaint",
                    ),
                ),
                (
                    "customer",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="incidents",
                        to="customers.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "drill_of",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="drills",
                        to="risk.incident",
                    ),
                ),
                (
                    "opened_by",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                        verbose_name="opened by",
                    ),
                ),
                (
                    "order",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="customers.order",
                        verbose_name="order",
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
                "ordering": ["-opened_at", "-id"],
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "customer", "-opened_at"], name="incident_of_customer"),
                    models.Index(fields=["tenant", "-opened_at", "id"], name="incident_by_opening"),
                    models.Index(fields=["tenant", "updated_at", "id"], name="incident_by_update"),
                    models.Index(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=["tenant", "opened_at"],
                        name="incident_open",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(models.F("tenant"), models.F("number"), name="incident_number_uniq"),
                    models.UniqueConstraint(
                        models.F("tenant"),
                        models.F("alert"),
                        condition=models.Q(("alert__isnull", False), ("is_drill", False)),
                        name="incident_one_of_alert",
                    ),
                    models.UniqueConstraint(
                        models.F("tenant"),
                        models.F("complaint"),
                        condition=models.Q(("complaint__isnull", False), ("is_drill", False)),
                        name="incident_one_of_complaint",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IncidentClock",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("acknowledge", "Acknowledge"),
                            ("team", "Team named"),
                            ("solution", "First solution"),
                            ("solved", "Solved, called back"),
                            ("visit", "Visit"),
                        ],
                        max_length=12,
                    ),
                ),
                ("target_minutes", models.PositiveIntegerField()),
                ("deadline_at", models.DateTimeField(blank=True, null=True)),
                ("met_at", models.DateTimeField(blank=True, null=True)),
                ("breached_at", models.DateTimeField(blank=True, null=True)),
                ("dropped_at", models.DateTimeField(blank=True, null=True)),
                (
                    "incident",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="clocks",
                        to="risk.incident",
                    ),
                ),
                (
                    "met_by",
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
                    models.Index(
                        condition=models.Q(
                            ("breached_at__isnull", True), ("dropped_at__isnull", True), ("met_at__isnull", True)
                        ),
                        fields=["tenant", "deadline_at"],
                        name="incident_clock_due",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"), models.F("incident"), models.F("kind"), name="incident_clock_uniq"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IncidentCompensation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("discount", "money off this order"),
                            ("credit", "credit for the next order"),
                            ("replacement", "replacement at our cost"),
                            ("service", "added service"),
                        ],
                        max_length=12,
                        verbose_name="kind",
                    ),
                ),
                (
                    "amount",
                    tenants.base.MoneyField(
                        validators=[django.core.validators.MinValueValidator(0)], verbose_name="what it costs us"
                    ),
                ),
                ("text", models.CharField(blank=True, default="", max_length=200, verbose_name="in words")),
                ("needs", models.CharField(max_length=20)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("asked", "waits for approval"),
                            ("approved", "approved"),
                            ("refused", "refused"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="asked",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("why", models.CharField(blank=True, default="", max_length=200, verbose_name="why")),
                ("policy_version", models.IntegerField()),
                (
                    "asked_by",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                    ),
                ),
                (
                    "decided_by",
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
                    "incident",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="compensations",
                        to="risk.incident",
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
                "ordering": ["id"],
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"),
                        models.F("incident"),
                        condition=models.Q(("status", "asked")),
                        name="incident_one_compensation_asked",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IncidentEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("is_visible", models.BooleanField(default=False, verbose_name="customer sees")),
                (
                    "about",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "just news"),
                            ("cause", "why it happened"),
                            ("avoided", "how it is avoided"),
                            ("offer", "what the customer gets"),
                        ],
                        default="",
                        max_length=8,
                    ),
                ),
                ("text", models.TextField(blank=True, default="", verbose_name="text")),
                ("code", models.CharField(blank=True, default="", max_length=16)),
                ("facts", models.JSONField(default=dict)),
                ("key", models.CharField(max_length=40)),
                (
                    "incident",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="entries",
                        to="risk.incident",
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
                "ordering": ["-at", "-id"],
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"), models.F("incident"), models.F("key"), name="incident_entry_once"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IncidentLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField(verbose_name="good until")),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("first_read_at", models.DateTimeField(blank=True, null=True)),
                ("last_read_at", models.DateTimeField(blank=True, null=True)),
                ("reads", models.PositiveIntegerField(default=0)),
                (
                    "contact",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="customers.contact",
                        verbose_name="contact",
                    ),
                ),
                (
                    "created_by",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                    ),
                ),
                (
                    "incident",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="links",
                        to="risk.incident",
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
                "ordering": ["id"],
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"),
                        models.F("incident"),
                        models.F("contact"),
                        condition=models.Q(("revoked_at__isnull", True)),
                        name="incident_link_one",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IncidentPause",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("reason", models.CharField(max_length=200, verbose_name="reason")),
                (
                    "ended_by",
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
                    "incident",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="pauses",
                        to="risk.incident",
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
                "ordering": ["started_at", "id"],
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"),
                        models.F("incident"),
                        condition=models.Q(("ended_at__isnull", True)),
                        name="incident_pause_one_open",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IncidentReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("language", models.CharField(max_length=10)),
                ("why", models.TextField(blank=True, default="", verbose_name="why it happened")),
                ("avoided", models.TextField(blank=True, default="", verbose_name="how it is avoided")),
                ("offer", models.TextField(blank=True, default="", verbose_name="what you get")),
                ("sources", models.JSONField(default=dict)),
                ("version", models.PositiveIntegerField(default=1)),
                ("cause_confirmed_at", models.DateTimeField(blank=True, null=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                (
                    "cause_confirmed_by",
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
                    "incident",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reports",
                        to="risk.incident",
                    ),
                ),
                (
                    "sent_by",
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
                    "updated_by",
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
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"), models.F("incident"), models.F("language"), name="incident_report_uniq"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IncidentSeat",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "seat",
                    models.CharField(
                        choices=[
                            ("lead", "leads"),
                            ("contact", "is your contact"),
                            ("expert", "finds the cause"),
                            ("executive", "answers for it"),
                        ],
                        max_length=10,
                    ),
                ),
                ("named_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "incident",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="seats",
                        to="risk.incident",
                    ),
                ),
                (
                    "member",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="incident_seats",
                        to="tenants.member",
                        verbose_name="who",
                    ),
                ),
                (
                    "named_by",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
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
                "ordering": ["id"],
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"), models.F("incident"), models.F("seat"), name="incident_seat_uniq"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IncidentStep",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField()),
                ("code", models.CharField(blank=True, default="", max_length=20)),
                ("title", models.CharField(blank=True, default="", max_length=160, verbose_name="step")),
                (
                    "seat",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("lead", "leads"),
                            ("contact", "is your contact"),
                            ("expert", "finds the cause"),
                            ("executive", "answers for it"),
                        ],
                        default="",
                        max_length=10,
                    ),
                ),
                (
                    "meets",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("acknowledge", "Acknowledge"),
                            ("team", "Team named"),
                            ("solution", "First solution"),
                            ("solved", "Solved, called back"),
                            ("visit", "Visit"),
                        ],
                        default="",
                        max_length=12,
                    ),
                ),
                ("due_at", models.DateTimeField(blank=True, null=True, verbose_name="due")),
                ("is_moved", models.BooleanField(default=False)),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "to do"), ("done", "done"), ("left_out", "left out")],
                        default="open",
                        max_length=8,
                        verbose_name="status",
                    ),
                ),
                ("done_at", models.DateTimeField(blank=True, null=True, verbose_name="done")),
                (
                    "done_by",
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
                    "incident",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="steps",
                        to="risk.incident",
                    ),
                ),
                (
                    "owner",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="incident_steps",
                        to="tenants.member",
                        verbose_name="who",
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
                "ordering": ["position", "id"],
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "owner", "due_at"], name="incident_step_of_owner"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"),
                        models.F("incident"),
                        models.F("code"),
                        condition=models.Q(("code", ""), _negated=True),
                        name="incident_step_once",
                    ),
                ],
            },
        ),
        TenantWall("Incident"),
        TenantWall("IncidentClock"),
        TenantWall("IncidentCompensation"),
        TenantWall("IncidentEntry"),
        TenantWall("IncidentLink"),
        TenantWall("IncidentPause"),
        TenantWall("IncidentReport"),
        TenantWall("IncidentSeat"),
        TenantWall("IncidentStep"),
    ]
