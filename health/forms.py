"""Forms of health: a person's own view."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from health.models import Pulse


class PulseForm(forms.Form):
    """How somebody sees a customer, and why. `days` is how long it counts."""

    band = forms.ChoiceField(label=_("Own view"), choices=[("", _("Choose")), *Pulse.VIEWS])
    reason = forms.ChoiceField(label=_("Reason"), choices=[("", _("Choose")), *Pulse.Reason.choices])
    note = forms.CharField(
        label=_("In own words"),
        max_length=300,
        required=False,
        widget=forms.TextInput({"data-wide": True, "autocomplete": "off"}),
        help_text=_("What you know and the numbers do not."),
    )

    def __init__(self, *args: Any, days: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["band"].help_text = ngettext(
            "Stands beside the score and is never mixed in. Counts for %(days)d day.",
            "Stands beside the score and is never mixed in. Counts for %(days)d days.",
            days,
        ) % {"days": days}
