"""The send log, one message, writing one, and how a contact stands with the governor."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from customers.models import Channel, Contact, Customer
from followups.messages import outbox, unsubscribing, wishes
from followups.messages.channels import SENT_BY
from followups.messages.filters import MessageFilter
from followups.messages.forms import MessageForm, OptOutForm, WishesForm
from followups.messages.governor import Facts
from followups.messages.origins import origin_words
from followups.messages.outbox import queue_message
from followups.messages.whys import message_why
from followups.models import ContactWishes, DeadAddress, FollowUp, Message, OptOut
from tenants.filters import id_number
from tenants.pages import ChoiceColumn, FormPage, ListPage, PageTable, PlainColumn, TenantView, WordsColumn
from tenants.templatetags.perennial import moment

S = Message.Status

MARKS = {
    S.QUEUED: "clock", S.HELD: "clock", S.SENDING: "refresh", S.SENT: "check", S.FAILED: "alert-circle",
    S.UNCERTAIN: "zoom-question", S.BOUNCED: "arrow-back-up", S.BLOCKED: "shield-x", S.CANCELLED: "x",
}  # fmt: skip
"""An icon for each status, beside its word."""


class MessageTable(PageTable):
    """Messages: to whom, what, by which way, and what became of it."""

    created_at = WordsColumn(moment, verbose_name=gettext_lazy("Asked for"))
    customer = PlainColumn(verbose_name=gettext_lazy("Customer"), orderable=False)
    contact = PlainColumn(verbose_name=gettext_lazy("Contact"), orderable=False)
    subject = PlainColumn(verbose_name=gettext_lazy("Message"), orderable=False, empty_values=())
    channel = ChoiceColumn(Channel.choices, verbose_name=gettext_lazy("Channel"))
    purpose = ChoiceColumn(Message.Purpose.choices, verbose_name=gettext_lazy("Purpose"))
    status = ChoiceColumn(S.choices, verbose_name=gettext_lazy("Status"))
    why = PlainColumn(verbose_name=gettext_lazy("Why"), orderable=False)
    due_at = WordsColumn(moment, verbose_name=gettext_lazy("Goes at"))
    sent_at = WordsColumn(moment, verbose_name=gettext_lazy("Sent"))
    replied_at = WordsColumn(moment, verbose_name=gettext_lazy("Answered"))
    address = PlainColumn(verbose_name=gettext_lazy("Address"), orderable=False)
    member = PlainColumn(verbose_name=gettext_lazy("From"), orderable=False)
    origin = PlainColumn(verbose_name=gettext_lazy("Origin"), orderable=False)

    fixed = ("subject",)
    extra: ClassVar[tuple[str, ...]] = ("due_at", "address", "member", "origin", "purpose")
    indexed: ClassVar[dict[str, str]] = {"created_at": "pk"}

    class Meta(PageTable.Meta):
        pass

    def render_subject(self, record: Any) -> str:
        address = reverse("message", kwargs={"tenant": self.request.tenant.slug, "pk": record.pk})
        return format_html('<a class="row-link" href="{}">{}</a>', address, title_of(record))

    def value_subject(self, record: Any) -> str:
        return title_of(record)

    def render_status(self, record: Any) -> str:
        return format_html('<span class="pn-said-{}">{}</span>', record.status, record.get_status_display())

    def value_status(self, record: Any) -> str:
        return str(record.get_status_display())

    def render_why(self, record: Any) -> str:
        return message_why(record) or "–"

    def value_why(self, record: Any) -> str:
        return message_why(record)

    def render_origin(self, value: str) -> str:
        return origin_words(value)


def title_of(message: Message) -> str:
    """What a message is called in a list: its subject, else how its text begins."""
    words = message.subject or " ".join(message.body.split())
    return words if len(words) <= 80 else f"{words[:79]}…"


class MessageList(ListPage):
    """Every message that was asked for, with what became of it and why."""

    permission = "messages:read"
    export_permission = "customers:export"
    export_name = "messages"
    nav = "messages"
    queryset = staticmethod(
        lambda member: Message.objects.visible_to(member).select_related("customer", "contact", "member__user")
    )
    filterset = MessageFilter
    table = MessageTable
    template = "followups/messages.html"
    empty = "followups/messages_empty.html"
    sort = "-created_at"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s message", "%(count)s messages", count) % {"count": shown}


class MessageView(TenantView):
    """Something of one message; one of a customer that the member does not see is not there."""

    permission = "messages:read"
    write_permission = "messages:write"
    nav = "messages"

    @cached_property
    def message(self) -> Message:
        rows = Message.objects.visible_to(self.member).select_related(
            "customer", "contact", "member__user", "follow_up", "script__script", "interaction"
        )
        found: Message = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found


class MessagePage(MessageView):
    """One message: its text, what became of it and why, each attempt, and what can be done."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        message = self.message
        trail = [
            (parse_datetime(each["at"]), _WHAT.get(each["what"], each["what"]), each["said"])
            for each in reversed(message.trail)
        ]
        return self.render(
            "followups/message.html",
            message=message,
            title=title_of(message),
            mark=MARKS[S(message.status)],
            why=message_why(message),
            origin=origin_words(message.origin),
            trail=trail,
            may_write=self.member.can("messages:write"),
            may_cancel=message.status in {*outbox.OPEN, S.BLOCKED, S.FAILED},
            may_send=message.status in {S.BLOCKED, S.FAILED, S.BOUNCED, S.CANCELLED, S.UNCERTAIN},
            may_confirm=message.status == S.UNCERTAIN,
        )


