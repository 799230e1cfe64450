import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.utils.timezone
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import RenderedOnce, TenantWall

# The wall's own role would see no row when a scope has ended before the transaction does: these look as the owner, and
# name the tenant themselves.
BALANCED = """
CREATE FUNCTION public.ledger_balanced() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    entry_key CONSTANT bigint := (to_jsonb(NEW) ->> TG_ARGV[0])::bigint;
    said integer; found integer; wrong text;
BEGIN
    SELECT line_count INTO said FROM public.incentives_entry WHERE tenant_id = NEW.tenant_id AND id = entry_key;
    SELECT count(*) INTO found FROM public.incentives_entryline
    WHERE tenant_id = NEW.tenant_id AND entry_id = entry_key;
    IF said IS DISTINCT FROM found THEN
        RAISE EXCEPTION 'ledger entry % has % lines and says %', entry_key, found, said
        USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_entry_complete';
    END IF;
    SELECT string_agg(format('%s of %s', total, commodity), ', ') INTO wrong FROM (
        SELECT a.commodity, sum(l.amount) AS total FROM public.incentives_entryline l
        JOIN public.incentives_account a ON a.tenant_id = l.tenant_id AND a.id = l.account_id
        WHERE l.tenant_id = NEW.tenant_id AND l.entry_id = entry_key GROUP BY a.commodity HAVING sum(l.amount) <> 0) t;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'ledger entry % does not balance: %', entry_key, wrong
        USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_entry_balanced';
    END IF;
    RETURN NULL;
END $body$;
"""
# Rights alone would not stop whoever owns the tables.
FROZEN = """
CREATE FUNCTION public.ledger_frozen() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    RAISE EXCEPTION '% is only ever added to; post the opposite instead', TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_frozen';
END $body$;
"""
CLOSED = "REVOKE ALL ON FUNCTION public.ledger_balanced(), public.ledger_frozen() FROM PUBLIC"


def deferred(table: str, column: str) -> migrations.RunSQL:
    """Looks, when a transaction ends, whether the entries of new rows are whole and balanced."""
    return migrations.RunSQL(
        f"CREATE CONSTRAINT TRIGGER ledger_balanced AFTER INSERT ON public.{table} DEFERRABLE INITIALLY DEFERRED "
        f"FOR EACH ROW EXECUTE FUNCTION public.ledger_balanced('{column}')",
        f"DROP TRIGGER ledger_balanced ON public.{table}",
    )


def frozen(table: str) -> migrations.RunSQL:
    """Refuses to change or take away rows, whoever asks."""
    return migrations.RunSQL(
        f"CREATE TRIGGER ledger_frozen BEFORE UPDATE OR DELETE ON public.{table} "
        "FOR EACH ROW EXECUTE FUNCTION public.ledger_frozen()",
        f"DROP TRIGGER ledger_frozen ON public.{table}",
    )


