"""Reports by mail: the month's with the file, the week's as text; in the language of who reads it."""

from __future__ import annotations

from typing import Final, cast

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dashboards.reports.facts import Facts
from dashboards.reports.issuing import facts_now
from dashboards.reports.papers import Paper, paper, short
from followups.messages.sending.parcels import Attachment
from followups.models import Notice
from followups.notices.kinds import Letter, Mail, register
from incentives.kpis.figures import Who, may_see
from incentives.models import Report
from incentives.reports.services import NOTICES, usual_mail
from incentives.reports.words import notice_words
from incentives.rules.kpis import Period
from incentives.rules.reports import Kind
from tenants.context import current_tenant
from tenants.models import Member
from tenants.pdf import NoPdfError, as_pdf

IN_A_MAIL: Final = {
    "monthly": ("kpis", "lapses", "alerts"),
    "weekly": ("now", "kpis", "lapses", "health", "coverage", "alerts", "crises"),
}
"""The parts that a mail says in its text."""


def write(notice: Notice) -> Letter:
    """The mail of a report's notice, in the active language: of a report that was made, or of how it stands now."""
    params = notice.params
    kind, period, who = cast(Kind, params["kind"]), Period.read(params["period"]), Who.read(params["who"])
    address = f"{settings.PUBLIC_URL}/{current_tenant().slug}/{notice.url}"
    if not may_see(notice.member, who):
        # The member has changed team or role since: the numbers are no longer for them.
        return Letter(notice_words(params), _("This report is no longer for you. What is, stands on the page Reports."))
    facts = _facts(params.get("report"), kind, period, who)
    found = paper(facts)
    text = [f"{found.title}", f"{found.span}; {found.made}", *(f"! {each}" for each in found.missing)]
    text += short(found, IN_A_MAIL[kind])
    text += ["", _("Every number with its rows: %(link)s") % {"link": address}]
    files: tuple[Attachment, ...] = ()
    if kind == "monthly":
        try:
            files = (Attachment(file_name(facts), pdf_of(found), "application/pdf"),)
        except NoPdfError:
            text.append(_("The file could not be made here: the system library Pango is not installed."))
    return Letter(found.title, "\n".join(text), files)


def _facts(report: int | None, kind: Kind, period: Period, who: Who) -> Facts:
    if report is None:
        return facts_now(kind, period, who)
    return cast(Facts, Report.objects.get(pk=report).facts)


def pdf_of(found: Paper) -> bytes:
    """A report on paper, in the active language. Raises NoPdfError where none can be made."""
    tenant = current_tenant()
    context = {
        "paper": found, "tenant": tenant, "base": f"{settings.PUBLIC_URL}/{tenant.slug}/",
        "LANGUAGE_CODE": translation.get_language(),
    }  # fmt: skip
    return as_pdf(render_to_string("dashboards/report_print.html", context))


def file_name(facts: Facts) -> str:
    """What the file is called: report-hengtai-2026-10.pdf, with the team's number where it is of one."""
    who = "" if facts["who"] == "tenant" else f"-{facts['who']}"
    return f"report-{current_tenant().slug}-{facts['period']}{who}.pdf"


def _usual_monthly(member: Member) -> Mail | None:
    return usual_mail("monthly", member)


def _usual_weekly(member: Member) -> Mail | None:
    return usual_mail("weekly", member)


MONTHLY = register(
    NOTICES["monthly"], gettext_lazy("The monthly report, with the file"), notice_words,
    mail="at_once", letter=write, usual=_usual_monthly,
)  # fmt: skip
WEEKLY = register(
    NOTICES["weekly"], gettext_lazy("The weekly digest"), notice_words,
    mail="at_once", letter=write, usual=_usual_weekly,
)  # fmt: skip
