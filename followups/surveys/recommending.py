"""Whom a promoter would recommend us to: asked on the survey's own page, written down as a referral, told to the owner."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

import customers.services
from customers.models import Customer, Referral
from customers.rules.surveys import PROMOTER_FROM
from customers.services.referrals import record_referral
from followups.models import Survey
from followups.notices.kinds import register
from followups.notices.services import notify
from followups.rules.survey_policy import SurveyPolicy
from followups.rules.surveys import change_until
from followups.surveys.services import SOURCE, Outcome, Over
from tenants.context import current_tenant
from tenants.events import record
from tenants.models import Event, Member
from tenants.permissions import Role
from tenants.policies import active_policy

NAME_LENGTH: Final = 200
REACH_LENGTH: Final = 200


def _words(params: Mapping[str, Any]) -> str:
    said = {name: params[name] for name in ("who", "customer", "name", "reach", "why")}
    if params["why"]:
        return (
            _("%(who)s of %(customer)s recommends us to %(name)s (%(reach)s). No referral is recorded: %(why)s") % said
        )
    return _("%(who)s of %(customer)s recommends us to %(name)s: %(reach)s") % said


RECOMMENDED = register("survey_recommended", gettext_lazy("A customer recommends us"), _words, mail="at_once")


def may_recommend(survey: Survey, policy: SurveyPolicy, now: dt.datetime) -> bool:
    """Whether the page asks: the policy says so, a promoter has answered, and the answer could still be changed."""
    response, until = survey.response, change_until(survey.asking, policy)
    return bool(
        policy.ask_promoters == "yes"
        and response is not None
        and response.kind == "nps"
        and response.score >= PROMOTER_FROM
        and survey.customer.closed_on is None
        and until is not None
        and now < until
    )


def recommended(survey: Survey) -> str:
    """Whom the survey's contact has named; empty for nobody."""
    found = Event.objects.filter(
        customer_id=survey.customer_id, object_type="survey", object_id=survey.pk, verb="recommended"
    ).first()
    return str(found.changes["name"]) if found else ""


def recommend(*, survey: Survey, name: str, reach: str = "") -> Outcome:
    """Write down whom a promoter recommends us to, once for a survey: a new customer of its own A owner, and a referral.

    `reach` is how to get hold of them, for a person to use: nothing is sent there by itself. Where no referral can be
    recorded (they are a customer already, somebody holds the claim) the owner is told why, and the promoter, who need
    not know who our customers are, is not. Raises ValidationError by field, and Over when the page no longer asks.
    """
    name, reach = " ".join(name.split()), " ".join(reach.split())
    for field, text, most in (("name", name, NAME_LENGTH), ("reach", reach, REACH_LENGTH)):
        if len(text) > most:
            raise ValidationError(
                {field: ValidationError(_("At most %(count)d characters.") % {"count": most}, code="too_long")}
            )
    if not name:
        raise ValidationError({"name": ValidationError(_("Say whom."), code="required")})
    with transaction.atomic():
        Survey.objects.select_for_update(of=("self",), no_key=True).get(pk=survey.pk)
        rows = Survey.objects.select_related(
            "customer__owner_a__user", "customer__owner_b__user", "contact", "response"
        )
        locked: Survey = rows.get(pk=survey.pk)
        if recommended(locked):
            return "unchanged"
        if not may_recommend(locked, active_policy().section(SurveyPolicy), timezone.now()):
            raise Over(_("This can no longer be answered."), code="over")
        customer, why = None, ""
        # What is refused is told to members, in the firm's language.
        with translation.override(current_tenant().language):
            try:
                with transaction.atomic():
                    customer = _refer(locked, name, reach)
            except ValidationError as refusal:
                why = " ".join(refusal.messages)
        record("recommended", locked, {"name": name, "referral": customer is not None})
        params = {
            "who": locked.contact.name, "customer": locked.customer.name, "name": name, "reach": reach or "–", "why": why,
        }  # fmt: skip
        page = customer or locked.customer
        key = f"survey:{locked.pk}:recommended"
        notify(members=_hearers(page), kind=RECOMMENDED.code, key=key, params=params, url=f"customers/{page.pk}/")
        return "created"


def _refer(survey: Survey, name: str, reach: str) -> Customer:
    """The customer that was named, new where there is none of that name, with its referral."""
    found = list(Customer.objects.filter(search_name=name.lower())[:2])
    if len(found) > 1:
        raise ValidationError(_("Several customers are called so."), code="several")
    owner = survey.customer.owner_a
    customer: Customer = (
        found[0]
        if found
        else customers.services.create_customer(name=name, owner_a=owner if owner and owner.is_active else None)
    )
    record_referral(
        referrer=survey.customer,
        customer=customer,
        on=current_tenant().today(),
        origin=Referral.Origin.SURVEY,
        response=survey.response,
        note=reach,
        source=SOURCE,
        external_id=f"survey-{survey.pk}",
    )
    return customer


def _hearers(customer: Customer) -> list[Member]:
    """Who is told: the customer's owners; where nobody owns it, the leads, else the administrators."""
    owners = [member for member in (customer.owner_a, customer.owner_b) if member is not None and member.is_active]
    if owners:
        return owners
    others = list(
        Member.objects.filter(is_active=True, role__in=[Role.TEAM_LEAD, Role.ADMIN]).select_related("user")
    )  # fmt: skip
    return [member for member in others if member.role == Role.TEAM_LEAD] or others
