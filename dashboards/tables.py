"""The lists of the dashboards, column by column."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.models import Growth
from dashboards.lapse_words import SHORT_WHY
from health.models import Band
from segmentation.models import Segment, Stage, Tier
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn, addresses
from tenants.templatetags.perennial import day, escaped, health_mark, money, percent_part, round_money, signed


class LapseColumn(PlainColumn):
    """The probability of a lapse in percent, or in a few words why there is none; exports the number alone."""

    def __init__(self) -> None:
        super().__init__(
            verbose_name=gettext_lazy("Lapse"),
            accessor="lapse_percent",
            order_by=("lapse_percent",),
            empty_values=(),
            attrs={"td": {"class": "num"}},
        )

    def render(self, value: int | None, record: Any) -> str:
        if value is not None:
            return f"{value}%"
        why = SHORT_WHY.get(record.no_forecast or "")
        return format_html('<span class="mute">{}</span>', why) if why else "–"


class CustomerTable(PageTable):
    """Customers: who, how much, how they are, whose."""

    name = PlainColumn(verbose_name=gettext_lazy("Customer"), order_by=("search_name",))
    tier = ChoiceColumn(Tier.choices, verbose_name=gettext_lazy("Tier"), order_by=("tier", "money_12m"))
    stage = ChoiceColumn(Stage.choices, verbose_name=gettext_lazy("Stage"))
    health = PlainColumn(verbose_name=gettext_lazy("Health"), accessor="score", order_by=("score",), empty_values=())
    week_change = WordsColumn(signed, verbose_name=gettext_lazy("Health, a week"))
    month_change = WordsColumn(signed, verbose_name=gettext_lazy("Health, a month"))
    lapse = LapseColumn()
    money_at_risk = WordsColumn(round_money, verbose_name=gettext_lazy("Money at risk"))
    last_order_on = WordsColumn(day, verbose_name=gettext_lazy("Last order"))
    orders_12m = PlainColumn(verbose_name=gettext_lazy("Orders, 12 months"), attrs={"td": {"class": "num"}})
    money_12m = WordsColumn(money, verbose_name=gettext_lazy("Net money, 12 months"))
    clv = WordsColumn(money, verbose_name=gettext_lazy("Lifetime value"))
    value_score = PlainColumn(verbose_name=gettext_lazy("Value score"), attrs={"td": {"class": "num"}})
    owner_a = PlainColumn(
        verbose_name=gettext_lazy("A owner"), accessor="owner_a_name", order_by=("owner_a.user.name",)
    )
    owner_b = PlainColumn(
        verbose_name=gettext_lazy("B owner"), accessor="owner_b_name", order_by=("owner_b.user.name",)
    )
    country = PlainColumn(verbose_name=gettext_lazy("Country"))
    segment = ChoiceColumn(Segment.choices, verbose_name=gettext_lazy("Segment"), order_by=("segment", "money_12m"))
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
    extra: ClassVar[tuple[str, ...]] = (
        "segment", "r", "f", "m", "first_order_on", "by_wholesale", "by_callback", "by_sales_team", "city", "industry",
        "industry_position", "growth_potential", "tags", "external_ids", "since", "money_at_risk",
        "week_change", "month_change",
    )  # fmt: skip
    needs = {"tags": "tags", "external_ids": "external_ids"}
    indexed: ClassVar[dict[str, str]] = {
        "name": "pk",
        "country": "pk",
        **dict.fromkeys(("tier", "segment", "money_12m", "orders_12m", "last_order_on"), "standing_customer"),
        **dict.fromkeys(("health", "week_change", "month_change"), "health_customer"),
        **dict.fromkeys(("clv", "value_score"), "worth_customer"),
        **dict.fromkeys(("lapse", "money_at_risk"), "lapse_customer"),
    }

    class Meta(PageTable.Meta):
        pass

    @cached_property
    def _address(self) -> Callable[[int], str]:
        return addresses("customer", tenant=self.request.tenant.slug)

    def render_name(self, record: Any) -> str:
        closed = format_html(' <span class="badge">{}</span>', _("closed")) if record.closed_on else ""
        return SafeString(
            f'<a class="row-link" href="{escaped(self._address(record.pk))}">{escaped(record.name)}</a>{closed}'
        )

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


class ForecastTable(CustomerTable):
    """Customers by what they may cost: how likely they lapse, why, what money that is, warned since when."""

    # Without a model there is no money at risk: those that the rule of silence names come first.
    money_at_risk = WordsColumn(
        round_money,
        verbose_name=gettext_lazy("Money at risk"),
        order_by=("money_at_risk", "is_warned", "expected_money"),
    )
    expected_money = WordsColumn(round_money, verbose_name=gettext_lazy("Expected, 12 months"))
    reasons = PlainColumn(
        verbose_name=gettext_lazy("Reasons, percentage points"),
        orderable=False,
        empty_values=(),
        attrs={"td": {"class": "wrap pn-why-lapse"}},
    )
    warned_on = WordsColumn(day, verbose_name=gettext_lazy("Warned since"))
    horizon = PlainColumn(verbose_name=gettext_lazy("Days ahead"), attrs={"td": {"class": "num"}})

    extra = (
        *(name for name in CustomerTable.extra if name != "money_at_risk"),
        "horizon", "stage", "last_order_on", "orders_12m", "money_12m", "clv", "value_score", "owner_b", "country",
    )  # fmt: skip

    class Meta(PageTable.Meta):
        sequence = (
            "name", "lapse", "money_at_risk", "expected_money", "reasons", "warned_on", "last_order_on", "health", "tier",
            "owner_a", "...",
        )  # fmt: skip

    def render_reasons(self, record: Any) -> str:
        return format_html_join(
            "", '<span>{} <b class="num">{}</b></span>', ((words, signed(points)) for words, points in record.reasons)
        ) or format_html('<span class="mute">{}</span>', record.no_reasons or "–")

    def value_reasons(self, record: Any) -> str:
        return "; ".join(f"{words} {signed(points)}" for words, points in record.reasons) or record.no_reasons


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
