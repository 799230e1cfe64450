"""What people say of awards: why a ranking is corrected, which case is the best of a month."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from incentives.awards.cases import Candidate
from incentives.awards.words import case_words
from tenants.models import Member


class MonthForm(forms.Form):
    """What the page of a month can be asked for."""

    export = forms.ChoiceField(choices=[("csv", "csv")], required=False)


class CorrectForm(forms.Form):
    """Why a ranking is reckoned again, and who is left out of it."""

    why = forms.CharField(
        label=_("Why it is corrected"), max_length=500, widget=forms.Textarea({"rows": 3}),
        help_text=_("It stands beside the ranking, for everybody to read."),
    )  # fmt: skip
    leave_out = forms.TypedChoiceField(
        label=_("Leave out"), coerce=int, empty_value=None, required=False,
        help_text=_("Only where what was written down was made up. It holds for the corrections after this one, too."),
    )  # fmt: skip

    def __init__(self, data: Any = None, *, people: Sequence[Member]) -> None:
        super().__init__(data)
        if people:
            choices = [("", _("nobody")), *((each.pk, str(each)) for each in people)]
            cast(forms.ChoiceField, self.fields["leave_out"]).choices = choices
        else:
            del self.fields["leave_out"]


class CaseForm(forms.Form):
    """Which of the proposed cases is the best, and what others can learn from it."""

    case = forms.TypedChoiceField(label=_("Case"), coerce=int, widget=forms.RadioSelect)
    reason = forms.CharField(
        label=_("What others can learn from it"), max_length=500, widget=forms.Textarea({"rows": 3})
    )

    def __init__(self, data: Any = None, *, proposed: Sequence[Candidate]) -> None:
        super().__init__(data)
        cast(forms.ChoiceField, self.fields["case"]).choices = [(each.case.pk, case_words(each)) for each in proposed]
