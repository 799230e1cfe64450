"""What the customer gets to see: private links, a look at their page, the improvement report."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import translation
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from risk.incidents import reports, talk
from risk.incidents.forms import LinkForm, ReportForm
from risk.incidents.printing import report_pdf
from risk.incidents.views.crisis import Crisis, CrisisForm, CrisisView, Verb
from risk.incidents.views.public import page_of
from risk.models import Incident, IncidentEntry, IncidentLink
from tenants.context import current_tenant
from tenants.pdf import NoPdfError


class LinkAdd(CrisisForm):
    """A private link for a contact."""

    heading = gettext_lazy("Let a contact read along")
    submit = gettext_lazy("Make the link")

    def form(self, data: Any = None, files: Any = None) -> LinkForm:
        return LinkForm(data, customer=self.incident.customer)

    def save(self, form: Any) -> HttpResponse:
        said = form.cleaned_data
        talk.make_link(incident=self.incident, contact=said["contact"], member=self.member, send=said["send"])
        return self.again()


class LinkRevoke(Verb):
    """End a link."""

    @cached_property
    def link(self) -> IncidentLink:
        found: IncidentLink = get_object_or_404(
            IncidentLink.objects.visible_to(self.member).select_related("incident"), pk=self.kwargs["pk"]
        )
        return found

    @cached_property
    def incident(self) -> Incident:
        return self.link.incident

    def do(self) -> None:
        talk.revoke_link(link=self.link, member=self.member)


class CustomerView(CrisisView):
    """What the customer sees, as the customer sees it; nobody has read it by that."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.refuse_unknown("lang")
        language = request.GET.get("lang") or reports.language_for(self.incident)
        with translation.override(language if language in reports.LANGUAGES else reports.LANGUAGES[0]):
            return page_of(request, self.incident, preview=True)


class ReportSave(Crisis):
    """Save the report; what was typed survives a refusal."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        language = str(kwargs["language"])
        form = ReportForm(request.POST)
        try:
            if not form.is_valid():
                raise ValidationError(_("The form was open too long, or cookies are switched off. Go back, reload, send it again."))  # fmt: skip
            said = form.cleaned_data
            parts = {part: said[part] for part in ("why", "avoided", "offer")}
            report, _outcome = reports.save(
                incident=self.incident, language=language, parts=parts, seen=said["seen"], member=self.member
            )
        except ValidationError as refusal:
            words = " ".join(refusal.messages)
            if self.request.htmx:
                return self.render("risk/_report_saved.html", problem=words, version=request.POST.get("seen", "0"))
            return self._typed(request, language, words)
        if self.request.htmx:
            return self.render("risk/_report_saved.html", saved=report.updated_at, version=report.version)
        return self.again()

    def _typed(self, request: HttpRequest, language: str, words: str) -> HttpResponse:
        room = self.room(language=language)
        report = room["report"]
        for part in ("why", "avoided", "offer"):
            setattr(report.row, part, request.POST.get(part, ""))
        typed = {"text": "", "see": "internal", "about": "", "key": uuid.uuid4().hex}
        return self.render(
            "risk/crisis.html", status=409, abouts=IncidentEntry.About.choices, update=typed, problem=words, **room
        )


class ReportDo(Verb):
    """Draft the report anew from the log, or confirm its cause."""

    def do(self) -> None:
        verbs: dict[str, Any] = {"draft": reports.redraft, "confirm": reports.confirm_cause}
        verbs[self.kwargs["verb"]](
            incident=self.incident, language=self.kwargs["language"], member=self.member
        )  # fmt: skip

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        super().post(request, **kwargs)
        response = self.again()
        address = f"{self.back()}?report={kwargs['language']}"
        header = "HX-Redirect" if "HX-Redirect" in response else "Location"
        response[header] = address
        return response


class ReportPage(CrisisView):
    """The report as the customer will read it; `?as=pdf` gives the PDF."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        self.refuse_unknown("as")
        if request.GET.get("as", "pdf") != "pdf":
            raise BadRequest(_("The one other form is pdf."))
        report = reports.report_of(self.incident, str(kwargs["language"]))
        context: dict[str, Any] = {
            "incident": self.incident,
            "report": report,
            "firm": current_tenant().name,
            "preview": True,
        }
        with translation.override(report.language):
            if "as" not in request.GET:
                return self.render("risk/report.html", **context)
            try:
                return report_pdf(self.incident, report)
            except NoPdfError:
                return self.render("risk/report.html", **context, no_pdf=True, status=503)
