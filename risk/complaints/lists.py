"""The board of complaints: its rows, filters and columns; the same filters serve the API."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar, Final

import django_filters as filters
from django import forms
from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy, pgettext_lazy

from customers.filters import ComplaintFilter
from customers.models import Complaint
from customers.search import named_like
from risk.complaints.services import OPEN, late
from risk.rules.complaints import NEXT
from tenants.context import current_tenant
from tenants.filters import BooleanFilter, members
from tenants.models import Member
from tenants.pages import ChoiceColumn, PageTable, PlainColumn, WordsColumn
from tenants.templatetags.perennial import moment

STATES: Final = [
    ("open", pgettext_lazy("complaints", "a step is to do")),
    ("late", pgettext_lazy("complaints", "a clock has run out")),
    ("solved", pgettext_lazy("complaints", "solved")),
    ("first_time", pgettext_lazy("complaints", "solved the first time")),
    ("not_first", pgettext_lazy("complaints", "solved, not the first time")),
    ("reopened", pgettext_lazy("complaints", "opened again")),
]
STEP_WORDS: Final = {
    "apologise": gettext_lazy("Apologise"),
    "promise": gettext_lazy("Record and promise a time"),
    "solve": gettext_lazy("Solve and report"),
    "call_back": gettext_lazy("Call back"),
}
DONE_LATE: Final = list(STEP_WORDS.items())
MET: Final = {
    "apologise": ("apologised_at", "apologise_by"),
    "promise": ("promised_at", "promise_by"),
    "solve": ("solved_at", "solve_by"),
    "call_back": ("called_back_at", "call_back_by"),
}


def missed(step: str, now: dt.datetime) -> Q:
    """Complaints whose step was done after its clock had run out, or is not done and it has."""
    done, due = MET[step]
    return Q(**{f"{done}__gt": F(due)}) | Q(**{f"{done}__isnull": True, f"{due}__lte": now})


def complaint_rows(member: Member) -> QuerySet[Complaint]:
    """Complaints of customers that the member sees."""
    rows: QuerySet[Complaint] = Complaint.objects.visible_to(member).select_related("customer", "assignee__user")
    return rows


class BoardFilter(ComplaintFilter):
    """The filters of the facts, and those of the way a complaint goes."""

    q = filters.CharFilter(method="named", label=gettext_lazy("Customer"), widget=forms.TextInput({"type": "search"}))
    state = filters.ChoiceFilter(choices=STATES, method="in_state", label=gettext_lazy("Show"))
    status = filters.ChoiceFilter(choices=Complaint.Status.choices, label=gettext_lazy("Status"))
    kind = filters.ChoiceFilter(choices=Complaint.Kind.choices, label=gettext_lazy("Kind"))
    assignee = filters.ModelChoiceFilter(queryset=members, label=gettext_lazy("Who looks after it"))
    step_late = filters.ChoiceFilter(choices=DONE_LATE, method="was_late", label=gettext_lazy("Too late"))
    routed = BooleanFilter(
        field_name="routed_at", lookup_expr="isnull", exclude=True, label=gettext_lazy("Handed to somebody")
    )
    since = filters.DateFilter(
        method="from_day", label=gettext_lazy("From"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    until = filters.DateFilter(
        method="until_day", label=gettext_lazy("Until"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    more = frozenset({"since", "until", "status"})
    on_demand = frozenset({"customer", "solved", "step_late", "routed", "updated_since"})

    class Meta:
        model = Complaint
        fields: ClassVar[list[str]] = []

    def named(self, rows: QuerySet[Any], _name: str, text: str) -> QuerySet[Any]:
        return named_like(rows, text, "customer_id")

    def in_state(self, rows: QuerySet[Any], _name: str, state: str) -> QuerySet[Any]:
        states = {
            "open": OPEN,
            "late": late(timezone.now()),
            "solved": Q(solved_at__isnull=False),
            "first_time": Q(solved_at__isnull=False, first_time=True),
            "not_first": Q(solved_at__isnull=False, first_time=False),
            "reopened": Q(reopened__gt=0),
        }
        return rows.filter(states[state])

    def was_late(self, rows: QuerySet[Any], _name: str, step: str) -> QuerySet[Any]:
        return rows.filter(missed(step, timezone.now()), routed_at__isnull=False)

    def from_day(self, rows: QuerySet[Any], _name: str, day: dt.date) -> QuerySet[Any]:
        return rows.filter(opened_at__gte=current_tenant().start_of(day))

    def until_day(self, rows: QuerySet[Any], _name: str, day: dt.date) -> QuerySet[Any]:
        return rows.filter(opened_at__lt=current_tenant().start_of(day + dt.timedelta(days=1)))


class BoardTable(PageTable):
    """Complaints, what is due first; what is closed comes last."""

    topic = PlainColumn(verbose_name=gettext_lazy("Complaint"), orderable=False)
    customer = PlainColumn(verbose_name=gettext_lazy("Customer"), orderable=False)
    kind = ChoiceColumn(Complaint.Kind.choices, verbose_name=gettext_lazy("Kind"), orderable=False)
    severity = ChoiceColumn(Complaint.Severity.choices, verbose_name=gettext_lazy("Severity"), orderable=False)
    status = ChoiceColumn(Complaint.Status.choices, verbose_name=gettext_lazy("Status"), orderable=False)
    step = PlainColumn(verbose_name=gettext_lazy("Now to do"), accessor="status", orderable=False)
    due_at = WordsColumn(moment, verbose_name=gettext_lazy("Until"))
    assignee = PlainColumn(verbose_name=gettext_lazy("Who looks after it"), orderable=False)
    opened_at = WordsColumn(moment, verbose_name=gettext_lazy("Opened"))
    promised_until = WordsColumn(moment, verbose_name=gettext_lazy("Promised until"), orderable=False)
    solved_at = WordsColumn(moment, verbose_name=gettext_lazy("Solved"), orderable=False)
    first_time = PlainColumn(verbose_name=gettext_lazy("Solved the first time"), orderable=False)
    reopened = PlainColumn(verbose_name=gettext_lazy("Opened again"), orderable=False, attrs={"td": {"class": "num"}})

    fixed = ("topic",)
    extra: ClassVar[tuple[str, ...]] = ("promised_until", "solved_at", "first_time", "reopened")
    indexed: ClassVar[dict[str, str]] = {"due_at": "pk", "opened_at": "pk"}

    class Meta(PageTable.Meta):
        pass

    def render_topic(self, record: Any) -> str:
        address = reverse("complaint", kwargs={"tenant": self.request.tenant.slug, "pk": record.pk})
        return format_html('<a class="row-link" href="{}">{}</a>', address, record.topic)

    def value_topic(self, record: Any) -> str:
        return str(record.topic)

    def render_customer(self, record: Any) -> str:
        address = reverse("customer", kwargs={"tenant": self.request.tenant.slug, "pk": record.customer_id})
        return format_html('<a href="{}">{}</a>', address, record.customer.name)

    def value_customer(self, record: Any) -> str:
        return str(record.customer.name)

    def render_step(self, record: Any) -> str:
        return str(STEP_WORDS.get(NEXT.get(record.status, ""), "–"))

    def value_step(self, record: Any) -> str:
        return str(NEXT.get(record.status, ""))

    def render_due_at(self, value: dt.datetime) -> str:
        words = moment(value)
        return format_html('<span class="late">{}</span>', words) if value <= timezone.now() else words

    def value_due_at(self, value: dt.datetime) -> str:
        return value.isoformat()

    def value_opened_at(self, value: dt.datetime) -> str:
        return value.isoformat()

    def value_promised_until(self, value: dt.datetime) -> str:
        return value.isoformat()

    def value_solved_at(self, value: dt.datetime) -> str:
        return value.isoformat()

    def render_first_time(self, value: bool) -> str:  # noqa: FBT001  # a cell's value
        return str(gettext_lazy("yes") if value else gettext_lazy("no"))

    def value_assignee(self, record: Any) -> str:
        return str(record.assignee)
