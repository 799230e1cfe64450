"""The list of customers whom a person sees otherwise than the score: what it can be asked, and its columns."""

from __future__ import annotations

from typing import Any, Final

import django_filters as filters
from django import forms
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from customers.search import named_like
from dashboards.filters import NOBODY, owners
from health import figures
from health.models import Band, Pulse
from tenants.filters import StrictFilterSet
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn
from tenants.templatetags.perennial import day, health_mark, local_day, money

DIFFERENCES: Final = [
    ("worse", _("The person sees it worse")),
    ("better", _("The person sees it better")),
    ("two", _("Green against red")),
]


class DisagreementFilter(StrictFilterSet):
    """By customer, by what machine and person say, and by whose it is."""

    q = filters.CharFilter(
        method="by_text",
        label=_("Search"),
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Name or number"), "autocomplete": "off"}),
    )
    differs = filters.ChoiceFilter(
        method="by_difference", choices=DIFFERENCES, label=_("Difference"), empty_label=_("All")
    )
    machine = filters.ChoiceFilter(field_name="machine", choices=Pulse.VIEWS, label=_("Score"), empty_label=_("All"))
    view = filters.ChoiceFilter(field_name="band", choices=Pulse.VIEWS, label=_("Own view"), empty_label=_("All"))
    reason = filters.ChoiceFilter(
        field_name="reason", choices=Pulse.Reason.choices, label=_("Reason"), empty_label=_("All")
    )
    owner = filters.ChoiceFilter(method="by_owner", choices=lambda: owners(), label=_("Owner"), empty_label=_("All"))

    class Meta:
        model = Pulse
        fields: list[str] = []

    def by_text(self, rows: QuerySet[Pulse], _name: str, text: str) -> QuerySet[Pulse]:
        return named_like(rows, text, "customer_id")

    def by_difference(self, rows: QuerySet[Pulse], _name: str, difference: str) -> QuerySet[Pulse]:
        ways: dict[str, Q] = {**figures.DIFFERS, "two": Q(gap__in=[-2, 2])}
        return rows.filter(ways[difference])

    def by_owner(self, rows: QuerySet[Pulse], _name: str, owner: str) -> QuerySet[Pulse]:
        if owner == NOBODY:
            return rows.filter(customer__owner_a__isnull=True)
        return rows.filter(Q(customer__owner_a=owner) | Q(customer__owner_b=owner))


class DisagreementTable(PageTable):
    """Who it is, what the score says, what the person says and why, and what the customer brings."""

    name = PlainColumn(
        verbose_name=_("Customer"), accessor="customer", order_by=("customer.search_name",),
        attrs={"td": {"class": "pn-said"}},
    )  # fmt: skip
    machine = PlainColumn(verbose_name=_("Score"), order_by=("score",))
    view = PlainColumn(verbose_name=_("Own view"), accessor="band", order_by=("gap",))
    reason = ChoiceColumn(Pulse.Reason.choices, verbose_name=_("Reason"))
    note = PlainColumn(verbose_name=_("In own words"))
    member = PlainColumn(verbose_name=_("By"), order_by=("member.user.name",))
    at = WordsColumn(lambda at: day(local_day(at)), verbose_name=_("Given"))
    money = WordsColumn(money, verbose_name=_("Net money, 12 months"), accessor="net", order_by=("net",))
    owner_a = PlainColumn(
        verbose_name=_("A owner"), accessor="customer.owner_a", order_by=("customer.owner_a.user.name",)
    )

    fixed = ("name",)
    extra = ("note",)

    class Meta(PageTable.Meta):
        pass

    def render_name(self, record: Any) -> str:
        address = reverse("customer", kwargs={"tenant": self.request.tenant.slug, "pk": record.customer_id})
        link = format_html('<a class="row-link" href="{}">{}</a>', address, record.customer)
        return format_html("{}<small>“{}”</small>", link, record.note) if record.note else link

    def value_name(self, record: Any) -> str:
        return str(record.customer)

    def render_machine(self, value: str, record: Any) -> str:
        return health_mark(value, record.score)

    def value_machine(self, value: str, record: Any) -> str:
        return f"{Band(value).label} {record.score}"

    def render_view(self, record: Any) -> str:
        return health_mark(record.band)

    def value_view(self, record: Any) -> str:
        return str(record.get_band_display())

    def value_at(self, value: Any) -> Any:
        return local_day(value)
