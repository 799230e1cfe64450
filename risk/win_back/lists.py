"""The list of win-back: lapsed customers, what each may bring first; its filters serve the API too."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar, Final

import django_filters as filters
from django import forms
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy, pgettext_lazy

from customers.search import named_like
from risk.models import WinBack, WinBackTry
from risk.rules.win_back_policy import WinBackPolicy
from risk.win_back.services import decided
from tenants.context import current_tenant
from tenants.filters import IdFilter, StrictFilterSet, members, updated_since
from tenants.models import Member
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn
from tenants.policies import active_policy
from tenants.templatetags.perennial import day, percent, short_money, whole


def _date() -> forms.DateInput:
    return forms.DateInput({"type": "date"}, "%Y-%m-%d")


def win_back_rows(member: Member) -> QuerySet[WinBack]:
    """Lapses of customers that the member sees."""
    rows: QuerySet[WinBack] = WinBack.objects.visible_to(member).select_related("customer__owner_a__user")
    return rows


WAITING: Final = (WinBack.Status.OPEN, WinBack.Status.TRIED)
"""Who may still come back: the list's money is theirs."""

STATES: Final = (("waiting", pgettext_lazy("win-back", "not back yet")), *WinBack.Status.choices)


class WinBackFilter(StrictFilterSet):
    """By customer, status, offer and owner."""

    q = filters.CharFilter(method="named", label=gettext_lazy("Customer"), widget=forms.TextInput({"type": "search"}))
    status = filters.ChoiceFilter(choices=STATES, method="standing", label=gettext_lazy("Status"))
    owner = filters.ModelChoiceFilter(field_name="customer__owner_a", queryset=members, label=gettext_lazy("A owner"))
    offer = filters.ChoiceFilter(choices=WinBackTry.Offer.choices, method="offered", label=gettext_lazy("Offer"))
    decided_offer = filters.ChoiceFilter(
        choices=WinBackTry.Offer.choices, method="offer_decided", label=gettext_lazy("Offer, decided")
    )
    won_by = filters.ChoiceFilter(
        choices=WinBackTry.Offer.choices, method="offer_won", label=gettext_lazy("Came back after the offer")
    )
    lapsed_from = filters.DateFilter(
        field_name="lapsed_on", lookup_expr="gte", label=gettext_lazy("Lapsed from"), widget=_date()
    )
    lapsed_until = filters.DateFilter(
        field_name="lapsed_on", lookup_expr="lte", label=gettext_lazy("Lapsed until"), widget=_date()
    )
    returned_from = filters.DateFilter(
        field_name="returned_on", lookup_expr="gte", label=gettext_lazy("Came back from"), widget=_date()
    )
    customer = IdFilter(field_name="customer_id", label=gettext_lazy("Customer"))
    updated_since = updated_since()
    more = frozenset({"lapsed_from", "lapsed_until", "returned_from", "owner"})
    on_demand = frozenset({"customer", "updated_since", "decided_offer", "won_by"})

    class Meta:
        model = WinBack
        fields: ClassVar[list[str]] = []

    def named(self, rows: QuerySet[Any], _name: str, text: str) -> QuerySet[Any]:
        return named_like(rows, text, "customer_id")

    def standing(self, rows: QuerySet[Any], _name: str, state: str) -> QuerySet[Any]:
        return rows.filter(status__in=WAITING if state == "waiting" else [state])

    def offered(self, rows: QuerySet[Any], _name: str, code: str) -> QuerySet[Any]:
        return rows.filter(pk__in=WinBackTry.objects.filter(offer=code).values("win_back"))

    def offer_decided(self, rows: QuerySet[Any], _name: str, code: str) -> QuerySet[Any]:
        days = active_policy().section(WinBackPolicy).credit_days
        over = current_tenant().today() - dt.timedelta(days=days)
        return rows.filter(pk__in=WinBackTry.objects.filter(decided(over), offer=code).values("win_back"))

    def offer_won(self, rows: QuerySet[Any], _name: str, code: str) -> QuerySet[Any]:
        won = WinBackTry.objects.filter(offer=code, returned_on__isnull=False)
        return rows.filter(pk__in=won.values("win_back"))


class WinBackTable(PageTable):
    """Lapses, the most expected money first."""

    customer = PlainColumn(verbose_name=gettext_lazy("Customer"), orderable=False)
    expected = WordsColumn(short_money, verbose_name=gettext_lazy("Expected money"))
    chance = WordsColumn(percent, verbose_name=gettext_lazy("Chance"), orderable=False)
    yearly = WordsColumn(short_money, verbose_name=gettext_lazy("Yearly money before"), orderable=False)
    last_order_on = WordsColumn(day, verbose_name=gettext_lazy("Last order"), orderable=False)
    orders = WordsColumn(whole, verbose_name=gettext_lazy("Orders"), orderable=False)
    status = ChoiceColumn(WinBack.Status.choices, verbose_name=gettext_lazy("Status"), orderable=False)
    tries = WordsColumn(whole, verbose_name=gettext_lazy("Tries"), orderable=False)
    returned_on = WordsColumn(day, verbose_name=gettext_lazy("Came back"), orderable=False)
    owner = PlainColumn(verbose_name=gettext_lazy("A owner"), accessor="customer.owner_a", orderable=False)
    reason = PlainColumn(verbose_name=gettext_lazy("Reason"), orderable=False, attrs={"td": {"class": "wrap"}})
    lapsed_on = WordsColumn(day, verbose_name=gettext_lazy("Lapsed"), orderable=False)
    fixed = ("customer",)
    extra: ClassVar[tuple[str, ...]] = ("reason", "lapsed_on", "orders")
    indexed: ClassVar[dict[str, str]] = {"expected": "pk"}

    class Meta(PageTable.Meta):
        pass

    def render_customer(self, record: Any) -> str:
        address = reverse("win-back", kwargs={"tenant": self.request.tenant.slug, "pk": record.pk})
        return format_html('<a class="row-link" href="{}">{}</a>', address, record.customer.name)

    def value_customer(self, record: Any) -> str:
        return str(record.customer.name)

    def value_owner(self, record: Any) -> str:
        return str(record.customer.owner_a or "")
