"""What people say about alerts: until when one can wait, whose it is, what came of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from followups.forms import OFFERED
from risk.alerts.services import BY_PEOPLE, NOTE_LENGTH, REASON_LENGTH
from risk.cases.services import cause_title, tried_title
from risk.models import Alert
from risk.rules.causes import CAUSES, TRIED
from tenants.calendars import firm_calendar
from tenants.models import Member
from tenants.rules.calendar import NeverOpensError


class _Moment(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


class SnoozeForm(forms.Form):
    """Until when alerts can wait, and why."""

    until = forms.DateTimeField(label=_("Until"), widget=_Moment())
    reason = forms.ChoiceField(label=_("Why"), choices=[*OFFERED, ("other", _("Another reason"))])
    words = forms.CharField(label=_("In words"), max_length=REASON_LENGTH, required=False)

    def __init__(self, data: Any = None, *, alerts: Sequence[Alert]) -> None:
        super().__init__(data, initial={"until": timezone.localtime(_usual(alerts))})
        severe = [alert.due_at for alert in alerts if alert.level == Alert.Level.SEVERE]
        if severe:
            self.fields["until"].help_text = _("A severe alert waits until its clock runs out at the latest.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("reason") == "other":
            cleaned["reason"] = (cleaned.get("words") or "").strip()
            if not cleaned["reason"]:
                self.add_error("words", _("Say why it can wait."))
        return cleaned


def _usual(alerts: Sequence[Alert]) -> dt.datetime:
    """The next opening of another day; of severe alerts the first clock."""
    now = timezone.now()
    clocks = [alert.due_at for alert in alerts if alert.level == Alert.Level.SEVERE and alert.due_at > now]
    calendar = firm_calendar()
    local = now.astimezone(calendar.zone)
    try:
        day = calendar.next_working_day(local.date())
    except NeverOpensError:
        day = local.date() + dt.timedelta(days=1)
    opening = dt.datetime.combine(day, calendar.opens, tzinfo=calendar.zone)
    return min([opening, *clocks])


class AssignForm(forms.Form):
    """Who answers alerts; nobody named: whoever has the role."""

    assignee = forms.TypedChoiceField(label=_("Give to"), coerce=int, required=False, empty_value=None)

    def __init__(self, data: Any = None, *, people: Sequence[Member]) -> None:
        super().__init__(data)
        assignee = cast(forms.ChoiceField, self.fields["assignee"])
        assignee.choices = [("", _("Whoever has the role")), *((member.pk, str(member)) for member in people)]
        self._people = {member.pk: member for member in people}

    def member(self) -> Member | None:
        """Who was chosen; call it on a valid form."""
        chosen = self.cleaned_data["assignee"]
        return None if chosen is None else self._people[chosen]


class CloseForm(forms.Form):
    """What came of alerts, why, and what was tried."""

    outcome = forms.ChoiceField(
        label=_("Outcome"), choices=[(each.value, each.label) for each in BY_PEOPLE], widget=forms.RadioSelect
    )
    cause = forms.ChoiceField(label=_("Cause"), required=False, help_text=_("A false alarm needs none."))
    tried = forms.MultipleChoiceField(label=_("What was tried"), required=False, widget=forms.CheckboxSelectMultiple)
    note = forms.CharField(
        label=_("What the next one should know"), required=False, max_length=NOTE_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
    )  # fmt: skip

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        cause = cast(forms.ChoiceField, self.fields["cause"])
        cause.choices = [("", "–"), *((code, cause_title(code)) for code in CAUSES)]
        tried = cast(forms.MultipleChoiceField, self.fields["tried"])
        tried.choices = [(code, tried_title(code)) for code in TRIED]
