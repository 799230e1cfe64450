"""What the lists of the dashboards can be asked for."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

import django_filters as filters
from django import forms
from django.core.validators import EMPTY_VALUES
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Customer, Tag
from customers.querysets import countries
from customers.search import named_like
from dashboards.fact_words import FACT_KINDS, FACT_STATES
from dashboards.lapse_words import SHORT_WHY
from dashboards.querysets import (
    customers_at_risk,
    customers_with_alert,
    first_ordered_between,
    had_tier_first_known,
    of_segment,
    red_without_action,
    referred,
)
from dashboards.team.lapses import lapsed_between
from dashboards.team.words import LAPSE_CLASSES
from health import figures as health_figures
from health import quality
from health.models import Band, Pulse
from segmentation import figures
from segmentation.filters import CrossSellRuleFilter
from segmentation.models import CrossSellRule, SavedSegment, Segment, Stage, Tier, TierPin
from segmentation.querysets import in_stage
from segmentation.rules.policy import TierPolicy
from segmentation.rules.rfm import SCORES
from tenants.base import MONEY_PLACES
from tenants.context import current_tenant
from tenants.filters import LongSelect, StrictFilterSet, id_number
from tenants.models import Member, Team
from tenants.permissions import Role, permissions_of
from tenants.policies import active_policy

NOBODY = "none"
LOOKS_BACK: Final = dt.timedelta(days=365)
"""From how long ago lapses are listed when nobody says from when."""
NOT_SCORED: Final = "not_scored"
"""In an address: no colour at all; "none" is not enough data."""


def _tiers(_request: Any = None) -> list[tuple[str, Any]]:
    return [(value, label) for value, label in Tier.choices if value]


def _tiers_or_none(_request: Any = None) -> list[tuple[str, Any]]:
    return [*_tiers(), (NOBODY, pgettext_lazy("tier", "No tier"))]


_SCORES: Final = [(str(score), str(score)) for score in range(SCORES, 0, -1)]
_YES_NO: Final = [("yes", _("Yes")), ("no", _("No"))]


def _day(label: Any) -> filters.DateFilter:
    return filters.DateFilter(
        method="keep", label=label, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )


def _amount(field: str, lookup: str, label: Any) -> filters.NumberFilter:
    return filters.NumberFilter(
        field_name=field,
        lookup_expr=lookup,
        label=label,
        max_digits=18,
        decimal_places=MONEY_PLACES,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )


def _percent(lookup: str, label: Any) -> filters.NumberFilter:
    return filters.NumberFilter(
        field_name="lapse_percent",
        lookup_expr=lookup,
        label=label,
        min_value=0,
        max_value=100,
        decimal_places=0,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )


def _on(field: str, lookup: str, label: Any) -> filters.DateFilter:
    return filters.DateFilter(
        field_name=field,
        lookup_expr=lookup,
        label=label,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )


def _kept(choices: Any, label: Any) -> filters.ChoiceFilter:
    return filters.ChoiceFilter(method="keep", choices=choices, label=label, empty_label=_("All"))


def _points(field: str, lookup: str, label: Any) -> filters.NumberFilter:
    return filters.NumberFilter(
        field_name=field,
        lookup_expr=lookup,
        label=label,
        min_value=-100,
        max_value=100,
        decimal_places=0,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )


def _bands_or_none(_request: Any = None) -> list[tuple[str, Any]]:
    return [*Band.choices, (NOT_SCORED, pgettext_lazy("health", "Not scored"))]


def _beside(label: Any) -> filters.ChoiceFilter:
    return filters.ChoiceFilter(method="by_code", choices=_tiers_or_none, label=label, empty_label=_("All"))


class CustomerPageFilter(StrictFilterSet):
    """Customers by who they are, where they stand, what they are worth, what they did, and whose they are.

    `day` is what "today" is for the filters that need one: of the tenant, unless a night says otherwise.
    """

    q = filters.CharFilter(
        method="by_text",
        label=_("Search"),
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Name or number"), "autocomplete": "off"}),
    )
    tier = filters.ChoiceFilter(
        method="by_code", choices=_tiers_or_none, label=_("Tier"), empty_label=_("All"), widget=LongSelect
    )
    health = filters.ChoiceFilter(field_name="band", choices=Band.choices, label=_("Health"), empty_label=_("All"))
    risk = filters.ChoiceFilter(
        method="by_risk",
        choices=[("any", _("Red or alert")), ("alert", _("Open alert")), ("idle", _("Red without action"))],
        label=_("Risk"),
        empty_label=_("All"),
    )
    segment = filters.ChoiceFilter(
        method="by_code",
        choices=[*(each for each in Segment.choices if each[0]), (NOBODY, Segment.NONE.label)],
        label=_("Segment"),
        empty_label=_("All"),
    )
    owner = filters.ChoiceFilter(
        method="by_owner", choices=lambda: owners(), label=_("Owner"), empty_label=_("All"), widget=LongSelect
    )
    tag = filters.ModelChoiceFilter(
        field_name="tags", queryset=lambda request: Tag.objects.all(), label=_("Tag"), empty_label=_("All")
    )
    country = filters.ChoiceFilter(
        field_name="country", choices=lambda: _countries(), label=_("Country"), empty_label=_("All"), widget=LongSelect
    )
    saved = filters.ModelChoiceFilter(
        method="by_saved", queryset=lambda request: _saved(request), label=_("Saved segment"), empty_label=_("All")
    )
    stage = filters.ChoiceFilter(method="by_stage", choices=Stage.choices, label=_("Stage"), empty_label=_("All"))
    r = filters.ChoiceFilter(field_name="r", choices=_SCORES, label=_("Recency score"), empty_label=_("All"))
    f = filters.ChoiceFilter(field_name="f", choices=_SCORES, label=_("Frequency score"), empty_label=_("All"))
    m = filters.ChoiceFilter(field_name="m", choices=_SCORES, label=_("Money score"), empty_label=_("All"))
    money_from = _amount("money_12m", "gte", _("Net money from"))
    money_to = _amount("money_12m", "lte", _("Net money up to"))
    clv_from = _amount("clv", "gte", _("Lifetime value from"))
    clv_to = _amount("clv", "lte", _("Lifetime value up to"))
    by_wholesale = _beside(_("Tier, wholesale"))
    by_callback = _beside(_("Tier, call-backs"))
    by_sales_team = _beside(_("Tier, sales team"))
    pinned = filters.ChoiceFilter(method="by_pin", choices=_YES_NO, label=_("Tier pinned"), empty_label=_("All"))
    drift = filters.ChoiceFilter(method="by_drift", choices=_YES_NO, label=_("Shrinking orders"), empty_label=_("All"))
    warned = filters.ChoiceFilter(method="by_warning", choices=_YES_NO, label=_("Lapse warning"), empty_label=_("All"))
    lapse_from = _percent("gte", _("Lapse from %"))
    lapse_to = _percent("lte", _("Lapse up to %"))
    no_forecast = filters.ChoiceFilter(
        field_name="no_forecast", choices=[*SHORT_WHY.items()], label=_("No forecast because"), empty_label=_("All")
    )
    at_risk_from = _amount("money_at_risk", "gte", _("Money at risk from"))
    at_risk_to = _amount("money_at_risk", "lte", _("Money at risk up to"))
    warned_from = _on("warned_on", "gte", _("Warned from"))
    warned_to = _on("warned_on", "lt", _("Warned before"))
    closed = filters.ChoiceFilter(method="by_closing", choices=_YES_NO, label=_("Closed"), empty_label=_("All"))
    moved_from = _day(_("Tier before, on"))
    tier_before = _kept(_tiers_or_none, _("Tier before"))
    moved_to = _day(_("Tier after, on"))
    tier_after = _kept(_tiers_or_none, _("Tier after"))
    ordered_from = _day(_("Ordered from"))
    ordered_to = _day(_("Ordered before"))
    again_from = _day(_("Ordered again from"))
    again_to = _day(_("Ordered again before"))
    not_ordered_from = _day(_("No order from"))
    not_ordered_to = _day(_("No order before"))
    rule = filters.ModelChoiceFilter(
        method="by_rule",
        queryset=lambda request: CrossSellRule.objects.all(),
        label=_("Cross-sell rule"),
        empty_label=_("All"),
    )
    view = filters.ChoiceFilter(method="by_view", choices=Pulse.VIEWS, label=_("Own view"), empty_label=_("All"))
    differs = filters.ChoiceFilter(
        method="by_difference",
        choices=[
            ("any", _("By a colour or more")),
            ("worse", _("The person sees it worse")),
            ("better", _("The person sees it better")),
        ],
        label=_("Score and own view differ"),
        empty_label=_("All"),
    )
    fact = _kept(lambda: _fact_kinds(), _("Kind of fact"))
    fact_is = _kept(lambda: list(FACT_STATES.items()), _("The fact is"))
    health_from = _day(_("Health before, on"))
    health_before = _kept(_bands_or_none, _("Health before"))
    health_to = _day(_("Health after, on"))
    health_after = _kept(_bands_or_none, _("Health after"))
    week_from = _points("week_change", "gte", _("Health points in a week, from"))
    week_to = _points("week_change", "lte", _("Health points in a week, up to"))
    month_from = _points("month_change", "gte", _("Health points in a month, from"))
    month_to = _points("month_change", "lte", _("Health points in a month, up to"))
    owner_a = filters.ChoiceFilter(
        method="by_owner_a", choices=lambda: _all_owners(), label=_("A owner"), empty_label=_("All"), widget=LongSelect
    )
    team = filters.ModelChoiceFilter(
        method="by_team",
        queryset=lambda request: Team.objects.all(),
        label=_("Team of the A owner"),
        empty_label=_("All"),
    )
    lapsed_from = _day(_("Lapsed from"))
    lapsed_to = _day(_("Lapsed up to"))
    lapsed_why = _kept(list(LAPSE_CLASSES.items()), _("Lapsed because of"))
    came_from = _day(_("First order from"))
    came_to = _day(_("First order before"))
    referred = filters.ChoiceFilter(method="by_referral", choices=_YES_NO, label=_("By referral"), empty_label=_("All"))
    tier_then = _kept(_tiers_or_none, _("Tier then"))
    then = _day(_("Then"))
    saved_joined_from = _day(_("Joined the segment since"))
    saved_left_from = _day(_("Left the segment since"))

    more = frozenset({
        "saved", "stage", "r", "f", "m", "money_from", "money_to", "clv_from", "clv_to", "by_wholesale", "by_callback",
        "by_sales_team", "pinned", "drift", "closed", "moved_from", "moved_to", "tier_before", "tier_after",
        "ordered_from", "ordered_to", "again_from", "again_to", "not_ordered_from", "not_ordered_to", "rule",
        "saved_joined_from", "saved_left_from", "warned", "lapse_from", "lapse_to", "no_forecast", "at_risk_from",
        "at_risk_to", "warned_from", "warned_to", "view", "differs", "fact", "fact_is", "health_from", "health_before",
        "health_to", "health_after", "week_from", "week_to", "month_from", "month_to", "owner_a", "team",
        "lapsed_from", "lapsed_to", "lapsed_why", "came_from", "came_to", "referred", "tier_then", "then",
    })  # fmt: skip
    on_demand = frozenset({
        "again_from", "again_to", "rule", "saved_joined_from", "saved_left_from", "health_from", "health_before",
        "health_to", "health_after", "week_from", "week_to", "month_from", "month_to", "owner_a", "team",
        "lapsed_from", "lapsed_to", "lapsed_why", "came_from", "came_to", "referred", "tier_then", "then",
    })  # fmt: skip

    together = (
        frozenset({"moved_from", "tier_before", "moved_to", "tier_after"}),
        frozenset({"health_from", "health_before", "health_to", "health_after"}),
        frozenset({"fact", "fact_is"}),
        *(
            frozenset({f"{name}_from", f"{name}_to"})
            for name in (
                "ordered", "again", "not_ordered", "week", "month", "money", "clv", "lapse", "at_risk", "warned",
            )
        ),
        frozenset({"saved", "saved_joined_from", "saved_left_from"}),
        frozenset({"lapsed_from", "lapsed_to", "lapsed_why"}),
        frozenset({"came_from", "came_to"}),
        frozenset({"tier_then", "then"}),
    )  # fmt: skip

    class Meta:
        model = Customer
        fields: list[str] = []

    def __init__(self, *args: Any, day: dt.date | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.day = day or current_tenant().today()

    def get_form_class(self) -> Any:
        return type("CustomerFilterForm", (_CustomerFilterForm, super().get_form_class()), {"day": self.day})

    @property
    def form(self) -> Any:
        is_new = not hasattr(self, "_form")
        form = super().form
        if is_new and "rule" in form.fields:
            # All rules would be hundreds of choices: offered is the one that a page has led here with.
            form.fields["rule"].widget.choices = _chosen_rule(form["rule"].value())
        return form

    def filter_queryset(self, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        rows: QuerySet[Customer] = super().filter_queryset(queryset)
        asked = defaultdict(str, self.form.cleaned_data)  # what is left out is not asked for
        rows = _moved(rows, asked, self.day)
        rows = _recoloured(rows, asked, self.day)
        if asked["came_from"] or asked["came_to"]:
            rows = first_ordered_between(rows, asked["came_from"] or dt.date.min, asked["came_to"] or dt.date.max)
        if asked["tier_then"] and asked["then"]:
            rows = had_tier_first_known(rows, asked["then"], "" if asked["tier_then"] == NOBODY else asked["tier_then"])
        if asked["lapsed_from"] or asked["lapsed_to"] or asked["lapsed_why"]:
            first, last = asked["lapsed_from"] or self.day - LOOKS_BACK, asked["lapsed_to"] or self.day
            lapsed: Any = lapsed_between(rows, first, last, active_policy().section(TierPolicy).lapsed_days)
            rows = lapsed.filter(lapse_class=asked["lapsed_why"]) if asked["lapsed_why"] else lapsed
        if asked["fact"] and asked["fact_is"]:
            rows = quality.with_fact(rows, asked["fact"], asked["fact_is"])
        for first, last, narrow in (
            ("ordered_from", "ordered_to", figures.ordered_between),
            ("again_from", "again_to", figures.ordered_between),
            ("not_ordered_from", "not_ordered_to", figures.silent_between),
        ):
            if asked[first] or asked[last]:
                rows = narrow(rows, asked[first] or dt.date.min, asked[last] or dt.date.max)
        return rows

    def keep(self, rows: QuerySet[Customer], _name: str, _value: Any) -> QuerySet[Customer]:
        """What only makes sense together with others, `filter_queryset` asks once for all."""
        return rows

    def by_text(self, rows: Any, _name: str, text: str) -> QuerySet[Customer]:
        return named_like(rows, text)

    def by_code(self, rows: QuerySet[Customer], name: str, code: str) -> QuerySet[Customer]:
        """By a code that a customer may have none of: before its first night, and without an order."""
        if code == NOBODY:
            return rows.filter(Q(**{name: ""}) | Q(**{f"{name}__isnull": True}))
        return rows.filter(**{name: code})

    def by_stage(self, rows: QuerySet[Customer], _name: str, stage: str) -> QuerySet[Customer]:
        return in_stage(rows, [stage])

    def by_team(self, rows: QuerySet[Customer], _name: str, team: Team) -> QuerySet[Customer]:
        # As numbers, not as a join: the planner knows how many customers each of them has.
        return rows.filter(owner_a__in=list(Member.objects.filter(team=team).values_list("pk", flat=True)))

    def by_referral(self, rows: QuerySet[Customer], _name: str, answer: str) -> QuerySet[Customer]:
        return referred(rows, is_referred=answer == "yes")

    def by_risk(self, rows: QuerySet[Customer], _name: str, risk: str) -> QuerySet[Customer]:
        if risk == "idle":
            return red_without_action(rows, self.day)
        return customers_with_alert(rows) if risk == "alert" else customers_at_risk(rows)

    def by_owner(self, rows: QuerySet[Customer], _name: str, owner: str) -> QuerySet[Customer]:
        if owner == NOBODY:
            return rows.filter(owner_a__isnull=True)
        return rows.filter(Q(owner_a=owner) | Q(owner_b=owner))

    def by_owner_a(self, rows: QuerySet[Customer], _name: str, owner: str) -> QuerySet[Customer]:
        return rows.filter(owner_a__isnull=True) if owner == NOBODY else rows.filter(owner_a=int(owner))

    def by_pin(self, rows: QuerySet[Customer], _name: str, answer: str) -> QuerySet[Customer]:
        pins = Exists(TierPin.objects.in_force(self.day).filter(customer=OuterRef("pk")))
        return rows.filter(pins if answer == "yes" else ~pins)

    def by_drift(self, rows: QuerySet[Customer], _name: str, answer: str) -> QuerySet[Customer]:
        return figures.drifting(rows) if answer == "yes" else figures.steady(rows)

    def by_warning(self, rows: QuerySet[Customer], _name: str, answer: str) -> QuerySet[Customer]:
        if answer == "no":
            return rows.exclude(Q(is_warned=True))
        # Asked for by stage or money as well, they are found in one walk along an index of the standings.
        asked = self.form.cleaned_data
        is_standing = any(asked.get(name) not in EMPTY_VALUES for name in ("stage", "money_from", "money_to"))
        return rows.filter(**{"standing_warned" if is_standing else "is_warned": True})

    def by_closing(self, rows: QuerySet[Customer], _name: str, answer: str) -> QuerySet[Customer]:
        return rows.filter(closed_on__isnull=answer == "no")

    def by_view(self, rows: QuerySet[Customer], _name: str, band: str) -> QuerySet[Customer]:
        return health_figures.viewed_as(rows, band)

    def by_difference(self, rows: QuerySet[Customer], _name: str, view: health_figures.View) -> QuerySet[Customer]:
        return health_figures.disagreeing(rows, view)

    def by_rule(self, rows: QuerySet[Customer], _name: str, rule: CrossSellRule) -> QuerySet[Customer]:
        """Whom the rule's consequent could be offered: closed customers are left out, as in `figures.candidates`."""
        return figures.could_be_offered(rows.filter(closed_on__isnull=True), rule)

    def by_saved(self, rows: QuerySet[Customer], _name: str, segment: SavedSegment) -> QuerySet[Customer]:
        asked = self.form.cleaned_data
        return of_segment(
            rows, segment, joined_from=asked.get("saved_joined_from"), left_from=asked.get("saved_left_from")
        )


