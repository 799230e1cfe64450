"""The lists of the dashboards, column by column."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.models import Growth
from health.models import Band
from segmentation.models import Segment, Stage, Tier
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn
from tenants.templatetags.perennial import day, health_mark, money, percent_part


class CustomerTable(PageTable):
    """Customers: who, how much, how they are, whose."""

    name = PlainColumn(verbose_name=gettext_lazy("Customer"), order_by=("search_name",))
    tier = ChoiceColumn(Tier.choices, verbose_name=gettext_lazy("Tier"))
    stage = ChoiceColumn(Stage.choices, verbose_name=gettext_lazy("Stage"))
    health = PlainColumn(verbose_name=gettext_lazy("Health"), accessor="score", order_by=("score",), empty_values=())
    last_order_on = WordsColumn(day, verbose_name=gettext_lazy("Last order"))
    orders_12m = PlainColumn(verbose_name=gettext_lazy("Orders, 12 months"), attrs={"td": {"class": "num"}})
    money_12m = WordsColumn(money, verbose_name=gettext_lazy("Net money, 12 months"))
    clv = WordsColumn(money, verbose_name=gettext_lazy("Lifetime value"))
    value_score = PlainColumn(verbose_name=gettext_lazy("Value score"), attrs={"td": {"class": "num"}})
    owner_a = PlainColumn(verbose_name=gettext_lazy("A owner"), order_by=("owner_a.user.name",))
    owner_b = PlainColumn(verbose_name=gettext_lazy("B owner"), order_by=("owner_b.user.name",))
    country = PlainColumn(verbose_name=gettext_lazy("Country"))
    segment = ChoiceColumn(Segment.choices, verbose_name=gettext_lazy("Segment"))
    r = PlainColumn(verbose_name=gettext_lazy("Recency score"), attrs={"td": {"class": "num"}})
    f = PlainColumn(verbose_name=gettext_lazy("Frequency score"), attrs={"td": {"class": "num"}})
    m = PlainColumn(verbose_name=gettext_lazy("Money score"), attrs={"td": {"class": "num"}})
    first_order_on = WordsColumn(day, verbose_name=gettext_lazy("First order"))
    by_wholesale = ChoiceColumn(Tier.choices, verbose_name=gettext_lazy("Tier, wholesale"))
    by_callback = ChoiceColumn(Tier.choices, verbose_name=gettext_lazy("Tier, call-backs"))
    by_sales_team = ChoiceColumn(Tier.choices, verbose_name=gettext_lazy("Tier, sales team"))
    city = PlainColumn(verbose_name=gettext_lazy("City"))
    industry = PlainColumn(verbose_name=gettext_lazy("Industry"))
    industry_position = PlainColumn(verbose_name=gettext_lazy("Industry position"), attrs={"td": {"class": "num"}})
    growth_potential = ChoiceColumn(Growth.choices, verbose_name=gettext_lazy("Growth potential"))
    tags = PlainColumn(verbose_name=gettext_lazy("Tags"), orderable=False)
    external_ids = PlainColumn(verbose_name=gettext_lazy("Numbers elsewhere"), orderable=False)
    since = WordsColumn(day, verbose_name=gettext_lazy("Customer since"))

    fixed = ("name",)
    extra = (
        "segment", "r", "f", "m", "first_order_on", "by_wholesale", "by_callback", "by_sales_team", "city", "industry",
        "industry_position", "growth_potential", "tags", "external_ids", "since",
    )  # fmt: skip
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


class CrossSellTable(PageTable):
    """Rules "bought A, then B"; each opens the customers whom B could be offered."""

    antecedent = PlainColumn(verbose_name=gettext_lazy("Bought"), accessor="antecedent_label", order_by=("antecedent",))
    consequent = PlainColumn(
        verbose_name=gettext_lazy("then bought"), accessor="consequent_label", order_by=("consequent",)
    )
    confidence = WordsColumn(percent_part, verbose_name=gettext_lazy("Confidence"))
    followed = PlainColumn(verbose_name=gettext_lazy("Bought both"), attrs={"td": {"class": "num"}})
    customers = PlainColumn(verbose_name=gettext_lazy("Bought the first"), attrs={"td": {"class": "num"}})
    lift = PlainColumn(verbose_name=gettext_lazy("Lift"), attrs={"td": {"class": "num"}})
    support = WordsColumn(percent_part, verbose_name=gettext_lazy("Support"))
    median_days = PlainColumn(verbose_name=gettext_lazy("Days between, median"), attrs={"td": {"class": "num"}})

    fixed = ("antecedent", "consequent")
    extra = ("support",)

    class Meta(PageTable.Meta):
        pass

    def render_lift(self, value: float) -> str:
        return str(number_format(value, 1))

    def render_consequent(self, value: str, record: Any) -> str:
        address = reverse("customers", kwargs={"tenant": self.request.tenant.slug})
        return format_html('<a href="{}?rule={}">{}</a>', address, record.pk, value)

    def value_consequent(self, value: str) -> str:
        return value