_WHAT = {
    "sent": gettext_lazy("sent"),
    "queued": gettext_lazy("not taken, tried again later"),
    "failed": gettext_lazy("not taken"),
    "bounced": gettext_lazy("came back"),
    "uncertain": gettext_lazy("not known whether it was taken"),
    "automatic": gettext_lazy("automatic reply"),
    "delayed": gettext_lazy("is late"),
    "delivered": gettext_lazy("delivered"),
    "rejected": gettext_lazy("refused"),
}


class MessageDo(MessageView):
    """Withdraw a message, send it again, or say that it has arrived."""

    permission = "messages:write"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            words = self._do(self.kwargs["verb"])
        except outbox.Refused as refusal:
            messages.error(request, refusal.messages[0])
        else:
            messages.success(request, words)
        return self.done("message", pk=self.message.pk)

    def _do(self, verb: str) -> str:
        if verb == "cancel":
            outbox.cancel(message=self.message, member=self.member)
            return _("The message is withdrawn.")
        if verb == "confirm":
            outbox.confirm_sent(message=self.message, member=self.member)
            return _("The message counts as sent.")
        row = outbox.send_again(message=self.message, member=self.member)
        return message_why(row) or _("The message goes now.")


class MessageWrite(FormPage):
    """Write to a contact of a customer; the governor says at once when it goes."""

    permission = "messages:write"
    nav = "customers"
    submit = gettext_lazy("Send")

    @cached_property
    def customer(self) -> Customer:
        found: Customer = get_object_or_404(Customer.objects.visible_to(self.member), pk=self.kwargs["customer"])
        return found

    @cached_property
    def follow_up(self) -> FollowUp | None:
        """The task in the address that the message fulfils."""
        said = self.request.GET.get("follow_up")
        if not said:
            return None
        rows = FollowUp.objects.visible_to(self.member).filter(customer=self.customer)
        found: FollowUp = get_object_or_404(rows, pk=id_number(said) or 0)
        return found

    def title(self) -> str:
        return _("Write to %(name)s") % {"name": self.customer}

    def back(self) -> str:
        return self.address("customer", pk=self.customer.pk)

    def form(self, data: Any = None, files: Any = None) -> MessageForm:
        contacts = Contact.objects.filter(customer=self.customer, left_on__isnull=True).order_by("-is_main", "pk")
        setups = Facts([]).setups
        channels = [
            channel for channel in SENT_BY if channel == Channel.EMAIL or ((row := setups.get(channel)) and row.is_on)
        ]
        wanted = self.request.GET.get("channel", "")
        initial = {"once": uuid.uuid4(), "channel": wanted if wanted in channels else Channel.EMAIL.value}
        if self.follow_up and self.follow_up.contact_id:
            initial["contact"] = self.follow_up.contact_id
        return MessageForm(data, contacts=contacts, channels=channels, initial=initial)

    def save(self, form: MessageForm) -> HttpResponse:
        said = form.cleaned_data
        message = queue_message(
            customer=self.customer,
            contact=said["contact"],
            channel=said["channel"],
            purpose="service" if said["is_service"] else "personal",
            subject=said["subject"],
            body=said["body"],
            origin="manual",
            period=str(said["once"]),
            follow_up=self.follow_up,
            member=self.member,
        )
        why = message_why(message)
        if message.status == S.BLOCKED:
            messages.error(self.request, _("The message does not go. %(why)s") % {"why": why})
        else:
            messages.success(self.request, why or _("The message goes now."))
        return self.done("message", pk=message.pk)


