"""What people say of a goal: what is to get better and by when, and what each of the four steps asks for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from incentives.kpis.figures import Who
from incentives.kpis.words import kpi_choices, period_words
from incentives.models import Goal
from incentives.rules.goals import Verb
from incentives.rules.kpis import Period
from tenants.models import Member, Team

AHEAD = 4
"""Quarters for which a goal can be set: the running one, and those after it."""


def _text(label: Any, **more: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=4000, widget=forms.Textarea({"rows": 4}), **more)


def _number(label: Any, **more: Any) -> forms.DecimalField:
    return forms.DecimalField(label=label, max_digits=12, decimal_places=4, **more)


class GoalForm(forms.Form):
    """A goal as it is set, or changed while it is planned."""

    title = forms.CharField(label=_("What is to get better"), max_length=160)
    quarter = forms.TypedChoiceField(label=_("Quarter"), coerce=dt.date.fromisoformat)
    of = forms.ChoiceField(label=_("Of"))
    kpi = forms.ChoiceField(label=_("Measured by"), choices=kpi_choices)
    baseline = _number(_("Baseline"), required=False, help_text=_("Empty: what it came to in the quarter before."))
    target = _number(_("Target"))
    owner = forms.TypedChoiceField(label=_("Who answers for it"), coerce=int)
    why = _text(_("Why"), required=False)
    plan = _text(_("What will be done"), required=False)

    def __init__(
        self,
        data: Any = None,
        *,
        today: dt.date,
        member: Member,
        whos: Sequence[tuple[str, str]],
        owners: Sequence[Member],
        goal: Goal | None = None,
    ) -> None:
        running = Period.of("quarter", today)
        quarters = [running]
        while len(quarters) < AHEAD:
            quarters.append(quarters[-1].after)
        initial: dict[str, Any] = {"quarter": running.start, "owner": member.pk, "of": whos[0][0] if whos else ""}
        if goal is not None:
            names = ("title", "quarter", "kpi", "baseline", "target", "why", "plan")
            initial = {name: getattr(goal, name) for name in names} | {"owner": goal.owner_id}
            who = (
                Who.person(goal.member_id)
                if goal.member_id
                else Who.team(goal.team_id)
                if goal.team_id
                else Who.tenant()
            )
            initial["of"] = who.code
            if (own := Period("quarter", goal.quarter)) not in quarters:
                quarters.insert(0, own)
        super().__init__(data, initial=initial)
        self._choose("quarter", [(each.start.isoformat(), period_words(each)) for each in quarters])
        self._choose("of", whos)
        self._choose("owner", [(each.pk, str(each)) for each in owners])
        self._owners = {each.pk: each for each in owners}

    def _choose(self, name: str, choices: Sequence[tuple[Any, str]]) -> None:
        cast(forms.ChoiceField, self.fields[name]).choices = list(choices)

    def values(self) -> dict[str, Any]:
        """The cleaned fields, with rows instead of codes; call it on a valid form."""
        values = dict(self.cleaned_data)
        who = Who.read(values.pop("of"))
        values["team"] = Team.objects.get(pk=who.pk) if who.kind == "team" else None
        values["member"] = Member.objects.select_related("user").get(pk=who.pk) if who.kind == "person" else None
        values["owner"] = self._owners[values["owner"]]
        return values


class StartForm(forms.Form):
    plan = _text(_("What will be done"))


class CheckForm(forms.Form):
    done = _text(_("What was done"))


class ActForm(forms.Form):
    learned = _text(_("What was learned"))


class CloseForm(forms.Form):
    """What becomes standard, and whether the next quarter goes on."""

    standard = _text(
        _("What becomes standard"),
        required=False,
        help_text=_("What everybody does from now on; needed when it was reached."),
    )
    where = forms.CharField(
        label=_("Where it is written down"), max_length=300, required=False,
        help_text=_("The page of the handbook, the script, the playbook."),
    )  # fmt: skip
    go_on = forms.BooleanField(label=_("Go on with it in the next quarter"), required=False)
    target = _number(_("Target of the next quarter"), required=False, help_text=_("Empty: the same again."))


STEP_FORMS: dict[Verb, type[forms.Form]] = {
    "start": StartForm,
    "check": CheckForm,
    "act": ActForm,
    "close": CloseForm,
}
