"""Pages of reports: the list, one that was made, one as it stands now; each to be printed, saved or sent to oneself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.crypto import get_random_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboards.reports.facts import Facts
from dashboards.reports.issuing import facts_now
from dashboards.reports.letters import file_name, pdf_of
from dashboards.reports.papers import Paper, lines, paper
from incentives.kpis.figures import Who, may_see
from incentives.kpis.forms import PeriodField, WhoField
from incentives.kpis.views import choices_of
from incentives.models import Report
from incentives.reports import services as reports
from incentives.reports.lists import ReportFilter, ReportTable, report_rows
from incentives.reports.words import kind_words
from incentives.rules.kpis import Period
from incentives.rules.reports import KINDS, SPANS, Kind
from tenants.export import write_csv
from tenants.models import Member, Team
from tenants.pages import ListPage, TenantView
from tenants.pdf import NoPdfError

FORMS: Final = ("pdf", "csv")
_TOKEN: Final = re.compile(r"[A-Za-z0-9]{12}")


class ReportList(ListPage):
    """The reports that were made: of the firm, of teams, of people."""

    permission = "reports:read"
    nav = "reports"
    queryset = staticmethod(report_rows)
    filterset = ReportFilter
    table = ReportTable
    template = "dashboards/reports.html"
    empty = "dashboards/reports_empty.html"
    sort = "-start"
    export_permission = "customers:export"
    export_name = "reports"

    def counted(self, count: int, shown: str) -> str:
        return ngettext("%(count)s report", "%(count)s reports", count) % {"count": shown}

    def context(self, rows: Sequence[Any]) -> dict[str, Any]:
        return {"kinds": [(kind, kind_words(kind)) for kind in KINDS if reports.about(kind, self.member) is not None]}


class _Report(TenantView):
    """A report in the form that is asked for."""

    permission = "reports:read"
    nav = "reports"
    known: ClassVar[tuple[str, ...]] = ("export",)

    def facts(self) -> Facts:
        raise NotImplementedError

    def extra(self) -> dict[str, Any]:
        """What else the page shows."""
        raise NotImplementedError

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.refuse_unknown(*self.known)
        asked = request.GET.get("export", "")
        if asked and asked not in FORMS:
            raise BadRequest(_("The other forms are pdf and csv."))
        facts = self.facts()
        found = paper(facts)
        if asked == "csv":
            self.check_export("customers:export")
            heads = [_("Part"), _("What"), _("Figure"), _("Value"), _("Rows")]
            base = f"/{self.request.tenant.slug}/"
            rows = [[*row[:4], f"{base}{row[4]}" if row[4] else ""] for row in lines(found)]
            return self.csv_file(f"report-{facts['period']}", list(write_csv(heads, rows)))
        if asked == "pdf":
            return self._pdf(facts, found)
        return self._page(found)

    def _page(self, found: Paper, **more: Any) -> HttpResponse:
        status = more.pop("status", 200)
        return self.render(
            "dashboards/report.html",
            status=status,
            paper=found,
            base=f"/{self.request.tenant.slug}/",
            token=get_random_string(12),
            may_export=self.member.can("customers:export"),
            **self.extra(),
            **more,
        )

    def _pdf(self, facts: Facts, found: Paper) -> HttpResponse:
        try:
            content = pdf_of(found)
        except NoPdfError:
            return self._page(found, no_pdf=True, status=503)
        response = HttpResponse(content, content_type="application/pdf")
        response["Content-Disposition"] = f'attachment; filename="{file_name(facts)}"'
        return response


class _Made(TenantView):
    """A report by its number, of those that the member sees."""

    permission = "reports:read"
    nav = "reports"

    @cached_property
    def report(self) -> Report:
        found: Report = get_object_or_404(reports.visible(self.member), pk=self.kwargs["pk"])
        return found


class ReportPage(_Made, _Report):
    """A report that was made: the numbers stay as they were."""

    def facts(self) -> Facts:
        facts: Facts = self.report.facts
        return facts

    def extra(self) -> dict[str, Any]:
        # Who answers for it sees who got it.
        is_answering = reports.about(reports.kind_of(self.report), self.member) == reports.who_of(self.report)
        return {
            "report": self.report,
            "deliveries": reports.deliveries(self.report) if is_answering else [],
            "send": self.address("report-send", pk=self.report.pk),
        }


class ReportSend(_Made):
    """Send a report that was made to oneself."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        _send(
            request,
            self.member,
            reports.kind_of(self.report),
            reports.period_of(self.report),
            reports.who_of(self.report),
            self.report,
        )
        return self.done("report", pk=self.report.pk)


