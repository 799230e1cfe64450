"""Writing down what customers answered: how likely they are to recommend us (NPS), how content they were (CSAT)."""

from __future__ import annotations

import datetime as dt
from typing import Any, TypedDict, Unpack

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.models import Complaint, Contact, Customer, SurveyResponse
from customers.services.arrivals import add_fact, change_fact
from customers.services.interactions import CLOCK_SKEW
from customers.services.rows import Outcome, error_of, for_update, lock, upsert


class SurveyResponseContent(TypedDict, total=False):
    """What can be said about an answer; `complaint` is the one whose solution was asked about."""

    customer: Customer
    contact: Contact | None
    complaint: Complaint | None
    kind: str
    score: int
    at: dt.datetime
    text: str


class SurveyResponseFields(SurveyResponseContent, total=False):
    """The same, with what another system calls it."""

    source: str
    external_id: str


@transaction.atomic
def add_survey_response(**fields: Unpack[SurveyResponseFields]) -> SurveyResponse:
    """Write down an answer: needs customer, kind and score; `at` is now unless said otherwise.

    Raises ValidationError by field: a score beside the scale of its kind (NPS 0 to 10, CSAT 1 to 5), a moment
    that is still to come, a contact or a complaint of another customer.
    """
    return _add(fields)


def _add(fields: SurveyResponseFields, *, is_free: bool = False) -> SurveyResponse:
    return add_fact(SurveyResponse, fields, check=_check_response, verb="added", is_free=is_free)


@transaction.atomic
def patch_survey_response(*, response: SurveyResponse, **fields: Unpack[SurveyResponseFields]) -> Outcome:
    """Change the given fields of an answer."""
    lock(response)
    return change_fact(response, fields, check=_check_response)


def upsert_survey_response(
    *, source: str, external_id: str, **fields: Unpack[SurveyResponseContent]
) -> tuple[SurveyResponse, Outcome]:
    """The answer that `source` calls `external_id`, with these fields; made if there is none."""
    return upsert(
        find=lambda: for_update(SurveyResponse.objects.filter(source=source, external_id=external_id)),
        make=lambda: _add({"source": source, "external_id": external_id, **fields}, is_free=True),
        change=lambda response: change_fact(response, fields, check=_check_response),
    )


def _check_response(response: SurveyResponse) -> dict[str, Any]:
    wrong: dict[str, Any] = {}
    scale = SurveyResponse.SCALE.get(response.kind)
    # One without a score at all has been refused as such.
    if scale and isinstance(response.score, int) and not scale[0] <= response.score <= scale[1]:
        words = _("%(kind)s is asked from %(least)s to %(most)s.")
        values = {"kind": response.get_kind_display(), "least": scale[0], "most": scale[1]}
        wrong["score"] = error_of(words % values, "out_of_range")
    if response.at > timezone.now() + CLOCK_SKEW:
        wrong["at"] = error_of(_("An answer cannot be written down before it was given."), "in_the_future")
    if response.contact is not None and response.contact.customer_id != response.customer_id:
        wrong["contact"] = error_of(_("This contact belongs to another customer."), "other_customer")
    if response.complaint is not None and response.complaint.customer_id != response.customer_id:
        wrong["complaint"] = error_of(_("This complaint belongs to another customer."), "other_customer")
    return wrong
