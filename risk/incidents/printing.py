"""The improvement report on paper."""

from __future__ import annotations

from django.http import HttpResponse
from django.template.loader import render_to_string

from risk.models import Incident, IncidentReport
from tenants.context import current_tenant
from tenants.pdf import as_pdf


def report_pdf(incident: Incident, report: IncidentReport) -> HttpResponse:
    """The report as a PDF to be saved, in the language that is on. Raises NoPdfError where none can be made."""
    tenant = current_tenant()
    context = {
        "incident": incident, "report": report, "firm": tenant.name,
        "day": tenant.local_date(report.sent_at) if report.sent_at else tenant.today(),
    }  # fmt: skip
    response = HttpResponse(as_pdf(render_to_string("risk/report_print.html", context)), content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="improvement-report-{incident.name}.pdf"'
    return response