class NowForm(forms.Form):
    """Of which period and of whom."""

    period = PeriodField(required=False)
    who = WhoField(required=False)


class _Now(TenantView):
    """A kind of report as it stands: whose, and of which period, as the address says."""

    permission = "reports:read"
    nav = "reports"

    @cached_property
    def kind(self) -> Kind:
        """Raises Http404 for a kind that there is not, or that is not for the member."""
        kind = next((each for each in KINDS if each == self.kwargs["kind"]), None)
        if kind is None or reports.about(kind, self.member) is None:
            raise Http404
        return kind

    def asked(self, said: Any) -> tuple[Period, Who]:
        """Raises BadRequest for what is no period of the kind, Http404 for whom the member does not see."""
        form = NowForm(said)
        if not form.is_valid():
            raise BadRequest(" ".join(f"{name}: {' '.join(map(str, words))}" for name, words in form.errors.items()))
        today = self.request.tenant.today()
        period = form.cleaned_data["period"] or Period.of(SPANS[self.kind], today).before
        if period.span != SPANS[self.kind]:
            raise BadRequest(_("This report is of another length."))
        who = form.cleaned_data["who"] or reports.about(self.kind, self.member)
        if period.start > today or who is None or not may_see(self.member, who) or not _exists(who):
            raise Http404
        return period, who


def _exists(who: Who) -> bool:
    if who.kind == "person":
        return bool(Member.objects.filter(pk=who.pk).exists())
    return who.kind == "tenant" or bool(Team.objects.filter(pk=who.pk).exists())


class ReportNow(_Now, _Report):
    """A report of any period as it stands now; nothing is kept."""

    known = ("export", "period", "who")

    @cached_property
    def place(self) -> tuple[Period, Who]:
        return self.asked(self.request.GET)

    def facts(self) -> Facts:
        return facts_now(self.kind, *self.place)

    def extra(self) -> dict[str, Any]:
        period, who = self.place
        today = self.request.tenant.today()
        return {
            "kind": self.kind,
            "made": reports.kept(self.kind, period, who),
            "period": period,
            "who": who,
            "choices": choices_of(self.member, who),
            "before": self._at(period.before, who),
            "after": self._at(period.after, who) if period.after.start <= today else None,
            "send": self.address("report-now-send", kind=self.kind),
        }

    def _at(self, period: Period, who: Who) -> str:
        return f"?{urlencode({'period': period.code, 'who': who.code})}"


class ReportNowSend(_Now):
    """Send a report as it stands now to oneself."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        period, who = self.asked(request.POST)
        _send(request, self.member, self.kind, period, who, reports.kept(self.kind, period, who))
        return self.done("report-now", kind=self.kind)


def _send(
    request: HttpRequest, member: Member, kind: Kind, period: Period, who: Who, report: Report | None
) -> None:  # fmt: skip
    """Put it on its way, once for the page that it is asked for on."""
    token = request.POST.get("token", "")
    if not _TOKEN.fullmatch(token):
        raise BadRequest(_("This page is out of date. Open it again."))
    if reports.send_to_me(member=member, kind=kind, period=period, who=who, report=report, token=token):
        messages.success(request, _("On its way to %(address)s.") % {"address": member.user.email})
    else:
        messages.info(request, _("It was sent already."))
