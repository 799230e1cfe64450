"""The filters of customers and of their facts: the same for page, API and export."""

from __future__ import annotations

from typing import Any

import django_filters as filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from customers.models import (
    Channel,
    Complaint,
    Contact,
    Customer,
    CustomerTag,
    Evidence,
    Interaction,
    Order,
    Product,
    SurveyResponse,
    Tag,
    TouchKind,
)
from customers.querysets import countries
from customers.search import contacts_like, named_like
from tenants.filters import BooleanFilter, IdFilter, StrictFilterSet, members, updated_since


def tags(_request: Any) -> QuerySet[Tag]:
    """The tags that a filter offers."""
    rows: QuerySet[Tag] = Tag.objects.all()
    return rows


class CustomerFilter(StrictFilterSet):
    q = filters.CharFilter(method="search", label=_("Name or external id"))
    owner_a = filters.ModelChoiceFilter(queryset=members, null_label=_("nobody"), label=_("A owner"))
    owner_b = filters.ModelChoiceFilter(queryset=members, null_label=_("nobody"), label=_("B owner"))
    tag = filters.ModelChoiceFilter(queryset=tags, to_field_name="name", method="tagged", label=_("Tag"))
    country = filters.CharFilter(method="of_country", label=_("Country"))
    closed = BooleanFilter(field_name="closed_on", lookup_expr="isnull", exclude=True, label=_("Closed"))
    updated_since = updated_since()

    class Meta:
        model = Customer
        fields: list[str] = []

    def search(self, rows: Any, _name: str, text: str) -> Any:
        return named_like(rows, text)

    def of_country(self, rows: QuerySet[Customer], _name: str, country: str) -> QuerySet[Customer]:
        # Spelled as it is there: an index knows nothing of case.
        return rows.filter(country__in=[each for each in countries() if each.lower() == country.lower()])

    def tagged(self, rows: QuerySet[Customer], _name: str, tag: Tag) -> QuerySet[Customer]:
        # As a subquery: a join would double the rows for the filters beside this one.
        return rows.filter(pk__in=CustomerTag.objects.filter(tag=tag).values("customer_id"))


class ContactFilter(StrictFilterSet):
    q = filters.CharFilter(method="search", label=_("Name, e-mail address or phone"))
    customer = IdFilter(field_name="customer_id", label=_("Customer"))
    consent = filters.ChoiceFilter(choices=Contact.Consent.choices, label=_("Consent"))
    updated_since = updated_since()

    class Meta:
        model = Contact
        fields: list[str] = []

    def search(self, rows: QuerySet[Contact], _name: str, text: str) -> QuerySet[Contact]:
        return contacts_like(rows, text)


class ProductFilter(StrictFilterSet):
    q = filters.CharFilter(method="search", label=_("Name or external id"))
    category = filters.CharFilter(label=_("Category"))
    updated_since = updated_since()

    class Meta:
        model = Product
        fields: list[str] = []

    def search(self, rows: QuerySet[Product], _name: str, text: str) -> QuerySet[Product]:
        return rows.filter(Q(name__icontains=text) | Q(external_id__istartswith=text))


class OrderFilter(StrictFilterSet):
    customer = IdFilter(field_name="customer_id", label=_("Customer"))
    kind = filters.ChoiceFilter(choices=Order.Kind.choices, label=_("Kind"))
    status = filters.ChoiceFilter(choices=Order.Status.choices, label=_("Status"))
    placed_since = filters.DateFilter(field_name="placed_on", lookup_expr="gte", label=_("Placed on or after"))
    placed_until = filters.DateFilter(field_name="placed_on", lookup_expr="lte", label=_("Placed on or before"))
    updated_since = updated_since()

    class Meta:
        model = Order
        fields: list[str] = []


class InteractionFilter(StrictFilterSet):
    customer = IdFilter(field_name="customer_id", label=_("Customer"))
    member = filters.ModelChoiceFilter(queryset=members, label=_("By"))
    channel = filters.ChoiceFilter(choices=Channel.choices, label=_("Channel"))
    kind = filters.ChoiceFilter(choices=TouchKind.choices, label=_("Kind"))
    direction = filters.ChoiceFilter(choices=Interaction.Direction.choices, label=_("Direction"))
    about_competitor = BooleanFilter(label=_("Asked about a competitor"))
    leaving = filters.ChoiceFilter(choices=Interaction.Leaving.choices, label=_("Thinks of leaving"))
    since = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte", label=_("From"))
    until = filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt", label=_("Before"))
    updated_since = updated_since()

    class Meta:
        model = Interaction
        fields: list[str] = []


class ComplaintFilter(StrictFilterSet):
    customer = IdFilter(field_name="customer_id", label=_("Customer"))
    severity = filters.ChoiceFilter(choices=Complaint.Severity.choices, label=_("Severity"))
    solved = BooleanFilter(field_name="solved_at", lookup_expr="isnull", exclude=True, label=_("Solved"))
    updated_since = updated_since()

    class Meta:
        model = Complaint
        fields: list[str] = []


class SurveyResponseFilter(StrictFilterSet):
    customer = IdFilter(field_name="customer_id", label=_("Customer"))
    contact = IdFilter(field_name="contact_id", label=_("Contact"))
    complaint = IdFilter(field_name="complaint_id", label=_("Complaint"))
    kind = filters.ChoiceFilter(choices=SurveyResponse.Kind.choices, label=_("Kind"))
    since = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte", label=_("From"))
    until = filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt", label=_("Before"))
    updated_since = updated_since()

    class Meta:
        model = SurveyResponse
        fields: list[str] = []


class EvidenceFilter(StrictFilterSet):
    customer = IdFilter(field_name="customer_id", label=_("Customer"))
    referred = IdFilter(field_name="referred_id", label=_("Who came"))
    kind = filters.MultipleChoiceFilter(choices=Evidence.Kind.choices, label=_("Kind"))
    since = filters.DateFilter(field_name="on", lookup_expr="gte", label=_("On or after"))
    until = filters.DateFilter(field_name="on", lookup_expr="lte", label=_("On or before"))
    updated_since = updated_since()

    class Meta:
        model = Evidence
        fields: list[str] = []
