"""The filters of who is in which journey."""

from __future__ import annotations

import django_filters as filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from followups.models import Enrolment, Journey
from tenants.filters import IdFilter, StrictFilterSet, updated_since


def journeys(_request: object) -> QuerySet[Journey]:
    """The journeys to choose from, the first to speak first."""
    rows: QuerySet[Journey] = Journey.objects.order_by("priority", "code")
    return rows


class EnrolmentFilter(StrictFilterSet):
    journey = filters.ModelChoiceFilter(queryset=journeys, label=_("Journey"))
    status = filters.ChoiceFilter(choices=Enrolment.Status.choices, label=_("Status"))
    why = filters.ChoiceFilter(choices=[each for each in Enrolment.Why.choices if each[0]], label=_("Why"))
    customer = IdFilter(field_name="customer_id", label=_("Customer"))
    entered_from = filters.DateFilter(field_name="entered_at", lookup_expr="date__gte", label=_("Entered from"))
    updated_since = updated_since()

    class Meta:
        model = Enrolment
        fields: list[str] = []
