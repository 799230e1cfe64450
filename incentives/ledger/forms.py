"""Forms of the ledger."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from incentives.referrals.forms import customer_called, date_input
from tenants.forms import SuggestInput
from tenants.models import Member


class KeyedForm(forms.Form):
    """A form that is taken once however often it is sent."""

    key = forms.CharField(max_length=40, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["key"].initial = secrets.token_urlsafe(16)


class SayForm(KeyedForm):
    """A message in a dispute."""

    text = forms.CharField(label=_("Text"), max_length=4000, widget=forms.Textarea({"rows": 3}))


class ResolveForm(SayForm):
    """How a dispute ends."""

    amount = forms.DecimalField(
        label=_("Corrected amount"), required=False, max_digits=14, decimal_places=4,
        help_text=_("Empty: it stays as it is. What is added waits for somebody else’s approval."),
    )  # fmt: skip


class UpgradeForm(forms.Form):
    """A customer got a better service."""

    customer = forms.CharField(
        label=_("Customer"), max_length=200, widget=SuggestInput(attrs={"data-wide": True}),
        help_text=_("Name or number."),
    )  # fmt: skip
    on = forms.DateField(label=_("Upgraded on"), widget=date_input())
    what = forms.CharField(label=_("What was upgraded"), max_length=200)

    def __init__(self, *args: Any, member: Member, customer: Customer | None = None, **kwargs: Any) -> None:
        self.seen = Customer.objects.visible_to(member)
        kwargs["initial"] = {"on": timezone.localdate(), "customer": customer.name if customer else ""}
        super().__init__(*args, **kwargs)

    def clean_customer(self) -> Customer | None:
        """The customer that is meant."""
        return customer_called(self, "customer", self.cleaned_data["customer"], self.seen)


class RedeemForm(KeyedForm):
    """A customer gets something for its points."""

    points = forms.IntegerField(label=_("Points"), min_value=1)
    what = forms.CharField(label=_("What for"), max_length=200)


class StretchForm(forms.Form):
    """A stretch of days; the running year without one."""

    since = forms.DateField(label=_("From"), required=False, widget=date_input())
    until = forms.DateField(label=_("To"), required=False, widget=date_input())
    export = forms.ChoiceField(choices=[("csv", "csv"), ("pdf", "pdf")], required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """The days, in their order."""
        said = super().clean() or {}
        today = timezone.localdate()
        said["since"] = said.get("since") or dt.date(today.year, 1, 1)
        said["until"] = said.get("until") or max(today, said["since"])
        if said["until"] < said["since"]:
            self.add_error("until", ValidationError(_("Must not lie before the first day."), code="order"))
        return said
