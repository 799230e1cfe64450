from typing import Any, ClassVar

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import RenderedOnce, TenantWall

# Whoever writes an owner or a team, by hand or by the thousand, cannot forget it. The day is the firm's local one.
KEEP = """
CREATE FUNCTION public.customer_changes_hands() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    INSERT INTO incentives_ownerchange (tenant_id, customer_id, "on", before_id, after_id)
    SELECT NEW.tenant_id, NEW.id, (now() AT TIME ZONE t.timezone)::date, OLD.owner_a_id, NEW.owner_a_id
    FROM tenants_tenant t WHERE t.id = NEW.tenant_id;
    RETURN NULL;
END $$;
CREATE TRIGGER customer_changes_hands AFTER UPDATE OF owner_a_id ON customers_customer
FOR EACH ROW WHEN (OLD.owner_a_id IS DISTINCT FROM NEW.owner_a_id)
EXECUTE FUNCTION public.customer_changes_hands();

CREATE FUNCTION public.member_changes_teams() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    INSERT INTO incentives_teamchange (tenant_id, member_id, "on", before_id, after_id)
    SELECT NEW.tenant_id, NEW.id, (now() AT TIME ZONE t.timezone)::date, OLD.team_id, NEW.team_id
    FROM tenants_tenant t WHERE t.id = NEW.tenant_id;
    RETURN NULL;
END $$;
CREATE TRIGGER member_changes_teams AFTER UPDATE OF team_id ON tenants_member
FOR EACH ROW WHEN (OLD.team_id IS DISTINCT FROM NEW.team_id)
EXECUTE FUNCTION public.member_changes_teams();
"""

FORGET = """
DROP TRIGGER member_changes_teams ON tenants_member;
DROP FUNCTION public.member_changes_teams();
DROP TRIGGER customer_changes_hands ON customers_customer;
DROP FUNCTION public.customer_changes_hands();
"""

# What the event log has kept of earlier changes; a customer, member or team that is gone held and was held by nobody.
HISTORY = """
INSERT INTO incentives_ownerchange (tenant_id, customer_id, "on", before_id, after_id)
SELECT e.tenant_id, c.id, (e.at AT TIME ZONE t.timezone)::date, b.id, a.id
FROM tenants_event e
JOIN tenants_tenant t ON t.id = e.tenant_id
JOIN customers_customer c ON c.tenant_id = e.tenant_id AND c.id = e.object_id
LEFT JOIN tenants_member b ON b.tenant_id = e.tenant_id AND b.id = (e.changes #>> '{owner_a,0}')::bigint
LEFT JOIN tenants_member a ON a.tenant_id = e.tenant_id AND a.id = (e.changes #>> '{owner_a,1}')::bigint
WHERE e.object_type = 'customer' AND e.verb = 'owners_changed' AND e.changes ? 'owner_a'
ORDER BY e.id;
INSERT INTO incentives_teamchange (tenant_id, member_id, "on", before_id, after_id)
SELECT e.tenant_id, m.id, (e.at AT TIME ZONE t.timezone)::date, b.id, a.id
FROM tenants_event e
JOIN tenants_tenant t ON t.id = e.tenant_id
JOIN tenants_member m ON m.tenant_id = e.tenant_id AND m.id = e.object_id
LEFT JOIN tenants_team b ON b.tenant_id = e.tenant_id AND b.id = (e.changes #>> '{team,0}')::bigint
LEFT JOIN tenants_team a ON a.tenant_id = e.tenant_id AND a.id = (e.changes #>> '{team,1}')::bigint
WHERE e.object_type = 'member' AND e.verb = 'updated' AND e.changes ? 'team'
ORDER BY e.id;
"""


