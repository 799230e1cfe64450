"""The filters of the list of health scores."""

from __future__ import annotations

from typing import get_args

import django_filters as filters
from django.utils.translation import gettext_lazy as _

from health.models import BackTest, Band, HealthScore, LapseForecast
from health.rules.forecast import Code
from tenants.filters import BooleanFilter, IdFilter, StrictFilterSet


class HealthFilter(StrictFilterSet):
    band = filters.MultipleChoiceFilter(choices=Band.choices, label=_("Health"))
    score_below = filters.NumberFilter(field_name="score", lookup_expr="lt", label=_("Score below"))

    class Meta:
        model = HealthScore
        fields: list[str] = []


class ForecastFilter(StrictFilterSet):
    warned = BooleanFilter(field_name="is_warned", label=_("Lapse warning"))
    percent_min = filters.NumberFilter(
        field_name="percent", lookup_expr="gte", min_value=0, max_value=100, label=_("Lapse from %")
    )
    percent_max = filters.NumberFilter(
        field_name="percent", lookup_expr="lte", min_value=0, max_value=100, label=_("Lapse up to %")
    )
    money_min = filters.NumberFilter(field_name="money_at_risk", lookup_expr="gte", label=_("Money at risk from"))
    money_max = filters.NumberFilter(field_name="money_at_risk", lookup_expr="lte", label=_("Money at risk up to"))
    warned_since = filters.DateFilter(field_name="warned_on", lookup_expr="gte", label=_("Warned from"))
    code = filters.MultipleChoiceFilter(
        choices=[(each, each) for each in get_args(Code) if each], label=_("No forecast because")
    )
    owner = IdFilter(field_name="customer__owner_a", label=_("Owner"))

    class Meta:
        model = LapseForecast
        fields: list[str] = []


class BackTestFilter(StrictFilterSet):
    status = filters.MultipleChoiceFilter(choices=BackTest.Status.choices, label=_("Status"))

    class Meta:
        model = BackTest
        fields: list[str] = []
