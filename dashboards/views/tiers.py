"""Pinning a customer's tier, and taking the pin out."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.models import Customer
from segmentation import services
from segmentation.forms import PinForm
from segmentation.models import Standing, TierPin
from segmentation.rules.policy import TierPolicy
from tenants.pages import FormPage, TenantView
from tenants.policies import active_policy
from tenants.templatetags.perennial import long_day


class TierPinAdd(FormPage):
    """Fix the tier of a customer until a day, for a reason; it takes the place of the pin before."""

    permission = "tiers:write"
    nav = "customers"
    submit = gettext_lazy("Pin")

    @cached_property
    def customer(self) -> Customer:
        living = Customer.objects.visible_to(self.member).filter(closed_on__isnull=True)
        found: Customer = get_object_or_404(living, pk=self.kwargs["customer"])
        return found

    def title(self) -> str:
        return _("Pin the tier of %(name)s") % {"name": self.customer}

    def form(self, data: Any = None, files: Any = None) -> PinForm:
        today = self.request.tenant.today()
        tier = Standing.objects.filter(customer=self.customer).values_list("tier", flat=True).first()
        return PinForm(
            data,
            scheme=active_policy().section(TierPolicy).scheme,
            tier=tier or "",
            today=today,
            pin=TierPin.objects.in_force(today).filter(customer=self.customer).first(),
        )

    def save(self, form: PinForm) -> HttpResponse:
        pin, _outcome = services.pin_tier(customer=self.customer, member=self.member, **form.cleaned_data)
        messages.success(
            self.request,
            _("%(name)s is pinned to %(tier)s until %(day)s.")
            % {"name": self.customer, "tier": pin.get_tier_display(), "day": long_day(pin.until)},
        )
        return self.done("customer", pk=self.customer.pk)

    def back(self) -> str:
        return self.address("customer", pk=self.customer.pk)


class TierUnpin(TenantView):
    """End a pin before its day."""

    permission = "tiers:write"
    nav = "customers"

    def post(self, request: HttpRequest, pk: int, **kwargs: Any) -> HttpResponse:
        pin: TierPin = get_object_or_404(TierPin.objects.visible_to(self.member).select_related("customer"), pk=pk)
        if services.unpin(pin=pin, member=self.member) == "updated":
            messages.success(request, _("The pin is out. From the next night on the facts decide."))
        else:
            messages.warning(request, _("The pin was out already."))
        return self.done("customer", pk=pin.customer_id)
