"""What people say about messages: what to send, what a contact wishes, how the firm sends."""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from customers.models import Channel, Contact
from followups.messages.outbox import BODY_LENGTH, SUBJECT_LENGTH
from followups.messages.sending.gateways import KINDS
from followups.models import ChannelSetup, ContactWishes
from tenants.forms import SuggestInput, offer, suggest


class MessageForm(forms.Form):
    """A message to a contact of a customer. `once` makes it one, however often the form is sent."""

    contact: forms.ModelChoiceField[Contact] = forms.ModelChoiceField(label=_("To"), queryset=None, empty_label=None)
    channel = forms.ChoiceField(label=_("Channel"))
    subject = forms.CharField(
        label=_("Subject"), max_length=SUBJECT_LENGTH, required=False, help_text=_("An e-mail needs one.")
    )
    body = forms.CharField(label=_("Text"), max_length=BODY_LENGTH, widget=forms.Textarea(attrs={"rows": 8}))
    is_service = forms.BooleanField(
        label=_("Answers what the contact asked for"),
        required=False,
        help_text=_("Then it also goes in quiet hours and without consent, and has no link to unsubscribe."),
    )
    once = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(
        self, data: Any = None, *, contacts: QuerySet[Contact], channels: Sequence[str], **kwargs: Any
    ) -> None:
        super().__init__(data, **kwargs)
        offer(self, "contact", contacts)
        choices = [(code, label) for code, label in Channel.choices if code in channels]
        cast(forms.ChoiceField, self.fields["channel"]).choices = choices


class _Time(forms.TimeInput):
    input_type = "time"

    def __init__(self) -> None:
        super().__init__(format="%H:%M")


class WishesForm(forms.Form):
    """What a contact has asked for."""

    timezone = forms.CharField(
        label=_("Time zone"),
        max_length=40,
        required=False,
        widget=SuggestInput(),
        help_text=_("Like Asia/Shanghai; empty: the firm's."),
    )
    quiet_from = forms.TimeField(label=_("Nothing from"), required=False, widget=_Time())
    quiet_until = forms.TimeField(
        label=_("until"), required=False, widget=_Time(), help_text=_("Both empty: as the policy says.")
    )
    most = forms.IntegerField(
        label=_("Touches at most"),
        min_value=0,
        max_value=100,
        required=False,
        help_text=_("Empty: as the policy says."),
    )

    def __init__(self, data: Any = None, *, wishes: ContactWishes | None = None) -> None:
        names = ("timezone", "quiet_from", "quiet_until", "most")
        super().__init__(data, initial={name: getattr(wishes, name) for name in names} if wishes else None)
        suggest(self, "timezone", sorted(zoneinfo.available_timezones()))


class OptOutForm(forms.Form):
    """By which channel a contact wants to hear nothing."""

    channel = forms.ChoiceField(
        label=_("Channel"), required=False, choices=[("", _("every channel")), *Channel.choices]
    )
    note = forms.CharField(label=_("Note"), max_length=200, required=False)


class EmailForm(forms.Form):
    """How mails of the firm look."""

    is_on = forms.BooleanField(label=_("E-mails are sent"), required=False)
    from_name = forms.CharField(
        label=_("Sender's name"), max_length=120, required=False, help_text=_("Empty: the firm's name.")
    )
    from_address = forms.EmailField(
        label=_("Sender's address"),
        required=False,
        help_text=_("The mail server must be allowed to send for it. Empty: the installation's."),
    )
    reply_to = forms.EmailField(
        label=_("Replies go to"),
        required=False,
        help_text=_("Where the installation receives mail, answers come here and into the timeline instead."),
    )
    footer = forms.CharField(
        label=_("Footer"), required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Stands below every mail: firm, address, register."),
    )  # fmt: skip

    def __init__(self, data: Any = None, *, setup: ChannelSetup) -> None:
        names = ("is_on", "from_name", "from_address", "reply_to", "footer")
        super().__init__(data, initial={name: getattr(setup, name) for name in names})


class GatewayForm(forms.Form):
    """By which gateway a channel sends."""

    is_on = forms.BooleanField(label=_("Messages are sent"), required=False)
    gateway = forms.CharField(
        label=_("Address of the gateway, with its keys"),
        max_length=1000,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "data-wide": True}),
    )
    server = forms.URLField(
        label=_("Own server"),
        required=False,
        assume_scheme="https",
        help_text=_("Only for an installation of your own, instead of the maker's."),
    )

    def __init__(self, data: Any = None, *, setup: ChannelSetup) -> None:
        super().__init__(data, initial={"is_on": setup.is_on, "server": setup.server})
        known = {scheme: kind for scheme, kind in KINDS[setup.channel].items() if scheme != "json"}
        examples = ", ".join(f"{kind.title}: {kind.example}" for kind in known.values())
        words = _("{phone}, {wechat} and {email} stand for the contact's.")
        kept = _("It is kept encrypted and not shown again. Empty: it stays.") if setup.gateway else ""
        self.fields["gateway"].help_text = " ".join(str(each) for each in (examples + ".", words, kept) if each)


class TestForm(forms.Form):
    """To whom a trial goes."""

    address = forms.CharField(label=_("To"), max_length=254, help_text=_("An address or number of your own."))
