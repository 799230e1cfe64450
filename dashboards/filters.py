"""What the lists of the dashboards can be asked for."""

from __future__ import annotations

from typing import Any

import django_filters as filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from customers.models import Customer, Tag
from dashboards.querysets import customers_at_risk, customers_with_alert
from health.models import Band
from segmentation.models import Segment, Tier
from tenants.filters import StrictFilterSet
from tenants.models import Member

NOBODY = "none"


def _tiers(_request: Any = None) -> list[tuple[str, Any]]:
    return [(value, label) for value, label in Tier.choices if value]


class CustomerPageFilter(StrictFilterSet):
    """Customers by who they are, where they stand, how they are and whose they are."""

    q = filters.CharFilter(
        method="by_text",
        label=_("Search"),
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Name or number"), "autocomplete": "off"}),
    )
    tier = filters.ChoiceFilter(field_name="tier", choices=_tiers, label=_("Tier"), empty_label=_("All"))
    health = filters.ChoiceFilter(field_name="band", choices=Band.choices, label=_("Health"), empty_label=_("All"))
    risk = filters.ChoiceFilter(
        method="by_risk",
        choices=[("any", _("Red or alert")), ("alert", _("Open alert"))],
        label=_("Risk"),
        empty_label=_("All"),
    )
    segment = filters.ChoiceFilter(
        field_name="segment",
        choices=[each for each in Segment.choices if each[0]],
        label=_("Segment"),
        empty_label=_("All"),
    )
    owner = filters.ChoiceFilter(method="by_owner", choices=lambda: _owners(), label=_("Owner"), empty_label=_("All"))
    tag = filters.ModelChoiceFilter(
        field_name="tags", queryset=lambda request: Tag.objects.all(), label=_("Tag"), empty_label=_("All")
    )
    country = filters.ChoiceFilter(
        field_name="country", choices=lambda: _countries(), label=_("Country"), empty_label=_("All")
    )

    class Meta:
        model = Customer
        fields: list[str] = []

    def by_text(self, rows: Any, _name: str, text: str) -> QuerySet[Customer]:
        found: QuerySet[Customer] = rows.named_like(text)
        return found

    def by_risk(self, rows: QuerySet[Customer], _name: str, risk: str) -> QuerySet[Customer]:
        return customers_with_alert(rows) if risk == "alert" else customers_at_risk(rows)

    def by_owner(self, rows: QuerySet[Customer], _name: str, owner: str) -> QuerySet[Customer]:
        if owner == NOBODY:
            return rows.filter(owner_a__isnull=True)
        return rows.filter(Q(owner_a=owner) | Q(owner_b=owner))


def _owners() -> list[tuple[str, Any]]:
    members = Member.objects.filter(is_active=True).select_related("user").order_by("user__name", "pk")
    people = [(str(member.pk), str(member)) for member in members if member.can("follow-ups:write")]
    return [*people, (NOBODY, _("nobody"))]


def _countries() -> list[tuple[str, str]]:
    names = Customer.objects.exclude(country="").order_by("country").values_list("country", flat=True).distinct()
    return [(name, name) for name in names]
