"""The filters of the list of tiers."""

from __future__ import annotations

import django_filters as filters
from django.utils.translation import gettext_lazy as _

from segmentation.models import Segment, Standing, Tier
from tenants.filters import StrictFilterSet


class StandingFilter(StrictFilterSet):
    tier = filters.MultipleChoiceFilter(choices=[each for each in Tier.choices if each[0]], label=_("Tier"))
    segment = filters.MultipleChoiceFilter(choices=[each for each in Segment.choices if each[0]], label=_("Segment"))

    class Meta:
        model = Standing
        fields: list[str] = []
