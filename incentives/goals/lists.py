"""The list of goals: its rows, filters and columns; the filters serve the API, too."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, ClassVar, cast

import django_filters as filters
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from incentives.kpis.words import kpi_choices, kpi_title, period_words, shown
from incentives.models import Goal
from incentives.rules.kpis import KPIS, Code, Period
from tenants.filters import StrictFilterSet, members, updated_since
from tenants.models import Member, Team
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn


def goal_rows(member: Member) -> QuerySet[Goal]:
    """The goals that a member sees, with whose they are."""
    rows: QuerySet[Goal] = Goal.objects.visible_to(member).select_related("team", "member__user", "owner__user")
    return rows


def teams(_request: Any) -> QuerySet[Team]:
    return Team.objects.order_by("name", "pk")


class GoalFilter(StrictFilterSet):
    """Serves the page and the API."""

    quarter = filters.DateFilter(method="of_quarter", label=gettext_lazy("Quarter, any of its days"))
    kpi = filters.ChoiceFilter(choices=kpi_choices, label=gettext_lazy("KPI"))
    state = filters.ChoiceFilter(choices=Goal.State.choices, label=gettext_lazy("State"))
    verdict = filters.ChoiceFilter(choices=Goal.Verdict.choices, label=gettext_lazy("Verdict"))
    owner = filters.ModelChoiceFilter(queryset=members, label=gettext_lazy("Who answers for it"))
    team = filters.ModelChoiceFilter(queryset=teams, label=gettext_lazy("Team"))
    updated_since = updated_since()
    on_demand = frozenset({"updated_since"})

    class Meta:
        model = Goal
        fields: ClassVar[list[str]] = []

    def of_quarter(self, rows: QuerySet[Any], _name: str, value: dt.date) -> QuerySet[Any]:
        return rows.filter(quarter=Period.of("quarter", value).start)


def quarter_words(day: dt.date) -> str:
    return period_words(Period.of("quarter", day))


def of_words(goal: Goal) -> str:
    """Whose goal it is."""
    return str(goal.member or goal.team or _("The whole firm"))


def goal_value(goal: Goal, value: Decimal | None) -> str:
    return shown(KPIS[cast(Code, goal.kpi)], value)


class GoalTable(PageTable):
    """Goals, the newest quarter first."""

    title = PlainColumn(verbose_name=gettext_lazy("What is to get better"))
    quarter = WordsColumn(quarter_words, verbose_name=gettext_lazy("Quarter"))
    of = PlainColumn(verbose_name=gettext_lazy("Of"), accessor="pk", orderable=False)
    kpi = PlainColumn(verbose_name=gettext_lazy("Measured by"))
    baseline = PlainColumn(verbose_name=gettext_lazy("Baseline"), orderable=False, attrs={"td": {"class": "num"}})
    target = PlainColumn(verbose_name=gettext_lazy("Target"), orderable=False, attrs={"td": {"class": "num"}})
    result = PlainColumn(
        verbose_name=gettext_lazy("Result"), orderable=False, empty_values=(), attrs={"td": {"class": "num"}}
    )
    state = ChoiceColumn(Goal.State.choices, verbose_name=gettext_lazy("State"))
    verdict = ChoiceColumn(Goal.Verdict.choices, verbose_name=gettext_lazy("Verdict"))
    owner = PlainColumn(verbose_name=gettext_lazy("Who answers for it"), order_by=("owner.user.name",))
    standard = PlainColumn(
        verbose_name=gettext_lazy("What became standard"), orderable=False, attrs={"td": {"class": "wrap"}}
    )
    fixed = ("title", "state")
    extra = ("standard",)

    class Meta(PageTable.Meta):
        pass

    def render_title(self, value: str, record: Goal) -> str:
        address = reverse("goal", kwargs={"tenant": self.request.tenant.slug, "pk": record.pk})
        return format_html('<a href="{}">{}</a>', address, value)

    def value_title(self, value: str) -> str:
        return value

    def render_of(self, record: Goal) -> str:
        return of_words(record)

    def render_kpi(self, value: str) -> str:
        return kpi_title(cast(Code, value))

    def render_baseline(self, value: Decimal, record: Goal) -> str:
        return goal_value(record, value)

    def value_baseline(self, value: Decimal) -> Decimal:
        return value

    def render_target(self, value: Decimal, record: Goal) -> str:
        return goal_value(record, value)

    def value_target(self, value: Decimal) -> Decimal:
        return value

    def render_result(self, value: Decimal | None, record: Goal) -> str:
        return goal_value(record, value)

    def value_result(self, value: Decimal | None) -> Decimal | None:
        return value

    def value_owner(self, record: Goal) -> str:
        return str(record.owner)
