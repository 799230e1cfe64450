"""Pages of referrals: the list with its results, recording, changing, withdrawing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

import customers.services
from customers.models import Customer, Referral, SurveyResponse
from incentives.ledger.accruing import outcomes
from incentives.ledger.posting import to_amount
from incentives.referrals import services as referrals
from incentives.referrals.forms import ReferralForm, WhyForm
from incentives.referrals.lists import ReferralFilter, ReferralTable
from incentives.referrals.reading import referral_rows
from tenants.pages import FormPage, ListPage
from tenants.templatetags.perennial import day


class ReferralList(ListPage):
    """Who recommended us to whom, and what came of it."""

    permission = "referrals:read"
    nav = "referrals"
    queryset = staticmethod(referral_rows)
    filterset = ReferralFilter
    table = ReferralTable
    template = "incentives/referrals.html"
    empty = "incentives/referrals_empty.html"
    sort = "-on"
    export_permission = "customers:export"
    export_name = "referrals"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s referral", "%(count)s referrals", count) % {"count": shown}

    def _shown(self, ids: Sequence[int], columns: list[str]) -> list[Any]:
        rows = super()._shown(ids, columns)
        if {"orders", "net"} & set(columns):
            found = outcomes(rows, self.request.tenant.today())
            for row in rows:
                row.orders, row.net = found[row.pk].orders, to_amount(found[row.pk].net)
        return rows


class ReferralAdd(FormPage):
    """Record a referral: by hand, or from a survey answer (`?response=`) or a customer's page (`?referrer=`)."""

    permission = "referrals:write"
    nav = "referrals"
    heading: ClassVar[str | Promise] = gettext_lazy("Record a referral")
    submit = gettext_lazy("Record")

    @cached_property
    def response(self) -> SurveyResponse | None:
        pk = self.request.GET.get("response")
        if pk is None:
            return None
        seen = SurveyResponse.objects.visible_to(self.member).select_related("customer")
        found: SurveyResponse = get_object_or_404(seen, pk=_number(pk))
        return found

    @cached_property
    def referrer(self) -> Customer | None:
        if self.response is not None:
            return self.response.customer
        pk = self.request.GET.get("referrer")
        if pk is None:
            return None
        found: Customer = get_object_or_404(Customer.objects.visible_to(self.member), pk=_number(pk))
        return found

    def form(self, data: Any = None, files: Any = None) -> ReferralForm:
        self.refuse_unknown("referrer", "response")
        may_add = self.member.can("customers:write")
        return ReferralForm(data, member=self.member, referrer=self.referrer, may_add=may_add)

    def save(self, form: ReferralForm) -> HttpResponse:
        said = dict(form.cleaned_data)
        name = said.pop("new_name", "").strip()
        origin = Referral.Origin.BY_HAND if self.response is None else Referral.Origin.SURVEY
        with transaction.atomic():
            if name:
                said["customer"] = customers.services.create_customer(name=name, owner_a=self.member)
            row = referrals.record_referral(**said, origin=origin, response=self.response)
        messages.success(
            self.request,
            _("The referral of %(name)s is recorded; what it earns follows tonight.") % {"name": row.customer},
        )
        return self.done("referrals")

    def back(self) -> str:
        return self.address("referrals")


def _number(text: str) -> int:
    """The number in an address; 0, which nobody has, for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0


class _OfReferral(FormPage):
    permission = "referrals:write"
    nav = "referrals"

    @cached_property
    def referral(self) -> Referral:
        rows = Referral.objects.visible_to(self.member).filter(withdrawn_at__isnull=True)
        found: Referral = get_object_or_404(
            rows.select_related("referrer", "customer", "member__user"), pk=self.kwargs["pk"]
        )
        return found

    def title(self) -> str:
        return _("%(referrer)s recommended us to %(customer)s on %(day)s") % {
            "referrer": self.referral.referrer, "customer": self.referral.customer, "day": day(self.referral.on),
        }  # fmt: skip

    def back(self) -> str:
        return self.address("referrals")


class ReferralEdit(_OfReferral):
    """Change what was recorded; rewards follow in the open."""

    def form(self, data: Any = None, files: Any = None) -> ReferralForm:
        return ReferralForm(data, member=self.member, referral=self.referral)

    def save(self, form: ReferralForm) -> HttpResponse:
        referrals.patch_referral(referral=self.referral, **form.cleaned_data)
        messages.success(self.request, _("The referral is saved; what changes by it is posted tonight."))
        return self.done("referrals")


class ReferralWithdraw(_OfReferral):
    """Take a referral back that was wrong."""

    submit = gettext_lazy("Withdraw")

    def form(self, data: Any = None, files: Any = None) -> WhyForm:
        return WhyForm(data)

    def save(self, form: WhyForm) -> HttpResponse:
        referrals.withdraw_referral(referral=self.referral, **form.cleaned_data)
        messages.success(self.request, _("The referral is withdrawn; what was earned by it is reversed tonight."))
        return self.done("referrals")