class Migration(RenderedOnce):
    initial = True

    dependencies: ClassVar[list[Any]] = [
        ("tenants", "0004_parts"),
        ("customers", "0007_payments"),
        ("risk", "0009_win_back"),
    ]

    operations: ClassVar[list[Any]] = [
        migrations.CreateModel(
            name="ClvMark",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "on", "customer_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("on", models.DateField()),
                ("clv", tenants.base.MoneyField()),
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
                        db_constraint=False,
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
            },
        ),
        migrations.CreateModel(
            name="KpiClosing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "span",
                    models.CharField(
                        choices=[("week", "week"), ("month", "month"), ("quarter", "quarter")],
                        max_length=10,
                        verbose_name="period",
                    ),
                ),
                ("start", models.DateField(verbose_name="first day")),
                ("as_of", models.DateField()),
                ("closed_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="closed")),
                ("policy_version", models.IntegerField()),
                (
                    "closed_by",
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
            ],
            options={
                "ordering": ["-start", "span"],
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"), models.F("span"), models.F("start"), name="kpi_closing_uniq"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="KpiCorrection",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kpi", models.CharField(max_length=20)),
                ("numerator", tenants.base.FixedPointField(places=4, verbose_name="numerator")),
                ("denominator", tenants.base.FixedPointField(places=4, verbose_name="denominator")),
                ("numerator_before", tenants.base.FixedPointField(places=4, verbose_name="numerator before")),
                ("denominator_before", tenants.base.FixedPointField(places=4, verbose_name="denominator before")),
                ("found_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="found")),
                (
                    "closing",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="corrections",
                        to="incentives.kpiclosing",
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
                    "team",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.team",
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
                "ordering": ["-id"],
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "closing", "kpi"], name="kpi_correction_of"),
                ],
            },
        ),
        migrations.CreateModel(
            name="KpiCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "span",
                    models.CharField(
                        choices=[("week", "week"), ("month", "month"), ("quarter", "quarter")], max_length=10
                    ),
                ),
                ("start", models.DateField()),
                ("kpi", models.CharField(max_length=20)),
                ("numerator", tenants.base.FixedPointField(places=4, verbose_name="numerator")),
                ("denominator", tenants.base.FixedPointField(places=4, verbose_name="denominator")),
                (
                    "member",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.member",
                    ),
                ),
                (
                    "team",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.team",
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
                        models.F("tenant"),
                        models.F("span"),
                        models.F("start"),
                        models.F("kpi"),
                        models.F("member"),
                        models.F("team"),
                        name="kpi_count_uniq",
                        nulls_distinct=False,
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="KpiCounted",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "span",
                    models.CharField(
                        choices=[("week", "week"), ("month", "month"), ("quarter", "quarter")], max_length=10
                    ),
                ),
                ("start", models.DateField()),
                ("as_of", models.DateField()),
                ("counted_at", models.DateTimeField()),
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
                        models.F("tenant"), models.F("span"), models.F("start"), name="kpi_counted_uniq"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="KpiFrozen",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kpi", models.CharField(max_length=20)),
                ("numerator", tenants.base.FixedPointField(places=4, verbose_name="numerator")),
                ("denominator", tenants.base.FixedPointField(places=4, verbose_name="denominator")),
                (
                    "closing",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="counts",
                        to="incentives.kpiclosing",
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
                    "team",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.team",
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
                        models.F("tenant"),
                        models.F("closing"),
                        models.F("kpi"),
                        models.F("member"),
                        models.F("team"),
                        name="kpi_frozen_uniq",
                        nulls_distinct=False,
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="KpiTarget",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kpi", models.CharField(max_length=20, verbose_name="KPI")),
                (
                    "target",
                    tenants.base.FixedPointField(
                        places=4, validators=[django.core.validators.MinValueValidator(0)], verbose_name="target"
                    ),
                ),
                ("from_on", models.DateField(verbose_name="from")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
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
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.member",
                        verbose_name="person",
                    ),
                ),
                (
                    "team",
                    tenants.base.TenantForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.team",
                        verbose_name="team",
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
                    models.Index(fields=["tenant", "-from_on", "-id"], name="kpi_target_by_day"),
                ],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("target__gt", 0)), name="kpi_target_above_nothing"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("member__isnull", False), ("team__isnull", True)),
                            models.Q(("member__isnull", True), ("team__isnull", False)),
                            _connector="OR",
                        ),
                        name="kpi_target_of_one",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MemberJob",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "job",
                    models.CharField(
                        choices=[("sales", "Sales"), ("service", "Service"), ("success", "Success manager")],
                        max_length=10,
                        verbose_name="measured as",
                    ),
                ),
                ("from_on", models.DateField(verbose_name="from")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="jobs",
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
                "indexes": [
                    models.Index(fields=["tenant", "member", "-from_on", "-id"], name="job_of_member"),
                ],
            },
        ),
        migrations.CreateModel(
            name="OwnerChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("on", models.DateField()),
                (
                    "after",
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
                    "before",
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
                    "customer",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="owner_changes",
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
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "on", "customer"], name="owner_change_by_day"),
                ],
            },
        ),
        migrations.CreateModel(
            name="TeamChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("on", models.DateField()),
                (
                    "after",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.team",
                    ),
                ),
                (
                    "before",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.team",
                    ),
                ),
                (
                    "member",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="team_changes",
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
                    models.Index(fields=["tenant", "on", "member"], name="team_change_by_day"),
                ],
            },
        ),
        TenantWall("OwnerChange"),
        TenantWall("TeamChange"),
        TenantWall("MemberJob"),
        TenantWall("KpiTarget"),
        TenantWall("KpiCount"),
        TenantWall("KpiCounted"),
        TenantWall("KpiClosing"),
        TenantWall("KpiFrozen"),
        TenantWall("KpiCorrection"),
        TenantWall("ClvMark"),
        migrations.RunSQL(KEEP, FORGET),
        migrations.RunSQL(HISTORY, migrations.RunSQL.noop),
    ]