class _CustomerFilterForm(forms.Form):
    """What the filters must not contradict."""

    day: dt.date

    def clean(self) -> dict[str, Any]:
        asked: dict[str, Any] = super().clean() or self.cleaned_data
        said = {name for name, value in asked.items() if value not in EMPTY_VALUES}
        if "moved_from" not in said and ("tier_before" in said or ("moved_to" in said and "tier_after" not in said)):
            self._say("moved_from", _("Say the day on which the tier was that one."))
        if "health_from" not in said and (
            "health_before" in said or ("health_to" in said and "health_after" not in said)
        ):
            self._say("health_from", _("Say the day on which the colour was that one."))
        if "fact" in said and "fact_is" not in said:
            self._say("fact_is", _("Say whether it is to be there, fresh, stale or missing."))
        if "fact_is" in said and "fact" not in said:
            self._say("fact", _("Say which kind of fact."))
        if ("tier_then" in said) != ("then" in said):
            self._say("then", _("Say which tier, and on which day."))
        for first, last in (
            ("moved_from", "moved_to"),
            ("ordered_from", "ordered_to"),
            ("again_from", "again_to"),
            ("not_ordered_from", "not_ordered_to"),
            ("health_from", "health_to"),
            ("week_from", "week_to"),
            ("month_from", "month_to"),
            ("money_from", "money_to"),
            ("clv_from", "clv_to"),
            ("lapse_from", "lapse_to"),
            ("at_risk_from", "at_risk_to"),
            ("warned_from", "warned_to"),
            ("lapsed_from", "lapsed_to"),
            ("came_from", "came_to"),
        ):
            if first in said and last in said and asked[first] > asked[last]:
                self._say(last, _("This lies below the beginning of the range."))
        if "saved" not in said:
            for name in ("saved_joined_from", "saved_left_from"):
                if name in said:
                    self._say(name, _("Say which saved segment."))
        elif {"saved_joined_from", "saved_left_from"} <= said:
            self._say("saved_left_from", _("Ask for those who joined or for those who left."))
        return asked

    def _say(self, name: str, words: Any) -> None:
        if name not in self.errors:
            self.add_error(name, words)


