"""What people say about a complaint, step by step."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.models import Complaint
from risk.complaints.people import Desk
from tenants.forms import offer
from tenants.models import Member

_MINUTE = "%Y-%m-%dT%H:%M"
_YES_NO = {"yes": True, "no": False}


def _note(label: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=4000, required=False, widget=forms.Textarea({"rows": 3}))


class ApologiseForm(forms.Form):
    """The customer was told that we are sorry."""

    note = _note(_("What was said"))


class PromiseForm(forms.Form):
    """Until when it will be solved, as the customer was told."""

    until = forms.DateTimeField(
        label=_("Promised until"), widget=forms.DateTimeInput({"type": "datetime-local"}, _MINUTE)
    )
    note = _note(_("What was said"))

    def __init__(self, data: Any = None, *, complaint: Complaint) -> None:
        until = complaint.promised_until or complaint.solve_by
        usual = timezone.localtime(until) if until and until > timezone.now() else None
        super().__init__(data, initial={"until": usual})


class ProgressForm(forms.Form):
    """What was done in between."""

    text = forms.CharField(label=_("What was done"), max_length=4000, widget=forms.Textarea({"rows": 3}))
    is_told = forms.BooleanField(label=_("The customer was told"), required=False)


class SolutionForm(forms.Form):
    """How it was solved, as the customer was told."""

    solution = forms.CharField(label=_("How it was solved"), max_length=4000, widget=forms.Textarea({"rows": 3}))
    first_time = forms.TypedChoiceField(
        label=_("Solved the first time?"),
        choices=[("yes", _("Yes, at once")), ("no", _("No, it took several tries")), ("", _("Not known"))],
        coerce=_YES_NO.get,
        empty_value=None,
        required=False,
    )


class CallBackForm(forms.Form):
    """What the customer said when called back."""

    is_content = forms.TypedChoiceField(
        label=_("Is the customer content with the solution?"),
        choices=[("yes", _("Yes: close it")), ("no", _("No: open it again"))],
        coerce=_YES_NO.get,
        empty_value=None,
    )
    note = _note(_("What the customer said"))


class HandForm(forms.Form):
    """What it is about, and who looks after it."""

    kind = forms.ChoiceField(label=_("Kind"), choices=Complaint.Kind.choices)
    assignee: forms.ModelChoiceField[Member] = forms.ModelChoiceField(
        label=_("Who looks after it"), queryset=None, required=False, empty_label=_("as the rules say")
    )

    def __init__(self, data: Any = None, *, complaint: Complaint, desk: Desk) -> None:
        super().__init__(
            data,
            initial={"kind": complaint.kind or Complaint.Kind.OTHER, "assignee": complaint.assignee_id},
        )
        people = Member.objects.filter(is_active=True).select_related("user", "team").order_by("user__name", "pk")
        seeing = [each.pk for each in people if each.can("complaints:write") and desk.sees(each, complaint.customer)]
        offer(self, "assignee", people.filter(pk__in=seeing))


class TopicHoldersForm(forms.Form):
    """Who gets the complaints of each kind."""

    KINDS: ClassVar[list[str]] = list(Complaint.Kind.values)

    def __init__(self, data: Any = None, *, held: dict[str, int]) -> None:
        super().__init__(data)
        people = Member.objects.filter(is_active=True).select_related("user").order_by("user__name", "pk")
        self._people = {each.pk: each for each in people if each.can("complaints:write")}
        choices = [("", _("as the policy says")), *((str(pk), str(each)) for pk, each in self._people.items())]
        for kind in self.KINDS:
            self.fields[kind] = forms.ChoiceField(
                label=Complaint.Kind(kind).label, choices=choices, required=False, initial=str(held.get(kind, ""))
            )

    def holders(self) -> dict[str, Member | None]:
        """Kind → who, None: as the policy says. Call it on a valid form."""
        said = self.cleaned_data
        return {kind: self._people[int(said[kind])] if said[kind] else None for kind in self.KINDS}


class FiguresForm(forms.Form):
    """What the address of the figures asks for."""

    since = forms.DateField(required=False)
    until = forms.DateField(required=False)
    export = forms.ChoiceField(choices=[("csv", "csv")], required=False)
