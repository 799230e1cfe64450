"""The list of medals: its rows, filters and columns; the filters serve the API, too."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

import django_filters as filters
from django import forms
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from incentives.awards.words import medal_why, month_words
from incentives.models import Medal
from incentives.rules.kpis import Period
from tenants.context import current_tenant
from tenants.filters import BooleanFilter, StrictFilterSet, members, updated_since
from tenants.models import Member
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn
from tenants.templatetags.perennial import day


def medal_rows(_member: Member) -> QuerySet[Any]:
    """All medals: honour is public. What was taken back stays to be read, with the reason."""
    rows: QuerySet[Any] = Medal.objects.select_related("member__user", "team", "given_by__user")
    return rows


class MedalFilter(StrictFilterSet):
    """Serves the page and the API."""

    month = filters.DateFilter(
        method="of_month",
        label=gettext_lazy("Month, any of its days"),
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
    )
    kind = filters.ChoiceFilter(choices=Medal.Kind.choices, label=gettext_lazy("Medal"))
    member = filters.ModelChoiceFilter(queryset=members, label=gettext_lazy("For"))
    held = BooleanFilter(field_name="ended_at", lookup_expr="isnull", label=gettext_lazy("Held"))
    updated_since = updated_since()
    on_demand = frozenset({"updated_since"})

    class Meta:
        model = Medal
        fields: ClassVar[list[str]] = []

    def of_month(self, rows: QuerySet[Any], _name: str, value: dt.date) -> QuerySet[Any]:
        return rows.filter(month=Period.of("month", value).start)


def ended_words(medal: Medal) -> str:
    """That a medal was taken back, when and why; "" while it is held."""
    if medal.ended_at is None:
        return ""
    on = day(current_tenant().local_date(medal.ended_at))
    return _("taken back on %(day)s: %(why)s") % {"day": on, "why": medal.ended_why}


class MedalTable(PageTable):
    """Medals, the newest month first."""

    month = WordsColumn(month_words, verbose_name=gettext_lazy("Month"))
    kind = ChoiceColumn(Medal.Kind.choices, verbose_name=gettext_lazy("Medal"))
    member = PlainColumn(verbose_name=gettext_lazy("For"), order_by=("member.user.name",))
    team = PlainColumn(verbose_name=gettext_lazy("Team"), order_by=("team.name",))
    why = PlainColumn(
        verbose_name=gettext_lazy("Why"), accessor="facts", orderable=False, empty_values=(),
        attrs={"td": {"class": "wrap"}},
    )  # fmt: skip
    ended_at = PlainColumn(verbose_name=gettext_lazy("Taken back"), orderable=False, attrs={"td": {"class": "wrap"}})
    given_by = PlainColumn(verbose_name=gettext_lazy("Given by"), order_by=("given_by.user.name",))
    fixed = ("month", "kind", "member")
    extra = ("given_by",)
    indexed: ClassVar[dict[str, str]] = {"month": "pk"}

    class Meta(PageTable.Meta):
        pass

    def render_month(self, value: dt.date) -> str:
        code = Period.of("month", value).code
        address = reverse("award-month", kwargs={"tenant": self.request.tenant.slug, "code": code})
        return format_html('<a href="{}">{}</a>', address, month_words(value))

    def value_month(self, value: dt.date) -> dt.date:
        return value

    def value_member(self, record: Medal) -> str:
        return str(record.member)

    def value_team(self, record: Medal) -> str:
        return str(record.team or "")

    def render_why(self, record: Medal) -> str:
        return medal_why(record)

    def value_why(self, record: Medal) -> str:
        return medal_why(record)

    def render_ended_at(self, record: Medal) -> str:
        return ended_words(record)

    def value_ended_at(self, record: Medal) -> str:
        return ended_words(record)

    def value_given_by(self, record: Medal) -> str:
        return str(record.given_by or "")
