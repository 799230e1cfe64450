"""Pages of quality review: the sample, the form, mystery visits, results per person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from followups.models import MysteryVisit, QualityReview
from followups.quality import services as quality
from followups.quality.lists import (
    ReviewFilter,
    ReviewTable,
    VisitFilter,
    VisitTable,
    review_rows,
    visit_rows,
)
from followups.rules.survey_policy import SurveyPolicy
from followups.surveys.forms import ReviewForm, SpanForm, VisitForm
from tenants.export import write_csv
from tenants.pages import FormPage, ListPage, TenantView
from tenants.policies import active_policy
from tenants.templatetags.perennial import day, moment, month_year


class Reviews(ListPage):
    """The month's sample of logged contacts: what waits for a review, and what was found."""

    permission = "quality-reviews:read"
    nav = "quality"
    queryset = staticmethod(review_rows)
    filterset = ReviewFilter
    table = ReviewTable
    template = "followups/quality_list.html"
    empty = "followups/quality_empty.html"
    sort = "-at"
    export_permission = "customers:export"
    export_name = "quality-reviews"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s contact", "%(count)s contacts", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        percent = active_policy().section(SurveyPolicy).quality_percent
        return {
            "section": "sample",
            "title": _("Quality review"),
            "note": _("%(percent)s%% of what each person has logged, drawn on the first night of the next month.")
            % {"percent": percent},
        }


class Visits(ListPage):
    """Mystery visits: what was asked for, what was found."""

    permission = "mystery-visits:read"
    nav = "quality"
    queryset = staticmethod(visit_rows)
    filterset = VisitFilter
    table = VisitTable
    template = "followups/quality_list.html"
    empty = "followups/mystery_empty.html"
    sort = "-on"
    export_permission = "customers:export"
    export_name = "mystery-visits"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s visit", "%(count)s visits", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        today = self.request.tenant.today()
        goal = active_policy().section(SurveyPolicy).mystery_a_month
        number = MysteryVisit.objects.filter(on__gte=today.replace(day=1)).count()
        return {
            "section": "mystery",
            "title": _("Mystery visits"),
            "note": _("%(number)s of %(goal)s this month") % {"number": number, "goal": goal} if goal else "",
            "may_add": self.member.can("mystery-visits:write"),
        }


class Review(FormPage):
    """Problem, cause and measure of one contact."""

    permission = "quality-reviews:write"
    nav = "quality"

    @cached_property
    def review(self) -> QualityReview:
        rows = QualityReview.objects.visible_to(self.member).select_related("customer", "interaction", "member__user")
        found: QualityReview = get_object_or_404(rows, pk=self.kwargs["pk"])
        if not quality.may_review(found, self.member):
            raise PermissionDenied(_("Nobody reviews their own contacts."))
        return found

    def title(self) -> str:
        contact = self.review.interaction
        return _("%(who)s with %(customer)s, %(when)s") % {
            "who": self.review.member, "customer": self.review.customer, "when": moment(contact.at),
        }  # fmt: skip

    def form(self, data: Any = None, files: Any = None) -> ReviewForm:
        return ReviewForm(data, review=self.review)

    def show(self, form: Any) -> HttpResponse:
        note = self.review.interaction.note
        if note:
            form.fields["score"].help_text = _("Logged: %(note)s") % {"note": note}
        return super().show(form)

    def save(self, form: ReviewForm) -> HttpResponse:
        quality.review(review=self.review, member=self.member, **form.cleaned_data)
        messages.success(self.request, _("The review is saved."))
        return self.done("quality")

    def back(self) -> str:
        return self.address("quality")


class VisitAdd(FormPage):
    """Write down a mystery visit."""

    permission = "mystery-visits:write"
    nav = "quality"
    heading: ClassVar[str | Promise] = gettext_lazy("Add a mystery visit")
    submit = gettext_lazy("Add")

    def form(self, data: Any = None, files: Any = None) -> VisitForm:
        return VisitForm(data, today=self.request.tenant.today())

    def save(self, form: VisitForm) -> HttpResponse:
        quality.add_visit(by=self.member, **form.cleaned_data)
        messages.success(self.request, _("The visit is written down."))
        return self.done("quality-mystery")

    def back(self) -> str:
        return self.address("quality-mystery")


class VisitEdit(VisitAdd):
    """Change what was written down of a visit, or note that its measure is done."""

    heading = ""
    submit = gettext_lazy("Save")

    @cached_property
    def visit(self) -> MysteryVisit:
        found: MysteryVisit = get_object_or_404(MysteryVisit.objects.visible_to(self.member), pk=self.kwargs["pk"])
        return found

    def title(self) -> str:
        return _("Visit of %(day)s") % {"day": day(self.visit.on)}

    def form(self, data: Any = None, files: Any = None) -> VisitForm:
        return VisitForm(data, today=self.request.tenant.today(), visit=self.visit)

    def save(self, form: VisitForm) -> HttpResponse:
        quality.change_visit(visit=self.visit, by=self.member, **form.cleaned_data)
        messages.success(self.request, _("The visit is saved."))
        return self.done("quality-mystery")


class People(TenantView):
    """What reviews, mystery visits and answers after talks say of each person, for some months."""

    permission = "quality-reviews:read"
    nav = "quality"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.refuse_unknown("export", "first", "last")
        form = SpanForm(request.GET)
        if not form.is_valid():
            raise BadRequest(_("A month, like 2026-10."))
        today = self.request.tenant.today()
        # Of the running month nothing is drawn yet.
        last = form.cleaned_data["last"] or (today.replace(day=1) - dt.timedelta(days=1)).replace(day=1)
        first = form.cleaned_data["first"] or _months_before(last, 2)
        if first > last:
            raise BadRequest(_("Must not lie before the first month."))
        end = (last + dt.timedelta(days=32)).replace(day=1)
        rows = quality.results(self.member, first, end)
        if "export" in request.GET:
            if request.GET["export"] != "csv":
                raise BadRequest(_("The one form of export is csv."))
            return self.export(rows, first, last)
        return self.render(
            "followups/quality_people.html", section="people", rows=rows, first=first, last=last, end=end,
            span=month_year(first) if first == last else f"{month_year(first)} – {month_year(last)}",
        )  # fmt: skip

    def export(self, rows: list[quality.Result], first: dt.date, last: dt.date) -> HttpResponseBase:
        self.check_export("customers:export")
        columns = [
            _("Person"), _("First month"), _("Last month"), _("Contacts logged"), _("Drawn"), _("Reviewed"),
            _("Without a problem"), _("Mean score"), _("Problems by kind"), _("Measures"), _("Measures done"),
            _("Mystery visits"), _("Mean score of visits"), _("CSAT answers after talks"), _("CSAT mean"),
        ]  # fmt: skip
        lines = [
            [
                str(row.member), f"{first:%Y-%m}", f"{last:%Y-%m}", row.contacts, row.drawn, row.reviewed, row.good,
                _rounded(row.score), row.kind_words, row.measures, row.measures_done, row.visits,
                _rounded(row.visit_score), row.asked, _rounded(row.csat),
            ]
            for row in rows
        ]  # fmt: skip
        return self.csv_file("quality-people", list(write_csv(columns, lines)))


def _months_before(month: dt.date, count: int) -> dt.date:
    number = month.year * 12 + month.month - 1 - count
    return dt.date(number // 12, number % 12 + 1, 1)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
