"""The list of referrals: filters for the page and the API, and columns."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

import django_filters as filters
from django import forms
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy

from customers.models import Referral
from incentives.referrals.reading import RESULTS
from tenants.filters import IdFilter, StrictFilterSet, members, updated_since
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn
from tenants.templatetags.perennial import day, money, whole


def date_input() -> forms.DateInput:
    """A day, as browsers ask for it."""
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class ReferralFilter(StrictFilterSet):
    """Serves the page and the API."""

    result = filters.ChoiceFilter(choices=RESULTS, label=gettext_lazy("Result"))
    member = filters.ModelChoiceFilter(queryset=members, label=gettext_lazy("Brought by"))
    origin = filters.ChoiceFilter(choices=Referral.Origin.choices, label=gettext_lazy("Recorded by way of"))
    since = filters.DateFilter(
        field_name="on", lookup_expr="gte", label=gettext_lazy("On or after"), widget=date_input()
    )
    until = filters.DateFilter(
        field_name="on", lookup_expr="lte", label=gettext_lazy("On or before"), widget=date_input()
    )
    referrer = IdFilter(field_name="referrer_id", label=gettext_lazy("Recommended by"))
    customer = IdFilter(field_name="customer_id", label=gettext_lazy("New customer"))
    updated_since = updated_since()
    on_demand = frozenset({"referrer", "customer", "updated_since"})

    class Meta:
        model = Referral
        fields: ClassVar[list[str]] = []


class ReferralTable(PageTable):
    """Who recommended us to whom, and what came of it."""

    on = WordsColumn(day, verbose_name=gettext_lazy("Recommended on"))
    referrer = PlainColumn(verbose_name=gettext_lazy("Recommended by"), order_by=("referrer.search_name",))
    customer = PlainColumn(verbose_name=gettext_lazy("New customer"), order_by=("customer.search_name",))
    member = PlainColumn(verbose_name=gettext_lazy("Brought by"), order_by=("member.user.name",))
    origin = ChoiceColumn(Referral.Origin.choices, verbose_name=gettext_lazy("Recorded by way of"))
    result = ChoiceColumn(RESULTS, verbose_name=gettext_lazy("Result"))
    first_on = WordsColumn(day, verbose_name=gettext_lazy("First order"))
    orders = WordsColumn(whole, verbose_name=gettext_lazy("Orders"), orderable=False)
    net = WordsColumn(money, verbose_name=gettext_lazy("Money of these orders"), orderable=False)
    note = PlainColumn(verbose_name=gettext_lazy("Note"), orderable=False, attrs={"td": {"class": "wrap"}})
    noted_by = PlainColumn(verbose_name=gettext_lazy("Recorded by"), order_by=("noted_by.user.name",))
    taken_back = PlainColumn(
        verbose_name=gettext_lazy("Withdrawn"), accessor="withdrawn_why", orderable=False, empty_values=()
    )
    fixed = ("on", "customer")
    extra = ("note", "noted_by")

    class Meta(PageTable.Meta):
        pass

    def render_on(self, value: dt.date, record: Any) -> str:
        if record.withdrawn_at is not None or not self.request.member.can("referrals:write"):
            return day(value)
        address = reverse("referral-edit", kwargs={"tenant": self.request.tenant.slug, "pk": record.pk})
        return format_html('<a href="{}" hx-get="{}" hx-target="#dialog-body">{}</a>', address, address, day(value))

    def value_on(self, value: dt.date) -> dt.date:
        return value

    def render_taken_back(self, record: Any) -> str:
        if record.withdrawn_at is not None or not self.request.member.can("referrals:write"):
            return str(record.withdrawn_why)
        address = reverse("referral-withdraw", kwargs={"tenant": self.request.tenant.slug, "pk": record.pk})
        words = gettext_lazy("Withdraw")
        return format_html('<a href="{}" hx-get="{}" hx-target="#dialog-body">{}</a>', address, address, words)

    def value_taken_back(self, record: Any) -> str:
        return str(record.withdrawn_why)

    def render_referrer(self, record: Any) -> str:
        return self._customer(record.referrer)

    def value_referrer(self, record: Any) -> str:
        return str(record.referrer)

    def render_customer(self, record: Any) -> str:
        return self._customer(record.customer)

    def value_customer(self, record: Any) -> str:
        return str(record.customer)

    def value_member(self, record: Any) -> str:
        return str(record.member or "")

    def value_noted_by(self, record: Any) -> str:
        return str(record.noted_by or "")

    def _customer(self, customer: Any) -> str:
        address = reverse("customer", kwargs={"tenant": self.request.tenant.slug, "pk": customer.pk})
        return format_html('<a href="{}">{}</a>', address, customer.name)
