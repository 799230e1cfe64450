"""What people say about care: days that come round, and what a contact likes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from customers.models import Contact, Customer
from followups.models import By, CareDay, CareWishes
from tenants.forms import offer

_BY = [(By.SOLAR, _("the solar calendar")), (By.LUNAR, _("the lunar calendar"))]


class WishesForm(forms.Form):
    """What a contact likes to be congratulated on, and how."""

    birthday_by = forms.ChoiceField(
        label=_("Birthday by"),
        choices=_BY,
        help_text=_("By the lunar calendar: the birthday’s lunar month and day; of a leap month, the plain month too."),
    )
    birthdays = forms.BooleanField(label=_("Birthdays"), required=False)
    anniversaries = forms.BooleanField(label=_("Anniversaries"), required=False)
    festivals = forms.BooleanField(label=_("Festivals"), required=False)
    how = forms.ChoiceField(label=_("How"), choices=CareWishes.How.choices, required=False)

    def __init__(self, data: Any = None, *, wishes: CareWishes) -> None:
        super().__init__(data, initial={name: getattr(wishes, name) for name in self.base_fields})


class CareDayForm(forms.Form):
    """A day of a customer that comes round every year."""

    kind = forms.ChoiceField(label=_("Kind"), choices=CareDay.Kind.choices)
    name = forms.CharField(label=_("What is celebrated"), max_length=60, required=False)
    on = forms.DateField(
        label=_("First day"),
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
        help_text=_("The day it happened; it comes round every year from then on."),
    )
    by = forms.ChoiceField(label=_("Comes round by"), choices=_BY)
    contact: forms.ModelChoiceField[Contact] = forms.ModelChoiceField(
        label=_("Congratulate"), queryset=None, required=False, empty_label=_("whom to ask first")
    )

    def __init__(self, data: Any = None, *, customer: Customer, care_day: CareDay | None = None) -> None:
        initial = None
        if care_day is not None:
            initial = {name: getattr(care_day, name) for name in ("kind", "name", "on", "by")}
            initial["contact"] = care_day.contact_id
        super().__init__(data, initial=initial)
        offer(self, "contact", customer.contacts.filter(left_on__isnull=True).order_by("-is_main", "name"))
