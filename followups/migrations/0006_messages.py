import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import tenants.base
import tenants.models
from tenants.migrations_ops import RenderedOnce, TenantWall


class Migration(RenderedOnce):
    dependencies = [
        ("customers", "0006_search"),
        ("followups", "0005_scripts"),
        ("tenants", "0004_parts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Message",
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
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("service", "Service"),
                            ("personal", "Personal"),
                            ("journey", "Journey"),
                            ("care", "Care"),
                            ("cadence", "Cadence"),
                            ("survey", "Survey"),
                            ("news", "News"),
                        ],
                        max_length=10,
                        verbose_name="purpose",
                    ),
                ),
                ("origin", models.CharField(max_length=60, verbose_name="origin")),
                ("period", models.CharField(max_length=60)),
                ("subject", models.CharField(blank=True, max_length=200, verbose_name="subject")),
                ("body", models.TextField(verbose_name="text")),
                ("language", models.CharField(blank=True, default="", max_length=10)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "waiting to be sent"),
                            ("held", "held back"),
                            ("sending", "being sent"),
                            ("sent", "sent"),
                            ("failed", "failed"),
                            ("uncertain", "uncertain"),
                            ("bounced", "came back"),
                            ("blocked", "blocked"),
                            ("cancelled", "withdrawn"),
                        ],
                        default="queued",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                ("why", models.CharField(blank=True, default="", max_length=20)),
                ("why_facts", models.JSONField(default=dict)),
                ("due_at", models.DateTimeField(verbose_name="goes at")),
                ("counts_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                ("lease", models.CharField(blank=True, default="", max_length=32)),
                ("handed_at", models.DateTimeField(null=True)),
                ("sent_at", models.DateTimeField(null=True, verbose_name="sent")),
                ("address", models.CharField(blank=True, default="", max_length=254, verbose_name="address")),
                ("trail", models.JSONField(default=list)),
                ("provider_id", models.CharField(blank=True, default="", max_length=200)),
                ("answer", models.TextField(blank=True, default="", verbose_name="what the server said")),
                ("replied_at", models.DateTimeField(null=True)),
                ("policy_version", models.IntegerField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "contact",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="messages",
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
                        related_name="messages",
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
                        related_name="messages",
                        to="followups.followup",
                    ),
                ),
                (
                    "interaction",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="customers.interaction",
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
                        verbose_name="from",
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
                    "script",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="followups.scriptvariant",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "created_at", "id"], name="message_by_time"),
                    models.Index(
                        condition=models.Q(("status__in", ("queued", "held"))),
                        fields=["tenant", "due_at", "id"],
                        name="message_due",
                    ),
                    models.Index(
                        condition=models.Q(("status", "sending")),
                        fields=["tenant", "lease_until"],
                        name="message_leased",
                    ),
                    models.Index(
                        condition=models.Q(("counts_at__isnull", False)),
                        fields=["tenant", "contact", "counts_at"],
                        name="message_counts",
                    ),
                    models.Index(fields=["tenant", "customer", "-id"], name="message_of_customer"),
                    models.Index(fields=["tenant", "status", "-id"], name="message_by_status"),
                    models.Index(fields=["tenant", "updated_at", "id"], name="message_by_update"),
                    models.Index(
                        condition=models.Q(("provider_id", ""), _negated=True),
                        fields=["tenant", "provider_id"],
                        name="message_of_provider",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"),
                        models.F("origin"),
                        models.F("period"),
                        models.F("contact"),
                        models.F("channel"),
                        name="message_uniq",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ChannelSetup",
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
                ("is_on", models.BooleanField(default=True, verbose_name="on")),
                ("from_name", models.CharField(blank=True, default="", max_length=120, verbose_name="sender's name")),
                (
                    "from_address",
                    models.EmailField(blank=True, default="", max_length=254, verbose_name="sender's address"),
                ),
                ("reply_to", models.EmailField(blank=True, default="", max_length=254, verbose_name="replies go to")),
                ("footer", models.TextField(blank=True, default="", verbose_name="footer")),
                ("gateway", models.TextField(blank=True, default="", editable=False)),
                ("gateway_name", models.CharField(blank=True, default="", editable=False, max_length=40)),
                ("asks_for", models.JSONField(default=list)),
                ("server", models.URLField(blank=True, default="", verbose_name="own server")),
                ("trial_at", models.DateTimeField(null=True)),
                ("trial_to", models.CharField(blank=True, default="", max_length=254)),
                ("trial_worked", models.BooleanField(null=True)),
                ("trial_said", models.TextField(blank=True, default="")),
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
                "constraints": [
                    models.UniqueConstraint(models.F("tenant"), models.F("channel"), name="channel_setup_uniq")
                ],
            },
        ),
        migrations.CreateModel(
            name="ContactWishes",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "timezone",
                    models.CharField(
                        blank=True,
                        default="",
                        max_length=40,
                        validators=[tenants.models.known_timezone],
                        verbose_name="time zone",
                    ),
                ),
                ("quiet_from", models.TimeField(blank=True, null=True, verbose_name="nothing from")),
                ("quiet_until", models.TimeField(blank=True, null=True, verbose_name="until")),
                ("most", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="touches at most")),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "contact",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="wishes",
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
                    models.UniqueConstraint(models.F("tenant"), models.F("contact"), name="contact_wishes_uniq")
                ],
            },
        ),
        migrations.CreateModel(
            name="DeadAddress",
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
                ("address", models.CharField(max_length=254, verbose_name="address")),
                ("reason", models.TextField(blank=True, default="", verbose_name="what the server said")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
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
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"), models.F("channel"), models.F("address"), name="dead_address_uniq"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OptOut",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
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
                    "how",
                    models.CharField(
                        choices=[
                            ("link", "link in a message"),
                            ("complaint", "marked as spam"),
                            ("person", "noted by hand"),
                        ],
                        max_length=10,
                        verbose_name="how",
                    ),
                ),
                ("note", models.CharField(blank=True, default="", max_length=200, verbose_name="note")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "contact",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="opt_outs",
                        to="customers.contact",
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
                        models.F("tenant"), models.F("contact"), models.F("channel"), name="opt_out_uniq"
                    )
                ],
                "indexes": [
                    models.Index(fields=["tenant", "updated_at", "id"], name="opt_out_by_update"),
                ],
            },
        ),
        TenantWall("Message"),
        TenantWall("OptOut"),
        TenantWall("DeadAddress"),
        TenantWall("ContactWishes"),
        TenantWall("ChannelSetup"),
    ]
