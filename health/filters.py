"""The filters of the list of health scores."""

from __future__ import annotations

import django_filters as filters
from django.utils.translation import gettext_lazy as _

from health.models import Band, HealthScore
from tenants.filters import StrictFilterSet


class HealthFilter(StrictFilterSet):
    band = filters.MultipleChoiceFilter(choices=Band.choices, label=_("Health"))
    score_below = filters.NumberFilter(field_name="score", lookup_expr="lt", label=_("Score below"))

    class Meta:
        model = HealthScore
        fields: list[str] = []
