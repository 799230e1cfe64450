import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import RenderedOnce, TenantWall


class Migration(RenderedOnce):
    dependencies = [
        ("customers", "0006_search"),
        ("followups", "0006_messages"),
        ("tenants", "0004_parts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Journey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=18, verbose_name="code")),
                ("name", models.CharField(blank=True, max_length=80, verbose_name="name")),
                (
                    "trigger",
                    models.CharField(
                        choices=[
                            ("first_order", "first order"),
                            ("complaint_solved", "a complaint is solved"),
                            ("complaint_opened", "a complaint about certain words"),
                            ("asked", "the customer asks about certain words"),
                            ("silence", "no order for some days"),
                            ("announced", "a product is announced"),
                        ],
                        max_length=16,
                        verbose_name="begins with",
                    ),
                ),
                ("priority", models.PositiveSmallIntegerField(default=5, verbose_name="goes first")),
                ("definition", models.JSONField(default=dict)),
                ("is_on", models.BooleanField(default=False, verbose_name="switched on")),
                ("since", models.DateTimeField(default=django.utils.timezone.now)),
                ("looked_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("version", models.PositiveIntegerField(default=1)),
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
                "ordering": ["priority", "code"],
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "updated_at", "id"], name="journey_by_update"),
                ],
                "constraints": [
                    models.UniqueConstraint(models.F("tenant"), models.F("code"), name="journey_code_uniq"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Enrolment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("event", models.CharField(max_length=40, verbose_name="event")),
                ("event_at", models.DateTimeField(verbose_name="began with")),
                ("entered_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="entered")),
                ("base_at", models.DateTimeField()),
                ("waits_since", models.DateTimeField(blank=True, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("active", "under way"),
                            ("waiting", "waiting"),
                            ("finished", "finished"),
                            ("stopped", "stopped"),
                        ],
                        default="waiting",
                        max_length=8,
                        verbose_name="status",
                    ),
                ),
                (
                    "why",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", ""),
                            ("other", "another journey goes first"),
                            ("order", "the customer has ordered"),
                            ("answer", "the customer has answered"),
                            ("complaint", "the customer has complained"),
                            ("closed", "the customer is closed"),
                            ("over", "it waited too long for another journey"),
                            ("by_hand", "somebody took the customer out"),
                            ("off", "the journey was switched off"),
                        ],
                        max_length=10,
                        verbose_name="why",
                    ),
                ),
                ("next_at", models.DateTimeField(blank=True, null=True, verbose_name="next step")),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
                ("updated_at", models.DateTimeField(auto_now=True)),
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
                        related_name="enrolments",
                        to="customers.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "product",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="customers.product",
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
                    "journey",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="enrolments",
                        to="followups.journey",
                        verbose_name="journey",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=["tenant", "next_at"],
                        name="enrolment_due",
                    ),
                    models.Index(fields=["tenant", "customer", "-entered_at"], name="enrolment_of_customer"),
                    models.Index(fields=["tenant", "journey", "status", "-entered_at"], name="enrolment_of_journey"),
                    models.Index(fields=["tenant", "updated_at", "id"], name="enrolment_by_update"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"),
                        models.F("journey"),
                        models.F("customer"),
                        models.F("event"),
                        name="enrolment_once",
                    ),
                    models.UniqueConstraint(
                        models.F("tenant"),
                        models.F("customer"),
                        condition=models.Q(("status", "active")),
                        name="enrolment_one_speaks",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="JourneyStep",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.CharField(max_length=11)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("raised", "follow-up raised"),
                            ("sent", "message handed over"),
                            ("skipped", "left out"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "why",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", ""),
                            ("order", "the customer has ordered"),
                            ("answer", "the customer has answered"),
                            ("complaint", "the customer has complained"),
                            ("no_contact", "nobody to write to: a follow-up instead"),
                            ("no_script", "the script is switched off: a follow-up instead"),
                            ("not_sent", "the message could not go out: a follow-up instead"),
                        ],
                        max_length=10,
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("due_at", models.DateTimeField(null=True)),
                (
                    "enrolment",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="steps",
                        to="followups.enrolment",
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
                    "message",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="followups.message",
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
                        models.F("tenant"), models.F("enrolment"), models.F("code"), name="journey_step_once"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Announcement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
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
                    "product",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="customers.product",
                        verbose_name="product",
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
                    models.UniqueConstraint(models.F("tenant"), models.F("product"), name="announcement_uniq")
                ],
            },
        ),
        migrations.CreateModel(
            name="DutyHolder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "duty",
                    models.CharField(
                        choices=[
                            ("owner", "A owner"),
                            ("cover", "B owner"),
                            ("lead", "Team lead"),
                            ("product", "Product manager"),
                            ("after_sales", "After-sales"),
                            ("executive", "Executive"),
                        ],
                        max_length=12,
                        verbose_name="duty",
                    ),
                ),
                (
                    "member",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
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
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [models.UniqueConstraint(models.F("tenant"), models.F("duty"), name="duty_uniq")],
            },
        ),
        TenantWall("Journey"),
        TenantWall("Announcement"),
        TenantWall("Enrolment"),
        TenantWall("JourneyStep"),
        TenantWall("DutyHolder"),
    ]
