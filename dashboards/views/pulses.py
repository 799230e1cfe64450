"""A person's own view of a customer: giving it, and taking it back."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.models import Customer
from health import pulses
from health.forms import PulseForm
from health.models import Pulse
from health.rules.policy import HealthPolicy
from tenants.pages import FormPage, TenantView
from tenants.policies import active_policy


class PulseGive(FormPage):
    """Say how one sees a customer, with a reason; it takes the place of the view before."""

    permission = "pulses:write"
    nav = "customers"
    submit = gettext_lazy("Save")

    @cached_property
    def customer(self) -> Customer:
        living = Customer.objects.visible_to(self.member).filter(closed_on__isnull=True)
        found: Customer = get_object_or_404(living, pk=self.kwargs["customer"])
        return found

    def title(self) -> str:
        return _("Own view of %(name)s") % {"name": self.customer}

    def form(self, data: Any = None, files: Any = None) -> PulseForm:
        return PulseForm(data, days=active_policy().section(HealthPolicy).pulse_days)

    def save(self, form: PulseForm) -> HttpResponse:
        pulse, outcome = pulses.give_pulse(customer=self.customer, member=self.member, **form.cleaned_data)
        said = {"name": self.customer, "band": pulse.get_band_display()}
        if outcome == "unchanged":
            messages.info(self.request, _("You have said so today already."))
        else:
            messages.success(self.request, _("Your view of %(name)s is noted: %(band)s.") % said)
        return self.done("customer", pk=self.customer.pk)

    def back(self) -> str:
        return self.address("customer", pk=self.customer.pk)


class PulseWithdraw(TenantView):
    """Take a view back."""

    permission = "pulses:write"
    nav = "customers"

    def post(self, request: HttpRequest, pk: int, **kwargs: Any) -> HttpResponse:
        pulse: Pulse = get_object_or_404(Pulse.objects.visible_to(self.member).select_related("customer"), pk=pk)
        if pulses.withdraw(pulse=pulse, member=self.member) == "updated":
            messages.success(request, _("The view is taken back."))
        else:
            messages.warning(request, _("The view was taken back already."))
        return self.done("customer", pk=pulse.customer_id)
