"""What people say about cover: who is away and who steps in, and who takes whose customers for good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from followups.cover.services import NOTE_LENGTH
from followups.models import Absence
from tenants.models import Member


def _choose(form: forms.Form, name: str, people: Sequence[Member], *, empty: Any = None) -> None:
    choices: list[tuple[Any, Any]] = [(person.pk, str(person)) for person in people]
    cast(forms.ChoiceField, form.fields[name]).choices = ([("", empty)] if empty else []) + choices


class AbsenceForm(forms.Form):
    """Who is away, from when to when, and who covers. Without `others` it is one's own."""

    member = forms.TypedChoiceField(label=_("Who is away"), coerce=int)
    first = forms.DateField(label=_("First day"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    last = forms.DateField(label=_("Last day"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    covered_by = forms.TypedChoiceField(
        label=_("Who covers"),
        coerce=int,
        empty_value=None,
        required=False,
        help_text=_("Customers whom this person does not see go to their other owner all the same."),
    )
    note = forms.CharField(label=_("Note"), max_length=NOTE_LENGTH, required=False)

    def __init__(
        self,
        data: Any = None,
        *,
        people: Sequence[Member],
        may_choose: bool,
        absence: Absence | None = None,
        initial: dict[str, Any] | None = None,
    ) -> None:
        if absence is not None:
            initial = {name: getattr(absence, name) for name in ("first", "last", "note")}
            initial["covered_by"] = absence.covered_by_id
        super().__init__(data, initial=initial)
        self._people = {person.pk: person for person in people}
        if may_choose:
            _choose(self, "member", people)
        else:
            del self.fields["member"]
        _choose(self, "covered_by", people, empty=_("each customer’s other owner"))

    def values(self) -> dict[str, Any]:
        """The cleaned fields, with people instead of numbers; call it on a valid form."""
        values = dict(self.cleaned_data)
        values["covered_by"] = self._people.get(values["covered_by"])
        if "member" in values:
            values["away"] = self._people[values.pop("member")]
        return values


class HandOverForm(forms.Form):
    """Whose customers go to whom for good. `seen` is how many they were when somebody looked."""

    giver = forms.TypedChoiceField(label=_("Customers of"), coerce=int)
    taker = forms.TypedChoiceField(label=_("go to"), coerce=int)
    seen = forms.IntegerField(min_value=0, required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        data: Any = None,
        *,
        givers: Sequence[Member],
        takers: Sequence[Member],
        initial: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=initial)
        self._people = {person.pk: person for person in (*givers, *takers)}
        _choose(self, "giver", givers)
        _choose(self, "taker", takers)

    def person(self, name: str) -> Member:
        """Who was chosen; call it on a valid form."""
        return self._people[self.cleaned_data[name]]
