import django.db.models.deletion
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import RenderedOnce, TenantWall


class Migration(RenderedOnce):
    dependencies = [
        ("followups", "0012_queue"),
        ("tenants", "0004_parts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=30)),
                ("key", models.CharField(max_length=120)),
                ("params", models.JSONField(default=dict)),
                ("url", models.CharField(blank=True, default="", max_length=300)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("read_at", models.DateTimeField(null=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "member",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notices",
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
                "ordering": ["-id"],
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "member", "-id"], name="notice_of_member"),
                    models.Index(
                        condition=models.Q(("read_at__isnull", True)), fields=["tenant", "member"], name="notice_unread"
                    ),
                    models.Index(fields=["tenant", "updated_at", "id"], name="notice_by_update"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"), models.F("member"), models.F("key"), name="notice_once"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="NoticeChat",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("gateway", models.TextField(editable=False)),
                ("gateway_name", models.CharField(editable=False, max_length=40)),
                ("tried_at", models.DateTimeField(null=True)),
                ("worked", models.BooleanField(null=True)),
                ("said", models.CharField(blank=True, default="", max_length=500)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "member",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notice_chats",
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
                    models.UniqueConstraint(models.F("tenant"), models.F("member"), name="notice_chat_of_member"),
                ],
            },
        ),
        migrations.CreateModel(
            name="NoticeDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("way", models.CharField(choices=[("mail", "E-mail"), ("chat", "Chat")], max_length=6)),
                ("is_digest", models.BooleanField(default=False)),
                ("due_at", models.DateTimeField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "waiting to be sent"),
                            ("sending", "being sent"),
                            ("sent", "sent"),
                            ("failed", "failed"),
                            ("uncertain", "uncertain"),
                            ("needless", "no longer needed"),
                        ],
                        default="queued",
                        max_length=10,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                ("handed_at", models.DateTimeField(null=True)),
                ("sent_at", models.DateTimeField(null=True)),
                ("parcel", models.CharField(blank=True, default="", max_length=40)),
                ("why", models.CharField(blank=True, default="", max_length=20)),
                ("answer", models.CharField(blank=True, default="", max_length=500)),
                (
                    "member",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.member",
                    ),
                ),
                (
                    "notice",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="followups.notice",
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
                        condition=models.Q(("status", "queued")),
                        fields=["tenant", "due_at", "id"],
                        name="notice_delivery_due",
                    ),
                    models.Index(
                        condition=models.Q(("status", "sending")),
                        fields=["tenant", "lease_until"],
                        name="notice_delivery_leased",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"), models.F("notice"), models.F("way"), name="notice_delivery_once"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="NoticeWish",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=30)),
                (
                    "mail",
                    models.CharField(
                        choices=[("at_once", "at once"), ("daily", "once a day, all in one"), ("never", "never")],
                        max_length=8,
                        verbose_name="by e-mail",
                    ),
                ),
                ("chat", models.BooleanField(verbose_name="by chat")),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "member",
                    tenants.base.TenantForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notice_wishes",
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
                        models.F("tenant"), models.F("member"), models.F("kind"), name="notice_wish_uniq"
                    ),
                ],
            },
        ),
        TenantWall("Notice"),
        TenantWall("NoticeDelivery"),
        TenantWall("NoticeWish"),
        TenantWall("NoticeChat"),
    ]
