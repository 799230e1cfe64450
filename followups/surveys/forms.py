"""What people say about surveys and contacts: whom to ask, what was behind an answer, problem, cause and measure."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from customers.models import Channel, Complaint, Contact, Customer, SurveyResponse
from followups.models import MysteryVisit, Problem, QualityReview, Reason
from followups.quality.services import TEXT_LENGTH
from followups.surveys.loops import BEHIND_LENGTH
from tenants.filters import members
from tenants.forms import offer
from tenants.models import Member


def _date() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


def _area(rows: int = 3) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows})


class AskForm(forms.Form):
    """Whom to ask what."""

    contact: forms.ModelChoiceField[Contact] = forms.ModelChoiceField(label=gettext_lazy("Whom"), queryset=None)
    kind = forms.ChoiceField(
        label=gettext_lazy("Ask about"),
        choices=[
            (SurveyResponse.Kind.NPS, gettext_lazy("Recommending us (NPS, 0 to 10)")),
            (SurveyResponse.Kind.CSAT, gettext_lazy("Satisfaction (CSAT, 1 to 5)")),
        ],
    )
    complaint: forms.ModelChoiceField[Complaint] = forms.ModelChoiceField(
        label=gettext_lazy("About the solved complaint"),
        queryset=None,
        required=False,
        empty_label=gettext_lazy("no complaint"),
    )

    COMPLAINTS = 20  # the newest ones

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "contact", customer.contacts.filter(left_on__isnull=True).order_by("-is_main", "name"))
        solved = customer.complaints.filter(solved_at__isnull=False).order_by("-solved_at", "-pk")
        offer(self, "complaint", solved.filter(pk__in=solved.values("pk")[: self.COMPLAINTS]))


class LoopForm(forms.Form):
    """What a low answer was about, and what was behind it."""

    reasons = forms.MultipleChoiceField(
        label=gettext_lazy("What it was about"), choices=Reason.choices, widget=forms.CheckboxSelectMultiple
    )
    behind = forms.CharField(
        label=gettext_lazy("What was behind it"), max_length=BEHIND_LENGTH, required=False, widget=_area(4)
    )


def _score() -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        label=gettext_lazy("Score"),
        choices=[
            ("", "–"), (5, gettext_lazy("5, as it should be")), (4, "4"), (3, gettext_lazy("3, in the middle")),
            (2, "2"), (1, gettext_lazy("1, not acceptable")),
        ],
        coerce=int,
        empty_value=None,
    )  # fmt: skip


class FindingsForm(forms.Form):
    """Problem, cause, measure; all of them or none."""

    score = _score()
    problem_kind = forms.ChoiceField(
        label=gettext_lazy("Kind of problem"),
        choices=[("", pgettext_lazy("problem", "none")), *Problem.choices],
        required=False,
    )
    problem = forms.CharField(label=gettext_lazy("Problem"), max_length=TEXT_LENGTH, required=False, widget=_area())
    cause = forms.CharField(label=gettext_lazy("Cause"), max_length=TEXT_LENGTH, required=False, widget=_area())
    measure = forms.CharField(label=gettext_lazy("Measure"), max_length=TEXT_LENGTH, required=False, widget=_area())
    measure_due_on = forms.DateField(label=gettext_lazy("Measure until"), required=False, widget=_date())
    measure_done_on = forms.DateField(label=gettext_lazy("Measure done on"), required=False, widget=_date())


class ReviewForm(FindingsForm):
    """What a reviewer found in a logged contact."""

    def __init__(self, *args: Any, review: QualityReview, **kwargs: Any) -> None:
        kwargs["initial"] = {name: getattr(review, name) for name in self.base_fields}
        super().__init__(*args, **kwargs)


class VisitForm(FindingsForm):
    """A mystery visit."""

    on = forms.DateField(label=gettext_lazy("Day"), widget=_date())
    channel = forms.ChoiceField(label=gettext_lazy("Channel"), choices=Channel.choices)
    place = forms.CharField(label=gettext_lazy("Where"), max_length=120, required=False)
    member: forms.ModelChoiceField[Member] = forms.ModelChoiceField(
        label=gettext_lazy("Whom you met"),
        queryset=None,
        required=False,
        empty_label=gettext_lazy("somebody else"),
        help_text=gettext_lazy("It counts among this person’s results."),
    )
    scene = forms.CharField(label=gettext_lazy("What you asked for"), max_length=TEXT_LENGTH, widget=_area())

    field_order = (
        "on", "channel", "place", "member", "scene", "score", "problem_kind", "problem", "cause", "measure",
        "measure_due_on", "measure_done_on",
    )  # fmt: skip

    def __init__(self, *args: Any, today: dt.date, visit: MysteryVisit | None = None, **kwargs: Any) -> None:
        kwargs["initial"] = (
            {"on": today}
            if visit is None
            else {name: getattr(visit, name) for name in self.base_fields if name != "member"}
            | {"member": visit.member_id}
        )
        super().__init__(*args, **kwargs)
        offer(self, "member", members(None))


class SpanForm(forms.Form):
    """From which month to which."""

    first = forms.DateField(input_formats=["%Y-%m"], required=False)
    last = forms.DateField(input_formats=["%Y-%m"], required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and last < first:
            self.add_error("last", _("Must not lie before the first month."))
        return cleaned