# ── a contact and the governor ──────────────────────────────────────────────


class _OfContact(TenantView):
    permission = "contacts:read"
    write_permission = "contacts:write"
    nav = "customers"

    @cached_property
    def contact(self) -> Contact:
        rows = Contact.objects.visible_to(self.member).select_related("customer")
        found: Contact = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found


class ContactReach(_OfContact):
    """How a contact stands: whether each channel is open now and why not, what has used the budget, what they wish."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        contact = self.contact
        addresses = {value.lower() for value in (contact.email, contact.phone, contact.wechat) if value}
        waiting = Message.objects.filter(contact=contact, status__in=[*outbox.OPEN, S.BLOCKED, S.UNCERTAIN])
        return self.render(
            "followups/contact_reach.html",
            contact=contact,
            standing=wishes.standing_of(contact),
            wishes=ContactWishes.objects.filter(contact=contact).first(),
            opt_outs=OptOut.objects.filter(contact=contact).order_by("channel"),
            dead=DeadAddress.objects.filter(address__in=addresses).order_by("channel"),
            waiting=[(row, title_of(row), message_why(row)) for row in waiting.order_by("due_at", "pk")[:20]],
            now=timezone.now(),
            may_write=self.member.can("contacts:write"),
        )


class _ContactForm(FormPage):
    permission = "contacts:write"
    nav = "customers"

    @cached_property
    def contact(self) -> Contact:
        rows = Contact.objects.visible_to(self.member).select_related("customer")
        found: Contact = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    def title(self) -> str:
        return _("%(what)s: %(name)s") % {"what": self.heading, "name": self.contact}

    def back(self) -> str:
        return self.address("contact-reach", pk=self.contact.pk)

    def saved(self, words: str) -> HttpResponse:
        messages.success(self.request, words)
        return self.done("contact-reach", pk=self.contact.pk)


class WishesEdit(_ContactForm):
    """What the contact has asked for: quiet hours, budget, time zone."""

    heading = gettext_lazy("Wishes")

    def form(self, data: Any = None, files: Any = None) -> WishesForm:
        return WishesForm(data, wishes=ContactWishes.objects.filter(contact=self.contact).first())

    def save(self, form: WishesForm) -> HttpResponse:
        wishes.save_wishes(contact=self.contact, **form.cleaned_data)
        return self.saved(_("The wishes are noted."))


class OptOutAdd(_ContactForm):
    """Note that the contact wants to hear nothing by a channel."""

    heading = gettext_lazy("Opt out")
    submit = gettext_lazy("Note it")

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        return OptOutForm(data)

    def save(self, form: forms.Form) -> HttpResponse:
        unsubscribing.opt_out(contact=self.contact, how=OptOut.How.PERSON, **form.cleaned_data)
        return self.saved(_("Noted: nothing more is sent that way."))


class OptOutEnd(_OfContact):
    """Take an opt-out back, because the contact has said so."""

    permission = "contacts:write"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        channel = request.POST.get("channel", "")
        if unsubscribing.opt_in(contact=self.contact, channel=channel):
            messages.success(request, _("The contact can be reached that way again."))
        return self.done("contact-reach", pk=self.contact.pk)


class AddressRevive(_OfContact):
    """Try an address again that did not take messages."""

    permission = "contacts:write"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        contact = self.contact
        addresses = {value.lower() for value in (contact.email, contact.phone, contact.wechat) if value}
        dead = DeadAddress.objects.filter(
            address__in=addresses, pk=id_number(request.POST.get("address", "")) or 0
        ).first()
        if dead is not None:
            wishes.revive(contact=contact, dead=dead)
            messages.success(request, _("The address is tried again with the next message."))
        return self.done("contact-reach", pk=contact.pk)
