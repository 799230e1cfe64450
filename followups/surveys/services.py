"""Writing: asking a contact, reminding, and what they answer. Each verb is one transaction and may be sent twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Final, Literal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

import customers.services
from customers.models import Complaint, Contact, Interaction, SurveyResponse
from followups.messages.outbox import queue_message
from followups.models import ChannelSetup, Reason, Survey
from followups.rules import surveys as rules
from followups.rules.survey_policy import SurveyPolicy
from followups.surveys import loops
from followups.surveys.words import invitation, language_of
from tenants.context import current_tenant
from tenants.events import record
from tenants.models import Member
from tenants.policies import active_policy
from tenants.templatetags.perennial import long_day

SOURCE: Final = "survey"
"""The source of the answers that came by link."""

TEXT_LENGTH: Final = 2000
BY_MESSAGE: Final = ("email", "sms", "wechat")

Outcome = Literal["created", "updated", "unchanged"]


class Over(ValidationError):
    """An answer that can no longer be given or changed; its message says why."""


def ask(
    *,
    contact: Contact,
    kind: str,
    cause: str,
    period: str,
    member: Member | None = None,
    complaint: Complaint | None = None,
    interaction: Interaction | None = None,
) -> tuple[Survey, Outcome]:
    """Ask a contact by a link of its own, unless (contact, kind, period) has been asked already.

    The message goes through the contact governor: what it moves or blocks is said by the survey's message. The link
    works for the policy's `answer_days` from the moment at which the message may go.
    """
    policy = active_policy()
    rules_now = policy.section(SurveyPolicy)
    now = timezone.now()
    with transaction.atomic():
        survey, is_new = Survey.objects.get_or_create(
            contact=contact,
            kind=kind,
            period=period,
            defaults={
                "tenant": current_tenant(),
                "customer": contact.customer,
                "cause": cause,
                "complaint": complaint,
                "interaction": interaction,
                "channel": channel_for(contact),
                "language": language_of(contact),
                "asked_by": member,
                "asked_at": now,
                "expires_at": now + dt.timedelta(days=rules_now.answer_days),
                "policy_version": policy.number,
            },
        )
        if not is_new:
            return survey, "unchanged"
        subject, body = invitation(survey)
        survey.message = queue_message(
            customer=contact.customer,
            contact=contact,
            channel=survey.channel,
            purpose="survey",
            subject=subject,
            body=body,
            origin=f"survey:{kind}",
            period=str(survey.pk),
            language=survey.language,
            member=member,
        )
        # Whoever the governor lets wait has as long to answer as the others.
        begins = max(now, survey.message.due_at)
        survey.expires_at = begins + dt.timedelta(days=rules_now.answer_days)
        survey.save(update_fields=["message", "expires_at", "updated_at"])
        record("asked", survey, {"kind": kind, "cause": cause, "contact": contact.pk}, policy_version=policy.number)
        return survey, "created"


def ask_by_hand(
    *, contact: Contact, kind: str, member: Member, complaint: Complaint | None = None
) -> tuple[Survey, Outcome]:
    """Ask because a member wants to know; the same contact at most once a day for each kind.

    Raises ValidationError by field: who has left or belongs to a closed customer, and a complaint of somebody else or
    with NPS.
    """
    if contact.left_on is not None:
        raise ValidationError({"contact": ValidationError(_("%(name)s has left.") % {"name": contact}, code="left")})
    if contact.customer.closed_on is not None:
        raise ValidationError({"contact": ValidationError(_("A closed customer is not asked."), code="closed")})
    if complaint is not None and complaint.customer_id != contact.customer_id:
        words = _("This complaint belongs to another customer.")
        raise ValidationError({"complaint": ValidationError(words, code="other_customer")})
    if complaint is not None and kind != SurveyResponse.Kind.CSAT:
        words = _("About a complaint CSAT is asked.")
        raise ValidationError({"complaint": ValidationError(words, code="not_csat")})
    period = f"complaint:{complaint.pk}" if complaint else f"hand:{current_tenant().today().isoformat()}"
    cause = Survey.Cause.COMPLAINT if complaint else Survey.Cause.HAND
    return ask(contact=contact, kind=kind, cause=cause, period=period, member=member, complaint=complaint)


def channel_for(contact: Contact) -> str:
    """How a contact gets the link: by the channel they prefer where the firm sends by it, else by e-mail, else by SMS."""
    set_up = ChannelSetup.objects.filter(is_on=True).exclude(gateway="").values_list("channel", flat=True)
    ways = {"email", *set_up} & set(BY_MESSAGE)
    if contact.channel in ways:
        return contact.channel
    return "sms" if "sms" in ways and contact.phone and not contact.email else "email"


def remind(survey: Survey) -> bool:
    """Remind once more, through the governor; says whether a message goes out.

    Counts as a reminder also where the governor blocks it: tomorrow's night must not try again for ever.
    """
    with transaction.atomic():
        locked = _lock(survey.pk)
        now = timezone.now()
        policy = active_policy().section(SurveyPolicy)
        if locked.state_at(now) != "open" or not rules.reminder_due(locked.asked_at, locked.reminders, policy, now):
            return False
        subject, body = invitation(locked, reminder=True)
        message = queue_message(
            customer=locked.customer,
            contact=locked.contact,
            channel=locked.channel,
            # Not another survey, but another touch: the budget counts it, the rest between surveys does not.
            purpose="news",
            subject=subject,
            body=body,
            origin=f"survey-reminder:{locked.reminders + 1}",
            period=str(locked.pk),
            language=locked.language,
        )
        locked.reminders, locked.reminded_at = locked.reminders + 1, now
        locked.save(update_fields=["reminders", "reminded_at", "updated_at"])
        goes = message.status not in {"blocked", "failed"}
        record("reminded", locked, {"reminders": [locked.reminders - 1, locked.reminders], "goes": goes})
        return goes


def answer(*, survey: Survey, score: int) -> Outcome:
    """Write down what the contact answers; a low answer has a follow-up at once. The same answer again changes nothing.

    Another one changes it, once and while the policy's `change_days` last. Raises Over, in words, when the link has
    expired or the answer can no longer be changed; ValidationError for a score beside the scale.
    """
    with transaction.atomic(), customers.services.arrivals_last():
        locked, policy, now = _lock(survey.pk), active_policy().section(SurveyPolicy), timezone.now()
        if locked.answered_at is None:
            if now >= locked.expires_at:
                raise Over(_("This survey ended on %(day)s.") % {"day": _day(locked.expires_at)}, code="expired")
            locked.response, _outcome = customers.services.upsert_survey_response(
                source=SOURCE,
                external_id=f"survey-{locked.pk}",
                customer=locked.customer,
                contact=locked.contact,
                complaint=locked.complaint,
                kind=locked.kind,
                score=score,
                at=now,
            )
            locked.answered_at = now
            locked.save(update_fields=["response", "answered_at", "updated_at"])
            record("answered", locked, {"score": [None, score]})
            outcome: Outcome = "created"
        else:
            response = _response(locked)
            if response.score == score:
                return "unchanged"
            _check_open(locked, policy, now)
            before = response.score
            customers.services.patch_survey_response(response=response, score=score)
            locked.changed_at = now
            locked.save(update_fields=["changed_at", "updated_at"])
            record("answer_changed", locked, {"score": [before, score]})
            outcome = "updated"
        loops.follow(_response(locked), policy)
    survey.refresh_from_db()
    return outcome


def tell(*, survey: Survey, reasons: Collection[str], text: str) -> Outcome:
    """Write down why, in the contact's own ticks and words; what was said before is replaced.

    Raises Over, in words, before there is an answer and after the time to change it; ValidationError for an unknown
    reason and for a text that is too long.
    """
    text = text.strip()
    if len(text) > TEXT_LENGTH:
        raise ValidationError({"text": ValidationError(_("At most %(count)d characters.") % {"count": TEXT_LENGTH}, code="too_long")})  # fmt: skip
    if set(reasons) - set(Reason.values):
        raise ValidationError({"reasons": ValidationError(_("There is no such reason."), code="invalid_choice")})
    with transaction.atomic(), customers.services.arrivals_last():
        locked, policy, now = _lock(survey.pk), active_policy().section(SurveyPolicy), timezone.now()
        if locked.answered_at is None:
            raise Over(_("Choose a number first."), code="no_answer")
        until = rules.change_until(locked.asking, policy)
        if until is None or now >= until:
            raise Over(_("Your answer could be changed until %(day)s.") % {"day": _day(until or now)}, code="over")
        response = _response(locked)
        changed = customers.services.patch_survey_response(response=response, text=text) != "unchanged"
        return "updated" if loops.tag(response, reasons, member=None) or changed else "unchanged"


def _lock(pk: int) -> Survey:
    """The survey, locked until the transaction ends, with what its rules read. Raises Survey.DoesNotExist."""
    Survey.objects.select_for_update(of=("self",), no_key=True).get(pk=pk)
    found: Survey = Survey.objects.select_related("customer", "contact", "complaint", "message", "response").get(pk=pk)
    return found


def _response(survey: Survey) -> SurveyResponse:
    """The answer's fact. Raises Over when somebody has taken it out of the books."""
    if survey.response is None:
        raise Over(_("This answer has been withdrawn."), code="withdrawn")
    return survey.response


def _check_open(survey: Survey, policy: SurveyPolicy, now: dt.datetime) -> None:
    if rules.may_change(survey.asking, policy, now):
        return
    if survey.changed_at is not None:
        raise Over(_("You have changed your answer once already; it stays as it is."), code="changed_before")
    until = rules.change_until(survey.asking, policy)
    raise Over(_("Your answer could be changed until %(day)s.") % {"day": _day(until or now)}, code="over")


def _day(moment: dt.datetime) -> str:
    return long_day(current_tenant().local_date(moment))
