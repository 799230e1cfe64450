"""Forms of referrals."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.models import Customer, ExternalId, Referral
from customers.search import best
from tenants.forms import SuggestInput, offer, suggest
from tenants.models import Member

ALIKE = 10
NEWEST = 50


def date_input() -> forms.DateInput:
    """A day, as browsers ask for it."""
    widget = forms.DateInput(format="%Y-%m-%d")
    widget.input_type = "date"
    return widget


def customer_called(form: forms.Form, name: str, text: str, among: Any) -> Customer | None:
    """The customer whose whole name or number was typed into a field; None for nothing.

    Raises ValidationError when there is none or several, and offers similar names.
    """
    text = text.strip()
    if not text:
        return None
    numbered = ExternalId.objects.filter(customer_id=OuterRef("pk"), lookup=text.lower())
    found = list(among.filter(Q(search_name=text.lower()) | Exists(numbered))[:2])
    if len(found) == 1:
        meant: Customer = found[0]
        return meant
    if found:
        raise ValidationError(_("Several customers are called so: write the number of the one you mean."))
    suggest(form, name, [row.name for row in best(among, text, ALIKE)])
    raise ValidationError(_("None of the customers you see has this name or number. Similar names are offered."))


class ReferralForm(forms.Form):
    """Who recommended us to whom. Without `referral` it is a new one; then the new customer may be made with it."""

    referrer = forms.CharField(
        label=_("Recommended by"), max_length=200, widget=SuggestInput(attrs={"data-wide": True}),
        help_text=_("The old customer’s name or number."),
    )  # fmt: skip
    customer = forms.CharField(
        label=_("New customer"), max_length=200, required=False, widget=SuggestInput(attrs={"data-wide": True}),
        help_text=_("Name or number, where it is among the customers already."),
    )  # fmt: skip
    new_name = forms.CharField(
        label=_("Or add it by the name of"), max_length=200, required=False,
        help_text=_("A customer of this name is made; it is yours until somebody else is named its A owner."),
    )  # fmt: skip
    on = forms.DateField(label=_("Recommended on"), widget=date_input())
    member: forms.ModelChoiceField[Member] = forms.ModelChoiceField(
        label=_("Brought by"), queryset=None, required=False,
        empty_label=_("the A owner of who recommended us"),
        help_text=_("Who gets the reward for the new orders."),
    )  # fmt: skip
    note = forms.CharField(label=_("Note"), max_length=4000, required=False, widget=forms.Textarea({"rows": 2}))

    def __init__(
        self, *args: Any, member: Member, referral: Referral | None = None, referrer: Customer | None = None,
        may_add: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        self.seen = Customer.objects.visible_to(member)
        self.referral = referral
        if referral is not None:
            kwargs["initial"] = {
                "referrer": referral.referrer.name, "customer": referral.customer.name, "on": referral.on,
                "member": referral.member_id, "note": referral.note,
            }  # fmt: skip
        else:
            kwargs["initial"] = {"on": timezone.localdate(), "referrer": referrer.name if referrer else ""}
        super().__init__(*args, **kwargs)
        if referral is not None or not may_add:
            del self.fields["new_name"]
        offer(self, "member", Member.objects.filter(is_active=True).select_related("user").order_by("user__name", "pk"))
        newest = self.seen.order_by("-created_at", "-pk").values_list("name", flat=True)
        suggest(self, "customer", newest[:NEWEST])

    def clean_referrer(self) -> Customer | None:
        """The old customer that is meant."""
        return self._meant("referrer", self.referral.referrer if self.referral else None)

    def clean_customer(self) -> Customer | None:
        """The new customer that is meant, when it is there already."""
        return self._meant("customer", self.referral.customer if self.referral else None)

    def _meant(self, name: str, known: Customer | None) -> Customer | None:
        text: str = self.cleaned_data[name]
        if known is not None and text.strip() == known.name:
            return known
        return customer_called(self, name, text, self.seen)

    def clean(self) -> dict[str, Any]:
        """Either a customer who is there, or the name of one to be made."""
        said = super().clean() or {}
        if "customer" in said and bool(said["customer"]) == bool(said.get("new_name", "").strip()):
            words = _("Name the new customer, either one that is there or the name of one to be added.")
            self.add_error("customer", ValidationError(words, code="required"))
        return said


class WhyForm(forms.Form):
    """A reason."""

    why = forms.CharField(label=_("Why"), max_length=200)
