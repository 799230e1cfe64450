"""Coverage: who was touched in time, by tier and person; the rows behind it; and the load of the coming year."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast

import django_filters as filters
from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from customers.models import Customer, TouchKind
from followups.cover import coverage
from followups.cover.coverage import Line, TooManyError, YearPlan
from followups.models import FollowUp
from segmentation.models import Tier
from segmentation.rules.policy import TierPolicy
from segmentation.rules.tiers import TIER_ORDER
from tenants.context import current_tenant
from tenants.export import write_csv
from tenants.filters import StrictFilterSet, members
from tenants.models import Member, Team
from tenants.pages import ChoiceColumn, ListPage, PageTable, PlainColumn, TenantView, WordsColumn
from tenants.policies import active_policy
from tenants.templatetags.perennial import day as day_words

USUAL_DAYS: Final = 30
MOST_DAYS: Final = 366
NOBODY: Final = "none"

STATES: Final[Mapping[str, Any]] = {
    "in_time": pgettext_lazy("touch", "in time"),
    "late": pgettext_lazy("touch", "late"),
    "missed": pgettext_lazy("touch", "missed"),
    "ahead": pgettext_lazy("touch", "not due yet"),
}


class SpanForm(forms.Form):
    """From when to when touches were due."""

    first = forms.DateField(
        label=gettext_lazy("Due from"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    last = forms.DateField(
        label=gettext_lazy("Due to"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    export = forms.ChoiceField(choices=[("csv", "csv")], required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and first > last:
            raise forms.ValidationError(_("The last day is before the first."))
        if first and last and (last - first).days >= MOST_DAYS:
            raise forms.ValidationError(_("At most %(days)d days.") % {"days": MOST_DAYS})
        return cleaned


@dataclass(frozen=True)
class Shown:
    """A line of a table of coverage: what it is called, its numbers, and the question that opens its rows."""

    name: str
    line: Line
    query: str

    @property
    def percent(self) -> str:
        """Made in time, in whole percent cut down; "–" where nothing had to be made."""
        return "–" if self.line.share is None else f"{int(self.line.share * 100)}%"


class CoveragePage(TenantView):
    """Which planned touches were made, and in time: by tier and by person."""

    permission = "follow-ups:read"
    nav = "coverage"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        asked = self.parameters(SpanForm)
        today = self.request.tenant.today()
        last = asked["last"] or today
        first = asked["first"] or min(last, today) - dt.timedelta(days=USUAL_DAYS - 1)
        lines = coverage.coverage(self.member, first, last)
        people = {person.pk: str(person) for person in Member.objects.select_related("user")}
        if asked["export"]:
            self.check_export("customers:export")
            return self.csv_file("coverage", _csv(lines, people), last)
        whole = sum(lines, Line("", None, 0, 0, 0, 0))
        span = {"due_from": first.isoformat(), "due_to": last.isoformat()}
        return self.render(
            "followups/coverage.html",
            section="made",
            first=first,
            last=last,
            tiers=_by_tier(lines, span),
            people=_by_person(lines, people, span),
            whole=Shown("", whole, _query(span)),
            may_export=self.member.can("customers:export"),
        )


def _query(span: Mapping[str, str], **more: str) -> str:
    query = QueryDict(mutable=True)
    query.update({**span, **more})
    return query.urlencode()


def _tier_words(code: str) -> str:
    return str(Tier(code).label) if code in Tier.values and code else _("No tier")


def _by_tier(lines: list[Line], span: Mapping[str, str]) -> list[Shown]:
    found: dict[str, Line] = {}
    for line in lines:
        found[line.tier] = found[line.tier] + line if line.tier in found else line
    scheme = active_policy().section(TierPolicy).scheme
    order = [*TIER_ORDER[scheme], *sorted(found)]
    tiers = [tier for tier in dict.fromkeys(order) if tier in found]
    return [Shown(_tier_words(tier), found[tier], _query(span, tier=tier or NOBODY)) for tier in tiers]


def _by_person(lines: list[Line], people: Mapping[int, str], span: Mapping[str, str]) -> list[Shown]:
    found: dict[int | None, Line] = {}
    for line in lines:
        found[line.person] = found[line.person] + line if line.person in found else line
    shown = [
        Shown(people[person] if person else _("nobody"), line, _query(span, person=str(person) if person else NOBODY))
        for person, line in found.items()
    ]
    # Who needs help first.
    return sorted(shown, key=lambda each: (each.line.share is None, each.line.share or 0, each.name.lower()))


def _csv(lines: list[Line], people: Mapping[int, str]) -> Iterator[str]:
    heads = [_("Tier"), _("Person"), _("Planned"), _("In time"), _("Late"), _("Missed"), _("Not due yet"), _("Share")]
    ordered = sorted(lines, key=lambda each: (each.tier, people.get(each.person or 0, "")))
    rows = (
        [
            _tier_words(each.tier),
            people.get(each.person, "") if each.person else "",
            each.due + each.ahead,
            each.in_time,
            each.late,
            each.missed,
            each.ahead,
            "" if each.share is None else round(each.share, 4),
        ]
        for each in ordered
    )
    return write_csv(heads, rows)


# ── the rows behind the numbers ─────────────────────────────────────────────


def _people_choices() -> list[tuple[str, str]]:
    return [(NOBODY, _("nobody")), *((str(person.pk), str(person)) for person in members(None))]


class CoverageFilter(StrictFilterSet):
    """Which planned touches to show."""

    due_from = filters.DateFilter(
        field_name="due_on", lookup_expr="gte", label=gettext_lazy("Due from"),
        widget=forms.DateInput(attrs={"type": "date"}),
    )  # fmt: skip
    due_to = filters.DateFilter(
        field_name="due_on", lookup_expr="lte", label=gettext_lazy("Due to"),
        widget=forms.DateInput(attrs={"type": "date"}),
    )  # fmt: skip
    tier = filters.ChoiceFilter(
        method="by_tier", label=gettext_lazy("Tier"),
        choices=[(NOBODY, gettext_lazy("No tier")), *[each for each in Tier.choices if each[0]]],
    )  # fmt: skip
    person = filters.ChoiceFilter(method="by_person", label=gettext_lazy("A owner"), choices=_people_choices)
    team = filters.ModelChoiceFilter(
        field_name="owner_a__team",
        queryset=lambda request: Team.objects.all(),
        label=gettext_lazy("Team of the A owner"),
    )
    kind = filters.ChoiceFilter(choices=TouchKind.choices, label=gettext_lazy("Kind"))
    due = filters.ChoiceFilter(
        method="by_due", choices=[("yes", gettext_lazy("had to be made by now"))], label=gettext_lazy("Due")
    )
    state = filters.ChoiceFilter(choices=list(STATES.items()), label=gettext_lazy("State"))

    on_demand = frozenset({"team", "due"})

    class Meta:
        model = FollowUp
        fields: list[str] = []

    def by_due(self, rows: QuerySet[Any], _name: str, _value: str) -> QuerySet[Any]:
        return rows.exclude(state="ahead")

    def by_tier(self, rows: QuerySet[FollowUp], _name: str, value: str) -> QuerySet[FollowUp]:
        return rows.filter(Q(tier__isnull=True) | Q(tier="") if value == NOBODY else Q(tier=value))

    def by_person(self, rows: QuerySet[FollowUp], _name: str, value: str) -> QuerySet[FollowUp]:
        return rows.filter(owner_a__isnull=True) if value == NOBODY else rows.filter(owner_a=int(value))


class CustomerColumn(PlainColumn):
    """The customer's name, which opens its page; a spreadsheet gets the name."""

    def render(self, value: Customer) -> str:
        address = reverse("customer", kwargs={"tenant": current_tenant().slug, "pk": value.pk})
        return format_html('<a href="{}">{}</a>', address, value)


