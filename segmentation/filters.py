"""The filters of the lists of tiers, values and cross-sell rules."""

from __future__ import annotations

import django_filters as filters
from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from customers.models import Product
from segmentation.models import CrossSellRule, Segment, Stage, Standing, Tier, TierPin, Worth
from segmentation.querysets import in_stage
from segmentation.rules.rfm import SCORES
from tenants.context import current_tenant
from tenants.filters import BooleanFilter, StrictFilterSet

_SCORES = [(str(score), str(score)) for score in range(1, SCORES + 1)]


class StandingFilter(StrictFilterSet):
    """Of standings that have their `stage`."""

    tier = filters.MultipleChoiceFilter(choices=[each for each in Tier.choices if each[0]], label=_("Tier"))
    segment = filters.MultipleChoiceFilter(choices=[each for each in Segment.choices if each[0]], label=_("Segment"))
    stage = filters.MultipleChoiceFilter(choices=Stage.choices, method="filter_stage", label=_("Stage"))
    r = filters.MultipleChoiceFilter(choices=_SCORES, label=_("Recency"))
    f = filters.MultipleChoiceFilter(choices=_SCORES, label=_("Frequency"))
    m = filters.MultipleChoiceFilter(choices=_SCORES, label=_("Money"))
    pinned = BooleanFilter(method="filter_pinned", label=_("Pinned"))

    class Meta:
        model = Standing
        fields: list[str] = []

    def filter_stage(self, rows: QuerySet[Standing], _name: str, stages: list[str]) -> QuerySet[Standing]:
        return in_stage(rows, stages) if stages else rows

    def filter_pinned(self, rows: QuerySet[Standing], _name: str, pinned: bool) -> QuerySet[Standing]:  # noqa: FBT001  # as the filter calls it
        pins = Exists(TierPin.objects.in_force(current_tenant().today()).filter(customer=OuterRef("customer_id")))
        return rows.filter(pins if pinned else ~pins)


class CrossSellRuleFilter(StrictFilterSet):
    """Of cross-sell rules. Items are a category's name, or "#" and a product's id."""

    q = filters.CharFilter(
        method="by_name",
        label=_("Search"),
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": _("Category or product"), "autocomplete": "off"}
        ),
    )
    antecedent = filters.CharFilter(label=_("Bought first"))
    consequent = filters.CharFilter(label=_("Bought then"))
    min_confidence = filters.NumberFilter(
        field_name="confidence", lookup_expr="gte", min_value=0, max_value=1, label=_("Confidence, at least (0 to 1)")
    )
    min_lift = filters.NumberFilter(field_name="lift", lookup_expr="gte", min_value=0, label=_("Lift, at least"))

    class Meta:
        model = CrossSellRule
        fields: list[str] = []

    def by_name(self, rows: QuerySet[CrossSellRule], _name: str, text: str) -> QuerySet[CrossSellRule]:
        """Rules of which either side is called so: a category, or a product by name or number."""
        named = Product.objects.filter(Q(name__icontains=text) | Q(external_id__istartswith=text))
        items = [f"#{pk}" for pk in named.values_list("pk", flat=True)]
        either = Q(antecedent__in=items) | Q(consequent__in=items)
        return rows.filter(either | Q(antecedent__icontains=text) | Q(consequent__icontains=text))


class WorthFilter(StrictFilterSet):
    tier = filters.MultipleChoiceFilter(choices=[each for each in Tier.choices if each[0]], label=_("Tier"))
    clv_min = filters.NumberFilter(field_name="clv", lookup_expr="gte", label=_("Lifetime value from"))
    clv_max = filters.NumberFilter(field_name="clv", lookup_expr="lte", label=_("Lifetime value up to"))

    class Meta:
        model = Worth
        fields: list[str] = []
