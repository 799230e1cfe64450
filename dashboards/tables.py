"""The lists of the dashboards, column by column."""

from __future__ import annotations

from typing import Any

import django_tables2 as tables
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from health.models import Band
from segmentation.models import Segment, Tier
from tenants.pages import ChoiceColumn, PageTable, PlainColumn

_NUMBER = {"td": {"class": "num"}}


class CustomerTable(PageTable):
    """Customers: who, how much, how they are, whose."""

    name = tables.TemplateColumn(
        template_name="dashboards/columns/name.html", verbose_name=_("Customer"), order_by=("search_name",)
    )
    tier = ChoiceColumn(Tier.choices, verbose_name=_("Tier"))
    health = tables.TemplateColumn(
        template_name="dashboards/columns/health.html", verbose_name=_("Health"), accessor="score", order_by=("score",)
    )
    last_order_on = tables.TemplateColumn("{{ value|day }}", verbose_name=_("Last order"), attrs=_NUMBER)
    orders_12m = PlainColumn(verbose_name=_("Orders, 12 months"), attrs=_NUMBER)
    money_12m = tables.TemplateColumn("{{ value|money }}", verbose_name=_("Net money, 12 months"), attrs=_NUMBER)
    owner_a = PlainColumn(verbose_name=_("A owner"), order_by=("owner_a.user.name",))
    owner_b = PlainColumn(verbose_name=_("B owner"), order_by=("owner_b.user.name",))
    country = PlainColumn(verbose_name=_("Country"))
    segment = ChoiceColumn(Segment.choices, verbose_name=_("Segment"))
    city = PlainColumn(verbose_name=_("City"))
    industry = PlainColumn(verbose_name=_("Industry"))
    tags = tables.Column(verbose_name=_("Tags"), orderable=False, accessor="tags")
    external_ids = tables.Column(verbose_name=_("Numbers elsewhere"), orderable=False, accessor="external_ids")
    since = tables.TemplateColumn("{{ value|day }}", verbose_name=_("Customer since"), attrs=_NUMBER)

    fixed = ("name",)
    extra = ("city", "industry", "tags", "external_ids", "since")

    class Meta(PageTable.Meta):
        pass

    def value_name(self, record: Customer) -> str:
        return record.name

    def value_health(self, record: Any) -> Any:
        return record.score if record.score is not None else Band.NONE.label

    def value_last_order_on(self, value: Any) -> Any:
        return value

    def value_money_12m(self, value: Any) -> Any:
        return value

    def value_since(self, value: Any) -> Any:
        return value

    def render_tags(self, value: Any) -> str:
        return ", ".join(str(tag) for tag in value.all())

    def render_external_ids(self, value: Any) -> str:
        return ", ".join(str(each) for each in value.all())
