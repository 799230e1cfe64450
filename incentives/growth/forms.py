"""Forms of growth: scores of a certification, its reviewer, a training and its customers, a talk about promotion."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from customers.models import Customer
from incentives.growth.certifying import Given
from incentives.growth.words import dimension_title, parts_words
from incentives.models import Certification, CertificationScore, PromotionNote, Training
from incentives.referrals.forms import customer_called, date_input
from incentives.rules.growth import DIMENSIONS, Dimension, Part
from tenants.forms import SuggestInput, offer, suggest
from tenants.models import Member
from tenants.templatetags.perennial import day as day_words

TEXT_LENGTH = 4000
NEWEST = 50


def _text(label: Any, rows: int = 3, **more: Any) -> forms.CharField:
    widget = forms.Textarea({"rows": rows, "data-wide": True})
    return forms.CharField(label=label, max_length=TEXT_LENGTH, widget=widget, **more)


class ScoreForm(forms.Form):
    """A score and a reason for each dimension of which there are too few facts; the others have theirs from facts."""

    note = _text(
        gettext_lazy("What you would like to say"), required=False,
        help_text=gettext_lazy("What went well, what to work on next."),
    )  # fmt: skip

    def __init__(
        self, data: Any = None, *, row: Certification, by_facts: Mapping[Dimension, Decimal | None],
        facts: Mapping[Dimension, Sequence[Part]],
    ) -> None:  # fmt: skip
        super().__init__(data, initial={"note": row.note})
        self.asked = [each for each in DIMENSIONS if by_facts[each] is None]
        said = {
            each.dimension: each for each in row.scores.all() if each.source == CertificationScore.Source.REVIEWER
        }  # fmt: skip
        note = self.fields.pop("note")
        for each in self.asked:
            title = dimension_title(each)
            known = parts_words(facts[each])
            score = forms.IntegerField(
                label=_("%(dimension)s, 0 to 100") % {"dimension": title}, min_value=0, max_value=100,
                help_text=(_("There is: %(facts)s.") % {"facts": pgettext("between sentences", ". ").join(known)}) if known else _("No facts."),
            )  # fmt: skip
            reason = _text(_("Why: %(dimension)s") % {"dimension": title}, rows=2)
            if each in said:
                score.initial, reason.initial = int(said[each].score), said[each].reason
            self.fields[each], self.fields[f"{each}_reason"] = score, reason
        self.fields["note"] = note

    def given(self) -> dict[Dimension, Given]:
        """What was said; call it on a valid form."""
        said = self.cleaned_data
        return {each: Given(said[each], said[f"{each}_reason"]) for each in self.asked}


class SendBackForm(forms.Form):
    """Why a score is sent back."""

    why = forms.CharField(label=gettext_lazy("What is to be looked at again"), max_length=300)


class ReviewerForm(forms.Form):
    """Who reviews."""

    reviewer: forms.ModelChoiceField[Member] = forms.ModelChoiceField(label=gettext_lazy("Reviewer"), queryset=None)

    def __init__(self, data: Any = None, *, row: Certification, people: Sequence[Member]) -> None:
        super().__init__(data, initial={"reviewer": row.reviewer_id})
        rows = Member.objects.filter(pk__in=[each.pk for each in people]).select_related("user")
        offer(self, "reviewer", rows.order_by("user__name", "pk"))


class TrainingForm(forms.Form):
    """A training as it is planned, or changed while it is under way."""

    title = forms.CharField(
        label=gettext_lazy("What is learned"), max_length=160, widget=forms.TextInput({"data-wide": True}),
        help_text=gettext_lazy("The course, the script, the product."),
    )  # fmt: skip
    member: forms.ModelChoiceField[Member] = forms.ModelChoiceField(label=gettext_lazy("Who"), queryset=None)
    mentor: forms.ModelChoiceField[Member] = forms.ModelChoiceField(
        label=gettext_lazy("Mentor"), queryset=None, help_text=gettext_lazy("Only the mentor approves it.")
    )
    starts_on = forms.DateField(label=gettext_lazy("Begins"), widget=date_input())
    due_on = forms.DateField(
        label=gettext_lazy("To be done by"), widget=date_input(), required=False,
        help_text=gettext_lazy("Empty: as long as the policy says."),
    )  # fmt: skip
    wanted = forms.IntegerField(label=gettext_lazy("Customers"), min_value=1, max_value=20)
    plan = _text(gettext_lazy("Plan"), required=False)

    def __init__(
        self, data: Any = None, *, people: Sequence[Member], mentors: Sequence[Member], today: dt.date, wanted: int,
        row: Training | None = None, person: Member | None = None,
    ) -> None:  # fmt: skip
        initial: dict[str, Any] = {"starts_on": today, "wanted": wanted, "member": person.pk if person else None}
        if row is not None:
            initial = {name: getattr(row, name) for name in ("title", "starts_on", "due_on", "wanted", "plan")}
            initial["mentor"] = row.mentor_id
        super().__init__(data, initial=initial)
        everybody = Member.objects.select_related("user").order_by("user__name", "pk")
        offer(self, "mentor", everybody.filter(pk__in=[each.pk for each in mentors]))
        if row is None:
            offer(self, "member", everybody.filter(pk__in=[each.pk for each in people]))
        else:
            del self.fields["member"]
            self.fields["due_on"].required = True


class CustomerForm(forms.Form):
    """A customer with whom it is tried."""

    customer = forms.CharField(
        label=gettext_lazy("Customer"), max_length=200, widget=SuggestInput(attrs={"data-wide": True}),
        help_text=gettext_lazy("Name or number of a customer whom the trainee sees."),
    )  # fmt: skip

    def __init__(self, data: Any = None, *, training: Training, seen: Any) -> None:
        super().__init__(data)
        # Both see it: who is trained works with it, who names it may.
        self.seen = seen & Customer.objects.visible_to(training.member)
        suggest(self, "customer", self.seen.order_by("-created_at", "-pk").values_list("name", flat=True)[:NEWEST])

    def clean_customer(self) -> Customer | None:
        """The customer that is meant."""
        return customer_called(self, "customer", self.cleaned_data["customer"], self.seen)


class DoneForm(forms.Form):
    """On which day a customer was done, and what came of it."""

    on = forms.DateField(label=gettext_lazy("Done on"), widget=date_input())
    note = _text(gettext_lazy("What came of it"), required=False)

    def __init__(self, data: Any = None, *, training: Training, today: dt.date, initial: Any = None) -> None:
        super().__init__(data, initial=initial or {"on": today})
        words = _("From %(day)s, when the training began.")
        self.fields["on"].help_text = words % {"day": day_words(training.starts_on)}


class ApproveForm(forms.Form):
    """What the mentor says with the approval."""

    said = _text(gettext_lazy("What you would like to say"), required=False)


class EndForm(forms.Form):
    """Why a training is not gone on with."""

    why = forms.CharField(label=gettext_lazy("Why"), max_length=300)


class SettleForm(forms.Form):
    """What came of the talk about promotion."""

    outcome = forms.ChoiceField(
        label=gettext_lazy("What came of it"),
        choices=[each for each in PromotionNote.Outcome.choices if each[0]],
    )
    said = _text(gettext_lazy("What was said"))
