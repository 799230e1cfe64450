"""What goes out: messages on their way, and what a contact wishes to hear and how; how the firm sends."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Channel, Contact, Customer, Interaction
from customers.querysets import OfCustomerQuerySet, visible_customers
from followups.models.follow_ups import FollowUp
from followups.models.scripts import ScriptVariant
from tenants.base import TenantForeignKey, TenantModel, TenantQuerySet, manager
from tenants.models import Member, known_timezone


class OfContactQuerySet(TenantQuerySet):
    """What belongs to a contact: as visible as their customer."""

    def visible_to(self, member: Member) -> OfContactQuerySet:
        return self.filter(visible_customers(member, "contact__customer__"))


class Message(TenantModel):
    """One message to one contact, from the moment somebody wants it sent.

    Unique by (origin, period, contact, channel): whoever asks may ask as often as they like. Those with `counts_at`
    use the contact's budget, from the moment they are planned.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", pgettext_lazy("message", "waiting to be sent")
        HELD = "held", pgettext_lazy("message", "held back")
        SENDING = "sending", pgettext_lazy("message", "being sent")
        SENT = "sent", pgettext_lazy("message", "sent")
        FAILED = "failed", pgettext_lazy("message", "failed")
        UNCERTAIN = "uncertain", pgettext_lazy("message", "uncertain")
        BOUNCED = "bounced", pgettext_lazy("message", "came back")
        BLOCKED = "blocked", pgettext_lazy("message", "blocked")
        CANCELLED = "cancelled", pgettext_lazy("message", "withdrawn")

    class Purpose(models.TextChoices):
        SERVICE = "service", pgettext_lazy("purpose", "Service")
        PERSONAL = "personal", pgettext_lazy("purpose", "Personal")
        JOURNEY = "journey", pgettext_lazy("purpose", "Journey")
        CARE = "care", pgettext_lazy("purpose", "Care")
        CADENCE = "cadence", pgettext_lazy("purpose", "Cadence")
        SURVEY = "survey", pgettext_lazy("purpose", "Survey")
        NEWS = "news", pgettext_lazy("purpose", "News")

    customer = TenantForeignKey(Customer, models.CASCADE, related_name="messages", verbose_name=_("customer"))
    contact = TenantForeignKey(Contact, models.CASCADE, related_name="messages", verbose_name=_("contact"))
    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices)
    purpose = models.CharField(_("purpose"), max_length=10, choices=Purpose.choices)
    origin = models.CharField(_("origin"), max_length=60)  # "journey:first_order:2", "care:birthday", "manual"
    period = models.CharField(max_length=60)
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    body = models.TextField(_("text"))
    language = models.CharField(max_length=10, blank=True, default="")
    member = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+", verbose_name=_("from"))
    follow_up = TenantForeignKey(FollowUp, models.SET_NULL, null=True, related_name="messages")
    script = TenantForeignKey(ScriptVariant, models.SET_NULL, null=True, related_name="+")

    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.QUEUED)
    # Why it is not sent, or not yet: a code of rules/governor.py or of what the sending met, and its facts.
    why = models.CharField(max_length=20, blank=True, default="")
    why_facts = models.JSONField(default=dict)
    # When it may go: what was asked for, moved by the governor or by a server that was down.
    due_at = models.DateTimeField(_("goes at"))
    # When it reached the contact, or is planned to; null: it uses nothing.
    counts_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    # Whoever sends it has until then; handed_at is set before the first byte of the text leaves the house.
    lease_until = models.DateTimeField(null=True)
    lease = models.CharField(max_length=32, blank=True, default="")
    handed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(_("sent"), null=True)
    address = models.CharField(_("address"), max_length=254, blank=True, default="")
    # What became of each attempt: [{"at": …, "what": …, "said": …}], the last ones.
    trail = models.JSONField(default=list)
    # What the receiving side calls it, and what it said.
    provider_id = models.CharField(max_length=200, blank=True, default="")
    answer = models.TextField(_("what the server said"), blank=True, default="")
    replied_at = models.DateTimeField(null=True)
    interaction = TenantForeignKey(Interaction, models.SET_NULL, null=True, related_name="+")
    policy_version = models.IntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfCustomerQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "origin", "period", "contact", "channel", name="message_uniq")
        ]
        indexes: ClassVar[list[Any]] = [
            # What is due to be sent, oldest first.
            models.Index(
                fields=["tenant", "due_at", "id"],
                name="message_due",
                condition=models.Q(status__in=("queued", "held")),
            ),
            # What somebody was sending when they died.
            models.Index(fields=["tenant", "lease_until"], name="message_leased", condition=models.Q(status="sending")),
            # What has used a contact's budget.
            models.Index(
                fields=["tenant", "contact", "counts_at"],
                name="message_counts",
                condition=models.Q(counts_at__isnull=False),
            ),
            # A customer's messages, newest first; the send log; the API's list by change.
            models.Index(fields=["tenant", "customer", "-id"], name="message_of_customer"),
            models.Index(fields=["tenant", "status", "-id"], name="message_by_status"),
            models.Index(fields=["tenant", "created_at", "id"], name="message_by_time"),
            models.Index(fields=["tenant", "updated_at", "id"], name="message_by_update"),
            # The message that a provider's webhook speaks of.
            models.Index(
                fields=["tenant", "provider_id"], name="message_of_provider", condition=~models.Q(provider_id="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.origin} {self.period}"


class OptOut(TenantModel):
    """A contact who does not want to hear from us by a channel; "" stands for every channel."""

    class How(models.TextChoices):
        LINK = "link", _("link in a message")
        COMPLAINT = "complaint", _("marked as spam")
        PERSON = "person", _("noted by hand")

    contact = TenantForeignKey(Contact, models.CASCADE, related_name="opt_outs")
    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices, blank=True)
    how = models.CharField(_("how"), max_length=10, choices=How.choices)
    message = TenantForeignKey(Message, models.SET_NULL, null=True, related_name="+")
    note = models.CharField(_("note"), max_length=200, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = manager(OfContactQuerySet)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "contact", "channel", name="opt_out_uniq")
        ]
        # The API's list by change.
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "updated_at", "id"], name="opt_out_by_update")]

    @property
    def customer(self) -> Customer:
        """Whose contact it is."""
        return self.contact.customer


