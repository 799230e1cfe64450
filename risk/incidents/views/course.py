"""The course of a crisis: opening, its level, stopping its clocks, a drill, closing, opening again."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from customers.models import Customer
from risk.incidents import services
from risk.incidents.forms import CloseForm, LevelForm, OpenForm, ReasonForm
from risk.incidents.views.crisis import WRITE, CrisisForm, Verb
from risk.models import Alert, Incident
from tenants.filters import id_number
from tenants.pages import FormPage


class CrisisOpen(FormPage):
    """Open a crisis; from the customer's page, an alert or a complaint the customer is known already."""

    permission = WRITE
    nav = "crises"
    heading = gettext_lazy("Open a crisis")
    submit = gettext_lazy("Open: the clocks begin")

    @cached_property
    def alert(self) -> Alert | None:
        number = id_number(self.request.GET.get("alert", ""))
        if "alert" not in self.request.GET:
            return None
        found: Alert = get_object_or_404(
            Alert.objects.visible_to(self.member).select_related("customer"), pk=number or 0
        )
        return found

    @cached_property
    def customer(self) -> Customer | None:
        self.refuse_unknown("customer", "alert", "complaint")
        if self.alert is not None:
            return self.alert.customer
        if "customer" not in self.request.GET:
            return None
        number = id_number(self.request.GET["customer"])
        found: Customer = get_object_or_404(Customer.objects.visible_to(self.member), pk=number or 0)
        return found

    def form(self, data: Any = None, files: Any = None) -> OpenForm:
        initial = {"level": Incident.Level.GENERAL, "complaint": self.request.GET.get("complaint")}
        return OpenForm(data, initial=initial, member=self.member, customer=self.customer)

    def title(self) -> str:
        return _("Open a crisis: %(customer)s") % {"customer": self.customer} if self.customer else super().title()

    def back(self) -> str:
        return self.address("customer", pk=self.customer.pk) if self.customer else self.address("crises")

    def save(self, form: Any) -> HttpResponse:
        said = form.values()
        incident = services.open_incident(member=self.member, alert=self.alert, **said)
        return self.done("crisis", pk=incident.pk)


class LevelChange(CrisisForm):
    """Another level while it runs."""

    heading = gettext_lazy("Change the level")

    def form(self, data: Any = None, files: Any = None) -> LevelForm:
        return LevelForm(data, initial={"level": self.incident.level})

    def save(self, form: Any) -> HttpResponse:
        said = form.cleaned_data
        services.change_level(
            incident=self.incident, level=said["level"], reason=said["reason"], member=self.member
        )  # fmt: skip
        return self.again()


class Pause(CrisisForm):
    """Stop the clocks."""

    heading = gettext_lazy("Stop the clocks")
    submit = gettext_lazy("Stop them")

    def form(self, data: Any = None, files: Any = None) -> ReasonForm:
        return ReasonForm(data)

    def save(self, form: Any) -> HttpResponse:
        services.pause(incident=self.incident, reason=form.cleaned_data["reason"], member=self.member)
        return self.again()


class Resume(Verb):
    """Let the clocks run again."""

    def do(self) -> None:
        services.resume(incident=self.incident, member=self.member)


class Drill(Verb):
    """A drill: a marked copy that begins now."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            copy = services.start_drill(incident=self.incident, member=self.member)
        except ValidationError as refusal:
            messages.error(request, " ".join(refusal.messages))
            return self.again()
        messages.success(request, _("The drill begins now. The customer hears nothing of it."))
        return self.done("crisis", pk=copy.pk)


class Close(CrisisForm):
    """Close it with outcome and cause."""

    heading = gettext_lazy("Close the crisis")
    submit = pgettext_lazy("verb", "Close")

    def form(self, data: Any = None, files: Any = None) -> CloseForm:
        return CloseForm(data, initial={"outcome": Incident.Outcome.SAVED})

    def save(self, form: Any) -> HttpResponse:
        services.close(incident=self.incident, member=self.member, **form.cleaned_data)
        messages.success(self.request, _("%(crisis)s is closed.") % {"crisis": self.incident.name})
        return self.again()


class Reopen(CrisisForm):
    """Open a closed crisis again."""

    heading = gettext_lazy("Open it again")
    submit = gettext_lazy("Open again")

    def form(self, data: Any = None, files: Any = None) -> ReasonForm:
        return ReasonForm(data)

    def save(self, form: Any) -> HttpResponse:
        services.reopen(incident=self.incident, reason=form.cleaned_data["reason"], member=self.member)
        return self.again()
