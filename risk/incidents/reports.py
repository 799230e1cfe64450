"""The improvement report (改进报告): drafted from the log, edited, checked, sent as a page and as PDF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from customers.models import Channel, Contact
from customers.services.rows import Outcome, error_of
from followups.messages.outbox import queue_message
from followups.surveys.words import language_of
from risk.incidents.room import Refused, lock, log, touch
from risk.incidents.talk import address_of
from risk.incidents.words import CHECKS, compensation_words, names_words
from risk.models import (
    Incident,
    IncidentClock,
    IncidentCompensation,
    IncidentEntry,
    IncidentLink,
    IncidentReport,
)
from risk.rules.improvement import PARTS, About, Check, Line, checks, draft
from tenants.context import current_tenant
from tenants.events import acting, record
from tenants.models import Member

LANGUAGES: Final = tuple(code for code, _words in settings.LANGUAGES)
TEXT_LENGTH: Final = 8_000


def language_for(incident: Incident) -> str:
    """The language that the customer reads: that of the first contact, else the firm's."""
    contact = Contact.objects.filter(customer=incident.customer_id, left_on__isnull=True)
    first = contact.order_by("-is_main", "pk").first()
    if first is not None:
        return language_of(first)
    firm = current_tenant().language
    return firm if firm in LANGUAGES else LANGUAGES[0]


def report_of(incident: Incident, language: str) -> IncidentReport:
    """The report in a language as it stands; where there is none yet, a draft from the log that nobody has saved."""
    found = IncidentReport.objects.filter(incident=incident, language=language)
    row: IncidentReport | None = found.select_related("cause_confirmed_by__user", "updated_by__user").first()
    return row if row is not None else _drafted(IncidentReport(incident=incident, language=language))


def _drafted(report: IncidentReport) -> IncidentReport:
    incident = report.incident
    entries = IncidentEntry.objects.filter(incident=incident, code="").order_by("at", "pk")
    lines = [Line(each.pk, each.text, cast(About, each.about), each.is_visible) for each in entries]
    granted = IncidentCompensation.objects.filter(incident=incident, status=IncidentCompensation.Status.APPROVED)
    with translation.override(report.language):
        found = draft(lines, [compensation_words(each) for each in granted])
    report.why, report.avoided, report.offer = found.why, found.avoided, found.offer
    report.sources = {part: ids for part, ids in found.sources.items() if ids}
    return report


def save(
    *, incident: Incident, language: str, parts: dict[str, str], seen: int, member: Member
) -> tuple[IncidentReport, Outcome]:
    """Save the three parts. `seen` is the version that was edited, 0 for a draft nobody had saved.

    Raises Refused when somebody has saved another one meanwhile, naming who: what was typed is not lost, the page
    shows it again. Raises ValidationError for too long a text. What confirmed the cause falls with another "why".
    """
    if language not in LANGUAGES:
        raise ValidationError({"language": error_of(_("There is no such language."), "invalid")})
    said = {part: parts.get(part, "").replace("\r\n", "\n").strip() for part in PARTS}
    words = _("At most %(count)d characters.") % {"count": TEXT_LENGTH}
    wrong: dict[str, Any] = {
        part: error_of(words, "too_long") for part, text in said.items() if len(text) > TEXT_LENGTH
    }
    if wrong:
        raise ValidationError(wrong)
    with acting(member):
        row = lock(incident)
        report = _locked(row, language)
        version = report.version if report.pk else 0
        if report.pk and {part: getattr(report, part) for part in PARTS} == said:
            return report, "unchanged"
        if version != seen:
            words = _("%(who)s has saved the report meanwhile. Compare, then save yours again.")
            raise Refused(words % {"who": report.updated_by or _("Somebody")}, code="stale")
        if report.pk and report.why != said["why"]:
            report.cause_confirmed_at = report.cause_confirmed_by = None
        for part, text in said.items():
            setattr(report, part, text)
        report.version, report.updated_by = version + 1, member
        # What the customer has been sent is never another text: it comes back with the next closing.
        report.sent_at = report.sent_by = None
        report.save()
        touch(row)
        record("report_saved", row, {"language": language, "version": report.version})
        return report, "created" if version == 0 else "updated"


