"""The lists of growth: certifications and trainings; filters for pages and API, and columns."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

import django_filters as filters
from django import forms
from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Prefetch,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from customers.models import Customer
from incentives.growth.words import STANDS, score_words, training_words
from incentives.kpis.words import period_words
from incentives.models import Certification, PromotionNote, Training, TrainingCustomer
from incentives.rules.kpis import Period
from tenants.context import current_tenant
from tenants.filters import BooleanFilter, StrictFilterSet, members, updated_since
from tenants.models import Member, Team
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn
from tenants.templatetags.perennial import day

# ── certifications ──────────────────────────────────────────────────────────


def certification_rows(member: Member) -> QuerySet[Any]:
    """The certifications that a member sees, with who they are of and by."""
    rows: QuerySet[Any] = Certification.objects.visible_to(member)
    return rows.select_related(
        "member__user", "member__team", "reviewer__user", "scored_by__user", "confirmed_by__user"
    )


def teams(_request: Any) -> QuerySet[Team]:
    return Team.objects.order_by("name", "pk")


class CertificationFilter(StrictFilterSet):
    """Serves the page and the API."""

    quarter = filters.DateFilter(
        method="of_quarter",
        label=gettext_lazy("Quarter, any of its days"),
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
    )
    state = filters.ChoiceFilter(choices=Certification.State.choices, label=gettext_lazy("State"))
    passed = BooleanFilter(label=gettext_lazy("Passed"))
    member = filters.ModelChoiceFilter(queryset=members, label=gettext_lazy("Who"))
    team = filters.ModelChoiceFilter(queryset=teams, field_name="member__team", label=gettext_lazy("Team"))
    reviewer = filters.ModelChoiceFilter(queryset=members, label=gettext_lazy("Reviewer"))
    updated_since = updated_since()
    more = frozenset({"reviewer"})
    on_demand = frozenset({"updated_since"})

    class Meta:
        model = Certification
        fields: ClassVar[list[str]] = []

    def of_quarter(self, rows: QuerySet[Any], _name: str, value: dt.date) -> QuerySet[Any]:
        return rows.filter(quarter=Period.of("quarter", value).start)


def quarter_words(on: dt.date) -> str:
    return period_words(Period.of("quarter", on))


def result_words(row: Certification) -> str:
    """Passed or not; empty while it is not scored."""
    if row.passed is None:
        return ""
    return _("passed") if row.passed else _("not passed")


def _score(label: Any) -> PlainColumn:
    return PlainColumn(verbose_name=label, accessor="pk", orderable=False, attrs={"td": {"class": "num"}})


class CertificationTable(PageTable):
    """Certifications, the newest quarter first."""

    member = PlainColumn(verbose_name=gettext_lazy("Who"), order_by=("member.user.name",))
    quarter = WordsColumn(quarter_words, verbose_name=gettext_lazy("Quarter"))
    team = PlainColumn(verbose_name=gettext_lazy("Team"), accessor="member.team", orderable=False)
    knowledge = _score(pgettext_lazy("dimension", "Knowledge"))
    communication = _score(pgettext_lazy("dimension", "Communication"))
    problems = _score(pgettext_lazy("dimension", "Problem solving"))
    coordination = _score(pgettext_lazy("dimension", "Coordination"))
    mean = WordsColumn(score_words, verbose_name=gettext_lazy("Mean"))
    passed = PlainColumn(verbose_name=gettext_lazy("Result"), empty_values=(), orderable=False)
    state = ChoiceColumn(Certification.State.choices, verbose_name=gettext_lazy("State"))
    reviewer = PlainColumn(verbose_name=gettext_lazy("Reviewer"), orderable=False)
    confirmed_by = PlainColumn(verbose_name=gettext_lazy("Confirmed by"), orderable=False)
    fixed = ("member", "quarter")
    extra = ("team", "confirmed_by")
    needs: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("knowledge", "communication", "problems", "coordination"), "scores"
    )

    class Meta(PageTable.Meta):
        pass

    def render_member(self, record: Certification) -> str:
        address = reverse("certification", kwargs={"tenant": self.request.tenant.slug, "pk": record.pk})
        return format_html('<a href="{}">{}</a>', address, record.member)

    def value_member(self, record: Certification) -> str:
        return str(record.member)

    def value_team(self, record: Certification) -> str:
        return str(record.member.team or "")

    def value_reviewer(self, record: Certification) -> str:
        return str(record.reviewer or "")

    def value_confirmed_by(self, record: Certification) -> str:
        return str(record.confirmed_by or "")

    def render_passed(self, record: Certification) -> str:
        return result_words(record) or "–"

    def value_passed(self, record: Certification) -> str:
        return result_words(record)

    def render_knowledge(self, record: Certification) -> str:
        return score_words(_of(record, "knowledge"))

    def value_knowledge(self, record: Certification) -> Decimal | None:
        return _of(record, "knowledge")

    def render_communication(self, record: Certification) -> str:
        return score_words(_of(record, "communication"))

    def value_communication(self, record: Certification) -> Decimal | None:
        return _of(record, "communication")

    def render_problems(self, record: Certification) -> str:
        return score_words(_of(record, "problems"))

    def value_problems(self, record: Certification) -> Decimal | None:
        return _of(record, "problems")

    def render_coordination(self, record: Certification) -> str:
        return score_words(_of(record, "coordination"))

    def value_coordination(self, record: Certification) -> Decimal | None:
        return _of(record, "coordination")


def _of(row: Certification, dimension: str) -> Decimal | None:
    return next((each.score for each in row.standing_scores if each.dimension == dimension), None)


# ── trainings ───────────────────────────────────────────────────────────────


def training_rows(member: Member) -> QuerySet[Any]:
    """The trainings that a member sees, with `done` customers and where each stands (`stand`)."""
    done = TrainingCustomer.objects.filter(training=OuterRef("pk"), done_on__isnull=False).order_by()
    count = done.values("training").annotate(number=Count("pk")).values("number")
    stand = Case(
        When(state=Training.State.ENDED, then=Value("ended")),
        When(state=Training.State.APPROVED, ready_on__gt=F("due_on"), then=Value("approved_late")),
        When(state=Training.State.APPROVED, then=Value("approved")),
        When(ready_on__isnull=False, then=Value("ready")),
        When(due_on__lt=current_tenant().today(), then=Value("late")),
        default=Value("open"),
        output_field=CharField(),
    )
    rows: QuerySet[Any] = Training.objects.visible_to(member).annotate(
        done=Coalesce(Subquery(count, output_field=IntegerField()), 0), stand=stand
    )
    return rows.select_related("member__user", "member__team", "mentor__user", "approved_by__user")


def with_customers(rows: QuerySet[Any], member: Member) -> QuerySet[Any]:
    """The same with their customers; `is_seen` says whether the member sees each."""
    seen = Customer.objects.visible_to(member).filter(pk=OuterRef("customer_id"))
    items = TrainingCustomer.objects.annotate(is_seen=Exists(seen)).select_related("customer").order_by("pk")
    return rows.prefetch_related(Prefetch("customers", queryset=items))


class TrainingFilter(StrictFilterSet):
    """Serves the page and the API."""

    stand = filters.ChoiceFilter(choices=list(STANDS.items()), label=gettext_lazy("State"))
    member = filters.ModelChoiceFilter(queryset=members, label=gettext_lazy("Who"))
    mentor = filters.ModelChoiceFilter(queryset=members, label=gettext_lazy("Mentor"))
    team = filters.ModelChoiceFilter(queryset=teams, field_name="member__team", label=gettext_lazy("Team"))
    updated_since = updated_since()
    on_demand = frozenset({"updated_since"})

    class Meta:
        model = Training
        fields: ClassVar[list[str]] = []


class TrainingTable(PageTable):
    """Trainings, those due last first."""

    title = PlainColumn(verbose_name=gettext_lazy("What is learned"))
    member = PlainColumn(verbose_name=gettext_lazy("Who"), order_by=("member.user.name",))
    mentor = PlainColumn(verbose_name=gettext_lazy("Mentor"), order_by=("mentor.user.name",))
    starts_on = WordsColumn(day, verbose_name=gettext_lazy("Begins"))
    due_on = WordsColumn(day, verbose_name=gettext_lazy("To be done by"))
    done = PlainColumn(verbose_name=gettext_lazy("Customers done"), orderable=False, attrs={"td": {"class": "num"}})
    stand = PlainColumn(verbose_name=gettext_lazy("State"), orderable=False)
    approved_on = WordsColumn(day, verbose_name=gettext_lazy("Approved on"), orderable=False)
    fixed = ("title", "stand")
    extra = ("approved_on",)

    class Meta(PageTable.Meta):
        pass

    def render_title(self, value: str, record: Training) -> str:
        address = reverse("training", kwargs={"tenant": self.request.tenant.slug, "pk": record.pk})
        return format_html('<a href="{}">{}</a>', address, value)

    def value_title(self, value: str) -> str:
        return value

    def value_member(self, record: Training) -> str:
        return str(record.member)

    def value_mentor(self, record: Training) -> str:
        return str(record.mentor)

    def render_done(self, record: Any) -> str:
        return _("%(done)s of %(wanted)s") % {"done": record.done, "wanted": record.wanted}

    def value_done(self, record: Any) -> int:
        return int(record.done)

    def render_stand(self, record: Training) -> str:
        return training_words(record, current_tenant().today())

    def value_stand(self, record: Any) -> str:
        return str(STANDS[record.stand])


# ── notes of promotion ──────────────────────────────────────────────────────


def note_rows(member: Member) -> QuerySet[Any]:
    """The notes of promotion that a member sees."""
    rows: QuerySet[Any] = PromotionNote.objects.visible_to(member)
    return rows.select_related("member__user", "member__team", "settled_by__user")


class NoteFilter(StrictFilterSet):
    """Serves the API."""

    member = filters.ModelChoiceFilter(queryset=members, label=gettext_lazy("Who"))
    outcome = filters.ChoiceFilter(
        choices=[each for each in PromotionNote.Outcome.choices if each[0]], label=gettext_lazy("What came of it")
    )
    settled = BooleanFilter(
        field_name="settled_on", lookup_expr="isnull", exclude=True, label=gettext_lazy("Talked about")
    )
    updated_since = updated_since()

    class Meta:
        model = PromotionNote
        fields: ClassVar[list[str]] = []
