"""The lists of the ledger: rewards, upgrades, pay-outs; filters for pages and API, and columns."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, ClassVar

import django_filters as filters
from django.db.models import ExpressionWrapper, F, QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy

from incentives.ledger.words import amount_words, explain
from incentives.models import Payout, Reward, Upgrade
from incentives.referrals.forms import date_input
from tenants.base import MoneyField
from tenants.filters import BooleanFilter, IdFilter, StrictFilterSet, members, updated_since
from tenants.models import Member
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn
from tenants.templatetags.perennial import day, money, whole


def reward_rows(member: Member) -> QuerySet[Any]:
    """Rewards that the member sees, with their `total`."""
    total = ExpressionWrapper(F("entitled") + F("correction"), output_field=MoneyField())
    rows: QuerySet[Any] = Reward.objects.visible_to(member).annotate(total=total)
    return rows.select_related("member__user", "customer", "approved_by__user")


def upgrade_rows(member: Member) -> QuerySet[Any]:
    """Upgrades of customers that the member sees."""
    rows: QuerySet[Any] = Upgrade.objects.visible_to(member).select_related("customer", "noted_by__user")
    return rows


def payout_rows(_member: Member) -> QuerySet[Any]:
    """All pay-outs; who may pay sees them."""
    rows: QuerySet[Any] = Payout.objects.select_related("made_by__user")
    return rows


class RewardFilter(StrictFilterSet):
    """Serves the page and the API."""

    status = filters.ChoiceFilter(choices=Reward.Status.choices, label=gettext_lazy("Status"))
    kind = filters.ChoiceFilter(choices=Reward.Kind.choices, label=gettext_lazy("Kind"))
    member = filters.ModelChoiceFilter(queryset=members, label=gettext_lazy("For"))
    is_disputed = BooleanFilter(label=gettext_lazy("Disputed"))
    since = filters.DateFilter(
        field_name="earned_on", lookup_expr="gte", label=gettext_lazy("Earned on or after"), widget=date_input()
    )
    until = filters.DateFilter(
        field_name="earned_on", lookup_expr="lte", label=gettext_lazy("Earned on or before"), widget=date_input()
    )
    customer = IdFilter(field_name="customer_id", label=gettext_lazy("Customer"))
    referral = IdFilter(field_name="referral_id", label=gettext_lazy("Referral"))
    upgrade = IdFilter(field_name="upgrade_id", label=gettext_lazy("Upgrade"))
    updated_since = updated_since()
    more = frozenset({"is_disputed", "since", "until"})
    on_demand = frozenset({"customer", "referral", "upgrade", "updated_since"})

    class Meta:
        model = Reward
        fields: ClassVar[list[str]] = []


class UpgradeFilter(StrictFilterSet):
    """Serves the page and the API."""

    since = filters.DateFilter(
        field_name="on", lookup_expr="gte", label=gettext_lazy("On or after"), widget=date_input()
    )
    until = filters.DateFilter(
        field_name="on", lookup_expr="lte", label=gettext_lazy("On or before"), widget=date_input()
    )
    withdrawn = BooleanFilter(
        field_name="withdrawn_at", lookup_expr="isnull", exclude=True, label=gettext_lazy("Withdrawn")
    )
    customer = IdFilter(field_name="customer_id", label=gettext_lazy("Customer"))
    updated_since = updated_since()
    on_demand = frozenset({"customer", "updated_since"})

    class Meta:
        model = Upgrade
        fields: ClassVar[list[str]] = []


class PayoutFilter(StrictFilterSet):
    """Serves the page."""

    since = filters.DateFilter(
        field_name="on", lookup_expr="gte", label=gettext_lazy("On or after"), widget=date_input()
    )
    until = filters.DateFilter(
        field_name="on", lookup_expr="lte", label=gettext_lazy("On or before"), widget=date_input()
    )

    class Meta:
        model = Payout
        fields: ClassVar[list[str]] = []


class _LinkTable(PageTable):
    class Meta(PageTable.Meta):
        pass

    def _link(self, name: str, pk: int, words: str) -> str:
        address = reverse(name, kwargs={"tenant": self.request.tenant.slug, "pk": pk})
        return format_html('<a href="{}">{}</a>', address, words)


class RewardTable(_LinkTable):
    """What was earned, by what, and where it stands."""

    earned_on = WordsColumn(day, verbose_name=gettext_lazy("Earned on"))
    member = PlainColumn(
        verbose_name=gettext_lazy("For"), order_by=("member.user.name",), empty_values=(), orderable=False
    )
    kind = ChoiceColumn(Reward.Kind.choices, verbose_name=gettext_lazy("Kind"))
    customer = PlainColumn(verbose_name=gettext_lazy("Customer"), order_by=("customer.search_name",))
    why = PlainColumn(
        verbose_name=gettext_lazy("Why"), accessor="facts", orderable=False, empty_values=(),
        attrs={"td": {"class": "wrap"}},
    )  # fmt: skip
    total = WordsColumn(money, verbose_name=gettext_lazy("Amount"))
    status = ChoiceColumn(Reward.Status.choices, verbose_name=gettext_lazy("Status"))
    is_disputed = PlainColumn(verbose_name=gettext_lazy("Disputed"))
    approved_by = PlainColumn(verbose_name=gettext_lazy("Approved by"), order_by=("approved_by.user.name",))
    fixed = ("earned_on", "total")
    extra = ("kind", "is_disputed", "approved_by")

    class Meta(_LinkTable.Meta):
        pass

    def render_earned_on(self, value: dt.date, record: Any) -> str:
        return self._link("reward", record.pk, day(value))

    def value_earned_on(self, value: dt.date) -> dt.date:
        return value

    def render_member(self, record: Any) -> str:
        return whose(record)

    def value_member(self, record: Any) -> str:
        return whose(record)

    def render_customer(self, record: Any) -> str:
        return self._link("customer", record.customer_id, record.customer.name)

    def value_customer(self, record: Any) -> str:
        return str(record.customer or "")

    def render_why(self, record: Any) -> str:
        return explain(record)

    def value_why(self, record: Any) -> str:
        return explain(record)

    def render_total(self, value: Decimal, record: Any) -> str:
        return amount_words(value, is_points=record.is_points)

    def value_total(self, value: Decimal) -> Decimal:
        return value

    def render_is_disputed(self, value: Any) -> Any:
        return gettext_lazy("yes") if value else gettext_lazy("no")

    def value_approved_by(self, record: Any) -> str:
        return str(record.approved_by or "")


def whose(reward: Reward) -> str:
    """For whom a reward is, in words."""
    if reward.kind == Reward.Kind.PRODUCT:
        return str(gettext_lazy("Product team"))
    return str(reward.customer if reward.is_points else reward.member)


class UpgradeTable(_LinkTable):
    """Service upgrades, newest first."""

    on = WordsColumn(day, verbose_name=gettext_lazy("Upgraded on"))
    customer = PlainColumn(verbose_name=gettext_lazy("Customer"), order_by=("customer.search_name",))
    what = PlainColumn(verbose_name=gettext_lazy("What was upgraded"), orderable=False)
    noted_by = PlainColumn(verbose_name=gettext_lazy("Recorded by"), order_by=("noted_by.user.name",))
    withdrawn_at = WordsColumn(day, verbose_name=gettext_lazy("Withdrawn"))
    withdrawn_why = PlainColumn(verbose_name=gettext_lazy("Why it was withdrawn"), orderable=False)
    fixed = ("on", "customer")
    extra = ("withdrawn_why",)

    class Meta(_LinkTable.Meta):
        pass

    def render_on(self, value: dt.date, record: Any) -> str:
        if record.withdrawn_at is not None or not self.request.member.can("upgrades:write"):
            return day(value)
        address = reverse("upgrade-withdraw", kwargs={"tenant": self.request.tenant.slug, "pk": record.pk})
        return format_html('<a href="{}" hx-get="{}" hx-target="#dialog-body">{}</a>', address, address, day(value))

    def value_on(self, value: dt.date) -> dt.date:
        return value

    def render_customer(self, record: Any) -> str:
        return self._link("customer", record.customer_id, record.customer.name)

    def value_customer(self, record: Any) -> str:
        return str(record.customer)

    def value_noted_by(self, record: Any) -> str:
        return str(record.noted_by or "")


class PayoutTable(_LinkTable):
    """Pay-outs, newest first."""

    number = PlainColumn(verbose_name=gettext_lazy("Number"), attrs={"td": {"class": "num"}})
    on = WordsColumn(day, verbose_name=gettext_lazy("Day"))
    people = WordsColumn(whole, verbose_name=gettext_lazy("Payees"))
    total = WordsColumn(money, verbose_name=gettext_lazy("Total"))
    made_by = PlainColumn(verbose_name=gettext_lazy("Made by"), order_by=("made_by.user.name",))
    fixed = ("number",)

    class Meta(_LinkTable.Meta):
        pass

    def render_number(self, value: int, record: Any) -> str:
        return self._link("payout", record.pk, f"P-{value}")

    def value_made_by(self, record: Any) -> str:
        return str(record.made_by or "")
