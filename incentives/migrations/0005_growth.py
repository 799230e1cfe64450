from typing import Any, ClassVar

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import RenderedOnce, TenantWall


class Migration(RenderedOnce):
    dependencies: ClassVar[list[Any]] = [("incentives", "0004_awards")]

    operations: ClassVar[list[Any]] = [
        migrations.CreateModel(
            name="Certification",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("quarter", models.DateField(verbose_name="quarter")),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "open"), ("scored", "scored"), ("confirmed", "confirmed")],
                        default="open",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("scored_at", models.DateTimeField(blank=True, null=True, verbose_name="scored")),
                (
                    "mean",
                    tenants.base.FixedPointField(
                        blank=True,
                        null=True,
                        places=1,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="mean",
                    ),
                ),
                ("passed", models.BooleanField(blank=True, null=True, verbose_name="passed")),
                ("note", models.TextField(blank=True, default="", verbose_name="note")),
                ("policy_version", models.IntegerField(blank=True, null=True)),
                ("confirmed_at", models.DateTimeField(blank=True, null=True, verbose_name="confirmed")),
                (
                    "sent_back_why",
                    models.CharField(blank=True, default="", max_length=300, verbose_name="why sent back"),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "confirmed_by",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                        verbose_name="confirmed by",
                    ),
                ),
                (
                    "member",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="certifications",
                        to="tenants.member",
                        verbose_name="who",
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
                        verbose_name="reviewer",
                    ),
                ),
                (
                    "scored_by",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                        verbose_name="scored by",
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
                    models.Index(fields=["tenant", "-quarter", "-id"], name="certification_by_quarter"),
                    models.Index(fields=["tenant", "state", "reviewer"], name="certification_waiting"),
                    models.Index(fields=["tenant", "updated_at", "id"], name="certification_by_update"),
                ],
                "constraints": [
                    models.UniqueConstraint("tenant", "member", "quarter", name="certification_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("reviewer__isnull", True),
                                models.Q(("reviewer", models.F("member")), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("scored_by__isnull", True),
                                models.Q(("scored_by", models.F("member")), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("confirmed_by__isnull", True),
                                models.Q(("confirmed_by", models.F("member")), _negated=True),
                                _connector="OR",
                            ),
                        ),
                        name="certification_not_by_oneself",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("confirmed_by__isnull", True),
                            models.Q(("confirmed_by", models.F("scored_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="certification_by_four_eyes",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state", "open"),
                            models.Q(
                                ("mean__isnull", False),
                                ("passed__isnull", False),
                                ("scored_at__isnull", False),
                                ("scored_by__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="certification_scored_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "confirmed"), _negated=True),
                            models.Q(("confirmed_at__isnull", False), ("confirmed_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="certification_confirmed_by_one",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CertificationScore",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "dimension",
                    models.CharField(
                        choices=[
                            ("knowledge", "Knowledge"),
                            ("communication", "Communication"),
                            ("problems", "Problem solving"),
                            ("coordination", "Coordination"),
                        ],
                        max_length=15,
                        verbose_name="dimension",
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[("facts", "from facts"), ("reviewer", "by the reviewer")],
                        max_length=10,
                        verbose_name="source",
                    ),
                ),
                (
                    "score",
                    tenants.base.FixedPointField(
                        places=1,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="score",
                    ),
                ),
                ("facts", models.JSONField(blank=True, default=list)),
                ("reason", models.TextField(blank=True, default="", verbose_name="reason")),
                (
                    "certification",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="scores",
                        to="incentives.certification",
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
                "ordering": ["certification", "id"],
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint("tenant", "certification", "dimension", name="certification_score_once"),
                    models.CheckConstraint(
                        condition=models.Q(("score__gte", 0), ("score__lte", 100)), name="certification_score_of_100"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("source", "facts"), models.Q(("reason", ""), _negated=True), _connector="OR"
                        ),
                        name="certification_score_has_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Training",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=160, verbose_name="what is learned")),
                ("plan", models.TextField(blank=True, default="", verbose_name="plan")),
                ("starts_on", models.DateField(verbose_name="begins")),
                ("due_on", models.DateField(verbose_name="to be done by")),
                (
                    "wanted",
                    models.PositiveSmallIntegerField(
                        validators=[django.core.validators.MinValueValidator(1)], verbose_name="customers"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "under way"), ("approved", "approved"), ("ended", "ended")],
                        default="open",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("ready_on", models.DateField(blank=True, null=True, verbose_name="all done")),
                ("approved_on", models.DateField(blank=True, null=True, verbose_name="approved")),
                ("said", models.TextField(blank=True, default="", verbose_name="what the mentor says")),
                (
                    "ended_why",
                    models.CharField(blank=True, default="", max_length=300, verbose_name="why it was ended"),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "approved_by",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                        verbose_name="approved by",
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
                    "member",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trainings",
                        to="tenants.member",
                        verbose_name="who",
                    ),
                ),
                (
                    "mentor",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                        verbose_name="mentor",
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
                "ordering": ["-due_on", "-id"],
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "-due_on", "-id"], name="training_by_day"),
                    models.Index(fields=["tenant", "member", "due_on"], name="training_of_member"),
                    models.Index(fields=["tenant", "updated_at", "id"], name="training_by_update"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("mentor", models.F("member")), _negated=True),
                        name="training_mentor_is_another",
                    ),
                    models.CheckConstraint(condition=models.Q(("wanted__gte", 1)), name="training_of_a_customer"),
                    models.CheckConstraint(
                        condition=models.Q(("due_on__gte", models.F("starts_on"))), name="training_due_after_start"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "approved"), _negated=True),
                            models.Q(
                                ("approved_by", models.F("mentor")),
                                ("approved_on__isnull", False),
                                ("ready_on__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="training_approved_by_mentor",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TrainingCustomer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("done_on", models.DateField(blank=True, null=True, verbose_name="done")),
                ("note", models.TextField(blank=True, default="", verbose_name="what came of it")),
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
                    "training",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="customers",
                        to="incentives.training",
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
                "ordering": ["training", "id"],
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint("tenant", "training", "customer", name="training_customer_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="PromotionNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first_quarter", models.DateField(verbose_name="from")),
                ("last_quarter", models.DateField(verbose_name="to")),
                (
                    "job",
                    models.CharField(
                        choices=[("sales", "Sales"), ("service", "Service"), ("success", "Success manager")],
                        max_length=10,
                        verbose_name="measured as",
                    ),
                ),
                ("quarters", models.JSONField(default=list)),
                ("gaps", models.JSONField(blank=True, default=list)),
                ("team_changes", models.JSONField(blank=True, default=list)),
                ("policy_version", models.IntegerField()),
                ("raised_on", models.DateField(verbose_name="written")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("", "not talked about yet"),
                            ("promoted", "promoted"),
                            ("later", "later"),
                            ("declined", "does not want it"),
                        ],
                        blank=True,
                        default="",
                        max_length=10,
                        verbose_name="what came of it",
                    ),
                ),
                ("said", models.TextField(blank=True, default="", verbose_name="what was said")),
                ("settled_on", models.DateField(blank=True, null=True, verbose_name="talked about")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "member",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="promotion_notes",
                        to="tenants.member",
                        verbose_name="who",
                    ),
                ),
                (
                    "settled_by",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                        verbose_name="talked about by",
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
                "ordering": ["-raised_on", "-id"],
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["tenant", "updated_at", "id"], name="promotion_note_by_update")],
                "constraints": [
                    models.UniqueConstraint("tenant", "member", name="promotion_note_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("settled_by__isnull", True),
                            models.Q(("settled_by", models.F("member")), _negated=True),
                            _connector="OR",
                        ),
                        name="promotion_note_not_by_oneself",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("outcome", ""),
                            models.Q(("settled_by__isnull", False), ("settled_on__isnull", False)),
                            _connector="OR",
                        ),
                        name="promotion_note_settled_by_one",
                    ),
                ],
            },
        ),
        TenantWall("Certification"),
        TenantWall("CertificationScore"),
        TenantWall("Training"),
        TenantWall("TrainingCustomer"),
        TenantWall("PromotionNote"),
    ]