def _moved(rows: QuerySet[Customer], asked: Mapping[str, Any], day: dt.date) -> QuerySet[Customer]:
    """By the tier on a day, on a later one (without one: now), or both; without tiers those who changed between."""
    start, end = asked["moved_from"], asked["moved_to"] or day
    before, after = ("" if tier == NOBODY else tier for tier in (asked["tier_before"], asked["tier_after"]))
    if asked["tier_before"]:
        rows = figures.had_tier(rows, start, before)
    if asked["tier_after"]:
        rows = figures.had_tier(rows, end, after)
    if start and not asked["tier_before"] and not asked["tier_after"]:
        rows = figures.changed_between(rows, start, end)
    return rows


def _recoloured(rows: QuerySet[Customer], asked: Mapping[str, Any], day: dt.date) -> QuerySet[Customer]:
    """By the colour on a day, on a later one (without one: now), or both; alone the days: who changed between."""
    start, end = asked["health_from"], asked["health_to"] or day
    none = health_figures.NOT_SCORED
    before, after = (
        none if band == NOT_SCORED else band for band in (asked["health_before"], asked["health_after"])
    )  # fmt: skip
    if asked["health_before"]:
        rows = health_figures.had_band(rows, start, before)
    if asked["health_after"]:
        rows = health_figures.had_band(rows, end, after)
    if start and not asked["health_before"] and not asked["health_after"]:
        rows = health_figures.recoloured_between(rows, start, end)
    return rows