class CoverageTable(PageTable):
    """Planned touches."""

    fixed: ClassVar[tuple[str, ...]] = ("customer",)
    needs: ClassVar[Mapping[str, str]] = {"customer": "customer", "owner_a": "owner_a__user"}

    customer = CustomerColumn(verbose_name=gettext_lazy("Customer"), order_by=("customer.search_name",))
    tier = ChoiceColumn([each for each in Tier.choices if each[0]], verbose_name=gettext_lazy("Tier"), orderable=False)
    kind = PlainColumn(verbose_name=gettext_lazy("Kind"))
    owner_a = PlainColumn(verbose_name=gettext_lazy("A owner"), orderable=False)
    due_on = WordsColumn(day_words, verbose_name=gettext_lazy("Due"))
    touched_on = WordsColumn(day_words, verbose_name=gettext_lazy("Touched"), orderable=False)
    state = ChoiceColumn(list(STATES.items()), verbose_name=gettext_lazy("State"), orderable=False)


class CoverageRows(ListPage):
    """Planned touches one by one: due when, touched when."""

    permission = "follow-ups:read"
    nav = "coverage"
    queryset = staticmethod(coverage.planned_touches)
    filterset = CoverageFilter
    table = CoverageTable
    template = "followups/coverage_rows.html"
    empty = "followups/coverage_empty.html"
    sort = "-due_on"
    export_permission = "customers:export"
    export_name = "planned-touches"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s planned touch", "%(count)s planned touches", count) % {"count": shown}


