"""The filters of runs of playbooks."""

from __future__ import annotations

from typing import Any, Final

import django_filters as filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from risk.models import Playbook, PlaybookRun
from risk.playbooks.figures import CASES, Cases, of_cases, with_helped
from risk.playbooks.services import version_of
from tenants.filters import BooleanFilter, IdFilter, StrictFilterSet, updated_since

CASE_WORDS: Final[dict[Cases, str | Promise]] = {
    "signal": _("begun by a signal"),
    "held": _("held out"),
    "hand": _("begun by hand"),
    "early": _("too early to say"),
}


OPEN: Final = (PlaybookRun.Status.ACTIVE, PlaybookRun.Status.WAITING)

STATES: Final = (("open", pgettext_lazy("playbook", "under way or waiting")), *PlaybookRun.Status.choices)


class _RunForm(forms.Form):
    """What is counted of a playbook is asked for together with the playbook."""

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if (said.get("cases") or said.get("helped") is not None) and not said.get("playbook"):
            self.add_error("playbook", _("Say which playbook it is to be counted for."))
        return said


def playbooks(_request: object) -> QuerySet[Playbook]:
    """The playbooks to choose from."""
    rows: QuerySet[Playbook] = Playbook.objects.order_by("code")
    return rows


class RunFilter(StrictFilterSet):
    """`cases` and `helped` are what a playbook's figures count, so they need the playbook."""

    on_demand = frozenset({"cases", "helped", "alert", "ended_from", "crisis"})

    playbook = filters.ModelChoiceFilter(queryset=playbooks, label=_("Playbook"))
    status = filters.ChoiceFilter(choices=STATES, method="standing", label=_("Status"))
    outcome = filters.ChoiceFilter(
        choices=[each for each in PlaybookRun.Outcome.choices if each[0]], label=_("Outcome")
    )
    customer = IdFilter(field_name="customer_id", label=_("Customer"))
    alert = IdFilter(field_name="alert_id", label=_("Alert"))
    crisis = IdFilter(field_name="incident_id", label=_("Crisis"))
    started_from = filters.DateFilter(field_name="started_at", lookup_expr="date__gte", label=_("Began from"))
    ended_from = filters.DateFilter(field_name="ended_at", lookup_expr="date__gte", label=_("Ended from"))
    cases = filters.ChoiceFilter(
        choices=[(each, CASE_WORDS[each]) for each in CASES], label=_("Counted as"), method="keep"
    )
    helped = BooleanFilter(label=_("It helped"), method="keep")
    updated_since = updated_since()

    def standing(self, rows: QuerySet[Any], _name: str, state: str) -> QuerySet[Any]:
        return rows.filter(status__in=OPEN if state == "open" else [state])

    def keep(self, rows: QuerySet[Any], _name: str, _value: Any) -> QuerySet[Any]:
        """What needs the playbook is asked for when all is known (`filter_queryset`)."""
        return rows

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().filter_queryset(queryset)
        said = self.form.cleaned_data
        playbook, cases, helped = said.get("playbook"), said.get("cases"), said.get("helped")
        if playbook is None or (not cases and helped is None):
            return rows
        rules = version_of(playbook).rules
        if cases:
            rows = rows.filter(of_cases(cases, rules, timezone.now()))
        return rows if helped is None else with_helped(rows, rules).filter(Q(helped=helped))

    class Meta:
        model = PlaybookRun
        form = _RunForm
        fields: list[str] = []
