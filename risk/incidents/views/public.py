"""The page behind a contact's private link: no sign-in, both languages, nothing but what the customer may see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.views import View

from followups.surveys.limits import address_of, may_ask
from followups.surveys.words import language_of
from risk.incidents import reading, talk
from risk.incidents.printing import report_pdf
from risk.incidents.reports import LANGUAGES
from risk.models import Incident, IncidentLink, IncidentReport, IncidentSeat
from tenants.context import current_tenant, tenant_scope
from tenants.pdf import NoPdfError

CALLS: Final = 120
"""Of one address in a minute: an office behind one address reads, a machine that tries links is stopped."""

SHOWN_SEATS: Final = ("lead", "contact", "expert")


class IncidentPage(View):
    """The timeline as the customer sees it; `?as=pdf` gives the improvement report once it is sent."""

    http_method_names = ["get", "head"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = self._answer(request, str(kwargs["token"]))
        add_never_cache_headers(response)
        # The address is the key: it must not travel on, nor be found.
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    def _answer(self, request: HttpRequest, token: str) -> HttpResponse:
        if request.method not in {"GET", "HEAD"}:
            return self.http_method_not_allowed(request)
        if not may_ask("incident", address_of(request), most=CALLS, seconds=60):
            return _stop(request, 429, _("Too many attempts"), _("Please wait a minute and try again."))
        read = talk.read_token(token)
        if read is None:
            return _stop(request, 404, _("This link does not work"), _("Please check that it is whole."))
        tenant, pk = read
        with tenant_scope(tenant), timezone.override(tenant.zone):
            rows = IncidentLink.objects.select_related("incident__customer", "contact")
            link = rows.filter(pk=pk, incident__is_drill=False).first()
            if link is None:
                return _stop(request, 404, _("This link does not work"), _("Please check that it is whole."))
            # A page that is open asks whether it still shows all; that is no new reading of it.
            seen = request.GET.get("seen") if getattr(request, "htmx", None) else None
            with _language(request.GET.get("lang") or language_of(link.contact)):
                if link.revoked_at is not None or link.expires_at <= timezone.now():
                    if seen is not None:
                        return HttpResponse(headers={"HX-Refresh": "true"})
                    words = _("Please ask your contact at %(firm)s for a new one.") % {"firm": tenant.name}
                    return _stop(request, 410, _("This link has ended"), words)
                if seen is not None:
                    return page_of(request, link.incident, seen=seen)
                if request.method == "GET":
                    talk.note_reading(link)
                if request.GET.get("as") == "pdf":
                    return _pdf(request, link.incident)
                return page_of(request, link.incident)


@contextmanager
def _language(code: str) -> Iterator[None]:
    known = dict(settings.LANGUAGES)
    with translation.override(code if code in known else settings.LANGUAGE_CODE):
        yield


def sent_report(incident: Incident) -> IncidentReport | None:
    """The report that was sent, in the language that is on where there is one."""
    rows = {row.language: row for row in IncidentReport.objects.filter(incident=incident, sent_at__isnull=False)}
    found: IncidentReport | None = rows.get(translation.get_language() or "") or next(iter(rows.values()), None)
    return found


def page_of(
    request: HttpRequest, incident: Incident, *, preview: bool = False, seen: str | None = None
) -> HttpResponse:
    """The page, from nothing but visible lines, the clocks' names and times, who leads, and the report that was sent.

    With `seen`, what the reader's page last showed: the part that changes, or 204 when it shows all. That is a mark of
    what stands there and not the incident's revision, which would tell how often something internal is written.
    """
    now = timezone.now()
    seats = IncidentSeat.objects.filter(incident=incident, seat__in=SHOWN_SEATS).select_related("member__user")
    shown: dict[str, Any] = {
        "firm": current_tenant().name,
        "title": incident.title,
        "number": incident.name,
        "opened_at": incident.opened_at,
        "is_open": incident.is_open,
        "clocks": reading.clock_lines(incident, now),
        "entries": reading.entry_lines(incident, for_customer=True),
        "seats": [(str(seat.member), seat.get_seat_display()) for seat in seats],
        "report": sent_report(incident),
        "preview": preview,
        "here": request.path,
    }
    parts = render_to_string("risk/_crisis_customer_parts.html", shown)
    state = blake2b(parts.encode(), digest_size=8).hexdigest()
    if seen == state:
        return HttpResponse(status=204)
    language = translation.get_language()
    page = {name: shown[name] for name in ("firm", "title", "preview", "here")}
    page |= {"parts": parts, "state": state, "language": language}
    if seen is not None:
        return render(request, "risk/_crisis_customer_now.html", page)
    names = [(code, translation.get_language_info(code)["name_local"]) for code in LANGUAGES if code != language]
    return render(request, "risk/crisis_customer.html", page | {"languages": names})


def _pdf(request: HttpRequest, incident: Incident) -> HttpResponse:
    report = sent_report(incident)
    if report is None:
        return _stop(request, 404, _("There is no report yet"), _("It follows when all is solved."))
    try:
        with translation.override(report.language):
            return report_pdf(incident, report)
    except NoPdfError:
        words = _("It cannot be made as PDF here. Please print the page.")
        return _stop(request, 503, _("There is no PDF"), words)


def _stop(request: HttpRequest, status: int, heading: str, words: str) -> HttpResponse:
    response = render(request, "followups/survey_stop.html", {"heading": heading, "words": words}, status=status)
    if status == 429:
        response["Retry-After"] = "60"
    return response
