"""How the firm sends: the administrator's page of channels."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.models import Channel
from followups.messages import channels
from followups.messages.forms import EmailForm, GatewayForm, TestForm
from followups.messages.governor import BY_HAND
from followups.messages.sending.gateways import KINDS
from followups.messages.sending.trial import ask_for_trial
from followups.models import ChannelSetup
from tenants.pages import FormPage, TenantView


class ChannelList(TenantView):
    """Every channel: by what it sends, or that a person does it."""

    permission = "channels:write"
    nav = "channels"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        setups = {setup.channel: setup for setup in ChannelSetup.objects.all()}
        lines = []
        for code, label in Channel.choices:
            setup = setups.get(code)
            kind = KINDS.get(code, {}).get(setup.gateway_name) if setup else None
            is_on = (setup is None or setup.is_on) if code == Channel.EMAIL else bool(setup and setup.is_on)
            lines.append((code, label, setup, kind, is_on, code in BY_HAND))
        return self.render("followups/channels.html", lines=lines)


class _OfChannel(FormPage):
    permission = "channels:write"
    nav = "channels"

    @cached_property
    def setup_row(self) -> ChannelSetup:
        channel = self.kwargs["channel"]
        if channel not in channels.SENT_BY:
            raise Http404
        return channels.setup_of(channel)

    @property
    def label(self) -> str:
        return str(Channel(self.setup_row.channel).label)

    def back(self) -> str:
        return self.address("channels")


class ChannelEdit(_OfChannel):
    """Set a channel up, or switch it off."""

    def title(self) -> str:
        return _("Channel: %(name)s") % {"name": self.label}

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        form = EmailForm if self.setup_row.channel == Channel.EMAIL else GatewayForm
        return form(data, setup=self.setup_row)

    def save(self, form: forms.Form) -> HttpResponse:
        if self.setup_row.channel == Channel.EMAIL:
            channels.save_email(**form.cleaned_data)
        else:
            channels.save_gateway(channel=self.setup_row.channel, **form.cleaned_data)
        messages.success(self.request, _("%(name)s is saved.") % {"name": self.label})
        return self.done("channels")


class ChannelTrial(_OfChannel):
    """Send a trial to oneself: what the server says is shown with the channel."""

    submit = gettext_lazy("Send")

    def title(self) -> str:
        return _("Trial: %(name)s") % {"name": self.label}

    def form(self, data: Any = None, files: Any = None) -> forms.Form:
        initial = {"address": self.member.user.email} if self.setup_row.channel == Channel.EMAIL else {}
        return TestForm(data, initial=initial)

    def save(self, form: forms.Form) -> HttpResponse:
        ask_for_trial(channel=self.setup_row.channel, address=form.cleaned_data["address"])
        messages.success(self.request, _("The trial is on its way. What the server says stands here in a moment."))
        return self.done("channels")
