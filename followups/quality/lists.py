"""The lists of quality review: the sample and mystery visits; their rows, filters and columns."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar, Final

import django_filters as filters
from django import forms
from django.db.models import Case, CharField, F, Q, QuerySet, Value, When
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy, pgettext_lazy

from customers.models import Channel, TouchKind
from followups.models import MysteryVisit, Problem, QualityReview
from followups.quality import services as quality
from tenants.context import current_tenant
from tenants.filters import StrictFilterSet, members, updated_since
from tenants.models import Member
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn
from tenants.templatetags.perennial import day, moment, month_year

STATES: Final = [
    ("waiting", pgettext_lazy("review", "not reviewed yet")),
    ("good", pgettext_lazy("review", "without a problem")),
    ("problem", pgettext_lazy("review", "measure open")),
    ("late", pgettext_lazy("review", "measure late")),
    ("done", pgettext_lazy("review", "measure done")),
]


def _state(today: dt.date, waiting: Q | None) -> Case:
    """How far a row has come: reviewed or not, without a problem, measure open, late or done."""
    whens = [When(waiting, then=Value("waiting"))] if waiting is not None else []
    return Case(
        *whens,
        When(problem_kind="", then=Value("good")),
        When(measure_done_on__isnull=False, then=Value("done")),
        When(measure_due_on__lt=today, then=Value("late")),
        default=Value("problem"),
        output_field=CharField(),
    )


def review_rows(member: Member) -> QuerySet[QualityReview]:
    """Reviews that the member sees, with `state`."""
    rows: QuerySet[QualityReview] = (
        QualityReview.objects.visible_to(member)
        .annotate(state=_state(current_tenant().today(), Q(reviewed_at__isnull=True)), at=F("interaction__at"))
        .select_related("customer", "interaction", "member__user", "reviewer__user")
    )
    return rows


def visit_rows(member: Member) -> QuerySet[MysteryVisit]:
    """Mystery visits, with `state`."""
    rows: QuerySet[MysteryVisit] = (
        MysteryVisit.objects.visible_to(member)
        .annotate(state=_state(current_tenant().today(), None))
        .select_related("member__user", "visitor__user")
    )
    return rows


def _date() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class ReviewFilter(StrictFilterSet):
    """Serves the page and the API."""

    month = filters.DateFilter(method="of_month", label=gettext_lazy("Month, any of its days"), widget=_date())
    member = filters.ModelChoiceFilter(queryset=members, label=gettext_lazy("Whose contact"))
    state = filters.ChoiceFilter(choices=STATES, label=gettext_lazy("Status"))
    problem_kind = filters.ChoiceFilter(choices=Problem.choices, label=gettext_lazy("Kind of problem"))
    since = filters.DateFilter(field_name="month", lookup_expr="gte", label=gettext_lazy("Months from"), widget=_date())
    until = filters.DateFilter(
        field_name="month", lookup_expr="lt", label=gettext_lazy("Months before"), widget=_date()
    )
    updated_since = updated_since()
    on_demand = frozenset({"since", "until", "updated_since"})

    class Meta:
        model = QualityReview
        fields: ClassVar[list[str]] = []

    def of_month(self, rows: QuerySet[Any], _name: str, value: dt.date) -> QuerySet[Any]:
        return rows.filter(month=value.replace(day=1))


class VisitFilter(StrictFilterSet):
    """Serves the page and the API."""

    member = filters.ModelChoiceFilter(queryset=members, label=gettext_lazy("Whom they met"))
    visitor = filters.ModelChoiceFilter(queryset=members, label=gettext_lazy("By"))
    channel = filters.ChoiceFilter(choices=Channel.choices, label=gettext_lazy("Channel"))
    state = filters.ChoiceFilter(choices=STATES[1:], label=gettext_lazy("Status"))
    since = filters.DateFilter(field_name="on", lookup_expr="gte", label=gettext_lazy("On or after"), widget=_date())
    until = filters.DateFilter(field_name="on", lookup_expr="lte", label=gettext_lazy("On or before"), widget=_date())
    updated_since = updated_since()
    on_demand = frozenset({"updated_since"})

    class Meta:
        model = MysteryVisit
        fields: ClassVar[list[str]] = []


class _FindingsTable(PageTable):
    score = PlainColumn(verbose_name=gettext_lazy("Score"), attrs={"td": {"class": "num"}})
    state = ChoiceColumn(STATES, verbose_name=gettext_lazy("Status"))
    problem_kind = ChoiceColumn(Problem.choices, verbose_name=gettext_lazy("Kind of problem"))
    problem = PlainColumn(verbose_name=gettext_lazy("Problem"), orderable=False, attrs={"td": {"class": "wrap"}})
    cause = PlainColumn(verbose_name=gettext_lazy("Cause"), orderable=False, attrs={"td": {"class": "wrap"}})
    measure = PlainColumn(verbose_name=gettext_lazy("Measure"), orderable=False, attrs={"td": {"class": "wrap"}})
    measure_due_on = WordsColumn(day, verbose_name=gettext_lazy("Measure until"))
    measure_done_on = WordsColumn(day, verbose_name=gettext_lazy("Measure done"))

    class Meta(PageTable.Meta):
        pass

    def link(self, name: str, pk: int, words: str) -> str:
        """The words as a link to the form of a row, which opens over the list."""
        address = reverse(name, kwargs={"tenant": self.request.tenant.slug, "pk": pk})
        return format_html('<a href="{}" hx-get="{}" hx-target="#dialog-body">{}</a>', address, address, words)


class ReviewTable(_FindingsTable):
    """The sample, and what was found."""

    at = WordsColumn(moment, verbose_name=gettext_lazy("Contact"))
    customer = PlainColumn(verbose_name=gettext_lazy("Customer"), order_by=("customer.search_name",))
    member = PlainColumn(verbose_name=gettext_lazy("Whose contact"), order_by=("member.user.name",))
    channel = ChoiceColumn(
        Channel.choices,
        verbose_name=gettext_lazy("Channel"),
        accessor="interaction.channel",
        order_by=("interaction.channel",),
    )
    kind = ChoiceColumn(
        TouchKind.choices,
        verbose_name=gettext_lazy("Kind"),
        accessor="interaction.kind",
        order_by=("interaction.kind",),
    )
    note = PlainColumn(
        verbose_name=gettext_lazy("Note"), accessor="interaction.note", orderable=False, attrs={"td": {"class": "wrap"}}
    )
    month = WordsColumn(month_year, verbose_name=gettext_lazy("Month"))
    reviewer = PlainColumn(verbose_name=gettext_lazy("Reviewed by"), order_by=("reviewer.user.name",))
    fixed = ("at", "state")
    extra = ("kind", "month", "reviewer", "measure_done_on")

    class Meta(PageTable.Meta):
        sequence = ("at", "customer", "member", "channel", "note", "state", "score", "...")

    def render_at(self, value: dt.datetime, record: Any) -> str:
        words = moment(value)
        if quality.may_review(record, self.request.member):
            return self.link("quality-review", record.pk, words)
        return words

    def value_at(self, value: dt.datetime) -> str:
        return value.isoformat()

    def render_customer(self, record: Any) -> str:
        address = reverse("customer", kwargs={"tenant": self.request.tenant.slug, "pk": record.customer_id})
        return format_html('<a href="{}">{}</a>', address, record.customer.name)

    def value_customer(self, record: Any) -> str:
        return str(record.customer.name)

    def value_member(self, record: Any) -> str:
        return str(record.member)

    def value_reviewer(self, record: Any) -> str:
        return str(record.reviewer or "")


class VisitTable(_FindingsTable):
    """Mystery visits, newest first."""

    on = WordsColumn(day, verbose_name=gettext_lazy("Day"))
    channel = ChoiceColumn(Channel.choices, verbose_name=gettext_lazy("Channel"))
    place = PlainColumn(verbose_name=gettext_lazy("Where"))
    member = PlainColumn(verbose_name=gettext_lazy("Whom they met"), order_by=("member.user.name",))
    visitor = PlainColumn(verbose_name=gettext_lazy("By"), order_by=("visitor.user.name",))
    scene = PlainColumn(
        verbose_name=gettext_lazy("What was asked for"), orderable=False, attrs={"td": {"class": "wrap"}}
    )
    fixed = ("on",)
    extra = ("measure_done_on",)

    class Meta(PageTable.Meta):
        sequence = ("on", "channel", "place", "member", "scene", "state", "score", "...", "visitor")

    def render_on(self, value: dt.date, record: Any) -> str:
        if self.request.member.can("mystery-visits:write"):
            return self.link("mystery-visit", record.pk, day(value))
        return day(value)

    def value_on(self, value: dt.date) -> dt.date:
        return value

    def value_member(self, record: Any) -> str:
        return str(record.member or "")

    def value_visitor(self, record: Any) -> str:
        return str(record.visitor)
