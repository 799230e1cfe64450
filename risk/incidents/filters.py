"""The filters of the crises: the same for page, API and export."""

from __future__ import annotations

import datetime as dt
from typing import Any

import django_filters as filters
from django import forms
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from risk.models import Incident, IncidentClock, IncidentStep
from tenants.context import current_tenant
from tenants.filters import BooleanFilter, IdFilter, StrictFilterSet, updated_since


class IncidentFilter(StrictFilterSet):
    """Crises by level and kind, open or closed, by what became of them; drills only where they are asked for."""

    is_open = filters.ChoiceFilter(
        choices=[("true", pgettext_lazy("crisis", "open")), ("false", pgettext_lazy("crisis", "closed"))],
        method="still_open", label=_("Status"),
    )  # fmt: skip
    level = filters.ChoiceFilter(choices=Incident.Level.choices, label=_("Level"))
    kind = filters.ChoiceFilter(choices=Incident.Kind.choices, label=_("Kind"))
    breached = BooleanFilter(method="has_breached", label=_("A clock ran out"))
    outcome = filters.ChoiceFilter(choices=Incident.Outcome.choices, label=_("Outcome"))
    opened_from = filters.DateFilter(method="from_day", label=_("From"), widget=forms.DateInput({"type": "date"}))
    opened_until = filters.DateFilter(method="until_day", label=_("Until"), widget=forms.DateInput({"type": "date"}))
    is_drill = filters.ChoiceFilter(
        choices=[("false", _("crises")), ("true", _("drills"))], method="drilled", label=_("Crisis or drill")
    )
    my_steps = BooleanFilter(method="with_my_steps", label=_("With steps for me"))
    customer = IdFilter(field_name="customer_id", label=_("Customer"))
    owner_a = IdFilter(field_name="customer__owner_a_id", label=_("A owner"))
    team = IdFilter(field_name="customer__owner_a__team_id", label=_("Team of the A owner"))
    updated_since = updated_since()

    more = frozenset({"opened_from", "opened_until", "outcome", "breached"})
    on_demand = frozenset({"customer", "my_steps", "owner_a", "team", "updated_since"})

    class Meta:
        model = Incident
        fields: list[str] = []

    def still_open(self, rows: QuerySet[Incident], _name: str, said: str) -> QuerySet[Incident]:
        return rows.filter(closed_at__isnull=said == "true")

    def drilled(self, rows: QuerySet[Incident], _name: str, said: str) -> QuerySet[Incident]:
        return rows.filter(is_drill=said == "true")

    def has_breached(self, rows: QuerySet[Incident], _name: str, said: Any) -> QuerySet[Incident]:
        found = Exists(IncidentClock.objects.filter(incident=OuterRef("pk"), breached_at__isnull=False))
        return rows.filter(found if said else ~found)

    def with_my_steps(self, rows: QuerySet[Incident], _name: str, said: Any) -> QuerySet[Incident]:
        """Crises in which a step waits for whoever asks."""
        found = Exists(
            IncidentStep.objects.filter(
                incident=OuterRef("pk"), owner=self.request.member, status=IncidentStep.Status.OPEN
            )
        )
        return rows.filter(found if said else ~found)

    def from_day(self, rows: QuerySet[Incident], _name: str, day: dt.date) -> QuerySet[Incident]:
        return rows.filter(opened_at__gte=current_tenant().start_of(day))

    def until_day(self, rows: QuerySet[Incident], _name: str, day: dt.date) -> QuerySet[Incident]:
        return rows.filter(opened_at__lt=current_tenant().start_of(day + dt.timedelta(days=1)))
