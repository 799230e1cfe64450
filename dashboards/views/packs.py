"""Hand-over packs as a page and as PDF."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from customers.models import Customer
from dashboards.packs import MOST, customers_of, packs_of
from tenants.models import Member
from tenants.pages import TenantView
from tenants.pdf import NoPdfError, as_pdf


class _Pack(TenantView):
    """`?as=pdf` gives the same as PDF; where it cannot be drawn that is said, and the page can be printed."""

    permission = "follow-ups:read"
    nav = "cover"

    def customers(self) -> QuerySet[Customer]:
        raise NotImplementedError

    def about(self) -> str:
        raise NotImplementedError

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.refuse_unknown("as")
        if request.GET.get("as", "pdf") != "pdf":
            raise BadRequest(_("The one other form is pdf."))
        customers = self.customers()
        context: dict[str, Any] = {
            "about": self.about(),
            "packs": packs_of(customers, self.request.tenant.today()),
            "count": customers.count(),
            "most": MOST,
        }
        if "as" not in request.GET:
            return self.render("dashboards/pack.html", **context)
        return self._pdf(context)

    def _pdf(self, context: Mapping[str, Any]) -> HttpResponse:
        self.check_export("customers:export")
        try:
            content = as_pdf(render_to_string("dashboards/pack_print.html", dict(context), self.request))
        except NoPdfError:
            return self.render("dashboards/pack.html", **context, no_pdf=True, status=503)
        response = HttpResponse(content, content_type="application/pdf")
        name = f"hand-over-{self.request.tenant.slug}-{self.request.tenant.today()}.pdf"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


class MemberPack(_Pack):
    """What somebody must know who takes over from a member."""

    @cached_property
    def person(self) -> Member:
        found: Member = get_object_or_404(Member.objects.select_related("user"), pk=self.kwargs["pk"])
        return found

    def customers(self) -> QuerySet[Customer]:
        return customers_of(self.person, self.member)

    def about(self) -> str:
        return str(self.person)


class CustomerPack(_Pack):
    """The same of one customer."""

    nav = "customers"

    @cached_property
    def customer(self) -> Customer:
        found: Customer = get_object_or_404(Customer.objects.visible_to(self.member), pk=self.kwargs["pk"])
        return found

    def customers(self) -> QuerySet[Customer]:
        rows: QuerySet[Customer] = Customer.objects.filter(pk=self.customer.pk)
        return rows

    def about(self) -> str:
        return self.customer.name
