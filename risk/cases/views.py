"""The case library: what its cases say, the list, one case, and what is learned from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from risk.cases import services as cases
from risk.cases.lists import CAUSE_CHOICES, TRIED_CHOICES, CaseFilter, CaseTable, case_rows, end_words, tried_words
from risk.cases.words import SaidLine, alike, said
from risk.models import Case
from risk.rules.cases import ENOUGH
from tenants.export import write_csv
from tenants.pages import FormPage, ListPage, TenantView


class Library(ListPage):
    """Kept cases of customers that the member sees, newest first."""

    permission = "cases:read"
    nav = "cases"
    queryset = staticmethod(case_rows)
    filterset = CaseFilter
    table = CaseTable
    template = "risk/cases.html"
    empty = "risk/cases_empty.html"
    sort = "-closed_on"
    export_permission = "customers:export"
    export_name = "cases"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s case", "%(count)s cases", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        return {"section": "list"}


class Statements(TenantView):
    """What the library says, cause by cause, each number with its interval and its rows."""

    permission = "cases:read"
    nav = "cases"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.refuse_unknown("export")
        if request.GET.get("export", "csv") != "csv":
            raise BadRequest(_("The one form of export is csv."))
        lines = said(cases.statements(Case.objects.visible_to(self.member)))
        if "export" in request.GET:
            self.check_export("customers:export")
            return self.csv_file("case-statements", _csv(lines))
        decided = Case.objects.visible_to(self.member).exclude(outcome=Case.Outcome.FALSE_ALARM).count()
        return self.render("risk/case_statements.html", section="said", lines=lines, decided=decided, enough=ENOUGH)


def _csv(lines: Sequence[SaidLine]) -> Iterator[str]:
    heads = [
        _("Cause"), _("Class"), _("Cases"), _("Of all"), _("Share"), _("Lower end"), _("Upper end"),
        _("What was tried"), _("Cases in which it was tried"), _("Of which saved or won back"), _("Share"),
        _("Lower end"), _("Upper end"),
    ]  # fmt: skip
    rows = []
    for line in lines:
        share = line.statement.share
        own = [line.title, line.class_title, share.hits, share.of, share.share, share.low, share.high]
        rows += [
            [*own, title, helped.good.of, helped.good.hits, helped.good.share, helped.good.low, helped.good.high]
            for helped, title in line.helped
        ] or [[*own, "", 0, 0, None, None, None]]
    return write_csv(heads, rows)


class _OfCase(TenantView):
    permission = "cases:read"
    write_permission = "cases:write"
    nav = "cases"

    @cached_property
    def case(self) -> Case:
        rows = Case.objects.visible_to(self.member)
        found: Case = get_object_or_404(
            rows.select_related("customer", "alert", "incident", "closed_by__user"), pk=self.kwargs["pk"]
        )
        return found


class CasePage(_OfCase):
    """One case: why, what was tried, how it ended, what is learned, and which are like it."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown()
        row = self.case
        subject = row.alert or row.incident or row.customer
        found = cases.similar(subject, member=self.member, cause=row.cause, limit=cases.SIMILAR + 1)
        return self.render(
            "risk/case.html",
            case=row,
            cause=cases.cause_title(row.cause),
            signal=cases.signal_title(row.signal),
            tried=tried_words(row),
            end=end_words(row),
            alike=alike([each for each in found if each.pk != row.pk][: cases.SIMILAR]),
            may_write=self.member.can("cases:write"),
        )


class LearnForm(forms.Form):
    """What is learned from a case, and its cause and what was tried put right."""

    lessons = forms.CharField(
        label=gettext_lazy("Lessons learned"), max_length=8000, required=False, widget=forms.Textarea({"rows": 5})
    )
    cause = forms.ChoiceField(label=gettext_lazy("Cause"), required=False)
    tried = forms.MultipleChoiceField(
        label=gettext_lazy("What was tried"), choices=TRIED_CHOICES, required=False,
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    text = forms.CharField(
        label=gettext_lazy("What happened"), max_length=8000, required=False, widget=forms.Textarea({"rows": 4})
    )

    def __init__(self, data: Any = None, *, case: Case) -> None:
        initial = {"lessons": case.lessons, "cause": case.cause, "tried": case.tried, "text": case.text}
        super().__init__(data, initial=initial)
        cause: Any = self.fields["cause"]
        cause.choices = [("", gettext_lazy("not said")), *CAUSE_CHOICES]


class Learn(_OfCase, FormPage):
    """Write down what is learned."""

    permission = "cases:write"
    heading = gettext_lazy("What do we learn from this?")

    def form(self, data: Any = None, files: Any = None) -> LearnForm:
        return LearnForm(data, case=self.case)

    def save(self, form: Any) -> HttpResponseBase:
        cases.learn(case=self.case, **form.cleaned_data)
        messages.success(self.request, _("The lessons are written down."))
        return self.done("case", pk=self.case.pk)

    def back(self) -> str:
        return self.address("case", pk=self.case.pk)