def _saved(request: Any) -> QuerySet[SavedSegment]:
    # A saved segment is somebody's: where nobody asks, there is none.
    member = getattr(request, "member", None)
    rows: QuerySet[SavedSegment] = SavedSegment.objects.all()
    return rows.none() if member is None else SavedSegment.objects.visible_to(member)


def _chosen_rule(value: Any) -> list[tuple[str, Any]]:
    number = id_number(str(value or ""))
    rule = None if number is None else CrossSellRule.objects.filter(pk=number).first()
    if rule is None:
        return [("", _("All"))]
    labels = figures.item_labels({rule.antecedent, rule.consequent})
    return [("", _("All")), (str(rule.pk), f"{labels[rule.antecedent]} → {labels[rule.consequent]}")]


def owners() -> list[tuple[str, Any]]:
    roles = [role for role in Role if "follow-ups:write" in permissions_of(role)]
    return _people(Member.objects.filter(is_active=True, role__in=roles))


def _all_owners() -> list[tuple[str, Any]]:
    # Also who has left: their customers are still theirs until somebody moves them.
    return _people(Member.objects.filter(pk__in=Customer.objects.values("owner_a")))


def _people(members: QuerySet[Member]) -> list[tuple[str, Any]]:
    # Of hundreds of people, making objects of them took longer than the rest of the list.
    named = members.order_by("user__name", "pk").values_list("pk", "user__name", "user__email")
    return [*((str(pk), name or email) for pk, name, email in named), (NOBODY, _("nobody"))]


def _fact_kinds() -> list[tuple[str, Any]]:
    return [*FACT_KINDS.items(), ("any", _("any of them"))]


def _countries() -> list[tuple[str, str]]:
    return [(name, name) for name in countries() if name]


class ForecastPageFilter(CustomerPageFilter):
    """The same of the forecast's list, which asks about warnings first."""

    more = frozenset(CustomerPageFilter.base_filters) - {"q", "warned", "lapse_from", "tier", "health", "owner"}


class CrossSellPageFilter(CrossSellRuleFilter):
    """Cross-sell rules by what people call A and B, not by their keys."""

    antecedent = None
    consequent = None
