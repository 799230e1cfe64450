"""The lists of the dashboards, column by column."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from health.models import Band
from segmentation.models import Segment, Tier
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn
from tenants.templatetags.perennial import day, health_mark, money


class CustomerTable(PageTable):
    """Customers: who, how much, how they are, whose."""

    name = PlainColumn(verbose_name=gettext_lazy("Customer"), order_by=("search_name",))
    tier = ChoiceColumn(Tier.choices, verbose_name=gettext_lazy("Tier"))
    health = PlainColumn(verbose_name=gettext_lazy("Health"), accessor="score", order_by=("score",), empty_values=())
    last_order_on = WordsColumn(day, verbose_name=gettext_lazy("Last order"))
    orders_12m = PlainColumn(verbose_name=gettext_lazy("Orders, 12 months"), attrs={"td": {"class": "num"}})
    money_12m = WordsColumn(money, verbose_name=gettext_lazy("Net money, 12 months"))
    owner_a = PlainColumn(verbose_name=gettext_lazy("A owner"), order_by=("owner_a.user.name",))
    owner_b = PlainColumn(verbose_name=gettext_lazy("B owner"), order_by=("owner_b.user.name",))
    country = PlainColumn(verbose_name=gettext_lazy("Country"))
    segment = ChoiceColumn(Segment.choices, verbose_name=gettext_lazy("Segment"))
    city = PlainColumn(verbose_name=gettext_lazy("City"))
    industry = PlainColumn(verbose_name=gettext_lazy("Industry"))
    tags = PlainColumn(verbose_name=gettext_lazy("Tags"), orderable=False)
    external_ids = PlainColumn(verbose_name=gettext_lazy("Numbers elsewhere"), orderable=False)
    since = WordsColumn(day, verbose_name=gettext_lazy("Customer since"))

    fixed = ("name",)
    extra = ("city", "industry", "tags", "external_ids", "since")
    needs = {"tags": "tags", "external_ids": "external_ids"}

    class Meta(PageTable.Meta):
        pass

    def render_name(self, record: Any) -> str:
        address = reverse("customer", kwargs={"tenant": self.request.tenant.slug, "pk": record.pk})
        closed = format_html(' <span class="badge">{}</span>', _("closed")) if record.closed_on else ""
        return format_html('<a class="row-link" href="{}">{}</a>{}', address, record.name, closed)

    def value_name(self, record: Any) -> str:
        return str(record.name)

    def render_health(self, record: Any) -> str:
        return health_mark(record.band, record.score) if record.band else "–"

    def value_health(self, record: Any) -> Any:
        return record.score if record.score is not None else (Band(record.band).label if record.band else None)

    def render_tags(self, value: Any) -> str:
        return ", ".join(str(tag) for tag in value.all())

    def value_tags(self, value: Any) -> str:
        return self.render_tags(value)

    def render_external_ids(self, value: Any) -> str:
        return ", ".join(str(each) for each in value.all())

    def value_external_ids(self, value: Any) -> str:
        return self.render_external_ids(value)