class DeadAddress(TenantModel):
    """An address that does not take messages; whoever gives a contact another one is heard again."""

    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices)
    address = models.CharField(_("address"), max_length=254)  # lower case
    reason = models.TextField(_("what the server said"), blank=True, default="")
    message = TenantForeignKey(Message, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint("tenant", "channel", "address", name="dead_address_uniq")
        ]


class ContactWishes(TenantModel):
    """What a contact has asked for: own quiet hours, own budget, and where they live by the clock."""

    contact = TenantForeignKey(Contact, models.CASCADE, related_name="wishes")
    timezone = models.CharField(_("time zone"), max_length=40, blank=True, default="", validators=[known_timezone])
    quiet_from = models.TimeField(_("nothing from"), null=True, blank=True)
    quiet_until = models.TimeField(_("until"), null=True, blank=True)
    most = models.PositiveSmallIntegerField(_("touches at most"), null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "contact", name="contact_wishes_uniq")]


class ChannelSetup(TenantModel):
    """How the firm sends by a channel: e-mail through the installation's server, others through a gateway."""

    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices)
    is_on = models.BooleanField(_("on"), default=True)
    from_name = models.CharField(_("sender's name"), max_length=120, blank=True, default="")
    from_address = models.EmailField(_("sender's address"), blank=True, default="")
    reply_to = models.EmailField(_("replies go to"), blank=True, default="")
    footer = models.TextField(_("footer"), blank=True, default="")
    # The gateway's address holds its keys, so it is kept encrypted (followups.secrets) and never shown again.
    gateway = models.TextField(blank=True, default="", editable=False)
    gateway_name = models.CharField(max_length=40, blank=True, default="", editable=False)
    # Which facts of a contact the gateway's address asks for: "phone", "wechat", "email".
    asks_for = models.JSONField(default=list)
    # Where the gateway of one's own installation is, instead of its maker's.
    server = models.URLField(_("own server"), blank=True, default="")
    # The last trial that an administrator has asked for; null as long as nobody knows what came of it.
    trial_at = models.DateTimeField(null=True)
    trial_to = models.CharField(max_length=254, blank=True, default="")
    trial_worked = models.BooleanField(null=True)
    trial_said = models.TextField(blank=True, default="")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint("tenant", "channel", name="channel_setup_uniq")]
