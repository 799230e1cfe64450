"""The case library's list: its filters, which serve the API too, and its columns."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar, Final

import django_filters as filters
from django import forms
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

from risk.cases.services import cause_title, found_by, signal_title, tried_title
from risk.models import Alert, Case
from risk.rules.causes import CAUSES, TRIED
from tenants.filters import IdFilter, StrictFilterSet, updated_since
from tenants.models import Member
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn
from tenants.templatetags.perennial import day, short_money

CAUSE_CHOICES: Final = [(code, gettext_lazy(cause.title)) for code, cause in CAUSES.items()]
TRIED_CHOICES: Final = [(code, gettext_lazy(title)) for code, title in TRIED.items()]
ENDS: Final = [
    ("saved", pgettext_lazy("case", "saved")),
    ("lost", pgettext_lazy("case", "lost for good")),
    ("won_back", pgettext_lazy("case", "lost, and won back")),
    ("false_alarm", pgettext_lazy("case", "false alarm")),
    ("good", pgettext_lazy("case", "saved or won back")),
    ("decided", pgettext_lazy("case", "all but false alarms")),
]
_ENDS: Final = {
    "saved": Q(outcome=Case.Outcome.SAVED),
    "lost": Q(outcome=Case.Outcome.LOST, won_back_on__isnull=True),
    "won_back": Q(outcome=Case.Outcome.LOST, won_back_on__isnull=False),
    "false_alarm": Q(outcome=Case.Outcome.FALSE_ALARM),
    "good": Q(outcome=Case.Outcome.SAVED) | Q(outcome=Case.Outcome.LOST, won_back_on__isnull=False),
    "decided": ~Q(outcome=Case.Outcome.FALSE_ALARM),
}


def case_rows(member: Member) -> QuerySet[Case]:
    """Cases of customers that the member sees."""
    rows: QuerySet[Case] = Case.objects.visible_to(member).select_related("customer")
    return rows


class CaseFilter(StrictFilterSet):
    """By words, cause, class, how it ended and what was tried."""

    q = filters.CharFilter(method="said", label=gettext_lazy("Words"), widget=forms.TextInput({"type": "search"}))
    cause = filters.ChoiceFilter(choices=CAUSE_CHOICES, label=gettext_lazy("Cause"))
    risk_class = filters.ChoiceFilter(choices=Alert.RiskClass.choices, label=gettext_lazy("Class"))
    end = filters.ChoiceFilter(choices=ENDS, method="ended", label=gettext_lazy("How it ended"))
    tried = filters.ChoiceFilter(choices=TRIED_CHOICES, method="was_tried", label=gettext_lazy("What was tried"))
    signal = filters.ChoiceFilter(choices=Alert.Signal.choices, label=gettext_lazy("Signal"))
    customer = IdFilter(field_name="customer_id", label=gettext_lazy("Customer"))
    since = filters.DateFilter(
        field_name="closed_on", lookup_expr="gte", label=gettext_lazy("Closed from"),
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
    )  # fmt: skip
    until = filters.DateFilter(
        field_name="closed_on", lookup_expr="lte", label=gettext_lazy("Closed until"),
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
    )  # fmt: skip
    updated_since = updated_since()
    more = frozenset({"signal", "since", "until"})
    on_demand = frozenset({"customer", "updated_since"})

    class Meta:
        model = Case
        fields: ClassVar[list[str]] = []

    def said(self, rows: QuerySet[Any], _name: str, text: str) -> QuerySet[Any]:
        return found_by(rows, text)

    def ended(self, rows: QuerySet[Any], _name: str, end: str) -> QuerySet[Any]:
        return rows.filter(_ENDS[end])

    def was_tried(self, rows: QuerySet[Any], _name: str, code: str) -> QuerySet[Any]:
        return rows.filter(tried__contains=[code])


def end_words(case: Case) -> str:
    """How a case ended, in words: one that was lost may have come back."""
    if case.outcome == Case.Outcome.LOST and case.won_back_on is not None:
        return str(pgettext_lazy("case", "lost, and won back"))
    return str(case.get_outcome_display())


def tried_words(case: Case) -> str:
    """What was tried, in words; "" where nobody has said."""
    return pgettext("between words", ", ").join(tried_title(code) for code in case.tried)


class CaseTable(PageTable):
    """Kept cases, newest first."""

    closed_on = WordsColumn(day, verbose_name=gettext_lazy("Closed"))
    customer = PlainColumn(verbose_name=gettext_lazy("Customer"), orderable=False)
    cause = PlainColumn(verbose_name=gettext_lazy("Cause"), orderable=False)
    risk_class = ChoiceColumn(Alert.RiskClass.choices, verbose_name=gettext_lazy("Class"), orderable=False)
    signal = PlainColumn(verbose_name=gettext_lazy("Signal"), orderable=False)
    tried = PlainColumn(
        verbose_name=gettext_lazy("What was tried"), orderable=False, empty_values=(), attrs={"td": {"class": "wrap"}}
    )
    outcome = PlainColumn(verbose_name=gettext_lazy("How it ended"), orderable=False)
    money = WordsColumn(short_money, verbose_name=gettext_lazy("Yearly money"), orderable=False)
    lessons = PlainColumn(
        verbose_name=gettext_lazy("Lessons learned"), orderable=False, attrs={"td": {"class": "wrap"}}
    )
    text = PlainColumn(verbose_name=gettext_lazy("What happened"), orderable=False, attrs={"td": {"class": "wrap"}})
    won_back_on = WordsColumn(day, verbose_name=gettext_lazy("Won back"), orderable=False)
    fixed = ("customer",)
    extra: ClassVar[tuple[str, ...]] = ("signal", "text", "won_back_on")
    indexed: ClassVar[dict[str, str]] = {"closed_on": "pk"}

    class Meta(PageTable.Meta):
        pass

    def render_customer(self, record: Any) -> str:
        address = reverse("case", kwargs={"tenant": self.request.tenant.slug, "pk": record.pk})
        return format_html('<a class="row-link" href="{}">{}</a>', address, record.customer.name)

    def value_customer(self, record: Any) -> str:
        return str(record.customer.name)

    def value_closed_on(self, value: dt.date) -> dt.date:
        return value

    def render_cause(self, value: str) -> str:
        return cause_title(value)

    def render_signal(self, record: Any) -> str:
        return signal_title(record.signal) or "–"

    def value_signal(self, record: Any) -> str:
        return signal_title(record.signal)

    def render_tried(self, record: Any) -> str:
        return tried_words(record) or "–"

    def value_tried(self, record: Any) -> str:
        return tried_words(record)

    def render_outcome(self, record: Any) -> str:
        return end_words(record)

    def value_outcome(self, record: Any) -> str:
        return end_words(record)
