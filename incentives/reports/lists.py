"""The list of reports: its filters, which serve the API too, and its columns."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

import django_filters as filters
from django import forms
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy

from incentives.kpis.words import period_words
from incentives.models import Report
from incentives.reports.services import period_of, visible
from incentives.reports.words import whose_words
from tenants.filters import IdFilter, StrictFilterSet
from tenants.models import Member
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn
from tenants.templatetags.perennial import day, moment


def report_rows(member: Member) -> QuerySet[Any]:
    """The reports that a member sees, without what they say."""
    rows: QuerySet[Any] = visible(member).defer("facts")
    return rows


def _day(lookup: str, label: Any) -> filters.DateFilter:
    return filters.DateFilter(
        field_name="start", lookup_expr=lookup, label=label, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )


class ReportFilter(StrictFilterSet):
    """Serves the page and the API."""

    kind = filters.ChoiceFilter(choices=Report.Kind.choices, label=gettext_lazy("Kind"))
    since = _day("gte", gettext_lazy("Begins on or after"))
    until = _day("lte", gettext_lazy("Begins on or before"))
    team = IdFilter(field_name="team_id", label=gettext_lazy("Team"))
    member = IdFilter(field_name="member_id", label=gettext_lazy("Person"))
    on_demand = frozenset({"team", "member"})

    class Meta:
        model = Report
        fields: ClassVar[list[str]] = []


class ReportTable(PageTable):
    """Reports, the newest first."""

    start = PlainColumn(verbose_name=gettext_lazy("Period"))
    kind = ChoiceColumn(Report.Kind.choices, verbose_name=gettext_lazy("Kind"), orderable=False)
    whose = PlainColumn(verbose_name=gettext_lazy("Of"), accessor="pk", orderable=False)
    as_of = WordsColumn(day, verbose_name=gettext_lazy("Facts before"), orderable=False)
    made_at = WordsColumn(moment, verbose_name=gettext_lazy("Made"), orderable=False)
    fixed: ClassVar[tuple[str, ...]] = ("start",)

    class Meta(PageTable.Meta):
        pass

    def render_start(self, record: Report) -> str:
        address = reverse("report", kwargs={"tenant": self.request.tenant.slug, "pk": record.pk})
        return format_html('<a class="row-link" href="{}">{}</a>', address, period_words(period_of(record)))

    def value_start(self, value: dt.date) -> dt.date:
        return value

    def render_whose(self, record: Report) -> str:
        return whose_words(record)

    def value_whose(self, record: Report) -> str:
        return whose_words(record)

    def value_as_of(self, value: dt.date) -> dt.date:
        return value

    def value_made_at(self, value: dt.datetime) -> dt.datetime:
        return value
