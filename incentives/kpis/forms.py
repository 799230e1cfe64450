"""What people ask of KPIs, and set: a period, what somebody is measured as, a target of their own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from incentives.kpis.figures import ORDERS, Who
from incentives.kpis.words import kpi_choices
from incentives.models import Job
from incentives.rules.kpis import SPANS, Period, Span
from tenants.models import Member, Team


class PeriodField(forms.CharField):
    """A period by its code: 2026-W47, 2026-11, 2026-Q4."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return Period.read(text)
        except ValueError:
            raise forms.ValidationError(
                _("Write a week like 2026-W47, a month like 2026-11 or a quarter like 2026-Q4.")
            ) from None


class WhoField(forms.CharField):
    """Somebody by a code: person-12, team-3, tenant."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return Who.read(text)
        except ValueError:
            raise forms.ValidationError(_("Write person-1, team-1 or tenant.")) from None


class BoardForm(forms.Form):
    """Of whom, and of which period."""

    period = PeriodField(required=False)
    span = forms.ChoiceField(choices=[(each, each) for each in SPANS], required=False)
    who = WhoField(required=False)
    export = forms.ChoiceField(choices=[("csv", "csv")], required=False)

    def period_on(self, today: dt.date) -> Period:
        """The period asked for; without one the running one, of yesterday, for of today nothing is counted yet."""
        said: Period | None = self.cleaned_data["period"]
        span = cast(Span, self.cleaned_data["span"] or (said.span if said else "month"))
        return Period.of(span, said.start if said else today - dt.timedelta(days=1))


class CardForm(BoardForm):
    who = None  # type: ignore[assignment]  # takes the field away, as forms do it
    export = None  # type: ignore[assignment]  # the same


class RowsForm(forms.Form):
    """Whose rows of which KPI and period, in which order, and which page of them."""

    kpi = forms.ChoiceField(choices=kpi_choices)
    period = PeriodField()
    who = WhoField()
    sort = forms.ChoiceField(choices=[(each, each) for each in ORDERS], required=False)
    page = forms.IntegerField(min_value=1, max_value=100_000, required=False)
    export = forms.ChoiceField(choices=[("csv", "csv")], required=False)


class JobForm(forms.Form):
    """What somebody is measured as, and from when."""

    job = forms.ChoiceField(label=gettext_lazy("Measured as"), choices=Job.choices)
    from_on = forms.DateField(
        label=gettext_lazy("From"),
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
        help_text=gettext_lazy("It holds for the periods that end on this day or later."),
    )


class TargetForm(forms.Form):
    """A target of a person or a team."""

    who = forms.ChoiceField(label=gettext_lazy("For"))
    kpi = forms.ChoiceField(label=gettext_lazy("KPI"), choices=kpi_choices)
    target = forms.DecimalField(
        label=gettext_lazy("Target"),
        max_digits=12,
        decimal_places=4,
        help_text=gettext_lazy("In the KPI’s unit: percent, points or hours; referrals are said for a month."),
    )
    from_on = forms.DateField(
        label=gettext_lazy("From"),
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
        help_text=gettext_lazy("It holds for the periods that begin on this day or later."),
    )

    def __init__(
        self, data: Any = None, *, people: Sequence[Member], teams: Sequence[Team], initial: Any = None
    ) -> None:
        super().__init__(data, initial=initial)
        choices = [(Who.team(team).code, str(team)) for team in teams]
        choices += [(Who.person(person).code, str(person)) for person in people]
        cast(forms.ChoiceField, self.fields["who"]).choices = choices

    def values(self) -> dict[str, Any]:
        """The cleaned fields, with somebody instead of a code; call it on a valid form."""
        values = dict(self.cleaned_data)
        values["who"] = Who.read(values["who"])
        values["target"] = Decimal(values["target"])
        return values