# ── the coming year ─────────────────────────────────────────────────────────


class YearForm(forms.Form):
    """Whose year."""

    person = forms.TypedChoiceField(coerce=int, required=False, empty_value=None)
    export = forms.ChoiceField(choices=[("csv", "csv")], required=False)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        people = [(person.pk, str(person)) for person in members(None)]
        cast(forms.ChoiceField, self.fields["person"]).choices = [("", ""), *people]


@dataclass(frozen=True)
class Month:
    """A month of a person: the touches that land in it, and how many there is room for."""

    touches: int
    room: int

    @property
    def is_over(self) -> bool:
        return self.touches > self.room


@dataclass(frozen=True)
class Row:
    """A person's year, month by month."""

    name: str
    months: tuple[Month, ...]
    touches: int
    busiest: str


class YearPage(TenantView):
    """What the cadence asks for in the coming year, on the days on which it lands, against everybody's room."""

    permission = "follow-ups:read"
    nav = "coverage"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        asked = self.parameters(YearForm)
        person = None
        if asked["person"]:
            person = Member.objects.select_related("user").get(pk=asked["person"])
        try:
            plan = coverage.plan_year(self.member, person=person)
        except TooManyError:
            return self._too_many(person)
        if asked["export"]:
            self.check_export("customers:export")
            return self.csv_file("year-plan", _plan_csv(plan), plan.first)
        months = sorted({(day.year, day.month) for day in plan.working_days})
        return self.render(
            "followups/coverage_year.html",
            section="year",
            plan=plan,
            count=len(plan.touches),
            months=[dt.date(year, month, 1) for year, month in months],
            rows=_year_rows(plan, months),
            person=person,
            people=list(members(None)),
            may_export=self.member.can("customers:export"),
        )

    def _too_many(self, person: Member | None) -> HttpResponse:
        return self.render(
            "followups/coverage_year.html",
            section="year",
            too_many=coverage.MOST_CUSTOMERS,
            person=person,
            people=list(members(None)),
        )


def _year_rows(plan: YearPlan, months: list[tuple[int, int]]) -> list[Row]:
    names = {person.pk: str(person) for person in Member.objects.select_related("user")}
    days = Counter((day.year, day.month) for day in plan.working_days)
    by_month = Counter((each.person, each.due_on.year, each.due_on.month) for each in plan.touches)
    by_day = Counter((each.person, each.due_on) for each in plan.touches)
    totals = Counter(each.person for each in plan.touches)
    busiest: dict[Any, tuple[int, dt.date]] = {}
    for (person, day), number in sorted(by_day.items(), key=lambda item: item[0][1]):
        if number > busiest.get(person, (0, day))[0]:
            busiest[person] = (number, day)
    rows = []
    for person, total in totals.items():
        room = plan.room.get(person, 0) if person else 0
        cells = tuple(Month(by_month[person, *month], room * days[month] if person else 10**9) for month in months)
        number, day = busiest[person]
        words = ngettext("%(number)d on %(day)s", "%(number)d on %(day)s", number)
        rows.append(
            Row(
                names[person] if person else _("nobody"),
                cells,
                total,
                words % {"number": number, "day": day_words(day)},
            )
        )
    return sorted(rows, key=lambda row: (-row.touches, row.name.lower()))


def _plan_csv(plan: YearPlan) -> Iterator[str]:
    names = {person.pk: str(person) for person in Member.objects.select_related("user")}
    customers = dict(
        Customer.objects.filter(pk__in={each.customer_id for each in plan.touches}).values_list("pk", "name")
    )
    heads = [_("Day"), _("Customer"), _("Kind"), _("Person"), _("Asked for on")]
    return write_csv(
        heads,
        (
            [each.due_on, customers[each.customer_id], str(TouchKind(each.kind).label), names.get(each.person or 0, ""), each.wanted_on]
            for each in plan.touches
        ),
    )  # fmt: skip