class Migration(RenderedOnce):
    dependencies = [
        ("incentives", "0001_kpis"),
        ("customers", "0009_referrals"),
        ("tenants", "0004_parts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("staff_pending", "Earned by staff, not approved"),
                            ("staff_payable", "Owed to staff"),
                            ("product_pending", "Earned by the product team, not approved"),
                            ("product_payable", "Owed to the product team"),
                            ("points_pending", "Points earned, not approved"),
                            ("points", "Points of customers"),
                            ("staff_expense", "Cost of staff rewards"),
                            ("product_expense", "Cost of product team rewards"),
                            ("points_issued", "Points issued"),
                            ("points_redeemed", "Points redeemed"),
                            ("paid_out", "Paid out"),
                        ],
                        max_length=16,
                        verbose_name="account",
                    ),
                ),
                ("commodity", models.CharField(choices=[("money", "money"), ("points", "points")], max_length=6)),
                (
                    "customer",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.customer",
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
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "kind", "member", "customer"),
                        name="ledger_account_uniq",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("customer__isnull", True),
                                ("kind__in", ["staff_pending", "staff_payable"]),
                                ("member__isnull", False),
                            ),
                            models.Q(
                                ("customer__isnull", False),
                                ("kind__in", ["points_pending", "points"]),
                                ("member__isnull", True),
                            ),
                            models.Q(
                                ("customer__isnull", True),
                                ("member__isnull", True),
                                models.Q(
                                    ("kind__in", ["staff_pending", "staff_payable", "points_pending", "points"]),
                                    _negated=True,
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="ledger_account_whose",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("commodity", "points"), ("kind__startswith", "points")),
                            models.Q(models.Q(("kind__startswith", "points"), _negated=True), ("commodity", "money")),
                            _connector="OR",
                        ),
                        name="ledger_account_commodity",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Upgrade",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("on", models.DateField(verbose_name="upgraded on")),
                ("what", models.CharField(max_length=200, verbose_name="what was upgraded")),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True, verbose_name="withdrawn")),
                (
                    "withdrawn_why",
                    models.CharField(blank=True, default="", max_length=200, verbose_name="why it was withdrawn"),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "customer",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="upgrades",
                        to="customers.customer",
                        verbose_name="customer",
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
                    models.Index(fields=["tenant", "-on", "-id"], name="upgrade_newest"),
                    models.Index(fields=["tenant", "updated_at", "id"], name="upgrade_by_update"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Reward",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=60)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("staff", "New order of a recommended customer"),
                            ("product", "Spend added by a service upgrade"),
                            ("referral", "Points for a recommendation"),
                            ("step", "Points for a step of the year"),
                        ],
                        max_length=8,
                        verbose_name="kind",
                    ),
                ),
                ("earned_on", models.DateField(verbose_name="earned on")),
                ("percent", tenants.base.FixedPointField(null=True, places=4, verbose_name="percent")),
                ("entitled", tenants.base.MoneyField(default=0, verbose_name="by the facts")),
                ("correction", tenants.base.MoneyField(default=0, verbose_name="corrected by")),
                ("pending", tenants.base.MoneyField(default=0, verbose_name="waits for approval")),
                ("payable", tenants.base.MoneyField(default=0, verbose_name="approved, not paid")),
                ("paid", tenants.base.MoneyField(default=0, verbose_name="paid")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "waits for approval"),
                            ("approved", "approved"),
                            ("paid", "paid"),
                            ("claim", "to be set off"),
                            ("nothing", "reversed"),
                        ],
                        default="nothing",
                        max_length=8,
                        verbose_name="status",
                    ),
                ),
                ("facts", models.JSONField(default=dict)),
                ("is_disputed", models.BooleanField(default=False, verbose_name="disputed")),
                ("revision", models.PositiveIntegerField(default=0)),
                ("policy_version", models.IntegerField()),
                ("approved_at", models.DateTimeField(blank=True, null=True, verbose_name="approved")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
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
                    "customer",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rewards",
                        to="customers.customer",
                        verbose_name="customer",
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
                        verbose_name="for",
                    ),
                ),
                (
                    "order",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.order",
                    ),
                ),
                (
                    "referral",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.referral",
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
                    "upgrade",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="incentives.upgrade",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "-earned_on", "-id"], name="reward_newest"),
                    models.Index(fields=["tenant", "member", "-earned_on", "-id"], name="reward_of_member"),
                    models.Index(
                        condition=models.Q(("pending__gt", 0)), fields=["tenant", "id"], name="reward_waiting"
                    ),
                    models.Index(
                        condition=models.Q(("payable", 0), _negated=True), fields=["tenant", "id"], name="reward_owed"
                    ),
                    models.Index(fields=["tenant", "updated_at", "id"], name="reward_by_update"),
                ],
                "constraints": [
                    models.UniqueConstraint(models.F("tenant"), models.F("key"), name="reward_uniq"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "entitled",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            models.F("pending"), "+", models.F("payable")
                                        ),
                                        "+",
                                        models.F("paid"),
                                    ),
                                    "-",
                                    models.F("correction"),
                                ),
                            )
                        ),
                        name="reward_adds_up",
                    ),
                    models.CheckConstraint(condition=models.Q(("pending__gte", 0)), name="reward_pending_not_negative"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Dispute",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "open"),
                            ("accepted", "corrected"),
                            ("rejected", "stays as it is"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="open",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                ("opened_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="opened")),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed")),
                ("updated_at", models.DateTimeField(auto_now=True)),
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
                    "reward",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="disputes",
                        to="incentives.reward",
                    ),
                ),
            ],
            options={
                "ordering": ["-opened_at", "-pk"],
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"),
                        models.F("reward"),
                        condition=models.Q(("status", "open")),
                        name="dispute_open_uniq",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DisputeMessage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("text", models.TextField(verbose_name="text")),
                ("key", models.CharField(max_length=40)),
                (
                    "dispute",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="incentives.dispute",
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
                "ordering": ["at", "pk"],
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"), models.F("dispute"), models.F("key"), name="dispute_message_once"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("accrual", "Earned"),
                            ("adjustment", "Changed by the facts"),
                            ("correction", "Corrected"),
                            ("approval", "Approved"),
                            ("payout", "Paid out"),
                            ("redemption", "Redeemed"),
                        ],
                        max_length=12,
                        verbose_name="kind",
                    ),
                ),
                ("key", models.CharField(max_length=80)),
                ("at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="posted")),
                ("on", models.DateField(verbose_name="on")),
                ("line_count", models.PositiveIntegerField()),
                ("facts", models.JSONField(default=dict)),
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
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "-on", "-id"], name="ledger_entry_newest"),
                ],
                "constraints": [
                    models.UniqueConstraint(models.F("tenant"), models.F("key"), name="ledger_entry_uniq"),
                    models.CheckConstraint(condition=models.Q(("line_count__gte", 2)), name="ledger_entry_two_lines"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Payout",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                ("on", models.DateField(verbose_name="on")),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("total", tenants.base.MoneyField(verbose_name="total")),
                ("people", models.PositiveIntegerField(verbose_name="people")),
                (
                    "made_by",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.member",
                        verbose_name="made by",
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
                    models.UniqueConstraint(models.F("tenant"), models.F("number"), name="payout_number_uniq"),
                ],
            },
        ),
        migrations.CreateModel(
            name="PayoutItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "amount",
                    tenants.base.MoneyField(
                        validators=[django.core.validators.MinValueValidator(0)], verbose_name="amount"
                    ),
                ),
                (
                    "entry",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="incentives.entry",
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
                        verbose_name="for",
                    ),
                ),
                (
                    "payout",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="incentives.payout",
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
                        fields=("tenant", "payout", "member"), name="payout_item_uniq", nulls_distinct=False
                    ),
                    models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="payout_item_above_zero"),
                ],
            },
        ),
        migrations.CreateModel(
            name="EntryLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("amount", tenants.base.MoneyField(verbose_name="amount")),
                (
                    "account",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="incentives.account",
                    ),
                ),
                (
                    "entry",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="incentives.entry",
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
                    "reward",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="incentives.reward",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(
                        fields=["tenant", "account"], include=("amount", "entry"), name="ledger_line_of_account"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount", 0), _negated=True), name="ledger_line_not_nothing"
                    ),
                ],
            },
        ),
        TenantWall("Account"),
        TenantWall("Upgrade"),
        TenantWall("Reward"),
        TenantWall("Entry"),
        TenantWall("EntryLine"),
        TenantWall("Payout"),
        TenantWall("PayoutItem"),
        TenantWall("Dispute"),
        TenantWall("DisputeMessage"),
        migrations.RunSQL(BALANCED, "DROP FUNCTION public.ledger_balanced()"),
        migrations.RunSQL(FROZEN, "DROP FUNCTION public.ledger_frozen()"),
        migrations.RunSQL(CLOSED, migrations.RunSQL.noop),
        deferred("incentives_entry", "id"),
        deferred("incentives_entryline", "entry_id"),
        frozen("incentives_account"),
        frozen("incentives_entry"),
        frozen("incentives_entryline"),
        frozen("incentives_payout"),
        frozen("incentives_payoutitem"),
        frozen("incentives_disputemessage"),
    ]
