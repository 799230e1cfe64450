"""What the house tells its own people: notices, by which ways each goes out, and what a member wishes to hear how."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from tenants.base import TenantForeignKey, TenantModel
from tenants.models import Member


class Notice(TenantModel):
    """Something a member should know: once for each (member, key), however often it is said.

    The words are made when read, from `kind` and `params` (followups/notices/kinds.py), in the reader's language.
    """

    member = TenantForeignKey(Member, models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=30)
    key = models.CharField(max_length=120)
    params = models.JSONField(default=dict)
    url = models.CharField(max_length=300, blank=True, default="")  # inside the firm's pages: "alerts/12/"
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "member", "key", name="notice_once")]
        indexes: ClassVar[list[Any]] = [
            # A member's list, newest first, and the number on the bell.
            models.Index(fields=["tenant", "member", "-id"], name="notice_of_member"),
            models.Index(fields=["tenant", "member"], name="notice_unread", condition=Q(read_at__isnull=True)),
            models.Index(fields=["tenant", "updated_at", "id"], name="notice_by_update"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class NoticeDelivery(TenantModel):
    """A notice on its way to a member by mail or chat; those of one digest go out in one mail."""

    class Way(models.TextChoices):
        MAIL = "mail", _("E-mail")
        CHAT = "chat", _("Chat")

    class Status(models.TextChoices):
        QUEUED = "queued", pgettext_lazy("message", "waiting to be sent")
        SENDING = "sending", pgettext_lazy("message", "being sent")
        SENT = "sent", pgettext_lazy("message", "sent")
        FAILED = "failed", pgettext_lazy("message", "failed")
        UNCERTAIN = "uncertain", pgettext_lazy("message", "uncertain")
        NEEDLESS = "needless", pgettext_lazy("message", "no longer needed")

    notice = TenantForeignKey(Notice, models.CASCADE, related_name="deliveries")
    member = TenantForeignKey(Member, models.CASCADE, related_name="+")
    way = models.CharField(max_length=6, choices=Way.choices)
    # Not alone but together with whatever else is due at that moment.
    is_digest = models.BooleanField(default=False)
    due_at = models.DateTimeField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    # Whoever sends it has until then; handed_at is set before the first byte leaves the house.
    lease_until = models.DateTimeField(null=True)
    handed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    # Those that go out as one share it: it makes the Message-ID.
    parcel = models.CharField(max_length=40, blank=True, default="")
    why = models.CharField(max_length=20, blank=True, default="")
    answer = models.CharField(max_length=500, blank=True, default="")

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "notice", "way", name="notice_delivery_once")
        ]
        indexes: ClassVar[list[Any]] = [
            # What is due to be sent, oldest first.
            models.Index(fields=["tenant", "due_at", "id"], name="notice_delivery_due", condition=Q(status="queued")),
            # What somebody was sending when they died.
            models.Index(
                fields=["tenant", "lease_until"], name="notice_delivery_leased", condition=Q(status="sending")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.way} {self.status}"


class NoticeWish(TenantModel):
    """How a member wishes to hear of a kind of notice; without one, as the kind is usually told."""

    class Mail(models.TextChoices):
        AT_ONCE = "at_once", _("at once")
        DAILY = "daily", _("once a day, all in one")
        NEVER = "never", pgettext_lazy("notice", "never")

    member = TenantForeignKey(Member, models.CASCADE, related_name="notice_wishes")
    kind = models.CharField(max_length=30)
    mail = models.CharField(_("by e-mail"), max_length=8, choices=Mail.choices)
    chat = models.BooleanField(_("by chat"))
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "member", "kind", name="notice_wish_uniq")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.mail}"


class NoticeChat(TenantModel):
    """Where a member hears of notices by chat: the address of their own bot or gateway, kept encrypted."""

    member = TenantForeignKey(Member, models.CASCADE, related_name="notice_chats")
    gateway = models.TextField(editable=False)  # holds the keys; never shown again
    gateway_name = models.CharField(max_length=40, editable=False)
    # The last trial or sending, and what the other side said.
    tried_at = models.DateTimeField(null=True)
    worked = models.BooleanField(null=True)
    said = models.CharField(max_length=500, blank=True, default="")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "member", name="notice_chat_of_member")]

    def __str__(self) -> str:
        return self.gateway_name