def _locked(incident: Incident, language: str) -> IncidentReport:
    found = IncidentReport.objects.filter(incident=incident, language=language).select_related("updated_by__user")
    return found.first() or _drafted(IncidentReport(incident=incident, language=language))


def redraft(*, incident: Incident, language: str, member: Member) -> IncidentReport:
    """Write the report anew from the log; what was written by hand is gone."""
    with acting(member):
        row = lock(incident)
        report = _drafted(_locked(row, language))
        report.version = report.version + 1 if report.pk else 1
        report.updated_by = member
        report.cause_confirmed_at = report.cause_confirmed_by = None
        report.save()
        touch(row)
        record("report_drafted", row, {"language": language, "version": report.version})
        return report


def confirm_cause(*, incident: Incident, language: str, member: Member) -> Outcome:
    """Say that "why it happened" is so. Raises Refused while nothing is written there."""
    with acting(member):
        row = lock(incident)
        report = _locked(row, language)
        if report.cause_confirmed_at is not None:
            return "unchanged"
        if not report.why.strip():
            raise Refused(_("Write first why it happened."), code="empty")
        report.cause_confirmed_at, report.cause_confirmed_by = timezone.now(), member
        report.updated_by = report.updated_by or member
        report.save()
        log(row, member=member, code="confirmed")
        touch(row)
        record("cause_confirmed", row, {"language": language})
        return "updated"


def checks_of(report: IncidentReport) -> dict[Check, bool]:
    """What must hold before the report is sent, each with whether it does."""
    incident = report.incident
    internal = IncidentEntry.objects.filter(incident=incident, is_visible=False, code="", about="")
    return checks(
        parts=[report.why, report.avoided, report.offer],
        internal=list(internal.values_list("text", flat=True)),
        cause_confirmed=report.cause_confirmed_at is not None,
        is_compensation_open=IncidentCompensation.objects.filter(
            incident=incident, status=IncidentCompensation.Status.ASKED
        ).exists(),
        is_solved=IncidentClock.objects.filter(incident=incident, kind="solved", met_at__isnull=False).exists(),
    )


def missing_words(incident: Incident) -> list[str]:
    """What keeps the report, in the customer's language, from being sent; empty when nothing does."""
    report = report_of(incident, language_for(incident))
    found = checks_of(report)
    if found["solved"] is False:
        found["solved"] = True  # closing says that by itself
    missing: Sequence[Any] = [CHECKS[check] for check, holds in found.items() if not holds]
    return [_("improvement report: %(missing)s") % {"missing": names_words(list(map(str, missing)))}] if missing else []


def send(incident: Incident, member: Member) -> list[IncidentReport]:
    """Put the reports that can be sent onto the customer's page, and tell whoever has a link, by e-mail, once.

    Call it inside the transaction that closes the incident. A drill's are marked as sent, and nobody is told.
    """
    now, sent = timezone.now(), []
    usual = language_for(incident)
    for language in LANGUAGES:
        report = report_of(incident, language)
        if language != usual and report.pk is None:
            continue
        if report.sent_at is not None or not all(checks_of(report).values()):
            continue
        report.sent_at, report.sent_by = now, member
        report.updated_by = report.updated_by or member
        report.save()
        sent.append(report)
        record("report_sent", incident, {"language": language, "version": report.version})
    if sent:
        log(incident, member=None, code="report", is_visible=True, at=now)
        if not incident.is_drill:
            _tell_readers(incident, member)
    return sent


def _tell_readers(incident: Incident, member: Member) -> None:
    tenant = current_tenant()
    links = IncidentLink.objects.filter(incident=incident, revoked_at__isnull=True, expires_at__gt=timezone.now())
    for link in links.select_related("contact"):
        contact = link.contact
        if not contact.email:
            continue
        with translation.override(language_of(contact)):
            subject = _("Improvement report: %(title)s") % {"title": incident.title}
            body = _(
                "Hello %(name)s,\n\nwhy it happened, how we avoid it, and what you get: the report is here, also as PDF:"
                "\n\n%(link)s\n\n%(firm)s"
            ) % {"name": contact.name, "link": address_of(link), "firm": tenant.name}
        queue_message(
            customer=incident.customer, contact=contact, channel=Channel.EMAIL, purpose="service",
            subject=subject[:200], body=body, origin=f"incident:{incident.name}", period=f"report:{link.pk}:{incident.revision}",
            member=member,
        )  # fmt: skip
