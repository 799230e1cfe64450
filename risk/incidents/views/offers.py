"""Compensation: asking for it, and deciding what was asked."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy

from risk.incidents import compensation
from risk.incidents.forms import CompensationForm
from risk.incidents.views.crisis import CrisisForm, Verb
from risk.models import Incident, IncidentCompensation


class CompensationAsk(CrisisForm):
    """What the customer is offered; who may not grant it asks."""

    heading = gettext_lazy("Compensation")
    submit = gettext_lazy("Grant or ask")

    def form(self, data: Any = None, files: Any = None) -> CompensationForm:
        return CompensationForm(data)

    def save(self, form: Any) -> HttpResponse:
        compensation.ask(incident=self.incident, member=self.member, **form.cleaned_data)
        return self.again()


class CompensationDo(Verb):
    """Approve, refuse or withdraw what waits."""

    @cached_property
    def row(self) -> IncidentCompensation:
        rows = IncidentCompensation.objects.visible_to(self.member).select_related("incident")
        found: IncidentCompensation = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    @cached_property
    def incident(self) -> Incident:
        return self.row.incident

    def do(self) -> None:
        verb = self.kwargs["verb"]
        if verb == "withdraw":
            compensation.withdraw(compensation=self.row, member=self.member)
            return
        why = self.request.POST.get("why", "")[:200]
        try:
            compensation.decide(compensation=self.row, approve=verb == "approve", member=self.member, why=why)
        except PermissionDenied as refusal:
            raise ValidationError(str(refusal)) from refusal
