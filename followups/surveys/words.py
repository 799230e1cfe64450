"""What a survey says to a customer, in the customer's language."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from customers.models import Contact
from followups.models import Survey
from followups.surveys.links import address_of
from tenants.context import current_tenant
from tenants.templatetags.perennial import long_day

SHORT: Final = frozenset({"sms", "wechat", "app"})
"""Channels on which a message is a line or two."""


def language_of(contact: Contact) -> str:
    """The contact's language if we speak it ("zh", "zh-CN" and "zh-Hans" are one), else the firm's."""
    known = [code for code, _words in settings.LANGUAGES]
    said = contact.language.strip().lower().replace("_", "-")
    for code in known:
        if said and code.split("-")[0] == said.split("-")[0]:
            return code
    firm = current_tenant().language
    return firm if firm in known else known[0]


def question(survey: Survey) -> str:
    """What is asked, in the language that is on."""
    firm = current_tenant().name
    if survey.kind == "nps":
        return _("How likely are you to recommend %(firm)s to a colleague or a business friend?") % {"firm": firm}
    if survey.complaint is not None:
        return _("How satisfied are you with the way %(firm)s has solved “%(topic)s”?") % {
            "firm": firm, "topic": survey.complaint.topic,
        }  # fmt: skip
    if survey.cause == Survey.Cause.CONTACT:
        return _("How satisfied are you with your last talk with %(firm)s?") % {"firm": firm}
    return _("How satisfied are you with %(firm)s?") % {"firm": firm}


def invitation(survey: Survey, *, reminder: bool = False) -> tuple[str, str]:
    """Subject and text of the message with the link, in the survey's language; texts of a line have no subject."""
    tenant = current_tenant()
    with translation.override(survey.language), timezone.override(tenant.zone):
        said = {
            "firm": tenant.name,
            "name": survey.contact.name,
            "question": question(survey),
            "link": address_of(survey),
            "day": long_day(tenant.local_date(survey.expires_at)),
        }
        if survey.channel in SHORT:
            return "", _("%(firm)s: %(question)s One tap is enough: %(link)s") % said
        if reminder:
            subject = _("A reminder: one question from %(firm)s") % said
            body = _(
                "Hello %(name)s,\n\nwe have not heard from you yet, and your answer counts:\n\n%(question)s\n\n"
                "One tap is enough: %(link)s\n\nThe link works until %(day)s. We will not ask again about this.\n\n%(firm)s"
            )
        else:
            subject = _("One question from %(firm)s") % said
            body = _(
                "Hello %(name)s,\n\n%(question)s\n\nOne tap is enough: %(link)s\n\nThe link works until %(day)s."
                "\n\nThank you\n%(firm)s"
            )
        return subject, body % said
