"""Forms of the crisis room."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from customers.models import Complaint, Contact, Customer, Order
from risk.incidents.talk import TEXT_LENGTH
from risk.models import Incident, IncidentCompensation, IncidentEntry, IncidentSeat
from risk.rules.causes import CAUSES, TRIED
from tenants.forms import SuggestInput, offer
from tenants.models import Member

RECENT: Final = 50
"""Orders and complaints to choose from."""

_MOMENT: Final = "%Y-%m-%dT%H:%M"


def _moment_input() -> forms.DateTimeInput:
    return forms.DateTimeInput({"type": "datetime-local"}, format=_MOMENT)


def _area(rows: int = 3) -> forms.Textarea:
    return forms.Textarea({"rows": rows})


class OpenForm(forms.Form):
    """A new crisis; the customer's orders and complaints are offered once the customer is known."""

    customer = forms.CharField(
        label=gettext_lazy("Customer"), max_length=200, widget=SuggestInput({"autocomplete": "off"}),
        help_text=gettext_lazy("The name as it is written."),
    )  # fmt: skip
    title = forms.CharField(
        label=gettext_lazy("What went wrong"), max_length=160,
        help_text=gettext_lazy("One line that the customer may read."),
    )  # fmt: skip
    level = forms.ChoiceField(label=gettext_lazy("Level"), choices=Incident.Level.choices)
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=Incident.Kind.choices)
    what = forms.CharField(
        label=gettext_lazy("What happened"), max_length=TEXT_LENGTH, required=False, widget=_area(),
        help_text=gettext_lazy("For the team: who called, what they said, what they want."),
    )  # fmt: skip
    order: forms.ModelChoiceField[Order] = forms.ModelChoiceField(
        label=gettext_lazy("Order"), queryset=None, required=False
    )
    complaint: forms.ModelChoiceField[Complaint] = forms.ModelChoiceField(
        label=gettext_lazy("Complaint"), queryset=None, required=False
    )
    needed_by = forms.DateField(
        label=gettext_lazy("Needed by"), required=False, widget=forms.DateInput({"type": "date"})
    )
    value = forms.DecimalField(
        label=gettext_lazy("Money affected"), min_value=0, max_digits=15, decimal_places=2, required=False,
        help_text=gettext_lazy("Empty: the order’s. Compensation is a share of it."),
    )  # fmt: skip
    drill = forms.BooleanField(
        label=gettext_lazy("A drill: the customer hears nothing of it, and no figure counts it"), required=False
    )

    def __init__(self, *args: Any, member: Member, customer: Customer | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seen = Customer.objects.visible_to(member)
        self._customer = customer
        if customer is not None:
            del self.fields["customer"]
            orders = Order.objects.filter(customer=customer, kind="order").order_by("-placed_on", "-pk")
            complaints = Complaint.objects.filter(customer=customer).order_by("-opened_at", "-pk")
            offer(self, "order", _first(orders))
            offer(self, "complaint", _first(complaints))
        else:
            del self.fields["order"]
            del self.fields["complaint"]

    def clean_customer(self) -> Customer:
        said = self.cleaned_data["customer"].strip()
        found = list(self._seen.filter(search_name=said.lower())[:2])
        if not found:
            raise ValidationError(_("There is no customer of this name that you see."), code="unknown")
        if len(found) > 1:
            raise ValidationError(_("Several customers are called so; begin from the customer’s page."), code="several")
        return cast(Customer, found[0])

    def values(self) -> dict[str, Any]:
        """The fields as open_incident takes them; call it on a valid form."""
        return {"customer": self._customer} | self.cleaned_data


def _first(rows: Any) -> Any:
    """The first of the rows, as a queryset that can still be filtered."""
    return rows.model.objects.filter(pk__in=list(rows.values_list("pk", flat=True)[:RECENT])).order_by("-pk")


class LevelForm(forms.Form):
    """Another level, and why."""

    level = forms.ChoiceField(label=gettext_lazy("Level"), choices=Incident.Level.choices)
    reason = forms.CharField(label=gettext_lazy("Why"), max_length=200, widget=_area(2))


class ReasonForm(forms.Form):
    """Why."""

    reason = forms.CharField(label=gettext_lazy("Why"), max_length=200, widget=_area(2))


class TeamForm(forms.Form):
    """Who does what. `seen` is the naming that the form was made with."""

    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def __init__(self, *args: Any, people: Sequence[Member], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._people = {str(member.pk): member for member in people}
        choices = [("", pgettext_lazy("seat", "nobody")), *((pk, str(member)) for pk, member in self._people.items())]
        for seat in IncidentSeat.Seat:
            is_needed = seat in {IncidentSeat.Seat.LEAD, IncidentSeat.Seat.CONTACT}
            self.fields[seat.value] = forms.ChoiceField(
                label=str(seat.label).capitalize(), choices=choices, required=is_needed
            )

    def seats(self) -> dict[str, Member | None]:
        """Seat → who; call it on a valid form."""
        said = self.cleaned_data
        return {seat.value: self._people.get(said.get(seat.value, "")) for seat in IncidentSeat.Seat}


class UpdateForm(forms.Form):
    """A line of the timeline."""

    text = forms.CharField(max_length=TEXT_LENGTH, widget=_area(2))
    see = forms.ChoiceField(choices=[("internal", ""), ("customer", "")])
    about = forms.ChoiceField(choices=IncidentEntry.About.choices, required=False)
    key = forms.CharField(max_length=40, required=False)


class StepForm(forms.Form):
    """When a step is due and whose it is; a new one has a title."""

    title = forms.CharField(label=gettext_lazy("Step"), max_length=160)
    due_at = forms.DateTimeField(
        label=gettext_lazy("Due"), required=False, widget=_moment_input(), input_formats=[_MOMENT, "%Y-%m-%d %H:%M"]
    )
    owner = forms.ChoiceField(label=gettext_lazy("Who"), required=False)

    def __init__(self, *args: Any, people: Sequence[Member], is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._people = {str(member.pk): member for member in people}
        if not is_new:
            del self.fields["title"]
        cast(forms.ChoiceField, self.fields["owner"]).choices = [
            ("", pgettext_lazy("seat", "nobody")),
            *((pk, str(member)) for pk, member in self._people.items()),
        ]

    @property
    def owner_member(self) -> Member | None:
        """Whose it is; call it on a valid form."""
        return self._people.get(self.cleaned_data["owner"])

    @property
    def due(self) -> dt.datetime | None:
        """When it is due; call it on a valid form."""
        return cast("dt.datetime | None", self.cleaned_data["due_at"])


class CompensationForm(forms.Form):
    """What the customer is offered."""

    kind = forms.ChoiceField(label=gettext_lazy("What"), choices=IncidentCompensation.Kind.choices)
    amount = forms.DecimalField(
        label=gettext_lazy("What it costs us"), min_value=Decimal(0), max_digits=15, decimal_places=2
    )
    text = forms.CharField(label=gettext_lazy("In words"), max_length=200, required=False)


class LinkForm(forms.Form):
    """Who may open the customer's page."""

    contact: forms.ModelChoiceField[Contact] = forms.ModelChoiceField(label=gettext_lazy("Contact"), queryset=None)
    send = forms.BooleanField(label=gettext_lazy("Send the link by e-mail"), required=False, initial=True)

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "contact", Contact.objects.filter(customer=customer, left_on__isnull=True).order_by("-is_main"))


class CloseForm(forms.Form):
    """How it ended, and why it had come to it."""

    outcome = forms.ChoiceField(label=gettext_lazy("How it ended"), choices=Incident.Outcome.choices)
    cause = forms.ChoiceField(label=gettext_lazy("Cause"))
    tried = forms.MultipleChoiceField(
        label=gettext_lazy("What was tried"), required=False, widget=forms.CheckboxSelectMultiple
    )
    note = forms.CharField(
        label=gettext_lazy("What others can learn from it"), max_length=TEXT_LENGTH, required=False, widget=_area()
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        causes = [("", "–"), *((code, _(cause.title)) for code, cause in CAUSES.items())]
        cast(forms.ChoiceField, self.fields["cause"]).choices = causes
        cast(forms.MultipleChoiceField, self.fields["tried"]).choices = [
            (code, _(title)) for code, title in TRIED.items()
        ]


class ReportForm(forms.Form):
    """The three parts of the improvement report in one language."""

    why = forms.CharField(required=False, widget=_area(4))
    avoided = forms.CharField(required=False, widget=_area(4))
    offer = forms.CharField(required=False, widget=_area(3))
    seen = forms.IntegerField(min_value=0)
