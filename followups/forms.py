"""What people say about follow-ups: which they want to see, when they can wait, who takes them, what was said."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final, cast

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Channel, Interaction
from followups.messages.governor import BY_HAND
from followups.models import Script
from followups.querysets import VIEWS
from followups.reasons import SnoozeReason
from followups.services import MANY, NOTE_LENGTH, REASON_LENGTH
from tenants.calendars import firm_calendar
from tenants.models import Member

PAGE: Final = 50
"""Rows of the queue that are shown at first."""

MORE: Final = 100
"""Rows that "show more" adds."""


class QueueForm(forms.Form):
    """What the address of Today asks for. `at` is the follow-up that is current, `rank` asks for a new order."""

    view = forms.ChoiceField(choices=[(view, view) for view in VIEWS], required=False)
    due = forms.ChoiceField(choices=[(due, due) for due in ("today", "late")], required=False)
    q = forms.CharField(max_length=100, required=False)
    show = forms.IntegerField(min_value=PAGE, max_value=MANY, required=False)
    at = forms.IntegerField(min_value=1, required=False)
    rank = forms.ChoiceField(choices=[("new", "new")], required=False)


class _Ids(forms.TypedMultipleChoiceField):
    """Any ids: whether the member sees such a follow-up is asked of the rows."""

    def valid_value(self, value: Any) -> bool:
        return str(value).isdecimal() and len(str(value)) < 19  # a bigint


class PickForm(forms.Form):
    """The follow-ups that somebody has picked, and how many of them they saw; `at` is where they are."""

    pick = _Ids(coerce=int, required=False)
    seen = forms.IntegerField(min_value=0, required=False)
    at = forms.IntegerField(min_value=1, required=False)


OFFERED: Final = [
    (reason.value, reason.label)
    for reason in SnoozeReason
    if reason not in {SnoozeReason.CARRIED, SnoozeReason.MOVED}  # these are said by what was done
]


class SnoozeForm(forms.Form):
    """Until when follow-ups can wait, and why. `quick` is a button's day and goes before the written one."""

    reason = forms.ChoiceField(label=_("Why"), choices=[*OFFERED, ("other", _("Another reason"))])
    words = forms.CharField(label=_("In words"), max_length=REASON_LENGTH, required=False)
    until = forms.DateField(
        label=_("Until"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    quick = forms.DateField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, today: dt.date, most_days: int) -> None:
        latest = today + dt.timedelta(days=most_days)
        super().__init__(data, initial={"until": min(firm_calendar().next_working_day(today), latest)})
        self.fields["until"].widget.attrs |= {
            "min": (today + dt.timedelta(days=1)).isoformat(),
            "max": latest.isoformat(),
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        cleaned["until"] = cleaned.get("quick") or cleaned.get("until")
        if not cleaned["until"] and "until" not in self.errors:
            self.add_error("until", _("Say until when."))
        if cleaned.get("reason") == "other":
            cleaned["reason"] = (cleaned.get("words") or "").strip()
            if not cleaned["reason"]:
                self.add_error("words", _("Say why it can wait."))
        return cleaned


class AssignForm(forms.Form):
    """Who takes the follow-ups."""

    assignee = forms.TypedChoiceField(label=_("Give to"), coerce=int)

    def __init__(self, data: Any = None, *, people: Sequence[Member]) -> None:
        super().__init__(data)
        assignee = cast(forms.ChoiceField, self.fields["assignee"])
        assignee.choices = [(member.pk, str(member)) for member in people]
        self._people = {member.pk: member for member in people}

    def member(self) -> Member:
        """Who was chosen; call it on a valid form."""
        return self._people[self.cleaned_data["assignee"]]


class ScriptForm(forms.Form):
    """Which script, and by which way; without one each goes by the script's channel, else by the follow-up's own."""

    script = forms.TypedChoiceField(label=_("Script"), coerce=int)
    channel = forms.ChoiceField(label=_("Channel"), required=False)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        scripts = sorted(Script.objects.filter(is_on=True), key=lambda each: (each.get_scene_display(), each.title))
        script = cast(forms.ChoiceField, self.fields["script"])
        script.choices = [(each.pk, f"{each.get_scene_display()}: {each.title}") for each in scripts]
        channel = cast(forms.ChoiceField, self.fields["channel"])
        sent = [(value, words) for value, words in Channel.choices if value not in BY_HAND]
        channel.choices = [("", _("As the script and the contact want it")), *sent]

    def said(self) -> dict[str, Any]:
        """What a bulk keeps of it; call it on a valid form."""
        return {"script": self.cleaned_data["script"], "channel": self.cleaned_data["channel"]}


class LogForm(forms.Form):
    """A contact: by which channel, what came of it, what was said."""

    channel = forms.ChoiceField(label=_("Channel"), choices=Channel.choices)
    outcome = forms.ChoiceField(
        label=_("Outcome"),
        choices=[
            ("sent", pgettext_lazy("outcome", "Sent")),
            ("talked", pgettext_lazy("outcome", "Talked")),
            ("none", pgettext_lazy("outcome", "No answer")),
        ],
        widget=forms.RadioSelect,
    )
    note = forms.CharField(label=_("What was said"), max_length=NOTE_LENGTH, required=False, widget=forms.Textarea)
    about_competitor = forms.BooleanField(label=_("Asked about a competitor"), required=False)
    leaving = forms.ChoiceField(
        label=_("Thinks of leaving"), choices=[("", _("nothing of it")), *Interaction.Leaving.choices], required=False
    )
    anyway = forms.BooleanField(required=False)
    # The wording of a script that was put into the text.
    script = forms.IntegerField(min_value=1, required=False, widget=forms.HiddenInput)
    next_on = forms.DateField(label=_("Next touch"), required=False)
    promised = forms.BooleanField(label=_("Promised to the customer"), required=False)
