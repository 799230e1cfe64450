"""The customers list; adding a customer and changing one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

import customers.services
import followups.services
from customers.forms import CustomerForm
from customers.models import Customer
from customers.querysets import visible_apart
from customers.search import beginning, numbered
from dashboards.filters import CustomerPageFilter
from dashboards.querysets import customer_rows, customer_rows_among
from dashboards.segments import SEGMENT_FILTERS
from dashboards.tables import CustomerTable
from tenants.keyset import NOBODY, Window
from tenants.pages import FormPage, ListPage
from tenants.permissions import SEES_ALL


class CustomerList(ListPage):
    """All customers that the member sees."""

    permission = "customers:read"
    nav = "customers"
    queryset = staticmethod(customer_rows)
    filterset = CustomerPageFilter
    table = CustomerTable
    template = "dashboards/customers.html"
    empty = "dashboards/customers_empty.html"
    sort = "name"
    export_permission = "customers:export"
    export_name = "customers"

    def seen_among(self, ids: Sequence[int]) -> list[Customer]:
        return customer_rows_among(self.member, ids)

    def seen_apart(self) -> list[QuerySet[Any]]:
        """Of whoever sees customers of their own; of all there is one walk along an index anyway."""
        if self.member.role in SEES_ALL:
            return []
        return [Customer.objects.filter(part) for part in visible_apart(self.member)]

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s customer", "%(count)s customers", count) % {"count": shown}

    def windows(self, rows: QuerySet[Any]) -> list[Window]:
        """By name, whose number it is comes first that is searched for, whose begins so, and whose name begins so."""
        windows = super().windows(rows)
        text = self.request.GET.get("q", "")
        if self.sorting.removeprefix("-") != "name" or not text.strip():
            return windows
        parts, others = [], Q()
        for meant in (*numbered(text), *beginning(text)):
            if meant is NOBODY:
                parts.append(NOBODY)
            else:
                parts.append(others & meant)
                others &= ~meant
        return [window.within(part) for part in (*parts, others) for window in windows]

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        """Filters can be saved as a segment, those by a saved segment cannot."""
        asked = {name: values for name, values in self._filter_values().lists() if any(values)}
        may_save = self.member.can("segments:write") and asked and not SEGMENT_FILTERS & asked.keys()
        if not may_save:
            return {}
        address = f"{self.address('segment-save')}?{urlencode(asked, doseq=True)}"
        return {"list_action": "dashboards/_segment_save.html", "save_address": address}


# ── changing a customer ──────────────────────────────────────────────────────


class CustomerAdd(FormPage):
    """A new customer; who adds one without a say over owners becomes its A owner."""

    permission = "customers:write"
    nav = "customers"
    heading = gettext_lazy("Add customer")
    submit = gettext_lazy("Add")

    def form(self, data: Any = None, files: Any = None) -> CustomerForm:
        return CustomerForm(data, may_change_owners=self.member.can("follow-ups:assign"))

    def save(self, form: CustomerForm) -> HttpResponse:
        fields = dict(form.cleaned_data)
        if "owner_a" not in fields and self.member.role not in SEES_ALL:
            fields["owner_a"] = self.member
        customer = customers.services.create_customer(**fields)
        messages.success(self.request, _("%(name)s is added.") % {"name": customer})
        return self.done("customer", pk=customer.pk)

    def back(self) -> str:
        return self.address("customers")


class CustomerEdit(FormPage):
    """Change what is known about a customer, and for a lead whose it is: open follow-ups move with it."""

    permission = "customers:write"
    nav = "customers"

    @cached_property
    def customer(self) -> Customer:
        rows = Customer.objects.visible_to(self.member).select_related("owner_a", "owner_b")
        found: Customer = get_object_or_404(rows, pk=self.kwargs["pk"])
        return found

    def title(self) -> str:
        return self.customer.name

    def form(self, data: Any = None, files: Any = None) -> CustomerForm:
        return CustomerForm(data, customer=self.customer, may_change_owners=self.member.can("follow-ups:assign"))

    def save(self, form: CustomerForm) -> HttpResponseBase:
        fields = dict(form.cleaned_data)
        if "owner_a" in fields:
            owners = {name: fields.pop(name) for name in ("owner_a", "owner_b")}
            followups.services.change_owner(customer=self.customer, member=self.member, **owners)
        customers.services.patch_customer(customer=self.customer, **fields)
        messages.success(self.request, _("%(name)s is saved.") % {"name": self.customer})
        return self.done("customer", pk=self.customer.pk)

    def back(self) -> str:
        return self.address("customer", pk=self.customer.pk)
